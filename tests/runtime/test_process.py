"""Clocks, log lines, stop signals, the refusal to run without assertions, loopback addresses."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import structlog

from director.runtime import clock, logs
from director.runtime.loopback import NotLoopbackError, ensure_loopback
from director.runtime.signals import assert_debug, stop_event


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)


def test_boot_time_never_goes_back_and_its_two_units_agree() -> None:
    before_ns, at_ms, after_ns = clock.boot_ns(), clock.boot_ms(), clock.boot_ns()

    assert before_ns // 1_000_000 <= at_ms <= after_ns // 1_000_000


def test_wall_time_counts_milliseconds_since_1970() -> None:
    # After 2024 and before 2100.
    assert 1_700_000_000_000 < clock.wall_ms() < 4_102_444_800_000


def test_a_log_line_is_one_json_object_with_what_the_process_bound(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure(json=True, level="info", replica_id="d0")

    log = logs.get_logger(term=3)
    log.info("leadership_gained", index=7)
    log.debug("ticked")

    [line] = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert said.pop("at").endswith("Z")
    assert said == {
        "event": "leadership_gained",
        "level": "info",
        "replica_id": "d0",
        "term": 3,
        "index": 7,
    }


def test_lines_from_other_threads_carry_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=True, agent_id="lhr")

    thread = threading.Thread(target=lambda: logs.get_logger().warning("storage_failed"))
    thread.start()
    thread.join()

    assert json.loads(capsys.readouterr().err)["agent_id"] == "lhr"


def test_lines_of_the_standard_library_come_out_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure(json=True, level="warning", replica_id="d0")

    logging.getLogger("asyncio").warning("slow callback %d", 7)
    logging.getLogger("asyncio").info("not this")

    [line] = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["level"]) == ("slow callback 7", "warning")
    assert said["replica_id"] == "d0"


def test_a_raised_error_is_logged_with_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=True)
    try:
        os.close(-1)
    except OSError:
        logs.get_logger().exception("storage_failed")

    assert "OSError: [Errno 9]" in json.loads(capsys.readouterr().err)["exception"]


def test_key_value_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=False, replica_id="d0")

    logs.get_logger().info("service_moved", epoch=4)

    line = capsys.readouterr().err
    assert "level='info' event='service_moved'" in line
    assert "epoch=4" in line


def test_without_a_terminal_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()

    logs.get_logger().info("started")

    assert json.loads(capsys.readouterr().err)["event"] == "started"


def test_a_line_that_cannot_be_written_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def isatty(self) -> bool:
            return False

        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    logs.configure(json=True)

    logs.get_logger().error("storage_failed")


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="none of debug, info, warning, error"):
        logs.configure(level="loud")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_the_second_ends(number: signal.Signals) -> None:
    async def main() -> None:
        event = stop_event()
        assert not event.is_set()
        os.kill(os.getpid(), number)
        await asyncio.wait_for(event.wait(), 5)
        # asyncio gives back what Python had: Ctrl-C raises, SIGTERM ends the process.
        expected = (signal.default_int_handler, signal.SIG_DFL)
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == expected

    asyncio.run(main())


def test_a_process_without_assertions_does_not_start() -> None:
    assert_debug()
    with pytest.raises(SystemExit, match="start without -O"):
        assert_debug(debug=False)
    program = "from director.runtime.signals import assert_debug; assert_debug()"
    run = subprocess.run(
        [sys.executable, "-O", "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert run.returncode == 1
    assert b"assertions are switched off" in run.stderr


@pytest.mark.parametrize(
    ("address", "listened_on"),
    [
        ("127.0.0.1:7440", "127.0.0.1:7440"),
        ("127.8.0.1:0", "127.8.0.1:0"),
        ("localhost:7440", "127.0.0.1:7440"),
        ("[::1]:7440", "[::1]:7440"),
        ("[::ffff:7f00:1]:1", "[::ffff:127.0.0.1]:1"),
        ("unix:/run/director.sock", "unix:/run/director.sock"),
    ],
)
def test_loopback_addresses_are_listened_on(address: str, listened_on: str) -> None:
    assert ensure_loopback(address) == listened_on


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0:7440",
        "[::]:7440",
        "10.0.0.1:7440",
        "192.0.2.1:1",
        "[::ffff:10.0.0.1]:1",
        "[fe80::1]:1",
        "example.com:7440",
        "localhost.example.com:7440",
        "2130706433:1",
    ],
)
def test_what_others_could_reach_is_refused(address: str) -> None:
    with pytest.raises(NotLoopbackError) as caught:
        ensure_loopback(address)
    assert str(caught.value) == (
        f"{address} is not loopback; listeners are loopback-only until TLS is configured"
    )


@pytest.mark.parametrize(
    "address", ["", "7440", ":7440", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:7440"]
)
def test_what_is_no_address_is_refused_as_such(address: str) -> None:
    with pytest.raises(ValueError, match="is not host:port") as caught:
        ensure_loopback(address)
    assert not isinstance(caught.value, NotLoopbackError)


def test_a_stop_that_is_stuck_ends_all_the_same_and_shows_where() -> None:
    program = (
        "import sys, threading\n"
        "from director.runtime.signals import exit_if_stuck\n"
        "exit_if_stuck(200, 70, lambda: sys.stderr.write('overdue\\n') and None)\n"
        "threading.Event().wait()\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, timeout=30
    )

    assert ended.returncode == 70
    assert b"overdue" in ended.stderr
    assert b"most recent call first" in ended.stderr


def test_a_stop_in_good_time_is_left_alone() -> None:
    program = (
        "from director.runtime.signals import exit_if_stuck\n"
        "exit_if_stuck(60_000, 70, lambda: None)\n"
    )

    assert subprocess.run([sys.executable, "-c", program], check=True, timeout=30).returncode == 0
