"""Unremarkable logs, entries and memberships for tests of storage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from director.raft.messages import (
    Entry,
    EntryKind,
    HardState,
    Membership,
    ReplicaId,
    SnapshotMark,
)
from director.storage.records import LogOwner
from director.storage.wal import Wal, WalOptions

if TYPE_CHECKING:
    from director.runtime.files import FileSystem

D0 = ReplicaId("d0")
D1 = ReplicaId("d1")
FOUNDING = Membership((D0, D1, ReplicaId("d2")))
FOUNDING_MARK = SnapshotMark(index=0, term=0, membership=FOUNDING)
OWNER = LogOwner("fleet", D0, "00112233")
LOG = Path("/data/log")
# Small enough that a few entries fill a segment.
SMALL = WalOptions(segment_bytes=1024, recent_bytes_max=512)
ROOMY = WalOptions(segment_bytes=16 << 10)


def an_entry(index: int, term: int = 1, payload: bytes | None = None) -> Entry:
    text = f"set {index} in {term}".encode() if payload is None else payload
    return Entry(index, term, EntryKind.NORMAL, text)


def some_entries(first: int, last: int, term: int = 1) -> list[Entry]:
    return [an_entry(index, term) for index in range(first, last + 1)]


def a_mark(index: int, term: int = 1) -> SnapshotMark:
    return SnapshotMark(index=index, term=term, membership=FOUNDING)


def a_wal(files: FileSystem, options: WalOptions = ROOMY, directory: Path = LOG) -> Wal:
    return Wal.create(files, directory, OWNER, FOUNDING_MARK, options=options)


def reopened(files: FileSystem, options: WalOptions = ROOMY, directory: Path = LOG) -> Wal:
    return Wal.open(files, directory, OWNER, options=options)


class View(NamedTuple):
    """Everything a log says."""

    hard_state: HardState
    mark: SnapshotMark
    last_index: int
    entries: tuple[Entry, ...]


def view(wal: Wal, first: int | None = None) -> View:
    low = wal.first_index() if first is None else first
    return View(
        wal.hard_state(),
        wal.snapshot_mark(),
        wal.last_index(),
        wal.entries(low, wal.last_index() + 1, 1 << 30),
    )
