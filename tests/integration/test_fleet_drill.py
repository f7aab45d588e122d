"""`director dev` as a person runs it: one whole drill, and a stop that leaves nothing behind."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from director.runtime.clock import boot_ms

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(150)]

PORT_BASE = "23000"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path of this test's own for everything temporary: sockets allow 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="td-") as name:
        yield Path(name)


def _environment(folder: Path) -> dict[str, str]:
    # TMPDIR decides where the fleet lives, so that this test sees all of it and nothing else.
    config = str(folder / "contexts.yaml")
    return os.environ | {"TMPDIR": str(folder), "DIRECTOR_CONFIG": config}


def _start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "director", "dev", "--port-base", PORT_BASE, *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_environment(folder),
        start_new_session=True,
    )


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "director", *arguments],
        capture_output=True,
        text=True,
        env=_environment(folder),
        timeout=100,
        check=False,
        cwd=folder,
    )


def _alive(folder: Path) -> list[str]:
    """Command lines of the processes that belong to a fleet in ``folder``."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(folder) in line:
            found.append(line)
    return found


def _until_ready(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "Ctrl-C stops everything" in line:
            return said
    raise AssertionError("".join(said))


def _left(folder: Path) -> list[str]:
    return [each.name for each in folder.glob("director-dev-*")]


@pytest.mark.parametrize("more", [(), ("--tls",)], ids=["plain", "tls"])
def test_a_drill_passes_on_real_processes_and_leaves_nothing_behind(
    folder: Path, more: tuple[str, ...]
) -> None:
    process = _start(folder, "--drill", *more)
    output, _ = process.communicate(timeout=140)

    assert process.returncode == 0, output
    assert output.rstrip().splitlines()[-2] == "PASS", output
    for phase in ("inject", "detect", "decide", "fence", "promote", "publish", "served"):
        assert phase in output, output
    assert _alive(folder) == []
    assert _left(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_by_signal_ends_every_process_and_removes_the_directory(
    folder: Path, number: signal.Signals
) -> None:
    process = _start(folder)
    said = _until_ready(process)
    assert any("ready in" in line for line in said)
    assert len(_alive(folder)) >= 11

    process.send_signal(number)
    output, _ = process.communicate(timeout=30)

    assert process.returncode == 0, output
    assert _alive(folder) == []
    assert _left(folder) == []
    assert "dev" not in (folder / "contexts.yaml").read_text()


def test_an_interrupted_drill_restores_the_region_and_exits_130(folder: Path) -> None:
    process = _start(folder, "--drill")
    assert process.stdout is not None
    while "inject" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)

    assert process.returncode == 130, output
    assert "restoring eu-west1" in output
    assert _alive(folder) == []
    assert _left(folder) == []


@pytest.mark.parametrize("more", [(), ("--tls",)], ids=["plain", "tls"])
def test_what_a_running_fleet_suggests_works_and_nothing_outlives_a_killed_supervisor(
    folder: Path, more: tuple[str, ...]
) -> None:
    process = _start(folder, *more)
    try:
        said = _until_ready(process)
        suggested = [shlex.split(line)[1:] for line in said if line.startswith("  director ")]
        assert len(suggested) == 6
        answers = []
        for arguments in suggested:
            done = _run(folder, *arguments)
            assert done.returncode == 0, (arguments, done.stdout, done.stderr)
            answers.append(done.stdout)
        # A drill that the directors carry out, and at last one with real processes.
        assert answers[3].startswith("PASS   RTO ")
        assert "PASS" in answers[-1].splitlines()
        nowhere = _run(folder, "dev", "drill", "chat", "--lose", "ap-south1")
        assert nowhere.returncode == 2, nowhere.stdout + nowhere.stderr
        assert "it has: eu-north1, eu-west1, us-east1" in nowhere.stderr
        refused = _run(folder, "dev", "drill", "chat", "--lose", "us-east1")
        assert refused.returncode == 3, refused.stdout + refused.stderr
        assert "moves nothing" in refused.stdout
    finally:
        process.kill()
        process.communicate()

    # The kernel ends what the supervisor started; it needs no more than a moment.
    give_up_at_ms = boot_ms() + 10_000
    while _alive(folder) and boot_ms() < give_up_at_ms:
        time.sleep(0.05)
    assert _alive(folder) == []


def test_a_drill_without_a_director_says_so_and_exits_4(folder: Path) -> None:
    done = _run(folder, "drill", "run", "chat", "--endpoint", "127.0.0.1:9", "--how", "switchover")

    assert done.returncode == 4, done.stdout + done.stderr
    assert "no director answered" in done.stderr
