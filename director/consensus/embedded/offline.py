"""A replica's data directory without the replica: read a copy of one, and make a new one.

A copy is evidence, so nothing in it is changed: opening a log cuts its torn end, and therefore a
copy of the copy is opened.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from director.consensus.embedded.framing import (
    UnknownFrameError,
    frame_snapshot,
    unframe_entry,
    unframe_snapshot,
)
from director.raft.messages import (
    Entry,
    EntryKind,
    Membership,
    ReplicaId,
    SnapshotMark,
    decode_membership,
)
from director.runtime.errors import ReasonedError
from director.runtime.files import OsFiles
from director.storage import identity
from director.storage.data_directory import DataDirectory
from director.storage.errors import CorruptLogError, CorruptSnapshotError
from director.storage.wal import Wal

_READ_BYTES = 8 << 20
# Of names that are new: what is there already may be the only copy, whatever it is called.
_ASIDE = "director-restore-"
_CONTENT = "content"


class CopyUnusableError(Exception):
    """The copy cannot be restored from. The message says why."""


@dataclass(frozen=True, slots=True)
class CopiedLog:
    """What a copy holds.

    Attributes:
        index: Of the last entry that the copy knows to be committed.
        term: Of that entry.
        snapshot: The application's state as of ``snapshot_index``; None if there is none.
        payloads: What was committed after that, in order; empty for entries of the engine's own.
        dropped_count: Entries in the copy that it does not know to be committed.
        cut_bytes: Bytes at the end of the copy that were never synced.
    """

    fleet_id: str
    replica_id: str
    index: int
    term: int
    snapshot: bytes | None
    snapshot_index: int
    payloads: tuple[bytes, ...]
    dropped_count: int
    cut_bytes: int


def read_copy(copy: Path, target: Path) -> CopiedLog:
    """Verify the copy of a data directory and return what it holds.

    Args:
        copy: The copy. It is only read.
        target: A path that does not exist; beside it there is room for a second copy.

    Raises:
        CopyUnusableError: It is not a data directory, or it is damaged.
        OSError: The disk failed or is full.
    """
    aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=target.parent))
    scratch = aside / _CONTENT
    try:
        return _read(copy, scratch)
    except (CorruptLogError, CorruptSnapshotError) as error:
        where = copy / error.path.relative_to(scratch)
        raise CopyUnusableError(
            f"{where} is damaged at byte {error.offset}: {error.what}"
        ) from error
    except (ReasonedError, UnknownFrameError) as error:
        said = str(error).replace(str(scratch), str(copy))
        raise CopyUnusableError(f"{copy} cannot be restored from: {said}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _read(copy: Path, scratch: Path) -> CopiedLog:
    files = OsFiles()
    found = identity.read(files, copy) if copy.is_dir() else None
    if found is None or not found.log_created:
        raise CopyUnusableError(f"{copy} is not the data directory of a replica")
    shutil.copytree(copy, scratch)
    owner = found.owner
    directory = DataDirectory.open(
        scratch,
        fleet_id=owner.fleet_id,
        replica_id=owner.replica_id,
        founding=Membership(voters=()),
        files=files,
    )
    try:
        wal, mark = directory.wal, directory.wal.snapshot_mark()
        snapshot = None
        if directory.snapshot is not None:
            _, snapshot = unframe_snapshot(directory.snapshot)
        entries = tuple(_entries(wal, mark.index + 1))
        index = _committed_index(wal, mark, entries, owner.replica_id)
        term = mark.term if index == mark.index else wal.term_at(index)
        assert term is not None, "a committed entry above the snapshot is in the log"
        return CopiedLog(
            owner.fleet_id,
            owner.replica_id,
            index,
            term,
            snapshot,
            mark.index,
            tuple(_payload(each) for each in entries if each.index <= index),
            wal.last_index() - index,
            wal.cut.bytes,
        )
    finally:
        directory.close()


def _entries(wal: Wal, low: int) -> Iterator[Entry]:
    while low <= wal.last_index():
        for entry in wal.entries(low, wal.last_index() + 1, _READ_BYTES):
            yield entry
            low = entry.index + 1


def _committed_index(
    wal: Wal, mark: SnapshotMark, entries: Sequence[Entry], replica_id: ReplicaId
) -> int:
    """Return up to where the copy knows its entries to be committed.

    The commit index is written behind the entries that it speaks of. Whoever is the only voter
    commits by writing, so there every entry counts.
    """
    commit = wal.hard_state().commit
    memberships = [
        (each.index, decode_membership(each.payload))
        for each in entries
        if each.kind is EntryKind.CONFIG
    ]
    in_force = [mark.membership, *(each for index, each in memberships if index <= commit)][-1:]
    in_force += [each for index, each in memberships if index > commit]
    is_alone = all(each.voters == (replica_id,) for each in in_force)
    return wal.last_index() if is_alone else commit


def _payload(entry: Entry) -> bytes:
    if entry.kind is not EntryKind.NORMAL or not entry.payload:
        return b""
    framed = unframe_entry(entry.payload)
    return framed if isinstance(framed, bytes) else b""


@contextmanager
def _built_aside(target: Path) -> Iterator[Path]:
    """Yield where to build the directory; it gets its name only when it is whole."""
    files = OsFiles()
    aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=target.parent))
    partial = aside / _CONTENT
    try:
        yield partial
        files.rename(partial, target)
        files.sync_directory(target.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def found_directory(
    target: Path, *, fleet_id: str, replica_id: str, index: int, term: int, payload: bytes
) -> None:
    """Make the data directory of a fleet of one, whose log begins behind a given state.

    Args:
        target: Where. It does not exist.
        fleet_id: The fleet.
        replica_id: The one voter.
        index: Index of the entry that the state includes last.
        term: Term of that entry.
        payload: The application's state.

    Raises:
        ReasonedError, OSError: The disk failed or is full. There is no directory then.
    """
    only = Membership(voters=(ReplicaId(replica_id),))
    with _built_aside(target) as partial:
        directory = DataDirectory.open(
            partial, fleet_id=fleet_id, replica_id=ReplicaId(replica_id), founding=only
        )
        try:
            mark = SnapshotMark(index, term, only)
            directory.snapshots.save(mark, frame_snapshot({}, payload))
            directory.wal.install_snapshot(mark)
            directory.wal.sync()
        finally:
            directory.close()
