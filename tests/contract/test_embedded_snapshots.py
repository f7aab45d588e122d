"""How the embedded engine moves snapshots and time: what is told to Raft however it ends."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import grpc
import pytest

from director.consensus.embedded.core import ReplicaCore
from director.consensus.embedded.disk_thread import DiskThread
from director.consensus.embedded.driver import Driver
from director.consensus.embedded.link import Hello, LinkTerms, PeerLink
from director.consensus.embedded.snapshot_transfer import SnapshotTransfer
from director.raft.config import RaftConfig
from director.raft.messages import (
    Entry,
    HardState,
    Membership,
    Message,
    MessageKind,
    ReplicaId,
    SnapshotMark,
)
from director.raft.node import Node, ReadState
from director.raft.storage import MemoryLog
from director.runtime.files import OsFiles
from director.storage.errors import DiskFullError
from director.storage.snapshots import SnapshotOffer, SnapshotReader, SnapshotStore
from director.storage.wal import Wal
from trafficdirector.peer.v1 import peer_pb2

A, B, F = (ReplicaId(name) for name in "abf")
ABF = Membership(voters=(A, B, F))
MIB = 1 << 20


class OneSnapshot:
    """A store and its reader: a snapshot of ``size`` bytes that breaks behind ``readable``."""

    def __init__(self, size: int, readable: int) -> None:
        self.offer = SnapshotOffer(SnapshotMark(9, 1, ABF), size, bytes(32))
        self.is_closed = False
        self._readable = readable

    def reader(self) -> SnapshotReader:
        return cast("SnapshotReader", self)

    def chunk(self, offset: int, bytes_max: int) -> bytes:
        if self._readable <= offset < self.offer.payload_bytes:
            raise OSError(5, "Input/output error")
        return bytes(min(bytes_max, self.offer.payload_bytes - offset))

    def close(self) -> None:
        self.is_closed = True


async def _take_all(
    requests: AsyncIterator[peer_pb2.InstallSnapshotRequest], _context: object
) -> peer_pb2.InstallSnapshotResponse:
    async for _ in requests:
        pass
    return peer_pb2.InstallSnapshotResponse(installed=True)


async def _vet(_hello: Hello) -> str:
    return ""


def sent(
    snapshot: OneSnapshot, during: Callable[[PeerLink], Any] | None = None, *, within_s: float = 10
) -> bool:
    """Send a snapshot to a peer that takes everything. Whether it was delivered."""

    async def story() -> bool:
        server = grpc.aio.server()
        handler = grpc.stream_unary_rpc_method_handler(
            _take_all,
            request_deserializer=peer_pb2.InstallSnapshotRequest.FromString,
            response_serializer=peer_pb2.InstallSnapshotResponse.SerializeToString,
        )
        service = "trafficdirector.peer.v1.RaftService"
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {"InstallSnapshot": handler}),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        link = PeerLink(
            "f",
            f"127.0.0.1:{port}",
            Hello("fleet", "a", "first", "127.0.0.1:1"),
            rng=random.Random(1),
            terms=LinkTerms(_vet, lambda _: None),
        )
        transfer = SnapshotTransfer(
            cast("SnapshotStore", snapshot), 16 * MIB, installed_index=lambda: 0
        )
        message = Message(MessageKind.SNAPSHOT, A, F, 1, snapshot=snapshot.offer.mark)
        try:
            async with asyncio.timeout(within_s):
                sending = asyncio.ensure_future(transfer.send(link, message))
                if during is not None:
                    await asyncio.sleep(0.2)
                    await during(link)
                return await sending
        finally:
            await link.close()
            await server.stop(0)

    return asyncio.run(story())


def test_a_snapshot_that_can_be_read_is_delivered() -> None:
    snapshot = OneSnapshot(2 * MIB, readable=2 * MIB)

    assert sent(snapshot)
    assert snapshot.is_closed


def test_a_snapshot_that_cannot_be_read_to_its_end_is_not_delivered() -> None:
    snapshot = OneSnapshot(5 * MIB, readable=2 * MIB)

    assert not sent(snapshot)
    assert snapshot.is_closed


def test_a_snapshot_whose_link_is_closed_on_the_way_is_not_delivered() -> None:
    snapshot = OneSnapshot(800 * MIB, readable=800 * MIB)

    assert not sent(snapshot, PeerLink.close)
    assert snapshot.is_closed


class _Sender:
    """As much of a replica as sending a snapshot needs."""

    def __init__(self, failure: BaseException) -> None:
        self.reported: list[tuple[str, bool]] = []
        self.transport = self.driver = self.node = self._snapshots = self
        self._failure = failure

    def link(self, _peer_id: str) -> "_Sender":
        return self

    async def send(self, _link: object, _message: Message) -> bool:
        raise self._failure

    def given(self, change: Callable[[], None]) -> None:
        change()

    def report_snapshot(self, peer: str, ok: bool) -> None:
        self.reported.append((peer, ok))


@pytest.mark.parametrize("failure", [asyncio.CancelledError(), RuntimeError("unforeseen")])
def test_raft_is_told_of_a_snapshot_however_its_sending_ends(failure: BaseException) -> None:
    # Otherwise the leader sends this follower nothing but heartbeats for the rest of its term.
    sender = _Sender(failure)
    message = Message(MessageKind.SNAPSHOT, A, F, 1)

    with pytest.raises(type(failure)):
        asyncio.run(ReplicaCore._send_snapshot(cast("ReplicaCore", sender), message))

    assert sender.reported == [(F, False)]


def test_a_snapshot_that_raft_ignored_does_not_keep_later_ones_away(tmp_path: Path) -> None:
    installed_index = 0
    store = SnapshotStore(OsFiles(), tmp_path / "snapshots")

    async def offered(transfer: SnapshotTransfer, leader: ReplicaId, term: int, index: int) -> bool:
        payload = b"state at %d" % index
        mark = SnapshotMark(index, 3, ABF)

        async def rest() -> AsyncIterator[bytes]:
            yield payload

        return await transfer.receive(
            Message(MessageKind.SNAPSHOT, leader, F, term, snapshot=mark),
            SnapshotOffer(mark, len(payload), hashlib.sha256(payload).digest()),
            rest(),
        )

    async def story() -> None:
        nonlocal installed_index
        transfer = SnapshotTransfer(store, MIB, installed_index=lambda: installed_index)
        # It arrived whole, but its leader had lost its office meanwhile.
        assert await offered(transfer, A, 3, 20_000)

        assert await offered(transfer, B, 4, 18_000)
        assert transfer.take(SnapshotMark(18_000, 3, ABF)) == b"state at 18000"
        assert await offered(transfer, B, 4, 20_000)

        installed_index = 20_000
        assert not await offered(transfer, B, 4, 20_000), "what is installed is not taken again"

    asyncio.run(story())


def test_the_own_snapshot_is_kept_beside_a_newer_one_that_raft_ignored(tmp_path: Path) -> None:
    store = SnapshotStore(OsFiles(), tmp_path / "snapshots")
    store.save(SnapshotMark(20_000, 3, ABF), b"never installed")

    async def story() -> None:
        transfer = SnapshotTransfer(store, MIB, installed_index=lambda: 17_000)

        assert await transfer.save(SnapshotMark(18_000, 3, ABF), b"own")
        assert not await transfer.save(
            SnapshotMark(17_000, 3, ABF), b"older than what is installed"
        )

    asyncio.run(story())


class _InstantLog(MemoryLog):
    """A log in memory as the driver writes to it."""

    def append_batch(self, hard_state: HardState | None, entries: tuple[Entry, ...]) -> None:
        self.append(entries)
        if hard_state is not None:
            self.set_hard_state(hard_state)

    def sync(self) -> None:
        """Nothing is left to do."""


class _InstantDisk:
    def submit(
        self, work: Callable[[], None], done: Callable[[BaseException | None], None]
    ) -> None:
        work()
        done(None)


class _Around:
    """What is around the driver: it keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, messages: tuple[Message, ...]) -> None:
        self.sent.extend(messages)

    def installed(self, mark: SnapshotMark) -> None:
        raise AssertionError(mark)

    def apply(self, committed: tuple[Entry, ...]) -> None:
        """Nothing is committed here."""

    def answer_reads(self, confirmed: tuple[ReadState, ...], lost: tuple[int, ...]) -> None:
        """Nobody reads here."""

    def settled(self) -> None:
        """Nobody looks."""

    def failed(self, error: BaseException) -> None:
        raise error

    def out_of_room(self, error: DiskFullError | None) -> None:
        raise AssertionError(error)


def test_a_replica_that_was_stopped_knows_the_time_before_it_reads_what_waited_meanwhile() -> None:
    # R6. No tick has passed yet when the messages in its socket are read.
    now_ms = 50_000
    log = _InstantLog(ABF)
    node = Node(RaftConfig(F), log, random.Random(1))
    around = _Around()
    driver = Driver(
        node,
        cast("Wal", log),
        cast("DiskThread", _InstantDisk()),
        around,
        clock=lambda: now_ms,
    )

    def heartbeat(context: int) -> Message:
        stamp = around.sent[-1].stamp if around.sent else 0
        return Message(MessageKind.HEARTBEAT, A, F, 1, context=context, stamp=stamp)

    driver.step([heartbeat(1)])
    waited = heartbeat(2)
    now_ms += 14_000
    driver.step([waited])

    assert node.quorum_contact is not None
    assert node.quorum_contact.at_ms == 50_000
    driver.step([heartbeat(3)])
    assert node.quorum_contact.at_ms == 64_000
