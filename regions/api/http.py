"""The HTTP side, for services and tools without gRPC. GET only; a small and strict server.

====================  ===========================================================
``/gate/<service>``   200 when the service may write now, 423 when not; JSON
``/resolve?...``      ``service``, and ``from-ip``, ``from`` (lat,lon) or ``from-region``;
                      ``session``, ``subject-jurisdiction``; JSON
``/livez``            200 while the process answers
``/readyz``           200 as soon as this answers, for it listens after gRPC does; never depends
                      on a director or a route table
====================  ===========================================================
"""

import asyncio
import contextlib
import json
from http import HTTPStatus
from urllib.parse import parse_qs, unquote, urlsplit

from google.protobuf.json_format import MessageToDict

from director.client.answering import Answerer
from director.client.errors import ClientError, InvalidRequestError, PositionError
from director.routing.table import ServiceId
from director.runtime.loopback import ensure_loopback
from regions.api.errors import to_http
from regions.api.gate import not_guarded
from regions.api.view import Gatekeeper, View
from regions.core.gate_answer import GateAnswer
from trafficdirector.routing.v1 import routing_pb2 as pb

HEAD_BYTES_MAX = 8 << 10
# From the first byte of a request to its last, and between two requests of one connection.
REQUEST_WAIT_S = 5.0
IDLE_WAIT_S = 30.0
CONNECTIONS_MAX = 256
_REQUEST_PARTS = 3
_QUERY_FIELDS_MAX = 16

_POSITIONS = ("from", "from-region", "from-ip")
_ALLOWED = frozenset({"service", "session", "subject-jurisdiction", *_POSITIONS})


class _BadRequestError(Exception):
    """Not a request this server can read; the connection ends with it."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class HttpServer:
    """Serves on loopback until stopped."""

    def __init__(self, gates: Gatekeeper, answerer: Answerer, view: View) -> None:
        self._gates = gates
        self._answerer = answerer
        self._view = view
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, address: str) -> int:
        """Listen and return the port.

        Raises:
            NotLoopbackError: The address could be reached from elsewhere.
            ValueError: It is not ``host:port``.
            OSError: It cannot be bound.
        """
        host, _, port = ensure_loopback(address).rpartition(":")
        self._server = await asyncio.start_server(
            self._serve, host.strip("[]"), int(port), limit=HEAD_BYTES_MAX
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Stop listening and hang up."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection is served by a task"
        if len(self._connections) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
                while await self._answer_one(reader, writer):
                    pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is to end."""
        keeps = False
        try:
            head = await _head(reader)
            if head is None:
                return False
            target, keeps = _parsed(head)
            status, body = self._answer(target)
        except _BadRequestError as error:
            status, body = error.status, {"reason": "INVALID_REQUEST", "message": str(error)}
        content = json.dumps(body).encode() + b"\n"
        writer.write(
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\nCache-Control: no-store\r\n"
            f"Connection: {'keep-alive' if keeps else 'close'}\r\n\r\n".encode("ascii")
            + content
        )
        async with asyncio.timeout(REQUEST_WAIT_S):
            await writer.drain()
        return keeps

    def _answer(self, target: str) -> tuple[HTTPStatus, dict[str, object]]:
        url = urlsplit(target)
        try:
            match url.path.split("/")[1:]:
                case ["livez"] | ["readyz"]:
                    return HTTPStatus.OK, {"ok": True}
                case ["gate", name]:
                    return self._gate(unquote(name))
                case ["resolve"]:
                    return self._resolve(url.query)
                case _:
                    return HTTPStatus.NOT_FOUND, {
                        "reason": "NOT_FOUND",
                        "message": "there are /gate/<service>, /resolve, /livez and /readyz",
                    }
        except ClientError as error:
            return HTTPStatus(to_http(error)), {
                "reason": error.reason,
                "message": str(error),
                "metadata": dict(error.metadata),
            }

    def _gate(self, name: str) -> tuple[HTTPStatus, dict[str, object]]:
        answer = self._gates.check(ServiceId(name))
        if answer is None:
            raise not_guarded(name)
        return (HTTPStatus.OK if answer.may_write else HTTPStatus.LOCKED), gate_json(answer)

    def _resolve(self, query: str) -> tuple[HTTPStatus, dict[str, object]]:
        request = request_from_query(query)
        encoded = self._answerer.resolve_bytes(
            request, self._view.view_age_ms(), self._view.source()
        )
        response = pb.ResolveResponse.FromString(encoded)
        return HTTPStatus.OK, MessageToDict(response, preserving_proto_field_name=True)


async def _head(reader: asyncio.StreamReader) -> bytes | None:
    """Read a request up to its empty line; None if the client hung up between two."""
    async with asyncio.timeout(IDLE_WAIT_S):
        first = await reader.read(1)
    if not first:
        return None
    try:
        async with asyncio.timeout(REQUEST_WAIT_S):
            return first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise _BadRequestError(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {HEAD_BYTES_MAX} bytes"
        ) from None


def _parsed(head: bytes) -> tuple[str, bool]:
    """Return the target of a GET, and whether the connection stays."""
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != _REQUEST_PARTS or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise _BadRequestError(HTTPStatus.BAD_REQUEST, "not an HTTP/1.1 request line")
    method, target, version = parts
    if method != "GET":
        raise _BadRequestError(HTTPStatus.METHOD_NOT_ALLOWED, "only GET is answered here")
    if not target.startswith("/"):
        raise _BadRequestError(HTTPStatus.BAD_REQUEST, "the target is not a path")
    keeps = version == "HTTP/1.1"
    for line in lines[1:]:
        name, _, value = line.partition(":")
        match name.strip().lower(), value.strip().lower():
            case "connection", "close":
                keeps = False
            case "content-length", length if length != "0":
                raise _BadRequestError(HTTPStatus.BAD_REQUEST, "a GET here has no body")
            case "transfer-encoding", _:
                raise _BadRequestError(HTTPStatus.BAD_REQUEST, "a GET here has no body")
            case _:
                pass
    return target, keeps


def gate_json(answer: GateAnswer) -> dict[str, object]:
    """Return the answer with the field names of the proto."""
    token = None
    if answer.token is not None:
        token = {"generation": answer.token.generation, "epoch": answer.token.epoch}
    return {
        "service_id": answer.service_id,
        "may_write": answer.may_write,
        "token": token,
        "deadline_boottime_ms": answer.deadline_boottime_ms,
        "reason": answer.reason,
        "home_region_id": answer.home or "",
    }


def request_from_query(query: str) -> pb.ResolveRequest:
    """Return the question in a query string.

    Raises:
        InvalidRequestError: A field is unknown, repeated or malformed.
    """
    try:
        fields = parse_qs(query, keep_blank_values=True, max_num_fields=_QUERY_FIELDS_MAX)
    except ValueError:
        raise InvalidRequestError("query", f"has more than {_QUERY_FIELDS_MAX} fields") from None
    for name, values in fields.items():
        if name not in _ALLOWED:
            raise InvalidRequestError(
                name[:63], f"is not a field; there are: {', '.join(sorted(_ALLOWED))}"
            )
        if len(values) > 1:
            raise InvalidRequestError(name, "is given more than once")
    one = {name: values[0] for name, values in fields.items()}
    if sum(name in one for name in _POSITIONS) > 1:
        raise PositionError("from", f"give one of {', '.join(_POSITIONS)}")
    request = pb.ResolveRequest(
        service_id=one.get("service", ""),
        session_id=one.get("session", ""),
        subject_jurisdiction=one.get("subject-jurisdiction", ""),
    )
    if "from" in one:
        request.location.CopyFrom(_location(one["from"]))
    elif "from-region" in one:
        request.region_id = one["from-region"]
    elif "from-ip" in one:
        request.address = one["from-ip"]
    return request


def _location(text: str) -> pb.Location:
    lat, _, lon = text.partition(",")
    try:
        return pb.Location(lat=float(lat), lon=float(lon))
    except ValueError:
        raise PositionError("from", f"{text[:40]!r} is not LAT,LON such as 48.85,2.35") from None
