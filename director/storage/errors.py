"""Every error durable storage reports on purpose. All of them mean: nothing was guessed."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, ClassVar

from director.runtime.errors import ReasonedError

if TYPE_CHECKING:
    from pathlib import Path


class StorageError(ReasonedError):
    """Base of the errors of this package."""

    reason: ClassVar[str] = "STORAGE"


class StorageFailedError(StorageError):
    """A write or a sync failed; this log must not be used any more by this process.

    After a failed fsync the kernel may have dropped the pages, and a later fsync could appear
    to succeed (D9). So it is never tried again; a restart finds what is really on disk.
    """

    reason: ClassVar[str] = "STORAGE_FAILED"


class DiskFullError(StorageError):
    """There is no room. Nothing was written; the same call may be made again later."""

    reason: ClassVar[str] = "DISK_FULL"


class CorruptLogError(StorageError):
    """The log is not what was written. No file was changed.

    Attributes:
        path: The damaged file.
        offset: Where in it the damage begins, in bytes.
        what: What is wrong there.
    """

    reason: ClassVar[str] = "LOG_CORRUPT"

    def __init__(self, path: Path, offset: int, what: str) -> None:
        super().__init__(
            f"{path} is damaged at byte {offset}: {what}; nothing was changed. Remove this "
            f"replica from the cluster, empty its data directory and add it again as a learner",
            path=str(path),
            offsetBytes=offset,
            what=what,
        )
        self.path = path
        self.offset = offset
        self.what = what


class CorruptSnapshotError(StorageError):
    """A snapshot is not what was written, or the one the log relies on is missing."""

    reason: ClassVar[str] = "SNAPSHOT_CORRUPT"

    def __init__(self, path: Path, offset: int, what: str) -> None:
        super().__init__(
            f"{path} is damaged at byte {offset}: {what}",
            path=str(path),
            offsetBytes=offset,
            what=what,
        )
        self.path = path
        self.offset = offset
        self.what = what


class SnapshotTransferError(StorageError):
    """A snapshot arriving in chunks is out of order or not what was announced."""

    reason: ClassVar[str] = "SNAPSHOT_TRANSFER_FAILED"


class WrongDirectoryError(StorageError):
    """The data directory belongs to another replica, fleet or incarnation."""

    reason: ClassVar[str] = "WRONG_DIRECTORY"


def is_disk_full(error: OSError) -> bool:
    """Tell whether freeing space would help."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def disk_full(path: Path, needed_bytes: int) -> DiskFullError:
    """Say what was needed where, and how to get it."""
    return DiskFullError(
        f"no room for {needed_bytes} bytes at {path}; free space or raise the quota on that "
        f"file system, then try again: nothing was written and nothing is lost",
        path=str(path),
        neededBytes=needed_bytes,
    )
