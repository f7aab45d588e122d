"""Measures the shipped database against its source, on random addresses that the source locates.

Prints, per address family: the share with the same country, and percentiles of the distance.
"""

import argparse
import random
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import maxminddb
from build import distance_km

_SEED = 20260605


def main() -> None:
    """Compare two files on the same random addresses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path, help="the unpacked npm package")
    parser.add_argument("database", type=Path, help="the unpacked database to measure")
    parser.add_argument("--addresses", type=int, default=60_000)
    arguments = parser.parse_args()
    ours = maxminddb.open_database(arguments.database)
    for version in (4, 6):
        source = maxminddb.open_database(arguments.package / f"dbip-city-ipv{version}.mmdb")
        report(version, source, ours, arguments.addresses)


def drawn(version: int, source: maxminddb.Reader, count: int) -> list[int]:
    """Draw addresses that the source locates.

    IPv4: uniform over the address space. IPv6 is too empty for that, and its few huge blocks would
    drown the rest: a listed prefix is drawn first, then an address in it.
    """
    draw = random.Random(_SEED)  # noqa: S311 - a sample, not a secret
    if version == 4:  # noqa: PLR2004
        found: list[int] = []
        while len(found) < count:
            address = draw.getrandbits(32)
            if source.get(IPv4Address(address)):
                found.append(address)
        return found
    kept: list[int] = []
    for seen, (network, _) in enumerate(source):
        slot = seen if seen < count else draw.randrange(seen + 1)
        if slot < count:
            first, last = int(network.network_address), int(network.broadcast_address)
            kept[slot : slot + 1] = [draw.randint(first, last)]
    return kept


def report(version: int, source: maxminddb.Reader, ours: maxminddb.Reader, count: int) -> None:
    """Print one line for one address family."""
    same = missing = 0
    far: list[float] = []
    numbers = drawn(version, source, count)
    for number in numbers:
        address = IPv4Address(number) if version == 4 else IPv6Address(number)  # noqa: PLR2004
        wanted: Any = source.get(address)
        found: Any = ours.get(address)
        if not found:
            missing += 1
            continue
        same += found["country"]["iso_code"] == wanted["country_code"]
        far.append(
            distance_km(
                (found["location"]["latitude"], found["location"]["longitude"]),
                (wanted["latitude"], wanted["longitude"]),
            )
        )
    far.sort()
    percentiles = " ".join(f"p{p} {far[len(far) * p // 100]:.0f} km" for p in (50, 90, 99))
    print(
        f"IPv{version}: {len(numbers)} addresses, same country {100 * same / len(numbers):.2f} %, "
        f"without a place here {100 * missing / len(numbers):.2f} %, {percentiles}"
    )


if __name__ == "__main__":
    main()
