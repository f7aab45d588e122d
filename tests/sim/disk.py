"""The disk of a simulated director, of two kinds.

``MemoryDisk`` keeps the log in memory and is fast: at a crash any first part of what was not
synced survives. ``WalDisk`` runs the production storage on files that are as unkind as POSIX
allows: torn writes, lost writes and names, flipped bits. Both take time for a sync, hang, fail and
fill up on demand.
"""

import errno
import hashlib
import os
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeAlias

from director.consensus.embedded.disk_thread import Done
from director.raft.messages import Entry, HardState, Membership, ReplicaId, SnapshotMark
from director.raft.storage import MemoryLog, RaftLogReader
from director.runtime.kept_file import KeptFile
from director.storage import identity as identities
from director.storage.data_directory import DataDirectory
from director.storage.errors import (
    CorruptLogError,
    SnapshotTransferError,
    StorageFailedError,
    disk_full,
)
from director.storage.records import LogOwner
from director.storage.snapshots import SnapshotOffer
from director.storage.wal import Wal, WalOptions
from tests.sim.process import Process
from tests.sim.world import World
from tests.storage.faulty_files import FaultyFiles

FLEET = "sim"
# Small, so that a short run begins several segments.
_SEGMENT_BYTES = 4_096
_RECENT_BYTES = 2_048
_ROSTER_NAME = "peers"
# A sync that hangs ends when the disk is mended, and not before.
_FOR_EVER_MS = 1 << 40
# Of the crashes on the production log; in the others only the process ends, not the machine.
_POWER_SHARE = 0.6


class DurableLog(RaftLogReader, Protocol):
    """The log as the engine uses it. ``director.storage.wal.Wal`` is one, but for the first."""

    @property
    def durable(self) -> RaftLogReader:
        """What was synced, for checkers: it answers whatever becomes of the log itself."""
        ...

    def append_batch(self, hard_state: HardState | None, entries: Sequence[Entry]) -> None:
        """See Wal."""

    def install_snapshot(self, mark: SnapshotMark) -> None:
        """See Wal."""

    def record_snapshot(self, mark: SnapshotMark) -> None:
        """See Wal."""

    def compact_to(self, index: int) -> None:
        """See Wal."""

    def sync(self) -> None:
        """See Wal."""


class Snapshots(Protocol):
    """Where snapshots are kept. ``director.storage.snapshots.SnapshotStore`` is one."""

    def save(self, mark: SnapshotMark, payload: bytes) -> None:
        """See SnapshotStore."""

    def latest(self) -> tuple[SnapshotMark, bytes] | None:
        """See SnapshotStore."""

    def receive_begin(self, offer: SnapshotOffer) -> None:
        """See SnapshotStore."""

    def receive_chunk(self, offset: int, chunk: bytes) -> None:
        """See SnapshotStore."""

    def receive_finish(self) -> tuple[SnapshotMark, bytes]:
        """See SnapshotStore."""

    def receive_abort(self) -> None:
        """See SnapshotStore."""


class KeptValue(Protocol):
    """A small value that is replaced whole, as the roster keeps it."""

    @property
    def path(self) -> Path:
        """Where, for messages."""
        ...

    def write(self, payload: bytes) -> None:
        """See KeptFile."""

    def read(self) -> bytes | None:
        """See KeptFile."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a replica starts with.

    Attributes:
        snapshot: The newest snapshot's payload; None if there is none.
        cut_bytes: What was cut from the log's torn end.
    """

    log: DurableLog
    snapshots: Snapshots
    roster: KeptValue
    snapshot: bytes | None
    cut_bytes: int = 0


@dataclass(frozen=True, slots=True)
class DiskCopy:
    """Everything on a disk at one time, as a backup has it."""

    incarnation: str
    content: object


@dataclass(slots=True)
class Faults:
    """What is wrong with a disk now."""

    stalled_until_ms: int = 0
    slow_ms: int = 0
    failing_syncs: int = 0
    """How many syncs are still to fail; -1 for all."""
    is_full: bool = False

    def takes_failure(self) -> bool:
        """Whether this sync fails."""
        if self.failing_syncs > 0:
            self.failing_syncs -= 1
            return True
        return self.failing_syncs < 0


class SimulatedDisk(ABC):
    """What both kinds share: how long a sync takes, and what the scenarios do to the disk.

    Attributes:
        incarnation: Drawn for an empty disk; a wiped one gets another.
    """

    def __init__(
        self, world: World, replica_id: str, process: Process, founding: Membership
    ) -> None:
        self.replica_id = replica_id
        self.founding = founding
        self.faults = Faults()
        self.incarnation = f"{replica_id}-1"
        self._wipes = 0
        self._world = world
        self._process = process
        self._jobs: deque[tuple[Callable[[], None], Done, int]] = deque()
        self._arming = 0

    # -- what scenarios do -------------------------------------------------------------------------

    def stall(self, ms: int) -> None:
        """Let no sync end for ``ms`` from now on (fault 18)."""
        self.faults.stalled_until_ms = max(self.faults.stalled_until_ms, self._world.now_ms + ms)

    def hang(self) -> None:
        """Let no sync end until the disk is mended (fault 18)."""
        self.stall(_FOR_EVER_MS)

    def slow(self, ms: int) -> None:
        """Let each sync take ``ms`` longer; 0 for as before (fault 18)."""
        self.faults.slow_ms = ms

    def fail_next_sync(self) -> None:
        """Let one sync fail with EIO (fault 17)."""
        self.faults.failing_syncs = 1

    def fail_syncs(self) -> None:
        """Let every sync fail with EIO until the disk is mended (fault 17)."""
        self.faults.failing_syncs = -1

    def fill(self) -> None:
        """Leave no room (fault 16). What was reserved before can still be written."""
        self.faults.is_full = True

    def free(self) -> None:
        """Make room again."""
        self.faults.is_full = False

    def mend(self) -> None:
        """End every fault. What hung goes on."""
        self.free()
        self.faults = Faults()
        self._arm()

    @property
    def is_hung(self) -> bool:
        """Whether nobody gets an answer from it now."""
        return self._world.now_ms < self.faults.stalled_until_ms

    @abstractmethod
    def flip_bit(self, rng: random.Random) -> str:
        """Change one bit of what a stopped replica kept (fault 20); say where, "" if nowhere."""

    def wipe(self) -> None:
        """Leave an empty disk to a stopped replica (fault 25)."""
        assert not self._process.is_up, "only what stands still is wiped"
        self._wipes += 1
        self.incarnation = f"{self.replica_id}-{self._wipes + 1}"
        self._clear()
        self._world.watch.disk_replaced(self.replica_id)
        self._world.trace.note(f"the disk of {self.replica_id} is wiped")

    def copy(self) -> DiskCopy:
        """Take a backup of what is there now."""
        return DiskCopy(self.incarnation, self._content())

    def restore(self, copy: DiskCopy) -> None:
        """Put a backup in place of what a stopped replica has (fault 26)."""
        assert not self._process.is_up, "only what stands still is restored"
        self.incarnation = copy.incarnation
        self._take_back(copy.content)
        self._world.watch.disk_replaced(self.replica_id)
        self._world.trace.note(f"the disk of {self.replica_id} is restored from a copy")

    # -- what the replica does ---------------------------------------------------------------------

    def submit(self, job: Callable[[], None], done: Done) -> None:
        """See Disk: sync, in a while."""
        sync_ms = self._world.options.sync_ms
        took_ms = self._world.rng.randint(1, 2 * sync_ms) + self.faults.slow_ms
        if self.faults.slow_ms:
            self._world.coverage.hit(18, "slow")
        if self.is_hung:
            is_endless = self.faults.stalled_until_ms >= _FOR_EVER_MS
            self._world.coverage.hit(18, "hang" if is_endless else "stall")
        self._jobs.append((job, done, self._world.now_ms + took_ms))
        if len(self._jobs) == 1:
            self._arm()

    def after_sync(self, event: Callable[[], None]) -> None:
        """Do something that waits for the disk, beside the log: a snapshot's file."""
        self.submit(lambda: None, lambda _: event())

    def _arm(self) -> None:
        self._arming += 1
        if not self._jobs:
            return
        due_ms = max(self._jobs[0][2], self.faults.stalled_until_ms)
        if due_ms >= _FOR_EVER_MS:
            return
        arming = self._arming
        wait_ms = max(0, due_ms - self._world.now_ms)
        self._process.after(wait_ms, lambda: self._look(arming))

    def _look(self, arming: int) -> None:
        if arming != self._arming or not self._jobs:
            return
        due_ms = max(self._jobs[0][2], self.faults.stalled_until_ms)
        if self._world.now_ms >= due_ms:
            job, done, _ = self._jobs.popleft()
            self._run(job, done)
        self._arm()

    def _run(self, job: Callable[[], None], done: Done) -> None:
        error: BaseException | None = None
        try:
            job()
        except (StorageFailedError, OSError) as raised:
            error = raised
            self._world.coverage.hit(17, "sync")
        done(error)

    @abstractmethod
    def open(self) -> Opened:
        """Find what a crash left.

        Raises:
            StorageError, CorruptFileError, OSError: The replica cannot start with it.
        """

    def crash(self) -> None:
        """The process ended, and perhaps the machine with it: lose what was not synced."""
        self._jobs.clear()
        self._arming += 1
        self._lose_unsynced()

    @abstractmethod
    def _lose_unsynced(self) -> None:
        """Lose what a crash may lose."""

    @abstractmethod
    def _clear(self) -> None:
        """Begin with nothing."""

    @abstractmethod
    def _content(self) -> object:
        """A copy of everything."""

    @abstractmethod
    def _take_back(self, content: object) -> None:
        """Put a copy of ``content`` in place."""


# -- in memory -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Installed:
    mark: SnapshotMark


@dataclass(frozen=True, slots=True)
class _Recorded:
    mark: SnapshotMark


@dataclass(frozen=True, slots=True)
class _Compacted:
    index: int


_Written: TypeAlias = HardState | tuple[Entry, ...] | _Installed | _Recorded | _Compacted


class MemoryWal(MemoryLog):
    """A log in memory with Wal's way of writing, and a second one of what is durable."""

    def __init__(self, durable: MemoryLog, faults: Callable[[], Faults]) -> None:
        super().__init__(durable.snapshot_mark().membership)
        _copy_log(durable, self)
        self.durable = durable
        self.unsynced: list[_Written] = []
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
        self.unsynced.append(_Installed(mark))
        self._raise_hard_state(mark)

    def record_snapshot(self, mark: SnapshotMark) -> None:
        """See Wal."""
        self._check_room(1)
        super().record_snapshot(mark)
        self.unsynced.append(_Recorded(mark))

    def compact_to(self, index: int) -> None:
        """See Wal."""
        self._check_room()
        super().compact_to(index)
        self.unsynced.append(_Compacted(index))

    def sync(self) -> None:
        """See Wal."""
        self._check_room()
        if self._faults().takes_failure():
            self._failure = "sync failed: input/output error"
            raise StorageFailedError(self._failure)
        _replay(self.durable, self.unsynced)
        self.unsynced.clear()

    def lose_unsynced(self, rng: random.Random) -> bool:
        """Keep any first part of what was not synced. Whether something was lost."""
        parts = _in_parts(self.unsynced)
        kept = rng.randint(0, len(parts))
        _replay(self.durable, parts[:kept])
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


def _in_parts(writes: Sequence[_Written]) -> list[_Written]:
    parts: list[_Written] = []
    for each in writes:
        if isinstance(each, tuple):
            parts.extend((entry,) for entry in each)
        else:
            parts.append(each)
    return parts


def _replay(log: MemoryLog, writes: Sequence[_Written]) -> None:
    for each in writes:
        match each:
            case HardState():
                log.set_hard_state(each)
            case _Installed(mark):
                log.install_snapshot(mark)
            case _Recorded(mark):
                log.record_snapshot(mark)
            case _Compacted(index):
                log.compact_to(index)
            case _:
                log.append(each)


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


class WatchedWal:
    """The production log, with a log in memory beside it of what was synced."""

    def __init__(self, wal: Wal) -> None:
        self._wal = wal
        self._unsynced: list[_Written] = []
        self.durable = _durable_of(wal)

    def hard_state(self) -> HardState:
        """See Wal."""
        return self._wal.hard_state()

    def snapshot_mark(self) -> SnapshotMark:
        """See Wal."""
        return self._wal.snapshot_mark()

    def first_index(self) -> int:
        """See Wal."""
        return self._wal.first_index()

    def last_index(self) -> int:
        """See Wal."""
        return self._wal.last_index()

    def term_at(self, index: int) -> int | None:
        """See Wal."""
        return self._wal.term_at(index)

    def entries(self, low: int, high_exclusive: int, bytes_max: int) -> tuple[Entry, ...]:
        """See Wal."""
        return self._wal.entries(low, high_exclusive, bytes_max)

    def append_batch(self, hard_state: HardState | None, entries: Sequence[Entry]) -> None:
        """See Wal."""
        self._wal.append_batch(hard_state, entries)
        if entries:
            self._unsynced.append(tuple(entries))
        self._unsynced.append(self._wal.hard_state())

    def install_snapshot(self, mark: SnapshotMark) -> None:
        """See Wal."""
        self._wal.install_snapshot(mark)
        self._unsynced += [_Installed(mark), self._wal.hard_state()]

    def record_snapshot(self, mark: SnapshotMark) -> None:
        """See Wal."""
        self._wal.record_snapshot(mark)
        self._unsynced.append(_Recorded(mark))

    def compact_to(self, index: int) -> None:
        """See Wal."""
        self._wal.compact_to(index)
        self._unsynced.append(_Compacted(index))

    def sync(self) -> None:
        """See Wal."""
        self._wal.sync()
        _replay(self.durable, self._unsynced)
        self._unsynced.clear()


def _durable_of(wal: Wal) -> MemoryLog:
    """Copy a log that was just opened, which makes all of it durable."""
    mark, first = wal.snapshot_mark(), wal.first_index()
    log = MemoryLog(mark.membership)
    log._mark, log._hard_state = mark, wal.hard_state()
    log._cut_index, log._cut_term = first - 1, wal.term_at(first - 1) or 0
    while (last := log.last_index()) < wal.last_index():
        log.append(wal.entries(last + 1, wal.last_index() + 1, 1 << 20))
    return log


# -- on files --------------------------------------------------------------------------------------


class WalDisk(SimulatedDisk):
    """See the module."""

    def __init__(
        self, world: World, replica_id: str, process: Process, founding: Membership
    ) -> None:
        super().__init__(world, replica_id, process, founding)
        self.files = FaultyFiles()
        self._root = Path("/data") / replica_id
        self._has_lost_power = False
        self._prepare()

    def _prepare(self) -> None:
        """Give an empty disk its identity: drawn as a real one is, the run would not repeat."""
        self.files = FaultyFiles()
        self.files.before_call = self._before_call
        self.files.make_directory(self._root)
        owner = LogOwner(FLEET, ReplicaId(self.replica_id), self.incarnation)
        identities.create(self.files, self._root, owner)

    def _before_call(self, operation: str, path: Path) -> None:
        if operation == "datasync" and self.faults.takes_failure():
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    def fill(self) -> None:
        """See SimulatedDisk."""
        super().fill()
        self.files.room_bytes = 0

    def free(self) -> None:
        """See SimulatedDisk."""
        super().free()
        self.files.room_bytes = None

    def open(self) -> Opened:
        """See SimulatedDisk."""
        directory = DataDirectory.open(
            self._root,
            fleet_id=FLEET,
            replica_id=ReplicaId(self.replica_id),
            founding=self.founding,
            files=self.files,
            options=WalOptions(segment_bytes=_SEGMENT_BYTES, recent_bytes_max=_RECENT_BYTES),
        )
        cut_bytes = directory.wal.cut.bytes
        if cut_bytes:
            self._world.coverage.hit(19, "log")
        roster = KeptFile(self._root / _ROSTER_NAME, files=self.files)
        log = WatchedWal(directory.wal)
        return Opened(log, directory.snapshots, roster, directory.snapshot, cut_bytes)

    def flip_bit(self, rng: random.Random) -> str:
        """See SimulatedDisk. Spares what no log could check (see ``recovery.py``).

        A power failure may take the newest marks of what was synced with it. A flip in the very
        last batches may then look like a tear, so the newest two segments are left alone.
        """
        assert not self._process.is_up, "what runs has its log in memory"
        paths = sorted(path for path in self.files.names_shown if path.suffix != ".tmp")
        if self._has_lost_power:
            segments = [path for path in paths if path.suffix == ".wal"]
            paths = [path for path in paths if path not in segments[-2:]]
        paths = [path for path in paths if self.files.names_shown[path].shown]
        if not paths:
            return ""
        path = rng.choice(paths)
        content = self.files.names_shown[path].shown
        # Zeros at the end of a segment were never written: nothing is there to be served.
        written = len(content.rstrip(b"\0")) or 1
        offset, bit = rng.randrange(written), rng.randrange(8)
        self.files.flip_bit(path, offset, bit)
        self._world.coverage.hit(20, path.suffix or path.name)
        where = f"{path.name} at byte {offset}, bit {bit}"
        self._world.trace.note(f"a bit flips on the disk of {self.replica_id}: {where}")
        return where

    def _lose_unsynced(self) -> None:
        rng = self._world.rng
        self._has_lost_power = rng.random() < _POWER_SHARE
        if not self._has_lost_power:
            self.files.kill()
            return
        before = self.files.contents()
        self.files.crash(rng)
        if self.files.contents() != before:
            self._world.coverage.hit(21, "wal")

    def _clear(self) -> None:
        self._has_lost_power = False
        self._prepare()
        if self.faults.is_full:
            self.files.room_bytes = 0

    def _content(self) -> object:
        return self.files.copy()

    def _take_back(self, content: object) -> None:
        assert isinstance(content, FaultyFiles)
        self.files = content.copy()
        self.files.before_call = self._before_call
        self._has_lost_power = False


def a_disk(world: World, replica_id: str, process: Process, founding: Membership) -> SimulatedDisk:
    """Return an empty disk of the kind that the world's options name."""
    kind = WalDisk if world.options.disk == "wal" else MemoryDisk
    return kind(world, replica_id, process, founding)
