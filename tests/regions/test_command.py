"""The command itself: help, faults and exit codes, and what a SIGKILL leaves behind."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.agent.fake_director import FakeDirector
from tests.regions.agents import a_config, http_get
from tests.regions.backends import OK, a_free_address, a_table, answering, eventually

ROOT = Path(__file__).parents[2]
ENV = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"}
COMMAND = (sys.executable, "-m", "regions")


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *flags], env=ENV, capture_output=True, text=True, check=False, timeout=30
    )


@pytest.mark.integration
@pytest.mark.slow
def test_help_shows_an_example_that_works() -> None:
    ended = run("--help")

    assert ended.returncode == 0
    assert "python -m regions --config agent.yaml" in ended.stdout


@pytest.mark.integration
@pytest.mark.slow
def test_a_faulty_file_is_refused_with_every_fault_and_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    text = a_config(tmp_path, "127.0.0.1:80").replace("rise: 2", "rise: x")
    path.write_text(text.replace("id: agent", "id: Agent"))
    line = text.splitlines().index("    rise: x") + 1

    ended = run("--config", str(path))

    assert ended.returncode == 2
    first, second = ended.stderr.splitlines()
    assert first.startswith(f"{path}:2: id: 'Agent' is not a name")
    assert second.startswith(f"{path}:{line}: services.0.rise: ")
    assert ended.stdout == ""


@pytest.mark.integration
@pytest.mark.slow
def test_check_reads_the_file_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(a_config(tmp_path, "127.0.0.1:80"))

    ended = run("--config", str(path), "--check", "--region", "us-east1")

    assert (ended.returncode, ended.stdout) == (0, f"{path}: ok\n")
    assert not (tmp_path / "agent").exists()


@pytest.mark.integration
@pytest.mark.slow
def test_damaged_tokens_stop_the_agent_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(a_config(tmp_path, "127.0.0.1:80"))
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "tokens").write_bytes(b"no such thing")

    ended = run("--config", str(path), "--log-json")

    assert ended.returncode == 1
    said = json.loads(ended.stderr.splitlines()[-1])
    assert (said["event"], said["reason"]) == ("agent_not_started", "FILE_CORRUPT")
    # It is left as it was, for whoever looks into it.
    assert (tmp_path / "agent" / "tokens").read_bytes() == b"no such thing"


class Agents:
    """Starts the command again and again on one configuration."""

    def __init__(self, directory: Path, backend: str, director: str) -> None:
        http = a_free_address()
        self.port = int(http.rpartition(":")[2])
        self.path = directory / "agent.yaml"
        text = a_config(directory, backend, [director])
        self.path.write_text(text.replace('http: "127.0.0.1:0"', f'http: "{http}"'))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run one; it is killed at the end unless it ended before."""
        process = await asyncio.create_subprocess_exec(*COMMAND, "--config", self.path, env=ENV)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def gate_is(self, status: int, reason: str = "") -> dict[str, object]:
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(OSError):
                    answered, answer = await http_get(self.port, "/gate/chat")
                    if answered == status and answer["reason"] == reason:
                        found: dict[str, object] = answer
                        return found
                await asyncio.sleep(0.02)


@pytest.mark.integration
@pytest.mark.slow
def test_a_killed_agent_finds_its_tokens_and_routes_again_and_starts_closed(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        director = FakeDirector(table=a_table())
        address = await director.start()
        async with answering(OK) as backend:
            agents = Agents(tmp_path, backend, address)
            async with agents.running():
                director.direct(3, "eu-west1")
                await agents.gate_is(200)
                await eventually((tmp_path / "agent" / "routes").exists)
            await director.stop()

            async with agents.running():
                # Home by its own tokens, but nobody granted it anything.
                answer = await agents.gate_is(423, "NO_LEASE")
                assert answer["home_region_id"] == "eu-west1"
                status, found = await http_get(agents.port, "/resolve?service=chat")
                assert (status, found["source"]) == (200, "SOURCE_KEPT")

                again = FakeDirector()
                await again.start(address)
                await agents.gate_is(200)
                assert again.leases[0].token.epoch == 3
                assert not again.leases[0].is_holding
                assert again.hellos[0].boot_id != director.hellos[0].boot_id
                await again.stop()

    asyncio.run(story())


@pytest.mark.integration
@pytest.mark.slow
def test_a_terminated_agent_ends_with_0_even_while_its_director_goes_away(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        director = FakeDirector()
        address = await director.start()
        async with answering(OK) as backend:
            agents = Agents(tmp_path, backend, address)
            async with agents.running() as process:
                director.direct(3, "eu-west1")
                await agents.gate_is(200)

                process.send_signal(signal.SIGTERM)
                await director.stop()

                async with asyncio.timeout(10):
                    assert await process.wait() == 0

    asyncio.run(story())
