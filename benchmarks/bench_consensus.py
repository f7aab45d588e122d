"""Commit latency and throughput of the embedded engine: three replicas, a process each.

Prints the medians beside their floors, measured in the same run on the same disk and loopback:
a bare fdatasync of the same size, and a bare grpc.aio stream echo. Run it on an idle machine:

    python benchmarks/bench_consensus.py [--seconds 5] [--payload 256] [--failover]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
for folder in (ROOT, ROOT / "protos"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import grpc  # noqa: E402
import uvloop  # noqa: E402

from director.consensus.embedded.config import EmbeddedConfig  # noqa: E402
from director.consensus.embedded.engine import EmbeddedConsensus  # noqa: E402
from director.consensus.port import ConsensusError  # noqa: E402
from director.runtime.logs import configure  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

IN_FLIGHT = 64
WARM_UP_COUNT = 200


def free_ports(count: int) -> list[int]:
    ports: list[int] = []
    while len(ports) < count:
        # Below the range that outgoing connections are drawn from.
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports.append(port)
    return ports


def percentile(values: list[float], per_cent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * per_cent / 100))]


async def measure(
    consensus: EmbeddedConsensus, *, seconds: float, payload: bytes
) -> dict[str, float]:
    """Measure on the leader: one at a time, then many."""
    term = consensus.standing().term
    for _ in range(WARM_UP_COUNT):
        await consensus.propose(payload, term=term)
    single: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        await consensus.propose(payload, term=term)
        single.append((time.perf_counter() - began) * 1000)
    barriers: list[float] = []
    end = time.perf_counter() + seconds / 4
    while time.perf_counter() < end:
        began = time.perf_counter()
        await consensus.read_barrier(term=term)
        barriers.append((time.perf_counter() - began) * 1000)
    crowded: list[float] = []
    began_all = time.perf_counter()
    end = began_all + seconds

    async def worker() -> None:
        while time.perf_counter() < end:
            began = time.perf_counter()
            await consensus.propose(payload, term=term)
            crowded.append((time.perf_counter() - began) * 1000)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    rate = len(crowded) / (time.perf_counter() - began_all)
    return {
        "commit_p50_ms": percentile(single, 50),
        "commit_p99_ms": percentile(single, 99),
        "barrier_p50_ms": percentile(barriers, 50),
        "rate_at_64_per_s": rate,
        "at_64_p50_ms": percentile(crowded, 50),
        "at_64_p99_ms": percentile(crowded, 99),
    }


async def replica(settings: dict[str, object]) -> None:
    """Run one replica; obey the lines on standard input and answer on standard output."""
    peers = settings["peers"]
    assert isinstance(peers, dict)
    own = str(settings["id"])
    consensus = EmbeddedConsensus(
        EmbeddedConfig(own, "bench", Path(str(settings["dir"])) / own, peers[own], peers)
    )
    await consensus.start()

    async def consume() -> None:
        async for _ in consensus.deliveries():
            pass

    consumer = asyncio.create_task(consume())
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        answer: dict[str, object]
        match command["do"]:
            case "standing":
                standing = consensus.standing()
                answer = {"is_leader": standing.is_leader, "term": standing.term}
            case "propose":
                try:
                    await consensus.propose(b"x", term=consensus.standing().term)
                    answer = {"ok": True}
                except ConsensusError:
                    answer = {"ok": False}
            case _:
                payload = bytes(int(command["payload"]))
                answer = dict(
                    await measure(consensus, seconds=float(command["seconds"]), payload=payload)
                )
        print(json.dumps(answer), flush=True)
    await consensus.stop()
    await consumer


class Replica:
    """A replica's process."""

    def __init__(self, settings: dict[str, object]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--replica", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **command: object) -> dict[str, object]:
        """Send a command and wait for its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer: dict[str, object] = json.loads(self.process.stdout.readline())
        return answer

    def cpu_s(self) -> float:
        """CPU seconds used since its start."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """Kill it without warning."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Let it stop in good order."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)


def find_leader(replicas: list[Replica], within_s: float = 20) -> Replica:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        for candidate in replicas:
            if candidate.ask(do="standing")["is_leader"]:
                return candidate
        time.sleep(0.005)
    raise SystemExit("no leader")


def floor_fdatasync_ms(directory: Path, payload_bytes: int) -> float:
    fd = os.open(directory / "floor", os.O_RDWR | os.O_CREAT, 0o600)
    size = payload_bytes + 80
    os.pwrite(fd, bytes(4 << 20), 0)
    os.fsync(fd)
    samples = []
    for number in range(500):
        os.pwrite(fd, bytes(size), number * size)
        began = time.perf_counter()
        os.fdatasync(fd)
        samples.append((time.perf_counter() - began) * 1000)
    os.close(fd)
    return percentile(samples, 50)


async def echo_server(port: int) -> None:
    async def echo(requests: AsyncIterator[bytes], _: object) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request

    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "floor", {"Echo": grpc.stream_stream_rpc_method_handler(echo)}
            ),
        )
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


async def floor_echo_ms(port: int, payload: bytes) -> float:
    samples = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await channel.channel_ready()
        call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream("/floor/Echo")()
        for _ in range(1_000):
            began = time.perf_counter()
            await call.write(payload)
            await call.read()
            samples.append((time.perf_counter() - began) * 1000)
        call.cancel()
    return percentile(samples, 50)


def failover_ms(directory: Path, rounds: int) -> list[float]:
    """Kill the leader with SIGKILL; time until the next commit."""
    taken = []
    for number in range(rounds):
        folder = directory / f"failover{number}"
        folder.mkdir()
        replicas = start(folder)
        leader = find_leader(replicas)
        leader.ask(do="propose")
        rest = [other for other in replicas if other is not leader]
        began = time.perf_counter()
        leader.kill()
        while True:
            if find_leader(rest).ask(do="propose")["ok"]:
                break
        taken.append((time.perf_counter() - began) * 1000)
        for other in rest:
            other.stop()
    return taken


def start(directory: Path) -> list[Replica]:
    ids = ("d0", "d1", "d2")
    peers = {
        member_id: f"127.0.0.1:{port}"
        for member_id, port in zip(ids, free_ports(len(ids)), strict=True)
    }
    return [Replica({"id": member_id, "dir": str(directory), "peers": peers}) for member_id in ids]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--payload", type=int, default=256)
    parser.add_argument("--dir", type=Path, default=None, help="on the disk to measure")
    parser.add_argument("--failover", type=int, default=0, metavar="ROUNDS")
    parser.add_argument("--replica", help=argparse.SUPPRESS)
    parser.add_argument("--echo", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.replica:
        configure(json=False, level="warning")
        uvloop.run(replica(json.loads(given.replica)))
        return
    if given.echo:
        uvloop.run(echo_server(given.echo))
        return
    with tempfile.TemporaryDirectory(dir=given.dir) as name:
        directory = Path(name)
        sync_ms = floor_fdatasync_ms(directory, given.payload)
        (port,) = free_ports(1)
        with subprocess.Popen([sys.executable, __file__, "--echo", str(port)]) as server:
            echo_ms = uvloop.run(floor_echo_ms(port, bytes(given.payload)))
            server.kill()
        replicas = start(directory)
        leader = find_leader(replicas)
        before = [replica.cpu_s() for replica in replicas]
        answer = leader.ask(do="measure", seconds=given.seconds, payload=given.payload)
        spent = [replica.cpu_s() - cpu for replica, cpu in zip(replicas, before, strict=True)]
        for other in replicas:
            other.stop()
        floor_ms = sync_ms + echo_ms
        figures = {name: float(str(value)) for name, value in answer.items()}
        print(f"floor: fdatasync           p50 {sync_ms:8.3f} ms")
        print(f"floor: grpc.aio echo       p50 {echo_ms:8.3f} ms")
        print(
            f"commit, one at a time      p50 {figures['commit_p50_ms']:8.3f} ms"
            f"   p99 {figures['commit_p99_ms']:8.3f} ms"
            f"   {figures['commit_p50_ms'] / floor_ms:5.2f}x the floors' sum"
        )
        print(f"read barrier at the leader p50 {figures['barrier_p50_ms']:8.3f} ms")
        print(
            f"commit, {IN_FLIGHT} in flight      p50 {figures['at_64_p50_ms']:8.3f} ms"
            f"   p99 {figures['at_64_p99_ms']:8.3f} ms"
            f"   {figures['rate_at_64_per_s']:8.0f} /s"
        )
        print("CPU seconds per replica:", " ".join(f"{cpu:.1f}" for cpu in spent))
        if given.failover:
            taken = failover_ms(directory, given.failover)
            print(
                f"leader SIGKILL to next commit: p50 {percentile(taken, 50):.0f} ms, "
                f"worst {max(taken):.0f} ms of {len(taken)}"
            )


if __name__ == "__main__":
    main()
