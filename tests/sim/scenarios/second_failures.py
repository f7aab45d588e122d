"""A second failure while a failover goes on, in each of its stages (fault 35)."""

from collections.abc import Callable

from director.core.commands import RunKind, StageName
from director.core.inputs import MoveAsked
from director.core.state import Run, State
from director.routing.table import RegionId
from tests.sim.options import Options
from tests.sim.region import SERVICE
from tests.sim.scenarios.named import Named

_STAGES = (
    StageName.CONFIRMING,
    StageName.FENCING,
    StageName.PROMOTING,
    StageName.PUBLISHING,
    StageName.VERIFYING,
)
_PLANNED_STAGES = (StageName.DRAINING, *_STAGES[1:])
_AWAY_MS = 12_000
_NEW_OWNER = (StageName.PUBLISHING, StageName.VERIFYING)
"""When the target owns already."""
# For this long it has to stay as it is before a person gives in.
_BLOCKED_MS = 20_000


class SecondFailure(Named):
    """While the owner is replaced, the target, the leader or both fail, or the owner returns.

    ``seed`` numbers the 20 pairs of a stage and a second failure. Resumed or taken back cleanly:
    somebody serves in the end, no epoch is given twice.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        seconds: tuple[Callable[[Run], str], ...] = (
            self._lose_target,
            self._lose_leader,
            self._lose_both,
            self._return_source,
        )
        self._stage = self._stages()[options.seed % len(_STAGES)]
        self._second = seconds[options.seed // len(_STAGES) % len(seconds)]
        self._struck = ""

    @staticmethod
    def _stages() -> tuple[StageName, ...]:
        return _STAGES

    def play(self) -> None:
        """Begin a move, strike at the stage, and see somebody serve without any healing."""
        source = self.home
        epoch = self.epoch
        self.world.watch.on_applied.append(self._see_applied)
        self._begin_move()
        self.until(lambda: bool(self._struck), 40_000, f"a move that is {self._stage}")
        self.world.coverage.hit(35, f"{self._struck}, {self._stage}")
        # The leader comes back by itself: whatever supervises it starts it again.
        self.advance(_AWAY_MS)
        for replica in self.cluster.replicas.values():
            if not replica.process.is_up:
                replica.start()
        self.until(
            lambda: self.is_serving() or self._is_blocked(),
            75_000,
            f"{source} was lost, then the {self._struck}",
        )
        if not self.is_serving():
            # Only an owner that was lost before anybody measured its copies is left to a person.
            assert "target" in self._struck, f"blocked although only the {self._struck} was lost"
            assert self._stage in _NEW_OWNER, f"blocked, and nobody new owned when {self._stage}"
            self._accept_the_loss()
        # One grant for each move that got that far, and for each that was taken back when fenced.
        assert self.epoch > epoch or self.home == source

    def _is_blocked(self) -> bool:
        """Whether nobody's copy was measured against the lost owner: unknown is infinite (D3)."""
        return self.cluster.leader() is not None and "LAG_UNKNOWN" in self.held()

    def _accept_the_loss(self) -> None:
        """An owner that is lost right after it was promoted has no copy of known lag: a person."""
        self.advance(_BLOCKED_MS)
        if self.is_serving():
            return
        assert self._is_blocked(), f"nobody serves, and nothing is unknown: {self.held()}"
        answer = self.operator.fail_over("accepting a minute", accept_loss_ms=60_000)
        assert answer is not None
        assert answer.is_done, answer.message
        self.until(self.is_serving, 30_000, "the loss was accepted by hand")

    def _begin_move(self) -> None:
        self.darken_region(self.home)

    def _see_applied(self, _: str, state: State) -> None:
        run = next((each for each in state.runs if each.is_active), None)
        if not self._struck and run is not None and run.stage is self._stage:
            self._struck = "armed"
            # Not from within the replica that is applying: it would be killed in mid-step.
            self.world.schedule.after(self.rng.choice([0, 0, 3, 40]), lambda: self._strike(run))

    def _strike(self, run: Run) -> None:
        self._struck = self._second(run)

    def _lose_target(self, run: Run) -> str:
        self.darken_region(run.target)
        return "target"

    def _lose_leader(self, _: Run) -> str:
        leader = self.cluster.leader()
        if leader is not None:
            leader.kill()
        return "leader"

    def _lose_both(self, run: Run) -> str:
        self._lose_leader(run)
        self._lose_target(run)
        return "target and leader"

    def _return_source(self, run: Run) -> str:
        self.world.network.lighten(run.source)
        region = self.cluster.regions[run.source]
        if not region.process.is_up:
            region.service.start()
            region.start()
        return "source's return"


class SecondFailureOfSwitchover(SecondFailure):
    """The same while a move is planned: the source is well, and lost as the second failure."""

    @staticmethod
    def _stages() -> tuple[StageName, ...]:
        return _PLANNED_STAGES

    def _begin_move(self) -> None:
        names = sorted(name for name in self.cluster.regions if name != self.home)
        target = self.rng.choice(names)
        move = MoveAsked(RunKind.SWITCHOVER, SERVICE, RegionId(target))
        self.operator.send(move, "planned")

    def _return_source(self, run: Run) -> str:
        """It never went; so it is lost now."""
        self.darken_region(run.source)
        return "source"
