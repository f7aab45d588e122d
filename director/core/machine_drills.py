"""Applies what is written of drills: the only place where a drill's record changes.

The machine asks every guard again that the replicated state answers, whoever asked them before.
"""

from dataclasses import replace

from director.core.commands import AbortDrill, AdvanceDrill, RunKind, StartDrill, StartRun
from director.core.drill import (
    DRILL_MARGIN_MS,
    RESTORE_DEADLINE_MS,
    DrillGuard,
    DrillSpec,
    DrillStage,
    DrillVerdict,
    GuardAnswer,
)
from director.core.drill_record import DRILLS_KEPT_MAX, Drill, DrillMoment
from director.core.drill_results import judged, measured
from director.core.drill_rules import (
    causes,
    resolved_region,
    state_answers,
    time_left_ms,
    trip,
)
from director.core.drill_view import (
    awaited,
    configuration,
    operational_view,
    report_hash,
    state_diff,
)
from director.core.events import (
    DrillAborted,
    DrillAdvanced,
    DrillRenewed,
    DrillStarted,
    Event,
)
from director.core.ids import NO_DRILL, NO_GROUP, DrillId
from director.core.reasons import Reason
from director.core.refusals import reject
from director.core.safety import Refusal
from director.core.state import Run, State

# Where a drill may go from a stage. To the stage it is in: its injection is renewed.
_NEXT: dict[DrillStage, tuple[DrillStage, ...]] = {
    DrillStage.GUARDING: (DrillStage.INJECTING,),
    DrillStage.INJECTING: (DrillStage.INJECTING, DrillStage.RECOVERED, DrillStage.RESTORING),
    DrillStage.RECOVERED: (DrillStage.RECOVERED, DrillStage.RESTORING),
    DrillStage.RESTORING: (DrillStage.ENDED,),
    DrillStage.ENDED: (),
}


def apply_drill(
    state: State, index: int, command: StartDrill | AdvanceDrill | AbortDrill
) -> tuple[State, Event]:
    """Apply a command about a drill."""
    match command:
        case StartDrill():
            return start_drill(state, index, command)
        case AdvanceDrill():
            return advance_drill(state, index, command)
        case AbortDrill():
            return abort_drill(state, index, command)


# -- starting --------------------------------------------------------------------------------------


def start_drill(state: State, index: int, command: StartDrill) -> tuple[State, Event]:
    """Begin a drill; record a scheduled one that may not run as skipped, so that it is seen."""
    refusal = occurrence_refusal(state, command)
    if refusal is not None:
        return reject(state, index, command, refusal)
    spec = resolved(state, command.spec)
    is_scheduled = command.occurrence_ms is not None
    answers = state_answers(state, spec, command.local, is_scheduled=is_scheduled)
    refused = next((each for each in answers if not each.passed), None)
    skip = (command.skip_cause, command.skip_note)
    if not command.skip_cause and refused is not None:
        if not is_scheduled:
            return reject(state, index, command, guard_refusal(refused))
        skip = (str(refused.guard), refused.message)
    asked = {each.guard for each in answers}
    others = tuple(each for each in command.guards if each.guard not in asked)
    drill = _new(state, index, replace(command, spec=spec, guards=(*answers, *others)))
    if skip[0]:
        moment = DrillMoment(DrillStage.ENDED, state.now_ms, skip[1], command.stamp.wall_ms)
        drill = replace(drill, stage=DrillStage.ENDED, timeline=(moment,), cause=skip[0])
        drill = _sealed(state, replace(drill, verdict=DrillVerdict.SKIPPED), command.stamp.wall_ms)
    state = replace(state, drills=_kept((*state.drills, drill)), drill_count=drill.number)
    if command.occurrence_ms is not None:
        state = _with_occurrence(state, command.schedule_id, command.occurrence_ms)
    return state, DrillStarted(
        index,
        drill.drill_id,
        spec.service_id,
        spec.scenario.region_id,
        drill.stage,
        drill.verdict,
        skip[1],
        command.stamp.request_id,
    )


def resolved(state: State, spec: DrillSpec) -> DrillSpec:
    """Return the spec with its region filled in."""
    region_id = resolved_region(state, spec)
    return replace(spec, scenario=replace(spec.scenario, region_id=region_id))


def occurrence_refusal(state: State, command: StartDrill) -> Refusal | None:
    """Say that an occurrence of a schedule is past, or None: none ever runs twice."""
    if command.occurrence_ms is None:
        return None
    last_ms = dict(state.occurrences).get(command.schedule_id)
    if last_ms is None or command.occurrence_ms > last_ms:
        return None
    return Refusal(
        Reason.NOTHING_TO_DO,
        f"{command.schedule_id} has had its occurrence of {last_ms} (UTC ms); that of "
        f"{command.occurrence_ms} is not later",
        (("occurrenceMs", str(command.occurrence_ms)), ("lastOccurrenceMs", str(last_ms))),
    )


def guard_refusal(answer: GuardAnswer) -> Refusal:
    """Say which guard refuses a drill, with the values it compared."""
    is_known = answer.guard is not DrillGuard.SPEC
    said = f"guard {answer.guard} refuses the drill: " if is_known else "no such drill can run: "
    values = (("guard", str(answer.guard)), *answer.values)
    return Refusal(Reason.DRILL_REFUSED, said + answer.message, values)


def _new(state: State, index: int, command: StartDrill) -> Drill:
    number = state.drill_count + 1
    spec, stamp = command.spec, command.stamp
    service = state.topology.service(spec.service_id)
    group = next((each for each in state.groups if each.service_id == spec.service_id), None)
    rpo_ms = None if service is None else service.rpo_ms
    return Drill(
        drill_id=DrillId(f"{command.schedule_id or spec.service_id}/{number}"),
        number=number,
        spec=spec,
        stage=DrillStage.GUARDING,
        actor=stamp.actor,
        reason=stamp.reason,
        request_id=stamp.request_id,
        schedule_id=command.schedule_id,
        occurrence_ms=command.occurrence_ms,
        group_id=NO_GROUP if group is None else group.group_id,
        home=None if group is None else group.home,
        started_at_ms=state.now_ms,
        started_wall_ms=stamp.wall_ms,
        stage_at_ms=state.now_ms,
        baseline=operational_view(state, spec.service_id),
        guards=command.guards,
        timeline=(DrillMoment(DrillStage.GUARDING, state.now_ms, wall_ms=stamp.wall_ms),),
        revision=state.revision,
        index=index,
        rto_budget_ms=spec.expect_rto_ms or (0 if service is None else service.rto_ms),
        rpo_budget_ms=rpo_ms if spec.expect_rpo_ms is None else spec.expect_rpo_ms,
        configuration=configuration(state, spec.service_id),
    )


def _with_occurrence(state: State, schedule_id: str, occurrence_ms: int) -> State:
    known = {each.schedule_id for each in state.topology.drill_schedules} | {schedule_id}
    # A schedule that is declared again is due from its next occurrence only; what is left of it
    # would grow without end.
    last = {name: at_ms for name, at_ms in state.occurrences if name in known}
    last[schedule_id] = occurrence_ms
    return replace(state, occurrences=tuple(sorted(last.items())))


# -- going on --------------------------------------------------------------------------------------


def advance_drill(state: State, index: int, command: AdvanceDrill) -> tuple[State, Event]:
    """Move a drill to its next stage, or renew what it injects."""
    drill = state.drill(command.drill_id)
    if drill is None:
        return reject(state, index, command, not_found(state, command.drill_id))
    refusal = _stage_refusal(drill, command) or _entry_refusal(state, drill, command)
    if refusal is not None:
        return reject(state, index, command, refusal)
    if command.stage is drill.stage:
        drill = replace(drill, renewal=drill.renewal + 1, renewed_at_ms=state.now_ms, index=index)
        return _with(state, drill), DrillRenewed(index, drill.drill_id, drill.renewal)
    drill = _entered(state, drill, command, index)
    state = _with(state, drill)
    return state, DrillAdvanced(
        index, drill.drill_id, drill.spec.service_id, drill.stage, drill.verdict, command.note
    )


def not_found(state: State, drill_id: str) -> Refusal:
    """Say that there is no such drill, and which were the last."""
    known = ", ".join(each.drill_id for each in state.drills[-5:]) or "none yet"
    return Refusal(
        Reason.DRILL_NOT_FOUND, f"there is no drill {drill_id}; the last ones are: {known}"
    )


def _stage_refusal(drill: Drill, command: AdvanceDrill) -> Refusal | None:
    if drill.stage is command.expected_stage and command.stage in _NEXT[drill.stage]:
        return None
    return Refusal(
        Reason.STALE_STAGE,
        f"{drill.drill_id} is {drill.stage}; the step to {command.stage} was decided while it was "
        f"{command.expected_stage}",
        (("stage", str(drill.stage)), ("expectedStage", str(command.expected_stage))),
    )


def _entry_refusal(state: State, drill: Drill, command: AdvanceDrill) -> Refusal | None:
    if command.stage is DrillStage.ENDED:
        return _end_refusal(state, drill)
    if command.stage is DrillStage.RESTORING:
        return None  # to stop is always allowed
    tripped = trip(state, drill)
    if tripped is not None:
        return Refusal(Reason.DRILL_REFUSED, f"{drill.drill_id} must end: {tripped[1]}")
    return _breaking_refusal(state, drill, command)


def _breaking_refusal(state: State, drill: Drill, command: AdvanceDrill) -> Refusal | None:
    if drill.stage is DrillStage.GUARDING:
        return _injection_refusal(state, drill)
    if command.stage is drill.stage and time_left_ms(drill, state.now_ms) < -DRILL_MARGIN_MS:
        return Refusal(Reason.DRILL_REFUSED, f"{drill.drill_id} must end: its time is over")
    is_new = command.stage is DrillStage.RECOVERED and drill.stage is DrillStage.INJECTING
    if is_new and measured(state, drill) is None:
        return Refusal(Reason.STALE_STAGE, f"nothing moved in {drill.drill_id} yet")
    return None


def _injection_refusal(state: State, drill: Drill) -> Refusal | None:
    """What changed since the leader asked the guards keeps a drill from breaking anything."""
    others = replace(state, drills=())
    answers = state_answers(others, drill.spec, None, is_scheduled=False)
    refused = next((each for each in answers if not each.passed), None)
    return None if refused is None else guard_refusal(refused)


def _end_refusal(state: State, drill: Drill) -> Refusal | None:
    """A drill ends once everything is as it was, or could not be put back for long."""
    differs = awaited(state_diff(state, drill))
    left_ms = drill.stage_at_ms + RESTORE_DEADLINE_MS - state.now_ms
    if left_ms <= 0 or not (differs or _is_moving(state, drill)):
        return None
    what = "; ".join(differs) or "a run is under way"
    return Refusal(Reason.STALE_STAGE, f"{drill.drill_id} has not put everything back: {what}")


def _is_moving(state: State, drill: Drill) -> bool:
    return drill.group_id != NO_GROUP and state.active_run(drill.group_id) is not None


def _entered(state: State, drill: Drill, command: AdvanceDrill, index: int) -> Drill:
    moment = DrillMoment(command.stage, state.now_ms, command.note, command.stamp.wall_ms)
    drill = replace(
        drill,
        stage=command.stage,
        stage_at_ms=state.now_ms,
        index=index,
        timeline=(*drill.timeline, moment),
        cause=command.cause or drill.cause,
    )
    match command.stage:
        case DrillStage.INJECTING:
            renewal = 1 if drill.spec.is_injected else 0
            return replace(
                drill, injected_at_ms=state.now_ms, renewal=renewal, renewed_at_ms=state.now_ms
            )
        case DrillStage.RECOVERED:
            return measured(state, drill) or drill
        case DrillStage.RESTORING:
            # It may have moved and not settled in time: the report tells that, too.
            return drill if drill.measured_rto_ms is not None else measured(state, drill) or drill
        case DrillStage.ENDED:
            drill = drill if drill.measured_rto_ms is not None else measured(state, drill) or drill
            drill = judged(replace(drill, state_diff=state_diff(state, drill)))
            return _sealed(state, drill, command.stamp.wall_ms)
        case _:
            return drill


def _sealed(state: State, drill: Drill, wall_ms: int) -> Drill:
    drill = replace(drill, ended_at_ms=state.now_ms, ended_wall_ms=wall_ms)
    return replace(drill, report_hash=report_hash(drill))


# -- cutting short ---------------------------------------------------------------------------------


def abort_drill(state: State, index: int, command: AbortDrill) -> tuple[State, Event]:
    """Cut a drill short. The injection is off with this entry; what moved goes back."""
    drill = state.drill(command.drill_id)
    refusal = not_found(state, command.drill_id) if drill is None else drill_abort_refusal(drill)
    if refusal is not None or drill is None:
        return reject(state, index, command, refusal or not_found(state, command.drill_id))
    note = command.note or command.cause
    moment = DrillMoment(DrillStage.RESTORING, state.now_ms, note, command.stamp.wall_ms)
    drill = replace(
        drill,
        stage=DrillStage.RESTORING,
        stage_at_ms=state.now_ms,
        index=index,
        timeline=(*drill.timeline, moment),
        abort_cause=command.cause,
        abort_note=note,
    )
    return _with(state, drill), DrillAborted(
        index,
        drill.drill_id,
        drill.spec.service_id,
        command.cause,
        note,
        command.stamp.request_id,
    )


def drill_abort_refusal(drill: Drill) -> Refusal | None:
    """Say why a drill cannot be cut short any more, or None if it can."""
    if drill.stage is DrillStage.ENDED:
        return Refusal(
            Reason.NOTHING_TO_DO, f"{drill.drill_id} has ended: {drill.verdict or 'no verdict'}"
        )
    if drill.stage is DrillStage.RESTORING:
        return Refusal(
            Reason.NOTHING_TO_DO,
            f"{drill.drill_id} is over; everything is being put back already",
        )
    return None


# -- its runs --------------------------------------------------------------------------------------


def run_refusal(state: State, command: StartRun) -> Refusal | None:
    """Say that a drill asks for a run although it is over, or does not own the group, or None."""
    if not command.drill_id:
        return None
    drill = state.drill(command.drill_id)
    is_its = drill is not None and drill.is_active and drill.group_id == command.group_id
    if is_its and command.kind is RunKind.SWITCHOVER and not command.automatic:
        return None
    return Refusal(
        Reason.STALE_STAGE, f"drill {command.drill_id} has no move of {command.group_id} to ask for"
    )


def with_drill(state: State, run: Run, command: StartRun) -> tuple[State, Run]:
    """Note on a run that just starts, and on the drill, that the one caused the other."""
    drill_id = command.drill_id
    if not drill_id:
        drill = causes(state, run.service_id, run.source, automatic=run.automatic)
        drill_id = NO_DRILL if drill is None else drill.drill_id
    drill = state.drill(drill_id) if drill_id else None
    if drill is None:
        return state, run
    drill = replace(drill, run_ids=(*drill.run_ids, run.run_id))
    return _with(state, drill), replace(run, drill_id=drill_id)


def _with(state: State, drill: Drill) -> State:
    drills = tuple(drill if each.number == drill.number else each for each in state.drills)
    return replace(state, drills=_kept(drills))


def _kept(drills: tuple[Drill, ...]) -> tuple[Drill, ...]:
    ended = [each.number for each in drills if not each.is_active]
    dropped = set(ended[:-DRILLS_KEPT_MAX])
    return tuple(each for each in drills if each.number not in dropped)
