"""Turns what an operator asks for into a command, or says why not. Runs on the leader."""

from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from director.core.automation import OVERRIDE_MS_MAX, intent, newest_intent
from director.core.automation_commands import AutomationAction
from director.core.budget import PROMOTE_AND_PUBLISH_MS
from director.core.capacity import drain_preview, drain_room_refusal, start_room_refusal
from director.core.commands import (
    AbortRun,
    ApplyManifest,
    Command,
    RunKind,
    SetAutomation,
    SetOverride,
    SetRegionDrained,
    Stamp,
    StartDrill,
    StartRun,
)
from director.core.digest import digest
from director.core.drill_asks import ask_abort, ask_drill, drill_preview
from director.core.failback import (
    failback_refusal,
    home_choice,
    lag_refusal,
    soak_warning,
)
from director.core.failover import Bench, Candidate, Ineligible, candidates, first_suspicion_ms
from director.core.inputs import (
    AbortAsked,
    ApproveAsked,
    Ask,
    AutomationAsked,
    DrainAsked,
    DrillAbortAsked,
    DrillAsked,
    ManifestAsked,
    MoveAsked,
    OverrideAsked,
)
from director.core.load_view import loads_of, owner_load_rps
from director.core.loads import RegionLoad
from director.core.machine import region_not_found, service_not_found
from director.core.machine_automation import (
    automation_refusal,
    nothing_to_acknowledge,
    nothing_to_resume,
    term_refusal,
)
from director.core.machine_intents import unapprovable
from director.core.machine_manifest import manifest_refusal
from director.core.machine_runs import abort_refusal
from director.core.moves import covered_at_ms, no_target
from director.core.reasons import Reason
from director.core.safety import Refusal, drain_refusal, override_refusal, start_refusal
from director.core.state import Group, State
from director.core.topology import ServiceSpec
from director.routing.table import RegionId, ServiceMode, Verdict


@dataclass(frozen=True, slots=True)
class Already:
    """It is as asked; nothing needs to be written. ``message`` is for people."""

    message: str


Decision: TypeAlias = Command | Already | Refusal

# Reasons that no operator can wave through: nobody would serve there.
_ABSOLUTE = (
    Ineligible.DRAINED,
    Ineligible.OVERRIDE_DOWN,
    Ineligible.DOWN,
    Ineligible.NEVER_REPORTED,
    Ineligible.SILENT,
    Ineligible.NOT_PASSING,
)


def ask_digest(ask: Ask) -> str:
    """Stand for what is asked. Documents count as they were written, not as they were read.

    A drill counts without what the clock said when it was asked for: sent again, it is the same.
    """
    if isinstance(ask, ManifestAsked):
        return digest(
            (
                ask.source,
                ask.expected_revision,
                ask.expected_etag,
                ask.restores,
                ask.allow_removed,
            )
        )
    if isinstance(ask, DrillAsked):
        return digest(replace(ask, local=None, skip_cause="", skip_note=""))
    return digest(ask)


def decide(bench: Bench, ask: Ask, stamp: Stamp) -> Decision:  # noqa: PLR0911 - one each
    """Return the command that does what was asked, or the reason why nothing is to be done.

    The machine checks again at apply time; this check is for an answer without a log entry.
    """
    state = replace(bench.state, now_ms=max(bench.state.now_ms, stamp.at_ms))
    match ask:
        case ManifestAsked():
            manifest = ApplyManifest(
                stamp,
                ask.topology,
                ask.source,
                ask.expected_revision,
                ask.expected_etag,
                ask.restores,
                ask.allow_removed,
                _loads(bench),
            )
            return manifest_refusal(state, manifest) or manifest
        case MoveAsked():
            return _move(bench, state, ask, stamp)
        case AbortAsked():
            return _abort(state, ask, stamp)
        case DrainAsked():
            return _drain(bench, state, ask, stamp)
        case OverrideAsked():
            return _override(state, ask, stamp)
        case AutomationAsked():
            return _automation(state, ask, stamp)
        case ApproveAsked():
            return _approve(bench, state, ask, stamp)
        case DrillAsked():
            return ask_drill(bench, ask, stamp)
        case DrillAbortAsked():
            return ask_abort(state, ask, stamp)
        case _:
            assert_never(ask)


def preview(bench: Bench, decision: Command) -> str:
    """Say what ``decision`` would do, for a dry run: of a move where to, at what loss, how fast."""
    if isinstance(decision, StartDrill):
        return drill_preview(decision)
    if not isinstance(decision, StartRun):
        if isinstance(decision, SetRegionDrained) and decision.drained:
            return drain_preview(bench.state, decision)
        return f"{type(decision).__name__} would be done"
    group = bench.state.group(decision.group_id)
    assert group is not None, "decide looked the group up"
    service = bench.state.topology.service(group.service_id)
    assert service is not None, "a group lives as long as its service"
    suspected_ms = bench.now_ms - (decision.stamp.at_ms - decision.suspected_at_ms)
    found = candidates(bench, service, group, suspected_ms=suspected_ms, automatic=False)
    is_planned = decision.kind is not RunKind.FAILOVER
    refused = "; ".join(
        f"{each.region_id}: {each.ineligible}"
        for each in found
        if each.ineligible in _ABSOLUTE or (each.ineligible is not None and not is_planned)
    )
    takes_ms = _move_ms(bench, group, decision, found)
    takes = "an unknown time" if takes_ms is None else f"about {takes_ms} ms"
    return (
        f"{service.service_id} would move from {group.home} to {decision.target}; loses "
        f"{'nothing' if is_planned else _loss(service, decision.loss_bound_ms)}; takes {takes} "
        f"(RTO {service.rto_ms} ms); refused: {refused or 'none'}"
        f"{soak_warning(bench.state, service.service_id, decision)}"
    )


def _loss(service: ServiceSpec, bound_ms: int | None) -> str:
    objective = "" if service.rpo_ms is None else f" (RPO {service.rpo_ms} ms)"
    bound = "an unknown span" if bound_ms is None else f"at most {bound_ms} ms"
    return f"{bound} of writes{objective}"


def _move_ms(
    bench: Bench, group: Group, decision: StartRun, found: tuple[Candidate, ...]
) -> int | None:
    """Predict how long writes stop from now on, detection apart; None is unknown."""
    if decision.kind is RunKind.FAILOVER:
        # The home may be unable to promise anything; then its lease has to run out.
        ends_ms = bench.leases.stopped_at_ms(group.group_id, bench.state.token(group))
        return max(0, ends_ms - bench.now_ms) + PROMOTE_AND_PUBLISH_MS
    # A home that is well promises in a report; then the copy catches up.
    lag_ms = next((each.lag_ms for each in found if each.region_id == decision.target), None)
    if lag_ms is None:
        return None
    return bench.court.timing.heartbeat_ms + lag_ms + PROMOTE_AND_PUBLISH_MS


def _abort(state: State, ask: AbortAsked, stamp: Stamp) -> Decision:
    run = state.run(ask.run_id)
    if run is None:
        return Refusal(Reason.FAILOVER_NOT_FOUND, f"there is no failover {ask.run_id}")
    return abort_refusal(run) or AbortRun(stamp, run.run_id, run.stage, "CANCELLED", stamp.reason)


def _loads(bench: Bench) -> tuple[RegionLoad, ...]:
    return loads_of(bench.court.log, bench.state.topology.services, now_ms=bench.now_ms)


def _drain(bench: Bench, state: State, ask: DrainAsked, stamp: Stamp) -> Decision:
    if state.topology.region(ask.region_id) is None:
        return region_not_found(state, ask.region_id)
    if (ask.region_id in state.drained_regions) == ask.drained:
        return Already(f"{ask.region_id} is {'drained' if ask.drained else 'in service'} already")
    loads = _loads(bench) if ask.drained else ()
    command = SetRegionDrained(stamp, ask.region_id, ask.drained, loads, ask.waives)
    refusal = drain_refusal(state, ask.region_id) if ask.drained else None
    return refusal or drain_room_refusal(state, command) or command


def _override(state: State, ask: OverrideAsked, stamp: Stamp) -> Decision:
    service = state.topology.service(ask.service_id)
    if service is None:
        return service_not_found(state, ask.service_id)
    if service.site(ask.region_id) is None:
        return region_not_found(state, ask.region_id)
    for_ms = 0 if ask.override is None else ask.for_ms or OVERRIDE_MS_MAX
    command = SetOverride(stamp, ask.service_id, ask.region_id, ask.override, for_ms)
    refusal = term_refusal(state, command)
    return (
        refusal or override_refusal(state, ask.service_id, ask.region_id, ask.override) or command
    )


def _automation(state: State, ask: AutomationAsked, stamp: Stamp) -> Decision:
    command = SetAutomation(stamp, ask.service_id, ask.action, ask.for_ms)
    refusal = automation_refusal(state, command)
    if refusal is not None:
        return refusal
    idle = ""
    if ask.action is AutomationAction.RESUME:
        idle = nothing_to_resume(state, ask.service_id)
    elif ask.action is AutomationAction.ACKNOWLEDGE:
        idle = nothing_to_acknowledge(state, ask.service_id)
    return Already(idle) if idle else command


def _approve(bench: Bench, state: State, ask: ApproveAsked, stamp: Stamp) -> Decision:
    service = state.topology.service(ask.service_id)
    if service is None:
        return service_not_found(state, ask.service_id)
    found = newest_intent(state, ask.service_id)
    if ask.intent_id:
        named = intent(state, ask.intent_id)
        found = named if named is not None and named.service_id == ask.service_id else None
    if found is None:
        return Refusal(
            Reason.NOTHING_TO_APPROVE,
            f"the director proposes {'no ' + ask.intent_id if ask.intent_id else 'nothing'} for "
            f"{ask.service_id}; look at `director get intents`",
        )
    refusal = unapprovable(state, found)
    if refusal is not None:
        return refusal
    if ask.expected_epoch not in (None, found.epoch):
        return Refusal(
            Reason.STALE_EPOCH,
            f"{found.intent_id} was proposed at epoch {found.epoch}; the approval was given for "
            f"epoch {ask.expected_epoch}",
            (("epoch", str(found.epoch)), ("expectedEpoch", str(ask.expected_epoch))),
        )
    # Exactly that move, with what is known of its loss by now.
    move = MoveAsked(found.kind, ask.service_id, found.target, found.epoch)
    decided = _move(bench, state, move, stamp)
    return replace(decided, intent_id=found.intent_id) if isinstance(decided, StartRun) else decided


def _move(bench: Bench, state: State, ask: MoveAsked, stamp: Stamp) -> Decision:
    service = state.topology.service(ask.service_id)
    if service is None:
        return service_not_found(state, ask.service_id)
    if service.mode is ServiceMode.ACTIVE_ACTIVE:
        return Refusal(
            Reason.NOTHING_TO_DO,
            f"{ask.service_id} is active-active: every region serves; drain a region instead",
        )
    group = state.group(service.group_ids[0])
    assert group is not None, "an active-passive service has its group"
    if group.home is None:
        return Refusal(Reason.NO_OWNER, f"{ask.service_id} has no owner yet to move from")
    return _planned_refusal(state, ask, group.home) or _start(
        bench, state, (service, group), ask, stamp
    )


def _planned_refusal(state: State, ask: MoveAsked, home: RegionId) -> Refusal | None:
    record = state.verdicts.get((ask.service_id, home))
    is_well = record is None or record.verdict in (Verdict.UP, Verdict.DEGRADED)
    if ask.kind is RunKind.FAILOVER or is_well:
        return None
    assert record is not None, "without a record it counts as well"
    return Refusal(
        Reason.TARGET_INELIGIBLE,
        f"{home} is {record.verdict} ({record.reason}); a switchover needs both regions healthy, "
        f"use `director failover {ask.service_id}` instead",
    )


def _start(
    bench: Bench, state: State, of: tuple[ServiceSpec, Group], ask: MoveAsked, stamp: Stamp
) -> Decision:
    service, group = of
    assert group.home is not None, "checked by the caller"
    suspected_at_ms = _suspected_at_ms(state, service, group.home, stamp)
    if suspected_at_ms < stamp.at_ms:
        suspected_at_ms = first_suspicion_ms(bench, group, suspected_at_ms)
    suspected_ms = bench.now_ms - (stamp.at_ms - suspected_at_ms)
    found = candidates(bench, service, group, suspected_ms=suspected_ms, automatic=False)
    chosen = _chosen(service, group, ask, found)
    if isinstance(chosen, Refusal):
        return chosen
    if ask.kind is RunKind.FAILBACK:
        # Further behind, the run would only wait in vain; so say it at once.
        refusal = lag_refusal(service, chosen, bench.court.timing.staleness_bound_ms)
        if refusal is not None:
            return refusal
    command = StartRun(
        stamp,
        ask.kind,
        group.group_id,
        chosen.region_id,
        group.epoch if ask.expected_epoch is None else ask.expected_epoch,
        automatic=False,
        suspected_at_ms=suspected_at_ms if ask.kind is RunKind.FAILOVER else stamp.at_ms,
        loss_bound_ms=chosen.loss_bound_ms,
        accept_loss_ms=ask.accept_loss_ms,
        covered_at_ms=covered_at_ms(bench, chosen, stamp),
        load_rps=owner_load_rps(bench.court.log, group, now_ms=bench.now_ms),
        waives=ask.waives,
    )
    refusal = (
        start_refusal(state, command)
        or failback_refusal(state, command)
        or start_room_refusal(state, command)
    )
    if refusal is not None and refusal.reason is Reason.RPO_EXCEEDED:
        return _with_closest(refusal, found)
    return refusal or command


def _suspected_at_ms(state: State, service: ServiceSpec, home: RegionId, stamp: Stamp) -> int:
    record = state.verdicts.get((service.service_id, home))
    if record is None or record.verdict in (Verdict.UP, Verdict.DEGRADED):
        return stamp.at_ms
    return min(record.suspected_at_ms, stamp.at_ms)


def _chosen(
    service: ServiceSpec, group: Group, ask: MoveAsked, found: tuple[Candidate, ...]
) -> Candidate | Refusal:
    if ask.target is None:
        # A planned move does not mind the lag; a failover asks for the loss first.
        usable = [each for each in found if each.ineligible not in _ABSOLUTE]
        if ask.kind is RunKind.FAILBACK:
            return home_choice(service, group, usable)
        return usable[0] if usable else no_target(service, found)
    candidate = next((each for each in found if each.region_id == ask.target), None)
    if candidate is None:
        if ask.target == group.home:
            return Refusal(Reason.NOTHING_TO_DO, f"{ask.target} already owns {service.service_id}")
        sites = ", ".join(site.region_id for site in service.sites)
        return Refusal(
            Reason.REGION_NOT_FOUND,
            f"{service.service_id} has no site in {ask.target}; it has {sites}",
        )
    if candidate.ineligible in _ABSOLUTE:
        return Refusal(
            Reason.TARGET_INELIGIBLE,
            f"{ask.target} cannot take {service.service_id} over: {candidate.ineligible}",
            (("regionId", ask.target), ("ineligibility", str(candidate.ineligible))),
        )
    return candidate


def _with_closest(refusal: Refusal, found: tuple[Candidate, ...]) -> Refusal:
    allowed = next((each for each in found if each.ineligible is None), None)
    if allowed is None:
        hint = "no region is within the RPO; --accept-data-loss names the loss you accept"
        return replace(refusal, message=f"{refusal.message}; {hint}")
    return replace(
        refusal,
        message=f"{refusal.message}; closest allowed: --to {allowed.region_id} "
        f"(loss bound {allowed.loss_bound_ms} ms)",
        metadata=(*refusal.metadata, ("closestRegionId", allowed.region_id)),
    )
