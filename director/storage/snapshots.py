"""Snapshots on disk: whole and verified, or not there.

A snapshot gets its name only after all of it is durable, and the one before is removed only
after the new one was read back and verified. So a crash at any step leaves a good one.

A file is: magic, format, lengths, index and term, SHA-256 of the payload, membership, SHA-256
of all of that, payload.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from director.raft.messages import SnapshotMark, decode_membership, encode_membership
from director.storage.errors import (
    CorruptSnapshotError,
    SnapshotTransferError,
    disk_full,
    is_disk_full,
)

if TYPE_CHECKING:
    from pathlib import Path

    from director.runtime.files import FileSystem, OpenFile

_FORMAT = 1
_MAGIC = b"TDSNAP"
_DIGEST_BYTES = 32
_HEAD = struct.Struct(f"<6sHIQQQ{_DIGEST_BYTES}s")
_SUFFIX = ".snapshot"
_TEMPORARY = ".tmp"
_DIGITS = 20

# The whole replicated state of a fleet is a few MiB; this only bounds what a peer can announce.
SNAPSHOT_BYTES_MAX = 1 << 30


@dataclass(frozen=True, slots=True)
class SnapshotOffer:
    """What a sender announces before the first chunk, and a receiver verifies after the last."""

    mark: SnapshotMark
    payload_bytes: int
    sha256: bytes
    """Of the payload."""


class SnapshotReader:
    """Reads the payload of one snapshot in chunks, for sending. Close it afterwards.

    The file stays readable through this even if a newer snapshot replaces it meanwhile.
    """

    def __init__(self, offer: SnapshotOffer, file: OpenFile, payload_offset: int) -> None:
        self.offer = offer
        self._file = file
        self._payload_offset = payload_offset

    def chunk(self, offset: int, bytes_max: int) -> bytes:
        """Return the payload from ``offset`` on, at most ``bytes_max``; empty at the end."""
        length = min(bytes_max, self.offer.payload_bytes - offset)
        return self._file.read_at(self._payload_offset + offset, length) if length > 0 else b""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class SnapshotStore:
    """The snapshots of one replica, in a directory of their own.

    ``save`` and the ``receive_`` calls come from one thread at a time.
    """

    def __init__(self, files: FileSystem, directory: Path) -> None:
        """Open the store, creating the directory; leftovers of a crash are removed.

        Raises:
            OSError: The directory cannot be created, read or made durable.
        """
        self._files = files
        self._directory = directory
        self._receiving: _Receiving | None = None
        if not files.exists(directory):
            files.make_directory(directory)
            files.sync_directory(directory.parent)
        for name in files.names(directory):
            if name.endswith(_TEMPORARY):
                files.remove(directory / name)
        # A killed process may have given the newest its name and not made that durable. The log
        # will begin behind it, so a power failure must not take it away.
        files.sync_directory(directory)

    def save(self, mark: SnapshotMark, payload: bytes) -> None:
        """Keep a snapshot of this replica's own state. Durable and verified on return.

        Raises:
            ValueError: The payload is larger than ``SNAPSHOT_BYTES_MAX``.
            DiskFullError: There is no room; the snapshot before is kept.
            CorruptSnapshotError: It could not be read back; the snapshot before is kept.
            OSError: The disk failed; the snapshot before is kept.
        """
        offer = SnapshotOffer(mark, len(payload), hashlib.sha256(payload).digest())
        if len(payload) > SNAPSHOT_BYTES_MAX:
            raise ValueError(f"{len(payload)} bytes are more than {SNAPSHOT_BYTES_MAX}")
        writing = self._begin(offer)
        try:
            writing.write(0, payload)
            self._install(writing)
        except OSError as error:
            raise self._given_up(writing, error) from error

    def latest(self) -> tuple[SnapshotMark, bytes] | None:
        """Return the newest snapshot, verified. None if there never was one.

        Raises:
            CorruptSnapshotError: It is not what was written. An older one is no substitute,
                because the log between them may be gone.
            OSError: It could not be read.
        """
        paths = self._paths()
        if not paths:
            return None
        offer, payload = _verified(paths[-1], self._files.read(paths[-1]))
        return offer.mark, payload

    def latest_index(self) -> int:
        """Return the index of the newest snapshot by its name alone; 0 if there is none."""
        paths = self._paths()
        return int(paths[-1].name.removesuffix(_SUFFIX)) if paths else 0

    def reader(self) -> SnapshotReader | None:
        """Verify the newest snapshot and open it for sending. None if there is none.

        Raises:
            CorruptSnapshotError: It is not what was written, and must not reach a peer (D9).
            OSError: It could not be read.
        """
        paths = self._paths()
        if not paths:
            return None
        offer, payload = _verified(paths[-1], self._files.read(paths[-1]))
        payload_offset = len(_head(offer))
        assert len(payload) == offer.payload_bytes, "verified just now"
        return SnapshotReader(offer, self._files.open(paths[-1]), payload_offset)

    def receive_begin(self, offer: SnapshotOffer) -> None:
        """Prepare for a snapshot from a peer. One that was arriving is given up.

        Raises:
            SnapshotTransferError: What is announced is too large.
            DiskFullError: There is no room.
            OSError: The disk failed.
        """
        self.receive_abort()
        if not 0 <= offer.payload_bytes <= SNAPSHOT_BYTES_MAX:
            raise SnapshotTransferError(
                f"a snapshot of {offer.payload_bytes} bytes was announced; "
                f"{SNAPSHOT_BYTES_MAX} is the most",
                payloadBytes=offer.payload_bytes,
            )
        self._receiving = self._begin(offer)

    def receive_chunk(self, offset: int, chunk: bytes) -> None:
        """Take the next chunk. Chunks come in order, each once.

        Raises:
            SnapshotTransferError: Nothing is arriving, or this is not the next chunk.
            OSError: The disk failed. The transfer is given up.
        """
        arriving = self._receiving
        if arriving is None:
            raise SnapshotTransferError("no snapshot is arriving")
        if offset != arriving.received or offset + len(chunk) > arriving.offer.payload_bytes:
            raise SnapshotTransferError(
                f"chunk {offset}..{offset + len(chunk)} is not what follows {arriving.received} "
                f"of {arriving.offer.payload_bytes} bytes",
                expectedOffsetBytes=arriving.received,
            )
        try:
            arriving.write(offset, chunk)
        except OSError as error:
            self._receiving = None
            raise self._given_up(arriving, error) from error

    def receive_finish(self) -> tuple[SnapshotMark, bytes]:
        """Verify what arrived and install it. Durable on return; the old one was kept till now.

        Raises:
            SnapshotTransferError: It is not complete, or not what was announced.
            CorruptSnapshotError: It could not be read back.
            OSError: The disk failed.
        """
        arriving, self._receiving = self._receiving, None
        if arriving is None:
            raise SnapshotTransferError("no snapshot is arriving")
        fault = None
        if arriving.received != arriving.offer.payload_bytes:
            fault = f"{arriving.received} of {arriving.offer.payload_bytes} bytes arrived"
        elif arriving.digest.digest() != arriving.offer.sha256:
            fault = "what arrived is not what was announced"
        if fault is not None:
            self._discard(arriving)
            raise SnapshotTransferError(fault, expectedOffsetBytes=arriving.received)
        try:
            return self._install(arriving)
        except OSError as error:
            raise self._given_up(arriving, error) from error

    def receive_abort(self) -> None:
        """Give up what was arriving, if anything was."""
        arriving, self._receiving = self._receiving, None
        if arriving is not None:
            self._discard(arriving)

    def _begin(self, offer: SnapshotOffer) -> _Receiving:
        path = self._directory / f"{offer.mark.index:0{_DIGITS}d}{_SUFFIX}"
        temporary = path.with_name(path.name + _TEMPORARY)
        if self._files.exists(temporary):
            self._files.remove(temporary)
        head = _head(offer)
        writing = _Receiving(
            offer, path, temporary, self._files.open(temporary, create=True), len(head)
        )
        try:
            writing.file.preallocate(len(head) + offer.payload_bytes)
            writing.file.write_at(0, head)
        except OSError as error:
            raise self._given_up(writing, error) from error
        return writing

    def _install(self, writing: _Receiving) -> tuple[SnapshotMark, bytes]:
        writing.file.datasync()
        writing.file.close()
        # Read back under the temporary name: if this fails, the one before is still the newest.
        try:
            offer, payload = _verified(writing.path, self._files.read(writing.temporary))
        except CorruptSnapshotError:
            self._discard(writing)
            raise
        self._files.rename(writing.temporary, writing.path)
        self._files.sync_directory(self._directory)
        for path in self._paths():
            if path.name < writing.path.name:
                self._files.remove(path)
        self._files.sync_directory(self._directory)
        return offer.mark, payload

    def _given_up(self, writing: _Receiving, error: OSError) -> Exception:
        self._discard(writing)
        if is_disk_full(error):
            return disk_full(self._directory, writing.offer.payload_bytes)
        return error

    def _discard(self, writing: _Receiving) -> None:
        writing.file.close()
        try:
            self._files.remove(writing.temporary)
        except OSError:
            return  # removed at the next start; it has no name anyone believes

    def _paths(self) -> list[Path]:
        names = (name for name in self._files.names(self._directory) if name.endswith(_SUFFIX))
        return [
            self._directory / name
            for name in sorted(names)
            if name.removesuffix(_SUFFIX).isdigit() and len(name) == _DIGITS + len(_SUFFIX)
        ]


class _Receiving:
    """A snapshot being written under its temporary name."""

    def __init__(
        self, offer: SnapshotOffer, path: Path, temporary: Path, file: OpenFile, head_bytes: int
    ) -> None:
        self.offer = offer
        self.path = path
        self.temporary = temporary
        self.file = file
        self.received = 0
        self.digest = hashlib.sha256()
        self._head_bytes = head_bytes

    def write(self, offset: int, chunk: bytes) -> None:
        self.file.write_at(self._head_bytes + offset, chunk)
        self.digest.update(chunk)
        self.received += len(chunk)


def _head(offer: SnapshotOffer) -> bytes:
    membership = encode_membership(offer.mark.membership)
    mark = offer.mark
    head = _HEAD.pack(
        _MAGIC,
        _FORMAT,
        len(membership),
        offer.payload_bytes,
        mark.index,
        mark.term,
        offer.sha256,
    )
    return head + membership + hashlib.sha256(head + membership).digest()


def _verified(path: Path, content: bytes) -> tuple[SnapshotOffer, bytes]:
    """Read a snapshot file, every bit of which is covered by a checksum."""
    if len(content) < _HEAD.size:
        raise CorruptSnapshotError(path, 0, f"it has only {len(content)} bytes")
    magic, form, membership_bytes, payload_bytes, index, term, sha256 = _HEAD.unpack_from(content)
    if magic != _MAGIC or form != _FORMAT:
        raise CorruptSnapshotError(path, 0, f"it does not begin as format {_FORMAT} does")
    head_end = _HEAD.size + membership_bytes
    payload_offset = head_end + _DIGEST_BYTES
    if len(content) != payload_offset + payload_bytes:
        raise CorruptSnapshotError(path, 0, "its length is not what its header says")
    if hashlib.sha256(content[:head_end]).digest() != content[head_end:payload_offset]:
        raise CorruptSnapshotError(path, 0, "the checksum of its header is wrong")
    payload = content[payload_offset:]
    if hashlib.sha256(payload).digest() != sha256:
        raise CorruptSnapshotError(path, payload_offset, "the checksum of its payload is wrong")
    try:
        membership = decode_membership(content[_HEAD.size : head_end])
    except ValueError as error:
        raise CorruptSnapshotError(path, _HEAD.size, str(error)) from error
    if path.name != f"{index:0{_DIGITS}d}{_SUFFIX}":
        raise CorruptSnapshotError(path, 0, f"it is the snapshot at {index} under another name")
    mark = SnapshotMark(index=index, term=term, membership=membership)
    return SnapshotOffer(mark, payload_bytes, sha256), payload
