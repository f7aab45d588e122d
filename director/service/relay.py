"""A follower's evidence on its way to the leader: on change, and every half second.

What goes is decided by ``relay_buffer``; here is the stream that it goes by.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import grpc
import grpc.aio
import structlog
from structlog.typing import FilteringBoundLogger

from director.client.channel import open_channel
from director.core.observations import AgentReport
from director.runtime.backoff import Backoff
from director.runtime.clock import boot_ms
from director.runtime.identity import Identity, Kind
from director.runtime.tls import TlsFiles
from director.service.agent_wire import relayed_to_proto
from director.service.relay_buffer import RelayBuffer
from trafficdirector.peer.v1 import peer_pb2

RELAY_METHOD = "/trafficdirector.peer.v1.EvidenceService/Relay"

log: FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Recipient:
    """The leader as this replica knows it."""

    term: int
    leader_id: str
    address: str


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
        tls: What to show to the leader; None connects without TLS.
    """

    def __init__(
        self,
        replica_id: str,
        failure_domain: str,
        *,
        relay_ms: int,
        recipient: Callable[[], Recipient | None],
        own: Callable[[], OwnReport],
        tls: TlsFiles | None = None,
    ) -> None:
        self._replica_id = replica_id
        self._failure_domain = failure_domain
        self._relay_ms = relay_ms
        self._recipient = recipient
        self._own = own
        self._tls = tls
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
        # The leader itself must answer there, and not merely one of the directors.
        name = None
        if self._tls is not None:
            leader = Identity(self._tls.trust_domain, Kind.DIRECTOR, recipient.leader_id)
            name = leader.server_name
        async with open_channel(recipient.address, self._tls, server_name=name) as channel:
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
            reports=[
                relayed_to_proto(report, waited_ms=waited_ms)
                for report, waited_ms in self._buffer.take(now_ms=boot_ms())
            ],
        )

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._relay_ms / 1_000):
                await self._wake.wait()
