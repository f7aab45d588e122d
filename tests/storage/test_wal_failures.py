"""A disk that is full is waited for; a disk that fails is never believed again."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from director.raft.messages import HardState
from director.storage.errors import DiskFullError, StorageFailedError
from tests.storage.builders import (
    D0,
    LOG,
    ROOMY,
    SMALL,
    a_mark,
    a_wal,
    an_entry,
    reopened,
    some_entries,
    view,
)
from tests.storage.faulty_files import FaultyFiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from director.storage.wal import Wal


def fails_once(operation: str, number: int = errno.EIO) -> Callable[[str, Path], None]:
    left = 1

    def before_call(called: str, _path: Path) -> None:
        nonlocal left
        if called == operation and left:
            left -= 1
            raise OSError(number, "the disk says no")

    return before_call


def fails_always(operation: str, number: int) -> Callable[[str, Path], None]:
    def before_call(called: str, _path: Path) -> None:
        if called == operation:
            raise OSError(number, "the disk says no")

    return before_call


CALLS: list[Callable[[Wal], object]] = [
    lambda wal: wal.sync(),
    lambda wal: wal.append_batch(None, [an_entry(7)]),
    lambda wal: wal.record_snapshot(a_mark(1)),
    lambda wal: wal.install_snapshot(a_mark(9)),
    lambda wal: wal.compact_to(0),
    lambda wal: wal.entries(1, 2, 1),
    lambda wal: wal.hard_state(),
    lambda wal: wal.snapshot_mark(),
    lambda wal: wal.first_index(),
    lambda wal: wal.last_index(),
    lambda wal: wal.term_at(1),
]


@pytest.mark.parametrize("operation", ["datasync", "write_at"])
def test_one_failure_ends_the_use_of_the_log(operation: str) -> None:
    files = FaultyFiles()
    wal = a_wal(files)
    wal.append_batch(None, some_entries(1, 3))
    files.before_call = fails_once(operation)

    with pytest.raises(StorageFailedError, match="must restart"):
        wal.sync()

    assert wal.is_failed
    synced = files.calls
    for call in CALLS:
        with pytest.raises(StorageFailedError):
            call(wal)
    wal.close()
    # Nothing was tried again: not one more call reached the disk.
    assert files.calls == synced


def test_a_failed_append_ends_the_use_of_the_log() -> None:
    files = FaultyFiles()
    wal = a_wal(files)
    files.before_call = fails_once("write_at")

    with pytest.raises(StorageFailedError) as caught:
        wal.append_batch(None, some_entries(1, 3))

    assert caught.value.metadata["action"] == "write"
    with pytest.raises(StorageFailedError):
        wal.sync()


def test_entries_of_a_failed_sync_may_be_gone_but_never_earlier_ones() -> None:
    files = FaultyFiles()
    wal = a_wal(files)
    wal.append_batch(HardState(term=1, vote=D0), some_entries(1, 3))
    wal.sync()
    wal.append_batch(None, some_entries(4, 6))
    files.before_call = fails_once("datasync")
    with pytest.raises(StorageFailedError):
        wal.sync()
    # The kernel marked the pages clean and dropped them.
    files.power_off_clean()

    assert view(reopened(files)).entries == tuple(some_entries(1, 3))


def test_a_full_disk_refuses_the_batch_whole_and_the_log_goes_on_when_there_is_room() -> None:
    files = FaultyFiles()
    wal = a_wal(files, SMALL)
    files.before_call = fails_always("preallocate", errno.ENOSPC)
    index = 0

    def append_until_full() -> None:
        nonlocal index
        while True:
            wal.append_batch(None, [an_entry(index + 1)])
            wal.sync()
            index += 1

    with pytest.raises(DiskFullError, match="free space") as caught:
        append_until_full()
    assert caught.value.reason == "DISK_FULL"
    # Nothing was lost and reads go on.
    assert wal.last_index() == index
    assert wal.entries(1, index + 1, 1 << 20) == tuple(some_entries(1, index))
    for _ in range(3):
        with pytest.raises(DiskFullError):
            wal.append_batch(None, [an_entry(index + 1)])

    files.before_call = lambda _operation, _path: None
    wal.append_batch(None, [an_entry(index + 1)])
    wal.close()

    assert view(reopened(files, SMALL)).entries == tuple(some_entries(1, index + 1))


def test_a_full_disk_also_refuses_to_grow_the_current_segment() -> None:
    files = FaultyFiles()
    wal = a_wal(files, SMALL)
    wal.append_batch(None, some_entries(1, 20))  # a second segment, not synced
    files.before_call = fails_always("preallocate", errno.ENOSPC)

    with pytest.raises(DiskFullError):
        wal.append_batch(None, some_entries(21, 60))

    wal.sync()
    assert wal.last_index() == 20
    files.before_call = lambda _operation, _path: None
    wal.append_batch(None, some_entries(21, 60))
    wal.close()
    assert view(reopened(files, SMALL)).last_index == 60


def test_a_full_disk_does_not_keep_a_log_from_being_opened_and_read() -> None:
    files = FaultyFiles()
    wal = a_wal(files)
    wal.append_batch(None, some_entries(1, 3))
    wal.close()
    files.before_call = fails_always("preallocate", errno.ENOSPC)

    assert view(reopened(files)).entries == tuple(some_entries(1, 3))


def test_a_full_disk_does_not_stop_a_sync_that_only_wanted_to_prepare_ahead() -> None:
    files = FaultyFiles()
    wal = a_wal(files, SMALL)
    wal.append_batch(None, [an_entry(1)])

    def before_call(operation: str, path: Path) -> None:
        if operation == "open" and path.name == "spare.tmp":
            raise OSError(errno.ENOSPC, "full")

    files.before_call = before_call
    wal._spare.close()
    wal.sync()

    assert not wal.is_failed


def test_a_creation_that_finds_no_room_can_be_repeated() -> None:
    files = FaultyFiles()
    files.before_call = fails_once("preallocate", errno.ENOSPC)

    with pytest.raises(DiskFullError):
        a_wal(files)

    wal = a_wal(files, ROOMY, LOG)
    assert wal.last_index() == 0
