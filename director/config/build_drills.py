"""Drill schedules: as declared in the core's form, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from director.core import drill
from director.core.drill import (
    OWNERS_REGION,
    DrillCondition,
    DrillScenario,
    DrillSpec,
    DrillWindow,
    RegionState,
)
from director.routing.table import RegionId, ServiceId, Verdict

if TYPE_CHECKING:
    from director.config.model import Condition, DrillSchedule

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def drill_schedule(document: DrillSchedule) -> drill.DrillSchedule:
    """Return the core's form of a schedule."""
    spec = document.spec
    lose = spec.scenario.lose
    return drill.DrillSchedule(
        schedule_id=document.metadata.name,
        cron=spec.cron,
        timezone=spec.timezone,
        spec=DrillSpec(
            service_id=ServiceId(spec.service),
            scenario=DrillScenario(
                lose.how,
                OWNERS_REGION if lose.region is None else RegionId(lose.region),
                lose.share,
                lose.delay,
            ),
            for_ms=spec.scenario.for_,
            expect_rto_ms=spec.expect.rto,
            expect_rpo_ms=spec.expect.rpo,
            abort_when=tuple(map(_condition, spec.abort_when)),
            skip_when=tuple(map(_condition, spec.skip_when)),
            allowed_windows=tuple(map(drill_window, spec.allowed_windows)),
            blocked_dates=tuple(sorted(set(spec.blocked_dates))),
        ),
    )


def drill_window(text: str) -> DrillWindow:
    """Return a window such as ``Tue-Thu 02:00-05:00``; the text has passed the schema."""
    days, hours = text.split(" ")
    first, _, last = days.partition("-")
    from_text, to_text = hours.split("-")
    return DrillWindow(
        WEEKDAYS.index(first),
        WEEKDAYS.index(last or first),
        _minute(from_text),
        _minute(to_text),
    )


def window_text(window: DrillWindow) -> str:
    """Return a window as a document says it."""
    first, last = WEEKDAYS[window.first_weekday], WEEKDAYS[window.last_weekday]
    days = first if first == last else f"{first}-{last}"
    return f"{days} {_clock(window.from_minute)}-{_clock(window.to_minute)}"


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _condition(condition: Condition) -> DrillCondition:
    states = sorted((condition.region_state or {}).items())
    return DrillCondition(
        tuple(RegionState(RegionId(name), Verdict(state.upper())) for name, state in states),
        condition.failover_in_progress,
    )
