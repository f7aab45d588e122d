"""The log and the snapshots of one replica, on a disk that loses, tears and lies."""

import errno
import random
from pathlib import Path

from director.raft.messages import HardState
from director.storage import synced_file
from director.storage.errors import (
    CorruptLogError,
    CorruptSnapshotError,
    StorageError,
    WrongDirectoryError,
)
from director.storage.records import read_record
from director.storage.segments import segment_numbers, segment_path
from director.storage.snapshots import SnapshotStore
from director.storage.wal import WalOptions
from tests.sim.bugs.bug import Arena
from tests.storage.builders import D0, LOG, View, a_mark, a_wal, an_entry, reopened, view
from tests.storage.faulty_files import SECTOR_BYTES, CrashedError, FaultyFiles
from tests.storage.test_wal_crash import Life

STEPS = 60
_SNAPSHOTS = Path("/data/snapshots")
_SMALL = WalOptions(segment_bytes=1_024, recent_bytes_max=64)


def crashing() -> Arena:
    """One log through many crashes and failed calls: what was synced is there again."""
    return Arena("disk: crashes", _play_crashes, 60)


def damaged() -> Arena:
    """A log at rest that is damaged in one place: it is refused, or nothing is lost (D9)."""
    return Arena("disk: damage", _play_damage, 100)


def snapshotting() -> Arena:
    """Snapshots saved on a disk that fails at any call: the old one or the new, whole."""
    return Arena("disk: snapshots", _play_snapshots, 60)


def _play_crashes(seed: int) -> None:
    try:
        Life(seed).run(STEPS)
    except (CorruptLogError, WrongDirectoryError) as error:
        raise AssertionError(f"nothing was damaged, and the log is refused: {error}") from error


# -- damage ----------------------------------------------------------------------------------------


def _a_log(seed: int, content: str) -> tuple[FaultyFiles, View, FaultyFiles]:
    """A closed log, what it says, and its files as they were halfway.

    Logs of one seed are alike in everything but the bytes of their entries.
    """
    rng, bytes_rng = random.Random(f"log {seed}"), random.Random(f"{content} {seed}")
    files = FaultyFiles()
    wal = a_wal(files, _SMALL)
    index, term = 0, 1
    halfway = files.copy()
    batches = rng.randint(4, 12)
    for number in range(batches):
        term += rng.random() < 0.3
        entries = [
            an_entry(index + 1 + at, term, bytes_rng.randbytes(rng.choice((0, 30, 200, 600))))
            for at in range(rng.randint(1, 3))
        ]
        index = entries[-1].index
        wal.append_batch(HardState(term, D0, index - 1), entries)
        wal.sync()
        if number == batches // 2:
            halfway = files.copy()
    expected = view(wal)
    wal.close()
    return files, expected, halfway


def _play_damage(seed: int) -> None:
    rng = random.Random(f"damage {seed}")
    files, expected, halfway = _a_log(seed, "this")
    if rng.random() < 0.1:
        side = files.names_shown[LOG / synced_file.NAME].shown
        _flip_bit(side, len(side), rng)
        _check_unharmed(files, expected)
        return
    number = rng.choice(segment_numbers(files, LOG))
    path = segment_path(LOG, number)
    shown = files.names_shown[path].shown
    used = len(bytes(shown).rstrip(b"\0"))
    kinds = ("flip", "stale sector", "other record", "misdirected", "older copy", "lost sector")
    match rng.choice(kinds):
        case "flip":
            _flip_bit(shown, used, rng)
        case "other record":
            other_files, _, _ = _a_log(seed, "other")
            _copy_record(bytes(other_files.names_shown[path].shown), shown, rng)
        case "stale sector":
            _copy_sector(halfway, files, path, rng)
        case "misdirected":
            other = segment_path(LOG, rng.choice(segment_numbers(files, LOG)))
            at, to = (rng.randrange(0, used) // SECTOR_BYTES * SECTOR_BYTES for _ in range(2))
            sector = files.names_shown[other].shown[at : at + SECTOR_BYTES]
            shown[to : to + len(sector)] = sector
        case "older copy":
            for each in segment_numbers(files, LOG):
                name = segment_path(LOG, each)
                if name in halfway.names_shown:
                    files.names_shown[name].shown[:] = halfway.names_shown[name].shown
                else:
                    files.remove(name)
        case _:
            to = rng.randrange(0, used) // SECTOR_BYTES * SECTOR_BYTES
            shown[to : to + SECTOR_BYTES] = bytes(len(shown[to : to + SECTOR_BYTES]))
    _check_whole(files, expected)


def _flip_bit(content: bytearray, used: int, rng: random.Random) -> None:
    bit = rng.randrange(used * 8)
    content[bit // 8] ^= 1 << bit % 8


def _copy_record(source: bytes, to: bytearray, rng: random.Random) -> None:
    """Put a healthy record of another log where one of the same size was."""
    spans = []
    offset = 0
    while (record := read_record(source, offset, None)) is not None:
        spans.append((offset, record.end))
        offset = record.end
    start, end = rng.choice(spans)
    to[start:end] = source[start:end]


def _copy_sector(source: FaultyFiles, to: FaultyFiles, path: Path, rng: random.Random) -> None:
    if path in source.names_shown:
        old = source.names_shown[path].shown
        at = rng.randrange(0, len(old)) // SECTOR_BYTES * SECTOR_BYTES
        to.names_shown[path].shown[at : at + SECTOR_BYTES] = old[at : at + SECTOR_BYTES]


def _check_unharmed(files: FaultyFiles, expected: View) -> None:
    """Damage of what only helps the log is no damage of the log."""
    try:
        found = view(reopened(files, _SMALL))
    except StorageError as error:
        raise AssertionError(f"the log is whole, and is refused: {error}") from error
    assert found == expected, "the log is whole, and says something else"


def _check_whole(files: FaultyFiles, expected: View) -> None:
    """D9: what was synced is there, or the log is refused; it is never served damaged."""
    try:
        found = view(reopened(files, _SMALL))
    except StorageError:
        return
    assert found.hard_state == expected.hard_state, (
        f"the log says {found.hard_state}, and {expected.hard_state} was synced"
    )
    assert found.entries == expected.entries, (
        f"the log serves {len(found.entries)} entries that are not the {len(expected.entries)} "
        "that were synced"
    )


# -- snapshots -------------------------------------------------------------------------------------


def _play_snapshots(seed: int) -> None:
    rng = random.Random(f"snapshots {seed}")
    files = FaultyFiles()
    # What may be found: what was saved last, and whatever was tried since.
    possible: list[tuple[int, bytes]] = []
    may_lack = True
    store = SnapshotStore(files, _SNAPSHOTS)
    index = 0
    for _ in range(12):
        index += rng.randint(1, 5)
        trying = (index, rng.randbytes(rng.choice((0, 10, 600, 3_000))))
        possible.append(trying)
        _trap(files, rng)
        is_saved = _saved(store, trying)
        files.before_call = lambda _operation, _path: None
        if is_saved is None:
            files.crash(rng)
            store = SnapshotStore(files, _SNAPSHOTS)
        elif is_saved:
            possible, may_lack = [trying], False
        if rng.random() < 0.1:
            _flip(files, rng)
            _check_snapshot(store, possible, may_refuse=True, may_lack=may_lack)
            return
        _check_snapshot(store, possible, may_refuse=False, may_lack=may_lack)


def _saved(store: SnapshotStore, trying: tuple[int, bytes]) -> bool | None:
    """Save. False if that failed and the process goes on; None if the machine stopped."""
    try:
        store.save(a_mark(trying[0]), trying[1])
    except CrashedError:
        return None
    except (OSError, StorageError):
        return False
    return True


def _trap(files: FaultyFiles, rng: random.Random) -> None:
    left, fails = rng.randint(1, 20), rng.random() < 0.3

    def before_call(operation: str, _path: Path) -> None:
        nonlocal left
        left -= 1
        if left == 0 and not fails:
            raise CrashedError
        if left == 0 and operation in ("datasync", "write_at", "sync_directory"):
            raise OSError(errno.EIO, "Input/output error")

    files.before_call = before_call


def _flip(files: FaultyFiles, rng: random.Random) -> None:
    shown = [inode.shown for _, inode in sorted(files.names_shown.items()) if inode.shown]
    if shown:
        content = rng.choice(shown)
        _flip_bit(content, len(content), rng)


def _check_snapshot(
    store: SnapshotStore, possible: list[tuple[int, bytes]], *, may_refuse: bool, may_lack: bool
) -> None:
    """D9, fault 23: the newest snapshot is one that was saved, to the last byte."""
    try:
        latest = store.latest()
    except CorruptSnapshotError as error:
        if not may_refuse:
            raise AssertionError(f"nothing was damaged, and it is refused: {error}") from error
        return
    if latest is None:
        assert may_lack, "a snapshot was saved, and there is none"
        return
    found = (latest[0].index, latest[1])
    assert found in possible, (
        f"the snapshot at {found[0]} with {len(found[1])} bytes is none that was saved"
    )
