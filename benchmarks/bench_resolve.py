"""Server CPU per Resolve against an empty grpc.aio handler in the same set-up.

Both servers are whole replica processes of the same kind: same options, same event loop, same
services beside. The empty handler parses the same request and returns as many bytes. Rounds
alternate, so that a change of the machine's speed hits both.

What a process uses without any calls (timers, consensus, planning) is measured first, stated, and
taken off: it is the price of being a director, not of a Resolve.

Bar: at most 10 % more CPU per call than the empty handler.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path
from statistics import median
from subprocess import Popen
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import serving

from director.api.server import SERVER_OPTIONS
from director.client.channel import open_channel
from director.client.resolver import RESOLVE_METHOD
from trafficdirector.routing.v1 import routing_pb2 as pb

REGIONS = 50
SERVICES = 200
CONCURRENCY = 32
CLIENTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "clients" / "client_ips.csv"


def documents(services: int = SERVICES, regions: int = REGIONS) -> str:
    """A fleet of active-active services, each in twelve regions."""
    rng = random.Random(7)
    lines = ["apiVersion: trafficdirector/v1", "kind: Fleet", "metadata: {name: bench}", "spec:"]
    lines.append("  regions:")
    for number in range(regions):
        lat, lon = round(rng.uniform(-55, 65), 2), round(rng.uniform(-180, 180), 2)
        lines.append(
            f"    - {{name: r{number:02}, location: {{lat: {lat}, lon: {lon}}}, "
            f"jurisdiction: J{number % 5}, failureDomain: f{number}}}"
        )
    for number in range(services):
        chosen = sorted(rng.sample(range(regions), 12))
        lines += [
            "---",
            "apiVersion: trafficdirector/v1",
            "kind: Service",
            f"metadata: {{name: service-{number:03}}}",
            "spec:",
            "  mode: ActiveActive",
            "  objectives: {rto: 60s}",
            "  regions:",
            *(
                f'    - {{name: r{region:02}, endpoints: [{{address: "127.0.0.1:9000"}}]}}'
                for region in chosen
            ),
        ]
    return "\n".join(lines) + "\n"


def addresses(count: int) -> list[str]:
    """Real client addresses if there are any beside, else random ones."""
    rng = random.Random(11)
    found: list[str] = []
    if CLIENTS.exists():
        rows = CLIENTS.read_text().splitlines()
        header = rows[0].split(",")
        column = next(n for n, name in enumerate(header) if "ip" in name.lower())
        found = [row.split(",")[column] for row in rows[1:]]
    while len(found) < count:
        found.append(".".join(str(rng.randrange(1, 224)) for _ in range(4)))
    rng.shuffle(found)
    return found[:count]


async def serve_director(port: int) -> None:
    """Run a replica of one until killed."""
    from director.app import Settings, start  # noqa: PLC0415
    from director.runtime.logs import configure  # noqa: PLC0415

    configure(json=True, level="error")
    with TemporaryDirectory() as directory:
        running = await start(
            Settings(
                "d0",
                "bench",
                Path(directory),
                f"127.0.0.1:{port}",
                f"127.0.0.1:{serving.free_port()}",
            )
        )
        serving.say_ready()
        await running.replica.stopped


async def serve_empty(port: int) -> None:
    """Run the empty handler in the same set-up."""
    import grpc.aio  # noqa: PLC0415

    from director.api.handlers import service, unary_unary  # noqa: PLC0415

    answer = b""

    async def empty(request: pb.ResolveRequest, _context: Any) -> bytes:  # noqa: ANN401
        nonlocal answer
        if request.session_id == "as many bytes":
            answer = bytes(int(request.subject_jurisdiction))
        return answer

    server = grpc.aio.server(options=SERVER_OPTIONS)
    server.add_generic_rpc_handlers(
        (
            service(
                "trafficdirector.routing.v1.RoutingService",
                {"Resolve": unary_unary(empty, pb.ResolveRequest, is_encoded=True)},
            ),
        )
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    serving.say_ready()
    await server.wait_for_termination()


async def call_all(port: int, requests: list[bytes]) -> int:
    """Send every request, 32 at a time; return the bytes that came back."""
    received = 0
    left = iter(requests)
    async with open_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(RESOLVE_METHOD)

        async def caller() -> None:
            nonlocal received
            for request in left:
                answer = await call(request)
                received += len(answer)

        await asyncio.gather(*(caller() for _ in range(CONCURRENCY)))
    return received


async def apply_documents(port: int, text: str) -> None:
    """Give the replica its fleet."""
    from director.client.resolver import error_info  # noqa: PLC0415
    from trafficdirector.admin.v1 import admin_pb2  # noqa: PLC0415

    async with open_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(
            "/trafficdirector.admin.v1.FleetService/ApplyManifest",
            request_serializer=admin_pb2.ApplyManifestRequest.SerializeToString,
            response_deserializer=admin_pb2.ApplyManifestResponse.FromString,
        )
        import grpc.aio  # noqa: PLC0415

        for _ in range(100):
            try:
                await call(admin_pb2.ApplyManifestRequest(documents=text), timeout=60)
            except grpc.aio.AioRpcError as error:
                info = error_info(error)
                if info is None or info.reason not in ("NO_LEADER", "NOT_LEADER"):
                    raise
                await asyncio.sleep(0.1)
            else:
                return
    raise RuntimeError("no leader within 10 s")


def idle_share(process: Popen[bytes], *, over_s: float = 4.0) -> float:
    """Share of a core that a process uses when nobody calls."""
    before_s = serving.cpu_s(process)
    time.sleep(over_s)
    return (serving.cpu_s(process) - before_s) / over_s


async def compare(rounds: int, calls: int) -> float:
    """Measure, print and return the overhead in per cent."""
    director_port, empty_port = serving.free_port(), serving.free_port()
    director = serving.spawn(__file__, "--serve", "director", "--port", str(director_port))
    empty = serving.spawn(__file__, "--serve", "empty", "--port", str(empty_port))
    try:
        await apply_documents(director_port, documents())
        rng = random.Random(3)
        requests = [
            pb.ResolveRequest(
                service_id=f"service-{rng.randrange(SERVICES):03}", address=address
            ).SerializeToString()
            for address in addresses(calls)
        ]
        received = await call_all(director_port, requests)
        setup = pb.ResolveRequest(
            session_id="as many bytes", subject_jurisdiction=str(round(received / calls))
        ).SerializeToString()
        await call_all(empty_port, [setup, *requests])
        # The loop has nothing else to do meanwhile.
        idle = {"director": idle_share(director), "empty": idle_share(empty)}
        per_call: dict[str, list[float]] = {"director": [], "empty": []}
        for number in range(rounds):
            pair = [("director", director, director_port), ("empty", empty, empty_port)]
            for name, process, port in pair if number % 2 else reversed(pair):
                before_s, began_s = serving.cpu_s(process), serving.now_s()
                await call_all(port, requests)
                used_s = serving.cpu_s(process) - before_s
                used_s -= idle[name] * (serving.now_s() - began_s)
                per_call[name].append(used_s / calls * 1e6)
            print(
                f"round {number + 1:2}   director {per_call['director'][-1]:6.1f} us"
                f"   empty {per_call['empty'][-1]:6.1f} us",
                flush=True,
            )
    finally:
        serving.stop(director)
        serving.stop(empty)
    ours, floor = median(per_call["director"]), median(per_call["empty"])
    ratios = [a / b for a, b in zip(per_call["director"], per_call["empty"], strict=True)]
    overhead = (median(ratios) - 1) * 100
    print(f"director at rest    {idle['director'] * 100:.1f} % of a core, not counted below")
    print(f"response            {received / calls:.0f} bytes on average")
    print(f"director            {ours:.1f} us CPU per Resolve")
    print(f"empty handler       {floor:.1f} us CPU per call")
    print(f"overhead            {overhead:+.1f} % (median of {rounds} paired rounds; bar +10 %)")
    return overhead


def main() -> int:
    parser = serving.role_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=20_000)
    options = parser.parse_args()
    if options.serve:
        serve = serve_director if options.serve == "director" else serve_empty
        serving.run_uvloop(lambda: serve(options.port))
        return 0
    overhead = asyncio.run(compare(options.rounds, options.calls))
    return 0 if overhead <= 10 else 1


if __name__ == "__main__":
    sys.exit(main())
