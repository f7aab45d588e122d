"""The fleet's processes: what is lost with a region, what is told, and what is left behind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from director.dev.plan import plan_fleet
from director.dev.supervisor import Fleet, FleetError, How, remove_leftovers
from director.runtime.directory_lock import DirectoryInUseError


@contextlib.asynccontextmanager
async def prepared(data_dir: Path) -> AsyncIterator[Fleet]:
    """A fleet of which nothing runs yet."""
    fleet = Fleet(plan_fleet(7440), data_dir)
    try:
        yield fleet
    finally:
        await fleet.stop()


def test_a_region_takes_its_replica_along_and_a_region_without_one_does_not(tmp_path: Path) -> None:
    async def story() -> None:
        async with prepared(tmp_path) as fleet:
            assert fleet.names_in("us-east1") == ["d2", "us-east1/agent", "us-east1/sample"]
            assert fleet.names_in("ap-south1") == ["ap-south1/agent", "ap-south1/sample"]
            assert fleet.lose("ap-south1", How.AGENT)[1] == ["ap-south1/agent"]

    asyncio.run(story())


def test_an_unknown_region_cannot_be_lost(tmp_path: Path) -> None:
    async def story() -> None:
        async with prepared(tmp_path) as fleet:
            with pytest.raises(FleetError, match="no region mars"):
                fleet.lose("mars", How.KILL)

    asyncio.run(story())


def test_a_process_that_ends_by_itself_is_told_once_with_its_last_words(tmp_path: Path) -> None:
    async def story() -> None:
        async with prepared(tmp_path) as fleet:
            fleet._children["d0"].arguments[1] = "no-such-command"
            fleet.start(["d0"])
            fleet.wait("d0")

            told = fleet.ended()
            assert len(told) == 1
            assert told[0].startswith("d0 ended with exit code 2")
            assert "no-such-command" in told[0]
            assert fleet.ended() == []

    asyncio.run(story())


def test_the_processes_of_a_lost_region_are_not_reported_as_ended(tmp_path: Path) -> None:
    async def story() -> None:
        async with prepared(tmp_path) as fleet:
            fleet.start(["eu-west1/sample"])
            fleet.lose("eu-west1", How.KILL)
            fleet.wait("eu-west1/sample")

            assert fleet.ended() == []
            assert fleet.running() == []

    asyncio.run(story())


def test_two_fleets_cannot_share_a_data_directory(tmp_path: Path) -> None:
    async def story() -> None:
        async with prepared(tmp_path):
            with pytest.raises(DirectoryInUseError):
                Fleet(plan_fleet(7440), tmp_path)

    asyncio.run(story())


def test_leftovers_of_a_killed_fleet_are_removed_and_a_living_fleets_directory_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "director-dev-gone" / "logs").mkdir(parents=True)
    (tmp_path / "unrelated").mkdir()

    async def story() -> None:
        living = Fleet(plan_fleet(7440))
        try:
            remove_leftovers()

            assert living.data_dir.parent == tmp_path
            assert living.data_dir.exists()
            assert not (tmp_path / "director-dev-gone").exists()
            assert (tmp_path / "unrelated").exists()
        finally:
            await living.stop()
        assert not living.data_dir.exists()

    asyncio.run(story())
