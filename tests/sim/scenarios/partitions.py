"""Links that are cut, one way or both, for long or again and again (faults 5 to 11).

"Links of directors" are those of the planes RAFT and RELAY; a cut host loses every plane.
"""

import random
from dataclasses import replace
from itertools import combinations, permutations

from tests.sim.network import ALL_PLANES, Plane
from tests.sim.options import Options
from tests.sim.raft_driver import ELECTION_TICKS, TICK_MS
from tests.sim.replica import Replica
from tests.sim.scenarios.named import FAILOVER_MS_MAX, Named

_BETWEEN_DIRECTORS = (Plane.RAFT, Plane.RELAY)
_CUT_MS = 15_000
# L1: a leader within three election timeouts; one of them is drawn up to twice its length.
_ELECTED_MS_MAX = 3 * 2 * ELECTION_TICKS * TICK_MS
# Keepalives of eight seconds, and an agent's back-off of five, before everybody is connected anew.
_RECONNECTED_MS = 15_000


def quorum_of(replicas: list[Replica]) -> int:
    """How many directors decide."""
    return len(replicas) // 2 + 1


class Split(Named):
    """Fault 5: the machines fall into two parts. The part with most directors acts.

    ``seed`` numbers the splits: 63 of three directors and four regions in a row see them all.
    """

    def play(self) -> None:
        """Split them, see who acts, and have them join again."""
        hosts = list(self.cluster.hosts)
        number = 1 + self.options.seed % (2 ** (len(hosts) - 1) - 1)
        side = {host for bit, host in enumerate(hosts) if number >> bit & 1}
        with_quorum = self._majority_side(side)
        source = self.home
        self.isolate("split", side)
        self.world.coverage.hit(5, f"{min(len(side), len(hosts) - len(side))} machines apart")
        self.advance(FAILOVER_MS_MAX)
        regions = [name for name in self.cluster.regions if name in with_quorum]
        open_at = self.open_gates()
        assert set(open_at) <= set(regions), f"{open_at} may write without a quorum in {regions}"
        if source in with_quorum:
            assert self.home == source, f"{source} has the quorum and was replaced"
            assert not self.automatic_runs()
        elif regions:
            assert self.home in regions, f"{regions} have the quorum, and {self.home} owns"
            assert self.is_serving()

    def _majority_side(self, side: set[str]) -> set[str]:
        replicas = list(self.cluster.replicas.values())
        inside = sum(each.process.host in side for each in replicas)
        if inside >= quorum_of(replicas):
            return side
        return {host for host in self.cluster.hosts if host not in side}


class OneWayLink(Named):
    """Fault 6: one machine no longer hears another one. ``seed`` numbers the 42 ordered pairs."""

    def play(self) -> None:
        """Cut one direction of one link: somebody goes on serving, and leaders do not alternate."""
        pairs = list(permutations(self.cluster.hosts, 2))
        pair = pairs[self.options.seed % len(pairs)]
        terms = len(self.world.watch.leaders.leader_by_term)
        self.world.network.cut("link", [pair], ALL_PLANES)
        self.world.network.watch_blocked()
        self.world.coverage.hit(6, _kinds(pair))
        self.advance(_ELECTED_MS_MAX)
        settled = len(self.world.watch.leaders.leader_by_term)
        assert settled <= terms + 2, f"{settled - terms} terms for one link"
        self.until(self.is_serving, FAILOVER_MS_MAX, f"{pair[0]} to {pair[1]} is cut: who serves?")
        self.advance(_RECONNECTED_MS)
        # An owner that does not reach the leader makes it hand its office over, once.
        handed = len(self.world.watch.leaders.leader_by_term) - settled
        assert handed <= 1, f"the leader alternates: {handed} terms more"
        assert self.is_serving(), "one link is cut, and the service stops"


class PartialPartition(Named):
    """Fault 7: two directors do not hear each other, the third hears both: one stable leader."""

    def play(self) -> None:
        """Cut each pair in turn."""
        replicas = list(self.cluster.replicas.values())
        for one, other in combinations(replicas, 2):
            hosts = (one.process.host, other.process.host)
            self.world.network.cut("pair", [hosts, hosts[::-1]], _BETWEEN_DIRECTORS)
            self.world.network.watch_blocked()
            role = "leader and follower" if one.leads or other.leads else "followers"
            self.world.coverage.hit(7, role)
            self.advance(_ELECTED_MS_MAX)
            terms = [each.raft.node.term for each in replicas]
            leaders = [each.replica_id for each in replicas if each.leads]
            assert len(leaders) == 1, f"{leaders} lead while {hosts} are cut"
            self.advance_calmly(_CUT_MS)
            assert [each.raft.node.term for each in replicas] == terms, "terms go up for nothing"
            self.world.network.mend("pair")
            self.until_settled(20_000, "after a pair of directors was joined again")


class LeaderReachesOne(Named):
    """Fault 8: the leader's word reaches exactly one follower and no answer reaches it.

    The follower that hears it must not be kept from electing another for longer than a check of
    the quorum takes.
    """

    def play(self) -> None:
        """Cut everything at the leader but its word to one follower."""
        leader = self.leader
        others = [each for each in self.cluster.replicas.values() if each is not leader]
        hears = self.rng.choice(others)
        pairs = [(each.process.host, leader.process.host) for each in others]
        pairs += [(leader.process.host, each.process.host) for each in others if each is not hears]
        self.world.network.cut("leader", pairs, _BETWEEN_DIRECTORS)
        self.world.network.watch_blocked()
        self.world.coverage.hit(8, "leader")
        self.advance(_ELECTED_MS_MAX)
        now = self.leader
        assert now is not leader, f"{leader.replica_id} hears nobody and leads"
        assert not leader.leads
        term = now.raft.node.term
        self.until(self.is_serving, FAILOVER_MS_MAX, "a new leader and no owner at work")
        self.advance(_CUT_MS)
        assert self.leader is now
        assert now.raft.node.term == term, "the leader alternates"


class MinorityWithHome(Named):
    """Fault 9: a director is isolated together with the active region.

    The isolated side stops with the lease; the others wait for it, then promote. Odd seeds isolate
    the leader, even ones a follower.
    """

    def play(self) -> None:
        """Bring owner and director together, isolate them, and look at both sides."""
        wants_leader = bool(self.options.seed % 2)
        director = next(
            each
            for each in sorted(self.cluster.replicas.values(), key=lambda each: each.replica_id)
            if each.leads is wants_leader
        )
        source = self._region_of(director)
        self.make_home(source)
        wants_leader = director.leads
        self.isolate("minority", {director.process.host, source})
        role = "leader" if wants_leader else "follower"
        self.world.coverage.hit(9, role)
        run = self.until_moved_from(source)
        assert run.target != source
        assert not director.leads, "a leader without a quorum"
        self.advance(5_000)
        assert self.open_gates() == [self.home]

    def _region_of(self, director: Replica) -> str:
        return next(
            name for name in self.cluster.regions if self.cluster.director_in(name) is director
        )


class FlappingLink(Named):
    """Fault 10: the active region's links come and go every 1 to 30 s: no two moves per cooldown.

    The region may have moved by then; the links of the first one go on flapping.
    """

    COOLDOWN_MS = 60_000

    @classmethod
    def tamed(cls, options: Options) -> Options:
        """A cooldown long enough to see."""
        return replace(Named.tamed(options), cooldown_ms=cls.COOLDOWN_MS)

    def play(self) -> None:
        """Let them flap for four minutes, and compare the moves with the cooldown."""
        victim = self.home
        is_one_way = self.rng.random() < 0.3
        end_ms = self.world.now_ms + 240_000
        while self.world.now_ms < end_ms:
            self.cluster.cut("flap", {victim}, ALL_PLANES, outward=True, inward=not is_one_way)
            self.world.coverage.hit(10, "active region")
            self.advance(self.rng.randint(1_000, 30_000))
            self.world.network.mend("flap")
            self.advance(self.rng.randint(1_000, 30_000))
        settled_at_ms = [run.stage_at_ms for run in self.failovers() if run.automatic]
        began_at_ms = [run.started_at_ms for run in self.failovers() if run.automatic]
        for ended_ms, next_ms in zip(settled_at_ms, began_at_ms[1:], strict=False):
            assert next_ms >= ended_ms + self.COOLDOWN_MS, "a second move within the cooldown"


class BadNetwork(Named):
    """Fault 11: packets are lost, late, overtaken and doubled. Slower, never wrong.

    Up to 5 % of loss nothing moves; at 20 % a lost region is still replaced.
    """

    @classmethod
    def tamed(cls, options: Options) -> Options:
        """1, 5 or 20 % of loss by the seed; up to 250 ms one way."""
        rng = random.Random(f"bad network {options.seed}")
        loss = (0.01, 0.05, 0.20)[options.seed % 3]
        return replace(
            Named.tamed(options),
            loss=loss,
            base_delay_ms=rng.choice([1, 20]),
            jitter_ms=rng.choice([0, 30, 60]),
            duplicated=0.05,
            reordered=0.05,
        )

    def play(self) -> None:
        """Nothing fails for a minute and a half; then the active region is lost."""
        loss = self.options.loss
        self.world.coverage.hit(11, f"{loss:.0%} lost")
        runs = len(self.moves())
        self.advance(90_000)
        if loss <= 0.05:
            assert len(self.moves()) == runs, f"a lost packet began {self.moves()[-1]}"
        self.until(self.is_serving, 30_000, "the owner serves on a bad network")
        self.advance(self.options.cooldown_ms)
        source = self.home
        self.darken_region(source)
        self.until_moved_from(source, 2 * FAILOVER_MS_MAX)


class DirectorGraph(Named):
    """L1: for every graph of one-way links between three directors, while the region is lost.

    If some director has two-way links to a majority there is a leader within three election
    timeouts, it stays, and the region is replaced. ``seed`` numbers the 64 labelled graphs; they
    are the 16 shapes with every placement of the leader.
    """

    GRAPHS = 64

    @classmethod
    def tamed(cls, options: Options) -> Options:
        """The owner is where no director is, so that the graph alone decides."""
        free = [
            name
            for name in options.regions
            if name not in {region for _, region in options.directors}
        ]
        return replace(Named.tamed(options), first_home=free[0], base_delay_ms=1, jitter_ms=5)

    def play(self) -> None:
        """Cut the links that the graph lacks, lose the region, and see who leads."""
        replicas = list(self.cluster.replicas.values())
        hosts = [each.process.host for each in replicas]
        number = self.options.seed % self.GRAPHS
        links = [pair for bit, pair in enumerate(permutations(hosts, 2)) if number >> bit & 1]
        cut = [pair for pair in permutations(hosts, 2) if pair not in links]
        source = self.home
        self.world.network.cut("graph", cut, _BETWEEN_DIRECTORS)
        self.world.network.watch_blocked()
        self.darken_region(source)
        self.world.coverage.hit(6, f"{len(links)} of 6 links between directors")
        centre = [
            host
            for host in hosts
            if 1 + sum({(host, each), (each, host)} <= set(links) for each in hosts) >= 2
        ]
        if not centre:
            self._nobody_acts(source)
            return
        self.advance(_ELECTED_MS_MAX)
        leader = self.leader
        assert leader.process.host in centre, f"{leader.replica_id} leads and hears no majority"
        self.until_moved_from(source)
        terms = len(self.world.watch.leaders.leader_by_term)
        self.advance(_CUT_MS)
        assert len(self.world.watch.leaders.leader_by_term) == terms, "the leader alternates"

    def _nobody_acts(self, source: str) -> None:
        self.advance(4_000)
        index = self.cluster.newest().director.state.applied_index
        self.advance(FAILOVER_MS_MAX)
        assert self.home == source, "somebody decided without a majority"
        assert self.cluster.newest().director.state.applied_index == index
        assert self.open_gates() == []


def _kinds(pair: tuple[str, str]) -> str:
    return " to ".join("director" if "/" in host else "region" for host in pair)
