"""A sync fails, the process starts again, and later the machine loses power.

The kernel takes pages it could not write for clean: the restarted process reads them as if all were
well, and a sync writes nothing of them. What the process then promises must be on the disk.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from director.raft.messages import HardState
from director.storage.errors import StorageFailedError
from tests.storage.builders import D0, ROOMY, SMALL, a_wal, reopened, some_entries, view
from tests.storage.faulty_files import FaultyFiles

if TYPE_CHECKING:
    from director.storage.wal import WalOptions


def fail_next_sync(files: FaultyFiles) -> None:
    left = [True]

    def before(operation: str, path: Path) -> None:
        if operation == "datasync" and left:
            left.clear()
            raise OSError(errno.EIO, "input/output error", str(path))

    files.before_call = before


@pytest.mark.parametrize("options", [ROOMY, SMALL], ids=["one segment", "several segments"])
@pytest.mark.parametrize("count", [1, 3, 30])
def test_what_a_restart_finds_after_a_failed_sync_survives_a_power_failure(
    options: WalOptions, count: int
) -> None:
    files = FaultyFiles()
    wal = a_wal(files, options)
    wal.append_batch(HardState(term=1, vote=D0), some_entries(1, 3))
    wal.sync()
    wal.append_batch(HardState(term=2, vote=D0), some_entries(4, 3 + count, 2))
    fail_next_sync(files)
    with pytest.raises(StorageFailedError):
        wal.sync()
    files.kill()
    found = view(reopened(files, options))
    assert found.last_index == 3 + count, "a killed process loses nothing that the kernel shows"

    files.power_off_clean()

    assert view(reopened(files, options)) == found


def test_only_what_is_not_known_to_be_durable_is_written_again() -> None:
    files = FaultyFiles()
    wal = a_wal(files)
    for index in range(1, 40):
        wal.append_batch(HardState(term=1, vote=D0), some_entries(index, index))
        wal.sync()
    wal.close()
    files.kill()
    writes: list[str] = []
    files.before_call = lambda operation, path: (
        writes.append(path.name) if operation == "write_at" and path.suffix == ".wal" else None
    )

    reopened(files)

    assert writes == []


def test_a_page_whose_sync_failed_reaches_the_disk_only_when_it_is_written_again() -> None:
    # Of the simulated kernel itself.
    files = FaultyFiles()
    path = Path("/data/file")
    file = files.open(path, create=True)
    files.sync_directory(path.parent)
    file.write_at(0, b"old")
    file.datasync()
    file.write_at(0, b"new")
    fail_next_sync(files)
    with pytest.raises(OSError, match="input/output"):
        file.datasync()
    file.datasync()
    assert files.read(path) == b"new"
    assert files.names_durable[path].durable == b"old"

    file.write_at(0, b"new")
    file.datasync()
    files.power_off_clean()

    assert files.read(path) == b"new"
