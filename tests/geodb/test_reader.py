"""Reading places: layouts, damage, memory, and what is never invented."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from director.geodb.reader import GeoDatabase, GeoDatabaseError, attribution_of, fields_of
from director.routing.table import Location
from tests.geodb.build_tools import a_database

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
MAXMIND = SHARED / "geoip" / "maxmind-test"
ADDRESSES = ["81.2.69.142", "2.125.160.216", "89.160.20.112", "216.160.83.56", "2001:218::"]

NESTED = {
    "city": {"names": {"en": "London", "de": "London"}},
    "country": {"iso_code": "GB"},
    "location": {"latitude": 51.5, "longitude": -0.1, "accuracy_radius": 20},
}
FLAT = {"city": "London", "country_code": "GB", "latitude": 51.5, "longitude": -0.1}


@contextmanager
def opened(path: Path, **options: int) -> Iterator[GeoDatabase]:
    database = GeoDatabase(path, **options)  # type: ignore[arg-type]
    try:
        yield database
    finally:
        database.close()


def maxmind(name: str) -> Path:
    if not MAXMIND.is_dir():
        pytest.skip(f"no test databases at {MAXMIND}")
    return MAXMIND / name


def test_nested_and_flat_records_say_the_same() -> None:
    assert fields_of(NESTED) == (51.5, -0.1, 20, "GB", False, "London")
    assert fields_of(FLAT) == (51.5, -0.1, None, "GB", False, "London")
    assert fields_of({**FLAT, "latitude": "51.5", "longitude": "-0.1"}) == fields_of(FLAT)


def test_membership_of_the_union_is_read_and_namibia_is_a_country() -> None:
    union = {"iso_code": "FR", "is_in_european_union": True}
    fields = fields_of({**NESTED, "country": union})
    assert fields is not None
    assert fields[3:5] == ("FR", True)
    namibia = fields_of({**FLAT, "country_code": "NA"})
    assert namibia is not None
    assert namibia[3] == "NA"


@pytest.mark.parametrize(
    "record",
    [
        None,
        "London",
        {},
        {"country": {"iso_code": "GB"}},
        {"location": {"latitude": 51.5}},
        {"location": "London"},
        {"latitude": float("nan"), "longitude": 0.0},
        {"latitude": 0.0, "longitude": float("inf")},
        {"latitude": 91.0, "longitude": 0.0},
        {"latitude": "north", "longitude": "west"},
        {"latitude": [51.5], "longitude": {}},
    ],
)
def test_a_record_without_a_point_on_earth_is_no_place(record: object) -> None:
    assert fields_of(record) is None


@pytest.mark.parametrize("radius", [-1, 0, 20_039, "20", None, 10**30])
def test_an_impossible_accuracy_is_no_accuracy(radius: object) -> None:
    location = {"latitude": 1.0, "longitude": 2.0, "accuracy_radius": radius}
    fields = fields_of({"location": location})
    assert fields is not None
    assert fields[2] is None


def test_a_lookup_returns_the_place_and_unlisted_addresses_have_none(tmp_path: Path) -> None:
    path = a_database(tmp_path, {"8.8.8.0/24": NESTED, "2a00::/16": FLAT})
    with opened(path) as database:
        place = database.lookup("8.8.8.8")
        assert place is not None
        assert (place.location, place.accuracy_km) == (Location(51.5, -0.1), 20)
        assert (place.country, place.is_eu, place.city) == ("GB", False, "London")
        assert database.lookup("2a00::1") is not None
        for text in ("8.8.9.8", "2b00::1", "10.0.0.1", "nonsense", "::1"):
            assert database.lookup(text) is None


def test_special_addresses_have_no_place_even_if_the_file_lists_them(tmp_path: Path) -> None:
    path = a_database(tmp_path, {"10.0.0.0/8": NESTED, "8.8.8.0/24": NESTED})
    with opened(path) as database:
        assert database.lookup("10.1.2.3") is None
        assert database.lookup("::ffff:8.8.8.8") == database.lookup("8.8.8.8") is not None


def test_equal_places_have_one_key_and_keys_differ_between_files(tmp_path: Path) -> None:
    path = a_database(tmp_path, {"8.8.8.0/24": NESTED, "9.9.9.0/24": NESTED, "7.7.7.0/24": FLAT})
    with opened(path) as one, opened(path) as other:
        keys = [getattr(one.lookup(text), "place_key", 0) for text in ("8.8.8.8", "9.9.9.9")]
        assert keys[0] == keys[1] > 0
        flat = one.lookup("7.7.7.7")
        assert flat is not None
        assert flat.place_key != keys[0]
        same = other.lookup("8.8.8.8")
        assert same is not None
        assert same.place_key not in (*keys, flat.place_key)


def test_the_memory_for_addresses_is_bounded_and_forgets_the_least_recent(tmp_path: Path) -> None:
    with opened(a_database(tmp_path, {"8.0.0.0/8": NESTED}), cache_entries=100) as database:
        for n in range(1_000):
            database.lookup(f"8.0.{n // 256}.{n % 256}")
        assert database.cached_count() == 100
        database.close()
        assert database.lookup("8.0.3.231") is not None, "recent: still remembered"
        assert database.lookup("8.0.0.0") is None, "forgotten, and the file is closed"
        assert database.damaged_lookups == 1


def test_long_text_is_not_remembered(tmp_path: Path) -> None:
    with opened(a_database(tmp_path, {"8.0.0.0/8": NESTED})) as database:
        assert database.lookup("8" * 10_000_000) is None
        assert database.cached_count() == 0


def test_the_description_names_file_date_and_attribution(tmp_path: Path) -> None:
    with opened(a_database(tmp_path, {"8.8.8.0/24": NESTED})) as database:
        described = database.describe()
    assert described.path.endswith(".mmdb")
    assert described.built_on == "2026-06-05"
    assert (described.database_type, described.ip_version) == ("Test-City", 6)
    assert described.chosen_by == "path"
    assert "https://db-ip.com" in attribution_of("DBIP-City-Lite")
    assert "MaxMind" in attribution_of("GeoLite2-City")
    assert attribution_of("Test-City") == ""


def test_the_whole_record_is_there_for_explanations(tmp_path: Path) -> None:
    with opened(a_database(tmp_path, {"8.8.8.0/24": NESTED})) as database:
        assert database.record("8.8.8.8") == NESTED
        assert database.record("10.0.0.1") is None


def test_a_database_of_countries_is_refused_because_it_places_nobody(tmp_path: Path) -> None:
    path = a_database(tmp_path, {"8.8.8.0/24": {"country": {"iso_code": "US"}}}, "X-Country")
    with pytest.raises(GeoDatabaseError, match="no coordinates"):
        GeoDatabase(path)


@pytest.mark.parametrize("content", [b"", b"not a database", b"\xab\xcd\xefMaxMind.com"])
def test_what_is_no_database_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "geo.mmdb"
    path.write_bytes(content)
    with pytest.raises(GeoDatabaseError, match=r"geo\.mmdb"):
        GeoDatabase(path)
    with pytest.raises(GeoDatabaseError, match=r"missing\.mmdb"):
        GeoDatabase(tmp_path / "missing.mmdb")


def test_a_file_cut_short_or_flipped_never_does_worse_than_refuse(tmp_path: Path) -> None:
    whole = a_database(tmp_path, {"8.8.8.0/24": NESTED, "1.1.1.0/24": FLAT}).read_bytes()
    path = tmp_path / "damaged.mmdb"
    refused = answered = 0
    for position in range(0, len(whole), 7):
        for content in (
            whole[:position],
            whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :],
        ):
            path.unlink(missing_ok=True)  # The old file may still be mapped: never rewrite it.
            path.write_bytes(content)
            try:
                with opened(path) as database:
                    places = [database.lookup(text) for text in ("8.8.8.8", "1.1.1.1", "9.9.9.9")]
                    answered += any(places)
            except GeoDatabaseError:
                refused += 1
    assert refused > 0
    assert answered > 0


def test_the_city_files_of_maxmind_are_read() -> None:
    expected = {"81.2.69.142": "GB", "89.160.20.112": "SE", "216.160.83.56": "US"}
    for name in ("GeoIP2-City-Test.mmdb", "GeoLite2-City-Test.mmdb"):
        with opened(maxmind(name)) as database:
            for text, country in {**expected, "2001:218::": "JP"}.items():
                place = database.lookup(text)
                assert place is not None
                assert place.country == country


def test_every_address_of_the_maxmind_city_source_is_placed_where_the_source_says() -> None:
    path = maxmind("GeoIP2-City-Test.json")
    checked = 0
    with opened(maxmind("GeoIP2-City-Test.mmdb")) as database:
        for entry in json.loads(path.read_text(encoding="utf-8")):
            for network, record in entry.items():
                place = database.lookup(network.partition("/")[0])
                location = record.get("location", {})
                if place is None or "latitude" not in location:
                    continue
                checked += 1
                assert place.location == Location(location["latitude"], location["longitude"])
    assert checked > 100


def damaged_names() -> list[str]:
    if not MAXMIND.is_dir():
        return ["none"]
    words = ("bad-", "Broken", "broken", "Invalid")
    return sorted(p.name for p in MAXMIND.glob("*.mmdb") if any(w in p.name for w in words))


@pytest.mark.parametrize("name", damaged_names())
def test_damaged_files_are_refused_or_place_nobody(name: str) -> None:
    path = maxmind(name)
    try:
        database = GeoDatabase(path)
    except GeoDatabaseError as refusal:
        message = str(refusal)
    else:
        # None of the damaged files holds a City record that can be read for these.
        assert [database.lookup(text) for text in ADDRESSES] == [None] * len(ADDRESSES)
        database.close()
        message = name
    assert name in message
