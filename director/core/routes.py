"""Compiles the replicated state into the route table that every front, agent and client uses."""

from director.core.state import State
from director.core.topology import ServiceSpec
from director.routing.table import (
    Region,
    RegionId,
    RoundTrip,
    RouteTable,
    ServiceMode,
    ServiceRoute,
    Site,
    Verdict,
)


def compile_table(state: State, measured: tuple[RoundTrip, ...]) -> RouteTable:
    """Return the routes of ``state``. A measured round trip wins over a declared one."""
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
        tuple(_service_route(state, each) for each in state.topology.services),
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


def _service_route(state: State, service: ServiceSpec) -> ServiceRoute:
    group = next((state.group(group_id) for group_id in service.group_ids), None)
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
        tuple(_site(state, service, site.region_id) for site in service.sites),
        owner=None if group is None else group.serving,
        generation=state.generation if is_owned else 0,
        epoch=group.epoch if group is not None and is_owned else 0,
    )


def _site(state: State, service: ServiceSpec, region_id: RegionId) -> Site:
    spec = service.site(region_id)
    assert spec is not None, "the caller iterates over the service's own sites"
    pair = (service.service_id, region_id)
    record = state.verdicts.get(pair)
    is_active_active = service.mode is ServiceMode.ACTIVE_ACTIVE
    return Site(
        region_id,
        spec.priority,
        spec.weight,
        spec.endpoints,
        Verdict.UNKNOWN if record is None else record.verdict,
        override=state.overrides.get(pair),
        withheld=record.withheld if record is not None and is_active_active else "",
    )
