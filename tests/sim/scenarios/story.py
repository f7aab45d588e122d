"""What every scenario shares: it moves time, waits for the fleet, heals it, and sums up."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from director.core.commands import StageName
from director.core.digest import digest
from director.core.state import Run, State
from tests.sim.cluster import Cluster
from tests.sim.options import Options
from tests.sim.scenarios.settled import missing

SETTLE_MS_MAX = 30_000
# Two keepalives, the longest back-off, an election, two runs with a lease each, and a cooldown.
CONVERGE_MS_MAX = 60_000
LOOK_EVERY_MS = 100
# Up to this share of lost packets nothing may move or stop for nothing (fault 11).
_LIGHT_LOSS = 0.05


class NotSettledError(AssertionError):
    """The fleet did not come to where it had to within the bound."""


@dataclass(slots=True)
class Outcome:
    """What one seed came to."""

    options: Options
    stage_hit: str = ""
    """The stage of the run when the leader was lost; "" if there was no run."""
    handovers: int = 0
    writes: int = 0
    terms: int = 0
    compared_states: int = 0
    frozen_ms: int = 0
    """For how long it was watched that nothing commits without a quorum (A8)."""
    converge_ms: int = 0
    simulated_ms: int = 0
    events: int = 0
    digest: str = ""
    failovers: int = 0
    """Automatic ones that settled."""
    switchovers: int = 0
    """Planned moves, and those by hand, that settled."""
    aborted: int = 0
    coverage: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Per number of the catalogue and role, how often it really happened."""
    strikes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Per stage of the run ("" without one) and fault, how often it struck then."""
    rto_ms: tuple[int, ...] = ()
    """From the first bad sign to the new routes, of each automatic failover that settled."""


class RunLog:
    """Counts the runs that ended, whoever tells of them first."""

    def __init__(self) -> None:
        self.ended: dict[str, Run] = {}
        self.rto_ms: list[int] = []
        self._seen: tuple[Run, ...] = ()

    def applied(self, _: str, state: State) -> None:
        """Look at a state that some replica came to."""
        if state.runs is self._seen:
            return
        self._seen = state.runs
        for run in state.runs:
            if not run.is_active and run.run_id not in self.ended:
                self.ended[run.run_id] = run
                if run.automatic and run.measured_rto_ms is not None:
                    self.rto_ms.append(run.measured_rto_ms)

    def counts(self) -> tuple[int, int, int]:
        """Automatic ones that settled, others that settled, and those that were aborted."""
        settled = [run for run in self.ended.values() if run.stage is StageName.SETTLED]
        automatic = sum(run.automatic for run in settled)
        return automatic, len(settled) - automatic, len(self.ended) - len(settled)


class Story:
    """One world, and a hand that does things to it. Scenarios are subclasses with a ``run``."""

    def __init__(self, options: Options) -> None:
        self.cluster = Cluster(options)
        self.outcome = Outcome(options)
        self.options = options
        self.world = self.cluster.world
        self.runs = RunLog()
        self.world.watch.on_applied.append(self.runs.applied)

    def run(self) -> Outcome:
        """Play it. Raises AssertionError, from a checker or because the fleet did not settle."""
        raise NotImplementedError

    def advance(self, ms: int) -> None:
        """Let true time pass."""
        self.world.schedule.run_until(self.world.now_ms + ms)

    def until(self, is_so: Callable[[], bool], within_ms: int, what: str) -> None:
        """Let time pass until ``is_so``. Raises NotSettledError after ``within_ms``."""
        end_ms = self.world.now_ms + within_ms
        while not is_so():
            if self.world.now_ms >= end_ms:
                raise NotSettledError(f"not within {within_ms} ms: {what}")
            self.advance(LOOK_EVERY_MS)

    def until_settled(self, within_ms: int, when: str) -> None:
        """Let time pass until the fleet is well. Raises NotSettledError with what is missing."""
        end_ms = self.world.now_ms + within_ms
        while lacking := missing(self.cluster):
            if self.world.now_ms >= end_ms:
                raise NotSettledError(f"not settled {within_ms} ms {when}: {lacking}")
            self.advance(LOOK_EVERY_MS)

    def heal(self) -> None:
        """End every fault: from here on the fleet must converge by itself."""
        self.world.trace.note("everything heals")
        self.cluster.heal()
        self.world.watch.healed()
        self.world.watch.calm()

    def finish(self, healed_ms: int) -> None:
        """Look whether it stays settled and all states are equal; fill in the outcome."""
        world, outcome = self.world, self.outcome
        outcome.converge_ms = world.now_ms - healed_ms
        # Settled is not a moment between two faults: it lasts.
        self.advance(1_000)
        lacking = missing(self.cluster)
        if lacking.startswith(("routes", "gates", "nobody")):
            # Heavy loss does not heal, and a lease that it held up ends: slower, but correct.
            if self.options.loss <= _LIGHT_LOSS:
                raise NotSettledError(f"settled, and then: {lacking}")
            self.until_settled(SETTLE_MS_MAX, f"after it was, for a moment: {lacking}")
        world.watch.finish()
        digests: dict[int, str] = {}
        for replica in self.cluster.replicas.values():
            state = replica.director.state
            first = digests.setdefault(state.applied_index, digest(state))
            assert first == digest(state), f"equal index {state.applied_index}, different digest"
        outcome.handovers = world.watch.one_owner.handover_count
        outcome.writes = world.watch.writes.count
        outcome.terms = len(world.watch.leaders.leader_by_term)
        outcome.compared_states = world.watch.same_state.compared_count
        outcome.simulated_ms = world.now_ms
        outcome.events = world.schedule.event_count
        outcome.coverage = Counter(dict(sorted(world.coverage.counts.items())))
        outcome.failovers, outcome.switchovers, outcome.aborted = self.runs.counts()
        outcome.rto_ms = tuple(self.runs.rto_ms)
        outcome.digest = world.trace.digest()
