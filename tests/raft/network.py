"""A hostile world in one process: one seed draws the faults, checkers watch every event.

Messages are lost, late, repeated and out of order; links are cut one way or both; replicas crash
between any two steps of their driver and lose what was not synced. The checkers know nothing of
how the algorithm works, only what it promises (A7).
"""

import hashlib
import heapq
import random
from dataclasses import dataclass

from director.raft.errors import ProposalRefusedError
from director.raft.membership import AddLearner, MembershipChange, Promote, Remove
from director.raft.messages import (
    Entry,
    HardState,
    Membership,
    Message,
    MessageKind,
    ReplicaId,
)
from director.raft.node import Node, ReadState, Role
from director.raft.storage import MemoryLog
from tests.raft.cluster import Replica, a_config

# Small, so that elections, retries and crashes all fit into a few thousand steps.
WORLD_ELECTION_TICKS = 8
STEPS_PER_TICK = 4


@dataclass(frozen=True, slots=True)
class Faults:
    """How hostile the world is. Rates are per message or per step."""

    loss: float = 0.05
    repeat: float = 0.03
    delay_steps_max: int = 6
    straggle: float = 0.02
    """Share of messages that arrive up to 40 times later than others."""
    crash: float = 0.003
    restart: float = 0.03
    strike: float = 0.005
    """How often a leader is crashed or cut off: where it hurts most."""
    skew: bool = True
    """Whether clocks run at very different rates."""
    cut: float = 0.004
    heal: float = 0.01
    compact: float = 0.01
    transfer: float = 0.002
    change: float = 0.01
    propose: float = 0.3
    read: float = 0.1

    @classmethod
    def draw(cls, rng: random.Random) -> "Faults":
        """Draw a world: some are calm, some lose a fifth of everything."""
        return cls(
            loss=rng.choice([0.0, 0.01, 0.05, 0.2]),
            repeat=rng.choice([0.0, 0.03, 0.2]),
            delay_steps_max=rng.choice([1, 3, 6, 20]),
            straggle=rng.choice([0.0, 0.02, 0.1]),
            crash=rng.choice([0.0, 0.003, 0.01]),
            strike=rng.choice([0.0, 0.005, 0.03]),
            skew=rng.choice([True, False]),
            cut=rng.choice([0.0, 0.004, 0.02]),
            compact=rng.choice([0.0, 0.01, 0.05]),
            transfer=rng.choice([0.0, 0.002, 0.01]),
            change=rng.choice([0.0, 0.02, 0.1, 0.3]),
        )


class Checker:
    """What must hold whatever happens. Each check raises AssertionError."""

    def __init__(self) -> None:
        self.leader_by_term: dict[int, ReplicaId] = {}
        self.applied: dict[int, Entry] = {}
        self.digest_by_index: dict[int, bytes] = {0: b""}
        self.commit_index_max = 0
        self.floor_by_read: dict[tuple[ReplicaId, int, int], int] = {}
        self.reads_checked = 0
        self.committed_by_step = [0]
        """The highest index committed anywhere before each step began."""
        self.contacts_checked = 0

    def see_leader(self, replica: Replica) -> None:
        """Election safety, and leader completeness for what was applied anywhere."""
        node = replica.node
        known = self.leader_by_term.get(node.term)
        assert known in (None, node.replica_id), f"two leaders in term {node.term}"
        if known is None:
            self.leader_by_term[node.term] = node.replica_id
            log = node._state.log
            for index in range(replica.log.first_index(), self.commit_index_max + 1):
                if index in self.applied:
                    assert log.term_at(index) == self.applied[index].term, (
                        f"leader {node.replica_id} of term {node.term} lacks entry {index}"
                    )

    def see_applied(self, entry: Entry, digest_before: bytes) -> bytes:
        """State machine safety: one entry per index, for everyone and for good."""
        known = self.applied.setdefault(entry.index, entry)
        assert known == entry, f"two entries applied at {entry.index}: {known} and {entry}"
        digest = hashlib.blake2b(digest_before + repr(entry).encode(), digest_size=8).digest()
        assert self.digest_by_index.setdefault(entry.index, digest) == digest
        self.commit_index_max = max(self.commit_index_max, entry.index)
        return digest

    def see_read(self, reader: tuple[ReplicaId, int], state: ReadState) -> None:
        """A read sees everything that was committed anywhere before it was asked."""
        floor = self.floor_by_read.pop((*reader, state.context))
        assert state.index >= floor, f"read at {state.index} misses entry {floor}"
        self.reads_checked += 1

    def see_contact(self, replica: "WorldReplica") -> None:
        """Whoever has applied the index of a contact sees all that was committed by its instant."""
        contact = replica.node.quorum_contact
        if contact is None or contact.at_ms < 0:
            return
        floor = self.committed_by_step[contact.at_ms]
        assert contact.index >= floor, (
            f"{replica.replica_id} takes entry {contact.index} for all there was at step "
            f"{contact.at_ms}, and entry {floor} was committed"
        )
        self.contacts_checked += 1

    def see_logs(self, logs: list[MemoryLog]) -> None:
        """Log matching: equal index and term mean equal logs up to there."""
        for position, one in enumerate(logs):
            for other in logs[position + 1 :]:
                _check_match(one, other)


def _check_match(one: MemoryLog, other: MemoryLog) -> None:
    low = max(one.first_index(), other.first_index())
    high = min(one.last_index(), other.last_index())
    while high >= low and one.term_at(high) != other.term_at(high):
        high -= 1
    if high >= low:
        assert one.entries(low, high + 1, 1 << 30) == other.entries(low, high + 1, 1 << 30)


class WorldReplica(Replica):
    """A replica that can crash halfway, with its applied state reduced to a digest."""

    digest: bytes = b""
    is_down: bool = False
    is_retired: bool = False
    is_persisted: bool = False
    synced_hard_state: HardState = HardState()

    def lose_unsynced(self, rng: random.Random) -> None:
        """Crash: of what is being written an arbitrary part survives, in order."""
        ready = self.outstanding
        if ready is not None and not self.is_persisted:
            if ready.snapshot is not None and rng.random() < 0.5:
                self.log.install_snapshot(ready.snapshot)
                self.log.append(ready.entries[: rng.randint(0, len(ready.entries))])
            elif ready.snapshot is None:
                self.log.append(ready.entries[: rng.randint(0, len(ready.entries))])
        if rng.random() < 0.5:
            # A commit index alone is written without a sync, and may be lost.
            self.log.set_hard_state(self.synced_hard_state)
        self.is_down = True
        self.outstanding = None


class World:
    """The replicas, the network and the faults of one seed."""

    def __init__(self, seed: int, faults: Faults | None = None) -> None:
        self.rng = random.Random(seed)
        self.seed = seed
        self.faults = faults or Faults.draw(self.rng)
        self.checker = Checker()
        self.step_count = 0
        self.replicas: dict[ReplicaId, WorldReplica] = {}
        self.cut_links: set[tuple[ReplicaId, ReplicaId]] = set()
        self.in_flight: list[tuple[int, int, Message]] = []
        self.sent_count = 0
        self.proposed_count = 0
        self.config_changes = {
            "election_ticks": WORLD_ELECTION_TICKS,
            "inflight_count_max": self.rng.choice([1, 2, 8]),
            "append_bytes_max": self.rng.choice([1, 100, 10_000]),
            # A backlog that takes longer to send than the recovery may take proves nothing.
            "uncommitted_bytes_max": 2_000,
            # Both are about liveness. Safety holds without them, and bugs show sooner.
            "pre_vote": self.rng.random() < 0.7,
            "check_quorum": self.rng.random() < 0.6,
        }
        self.tick_rate: dict[ReplicaId, float] = {}
        self.joined_count = self.rng.choice([1, 3, 3, 3, 4, 5])
        self.founding = Membership(
            voters=tuple(ReplicaId(f"r{n + 1:02}") for n in range(self.joined_count))
        )
        for replica_id in self.founding.voters:
            self._start_new(replica_id, self.founding)

    def _start_new(self, replica_id: ReplicaId, membership: Membership) -> None:
        config = a_config(replica_id, **self.config_changes)
        rates = [0.3, 1.0, 3.0] if self.faults.skew else [1.0]
        self.tick_rate[replica_id] = self.rng.choice(rates) / STEPS_PER_TICK
        self.replicas[replica_id] = WorldReplica(config, MemoryLog(membership), self.seed)

    # The safety phase.

    def run(self, steps: int) -> None:
        """Let faults fly for ``steps``."""
        for _ in range(steps):
            self._step()
            if self.step_count % 50 == 0:
                self.checker.see_logs([replica.log for replica in self.replicas.values()])

    def _step(self) -> None:
        self.checker.committed_by_step.append(
            max(self.checker.committed_by_step[-1], self._commit_index_max())
        )
        self.step_count += 1
        for replica in self.replicas.values():
            if not replica.is_down:
                replica.node.note_time(self.step_count)
        self._deliver_due()
        for replica in list(self.replicas.values()):
            if replica.is_down:
                if not replica.is_retired and self.rng.random() < self.faults.restart:
                    self._restart(replica)
                continue
            if self.rng.random() < self.tick_rate[replica.replica_id]:
                replica.node.tick()
            self._work(replica)
            self.checker.see_contact(replica)
            if self.rng.random() < self.faults.crash:
                replica.lose_unsynced(self.rng)
        self._make_trouble()
        self._make_load()

    def _work(self, replica: WorldReplica) -> None:
        """Do one step of the driver's loop, or none, so that anything may come in between."""
        node = replica.node
        if node.role is Role.LEADER:
            self.checker.see_leader(replica)
        if self.rng.random() < 0.2:
            return
        if replica.outstanding is None:
            if node.has_ready():
                replica.is_persisted = False
                self._send(replica.take())
        elif not replica.is_persisted:
            replica.persist()
            replica.is_persisted = True
            if replica.outstanding.must_sync:
                replica.synced_hard_state = replica.log.hard_state()
        else:
            self._finish(replica)

    def _finish(self, replica: WorldReplica) -> None:
        ready = replica.outstanding
        assert ready is not None
        if ready.snapshot is not None:
            replica.digest = self.checker.digest_by_index[ready.snapshot.index]
        expected_index = replica.node.applied_index + 1
        for entry in ready.committed:
            assert entry.index == expected_index, "entries are applied in order, once each"
            expected_index += 1
            replica.digest = self.checker.see_applied(entry, replica.digest)
        for state in ready.read_states:
            self.checker.see_read((replica.replica_id, replica.starts), state)
        self._send(replica.finish())

    def _restart(self, replica: WorldReplica) -> None:
        replica.is_down = False
        replica.is_persisted = False
        replica.synced_hard_state = replica.log.hard_state()
        replica.start()
        replica.digest = self.checker.digest_by_index[replica.log.snapshot_mark().index]

    def _send(self, messages: tuple[Message, ...]) -> None:
        for message in messages:
            if self.rng.random() < self.faults.loss:
                self._report_snapshot(message, is_delivered=False)
                continue
            self._enqueue(message)
            if self.rng.random() < self.faults.repeat:
                self._enqueue(message)

    def _enqueue(self, message: Message) -> None:
        delay_steps = self.rng.randint(1, self.faults.delay_steps_max)
        if self.rng.random() < self.faults.straggle:
            delay_steps *= 40
        self.sent_count += 1
        heapq.heappush(self.in_flight, (self.step_count + delay_steps, self.sent_count, message))

    def _deliver_due(self) -> None:
        while self.in_flight and self.in_flight[0][0] <= self.step_count:
            _, _, message = heapq.heappop(self.in_flight)
            recipient = self.replicas[message.recipient]
            link = (message.sender, message.recipient)
            is_delivered = not recipient.is_down and link not in self.cut_links
            self._report_snapshot(message, is_delivered=is_delivered)
            if is_delivered:
                recipient.node.step(message)

    def _report_snapshot(self, message: Message, *, is_delivered: bool) -> None:
        sender = self.replicas[message.sender]
        if message.kind is MessageKind.SNAPSHOT and not sender.is_down:
            sender.node.report_snapshot(message.recipient, is_delivered)

    # What the world does to the replicas.

    def _make_trouble(self) -> None:
        rng, faults = self.rng, self.faults
        if rng.random() < faults.cut:
            self._cut_something()
        if rng.random() < faults.strike:
            self._strike_leader()
        if self.cut_links and rng.random() < faults.heal:
            self.cut_links.clear()
        if rng.random() < faults.compact:
            self._compact(rng.choice(list(self.replicas.values())))

    def _strike_leader(self) -> None:
        for replica in self.replicas.values():
            if replica.node.role is Role.LEADER and not replica.is_down:
                if self.rng.random() < 0.5:
                    replica.lose_unsynced(self.rng)
                    continue
                for other in self.replicas:
                    self.cut_links.add((replica.replica_id, other))
                    self.cut_links.add((other, replica.replica_id))

    def _cut_something(self) -> None:
        names = list(self.replicas)
        self.rng.shuffle(names)
        split = self.rng.randint(1, len(names))
        one_way = self.rng.random() < 0.5
        for left in names[:split]:
            for right in names[split:]:
                self.cut_links.add((left, right))
                if not one_way:
                    self.cut_links.add((right, left))

    def _compact(self, replica: WorldReplica) -> None:
        # Only between two readies: a real driver snapshots in its own loop.
        if replica.is_down or replica.outstanding is not None:
            return
        if replica.node.applied_index > replica.log.snapshot_mark().index:
            replica.take_snapshot(margin=self.rng.choice([0, 0, 3]))

    def _make_load(self) -> None:
        rng, faults = self.rng, self.faults
        up = [replica for replica in self.replicas.values() if not replica.is_down]
        leading = [replica for replica in up if replica.node.role is Role.LEADER]
        if not up:
            return
        replica = rng.choice(leading if leading and rng.random() < 0.7 else up)
        if rng.random() < faults.propose:
            for _ in range(rng.randint(1, 4)):
                self._propose(replica.node)
        if rng.random() < faults.read:
            self._read(replica)
        if replica.node.role is Role.LEADER:
            if rng.random() < faults.transfer:
                replica.node.transfer_leadership(rng.choice(replica.node.membership.voters))
            if rng.random() < faults.change:
                self._change_membership(replica.node)

    def _propose(self, node: Node) -> None:
        self.proposed_count += 1
        try:
            node.propose(b"%d" % self.proposed_count)
        except ProposalRefusedError:
            return

    def _read(self, replica: WorldReplica) -> None:
        context = self.step_count
        floor = max(self.checker.commit_index_max, self._commit_index_max())
        try:
            replica.node.forward_read(context)
        except ProposalRefusedError:
            return
        self.checker.floor_by_read[replica.replica_id, replica.starts, context] = floor

    def _commit_index_max(self) -> int:
        return max(replica.node.commit_index for replica in self.replicas.values())

    def _change_membership(self, node: Node) -> None:
        change = self._draw_change(node)
        try:
            node.propose_membership(change)
        except ProposalRefusedError:
            return
        if isinstance(change, AddLearner):
            self._start_new(change.replica_id, Membership(voters=()))
            self.joined_count += 1

    def _draw_change(self, node: Node) -> MembershipChange:
        membership = node.membership
        if membership.learners and self.rng.random() < 0.6:
            return Promote(self.rng.choice(membership.learners))
        if len(membership.all_ids()) > 2 and self.rng.random() < 0.5:
            return Remove(self.rng.choice(membership.all_ids()))
        return AddLearner(ReplicaId(f"r{self.joined_count + 1:02}"))

    # The liveness phase.

    def recover(self, ticks_max: int = 60 * WORLD_ELECTION_TICKS) -> int:
        """Stop all faults and wait until every member has applied a new proposal.

        Returns:
            How many ticks it took.
        """
        self.faults = Faults(
            loss=0, repeat=0, delay_steps_max=1, straggle=0, crash=0, restart=1, cut=0, heal=1,
            compact=0, transfer=0, change=0, propose=0, read=0.02, strike=0, skew=False,
        )  # fmt: skip
        self.tick_rate = dict.fromkeys(self.tick_rate, 1 / STEPS_PER_TICK)
        self.cut_links.clear()
        if not (self.config_changes["pre_vote"] or self.config_changes["check_quorum"]):
            self._retire_removed()
        probe: tuple[int, int] | None = None
        for step in range(ticks_max * STEPS_PER_TICK):
            self._step()
            leader = self.newest_leader()
            if leader is None:
                continue
            if probe is None or probe[1] != leader.term:
                try:
                    probe = leader.propose(b"probe")
                except ProposalRefusedError:
                    continue
            members = leader.membership.all_ids()
            if all(self.replicas[m].node.applied_index >= probe[0] for m in members):
                return step // STEPS_PER_TICK
        raise AssertionError(f"seed {self.seed}: the cluster did not recover")

    def _retire_removed(self) -> None:
        """Stop the replicas that were removed.

        They may not know it, and without pre-vote and check-quorum nothing keeps them from
        campaigning for ever (thesis, section 4.2.3).
        """
        newest = max(self.replicas.values(), key=lambda replica: replica.node.commit_index)
        for replica in self.replicas.values():
            believes_to_vote = replica.node.membership.is_voter(replica.replica_id)
            if believes_to_vote and not newest.node.membership.is_member(replica.replica_id):
                replica.is_down = replica.is_retired = True

    def newest_leader(self) -> Node | None:
        """The leader of the highest term, which is the one that counts."""
        leaders = [r.node for r in self.replicas.values() if r.node.role is Role.LEADER]
        return max(leaders, key=lambda node: node.term, default=None)
