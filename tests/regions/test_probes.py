"""Probes against real local servers: what passes, what fails, and that nothing lingers."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from director.routing.table import RegionId, ServiceId
from director.runtime.clock import boot_ms
from regions.core.readings import ProbeKind, ProbeSpec, ProbeTarget
from regions.probes.execp import OUTPUT_BYTES_MAX
from regions.probes.lag import LagSpec, measure_lag, parse_lag
from regions.probes.outcome import ProbeOutcome
from regions.probes.run import run_probe
from regions.probes.tcp import host_and_port
from tests.regions.backends import OK, a_free_address, answering


def probe(address: str, spec: ProbeSpec, timeout_ms: int = 2_000) -> ProbeTarget:
    return ProbeTarget(
        ServiceId("chat"), RegionId("eu-north1"), address, spec, timeout_ms=timeout_ms
    )


def http(answer: bytes | None, path: str = "/healthz", timeout_ms: int = 2_000) -> ProbeOutcome:
    async def story() -> ProbeOutcome:
        async with answering(answer) as address:
            return await run_probe(probe(address, ProbeSpec(ProbeKind.HTTP, path), timeout_ms))

    return asyncio.run(story())


def command(*argv: str, timeout_ms: int = 10_000) -> ProbeOutcome:
    spec = ProbeSpec(ProbeKind.EXEC, command=argv)
    return asyncio.run(run_probe(probe("", spec, timeout_ms)))


def python(program: str, timeout_ms: int = 10_000) -> ProbeOutcome:
    return command(sys.executable, "-S", "-c", program, timeout_ms=timeout_ms)


def test_http_2xx_passes_and_says_how_long_connecting_took() -> None:
    outcome = http(b"HTTP/1.1 204 No Content\r\n\r\n")

    assert outcome.passed
    assert outcome.rtt_us is not None
    assert 0 < outcome.rtt_us < 2_000_000


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "status 503, expected 2xx"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "status 302, expected 2xx"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "status 100, expected 2xx"),
        (b"", "hung up after 0 bytes"),
        (b"HTTP/1.1 2", "hung up after 10 bytes"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not an HTTP status line: b'SSH-2.0-OpenSSH_9.6'"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "not an HTTP status line: b'HTTP/1.1 20 OK'"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "not an HTTP status line: b'HTTP/2.0 200 OK'"),
        (b"x" * 100_000 + b"\r\n", "head of more than 16384 bytes"),
        (b"HTTP/1.1 200 " + b"x" * 20_000 + b"\r\n", "head of more than 16384 bytes"),
    ],
)
def test_http_anything_else_fails_and_says_what_it_was(answer: bytes, detail: str) -> None:
    outcome = http(answer)

    assert (outcome.passed, outcome.detail) == (False, detail)


def test_http_silence_fails_at_the_deadline() -> None:
    outcome = http(None, timeout_ms=60)

    assert outcome == ProbeOutcome(passed=False, detail="no answer in 60 ms")


@pytest.mark.parametrize("path", ["healthz", "/a b", "/a\r\nX: y", "/\u00e9"])
def test_http_a_path_that_would_change_the_request_is_refused(path: str) -> None:
    assert "is not a path" in http(OK, path=path).detail


def test_a_port_that_nobody_listens_on_fails_whatever_the_kind() -> None:
    for kind in (ProbeKind.HTTP, ProbeKind.TCP, ProbeKind.GRPC):
        outcome = asyncio.run(run_probe(probe(a_free_address(), ProbeSpec(kind, "/"))))
        assert not outcome.passed
        assert "refused" in outcome.detail or "Connect call failed" in outcome.detail


def test_tcp_passes_when_the_connection_is_accepted() -> None:
    async def story() -> ProbeOutcome:
        async with answering(None) as address:
            return await run_probe(probe(address, ProbeSpec(ProbeKind.TCP)))

    outcome = asyncio.run(story())
    assert outcome.passed
    assert outcome.rtt_us is not None


@pytest.mark.parametrize("address", ["", "x", "host:", ":80", "host:0", "host:65536", "h:8o"])
def test_an_address_that_is_not_one_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="is not host:port"):
        host_and_port(address)


def test_an_ipv6_address_loses_its_brackets() -> None:
    assert host_and_port("[::1]:80") == ("::1", 80)


def test_grpc_follows_the_health_service() -> None:
    async def story() -> list[tuple[bool, str]]:
        server = grpc.aio.server()
        servicer = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        serving = health_pb2.HealthCheckResponse.SERVING
        await servicer.set("chat", serving)
        await servicer.set("embed", health_pb2.HealthCheckResponse.NOT_SERVING)
        outcomes = [
            await run_probe(probe(f"127.0.0.1:{port}", ProbeSpec(ProbeKind.GRPC, name)))
            for name in ("chat", "embed", "unknown")
        ]
        await server.stop(0)
        return [(each.passed, each.detail) for each in outcomes]

    assert asyncio.run(story()) == [(True, ""), (False, "NOT_SERVING"), (False, "NOT_FOUND")]


def test_grpc_fails_when_the_port_speaks_something_else() -> None:
    async def story() -> ProbeOutcome:
        async with answering(OK) as address:
            return await run_probe(probe(address, ProbeSpec(ProbeKind.GRPC), timeout_ms=1_000))

    assert not asyncio.run(story()).passed


def test_exec_passes_when_the_program_ends_with_0() -> None:
    assert python("pass") == ProbeOutcome(passed=True)
    assert python("raise SystemExit(3)") == ProbeOutcome(passed=False, detail="ended with 3")


def test_exec_a_program_that_does_not_exist_fails() -> None:
    assert not command("/nonexistent/program").passed


def test_exec_no_shell_reads_the_command() -> None:
    program = "import sys; raise SystemExit(sys.argv[1] != '$HOME; exit 9')"
    assert command(sys.executable, "-S", "-c", program, "$HOME; exit 9").passed


def test_exec_a_program_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = (
        "import os, time\n"
        "child = os.fork()\n"
        f"if child: open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child}}')\n"
        "time.sleep(600)\n"
    )

    outcome = python(program, timeout_ms=3_000)

    assert outcome.detail == "no answer in 3000 ms"
    for pid in pids.read_text().split():
        # The signal was sent; when the kernel gets to it is not the probe's to say.
        deadline_ms = boot_ms() + 10_000
        while _is_running(int(pid)) and boot_ms() < deadline_ms:
            time.sleep(0.005)
        assert not _is_running(int(pid))


def _is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    # A child of a killed program is reaped by init, when that gets to it.
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_exec_a_program_that_prints_without_end_is_killed() -> None:
    outcome = python("while True: print('x' * 1000)")

    assert outcome.detail == f"printed more than {OUTPUT_BYTES_MAX} bytes"


def test_exec_a_child_that_left_the_group_and_holds_the_output_does_not_hold_the_probe(
    tmp_path: Path,
) -> None:
    pid = tmp_path / "pid"
    program = (
        "import os, time\n"
        "if not os.fork():\n"
        "    os.setsid()\n"
        f"    open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
        "    time.sleep(600)\n"
        f"while not os.path.exists({str(pid)!r}): time.sleep(0.01)\n"
        "while True: print('x' * 1000)\n"
    )

    outcome = python(program, timeout_ms=20_000)

    os.kill(int(pid.read_text()), signal.SIGKILL)
    assert outcome.detail == f"printed more than {OUTPUT_BYTES_MAX} bytes"


def test_exec_leaves_no_zombies() -> None:
    python("import time; time.sleep(600)", timeout_ms=100)

    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize(
    ("text", "lag_ms"),
    [
        (b"0", 0),
        (b"  1500\n", 1_500),
        (b"12.2", 13),
        (b'{"lag_ms": 7, "more": "x"}', 7),
        (b"-1", None),
        (b"", None),
        (b"null", None),
        (b"true", None),
        (b"unknown", None),
        (b"NaN", None),
        (b"Infinity", None),
        (b"1e99", None),
        (b'"5"', None),
        (b'{"lag": 5}', None),
        (b'{"lag_ms": true}', None),
        (b"[5]", None),
        (b"[" * 4_000, None),
        (b"4294967296", None),
        (b"4294967295", 4_294_967_295),
        (b"5" + b" " * 5_000, None),
    ],
)
def test_lag_is_a_number_of_milliseconds_or_unknown(text: bytes, lag_ms: int | None) -> None:
    assert parse_lag(text) == lag_ms


def lag_of(answer: bytes | None) -> int | None:
    async def story() -> int | None:
        async with answering(answer) as address:
            return await measure_lag(LagSpec(address=address, path="/lag", timeout_ms=500))

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("answer", "lag_ms"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n300", 300),
        (b"HTTP/1.1 200 OK\r\n\r\n300", 300),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n30\r\n1\r\n0\r\n0\r\n\r\n",
            300,
        ),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 3\r\n\r\n300", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n300", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n300", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n300", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n300", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", None),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"1" * 70_000, None),
        (None, None),
    ],
)
def test_lag_over_http(answer: bytes | None, lag_ms: int | None) -> None:
    assert lag_of(answer) == lag_ms


def test_lag_of_a_program() -> None:
    def measured(program: str) -> int | None:
        spec = LagSpec(command=(sys.executable, "-S", "-c", program), timeout_ms=10_000)
        return asyncio.run(measure_lag(spec))

    assert measured("print(42)") == 42
    assert measured("print(42); raise SystemExit(1)") is None
