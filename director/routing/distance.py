"""Great-circle distance, and the round trip to expect from it where none was measured."""

from math import asin, cos, radians, sin, sqrt

from director.routing.table import Location

# Mean radius of the WGS 84 ellipsoid (IUGG). The sphere is wrong by at most 0.6 %.
EARTH_RADIUS_KM = 6371.0088

# Round trip = 25 ms + 15 ms per 1000 km: the line that fits the published latency matrices of
# three clouds (AWS, Azure and a cross-cloud grid) with a mean error near 30 ms. Light in fibre
# alone takes 10 ms per 1000 km and back; cables are not straight.
BASE_RTT_MS = 25.0
RTT_MS_PER_KM = 0.015


def distance_km(one: Location, other: Location) -> float:
    """Return the great-circle distance in kilometres, by the haversine formula."""
    lat_one, lat_other = radians(one.lat), radians(other.lat)
    return km_of(
        sin((lat_other - lat_one) / 2) ** 2
        + cos(lat_one) * cos(lat_other) * sin(radians(other.lon - one.lon) / 2) ** 2
    )


def km_of(haversine: float) -> float:
    """Turn the haversine of a central angle into kilometres."""
    # Rounding can push it past 1 for antipodes, where asin is undefined.
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(haversine)))


def expected_rtt_ms(km: float) -> float:
    """Estimate the round trip between two places ``km`` apart, in milliseconds."""
    return BASE_RTT_MS + RTT_MS_PER_KM * km
