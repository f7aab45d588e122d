"""One replica's Raft node with its disk: the driver's order of work, in simulated time.

A sync takes time, and a crash in between loses an arbitrary part of what was being written.
"""

import random
from collections.abc import Callable
from typing import Protocol

from director.raft.config import RaftConfig
from director.raft.errors import ProposalRefusedError
from director.raft.messages import (
    Entry,
    HardState,
    Membership,
    Message,
    MessageKind,
    ReplicaId,
    SnapshotMark,
)
from director.raft.node import Node, ReadState, Ready, Role
from director.raft.storage import MemoryLog
from tests.sim.network import Plane
from tests.sim.process import Process
from tests.sim.world import World

TICK_MS = 50
# 1 to 2 seconds, and 100 ms.
ELECTION_TICKS = 20
HEARTBEAT_TICKS = 2
# Entries kept below a snapshot, so that a replica shortly behind needs none.
_MARGIN = 2


class RaftShell(Protocol):
    """What the driver needs done around it."""

    def apply(self, entries: tuple[Entry, ...]) -> None:
        """Take committed entries, in order, each once."""

    def install(self, index: int, payload: bytes) -> None:
        """Take over a snapshot that the leader sent."""

    def answer_reads(self, confirmed: tuple[ReadState, ...], lost: tuple[int, ...]) -> None:
        """Take what became of reads."""

    def settled(self) -> None:
        """Look at the node: whatever could be done for now is done."""


class RaftDriver:
    """Moves one node. It outlives the node: the disk is here."""

    def __init__(
        self, world: World, replica_id: str, process: Process, membership: Membership
    ) -> None:
        self.node: Node
        self.log = MemoryLog(membership)
        self.payload_by_index: dict[int, bytes] = {}
        self.peers: dict[str, RaftDriver] = {}
        self.process = process
        self._world = world
        self._config = RaftConfig(
            ReplicaId(replica_id), election_ticks=ELECTION_TICKS, heartbeat_ticks=HEARTBEAT_TICKS
        )
        self._shell: RaftShell
        self._outstanding: Ready | None = None
        self._synced = HardState()
        self._received: dict[int, bytes] = {}
        self._starts = 0

    # -- life ------------------------------------------------------------------------------------

    def start(self, shell: RaftShell) -> None:
        self._starts += 1
        self._shell = shell
        self._outstanding = None
        self._synced = self.log.hard_state()
        seed = f"{self._world.options.seed}/{self._config.replica_id}/{self._starts}"
        self.node = Node(self._config, self.log, random.Random(seed))
        self.process.after(TICK_MS, self._tick)

    def crash(self) -> None:
        """Lose what was not synced: of what was being written any first part may survive."""
        ready, self._outstanding = self._outstanding, None
        rng = self._world.rng
        if ready is not None and (ready.snapshot is None or rng.random() < 0.5):
            if ready.snapshot is not None:
                self._install(ready.snapshot)
            self.log.append(ready.entries[: rng.randint(0, len(ready.entries))])
        if rng.random() < 0.5 and self.log.hard_state().term == self._synced.term:
            # A commit index alone is written without a sync, and may be lost.
            self.log.set_hard_state(self._synced)

    # -- inputs ------------------------------------------------------------------------------------

    def given(self, change: Callable[[], None]) -> None:
        """Let ``change`` do something to the node, then do all there is to do."""
        change()
        self._pump()

    def propose(self, payload: bytes) -> tuple[int, int] | None:
        """Append, or return None if the node refuses."""
        try:
            return self.node.propose(payload)
        except ProposalRefusedError:
            return None

    def ask_read(self, context: int) -> bool:
        """Begin a linearizable read; False if the node refuses."""
        try:
            self.node.read_index(context)
        except ProposalRefusedError:
            return False
        return True

    def keep_snapshot(self, index: int, payload: bytes) -> None:
        """Keep a snapshot of the state as of ``index`` and drop the log below it."""
        term = self.log.term_at(index)
        if index <= self.log.snapshot_mark().index or term is None:
            return
        self.payload_by_index[index] = payload
        self.log.record_snapshot(SnapshotMark(index, term, self.node.membership_at(index)))
        if index - _MARGIN >= self.log.first_index():
            self.log.compact_to(index - _MARGIN)
            self.node.compacted(index - _MARGIN)
        self._pump()

    def _tick(self) -> None:
        self.process.after(TICK_MS, self._tick)
        self.given(self.node.tick)

    # -- work --------------------------------------------------------------------------------------

    def _pump(self) -> None:
        node = self.node
        while self._outstanding is None and node.has_ready():
            ready = node.ready()
            self._send(ready.messages_now)
            if ready.must_sync:
                self._outstanding = ready
                sync_ms = self._world.options.sync_ms
                delay_ms = self._world.rng.randint(1, 2 * sync_ms)
                self.process.after(delay_ms, lambda ready=ready: self._persisted(ready))  # type: ignore[misc]
            else:
                if ready.hard_state is not None:
                    self.log.set_hard_state(ready.hard_state)
                self._finish(ready)
        if node.role is Role.LEADER:
            self._world.watch.led(node.replica_id, node.term)
        self._shell.settled()

    def _persisted(self, ready: Ready) -> None:
        self._outstanding = None
        if ready.snapshot is not None:
            self._install(ready.snapshot)
        self.log.append(ready.entries)
        if ready.hard_state is not None:
            self.log.set_hard_state(ready.hard_state)
        self._synced = self.log.hard_state()
        self.given(lambda: self._finish(ready))

    def _install(self, mark: SnapshotMark) -> None:
        self.payload_by_index[mark.index] = self._received[mark.index]
        self.log.install_snapshot(mark)

    def _finish(self, ready: Ready) -> None:
        self._send(ready.messages_after_persist)
        if ready.snapshot is not None:
            mark = ready.snapshot
            self._shell.install(mark.index, self.payload_by_index[mark.index])
        if ready.committed:
            self._shell.apply(ready.committed)
        if ready.read_states or ready.reads_lost:
            self._shell.answer_reads(ready.read_states, ready.reads_lost)
        self.node.advance(ready)

    # -- between replicas --------------------------------------------------------------------------

    def _send(self, messages: tuple[Message, ...]) -> None:
        for message in messages:
            to = self.peers[message.recipient]
            if message.kind is MessageKind.SNAPSHOT:
                self._send_snapshot(message, to)
                continue
            self._world.network.send(
                self.process,
                to.process,
                Plane.RAFT,
                lambda to=to, message=message: to.receive(message),  # type: ignore[misc]
                lambda to=message.recipient: self._unreachable(to),  # type: ignore[misc]
            )

    def receive(self, message: Message) -> None:
        self.given(lambda: self.node.step(message))

    def _unreachable(self, peer: ReplicaId) -> None:
        self.given(lambda: self.node.report_unreachable(peer))

    def _send_snapshot(self, message: Message, to: "RaftDriver") -> None:
        mark = message.snapshot
        assert mark is not None, "a snapshot message names its snapshot"
        payload = self.payload_by_index[mark.index]

        def take() -> bool:
            to.take_snapshot(message, mark.index, payload)
            return True

        def delivered(answer: object) -> None:
            is_delivered = answer is True
            self.given(lambda: self.node.report_snapshot(message.recipient, is_delivered))

        # A snapshot that is not confirmed within this is taken as lost.
        self._world.network.call(self.process, to.process, Plane.RAFT, take, delivered, 2_000)

    def take_snapshot(self, message: Message, index: int, payload: bytes) -> None:
        """The payload came, beside the message that announces it."""
        self._received[index] = payload
        self.receive(message)
