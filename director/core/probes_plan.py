"""Which agents watch which service from outside."""

from director.core.effects import DirectProbes, ProbeTarget
from director.core.topology import RegionSpec, ServiceSpec, SiteSpec, Topology
from director.routing.rendezvous import key_hash, mixed
from director.routing.table import RegionId

# 3-of-5 observers is where more voters stop helping (detection-math.md, vantage quorum).
OBSERVERS_MAX = 5


def plan_probes(topology: Topology) -> dict[RegionId, DirectProbes]:
    """Return the probe plan of every region, the empty ones included."""
    targets: dict[RegionId, list[ProbeTarget]] = {
        region.region_id: [] for region in topology.regions
    }
    for service in topology.services:
        preferred = _preferred_observers(topology, service)
        for site in service.sites:
            probes = _targets(service, site)
            for observer in _observers(topology, preferred, site.region_id):
                targets[observer.region_id] += probes
    return {
        region_id: DirectProbes(
            region_id,
            tuple(sorted(found, key=lambda each: (each.service_id, each.region_id, each.address))),
        )
        for region_id, found in targets.items()
    }


def _preferred_observers(topology: Topology, service: ServiceSpec) -> list[RegionSpec]:
    """Every region in an order of the service's own, so that a large fleet shares the work.

    One order serves all sites of the service: an order for each would cost seconds at fifty regions
    and two hundred services, while every replica waits.
    """
    key = key_hash(service.service_id)
    return sorted(
        topology.regions, key=lambda region: (mixed(key, region.region_id), region.region_id)
    )


def _observers(
    topology: Topology, preferred: list[RegionSpec], region_id: RegionId
) -> list[RegionSpec]:
    """The first five in different failure domains, none of them the judged region's own."""
    judged = topology.region(region_id)
    by_domain: dict[str, RegionSpec] = {}
    for region in preferred:
        if judged is None or region.failure_domain != judged.failure_domain:
            by_domain.setdefault(region.failure_domain, region)
        if len(by_domain) == OBSERVERS_MAX:
            break
    return list(by_domain.values())


def _targets(service: ServiceSpec, site: SiteSpec) -> list[ProbeTarget]:
    health = service.health
    # One endpoint stands for the region: an agent beside each pod reports the others.
    return [
        ProbeTarget(
            service.service_id,
            site.region_id,
            _probed_address(endpoint.address, health.probe.address),
            health.probe,
            health.every_ms,
            health.probe_timeout_ms,
            health.rise_count,
            health.fall_count,
            # Documents of an earlier release do not say; there, one pass wiped out everything.
            max(1, health.forgive_count),
        )
        for endpoint in site.endpoints[:1]
    ]


def _probed_address(endpoint: str, override: str) -> str:
    if override.startswith(":"):
        return endpoint.rsplit(":", 1)[0] + override
    return override or endpoint
