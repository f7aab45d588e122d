"""The leader has its quorum, and it and agents do not hear each other: another one gets its office.

Both ways, or one way: the bound for a gate is the same (fault 6).
"""

from itertools import product

from tests.sim.network import ALL_PLANES, Plane
from tests.sim.replica import Replica
from tests.sim.scenarios.named import Named

LOOK_MS = 20
# A cut link is noticed within a suspicion and two ticks; an election and a lease request follow.
# The lease is good for 2.6 s at least from any moment on.
CLOSED_MS_MAX = 1_500
CUT_MS = 20_000


class UnheardLeader(Named):
    """Fault 7: the streams between agents and the leader are cut; directors hear each other.

    ``seed`` says which agents: all of them, or those of the owner alone.
    """

    closed_ms = 0
    """For how long in a row no gate was open, at most."""

    def play(self) -> None:
        """Cut the agents off from the leader, and see the owner go on."""
        owner, leader = self.home, self.leader
        only_owner = self.options.seed % 2 == 1
        sides = [owner] if only_owner else list(self.cluster.regions)
        pairs = [*product(sides, [leader.process.host]), *product([leader.process.host], sides)]
        self.world.network.cut("agents", pairs, (Plane.AGENTS,))
        self.world.network.watch_blocked()
        self.world.coverage.hit(7, "agents and leader")
        self.expect_another(leader, owner)

    def expect_another(self, leader: Replica, owner: str) -> None:
        """Somebody else leads, the owner stays, and its gate is not closed for long."""
        self._watch_gates(CUT_MS)
        assert self.leader is not leader, f"{leader.replica_id} keeps its office unheard"
        assert self.home == owner, f"{owner} was well, and {self.home} owns"
        assert not self.moves(), "nothing had to move"
        assert self.is_serving()
        assert self.closed_ms <= CLOSED_MS_MAX, f"gates were closed for {self.closed_ms} ms"

    def _watch_gates(self, ms: int) -> None:
        closed_ms = 0
        for _ in range(ms // LOOK_MS):
            self.advance(LOOK_MS)
            closed_ms = 0 if self.open_gates() else closed_ms + LOOK_MS
            self.closed_ms = max(self.closed_ms, closed_ms)


class MuteLeader(UnheardLeader):
    """Fault 6: the owner's machine hears nothing from the leader's, which hears the owner's agent.

    ``seed`` says whether one follower's words are lost to the owner as well.
    """

    def play(self) -> None:
        """Cut the way to the owner, and see it go on."""
        owner, leader = self.home, self.leader
        hosts = [leader.process.host]
        if self.options.seed % 2 == 1:
            others = [each for each in self.cluster.replicas.values() if each is not leader]
            hosts.append(self.rng.choice(others).process.host)
        terms = len(self.world.watch.leaders.leader_by_term)
        self.world.network.cut("words", product(hosts, [owner]), ALL_PLANES)
        self.world.network.watch_blocked()
        self.world.coverage.hit(6, "director to owner")
        self.expect_another(leader, owner)
        assert self.leader.process.host not in hosts, "its words do not reach the owner either"
        handed = len(self.world.watch.leaders.leader_by_term) - terms
        assert handed == 1, f"the office is handed over once, not {handed} times"
