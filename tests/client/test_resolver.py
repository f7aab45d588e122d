"""The SDK resolves in process, asks a director when it must, and hides that one of them is gone."""

import asyncio
import threading
from pathlib import Path

import pytest

from director.client.errors import PositionError, RefusedError, UnreachableError
from director.client.resolver import Question, Resolver, SyncResolver
from director.client.watch import Source
from tests.client.serving import Door, doors, open_door, until
from tests.support.route_tables import a_service, a_table

PARIS = (48.85, 2.35)


def test_a_resolver_answers_in_process_once_it_has_a_table() -> None:
    async def story() -> None:
        async with doors(1) as (door,):
            door.publish(a_table(a_service("chat")))
            async with Resolver([door.address]) as resolver:
                await until(lambda: resolver.table is not None)
                await door.stop()

                resolved = await resolver.resolve(Question("chat", location=PARIS))

                assert resolved.answer.region_id == "eu-west1"
                assert resolved.source is Source.FRESH

    asyncio.run(story())


def test_before_the_first_table_a_director_is_asked_and_then_another() -> None:
    async def story() -> None:
        async with doors(1) as (door,):
            door.answerer.adopt_table(a_table(a_service("chat")))  # answers, but sends no table
            async with Resolver(["127.0.0.1:1", door.address]) as resolver:
                resolved = await resolver.resolve(Question("chat", location=PARIS))

                assert resolver.table is None
                assert resolved.answer.region_id == "eu-west1"

    asyncio.run(story())


def test_a_refusal_is_not_asked_again_elsewhere_and_keeps_its_reason() -> None:
    async def story() -> None:
        async with doors(2) as opened:
            for door in opened:
                door.answerer.adopt_table(a_table(a_service("chat")))
            async with Resolver([door.address for door in opened]) as resolver:
                with pytest.raises(RefusedError) as raised:
                    await resolver.resolve(Question("chta"))
                assert raised.value.reason == "SERVICE_NOT_FOUND"
                with pytest.raises(PositionError) as located:
                    await resolver.resolve(Question("chat", location=(float("nan"), 0.0)))
                assert located.value.field == "location.lat"

    asyncio.run(story())


def test_with_nobody_to_ask_the_error_names_every_address() -> None:
    async def story() -> None:
        async with Resolver(["127.0.0.1:1", "127.0.0.1:2"]) as resolver:
            with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1: .*127\.0\.0\.1:2: "):
                await resolver.resolve(Question("chat"))

    asyncio.run(story())


def test_an_address_is_resolved_without_its_place_when_no_director_can_locate_it() -> None:
    async def story() -> None:
        async with doors(1) as (door,):
            door.publish(a_table(a_service("chat")))
            async with Resolver([door.address]) as resolver:
                await until(lambda: resolver.table is not None)
                await door.stop()

                resolved = await resolver.resolve(Question("chat", address="192.0.2.7"))

                assert resolved.answer.reason == "NO_POSITION"

    asyncio.run(story())


class DoorThread:
    """A door on an event loop of its own, for code that has none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.door: Door = asyncio.run_coroutine_threadsafe(open_door(), self._loop).result()
        self.door_publish(a_table(a_service("chat")))

    def door_publish(self, table: object) -> None:
        async def publish() -> None:
            self.door.publish(table)  # type: ignore[arg-type]

        asyncio.run_coroutine_threadsafe(publish(), self._loop).result()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.door.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def test_the_sync_resolver_answers_from_any_thread(tmp_path: Path) -> None:
    server = DoorThread()
    try:
        with SyncResolver([server.door.address], kept_path=tmp_path / "kept") as resolver:
            regions: list[str] = []

            def ask() -> None:
                for _ in range(50):
                    resolved = resolver.resolve(Question("chat", location=PARIS))
                    regions.append(resolved.answer.region_id)

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

            assert regions == ["eu-west1"] * 200
    finally:
        server.close()


def test_a_sync_resolver_can_be_closed_twice() -> None:
    resolver = SyncResolver(["127.0.0.1:1"])

    resolver.close()
    resolver.close()
