"""Drills as messages, and what is asked for as the core knows it."""

from collections.abc import Iterable

from director.client.wire import UINT32_MAX
from director.core.drill import (
    DrillKind,
    DrillScenario,
    DrillSchedule,
    DrillSpec,
    DrillVerdict,
    GuardAnswer,
)
from director.core.drill_plan import DrillPlan
from director.core.drill_record import Drill, DrillPhase
from director.core.drill_rules import away_run
from director.core.reasons import Reason
from director.core.state import Phase, State
from director.routing.table import RegionId, ServiceId
from director.service.drill_calendar import CalendarError, next_due_ms
from director.service.errors import InvalidRequestError, NotFoundError
from trafficdirector.admin.v1 import admin_pb2 as admin
from trafficdirector.drill.v1 import drill_pb2 as pb

# Long enough for a takeover inside the usual objectives, short enough to try things.
FOR_MS_DEFAULT = 30_000
_NAMES_SHOWN_MAX = 20
_FULL_PER_MILLE = 1_000
_OWN_FIELDS = tuple(each.name for each in pb.Rehearsal.DESCRIPTOR.fields if each.name != "name")


def wanted(state: State, rehearsal: pb.Rehearsal) -> tuple[DrillSpec, DrillSchedule | None]:
    """Return what is to be rehearsed, and the schedule that declares it, if one does.

    Raises:
        InvalidRequestError: A field cannot be used.
        NotFoundError: There is no such schedule or service.
    """
    name = rehearsal.name
    own = [each for each in _OWN_FIELDS if getattr(rehearsal, each) or _is_set(rehearsal, each)]
    schedules = state.topology.drill_schedules
    schedule = next((each for each in schedules if each.schedule_id == name), None)
    is_service = state.topology.service(ServiceId(name)) is not None
    if schedule is not None and not own:
        return schedule.spec, schedule
    if schedule is not None and not is_service:
        raise InvalidRequestError(
            f"rehearsal.{own[0]}",
            f"{name} is a declared schedule, which says all of it; change its document, or drill "
            f"the service {schedule.spec.service_id}",
        )
    if not is_service:
        raise _unknown(state, name)
    return _spec(rehearsal), None


def _is_set(rehearsal: pb.Rehearsal, field: str) -> bool:
    has_presence = rehearsal.DESCRIPTOR.fields_by_name[field].has_presence
    return has_presence and rehearsal.HasField(field)


def _unknown(state: State, name: str) -> NotFoundError:
    names = [
        *(each.schedule_id for each in state.topology.drill_schedules),
        *(each.service_id for each in state.topology.services),
    ]
    more = len(names) - _NAMES_SHOWN_MAX
    shown = ", ".join(names[:_NAMES_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
    return NotFoundError(
        Reason.SERVICE_NOT_FOUND,
        f"there is no drill schedule and no service {name!r}; there are: {shown or 'none'}",
        name=name,
    )


def _spec(rehearsal: pb.Rehearsal) -> DrillSpec:
    kinds = {str(each).lower(): each for each in DrillKind}
    kind = kinds.get(rehearsal.how.lower() or DrillKind.BLACKHOLE.lower())
    if kind is None:
        known = ", ".join(DrillKind)
        raise InvalidRequestError("rehearsal.how", f"{rehearsal.how!r} is none of {known}")
    return DrillSpec(
        ServiceId(rehearsal.name),
        DrillScenario(
            kind,
            RegionId(rehearsal.region_id),
            rehearsal.share_per_mille or _FULL_PER_MILLE,
            rehearsal.delay_ms,
        ),
        rehearsal.for_ms or FOR_MS_DEFAULT,
        expect_rto_ms=rehearsal.expect_rto_ms if rehearsal.HasField("expect_rto_ms") else None,
        expect_rpo_ms=rehearsal.expect_rpo_ms if rehearsal.HasField("expect_rpo_ms") else None,
    )


# -- drills ----------------------------------------------------------------------------------------


def drill_to_proto(state: State, drill: Drill) -> pb.Drill:
    """Return a drill as a message, with the phases that are known by now."""
    spec, scenario = drill.spec, drill.spec.scenario
    service = state.topology.service(spec.service_id)
    encoded = pb.Drill(
        drill_id=drill.drill_id,
        service_id=spec.service_id,
        region_id=scenario.region_id,
        how=scenario.kind.value,
        share_per_mille=scenario.share_per_mille,
        delay_ms=scenario.delay_ms,
        for_ms=spec.for_ms,
        stage=drill.stage.value,
        verdict="" if drill.verdict is None else drill.verdict.value,
        cause=drill.cause,
        actor=drill.actor,
        reason=drill.reason,
        schedule_id=drill.schedule_id,
        home_region_id=drill.home or "",
        started_wall_ms=drill.started_wall_ms,
        ended_wall_ms=drill.ended_wall_ms,
        guards=list(map(_guard_to_proto, drill.guards)),
        timeline=[
            pb.DrillMoment(
                stage=each.stage.value, at_ms=each.at_ms, note=each.note, wall_ms=each.wall_ms
            )
            for each in drill.timeline
        ],
        phases=_phases_to_proto(phases_by_now(state, drill)),
        rto_budget_ms=_bounded(drill.rto_budget_ms),
        rto_ms=0 if service is None else service.rto_ms,
        evidence=[
            admin.Evidence(vantage=each.vantage, finding=each.finding, age_ms=each.age_ms)
            for each in drill.evidence
        ],
        failover_ids=list(drill.run_ids),
        revision=drill.revision,
        state_diff=drill.state_diff,
        abort_cause=drill.abort_cause,
        abort_note=drill.abort_note,
        report_hash=drill.report_hash,
    )
    _set(encoded, "occurrence_ms", drill.occurrence_ms)
    _set(encoded, "injected_at_ms", drill.injected_at_ms)
    for name, value in (
        ("measured_rto_ms", drill.measured_rto_ms),
        ("loss_bound_ms", drill.loss_bound_ms),
        ("rpo_budget_ms", drill.rpo_budget_ms),
    ):
        _set(encoded, name, None if value is None else _bounded(value))
    return encoded


def phases_by_now(state: State, drill: Drill) -> tuple[DrillPhase, ...]:
    """Return where the recovery time went: at the end as measured, before as far as it is known.

    Like ``measured``, it counts what nobody had noticed yet to the detection.
    """
    if drill.phases or drill.injected_at_ms is None:
        return drill.phases
    run = away_run(state, drill)
    if run is None:
        return ()
    unseen_ms = max(0, run.suspected_at_ms - drill.injected_at_ms)
    ledger = [each for each in run.ledger if each.phase is not Phase.VERIFY]
    return tuple(
        DrillPhase(each.phase, each.ms + (unseen_ms if at == 0 else 0), each.note)
        for at, each in enumerate(ledger)
    )


def _guard_to_proto(answer: GuardAnswer) -> pb.GuardAnswer:
    return pb.GuardAnswer(
        guard=answer.guard.value,
        passed=answer.passed,
        message=answer.message,
        values=dict(answer.values),
    )


def _phases_to_proto(phases: Iterable[DrillPhase]) -> list[admin.PhaseTime]:
    return [
        admin.PhaseTime(phase=str(each.phase), spent_ms=_bounded(each.ms), note=each.note)
        for each in phases
    ]


def _bounded(value: int) -> int:
    return min(max(0, value), UINT32_MAX)


def _set(encoded: pb.Drill | pb.PlanDrillResponse, field: str, value: int | None) -> None:
    if value is not None:
        setattr(encoded, field, value)


# -- schedules and plans ---------------------------------------------------------------------------


def schedule_to_proto(state: State, schedule: DrillSchedule, *, wall_ms: int) -> pb.ScheduleStatus:
    """Return a schedule with its next occurrence after ``wall_ms`` and its newest drill."""
    spec = schedule.spec
    encoded = pb.ScheduleStatus(
        schedule_id=schedule.schedule_id,
        service_id=spec.service_id,
        cron=schedule.cron,
        timezone=schedule.timezone,
        region_id=spec.scenario.region_id,
        how=spec.scenario.kind.value,
        for_ms=spec.for_ms,
    )
    last_ms = dict(state.occurrences).get(schedule.schedule_id, 0)
    try:
        due_ms = next_due_ms(schedule.cron, schedule.timezone, after_ms=max(last_ms, wall_ms))
    except CalendarError as error:
        encoded.fault = str(error)
    else:
        if due_ms is not None:
            encoded.next_due_ms = due_ms
    newest = next(
        (each for each in reversed(state.drills) if each.schedule_id == schedule.schedule_id), None
    )
    if newest is not None:
        encoded.last_drill.CopyFrom(drill_to_proto(state, newest))
    return encoded


def plan_to_proto(state: State, plan: DrillPlan) -> pb.PlanDrillResponse:
    """Return a plan as a message."""
    spec = plan.spec
    service = state.topology.service(spec.service_id)
    objective_ms = 0 if service is None else service.rto_ms
    encoded = pb.PlanDrillResponse(
        service_id=spec.service_id,
        region_id=spec.scenario.region_id,
        how=spec.scenario.kind.value,
        for_ms=spec.for_ms,
        guards=list(map(_guard_to_proto, plan.guards)),
        would_run=plan.would_run,
        target_region_id=plan.target or "",
        phases=_phases_to_proto(plan.phases),
        predicted_rto_ms=_bounded(plan.predicted_rto_ms),
        rto_budget_ms=_bounded(spec.expect_rto_ms or objective_ms),
        touched=plan.touched,
        moments=[
            pb.PlannedMoment(after_ms=_bounded(each.after_ms), what=each.what)
            for each in plan.moments
        ],
        left_over=plan.left_over,
    )
    rpo_ms = None if service is None else service.rpo_ms
    budget_ms = rpo_ms if spec.expect_rpo_ms is None else spec.expect_rpo_ms
    _set(encoded, "rpo_budget_ms", None if budget_ms is None else _bounded(budget_ms))
    bound_ms = plan.loss_bound_ms
    _set(encoded, "loss_bound_ms", None if bound_ms is None else _bounded(bound_ms))
    return encoded


def last_drill(state: State, service_id: str) -> Drill | None:
    """Return the newest drill of a service that took place, or goes on; None if none is kept."""
    return next(
        (
            each
            for each in reversed(state.drills)
            if each.spec.service_id == service_id and each.verdict is not DrillVerdict.SKIPPED
        ),
        None,
    )
