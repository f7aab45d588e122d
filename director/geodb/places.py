"""Where clients are in general: the sample that ships, to ask a routing question of everyone.

256 places stand for the cities of the world, each with the people around it. It says who would be
routed elsewhere by a change before any client is; it knows nothing of a service's own clients.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from director.routing.table import Location

_SAMPLE = "client-places.csv"


@dataclass(frozen=True, slots=True)
class ClientPlace:
    """A place that stands for the clients around it.

    Attributes:
        people_thousands: Its share among all places of the sample; above 0.
    """

    city: str
    country: str
    location: Location
    people_thousands: int


@cache
def client_places() -> tuple[ClientPlace, ...]:
    """Return the sample, most people first. It is read once."""
    text = files("director.geodb").joinpath("data", _SAMPLE).read_text(encoding="utf-8")
    return tuple(
        ClientPlace(
            row["city"],
            row["country"],
            Location(float(row["lat"]), float(row["lon"])),
            int(row["people_thousands"]),
        )
        for row in csv.DictReader(text.splitlines())
    )
