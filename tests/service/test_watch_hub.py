"""The hub's fan-out: the newest table to everyone, each step encoded once, nothing queued."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from director.client.wire import apply_delta, only_services, table_from_proto
from director.routing.table import RouteTable
from director.service.errors import DirectorError, ShuttingDownError, UnavailableError
from director.service.watch import STEPS_KEPT_MAX, RouteHub, Subscription, WatchTempo
from tests.support.route_tables import a_service, a_table, at_revision, route_tables
from trafficdirector.routing.v1 import routing_pb2 as pb

CALM = WatchTempo(beat_ms=60_000)


class Watcher:
    """Takes steps like a client, and can be told not to read."""

    def __init__(self, hub: RouteHub, subscription: Subscription | None = None) -> None:
        self.table: RouteTable | None = None
        self.kinds: list[str] = []
        self.steps: list[bytes] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.heard = asyncio.Event()
        self.ended: DirectorError | None = None
        self._hub = hub
        self._subscription = Subscription() if subscription is None else subscription
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            await self._hub.serve(self._subscription, self._write)
        except DirectorError as error:
            self.ended = error

    async def _write(self, encoded: bytes) -> None:
        await self.reading.wait()
        self.steps.append(encoded)
        step = pb.WatchRoutesResponse.FromString(encoded)
        kind = step.WhichOneof("step") or ""
        self.kinds.append(kind)
        position = {"generation": step.generation, "revision": step.revision}
        if kind == "table":
            self.table = table_from_proto(step.table, **position)
        elif kind == "delta":
            assert self.table is not None
            self.table = apply_delta(self.table, step.delta, **position)
        self.heard.set()

    async def until(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not is_true():
                self.heard.clear()
                await self.heard.wait()

    async def steps_taken(self, count: int) -> None:
        await self.until(lambda: len(self.kinds) >= count)

    async def caught_up(self) -> None:
        await self.until(lambda: self.table == self._hub.table)


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        before = asyncio.all_tasks()
        try:
            await story()
        finally:
            for task in asyncio.all_tasks() - before:
                task.cancel()

    asyncio.run(whole())


def a_hub(*, tempo: WatchTempo = CALM, on_all_sent: Callable[[], None] = lambda: None) -> RouteHub:
    return RouteHub(lambda: 7, tempo=tempo, on_all_sent=on_all_sent)


def test_a_new_watcher_gets_the_whole_table_and_then_what_changes() -> None:
    async def story() -> None:
        hub = a_hub()
        hub.publish(a_table(a_service("chat"), a_service("embed")))
        watcher = Watcher(hub)
        await watcher.steps_taken(1)

        newer = a_table(a_service("chat", owner="eu-west1"), a_service("embed"), revision=2)
        hub.publish(newer)
        await watcher.steps_taken(2)

        assert watcher.kinds == ["table", "delta"]
        assert watcher.table == newer

    run(story)


def test_two_watchers_at_the_same_table_share_the_bytes_of_a_step() -> None:
    async def story() -> None:
        hub = a_hub()
        hub.publish(a_table(a_service("chat")))
        watchers = [Watcher(hub), Watcher(hub)]
        for watcher in watchers:
            await watcher.steps_taken(1)

        assert watchers[0].steps == watchers[1].steps
        assert len(hub._steps) == 1

    run(story)


def test_a_slow_watcher_skips_what_was_overtaken() -> None:
    async def story() -> None:
        hub = a_hub()
        hub.publish(a_table(a_service("chat"), a_service("embed")))
        watcher = Watcher(hub)
        await watcher.steps_taken(1)
        watcher.reading.clear()

        last = a_table(a_service("chat", owner="us-east1"), a_service("embed"), revision=50)
        for revision in range(2, 50):
            hub.publish(at_revision(hub.table or last, revision))
            await asyncio.sleep(0)
        hub.publish(last)
        watcher.reading.set()
        await watcher.until(lambda: watcher.table == last)

        # One step was on its way when it stopped reading, one took it to the end.
        assert watcher.kinds == ["table", "delta", "delta"]

    run(story)


def test_a_watcher_resumes_from_the_revision_it_has() -> None:
    async def story() -> None:
        hub = a_hub()
        first = a_table(a_service("chat"), a_service("embed"))
        second = a_table(a_service("chat", owner="eu-west1"), a_service("embed"), revision=2)
        hub.publish(first)
        hub.publish(second)

        watcher = Watcher(hub, Subscription(held=(1, 1)))
        watcher.table = first
        await watcher.steps_taken(1)

        assert watcher.kinds == ["delta"]
        assert watcher.table == second

    run(story)


def test_a_watcher_that_was_away_too_long_gets_the_whole_table() -> None:
    async def story() -> None:
        hub = a_hub()
        for revision in range(1, 100):
            hub.publish(a_table(a_service("chat"), revision=revision))

        watcher = Watcher(hub, Subscription(held=(1, 3)))
        await watcher.steps_taken(1)

        assert watcher.kinds == ["table"]

    run(story)


def test_a_resumed_watcher_gets_the_round_trips_of_this_replica() -> None:
    # Round trips are measured by each replica for itself, so equal revisions may differ in them.
    async def story() -> None:
        hub = a_hub()
        hub.publish(a_table(a_service("chat"), a_service("embed"), a_service("search")))

        watcher = Watcher(hub, Subscription(held=(1, 1)))
        watcher.table = hub.table
        await watcher.steps_taken(1)

        step = pb.WatchRoutesResponse.FromString(watcher.steps[0])
        assert step.delta.regions_changed

    run(story)


def test_a_watcher_that_knows_more_than_this_replica_is_not_sent_back() -> None:
    async def story() -> None:
        hub = a_hub(tempo=WatchTempo(beat_ms=1))
        hub.publish(a_table(a_service("chat"), revision=5))
        watcher = Watcher(hub, Subscription(held=(1, 9)))
        watcher.table = a_table(a_service("chat"), revision=9)
        await watcher.steps_taken(2)
        assert set(watcher.kinds) == {"beat"}

        hub.publish(a_table(a_service("chat"), revision=9))
        await watcher.until(lambda: "delta" in watcher.kinds or "table" in watcher.kinds)

        assert watcher.table == hub.table

    run(story)


def test_the_hub_never_goes_back_to_an_older_table() -> None:
    hub = a_hub()

    assert hub.publish(a_table(revision=5))
    assert not hub.publish(a_table(revision=4))
    assert hub.publish(a_table(revision=1, generation=2))
    assert not hub.publish(a_table(revision=9, generation=1))


def test_a_filtered_watcher_sees_only_its_services() -> None:
    async def story() -> None:
        hub = a_hub()
        hub.publish(a_table(a_service("chat"), a_service("embed")))
        watcher = Watcher(hub, Subscription(frozenset({"embed"})))
        await watcher.steps_taken(1)

        hub.publish(a_table(a_service("chat", owner="eu-west1"), a_service("embed"), revision=2))
        await watcher.steps_taken(2)

        assert hub.table is not None
        assert watcher.table == only_services(hub.table, frozenset({"embed"}))
        assert not pb.WatchRoutesResponse.FromString(watcher.steps[1]).delta.services

    run(story)


def test_everyone_is_told_of_only_when_the_last_watcher_was_sent_the_table() -> None:
    async def story() -> None:
        told: list[int] = []
        hub = a_hub(on_all_sent=lambda: told.append(hub.table.revision if hub.table else 0))
        hub.publish(a_table(revision=1))
        quick, slow = Watcher(hub), Watcher(hub)
        for watcher in (quick, slow):
            await watcher.steps_taken(1)
        told.clear()
        slow.reading.clear()

        hub.publish(a_table(a_service("chat"), revision=2))
        await quick.until(lambda: len(quick.kinds) == 2)
        assert (told, hub.is_all_sent) == ([], False)

        slow.reading.set()
        await slow.until(lambda: len(slow.kinds) == 2)
        await asyncio.sleep(0)
        assert (told, hub.is_all_sent) == ([2], True)

    run(story)


def test_a_watcher_that_leaves_is_not_waited_for() -> None:
    async def story() -> None:
        hub = a_hub()
        hub.publish(a_table(revision=1))
        watcher = Watcher(hub)
        await watcher.steps_taken(1)
        watcher.reading.clear()
        hub.publish(a_table(a_service("chat"), revision=2))
        await asyncio.sleep(0)
        assert not hub.is_all_sent

        watcher.task.cancel()
        await asyncio.gather(watcher.task, return_exceptions=True)

        assert (hub.is_all_sent, hub.watcher_count) == (True, 0)

    run(story)


def test_a_watcher_that_does_not_read_is_dropped() -> None:
    async def story() -> None:
        hub = a_hub(tempo=WatchTempo(beat_ms=60_000, write_deadline_ms=10))
        hub.publish(a_table(revision=1))
        watcher = Watcher(hub)
        watcher.reading.clear()

        await watcher.task

        assert isinstance(watcher.ended, UnavailableError)
        assert (hub.dropped_count, hub.watcher_count) == (1, 0)

    run(story)


def test_a_quiet_watcher_hears_a_beat_with_the_age_of_the_view() -> None:
    async def story() -> None:
        hub = a_hub(tempo=WatchTempo(beat_ms=1))
        hub.publish(a_table(revision=3))
        watcher = Watcher(hub)
        await watcher.until(lambda: "beat" in watcher.kinds)

        beat = pb.WatchRoutesResponse.FromString(watcher.steps[-1])
        assert beat == pb.WatchRoutesResponse(
            generation=1, revision=3, view_age_ms=7, beat=pb.Beat()
        )

    run(story)


def test_closing_ends_every_stream_and_takes_no_new_one() -> None:
    async def story() -> None:
        hub = a_hub()
        hub.publish(a_table(revision=1))
        watcher = Watcher(hub)
        await watcher.steps_taken(1)

        hub.close()
        await watcher.task
        with pytest.raises(ShuttingDownError):
            await hub.serve(Subscription(), watcher._write)

        assert isinstance(watcher.ended, ShuttingDownError)

    run(story)


@settings(max_examples=25, deadline=None)
@given(st.lists(route_tables(st.just(1)), min_size=2, max_size=8), st.data())
def test_whatever_is_published_and_however_slowly_it_is_read_all_end_with_the_same_table(
    tables: list[RouteTable], data: st.DataObject
) -> None:
    async def story() -> None:
        hub = a_hub()
        steady, slow = Watcher(hub), Watcher(hub)
        for revision, table in enumerate(tables, 1):
            hub.publish(at_revision(table, revision))
            (slow.reading.set if data.draw(st.booleans()) else slow.reading.clear)()
            for _ in range(data.draw(st.integers(0, 4))):
                await asyncio.sleep(0)
        slow.reading.set()
        for watcher in (steady, slow):
            await watcher.caught_up()
        await asyncio.sleep(0)

        assert hub.is_all_sent

    run(story)


def test_names_of_no_service_share_one_step_and_leave_nothing_behind() -> None:
    async def story() -> None:
        hub = a_hub()
        hub.publish(a_table(a_service("chat"), a_service("embed")))
        watchers = [
            Watcher(hub, Subscription(frozenset({"chat", f"stranger-{number}"})))
            for number in range(300)
        ]
        for watcher in watchers:
            await watcher.steps_taken(1)

        assert len(hub._steps) == 1
        assert watchers[0].table == only_services(hub.table or a_table(), frozenset({"chat"}))

    run(story)


def test_a_watcher_of_no_service_that_exists_gets_none_rather_than_all() -> None:
    async def story() -> None:
        hub = a_hub()
        hub.publish(a_table(a_service("chat")))
        watcher = Watcher(hub, Subscription(frozenset({"stranger"})))
        await watcher.steps_taken(1)

        assert watcher.table is not None
        assert watcher.table.services == ()

    run(story)


def test_a_filtered_watcher_learns_that_its_service_was_removed() -> None:
    async def story() -> None:
        hub = a_hub()
        hub.publish(a_table(a_service("chat"), a_service("embed"), a_service("vision")))
        watcher = Watcher(hub, Subscription(frozenset({"chat", "embed"})))
        await watcher.steps_taken(1)

        hub.publish(a_table(a_service("embed"), a_service("vision"), revision=2))
        await watcher.steps_taken(2)

        assert watcher.table is not None
        assert [each.service_id for each in watcher.table.services] == ["embed"]

    run(story)


def test_the_steps_kept_are_few_however_many_choices_there_are() -> None:
    async def story() -> None:
        hub = a_hub()
        names = [f"service-{number:03}" for number in range(3 * STEPS_KEPT_MAX)]
        hub.publish(a_table(*(a_service(each) for each in names)))
        watchers = [Watcher(hub, Subscription(frozenset({each}))) for each in names]
        for watcher in watchers:
            await watcher.steps_taken(1)

        assert len(hub._steps) == STEPS_KEPT_MAX

    run(story)
