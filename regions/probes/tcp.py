"""TCP probe: the endpoint accepts a connection. Also measures how long that takes."""

import asyncio
from typing import TypeAlias

from director.runtime.clock import boot_ns
from regions.probes.attempts import soonest
from regions.probes.outcome import ProbeOutcome

_PORT_MAX = 65_535
# What a stream may buffer: far above any status line, far below what could hurt.
_STREAM_BYTES_MAX = 64 << 10


def host_and_port(address: str) -> tuple[str, int]:
    """Split ``host:port`` or ``[v6]:port``.

    Raises:
        ValueError: It is neither.
    """
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    is_number = port.isascii() and port.isdigit() and len(port) <= len(str(_PORT_MAX))
    if not colon or not host or not is_number or not 0 < int(port) <= _PORT_MAX:
        raise ValueError(f"{address!r} is not host:port")
    return host, int(port)


Connected: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter, int]


async def connect(address: str) -> Connected:
    """Open a connection, and say how many microseconds that took.

    Raises:
        OSError: It was refused or is not reachable.
        ValueError: The address is not ``host:port``.
    """
    host, port = host_and_port(address)
    return await soonest(lambda: _connect_once(host, port), _drop)


async def _connect_once(host: str, port: int) -> Connected:
    began_ns = boot_ns()
    reader, writer = await asyncio.open_connection(host, port, limit=_STREAM_BYTES_MAX)
    return reader, writer, max(1, (boot_ns() - began_ns) // 1_000)


async def _drop(connected: Connected) -> None:
    connected[1].transport.abort()


async def probe_tcp(address: str) -> ProbeOutcome:
    """Connect and hang up.

    Raises:
        OSError: It was refused or is not reachable.
        ValueError: The address is not ``host:port``.
    """
    _, writer, rtt_us = await connect(address)
    writer.transport.abort()
    return ProbeOutcome(passed=True, rtt_us=rtt_us)
