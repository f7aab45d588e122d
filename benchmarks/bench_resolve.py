"""Server CPU per Resolve against an empty grpc.aio handler in the same set-up.

The empty handler parses the same request and returns as many bytes. It runs twice: as one more
method of the same replica process, where everything a director does besides (timers, consensus,
planning) weighs on both alike, and in a bare server of its own, to show what that weighs. Rounds
are short, many and alternate, so that a change of the machine's speed hits all.

"Again" asks the same pairs of address and service each round, "anew" draws new pairs.
Overhead = (Resolve - empty method) / empty method, both of the same process. Bar: at most 10 %.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import grpc.aio
import serving

from director.api.handlers import service, unary_unary
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


class Empty:
    """The handler that does nothing: parses a request, returns as many bytes as it was told."""

    def __init__(self) -> None:
        self._answer = b""

    async def handle(self, request: pb.ResolveRequest, _context: Any) -> bytes:  # noqa: ANN401
        """Return the bytes; a request that says so sets how many."""
        if request.session_id == "as many bytes":
            self._answer = bytes(int(request.subject_jurisdiction))
        return self._answer


async def serve_director(port: int) -> None:
    """Run a replica of one until killed, with the empty method beside its own."""
    from director.api import routing  # noqa: PLC0415
    from director.app import Settings, start  # noqa: PLC0415
    from director.runtime.logs import configure  # noqa: PLC0415

    configure(json=True, level="error")
    build = routing.service

    def with_empty(name: str, methods: Any) -> Any:  # noqa: ANN401
        empty = unary_unary(Empty().handle, pb.ResolveRequest, is_encoded=True)
        return build(name, {**methods, "Empty": empty})

    routing.service = with_empty
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
    """Run the empty handler in a bare server with the same options."""
    server = grpc.aio.server(options=SERVER_OPTIONS)
    methods = {"Empty": unary_unary(Empty().handle, pb.ResolveRequest, is_encoded=True)}
    server.add_generic_rpc_handlers((service(routing_name(), methods),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    serving.say_ready()
    await server.wait_for_termination()


def routing_name() -> str:
    """Name of the service that both servers offer."""
    return RESOLVE_METHOD.split("/")[1]


async def call_all(port: int, method: str, requests: list[bytes]) -> int:
    """Send every request, 32 at a time; return the bytes that came back."""
    received = 0
    left = iter(requests)
    async with open_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(f"/{routing_name()}/{method}")

        async def caller() -> None:
            nonlocal received
            for request in left:
                answer = await call(request, timeout=5)
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
        for _ in range(100):
            try:
                await call(admin_pb2.ApplyManifestRequest(documents=text), timeout=30)
            except grpc.aio.AioRpcError as error:
                info = error_info(error)
                if info is None or info.reason not in ("NO_LEADER", "NOT_LEADER"):
                    raise
                await asyncio.sleep(0.1)
            else:
                return
    raise RuntimeError("no leader within 10 s")


async def compare(rounds: int, calls: int) -> float:
    """Measure, print and return the overhead in per cent."""
    director_port, bare_port = serving.free_port(), serving.free_port()
    director = serving.spawn(__file__, "--serve", "director", "--port", str(director_port))
    bare = serving.spawn(__file__, "--serve", "empty", "--port", str(bare_port))
    cases = {
        "resolve again": (director, director_port, "Resolve"),
        "resolve anew": (director, director_port, "Resolve"),
        "empty beside it": (director, director_port, "Empty"),
        "bare": (bare, bare_port, "Empty"),
    }
    used_us: dict[str, list[float]] = {name: [] for name in cases}
    try:
        await apply_documents(director_port, documents())
        rng = random.Random(3)
        known = addresses(calls)

        def pairs() -> list[bytes]:
            """Each address once, with a service drawn for it: new pairs, addresses seen before."""
            return [
                pb.ResolveRequest(
                    service_id=f"service-{rng.randrange(SERVICES):03}", address=address
                ).SerializeToString()
                for address in known
            ]

        requests = pairs()
        response_bytes = round(await call_all(director_port, "Resolve", requests) / calls)
        setup = pb.ResolveRequest(
            session_id="as many bytes", subject_jurisdiction=str(response_bytes)
        ).SerializeToString()
        for port in (director_port, bare_port):
            await call_all(port, "Empty", [setup, *requests])
        for number in range(rounds):
            names = list(cases)
            for name in names if number % 2 else reversed(names):
                process, port, method = cases[name]
                asked = pairs() if name == "resolve anew" else requests
                before_s = serving.cpu_s(process)
                await call_all(port, method, asked)
                used_us[name].append((serving.cpu_s(process) - before_s) / calls * 1e6)
            last = "   ".join(f"{name} {values[-1]:6.1f} us" for name, values in used_us.items())
            print(f"round {number + 1:2}   {last}", flush=True)
    finally:
        serving.stop(director)
        serving.stop(bare)
    print(f"response           {response_bytes} bytes on average")
    for name, values in used_us.items():
        print(f"{name:18} {median(values):.1f} us CPU per call")
    return max(overhead(used_us, name) for name in ("resolve again", "resolve anew"))


def overhead(used_us: dict[str, list[float]], name: str) -> float:
    """Print and return what a case costs over the empty method of the same process, in per cent."""
    empty = used_us["empty beside it"]
    added_us = median(a - b for a, b in zip(used_us[name], empty, strict=True))
    found = added_us / median(empty) * 100
    print(
        f"{name:18} {added_us:+.1f} us, {found:+.1f} % over the empty method beside it (bar +10 %)"
    )
    return found


def main() -> int:
    parser = serving.role_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--calls", type=int, default=6_000)
    options = parser.parse_args()
    if options.serve:
        serve = serve_director if options.serve == "director" else serve_empty
        serving.run_uvloop(lambda: serve(options.port))
        return 0
    return 0 if asyncio.run(compare(options.rounds, options.calls)) <= 10 else 1


if __name__ == "__main__":
    sys.exit(main())
