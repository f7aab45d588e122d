"""The nearest region, worked out the slow way, with nothing taken from the product.

Points become unit vectors; the angle between two comes from the cross and the dot product, which
is accurate at every distance (the haversine is not near antipodes, the arc cosine not near zero).
"""

import math
from collections.abc import Sequence

Place = tuple[str, float, float]
"""Region id, latitude, longitude in degrees."""


def unit_vector(lat: float, lon: float) -> tuple[float, float, float]:
    """Return the point of the unit sphere at these degrees."""
    phi, theta = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(theta), math.cos(phi) * math.sin(theta), math.sin(phi)


def angle(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """Return the angle between two unit vectors, in radians."""
    ax, ay, az = one
    bx, by, bz = other
    cross = math.hypot(ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)
    return math.atan2(cross, ax * bx + ay * by + az * bz)


class Oracle:
    """Finds the nearest of a fixed set of regions by looking at all of them."""

    def __init__(self, regions: Sequence[Place]) -> None:
        self._regions = [(region_id, unit_vector(lat, lon)) for region_id, lat, lon in regions]

    def nearest(self, lat: float, lon: float) -> str:
        """Return the id of the nearest region, the smallest id among equals."""
        client = unit_vector(lat, lon)
        best_id, best = "", math.inf
        for region_id, vector in self._regions:
            far = angle(client, vector)
            if far < best or (far == best and region_id < best_id):
                best_id, best = region_id, far
        return best_id
