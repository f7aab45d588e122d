"""Lag probe: how many milliseconds this region's copy is behind the home.

A program prints it or a page returns it: a number, or a JSON object with ``lag_ms``. Anything else
is unknown, which makes the region ineligible for promotion; it never means zero.
"""

import asyncio
import json
import math
from dataclasses import dataclass

from regions.probes.execp import run
from regions.probes.http import get

LAG_MS_MAX = 2**32 - 1
_TEXT_BYTES_MAX = 4_096
_OK = 200


@dataclass(frozen=True, slots=True)
class LagSpec:
    """How to ask. Either ``command`` is set, or ``address``.

    Attributes:
        command: The program and its arguments.
        address: ``host:port`` of an HTTP endpoint.
        path: Path there.
    """

    command: tuple[str, ...] = ()
    address: str = ""
    path: str = "/"
    timeout_ms: int = 500


async def measure_lag(spec: LagSpec) -> int | None:
    """Ask once. None when it could not be told in time."""
    try:
        async with asyncio.timeout(spec.timeout_ms / 1_000):
            if spec.command:
                ended = await run(spec.command)
                return parse_lag(ended.output) if ended.returncode == 0 else None
            answer = await get(spec.address, spec.path)
            return parse_lag(answer.body) if answer.status == _OK else None
    except (OSError, ValueError):  # TimeoutError is an OSError
        return None


def parse_lag(text: bytes) -> int | None:
    """Return the lag in ``text`` in whole milliseconds, rounded up; None if it does not say."""
    if len(text) > _TEXT_BYTES_MAX:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(found, dict):
        found = found.get("lag_ms")
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    if not math.isfinite(found) or not 0 <= found <= LAG_MS_MAX:
        return None
    return math.ceil(found)
