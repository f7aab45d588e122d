"""A change reaches 1 000 watchers of one replica: how long, against a bare server-stream push.

Both servers push to the same number of streams, read by the same client in the same run; the bare
one sends ready bytes of the same length. For the director the clock starts when an operator's
change is sent, so the log and the disk are in it.

Bar: p99 within ten times the bare push.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench_resolve
import grpc.aio
import serving

from director.api.handlers import service, unary_stream, unary_unary
from director.api.server import SERVER_OPTIONS
from director.client.channel import open_channel
from director.client.watch import WATCH_METHOD
from trafficdirector.admin.v1 import admin_pb2
from trafficdirector.routing.v1 import routing_pb2 as pb

CHANNELS = 10
# A beat is about ten bytes, a step of these documents more than a hundred.
STEP_BYTES_MIN = 64
PUSH_METHOD = "/trafficdirector.routing.v1.RoutingService/Push"


async def serve_bare(port: int) -> None:
    """Push ready bytes to every stream when told to."""
    waiting: list[asyncio.Future[bytes]] = []

    async def watch(_request: pb.WatchRoutesRequest, context: Any) -> None:  # noqa: ANN401
        await context.write(bytes(STEP_BYTES_MIN))
        while True:
            future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            waiting.append(future)
            await context.write(await future)

    async def push(request: pb.ResolveRequest, _context: Any) -> bytes:  # noqa: ANN401
        payload = bytes(int(request.service_id))
        for future in waiting:
            future.set_result(payload)
        waiting.clear()
        return b""

    server = grpc.aio.server(options=SERVER_OPTIONS)
    methods = {
        "WatchRoutes": unary_stream(watch, pb.WatchRoutesRequest, is_encoded=True),
        "Push": unary_unary(push, pb.ResolveRequest, is_encoded=True),
    }
    server.add_generic_rpc_handlers(
        (service("trafficdirector.routing.v1.RoutingService", methods),)
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    serving.say_ready()
    await server.wait_for_termination()


class Watchers:
    """Many streams to one server."""

    def __init__(self, port: int, count: int) -> None:
        self.count = count
        self.arrivals: list[float] = []
        self.step_bytes = 0
        self._all = asyncio.Event()
        self._channels = [open_channel(f"127.0.0.1:{port}") for _ in range(CHANNELS)]
        self._tasks = [
            asyncio.create_task(self._read(self._channels[n % CHANNELS])) for n in range(count)
        ]

    async def _read(self, channel: grpc.aio.Channel) -> None:
        call: Any = channel.unary_stream(WATCH_METHOD)(pb.WatchRoutesRequest().SerializeToString())
        while (step := await call.read()) is not grpc.aio.EOF:
            if len(step) < STEP_BYTES_MIN:
                continue
            self.arrivals.append(serving.now_s())
            self.step_bytes = len(step)
            if len(self.arrivals) == self.count:
                self._all.set()

    async def all_arrived(self) -> list[float]:
        """Wait until each has taken a step since the last call; return when."""
        async with asyncio.timeout(60):
            await self._all.wait()
        self._all.clear()
        arrived, self.arrivals = self.arrivals, []
        return arrived

    async def close(self) -> None:
        """End every stream."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for channel in self._channels:
            await channel.close()


async def delays_ms(port: int, count: int, rounds: int, change: Any) -> tuple[list[float], int]:  # noqa: ANN401
    """Return how long each watcher waited in each round, and the bytes of a step."""
    watchers = Watchers(port, count)
    try:
        await watchers.all_arrived()
        delays: list[float] = []
        for number in range(rounds):
            await asyncio.sleep(1.0)
            began_s = serving.now_s()
            await change(number)
            delays += [(at - began_s) * 1e3 for at in await watchers.all_arrived()]
        return delays, watchers.step_bytes
    finally:
        await watchers.close()


async def compare(count: int, rounds: int) -> float:
    """Measure, print and return the ratio of the two p99."""
    director_port, bare_port = serving.free_port(), serving.free_port()
    director = serving.spawn(
        bench_resolve.__file__, "--serve", "director", "--port", str(director_port)
    )
    bare = serving.spawn(__file__, "--serve", "bare", "--port", str(bare_port))
    try:
        await bench_resolve.apply_documents(director_port, bench_resolve.documents(20, 50))
        async with (
            open_channel(f"127.0.0.1:{director_port}") as to_director,
            open_channel(f"127.0.0.1:{bare_port}") as to_bare,
        ):
            drain: Any = to_director.unary_unary(
                "/trafficdirector.admin.v1.FleetService/SetRegionDrain"
            )
            push: Any = to_bare.unary_unary(PUSH_METHOD)

            async def change_director(number: int) -> None:
                request = admin_pb2.SetRegionDrainRequest(
                    region_id="r03",
                    drained=number % 2 == 0,
                    change=admin_pb2.Change(reason="bench"),
                )
                await drain(request.SerializeToString())

            ours, step_bytes = await delays_ms(director_port, count, rounds, change_director)

            async def change_bare(_number: int) -> None:
                await push(pb.ResolveRequest(service_id=str(step_bytes)).SerializeToString())

            floor, _ = await delays_ms(bare_port, count, rounds, change_bare)
    finally:
        serving.stop(director)
        serving.stop(bare)
    print(f"{count} watchers, {rounds} changes, {step_bytes} bytes each")
    for name, values in (("director", ours), ("bare push", floor)):
        print(
            f"{name:10} p50 {median(values):7.1f} ms   p99 {serving.percentile(values, 99):7.1f} ms"
            f"   last {max(values):7.1f} ms"
        )
    ratio = serving.percentile(ours, 99) / serving.percentile(floor, 99)
    print(f"ratio of p99 {ratio:.1f} (bar 10)")
    return ratio


def main() -> int:
    parser = serving.role_parser(__doc__)
    parser.add_argument("--watchers", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    if options.serve:
        serving.run_uvloop(lambda: serve_bare(options.port))
        return 0
    return 0 if asyncio.run(compare(options.watchers, options.rounds)) <= 10 else 1


if __name__ == "__main__":
    sys.exit(main())
