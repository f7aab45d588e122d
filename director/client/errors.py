"""What can go wrong for a caller of the SDK, with the reason a program can read."""

from collections.abc import Mapping

ERROR_DOMAIN = "trafficdirector"


class ClientError(Exception):
    """Base of every error the SDK reports on purpose.

    Attributes:
        reason: What went wrong, in UPPER_SNAKE_CASE, as in ``google.rpc.ErrorInfo``.
        metadata: The values involved. Keys are lowerCamelCase and carry the unit.
    """

    reason: str = "INTERNAL"

    def __init__(self, message: str, *, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.metadata: Mapping[str, str] = {} if metadata is None else dict(metadata)


class InvalidRequestError(ClientError):
    """A field of the request is not usable, whatever the state of the fleet.

    Attributes:
        field: Path of the field, e.g. ``location.lat``.
    """

    reason = "INVALID_REQUEST"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}", metadata={"field": field})
        self.field = field


class PositionError(InvalidRequestError):
    """The client's position is not usable: NaN, out of range, not an address, no such region."""

    reason = "POSITION_UNUSABLE"


class TooManyError(InvalidRequestError):
    """More questions in one call than are answered in one."""

    reason = "QUOTA_EXCEEDED"


class RefusedError(ClientError):
    """A director or the route table refused, for ``reason``."""

    def __init__(
        self, reason: str, message: str, *, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, metadata=metadata)
        self.reason = reason


class UnreachableError(ClientError):
    """No endpoint answered."""

    reason = "UNAVAILABLE"


class StepMismatchError(ClientError):
    """A step of a watch does not fit the table it would change. The watch must start over."""

    reason = "STALE_REVISION"
