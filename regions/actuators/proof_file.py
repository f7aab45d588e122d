"""Proof that the disk still takes writes: a few bytes, made durable (A6).

A disk that hangs or refuses lets the lease run out instead of letting the service promise what it
cannot keep (faults 16 to 18).
"""

import os
import struct
from collections.abc import Callable
from pathlib import Path

from director.runtime.files import FileSystem, OpenFile, OsFiles

_CONTENT = struct.Struct("<Q")
# A full disk still takes bytes in place; a promise, and the service's own write, need new room.
FREE_BYTES_MIN = 16_384


def free_bytes(directory: Path) -> int:
    """Return the room that this process may still use.

    Raises:
        OSError: The file system does not answer.
    """
    told = os.statvfs(directory)
    blocks = told.f_bfree if os.geteuid() == 0 else told.f_bavail
    return blocks * told.f_frsize


class ProofFile:
    """Writes in place, so that it never grows and needs no directory sync."""

    def __init__(
        self,
        path: Path,
        *,
        files: FileSystem | None = None,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._path = path
        self._free = free
        self._files = OsFiles() if files is None else files
        self._file: OpenFile | None = None

    def prove(self, *, now_ms: int) -> bool:
        """Write ``now_ms`` durably. False if the disk refused or is full. May block for long."""
        try:
            if self._file is None:
                is_new = not self._files.exists(self._path)
                self._file = self._files.open(self._path, create=is_new)
            self._file.write_at(0, _CONTENT.pack(now_ms))
            self._file.datasync()
            return self._free(self._path.parent) >= FREE_BYTES_MIN
        except OSError:
            # Nothing is remembered of a failed sync: the next proof opens the file anew.
            self.close()
            return False

    def close(self) -> None:
        """Close the file. Closing twice does nothing."""
        if self._file is not None:
            self._file.close()
            self._file = None
