"""The socket through which a drill loses regions of a running fleet."""

import asyncio
import contextlib
import json
import signal
import stat
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from director.dev.control import ControlError, ControlServer, RemoteFaults, find_faults
from director.dev.plan import plan_fleet
from director.dev.supervisor import Fleet, How


class StillFleet(Fleet):
    """A fleet whose processes are only names: it notes what would have been done to them."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(plan_fleet(7440), data_dir)
        self.done: list[tuple[str, ...]] = []
        self.restored = asyncio.Event()

    def restore(self, region_id: str) -> None:
        super().restore(region_id)
        self.restored.set()

    def start(self, names: Iterable[str] | None = None) -> None:
        self.done.append(("start", *(names or ())))

    def signal(self, names: Iterable[str], number: signal.Signals) -> None:
        self.done.append((number.name, *names))


@contextlib.asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[StillFleet, ControlServer]]:
    fleet = StillFleet(folder / "director-dev-1")
    try:
        async with ControlServer(fleet) as server:
            yield fleet, server
    finally:
        await fleet.stop()


def test_a_region_is_lost_and_restored_through_the_socket(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (fleet, server):
            faults = await RemoteFaults.connect(server.path)
            loss = await faults.lose("eu-west1", How.STOP)

            assert loss.processes == ("d0", "eu-west1/agent", "eu-west1/sample")
            assert fleet.done == [("SIGSTOP", *loss.processes)]
            await faults.restore("eu-west1")
            assert fleet.done[-1] == ("SIGCONT", *loss.processes)
            await faults.close()

    asyncio.run(story())


def test_what_a_connection_lost_comes_back_when_it_closes(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (fleet, server):
            faults = await RemoteFaults.connect(server.path)
            await faults.lose("eu-west1", How.AGENT)
            await faults.close()

            async with asyncio.timeout(5):
                await fleet.restored.wait()
            assert fleet.done == [("SIGKILL", "eu-west1/agent"), ("start", "eu-west1/agent")]

    asyncio.run(story())


def test_the_layout_comes_through_whole_and_only_its_owner_may_open_the_socket(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with served(tmp_path) as (fleet, server):
            faults = await RemoteFaults.connect(server.path)

            assert faults.layout.api_addresses == fleet.plan.api_addresses
            assert faults.layout.replicas_by_region["ap-south1"] == ()
            assert faults.layout.replicas_by_region["us-east1"] == ("d2",)
            assert stat.S_IMODE(server.path.stat().st_mode) == 0o600
            await faults.close()
        assert not server.path.exists()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"not json\n", "JSON"),
        (b"[]\n", "do is one of"),
        (b'{"do": "lose", "region": "eu-west1", "how": "flood"}\n', "do is one of"),
        (b'{"do": "lose", "region": "mars", "how": "kill"}\n', "no region mars"),
        (b"x" * 70_000 + b"\n", "at most"),
    ],
)
def test_a_line_that_cannot_be_used_is_answered_and_does_nothing(
    tmp_path: Path, line: bytes, message: str
) -> None:
    async def story() -> None:
        async with served(tmp_path) as (fleet, server):
            reader, writer = await asyncio.open_unix_connection(str(server.path))
            writer.write(line)
            answer = json.loads(await reader.readline())
            writer.close()

            assert answer["ok"] is False
            assert message in answer["message"]
            assert fleet.done == []

    asyncio.run(story())


def test_a_region_cannot_be_lost_twice(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (_, server):
            faults = await RemoteFaults.connect(server.path)
            await faults.lose("us-east1", How.KILL)

            with pytest.raises(ControlError, match="lost already"):
                await faults.lose("us-east1", How.KILL)
            await faults.close()

    asyncio.run(story())


def test_a_fleet_is_found_by_the_addresses_of_its_directors_and_no_other_is(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (fleet, _):
            mine = await find_faults([fleet.plan.api_addresses[1]], None, folder=tmp_path)
            other = await find_faults(["127.0.0.1:9999"], None, folder=tmp_path)

            assert mine is not None
            assert other is None
            await mine.close()

    asyncio.run(story())


def test_a_socket_that_was_named_and_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no fleet answers"):
        asyncio.run(find_faults([], tmp_path / "nothing"))


def test_a_path_too_long_for_a_socket_is_refused_with_its_limit(tmp_path: Path) -> None:
    async def story() -> None:
        folder = tmp_path / ("x" * 100)
        folder.mkdir()
        fleet = StillFleet(folder)
        with pytest.raises(ControlError, match="107 bytes"):
            await ControlServer(fleet).__aenter__()
        await fleet.stop()

    asyncio.run(story())
