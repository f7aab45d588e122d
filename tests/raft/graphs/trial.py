"""One connectivity graph, played: a leader where one can lead and stays (L1), none elsewhere.

Some replica leads or none does, the logs are equal or not, and then links are cut for good. From
there on replicas hear each other only over the links of the graph.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from director.raft.messages import Entry, EntryKind, HardState, ReplicaId
from director.raft.storage import MemoryLog
from tests.raft.cluster import ELECTION_TICKS, Cluster, a_membership
from tests.raft.graphs.shapes import links, two_way

# L1: within three election timeouts, each drawn below twice ``election_ticks``.
SETTLE_TICKS = 3 * 2 * ELECTION_TICKS
NAMES = "abcdefg"


class GraphViolationError(AssertionError):
    """Something that must not happen on this graph happened."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is played. Its text names it: the same text, the same events."""

    count: int
    """How many replicas."""
    graph: int
    """The links that are left, as in ``shapes``."""
    start: int | None
    """Who leads when the links are cut; None if nobody led yet."""
    unequal: bool = False
    """Whether the logs differ when the links are cut."""
    seed: int = 0

    def __str__(self) -> str:
        start = "none" if self.start is None else NAMES[self.start]
        logs = "unequal" if self.unequal else "equal"
        return f"{self.count}-{self.graph:#x}-{start}-{logs}-{self.seed}"

    @classmethod
    def parse(cls, text: str) -> Case:
        """Read what ``str`` wrote.

        Raises:
            ValueError: It is nothing of the kind.
        """
        count, graph, start, logs, seed = text.split("-")
        if logs not in ("equal", "unequal"):
            raise ValueError(f"{logs!r} is neither equal nor unequal")
        case = cls(
            int(count),
            int(graph, 16),
            None if start == "none" else NAMES.index(start),
            logs == "unequal",
            int(seed),
        )
        if not 0 <= case.graph < 1 << len(links(case.count)):
            raise ValueError(f"{graph} is no graph of {count} replicas")
        return case

    def describe(self) -> str:
        """Say which links are left, for people."""
        left = " ".join(
            f"{NAMES[one]}>{NAMES[other]}"
            for bit, (one, other) in enumerate(links(self.count))
            if self.graph >> bit & 1
        )
        return f"{self}: links {left or 'none'}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a case went."""

    leader: ReplicaId | None
    settle_ticks: int
    """When the last leader took or left office, in ticks after the links were cut."""
    heal_ticks: int
    """How long after all links were back everyone agreed again."""
    is_late: bool
    """Whether it took longer than `SETTLE_TICKS`. Timeouts are random, and now and then several
    replicas draw the same ones twice in a row: late by chance is no fault of the graph, always
    late is."""
    terms: int
    """How far the highest term rose between the cut and the last change."""


class Trial:
    """Plays one case. Each step raises GraphViolationError."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.rng = random.Random(f"graph {case}")
        self.ids = tuple(ReplicaId(name) for name in NAMES[: case.count])
        self.leader_by_term: dict[int, ReplicaId] = {}
        self.cluster = self._started()
        self.term_at_cut = 0
        self.written_at_cut = 0
        self.settled_at_tick = 0
        self.is_late = False

    def play(self) -> Outcome:
        """Cut, settle, stay, heal."""
        self._cut()
        self._settle()
        leader = self._the_leader()
        self._stay(leader)
        self._serve(leader)
        terms = self._term() - self.term_at_cut
        return Outcome(leader, self.settled_at_tick, self._heal(), self.is_late, terms)

    def _started(self) -> Cluster:
        case = self.case
        logs = None
        if case.unequal and case.start is None:
            logs = crossed_logs(self.ids, self.rng)
        cluster = Cluster(a_membership(*self.ids), seed=self.rng.getrandbits(32), logs=logs)
        if case.start is None:
            return cluster
        start = self.ids[case.start]
        cluster.elect(start)
        cluster.propose(start, b"before")
        if case.unequal:
            # Some hear of the newest entries, some do not, some only of the first of them.
            for _ in range(2):
                others = [each for each in self.ids if each != start]
                missed = self.rng.sample(others, self.rng.randint(0, len(others)))
                cluster.cut(*((start, each) for each in missed))
                cluster.propose(start, b"newest")
        return cluster

    def _cut(self) -> None:
        self.term_at_cut = self._term()
        # What lies below may have been answered for already, by some before the cut.
        self.written_at_cut = max(
            (self.cluster.node(leader).last_index for leader in self.cluster.leaders()),
            default=self._commit(),
        )
        self.cluster.cut_links = {
            (self.ids[one], self.ids[other])
            for bit, (one, other) in enumerate(links(self.case.count))
            if not self.case.graph >> bit & 1
        }
        # Whoever led goes on as if nothing were the matter.
        for leader in self.cluster.leaders():
            self.cluster.propose(leader, b"after the cut")

    def _settle(self) -> None:
        leaders = self.cluster.leaders()
        for tick in range(1, 2 * SETTLE_TICKS + 1):
            self._tick()
            if self.cluster.leaders() != leaders:
                leaders = self.cluster.leaders()
                self.settled_at_tick = tick
            if tick == SETTLE_TICKS:
                self.is_late = not leaders and bool(self._able())
                if not self.is_late:
                    return

    def _the_leader(self) -> ReplicaId | None:
        leaders = self.cluster.leaders()
        able = self._able()
        self._check(len(leaders) <= 1, f"{leaders} all lead")
        if not able:
            self._check(not leaders, f"{leaders} leads and cannot be heard by a majority")
            self._check(
                self.settled_at_tick <= ELECTION_TICKS,
                f"somebody led until tick {self.settled_at_tick}, beyond check-quorum",
            )
            return None
        self._check(bool(leaders), f"nobody leads after {2 * SETTLE_TICKS} ticks; {able} could")
        self._check(leaders[0] in able, f"{leaders} leads, {able} could")
        return leaders[0]

    def _stay(self, leader: ReplicaId | None) -> None:
        expected, term = self.cluster.leaders(), self._term()
        for tick in range(1, SETTLE_TICKS + 1):
            self._tick()
            leaders = self.cluster.leaders()
            self._check(leaders == expected, f"{tick} ticks later {leaders} leads, not {leader}")
            self._check(self._term() == term, f"{tick} ticks later the term rose from {term}")

    def _serve(self, leader: ReplicaId | None) -> None:
        """Commit where one leads. Elsewhere nothing written since the cut is committed."""
        if leader is None:
            commit = self._commit()
            self._check(
                commit <= self.written_at_cut, f"{commit} was written since and is committed"
            )
            return
        index, _ = self.cluster.node(leader).propose(b"served")
        self.cluster.settle()
        commit = self.cluster.node(leader).commit_index
        self._check(commit == index, f"{leader} leads and committed {commit}, not {index}")

    def _heal(self) -> int:
        """With all links back everyone comes to one log again (L3)."""
        self.cluster.heal()
        for tick in range(1, SETTLE_TICKS + 1):
            self._tick()
            nodes = [replica.node for replica in self.cluster.up()]
            if len(self.cluster.leaders()) == 1 and all(
                node.commit_index == nodes[0].last_index == node.last_index for node in nodes
            ):
                logs = {replica.log.entries(1, 1 << 30, 1 << 30) for replica in self.cluster.up()}
                self._check(len(logs) == 1, "the logs differ after healing")
                return tick
        raise self._violation(f"not healed after {SETTLE_TICKS} ticks")

    def _tick(self) -> None:
        self.cluster.tick()
        for leader in self.cluster.leaders():
            term = self.cluster.node(leader).term
            other = self.leader_by_term.setdefault(term, leader)
            self._check(other == leader, f"{other} and {leader} lead term {term}")

    def _able(self) -> list[ReplicaId]:
        """Who can lead: both ways with a majority whose logs are no newer than the own."""
        logs = [self._log_end(replica_id) for replica_id in self.ids]
        quorum = self.case.count // 2 + 1
        return [
            self.ids[one]
            for one, others in enumerate(two_way(self.case.count, self.case.graph))
            if 1 + sum(logs[other] <= logs[one] for other in others) >= quorum
        ]

    def _log_end(self, replica_id: ReplicaId) -> tuple[int, int]:
        log = self.cluster[replica_id].log
        return log.term_at(log.last_index()) or 0, log.last_index()

    def _term(self) -> int:
        return max(replica.node.term for replica in self.cluster.up())

    def _commit(self) -> int:
        return max(replica.node.commit_index for replica in self.cluster.up())

    def _check(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise self._violation(otherwise)

    def _violation(self, what: str) -> GraphViolationError:
        nodes = "; ".join(
            f"{replica.replica_id} {replica.node.role} in term {replica.node.term}, "
            f"log ends {self._log_end(replica.replica_id)}"
            for replica in self.cluster.up()
        )
        return GraphViolationError(f"{self.case.describe()}: {what} ({nodes})")


def play(case: Case) -> Outcome:
    """Play ``case``, or raise GraphViolationError."""
    return Trial(case).play()


def crossed_logs(ids: tuple[ReplicaId, ...], rng: random.Random) -> dict[ReplicaId, MemoryLog]:
    """Return logs as a few short terms leave them, each of which reached only some replicas.

    A leader wins a vote it deserves, writes, and copies a part of its log to some: as in figure 8
    of the Raft paper. So every pair of logs that Raft allows can come up, and no other.
    """
    terms_by_id: dict[ReplicaId, list[int]] = {replica_id: [] for replica_id in ids}
    hard_state_by_id = {replica_id: HardState() for replica_id in ids}
    quorum = len(ids) // 2 + 1
    for term in range(1, rng.randint(2, 4)):
        leader, voters = _an_election(terms_by_id, quorum, rng)
        for voter in voters:
            hard_state_by_id[voter] = HardState(term=term, vote=leader)
        log = terms_by_id[leader]
        log += [term] * rng.randint(1, 2)
        for replica_id in rng.sample(ids, rng.randint(0, len(ids))):
            _copy(log, rng.randint(1, len(log)), terms_by_id[replica_id])
            if hard_state_by_id[replica_id].term < term:
                hard_state_by_id[replica_id] = HardState(term=term)
    logs = {}
    for replica_id, terms in terms_by_id.items():
        logs[replica_id] = MemoryLog(a_membership(*ids))
        # The payload names who wrote it, so that logs that differ are seen to.
        logs[replica_id].append(
            [Entry(at, term, EntryKind.NORMAL, b"%d" % term) for at, term in enumerate(terms, 1)]
        )
        logs[replica_id].set_hard_state(hard_state_by_id[replica_id])
    return logs


def _an_election(
    terms_by_id: dict[ReplicaId, list[int]], quorum: int, rng: random.Random
) -> tuple[ReplicaId, list[ReplicaId]]:
    ends = {each: (terms[-1] if terms else 0, len(terms)) for each, terms in terms_by_id.items()}
    electorates = {
        each: [voter for voter in ends if ends[voter] <= ends[each] and voter != each]
        for each in ends
    }
    leader = rng.choice([each for each, voters in electorates.items() if len(voters) + 1 >= quorum])
    return leader, [leader, *rng.sample(electorates[leader], quorum - 1)]


def _copy(log: list[int], length: int, into: list[int]) -> None:
    """Do to ``into`` what an APPEND of the first ``length`` entries of ``log`` does."""
    for at in range(length):
        if at == len(into):
            into.append(log[at])
        elif into[at] != log[at]:
            into[at:] = [log[at]]
