"""Schedules and drills as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from director.cli.drill_view import when
from director.cli.words import ABSENT, columns, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from trafficdirector.admin.v1 import admin_pb2 as admin
    from trafficdirector.drill.v1 import drill_pb2 as pb

_SCHEDULE_HEADER = ("SCHEDULE", "SERVICE", "LOSES", "WHEN", "NEXT DUE", "LAST DRILL")
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000))
_DRILL_HEADER = ("NAME", "SERVICE", "LOST", "HOW", "VERDICT", "RTO", "COULD LOSE", "BY", "BEGAN")


def schedule_lines(schedules: Iterable[pb.ScheduleStatus]) -> Iterator[str]:
    """Yield the schedules as a table; nothing without any."""
    rows = [_schedule_row(each) for each in schedules]
    if rows:
        yield from columns(_SCHEDULE_HEADER, rows)


def _schedule_row(schedule: pb.ScheduleStatus) -> tuple[str, ...]:
    due = when(schedule.next_due_ms) if schedule.HasField("next_due_ms") else ABSENT
    last = ABSENT
    if schedule.HasField("last_drill"):
        last = f"{verdict_word(schedule.last_drill)} ({schedule.last_drill.drill_id})"
    return (
        schedule.schedule_id,
        schedule.service_id,
        f"{schedule.region_id or 'the owner'} ({schedule.how.lower()})",
        f"{schedule.cron} {schedule.timezone}",
        schedule.fault or due,
        last,
    )


def drill_lines(drills: Iterable[pb.Drill]) -> Iterator[str]:
    """Yield the drills as a table, in their order; nothing without any."""
    rows = [_drill_row(each) for each in drills]
    if rows:
        yield from columns(_DRILL_HEADER, rows)


def _drill_row(drill: pb.Drill) -> tuple[str, ...]:
    measured_ms = drill.measured_rto_ms if drill.HasField("measured_rto_ms") else None
    loss_ms = drill.loss_bound_ms if drill.HasField("loss_bound_ms") else None
    cause = f" ({drill.cause})" if drill.cause else ""
    return (
        drill.drill_id,
        drill.service_id,
        drill.region_id,
        drill.how.lower(),
        verdict_word(drill) + cause,
        f"{seconds(measured_ms)} / {seconds(drill.rto_budget_ms)}",
        seconds(loss_ms),
        drill.actor,
        when(drill.started_wall_ms),
    )


def verdict_word(drill: pb.Drill) -> str:
    """Return ``pass``, ``fail``, ``aborted`` or ``skipped``; the stage of one that runs."""
    return _word(drill.verdict) or drill.stage


def _word(verdict: str) -> str:
    return {"PASSED": "pass", "FAILED": "fail"}.get(verdict, verdict.lower())


def last_drill_words(service: admin.ServiceStatus) -> str:
    """Return ``pass, 3d ago`` of the newest drill of a service, or what it is at now."""
    if not service.HasField("last_drill"):
        return "never"
    last = service.last_drill
    if not last.verdict:
        return f"{last.stage} now"
    return f"{_word(last.verdict)}, {_ago(last.ended_age_ms)}"


def _ago(age_ms: int) -> str:
    """Return ``3d ago``: coarse, so that a screen that is drawn each second stays calm."""
    for unit, unit_ms in _UNITS:
        if age_ms >= unit_ms:
            return f"{age_ms // unit_ms}{unit} ago"
    return "just now"
