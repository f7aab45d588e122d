"""A director on loopback that answers from a script, for the commands to talk to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from director.cli.methods import Method
from director.core.reasons import Reason
from trafficdirector.admin.v1 import admin_pb2
from trafficdirector.drill.v1 import drill_pb2
from trafficdirector.event.v1 import event_pb2
from trafficdirector.routing.v1 import routing_pb2

Handler = Callable[[Any, grpc.ServicerContext], Any]

_METHODS = {
    f"/{service.full_name}/{method.name}": method
    for file in (
        admin_pb2.DESCRIPTOR,
        drill_pb2.DESCRIPTOR,
        routing_pb2.DESCRIPTOR,
        event_pb2.DESCRIPTOR,
    )
    for service in file.services_by_name.values()
    for method in service.methods
}


class Refusal(Exception):  # noqa: N818 - it is an answer, not an accident
    """What a scripted answer raises to refuse like a director."""

    def __init__(
        self, status: grpc.StatusCode, reason: Reason, message: str, **metadata: str
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.metadata = status, reason, message, metadata

    def abort(self, context: grpc.ServicerContext) -> NoReturn:
        detail = any_pb2.Any()
        detail.Pack(ErrorInfo(reason=self.reason, domain="trafficdirector", metadata=self.metadata))
        code = self.status.value[0]
        status = Status(code=code, message=self.message, details=[detail])
        context.abort_with_status(rpc_status.to_status(status))
        raise AssertionError("abort does not return")


class FakeDirector(grpc.GenericRpcHandler):
    """Answers each method with what the test sets, and remembers every request."""

    def __init__(self) -> None:
        self.address = ""
        self.requests: list[tuple[str, Message]] = []
        self._handler_by_path: dict[str, Handler] = {}

    def answer(self, method: Method[Any], answer: Message | Exception | Handler) -> None:
        """Answer ``method`` with a message, a refusal, or what a function makes of the request."""

        def handler(request: Message, context: grpc.ServicerContext) -> object:
            if isinstance(answer, Exception):
                raise answer
            return answer if isinstance(answer, Message) else answer(request, context)

        self._handler_by_path[method.path] = handler

    def asked(self, method: Method[Any]) -> list[Any]:
        """Return the requests of ``method``, in order."""
        return [request for path, request in self.requests if path == method.path]

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        path: str = handler_call_details.method
        handler, described = self._handler_by_path.get(path), _METHODS.get(path)
        if handler is None or described is None:
            return None
        serialize, deserialize = _to_bytes, GetMessageClass(described.input_type).FromString

        def unary(request: Message, context: grpc.ServicerContext) -> object:
            self.requests.append((path, request))
            try:
                return handler(request, context)
            except Refusal as refusal:
                refusal.abort(context)

        def stream(request: Message, context: grpc.ServicerContext) -> Iterator[Any]:
            answers: Any = unary(request, context)
            yield from [answers] if isinstance(answers, Message) else answers

        if described.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, deserialize, serialize)
        return grpc.unary_unary_rpc_method_handler(unary, deserialize, serialize)


def _to_bytes(message: Message) -> bytes:
    return message.SerializeToString()


@contextmanager
def a_director() -> Iterator[FakeDirector]:
    """Serve a fake director until the block ends."""
    fake = FakeDirector()
    server = grpc.server(ThreadPoolExecutor(4), handlers=[fake])
    fake.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield fake
    finally:
        server.stop(grace=None).wait()
