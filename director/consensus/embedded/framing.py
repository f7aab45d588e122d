"""What the engine puts around the application's bytes, in entries and in snapshots.

The engine has one thing of its own to replicate: where added members are reached. Explicit and
versioned by the first byte, so that an unknown kind stops a replica rather than forks it.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

_APPLICATION = b"\x00"
_ADDRESS = b"\x01"
_SNAPSHOT_FORMAT = 1
# The head also says when members were added. Written only once one was.
_SNAPSHOT_FORMAT_JOINED = 2
_SNAPSHOT = struct.Struct("<BI")


class UnknownFrameError(ValueError):
    """Written by a release that this one does not understand. Skipping it would fork the state."""


@dataclass(frozen=True, slots=True)
class AddressNoted:
    """Where a member is reached, as replicated."""

    member_id: str
    address: str


def frame_command(payload: bytes) -> bytes:
    """Wrap the application's payload of one entry."""
    return _APPLICATION + payload


def frame_address(noted: AddressNoted) -> bytes:
    """Write an address as an entry of the engine's own."""
    fields = {"member_id": noted.member_id, "address": noted.address}
    return _ADDRESS + json.dumps(fields, sort_keys=True).encode()


def unframe_entry(framed: bytes) -> bytes | AddressNoted:
    """Return the application's payload, or what the engine noted.

    Raises:
        UnknownFrameError: It is neither.
    """
    kind = framed[:1]
    if kind == _APPLICATION:
        return framed[1:]
    if kind == _ADDRESS:
        fields = json.loads(framed[1:])
        return AddressNoted(member_id=fields["member_id"], address=fields["address"])
    raise UnknownFrameError(f"an entry begins with {kind!r}, unknown to this release")


def frame_snapshot(
    address_by_id: Mapping[str, str],
    payload: bytes,
    joined_by_id: Mapping[str, int] = MappingProxyType({}),
) -> bytes:
    """Put the replicated addresses in front of the application's state.

    ``joined_by_id``: the index at which each added member was, last.
    """
    addresses, form = dict(sorted(address_by_id.items())), _SNAPSHOT_FORMAT
    fields: dict[str, object] = {**addresses}
    if joined_by_id:
        form = _SNAPSHOT_FORMAT_JOINED
        fields = {"addresses": addresses, "joined": dict(sorted(joined_by_id.items()))}
    head = json.dumps(fields).encode()
    return _SNAPSHOT.pack(form, len(head)) + head + payload


def unframe_snapshot(framed: bytes) -> tuple[dict[str, str], bytes]:
    """Return the addresses and the application's state.

    Raises:
        UnknownFrameError: It was written by a release that this one does not understand.
    """
    form, fields, payload = _snapshot_parts(framed)
    return fields["addresses"] if form == _SNAPSHOT_FORMAT_JOINED else fields, payload


def joined_in_snapshot(framed: bytes) -> dict[str, int]:
    """Return the index at which each added member was, last.

    Raises:
        UnknownFrameError: See ``unframe_snapshot``.
    """
    form, fields, _ = _snapshot_parts(framed)
    return fields["joined"] if form == _SNAPSHOT_FORMAT_JOINED else {}


def _snapshot_parts(framed: bytes) -> tuple[int, dict[str, Any], bytes]:
    if len(framed) < _SNAPSHOT.size:
        raise UnknownFrameError(f"a snapshot of {len(framed)} bytes has no head")
    form, head_bytes = _SNAPSHOT.unpack_from(framed)
    if form not in (_SNAPSHOT_FORMAT, _SNAPSHOT_FORMAT_JOINED):
        raise UnknownFrameError(f"a snapshot has format {form}, unknown to this release")
    head_end = _SNAPSHOT.size + head_bytes
    return form, json.loads(framed[_SNAPSHOT.size : head_end]), framed[head_end:]
