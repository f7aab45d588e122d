"""Where reasons become gRPC statuses and HTTP statuses, on the agent's side."""

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from director.client.errors import ERROR_DOMAIN, ClientError

# Chosen by what the caller should do next: fix the request, wait, or try elsewhere.
_CODES: dict[str, tuple[grpc.StatusCode, int]] = {
    "INVALID_REQUEST": (grpc.StatusCode.INVALID_ARGUMENT, 400),
    "POSITION_UNUSABLE": (grpc.StatusCode.INVALID_ARGUMENT, 400),
    "UNAUTHENTICATED": (grpc.StatusCode.UNAUTHENTICATED, 401),
    "PERMISSION_DENIED": (grpc.StatusCode.PERMISSION_DENIED, 403),
    "QUOTA_EXCEEDED": (grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
    "SERVICE_NOT_FOUND": (grpc.StatusCode.NOT_FOUND, 404),
    "RESIDENCY": (grpc.StatusCode.FAILED_PRECONDITION, 409),
    "ALL_UNHEALTHY": (grpc.StatusCode.FAILED_PRECONDITION, 503),
    "NO_OWNER": (grpc.StatusCode.FAILED_PRECONDITION, 503),
    "NO_SITES": (grpc.StatusCode.FAILED_PRECONDITION, 503),
    "STALENESS_BOUND_EXCEEDED": (grpc.StatusCode.UNAVAILABLE, 503),
    "UNAVAILABLE": (grpc.StatusCode.UNAVAILABLE, 503),
}
_UNKNOWN = (grpc.StatusCode.INTERNAL, 500)


def to_status(error: ClientError) -> grpc.Status:
    """Build the status, with the machine-readable reason attached."""
    code, _ = _CODES.get(error.reason, _UNKNOWN)
    info = Any()
    info.Pack(ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN, metadata=dict(error.metadata)))
    number: int = code.value[0]
    status: grpc.Status = rpc_status.to_status(
        Status(code=number, message=str(error), details=[info])
    )
    return status


def to_http(error: ClientError) -> int:
    """Return the HTTP status."""
    return _CODES.get(error.reason, _UNKNOWN)[1]
