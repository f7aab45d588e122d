"""A few replicas in one process: real nodes on logs in memory, an instant network with cuts.

A replica does the driver's work in the driver's order, in two halves, so that a test can crash it
in between.
"""

import random
from collections import deque
from collections.abc import Iterable

from director.raft.config import RaftConfig
from director.raft.errors import ProposalRefusedError
from director.raft.messages import (
    Entry,
    EntryKind,
    HardState,
    Membership,
    Message,
    MessageKind,
    ReplicaId,
    SnapshotMark,
)
from director.raft.node import Node, ReadState, Ready, Role
from director.raft.storage import MemoryLog

ELECTION_TICKS = 10
TICK_MS = 50


def ids(*names: str) -> tuple[ReplicaId, ...]:
    return tuple(ReplicaId(name) for name in names)


A, B, C, D, E = ids("a", "b", "c", "d", "e")


def a_membership(*voters: ReplicaId, learners: Iterable[ReplicaId] = ()) -> Membership:
    return Membership(voters=voters, learners=tuple(learners))


def a_config(replica_id: ReplicaId = A, **changes: int | bool) -> RaftConfig:
    defaults: dict[str, int | bool] = {"election_ticks": ELECTION_TICKS}
    return RaftConfig(replica_id=replica_id, **(defaults | changes))  # type: ignore[arg-type]


def an_entry(
    index: int, term: int = 1, payload: bytes = b"x", kind: EntryKind = EntryKind.NORMAL
) -> Entry:
    return Entry(index, term, kind, payload)


def a_log(membership: Membership, *terms: int, hard_state: HardState | None = None) -> MemoryLog:
    """A log with one entry per term given."""
    log = MemoryLog(membership)
    log.append([an_entry(index, term) for index, term in enumerate(terms, start=1)])
    log.set_hard_state(hard_state or HardState(term=max(terms, default=0)))
    return log


def a_node(log: MemoryLog, replica_id: ReplicaId = A, seed: int = 1, **changes: int | bool) -> Node:
    return Node(a_config(replica_id, **changes), log, random.Random(seed))


class Replica:
    """One node and what its driver keeps."""

    def __init__(self, config: RaftConfig, log: MemoryLog, seed: int) -> None:
        self.config = config
        self.replica_id = config.replica_id
        self.log = log
        self.starts = 0
        self.seed = seed
        self.node: Node
        self.applied: list[Entry]
        self.reads: list[ReadState]
        self.reads_lost: list[int]
        self.outstanding: Ready | None
        self.start()

    def start(self) -> None:
        """Start, or start again with what the log kept."""
        self.starts += 1
        seed = f"{self.seed}/{self.replica_id}/{self.starts}"
        self.node = Node(self.config, self.log, random.Random(seed))
        self.applied = []
        self.reads = []
        self.reads_lost = []
        self.outstanding = None

    def take(self) -> tuple[Message, ...]:
        """Take the work there is. What may overtake the disk is returned."""
        self.outstanding = self.node.ready()
        return self.outstanding.messages_now

    def persist(self) -> None:
        """Make durable what was taken."""
        assert self.outstanding is not None
        if self.outstanding.snapshot is not None:
            self.log.install_snapshot(self.outstanding.snapshot)
        self.log.append(self.outstanding.entries)
        if self.outstanding.hard_state is not None:
            self.log.set_hard_state(self.outstanding.hard_state)

    def finish(self) -> tuple[Message, ...]:
        """Apply and advance. What promises durability is returned."""
        ready = self.outstanding
        assert ready is not None
        self.outstanding = None
        self.applied.extend(ready.committed)
        self.reads.extend(ready.read_states)
        self.reads_lost.extend(ready.reads_lost)
        self.node.advance(ready)
        return ready.messages_after_persist

    def pump(self) -> list[Message]:
        """Do all the work there is, and return everything to send."""
        sent: list[Message] = []
        while self.node.has_ready():
            sent.extend(self.take())
            self.persist()
            sent.extend(self.finish())
        return sent

    def take_snapshot(self, margin: int = 0) -> SnapshotMark:
        """Snapshot the applied state and drop the log below, but for ``margin`` entries."""
        index = self.node.applied_index
        term = self.log.term_at(index)
        assert term is not None
        mark = SnapshotMark(index, term, self.node.membership_at(index))
        self.log.record_snapshot(mark)
        self.log.compact_to(index - margin)
        self.node.compacted(index - margin)
        return mark

    @property
    def payloads(self) -> list[bytes]:
        """What was applied since the start, commands only."""
        return [entry.payload for entry in self.applied if entry.kind is EntryKind.NORMAL]


class Cluster:
    """Replicas and the links between them. Nothing moves unless a test says so."""

    def __init__(
        self,
        membership: Membership,
        *,
        seed: int = 1,
        logs: dict[ReplicaId, MemoryLog] | None = None,
        **changes: int | bool,
    ) -> None:
        self.seed = seed
        self.changes = changes
        self.replicas: dict[ReplicaId, Replica] = {}
        self.cut_links: set[tuple[ReplicaId, ReplicaId]] = set()
        self.down: set[ReplicaId] = set()
        self.dropped_kinds: set[MessageKind] = set()
        self.delivered: list[Message] = []
        self.now_ms = 1_000_000
        for replica_id in membership.all_ids():
            log = (logs or {}).get(replica_id) or MemoryLog(membership)
            self.replicas[replica_id] = Replica(a_config(replica_id, **changes), log, seed)

    def __getitem__(self, replica_id: ReplicaId) -> Replica:
        return self.replicas[replica_id]

    def node(self, replica_id: ReplicaId) -> Node:
        return self.replicas[replica_id].node

    def join(self, replica_id: ReplicaId) -> Replica:
        """Start a replica that knows nothing."""
        log = MemoryLog(Membership(voters=()))
        replica = Replica(a_config(replica_id, **self.changes), log, self.seed)
        self.replicas[replica_id] = replica
        return replica

    def cut(self, *links: tuple[ReplicaId, ReplicaId]) -> None:
        """Cut ``links``, each one way."""
        self.cut_links.update(links)

    def isolate(self, replica_id: ReplicaId) -> None:
        for other in self.replicas:
            if other != replica_id:
                self.cut((replica_id, other), (other, replica_id))

    def heal(self) -> None:
        self.cut_links.clear()
        self.dropped_kinds.clear()

    def crash(self, replica_id: ReplicaId) -> None:
        self.down.add(replica_id)

    def restart(self, replica_id: ReplicaId) -> None:
        self.down.discard(replica_id)
        self.replicas[replica_id].start()

    def up(self) -> list[Replica]:
        return [r for r in self.replicas.values() if r.replica_id not in self.down]

    def settle(self) -> None:
        """Deliver until nobody has anything left to say."""
        queue: deque[Message] = deque()
        while True:
            for replica in self.up():
                queue.extend(replica.pump())
            if not queue:
                return
            while queue:
                self._deliver(queue.popleft())

    def _deliver(self, message: Message) -> None:
        sender, recipient = message.sender, message.recipient
        is_delivered = (
            recipient in self.replicas
            and recipient not in self.down
            and (sender, recipient) not in self.cut_links
            and message.kind not in self.dropped_kinds
        )
        if message.kind is MessageKind.SNAPSHOT and sender not in self.down:
            self.node(sender).report_snapshot(recipient, is_delivered)
        if is_delivered:
            self.delivered.append(message)
            self.node(recipient).step(message)

    def tick(self, count: int = 1) -> None:
        """Let time pass for everyone, delivering after each tick."""
        for _ in range(count):
            self._pass_tick(*(replica.node for replica in self.up()))
            self.settle()

    def _pass_tick(self, *nodes: Node) -> None:
        """Let the time of a tick pass for everyone, and be noticed as one by ``nodes``."""
        self.pass_time(TICK_MS)
        for node in nodes:
            node.tick()

    def pass_time(self, duration_ms: int) -> None:
        """Let time pass in which nobody does anything."""
        self.now_ms += duration_ms
        for replica in self.up():
            replica.node.note_time(self.now_ms)

    def elect(self, replica_id: ReplicaId) -> Node:
        """Let time pass for one replica until it leads. If a lease forbids it, hand it over."""
        node = self.node(replica_id)
        for _ in range(2 * ELECTION_TICKS):
            if node.role is Role.LEADER:
                break
            self._pass_tick(node)
            self.settle()
        if node.role is not Role.LEADER:
            handed_over = Message(MessageKind.TIMEOUT_NOW, ReplicaId("-"), replica_id, node.term)
            node.step(handed_over)
            self.settle()
        assert node.role is Role.LEADER, f"{replica_id} was not elected"
        # One round of heartbeats lets everyone know how far the new leader committed.
        self._pass_tick(node)
        self.settle()
        return node

    def leaders(self) -> list[ReplicaId]:
        return [r.replica_id for r in self.up() if r.node.role is Role.LEADER]

    def propose(self, leader: ReplicaId, *payloads: bytes) -> None:
        for payload in payloads:
            self.node(leader).propose(payload)
        self.settle()

    def kinds_sent(self) -> set[MessageKind]:
        return {message.kind for message in self.delivered}


def refusal_of(attempt: object) -> str:
    """The reason ``attempt`` (a callable) was refused for, or 'accepted'."""
    assert callable(attempt)
    try:
        attempt()
    except ProposalRefusedError as error:
        return str(error.reason)
    return "accepted"
