"""Regions that are lost, sick for some, or too far behind to take over (faults 27, 28, 31 - 34)."""

from dataclasses import replace
from itertools import pairwise

from director.core.commands import StageName
from director.core.reasons import Reason
from director.core.state import Run
from director.routing.table import Verdict
from tests.sim.network import Plane
from tests.sim.options import Options
from tests.sim.scenarios.named import FAILOVER_MS_MAX, Named

# Fault 27 of the catalogue.
_GRAY_MS_MAX = 15_000


class RegionLost(Named):
    """Fault 31: the whole active region is lost, with its director if it has one."""

    def play(self) -> None:
        """It is gone for good; another one serves within the RTO, and says what that cost."""
        source = self.home
        lost_at_ms = self.world.now_ms
        self.darken_region(source)
        director = self.cluster.director_in(source)
        if director is not None:
            self.world.network.darken(director.process.host)
            director.kill()
        self.world.coverage.hit(31, "with a director" if director else "without a director")
        run = self.until_moved_from(source)
        rto_ms = self.state.topology.services[0].rto_ms
        assert self.world.now_ms - lost_at_ms <= min(rto_ms, FAILOVER_MS_MAX)
        self.until(lambda: self._run(run.run_id).stage is StageName.SETTLED, 10_000, "it settles")
        run = self._run(run.run_id)
        assert run.measured_rto_ms is not None
        assert run.measured_rto_ms <= rto_ms
        assert run.loss_bound_ms is not None
        assert run.rpo_ms is not None
        assert run.loss_bound_ms <= run.rpo_ms

    def _run(self, run_id: str) -> Run:
        return next(run for run in self.moves() if run.run_id == run_id)


class GrayRegion(Named):
    """Fault 27: the agent finds its service well, everybody else finds it failing."""

    def play(self) -> None:
        """Peers overrule the region's own word within 15 s."""
        source = self.home
        self.cluster.cut("gray", {source}, (Plane.SERVICE,), outward=False, inward=True)
        self.world.coverage.hit(27, "peers fail, agent is well")
        self.until_moved_from(source, _GRAY_MS_MAX)
        assert self.verdict(source) is Verdict.DOWN


class ServiceFails(Named):
    """Fault 27: the service answers with errors while its region is well otherwise."""

    def play(self) -> None:
        """The region's own probe says so; it is replaced within 15 s."""
        source = self.home
        self.cluster.regions[source].service.is_healthy = False
        self.world.coverage.hit(27, "service fails")
        self.until_moved_from(source, _GRAY_MS_MAX)


class SlowShare(Named):
    """Fault 28: 30 % of the requests of a service take ten times as long.

    A part of the probes misses its deadline, so the active region may be replaced by one that is
    quick: once per cooldown. With all regions slow nobody throws all of them out (R3), and the
    routes always name one that serves.
    """

    COOLDOWN_MS = 60_000

    @classmethod
    def tamed(cls, options: Options) -> Options:
        """A cooldown long enough to see."""
        return replace(Named.tamed(options), cooldown_ms=cls.COOLDOWN_MS)

    def play(self) -> None:
        """Slow the active region for a minute, then all regions."""
        services = {name: region.service for name, region in self.cluster.regions.items()}
        services[self.home].slow_share = 0.3
        self.world.coverage.hit(28, "active region")
        self._watch_for(60_000)
        for service in services.values():
            service.slow_share = 0.3
        self.world.coverage.hit(28, "all regions")
        self._watch_for(60_000)
        for service in services.values():
            service.slow_share = 0.0
        moves = self.failovers()
        for one, following in pairwise(moves):
            left_ms = one.stage_at_ms + self.COOLDOWN_MS - following.started_at_ms
            assert left_ms <= 0, f"{following.run_id} began {left_ms} ms before the cooldown ended"

    def _watch_for(self, ms: int) -> None:
        end_ms = self.world.now_ms + ms
        while self.world.now_ms < end_ms:
            self.advance(500)
            down = [name for name in self.cluster.regions if self.verdict(name) is Verdict.DOWN]
            assert len(down) < len(self.cluster.regions), "slow answers took every region out"
            owners = set(self.world.watch.routes.owner_by_replica.values())
            assert owners <= set(self.cluster.regions)
            assert owners, "the routes name nobody"


class AllUnhealthy(Named):
    """Fault 32: the service fails in all regions at once: freeze, and keep the owner (R1, R4)."""

    def play(self) -> None:
        """Nobody is promoted to serve errors; routes keep the owner; all is well when it is."""
        home = self.home
        services = [region.service for region in self.cluster.regions.values()]
        for service in services:
            service.is_healthy = False
        self.world.coverage.hit(32, "service")
        end_ms = self.world.now_ms + 30_000
        while self.world.now_ms < end_ms:
            self.advance(500)
            owners = set(self.world.watch.routes.owner_by_replica.values())
            assert owners == {home}, f"routes point at {owners}; {home} is as good as any"
        assert self.home == home
        assert not self.failovers()
        for service in services:
            service.is_healthy = True
        self.until_settled(45_000, "after all regions recovered")


class OverRpo(Named):
    """Fault 34: nobody is within the RPO: blocked with a reason, until a person names the loss.

    The RPO is shorter than a lease, so no silence can be bounded tightly enough.
    """

    @staticmethod
    def tamed(options: Options) -> Options:
        """One second of loss at most."""
        return replace(Named.tamed(options), rpo_ms=1_000)

    def play(self) -> None:
        """Lose the owner, read why nothing happens, and accept the loss by hand."""
        source = self.home
        self.darken_region(source)
        self.world.coverage.hit(34, "silent owner")
        self.advance(FAILOVER_MS_MAX)
        assert self.home == source, "more than the RPO may have been lost, without asking"
        assert "RPO_EXCEEDED" in self.held() or "LAG_UNKNOWN" in self.held(), self.held()
        refused = self.operator.fail_over("without naming a loss")
        assert refused is not None
        assert refused.reason in (Reason.RPO_EXCEEDED, Reason.NO_ELIGIBLE_REGION), refused
        accepted = self.operator.fail_over("accepting a minute", accept_loss_ms=60_000)
        assert accepted is not None
        assert accepted.is_done, accepted.message
        run = self.until_moved_from(source)
        assert (run.accept_loss_ms, run.actor) == (60_000, "operator")
