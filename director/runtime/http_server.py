"""A small and strict HTTP/1.1 server for probes, load balancers and scrapes. GET only.

Bounded in everything: the head of a request, the time for it, the connections. There is no body to
read and none is ever sent back. What a target is answered with is the caller's affair.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from structlog.typing import FilteringBoundLogger

from director.runtime.clock import boot_ms
from director.runtime.loopback import ensure_loopback

HEAD_BYTES_MAX = 8 << 10
# From the first byte of a request to its last, and between two requests of one connection.
REQUEST_WAIT_S = 5.0
# A scrape of thousands of services takes a second; nobody waits longer for one.
ANSWER_WAIT_S = 10.0
IDLE_WAIT_S = 30.0
# A connection without a certificate by then is cut; until then it is not counted below.
HANDSHAKE_WAIT_S = 5.0
# With TLS a connection is kept so long, and then for one request: the certificate that it began
# with may have ended.
TLS_LIFE_MS = 30_000
CONNECTIONS_MAX = 256
JSON_TYPE = "application/json"
_REQUEST_PARTS = 3

log: FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a request is answered with."""

    status: HTTPStatus
    content: bytes
    content_type: str = JSON_TYPE


def json_answer(status: HTTPStatus, body: Mapping[str, object]) -> HttpAnswer:
    """Return ``body`` as one line of JSON."""
    return HttpAnswer(status, json.dumps(body).encode() + b"\n")


class _BadRequestError(Exception):
    """Not a request this server can read; the connection ends with it."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class HttpServer:
    """Serves until stopped.

    Args:
        answer: Returns what the target of a GET (path and query) is answered with, at once or
            later. It must answer every target.
        refusal: With TLS, says of a connection why it is not answered; "" answers it.
    """

    def __init__(
        self,
        answer: Callable[[str], HttpAnswer | Awaitable[HttpAnswer]],
        *,
        refusal: Callable[[ssl.SSLObject], str] = lambda _: "",
    ) -> None:
        self._answer = answer
        self._refusal = refusal
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(
        self, address: str, *, tls: ssl.SSLContext | None = None, allow_insecure: bool = False
    ) -> int:
        """Listen and return the port.

        Args:
            address: ``host:port``; port 0 takes any free one.
            tls: Speak HTTPS with these certificates; None speaks plain HTTP.
            allow_insecure: Speak plain HTTP where other machines can connect, too.

        Raises:
            NotLoopbackError: The address could be reached from elsewhere, without TLS.
            ValueError: It is not ``host:port``.
            OSError: It cannot be bound.
        """
        if tls is None and not allow_insecure:
            address = ensure_loopback(address)
        host, colon, port = address.rpartition(":")
        if not (colon and port.isascii() and port.isdigit()):
            raise ValueError(f"{address!r} is not host:port, such as 127.0.0.1:7442")
        self._server = await asyncio.start_server(
            self._serve,
            host.strip("[]"),
            int(port),
            limit=HEAD_BYTES_MAX,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else HANDSHAKE_WAIT_S,
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Stop listening and hang up. Idempotent."""
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
        connection = writer.get_extra_info("ssl_object")
        if connection is not None and self._refusal(connection):
            writer.transport.abort()
            return
        self._connections.add(task)
        until_ms = None if connection is None else boot_ms() + TLS_LIFE_MS
        try:
            while await self._answer_one(reader, writer, until_ms):
                pass
            writer.close()
            async with asyncio.timeout(REQUEST_WAIT_S):
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # hung up, slow, or the server stops
        finally:
            # What a client does not read would be kept for as long as it likes.
            writer.transport.abort()
            self._connections.discard(task)

    async def _answer_one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, until_ms: int | None
    ) -> bool:
        """Answer one request; False when the connection is to end."""
        keeps = False
        try:
            head = await _head(reader)
            if head is None:
                return False
            target, keeps = _parsed(head)
            keeps = keeps and (until_ms is None or boot_ms() < until_ms)
            answer = await self._answered(target)
        except _BadRequestError as error:
            body = {"reason": "INVALID_REQUEST", "message": str(error)}
            answer = json_answer(error.status, body)
        except (OSError, TimeoutError):
            raise
        except Exception:
            # A mistake of ours in one page; whoever asks is to see that, and not a broken line.
            log.exception("http_answer_failed")
            body = {"reason": "INTERNAL", "message": "a mistake of ours; the log says more"}
            answer = json_answer(HTTPStatus.INTERNAL_SERVER_ERROR, body)
        status = answer.status
        writer.write(
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(answer.content)}\r\nCache-Control: no-store\r\n"
            f"Connection: {'keep-alive' if keeps else 'close'}\r\n\r\n".encode("ascii")
            + answer.content
        )
        async with asyncio.timeout(REQUEST_WAIT_S):
            await writer.drain()
        return keeps

    async def _answered(self, target: str) -> HttpAnswer:
        answered = self._answer(target)
        if isinstance(answered, HttpAnswer):
            return answered
        async with asyncio.timeout(ANSWER_WAIT_S):
            return await answered


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
