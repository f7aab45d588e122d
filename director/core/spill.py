"""Applies decisions to have full regions send clients on, and forgets those that no longer apply.

The shares are decided by the leader from loads (``director.core.spill_plan``); here is what holds
whoever decided: only services that ask for it, never faster than clients can follow, and never
without a region that takes the clients.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from director.core.commands import RecordSpill
from director.core.events import Event, SpillRecorded
from director.core.loads import SpillRecord
from director.core.reasons import Reason
from director.core.refusals import reject
from director.core.safety import Refusal
from director.core.state import State
from director.core.topology import ServiceSpec, Topology
from director.routing.table import RegionId, ServiceId, ServiceMode

# Clients have to move and loads to be measured anew before the next decision means anything.
SPILL_EVERY_MS = 10_000
# Some clients always stay: the load that they make is what the share is decided from.
SPILL_PER_MILLE_MAX = 900
_PER_MILLE = 1_000

Spills = Mapping[tuple[ServiceId, RegionId], SpillRecord]


def spills_of(state: State, service: ServiceSpec) -> dict[RegionId, SpillRecord]:
    """Return what is in force for ``service``, by region; empty if nobody sends clients on."""
    found = {
        site.region_id: state.spills.get((service.service_id, site.region_id))
        for site in service.sites
    }
    return {region_id: record for region_id, record in found.items() if record is not None}


def record_spill(state: State, index: int, command: RecordSpill) -> tuple[State, Event]:
    """Put the decision in force, all or nothing."""
    service = state.topology.service(command.service_id)
    refusal = _refusal(state, service, command)
    if refusal is not None:
        return reject(state, index, command, refusal)
    spills = {pair: each for pair, each in state.spills.items() if pair[0] != command.service_id}
    for site in command.sites:
        spills[command.service_id, site.region_id] = SpillRecord(
            site.per_mille, site.load_per_mille, site.is_full, state.now_ms, index
        )
    state = replace(
        state, spills=MappingProxyType(dict(sorted(spills.items()))), changed_index=index
    )
    shares = tuple((each.region_id, each.per_mille) for each in command.sites if each.per_mille)
    return state, SpillRecorded(index, command.service_id, shares)


def _refusal(state: State, service: ServiceSpec | None, command: RecordSpill) -> Refusal | None:
    if service is None or not does_spill(service):
        return Refusal(Reason.NOTHING_TO_DO, f"{command.service_id} does not spill")
    current = spills_of(state, service)
    in_force = max((each.index for each in current.values()), default=0)
    if in_force != command.expected_index:
        return Refusal(
            Reason.STALE_STAGE,
            f"the decision of index {in_force} is in force; this one was made on that of "
            f"{command.expected_index}",
        )
    since_ms = max((each.since_ms for each in current.values()), default=None)
    left_ms = 0 if since_ms is None else since_ms + SPILL_EVERY_MS - state.now_ms
    if left_ms > 0:
        return Refusal(
            Reason.COOLDOWN,
            f"{command.service_id} spills otherwise since {SPILL_EVERY_MS - left_ms} ms only; the "
            f"next change may come {left_ms} ms from now",
            (("retryAfterMs", str(left_ms)),),
        )
    if not command.sites and not current:
        return Refusal(Reason.NOTHING_TO_DO, f"{command.service_id} does not spill now")
    return _sites_refusal(service, command)


def _sites_refusal(service: ServiceSpec, command: RecordSpill) -> Refusal | None:
    names = [each.region_id for each in command.sites]
    is_sound = names == sorted(set(names)) and all(
        service.site(each.region_id) is not None
        and 0 <= each.per_mille <= SPILL_PER_MILLE_MAX
        and (each.is_full or each.per_mille == 0)
        for each in command.sites
    )
    if not is_sound:
        return Refusal(Reason.INVALID_REQUEST, f"the shares do not fit {command.service_id}")
    if command.sites and all(each.is_full for each in command.sites):
        return Refusal(
            Reason.SAFETY_RULE,
            f"every region of {command.service_id} is full: nobody would take the clients",
        )
    return None


def does_spill(service: ServiceSpec) -> bool:
    """Whether regions of ``service`` may send clients on: an owner cannot, nobody else writes."""
    is_shared = service.mode is ServiceMode.ACTIVE_ACTIVE
    return is_shared and service.routing.spill_per_mille is not None


def spills_after(state: State, topology: Topology) -> Spills:
    """Return what stays in force once ``topology`` is: nothing of what it no longer asks for."""
    kept = {
        (service.service_id, site.region_id)
        for service in topology.services
        if does_spill(service)
        for site in service.sites
    }
    if all(pair in kept for pair in state.spills):
        return state.spills
    return MappingProxyType({pair: each for pair, each in state.spills.items() if pair in kept})
