"""HTTP probe: a GET answered by 2xx. A small and strict HTTP/1.1 client (RFC 9112).

No redirects, no TLS, no proxies, one request per connection: a health check that needs more than
that checks more than health. The connection is new each time, because an accept queue that is
full is a failure a kept connection would hide.
"""

import asyncio
from dataclasses import dataclass

from regions.probes.outcome import ProbeOutcome
from regions.probes.tcp import connect

HEAD_BYTES_MAX = 16 << 10
BODY_BYTES_MAX = 64 << 10
_OK_MIN, _OK_MAX = 200, 299
_STATUS_PARTS_MIN = 2


class HttpFormatError(ValueError):
    """The endpoint did not answer in HTTP, or said more than is allowed."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A status and what came with it."""

    status: int
    body: bytes
    rtt_us: int


async def probe_http(address: str, path: str) -> ProbeOutcome:
    """Ask for ``path`` and expect 2xx; the body is not read.

    Raises:
        OSError: It was refused, reset or is not reachable.
        ValueError: The address or the answer is malformed.
    """
    answer = await _get(address, path, wants_body=False)
    if _OK_MIN <= answer.status <= _OK_MAX:
        return ProbeOutcome(passed=True, rtt_us=answer.rtt_us)
    return ProbeOutcome(
        passed=False, detail=f"status {answer.status}, expected 2xx", rtt_us=answer.rtt_us
    )


async def get(address: str, path: str) -> HttpAnswer:
    """Ask for ``path`` and read the body.

    Raises:
        OSError: It was refused, reset or is not reachable.
        ValueError: The address or the answer is malformed, or the body is too large.
    """
    return await _get(address, path, wants_body=True)


async def _get(address: str, path: str, *, wants_body: bool) -> HttpAnswer:
    path = path or "/"
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        raise ValueError(f"{path!r} is not a path such as /healthz")
    reader, writer, rtt_us = await connect(address)
    try:
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: region-agent\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n"
        )
        writer.write(request.encode("ascii"))
        try:
            head = await reader.readuntil(b"\r\n\r\n" if wants_body else b"\r\n")
        except asyncio.IncompleteReadError as error:
            raise HttpFormatError(f"hung up after {len(error.partial)} bytes") from None
        except asyncio.LimitOverrunError:
            raise HttpFormatError(f"head of more than {HEAD_BYTES_MAX} bytes") from None
        if len(head) > HEAD_BYTES_MAX:
            raise HttpFormatError(f"head of more than {HEAD_BYTES_MAX} bytes")
        lines = head.split(b"\r\n")
        status = _status(lines[0])
        body = await _body(reader, lines[1:]) if wants_body else b""
        return HttpAnswer(status, body, rtt_us)
    finally:
        writer.transport.abort()


def _status(line: bytes) -> int:
    parts = line.split(b" ", 2)
    is_http = len(parts) >= _STATUS_PARTS_MIN and parts[0] in (b"HTTP/1.1", b"HTTP/1.0")
    if not is_http or len(parts[1]) != len("200") or not parts[1].isdigit():
        raise HttpFormatError(f"not an HTTP status line: {line[:40]!r}")
    return int(parts[1])


async def _body(reader: asyncio.StreamReader, lines: list[bytes]) -> bytes:
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip().lower()
    length = headers.get(b"content-length")
    if b"transfer-encoding" in headers:
        if headers[b"transfer-encoding"] != b"chunked":
            raise HttpFormatError("a transfer encoding other than chunked")
        return await _chunks(reader)
    if length is None:
        return await _until_end(reader)
    if not length.isdigit() or len(length) > len(str(BODY_BYTES_MAX)):
        raise HttpFormatError(f"a content length of {length[:20]!r}")
    if int(length) > BODY_BYTES_MAX:
        raise HttpFormatError(f"a body of more than {BODY_BYTES_MAX} bytes")
    return await _exactly(reader, int(length))


async def _until_end(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while piece := await reader.read(BODY_BYTES_MAX + 1 - len(body)):
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise HttpFormatError(f"a body of more than {BODY_BYTES_MAX} bytes")
    return body


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        line = await reader.readline()
        try:
            size = int(line.split(b";")[0].strip(), 16)
        except ValueError:
            raise HttpFormatError(f"a chunk size of {line[:20]!r}") from None
        if size == 0:
            return body
        if size < 0 or len(body) + size > BODY_BYTES_MAX:
            raise HttpFormatError(f"a body of more than {BODY_BYTES_MAX} bytes")
        body += await _exactly(reader, size)
        if await _exactly(reader, 2) != b"\r\n":
            raise HttpFormatError("a chunk without its end")


async def _exactly(reader: asyncio.StreamReader, count: int) -> bytes:
    try:
        return await reader.readexactly(count)
    except asyncio.IncompleteReadError:
        raise HttpFormatError("hung up within the body") from None
