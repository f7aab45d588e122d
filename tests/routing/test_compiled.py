"""What compiled tables keep from one another, and what they must not."""

from dataclasses import replace

from director.routing import preference
from director.routing.compiled import CompiledTable
from director.routing.preference import ORDERS_MAX, Geography
from director.routing.table import (
    Answer,
    Location,
    Query,
    Region,
    RegionId,
    ResidencyRule,
    Resolution,
    Strategy,
    Verdict,
)
from tests.routing.builders import (
    PARIS,
    SERVICE,
    a_fleet,
    a_service,
    a_site,
    a_table,
    at,
    inside,
)

SITES = (a_site("eu-north1"), a_site("us-east1"))


def region_of(resolution: Resolution) -> str:
    assert isinstance(resolution, Answer)
    return resolution.region_id


def test_orders_outlive_a_table_when_only_health_changes() -> None:
    first = CompiledTable(a_table(a_service(*SITES)))
    order = first.preferences.by_distance(7, PARIS)
    down = (a_site("eu-north1", Verdict.DOWN), a_site("us-east1"))
    second = CompiledTable(
        a_table(a_service(*down), regions=a_fleet(eu_west1={"drained": True})), first
    )
    assert second.preferences.by_distance(7, PARIS) is order
    assert region_of(second.resolve_place(SERVICE, 7, PARIS)) == "us-east1"


def test_orders_are_forgotten_when_a_region_moves() -> None:
    first = CompiledTable(a_table(a_service(*SITES)))
    assert region_of(first.resolve_place(SERVICE, 7, PARIS)) == "eu-north1"
    moved = a_fleet(us_east1={"location": Location(48.0, 2.0)})
    second = CompiledTable(a_table(a_service(*SITES), regions=moved), first)
    assert region_of(second.resolve_place(SERVICE, 7, PARIS)) == "us-east1"


def test_a_new_measurement_replaces_orders_by_round_trip_and_keeps_those_by_distance() -> None:
    service = a_service(*SITES)
    first = CompiledTable(a_table(service))
    order = first.preferences.by_distance(7, PARIS)
    query = Query(SERVICE, inside("eu-west1"))
    assert region_of(first.resolve(query)) == "eu-north1"
    trips = ((RegionId("eu-west1"), RegionId("us-east1"), 10_000),)
    second = CompiledTable(a_table(service, round_trips=trips), first)
    assert region_of(second.resolve(query)) == "us-east1"
    assert second.preferences.by_distance(7, PARIS) is order


def test_least_latency_has_orders_of_its_own() -> None:
    trips = ((RegionId("eu-west1"), RegionId("us-east1"), 1_000),)
    fast = a_service(*SITES, strategy=Strategy.LEAST_LATENCY)
    near = replace(a_service(*SITES), service_id=type(SERVICE)("near"))
    compiled = CompiledTable(a_table(fast, near, round_trips=trips))
    assert region_of(compiled.resolve_place(near.service_id, 7, PARIS)) == "eu-north1"
    assert region_of(compiled.resolve_place(SERVICE, 7, PARIS)) == "us-east1"


def test_the_memory_for_orders_is_bounded() -> None:
    compiled = CompiledTable(a_table(a_service(*SITES)))
    for key in range(ORDERS_MAX + 10):
        preference._keep(compiled.preferences._by_distance, key, b"")
    assert len(compiled.preferences._by_distance) == ORDERS_MAX
    assert 9 not in compiled.preferences._by_distance
    assert ORDERS_MAX + 9 in compiled.preferences._by_distance


def test_jurisdictions_that_callers_make_up_take_no_memory() -> None:
    service = a_service(*SITES, residency=(ResidencyRule("EU", ("EU",)),))
    compiled = CompiledTable(a_table(service))
    plans = {id(compiled.plan_for(SERVICE, f"made-up-{n}")) for n in range(100)}
    assert len(plans) == 1
    assert compiled.plan_for(SERVICE, "EU") is not compiled.plan_for(SERVICE, "")


def test_more_regions_than_fit_a_byte_are_ordered_too() -> None:
    regions = tuple(
        Region(RegionId(f"r{n:03}"), Location(-60 + n * 0.4, n * 0.5), "", "") for n in range(300)
    )
    order = Geography.of(regions).by_distance(regions[290].location)
    assert order[0] == 290
    assert sorted(order) == list(range(300))


def test_coordinates_and_place_keys_do_not_mix() -> None:
    compiled = CompiledTable(a_table(a_service(*SITES)))
    assert region_of(compiled.resolve_place(SERVICE, 0, PARIS)) == "eu-north1"
    elsewhere = Query(SERVICE, at(Location(33.0, -80.0)))
    assert region_of(compiled.resolve(elsewhere)) == "us-east1"
