"""Which database is used, and that the one that ships is sound."""

import csv
import hashlib
import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest

from director.geodb import find
from director.geodb.find import open_geo_database
from director.geodb.reader import GeoDatabase, GeoDatabaseError
from director.routing.distance import distance_km
from director.routing.table import Location
from tests.geodb.build_tools import a_database

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
PLACE = {"location": {"latitude": 51.5, "longitude": -0.1}, "country": {"iso_code": "GB"}}


def chosen(folder: Path, **options: object) -> GeoDatabase:
    """Open the database to use with nothing of this machine in sight."""
    settings: dict[str, object] = {"environ": {}, "folders": (), "cache_dir": folder / "cache"}
    return open_geo_database(**{**settings, **options})  # type: ignore[arg-type]


def a_folder(tmp_path: Path, name: str, file: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    a_database(tmp_path, {"8.8.8.0/24": PLACE}).rename(folder / file)
    return folder


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GeoDatabase]:
    database = chosen(tmp_path_factory.mktemp("geo"))
    yield database
    database.close()


def test_an_explicit_path_comes_first_and_its_fault_is_not_hidden(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "usual", "GeoLite2-City.mmdb")
    path = a_database(tmp_path, {"8.8.8.0/24": PLACE})
    database = chosen(tmp_path, path=path, folders=(folder,))
    assert (database.describe().path, database.describe().chosen_by) == (str(path), "path")
    with pytest.raises(GeoDatabaseError, match="missing"):
        chosen(tmp_path, path=tmp_path / "missing.mmdb", folders=(folder,))


def test_geoipupdate_comes_before_the_usual_folders(tmp_path: Path) -> None:
    usual = a_folder(tmp_path, "usual", "GeoIP2-City.mmdb")
    updated = a_folder(tmp_path, "updated", "GeoLite2-City.mmdb")
    environ = {"GEOIPUPDATE_DB_DIR": str(updated)}
    described = chosen(tmp_path, environ=environ, folders=(usual,)).describe()
    assert described.path == str(updated / "GeoLite2-City.mmdb")
    assert described.chosen_by == "GEOIPUPDATE_DB_DIR"
    assert chosen(tmp_path, folders=(usual,)).describe().chosen_by == str(usual)


def test_a_paid_edition_comes_before_a_free_one_of_the_same_folder(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "usual", "GeoLite2-City.mmdb")
    a_database(tmp_path, {"8.8.8.0/24": PLACE}).rename(folder / "GeoIP2-City.mmdb")
    assert chosen(tmp_path, folders=(folder,)).describe().path.endswith("GeoIP2-City.mmdb")


def test_a_damaged_file_in_a_usual_folder_is_passed_over_and_named(tmp_path: Path) -> None:
    damaged = a_folder(tmp_path, "damaged", "GeoLite2-City.mmdb")
    (damaged / "GeoLite2-City.mmdb").unlink()
    (damaged / "GeoLite2-City.mmdb").write_bytes(b"half a downl")
    good = a_folder(tmp_path, "good", "GeoLite2-City.mmdb")
    described = chosen(tmp_path, folders=(damaged, good)).describe()
    assert described.chosen_by == str(good)
    assert str(damaged) in described.passed_over[0]


def test_with_nothing_found_the_file_that_ships_is_used(shipped: GeoDatabase) -> None:
    described = shipped.describe()
    assert described.chosen_by == "shipped"
    assert described.attribution.startswith("IP Geolocation by DB-IP (https://db-ip.com)")
    assert described.built_on.startswith("2026-")
    assert described.ip_version == 6


def test_it_is_unpacked_once_and_again_only_when_it_was_changed(tmp_path: Path) -> None:
    (one,) = {chosen(tmp_path).describe().path for _ in range(2)}
    before = Path(one).stat()
    chosen(tmp_path)
    assert Path(one).stat().st_mtime_ns == before.st_mtime_ns
    changed = Path(one).read_bytes()[:-1]
    Path(one).unlink()
    Path(one).write_bytes(changed)
    assert chosen(tmp_path).lookup("81.2.69.142") is not None
    assert Path(one).stat().st_size == before.st_size
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [Path(one).name]


def test_a_folder_that_cannot_be_written_is_no_reason_to_go_without(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder is wanted", encoding="utf-8")
    database = chosen(tmp_path, cache_dir=blocked / "cache")
    assert database.lookup("81.2.69.142") is not None


def test_the_cache_folder_follows_the_environment(tmp_path: Path) -> None:
    by_home = chosen(tmp_path, environ={"HOME": str(tmp_path)}, cache_dir=None)
    by_xdg = chosen(tmp_path, environ={"XDG_CACHE_HOME": str(tmp_path / "x")}, cache_dir=None)
    assert by_home.describe().path.startswith(str(tmp_path / ".cache" / "trafficdirector"))
    assert by_xdg.describe().path.startswith(str(tmp_path / "x" / "trafficdirector"))


@pytest.mark.parametrize("content", [b"", b"no archive", lzma.compress(b"another database")])
def test_a_damaged_archive_is_refused(content: bytes) -> None:
    with pytest.raises(GeoDatabaseError, match=r"world-coarse\.mmdb\.xz"):
        find._unpacked(content, hashlib.sha256(b"what was promised").hexdigest())


@pytest.mark.parametrize(
    ("text", "country", "near", "km"),
    [
        ("81.2.69.142", "GB", Location(51.51, -0.13), 100),
        ("1.1.1.1", "AU", Location(-33.87, 151.21), 100),
        ("193.0.6.139", "NL", Location(52.37, 4.90), 150),
        ("200.160.2.3", "BR", Location(-23.55, -46.63), 150),
        ("196.25.1.1", "ZA", Location(-26.20, 28.04), 1500),
        ("2001:200::1", "JP", Location(35.69, 139.69), 600),
    ],
)
def test_well_known_addresses_are_where_they_should_be(
    shipped: GeoDatabase, text: str, country: str, near: Location, km: int
) -> None:
    place = shipped.lookup(text)
    assert place is not None
    assert place.country == country
    assert distance_km(place.location, near) < km
    assert place.accuracy_km is not None


def test_special_addresses_have_no_place_in_it(shipped: GeoDatabase) -> None:
    for text in ("10.0.0.1", "192.168.1.1", "127.0.0.1", "203.0.113.9", "fe80::1", "2001:db8::1"):
        assert shipped.lookup(text) is None


def test_it_places_the_sample_of_real_clients_in_their_countries(shipped: GeoDatabase) -> None:
    path = SHARED / "clients" / "client_ips.csv"
    if not path.is_file():
        pytest.skip(f"no client addresses at {path}")
    far: list[float] = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            place = shipped.lookup(row["ip"])
            assert place is not None, row
            if row["version"] == "4":
                assert place.country == row["country"], row
            far.append(distance_km(place.location, Location(float(row["lat"]), float(row["lon"]))))
    far.sort()
    assert len(far) == 3_000
    assert far[len(far) // 2] < 20
    assert far[len(far) * 9 // 10] < 300


def test_members_of_the_union_are_marked_and_others_are_not(shipped: GeoDatabase) -> None:
    marked = {text: shipped.lookup(text) for text in ("193.0.6.139", "81.2.69.142")}
    assert [place.is_eu for place in marked.values() if place is not None] == [True, False]


def test_the_packed_file_is_small_enough_to_ship() -> None:
    packed = Path(find.__file__).parent / "data" / "world-coarse.mmdb.xz"
    assert packed.stat().st_size < 6 * 1024 * 1024
