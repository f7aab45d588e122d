"""A small server behind the real guard and real mutual TLS, and clients of every sort."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from director.api.server import SERVER_OPTIONS
from director.runtime.call_guard import CallGuard, Policy, Refused
from director.runtime.caller import caller
from director.runtime.identity import Identity
from director.runtime.tls import TlsFiles
from tests.support.pki import FleetPki, Pair, a_director

ECHO = "/test.Guarded/Echo"
TICKS = "/test.Guarded/Ticks"
YIELDS = "/test.Guarded/Yields"
MIRROR = "/test.Guarded/Mirror"
SUM = "/test.Guarded/Sum"
ALL = (ECHO, TICKS, YIELDS, MIRROR, SUM)
D0 = a_director("d0")


async def _echo(request: bytes, _context: Any) -> bytes:
    who = caller()
    return request + b" from " + (b"anybody" if who is None else who.uri.encode())


async def _ticks(_request: bytes, context: Any) -> None:
    while True:
        await context.write(b"tick")
        await asyncio.sleep(0.02)


async def _yields(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
    while True:
        yield b"tick"
        await asyncio.sleep(0.02)


async def _mirror(requests: AsyncIterator[bytes], context: Any) -> None:
    async for request in requests:
        await context.write(request)


async def _sum(requests: AsyncIterator[bytes], _context: Any) -> bytes:
    return b"".join([request async for request in requests])


_HANDLERS: dict[str, Any] = {
    "Echo": grpc.unary_unary_rpc_method_handler(_echo),
    "Ticks": grpc.unary_stream_rpc_method_handler(_ticks),
    "Yields": grpc.unary_stream_rpc_method_handler(_yields),
    "Mirror": grpc.stream_stream_rpc_method_handler(_mirror),
    "Sum": grpc.stream_unary_rpc_method_handler(_sum),
}


class Guarded:
    """The server's address, its files, and ways to talk to it."""

    def __init__(self, port: int, pki: FleetPki, tls: TlsFiles | None) -> None:
        self.port = port
        self.pki = pki
        self.tls = tls
        self.refused: list[Refused] = []

    def channel(self, shown: TlsFiles | Pair | None, *, name: str = "director.test") -> Any:
        """A channel that shows a certificate; None shows none. Close it."""
        options = (("grpc.ssl_target_name_override", name), ("grpc.use_local_subchannel_pool", 1))
        address = f"127.0.0.1:{self.port}"
        if self.tls is None:
            return grpc.aio.insecure_channel(address, options=options)
        ca = self.pki.authority.ca.read_bytes()
        match shown:
            case TlsFiles():
                credentials = shown.channel_credentials()
            case Pair(cert, key):
                credentials = grpc.ssl_channel_credentials(ca, key, cert)
            case _:
                credentials = grpc.ssl_channel_credentials(ca)
        return grpc.aio.secure_channel(address, credentials, options=options)

    async def echo(self, channel: Any, *, within_s: float | None = 5) -> bytes:
        """Call the unary method once."""
        answer: bytes = await channel.unary_unary(ECHO)(b"hi", timeout=within_s)
        return answer


@asynccontextmanager
async def a_guarded_server(
    directory: Path, *, has_tls: bool = True, denied: frozenset[Identity] = frozenset()
) -> AsyncIterator[Guarded]:
    """Serve until the block ends; ``denied``: who may call nothing."""
    pki = FleetPki(directory / "pki")
    tls = TlsFiles(pki.paths(D0)) if has_tls else None
    refused: list[Refused] = []

    def decide(identity: Identity, method: str) -> str | None:
        return f"{identity.uri} may not" if identity in denied or method not in ALL else None

    def status_of(found: Refused) -> None:
        refused.append(found)

    guard = CallGuard(Policy(tls, decide, status_of=status_of))
    server = grpc.aio.server(options=SERVER_OPTIONS, interceptors=[guard])
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("test.Guarded", _HANDLERS),
            grpc.method_handlers_generic_handler("test.Other", {"Echo": _HANDLERS["Echo"]}),
        )
    )
    if tls is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", tls.server_credentials())
    await server.start()
    guarded = Guarded(port, pki, tls)
    guarded.refused = refused
    try:
        yield guarded
    finally:
        await server.stop(0)
