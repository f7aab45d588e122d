"""Route tables at random, and what every answer from them must be."""

import random

from director.routing.compiled import CompiledTable
from director.routing.table import (
    AllUnhealthy,
    Answer,
    ClientPosition,
    Location,
    Override,
    PositionSource,
    Query,
    Refusal,
    RefusalReason,
    RegionId,
    ResidencyRule,
    RouteTable,
    ServiceMode,
    Site,
    Strategy,
    Verdict,
)
from tests.routing.builders import PLACES, SERVICE, a_fleet, a_service, a_site, a_table
from tests.routing.oracle import Oracle
from tests.sim.bugs.bug import Arena

_TABLES = 20


def resolved() -> Arena:
    """Any table, any client."""
    return Arena("routes: tables", _play_tables, 40)


def _play_tables(seed: int) -> None:
    rng = random.Random(f"routes {seed}")
    for _ in range(_TABLES):
        table = _a_table(rng)
        compiled = CompiledTable(table)
        for _ in range(3):
            query = _a_query(rng)
            resolution = compiled.resolve(query)
            if isinstance(resolution, Refusal):
                _check_refusal(table, resolution)
            else:
                _check_answer(table, query, resolution)


def _a_table(rng: random.Random) -> RouteTable:
    names = rng.sample(sorted(PLACES), rng.randint(1, 4))
    sites = [_a_site(rng, name) for name in names]
    service = a_service(
        *sites,
        mode=rng.choice(list(ServiceMode)),
        strategy=rng.choice([Strategy.NEAREST, Strategy.NEAREST, Strategy.WEIGHTED]),
        panic_per_mille=rng.choice([0, 400]),
        all_unhealthy=rng.choice(list(AllUnhealthy)),
        residency=rng.choice([(), (ResidencyRule("EU", ("EU",)),)]),
        owner=RegionId(rng.choice(names)),
    )
    drained = rng.choice(sorted(PLACES))
    return a_table(service, regions=a_fleet(**{drained: {"drained": rng.random() < 0.3}}))


def _a_site(rng: random.Random, name: str) -> Site:
    site = a_site(
        name,
        rng.choice([Verdict.UP, Verdict.UP, Verdict.DOWN, Verdict.UNKNOWN]),
        priority=rng.choice([0, 0, 1]),
        weight=rng.choice([0, 100, 100]),
        override=rng.choice([None, None, None, None, *Override]),
        withheld=rng.choice(["", "", "", "NEVER_LAST"]),
    )
    return a_site(name, endpoints=()) if rng.random() < 0.1 else site


def _a_query(rng: random.Random) -> Query:
    place = Location(rng.uniform(-90, 90), rng.uniform(-180, 180))
    position = ClientPosition(place, None, PositionSource.COORDINATES)
    return Query(SERVICE, position, rng.choice(["", "EU", "US"]), "", rng.randint(0, 5))


def _check_refusal(table: RouteTable, refusal: Refusal) -> None:
    """R4: a service that fails open is not refused for the health of its regions."""
    (service,) = table.services
    assert refusal.message, "a refusal says why"
    is_forced = any(site.override is Override.FORCE_DOWN for site in service.sites)
    is_for_health = refusal.reason is RefusalReason.ALL_UNHEALTHY
    is_open = service.all_unhealthy is AllUnhealthy.FAIL_OPEN
    assert is_forced or not (is_for_health and is_open), (
        f"{refusal.message}, although the service fails open"
    )


def _check_answer(table: RouteTable, query: Query, answer: Answer) -> None:
    (service,) = table.services
    assert answer.endpoints, f"an answer without an endpoint: {answer.region_id} (R1)"
    site = next(each for each in service.sites if each.region_id == answer.region_id)
    assert site.override is not Override.FORCE_DOWN, f"{site.region_id} is forced down"
    region = next(each for each in table.regions if each.region_id == site.region_id)
    for rule in service.residency:
        assert rule.subject_jurisdiction != query.subject_jurisdiction or (
            region.jurisdiction in rule.allow_jurisdictions
        ), f"{query.subject_jurisdiction} subjects may not go to {region.region_id}"
    is_bad = site.verdict is Verdict.DOWN and site.override is not Override.FORCE_UP
    assert answer.fail_open or not is_bad, f"{site.region_id} is DOWN; the answer does not say so"
    assert not is_bad or site.withheld or service.all_unhealthy is AllUnhealthy.FAIL_OPEN, (
        f"{site.region_id} is DOWN, and the service fails closed"
    )
    if service.mode is ServiceMode.ACTIVE_PASSIVE:
        assert answer.region_id == service.owner, f"writes go to {answer.region_id} (R4)"
    elif service.strategy is Strategy.NEAREST:
        _check_nearest(table, query, answer)


def _check_nearest(table: RouteTable, query: Query, answer: Answer) -> None:
    """R5: of what may serve, the nearest, by another formula."""
    (service,) = table.services
    drained = {region.region_id for region in table.regions if region.drained}
    plain = all(
        site.verdict is not Verdict.DOWN
        and site.override is None
        and site.endpoints
        and site.weight > 0
        and site.priority == 0
        and site.region_id not in drained
        for site in service.sites
    )
    if not plain or service.residency or query.position.location is None:
        return
    places = [(str(each.region_id), *PLACES[each.region_id][:2]) for each in service.sites]
    nearest = Oracle(places).nearest(query.position.location.lat, query.position.location.lon)
    assert answer.region_id == nearest, f"{nearest} is nearer than {answer.region_id} (R5)"
