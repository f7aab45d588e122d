"""Moves that are left to a person: when one is proposed, and when the proposal ends.

The director proposes where it would move a service and may not: policy says Approve or Observe,
the replicas run in too few failure domains, or the service cannot be fenced. There is one proposal
per incident, however long it lasts and however often the evidence changes.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from director.core.automation_commands import IntentState, RecordIntent
from director.core.automation_records import Intent
from director.core.capacity import start_room_refusal
from director.core.commands import RunKind, Stamp, StartRun
from director.core.failover import Bench
from director.core.ids import FencingToken
from director.core.moves import Trigger
from director.core.reasons import Reason
from director.core.safety import Refusal, standing_refusal, start_refusal
from director.core.state import Group, State
from director.core.topology import Automation, ServiceSpec
from director.routing.table import Verdict

Started: TypeAlias = StartRun | Refusal | None
"""What the planner came to for one group; None: nothing is to be moved."""


def proposal(
    bench: Bench, group: Group, held: Refusal, wanted: Callable[[], Started], stamp: Stamp
) -> RecordIntent | None:
    """Return the proposal to record for a move that is held back, or None if there is none to make.

    Args:
        bench: The leader's view.
        group: The group, with no proposal about it yet.
        held: Why the director does not move it by itself.
        wanted: Returns the move that it would make, all questions of leave apart.
        stamp: Who and when.
    """
    if held.reason is not Reason.AUTOMATION_OFF:
        return None  # a guard holds it, or nobody could take over: a person is not asked either
    command = wanted()
    if not isinstance(command, StartRun) or not command.automatic:
        return None
    at_now = replace(bench.state, now_ms=max(bench.state.now_ms, stamp.at_ms))
    held_by = start_refusal(at_now, command, is_proposal=True)
    if (held_by or start_room_refusal(at_now, command)) is not None:
        return None
    return RecordIntent(
        command.stamp,
        group.group_id,
        IntentState.OPEN,
        kind=command.kind,
        target=command.target,
        expected_epoch=group.epoch,
        limit=held.message,
        suspected_at_ms=command.suspected_at_ms,
        loss_bound_ms=command.loss_bound_ms,
        evidence=command.evidence,
    )


def ending(
    bench: Bench,
    service: ServiceSpec,
    found: Intent,
    trigger: Trigger | None,
    stamp: Stamp,
) -> RecordIntent | None:
    """Return what to note of a proposal whose incident is over or that has waited too long."""
    outcome = _superseded(bench.state, service, found)
    if not outcome and (over := _over(bench, found, trigger)):
        elapsed_ms = max(0, stamp.at_ms - found.suspected_at_ms)
        outcome = f"{over}; over after {elapsed_ms} ms"
    if outcome:
        return RecordIntent(
            stamp, found.group_id, IntentState.WITHDRAWN, found.intent_id, outcome=outcome
        )
    is_late = 0 < found.expires_at_ms <= stamp.at_ms
    if found.state is IntentState.OPEN and is_late:
        return RecordIntent(stamp, found.group_id, IntentState.EXPIRED, found.intent_id)
    return None


def _superseded(state: State, service: ServiceSpec, found: Intent) -> str:
    """Say why what is proposed is out of date although the trouble may go on, or "".

    Only what is committed counts, which neither winks nor is forgotten with the office: the next
    proposal is one more entry of the log.
    """
    group = state.group(found.group_id)
    if group is None or (group.home, group.epoch) != (found.source, found.epoch):
        return f"{found.source} does not own {found.service_id} at epoch {found.epoch} any more"
    policy = state.topology.policy(service.policy_id)
    if (policy.automation is Automation.OBSERVE) != (found.mode is Automation.OBSERVE):
        return f"policy {policy.policy_id} says automation {policy.automation} now"
    refusal = standing_refusal(state, service, found.target)
    return "" if refusal is None else f"{found.target} cannot take over: {refusal.message}"


def _over(bench: Bench, found: Intent, trigger: Trigger | None) -> str:
    """Say how the incident ended, or "" while it goes on.

    Good evidence alone does not end it: the committed verdict has to have changed, which waits for
    a while without a break. Otherwise each wink of the region would be an incident of its own. And
    it has to write: a new leader does not know yet of a gate that stays closed.
    """
    if found.kind is RunKind.FAILBACK:
        return _homeward_over(bench.state, found, trigger)
    if trigger is not None:
        return "" if trigger.automatic else trigger.reason
    record = bench.state.verdicts.get((found.service_id, found.source))
    token = FencingToken(bench.state.generation, found.epoch)
    is_well = record is None or record.verdict in (Verdict.UP, Verdict.DEGRADED)
    if is_well and bench.court.log.is_gate_open(found.source, found.group_id, token):
        return f"{found.source} serves again"
    if (found.service_id, found.source) in bench.state.overrides:
        return f"an operator's override says how {found.source} is"
    return ""


def _homeward_over(state: State, found: Intent, trigger: Trigger | None) -> str:
    if trigger is not None:
        return f"{found.source} is in trouble itself"
    service = state.topology.service(found.service_id)
    if service is None or not state.topology.policy(service.policy_id).failback_automatic:
        return f"policy says failback Manual for {found.service_id} now"
    pair = (found.service_id, found.target)
    record = state.verdicts.get(pair)
    if pair in state.overrides or record is None or record.verdict is not Verdict.UP:
        return f"{found.target} is not UP by its own evidence any more"
    return ""
