"""Builds gRPC handlers from plain methods, without the generated servicer classes.

The generated registration functions have no types, and set a serializer where ``Resolve`` has
bytes already.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import grpc
from google.protobuf.message import DecodeError


class MessageType(Protocol):
    """A generated message class, as far as handlers need it."""

    def FromString(self, s: bytes, /) -> Any:  # noqa: ANN401, N802 - as protobuf has it
        """Parse."""
        ...


Method: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Malformed:
    """Takes the place of a request whose bytes are not the message they should be."""


MALFORMED = Malformed()

# A manifest is at most 1 MiB of text; with its envelope it stays below this.
MESSAGE_BYTES_MAX = 2 << 20


@dataclass(frozen=True, slots=True)
class TooLarge:
    """Takes the place of a request that is not even parsed, for its size."""

    byte_count: int


def _parser(request: MessageType) -> Callable[[bytes], Any]:
    """Return a parser that never raises: gRPC would answer UNKNOWN, without a reason."""
    parse = request.FromString

    def parsed(encoded: bytes) -> Any:  # noqa: ANN401 - any message
        if len(encoded) > MESSAGE_BYTES_MAX:
            return TooLarge(len(encoded))
        try:
            return parse(encoded)
        except DecodeError:
            return MALFORMED

    return parsed


def _serialize(message: Any) -> bytes:  # noqa: ANN401 - any message
    encoded: bytes = message.SerializeToString()
    return encoded


def unary_unary(
    handler: Callable[..., Any], request: MessageType, *, is_encoded: bool = False
) -> Method:
    """One request, one response. ``is_encoded``: the handler returns bytes."""
    return grpc.unary_unary_rpc_method_handler(
        handler,
        request_deserializer=_parser(request),
        response_serializer=None if is_encoded else _serialize,
    )


def unary_stream(
    handler: Callable[..., Any], request: MessageType, *, is_encoded: bool = False
) -> Method:
    """One request, many responses."""
    return grpc.unary_stream_rpc_method_handler(
        handler,
        request_deserializer=_parser(request),
        response_serializer=None if is_encoded else _serialize,
    )


def stream_stream(handler: Callable[..., Any], request: MessageType) -> Method:
    """Many of both."""
    return grpc.stream_stream_rpc_method_handler(
        handler, request_deserializer=_parser(request), response_serializer=_serialize
    )


def service(name: str, methods: Mapping[str, Method]) -> grpc.GenericRpcHandler:
    """Return all methods of one service, for ``server.add_generic_rpc_handlers``."""
    return grpc.method_handlers_generic_handler(name, dict(methods))
