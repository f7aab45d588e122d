"""The active-passive sample: HTTP, writes through the gate, copies pulled from the home.

GET /healthz     200 while healthy; never depends on the gate, or no region could be promoted
POST /write      {"value": text} -> 200 with the token, or 409 with the reason and the home
GET /log?after=N records behind N, for the other regions
GET /lag         {"lag_ms": n}; null when unknown
GET /load        {"load_rps": n}: writes asked for over the last seconds
POST /fault      {"healthy": bool}: makes /healthz and /write fail, for drills
"""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from director.runtime.clock import boot_ms
from regions.sample.gate_client import GateClient
from regions.sample.journal import Journal, Record
from regions.sample.load_meter import LoadMeter

_BODY_BYTES_MAX = 65_536
_COPY_SECONDS = 0.2
_COPY_BATCH_MAX = 1_000
_PEER_SECONDS_MAX = 1.0


class Chat:
    """The service itself, apart from HTTP."""

    def __init__(
        self, region_id: str, gate: GateClient, journal: Journal, peers: Mapping[str, str]
    ) -> None:
        self.region_id = region_id
        self.healthy = True
        self._gate = gate
        self._journal = journal
        self._peers = peers
        self.meter = LoadMeter(boot_ms)
        self._caught_up_at_ms: int | None = None
        # What was compared with the present home so far. A new home starts again at 0, so that a
        # tail which only the old home had gives way.
        self._copied_from = ""
        self._copied_through = 0
        self._stopping = threading.Event()
        self._copier = threading.Thread(target=self._copy_forever, name="copier", daemon=True)

    def start(self) -> None:
        """Begin to copy from the home."""
        self._copier.start()

    def stop(self) -> None:
        """Stop copying."""
        self._stopping.set()

    def write(self, value: str) -> tuple[int, dict[str, object]]:
        """Accept one write, or say why not. Returns an HTTP status and a body."""
        permit = self._gate.permit
        if not self.healthy:
            return 500, {"reason": "UNHEALTHY"}
        if not permit.is_valid(now_ms=self._gate.now_ms()):
            return 409, {"reason": permit.reason or "PERMIT_ENDED", "home": permit.home}
        record = self._journal.write(permit.generation, permit.epoch, value)
        # A5: look again after the last blocking call. What follows cannot block for long, and a
        # pause here cannot move at_ms, which is what the client's acknowledgement stands for.
        at_ms = self._gate.now_ms()
        if not permit.is_valid(now_ms=at_ms):
            return 503, {"reason": "INDETERMINATE", "home": permit.home}
        self._journal.acknowledge(record, at_ms=at_ms, region_id=self.region_id)
        token = {"generation": record.generation, "epoch": record.epoch}
        return 200, {"position": record.position, "region": self.region_id, **token}

    def after(self, position: int) -> dict[str, object]:
        """Records for another region's copy."""
        records = self._journal.after(position, _COPY_BATCH_MAX)
        rows = [[each.position, each.generation, each.epoch, each.value] for each in records]
        return {"records": rows, "length": self._journal.length}

    def lag(self) -> dict[str, object]:
        """How long ago this copy was last known to equal the home; 0 while this one may write.

        An owner whose permit has ended may have been replaced, and a copy of another home than the
        gate names now may lack what that one has: neither knows how far it is behind.
        """
        permit = self._gate.permit
        if permit.is_valid(now_ms=self._gate.now_ms()):
            return {"lag_ms": 0}
        if self._caught_up_at_ms is None or permit.home != self._copied_from:
            return {"lag_ms": None}
        return {"lag_ms": max(0, self._gate.now_ms() - self._caught_up_at_ms)}

    def _copy_forever(self) -> None:
        while not self._stopping.wait(_COPY_SECONDS):
            home = self._gate.permit.home
            address = self._peers.get(home)
            if home in ("", self.region_id) or address is None:
                continue
            if home != self._copied_from:
                self._copied_from, self._copied_through = home, 0
                self._caught_up_at_ms = None
            try:
                self._copy_from(address)
            except (OSError, ValueError, urllib.error.URLError):
                continue  # the lag grows, which is what a missing home means

    def _copy_from(self, address: str) -> None:
        asked_at_ms = self._gate.now_ms()
        url = f"http://{address}/log?after={self._copied_through}"
        with urllib.request.urlopen(url, timeout=_PEER_SECONDS_MAX) as response:
            body = json.load(response)
        records = [Record(*row) for row in body["records"]]
        self._journal.copy(records)
        self._copied_through += len(records)
        if self._copied_through >= int(body["length"]):
            self._caught_up_at_ms = asked_at_ms


class ChatServer(ThreadingHTTPServer):
    """HTTP in front of one :class:`Chat`."""

    daemon_threads = True
    # Clients of a killed region come back all at once; the default backlog of 5 refuses them.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], chat: Chat) -> None:
        super().__init__(address, _Exchange)
        self.chat = chat


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout: ClassVar[float | None] = 30
    server: ChatServer  # type: ignore[mutable-override]  # the only server that makes one of these

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        chat = self.server.chat
        match url.path:
            case "/healthz":
                self._send(200 if chat.healthy else 500, {"healthy": chat.healthy})
            case "/lag":
                self._send(200, chat.lag())
            case "/load":
                self._send(200, chat.meter.load())
            case "/log":
                after = parse_qs(url.query).get("after", ["0"])[0]
                if after.isdigit():
                    self._send(200, chat.after(int(after)))
                else:
                    self._send(400, {"reason": "after must be a whole number"})
            case _:
                self._send(404, {"reason": "no such path"})

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _BODY_BYTES_MAX:
            self.close_connection = True
            self._send(413, {"reason": f"body must be at most {_BODY_BYTES_MAX} bytes"})
            return
        try:
            body = json.loads(self.rfile.read(int(length)) or b"{}")
        except ValueError:
            self._send(400, {"reason": "body must be JSON"})
            return
        match self.path, body:
            case "/write", {"value": str(value)}:
                self.server.chat.meter.count()
                self._send(*self.server.chat.write(value))
            case "/fault", {"healthy": bool(healthy)}:
                self.server.chat.healthy = healthy
                self._send(200, {"healthy": healthy})
            case _:
                self._send(404, {"reason": 'POST /write {"value": ..} or /fault {"healthy": ..}'})

    def _send(self, status: int, body: dict[str, object]) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the standard library
        """Keep quiet: one line per request is a metric, not a log."""
