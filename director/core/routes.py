"""Compiles the replicated state into the route table that every front, agent and client uses."""

from collections.abc import Mapping
from dataclasses import dataclass

from director.core.state import Group, State
from director.core.topology import ServiceSpec, SiteSpec
from director.routing.table import (
    Region,
    RegionId,
    RoundTrip,
    RouteTable,
    ServiceId,
    ServiceMode,
    ServiceRoute,
    Site,
    Verdict,
)

_Pair = tuple[ServiceId, RegionId]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A table with the state it was compiled from, to compile the next one from."""

    state: State
    table: RouteTable


def compile_table(
    state: State, measured: tuple[RoundTrip, ...], before: Compiled | None = None
) -> RouteTable:
    """Return the routes of ``state``. A measured round trip wins over a declared one.

    Args:
        state: What is replicated.
        measured: Round trips between regions.
        before: The table before this one. Services of which nothing changed since are taken over
            from it: when a region is lost, each of its services changes twice within a second.
    """
    regions = tuple(
        Region(
            each.region_id,
            each.location,
            each.jurisdiction,
            each.failure_domain,
            drained=each.region_id in state.drained_regions,
        )
        for each in state.topology.regions
    )
    return RouteTable(
        state.generation,
        state.changed_index,
        state.revision,
        regions,
        _round_trips(state, measured),
        _service_routes(state, before),
    )


def _service_routes(state: State, before: Compiled | None) -> tuple[ServiceRoute, ...]:
    groups = {group.service_id: group for group in state.groups}
    if (
        before is None
        or before.state.topology is not state.topology
        or before.state.generation != state.generation
    ):
        return tuple(
            _service_route(state, each, groups.get(each.service_id))
            for each in state.topology.services
        )
    was = before.state
    changed = {
        service_id
        for now, then in _pair_mappings(state, was)
        if now is not then
        for service_id, region_id in now.keys() | then.keys()
        if now.get((service_id, region_id)) is not then.get((service_id, region_id))
    }
    groups_before = {group.service_id: group for group in was.groups}
    routes = []
    for service, route in zip(state.topology.services, before.table.services, strict=True):
        service_id = service.service_id
        group = groups.get(service_id)
        if service_id in changed or group is not groups_before.get(service_id):
            routes.append(_service_route(state, service, group))
        else:
            routes.append(route)
    return tuple(routes)


def _pair_mappings(
    state: State, was: State
) -> tuple[tuple[Mapping[_Pair, object], Mapping[_Pair, object]], ...]:
    """What routes depend on by service and region, now and then."""
    return (
        (state.verdicts, was.verdicts),
        (state.overrides, was.overrides),
        (state.spills, was.spills),
    )


def _round_trips(state: State, measured: tuple[RoundTrip, ...]) -> tuple[RoundTrip, ...]:
    known: dict[tuple[RegionId, RegionId], int] = {}
    for link in state.topology.links:
        known[link.region_a, link.region_b] = link.rtt_us
        known[link.region_b, link.region_a] = link.rtt_us
    declared = {region.region_id for region in state.topology.regions}
    for from_id, to_id, rtt_us in measured:
        if from_id in declared and to_id in declared:
            known[from_id, to_id] = rtt_us
    return tuple((*pair, rtt_us) for pair, rtt_us in sorted(known.items()))


def _service_route(state: State, service: ServiceSpec, group: Group | None) -> ServiceRoute:
    is_owned = group is not None and group.home is not None
    return ServiceRoute(
        service.service_id,
        service.mode,
        service.routing.strategy,
        service.routing.ttl_ms,
        service.routing.panic_per_mille,
        service.routing.all_unhealthy,
        service.routing.sticky,
        service.residency,
        tuple(_site(state, service, site) for site in service.sites),
        owner=None if group is None else group.serving,
        generation=state.generation if is_owned else 0,
        epoch=group.epoch if group is not None and is_owned else 0,
    )


def _site(state: State, service: ServiceSpec, spec: SiteSpec) -> Site:
    pair = (service.service_id, spec.region_id)
    record = state.verdicts.get(pair)
    is_active_active = service.mode is ServiceMode.ACTIVE_ACTIVE
    spill = state.spills.get(pair)
    return Site(
        spec.region_id,
        spec.priority,
        spec.weight,
        spec.endpoints,
        Verdict.UNKNOWN if record is None else record.verdict,
        override=state.overrides.get(pair),
        withheld=record.withheld if record is not None and is_active_active else "",
        spill_per_mille=0 if spill is None else spill.per_mille,
        load_per_mille=0 if spill is None else spill.load_per_mille,
        is_full=spill is not None and spill.is_full,
    )
