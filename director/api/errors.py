"""Reasons become gRPC statuses here and nowhere else.

The code is chosen by what the caller is to do next (the test given in ``google/rpc/code.proto``).
Clients branch on the reason in ``google.rpc.ErrorInfo``, never on the message.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from director.api.handlers import MALFORMED, MESSAGE_BYTES_MAX, TooLarge
from director.client.errors import ERROR_DOMAIN, ClientError
from director.core.reasons import Reason
from director.service.errors import DirectorError, InvalidRequestError, MessageTooLargeError

STATUS_BY_REASON: Mapping[Reason, grpc.StatusCode] = {
    Reason.NOT_LEADER: grpc.StatusCode.UNAVAILABLE,
    Reason.NO_LEADER: grpc.StatusCode.UNAVAILABLE,
    Reason.OUTCOME_UNKNOWN: grpc.StatusCode.ABORTED,
    Reason.STALENESS_BOUND_EXCEEDED: grpc.StatusCode.UNAVAILABLE,
    Reason.STALE_EPOCH: grpc.StatusCode.ABORTED,
    Reason.STALE_REVISION: grpc.StatusCode.ABORTED,
    Reason.STALE_STAGE: grpc.StatusCode.ABORTED,
    Reason.RPO_EXCEEDED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.NO_ELIGIBLE_REGION: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.TARGET_INELIGIBLE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.SAFETY_RULE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.COOLDOWN: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.FAILOVER_IN_PROGRESS: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.DRILL_REFUSED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.AUTOMATION_OFF: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.AUTOMATION_PAUSED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.FLAP_DAMPED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.FAILBACK_NOT_READY: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.NOTHING_TO_APPROVE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.NOTHING_TO_DO: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.FENCED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.REGION_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.SERVICE_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.FAILOVER_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.DRILL_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.REVISION_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.RESIDENCY: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.ALL_UNHEALTHY: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.NO_OWNER: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.POSITION_UNUSABLE: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.INVALID_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.INVALID_DOCUMENT: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.QUOTA_EXCEEDED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.STORAGE_FULL: grpc.StatusCode.UNAVAILABLE,
    Reason.STATE_CORRUPT: grpc.StatusCode.DATA_LOSS,
    Reason.SHUTTING_DOWN: grpc.StatusCode.UNAVAILABLE,
    Reason.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Reason.INTERNAL: grpc.StatusCode.INTERNAL,
}
# A route table's refusals that are not reasons of their own.
_REASON_BY_REFUSAL = {"NO_SITES": Reason.NO_ELIGIBLE_REGION}

# Metadata goes into a trailer; gRPC's default limit for all of it is 8 KiB.
_METADATA_CHARS_MAX = 256
_MESSAGE_CHARS_MAX = 3_000

Reported = DirectorError | ClientError

Request = TypeVar("Request")
Response = TypeVar("Response")
# Handlers are generic in what they take and give; grpc names neither.
Context = grpc.aio.ServicerContext[Any, Any]


def reason_of(error: Reported) -> Reason:
    """Return the reason of an error of the service or of the shared route code."""
    if isinstance(error, DirectorError):
        return error.reason
    if error.reason in _REASON_BY_REFUSAL:
        return _REASON_BY_REFUSAL[error.reason]
    return Reason(error.reason) if error.reason in Reason.__members__ else Reason.INTERNAL


def to_status(error: Reported) -> grpc.Status:
    """Return the status, with the machine-readable reason and what helps to act on it."""
    reason = reason_of(error)
    details: list[Message] = [
        error_details_pb2.ErrorInfo(
            reason=reason.value,
            domain=ERROR_DOMAIN,
            metadata={key: value[:_METADATA_CHARS_MAX] for key, value in error.metadata.items()},
        )
    ]
    field = error.metadata.get("field")
    if STATUS_BY_REASON[reason] is grpc.StatusCode.INVALID_ARGUMENT and field:
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=field, description=str(error)[:_MESSAGE_CHARS_MAX]
                    )
                ]
            )
        )
    retry_after_ms = error.retry_after_ms if isinstance(error, DirectorError) else None
    if retry_after_ms is not None:
        delay = Duration()
        delay.FromMilliseconds(retry_after_ms)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    code: int = STATUS_BY_REASON[reason].value[0]
    status = status_pb2.Status(code=code, message=str(error)[:_MESSAGE_CHARS_MAX])
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return rpc_status.to_status(status)


def check_parsed(request: object) -> None:
    """Refuse what is no message of the method.

    Raises:
        InvalidRequestError: It could not be parsed.
        MessageTooLargeError: It was not, for its size.
    """
    if request is MALFORMED:
        raise InvalidRequestError("request", "these bytes are not the message of this method")
    if isinstance(request, TooLarge):
        raise MessageTooLargeError(request.byte_count, MESSAGE_BYTES_MAX)


def unary(
    handle: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request, Context], Awaitable[Response]]:
    """Turn a method into a handler that answers errors with statuses."""

    async def handler(request: Request, context: Context) -> Response:
        try:
            check_parsed(request)
            return await handle(request)
        except (DirectorError, ClientError) as error:
            await context.abort_with_status(to_status(error))

    return handler


def server_stream(
    handle: Callable[[Request, Context], AsyncIterator[Response]],
) -> Callable[[Request, Context], AsyncIterator[Response]]:
    """Turn a method that yields into a handler that answers errors with statuses."""

    async def handler(request: Request, context: Context) -> AsyncIterator[Response]:
        try:
            check_parsed(request)
            async for response in handle(request, context):
                yield response
        except (DirectorError, ClientError) as error:
            await context.abort_with_status(to_status(error))

    return handler
