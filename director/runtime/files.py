"""The file system as durable code sees it, and the real one.

A port, so that a faulty disk can be put under the log in tests and simulation: torn
writes, lost un-synced writes, flipped bits, EIO, ENOSPC. Its promises are POSIX's, and
no more: what was written is durable only after ``datasync``; a name (created, renamed or
removed) only after ``sync_directory`` of its directory. Failures are ``OSError``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from director.runtime.directory_lock import DirectoryLock

if TYPE_CHECKING:
    from pathlib import Path

# Zeros are written in pieces of this size, so that no large buffer is needed.
_ZEROS = bytes(1 << 20)


class Closeable(Protocol):
    """Something held until closed."""

    def close(self) -> None:
        """Let go. Closing twice does nothing."""


class OpenFile(Protocol):
    """A file open for reading and writing at explicit offsets."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes; fewer only at the end of the file."""

    def write_at(self, offset: int, content: bytes) -> None:
        """Write all of ``content``, extending the file if needed. Not durable yet."""

    def size(self) -> int:
        """Return the length of the file in bytes."""

    def truncate(self, length: int) -> None:
        """Cut the file, or extend it with zeros. Not durable yet."""

    def preallocate(self, length: int) -> None:
        """Reserve space up to ``length``; what lies beyond the end reads as zeros."""

    def zero(self, offset: int, length: int) -> None:
        """Write zeros, so that a later write there changes no file metadata."""

    def datasync(self) -> None:
        """Return when all bytes written and the length are durable.

        After a failure the kernel may have dropped the pages: do not try again, but give up
        the file.
        """

    def close(self) -> None:
        """Close it; nothing is made durable. Closing twice does nothing."""


class FileSystem(Protocol):
    """Names of files, and the few things done to whole ones."""

    def open(self, path: Path, *, create: bool = False) -> OpenFile:
        """Open for reading and writing; ``create`` demands that it does not exist yet."""

    def read(self, path: Path) -> bytes:
        """Return the whole content. FileNotFoundError if there is none."""

    def exists(self, path: Path) -> bool:
        """Tell whether there is such a file or directory."""

    def names(self, directory: Path) -> tuple[str, ...]:
        """Return the names in a directory, sorted."""

    def make_directory(self, path: Path) -> None:
        """Create it and its parents if they do not exist, readable by the owner only."""

    def rename(self, old: Path, new: Path) -> None:
        """Give ``old`` the name ``new``, replacing what had it, atomically."""

    def remove(self, path: Path) -> None:
        """Remove one file. FileNotFoundError if there is none."""

    def sync_directory(self, path: Path) -> None:
        """Return when the names in this directory are durable."""

    def lock(self, directory: Path) -> Closeable:
        """Take the directory for this process, or raise DirectoryInUseError."""


class OsFile:
    """A real file."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read_at(self, offset: int, length: int) -> bytes:
        """See OpenFile."""
        read = os.pread(self._fd, length, offset)
        if len(read) == length or not read:
            return read
        pieces = [read]
        got = len(read)
        while got < length and (read := os.pread(self._fd, length - got, offset + got)):
            pieces.append(read)
            got += len(read)
        return b"".join(pieces)

    def write_at(self, offset: int, content: bytes) -> None:
        """See OpenFile."""
        written = os.pwrite(self._fd, content, offset)
        if written == len(content):
            return
        rest = memoryview(content)[written:]
        offset += written
        while rest:
            written = os.pwrite(self._fd, rest, offset)
            rest = rest[written:]
            offset += written

    def size(self) -> int:
        """See OpenFile."""
        return os.fstat(self._fd).st_size

    def truncate(self, length: int) -> None:
        """See OpenFile."""
        os.ftruncate(self._fd, length)

    def preallocate(self, length: int) -> None:
        """See OpenFile."""
        if length > 0:
            os.posix_fallocate(self._fd, 0, length)

    def zero(self, offset: int, length: int) -> None:
        """See OpenFile."""
        while length > 0:
            piece = min(length, len(_ZEROS))
            self.write_at(offset, _ZEROS if piece == len(_ZEROS) else bytes(piece))
            offset += piece
            length -= piece

    def datasync(self) -> None:
        """See OpenFile."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """See OpenFile."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


class OsFiles:
    """The operating system's files."""

    def open(self, path: Path, *, create: bool = False) -> OsFile:
        """See FileSystem."""
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if create else 0)
        return OsFile(os.open(path, flags, 0o600))

    def read(self, path: Path) -> bytes:
        """See FileSystem."""
        return path.read_bytes()

    def exists(self, path: Path) -> bool:
        """See FileSystem."""
        return path.exists()

    def names(self, directory: Path) -> tuple[str, ...]:
        """See FileSystem."""
        return tuple(sorted(os.listdir(directory)))  # noqa: PTH208 - names, not paths

    def make_directory(self, path: Path) -> None:
        """See FileSystem."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def rename(self, old: Path, new: Path) -> None:
        """See FileSystem."""
        old.replace(new)

    def remove(self, path: Path) -> None:
        """See FileSystem."""
        path.unlink()

    def sync_directory(self, path: Path) -> None:
        """See FileSystem."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def lock(self, directory: Path) -> DirectoryLock:
        """See FileSystem."""
        return DirectoryLock(directory)


def replace_durably(files: FileSystem, path: Path, *contents: bytes) -> None:
    """Give ``path`` new content such that a crash leaves the old or the new, whole.

    When it returns, the new one is durable. When it raises OSError, either may be found.
    The caller sees to it that only one such replacement of ``path`` runs at a time.
    """
    temporary = path.with_name(path.name + ".tmp")
    if files.exists(temporary):
        files.remove(temporary)  # left by a crash
    file = files.open(temporary, create=True)
    try:
        offset = 0
        for content in contents:
            file.write_at(offset, content)
            offset += len(content)
        file.datasync()
    finally:
        file.close()
    files.rename(temporary, path)
    files.sync_directory(path.parent)
