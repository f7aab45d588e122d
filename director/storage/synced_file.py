"""The side file that remembers how far the log was synced. It is never itself waited for.

It is written after each sync and not synced, except when the log is closed. So a killed
process leaves it exact, since the kernel still holds it; a power failure leaves an older
one, which is a lower bound and therefore still true. Two slots, written in turn: a torn
slot leaves the other.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from zlib import crc32

from director.storage.records import LINK_BYTES, Position, SyncedMark

if TYPE_CHECKING:
    from pathlib import Path

    from director.runtime.files import FileSystem, OpenFile

NAME = "synced"
_SLOT = struct.Struct(f"<4sQQQ{LINK_BYTES}s")
_CHECK = struct.Struct("<I")
_MAGIC = b"SYN1"
# A sector each, so that one torn write cannot reach both.
_SLOT_SPACING_BYTES = 512
_SLOT_COUNT = 2


class SyncedFile:
    """Writes the mark after each sync. Used by one thread at a time."""

    def __init__(self, file: OpenFile, sequence: int) -> None:
        self._file = file
        self._sequence = sequence

    @classmethod
    def open(cls, files: FileSystem, directory: Path) -> tuple[SyncedFile, SyncedMark | None]:
        """Open or create it.

        Returns:
            The file, and the newest mark in it. None if there is none to be believed.
        """
        path = directory / NAME
        file = files.open(path, create=not files.exists(path))
        content = file.read_at(0, _SLOT_SPACING_BYTES * _SLOT_COUNT)
        sequence, mark = newest_mark(content)
        return cls(file, sequence), mark

    def write(self, mark: SyncedMark) -> None:
        """Remember ``mark``. Survives the death of the process, not that of the machine."""
        self._sequence += 1
        slot = _SLOT.pack(_MAGIC, self._sequence, *mark.position, mark.link)
        offset = self._sequence % _SLOT_COUNT * _SLOT_SPACING_BYTES
        self._file.write_at(offset, slot + _CHECK.pack(crc32(slot)))

    def datasync(self) -> None:
        """Make the newest mark durable."""
        self._file.datasync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def newest_mark(content: bytes) -> tuple[int, SyncedMark | None]:
    """Return the highest sequence number in a healthy slot and the mark there; (0, None)."""
    newest: tuple[int, SyncedMark | None] = (0, None)
    for at in range(0, _SLOT_SPACING_BYTES * _SLOT_COUNT, _SLOT_SPACING_BYTES):
        slot = content[at : at + _SLOT.size]
        check = content[at + _SLOT.size : at + _SLOT.size + _CHECK.size]
        if len(check) < _CHECK.size or crc32(slot) != _CHECK.unpack(check)[0]:
            continue
        magic, sequence, segment, offset, link = _SLOT.unpack(slot)
        if magic == _MAGIC and sequence > newest[0]:
            newest = (sequence, SyncedMark(Position(segment, offset), link))
    return newest
