"""A director reduced to its routing door: a hub and an answerer behind a real socket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc.aio

from director.api.routing import RoutingApi
from director.client.answering import Answerer
from director.client.watch import Source
from director.routing.table import RouteTable
from director.service.watch import RouteHub, WatchTempo


@dataclass
class Door:
    """One director's routing service.

    Attributes:
        age_ms: What it says of the age of its view.
    """

    server: grpc.aio.Server
    hub: RouteHub
    answerer: Answerer
    address: str
    age_ms: int = 0

    def publish(self, table: RouteTable) -> None:
        self.answerer.adopt_table(table)
        self.hub.publish(table)

    async def stop(self) -> None:
        await self.server.stop(None)


async def open_door(port: int = 0, *, beat_ms: int = 50) -> Door:
    """Listen on ``port`` (0: any)."""
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    door: Door

    def age_ms() -> int:
        return door.age_ms

    hub = RouteHub(age_ms, tempo=WatchTempo(beat_ms=beat_ms))
    answerer = Answerer()
    api = RoutingApi(answerer, hub, lambda: (door.age_ms, Source.FRESH))
    server.add_generic_rpc_handlers((api.handlers(),))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    door = Door(server, hub, answerer, f"127.0.0.1:{bound}")
    await server.start()
    return door


@asynccontextmanager
async def doors(count: int) -> AsyncIterator[list[Door]]:
    """Open several, and close those that are still open."""
    opened = [await open_door() for _ in range(count)]
    try:
        yield opened
    finally:
        for door in opened:
            await door.stop()


async def until(is_true: Callable[[], object], *, within_s: float = 10) -> None:
    """Wait until ``is_true()``."""
    async with asyncio.timeout(within_s):
        while not is_true():
            await asyncio.sleep(0.005)
