"""In-process resolve: decisions per second on one core, cold and warm, with latencies.

50 regions, 200 services (each in 3 to 12 regions, three strategies mixed, a third with residency
rules), addresses of real allocations plus random ones, every (address, service) pair distinct, and
the view replaced every second by one with changed health. A decision is address in, answer out:
position lookup, order, filter.

Run: python benchmarks/bench_resolve_inprocess.py [--seconds 10] [--json FILE]
"""

import argparse
import csv
import gc
import json
import random
import time
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from director.geodb.find import open_geo_database
from director.geodb.reader import GeoDatabase
from director.routing.compiled import CompiledTable
from director.routing.table import (
    NOWHERE,
    AllUnhealthy,
    Answer,
    Endpoint,
    Location,
    Query,
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

SHARED = Path(__file__).parents[1].parent / "shared" / "data"
REGIONS, SERVICES, ADDRESSES = 50, 200, 60_000
SEED = 7
VIEW_EVERY_S = 1.0
LATENCY_EVERY = 16  # Timing each decision would measure the timer.


def region_places(draw: random.Random) -> list[tuple[str, Location]]:
    """Take real region locations when the data is there, else points of settled latitudes."""
    path = SHARED / "regions" / "regions.csv"
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        picked = sorted(draw.sample(range(len(rows)), REGIONS))
        return sorted(
            (
                f"{rows[n]['provider']}-{rows[n]['region']}",
                Location(float(rows[n]["lat"]), float(rows[n]["lon"])),
            )
            for n in picked
        )
    return [
        (f"region-{n:02}", Location(draw.uniform(-45, 65), draw.uniform(-180, 180)))
        for n in range(REGIONS)
    ]


def a_table(draw: random.Random) -> RouteTable:
    regions = tuple(
        Region(RegionId(name), place, draw.choice(["EU", "US", "SG"]), name)
        for name, place in region_places(draw)
    )
    trips = tuple(
        (one.region_id, other.region_id, draw.randrange(1_000, 300_000))
        for one in regions
        for other in regions
        if one is not other
    )
    services = tuple(a_service(draw, regions, n) for n in range(SERVICES))
    return RouteTable(1, 1, 1, regions, trips, services)


def a_service(draw: random.Random, regions: tuple[Region, ...], number: int) -> ServiceRoute:
    name = f"service-{number:03}"
    sites = tuple(
        Site(
            region.region_id,
            draw.choice([0, 0, 0, 1]),
            draw.choice([50, 100]),
            (Endpoint(f"{name}.{region.region_id}:443"),),
            Verdict.UP,
        )
        for region in sorted(
            draw.sample(regions, draw.randint(3, 12)), key=lambda region: region.region_id
        )
    )
    is_passive = number % 10 == 0
    return ServiceRoute(
        ServiceId(name),
        ServiceMode.ACTIVE_PASSIVE if is_passive else ServiceMode.ACTIVE_ACTIVE,
        Strategy.LEAST_LATENCY if number % 5 == 1 else Strategy.NEAREST,
        15_000,
        400,
        AllUnhealthy.FAIL_OPEN,
        sticky=False,
        residency=(ResidencyRule("EU", ("EU",)),) if number % 3 == 0 else (),
        sites=sites,
        owner=sites[0].region_id if is_passive else None,
        generation=1,
        epoch=1,
    )


def with_other_health(draw: random.Random, table: RouteTable) -> RouteTable:
    """Return the next revision: one site in ten changes its verdict."""
    services = tuple(
        replace(
            service,
            sites=tuple(
                replace(site, verdict=draw.choice([Verdict.UP, Verdict.UP, Verdict.DOWN]))
                if draw.random() < 0.1
                else site
                for site in service.sites
            ),
        )
        for service in table.services
    )
    return replace(table, revision=table.revision + 1, services=services)


def client_addresses(draw: random.Random) -> tuple[list[str], int]:
    """Return addresses, and how many of them come from the published sample."""
    path = SHARED / "clients" / "client_ips.csv"
    real: list[str] = []
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            real = [row["ip"] for row in csv.DictReader(file)]
    random_ones = [str(IPv4Address(draw.getrandbits(32))) for _ in range(ADDRESSES - len(real))]
    return real + random_ones, len(real)


def decide(geo: GeoDatabase, compiled: CompiledTable, address: str, service: ServiceId) -> bool:
    """Make one decision, as a sidecar does. Returns whether it is an answer."""
    place = geo.lookup(address)
    if place is None:
        resolution = compiled.resolve(Query(service, NOWHERE))
    else:
        resolution = compiled.resolve_place(service, place.place_key, place.location)
    return isinstance(resolution, Answer)


def percentiles(latencies_ns: list[int]) -> dict[str, float]:
    latencies_ns.sort()
    last = len(latencies_ns) - 1
    return {
        "p50_us": latencies_ns[last // 2] / 1000,
        "p99_us": latencies_ns[last * 99 // 100] / 1000,
        "p999_us": latencies_ns[last * 999 // 1000] / 1000,
        "max_us": latencies_ns[last] / 1000,
    }


def cold(geo: GeoDatabase, compiled: CompiledTable, addresses: list[str]) -> dict[str, float]:
    """Decide for addresses never seen before: every lookup goes to the file."""
    latencies: list[int] = []
    names = [service.service_id for service in compiled.table.services]
    began = time.perf_counter_ns()
    for number, address in enumerate(addresses):
        start = time.perf_counter_ns()
        decide(geo, compiled, address, names[number % SERVICES])
        latencies.append(time.perf_counter_ns() - start)
    elapsed_s = (time.perf_counter_ns() - began) / 1e9
    return {"decisions_per_s": len(addresses) / elapsed_s, **percentiles(latencies)}


def warm(
    geo: GeoDatabase, compiled: CompiledTable, addresses: list[str], seconds: float
) -> dict[str, float]:
    """Decide for known addresses, each pair with a service once, under changing views."""
    draw = random.Random(SEED)
    names = [service.service_id for service in compiled.table.services]
    views = [compiled.table]
    for _ in range(int(seconds) + 2):
        views.append(with_other_health(draw, views[-1]))
    latencies: list[int] = []
    build_ms: list[float] = []
    decided = answered = view = pair = 0
    began = swapped = time.perf_counter()
    while (now := time.perf_counter()) - began < seconds:
        if now - swapped >= VIEW_EVERY_S:
            view += 1
            compiled = CompiledTable(views[view % len(views)], compiled)
            build_ms.append((time.perf_counter() - now) * 1000)
            swapped = now
        # A stretch of distinct pairs: all addresses in turn, the service shifting with each lap.
        for _ in range(64):
            for _ in range(LATENCY_EVERY - 1):
                lap, at = divmod(pair, len(addresses))
                answered += decide(geo, compiled, addresses[at], names[(at + lap) % SERVICES])
                pair += 1
            lap, at = divmod(pair, len(addresses))
            start = time.perf_counter_ns()
            answered += decide(geo, compiled, addresses[at], names[(at + lap) % SERVICES])
            latencies.append(time.perf_counter_ns() - start)
            pair += 1
        decided += 64 * LATENCY_EVERY
    elapsed_s = time.perf_counter() - began
    assert pair <= len(addresses) * SERVICES, "pairs repeat: use more addresses"
    return {
        "decisions_per_s": decided / elapsed_s,
        "answered_share": answered / decided,
        "views": float(view),
        "view_build_ms_max": max(build_ms, default=0.0),
        **percentiles(latencies),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--geo", type=Path, help="another geo database than the default")
    arguments = parser.parse_args()
    draw = random.Random(SEED)
    geo = open_geo_database(arguments.geo)
    compiled = CompiledTable(a_table(draw))
    addresses, real_count = client_addresses(draw)
    gc.collect()
    gc.freeze()  # What was built at start is not scanned again by each collection.
    result = {
        "regions": REGIONS,
        "services": SERVICES,
        "addresses": len(addresses),
        "addresses_from_sample": real_count,
        "database": geo.describe().database_type,
        "cold": cold(geo, compiled, addresses),
    }
    for address in addresses:  # Fill the orders by round trip too.
        place = geo.lookup(address)
        if place is not None:
            compiled.preferences.by_round_trip(place.place_key, place.location)
            compiled.preferences.by_distance(place.place_key, place.location)
    result["warm"] = warm(geo, compiled, addresses, arguments.seconds)
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
