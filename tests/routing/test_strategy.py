"""The choice among usable regions: by place, by round trip, by weight, by session."""

from collections import Counter

from director.routing.compiled import CompiledTable
from director.routing.position import Located, client_position
from director.routing.table import (
    NOWHERE,
    Answer,
    Endpoint,
    Location,
    PositionSource,
    Query,
    RegionId,
    RoundTrip,
    RouteTable,
    Strategy,
    Verdict,
)
from tests.routing.builders import (
    PARIS,
    SERVICE,
    a_service,
    a_site,
    a_table,
    answered,
    at,
    inside,
)

NAMES = ("ap-south1", "eu-north1", "eu-west1", "us-east1")
ALL = tuple(a_site(name) for name in NAMES)


def rtt(origin: str, target: str, ms: float) -> RoundTrip:
    return RegionId(origin), RegionId(target), round(ms * 1000)


def shares(table: RouteTable, *, sessions: bool, count: int = 4_000) -> Counter[str]:
    compiled, counted = CompiledTable(table), Counter[str]()
    for n in range(count):
        session, spread = (f"s{n}", 0) if sessions else ("", n)
        answer = compiled.resolve(Query(SERVICE, at(PARIS), "", session, spread))
        assert isinstance(answer, Answer)
        counted[answer.region_id] += 1
    return counted


def test_a_client_inside_a_region_is_sent_by_measured_round_trip() -> None:
    sites = (a_site("eu-north1"), a_site("us-east1"))
    measured = (rtt("eu-west1", "eu-north1", 140), rtt("eu-west1", "us-east1", 80))
    near = answered(a_table(a_service(*sites)), position=inside("eu-west1"))
    fast = answered(a_table(a_service(*sites), round_trips=measured), position=inside("eu-west1"))
    assert (near.region_id, fast.region_id) == ("eu-north1", "us-east1")


def test_a_round_trip_measured_from_the_other_end_counts_too() -> None:
    sites = (a_site("eu-north1"), a_site("us-east1"))
    measured = (rtt("eu-north1", "eu-west1", 140), rtt("us-east1", "eu-west1", 80))
    table = a_table(a_service(*sites), round_trips=measured)
    assert answered(table, position=inside("eu-west1")).region_id == "us-east1"


def test_a_region_without_a_measurement_is_placed_by_the_estimate_from_distance() -> None:
    # Paris region to Finland is about 1 950 km: 25 + 15 * 1.95 = 54 ms expected.
    sites = (a_site("eu-north1"), a_site("us-east1"))
    slower = a_table(a_service(*sites), round_trips=(rtt("eu-west1", "us-east1", 60),))
    faster = a_table(a_service(*sites), round_trips=(rtt("eu-west1", "us-east1", 50),))
    assert answered(slower, position=inside("eu-west1")).region_id == "eu-north1"
    assert answered(faster, position=inside("eu-west1")).region_id == "us-east1"


def test_a_client_in_a_region_that_serves_stays_in_it() -> None:
    measured = (rtt("us-east1", "eu-west1", 0.1), rtt("us-east1", "us-east1", 0.4))
    table = a_table(a_service(*ALL), round_trips=measured)
    assert answered(table, position=inside("us-east1")).region_id == "us-east1"


def test_nearest_from_coordinates_is_by_distance_whatever_was_measured() -> None:
    measured = (rtt("eu-west1", "us-east1", 1), rtt("eu-west1", "eu-north1", 300))
    sites = (a_site("eu-north1"), a_site("us-east1"))
    table = a_table(a_service(*sites), round_trips=measured)
    assert answered(table, position=at(PARIS)).region_id == "eu-north1"


def test_least_latency_from_coordinates_goes_through_the_nearest_region() -> None:
    measured = (rtt("eu-west1", "us-east1", 80), rtt("eu-west1", "eu-north1", 300))
    sites = (a_site("eu-north1"), a_site("us-east1"))
    service = a_service(*sites, strategy=Strategy.LEAST_LATENCY)
    answer = answered(a_table(service, round_trips=measured), position=at(PARIS))
    assert (answer.region_id, answer.reason) == ("us-east1", "LEAST_LATENCY")


def test_weighted_shares_follow_the_weights_without_and_with_sessions() -> None:
    sites = (a_site("eu-west1", weight=300), a_site("us-east1", weight=100))
    table = a_table(a_service(*sites, strategy=Strategy.WEIGHTED))
    sticky = a_table(a_service(*sites, strategy=Strategy.WEIGHTED, sticky=True))
    for counted in (shares(table, sessions=False), shares(sticky, sessions=True)):
        assert 0.70 < counted["eu-west1"] / 4_000 < 0.80


def test_a_sticky_session_moves_only_when_its_region_leaves_and_then_comes_back() -> None:
    service = a_service(*ALL, strategy=Strategy.WEIGHTED, sticky=True)
    without = tuple(
        a_site(name, Verdict.DOWN if name == "us-east1" else Verdict.UP) for name in NAMES
    )
    degraded = a_service(*without, strategy=Strategy.WEIGHTED, sticky=True)
    homes, moved = Counter[str](), 0
    for n in range(400):
        session = f"session-{n}"
        before = answered(a_table(service), session_id=session, spread=n)
        after = answered(a_table(degraded), session_id=session, spread=n + 1)
        assert before.reason == "STICKY"
        homes[before.region_id] += 1
        if before.region_id != "us-east1":
            assert after.region_id == before.region_id
        else:
            moved += 1
            assert after.region_id != "us-east1"
    assert moved == homes["us-east1"] > 0


def test_a_session_of_a_nearest_service_stays_near() -> None:
    table = a_table(a_service(*ALL, sticky=True))
    chosen = {answered(table, session_id=f"s{n}").region_id for n in range(50)}
    assert chosen == {"eu-west1"}


def test_a_session_meets_the_same_endpoint_first_and_sessions_share_the_endpoints() -> None:
    endpoints = tuple(Endpoint(f"e{n}:443") for n in range(4))
    table = a_table(a_service(a_site("eu-west1", endpoints=endpoints), sticky=True))
    first = Counter(answered(table, session_id=f"s{n}").endpoints[0].address for n in range(200))
    assert set(first) == {endpoint.address for endpoint in endpoints}
    assert answered(table, session_id="s1") == answered(table, session_id="s1")
    assert set(answered(table, session_id="s1").endpoints) == set(endpoints)
    assert answered(table).endpoints == endpoints


def test_two_endpoints_with_one_address_are_both_kept() -> None:
    twins = (Endpoint("e:443", zone="a"), Endpoint("e:443", zone="b"))
    table = a_table(a_service(a_site("eu-west1", endpoints=twins)))
    assert set(answered(table, session_id="s").endpoints) == set(twins)


def test_clients_without_a_position_are_spread_by_weight_within_the_priority() -> None:
    sites = (
        a_site("eu-west1", weight=100),
        a_site("us-east1", weight=100),
        a_site("ap-south1", priority=1),
    )
    table = a_table(a_service(*sites))
    answers = [answered(table, position=NOWHERE, spread=n) for n in range(300)]
    counted = Counter(answer.region_id for answer in answers)
    assert set(counted) == {"eu-west1", "us-east1"}
    assert min(counted.values()) > 100
    assert {answer.reason for answer in answers} == {"NO_POSITION"}


def test_a_region_that_the_fleet_does_not_have_is_no_position() -> None:
    assert answered(a_table(a_service(*ALL)), position=inside("mars")).reason == "NO_POSITION"


def test_positions_are_believed_in_a_fixed_order() -> None:
    place = Located(Location(1.0, 2.0), accuracy_km=50, country="NA")
    region, caller = RegionId("eu-west1"), RegionId("us-east1")
    best = client_position(
        coordinates=PARIS, region_id=region, address=place, caller_region_id=caller
    )
    assert (best.source, best.location, best.region_id) == (
        PositionSource.COORDINATES,
        PARIS,
        None,
    )
    named = client_position(region_id=region, address=place, caller_region_id=caller)
    assert (named.source, named.region_id) == (PositionSource.REGION, "eu-west1")
    found = client_position(address=place, caller_region_id=caller)
    assert (found.source, found.location, found.accuracy_km, found.country) == (
        PositionSource.ADDRESS,
        place.location,
        50,
        "NA",
    )
    assert client_position(caller_region_id=caller).source is PositionSource.CALLER_REGION
    assert client_position() == NOWHERE
