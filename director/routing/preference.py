"""The order: regions from the most to the least preferred for one place, health apart.

By distance for a client on the map. By round trip for a client inside a region, or when the
service asks for it: measured where there is a measurement, estimated from distance where there is
none, so that one total order results. Ties end with the region id.

Orders do not depend on services, verdicts or drains, so they outlive the route table they were
computed under; :class:`Preferences` keeps them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import cos, radians, sin
from typing import TypeAlias

from director.routing.distance import RTT_MS_PER_KM, expected_rtt_ms, km_of
from director.routing.table import Location, Region, RegionId, RoundTrip

Order: TypeAlias = Sequence[int]
"""Region numbers (places in the sorted list of regions), most preferred first."""

_BYTE_REGIONS_MAX = 256
# About 150 bytes each with 50 regions: 10 MB. The shipped database has fewer places than this.
ORDERS_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Geography:
    """The regions on the map. Equal for two tables whose regions have not moved."""

    region_ids: tuple[RegionId, ...]
    locations: tuple[Location, ...]
    _angles: tuple[tuple[float, float, float, int], ...] = field(repr=False, compare=False)

    @classmethod
    def of(cls, regions: Iterable[Region]) -> "Geography":
        """Number the regions by id, so that a tie of numbers is a tie of ids."""
        listed = sorted(regions, key=lambda region: region.region_id)
        locations = tuple(region.location for region in listed)
        angles = tuple(
            (radians(place.lat), cos(radians(place.lat)), place.lon, number)
            for number, place in enumerate(locations)
        )
        return cls(tuple(region.region_id for region in listed), locations, angles)

    def haversines(self, client: Location) -> list[tuple[float, int]]:
        """Return (haversine of the angle to the client, region number) for every region."""
        lat, lon = radians(client.lat), client.lon
        cos_lat = cos(lat)
        return [
            (
                sin((region_lat - lat) / 2) ** 2
                + cos_lat * region_cos * sin(radians(region_lon - lon) / 2) ** 2,
                number,
            )
            for region_lat, region_cos, region_lon, number in self._angles
        ]

    def distances_km(self, client: Location) -> list[float]:
        """Return the distance of every region from ``client``, by region number."""
        return [km_of(haversine) for haversine, _ in self.haversines(client)]

    def by_distance(self, client: Location) -> Order:
        """Order regions by distance from ``client``, ties by id (R5)."""
        # The haversine grows with the distance, so ordering needs neither roots nor arcsines.
        return self._packed(number for _, number in sorted(self.haversines(client)))

    def by_round_trip(self, rtts_ms: Sequence[float]) -> Order:
        """Order regions by the given round trips, ties by id."""
        return self._packed(
            sorted(range(len(rtts_ms)), key=lambda number: (rtts_ms[number], number))
        )

    def _packed(self, numbers: Iterable[int]) -> Order:
        # A byte per region rather than a pointer: tens of thousands of orders are kept.
        return (bytes if len(self.region_ids) <= _BYTE_REGIONS_MAX else tuple)(numbers)


class RoundTrips:
    """Measured round trips between regions, in milliseconds, seen from either end."""

    __slots__ = ("_rows", "measured")

    def __init__(self, geography: Geography, measured: Iterable[RoundTrip]) -> None:
        self.measured = tuple(measured)
        number_by_id = {region_id: n for n, region_id in enumerate(geography.region_ids)}
        self._rows: list[dict[int, float]] = [{} for _ in geography.region_ids]
        known = [
            (number_by_id[origin], number_by_id[target], rtt_us / 1000)
            for origin, target, rtt_us in self.measured
            if origin in number_by_id and target in number_by_id
        ]
        for origin, target, rtt_ms in known:
            self._rows[origin][target] = rtt_ms
        for origin, target, rtt_ms in known:
            # A round trip contains both directions, so it stands in for one measured only from
            # the other end.
            self._rows[target].setdefault(origin, rtt_ms)

    def from_region(self, number: int) -> dict[int, float]:
        """Return what was measured from one region: milliseconds by region number."""
        return self._rows[number]


class Preferences:
    """Orders by place, computed once and kept while the regions and round trips stay the same.

    Not thread-safe: each thread that routes has its own.
    """

    __slots__ = ("_by_distance", "_by_round_trip", "_in_region", "geography", "round_trips")

    def __init__(self, geography: Geography, round_trips: RoundTrips) -> None:
        self.geography = geography
        self.round_trips = round_trips
        self._by_distance: dict[object, Order] = {}
        self._by_round_trip: dict[object, Order] = {}
        self._in_region: dict[int, Order] = {}

    def adapted(self, regions: Iterable[Region], measured: tuple[RoundTrip, ...]) -> "Preferences":
        """Return preferences for a newer table, with every order that still holds."""
        geography = Geography.of(regions)
        if geography != self.geography:
            return Preferences(geography, RoundTrips(geography, measured))
        if measured == self.round_trips.measured:
            return self
        fresh = Preferences(self.geography, RoundTrips(self.geography, measured))
        fresh._by_distance = self._by_distance
        return fresh

    def by_distance(self, key: object, client: Location) -> Order:
        """Return the order by distance. ``key`` must stand for this location and no other."""
        order = self._by_distance.get(key)
        if order is None:
            order = self.geography.by_distance(client)
            _keep(self._by_distance, key, order)
        return order

    def by_round_trip(self, key: object, client: Location) -> Order:
        """Return the order by round trip for a client outside the fleet's regions."""
        order = self._by_round_trip.get(key)
        if order is None:
            order = self.geography.by_round_trip(self.rtts_ms(client))
            _keep(self._by_round_trip, key, order)
        return order

    def in_region(self, number: int) -> Order:
        """Return the order for a client inside a region."""
        order = self._in_region.get(number)
        if order is None:
            order = self.geography.by_round_trip(self.region_rtts_ms(number))
            self._in_region[number] = order
        return order

    def region_rtts_ms(self, number: int) -> list[float]:
        """Return measured, else estimated, round trips from inside one region."""
        return self._rtts_ms(self.geography.locations[number], number)

    def rtts_ms(self, client: Location) -> list[float]:
        """Return round trips to expect from ``client``, by region number.

        The nearest region stands in for the client: its measurements, plus the way to it.
        """
        if not self.geography.region_ids:
            return []
        return self._rtts_ms(client, self.geography.by_distance(client)[0])

    def _rtts_ms(self, client: Location, stand_in: int) -> list[float]:
        row = self.round_trips.from_region(stand_in)
        distances = self.geography.distances_km(client)
        approach_ms = RTT_MS_PER_KM * distances[stand_in]
        expected = [expected_rtt_ms(km) for km in distances]
        # No measured region may look nearer than the one it was measured from.
        expected[stand_in] = approach_ms
        for number, rtt_ms in row.items():
            if number != stand_in:
                expected[number] = approach_ms + rtt_ms
        return expected


def _keep(orders: dict[object, Order], key: object, order: Order) -> None:
    if len(orders) >= ORDERS_MAX:
        # The oldest goes. It costs some 20 us to compute again.
        del orders[next(iter(orders))]
    orders[key] = order
