"""What the requests that change something have in common."""

from director.service.errors import InvalidRequestError
from director.service.writes import Change
from trafficdirector.admin.v1 import admin_pb2 as pb

NAME_CHARS_MAX = 63


def change_from_proto(change: pb.Change, *, needs_reason: bool = False) -> Change:
    """Return who asks and why.

    Raises:
        InvalidRequestError: A reason is needed and there is none.
    """
    if needs_reason and not change.reason.strip():
        raise InvalidRequestError(
            "change.reason", "is required: it goes to the audit trail; say why in a few words"
        )
    return Change(
        change.request_id, change.actor, change.reason, validate_only=change.validate_only
    )


def service_name(service_id: str) -> str:
    """Return the name, if it could be one.

    Raises:
        InvalidRequestError: It is empty or too long.
    """
    return _name("service_id", service_id)


def region_name(region_id: str) -> str:
    """Return the name, if it could be one.

    Raises:
        InvalidRequestError: It is empty or too long.
    """
    return _name("region_id", region_id)


def replica_name(replica_id: str) -> str:
    """Return the name, if it could be one.

    Raises:
        InvalidRequestError: It is empty or too long.
    """
    return _name("replica_id", replica_id)


def epoch_from_proto(expected_epoch: int) -> int | None:
    """Return the epoch to expect; 0 means any."""
    return expected_epoch or None


def _name(field: str, name: str) -> str:
    if not 0 < len(name) <= NAME_CHARS_MAX:
        raise InvalidRequestError(
            field, f"has {len(name)} characters; a name has 1 to {NAME_CHARS_MAX}"
        )
    return name
