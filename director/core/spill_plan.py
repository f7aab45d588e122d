"""Decides, on the leader, which share of its clients a full region sends on.

A region is full when its load reaches ``spillAt`` of its capacity. It then sends on what brings it
a little below, so that a load at the threshold does not begin and end it; and it stops only once
all its clients together would leave it well below. The load that is measured is what is left after
the share, so what would come is worked out from both.

The others begin to take clients while they are clearly below ``spillAt`` themselves, and never more
than they have room for, each as if all came to it. One that is full by what it takes is sent less,
not nothing: that would fill the sender again, and soon begin anew. Where nobody has room nobody
sends: that would only move the trouble. At rest, and while a share is about right, nothing is
written.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from director.core.commands import Command, RecordSpill, Stamp
from director.core.health import Court
from director.core.loads import SpillRecord, SpillSite
from director.core.safety import is_healthy
from director.core.spill import SPILL_EVERY_MS, SPILL_PER_MILLE_MAX, does_spill, spills_of
from director.core.state import State
from director.core.topology import ServiceSpec, SiteSpec, Topology
from director.routing.table import RegionId, ServiceId

# A share smaller than this, or a change by less, is not worth a route table for every client.
STEP_PER_MILLE = 50
# A share grows by no more than this at once: loads lag behind what was decided.
_RAISE_PER_MILLE_MAX = 300
# Below spillAt, in thousandths of the capacity: what a full region is brought down to and what the
# others are filled up to; when a region stops sending; when one that was full takes again.
_AIM_BELOW = 50
_STOP_BELOW = 100
_TAKE_BELOW = 150
# Loads are averages over the last seconds; for so long they still show what was before.
LOAD_WINDOW_MS = 5_000
_LOAD_PER_MILLE_MAX = 99_999
_LOOK_EVERY_MS = 1_000
# A share that rests on an older word than this is ended: nobody knows any more.
_LOAD_AGE_MS_MAX = 15_000

Loads: TypeAlias = Callable[[RegionId], int | None]
"""What a region of the service takes now, in requests per second; None is unknown."""


@dataclass(frozen=True, slots=True)
class _Site:
    """A region as the decision sees it. ``load`` None: not known, not declared, or not usable."""

    spec: SiteSpec
    load: int | None
    record: SpillRecord | None

    @property
    def share(self) -> int:
        return 0 if self.record is None else self.record.per_mille

    @property
    def was_taking(self) -> bool:
        """Whether others send their clients here by what is in force."""
        return self.record is not None and not self.record.is_full

    @property
    def is_taking(self) -> bool:
        """The same, of a region that can go on."""
        return self.was_taking and self.load is not None

    @property
    def used(self) -> int:
        """Load against capacity, per mille."""
        assert self.load is not None, "asked of known loads only"
        return min(_LOAD_PER_MILLE_MAX, self.load * 1_000 // self.spec.capacity_rps)

    @property
    def demand(self) -> int:
        """What would come if nobody were sent on."""
        assert self.load is not None, "asked of known loads only"
        return self.load * 1_000 // (1_000 - self.share)


def next_spill(
    state: State, service: ServiceSpec, loads: Loads, stamp: Stamp
) -> RecordSpill | None:
    """Return what is to hold from now on, or None while the present shares are about right.

    Args:
        state: What is replicated.
        service: The service.
        loads: Its loads as observed.
        stamp: ``at_ms`` is director time.
    """
    if not does_spill(service):
        return None
    current = spills_of(state, service)
    since_ms = max((each.since_ms for each in current.values()), default=None)
    settle_ms = max(SPILL_EVERY_MS, service.routing.ttl_ms + LOAD_WINDOW_MS)
    if since_ms is not None and stamp.at_ms - since_ms < settle_ms:
        return None
    sites = [_seen(state, service, each, loads, current) for each in service.sites]
    decided = _decided(sites, service.routing.spill_per_mille or 0)
    if _is_alike(decided, current):
        return None
    in_force = max((each.index for each in current.values()), default=0)
    return RecordSpill(stamp, service.service_id, decided, in_force)


def _seen(
    state: State,
    service: ServiceSpec,
    spec: SiteSpec,
    loads: Loads,
    current: Mapping[RegionId, SpillRecord],
) -> _Site:
    is_usable = spec.capacity_rps > 0 and is_healthy(state, service, spec.region_id)
    load = loads(spec.region_id) if is_usable else None
    return _Site(spec, load, current.get(spec.region_id))


def _decided(sites: list[_Site], spill_at: int) -> tuple[SpillSite, ...]:
    """Return the shares; empty if nobody is to send clients on."""
    # What a region takes for others is in its load: whether it would send is seen once it no
    # longer takes.
    wanted = {
        each.spec.region_id: 0 if each.is_taking else _wanted(each, spill_at) for each in sites
    }
    takers, allowed = _takers(sites, wanted, spill_at)
    shares = _shares(sites, wanted, allowed)
    if not takers or not any(shares.values()):
        return ()
    taking = {each.spec.region_id for each in takers}
    return tuple(
        SpillSite(
            each.spec.region_id,
            shares[each.spec.region_id],
            0 if each.load is None else each.used,
            each.spec.region_id not in taking,
        )
        for each in sites
    )


def _takers(
    sites: list[_Site], wanted: Mapping[RegionId, int], spill_at: int
) -> tuple[list[_Site], int]:
    """Return who takes clients, and how much all others may send on together, in rps.

    Clients go to the next region in their own order, and only the first priority takes: where they
    come from is not known here, so each taker must have room for all that may come to it.
    """
    able = [
        each for each in sites if wanted[each.spec.region_id] == 0 and _may_take(each, spill_at)
    ]
    needed = sum(
        each.demand * wanted[each.spec.region_id] // 1_000
        for each in sites
        if each.load is not None
    )
    roomy = [each for each in able if _room(each, spill_at) >= needed]
    usual = [each for each in able if each.is_taking or each in roomy]
    largest = sorted(able, key=lambda each: (-_room(each, spill_at), each.spec.region_id))[:1]
    best: tuple[list[_Site], int] = ([], 0)
    for takers in (usual, roomy, largest):
        allowed = _allowed(sites, takers, spill_at)
        if min(allowed, needed) > min(best[1], needed):
            best = takers, allowed
    return best


def _allowed(sites: list[_Site], takers: list[_Site], spill_at: int) -> int:
    """What may be sent on in all, so that each of ``takers`` has room if all that is new comes."""
    sent = sum(each.demand - each.load for each in sites if each.load is not None)
    # What those who take no more had been given goes to the others.
    left_over = min(
        sent,
        sum(
            sent if each.load is None else each.load
            for each in sites
            if each.was_taking and each not in takers
        ),
    )
    return min(
        (_room(each, spill_at) + (sent - left_over if each.is_taking else 0) for each in takers),
        default=0,
    )


def _room(site: _Site, spill_at: int) -> int:
    """What a region can take on top. One that takes has less than none from ``spill_at`` on."""
    room = site.spec.capacity_rps * (spill_at - _AIM_BELOW) // 1_000 - site.demand
    return max(0, room) if site.used < spill_at else room


def _shares(
    sites: list[_Site], wanted: Mapping[RegionId, int], allowed: int
) -> dict[RegionId, int]:
    """Return the shares that come nearest to ``wanted`` with no more than ``allowed`` sent on."""
    kept = {each.spec.region_id: min(each.share, wanted[each.spec.region_id]) for each in sites}
    sent = sum(
        each.demand * kept[each.spec.region_id] // 1_000 for each in sites if each.load is not None
    )
    if sent > allowed:
        return {
            region_id: _lowered(share, share * max(0, allowed) // sent)
            for region_id, share in kept.items()
        }
    room = allowed - sent
    shares: dict[RegionId, int] = {}
    for each in sites:
        share, room = _within_room(each, wanted[each.spec.region_id], room)
        shares[each.spec.region_id] = share
    return shares


def _lowered(share: int, to: int) -> int:
    """Lower a share by a step at least; what is less than one is nothing."""
    lowered = min(to, share - STEP_PER_MILLE)
    return lowered if lowered >= STEP_PER_MILLE else 0


def _wanted(site: _Site, spill_at: int) -> int:
    """The share that would bring a region down to where it should be, room elsewhere apart."""
    if site.load is None or site.spec.capacity_rps == 0:
        return 0
    if site.share == 0 and site.used < spill_at:
        return 0
    capacity, demand = site.spec.capacity_rps, site.demand
    if demand * 1_000 <= (spill_at - _STOP_BELOW) * capacity:
        return 0
    # Between the aim and the end of sending the least share is held, or it would begin anew.
    wanted = max(STEP_PER_MILLE, 1_000 - (spill_at - _AIM_BELOW) * capacity // demand)
    wanted = min(wanted, site.share + _RAISE_PER_MILLE_MAX, SPILL_PER_MILLE_MAX)
    return site.share if abs(wanted - site.share) < STEP_PER_MILLE else wanted


def _may_take(site: _Site, spill_at: int) -> bool:
    """Whether a region takes clients: one that does goes on, and is sent less when it is full."""
    if site.load is None:
        return False
    return site.is_taking or site.demand * 1_000 < (spill_at - _TAKE_BELOW) * site.spec.capacity_rps


def _within_room(site: _Site, wanted: int, room: int) -> tuple[int, int]:
    """Raise a share by no more than the others have room for. Returns it and the room left."""
    if wanted <= site.share or site.load is None:
        return wanted, room
    more = min(wanted - site.share, room * 1_000 // max(1, site.demand))
    if more < STEP_PER_MILLE:
        return site.share, room
    return site.share + more, room - site.demand * more // 1_000


def _is_alike(decided: tuple[SpillSite, ...], current: Mapping[RegionId, SpillRecord]) -> bool:
    """Whether ``decided`` says what is in force already, loads apart."""
    return {each.region_id: (each.per_mille, each.is_full) for each in decided} == {
        region_id: (record.per_mille, record.is_full) for region_id, record in current.items()
    }


class SpillWatch:
    """Looks at the loads of services that spill, once a second. Soft memory of the leader."""

    def __init__(self) -> None:
        self._topology: Topology | None = None
        self._services: tuple[ServiceSpec, ...] = ()
        self._looked_at_ms: int | None = None
        self._office_at_ms = 0

    def gained(self, *, now_ms: int) -> None:
        """Begin an office: loads are known once everybody has reported."""
        self._office_at_ms = now_ms
        self._looked_at_ms = None

    def due(
        self, state: State, court: Court, stamp: Stamp, busy: frozenset[str], *, now_ms: int
    ) -> list[tuple[str, Command]]:
        """Return what to propose, with the key of what it is about; keys in ``busy`` wait."""
        if self._topology is not state.topology:
            self._topology = state.topology
            self._services = tuple(filter(does_spill, state.topology.services))
        is_settled = now_ms - self._office_at_ms >= court.timing.settle_ms
        last_ms = self._looked_at_ms
        if not self._services or not is_settled or (last_ms and now_ms - last_ms < _LOOK_EVERY_MS):
            return []
        self._looked_at_ms = now_ms
        proposals: list[tuple[str, Command]] = []
        for service in self._services:
            key = f"spill:{service.service_id}"
            loads = partial(_load_of, court, service.service_id, now_ms)
            command = None if key in busy else next_spill(state, service, loads, stamp)
            if command is not None:
                proposals.append((key, command))
        return proposals


def _load_of(court: Court, service_id: ServiceId, now_ms: int, region_id: RegionId) -> int | None:
    return court.log.load_rps((service_id, region_id), now_ms=now_ms, age_ms_max=_LOAD_AGE_MS_MAX)
