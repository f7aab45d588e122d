"""A follower's evidence on its way to the leader: on change, and every half second.

Kept per agent, newest first to go: a slow leader gets the present, not a backlog. After a reconnect
everything is told again, because a leader that lost the stream may have lost the evidence too.
Readings keep the age of the report they came with: told with that of a later beat, they would seem
younger than they are.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc
import grpc.aio
import structlog
from structlog.typing import FilteringBoundLogger

from director.client.channel import open_channel
from director.core.observations import AgentReport
from director.runtime.backoff import Backoff
from director.runtime.clock import boot_ms
from director.service.agent_wire import relayed_to_proto
from trafficdirector.peer.v1 import peer_pb2

RELAY_METHOD = "/trafficdirector.peer.v1.EvidenceService/Relay"
# Agents that left are forgotten after this long without a word.
FORGET_MS = 60_000
# Keeps one message well below the 2 MiB that the API takes.
REPORTS_MAX = 256

log: FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Recipient:
    """The leader as this replica knows it."""

    term: int
    leader_id: str
    address: str


@dataclass(slots=True)
class _Held:
    """The newest report of one agent, and what the leader has of it.

    Attributes:
        report: The newest report.
        at_ms: When its age was taken.
        full: The newest report of the same boot that carries readings.
        full_at_ms: When that one's age was taken.
        sent_counter: Boot and counter of the newest report that was sent.
        sent_full: The report with readings that was sent last.
    """

    report: AgentReport
    at_ms: int
    full: AgentReport | None = None
    full_at_ms: int = 0
    sent_counter: tuple[str, int] | None = None
    sent_full: AgentReport | None = None

    def take_in(self, report: AgentReport, *, now_ms: int) -> None:
        """Put ``report`` in place of the one before."""
        if report.readings is not None:
            self.full, self.full_at_ms = report, now_ms
        elif self.full is not None and self.full.boot_id != report.boot_id:
            self.full = None
        self.report, self.at_ms = report, now_ms


_Key: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class RelayBuffer:
    """What is to be told. Pure but for the clock it is given."""

    _held: dict[_Key, _Held] = field(default_factory=dict)

    def offer(self, reports: Iterable[AgentReport], *, now_ms: int) -> None:
        """Take newer reports in."""
        for report in reports:
            key = (report.region_id, report.agent_id)
            held = self._held.setdefault(key, _Held(report, now_ms))
            held.take_in(report, now_ms=now_ms)

    def restart(self) -> None:
        """Tell everything again: the stream is a new one."""
        for held in self._held.values():
            held.sent_counter, held.sent_full = None, None

    def take(self, *, now_ms: int) -> list[peer_pb2.RelayedReport]:
        """Return what changed since it was last taken, at most ``REPORTS_MAX``."""
        for key in [key for key, held in self._held.items() if now_ms - held.at_ms > FORGET_MS]:
            del self._held[key]
        taken: list[peer_pb2.RelayedReport] = []
        for held in self._held.values():
            mark = (held.report.boot_id, held.report.counter)
            if mark == held.sent_counter:
                continue
            due = [(held.report, held.at_ms)]
            if held.full is not None and held.full is not held.sent_full:
                due = [(held.full, held.full_at_ms)]
                if held.report is not held.full:
                    due.append((held.report, held.at_ms))
            if len(taken) + len(due) > REPORTS_MAX:
                break
            taken += [
                relayed_to_proto(report, waited_ms=max(0, now_ms - at_ms)) for report, at_ms in due
            ]
            held.sent_counter, held.sent_full = mark, held.full
        return taken

    def has_more(self) -> bool:
        """Whether something is still to be taken."""
        return any(
            held.sent_counter != (held.report.boot_id, held.report.counter)
            for held in self._held.values()
        )


@dataclass(frozen=True, slots=True)
class OwnReport:
    """What a follower tells of itself."""

    pushed_index: int
    watcher_count: int


class EvidenceRelay:
    """Keeps a stream to the leader's API for as long as another replica leads.

    Args:
        replica_id: This replica.
        failure_domain: Where it runs.
        relay_ms: Longest pause between two messages.
        recipient: The leader; None while this replica leads or none is known.
        own: What to tell of this replica.
    """

    def __init__(
        self,
        replica_id: str,
        failure_domain: str,
        *,
        relay_ms: int,
        recipient: Callable[[], Recipient | None],
        own: Callable[[], OwnReport],
    ) -> None:
        self._replica_id = replica_id
        self._failure_domain = failure_domain
        self._relay_ms = relay_ms
        self._recipient = recipient
        self._own = own
        self._buffer = RelayBuffer()
        self._wake = asyncio.Event()
        self._rng = random.Random()  # noqa: S311 - spreads reconnects; nothing secret

    def offer(self, reports: Iterable[AgentReport]) -> None:
        """Relay ``reports`` soon."""
        self._buffer.offer(reports, now_ms=boot_ms())
        self._wake.set()

    def nudge(self) -> None:
        """Something about this replica or the leader changed: do not wait for the next beat."""
        self._wake.set()

    async def run(self) -> None:
        """Relay until cancelled."""
        # A leader that just changed is up within the first tries; a dead one is replaced soon.
        backoff = Backoff(self._rng, base_ms=50, cap_ms=500)
        while True:
            recipient = self._recipient()
            if recipient is None:
                self._wake.clear()
                await self._pause()
                continue
            try:
                await self._stream(recipient, backoff)
            except grpc.aio.AioRpcError as error:
                log.debug("relay_ended", leader_id=recipient.leader_id, code=error.code().name)
            except asyncio.InvalidStateError:
                # How gRPC says that a write came after the other side had ended the stream.
                log.debug("relay_ended", leader_id=recipient.leader_id, code="FINISHED")
            except TimeoutError:
                log.debug("relay_stalled", leader_id=recipient.leader_id)
            await asyncio.sleep(backoff.next_delay_ms() / 1_000)

    async def _stream(self, recipient: Recipient, backoff: Backoff) -> None:
        self._buffer.restart()
        async with open_channel(recipient.address) as channel:
            call = channel.stream_stream(
                RELAY_METHOD,
                request_serializer=peer_pb2.RelayRequest.SerializeToString,
                response_deserializer=peer_pb2.RelayResponse.FromString,
            )()
            try:
                while self._recipient() == recipient:
                    self._wake.clear()
                    async with asyncio.timeout(self._relay_ms * 4 / 1_000):
                        await call.write(self._message(recipient.term))
                    if call.done():
                        return
                    backoff.reset()
                    if not self._buffer.has_more():
                        await self._pause()
            finally:
                call.cancel()

    def _message(self, term: int) -> peer_pb2.RelayRequest:
        own = self._own()
        return peer_pb2.RelayRequest(
            replica_id=self._replica_id,
            failure_domain=self._failure_domain,
            term=term,
            pushed_index=own.pushed_index,
            watcher_count=own.watcher_count,
            reports=self._buffer.take(now_ms=boot_ms()),
        )

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._relay_ms / 1_000):
                await self._wake.wait()
