"""What the requests that change something have in common."""

from collections.abc import Iterable

from director.core.reasons import Reason
from director.core.topology import Topology
from director.routing.table import ServiceId
from director.runtime.caller import caller
from director.service.errors import InvalidRequestError, NotFoundError
from director.service.writes import Change
from trafficdirector.admin.v1 import admin_pb2 as pb

NAME_CHARS_MAX = 63
# Enough to see the right one; a fleet may have thousands.
NAMES_SHOWN_MAX = 20


def change_from_proto(change: pb.Change, *, needs_reason: bool = False) -> Change:
    """Return who asks and why.

    With TLS it is the identity of the connection that asks; the name in the request is what the
    caller says, and counts only where nobody has to prove who they are.

    Raises:
        InvalidRequestError: A reason is needed and there is none.
    """
    if needs_reason and not change.reason.strip():
        raise InvalidRequestError(
            "change.reason", "is required: it goes to the audit trail; say why in a few words"
        )
    who = caller()
    actor = change.actor if who is None else who.uri
    return Change(change.request_id, actor, change.reason, validate_only=change.validate_only)


def service_name(service_id: str) -> str:
    """Return the name, if it could be one.

    Raises:
        InvalidRequestError: It is empty or too long.
    """
    return _name("service_id", service_id)


def service_names(service_ids: Iterable[str]) -> tuple[ServiceId, ...]:
    """Return the names, sorted, each once.

    Raises:
        InvalidRequestError: One is empty or too long.
    """
    return tuple(ServiceId(service_name(each)) for each in sorted(set(service_ids)))


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


def check_service(topology: Topology, service_id: str) -> None:
    """Refuse a name that no service has.

    Raises:
        NotFoundError: Its message names some that there are.
    """
    if topology.service(ServiceId(service_id)) is not None:
        return
    names = [each.service_id for each in topology.services]
    more = len(names) - NAMES_SHOWN_MAX
    shown = ", ".join(names[:NAMES_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
    raise NotFoundError(
        Reason.SERVICE_NOT_FOUND,
        f"there is no service {service_id!r}; there are: {shown or 'none'}",
        serviceId=service_id,
    )
