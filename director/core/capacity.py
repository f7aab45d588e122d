"""Does the rest carry the load? Asked before a drain, a planned move and a manifest (R2).

A load that nobody reported, or a capacity that nobody declared, allows no statement: it is said so
and refuses nothing. The director cannot count what it was not told, and a fleet that declares no
capacities must stay operable.

A failover is never refused for room. The region it leaves serves nobody, so a target that is too
small still serves more than none; it is only chosen last. A planned move away from a drained region
is not asked again: the drain was, or an operator waived the rule by name and reason.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from director.core.commands import RunKind, SetRegionDrained, StartRun
from director.core.loads import RegionLoad
from director.core.reasons import Reason
from director.core.safety import Refusal, Rule, is_healthy
from director.core.state import State
from director.core.topology import ServiceSpec, SiteSpec
from director.routing.table import RegionId, ServiceMode

# What must find room, against what is seen now: samples are seconds old, and load grows while
# clients move. A constant: every replica must come to the same answer.
HEADROOM_PER_MILLE = 1_100
PERCENT_SHOWN_MAX = 999


@dataclass(frozen=True, slots=True)
class Room:
    """What must move, and what the rest can still take, in requests per second.

    Attributes:
        displaced_rps: Load of the regions that no longer carry, and what is over the capacity of
            those that do; None is unknown.
        free_rps: What the rest has free; None is unknown.
        unknown: What was not reported or declared, for people; "" if nothing is missing.
    """

    displaced_rps: int | None
    free_rps: int | None
    unknown: str = ""

    @property
    def headroom_per_mille(self) -> int | None:
        """Free capacity against the load that must move; None is unknown, or nothing moves."""
        if self.displaced_rps is None or self.free_rps is None or self.displaced_rps == 0:
            return None
        return self.free_rps * 1_000 // self.displaced_rps

    @property
    def is_lacking(self) -> bool:
        """Whether it is known that the load does not fit."""
        if self.displaced_rps is None or self.free_rps is None:
            return False
        return self.free_rps * 1_000 < self.displaced_rps * HEADROOM_PER_MILLE


_NOTHING_MOVES = Room(0, 0)
NO_STATEMENT = Room(None, None)


def carrying(state: State, service: ServiceSpec) -> tuple[SiteSpec, ...]:
    """Return the sites among which an active-active service spreads its clients.

    Healthy ones, with a weight if any has one, of the lowest priority number. Those of the other
    priorities carry too if the service spills.
    """
    healthy = [site for site in service.sites if is_healthy(state, service, site.region_id)]
    weighted = [site for site in healthy if site.weight > 0] or healthy
    if service.routing.spill_per_mille is not None:
        return tuple(weighted)
    lowest = min((site.priority for site in weighted), default=0)
    return tuple(site for site in weighted if site.priority == lowest)


def room(state: State, service: ServiceSpec, loads: Iterable[RegionLoad]) -> Room:
    """Say what would have to move if ``state`` held, and whether the rest has room for it.

    Args:
        state: The state after the change that is asked about.
        service: The service, as declared in that state.
        loads: What its regions take now; those of other services are passed over.
    """
    load_by_region = {
        each.region_id: each.rps for each in loads if each.service_id == service.service_id
    }
    if service.mode is ServiceMode.ACTIVE_PASSIVE:
        return _owner_room(state, service, load_by_region)
    carriers = carrying(state, service)
    names = {site.region_id for site in carriers}
    displaced = sum(rps for region_id, rps in load_by_region.items() if region_id not in names)
    free = 0
    for site in carriers:
        load = load_by_region.get(site.region_id)
        if load is None or site.capacity_rps == 0:
            what = "load is reported" if load is None else "capacity is declared"
            return Room(displaced, None, f"no {what} for {service.service_id} in {site.region_id}")
        free += max(0, site.capacity_rps - load)
        displaced += max(0, load - site.capacity_rps)
    return Room(displaced, free)


def _owner_room(state: State, service: ServiceSpec, load_by_region: Mapping[RegionId, int]) -> Room:
    """One region carries everything, so the largest healthy standby has to."""
    group = next((state.group(group_id) for group_id in service.group_ids), None)
    home = None if group is None else group.home
    # Drained, forced down or DOWN: it has to leave, and somebody to take over.
    if home is None or is_healthy(state, service, home):
        return _NOTHING_MOVES
    load = load_by_region.get(home)
    if load is None:
        return Room(None, None, f"no load is reported for {service.service_id} in {home}")
    standbys = [
        site
        for site in service.sites
        if site.region_id != home and is_healthy(state, service, site.region_id)
    ]
    undeclared = [site.region_id for site in standbys if site.capacity_rps == 0]
    if undeclared:
        names = ", ".join(undeclared)
        return Room(load, None, f"no capacity is declared for {service.service_id} in {names}")
    return Room(load, max((site.capacity_rps for site in standbys), default=0))


def drain_room(
    state: State, service: ServiceSpec, region_id: RegionId, loads: Iterable[RegionLoad]
) -> Room:
    """Say whether ``service`` finds room elsewhere once ``region_id`` is drained."""
    if service.site(region_id) is None or not is_healthy(state, service, region_id):
        return _NOTHING_MOVES
    loads = tuple(loads)
    if service.mode is ServiceMode.ACTIVE_ACTIVE:
        if all(site.region_id != region_id for site in carrying(state, service)):
            return _NOTHING_MOVES
        is_reported = any(
            each.service_id == service.service_id and each.region_id == region_id for each in loads
        )
        if not is_reported:
            what = f"no load is reported for {service.service_id} in {region_id}"
            return Room(None, None, what)
    return room(_drained(state, region_id), service, loads)


def _drained(state: State, region_id: RegionId) -> State:
    others = [each for each in state.drained_regions if each != region_id]
    return replace(state, drained_regions=tuple(sorted([*others, region_id])))


def drain_room_refusal(state: State, command: SetRegionDrained) -> Refusal | None:
    """Say why the drain may not begin for want of room, or because of what it waives, or None.

    Asked when it is decided, and again when it is applied: another drain may have gone before (R2).
    """
    if not command.drained:
        return None
    refusal = waiver_refusal(command.waives, command.stamp.reason)
    if refusal is not None or command.waives:
        return refusal
    return drain_capacity_refusal(state, command.region_id, command.loads)


def start_room_refusal(state: State, command: StartRun) -> Refusal | None:
    """Say why the run may not begin for want of room, or or for what it waives, or None (R2)."""
    refusal = waiver_refusal(command.waives, command.stamp.reason)
    if refusal is not None or command.waives:
        return refusal
    return move_capacity_refusal(state, command)


def drain_preview(state: State, command: SetRegionDrained) -> str:
    """Say for each service in the region what room the rest has, for a dry run."""
    region_id = command.region_id
    said = [
        f"{service.service_id}: {described(found)}"
        for service in state.topology.services
        if (found := drain_room(state, service, region_id, command.loads)) != _NOTHING_MOVES
    ]
    return f"{region_id} would be drained; {'; '.join(said) or 'it carries nothing'}"


def percent_words(per_mille: int) -> str:
    """Return a headroom as people read it; beyond ten times the load the figure says nothing."""
    percent = per_mille // 10
    return f"more than {PERCENT_SHOWN_MAX} %" if percent > PERCENT_SHOWN_MAX else f"{percent} %"


def described(found: Room) -> str:
    """Return a statement about room in words."""
    headroom = found.headroom_per_mille
    if found.unknown:
        return f"no statement about the headroom, {found.unknown}"
    if headroom is None:
        return "carries no load there"
    return (
        f"headroom {percent_words(headroom)} ({found.free_rps} free for {found.displaced_rps} rps)"
    )


def drain_capacity_refusal(
    state: State, region_id: RegionId, loads: Iterable[RegionLoad]
) -> Refusal | None:
    """Say which service would not find room if ``region_id`` were drained, or None (R2)."""
    loads = tuple(loads)
    for service in state.topology.services:
        found = drain_room(state, service, region_id, loads)
        if found.is_lacking:
            return _lacking(service, found, f"draining {region_id}", "drain anyway")
    return None


def move_capacity_refusal(state: State, command: StartRun) -> Refusal | None:
    """Say that the target of a planned move is too small, or None (R2)."""
    group = state.group(command.group_id)
    service = None if group is None else state.topology.service(group.service_id)
    if group is None or service is None or command.kind is RunKind.FAILOVER:
        return None
    if group.home in state.drained_regions:
        return None
    found = target_room(service, command.target, command.load_rps)
    if not found.is_lacking:
        return None
    return _lacking(service, found, f"moving it to {command.target}", "move it anyway")


def target_room(service: ServiceSpec, target: RegionId, load_rps: int | None) -> Room:
    """Say whether ``target`` can take over a load of ``load_rps``; None is unknown."""
    site = service.site(target)
    if load_rps is None:
        return Room(None, None, f"no load is reported for the owner of {service.service_id}")
    if site is None or site.capacity_rps == 0:
        what = f"no capacity is declared for {service.service_id} in {target}"
        return Room(load_rps, None, what)
    return Room(load_rps, site.capacity_rps)


def manifest_capacity_refusal(
    state: State, after: State, loads: Iterable[RegionLoad]
) -> Refusal | None:
    """Say which service would not find room once the documents are in force, or None (R2).

    Only documents that take capacity away are asked: one that changes something else must not be
    refused because the service is too full already.
    """
    loads = tuple(loads)
    for service in after.topology.services:
        before = state.topology.service(service.service_id)
        if before is None or not _takes_away(state, before, after, service):
            continue
        # Nobody was sent to a new site so far; its load is not missing, and hides nothing.
        new = tuple(
            RegionLoad(service.service_id, site.region_id, 0)
            for site in service.sites
            if before.site(site.region_id) is None
        )
        found = room(after, service, (*new, *loads))
        if found.is_lacking:
            return _lacking(service, found, "applying the documents", "")
    return None


def _takes_away(state: State, before: ServiceSpec, after: State, service: ServiceSpec) -> bool:
    capacity_after = {site.region_id: site.capacity_rps for site in carrying(after, service)}
    return any(
        capacity_after.get(site.region_id, -1) < site.capacity_rps
        or site.region_id not in capacity_after
        for site in carrying(state, before)
    )


def _lacking(service: ServiceSpec, found: Room, doing: str, anyway: str) -> Refusal:
    free, displaced = found.free_rps or 0, found.displaced_rps or 0
    needed = -(-displaced * HEADROOM_PER_MILLE // 1_000)
    todo = "add capacity elsewhere first"
    if anyway:
        todo += f", or {anyway} with --force-capacity"
    return Refusal(
        Reason.SAFETY_RULE,
        f"{doing} would displace {displaced} requests per second of {service.service_id}; the rest "
        f"has room for {free} and {needed} are needed (load x {HEADROOM_PER_MILLE // 10} %); "
        f"{todo}",
        (
            ("rule", Rule.CAPACITY),
            ("serviceId", service.service_id),
            ("displacedRps", str(displaced)),
            ("freeRps", str(free)),
            ("neededRps", str(needed)),
        ),
    )


def waiver_refusal(waives: str, reason: str) -> Refusal | None:
    """Say why a rule may not be waived, or None if it may be, or none is (C9).

    Only the room is a matter of judgement: that somebody serves at all is not.
    """
    if not waives:
        return None
    if waives != Rule.CAPACITY:
        return Refusal(
            Reason.INVALID_REQUEST,
            f"the rule {waives!r} cannot be waived; only {Rule.CAPACITY} can",
            (("field", "waives"),),
        )
    if not reason.strip():
        return Refusal(
            Reason.INVALID_REQUEST,
            f"waiving {Rule.CAPACITY} needs a reason: it goes to the audit trail",
            (("field", "change.reason"),),
        )
    return None


def worst_loss_room(
    state: State, service: ServiceSpec, loads: Iterable[RegionLoad]
) -> tuple[RegionId | None, Room]:
    """Return the region whose loss leaves the least room, and that room, for people.

    Of an active-passive service that is its owner. Of an active-active one without a complete
    statement it is the first region about which something is missing.
    """
    loads = tuple(loads)
    group = next((state.group(group_id) for group_id in service.group_ids), None)
    if service.mode is ServiceMode.ACTIVE_PASSIVE:
        home = None if group is None else group.home
        if home is None:
            return None, _NOTHING_MOVES
        return home, room(_drained(state, home), service, loads)
    found: list[tuple[int, RegionId, Room]] = []
    for site in carrying(state, service):
        one = drain_room(state, service, site.region_id, loads)
        if one.unknown:
            return site.region_id, one
        headroom = one.headroom_per_mille
        found.append((1 << 62 if headroom is None else headroom, site.region_id, one))
    if not found:
        return None, _NOTHING_MOVES
    _, region_id, least = min(found, key=lambda each: each[:2])
    return region_id, least
