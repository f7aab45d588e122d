"""Folds committed commands into the state: the same on every replica, from its arguments alone.

``apply`` never raises for anything a user or a network can cause: it rejects by returning an
event. Every rule is checked here, against the state at apply time, however recently the planner
checked it (A9, R2, C5).
"""

from dataclasses import replace
from types import MappingProxyType
from typing import TypeAlias, assert_never

from director.core import (
    machine_automation,
    machine_drills,
    machine_generation,
    machine_intents,
    machine_manifest,
    machine_runs,
)
from director.core.audit_content import audited
from director.core.capacity import drain_room_refusal
from director.core.commands import (
    AbortDrill,
    AbortRun,
    AdvanceDrill,
    AdvanceRun,
    ApplyManifest,
    Command,
    GrantOwnership,
    RecordDeliveries,
    RecordIntent,
    RecordSpill,
    RecordVerdicts,
    SetAutomation,
    SetOverride,
    SetRegionDrained,
    Stamp,
    StartDrill,
    StartGeneration,
    StartRun,
    VerdictChange,
)
from director.core.deliveries import record_deliveries
from director.core.events import (
    DrillStarted,
    Event,
    OverrideChanged,
    RegionDrainSet,
    Rejected,
    Repeated,
    RunStarted,
    VerdictsRecorded,
)
from director.core.reasons import Reason
from director.core.refusals import reject
from director.core.safety import (
    VELOCITY_WINDOW_MS,
    Refusal,
    drain_refusal,
    lapse_refusal,
    override_refusal,
    takes_out_by_clearing,
    withholding_rule,
)
from director.core.spill import record_spill
from director.core.state import (
    REQUESTS_KEPT_MAX,
    Removal,
    RequestOutcome,
    State,
    VerdictRecord,
)
from director.routing.table import RegionId, ServiceId, ServiceMode, Verdict

Applied: TypeAlias = tuple[State, Event]


def apply(state: State, index: int, command: Command | None) -> tuple[State, Event | None]:
    """Apply the command committed at ``index``; None is an entry without one."""
    assert index == state.applied_index + 1, "entries are applied once each, in order"
    if command is None:
        return replace(state, applied_index=index), None
    # A new leader's clock may be behind the old one's. Director time never goes back.
    now_ms = max(state.now_ms, command.stamp.at_ms)
    state = replace(state, applied_index=index, now_ms=now_ms)
    request_id = command.stamp.request_id
    before = repetition(state, command.stamp) if request_id else None
    if isinstance(before, Refusal):
        state, refused = reject(state, index, command, before)
        return audited(state, index, command, refused), refused
    if before is not None:
        return state, before
    state, event = _dispatch(state, index, command)
    if request_id:
        state = replace(state, requests=_remembered(state, index, command.stamp, event))
    return audited(state, index, command, event), event


def _dispatch(state: State, index: int, command: Command) -> Applied:  # noqa: C901, PLR0911, PLR0912 - one each
    match command:
        case ApplyManifest():
            return machine_manifest.apply_manifest(state, index, command)
        case RecordVerdicts():
            return _record_verdicts(state, index, command)
        case GrantOwnership():
            return machine_runs.grant_ownership(state, index, command)
        case StartRun():
            return machine_runs.start_run(state, index, command)
        case AdvanceRun():
            return machine_runs.advance_run(state, index, command)
        case AbortRun():
            return machine_runs.abort_run(state, index, command)
        case SetRegionDrained():
            return _set_region_drained(state, index, command)
        case SetOverride():
            return _set_override(state, index, command)
        case SetAutomation():
            return machine_automation.set_automation(state, index, command)
        case RecordIntent():
            return machine_intents.record_intent(state, index, command)
        case StartGeneration():
            return machine_generation.start_generation(state, index, command)
        case RecordSpill():
            return record_spill(state, index, command)
        case RecordDeliveries():
            return record_deliveries(state, index, command)
        case StartDrill() | AdvanceDrill() | AbortDrill():
            return machine_drills.apply_drill(state, index, command)
        case _:
            assert_never(command)


def repetition(state: State, stamp: Stamp) -> Repeated | Refusal | None:
    """Return the first outcome of a request that was carried out or rejected before, or None.

    A refusal says that the id was used before for something else.
    """
    request_id = stamp.request_id
    before = next((each for each in state.requests if each.request_id == request_id), None)
    if before is None:
        return None
    if before.ask_digest != stamp.ask_digest:
        return Refusal(
            Reason.INVALID_REQUEST,
            f"request id {request_id} was used before, at index {before.index}, for something "
            "else; every change needs an id of its own",
            (("field", "change.request_id"), ("firstIndex", str(before.index))),
        )
    return Repeated(
        state.applied_index,
        before.index,
        request_id,
        before.run_id,
        before.rejected,
        before.message,
    )


def _begun(event: Event) -> str:
    """Name what a request began, so that a repetition learns it; "" if it began nothing."""
    match event:
        case RunStarted():
            return event.run_id
        case DrillStarted():
            return event.drill_id
        case _:
            return ""


def _remembered(state: State, index: int, stamp: Stamp, event: Event) -> tuple[RequestOutcome, ...]:
    outcome = RequestOutcome(
        stamp.request_id,
        index,
        ask_digest=stamp.ask_digest,
        run_id=_begun(event),
        rejected=str(event.reason) if isinstance(event, Rejected) else "",
        message=event.message if isinstance(event, Rejected) else "",
    )
    return (*state.requests, outcome)[-REQUESTS_KEPT_MAX:]


def _record_verdicts(state: State, index: int, command: RecordVerdicts) -> Applied:
    # One copy for all changes; each rule below sees the changes before it.
    verdicts = dict(state.verdicts)
    state = replace(state, verdicts=MappingProxyType(verdicts))
    recorded: list[VerdictChange] = []
    withheld: list[tuple[ServiceId, RegionId, str]] = []
    for change in command.changes:
        service = state.topology.service(change.service_id)
        if service is None or service.site(change.region_id) is None:
            continue  # a newer manifest took the site away
        is_down = change.verdict is Verdict.DOWN
        rule = withholding_rule(state, change.service_id, change.region_id) if is_down else ""
        pair = (change.service_id, change.region_id)
        before = verdicts.get(pair)
        if before is not None and (before.verdict, before.withheld) == (change.verdict, rule):
            continue
        verdicts[pair] = _verdict_record(state, index, change, rule)
        recorded.append(change)
        if rule:
            withheld.append((change.service_id, change.region_id, rule))
        elif is_down and service.mode is ServiceMode.ACTIVE_ACTIVE:
            state = _with_removal(state, *pair)
    if not recorded:
        return reject(
            state, index, command, Refusal(Reason.NOTHING_TO_DO, "every verdict stands already")
        )
    state = replace(state, changed_index=index)
    return state, VerdictsRecorded(index, tuple(recorded), tuple(withheld))


def _verdict_record(state: State, index: int, change: VerdictChange, rule: str) -> VerdictRecord:
    return VerdictRecord(
        change.verdict,
        since_ms=state.now_ms,
        index=index,
        reason=change.reason,
        withheld=str(rule),
        suspected_at_ms=change.suspected_at_ms,
        evidence=change.evidence,
    )


def _with_removal(state: State, service_id: ServiceId, region_id: RegionId) -> State:
    kept = tuple(each for each in state.removals if each.at_ms > state.now_ms - VELOCITY_WINDOW_MS)
    removal = Removal(service_id, region_id, state.now_ms)
    return replace(state, removals=(*kept, removal))


def _set_region_drained(state: State, index: int, command: SetRegionDrained) -> Applied:
    region_id = command.region_id
    if state.topology.region(region_id) is None:
        return reject(state, index, command, region_not_found(state, region_id))
    if (region_id in state.drained_regions) != command.drained:
        refusal = drain_refusal(state, region_id) if command.drained else None
        refusal = refusal or drain_room_refusal(state, command)
        if refusal is not None:
            return reject(state, index, command, refusal)
        others = [each for each in state.drained_regions if each != region_id]
        drained = sorted([*others, region_id] if command.drained else others)
        state = replace(state, drained_regions=tuple(drained), changed_index=index)
    return state, RegionDrainSet(
        index, region_id, command.drained, command.stamp.request_id, command.waives
    )


def _set_override(state: State, index: int, command: SetOverride) -> Applied:
    service = state.topology.service(command.service_id)
    if service is None:
        return reject(state, index, command, service_not_found(state, command.service_id))
    if service.site(command.region_id) is None:
        return reject(state, index, command, region_not_found(state, command.region_id))
    pair = (command.service_id, command.region_id)
    refusal = machine_automation.term_refusal(state, command) or (
        lapse_refusal(state, *pair)
        if command.lapsed_at_ms
        else override_refusal(state, *pair, command.override)
    )
    if refusal is not None:
        return reject(state, index, command, refusal)
    is_shared = service.mode is ServiceMode.ACTIVE_ACTIVE
    if command.lapsed_at_ms and is_shared and takes_out_by_clearing(state, service, pair[1]):
        state = _with_removal(state, *pair)
    state = machine_automation.with_term(state, command)
    overrides = {key: value for key, value in state.overrides.items() if key != pair}
    if command.override is not None:
        overrides[pair] = command.override
    state = replace(state, overrides=MappingProxyType(overrides), changed_index=index)
    term = state.override_terms.get(pair)
    return state, OverrideChanged(
        index,
        *pair,
        command.override,
        request_id=command.stamp.request_id,
        expires_at_ms=0 if term is None else term.expires_at_ms,
        expires_wall_ms=0 if term is None else term.expires_wall_ms,
    )


def region_not_found(state: State, region_id: RegionId) -> Refusal:
    """Say that there is no such region, and which there are."""
    known = ", ".join(each.region_id for each in state.topology.regions) or "none yet"
    return Refusal(Reason.REGION_NOT_FOUND, f"there is no region {region_id}; there are: {known}")


def service_not_found(state: State, service_id: ServiceId) -> Refusal:
    """Say that there is no such service, and which there are."""
    known = ", ".join(each.service_id for each in state.topology.services[:20]) or "none yet"
    return Refusal(
        Reason.SERVICE_NOT_FOUND, f"there is no service {service_id}; there are: {known}"
    )
