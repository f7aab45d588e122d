"""Whole simulated fleets, with options narrowed so that a bug can show."""

from dataclasses import fields, replace

from tests.sim.bugs.bug import Arena
from tests.sim.network import Plane
from tests.sim.options import Options
from tests.sim.scenarios.leader_lost import LeaderLostDuringFailover
from tests.sim.scenarios.named import Named
from tests.sim.scenarios.story import SETTLE_MS_MAX, Outcome, Story

_NEVER_MS = 10**9
# What was proved just before still buys one renewal: the age of a proof, a lease, and clocks that
# differ by a hundredth.
_LEASE_AND_PROOF_MS = 7_000


def leader_lost(seeds_in_check: int = 15, **under: object) -> Arena:
    """The leader is lost while the active region is moved away from."""
    known = {each.name for each in fields(Options)}
    assert under.keys() <= known, f"there is no option {sorted(under.keys() - known)}"

    def play(seed: int) -> None:
        options = replace(Options.draw(seed), **under)  # type: ignore[arg-type]
        LeaderLostDuringFailover(options).run()

    return Arena("fleet: leader lost", play, seeds_in_check)


def told(story: type[Named], seeds_in_check: int = 5) -> Arena:
    """A story by its name."""

    def play(seed: int) -> None:
        story(Options.draw(seed)).run()

    return Arena(f"fleet: {story.__name__}", play, seeds_in_check)


class StaleDirector(Named):
    """A3: an agent that restarts beside a director that is behind keeps the token it knew."""

    def play(self) -> None:
        """Let a follower miss a move, and restart the agents that it still speaks with."""
        leader = self.cluster.leader()
        followers = [each for each in self.cluster.replicas.values() if each is not leader]
        behind = self.rng.choice(sorted(followers, key=lambda each: each.replica_id))
        host = behind.process.host
        others = [each for each in self.cluster.hosts if each != host]
        pairs = [*((host, each) for each in others), *((each, host) for each in others)]
        self.world.network.cut("behind", pairs, (Plane.RAFT,))
        homes = [name for name in sorted(self.cluster.regions) if name != self.home]
        target = self.rng.choice(homes)
        answer = self.operator.switch_over("move it", target)
        assert answer is not None, "a leader with its quorum answers"
        assert answer.is_done, answer.message
        self.until(lambda: self.home == target, 20_000, f"the switchover to {target}")
        for name in sorted(self.cluster.regions):
            self.cluster.regions[name].kill()
            self.cluster.regions[name].start()
        self.advance(3_000)
        self.world.network.mend("behind")


def hung_disk() -> Arena:
    """The disk of the active region's agent takes nothing any more."""

    def play(seed: int) -> None:
        HungDisk(Options.draw(seed)).run()

    return Arena("fleet: hung disk", play, 5)


class HungDisk(Story):
    """A6: without a write that reached the disk no lease is renewed, and the service moves."""

    def run(self) -> Outcome:
        """Play it."""
        self.cluster.start()
        self.until_settled(SETTLE_MS_MAX, "at the start")
        self.advance(self.options.calm_ms)
        home = self.cluster.home()
        assert home is not None, "a settled fleet has an owner"
        agent = self.cluster.regions[home]
        # It hangs, and does not fail: nothing that was begun ever ends.
        agent._disk_ms = lambda: _NEVER_MS  # type: ignore[method-assign]
        self.advance(_LEASE_AND_PROOF_MS)
        assert not agent.check().may_write, (
            f"the gate of {home} is open {_LEASE_AND_PROOF_MS} ms after its disk hung"
        )
        return self.outcome
