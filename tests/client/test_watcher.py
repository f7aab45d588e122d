"""The watcher follows any director, never goes back, and outlives all of them (R7, R8)."""

import asyncio
from pathlib import Path

import pytest

from director.client.kept import Kept, KeptTable
from director.client.watch import RouteWatcher, Source, WatchTuning
from director.routing.compiled import CompiledTable
from director.runtime.clock import wall_ms
from tests.client.serving import doors, open_door, until
from tests.support.route_tables import a_service, a_table

QUICK = WatchTuning(staleness_bound_ms=300, silence_ms=1_000, backoff_base_ms=10, backoff_cap_ms=50)


def revision_of(watcher: RouteWatcher) -> int:
    return 0 if watcher.table is None else watcher.table.revision


def test_a_watcher_follows_changes_and_tells_its_owner() -> None:
    async def story() -> None:
        seen: list[int] = []

        def on_table(compiled: CompiledTable) -> None:
            seen.append(compiled.table.revision)

        async with doors(1) as (door,):
            door.publish(a_table(a_service("chat"), revision=1))
            async with RouteWatcher([door.address], on_table, tuning=QUICK) as watcher:
                await until(lambda: revision_of(watcher) == 1)
                door.publish(a_table(a_service("chat", owner="us-east1"), revision=2))
                await until(lambda: revision_of(watcher) == 2)
                assert watcher.table == door.hub.table

        assert seen == [1, 2]

    asyncio.run(story())


def test_a_watcher_goes_to_another_director_when_its_own_is_gone() -> None:
    async def story() -> None:
        async with doors(2) as opened:
            for door in opened:
                door.publish(a_table(a_service("chat"), revision=1))
            addresses = [door.address for door in opened]
            async with RouteWatcher(addresses, tuning=QUICK) as watcher:
                await until(lambda: watcher.connected_to)
                gone = next(each for each in opened if each.address == watcher.connected_to)
                other = next(each for each in opened if each is not gone)

                await gone.stop()
                other.publish(a_table(a_service("chat", owner="us-east1"), revision=2))

                await until(lambda: revision_of(watcher) == 2)
                assert watcher.connected_to == other.address

    asyncio.run(story())


def test_a_watcher_never_goes_back_when_it_meets_a_director_that_is_behind() -> None:
    async def story() -> None:
        async with doors(2) as (ahead, behind):
            ahead.publish(a_table(a_service("chat", owner="us-east1"), revision=9))
            seen: list[int] = []
            watcher = RouteWatcher(
                [ahead.address, behind.address],
                lambda compiled: seen.append(compiled.table.revision),
                tuning=QUICK,
            )
            async with watcher:
                # One without any table does not keep it from the one that has one.
                await until(lambda: revision_of(watcher) == 9)
                behind.publish(a_table(a_service("chat"), revision=4))
                await ahead.stop()
                # The one behind says nothing about the table held, not even that it is recent.
                await until(lambda: watcher.source() is Source.STALE)
                assert revision_of(watcher) == 9

                behind.publish(a_table(a_service("chat", owner="eu-west1"), revision=10))
                await until(lambda: revision_of(watcher) == 10)
                await until(lambda: watcher.source() is Source.FRESH)

            assert seen == sorted(seen)

    asyncio.run(story())


def test_a_kept_table_answers_with_every_director_gone_and_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "routes.kept"
        table = a_table(a_service("chat"), revision=5)
        async with doors(1) as (door,):
            door.publish(table)
            async with RouteWatcher([door.address], kept_path=path, tuning=QUICK) as watcher:
                await until(path.exists)
            address = door.address

        async with RouteWatcher([address], kept_path=path, tuning=QUICK) as watcher:
            assert watcher.table == table
            assert watcher.source() is Source.KEPT

            # The directors come back on the same address.
            door = await open_door(int(address.rpartition(":")[2]))
            try:
                door.publish(table)
                await until(lambda: watcher.source() is Source.FRESH)
            finally:
                await door.stop()

    asyncio.run(story())


def test_a_kept_table_is_as_old_as_its_file(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "routes.kept"
        KeptTable(path).save(Kept(a_table(), wall_ms() - 60_000))
        async with RouteWatcher(["127.0.0.1:1"], kept_path=path, tuning=QUICK) as watcher:
            assert watcher.view_age_ms() >= 60_000

    asyncio.run(story())


@pytest.mark.parametrize("damage", [b"", b"not a kept file at all, whatever it says"])
def test_a_damaged_kept_file_is_left_alone_and_not_believed(tmp_path: Path, damage: bytes) -> None:
    async def story() -> None:
        path = tmp_path / "routes.kept"
        path.write_bytes(damage)
        async with RouteWatcher(["127.0.0.1:1"], kept_path=path, tuning=QUICK) as watcher:
            assert watcher.table is None
        assert path.read_bytes() == damage

    asyncio.run(story())


def test_the_age_of_the_view_is_the_senders_and_the_time_since() -> None:
    async def story() -> None:
        async with doors(1) as (door,):
            door.age_ms = 250
            door.publish(a_table(a_service("chat")))
            async with RouteWatcher([door.address], tuning=QUICK) as watcher:
                await until(lambda: watcher.table is not None)
                assert watcher.view_age_ms() >= 250

                door.age_ms = 10_000
                await until(lambda: watcher.source() is Source.STALE)

    asyncio.run(story())


def test_only_the_services_asked_for_arrive() -> None:
    async def story() -> None:
        async with doors(1) as (door,):
            door.publish(a_table(a_service("chat"), a_service("embed")))
            watcher = RouteWatcher([door.address], service_ids=["embed"], tuning=QUICK)
            async with watcher:
                await until(lambda: watcher.table is not None)
                assert watcher.table is not None
                assert [each.service_id for each in watcher.table.services] == ["embed"]

    asyncio.run(story())


def test_waiting_for_a_table_ends_without_one_when_nobody_answers() -> None:
    async def story() -> None:
        async with RouteWatcher(["127.0.0.1:1"], tuning=QUICK) as watcher:
            assert await watcher.wait_for_table(timeout_ms=50) is None

    asyncio.run(story())
