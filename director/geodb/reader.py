"""Client address to place, from any MMDB file: GeoLite2, GeoIP2, DB-IP, or the one that ships.

Nested City records and flat ones are understood. A damaged file is an error when it is opened; a
damaged part met later costs the place of the addresses in it, is counted, and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from math import isfinite
from pathlib import Path
from threading import Lock

import maxminddb
from maxminddb import InvalidDatabaseError

from director.geodb.special import ADDRESS_TEXT_MAX, Address, locatable
from director.routing.table import Location

# Recently seen addresses: about 10 MB. A lookup in the file costs 2-3 us, one in here 0.05 us.
CACHE_ENTRIES = 65_536

# Everything that maxminddb raises for damaged files, Python and C reader alike. RecursionError
# comes from data that nests without end, OverflowError and IndexError from offsets out of range.
_DAMAGE = (
    InvalidDatabaseError,
    UnicodeDecodeError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    RecursionError,
    MemoryError,
)

_ACCURACY_MAX_KM = 20_038  # Half the circumference of Earth: any more is not a radius on it.
_COUNTRY_LETTERS = 2
# Kinds of databases that know no coordinates. Named here because a country file given by mistake
# would otherwise open without a complaint and then place nobody.
_KINDS_WITHOUT_COORDINATES = ("Country", "ASN", "ISP", "Domain", "Connection-Type", "Anonymous")
_KINDS_WITH_COORDINATES = ("City", "Enterprise", "Location")
# Keys are never used twice in a process: a route cache that outlives a database stays right.
_KEYS = count(1)


class GeoDatabaseError(Exception):
    """A geo database cannot be used. The message names the file and says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is, as far as the database knows.

    ``place_key`` is a small number that stands for this place and no other while the process
    lives. ``accuracy_km`` is None when the file states none, ``country`` None when it is unknown,
    ``city`` empty likewise.
    """

    place_key: int
    location: Location
    accuracy_km: int | None
    country: str | None
    is_eu: bool
    city: str


@dataclass(frozen=True, slots=True)
class Description:
    """Which database answers, for status pages and logs.

    ``chosen_by`` says where the path came from, and ``passed_over`` which files came first but
    could not be used, each with its fault.
    """

    path: str
    database_type: str
    build_epoch: int
    built_on: str
    ip_version: int
    attribution: str
    chosen_by: str = "path"
    passed_over: tuple[str, ...] = ()


class GeoDatabase:
    """An open database with a bounded memory of recent answers.

    Attributes:
        damaged_lookups: How many lookups met a damaged part of the file, or a closed one.
    """

    def __init__(
        self,
        path: Path,
        *,
        attribution: str = "",
        chosen_by: str = "path",
        passed_over: tuple[str, ...] = (),
        cache_entries: int = CACHE_ENTRIES,
    ) -> None:
        """Open ``path``.

        Raises:
            GeoDatabaseError: The file is missing, damaged, or holds no locations.
        """
        self._path = path
        self._attribution = attribution
        self._chosen_by = chosen_by
        self._passed_over = passed_over
        self._places: dict[tuple[object, ...], Place] = {}
        self._interning = Lock()
        self.damaged_lookups = 0
        try:
            self._reader = maxminddb.open_database(path, maxminddb.MODE_AUTO)
            metadata = self._reader.metadata()
            self._has_ipv6 = metadata.ip_version == 6  # noqa: PLR2004
            self._database_type = str(metadata.database_type)
            self._build_epoch = int(metadata.build_epoch)
            self._built_on = datetime.fromtimestamp(self._build_epoch, UTC).date().isoformat()
            self._check_usable()
        except (OSError, *_DAMAGE) as error:
            raise GeoDatabaseError(f"{path} is not a usable geo database: {error}") from error
        self._cached = lru_cache(maxsize=cache_entries)(self._place)

    def _check_usable(self) -> None:
        """Read a few spots of the tree, so that a hopeless file fails now and not under load."""
        kind = self._database_type
        is_without = not any(word in kind for word in _KINDS_WITH_COORDINATES)
        if is_without and any(word in kind for word in _KINDS_WITHOUT_COORDINATES):
            raise ValueError(f"a database of type {kind} has no coordinates")
        # Opening checks the metadata only. Damage elsewhere is met by the lookups that meet it.
        for text in ("1.1.1.1", "81.2.69.142", "200.3.2.1"):
            address = locatable(text)
            assert address is not None, "the samples are public addresses"
            self._reader.get(address)

    def lookup(self, text: str) -> Place | None:
        """Return the place of an address given as text, or None if it has none.

        It has none if it is not an address, is private or reserved, is not in the file, or lies in
        a damaged part of it.
        """
        # Checked before the memory: it would keep whatever long text a caller sends.
        return self._cached(text) if len(text) <= ADDRESS_TEXT_MAX else None

    def _place(self, text: str) -> Place | None:
        address = locatable(text)
        if address is None or (address.version == 6 and not self._has_ipv6):  # noqa: PLR2004
            return None
        try:
            return self._interned(self._reader.get(address))
        except _DAMAGE:
            self.damaged_lookups += 1
            return None

    def _interned(self, record: object) -> Place | None:
        """Return the one :class:`Place` of all records that say the same."""
        fields = fields_of(record)
        if fields is None:
            return None
        known = self._places.get(fields)
        if known is None:
            lat, lon, accuracy_km, country, is_eu, city = fields
            with self._interning:
                known = self._places.setdefault(
                    fields,
                    Place(next(_KEYS), Location(lat, lon), accuracy_km, country, is_eu, city),
                )
        return known

    def record(self, text: str) -> Mapping[str, object] | None:
        """Return everything the file says of an address, uncached: for explanations."""
        address: Address | None = locatable(text)
        if address is None or (address.version == 6 and not self._has_ipv6):  # noqa: PLR2004
            return None
        try:
            found = self._reader.get(address)
        except _DAMAGE:
            self.damaged_lookups += 1
            return None
        return found if isinstance(found, dict) else None

    def describe(self) -> Description:
        """Return which file answers, when it was built, and whom to name when showing results."""
        return Description(
            path=str(self._path),
            database_type=self._database_type,
            build_epoch=self._build_epoch,
            built_on=self._built_on,
            ip_version=6 if self._has_ipv6 else 4,
            attribution=self._attribution or attribution_of(self._database_type),
            chosen_by=self._chosen_by,
            passed_over=self._passed_over,
        )

    def cached_count(self) -> int:
        """Return how many addresses are remembered."""
        return self._cached.cache_info().currsize

    def close(self) -> None:
        """Close the file. Later lookups of addresses not yet remembered find nothing."""
        self._reader.close()


def attribution_of(database_type: str) -> str:
    """Return the notice that the licence of a well-known database asks for."""
    if database_type.startswith(("DBIP", "TrafficDirector")):
        return "IP Geolocation by DB-IP (https://db-ip.com)"
    if database_type.startswith("GeoLite2"):
        return "This product includes GeoLite2 data created by MaxMind (https://www.maxmind.com)"
    return ""


Fields = tuple[float, float, int | None, str | None, bool, str]


def fields_of(record: object) -> Fields | None:
    """Read the place out of a nested or flat record, or return None if it holds none.

    Returns:
        Latitude, longitude, accuracy radius in km, country code, EU membership, city.
    """
    if not isinstance(record, dict):
        return None
    location = record.get("location")
    nested = location if isinstance(location, dict) else record
    point = _point(nested.get("latitude"), nested.get("longitude"))
    if point is None:
        return None
    lat, lon = point
    radius = nested.get("accuracy_radius")
    is_radius = isinstance(radius, int) and 0 < radius <= _ACCURACY_MAX_KM
    country = record.get("country")
    if isinstance(country, dict):
        code = country.get("iso_code")
        is_eu = country.get("is_in_european_union") is True
    else:
        # Flat files write the code under one name or the other, and know nothing of the EU.
        code = record.get("country_code") or country
        is_eu = False
    return (
        lat,
        lon,
        radius if is_radius else None,
        code.upper() if isinstance(code, str) and len(code) == _COUNTRY_LETTERS else None,
        is_eu,
        _city(record.get("city")),
    )


def _point(lat: object, lon: object) -> tuple[float, float] | None:
    """Return the coordinates if they are a point on Earth. Some flat files write text."""
    try:
        point = float(lat), float(lon)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    is_on_earth = all(map(isfinite, point)) and abs(point[0]) <= 90 and abs(point[1]) <= 180  # noqa: PLR2004
    return point if is_on_earth else None


def _city(city: object) -> str:
    if isinstance(city, dict):
        names = city.get("names")
        city = names.get("en") if isinstance(names, dict) else None
    return city if isinstance(city, str) else ""
