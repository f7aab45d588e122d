"""The last route table on disk, so that a restart without any director can still answer (R8)."""

import logging
import struct
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from director.client.wire import table_from_proto, table_to_proto
from director.routing.table import RouteTable
from director.runtime.kept_file import CorruptFileError, KeptFile
from trafficdirector.routing.v1 import routing_pb2 as pb

_HEADER = struct.Struct("<Q")  # wall clock of the write, ms since 1970

log = logging.getLogger("director.client")


@dataclass(frozen=True, slots=True)
class Kept:
    """A table as it was kept. ``kept_wall_ms`` labels an age; nothing is decided on it."""

    table: RouteTable
    kept_wall_ms: int


def encode_kept(kept: Kept) -> bytes:
    """Return the bytes to keep."""
    message = pb.WatchRoutesResponse(
        generation=kept.table.generation,
        revision=kept.table.revision,
        table=table_to_proto(kept.table),
    )
    return _HEADER.pack(kept.kept_wall_ms) + message.SerializeToString(deterministic=True)


def decode_kept(payload: bytes) -> Kept:
    """Return what was kept.

    Raises:
        ValueError: The bytes are not a kept table.
    """
    if len(payload) < _HEADER.size:
        raise ValueError(f"a kept table has more than {len(payload)} bytes")
    try:
        message = pb.WatchRoutesResponse.FromString(payload[_HEADER.size :])
    except DecodeError as error:
        raise ValueError(f"not a kept table: {error}") from error
    table = table_from_proto(
        message.table, generation=message.generation, revision=message.revision
    )
    return Kept(table, _HEADER.unpack_from(payload)[0])


class KeptTable:
    """Keeps one route table at a path. One writer at a time."""

    def __init__(self, path: Path) -> None:
        self._file = KeptFile(path)

    def load(self) -> Kept | None:
        """Return the table kept, or None if there is none that can be believed.

        A damaged file is left alone until the next table replaces it: having none is a nuisance, a
        wrong one sends clients astray.
        """
        try:
            payload = self._file.read()
            return None if payload is None else decode_kept(payload)
        except (CorruptFileError, ValueError, OSError) as error:
            log.warning("kept_table_unusable: %s", error)
            return None

    def save(self, kept: Kept) -> bool:
        """Keep ``kept``; False if the disk did not take it: that costs the next cold start."""
        try:
            self._file.write(encode_kept(kept))
        except (OSError, ValueError) as error:
            log.warning("kept_table_not_written: %s", error)
            return False
        return True
