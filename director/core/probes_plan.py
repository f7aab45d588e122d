"""Which agents watch which service from outside."""

from director.core.effects import DirectProbes, ProbeTarget
from director.core.topology import RegionSpec, ServiceSpec, Topology
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
        for site in service.sites:
            for observer in _observers(topology, service, site.region_id):
                targets[observer.region_id] += _targets(service, site.region_id)
    return {
        region_id: DirectProbes(
            region_id,
            tuple(sorted(found, key=lambda each: (each.service_id, each.region_id, each.address))),
        )
        for region_id, found in targets.items()
    }


def _observers(topology: Topology, service: ServiceSpec, region_id: RegionId) -> list[RegionSpec]:
    """Up to five regions in different failure domains, spread evenly over a large fleet."""
    judged = topology.region(region_id)
    others = [
        region
        for region in topology.regions
        if judged is None or region.failure_domain != judged.failure_domain
    ]
    key = key_hash(f"{service.service_id}/{region_id}")
    others.sort(key=lambda region: (mixed(key, region.region_id), region.region_id))
    by_domain: dict[str, RegionSpec] = {}
    for region in others:
        by_domain.setdefault(region.failure_domain, region)
    return list(by_domain.values())[:OBSERVERS_MAX]


def _targets(service: ServiceSpec, region_id: RegionId) -> list[ProbeTarget]:
    site = service.site(region_id)
    assert site is not None, "the caller iterates over the service's own sites"
    health = service.health
    # One endpoint stands for the region: an agent beside each pod reports the others.
    return [
        ProbeTarget(
            service.service_id,
            region_id,
            _probed_address(endpoint.address, health.probe.address),
            health.probe,
            health.every_ms,
            health.probe_timeout_ms,
            health.rise_count,
            health.fall_count,
        )
        for endpoint in site.endpoints[:1]
    ]


def _probed_address(endpoint: str, override: str) -> str:
    if override.startswith(":"):
        return endpoint.rsplit(":", 1)[0] + override
    return override or endpoint
