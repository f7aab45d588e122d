"""One process per data directory."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING, ClassVar, Self

from director.runtime.errors import ReasonedError

if TYPE_CHECKING:
    from pathlib import Path

_PID_BYTES_MAX = 32


class DirectoryInUseError(ReasonedError):
    """Another process holds the directory."""

    reason: ClassVar[str] = "DIRECTORY_IN_USE"


class DirectoryLock:
    """Holds a directory until closed or until the process ends, however it ends.

    The lock is on the open file, so a process killed at any instant leaves none behind.
    The file itself stays: removing it would let two processes lock two different files.
    """

    def __init__(self, directory: Path) -> None:
        """Take the lock.

        Raises:
            DirectoryInUseError: Another process has it. The message names its process id.
            OSError: The lock file cannot be opened.
        """
        self.path = directory / "lock"
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._fd, _PID_BYTES_MAX, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            self._fd = -1
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise DirectoryInUseError(
                f"{directory} is in use by process {holder or 'unknown'}; stop it first, "
                f"or give this one a data directory of its own",
                path=str(directory),
                pid=holder,
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode("ascii"), 0)

    def close(self) -> None:
        """Let go. Closing twice does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
