"""What each path of a replica's HTTP port is answered with.

====================================  ==========================================================
``/livez``                            200 while the process works; 503 once it has stopped itself
``/readyz``                           200 when resolves can be answered or a leader is known
``/active?service=S&region=R``        200 only if S is active in R, by a view that is confirmed
``/metrics``                          the text that Prometheus reads
====================================  ==========================================================
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qs

from director.client.watch import Source
from director.consensus.port import Standing
from director.core.state import State
from director.http.active import activity
from director.runtime.clock import boot_ms
from director.runtime.http_server import HttpAnswer, json_answer
from director.runtime.metrics import CONTENT_TYPE

# A scrape looks at every service; more of them than this are answered from the one before.
SCRAPE_EVERY_MS = 1_000
_QUERY_FIELDS_MAX = 8
_NAME_CHARS_MAX = 63
_ACTIVE_FIELDS = ("service", "region")


class View(Protocol):
    """What the pages are answered from; ``director.http.server.ReplicaView`` is one."""

    @property
    def state(self) -> State:
        """What is replicated, as of the last entry applied here."""
        ...

    @property
    def failed(self) -> str:
        """Why the replica stopped itself; "" while it runs."""
        ...

    @property
    def has_table(self) -> bool:
        """Whether there is a route table to answer from."""
        ...

    def standing(self) -> Standing:
        """Where the engine stands."""
        ...

    def label(self) -> tuple[int, Source]:
        """Age of the view in milliseconds, and what it makes of an answer."""
        ...


class Pages:
    """Answers targets.

    Args:
        view: Of the replica.
        metrics: Makes the text of a scrape.
        now_ms: The clock.
    """

    def __init__(
        self,
        view: View,
        metrics: Callable[[], Awaitable[bytes]],
        *,
        now_ms: Callable[[], int] = boot_ms,
    ) -> None:
        self._view = view
        self._metrics = metrics
        self._now_ms = now_ms
        self._scraped: tuple[int, bytes] | None = None
        self._scraping = asyncio.Lock()

    def answer(self, target: str) -> HttpAnswer | Awaitable[HttpAnswer]:
        """Return what a GET of ``target`` is answered with."""
        path, _, query = target.partition("?")
        if path == "/metrics":
            return self._scrape()
        return self._page(path, query)

    def _page(self, path: str, query: str) -> HttpAnswer:
        match path:
            case "/livez":
                return self._livez()
            case "/readyz":
                return self._readyz()
            case "/active":
                return self._active(query)
            case _:
                message = "there are /livez, /readyz, /active?service=&region= and /metrics"
                return _refused(HTTPStatus.NOT_FOUND, "NOT_FOUND", message)

    def _livez(self) -> HttpAnswer:
        # That this is answered at all says that the event loop goes round.
        failed = self._view.failed
        if failed:
            return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "REPLICA_FAILED", failed)
        return json_answer(HTTPStatus.OK, {"ok": True})

    def _readyz(self) -> HttpAnswer:
        age_ms, source = self._view.label()
        standing = self._view.standing()
        reasons = []
        if self._view.failed:
            reasons.append("REPLICA_FAILED")
        if not standing.leader_id and not self._view.has_table:
            reasons += ["NO_LEADER", "NO_TABLE"]
        body = {
            "ready": not reasons,
            "reasons": reasons,
            "leader_id": standing.leader_id or "",
            "view_age_ms": age_ms,
            "source": source.name,
        }
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        return json_answer(status, body)

    def _active(self, query: str) -> HttpAnswer:
        asked = _asked(query)
        if asked is None:
            message = "ask /active?service=NAME&region=NAME, each once and nothing else"
            return _refused(HTTPStatus.BAD_REQUEST, "INVALID_REQUEST", message)
        service_id, region_id = asked
        age_ms, source = self._view.label()
        if source is not Source.FRESH:
            # Whoever follows this must not be led by a replica that may have missed a move.
            message = f"this replica's view is {source.name} and {age_ms} ms old; ask another"
            return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "STALENESS_BOUND_EXCEEDED", message)
        found = activity(self._view.state, service_id, region_id)
        if not found.is_known:
            return _refused(HTTPStatus.NOT_FOUND, found.reason, found.message)
        if not found.is_active:
            return _refused(HTTPStatus.SERVICE_UNAVAILABLE, found.reason, found.message)
        return json_answer(HTTPStatus.OK, {"active": True, "view_age_ms": age_ms})

    async def _scrape(self) -> HttpAnswer:
        async with self._scraping:
            now_ms = self._now_ms()
            if self._scraped is None or now_ms - self._scraped[0] >= SCRAPE_EVERY_MS:
                self._scraped = (now_ms, await self._metrics())
            return HttpAnswer(HTTPStatus.OK, self._scraped[1], CONTENT_TYPE)


def _asked(query: str) -> tuple[str, str] | None:
    try:
        fields = parse_qs(query, keep_blank_values=True, max_num_fields=_QUERY_FIELDS_MAX)
    except ValueError:
        return None
    if sorted(fields) != sorted(_ACTIVE_FIELDS):
        return None
    service, region = (fields[name] for name in _ACTIVE_FIELDS)
    is_usable = all(
        len(values) == 1 and 0 < len(values[0]) <= _NAME_CHARS_MAX for values in (service, region)
    )
    return (service[0], region[0]) if is_usable else None


def _refused(status: HTTPStatus, reason: str, message: str) -> HttpAnswer:
    return json_answer(status, {"reason": reason, "message": message})
