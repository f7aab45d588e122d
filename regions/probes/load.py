"""Load probe: how many requests per second a service takes in this region.

A program prints it or a page returns it: a number, or a JSON object with ``load_rps``. Anything
else is unknown; it never means zero, which would say that the region can be taken away for nothing.
"""

import asyncio
import json
import math

from regions.probes.execp import run
from regions.probes.http import get
from regions.probes.lag import LagSpec

LOAD_RPS_MAX = 1_000_000_000
_TEXT_BYTES_MAX = 4_096
_OK = 200


async def measure_load(spec: LagSpec) -> int | None:
    """Ask once. None when it could not be told in time."""
    try:
        async with asyncio.timeout(spec.timeout_ms / 1_000):
            if spec.command:
                ended = await run(spec.command)
                return parse_load(ended.output) if ended.returncode == 0 else None
            answer = await get(spec.address, spec.path)
            return parse_load(answer.body) if answer.status == _OK else None
    except (OSError, ValueError):  # TimeoutError is an OSError
        return None


def parse_load(text: bytes) -> int | None:
    """Return the load in ``text`` in whole requests per second, rounded up; None: not said."""
    if len(text) > _TEXT_BYTES_MAX:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(found, dict):
        found = found.get("load_rps")
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    if not math.isfinite(found) or not 0 <= found <= LOAD_RPS_MAX:
        return None
    return math.ceil(found)
