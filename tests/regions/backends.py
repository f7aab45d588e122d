"""Small real servers to probe, and a wait for what other tasks bring about."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from director.routing.table import (
    AllUnhealthy,
    Endpoint,
    Location,
    Region,
    RegionId,
    RouteTable,
    ServiceId,
    ServiceMode,
    ServiceRoute,
    Site,
    Strategy,
    Verdict,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def eventually(holds: Callable[[], bool], *, within_s: float = 10.0) -> None:
    """Return as soon as ``holds``; fail after ``within_s``."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[str]:
    """Serve ``answer`` to whoever asks, then hang up; None says nothing at all."""
    waiting: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        waiting.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            if answer is None:
                await asyncio.Event().wait()
            else:
                writer.write(answer)
                await writer.drain()
        writer.close()
        waiting.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tuple(waiting):
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def a_free_address() -> str:
    """Return an address that nobody listens on."""
    import socket  # noqa: PLC0415 - only here

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def a_table(*, revision: int = 5, owner: str = "eu-west1") -> RouteTable:
    """Return a table with one active-passive service, chat, in two regions."""
    places = {"eu-north1": (60.57, 27.19), "eu-west1": (50.45, 3.82)}
    return RouteTable(
        generation=1,
        revision=revision,
        config_revision=1,
        regions=tuple(
            Region(RegionId(name), Location(*place), "EU", name) for name, place in places.items()
        ),
        round_trips=(),
        services=(
            ServiceRoute(
                ServiceId("chat"),
                ServiceMode.ACTIVE_PASSIVE,
                Strategy.NEAREST,
                ttl_ms=15_000,
                panic_per_mille=400,
                all_unhealthy=AllUnhealthy.FAIL_OPEN,
                sticky=False,
                residency=(),
                sites=tuple(
                    Site(RegionId(name), n, 100, (Endpoint(f"10.0.{n}.1:443"),), Verdict.UP)
                    for n, name in enumerate(places)
                ),
                owner=RegionId(owner),
                generation=1,
                epoch=3,
            ),
        ),
    )
