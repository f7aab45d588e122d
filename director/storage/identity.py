"""Who a data directory belongs to. Written once; a wiped directory gets a new incarnation.

The incarnation is what lets the others tell a replica that lost its data from one that only
restarted: the first may have forgotten a vote and must not be a voter under its old name.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from director.raft.messages import ReplicaId
from director.runtime.kept_file import CorruptFileError, KeptFile
from director.storage.errors import WrongDirectoryError
from director.storage.records import LogOwner

if TYPE_CHECKING:
    from pathlib import Path

    from director.runtime.files import FileSystem

_NAME = "identity"
_FORMAT = 1
_INCARNATION_BYTES = 8


@dataclass(frozen=True, slots=True)
class Identity:
    """What the identity file says."""

    owner: LogOwner
    log_created: bool
    """Whether the log was ever durable here. If so and it is gone, votes were lost."""


def load_or_create(
    files: FileSystem, directory: Path, *, fleet_id: str, replica_id: ReplicaId
) -> Identity:
    """Return the directory's identity; draw its incarnation if it has none yet.

    Raises:
        WrongDirectoryError: It belongs to another replica or fleet.
        CorruptFileError: The file is damaged.
        OSError: It cannot be read or written.
    """
    kept = KeptFile(directory / _NAME, files=files)
    payload = kept.read()
    if payload is None:
        incarnation = secrets.token_hex(_INCARNATION_BYTES)
        return create(files, directory, LogOwner(fleet_id, replica_id, incarnation))
    identity = _decode(kept.path, payload)
    owner = identity.owner
    if (owner.fleet_id, owner.replica_id) != (fleet_id, replica_id):
        raise WrongDirectoryError(
            f"{directory} belongs to replica {owner.replica_id} of fleet {owner.fleet_id}; "
            f"this is {replica_id} of {fleet_id}",
            path=str(directory),
            replicaId=owner.replica_id,
            fleetId=owner.fleet_id,
        )
    return identity


def create(files: FileSystem, directory: Path, owner: LogOwner) -> Identity:
    """Write the identity of a new directory, which has no log yet.

    Raises:
        OSError: It cannot be written.
    """
    identity = Identity(owner, log_created=False)
    KeptFile(directory / _NAME, files=files).write(_encode(identity))
    return identity


def read(files: FileSystem, directory: Path) -> Identity | None:
    """Return whose directory it is; None if it is nobody's.

    Raises:
        CorruptFileError: The file is damaged.
        OSError: It cannot be read.
    """
    kept = KeptFile(directory / _NAME, files=files)
    payload = kept.read()
    return None if payload is None else _decode(kept.path, payload)


def remember_log_created(files: FileSystem, directory: Path, identity: Identity) -> None:
    """Record that the log is durable. From here on, a missing log is damage."""
    KeptFile(directory / _NAME, files=files).write(
        _encode(Identity(identity.owner, log_created=True))
    )


def _encode(identity: Identity) -> bytes:
    fields = {
        "format": _FORMAT,
        "fleet_id": identity.owner.fleet_id,
        "replica_id": identity.owner.replica_id,
        "incarnation": identity.owner.incarnation,
        "log_created": identity.log_created,
    }
    return json.dumps(fields, sort_keys=True).encode()


def _decode(path: Path, payload: bytes) -> Identity:
    fields = json.loads(payload)
    if fields.get("format") != _FORMAT:
        raise CorruptFileError(
            f"{path} has format {fields.get('format')}; this release reads {_FORMAT}",
            path=str(path),
        )
    owner = LogOwner(fields["fleet_id"], ReplicaId(fields["replica_id"]), fields["incarnation"])
    return Identity(owner, fields["log_created"])
