"""Applies proposals: moves that are left to a person, and what becomes of them."""

from dataclasses import replace

from director.core.automation import (
    INTENT_EXPIRES_MS,
    INTENTS_KEPT_MAX,
    intent,
    standing_intent,
)
from director.core.automation_commands import IntentState, RecordIntent
from director.core.automation_records import Intent
from director.core.commands import Stamp, StartRun
from director.core.events import Event, IntentRecorded
from director.core.reasons import Reason
from director.core.refusals import reject
from director.core.safety import Refusal
from director.core.state import Run, State
from director.core.topology import Automation, Topology


def record_intent(state: State, index: int, command: RecordIntent) -> tuple[State, Event]:
    """Propose a move to a person, or note how a proposal ended."""
    is_new = command.state is IntentState.OPEN
    found = _opened(state, command) if is_new else _ended(state, command)
    if isinstance(found, Refusal):
        return reject(state, index, command, found)
    state = replace(state, intents=_with(state.intents, found))
    return state, IntentRecorded(
        index,
        found.intent_id,
        found.service_id,
        found.state,
        found.mode,
        found.kind,
        found.target,
        found.reason,
        found.outcome,
    )


def _opened(state: State, command: RecordIntent) -> Intent | Refusal:
    group = state.group(command.group_id)
    if group is None or group.home is None:
        return Refusal(Reason.NO_OWNER, f"{command.group_id} has no owner to move from")
    if group.epoch != command.expected_epoch:
        return Refusal(
            Reason.STALE_EPOCH,
            f"{group.group_id} is at epoch {group.epoch}; the move was thought of at epoch "
            f"{command.expected_epoch}",
        )
    service = state.topology.service(group.service_id)
    assert service is not None, "a group lives as long as its service"
    if service.site(command.target) is None or command.target == group.home:
        return Refusal(
            Reason.TARGET_INELIGIBLE, f"{service.service_id} cannot move to {command.target}"
        )
    standing = standing_intent(state, group.group_id)
    if standing is not None:
        return Refusal(Reason.NOTHING_TO_DO, f"{standing.intent_id} is about the same trouble")
    active = state.active_run(group.group_id)
    if active is not None:
        return Refusal(Reason.NOTHING_TO_DO, f"{active.run_id} moves {group.service_id} already")
    # Named after the service and a number of its own: names of proposals are not names of runs.
    number = state.intents[-1].number + 1 if state.intents else 1
    is_observed = state.topology.policy(service.policy_id).automation is Automation.OBSERVE
    return Intent(
        f"{group.service_id}/p{number}",
        number,
        group.group_id,
        group.service_id,
        command.kind,
        group.home,
        command.target,
        group.epoch,
        Automation.OBSERVE if is_observed else Automation.APPROVE,
        limit=command.limit,
        reason=command.stamp.reason,
        suspected_at_ms=command.suspected_at_ms,
        loss_bound_ms=command.loss_bound_ms,
        evidence=command.evidence,
        opened_at_ms=state.now_ms,
        opened_wall_ms=command.stamp.wall_ms,
        expires_at_ms=0 if is_observed else state.now_ms + INTENT_EXPIRES_MS,
    )


def _ended(state: State, command: RecordIntent) -> Intent | Refusal:
    before = intent(state, command.intent_id)
    if before is None or not before.is_standing:
        return Refusal(Reason.NOTHING_TO_DO, f"{command.intent_id} has ended already")
    if command.state is IntentState.EXPIRED:
        is_due = before.state is IntentState.OPEN and 0 < before.expires_at_ms <= state.now_ms
        if not is_due:
            return Refusal(Reason.NOTHING_TO_DO, f"{before.intent_id} has not expired")
        return replace(before, state=IntentState.EXPIRED)
    if command.state is not IntentState.WITHDRAWN:
        return Refusal(Reason.INVALID_REQUEST, "a proposal is approved by the run that carries it")
    return _closed(state, before, IntentState.WITHDRAWN, command.outcome, command.stamp)


def _closed(state: State, before: Intent, how: IntentState, outcome: str, stamp: Stamp) -> Intent:
    return replace(
        before,
        state=how,
        outcome=outcome,
        closed_at_ms=state.now_ms,
        closed_wall_ms=stamp.wall_ms,
    )


def _with(intents: tuple[Intent, ...], changed: Intent) -> tuple[Intent, ...]:
    if any(each.intent_id == changed.intent_id for each in intents):
        return tuple(changed if each.intent_id == changed.intent_id else each for each in intents)
    # One that stands is not pushed out: it would be proposed again, and push out another, for ever.
    # There is one per group at most.
    known = (*intents, changed)
    ended = [each.intent_id for each in known if not each.is_standing]
    dropped = set(ended[: max(0, len(known) - INTENTS_KEPT_MAX)])
    return tuple(each for each in known if each.intent_id not in dropped)


def approval_refusal(state: State, command: StartRun) -> Refusal | None:
    """Say why a run may not start as approved, or None if it may or nothing was to be approved."""
    if not command.intent_id:
        return None
    found = intent(state, command.intent_id)
    if found is None:
        return Refusal(
            Reason.NOTHING_TO_APPROVE,
            f"there is no proposal {command.intent_id}; look at `director get intents`",
        )
    refusal = unapprovable(state, found)
    if refusal is not None:
        return refusal
    asked = (command.group_id, command.kind, command.target, command.expected_epoch)
    if asked != (found.group_id, found.kind, found.target, found.epoch):
        return Refusal(
            Reason.NOTHING_TO_APPROVE,
            f"{found.intent_id} is a {found.kind} to {found.target} at epoch {found.epoch}, not a "
            f"{command.kind} to {command.target} at epoch {command.expected_epoch}",
        )
    return None


def unapprovable(state: State, found: Intent) -> Refusal | None:
    """Say why a proposal cannot be approved now, or None if it can."""
    by_hand = f"look again, and move it with `director {found.kind} {found.service_id}`"
    if found.mode is Automation.OBSERVE:
        message = f"policy says automation Observe: {found.intent_id} only notes what would be done"
    elif not found.is_standing:
        message = f"{found.intent_id} is {found.state}: {found.outcome}"
    elif found.state is IntentState.EXPIRED or state.now_ms >= found.expires_at_ms:
        message = f"{found.intent_id} was not approved within {INTENT_EXPIRES_MS} ms"
    else:
        return None
    return Refusal(
        Reason.NOTHING_TO_APPROVE, f"{message}; {by_hand}", (("intentId", found.intent_id),)
    )


def with_run_started(state: State, run: Run, command: StartRun) -> State:
    """A run takes the place of whatever was proposed for its group."""
    standing = standing_intent(state, run.group_id)
    if standing is None:
        return state
    if command.intent_id == standing.intent_id:
        how, outcome = IntentState.APPROVED, f"{run.actor} approved it: {run.run_id}"
    else:
        how, outcome = IntentState.WITHDRAWN, f"{run.run_id} moves {run.service_id} instead"
    closed = _closed(state, standing, how, outcome, command.stamp)
    return replace(state, intents=_with(state.intents, replace(closed, run_id=run.run_id)))


def withdrawn_with_services(state: State, topology: Topology, stamp: Stamp) -> tuple[Intent, ...]:
    """Return the proposals after documents that may have taken what they are about away."""
    pairs = {
        (group_id, site.region_id)
        for service in topology.services
        for group_id in service.group_ids
        for site in service.sites
    }
    gone = "the documents took the service, or where it would move, away"
    return tuple(
        _closed(state, each, IntentState.WITHDRAWN, gone, stamp)
        if each.is_standing and (each.group_id, each.target) not in pairs
        else each
        for each in state.intents
    )
