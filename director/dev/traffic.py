"""Traffic during a drill: writers that follow the routes, and watchers that see them move."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from director.client.errors import ClientError
from director.client.resolver import Question, Resolved, Resolver
from director.client.watch import RouteWatcher
from director.routing.compiled import CompiledTable
from director.routing.position import client_position
from director.routing.table import Query, Refusal, ServiceId
from director.runtime.clock import boot_ms
from director.runtime.tls import TlsFiles

_WRITE_EVERY_SECONDS = 0.05
_RESOLVE_EVERY_SECONDS = 0.05
_WRITE_SECONDS_MAX = 1.0
_RESPONSE_BYTES_MAX = 65_536
# An hour and a half of writes: `director dev` may run for days.
_ACCEPTED_MAX = 100_000
_FAILURES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class AcceptedWrite:
    """A write that a client saw acknowledged, on this machine's boot-time clock."""

    at_ms: int
    region_id: str
    generation: int
    epoch: int


@dataclass(frozen=True, slots=True)
class SeenVerdict:
    """A verdict that a watcher was told for the first time, on this machine's boot-time clock."""

    at_ms: int
    region_id: str
    verdict: str


@dataclass(slots=True)
class Seen:
    """What the clients saw; of long lists the newest part."""

    accepted: deque[AcceptedWrite] = field(default_factory=lambda: deque(maxlen=_ACCEPTED_MAX))
    refused_count: int = 0
    resolved_count: int = 0
    resolve_failures: deque[str] = field(default_factory=lambda: deque(maxlen=_FAILURES_MAX))
    # Per watcher: (when, owner) at each change of the service's owner.
    moves: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    # The service's verdicts as any watcher was told of them, one entry per watcher and change.
    verdicts: deque[SeenVerdict] = field(default_factory=lambda: deque(maxlen=_FAILURES_MAX))


class Traffic:
    """Writes to, resolves and watches one service. Use it as an async context manager.

    Each watcher stands for one client: writes follow the watchers' tables in turn, so that no
    single connection decides how soon writes follow a move.

    Args:
        addresses: The directors.
        service_id: An active-passive service that speaks the sample's HTTP.
        watcher_count: How many watchers to run, at least one.
        is_writing: Whether to write at all. Only a sample service may be written to.
        tls: What the clients show to directors; None connects without TLS.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        service_id: str,
        watcher_count: int,
        *,
        is_writing: bool = True,
        tls: TlsFiles | None = None,
    ) -> None:
        self.seen = Seen()
        self._service_id = service_id
        self._is_writing = is_writing
        self._resolver = Resolver(addresses, service_ids=(service_id,), tls=tls)
        self._watchers = [
            RouteWatcher(
                addresses,
                _Mover(service_id, self.seen, f"watcher-{number}"),
                service_ids=(service_id,),
                watcher_id=f"watcher-{number}",
                tls=tls,
            )
            for number in range(watcher_count)
        ]
        self._numbers = count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Traffic":
        await self._resolver.__aenter__()
        for watcher in self._watchers:
            await watcher.start()
        self._keep(asyncio.create_task(self._resolve_forever()))
        if self._is_writing:
            self._keep(asyncio.create_task(self._write_forever()))
        return self

    async def __aexit__(self, *_exc: object) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(watcher.stop() for watcher in self._watchers))
        await self._resolver.close()

    @property
    def is_writing(self) -> bool:
        """Whether it writes."""
        return self._is_writing

    @property
    def watcher_count(self) -> int:
        """How many watchers run."""
        return len(self._watchers)

    async def resolve(self, question: Question) -> Resolved:
        """Ask a living director, not a table held here.

        Raises:
            ClientError: As ``Resolver.ask``.
        """
        return await self._resolver.ask(question)

    def first_accepted_in(self, region_id: str, *, after_ms: int) -> AcceptedWrite | None:
        """The first write that ``region_id`` acknowledged after an instant, or None."""
        writes = (each for each in self.seen.accepted if each.at_ms > after_ms)
        return min(
            (each for each in writes if each.region_id == region_id),
            key=lambda each: each.at_ms,
            default=None,
        )

    def moved_to(self, region_id: str) -> dict[str, int]:
        """When each watcher last began to see ``region_id`` as the owner."""
        return {
            name: moves[-1][0]
            for name, moves in self.seen.moves.items()
            if moves and moves[-1][1] == region_id
        }

    def first_doubt(self, region_id: str, *, after_ms: int) -> int | None:
        """When the first watcher was told that the region is not UP, or None."""
        return min(
            (
                each.at_ms
                for each in self.seen.verdicts
                if each.region_id == region_id and each.verdict != "UP" and each.at_ms > after_ms
            ),
            default=None,
        )

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resolve_forever(self) -> None:
        while True:
            try:
                await self._resolver.ask(Question(self._service_id))
                self.seen.resolved_count += 1
            except ClientError as error:
                self.seen.resolve_failures.append(f"{boot_ms()}: {error}")
            await asyncio.sleep(_RESOLVE_EVERY_SECONDS)

    async def _write_forever(self) -> None:
        for number in self._numbers:
            compiled = self._watchers[number % len(self._watchers)].compiled
            address = None if compiled is None else self._address_in(compiled, number)
            if address is not None:
                # Not awaited: a silent endpoint must not hold back the next write.
                self._keep(asyncio.create_task(self._write(address, f"message {number}")))
            await asyncio.sleep(_WRITE_EVERY_SECONDS)

    def _address_in(self, compiled: CompiledTable, spread: int) -> str | None:
        query = Query(ServiceId(self._service_id), client_position(), "", "", spread=spread)
        found = compiled.resolve(query)
        return None if isinstance(found, Refusal) else found.endpoints[0].address

    async def _write(self, address: str, value: str) -> None:
        try:
            async with asyncio.timeout(_WRITE_SECONDS_MAX):
                status, body = await post_json(address, "/write", {"value": value})
        except (OSError, ValueError, TimeoutError, EOFError):
            self.seen.refused_count += 1
            return
        match status, body:
            case 200, {"region": str(region), "generation": int(generation), "epoch": int(epoch)}:
                self.seen.accepted.append(AcceptedWrite(boot_ms(), region, generation, epoch))
            case _:
                self.seen.refused_count += 1


class _Mover:
    """Notes each change of a service's owner and verdicts as one watcher sees it."""

    def __init__(self, service_id: str, seen: Seen, name: str) -> None:
        self._service_id = service_id
        self._moves = seen.moves.setdefault(name, [])
        self._verdicts = seen.verdicts
        self._told: dict[str, str] = {}

    def __call__(self, compiled: CompiledTable) -> None:
        for service in compiled.table.services:
            if service.service_id != self._service_id:
                continue
            now_ms = boot_ms()
            owner = service.owner or ""
            if not self._moves or self._moves[-1][1] != owner:
                self._moves.append((now_ms, owner))
            for site in service.sites:
                verdict = str(site.verdict)
                if self._told.get(site.region_id) != verdict:
                    self._told[site.region_id] = verdict
                    self._verdicts.append(SeenVerdict(now_ms, site.region_id, verdict))


async def post_json(address: str, path: str, body: object) -> tuple[int, dict[str, object]]:
    """POST JSON to the sample service and return the status and the JSON it answers.

    Raises:
        OSError, EOFError: No connection, or it ended before a whole answer.
        ValueError: The answer is not HTTP with a JSON body.
    """
    host, port = address.rsplit(":", 1)
    payload = json.dumps(body).encode()
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(
            f"POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n".encode()
            + payload
        )
        answer = await reader.read(_RESPONSE_BYTES_MAX)
        while not answer.endswith(b"}") and (more := await reader.read(_RESPONSE_BYTES_MAX)):
            answer += more
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    head, _, text = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004 - "HTTP/1.1 200"
        raise EOFError(f"{address} closed the connection without an answer")
    match json.loads(text):
        case dict() as decoded:
            return int(words[1]), decoded
        case other:
            raise ValueError(f"{address} answered {other!r}, not a JSON object")
