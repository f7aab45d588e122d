"""Snapshots: whole and verified or not there; the old one is kept until the new one is."""

from __future__ import annotations

import errno
import hashlib
import random
from pathlib import Path

import pytest

from director.runtime.files import OsFiles
from director.storage.errors import CorruptSnapshotError, DiskFullError, SnapshotTransferError
from director.storage.snapshots import SNAPSHOT_BYTES_MAX, SnapshotOffer, SnapshotStore
from tests.storage.builders import a_mark
from tests.storage.faulty_files import CrashedError, FaultyFiles

DIRECTORY = Path("/data/snapshots")


def a_store(files: FaultyFiles) -> SnapshotStore:
    return SnapshotStore(files, DIRECTORY)


def an_offer(payload: bytes, index: int = 20) -> SnapshotOffer:
    return SnapshotOffer(a_mark(index), len(payload), hashlib.sha256(payload).digest())


def test_there_is_none_at_first() -> None:
    store = a_store(FaultyFiles())

    assert store.latest() is None
    assert store.reader() is None
    assert store.latest_index() == 0


@pytest.mark.parametrize("payload", [b"", b"state", bytes(100_000)])
def test_the_latest_is_found_again_on_a_real_disk(tmp_path: Path, payload: bytes) -> None:
    store = SnapshotStore(OsFiles(), tmp_path / "snapshots")
    store.save(a_mark(10), b"older")
    store.save(a_mark(20), payload)

    again = SnapshotStore(OsFiles(), tmp_path / "snapshots")

    assert again.latest() == (a_mark(20), payload)
    assert again.latest_index() == 20
    assert len(list((tmp_path / "snapshots").iterdir())) == 1


def test_a_crash_at_any_step_of_saving_leaves_the_old_or_the_new_one() -> None:
    outcomes = set()
    step = 0
    finished = False
    while not finished:
        step += 1
        for seed in range(60):
            files = FaultyFiles()
            store = a_store(files)
            store.save(a_mark(10), b"old" * 300)
            left = step

            def before_call(_operation: str, _path: Path) -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    raise CrashedError

            files.before_call = before_call
            try:
                store.save(a_mark(20), b"new" * 300)
                finished = True
            except CrashedError:
                pass
            files.before_call = lambda _operation, _path: None
            files.crash(random.Random(seed))
            latest = a_store(files).latest()
            assert latest in ((a_mark(10), b"old" * 300), (a_mark(20), b"new" * 300))
            assert not finished or latest == (a_mark(20), b"new" * 300)
            outcomes.add(latest[0].index)
            # And the next one can be saved.
            a_store(files).save(a_mark(30), b"next")
    assert outcomes == {10, 20}
    assert step > 6


def test_every_flipped_bit_is_refused() -> None:
    files = FaultyFiles()
    a_store(files).save(a_mark(10), b"the state of a fleet")
    [path] = files.names_shown
    for bit in range(len(files.contents()[path]) * 8):
        flipped = files.copy()
        flipped.names_shown[path].shown[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptSnapshotError):
            a_store(flipped).latest()
        with pytest.raises(CorruptSnapshotError):
            a_store(flipped).reader()


def test_a_shortened_or_renamed_snapshot_is_refused() -> None:
    files = FaultyFiles()
    a_store(files).save(a_mark(10), b"the state of a fleet")
    [path] = files.names_shown
    for length in range(len(files.contents()[path])):
        short = files.copy()
        del short.names_shown[path].shown[length:]
        with pytest.raises(CorruptSnapshotError):
            a_store(short).latest()
    files.rename(path, path.with_name(path.name.replace("10", "11")))
    with pytest.raises(CorruptSnapshotError, match="under another name"):
        a_store(files).latest()


def test_a_full_disk_keeps_the_old_one_and_leaves_nothing_behind() -> None:
    files = FaultyFiles()
    store = a_store(files)
    store.save(a_mark(10), b"old")

    def full(operation: str, _path: Path) -> None:
        if operation == "preallocate":
            raise OSError(errno.ENOSPC, "full")

    files.before_call = full
    with pytest.raises(DiskFullError):
        store.save(a_mark(20), b"new")
    with pytest.raises(DiskFullError):
        store.receive_begin(an_offer(b"new"))

    assert store.latest() == (a_mark(10), b"old")
    assert len(files.names_shown) == 1


def test_a_failed_sync_keeps_the_old_one() -> None:
    files = FaultyFiles()
    store = a_store(files)
    store.save(a_mark(10), b"old")

    def failing(operation: str, _path: Path) -> None:
        if operation == "datasync":
            raise OSError(errno.EIO, "Input/output error")

    files.before_call = failing
    with pytest.raises(OSError, match="Input/output"):
        store.save(a_mark(20), b"new")

    assert store.latest() == (a_mark(10), b"old")


def test_a_write_the_disk_garbled_is_noticed_before_the_old_one_goes() -> None:
    files = FaultyFiles()
    store = a_store(files)
    store.save(a_mark(10), b"old")

    def garble(operation: str, path: Path) -> None:
        if operation == "read" and path.name.endswith(".tmp"):
            files.names_shown[path].shown[-1] ^= 1

    files.before_call = garble
    with pytest.raises(CorruptSnapshotError):
        store.save(a_mark(20), b"new")

    assert store.latest() == (a_mark(10), b"old")
    assert len(files.names_shown) == 1


def test_a_snapshot_travels_in_chunks_and_arrives_whole() -> None:
    payload = random.Random(1).randbytes(10_000)
    sender, receiver = a_store(FaultyFiles()), a_store(FaultyFiles())
    sender.save(a_mark(20), payload)
    receiver.save(a_mark(10), b"old")
    reader = sender.reader()
    assert reader is not None

    receiver.receive_begin(reader.offer)
    offset = 0
    while chunk := reader.chunk(offset, 777):
        receiver.receive_chunk(offset, chunk)
        offset += len(chunk)
    reader.close()

    assert receiver.receive_finish() == (a_mark(20), payload)
    assert receiver.latest() == (a_mark(20), payload)


def test_a_reader_goes_on_while_a_newer_snapshot_replaces_its_own(tmp_path: Path) -> None:
    store = SnapshotStore(OsFiles(), tmp_path)
    store.save(a_mark(10), b"abcdef")
    reader = store.reader()
    assert reader is not None
    store.save(a_mark(20), b"uvwxyz")

    assert reader.chunk(0, 4) + reader.chunk(4, 4) == b"abcdef"
    reader.close()


def test_chunks_out_of_order_missing_or_wrong_are_refused_and_the_old_one_stays() -> None:
    files = FaultyFiles()
    store = a_store(files)
    store.save(a_mark(10), b"old")

    with pytest.raises(SnapshotTransferError, match="no snapshot is arriving"):
        store.receive_chunk(0, b"x")
    with pytest.raises(SnapshotTransferError, match="no snapshot is arriving"):
        store.receive_finish()
    store.receive_begin(an_offer(b"abcdef"))
    store.receive_chunk(0, b"abc")
    for offset, chunk in ((0, b"abc"), (4, b"ef"), (3, b"defg")):
        with pytest.raises(SnapshotTransferError) as caught:
            store.receive_chunk(offset, chunk)
        assert caught.value.metadata == {"expectedOffsetBytes": "3"}
    with pytest.raises(SnapshotTransferError, match="3 of 6 bytes"):
        store.receive_finish()
    store.receive_begin(an_offer(b"abcdef"))
    store.receive_chunk(0, b"abcdeX")
    with pytest.raises(SnapshotTransferError, match="not what was announced"):
        store.receive_finish()
    with pytest.raises(SnapshotTransferError, match="is the most"):
        store.receive_begin(SnapshotOffer(a_mark(20), SNAPSHOT_BYTES_MAX + 1, b""))
    store.receive_begin(an_offer(b"abcdef"))
    store.receive_abort()

    assert store.latest() == (a_mark(10), b"old")
    assert len(files.names_shown) == 1


def test_what_a_crash_left_half_written_is_removed_at_the_start() -> None:
    files = FaultyFiles()
    store = a_store(files)
    store.receive_begin(an_offer(b"abcdef"))
    store.receive_chunk(0, b"abc")
    files.kill()

    assert a_store(files).latest() is None
    assert files.names_shown == {}
