"""What the two kinds of disk of a simulated director share.

``memory_disk`` keeps the log in memory and is fast; ``wal_disk`` runs the production storage on
files. Both take time for a sync, hang, fail and fill up on demand.
"""

import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from director.consensus.embedded.disk_thread import Done
from director.raft.messages import Entry, HardState, Membership, SnapshotMark
from director.raft.storage import RaftLogReader
from director.storage.errors import StorageFailedError
from director.storage.snapshots import SnapshotOffer
from tests.sim.process import Process
from tests.sim.world import World

# A sync that hangs ends when the disk is mended, and not before.
_FOR_EVER_MS = 1 << 40


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
