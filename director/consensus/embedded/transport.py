"""The peer port: who may talk to this replica, and a link to everyone it talks to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import grpc
import structlog

from director.consensus.embedded import link as links
from director.consensus.embedded.link import Hello, LinkTerms, PeerLink
from director.consensus.embedded.wire import MalformedMessageError, decode_batch, decode_message
from director.raft.messages import Message
from director.runtime.call_guard import CallGuard, Policy
from director.runtime.caller import DENIALS, caller
from director.runtime.identity import Identity, Kind
from director.runtime.loopback import ensure_loopback
from director.runtime.tls import TlsFiles
from director.storage.snapshots import SnapshotOffer
from trafficdirector.peer.v1 import peer_pb2

if TYPE_CHECKING:
    from random import Random

    from director.consensus.embedded.roster import Roster

log = structlog.get_logger()

_SERVICE = "trafficdirector.peer.v1.RaftService"
_SERVER_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", links.MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", links.MESSAGE_BYTES_MAX),
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 2_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_concurrent_streams", 64),
    ("grpc.max_metadata_size", 8 << 10),
    ("grpc.absolute_max_metadata_size", 16 << 10),
    ("grpc.server_handshake_timeout_ms", 5_000),
)

Chunks: TypeAlias = AsyncIterator[bytes]
_ExchangeContext: TypeAlias = (
    "grpc.aio.ServicerContext[peer_pb2.ExchangeRequest, peer_pb2.ExchangeResponse]"
)
_InstallContext: TypeAlias = (
    "grpc.aio.ServicerContext[peer_pb2.InstallSnapshotRequest, peer_pb2.InstallSnapshotResponse]"
)


def _directors_only(identity: Identity, method: str) -> str | None:
    """Return why an identity may not call the peer port. Members are looked at with the Hello."""
    if identity.kind is Kind.DIRECTOR:
        return None
    return f"{identity.uri} is no director, and {method.rpartition('.')[2]} is for them alone"


class TransportShell(Protocol):
    """What the transport asks of the replica."""

    def knows(self, peer_id: str) -> bool:
        """Whether this is a member or the leader, as far as this replica's log tells."""
        ...

    def hears_leader(self) -> bool:
        """Whether a leader with a quorum was heard within an election timeout."""
        ...

    def received(self, messages: list[Message]) -> None:
        """Take messages in."""
        ...

    def unreachable(self, peer_id: str) -> None:
        """Learn that messages to a peer were dropped."""
        ...

    async def receive_snapshot(self, message: Message, offer: SnapshotOffer, rest: Chunks) -> bool:
        """Take a snapshot in. Whether it was verified and kept."""
        ...


class Transport:
    """Listens on the peer port and keeps the links."""

    def __init__(
        self, hello: Hello, roster: "Roster", shell: TransportShell, rng: "Random"
    ) -> None:
        """Do nothing until ``start``."""
        self._hello = hello
        self._roster = roster
        self._shell = shell
        self._rng = rng
        self._link_by_id: dict[str, PeerLink] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._refused: dict[str, str] = {}
        self._server: grpc.aio.Server | None = None
        self._tls: TlsFiles | None = None
        self._is_open = True

    async def start(
        self, listen: str, *, allow_insecure: bool, tls: TlsFiles | None = None
    ) -> None:
        """Listen.

        Raises:
            ValueError: The address is no address, or without TLS not loopback.
            RuntimeError: The address is in use.
        """
        is_open = allow_insecure or tls is not None
        address = listen if is_open else ensure_loopback(listen)
        self._tls = tls
        guard = CallGuard(Policy(tls, _directors_only, needs_deadline=False))
        server = grpc.aio.server(options=_SERVER_OPTIONS, interceptors=[guard])
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Exchange": grpc.stream_stream_rpc_method_handler(
                self._exchange,
                request_deserializer=peer_pb2.ExchangeRequest.FromString,
                response_serializer=peer_pb2.ExchangeResponse.SerializeToString,
            ),
            "InstallSnapshot": grpc.stream_unary_rpc_method_handler(
                self._install_snapshot,
                request_deserializer=peer_pb2.InstallSnapshotRequest.FromString,
                response_serializer=peer_pb2.InstallSnapshotResponse.SerializeToString,
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
        if tls is None:
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, tls.server_credentials())
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Stop listening and disconnect."""
        self._is_open = False
        open_links, self._link_by_id = list(self._link_by_id.values()), {}
        await asyncio.gather(*(link.flush(100) for link in open_links))
        await asyncio.gather(*(link.close() for link in open_links), *self._closing)
        if self._server is not None:
            await self._server.stop(0)

    def send(self, messages: Iterable[Message]) -> None:
        """Pass messages on, or drop those for peers that cannot be reached."""
        for message in messages:
            link = self.link(message.recipient)
            if link is not None:
                link.send(message)

    def link(self, peer_id: str) -> PeerLink | None:
        """The link to a peer, made at need. None if nobody said where it is."""
        link = self._link_by_id.get(peer_id)
        if link is not None or not self._is_open:
            return link
        address = self._roster.address(peer_id)
        if address is None:
            return None
        link = PeerLink(
            peer_id,
            address,
            self._hello,
            rng=self._rng,
            terms=LinkTerms(self._vet_answering(peer_id), self._shell.unreachable, self._tls),
        )
        self._link_by_id[peer_id] = link
        return link

    def keep(self, peer_ids: Iterable[str]) -> None:
        """Connect to these peers, under their newest addresses, and close all other links."""
        wanted = [peer_id for peer_id in peer_ids if peer_id != self._hello.replica_id]
        for peer_id, link in list(self._link_by_id.items()):
            if peer_id not in wanted or link.address != self._roster.address(peer_id):
                del self._link_by_id[peer_id]
                closing = asyncio.ensure_future(link.close())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
        for peer_id in wanted:
            self.link(peer_id)

    def worst_round_trip_ms(self) -> int:
        """The longest of the peers' round trips, 0 while none was measured."""
        trips = (link.round_trip_ms for link in self._link_by_id.values())
        return int(max((trip for trip in trips if trip is not None), default=0))

    async def _admit(self, hello: Hello) -> str:
        """Return why a peer may not talk to this replica, or "" if it may."""
        own = self._hello
        who = caller()
        if who is not None and who.name != hello.replica_id:
            message = f"{who.uri} speaks for {hello.replica_id or 'nobody'}"
            DENIALS.note("REPLICA", who=who.uri, method=links.EXCHANGE, message=message)
            return message
        if hello.fleet_id != own.fleet_id:
            return f"{own.replica_id} belongs to fleet {own.fleet_id}, not to {hello.fleet_id}"
        if not hello.replica_id or hello.replica_id == own.replica_id or not hello.incarnation:
            return f"{hello.replica_id or 'a replica without a name'} cannot be a peer here"
        if not self._shell.knows(hello.replica_id) and self._shell.hears_leader():
            # A replica that hears a leader knows who the members are. One that does not may have
            # missed that this peer was added, or may be new itself.
            return f"{hello.replica_id} is not a member; add it as a learner"
        refusal = await self._life_refusal(hello)
        if not refusal:
            self._roster.note_advertised(hello.replica_id, hello.address)
        return refusal

    async def _life_refusal(self, hello: Hello) -> str:
        # Of a replica whose removal is under way too: what still waits to be sent to it is about
        # the log that it lost.
        if self._roster.is_another_life(hello.replica_id, hello.incarnation):
            return (
                f"replica {hello.replica_id} came back with an empty directory; "
                f"remove it and add it again as a learner"
            )
        if not self._shell.knows(hello.replica_id):
            return ""  # remembered once it is a member
        try:
            await self._roster.note_incarnation(hello.replica_id, hello.incarnation)
        except OSError as error:
            return f"{self._hello.replica_id} cannot write down its peers: {error.strerror}"
        return ""

    def _vet_answering(self, peer_id: str) -> Callable[[Hello], Awaitable[str]]:
        async def vet(hello: Hello) -> str:
            if hello.replica_id != peer_id:
                return f"{hello.replica_id} answers at the address of {peer_id}"
            return await self._life_refusal(hello)

        return vet

    def _log_refusal(self, hello: Hello, refusal: str) -> None:
        if self._refused.get(hello.replica_id) != refusal:
            self._refused[hello.replica_id] = refusal
            log.warning("peer_refused", peer_id=hello.replica_id, reason=refusal)

    async def _admit_or_abort(
        self,
        hello: Hello,
        abort: Callable[[grpc.StatusCode, str], Awaitable[None]],
    ) -> None:
        refusal = await self._admit(hello)
        if refusal:
            self._log_refusal(hello, refusal)
            await abort(grpc.StatusCode.FAILED_PRECONDITION, refusal)
        self._refused.pop(hello.replica_id, None)

    async def _exchange(
        self, requests: AsyncIterator[peer_pb2.ExchangeRequest], context: _ExchangeContext
    ) -> None:
        first = await anext(requests, None)
        if first is None:
            return
        beside = links.metadata_of(context.invocation_metadata())
        hello = Hello(
            first.fleet_id,
            first.replica_id,
            first.incarnation,
            beside.get(links.ADDRESS_KEY, ""),
        )
        # Before anything is waited for: it is admitted as who it was then.
        joined_index = self._roster.joined.get(hello.replica_id, 0)
        await self._admit_or_abort(hello, context.abort)
        answer = peer_pb2.ExchangeResponse(replica_id=self._hello.replica_id)
        await context.send_initial_metadata(self._hello.metadata())
        await context.write(answer)
        if joined_index != self._roster.joined.get(hello.replica_id, 0):
            return
        self._deliver(hello, first)
        async for batch in requests:
            if not batch.messages:
                await context.write(answer)
                continue
            try:
                # A stream from before it was added again would speak for the log it lost.
                is_admitted = joined_index == self._roster.joined.get(
                    hello.replica_id, 0
                ) and self._deliver(hello, batch)
            except MalformedMessageError as error:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            if not is_admitted:
                # It was removed meanwhile; the next attempt gets the reason.
                return

    def _deliver(self, hello: Hello, batch: peer_pb2.ExchangeRequest) -> bool:
        if not self._shell.knows(hello.replica_id) and self._shell.hears_leader():
            return False
        messages = decode_batch(batch)
        if any(message.sender != hello.replica_id for message in messages):
            raise MalformedMessageError(f"{hello.replica_id} speaks for another replica")
        if messages:
            self._shell.received(messages)
        return True

    async def _install_snapshot(
        self,
        requests: AsyncIterator[peer_pb2.InstallSnapshotRequest],
        context: _InstallContext,
    ) -> peer_pb2.InstallSnapshotResponse:
        first = await anext(requests, None)
        if first is None:
            return peer_pb2.InstallSnapshotResponse(installed=False)
        beside = links.metadata_of(context.invocation_metadata())
        hello = Hello(
            first.fleet_id,
            beside.get(links.REPLICA_KEY, ""),
            beside.get(links.INCARNATION_KEY, ""),
            beside.get(links.ADDRESS_KEY, ""),
        )
        await self._admit_or_abort(hello, context.abort)
        try:
            message = decode_message(first.message)
        except MalformedMessageError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        if message.snapshot is None or message.sender != hello.replica_id:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no snapshot was announced")
        assert message.snapshot is not None, "abort raises"
        offer = SnapshotOffer(message.snapshot, first.total_bytes, first.sha256)

        async def rest() -> Chunks:
            async for request in requests:
                yield request.chunk

        installed = await self._shell.receive_snapshot(message, offer, rest())
        return peer_pb2.InstallSnapshotResponse(installed=installed)
