"""Directors that are away for long, or that forgot what they knew (faults 2, 25, 26, 33)."""

from tests.sim.scenarios.named import Named

_HOUR_MS = 3_600_000
_LEASE_MS = 4_000


class QuorumLost(Named):
    """Fault 33: the quorum of directors is lost for long.

    Routes stand still, writes end with the lease, nothing is decided; nothing is forgotten either.
    """

    LOST_MS = 120_000

    def play(self) -> None:
        """End all directors but one, and compare hour for hour."""
        home, epoch = self.home, self.epoch
        survivor = self.rng.choice(list(self.cluster.replicas.values()))
        for replica in self.cluster.replicas.values():
            if replica is not survivor:
                replica.kill()
        self.world.coverage.hit(33, f"{self.LOST_MS / _HOUR_MS:g} h")
        self.advance(2 * _LEASE_MS)
        state = survivor.director.state
        end_ms = self.world.now_ms + self.LOST_MS
        while self.world.now_ms < end_ms:
            self.advance(min(60_000, end_ms - self.world.now_ms))
            assert self.open_gates() == [], "a lease outlived the quorum"
            assert survivor.director.state is state, "something was decided without a quorum"
            assert not survivor.leads
            owner = self.world.watch.routes.owner_by_replica[survivor.replica_id]
            assert owner == home, "static routes changed"
        for replica in self.cluster.replicas.values():
            if not replica.process.is_up:
                replica.start()
        self.until_settled(60_000, "after the quorum is back")
        assert self.epoch >= epoch


class QuorumLostADay(QuorumLost):
    """The same for 24 hours: minutes of work, so only long runs play it."""

    LOST_MS = 24 * _HOUR_MS
