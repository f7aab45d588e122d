"""A replica talks to the very replica it means, and not to whichever director answers there."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from director.consensus.embedded.link import EXCHANGE, Hello, LinkTerms, PeerLink
from director.runtime.tls import TlsFiles
from director.service.relay import RELAY_METHOD, EvidenceRelay, OwnReport, Recipient
from tests.support.pki import FleetPki, a_director
from trafficdirector.peer.v1 import peer_pb2

Talk = Callable[[str, TlsFiles, Callable[[], None]], Coroutine[Any, Any, None]]


async def over_a_link(address: str, tls: TlsFiles, tried: Callable[[], None]) -> None:
    """Keep a link to d1, wherever it leads."""

    async def anybody(_hello: Hello) -> str:
        return ""

    def unreachable(_peer_id: str) -> None:
        tried()

    hello = Hello("test", "d0", "1", "127.0.0.1:9")
    terms = LinkTerms(anybody, unreachable, tls)
    link = PeerLink("d1", address, hello, rng=random.Random(1), terms=terms)
    try:
        await asyncio.Event().wait()
    finally:
        await link.close()


async def over_a_relay(address: str, tls: TlsFiles, tried: Callable[[], None]) -> None:
    """Relay evidence to d1, wherever it leads."""

    def own() -> OwnReport:
        return OwnReport(0, 0)

    def leader() -> Recipient:
        tried()
        return Recipient(1, "d1", address)

    relay = EvidenceRelay("d0", "a", relay_ms=500, recipient=leader, own=own, tls=tls)
    await relay.run()


async def heard(pki: FleetPki, answering: str, talk: Talk) -> bool:
    """Whether a server with the certificate of ``answering`` is told anything meant for d1."""
    told, attempts = asyncio.Event(), 0
    given_up = asyncio.Event()

    async def listen(requests: AsyncIterator[bytes], context: Any) -> None:
        async for _ in requests:
            told.set()
            await context.write(peer_pb2.ExchangeResponse(replica_id="d1").SerializeToString())

    def tried() -> None:
        nonlocal attempts
        attempts += 1
        if attempts > 20:  # a handshake that failed is tried again for ever
            given_up.set()

    server = grpc.aio.server()
    handler: Any = grpc.stream_stream_rpc_method_handler(listen)
    for method in (EXCHANGE, RELAY_METHOD):
        service, _, name = method.lstrip("/").partition("/")
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {name: handler}),)
        )
    credentials = pki.tls(a_director(answering)).server_credentials()
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    talking = asyncio.create_task(talk(f"127.0.0.1:{port}", pki.tls(a_director("d0")), tried))
    ends = [asyncio.create_task(each.wait()) for each in (told, given_up)]
    await asyncio.wait((*ends, talking), return_when=asyncio.FIRST_COMPLETED, timeout=12)
    assert not talking.done(), "it goes on by itself"
    assert told.is_set() or given_up.is_set(), "nothing was tried"
    for task in (talking, *ends):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await server.stop(0)
    return told.is_set()


@pytest.mark.parametrize("talk", [over_a_link, over_a_relay])
def test_only_the_replica_that_is_meant_hears_a_word(tmp_path: Path, talk: Talk) -> None:
    pki = FleetPki(tmp_path / "pki")

    assert asyncio.run(heard(pki, "d1", talk))
    assert not asyncio.run(heard(pki, "d2", talk))
