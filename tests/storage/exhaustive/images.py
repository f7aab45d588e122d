"""The data directories that are damaged: something of everything, and 64 KiB where it counts.

Everything in ``log`` and ``snapshot`` was synced and the side file says so. In ``torn`` the last
batch was not synced; in ``torn-bare`` a power failure took the side file too. In ``bare`` it took
the side file of a log that was synced.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from director.raft.messages import Entry, EntryKind, HardState, SnapshotMark
from director.storage import synced_file
from director.storage.data_directory import DataDirectory
from director.storage.wal import WalOptions
from tests.storage.builders import D0, D1, FOUNDING, a_mark
from tests.storage.exhaustive.trace import DATA, FLEET, same_incarnation
from tests.storage.faulty_files import FaultyFiles, Inode

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("log", "snapshot", "torn", "torn-bare", "bare")

_LOG_BYTES = 64 << 10
_SEGMENT_BYTES = 16 << 10
_SNAPSHOT_BYTES = 64 << 10
_OPTIONS = WalOptions(segment_bytes=_SEGMENT_BYTES, recent_bytes_max=_SEGMENT_BYTES)
_SMALL = WalOptions(segment_bytes=1024, recent_bytes_max=512)
_SIZES = (20, 1500, 200, 3000, 60, 700)
SYNCED = DATA / "log" / synced_file.NAME
SPARE = DATA / "log" / "spare.tmp"


class View(NamedTuple):
    """Everything a data directory serves."""

    hard_state: HardState
    mark: SnapshotMark
    snapshot: bytes | None
    first_index: int
    term_before: int | None
    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, data: DataDirectory) -> View:
        wal = data.wal
        first = wal.first_index()
        return cls(
            wal.hard_state(),
            wal.snapshot_mark(),
            data.snapshot,
            first,
            wal.term_at(first - 1),
            wal.entries(first, wal.last_index() + 1, 1 << 30),
        )


@dataclass
class Image:
    """A data directory, and what it may be found to say."""

    name: str
    options: WalOptions
    files: FaultyFiles
    possible: list[View]
    """First what it says undamaged; then, if its last batch was not synced, every cut of it."""
    unsynced: range = range(0)
    """Where in the last segment the batch lies that was not synced."""
    older: dict[Path, list[bytes]] = field(default_factory=dict)
    """What each file held before, as of each sync."""

    contents: dict[Path, bytes] = field(default_factory=dict)

    def copy(self) -> FaultyFiles:
        """Return the files, to be damaged."""
        other = FaultyFiles()
        other.directories = set(self.files.directories)
        for path, content in self.contents.items():
            other.names_shown[path] = Inode(bytearray(content), content)
        other.names_durable = dict(other.names_shown)
        return other

    @property
    def last_segment(self) -> Path:
        return max(path for path in self.files.names_shown if path.suffix == ".wal")


@cache
def image(name: str) -> Image:
    """Return the image ``name``. Not to be changed."""
    made = _MAKERS[name]()
    made.contents = made.files.contents()
    found = view_of(made, made.copy())
    assert found == made.possible[0], f"{name} does not say what was put into it"
    return made


def opened_as(made: Image, files: FaultyFiles) -> DataDirectory:
    """Open ``files`` as a replica that was stopped would."""
    return DataDirectory.open(
        DATA, fleet_id=FLEET, replica_id=D0, founding=FOUNDING, files=files, options=made.options
    )


def view_of(made: Image, files: FaultyFiles) -> View:
    """Open ``files`` and return what they say."""
    return View.of(opened_as(made, files))


class _Maker:
    """Fills a directory, and keeps what the files held at each sync."""

    def __init__(self, options: WalOptions) -> None:
        self.options = options
        self.files = FaultyFiles()
        self.rng = random.Random("image")
        self.older: dict[Path, list[bytes]] = {}
        # Every state the identity file goes through counts too.
        self.files.before_call = lambda operation, _path: (
            self._keep() if operation == "sync_directory" else None
        )
        with same_incarnation():
            self.data = DataDirectory.open(
                DATA,
                fleet_id=FLEET,
                replica_id=D0,
                founding=FOUNDING,
                files=self.files,
                options=options,
            )

    def _keep(self) -> None:
        for path, content in self.files.contents().items():
            versions = self.older.setdefault(path, [])
            if content not in versions:
                versions.append(content)

    def batch(self, state: HardState | None, first: int, term: int, *sizes: int) -> None:
        entries = [
            # No payload holds a sector of zeros: that, with the side file lost and one bit
            # flipped, is what recovery says it cannot tell from a tear.
            Entry(at, term, EntryKind.NORMAL, self.rng.randbytes(size))
            for at, size in enumerate(sizes, first)
        ]
        self.data.wal.append_batch(state, entries)

    def sync(self) -> None:
        self.data.wal.sync()
        self._keep()

    def save(self, mark: SnapshotMark, payload: bytes) -> None:
        self.data.snapshots.save(mark, payload)
        self.data.wal.record_snapshot(mark)
        self.sync()

    def done(self, name: str, *, closes: bool) -> Image:
        latest = self.data.snapshots.latest()
        # What a directory says of its snapshot is as of when it was opened.
        view = View.of(self.data)._replace(snapshot=latest[1] if latest else None)
        if closes:
            self.data.close()
        self.files.kill()
        self._keep()
        files = self.files.copy()
        older = {
            path: [each for each in versions if each != files.contents()[path]]
            for path, versions in self.older.items()
            if path in files.names_shown
        }
        return Image(name, self.options, files, [view], older=older)


def _a_long_log() -> _Maker:
    maker = _Maker(_OPTIONS)
    term, last, batches = 1, 0, 0
    while _used(maker.files) < _LOG_BYTES - 3000:
        batches += 1
        sizes = [_SIZES[(batches + at) % len(_SIZES)] for at in range(1 + batches % 3)]
        if batches % 7 == 6:
            # Another leader overwrites the last one.
            term, last = term + 1, last - 1
        vote = D1 if term % 2 else D0
        maker.batch(HardState(term, vote, max(0, last - 2)), last + 1, term, *sizes)
        maker.sync()
        last += len(sizes)
    return maker


def _used(files: FaultyFiles) -> int:
    """How many bytes the log takes, unused ends of all segments but the last included."""
    segments = sorted(path for path in files.names_shown if path.suffix == ".wal")
    last = len(bytes(files.names_shown[segments[-1]].shown).rstrip(b"\0"))
    return (len(segments) - 1) * _SEGMENT_BYTES + last


def _log() -> Image:
    maker = _a_long_log()
    mark = SnapshotMark(5, maker.data.wal.term_at(5) or 0, FOUNDING)
    maker.save(mark, b"a small state")
    return maker.done("log", closes=True)


def _snapshot() -> Image:
    maker = _Maker(_SMALL)
    maker.batch(HardState(1, D0, 0), 1, 1, 20, 20, 20)
    maker.sync()
    maker.batch(HardState(1, D0, 3), 4, 1, 20)
    maker.sync()
    maker.save(a_mark(2), maker.rng.randbytes(_SNAPSHOT_BYTES))
    maker.save(a_mark(3), maker.rng.randbytes(_SNAPSHOT_BYTES))
    maker.batch(HardState(2, D1, 4), 5, 2, 20, 200)
    maker.sync()
    return maker.done("snapshot", closes=True)


def _torn() -> Image:
    maker = _Maker(_OPTIONS)
    maker.batch(HardState(1, D0, 0), 1, 1, 20, 200)
    maker.sync()
    maker.batch(HardState(1, D0, 2), 3, 1, 700)
    maker.sync()
    cuts = [View.of(maker.data)]
    segment = next(path for path in maker.files.names_shown if path.suffix == ".wal")
    start = len(bytes(maker.files.names_shown[segment].shown).rstrip(b"\0"))
    before = cuts[0]
    state = HardState(2, D1, 4)
    maker.batch(state, 4, 2, 20, 1500, 0, 600)
    made = maker.done("torn", closes=False)
    whole = made.possible[0]
    # The batch is a hard state and four entries, and is cut behind any of them.
    for count in range(4):
        entries = (*before.entries, *whole.entries[3 : 3 + count])
        commit = min(state.commit, len(entries))
        cuts.append(whole._replace(hard_state=HardState(2, D1, commit), entries=entries))
    made.possible += cuts
    made.unsynced = range(start, len(made.files.contents()[segment].rstrip(b"\0")))
    return made


def _without_side_file(name: str, make: Callable[[], Image]) -> Image:
    made = make()
    made.name = name
    made.files.remove(SYNCED)
    made.files = made.files.copy()
    made.older.pop(SYNCED, None)
    return made


_MAKERS: dict[str, Callable[[], Image]] = {
    "log": _log,
    "snapshot": _snapshot,
    "torn": _torn,
    "torn-bare": lambda: _without_side_file("torn-bare", _torn),
    "bare": lambda: _without_side_file("bare", _log),
}
