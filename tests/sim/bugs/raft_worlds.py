"""The worlds in which the consensus algorithm's bugs are played."""

import random
from collections import deque
from dataclasses import replace
from itertools import permutations

from director.raft.errors import ProposalRefusedError
from director.raft.membership import AddLearner, Promote, Remove
from director.raft.messages import Entry, Message, ReplicaId
from director.raft.node import Node, Role
from tests.raft.cluster import ELECTION_TICKS, A, B, C, Cluster, D, E, a_membership
from tests.raft.network import Faults, World
from tests.sim.bugs.bug import Arena

STEPS = 1_500
SETTLE_TICKS = 3 * 2 * ELECTION_TICKS
_TURNS = 60


def hostile(seeds_in_check: int = 40, **faults: object) -> Arena:
    """The hostile world of tests/raft, with some of its rates fixed."""

    def play(seed: int) -> None:
        drawn = Faults.draw(random.Random(f"faults {seed}")) if faults else None
        chosen = None if drawn is None else replace(drawn, **faults)  # type: ignore[arg-type]
        world = World(seed, chosen)
        world.run(STEPS)
        world.recover()

    return Arena("raft: hostile", play, seeds_in_check)


def linked() -> Arena:
    """Three replicas, some of whose links are cut one way for good (L1, A8)."""
    return Arena("raft: links", _play_links, 40)


def _play_links(seed: int) -> None:
    rng = random.Random(f"links {seed}")
    links = list(permutations((A, B, C), 2))
    share = rng.choice((0.2, 0.35, 0.5))
    cut = frozenset(each for each in links if rng.random() < share)
    cluster = Cluster(a_membership(A, B, C), seed=seed)
    start = rng.choice((None, A, B, C))
    if start is not None:
        cluster.elect(start)
    cluster.cut(*cut)
    cluster.tick(SETTLE_TICKS)
    leaders, term = cluster.leaders(), _term(cluster)
    _check_leaders(leaders, cut)
    _check_kept(leaders, start, cut)
    cluster.tick(SETTLE_TICKS)
    _check_stable(cluster, leaders, term)


def _term(cluster: Cluster) -> int:
    return max(replica.node.term for replica in cluster.up())


def _check_leaders(leaders: list[ReplicaId], cut: frozenset[tuple[ReplicaId, ReplicaId]]) -> None:
    pairs = [(one, other) for one, other in permutations((A, B, C), 2) if one < other]
    can_be_led = any(pair not in cut and pair[::-1] not in cut for pair in pairs)
    wanted = 1 if can_be_led else 0
    assert len(leaders) == wanted, f"{leaders} lead where {wanted} can, without {sorted(cut)}"


def _check_kept(
    leaders: list[ReplicaId],
    start: ReplicaId | None,
    cut: frozenset[tuple[ReplicaId, ReplicaId]],
) -> None:
    hears = [each for each in (A, B, C) if not {(start, each), (each, start)} & cut]
    if start is not None and len(hears) >= 2:
        assert leaders == [start], f"{start} still had its quorum, and now {leaders} lead"


def _check_stable(cluster: Cluster, leaders: list[ReplicaId], term: int) -> None:
    assert cluster.leaders() == leaders, f"{leaders} led, now {cluster.leaders()} do"
    assert _term(cluster) == term, f"nothing changed, and term {term} became {_term(cluster)}"


def in_turns(*, changes: bool = False) -> Arena:
    """Five replicas lead in turns, each reaching only some others (Raft paper, figure 8).

    Args:
        changes: The leaders also change the membership.
    """
    return Arena("raft: turns", lambda seed: _Turns(seed, changes=changes).play(), 60)


class _Turns:
    """Replicas that are made leaders one after the other, and cut short at any message.

    Checks that what was applied anywhere is what is applied everywhere.
    """

    def __init__(self, seed: int, *, changes: bool) -> None:
        self.rng = random.Random(f"turns {seed}")
        self.changes = changes
        self.applied: dict[int, Entry] = {}
        self.in_flight: deque[Message] = deque()
        voters = (A, B, C, D) if changes else (A, B, C, D, E)
        # Leases would keep leaders where they are. One entry per message, so that a leader can be
        # cut off between any two of them.
        self.cluster = Cluster(
            a_membership(*voters),
            seed=seed,
            pre_vote=False,
            check_quorum=False,
            append_bytes_max=1,
            inflight_count_max=1,
        )
        if changes:
            self.cluster.elect(A)
            self.cluster.join(E)
            self.cluster.node(A).propose_membership(AddLearner(E))
            self.cluster.tick(2)

    def play(self) -> None:
        members = (A, B, C, D, E)
        for _ in range(_TURNS):
            candidate = self.rng.choice(members)
            others = [each for each in members if each != candidate]
            reached = self.rng.sample(others, 2)
            self._take_turn(candidate, {candidate, *reached})
            self._check()

    def _take_turn(self, candidate: ReplicaId, side: set[ReplicaId]) -> None:
        node, rng = self.cluster.node(candidate), self.rng
        self.in_flight.clear()
        for _ in range(2 * ELECTION_TICKS):
            if node.role is not Role.LEADER:
                self.cluster._pass_tick(node)
            while node.role is not Role.LEADER and self._deliver_one(side):
                pass
        if node.role is not Role.LEADER:
            return
        for _ in range(rng.randint(0, 5)):
            self._deliver_one(side)
        if rng.random() < (0.8 if self.changes else 0.3):
            self._change(node)
        for _ in range(rng.randint(0, 6)):
            self._deliver_one(side)

    def _change(self, node: Node) -> None:
        rng = self.rng
        try:
            if self.changes and rng.random() < 0.8:
                change = rng.choice((Promote(E), Remove(rng.choice((A, B, C, D)))))
                node.propose_membership(change)
            else:
                node.propose(b"%d" % rng.randint(0, 99))
        except ProposalRefusedError:
            return

    def _deliver_one(self, side: set[ReplicaId]) -> bool:
        """Deliver the oldest message between those of one side. All others are lost."""
        replicas = self.cluster.replicas
        sent = [message for each in replicas.values() for message in each.pump()]
        self.in_flight += (each for each in sent if {each.sender, each.recipient} <= side)
        if not self.in_flight:
            return False
        message = self.in_flight.popleft()
        replicas[message.recipient].node.step(message)
        return True

    def _check(self) -> None:
        for replica in self.cluster.up():
            for entry in replica.applied:
                known = self.applied.setdefault(entry.index, entry)
                assert known == entry, (
                    f"{replica.replica_id} applied {entry} at {entry.index}, others {known}"
                )
