"""A small file that is replaced whole and believed only if its checksum is right.

For what a process must find again after a restart: a route table, the highest fencing
token it has obeyed, its identity. Not for anything that grows.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, ClassVar

from director.runtime.errors import ReasonedError
from director.runtime.files import OsFiles, replace_durably

if TYPE_CHECKING:
    from pathlib import Path

    from director.runtime.files import FileSystem

_MAGIC = b"TDKEPT"
_FORMAT = 1
_HEADER = struct.Struct("<6sHQ")  # magic, format, payload bytes
_DIGEST_BYTES = 32

# A route table of a thousand services is well under a tenth of this.
KEPT_BYTES_MAX = 64 << 20


class CorruptFileError(ReasonedError):
    """The file is there, but is not what was written. It has not been touched."""

    reason: ClassVar[str] = "FILE_CORRUPT"


class KeptFile:
    """Keeps one value of bytes at ``path``. One writer at a time."""

    def __init__(self, path: Path, *, files: FileSystem | None = None) -> None:
        self.path = path
        self._files = OsFiles() if files is None else files

    def write(self, payload: bytes) -> None:
        """Replace the value. It is durable on return; a crash leaves the old or the new.

        It may be called again after a failure: each call writes a file of its own, so nothing
        the kernel dropped is relied on.

        Raises:
            ValueError: The payload is larger than ``KEPT_BYTES_MAX``.
            OSError: It could not be written; the old value or the new one is kept.
        """
        if len(payload) > KEPT_BYTES_MAX:
            raise ValueError(f"{len(payload)} bytes are more than {KEPT_BYTES_MAX}")
        header = _HEADER.pack(_MAGIC, _FORMAT, len(payload))
        replace_durably(self._files, self.path, header, payload, _digest(header, payload))

    def read(self) -> bytes | None:
        """Return the value, or None if none was ever written. What is returned is durable.

        Raises:
            CorruptFileError: Any bit of the file is not as written, or its format is newer.
            OSError: It could not be read, or not be made durable.
        """
        try:
            content = self._files.read(self.path)
        except FileNotFoundError:
            return None
        if len(content) < _HEADER.size + _DIGEST_BYTES:
            raise self._corrupt(f"it has only {len(content)} bytes")
        magic, form, payload_bytes = _HEADER.unpack_from(content)
        if magic != _MAGIC or form != _FORMAT:
            raise self._corrupt(f"it does not begin as format {_FORMAT} does")
        if len(content) != _HEADER.size + payload_bytes + _DIGEST_BYTES:
            raise self._corrupt(f"its length is not the {payload_bytes} bytes it claims to hold")
        payload = content[_HEADER.size : -_DIGEST_BYTES]
        if _digest(content[: _HEADER.size], payload) != content[-_DIGEST_BYTES:]:
            raise self._corrupt("its checksum is wrong")
        # The writer may have been killed before it made the new name durable. Whoever reads the
        # value acts on it, and a power failure must not bring back the one before.
        self._files.sync_directory(self.path.parent)
        return payload

    def _corrupt(self, what: str) -> CorruptFileError:
        return CorruptFileError(f"{self.path} is damaged: {what}", path=str(self.path), what=what)


def _digest(header: bytes, payload: bytes) -> bytes:
    digest = hashlib.sha256(header)
    digest.update(payload)
    return digest.digest()
