"""Nearest is exact: against a brute-force oracle that shares no code with the product (R5)."""

import csv
import json
import math
from pathlib import Path

import pytest

from director.routing.compiled import CompiledTable
from director.routing.distance import EARTH_RADIUS_KM, distance_km
from director.routing.preference import Geography
from director.routing.table import Answer, Location, Query, Region, RegionId
from tests.routing.builders import SERVICE, a_service, a_site, a_table, at
from tests.routing.oracle import Oracle, Place, angle, unit_vector

SHARED = Path(__file__).parents[2].parent / "shared" / "data"

LISTED_SETS = ("aws3", "aws6", "aws12", "aws_all", "gcp_all", "azure_all")
SETS = (*LISTED_SETS, "alibaba", "huawei", "ibm", "oci", "tencent")

SAMPLE_REGIONS: list[Place] = [
    ("af-south", -33.9258, 18.4232),
    ("ap-northeast", 35.6895, 139.6917),
    ("ap-southeast", 1.2897, 103.8501),
    ("eu-central", 50.1155, 8.6842),
    ("eu-west", 53.3331, -6.2489),
    ("pacific", -17.7134, 178.065),
    ("sa-east", -23.5475, -46.6361),
    ("us-east", 39.0437, -77.4875),
    ("us-west", 45.8399, -119.7006),
]


def a_compiled(regions: list[Place]) -> CompiledTable:
    listed = tuple(
        Region(RegionId(name), Location(lat, lon), "", name) for name, lat, lon in sorted(regions)
    )
    service = a_service(*(a_site(region.region_id) for region in listed))
    return CompiledTable(a_table(service, regions=listed))


def nearest(compiled: CompiledTable, lat: float, lon: float) -> str:
    resolution = compiled.resolve(Query(SERVICE, at(Location(lat, lon))))
    assert isinstance(resolution, Answer)
    return resolution.region_id


def test_nearest_equals_the_oracle_on_a_grid_with_poles_and_date_line() -> None:
    compiled, oracle = a_compiled(SAMPLE_REGIONS), Oracle(SAMPLE_REGIONS)
    for lat in range(-90, 91, 6):
        for lon in range(-180, 181, 6):
            # Off the symmetric grid, where two regions can be equally far but for rounding.
            at_lat, at_lon = max(-90.0, min(90.0, lat + 0.137)), min(180.0, lon + 0.291)
            assert nearest(compiled, at_lat, at_lon) == oracle.nearest(at_lat, at_lon)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_nearest_equals_the_oracle_on_every_real_client_and_city(name: str) -> None:
    if not SHARED.is_dir():
        pytest.skip(f"no client and region files at {SHARED}")
    regions = region_sets()[name]
    compiled, oracle = a_compiled(regions), Oracle(regions)
    clients = [each for path in sorted((SHARED / "clients").glob("*.csv")) for each in points(path)]
    assert len(clients) > 16_000
    wrong = [
        (point, nearest(compiled, *point), oracle.nearest(*point))
        for point in clients
        if nearest(compiled, *point) != oracle.nearest(*point)
    ]
    assert wrong == []


def test_every_region_set_of_the_data_is_tested() -> None:
    if not SHARED.is_dir():
        pytest.skip(f"no client and region files at {SHARED}")
    assert sorted(region_sets()) == sorted(SETS)


def region_sets() -> dict[str, list[Place]]:
    """The sets that are listed, and all regions of each provider that is in no list."""
    folder = SHARED / "regions"
    place_by_id = {
        f"{row['provider']}:{row['region']}": (float(row["lat"]), float(row["lon"]))
        for row in rows(folder / "regions.csv")
    }
    listed = json.loads((folder / "region_sets.json").read_text(encoding="utf-8"))
    sets: dict[str, list[Place]] = {
        name: [(region_id, *place_by_id[region_id]) for region_id in ids]
        for name, ids in listed.items()
    }
    for row in rows(folder / "regions_other.csv"):
        place = (row["region"], float(row["lat"]), float(row["lon"]))
        sets.setdefault(row["provider"], []).append(place)
    return sets


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def points(path: Path) -> list[tuple[float, float]]:
    return [(float(row["lat"]), float(row["lon"])) for row in rows(path)]


def test_equally_near_regions_are_ordered_by_id() -> None:
    regions: list[Place] = [("b", 10.0, 20.0), ("a", 10.0, 20.0), ("c", 10.0, 20.0)]
    assert nearest(a_compiled(regions), 48.85, 2.35) == "a"


def test_the_whole_order_is_by_distance_and_not_only_its_head() -> None:
    geography = Geography.of(
        Region(RegionId(name), Location(lat, lon), "", name) for name, lat, lon in SAMPLE_REGIONS
    )
    paris = Location(48.85, 2.35)
    order = [geography.region_ids[number] for number in geography.by_distance(paris)]
    client = unit_vector(48.85, 2.35)
    expected = sorted(SAMPLE_REGIONS, key=lambda place: angle(client, unit_vector(*place[1:])))
    assert order == [name for name, _, _ in expected]


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        (Location(48.8566, 2.3522), Location(48.8566, 2.3522), 0),
        (Location(0, 0), Location(0, 180), 20_015),
        (Location(90, 0), Location(-90, 77), 20_015),
        (Location(51.5074, -0.1278), Location(40.7128, -74.0060), 5_570),
        (Location(-17.7, 179.9), Location(-17.7, -179.9), 21),
    ],
)
def test_distances_match_known_ones(one: Location, other: Location, km: int) -> None:
    assert round(distance_km(one, other)) == km


def test_distance_equals_the_oracle_in_kilometres() -> None:
    one, other = Location(12.5, -70.25), Location(-33.1, 151.75)
    expected = EARTH_RADIUS_KM * angle(unit_vector(12.5, -70.25), unit_vector(-33.1, 151.75))
    assert math.isclose(distance_km(one, other), expected, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("lat", "lon"),
    [(math.nan, 0), (0, math.nan), (math.inf, 0), (0, -math.inf), (90.001, 0), (0, 180.001)],
)
def test_a_location_that_is_no_point_on_earth_is_refused(lat: float, lon: float) -> None:
    with pytest.raises(ValueError, match=r"degrees|finite"):
        Location(lat, lon)
