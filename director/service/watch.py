"""Sends route tables to watchers: each step is encoded once and its bytes are shared.

A watcher has no queue. When it has taken one step it gets the newest table, as the difference from
what it was sent last, so a slow one costs nothing and skips what was overtaken. One that does not
read at all is dropped.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from director.client.wire import (
    UINT32_MAX,
    delta_between,
    only_services,
    table_to_proto,
    varint,
)
from director.routing.table import RouteTable
from director.service.errors import OverloadedError, ShuttingDownError, UnavailableError
from trafficdirector.routing.v1 import routing_pb2 as pb

# A watcher away for fewer steps than this resumes with a delta; beyond, it gets the whole table.
TABLES_KEPT_MAX = 64
# Steps encoded and kept for whoever wants the same. A step may be a whole table.
STEPS_KEPT_MAX = 64
# Each costs a stream and a beat per second: about 8 % of a core for a thousand.
WATCHERS_MAX = 20_000

# Which services it is about (None: all), the number of the table held, and whether it resumes.
_StepKey = tuple[frozenset[str] | None, int | None, bool]

_AGE_TAG = 3 << 3  # WatchRoutesResponse.view_age_ms


@dataclass(frozen=True, slots=True)
class WatchTempo:
    """How often a watcher hears, and how long it may keep a step waiting. Milliseconds."""

    beat_ms: int = 1_000
    write_deadline_ms: int = 10_000


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a watcher asked for.

    Attributes:
        service_ids: Services wanted; empty means all.
        held: (generation, revision) that it holds; (0, 0) means none.
    """

    service_ids: frozenset[str] = frozenset()
    held: tuple[int, int] = (0, 0)


@dataclass(eq=False, slots=True)
class _Watcher:
    """One stream. ``sent`` is the number of the last table sent to it; None before the first."""

    subscription: Subscription
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int | None = None


class RouteHub:
    """The newest route table and everyone who follows it. For one event loop.

    Args:
        view_age_ms: Age of this replica's view now.
        on_all_sent: Called when the last watcher has been sent the newest table.
        tempo: See there.
    """

    def __init__(
        self,
        view_age_ms: Callable[[], int],
        *,
        on_all_sent: Callable[[], None] = lambda: None,
        tempo: WatchTempo | None = None,
    ) -> None:
        self._view_age_ms = view_age_ms
        self._on_all_sent = on_all_sent
        self._tempo = WatchTempo() if tempo is None else tempo
        self._watchers: set[_Watcher] = set()
        self._number = 0
        self._tables: dict[int, RouteTable] = {}
        self._ids: dict[int, frozenset[str]] = {}
        self._steps: dict[_StepKey, bytes] = {}
        self._behind_count = 0
        self._is_closed = False
        self.dropped_count = 0

    @property
    def table(self) -> RouteTable | None:
        """The newest table; None before the first."""
        return self._tables.get(self._number)

    @property
    def watcher_count(self) -> int:
        """Streams open now."""
        return len(self._watchers)

    @property
    def is_all_sent(self) -> bool:
        """Whether every watcher has been sent the newest table."""
        return self._behind_count == 0

    def publish(self, table: RouteTable) -> bool:
        """Send ``table`` to everyone. False if it is older than the one served (R7)."""
        newest = self.table
        if newest is not None and _position(table) < _position(newest):
            return False
        self._number += 1
        self._tables[self._number] = table
        self._ids[self._number] = frozenset(each.service_id for each in table.services)
        for each in (self._tables, self._ids):
            each.pop(self._number - TABLES_KEPT_MAX, None)
        self._steps = {}
        self._behind_count = 0
        for watcher in self._watchers:
            self._behind_count += watcher.sent is not None
            watcher.wake.set()
        if self._behind_count == 0:
            self._on_all_sent()
        return True

    def close(self) -> None:
        """End every stream; no new ones are taken."""
        self._is_closed = True
        for watcher in self._watchers:
            watcher.wake.set()

    async def serve(
        self, subscription: Subscription, write: Callable[[bytes], Awaitable[None]]
    ) -> None:
        """Feed one watcher until it goes away.

        Args:
            subscription: What it asked for.
            write: Sends one encoded WatchRoutesResponse; returns when it left this process.

        Raises:
            OverloadedError: Too many watchers.
            ShuttingDownError: The hub was closed.
            UnavailableError: The watcher did not read in time.
        """
        if self._is_closed:
            raise ShuttingDownError("this replica is shutting down; ask another")
        if len(self._watchers) >= WATCHERS_MAX:
            raise OverloadedError(
                f"{WATCHERS_MAX} watchers are connected; ask another replica",
                watcherCountMax=WATCHERS_MAX,
            )
        watcher = _Watcher(subscription)
        self._watchers.add(watcher)
        try:
            while not self._is_closed:
                watcher.wake.clear()
                await self._step(watcher, write)
                if watcher.sent is None or watcher.sent == self._number:
                    await self._pause(watcher)
        finally:
            self._watchers.discard(watcher)
            if watcher.sent is not None and watcher.sent != self._number:
                self._caught_up()
        raise ShuttingDownError("this replica is shutting down; ask another")

    async def _step(self, watcher: _Watcher, write: Callable[[bytes], Awaitable[None]]) -> None:
        number = self._number
        table = self.table
        is_ahead = table is None or (
            watcher.sent is None and _position(table) < watcher.subscription.held
        )
        if is_ahead or watcher.sent == number:
            # A watcher that knows more than this replica waits here until this one has caught up.
            step = self._beat()
        else:
            step = self._encoded(watcher, number)
        try:
            async with asyncio.timeout(self._tempo.write_deadline_ms / 1_000):
                await write(step + self._age())
        except TimeoutError:
            self.dropped_count += 1
            raise UnavailableError(
                f"nothing was read for {self._tempo.write_deadline_ms} ms; connect again",
                writeDeadlineMs=self._tempo.write_deadline_ms,
            ) from None
        if is_ahead or watcher.sent == number:
            return
        was_counted = watcher.sent is not None
        watcher.sent = number
        if number != self._number:
            # A newer one came meanwhile, and counted this watcher only if it had one before.
            self._behind_count += not was_counted
        elif was_counted:
            self._caught_up()

    def _caught_up(self) -> None:
        self._behind_count -= 1
        assert self._behind_count >= 0, "no more watchers catch up than are behind"
        if self._behind_count == 0:
            self._on_all_sent()

    async def _pause(self, watcher: _Watcher) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._tempo.beat_ms / 1_000):
                await watcher.wake.wait()

    def _encoded(self, watcher: _Watcher, number: int) -> bytes:
        """Return the step from what ``watcher`` has to table ``number``, the newest."""
        is_resuming = watcher.sent is None
        held = self._number_held(watcher.subscription) if is_resuming else watcher.sent
        if held not in self._tables:
            held = None
        key = (self._ids_that_matter(watcher.subscription, held, number), held, is_resuming)
        step = self._steps.pop(key, None)
        if step is None:
            step = self._encode(key, number)
            if len(self._steps) >= STEPS_KEPT_MAX:
                del self._steps[next(iter(self._steps))]
        self._steps[key] = step  # at the end: the first is the one unused for longest
        return step

    def _ids_that_matter(
        self, subscription: Subscription, held: int | None, number: int
    ) -> frozenset[str] | None:
        """Return the services wanted that are in either table; None means all.

        Names of no service make no difference, so they must not make a step of their own.
        """
        wanted = subscription.service_ids
        if not wanted:
            return None
        found = wanted & self._ids[number]
        return found if held is None else found | (wanted & self._ids[held])

    def _encode(self, key: _StepKey, number: int) -> bytes:
        service_ids, held, is_resuming = key
        new = self._wanted(number, service_ids)
        response = pb.WatchRoutesResponse(generation=new.generation, revision=new.revision)
        whole = table_to_proto(new)
        if held is not None:
            # What another replica sent at the same revision has that replica's round trips.
            delta = delta_between(
                self._wanted(held, service_ids), new, with_regions=is_resuming or None
            )
            if delta.ByteSize() < whole.ByteSize():
                response.delta.CopyFrom(delta)
                return response.SerializeToString()
        response.table.CopyFrom(whole)
        return response.SerializeToString()

    def _wanted(self, number: int, service_ids: frozenset[str] | None) -> RouteTable:
        table = self._tables[number]
        return table if service_ids is None else only_services(table, service_ids)

    def _number_held(self, subscription: Subscription) -> int | None:
        if subscription.held == (0, 0):
            return None
        # Newest first: one revision may have been published twice, with newer round trips.
        for number in reversed(self._tables):
            if _position(self._tables[number]) == subscription.held:
                return number
        return None

    def _beat(self) -> bytes:
        table = self.table
        generation, revision = (0, 0) if table is None else _position(table)
        return pb.WatchRoutesResponse(
            generation=generation, revision=revision, beat=pb.Beat()
        ).SerializeToString()

    def _age(self) -> bytes:
        return bytes((_AGE_TAG,)) + varint(min(self._view_age_ms(), UINT32_MAX))


def _position(table: RouteTable) -> tuple[int, int]:
    return (table.generation, table.revision)
