"""A file system in memory that is as unkind as POSIX allows.

What was written and not synced may be lost at a crash, in whole, in part, or in the wrong
order; so may a name whose directory was not synced. Calls fail on demand.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from director.runtime.directory_lock import DirectoryInUseError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

SECTOR_BYTES = 512
PAGE_BYTES = 4_096


class CrashedError(BaseException):
    """The machine stopped here. Not an Exception, so that nothing can handle it."""


@dataclass(eq=False)
class Inode:
    """A file: what the kernel shows, and what the disk has."""

    shown: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    # Every state since the last sync, oldest first, to tear between two of them.
    unsynced: list[bytes] = field(default_factory=list)
    # Pages whose sync failed: shown as written and taken for clean, though the disk has them not.
    dropped: set[int] = field(default_factory=set)

    def drop_dirty(self) -> None:
        """A sync failed: no later one writes what was dirty, unless it is written again."""
        shown, durable = bytes(self.shown), self.durable.ljust(len(self.shown), b"\0")
        for at in range(0, len(shown), PAGE_BYTES):
            if shown[at : at + PAGE_BYTES] != durable[at : at + PAGE_BYTES]:
                self.dropped.add(at // PAGE_BYTES)
        self.unsynced = []

    def written(self, offset: int, length: int) -> None:
        """Every page in this range is dirty."""
        if self.dropped and length:
            first, last = offset // PAGE_BYTES, (offset + length - 1) // PAGE_BYTES
            self.dropped.difference_update(range(first, last + 1))

    def reaching_disk(self, content: bytes) -> bytes:
        """``content`` without what the kernel takes for clean."""
        if not self.dropped:
            return content
        durable, result = self.durable.ljust(len(content), b"\0"), bytearray(content)
        for page in sorted(self.dropped):
            at = page * PAGE_BYTES
            result[at : at + PAGE_BYTES] = durable[at : min(at + PAGE_BYTES, len(content))]
        return bytes(result)

    def forget_cache(self) -> None:
        """The machine starts again: it shows what the disk has."""
        self.shown = bytearray(self.durable)
        self.unsynced = []
        self.dropped = set()

    def changed(self) -> None:
        self.unsynced.append(bytes(self.shown))


class FaultyFiles:
    """See the module. ``before_call`` sees each operation and may raise OSError or crash.

    Attributes:
        room_bytes: By how much files may still grow; None for no limit. Removing gives none back.
    """

    def __init__(self) -> None:
        self.names_shown: dict[Path, Inode] = {}
        self.names_durable: dict[Path, Inode] = {}
        self.unsynced_names: list[tuple[Path, Path | None, Inode | None]] = []
        self.directories: set[Path] = set()
        self.locked: set[Path] = set()
        self.before_call: Callable[[str, Path], None] = lambda _operation, _path: None
        self.calls = 0
        self.room_bytes: int | None = None

    def take_room(self, path: Path, grown_bytes: int) -> None:
        """Let a file grow, or fail with ENOSPC and change nothing."""
        if self.room_bytes is None or grown_bytes <= 0:
            return
        if grown_bytes > self.room_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        self.room_bytes -= grown_bytes

    def call(self, operation: str, path: Path) -> None:
        self.calls += 1
        self.before_call(operation, path)

    def crash(self, rng: random.Random) -> None:
        """Lose what a power failure may lose."""
        # POSIX promises no order among names that were not synced; most disks keep one.
        survivors = self.unsynced_names[: rng.randint(0, len(self.unsynced_names))]
        if rng.random() < 0.5:
            survivors = [change for change in self.unsynced_names if rng.random() < 0.5]
        for change in survivors:
            _rename(self.names_durable, *change)
        self.names_shown = dict(self.names_durable)
        self.unsynced_names = []
        # In the order of their names, so that a seed gives the same run every time.
        for _, inode in sorted(self.names_shown.items()):
            inode.durable = inode.reaching_disk(_torn(inode, rng))
            inode.forget_cache()
        self.locked.clear()

    def kill(self) -> None:
        """The process is gone and the kernel is not: nothing written is lost."""
        self.locked.clear()

    def power_off_clean(self) -> None:
        """Lose everything unsynced, and nothing else."""
        self.names_shown = dict(self.names_durable)
        self.unsynced_names = []
        for inode in self.names_shown.values():
            inode.forget_cache()
        self.locked.clear()

    def copy(self) -> FaultyFiles:
        """Return the same files as of now, everything durable."""
        other = FaultyFiles()
        other.directories = set(self.directories)
        for path, inode in self.names_shown.items():
            content = bytes(inode.shown)
            other.names_durable[path] = Inode(bytearray(content), content)
        other.names_shown = dict(other.names_durable)
        return other

    def contents(self) -> dict[Path, bytes]:
        return {path: bytes(inode.shown) for path, inode in self.names_shown.items()}

    def has_unsynced(self) -> bool:
        """Whether a power failure could lose anything."""
        return bool(self.unsynced_names) or any(
            inode.unsynced for inode in self.names_shown.values()
        )

    def flip_bit(self, path: Path, offset: int, bit: int) -> None:
        """Change one bit of a file, on the disk and in what the kernel shows."""
        inode = self._inode(path)
        inode.shown[offset] ^= 1 << bit
        inode.durable = bytes(inode.shown)
        inode.unsynced = []

    # The port.

    def open(self, path: Path, *, create: bool = False) -> FaultyFile:
        self.call("open", path)
        if create:
            if path in self.names_shown:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
            inode = Inode()
            self.names_shown[path] = inode
            self.unsynced_names.append((path, None, inode))
        return FaultyFile(self, path, self._inode(path))

    def read(self, path: Path) -> bytes:
        self.call("read", path)
        return bytes(self._inode(path).shown)

    def exists(self, path: Path) -> bool:
        return path in self.names_shown or path in self.directories

    def names(self, directory: Path) -> tuple[str, ...]:
        return tuple(sorted(path.name for path in self.names_shown if path.parent == directory))

    def make_directory(self, path: Path) -> None:
        # Directories are durable at once: losing one would only be a first start again.
        self.directories.add(path)

    def rename(self, old: Path, new: Path) -> None:
        self.call("rename", new)
        inode = self._inode(old)
        _rename(self.names_shown, new, old, inode)
        self.unsynced_names.append((new, old, inode))

    def remove(self, path: Path) -> None:
        self.call("remove", path)
        self._inode(path)
        _rename(self.names_shown, path, None, None)
        self.unsynced_names.append((path, None, None))

    def sync_directory(self, path: Path) -> None:
        self.call("sync_directory", path)
        left = []
        for change in self.unsynced_names:
            if change[0].parent == path:
                _rename(self.names_durable, *change)
            else:
                left.append(change)
        self.unsynced_names = left

    def lock(self, directory: Path) -> FaultyLock:
        if directory in self.locked:
            raise DirectoryInUseError(f"{directory} is in use", path=str(directory))
        self.locked.add(directory)
        return FaultyLock(self, directory)

    def _inode(self, path: Path) -> Inode:
        if path not in self.names_shown:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return self.names_shown[path]


class FaultyLock:
    def __init__(self, files: FaultyFiles, directory: Path) -> None:
        self._files = files
        self._directory = directory

    def close(self) -> None:
        self._files.locked.discard(self._directory)


class FaultyFile:
    def __init__(self, files: FaultyFiles, path: Path, inode: Inode) -> None:
        self._files = files
        self._path = path
        self._inode = inode

    def read_at(self, offset: int, length: int) -> bytes:
        self._files.call("read_at", self._path)
        return bytes(self._inode.shown[offset : offset + length])

    def write_at(self, offset: int, content: bytes) -> None:
        self._files.call("write_at", self._path)
        shown = self._inode.shown
        self._files.take_room(self._path, offset + len(content) - len(shown))
        if len(shown) < offset + len(content):
            shown.extend(bytes(offset + len(content) - len(shown)))
        shown[offset : offset + len(content)] = content
        self._inode.written(offset, len(content))
        self._inode.changed()

    def size(self) -> int:
        return len(self._inode.shown)

    def truncate(self, length: int) -> None:
        self._files.call("truncate", self._path)
        shown = self._inode.shown
        del shown[length:]
        shown.extend(bytes(length - len(shown)))
        self._inode.changed()

    def preallocate(self, length: int) -> None:
        self._files.call("preallocate", self._path)
        shown = self._inode.shown
        self._files.take_room(self._path, length - len(shown))
        if length > len(shown):
            shown.extend(bytes(length - len(shown)))
            self._inode.changed()

    def zero(self, offset: int, length: int) -> None:
        self.write_at(offset, bytes(length))

    def datasync(self) -> None:
        try:
            self._files.call("datasync", self._path)
        except OSError:
            self._inode.drop_dirty()
            raise
        self._inode.durable = self._inode.reaching_disk(bytes(self._inode.shown))
        self._inode.unsynced = []

    def close(self) -> None:
        pass


def _rename(names: dict[Path, Inode], new: Path, old: Path | None, inode: Inode | None) -> None:
    if old is not None:
        names.pop(old, None)
    if inode is None:
        names.pop(new, None)
    else:
        names[new] = inode


def _torn(inode: Inode, rng: random.Random) -> bytes:
    """Return one content the disk may have after a crash."""
    if not inode.unsynced:
        return inode.durable
    last = inode.unsynced[-1]
    length = max(len(last), len(inode.durable))
    old, new = inode.durable.ljust(length, b"\0"), last.ljust(length, b"\0")
    match rng.choice(["nothing", "everything", "some writes", "cut", "sectors"]):
        case "nothing":
            return inode.durable
        case "everything":
            return last
        case "some writes":
            return rng.choice(inode.unsynced)
        case "cut":
            return _cut(old, new, rng)
        case _:
            return b"".join(
                (new if rng.random() < 0.5 else old)[at : at + SECTOR_BYTES]
                for at in range(0, length, SECTOR_BYTES)
            )


def _cut(old: bytes, new: bytes, rng: random.Random) -> bytes:
    """Appended bytes reach the disk up to some byte; overwritten ones in whole sectors."""
    differing = [at for at in range(len(old)) if old[at] != new[at]]
    if not differing:
        return new
    at = rng.choice(differing)
    if old[at:].strip(b"\0"):
        at -= at % SECTOR_BYTES
    return new[:at] + old[at:]
