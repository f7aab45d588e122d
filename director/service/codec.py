"""Commands and states as bytes: explicit, versioned, and never half understood.

An entry begins with one byte that says how the rest is packed. Whatever this release cannot read in
full - an unknown command, word or field, a later version - raises ``UnknownEntryError``, which
stops the replica: skipping an entry would fork the state.
"""

import re
import zlib
from typing import cast, get_args

from google.protobuf.message import DecodeError, Message

from director.consensus.port import PAYLOAD_BYTES_MAX
from director.core.commands import Command
from director.core.state import State
from director.service.errors import CommandTooLargeError, UnknownEntryError
from director.service.record_mapping import RecordMapping
from trafficdirector.log.v1 import log_pb2

CODEC_VERSION = 2
# A manifest of 1 MiB of text is the largest command; its topology takes about as much again.
UNPACKED_BYTES_MAX = 64 << 20

_PLAIN = b"\x01"
_DEFLATED = b"\x02"
# Below this, deflating costs more than the disk and the network would.
_DEFLATE_FROM_BYTES = 2_048

_ONEOF_BY_TYPE = {
    command: re.sub(r"(?<!^)(?=[A-Z])", "_", command.__name__).lower()
    for command in get_args(Command)
}
_COMMANDS = {
    command: RecordMapping(command, getattr(log_pb2, command.__name__))
    for command in _ONEOF_BY_TYPE
}
_COMMAND_BY_ONEOF = {name: _COMMANDS[command] for command, name in _ONEOF_BY_TYPE.items()}
_STATE = RecordMapping(State, log_pb2.State)


def encode_command(command: Command) -> bytes:
    """Return ``command`` as the payload of one entry. Never empty.

    Raises:
        CommandTooLargeError: It does not fit into one entry.
    """
    name = _ONEOF_BY_TYPE[type(command)]
    entry = log_pb2.LogEntry(version=CODEC_VERSION)
    getattr(entry, name).CopyFrom(_COMMANDS[type(command)].encode(command))
    payload = _packed(entry.SerializeToString(deterministic=True))
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise CommandTooLargeError(
            f"the change takes {len(payload)} bytes; an entry has at most {PAYLOAD_BYTES_MAX}",
            entryBytes=len(payload),
            entryBytesMax=PAYLOAD_BYTES_MAX,
        )
    return payload


def decode_command(payload: bytes, *, index: int) -> Command:
    """Return the command in the entry at ``index``.

    Raises:
        UnknownEntryError: This release cannot read it in full.
    """
    where = f"entry {index}"
    entry = log_pb2.LogEntry()
    _parse(entry, payload, where)
    name = entry.WhichOneof("command")
    if name is None:
        raise UnknownEntryError(f"{where} holds no command that this release knows")
    mapping = _COMMAND_BY_ONEOF[name]
    try:
        return cast("Command", mapping.decode(getattr(entry, name)))
    except ValueError as error:
        raise UnknownEntryError(f"{where} cannot be read: {error}") from error


def encode_state(state: State) -> bytes:
    """Return ``state`` as a snapshot."""
    snapshot = log_pb2.Snapshot(
        version=CODEC_VERSION, state=cast("log_pb2.State", _STATE.encode(state))
    )
    return _packed(snapshot.SerializeToString(deterministic=True))


def decode_state(payload: bytes) -> State:
    """Return the state in a snapshot.

    Raises:
        UnknownEntryError: This release cannot read it in full.
    """
    snapshot = log_pb2.Snapshot()
    _parse(snapshot, payload, "the snapshot")
    # A snapshot of an earlier release has no audit trail yet: it begins after it.
    snapshot.state.audit.SetInParent()
    try:
        return cast("State", _STATE.decode(snapshot.state))
    except ValueError as error:
        raise UnknownEntryError(f"the snapshot cannot be read: {error}") from error


def _packed(content: bytes) -> bytes:
    if len(content) < _DEFLATE_FROM_BYTES:
        return _PLAIN + content
    return _DEFLATED + zlib.compress(content, level=1)


def _unpacked(payload: bytes, where: str) -> bytes:
    form, content = payload[:1], payload[1:]
    if form == _PLAIN:
        return content
    if form != _DEFLATED:
        raise UnknownEntryError(f"{where} is packed in form {form!r}, which is not known")
    try:
        inflater = zlib.decompressobj()
        unpacked = inflater.decompress(content, UNPACKED_BYTES_MAX)
    except zlib.error as error:
        raise UnknownEntryError(f"{where} cannot be unpacked: {error}") from error
    if not inflater.eof or inflater.unused_data:
        raise UnknownEntryError(f"{where} is cut short, or longer than {UNPACKED_BYTES_MAX} bytes")
    return unpacked


def _parse(message: "log_pb2.LogEntry | log_pb2.Snapshot", payload: bytes, where: str) -> None:
    content = _unpacked(payload, where)
    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise UnknownEntryError(f"{where} is not a message: {error}") from error
    if message.version > CODEC_VERSION:
        raise UnknownEntryError(
            f"{where} needs version {message.version} of the encoding; this release reads up to "
            f"{CODEC_VERSION}",
            version=message.version,
            versionMax=CODEC_VERSION,
        )
    if _has_unknown_fields(message):
        raise UnknownEntryError(f"{where} has fields that this release does not know")


def _has_unknown_fields(message: Message) -> bool:
    """Whether anything, at any depth, would be lost by reading the message."""
    before = message.ByteSize()
    message.DiscardUnknownFields()
    return message.ByteSize() != before
