"""One POST to a webhook, in a thread, that can be ended from outside."""

import asyncio
import contextlib
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import urlsplit

from director.runtime.clock import boot_ms

# Of all of it: a receiver is to queue what it gets, not to work on it meanwhile.
POST_DEADLINE_MS = 10_000
# One for each webhook that documents can declare.
_THREADS_MAX = 8


class PostFailedError(Exception):
    """Nobody answered. The message says why, and names no address."""


class Poster:
    """Sends; keeps no connection. Close it."""

    def __init__(self, *, deadline_ms: int = POST_DEADLINE_MS) -> None:
        self._deadline_ms = deadline_ms
        # Not the loop's own threads: a receiver that hangs must not hold up the disk.
        self._threads = ThreadPoolExecutor(_THREADS_MAX, thread_name_prefix="webhook")
        self._tls: ssl.SSLContext | None = None
        self._left_behind: dict[str, Future[int]] = {}

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Return the status of the answer; redirects are not followed.

        Raises:
            PostFailedError: There was none within the deadline.
        """
        before = self._left_behind.pop(url, None)
        if before is not None and not before.done():
            # A look-up of a name cannot be ended. One thread waits for it, and not every one.
            self._left_behind[url] = before
            raise PostFailedError("the try before still waits; can its name be looked up?")
        posting = _Posting(url, headers, body, self._deadline_ms, self._trust)
        running = self._threads.submit(posting.run)
        try:
            async with asyncio.timeout(self._deadline_ms / 1_000):
                return await asyncio.wrap_future(running)
        except TimeoutError:
            self._left_behind[url] = running
            raise PostFailedError(f"no answer within {self._deadline_ms} ms") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else ""
            raise PostFailedError(said or type(error).__name__) from error
        finally:
            posting.close()

    def _trust(self) -> ssl.SSLContext:
        # Reading the system's certificates takes a while, and most fleets have no webhook.
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def close(self) -> None:
        """Take no more work; what is under way ends by its deadline."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Posting:
    """The part that waits. All of it is bounded, look-ups apart; ``close`` ends it at once."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        wait_ms: int,
        trust: Callable[[], ssl.SSLContext],
    ) -> None:
        self._url, self._headers, self._body = urlsplit(url), headers, body
        self._until_ms, self._trust = boot_ms() + wait_ms, trust
        self._is_closed = False
        self._socket: socket.socket | None = None

    def run(self) -> int:
        parts = self._url
        host = parts.hostname or ""
        connection = (
            http.client.HTTPSConnection(host, parts.port, context=self._trust())
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port)
        )
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.sock = self._socket = self._connected(host, connection.port)
            if parts.scheme == "https":
                connection.sock = self._socket = self._trust().wrap_socket(
                    self._socket, server_hostname=host, do_handshake_on_connect=False
                )
                self._socket.do_handshake()
            connection.request("POST", target, self._body, dict(self._headers))
            return connection.getresponse().status
        finally:
            connection.close()

    def _connected(self, host: str, port: int) -> socket.socket:
        failed: OSError | PostFailedError = PostFailedError("its name has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            if not _may_reach(str(address[0]), is_plain=self._url.scheme != "https"):
                failed = PostFailedError("its name stands for an address that is not sent to")
                continue
            left_ms = self._until_ms - boot_ms()
            if self._is_closed or left_ms <= 0:
                break
            # Kept before it connects, so that ``close`` ends that too.
            tried = self._socket = socket.socket(family, kind, protocol)
            tried.settimeout(left_ms / 1_000)
            try:
                tried.connect(address)
            except OSError as error:
                tried.close()
                failed = error
            else:
                return tried
        raise failed

    def close(self) -> None:
        self._is_closed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _may_reach(address: str, *, is_plain: bool) -> bool:
    """Whether a name may stand for ``address``, whatever it stood for when it was declared.

    Plain HTTP stays on this machine. Nothing goes to link-local addresses, behind which a cloud
    gives out the credentials of a machine.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    ip = mapped or ip
    if is_plain:
        return ip.is_loopback
    return not (ip.is_link_local or ip.is_multicast or ip.is_unspecified)
