"""Plain facts of a state, read off without any of the machine's rules."""

from dataclasses import dataclass

from director.core.state import State
from director.core.topology import ServiceSpec
from director.routing.table import RegionId, ServiceId, ServiceMode, Verdict


@dataclass(frozen=True)
class ServiceFacts:
    """One service.

    Attributes:
        least: How many healthy regions must remain.
        well: Regions that are declared, have endpoints, are not drained nor forced down, and are
            forced up or not DOWN.
        used: Those, and the DOWN ones that a rule keeps in service: where clients may be sent.
        carriers: The regions of ``well`` that clients are spread over.
        capacity: Requests per second by region; 0 is not declared.
        owner: Who may write; None when nobody owns it, or everybody does.
        pointed: Where routes point.
        forbidden: Regions that an operator forced down.
    """

    is_passive: bool
    least: int
    sites: frozenset[RegionId]
    well: frozenset[RegionId]
    used: frozenset[RegionId]
    carriers: frozenset[RegionId]
    capacity: dict[RegionId, int]
    owner: RegionId | None
    pointed: RegionId | None
    forbidden: frozenset[RegionId]


Facts = dict[ServiceId, ServiceFacts]


def facts(state: State) -> Facts:
    """Return the facts of every declared service."""
    declared = {region.region_id for region in state.topology.regions}
    return {
        service.service_id: _service(state, service, declared)
        for service in state.topology.services
    }


def _service(state: State, service: ServiceSpec, declared: set[RegionId]) -> ServiceFacts:
    policies = [each for each in state.topology.policies if each.policy_id == service.policy_id]
    well, used = set(), set()
    for site in service.sites:
        region_id = site.region_id
        if region_id not in declared or not site.endpoints or region_id in state.drained_regions:
            continue
        forced = state.overrides.get((service.service_id, region_id))
        record = state.verdicts.get((service.service_id, region_id))
        is_down = record is not None and record.verdict is Verdict.DOWN
        if forced is not None:
            if forced.value == "FORCE_UP":
                well.add(region_id)
                used.add(region_id)
            continue
        if not is_down:
            well.add(region_id)
        if not is_down or (record is not None and record.withheld):
            used.add(region_id)
    owners = [group for group in state.groups if group.service_id == service.service_id]
    return ServiceFacts(
        service.mode is ServiceMode.ACTIVE_PASSIVE,
        max(1, policies[0].serving_regions_min if policies else 1),
        frozenset(site.region_id for site in service.sites),
        frozenset(well),
        frozenset(used),
        _carriers(service, well),
        {site.region_id: site.capacity_rps for site in service.sites},
        owners[0].home if owners else None,
        owners[0].serving if owners else None,
        frozenset(
            region_id
            for (service_id, region_id), forced in state.overrides.items()
            if service_id == service.service_id and forced.value == "FORCE_DOWN"
        ),
    )


def _carriers(service: ServiceSpec, well: set[RegionId]) -> frozenset[RegionId]:
    chosen = [site for site in service.sites if site.region_id in well and site.weight > 0]
    chosen = chosen or [site for site in service.sites if site.region_id in well]
    if service.routing.spill_per_mille is None and chosen:
        first = min(site.priority for site in chosen)
        chosen = [site for site in chosen if site.priority == first]
    return frozenset(site.region_id for site in chosen)
