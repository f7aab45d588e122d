"""A thousand operations on one data directory, the same every time.

Batches of several sizes, overwritten suffixes, votes, snapshots of its own and received ones,
compactions, syncs, restarts: everything a replica does to its disk, with the model beside it.
"""

from __future__ import annotations

import hashlib
import random
import secrets
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from director.raft.messages import Entry, EntryKind, HardState, ReplicaId, SnapshotMark
from director.storage.data_directory import DataDirectory
from director.storage.snapshots import SnapshotOffer
from director.storage.wal import WalOptions
from tests.storage.builders import D0, D1, FOUNDING, a_mark
from tests.storage.exhaustive.model import History, Model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.storage.faulty_files import FaultyFiles

DATA = Path("/data")
# Segments fill every few batches, and most entries are read back from disk.
OPTIONS = WalOptions(segment_bytes=4096, recent_bytes_max=1024)
FLEET = "fleet"
OPERATIONS = 1_000

_KINDS = {
    "batch": 40,
    "sync": 26,
    "vote": 6,
    "commit": 6,
    "overwrite": 6,
    "record": 6,
    "compact": 5,
    "install": 3,
    "restart": 2,
}


@contextmanager
def same_incarnation() -> Iterator[None]:
    """Draw the same incarnation every time, so that every byte is the same."""
    with mock.patch.object(secrets, "token_hex", lambda count: "5e" * count):
        yield


def opened(
    files: FaultyFiles, options: WalOptions = OPTIONS, replica_id: ReplicaId = D0
) -> DataDirectory:
    """Open the directory as a replica does at its start."""
    with same_incarnation():
        return DataDirectory.open(
            DATA,
            fleet_id=FLEET,
            replica_id=replica_id,
            founding=FOUNDING,
            files=files,
            options=options,
        )


def snapshot_payload(mark: SnapshotMark) -> bytes:
    """Return what a snapshot at ``mark`` holds: up to three sectors."""
    rng = random.Random(f"snapshot {mark.index} {mark.term}")
    return rng.randbytes(rng.choice([0, 40, 600, 1500]))


class Trace:
    """Runs the operations on ``files``. ``history`` is right before each call to them."""

    def __init__(self, files: FaultyFiles, seed: int) -> None:
        self.files = files
        self.rng = random.Random(f"trace {seed}")
        self.history = History()
        self.committed: dict[int, Entry] = {}
        """Entries a snapshot covered, which may be there still."""
        self.synced_commit = 0
        self.data: DataDirectory

    def run(self, operations: int) -> None:
        """Open the directory for the first time and do ``operations`` things to it."""
        self.data = opened(self.files)
        kinds, weights = list(_KINDS), list(_KINDS.values())
        for kind in self.rng.choices(kinds, weights, k=operations):
            getattr(self, f"_{kind}")()
        self._sync()
        self.data.close()

    def _batch(self) -> None:
        newest = self.history.newest.recovered()
        term = newest.hard_state.term + (self.rng.random() < 0.1)
        self._append(newest.last_index + 1, self.rng.randint(1, 5), term)

    def _overwrite(self) -> None:
        """A new leader replaces a suffix that was not committed."""
        newest = self.history.newest.recovered()
        low = max(newest.hard_state.commit + 1, newest.last_index - 3)
        self._append(min(low, newest.last_index + 1), 2, newest.hard_state.term + 1)

    def _append(self, first: int, count: int, term: int) -> None:
        term = max(term, 1)
        entries = [
            Entry(first + at, term, EntryKind.NORMAL, self._payload()) for at in range(count)
        ]
        state = self.history.newest.recovered().hard_state
        vote = state.vote if term == state.term else None
        commit = self.rng.randint(state.commit, max(state.commit, first - 1))
        self._write(HardState(term, vote, commit), entries)

    def _payload(self) -> bytes:
        size = self.rng.choice([0, 20, 20, 60, 200, 200, 700, 1500])
        # Some are full of zeros: that is what lost bytes look like too.
        return bytes(size) if self.rng.random() < 0.1 else self.rng.randbytes(size)

    def _vote(self) -> None:
        state = self.history.newest.recovered().hard_state
        self._write(HardState(state.term + 1, self.rng.choice([None, D0, D1]), state.commit), [])
        self._sync()

    def _commit(self) -> None:
        newest = self.history.newest.recovered()
        self._write(replace(newest.hard_state, commit=newest.last_index), [])

    def _write(self, state: HardState, entries: list[Entry]) -> None:
        model = replace(self.history.newest, hard_state=state)
        self.history.add(model)
        for entry in entries:
            model = model.with_entry(entry)
            self.history.add(model)
        self.data.wal.append_batch(state, entries)
        self.history.wrote()

    def _sync(self) -> None:
        self.data.wal.sync()
        self.history.synced()
        self.synced_commit = self.history.newest.recovered().hard_state.commit

    def _record(self) -> None:
        """Take a snapshot of the own state, which was applied and so was synced."""
        newest = self.history.newest
        if self.synced_commit <= newest.mark.index:
            return
        index = self.rng.randint(newest.mark.index + 1, self.synced_commit)
        term = newest.term_at(index)
        assert term is not None, "what is committed is there"
        mark = a_mark(index, term)
        self.history.saving(mark)
        self.data.snapshots.save(mark, snapshot_payload(mark))
        self.history.saved()
        self.committed |= {entry.index: entry for entry in newest.entries if entry.index <= index}
        self.history.add(newest.with_mark(mark).recovered())
        self.data.wal.record_snapshot(mark)
        self.history.wrote()

    def _compact(self) -> None:
        mark = self.history.newest.mark
        self.data.wal.compact_to(max(0, mark.index - self.rng.choice([0, 0, 3])))

    def _install(self) -> None:
        """Receive a snapshot from a leader that is far ahead, in chunks."""
        newest = self.history.newest.recovered()
        term = newest.hard_state.term + 1
        mark = a_mark(newest.last_index + self.rng.randint(1, 3), term)
        payload = snapshot_payload(mark)
        self.history.saving(mark)
        receive(self.data, mark, payload)
        self.history.saved()
        self.committed.clear()
        self.history.add(self.history.newest.with_mark(mark).recovered())
        self.data.wal.install_snapshot(mark)
        self.history.wrote()
        self._write(HardState(term, None, mark.index), [])
        self._sync()

    def _restart(self) -> None:
        """Stop as a killed process does, and start again."""
        self.files.kill()
        # What was only in the kernel is made durable by opening, or is torn by a crash meanwhile.
        self.data = opened(self.files)
        self.history.possible = [self.history.newest.recovered()]
        self.history.written = 0
        self.synced_commit = self.history.newest.hard_state.commit


def receive(data: DataDirectory, mark: SnapshotMark, payload: bytes) -> None:
    """Take in a snapshot as it comes from a leader."""
    offer = SnapshotOffer(mark, len(payload), hashlib.sha256(payload).digest())
    data.snapshots.receive_begin(offer)
    for at in range(0, len(payload), 512):
        data.snapshots.receive_chunk(at, payload[at : at + 512])
    data.snapshots.receive_finish()


def model_of(data: DataDirectory) -> Model:
    """Return what an opened directory says, as the model would."""
    wal = data.wal
    mark = wal.snapshot_mark()
    entries = wal.entries(mark.index + 1, wal.last_index() + 1, 1 << 30)
    return Model(wal.hard_state(), mark, entries)
