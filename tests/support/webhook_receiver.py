"""A receiver of webhooks: a real HTTP server on loopback, in a thread, that checks signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = b"a key of twenty-four byt"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@dataclass(frozen=True)
class Got:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent in the body."""
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def number(self) -> int:
        """Number of the audit record."""
        return int(self.event["data"]["number"])

    def is_signed_with(self, key: bytes) -> bool:
        """Whether one of the signatures is made with ``key``, as Standard Webhooks says."""
        content = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode()
        digest = hmac.new(key, content + self.body, hashlib.sha256).digest()
        wanted = "v1," + base64.b64encode(digest).decode()
        return wanted in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """What was received; ``answer`` says how each request is answered."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    answer: Callable[[Got], int] = lambda _: 204
    hangs: threading.Event | None = None

    @property
    def taken(self) -> list[Got]:
        """The requests that were answered with success."""
        return [each for each in self.got if self.answer(each) < 300]


@contextmanager
def a_receiver(*, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Listen until the block ends; with ``tls``, speak HTTPS."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {key.lower(): value for key, value in self.headers.items()}
            got = Got(self.path, headers, body)
            receiver.got.append(got)
            if receiver.hangs is not None:
                receiver.hangs.wait(20)
            self.send_response(receiver.answer(got))
            self.send_header("location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is named there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.url = (
        f"http{'' if tls is None else 's'}://127.0.0.1:{server.server_address[1]}/hook?team=ops"
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        if receiver.hangs is not None:
            receiver.hangs.set()
        server.shutdown()
        server.server_close()
        thread.join()
