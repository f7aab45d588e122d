"""The active region is lost, and during the failover the leading director is lost too.

Safety: faults fly, checkers watch. Liveness: everything heals, and the fleet must settle within a
bound. Never more than a minority of the directors is away at once, but for the seeds that lose the
quorum on purpose.
"""

from dataclasses import dataclass

from director.core.state import State
from tests.sim.network import ALL_PLANES, Plane
from tests.sim.options import LeaderLoss, Options, RegionLoss
from tests.sim.region import Region
from tests.sim.replica import Replica
from tests.sim.scenarios.story import CONVERGE_MS_MAX, LOOK_EVERY_MS, SETTLE_MS_MAX, Outcome, Story

# If the failover never gets that far, the leader is lost all the same.
STAGE_WAIT_MS_MAX = 16_000
# What was decided before the quorum was lost has reached everybody it can reach by then.
FREEZE_AFTER_MS = 1_500
# By then whatever was on its way to a stalled agent has arrived, and waits for it.
CUT_AFTER_MS = 500
_WITH_HOME = (LeaderLoss.ISOLATED_WITH_HOME, LeaderLoss.PAUSED_WITH_HOME)
_PAUSES = (LeaderLoss.PAUSED, LeaderLoss.PAUSED_WITH_HOME)


@dataclass(slots=True)
class _Strike:
    """The loss of the leader."""

    is_armed: bool = False
    is_due: bool = False
    leader: Replica | None = None
    also: Replica | None = None
    taken: Replica | None = None
    """The director that shares the region's fate."""


class LeaderLostDuringFailover(Story):
    """One seed of it."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._strike = _Strike()
        self._home = ""
        self.world.watch.on_applied.append(self._see_applied)

    def run(self) -> Outcome:
        """Play it. Raises AssertionError, from a checker or because the fleet did not settle."""
        self.cluster.start()
        self.until_settled(SETTLE_MS_MAX, "at the start")
        self.advance(self.options.calm_ms)
        self._lose_region()
        self._await_stage()
        self._sit_out_loss()
        self._restore_leader()
        left_ms = self.options.region_lost_ms - self.options.leader_lost_ms
        self.advance(max(0, left_ms))
        self._strike.is_armed = False
        self.heal()
        healed_ms = self.world.now_ms
        self.until_settled(CONVERGE_MS_MAX, "after everything healed")
        self.finish(healed_ms)
        return self.outcome

    # -- the region --------------------------------------------------------------------------------

    def _lose_region(self) -> None:
        home = self.cluster.home()
        assert home is not None, "a settled fleet has an owner"
        self._home = home
        self.world.trace.note(f"region {home} is lost: {self.options.region_loss}")
        self._strike.is_armed = True
        self.world.watch.disturbed()
        self._hit_region()
        director = self.cluster.director_in(home)
        if director is not None and self.options.takes_director:
            self._hit_director(director)

    def _hit_region(self) -> None:
        region, side = self.cluster.regions[self._home], {self._home}
        match self.options.region_loss:
            case RegionLoss.KILLED:
                region.kill()
                region.service.process.kill()
            case RegionLoss.DARK:
                self.world.network.darken(self._home)
                region.kill()
                region.service.process.kill()
            case RegionLoss.PAUSED:
                region.process.pause()
                region.service.process.pause()
            case RegionLoss.AGENT_KILLED:
                region.kill()
            case RegionLoss.SERVICE_FAILS:
                region.service.is_healthy = False
            case RegionLoss.CUT_OFF:
                self.cluster.cut("region", side, ALL_PLANES, outward=True, inward=True)
            case RegionLoss.STALLED:
                self._stall(region)
            case RegionLoss.UNSEEN:
                self.cluster.cut("region", side, (Plane.SERVICE,), outward=True, inward=True)

    def _stall(self, region: Region) -> None:
        region.process.pause()
        incarnation = region.process.incarnation

        def cut_off() -> None:
            # Not if the leader was lost already: then there are other cuts.
            if self._strike.leader is None:
                side = {self._home}
                self.cluster.cut("region", side, ALL_PLANES, outward=True, inward=True)

        def go_on() -> None:
            if region.process.is_paused and region.process.incarnation == incarnation:
                region.process.resume()

        self.world.schedule.after(CUT_AFTER_MS, cut_off)
        self.world.schedule.after(self.options.stall_ms, go_on)

    def _hit_director(self, director: Replica) -> None:
        host = director.process.host
        match self.options.region_loss:
            case RegionLoss.KILLED:
                director.kill()
            case RegionLoss.DARK:
                self.world.network.darken(host)
                director.kill()
            case RegionLoss.PAUSED:
                director.process.pause()
                self.world.network.watch_blocked()
            case RegionLoss.CUT_OFF:
                # The region and its director still have each other.
                side = {host, self._home}
                self.cluster.cut("region", side, ALL_PLANES, outward=True, inward=True)
            case _:
                return
        self._strike.taken = director

    def _return_director(self) -> None:
        """Bring the region's director back, so that losing the leader leaves a quorum."""
        director, self._strike.taken = self._strike.taken, None
        if director is None:
            return
        self.world.network.lighten(director.process.host)
        if self.options.region_loss is RegionLoss.CUT_OFF:
            side = {self._home}
            self.cluster.cut("region", side, ALL_PLANES, outward=True, inward=True)
        if not director.process.is_up:
            director.start()
        elif director.process.is_paused:
            director.process.resume()

    # -- the leader --------------------------------------------------------------------------------

    def _see_applied(self, _: str, state: State) -> None:
        """Look for the stage at which the leader is to be lost."""
        if not self._strike.is_armed:
            return
        run = next((each for each in state.runs if each.is_active), None)
        if run is not None and run.stage is self.options.stage:
            self._strike.is_armed = False
            self.world.schedule.after(self.options.strike_delay_ms, self._lose_leader)

    def _await_stage(self) -> None:
        end_ms = self.world.now_ms + STAGE_WAIT_MS_MAX
        while not self._strike.is_due and self.world.now_ms < end_ms:
            self.advance(LOOK_EVERY_MS)
        if not self._strike.is_due:
            self._strike.is_armed = False
            self._lose_leader()

    def _lose_leader(self) -> None:
        self._strike.is_due = True
        leader = self.cluster.leader()
        if leader is None:
            return
        run = self.cluster.active_run()
        self.outcome.stage_hit = "" if run is None else str(run.stage)
        self._strike.leader = leader
        if not self.options.loses_quorum:
            self._return_director()
        self.world.trace.note(
            f"leader {leader.replica_id} is lost: {self.options.leader_loss}, the run is "
            f"{self.outcome.stage_hit or 'none'}"
        )
        self._hit_leader(leader)
        if self.options.loses_quorum:
            self._lose_another(leader)
        if self.options.loses_target and run is not None:
            target = self.cluster.regions[run.target]
            if target.process.is_up:
                target.kill()

    def _hit_leader(self, leader: Replica) -> None:
        loss = self.options.leader_loss
        side = {leader.process.host}
        if loss in _WITH_HOME:
            side.add(self._home)
        outward = loss in (LeaderLoss.ISOLATED, LeaderLoss.MUTED, *_WITH_HOME)
        inward = loss in (LeaderLoss.ISOLATED, LeaderLoss.DEAFENED, *_WITH_HOME)
        if outward or inward:
            if loss in _WITH_HOME:
                self.world.network.mend("region")
            self.cluster.cut("leader", side, ALL_PLANES, outward=outward, inward=inward)
        if loss is LeaderLoss.KILLED:
            leader.kill()
        if loss in _PAUSES:
            leader.process.pause()
            self.world.network.watch_blocked()

    def _lose_another(self, leader: Replica) -> None:
        others = [
            each
            for each in self.cluster.replicas.values()
            if each is not leader and each.process.is_up and not each.process.is_paused
        ]
        if others:
            self._strike.also = self.world.rng.choice(others)
            self._strike.also.kill()

    def _sit_out_loss(self) -> None:
        """Let the leader be lost for its time. Without a quorum nothing may commit (A8)."""
        lost_ms = self.options.leader_lost_ms
        if self._strike.also is None or lost_ms <= FREEZE_AFTER_MS:
            self.advance(lost_ms)
            return
        self.advance(FREEZE_AFTER_MS)
        index = self.cluster.newest().director.state.applied_index
        self.advance(lost_ms - FREEZE_AFTER_MS)
        newest = self.cluster.newest()
        assert newest.director.state.applied_index == index, (
            f"{newest.replica_id} applied {newest.director.state.applied_index} without a quorum; "
            f"{index} was the last with one"
        )
        self.outcome.frozen_ms = lost_ms - FREEZE_AFTER_MS

    def _restore_leader(self) -> None:
        leader, loss = self._strike.leader, self.options.leader_loss
        if leader is None:
            return
        self.world.trace.note(f"leader {leader.replica_id} returns")
        # With the home on its side of a partition, that partition lasts until everything heals.
        if loss not in _WITH_HOME:
            self.world.network.mend("leader")
        if loss in _PAUSES and leader.process.is_paused:
            leader.process.resume()
        for replica in (leader, self._strike.also):
            if replica is not None and not replica.process.is_up:
                replica.start()


def run_seed(seed: int) -> Outcome:
    """Draw the world of ``seed`` and play it."""
    return LeaderLostDuringFailover(Options.draw(seed)).run()
