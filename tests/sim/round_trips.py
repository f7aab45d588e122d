"""Measured round trips between regions of a cloud: what a campaign's maps are made of.

The whole matrix is read from the shared data if that is there, so that worlds lie anywhere on
earth; otherwise nine regions of the same matrix do. Figures: median round trips of TCP connections
over one year, CloudPing.co (MIT), snapshot of October 2025. The options that a seed prints name the
regions it drew.
"""

import csv
from functools import cache
from pathlib import Path

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "rtt" / "rtt_aws.csv"

_BUILT_IN_NAMES = (
    "af-south-1",
    "ap-northeast-1",
    "ap-south-1",
    "ap-southeast-2",
    "eu-north-1",
    "eu-west-1",
    "sa-east-1",
    "us-east-1",
    "us-west-2",
)
# Rows and columns in the order of the names, in ms; row: from, column: to.
_BUILT_IN_MS = (
    (0, 356, 271, 409, 175, 158, 337, 226, 273),
    (358, 0, 134, 107, 247, 201, 257, 149, 98),
    (273, 133, 0, 154, 148, 125, 301, 190, 221),
    (409, 106, 154, 0, 272, 256, 312, 200, 141),
    (174, 247, 149, 271, 0, 40, 223, 112, 155),
    (161, 201, 126, 256, 41, 0, 178, 70, 118),
    (339, 258, 302, 312, 222, 178, 0, 115, 175),
    (228, 149, 192, 200, 112, 70, 115, 0, 64),
    (275, 98, 222, 141, 156, 118, 174, 64, 0),
)


@cache
def round_trips_ms() -> dict[tuple[str, str], float]:
    """Return ms per (from, to), for every pair of regions there is."""
    if not SHARED.is_file():
        return {
            (here, there): float(_BUILT_IN_MS[row][column])
            for row, here in enumerate(_BUILT_IN_NAMES)
            for column, there in enumerate(_BUILT_IN_NAMES)
            if here != there
        }
    found = {}
    with SHARED.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            here, there = row["src_region"], row["dst_region"]
            if here != there:
                found[here.partition(":")[2], there.partition(":")[2]] = float(row["rtt_ms"])
    return found


@cache
def region_names() -> tuple[str, ...]:
    """Return the regions with a round trip to and from each other, in order of their names."""
    return tuple(sorted({here for here, _ in round_trips_ms()}))
