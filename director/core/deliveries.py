"""How far webhooks were delivered: the outbox is the audit trail, and this is the mark in it."""

from dataclasses import replace

from director.core.commands import Delivery, RecordDeliveries
from director.core.events import DeliveriesRecorded, Event
from director.core.reasons import Reason
from director.core.refusals import reject
from director.core.safety import Refusal
from director.core.state import State
from director.core.topology import Topology


def record_deliveries(state: State, index: int, command: RecordDeliveries) -> tuple[State, Event]:
    """Move the marks on. None goes back, or beyond what there is; unknown names are dropped."""
    by_name = {each.webhook: each for each in state.deliveries}
    moved = []
    for each in command.deliveries:
        before = by_name.get(each.webhook)
        if before is None or not before.through < each.through <= state.audit.count:
            continue
        by_name[each.webhook] = replace(each, lost_count=max(before.lost_count, each.lost_count))
        moved.append(by_name[each.webhook])
    if not moved:
        refusal = Refusal(Reason.NOTHING_TO_DO, "every webhook is noted that far already")
        return reject(state, index, command, refusal)
    deliveries = tuple(by_name[name] for name in sorted(by_name))
    return replace(state, deliveries=deliveries), DeliveriesRecorded(index, tuple(moved))


def deliveries_after(state: State, topology: Topology) -> tuple[Delivery, ...]:
    """Return the marks under ``topology``: a webhook that appears is told what comes from now on.

    One that stays goes on from its mark, whatever else about it changed.
    """
    by_name = {each.webhook: each for each in state.deliveries}
    return tuple(
        by_name.get(each.name, Delivery(each.name, state.audit.count)) for each in topology.webhooks
    )
