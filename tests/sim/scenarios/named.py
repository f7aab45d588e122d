"""What the hand-written scenarios share: a calm fleet to begin with, and questions about it.

A scenario plays one fault of the catalogue in a world that has no others, so that what it expects
is exact. The options that the seed draws still vary distances, disks, clocks and homes.
"""

import random
from abc import abstractmethod
from dataclasses import replace

from director.core.commands import RunKind, StageName
from director.core.state import Run, State
from director.core.topology import Topology
from director.routing.table import RegionId, Verdict
from tests.sim.network import ALL_PLANES
from tests.sim.operator import Operator
from tests.sim.options import Options
from tests.sim.region import SERVICE
from tests.sim.replica import Replica
from tests.sim.scenarios.settled import missing
from tests.sim.scenarios.story import CONVERGE_MS_MAX, SETTLE_MS_MAX, Outcome, Story

# A lease, its wait with the drift of clocks, detection, and a run: architecture.md, section 2.
FAILOVER_MS_MAX = 25_000


class Named(Story):
    """A scenario with a name. Subclasses say what happens in ``play``."""

    def __init__(self, options: Options) -> None:
        super().__init__(self.tamed(options))
        self.rng = random.Random(f"{type(self).__name__} {options.seed}")
        self.operator = Operator(self.cluster)

    @staticmethod
    def tamed(options: Options) -> Options:
        """Take away what would blur the one fault that is played."""
        return replace(options, loss=0.0, rpo_ms=30_000)

    @abstractmethod
    def play(self) -> None:
        """Let it happen, and look at what comes of it. Raises AssertionError."""

    def run(self) -> Outcome:
        """Begin in calm, play, heal, and see the fleet settle."""
        self.begin()
        self.play()
        self.end()
        return self.outcome

    def begin(self) -> None:
        """Start everything and let the agents and directors hear each other for a while."""
        self.cluster.start()
        self.until_settled(SETTLE_MS_MAX, "at the start")
        self.advance(5_000)

    def end(self) -> None:
        """Heal what is still broken; the fleet must settle without an operator (L3)."""
        self.heal()
        healed_ms = self.world.now_ms
        self.until_settled(CONVERGE_MS_MAX, "after everything healed")
        self.finish(healed_ms)

    # -- questions ---------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The newest state anywhere."""
        return self.cluster.newest().director.state

    @property
    def home(self) -> str:
        """Who owns the service by the newest state."""
        home = self.cluster.home()
        assert home is not None, "a fleet that has begun has an owner"
        return home

    @property
    def leader(self) -> Replica:
        """Who leads."""
        leader = self.cluster.leader()
        assert leader is not None, "the scenario asks for the leader while there is one"
        return leader

    @property
    def epoch(self) -> int:
        """The epoch of the first group by the newest state."""
        return self.state.groups[0].epoch

    def moves(self) -> tuple[Run, ...]:
        """Every run so far, oldest first."""
        return self.state.runs

    def automatic_runs(self) -> list[Run]:
        """Every run that the director began by itself."""
        return [run for run in self.moves() if run.automatic]

    def open_gates(self) -> list[str]:
        """The regions whose gate would let a write pass at this moment."""
        found = []
        for name, region in self.cluster.regions.items():
            answer = region.gates.check(SERVICE) if region.process.is_up else None
            if answer is not None and answer.may_write:
                found.append(name)
        return found

    def is_serving(self) -> bool:
        """Whether the owner's gate is open and writes were acknowledged under its token."""
        token, last_ms = self.world.watch.writes.last
        return (
            self.open_gates() == [self.home]
            and token == (self.state.generation, self.epoch)
            and self.world.now_ms - last_ms < 1_000
        )

    def is_settled(self) -> bool:
        """Whether nothing is missing anywhere."""
        return not missing(self.cluster)

    def verdict(self, region_id: str) -> Verdict:
        """The committed verdict on the service in a region."""
        record = self.state.verdicts.get((SERVICE, RegionId(region_id)))
        return Verdict.UP if record is None else record.verdict

    def held(self) -> str:
        """Why the leader does not move the service although it should, for people."""
        clock = self.leader.process.clock
        views = self.leader.director.service_views(now_ms=clock.now_ms())
        return " ".join(str(view) for view in views if view.service_id == SERVICE)

    # -- what scenarios often do -------------------------------------------------------------------

    def darken_region(self, region_id: str) -> None:
        """The region is gone without a word; a director on a machine beside it stays."""
        region = self.cluster.regions[region_id]
        self.world.network.darken(region_id)
        region.kill()
        region.service.process.kill()

    def until_moved_from(self, source: str, within_ms: int = FAILOVER_MS_MAX) -> Run:
        """Let time pass until another region owns and serves. Returns the run that moved it."""
        self.until(
            lambda: self.home != source and self.is_serving(),
            within_ms,
            f"{source} is lost and nobody else serves",
        )
        return next(run for run in reversed(self.moves()) if run.source == source)

    def advance_calmly(self, ms: int) -> None:
        """Let time pass during which no run may begin and the service has to be served."""
        before, home = len(self.moves()), self.home
        end_ms = self.world.now_ms + ms
        while self.world.now_ms < end_ms:
            self.advance(min(500, end_ms - self.world.now_ms))
            assert len(self.moves()) == before, f"a run began for nothing: {self.moves()[-1]}"
            assert self.open_gates() == [home], f"{self.open_gates()} instead of {home} may write"

    def make_home(self, region_id: str) -> None:
        """Have the operator move the service to ``region_id``, and wait until it is settled."""
        if self.home == region_id:
            return
        answer = self.operator.switch_over(f"to {region_id} at {self.world.now_ms}", region_id)
        assert answer is not None, "a calm fleet answers"
        assert answer.is_done, answer.message
        self.until(lambda: self.home == region_id, 20_000, f"the switchover to {region_id}")
        self.until_settled(SETTLE_MS_MAX, "after a switchover")
        # Until the copies were measured against the new owner nobody knows how far behind they are.
        self.advance(3_000)

    def declare(self, command_id: str, topology: Topology) -> None:
        """Have the operator apply documents."""
        answer = self.operator.declare(command_id, topology)
        assert answer is not None, "a calm fleet answers"
        assert answer.is_done, answer.message

    def isolate(self, name: str, side: set[str]) -> None:
        """Cut some machines off from all others, both ways, on every plane."""
        self.cluster.cut(name, side, ALL_PLANES, outward=True, inward=True)

    def failovers(self) -> list[Run]:
        """The unplanned moves that granted somebody the next epoch."""
        return [
            run
            for run in self.moves()
            if run.kind is RunKind.FAILOVER and run.stage is not StageName.ABORTED
        ]
