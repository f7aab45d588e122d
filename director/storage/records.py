"""The records of the log on disk: their bytes, and nothing about files.

A record is, in little-endian order:

    length   u32   of the payload
    kind     u8
    format   u8    of the record; 1
    magic    u16   to find records again behind damage
    check    u32   CRC-32 of the eight bytes before, so that a length is believed on its own
    link     8 B   the hash chain: BLAKE2b(link before + kind + payload)
    payload
    crc      u32   CRC-32 of everything before
    end      u8    0xA5, never zero: a record whose last byte is there was written to its end

The CRC finds damage, the link finds a whole and healthy record in the wrong place: a stale
or misdirected block (D9, faults 20 and 22). Unwritten space reads as zeros, and zeros are
no record.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple
from zlib import crc32

from director.raft.messages import (
    Entry,
    EntryKind,
    HardState,
    ReplicaId,
    SnapshotMark,
    decode_membership,
    encode_membership,
)

RECORD_FORMAT = 1
LOG_FORMAT = 1
LINK_BYTES = 8

# An entry is at most 1 MiB at the port of consensus; the rest is room for its framing and for
# a limit raised later. A length above this is damage, however good its checksum.
PAYLOAD_BYTES_MAX = 8 << 20

_START = struct.Struct("<IBBH")
_CHECK = struct.Struct("<I")
HEADER_BYTES = _START.size + _CHECK.size
_TAIL = struct.Struct("<IB")
_END = 0xA5
_MAGIC = 0xD1C7
_MAGIC_BYTES = struct.pack("<BH", RECORD_FORMAT, _MAGIC)
_MAGIC_OFFSET = 5

# What a record takes on disk beyond its payload.
OVERHEAD_BYTES = HEADER_BYTES + LINK_BYTES + _TAIL.size

_ENTRY = struct.Struct("<QQB")
ENTRY_FIELDS_BYTES = _ENTRY.size
_HARD_STATE = struct.Struct("<QQB")
_MARK = struct.Struct("<QQB")
_SYNCED = struct.Struct(f"<QQ{LINK_BYTES}s")
# Format, number, seed, and the lengths of what follows: three names, mark, hard state.
_SEGMENT = struct.Struct(f"<HQ{LINK_BYTES}sHHHII")


class Kind(IntEnum):
    """What a record says. Numbers are on disk: none is ever reused."""

    SEGMENT = 1
    """The first record of every segment: whose log this is, and what is known from before it."""
    ENTRY = 2
    """An entry. One whose index exists already replaces it and everything behind it."""
    HARD_STATE = 3
    """Term, vote and commit."""
    SNAPSHOT_MARK = 4
    """Up to where a snapshot reaches, with the membership as of there."""
    SYNCED = 5
    """How far the log was durable when this was written: proof that damage before it is no tear."""


_KIND_BYTES = {kind.value: bytes([kind]) for kind in Kind}
_CODE_BY_ENTRY_KIND = {EntryKind.NORMAL: 1, EntryKind.CONFIG: 2, EntryKind.EMPTY: 3}
_ENTRY_KIND_BY_CODE = {code: kind for kind, code in _CODE_BY_ENTRY_KIND.items()}


class MalformedRecordError(ValueError):
    """A record that is whole, and says something that makes no sense or is too new."""


class Position(NamedTuple):
    """A place in the log. Positions compare as they follow each other."""

    segment: int
    offset: int
    """In bytes, within the segment."""


class SyncedMark(NamedTuple):
    """How far the log is known to be durable."""

    position: Position
    link: bytes
    """The link of the last record before ``position``."""


class Record(NamedTuple):
    """A record as read: its checksums are right."""

    kind: Kind
    payload: bytes
    link: bytes
    end: int
    """The offset behind it."""


@dataclass(frozen=True, slots=True)
class LogOwner:
    """Whose log this is. A log is opened only under the name it was created with."""

    fleet_id: str
    replica_id: ReplicaId
    incarnation: str
    """Drawn once, when the data directory was created."""


class SegmentStart(NamedTuple):
    """What the first record of a segment says.

    It is one record because it is read as one: a segment with its mark torn off would lose the
    mark for good when the segments before are removed.
    """

    number: int
    """Segments are numbered from 1 without gaps."""
    seed: bytes
    """The link of the last record of the segment before."""
    owner: LogOwner
    mark: SnapshotMark
    """The newest one when the segment was begun. In segment 1, what the log was founded on."""
    hard_state: HardState
    """The newest one when the segment was begun."""


@lru_cache(maxsize=1024)
def _header(kind: int, length: int) -> bytes:
    start = _START.pack(length, kind, RECORD_FORMAT, _MAGIC)
    return start + _CHECK.pack(crc32(start))


def first_link(owner: LogOwner) -> bytes:
    """Return the link before the first record of ``owner``'s log."""
    text = "\0".join((owner.fleet_id, owner.replica_id, owner.incarnation))
    return blake2b(text.encode(), digest_size=LINK_BYTES).digest()


def encode_record(kind: Kind, payload: bytes, link: bytes) -> tuple[bytes, bytes]:
    """Return the bytes of a record that follows ``link``, and its own link."""
    assert len(payload) <= PAYLOAD_BYTES_MAX, "larger payloads are refused before they get here"
    own = blake2b(link + _KIND_BYTES[kind] + payload, digest_size=LINK_BYTES).digest()
    body = _header(kind, len(payload)) + own + payload
    return body + _TAIL.pack(crc32(body), _END), own


def claimed_bytes(content: bytes, offset: int) -> int | None:
    """Return the size of the record that begins at ``offset``, going by its header alone.

    None if there is no whole and healthy header.
    """
    start = content[offset : offset + _START.size]
    check = content[offset + _START.size : offset + HEADER_BYTES]
    if len(check) < _CHECK.size or crc32(start) != _CHECK.unpack(check)[0]:
        return None
    length, kind, form, magic = _START.unpack(start)
    if form != RECORD_FORMAT or magic != _MAGIC or kind not in _KIND_BYTES:
        return None
    return length + OVERHEAD_BYTES if length <= PAYLOAD_BYTES_MAX else None


def read_record(content: bytes, offset: int, link: bytes | None) -> Record | None:
    """Read the record at ``offset``.

    Args:
        content: The bytes of a segment, from its beginning.
        offset: Where the record begins.
        link: The link of the record before; None leaves the chain unchecked.

    Returns:
        The record, or None if what is there is not a whole and healthy one.
    """
    size = claimed_bytes(content, offset)
    if size is None or offset + size > len(content):
        return None
    end = offset + size
    body_end = end - _TAIL.size
    crc, last = _TAIL.unpack_from(content, body_end)
    if last != _END or crc32(memoryview(content)[offset:body_end]) != crc:
        return None
    link_end = offset + HEADER_BYTES + LINK_BYTES
    own = content[offset + HEADER_BYTES : link_end]
    payload = content[link_end:body_end]
    kind = content[offset + 4]
    if link is not None:
        expected = blake2b(link + _KIND_BYTES[kind] + payload, digest_size=LINK_BYTES).digest()
        if expected != own:
            return None
    return Record(Kind(kind), payload, own, end)


def synced_marks_behind(content: bytes, offset: int) -> list[SyncedMark]:
    """Return what healthy SYNCED records behind ``offset`` say, wherever they begin."""
    marks = []
    at = content.find(_MAGIC_BYTES, offset)
    while at >= 0:
        record = read_record(content, at - _MAGIC_OFFSET, None) if at >= _MAGIC_OFFSET else None
        if record is not None and record.kind is Kind.SYNCED:
            marks.append(decode_synced(record.payload))
        at = content.find(_MAGIC_BYTES, at + 1)
    return marks


def encode_entry(entry: Entry) -> bytes:
    """Return the payload of an ENTRY record."""
    return _ENTRY.pack(entry.index, entry.term, _CODE_BY_ENTRY_KIND[entry.kind]) + entry.payload


def decode_entry(payload: bytes) -> Entry:
    """Read the payload of an ENTRY record, or raise MalformedRecordError."""
    if len(payload) < _ENTRY.size:
        raise MalformedRecordError("an entry is too short")
    index, term, code = _ENTRY.unpack_from(payload)
    kind = _ENTRY_KIND_BY_CODE.get(code)
    if kind is None:
        raise MalformedRecordError(f"entry {index} is of kind {code}, unknown to this release")
    return Entry(index, term, kind, payload[_ENTRY.size :])


def encode_hard_state(state: HardState) -> bytes:
    """Return the payload of a HARD_STATE record."""
    vote = b"" if state.vote is None else state.vote.encode()
    return _HARD_STATE.pack(state.term, state.commit, state.vote is not None) + vote


def decode_hard_state(payload: bytes) -> HardState:
    """Read the payload of a HARD_STATE record, or raise MalformedRecordError."""
    if len(payload) < _HARD_STATE.size:
        raise MalformedRecordError("a hard state is too short")
    term, commit, voted = _HARD_STATE.unpack_from(payload)
    vote = ReplicaId(payload[_HARD_STATE.size :].decode("utf-8", "replace"))
    return HardState(term=term, vote=vote if voted else None, commit=commit)


def encode_mark(mark: SnapshotMark, *, resets: bool) -> bytes:
    """Return the payload of a SNAPSHOT_MARK record. ``resets`` drops every entry before it."""
    return _MARK.pack(mark.index, mark.term, resets) + encode_membership(mark.membership)


def decode_mark(payload: bytes) -> tuple[SnapshotMark, bool]:
    """Read the payload of a SNAPSHOT_MARK record, or raise MalformedRecordError."""
    if len(payload) < _MARK.size:
        raise MalformedRecordError("a snapshot mark is too short")
    index, term, resets = _MARK.unpack_from(payload)
    try:
        membership = decode_membership(payload[_MARK.size :])
    except ValueError as error:
        raise MalformedRecordError(str(error)) from error
    return SnapshotMark(index=index, term=term, membership=membership), bool(resets)


def encode_synced(mark: SyncedMark) -> bytes:
    """Return the payload of a SYNCED record."""
    return _SYNCED.pack(*mark.position, mark.link)


def decode_synced(payload: bytes) -> SyncedMark:
    """Read the payload of a SYNCED record, or raise MalformedRecordError."""
    if len(payload) != _SYNCED.size:
        raise MalformedRecordError("a synced mark has the wrong size")
    segment, offset, link = _SYNCED.unpack(payload)
    return SyncedMark(Position(segment, offset), link)


def encode_segment(start: SegmentStart) -> bytes:
    """Return the payload of a SEGMENT record."""
    owner = start.owner
    parts = [
        owner.fleet_id.encode(),
        owner.replica_id.encode(),
        owner.incarnation.encode(),
        encode_mark(start.mark, resets=False),
        encode_hard_state(start.hard_state),
    ]
    head = _SEGMENT.pack(LOG_FORMAT, start.number, start.seed, *map(len, parts))
    return head + b"".join(parts)


def decode_segment(payload: bytes) -> SegmentStart:
    """Read the payload of a SEGMENT record, or raise MalformedRecordError."""
    if len(payload) < _SEGMENT.size:
        raise MalformedRecordError("a segment's first record is too short")
    form, number, seed, *lengths = _SEGMENT.unpack_from(payload)
    if form != LOG_FORMAT:
        raise MalformedRecordError(f"the log has format {form}; this release reads {LOG_FORMAT}")
    if len(payload) != _SEGMENT.size + sum(lengths):
        raise MalformedRecordError("a segment's first record has the wrong size")
    parts = []
    at = _SEGMENT.size
    for length in lengths:
        parts.append(payload[at : at + length])
        at += length
    fleet_id, replica_id, incarnation = (part.decode("utf-8", "replace") for part in parts[:3])
    mark, _ = decode_mark(parts[3])
    return SegmentStart(
        number=number,
        seed=seed,
        owner=LogOwner(fleet_id, ReplicaId(replica_id), incarnation),
        mark=mark,
        hard_state=decode_hard_state(parts[4]),
    )
