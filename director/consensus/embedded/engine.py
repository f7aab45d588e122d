"""The embedded engine as the application sees it: the consensus port, over a thread of its own.

The replica runs on its own event loop and thread: a stall of the application's loop longer than an
election timeout must not cost a leader its office. Calls cross over in batches.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from typing import Any, TypeVar

import uvloop

from director.consensus.embedded import changes
from director.consensus.embedded.app_channel import AppChannel
from director.consensus.embedded.config import EmbeddedConfig
from director.consensus.embedded.core import ReplicaCore
from director.consensus.embedded.waiting import Answer
from director.consensus.port import (
    PAYLOAD_BYTES_MAX,
    Delivery,
    EngineFailedError,
    Entry,
    Member,
    NotLeaderError,
    OverloadedError,
    PayloadTooLargeError,
    Standing,
)
from director.raft.membership import Promote, Remove
from director.raft.messages import Membership, ReplicaId
from director.runtime.files import FileSystem, OsFiles
from director.storage.data_directory import DataDirectory
from director.storage.wal import WalOptions

_T = TypeVar("_T")


class EmbeddedConsensus:
    """One replica of the embedded engine; see ``director.consensus.port.Consensus``."""

    def __init__(self, config: EmbeddedConfig, files: FileSystem | None = None) -> None:
        """Do nothing until ``start``.

        Args:
            config: How to take part.
            files: The file system; None means the real one.
        """
        self._config = config
        self._files = OsFiles() if files is None else files
        self._core: ReplicaCore | None = None
        self._channel: AppChannel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._proposals: deque[tuple[bytes, int, Answer]] = deque()
        self._barriers: deque[tuple[int | None, Answer]] = deque()
        self._is_crossing = False
        self._waiting_count = 0

    @property
    def settle_ms(self) -> int:
        """See the port: the longest draw of an election timeout, and a split vote."""
        return 4 * self._config.election_ms

    async def start(self, *, applied_index: int = 0) -> None:
        """See the port."""
        assert self._thread is None, "an engine is started once"
        loop = uvloop.new_event_loop()
        channel = AppChannel(
            asyncio.get_running_loop(), self._config.delivery_bytes_max, self._resume_delivery
        )
        self._loop, self._channel = loop, channel
        self._thread = threading.Thread(
            target=_run_loop, args=(loop,), name=f"consensus-{self._config.replica_id}", daemon=True
        )
        self._thread.start()
        try:
            self._core = await self._on_engine(self._open(channel, applied_index))
        except Exception as error:
            channel.end()
            await self._end_thread()
            raise EngineFailedError(str(error), cause=type(error).__name__) from error

    async def _open(self, channel: AppChannel, applied_index: int) -> ReplicaCore:
        config = self._config
        founders = () if config.join else tuple(ReplicaId(peer_id) for peer_id in config.peers)
        directory = DataDirectory.open(
            config.data_dir,
            fleet_id=config.fleet_id,
            replica_id=ReplicaId(config.replica_id),
            founding=Membership(voters=founders),
            files=self._files,
            options=WalOptions(segment_bytes=config.segment_bytes),
        )
        try:
            core = ReplicaCore(config, directory, channel, applied_index=applied_index)
            await core.start()
        except BaseException:
            directory.close()
            raise
        return core

    async def stop(self) -> None:
        """See the port."""
        if self._thread is None:
            return
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._stop())
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        if self._core is not None:
            await self._on_engine(self._core.stop())
        await self._end_thread()

    async def _end_thread(self) -> None:
        loop, thread = self._loop, self._thread
        assert loop is not None, "a thread has a loop"
        assert thread is not None, "called for a started engine"
        if not loop.is_closed():
            loop.call_soon_threadsafe(loop.stop)
        await asyncio.get_running_loop().run_in_executor(None, thread.join)

    def deliveries(self) -> AsyncIterator[Delivery]:
        """See the port."""
        assert self._channel is not None, "start the engine first"
        return self._channel.deliveries()

    def standing(self) -> Standing:
        """See the port."""
        if self._core is not None:
            return self._core.standing
        return Standing(
            member_id=self._config.replica_id,
            term=0,
            leader_id=None,
            is_leader=False,
            commit_index=0,
            applied_index=0,
            quorum_contact_at_ms=None,
            contact_index=0,
        )

    def members(self) -> tuple[Member, ...]:
        """See the port."""
        return () if self._core is None else self._core.members

    async def propose(self, payload: bytes, *, term: int) -> Entry:
        """See the port."""
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise PayloadTooLargeError(
                f"{len(payload)} bytes; an entry holds at most {PAYLOAD_BYTES_MAX}",
                payloadBytes=len(payload),
                payloadBytesMax=PAYLOAD_BYTES_MAX,
            )
        if self._waiting_count >= self._config.proposals_max:
            raise OverloadedError(
                f"{self._waiting_count} proposals wait to be committed; try again later",
                waitingCount=self._waiting_count,
            )
        committed: asyncio.Future[Entry] = self._new_future()
        self._proposals.append((payload, term, partial(self._answer, committed)))
        self._cross()
        self._waiting_count += 1
        try:
            return await committed
        finally:
            self._waiting_count -= 1

    async def read_barrier(self, *, term: int | None = None) -> int:
        """See the port."""
        confirmed: asyncio.Future[int] = self._new_future()
        self._barriers.append((term, partial(self._answer, confirmed)))
        self._cross()
        return await confirmed

    async def save_snapshot(self, index: int, payload: bytes) -> None:
        """See the port."""
        await self._on_engine(self._running().save_snapshot(index, payload))

    async def add_learner(self, member_id: str, address: str) -> None:
        """See the port."""
        await self._on_engine(changes.add_learner(self._running(), member_id, address))

    async def promote(self, member_id: str) -> None:
        """See the port."""
        await self._on_engine(changes.change(self._running(), Promote(ReplicaId(member_id))))

    async def remove(self, member_id: str) -> None:
        """See the port."""
        await self._on_engine(changes.change(self._running(), Remove(ReplicaId(member_id))))

    async def transfer(self, member_id: str | None = None) -> None:
        """See the port."""
        await self._on_engine(changes.transfer(self._running(), member_id))

    # Crossing over.

    def _running(self) -> ReplicaCore:
        if self._core is None:
            raise NotLeaderError(f"{self._config.replica_id} was not started")
        if self._stopping is not None:
            raise EngineFailedError(f"{self._config.replica_id} was stopped")
        return self._core

    def _new_future(self) -> "asyncio.Future[Any]":
        self._running()
        return asyncio.get_running_loop().create_future()

    def _answer(self, waiting: "asyncio.Future[Any]", outcome: object) -> None:
        assert self._channel is not None, "only a started engine is asked"
        self._channel.answer(waiting, outcome)

    def _cross(self) -> None:
        # One call for all that is asked until the engine looks: the flag falls before it looks.
        if not self._is_crossing:
            self._is_crossing = True
            self._call_engine(self._take)

    def _take(self) -> None:
        self._is_crossing = False
        assert self._core is not None, "only a started engine is asked"
        self._core.take_requests(_drained(self._proposals), _drained(self._barriers))

    def _resume_delivery(self) -> None:
        if self._core is not None:
            self._call_engine(self._core.resume_delivery)

    def _call_engine(self, function: Any) -> None:  # noqa: ANN401 - a callback
        assert self._loop is not None, "only a started engine is asked"
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError as error:
            raise EngineFailedError(f"{self._config.replica_id} was stopped") from error

    async def _on_engine(self, work: Coroutine[Any, Any, _T]) -> _T:
        assert self._loop is not None, "only a started engine is asked"
        try:
            running = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError as error:
            work.close()
            raise EngineFailedError(f"{self._config.replica_id} was stopped") from error
        return await asyncio.wrap_future(running)


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def _drained(queue: "deque[_T]") -> list[_T]:
    items = []
    while True:
        try:
            items.append(queue.popleft())
        except IndexError:
            return items
