"""The disk of a simulated director in memory.

At a crash any first part of what was not synced survives. It has no bits: it models that all
damage is noticed; ``wal_disk`` is where that is put to the test.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from director.raft.messages import Entry, HardState, Membership, SnapshotMark
from director.raft.storage import MemoryLog
from director.storage.errors import (
    CorruptLogError,
    SnapshotTransferError,
    StorageFailedError,
    disk_full,
)
from director.storage.snapshots import SnapshotOffer
from tests.sim.disk import Faults, Opened, SimulatedDisk
from tests.sim.process import Process
from tests.sim.unsynced import Compacted, Installed, Recorded, Written, replay
from tests.sim.world import World


class MemoryWal(MemoryLog):
    """A log in memory with Wal's way of writing, and a second one of what is durable."""

    def __init__(self, durable: MemoryLog, faults: Callable[[], Faults]) -> None:
        super().__init__(durable.snapshot_mark().membership)
        _copy_log(durable, self)
        self.durable = durable
        self.unsynced: list[Written] = []
        self._faults = faults
        self._failure = ""

    def append_batch(self, hard_state: HardState | None, entries: Sequence[Entry]) -> None:
        """See Wal."""
        self._check_room(1 if hard_state is not None else 0, len(entries))
        if hard_state is not None:
            kept = self._hard_state
            assert hard_state.term >= kept.term, "terms never go back"
            assert hard_state.term > kept.term or kept.vote in (None, hard_state.vote), (
                "one vote in a term"
            )
            if hard_state.commit < kept.commit:
                hard_state = replace(hard_state, commit=kept.commit)
            self.set_hard_state(hard_state)
            self.unsynced.append(hard_state)
        if entries:
            self.append(entries)
            self.unsynced.append(tuple(entries))

    def install_snapshot(self, mark: SnapshotMark) -> None:
        """See Wal."""
        self._check_room(1)
        super().install_snapshot(mark)
        self.unsynced.append(Installed(mark))
        self._raise_hard_state(mark)

    def record_snapshot(self, mark: SnapshotMark) -> None:
        """See Wal."""
        self._check_room(1)
        super().record_snapshot(mark)
        self.unsynced.append(Recorded(mark))

    def compact_to(self, index: int) -> None:
        """See Wal."""
        self._check_room()
        super().compact_to(index)
        self.unsynced.append(Compacted(index))

    def sync(self) -> None:
        """See Wal."""
        self._check_room()
        if self._faults().takes_failure():
            self._failure = "sync failed: input/output error"
            raise StorageFailedError(self._failure)
        replay(self.durable, self.unsynced)
        self.unsynced.clear()

    def lose_unsynced(self, rng: random.Random) -> bool:
        """Keep any first part of what was not synced. Whether something was lost."""
        parts = _in_parts(self.unsynced)
        kept = rng.randint(0, len(parts))
        replay(self.durable, parts[:kept])
        state, last_index = self.durable.hard_state(), self.durable.last_index()
        if state.commit > last_index:
            self.durable.set_hard_state(replace(state, commit=last_index))
        self.unsynced.clear()
        return kept < len(parts)

    def _raise_hard_state(self, mark: SnapshotMark) -> None:
        state = self._hard_state
        if mark.term > state.term:
            state = HardState(term=mark.term, commit=state.commit)
        self.set_hard_state(replace(state, commit=max(state.commit, mark.index)))
        self.unsynced.append(self._hard_state)

    def _check_room(self, *written: int) -> None:
        if self._failure:
            raise StorageFailedError(self._failure)
        if any(written) and self._faults().is_full:
            raise disk_full(Path("/memory"), 1)


def _in_parts(writes: Sequence[Written]) -> list[Written]:
    parts: list[Written] = []
    for each in writes:
        if isinstance(each, tuple):
            parts.extend((entry,) for entry in each)
        else:
            parts.append(each)
    return parts


def _copy_log(source: MemoryLog, to: MemoryLog) -> None:
    to._hard_state, to._mark = source._hard_state, source._mark
    to._cut_index, to._cut_term = source._cut_index, source._cut_term
    to._entries = list(source._entries)


class _MemorySnapshots:
    """Keeps the newest snapshot; whole or not at all."""

    def __init__(self, faults: Callable[[], Faults]) -> None:
        self.newest: tuple[SnapshotMark, bytes] | None = None
        self._faults = faults
        self._offer: SnapshotOffer | None = None
        self._chunks: list[bytes] = []

    def save(self, mark: SnapshotMark, payload: bytes) -> None:
        if self._faults().is_full:
            raise disk_full(Path("/memory/snapshots"), len(payload))
        self.newest = (mark, payload)

    def latest(self) -> tuple[SnapshotMark, bytes] | None:
        return self.newest

    def receive_begin(self, offer: SnapshotOffer) -> None:
        if self._faults().is_full:
            raise disk_full(Path("/memory/snapshots"), offer.payload_bytes)
        self._offer, self._chunks = offer, []

    def receive_chunk(self, offset: int, chunk: bytes) -> None:
        if self._offer is None or offset != sum(map(len, self._chunks)):
            raise SnapshotTransferError("this is not the next chunk")
        self._chunks.append(chunk)

    def receive_finish(self) -> tuple[SnapshotMark, bytes]:
        offer, payload = self._offer, b"".join(self._chunks)
        self.receive_abort()
        if offer is None or hashlib.sha256(payload).digest() != offer.sha256:
            raise SnapshotTransferError("what arrived is not what was announced")
        self.newest = (offer.mark, payload)
        return self.newest

    def receive_abort(self) -> None:
        self._offer, self._chunks = None, []


class _MemoryKept:
    """A value in memory, durable at once."""

    path = Path("/memory/peers")

    def __init__(self) -> None:
        self.value: bytes | None = None

    def write(self, payload: bytes) -> None:
        self.value = payload

    def read(self) -> bytes | None:
        return self.value


class MemoryDisk(SimulatedDisk):
    """See the module."""

    def __init__(
        self, world: World, replica_id: str, process: Process, founding: Membership
    ) -> None:
        super().__init__(world, replica_id, process, founding)
        self._durable = MemoryLog(founding)
        self._snapshots = _MemorySnapshots(self._faults_now)
        self._roster = _MemoryKept()
        self._wal: MemoryWal | None = None
        self._damage = ""

    def _faults_now(self) -> Faults:
        return self.faults

    def open(self) -> Opened:
        """See SimulatedDisk."""
        if self._damage:
            raise CorruptLogError(Path("/memory/log"), 0, self._damage)
        wal = MemoryWal(self._durable, self._faults_now)
        newest = self._snapshots.newest
        mark = wal.snapshot_mark()
        if newest is None or newest[0].index < mark.index:
            assert mark.index == 0, "the snapshot that the log begins behind is kept"
        elif newest[0].index > mark.index:
            # Saved, but the stop came before the log knew; as DataDirectory does.
            wal.install_snapshot(newest[0])
            wal.sync()
        self._wal = wal
        payload = None if newest is None else newest[1]
        return Opened(wal, self._snapshots, self._roster, payload)

    def flip_bit(self, rng: random.Random) -> str:
        """Damage something. This kind has no bits: it models that all damage is noticed."""
        assert not self._process.is_up, "what runs has its log in memory"
        self._damage = f"bit {rng.randrange(8)} was flipped"
        self._world.coverage.hit(20, "memory")
        return "the log"

    def _lose_unsynced(self) -> None:
        self._snapshots.receive_abort()
        wal, self._wal = self._wal, None
        if wal is not None and wal.unsynced and wal.lose_unsynced(self._world.rng):
            self._world.coverage.hit(21, "memory")

    def _clear(self) -> None:
        self._durable = MemoryLog(self.founding)
        self._snapshots.newest = None
        self._roster.value = None
        self._damage = ""

    def _content(self) -> object:
        log = MemoryLog(self.founding)
        _copy_log(self._durable, log)
        return log, self._snapshots.newest, self._roster.value

    def _take_back(self, content: object) -> None:
        assert isinstance(content, tuple)
        log, self._snapshots.newest, self._roster.value = content
        self._durable = MemoryLog(self.founding)
        _copy_log(log, self._durable)
        self._damage = ""
