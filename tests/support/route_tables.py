"""Builders and hypothesis strategies for route tables."""

from dataclasses import replace

from hypothesis import strategies as st

from director.routing.table import (
    AllUnhealthy,
    Endpoint,
    Location,
    Override,
    Region,
    RegionId,
    ResidencyRule,
    RouteTable,
    ServiceId,
    ServiceMode,
    ServiceRoute,
    Site,
    Strategy,
    Verdict,
)

PLACES = {
    "ap-south1": Location(1.35, 103.82),
    "eu-north1": Location(60.57, 27.19),
    "eu-west1": Location(50.45, 3.82),
    "us-east1": Location(33.20, -80.01),
}


def a_region(region_id: str, *, drained: bool = False) -> Region:
    """A region with a place of its own."""
    location = PLACES.get(region_id, Location(0.0, float(sum(region_id.encode()) % 180)))
    return Region(RegionId(region_id), location, region_id[:2].upper(), f"{region_id}-a", drained)


def a_site(region_id: str, *, verdict: Verdict = Verdict.UP, priority: int = 0) -> Site:
    """A healthy site with one endpoint."""
    endpoint = Endpoint(f"{region_id}.internal:443")
    return Site(RegionId(region_id), priority, 100, (endpoint,), verdict)


def a_service(
    service_id: str, *sites: Site, strategy: Strategy = Strategy.NEAREST, owner: str | None = None
) -> ServiceRoute:
    """An active-active service; active-passive when it has an owner."""
    return ServiceRoute(
        ServiceId(service_id),
        ServiceMode.ACTIVE_ACTIVE if owner is None else ServiceMode.ACTIVE_PASSIVE,
        strategy,
        15_000,
        400,
        AllUnhealthy.FAIL_OPEN,
        sticky=False,
        residency=(),
        sites=sites or tuple(a_site(region_id) for region_id in PLACES),
        owner=None if owner is None else RegionId(owner),
        generation=0 if owner is None else 1,
        epoch=0 if owner is None else 1,
    )


def a_table(*services: ServiceRoute, revision: int = 1, generation: int = 1) -> RouteTable:
    """A table over four regions."""
    return RouteTable(
        generation,
        revision,
        1,
        tuple(a_region(region_id) for region_id in PLACES),
        (),
        tuple(sorted(services, key=lambda each: each.service_id)),
    )


def at_revision(table: RouteTable, revision: int) -> RouteTable:
    """The same table, compiled later."""
    return replace(table, revision=revision)


_WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=8)
_REGIONS = st.sampled_from(["a", "b", "c", "d", "e"])
_UINT32 = st.integers(0, 2**32 - 1)

_endpoints = st.builds(
    Endpoint,
    address=_WORDS,
    zone=st.text(max_size=4),
    labels=st.dictionaries(_WORDS, st.text(max_size=4), max_size=2).map(
        lambda labels: tuple(sorted(labels.items()))
    ),
    weight=_UINT32,
)
_sites = st.builds(
    Site,
    region_id=_REGIONS.map(RegionId),
    priority=_UINT32,
    weight=_UINT32,
    endpoints=st.lists(_endpoints, max_size=3).map(tuple),
    verdict=st.sampled_from(Verdict),
    override=st.none() | st.sampled_from(Override),
    drained=st.booleans(),
    withheld=st.sampled_from(["", "VELOCITY_CAP"]),
)
_services = st.builds(
    ServiceRoute,
    service_id=st.sampled_from(["chat", "embed", "search", "vote"]).map(ServiceId),
    mode=st.sampled_from(ServiceMode),
    strategy=st.sampled_from(Strategy),
    ttl_ms=_UINT32,
    panic_per_mille=st.integers(0, 1000),
    all_unhealthy=st.sampled_from(AllUnhealthy),
    sticky=st.booleans(),
    residency=st.lists(
        st.builds(
            ResidencyRule,
            subject_jurisdiction=_WORDS,
            allow_jurisdictions=st.lists(_WORDS, max_size=2).map(tuple),
            otherwise=st.just("Refuse"),
        ),
        max_size=2,
    ).map(tuple),
    sites=st.lists(_sites, max_size=3, unique_by=lambda site: site.region_id).map(
        lambda sites: tuple(sorted(sites, key=lambda site: site.region_id))
    ),
    owner=st.none() | _REGIONS.map(RegionId),
    generation=st.integers(0, 2**40),
    epoch=st.integers(0, 2**40),
)
_regions = st.builds(
    Region,
    region_id=_REGIONS.map(RegionId),
    location=st.builds(
        Location,
        st.floats(-90, 90, allow_nan=False),
        st.floats(-180, 180, allow_nan=False),
    ),
    jurisdiction=_WORDS,
    failure_domain=_WORDS,
    drained=st.booleans(),
)
_round_trips = st.lists(
    st.tuples(_REGIONS.map(RegionId), _REGIONS.map(RegionId), _UINT32), max_size=4
).map(tuple)


def route_tables(revision: st.SearchStrategy[int] | None = None) -> st.SearchStrategy[RouteTable]:
    """Any table that could travel, sensible or not."""
    return st.builds(
        RouteTable,
        generation=st.just(1),
        revision=st.integers(0, 2**40) if revision is None else revision,
        config_revision=st.integers(0, 2**40),
        regions=st.lists(_regions, max_size=4, unique_by=lambda region: region.region_id).map(
            lambda regions: tuple(sorted(regions, key=lambda region: region.region_id))
        ),
        round_trips=_round_trips,
        services=st.lists(_services, max_size=4, unique_by=lambda each: each.service_id).map(
            lambda services: tuple(sorted(services, key=lambda each: each.service_id))
        ),
    )
