"""The limits of all three gRPC servers: a replica's API, its peer port, an agent's API.

Each is tried on a server with the options of the real one. Those that gRPC happens to have by
itself today are only looked up: no call could tell that they were left out.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest

from director.api import server as api_server
from director.consensus.embedded import link, transport
from director.runtime.clock import boot_ms
from director.runtime.loopback import NotLoopbackError
from regions.api import server as agent_server
from regions.api.gate import GateServicer
from regions.api.routing import RoutingServicer

ECHO = "/test.Limited/Echo"
Options = tuple[tuple[str, int], ...]
SERVERS: dict[str, tuple[Options, int, int]] = {
    "api": (api_server.SERVER_OPTIONS, api_server.RECEIVE_BYTES_MAX, 4_096),
    "peer": (transport._SERVER_OPTIONS, link.MESSAGE_BYTES_MAX, 64),
    "agent": (agent_server._OPTIONS, agent_server.MESSAGE_BYTES_MAX, 256),
}
KIB = 1 << 10


async def _size(request: bytes, _context: Any) -> bytes:
    return str(len(request)).encode()


def serving(options: Options, story: Callable[[int], Awaitable[None]]) -> None:
    async def whole() -> None:
        server = grpc.aio.server(options=options)
        handler: Any = grpc.unary_unary_rpc_method_handler(_size)
        methods = grpc.method_handlers_generic_handler("test.Limited", {"Echo": handler})
        server.add_generic_rpc_handlers((methods,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with asyncio.timeout(14):
                await story(port)
        finally:
            await server.stop(0)

    asyncio.run(whole())


@pytest.mark.parametrize("name", SERVERS)
def test_a_message_beyond_the_limit_of_a_server_is_refused(name: str) -> None:
    options, bytes_max, _ = SERVERS[name]

    async def story(port: int) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call: Any = channel.unary_unary(ECHO)
            assert await call(bytes(bytes_max), timeout=10) == str(bytes_max).encode()
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await call(bytes(bytes_max + 1), timeout=10)
            assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert str(bytes_max) in (raised.value.details() or "")

    serving(options, story)


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_hangs_up_on_who_says_nothing(name: str) -> None:
    async def story(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began_ms = boot_ms()
        while await reader.read(KIB):  # the server's own settings, until it hangs up
            pass
        assert 3_000 < boot_ms() - began_ms < 9_000
        writer.close()

    serving(SERVERS[name][0], story)


@pytest.mark.parametrize("name", SERVERS)
def test_no_limit_of_a_server_is_left_to_what_grpc_has_by_itself(name: str) -> None:
    options, bytes_max, streams_max = SERVERS[name]
    found = dict(options)

    assert len(found) == len(options), "an option is there twice"
    assert found["grpc.max_receive_message_length"] == bytes_max
    assert found["grpc.max_metadata_size"] == 8 * KIB
    assert found["grpc.absolute_max_metadata_size"] == 16 * KIB
    assert found["grpc.max_concurrent_streams"] == streams_max
    assert found["grpc.server_handshake_timeout_ms"] == 5_000
    assert found["grpc.so_reuseport"] == 0
    # Neither a half-open connection nor one that is alive is taken for the other (fault 12).
    assert found["grpc.keepalive_time_ms"] + found["grpc.keepalive_timeout_ms"] <= 15_000
    assert found["grpc.http2.min_ping_interval_without_data_ms"] < 5_000


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "[::ffff:10.0.0.1]:0", "d0.example:0"])
def test_without_tls_neither_peers_nor_an_agents_services_can_come_from_elsewhere(
    address: str,
) -> None:
    nothing: Any = None

    async def peer_port() -> None:
        hello = link.Hello("test", "d0", "1", "127.0.0.1:9")
        port = transport.Transport(hello, nothing, nothing, nothing)
        try:
            await port.start(address, allow_insecure=False)
        finally:
            await port.stop()

    async def agent_api() -> None:
        server = agent_server.AgentServer(GateServicer(nothing), RoutingServicer(nothing, nothing))
        try:
            await server.start(address)
        finally:
            await server.stop()

    for start in (peer_port, agent_api):
        with pytest.raises(NotLoopbackError):
            asyncio.run(start())
