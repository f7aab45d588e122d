"""Every error a caller can meet. ``director.api.errors`` gives each reason its gRPC status."""

from collections.abc import Mapping

from director.core.reasons import Reason

# Words of the storage layer for why a log can be used no longer.
_REASON_BY_FAILURE = {
    "DISK_FULL": Reason.STORAGE_FULL,
    "LOG_CORRUPT": Reason.STATE_CORRUPT,
    "SNAPSHOT_CORRUPT": Reason.STATE_CORRUPT,
}


class DirectorError(Exception):
    """Base of every error the director reports on purpose.

    Attributes:
        reason: What went wrong, for programs.
        metadata: The values involved, for programs. lowerCamelCase; units are part of the key.
        retry_after_ms: When to try again; None when not known.
    """

    reason: Reason = Reason.INTERNAL
    retry_after_ms: int | None = None

    def __init__(self, message: str, **metadata: str | int) -> None:
        super().__init__(message)
        self.metadata: Mapping[str, str] = {key: str(value) for key, value in metadata.items()}


class RefusedError(DirectorError):
    """A rule of the core refused; ``reason`` says which."""

    def __init__(self, reason: Reason, message: str, metadata: Mapping[str, str]) -> None:
        super().__init__(message)
        self.reason = reason
        self.metadata = dict(metadata)


class NotLeaderError(DirectorError):
    """Another replica leads. Send the same call to ``leaderAddress`` if it is given."""

    reason = Reason.NOT_LEADER


class NoLeaderError(DirectorError):
    """No replica is known to lead: an election is going on, or there is no quorum."""

    reason = Reason.NO_LEADER
    retry_after_ms: int | None = 500


class OutcomeUnknownError(DirectorError):
    """Leadership was lost while waiting. The change may or may not come; look before retrying."""

    reason = Reason.OUTCOME_UNKNOWN


class OverloadedError(DirectorError):
    """Too much is waiting. Nothing was done."""

    reason = Reason.QUOTA_EXCEEDED
    retry_after_ms: int | None = 1_000


class InvalidRequestError(DirectorError):
    """A field of the request is not usable. Metadata names it as ``field``."""

    reason = Reason.INVALID_REQUEST

    def __init__(self, field: str, message: str, **metadata: str | int) -> None:
        super().__init__(f"{field}: {message}", field=field, **metadata)
        self.field = field


class InvalidDocumentError(DirectorError):
    """The documents have faults. Metadata counts them; the message lists them."""

    reason = Reason.INVALID_DOCUMENT


class NotFoundError(DirectorError):
    """There is nothing of that name."""

    def __init__(self, reason: Reason, message: str, **metadata: str | int) -> None:
        super().__init__(message, **metadata)
        self.reason = reason


class CommandTooLargeError(DirectorError):
    """The change does not fit into one log entry."""

    reason = Reason.QUOTA_EXCEEDED


class MessageTooLargeError(DirectorError):
    """One message has too many bytes. Nothing was done, and the same will not do later."""

    reason = Reason.QUOTA_EXCEEDED

    def __init__(self, byte_count: int, bytes_max: int) -> None:
        super().__init__(
            f"the message has {byte_count} bytes; at most {bytes_max}",
            bytes=byte_count,
            bytesMax=bytes_max,
        )


class NotPermittedError(DirectorError):
    """The caller is who they say, and may not do this."""

    reason = Reason.PERMISSION_DENIED


class ShuttingDownError(DirectorError):
    """This replica is going away. Ask another."""

    reason = Reason.SHUTTING_DOWN


class UnavailableError(DirectorError):
    """This replica cannot answer now. Ask another."""

    reason = Reason.UNAVAILABLE


class EngineStoppedError(DirectorError):
    """This replica's log stopped for good, e.g. on a full disk. Reads go on, writes elsewhere."""

    reason = Reason.UNAVAILABLE

    def __init__(self, failed: str, failed_reason: str, **metadata: str | int) -> None:
        super().__init__(f"this replica's log stopped: {failed}; ask another replica", **metadata)
        self.reason = _REASON_BY_FAILURE.get(failed_reason, Reason.UNAVAILABLE)


class UnknownEntryError(DirectorError):
    """The log holds something this release cannot read. The replica stops; upgrade it."""

    reason = Reason.STATE_CORRUPT
