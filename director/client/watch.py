"""Follows the route table of a fleet: any director will do, and the table never goes back.

The watcher stays with one director while it answers, moves to another with jitter when it does
not, and resumes from the table it has. With ``kept_path`` the table survives a restart of this
process too, so that routes are there with every director silent (R7, R8).
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import cast

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from director.client.channel import open_channel
from director.client.errors import StepMismatchError
from director.client.kept import Kept, KeptTable
from director.client.wire import apply_delta, table_from_proto
from director.routing.compiled import CompiledTable
from director.routing.table import RouteTable
from director.runtime.backoff import Backoff
from director.runtime.clock import boot_ms, wall_ms
from director.runtime.tls import TlsFiles
from trafficdirector.routing.v1 import routing_pb2 as pb

WATCH_METHOD = "/trafficdirector.routing.v1.RoutingService/WatchRoutes"

log = logging.getLogger("director.client")


class Source(IntEnum):
    """Where an answer comes from; the numbers are those of the proto."""

    FRESH = 1
    STALE = 2
    KEPT = 3


@dataclass(frozen=True, slots=True)
class WatchTuning:
    """How patient a watcher is. All in milliseconds.

    Attributes:
        staleness_bound_ms: A view older than this is labelled STALE.
        silence_ms: A director that says nothing for this long is left for another. Directors
            send a beat every second, so four may be lost.
        backoff_base_ms: Greatest wait before the first reconnect; the wait is jittered.
        backoff_cap_ms: Greatest wait before any reconnect.
    """

    staleness_bound_ms: int = 2_000
    silence_ms: int = 5_000
    backoff_base_ms: int = 100
    backoff_cap_ms: int = 5_000


@dataclass(slots=True)
class _View:
    """The table and what is known of its age.

    Invariant: ``(generation, revision)`` of ``compiled`` never falls (R7).
    """

    compiled: CompiledTable | None = None
    confirmed_at_ms: int | None = None  # boot time at which a sender's view was current
    kept_wall_ms: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def position(self) -> tuple[int, int]:
        if self.compiled is None:
            return (0, 0)
        table = self.compiled.table
        return (table.generation, table.revision)


class RouteWatcher:
    """Keeps the newest route table of a fleet.

    Use it as an async context manager, or call ``start`` and ``stop``. All of it belongs to one
    event loop.

    Args:
        addresses: ``host:port`` of the directors; more than one, so that one may be silent.
        on_table: Called with each new compiled table, in the event loop. It must not block.
        kept_path: File that keeps the table over restarts; None keeps nothing.
        service_ids: Services wanted; empty means all.
        watcher_id: Name for the directors' status pages.
        tuning: See there.
        tls: What to show to directors and whom to trust; None connects without TLS.
    """

    def __init__(  # noqa: PLR0913 - all but two by keyword, and one call says it all
        self,
        addresses: Sequence[str],
        on_table: Callable[[CompiledTable], None] | None = None,
        *,
        kept_path: Path | None = None,
        service_ids: Sequence[str] = (),
        watcher_id: str = "",
        tuning: WatchTuning | None = None,
        tls: TlsFiles | None = None,
    ) -> None:
        if not addresses:
            raise ValueError("a watcher needs at least one director address")
        self._on_table = on_table
        self._kept = None if kept_path is None else KeptTable(kept_path)
        self._service_ids = sorted(service_ids)
        self._watcher_id = watcher_id
        self._tuning = WatchTuning() if tuning is None else tuning
        self._tls = tls
        self._rng = random.Random()  # noqa: S311 - spreads load; nothing secret depends on it
        self._addresses = list(addresses)
        self._rng.shuffle(self._addresses)
        self._view = _View()
        self._task: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._has_streamed = False
        self.connected_to: str | None = None

    async def __aenter__(self) -> "RouteWatcher":
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    @property
    def compiled(self) -> CompiledTable | None:
        """The newest table, ready to answer; None before there was one."""
        return self._view.compiled

    @property
    def table(self) -> RouteTable | None:
        """The newest table; None before there was one."""
        return None if self._view.compiled is None else self._view.compiled.table

    def view_age_ms(self) -> int:
        """How old the view may be: the age its sender gave it, plus the time since.

        A table from disk that nothing confirmed yet counts from when it was written, by the wall
        clock. It labels answers and is compared with nothing.
        """
        confirmed_at_ms = self._view.confirmed_at_ms
        if confirmed_at_ms is None:
            return max(0, wall_ms() - self._view.kept_wall_ms)
        return max(0, boot_ms() - confirmed_at_ms)

    def source(self) -> Source:
        """Whether the view is confirmed and recent (R6)."""
        if self._view.confirmed_at_ms is None:
            return Source.KEPT
        is_recent = self.view_age_ms() <= self._tuning.staleness_bound_ms
        return Source.FRESH if is_recent else Source.STALE

    async def wait_for_table(self, *, timeout_ms: int) -> CompiledTable | None:
        """Return the table as soon as there is one; None if there is none in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_ms / 1_000):
                await self._view.arrived.wait()
        return self._view.compiled

    async def start(self) -> None:
        """Load the kept table and begin to watch. Does not wait for a director."""
        assert self._task is None, "a watcher is started once"
        if self._kept is not None:
            kept = await asyncio.to_thread(self._kept.load)
            if kept is not None:
                self._view.kept_wall_ms = kept.kept_wall_ms
                self._adopt(kept.table)
        self._task = asyncio.create_task(self._watch(), name="route-watcher")

    async def stop(self) -> None:
        """Stop watching; the table stays. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._keeper is not None:
            await self._keeper

    async def _watch(self) -> None:
        tuning = self._tuning
        backoff = Backoff(self._rng, base_ms=tuning.backoff_base_ms, cap_ms=tuning.backoff_cap_ms)
        attempt = 0
        while True:
            address = self._addresses[attempt % len(self._addresses)]
            attempt += 1
            try:
                await self._follow(address, backoff)
            except (grpc.aio.AioRpcError, TimeoutError) as error:
                log.info("route_watch_ended: %s: %s", address, _said(error))
            except (ValueError, DecodeError) as error:
                log.warning("route_step_refused: %s: %s", address, error)
                self._has_streamed = False
            except StepMismatchError as error:
                log.info("route_watch_behind: %s: %s", address, error)
                self._has_streamed = False
            finally:
                self.connected_to = None
            await asyncio.sleep(backoff.next_delay_ms() / 1_000)

    async def _follow(self, address: str, backoff: Backoff) -> None:
        """Follow one director until it ends, falls silent or turns out to be behind."""
        silence_s = self._tuning.silence_ms / 1_000
        # The first stream of a process starts over: a kept table may be of other services.
        generation, revision = self._view.position if self._has_streamed else (0, 0)
        request = pb.WatchRoutesRequest(
            service_ids=self._service_ids,
            from_generation=generation,
            from_revision=revision,
            watcher_id=self._watcher_id,
        )
        behind_since_ms: int | None = None
        async with open_channel(address, self._tls) as channel:
            call = channel.unary_stream(
                WATCH_METHOD,
                request_serializer=pb.WatchRoutesRequest.SerializeToString,
                response_deserializer=pb.WatchRoutesResponse.FromString,
            )(request)
            while True:
                async with asyncio.timeout(silence_s):
                    read = await call.read()
                if read is grpc.aio.EOF:
                    return
                self.connected_to = address
                backoff.reset()
                if self._step(cast("pb.WatchRoutesResponse", read)):
                    behind_since_ms = None
                    continue
                # The director is up but has not caught up with what we were told elsewhere.
                behind_since_ms = behind_since_ms or boot_ms()
                if boot_ms() - behind_since_ms > self._tuning.staleness_bound_ms:
                    raise StepMismatchError("it stays behind the table held here")

    def _step(self, step: pb.WatchRoutesResponse) -> bool:
        """Take one step; False if the sender is behind what is held here.

        Raises:
            ValueError: The step cannot be read, or does not fit; the next stream starts over.
        """
        position = (step.generation, step.revision)
        if position < self._view.position:
            return False  # R7: it says nothing about the table held here, not even its age
        match step.WhichOneof("step"):
            case "table":
                self._adopt(
                    table_from_proto(step.table, generation=step.generation, revision=step.revision)
                )
            case "delta":
                if self._view.compiled is None:
                    raise ValueError("a delta came before any table")
                self._adopt(
                    apply_delta(
                        self._view.compiled.table,
                        step.delta,
                        generation=step.generation,
                        revision=step.revision,
                    )
                )
            case "beat":
                if self._view.compiled is None:
                    return False  # it has no table either; another director may
                if position != self._view.position:
                    raise ValueError("a beat for a table that was not sent")
            case _:
                raise ValueError("a step of a kind this release does not know")
        confirmed_at_ms = boot_ms() - step.view_age_ms
        before_ms = self._view.confirmed_at_ms
        if before_ms is None or confirmed_at_ms > before_ms:
            self._view.confirmed_at_ms = confirmed_at_ms
        if step.WhichOneof("step") != "beat":
            self._has_streamed = True
            self._keep()
        return True

    def _adopt(self, table: RouteTable) -> None:
        assert (table.generation, table.revision) >= self._view.position, "never back (R7)"
        self._view.compiled = CompiledTable(table, self._view.compiled)
        self._view.arrived.set()
        if self._on_table is not None:
            self._on_table(self._view.compiled)

    def _keep(self) -> None:
        if self._kept is not None and (self._keeper is None or self._keeper.done()):
            self._keeper = asyncio.create_task(self._keep_newest(self._kept), name="route-keeper")

    async def _keep_newest(self, kept: KeptTable) -> None:
        """Keep the newest table until none is newer; those overtaken meanwhile are skipped."""
        written: RouteTable | None = None
        while (table := self.table) is not None and table is not written:
            if not await asyncio.to_thread(kept.save, Kept(table, wall_ms())):
                return
            written = table


def _said(error: BaseException) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return str(error) or type(error).__name__
