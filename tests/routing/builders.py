"""Small fleets and services for the routing tests, with everything defaulted."""

from dataclasses import replace
from typing import Any

from director.routing.compiled import CompiledTable
from director.routing.table import (
    AllUnhealthy,
    Answer,
    ClientPosition,
    Endpoint,
    Location,
    PositionSource,
    Query,
    Refusal,
    Region,
    RegionId,
    Resolution,
    RouteTable,
    ServiceId,
    ServiceMode,
    ServiceRoute,
    Site,
    Strategy,
    Verdict,
)

PARIS = Location(48.85, 2.35)
SERVICE = ServiceId("embed")
PLACES = {
    "ap-south1": (1.35, 103.82, "SG"),
    "eu-north1": (60.57, 27.19, "EU"),
    "eu-west1": (50.45, 3.82, "EU"),
    "us-east1": (33.20, -80.01, "US"),
}


def a_fleet(**changes: dict[str, Any]) -> tuple[Region, ...]:
    """Return the four sample regions; ``eu_west1={"drained": True}`` changes one."""
    by_name = {name.replace("_", "-"): change for name, change in changes.items()}
    return tuple(
        replace(
            Region(RegionId(name), Location(lat, lon), jurisdiction, f"{name}-domain"),
            **by_name.get(name, {}),
        )
        for name, (lat, lon, jurisdiction) in PLACES.items()
    )


def a_site(name: str, verdict: Verdict = Verdict.UP, **changes: Any) -> Site:
    site = Site(RegionId(name), 0, 100, (Endpoint(f"embed.{name}.internal:443"),), verdict)
    return replace(site, **changes)


def a_service(*sites: Site, **changes: Any) -> ServiceRoute:
    service = ServiceRoute(
        SERVICE,
        ServiceMode.ACTIVE_ACTIVE,
        Strategy.NEAREST,
        ttl_ms=15_000,
        panic_per_mille=400,
        all_unhealthy=AllUnhealthy.FAIL_OPEN,
        sticky=False,
        residency=(),
        sites=sites,
    )
    return replace(service, **changes)


def a_table(*services: ServiceRoute, **changes: Any) -> RouteTable:
    table = RouteTable(1, 42, 4, a_fleet(), (), services)
    return replace(table, **changes)


def resolved(table: RouteTable, **query: Any) -> Resolution:
    """Resolve the sample service from Paris, unless told otherwise."""
    position = query.pop("position", at(PARIS))
    return CompiledTable(table).resolve(Query(SERVICE, position, **query))


def answered(table: RouteTable, **query: Any) -> Answer:
    resolution = resolved(table, **query)
    assert isinstance(resolution, Answer), resolution
    return resolution


def refused(table: RouteTable, **query: Any) -> Refusal:
    resolution = resolved(table, **query)
    assert isinstance(resolution, Refusal), resolution
    return resolution


def at(location: Location) -> ClientPosition:
    return ClientPosition(location, None, PositionSource.COORDINATES)


def inside(name: str) -> ClientPosition:
    return ClientPosition(None, RegionId(name), PositionSource.REGION)
