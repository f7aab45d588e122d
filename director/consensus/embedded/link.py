"""One peer, as far as this replica sends to it. The answers come on the peer's own link.

The queue is bounded and never waits: what a slow or absent peer cannot take is dropped, oldest
first, which Raft is made for. Only the peer itself is the poorer for it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import structlog

from director.consensus.embedded.pacing import RoundTrips
from director.consensus.embedded.wire import encode_batch, encode_mark, encode_message
from director.raft.messages import ENTRY_OVERHEAD_BYTES, Message, MessageKind
from director.runtime.backoff import Backoff
from director.runtime.clock import boot_ns
from director.runtime.identity import Identity, Kind
from director.runtime.tls import TlsFiles
from trafficdirector.peer.v1 import peer_pb2

if TYPE_CHECKING:
    from random import Random

    from director.storage.snapshots import SnapshotReader

log = structlog.get_logger()

EXCHANGE = "/trafficdirector.peer.v1.RaftService/Exchange"
INSTALL_SNAPSHOT = "/trafficdirector.peer.v1.RaftService/InstallSnapshot"
REPLICA_KEY = "td-replica"
INCARNATION_KEY = "td-incarnation"
ADDRESS_KEY = "td-address"

MIB = 1 << 20
# A batch holds at most this much, and one message more: an APPEND carries up to 1 MiB.
BATCH_BYTES_MAX = 2 * MIB
MESSAGE_BYTES_MAX = 8 * MIB
QUEUE_COUNT_MAX = 2_048
QUEUE_BYTES_MAX = 32 * MIB
CHUNK_BYTES_MAX = MIB
PROBE_INTERVAL_MS = 1_000
# Until enough round trips are known.
_FIRST_PROBES_INTERVAL_MS = 100
_SNAPSHOT_MS_MIN = 30_000

_REFUSALS = (
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNAUTHENTICATED,
)

CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
)


@dataclass(frozen=True, slots=True)
class Hello:
    """How this replica introduces itself."""

    fleet_id: str
    replica_id: str
    incarnation: str
    address: str

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The part that travels beside a call."""
        return (
            (REPLICA_KEY, self.replica_id),
            (INCARNATION_KEY, self.incarnation),
            (ADDRESS_KEY, self.address),
        )


@dataclass(frozen=True, slots=True)
class LinkTerms:
    """On which terms a link is kept.

    Attributes:
        vet: Says why whoever answers there may not be talked to, or "".
        on_unreachable: Called with the peer when messages to it were dropped.
        tls: What to show to the peer; None connects without TLS.
    """

    vet: Callable[[Hello], Awaitable[str]]
    on_unreachable: Callable[[str], None]
    tls: TlsFiles | None = None


class PeerLink:
    """Sends to one peer.

    Attributes:
        peer_id: Whom.
        address: Where.
    """

    def __init__(
        self,
        peer_id: str,
        address: str,
        hello: Hello,
        *,
        rng: "Random",
        terms: LinkTerms,
    ) -> None:
        """Connect and stay connected until ``close``.

        Args:
            peer_id: Whom to send to.
            address: Where it listens.
            hello: Who sends.
            rng: Draws the pauses between attempts.
            terms: On which it talks to the peer.
        """
        self.peer_id = peer_id
        self.address = address
        self._hello = hello
        self._backoff = Backoff(rng, base_ms=50, cap_ms=500)
        self._vet = terms.vet
        self._on_unreachable = terms.on_unreachable
        self._tls = terms.tls
        self._queue: deque[Message] = deque()
        self._queue_bytes = 0
        self._news = asyncio.Event()
        self._sent = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._is_connected = False
        self._is_probe_due = False
        self._probe_timer: asyncio.TimerHandle | None = None
        self._complaint = ""
        self._probes: deque[int] = deque()
        self._round_trips = RoundTrips()
        self._tls_generation = 0
        self._channel = self._opened()
        self._task = asyncio.ensure_future(self._run())

    @property
    def round_trip_ms(self) -> float | None:
        """What a round trip to the peer takes; None while too few were measured."""
        return self._round_trips.best_ms

    def send(self, message: Message) -> None:
        """Queue a message, or drop it if the peer is not connected."""
        if not self._is_connected:
            self._on_unreachable(self.peer_id)
            return
        self._queue.append(message)
        self._queue_bytes += _size(message)
        if len(self._queue) > QUEUE_COUNT_MAX or self._queue_bytes > QUEUE_BYTES_MAX:
            while len(self._queue) > QUEUE_COUNT_MAX // 2 or (
                self._queue_bytes > QUEUE_BYTES_MAX // 2 and len(self._queue) > 1
            ):
                self._queue_bytes -= _size(self._queue.popleft())
            self._on_unreachable(self.peer_id)
        self._news.set()

    async def close(self) -> None:
        """Disconnect. What is queued is dropped."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if self._probe_timer is not None:
            self._probe_timer.cancel()
        await self._channel.close()

    async def flush(self, within_ms: int) -> None:
        """Wait until the queue is empty, but not for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_ms / 1000):
                while self._queue and self._is_connected:
                    self._sent.clear()
                    await self._sent.wait()

    async def _run(self) -> None:
        while True:
            try:
                await self._exchange()
            except grpc.aio.AioRpcError as error:
                said = error.details() or str(error.code())
                # A handshake that fails goes on failing until somebody changes a certificate.
                refused = error.code() in _REFUSALS or "handshake" in said.lower()
                self._complain(said, refused=refused)
            self._disconnected()
            await asyncio.sleep(self._backoff.next_delay_ms() / 1000)
            await self._reopen_if_renewed()

    def _opened(self) -> grpc.aio.Channel:
        if self._tls is None:
            return grpc.aio.insecure_channel(self.address, options=CHANNEL_OPTIONS)
        credentials = self._tls.channel_credentials()
        self._tls_generation = self._tls.generation
        # Nobody but this very peer may answer, whoever else is a director.
        peer = Identity(self._tls.trust_domain, Kind.DIRECTOR, self.peer_id)
        named = ("grpc.ssl_target_name_override", peer.server_name)
        return grpc.aio.secure_channel(self.address, credentials, options=(*CHANNEL_OPTIONS, named))

    async def _reopen_if_renewed(self) -> None:
        """Take a new channel for a new certificate; a channel keeps the one it was made with."""
        if self._tls is None:
            return
        self._tls.refresh()
        if self._tls.generation != self._tls_generation:
            old, self._channel = self._channel, self._opened()
            await old.close()

    def _complain(self, what: str, *, refused: bool) -> None:
        # Once per change: a peer that is down for an hour is one line.
        if refused and what != self._complaint:
            self._complaint = what
            log.warning("peer_link_refused", peer_id=self.peer_id, reason=what)
        elif self._is_connected:
            log.info("peer_lost", peer_id=self.peer_id, error=what)

    def _disconnected(self) -> None:
        self._is_connected = False
        self._sent.set()
        self._queue.clear()
        self._queue_bytes = 0
        self._probes.clear()
        if self._probe_timer is not None:
            self._probe_timer.cancel()
        self._on_unreachable(self.peer_id)

    async def _exchange(self) -> None:
        call = self._channel.stream_stream(
            EXCHANGE,
            request_serializer=_encoded,
            response_deserializer=peer_pb2.ExchangeResponse.FromString,
        )(metadata=self._hello.metadata())
        writer: asyncio.Task[None] | None = None
        try:
            # Writing to a stream that has ended already is an error of its own; the status below
            # says why it ended.
            with suppress(asyncio.InvalidStateError):
                await call.write(
                    peer_pb2.ExchangeRequest(
                        fleet_id=self._hello.fleet_id,
                        replica_id=self._hello.replica_id,
                        incarnation=self._hello.incarnation,
                    )
                )
            async for answer in call:
                if writer is None:
                    # Who came back without its data must not be sent a word either: Raft would
                    # take it for the one that acknowledged entries it no longer has.
                    refusal = await self._vet(await self._answering(call, answer))
                    if refusal:
                        self._complain(refusal, refused=True)
                        return
                    self._connected()
                    writer = asyncio.ensure_future(self._write(call))
                elif self._probes:
                    self._round_trips.add((boot_ns() - self._probes.popleft()) / 1e6)
            self._complain("the peer ended the stream", refused=False)
            # A stream that ended has a status; this raises it if it is an error.
            if await call.code() is not grpc.StatusCode.OK:
                raise grpc.aio.AioRpcError(
                    await call.code(),
                    await call.initial_metadata(),
                    await call.trailing_metadata(),
                    details=await call.details(),
                )
        finally:
            call.cancel()
            if writer is not None:
                writer.cancel()
                # Not awaited directly: its cancellation could not be told from our own, and a
                # link that overlooks its own would never end.
                await asyncio.wait([writer])
                if not writer.cancelled():
                    writer.exception()  # what broke it, the stream's status says as well

    async def _answering(
        self,
        call: "grpc.aio.StreamStreamCall[peer_pb2.ExchangeRequest, peer_pb2.ExchangeResponse]",
        answer: peer_pb2.ExchangeResponse,
    ) -> Hello:
        beside = metadata_of(await call.initial_metadata())
        return Hello(
            self._hello.fleet_id,
            answer.replica_id,
            beside.get(INCARNATION_KEY, ""),
            beside.get(ADDRESS_KEY, ""),
        )

    def _connected(self) -> None:
        self._backoff.reset()
        self._is_connected = True
        self._complaint = ""
        log.info("peer_connected", peer_id=self.peer_id, address=self.address)

    async def _write(
        self,
        call: "grpc.aio.StreamStreamCall[peer_pb2.ExchangeRequest, peer_pb2.ExchangeResponse]",
    ) -> None:
        self._is_probe_due = True
        while True:
            if self._is_probe_due:
                # An empty batch is answered at once: the round trip, free of Raft's own work.
                self._is_probe_due = False
                self._probes.append(boot_ns())
                await call.write(peer_pb2.ExchangeRequest())
                self._probe_timer = self._loop.call_later(
                    self._probe_interval_ms() / 1000, self._probe
                )
            elif self._queue:
                await call.write(encode_batch(self._take_batch()))
                self._sent.set()
            else:
                self._news.clear()
                await self._news.wait()

    def _probe_interval_ms(self) -> int:
        return _FIRST_PROBES_INTERVAL_MS if self.round_trip_ms is None else PROBE_INTERVAL_MS

    def _probe(self) -> None:
        self._is_probe_due = True
        self._news.set()

    def _take_batch(self) -> list[Message]:
        queue = self._queue
        batch = []
        size = 0
        while queue and size < BATCH_BYTES_MAX:
            message = queue.popleft()
            size += _size(message)
            batch.append(message)
        self._queue_bytes -= size
        return batch

    async def send_snapshot(
        self, message: Message, reader: "SnapshotReader", bytes_per_s: int
    ) -> bool:
        """Stream a snapshot to the peer. Whether it says that it verified and kept it.

        Args:
            message: The SNAPSHOT message that announces it.
            reader: The snapshot; closed by the caller.
            bytes_per_s: At most.

        Raises:
            grpc.RpcError: The call failed.
            OSError: The snapshot cannot be read any more, or the link was closed.
        """
        unread: list[OSError] = []
        total = reader.offer.payload_bytes
        allowed_ms = _SNAPSHOT_MS_MIN + 4 * 1000 * total // bytes_per_s
        call = self._channel.stream_unary(
            INSTALL_SNAPSHOT,
            request_serializer=peer_pb2.InstallSnapshotRequest.SerializeToString,
            response_deserializer=peer_pb2.InstallSnapshotResponse.FromString,
        )(
            self._chunks(message, reader, bytes_per_s, unread),
            timeout=allowed_ms / 1000,
            metadata=self._hello.metadata(),
        )
        try:
            response = await call
        except asyncio.CancelledError:
            # Also what becomes of the call if the link is closed, or its chunks cannot be read.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            cut_off = ConnectionAbortedError("the transfer was cut off")
            raise (unread[0] if unread else cut_off) from None
        return bool(response.installed)

    async def _chunks(
        self,
        message: Message,
        reader: "SnapshotReader",
        bytes_per_s: int,
        unread: list[OSError],
    ) -> AsyncIterator[peer_pb2.InstallSnapshotRequest]:
        offer = reader.offer
        announced = encode_message(message)
        announced.snapshot.CopyFrom(encode_mark(offer.mark))
        yield peer_pb2.InstallSnapshotRequest(
            message=announced,
            fleet_id=self._hello.fleet_id,
            total_bytes=offer.payload_bytes,
            sha256=offer.sha256,
        )
        offset = 0
        loop = asyncio.get_running_loop()
        while True:
            try:
                chunk = await loop.run_in_executor(None, reader.chunk, offset, CHUNK_BYTES_MAX)
            except OSError as error:
                unread.append(error)  # gRPC only says that the call was cancelled
                raise
            if not chunk:
                return
            offset += len(chunk)
            yield peer_pb2.InstallSnapshotRequest(chunk=chunk)
            await asyncio.sleep(len(chunk) / bytes_per_s)


def metadata_of(pairs: Iterable[tuple[str, str | bytes]] | None) -> dict[str, str]:
    """Return the text that travels beside a call."""
    return {key: value for key, value in pairs or () if isinstance(value, str)}


def _encoded(batch: peer_pb2.ExchangeRequest) -> bytes:
    return batch.SerializeToString()


def _size(message: Message) -> int:
    if message.kind is not MessageKind.APPEND:
        return ENTRY_OVERHEAD_BYTES
    size = ENTRY_OVERHEAD_BYTES
    for entry in message.entries:
        size += len(entry.payload) + ENTRY_OVERHEAD_BYTES
    return size
