"""Starts a director replica, or a bare gRPC server, as a process of its own for the benchmarks."""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import PIPE, Popen

ROOT = Path(__file__).resolve().parents[1]
for folder in (ROOT, ROOT / "protos"):
    sys.path.insert(0, str(folder))


def free_port() -> int:
    """A port that nothing listens at just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def spawn(script: str, *arguments: str) -> Popen[bytes]:
    """Start a benchmark script in its server role and wait until it says that it is ready."""
    process = Popen([sys.executable, script, *arguments], stdout=PIPE, stderr=None)
    assert process.stdout is not None
    line = process.stdout.readline()
    if line.strip() != b"ready":
        process.kill()
        raise RuntimeError(f"{script} {' '.join(arguments)} did not start: {line!r}")
    return process


def cpu_s(process: Popen[bytes]) -> float:
    """CPU seconds that the process has used."""
    import psutil  # noqa: PLC0415 - only the parent measures

    times = psutil.Process(process.pid).cpu_times()
    return times.user + times.system


def stop(process: Popen[bytes]) -> None:
    """End a process started by ``spawn``."""
    process.terminate()
    try:
        process.wait(10)
    except TimeoutError:
        process.kill()
    if process.stdout is not None:
        process.stdout.close()


def say_ready() -> None:
    """Tell the parent."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def run_uvloop(main: Callable[[], Awaitable[None]]) -> None:
    """Run a coroutine on the event loop that replicas use."""
    import uvloop  # noqa: PLC0415

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())  # type: ignore[arg-type]


def percentile(values: list[float], per_cent: float) -> float:
    """The value below which ``per_cent`` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * per_cent / 100))]


def role_parser(doc: str | None) -> argparse.ArgumentParser:
    """Arguments that all benchmarks share."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--serve", default="", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    return parser


def now_s() -> float:
    """Seconds of a clock that never goes back."""
    return time.perf_counter()
