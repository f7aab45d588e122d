"""The disk of a simulated director as files, under the production log.

The files are as unkind as POSIX allows: torn writes, lost writes and names, flipped bits.
"""

import errno
import os
import random
from collections.abc import Sequence
from pathlib import Path

from director.raft.messages import Entry, HardState, Membership, ReplicaId, SnapshotMark
from director.raft.storage import MemoryLog
from director.runtime.kept_file import KeptFile
from director.storage import identity as identities
from director.storage.data_directory import DataDirectory
from director.storage.records import LogOwner
from director.storage.wal import Wal, WalOptions
from tests.sim.disk import Opened, SimulatedDisk
from tests.sim.process import Process
from tests.sim.unsynced import Compacted, Installed, Recorded, Written, replay
from tests.sim.world import World
from tests.storage.faulty_files import FaultyFiles

FLEET = "sim"
# Small, so that a short run begins several segments.
_SEGMENT_BYTES = 4_096
_RECENT_BYTES = 2_048
_ROSTER_NAME = "peers"
# Of the crashes; in the others only the process ends, not the machine.
_POWER_SHARE = 0.6


class WatchedWal:
    """The production log, with a log in memory beside it of what was synced."""

    def __init__(self, wal: Wal) -> None:
        self._wal = wal
        self._unsynced: list[Written] = []
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
        self._unsynced += [Installed(mark), self._wal.hard_state()]

    def record_snapshot(self, mark: SnapshotMark) -> None:
        """See Wal."""
        self._wal.record_snapshot(mark)
        self._unsynced.append(Recorded(mark))

    def compact_to(self, index: int) -> None:
        """See Wal."""
        self._wal.compact_to(index)
        self._unsynced.append(Compacted(index))

    def sync(self) -> None:
        """See Wal."""
        self._wal.sync()
        replay(self.durable, self._unsynced)
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
