"""Where a client is: the best of what is known, in a fixed order of trust.

Explicit coordinates, then an explicit region, then the place of its address, then the region of
the caller, then nothing. A worse source never overrules a better one, and nothing is invented.
"""

from dataclasses import dataclass

from director.routing.table import NOWHERE, ClientPosition, Location, PositionSource, RegionId


@dataclass(frozen=True, slots=True)
class Located:
    """The place of a client address, as a geo database has it.

    ``accuracy_km`` is the radius that most clients there are within; None if not stated.
    """

    location: Location
    accuracy_km: int | None = None
    country: str | None = None


def client_position(
    *,
    coordinates: Location | None = None,
    region_id: RegionId | None = None,
    address: Located | None = None,
    caller_region_id: RegionId | None = None,
) -> ClientPosition:
    """Return the position to route by, and where it came from."""
    if coordinates is not None:
        return ClientPosition(coordinates, None, PositionSource.COORDINATES)
    if region_id:
        return ClientPosition(None, region_id, PositionSource.REGION)
    if address is not None:
        return ClientPosition(
            address.location,
            None,
            PositionSource.ADDRESS,
            accuracy_km=address.accuracy_km,
            country=address.country,
        )
    if caller_region_id:
        return ClientPosition(None, caller_region_id, PositionSource.CALLER_REGION)
    return NOWHERE
