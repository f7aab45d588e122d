"""A drill in a living fleet whose leader is killed in one of its stages: it goes on, and home.

Real agents play what is injected, the service is written to all the time, and every checker
watches: a drill has no right to anything that a fault would not have.
"""

from dataclasses import replace

from director.core.drill import DrillKind, DrillScenario, DrillSpec, DrillStage, DrillVerdict
from director.core.drill_record import Drill as DrillRecord
from director.core.drill_view import report_hash
from director.core.ids import DrillId
from director.core.inputs import DrillAbortAsked, DrillAsked
from director.core.state import State
from tests.sim.options import Options
from tests.sim.region import SERVICE
from tests.sim.replica import Replica
from tests.sim.scenarios.named import Named

STAGES = (
    None,
    DrillStage.GUARDING,
    DrillStage.INJECTING,
    DrillStage.RECOVERED,
    DrillStage.RESTORING,
)
_FOR_MS = 20_000
# The drill itself, an election in its middle, and the way home.
_ENDED_MS_MAX = _FOR_MS + 60_000


class Drill(Named):
    """Each kind of drill, there and back, with the leader killed in one of its stages or in none.

    By the seed: five kinds, five stages; of every sixth drill the person who asked thinks better.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        kinds = tuple(DrillKind)
        self._kind = kinds[options.seed % len(kinds)]
        self._kill_in = STAGES[options.seed // len(kinds) % len(STAGES)]
        self._aborts = options.seed % 6 == 5
        self.killed: Replica | None = None

    @staticmethod
    def tamed(options: Options) -> Options:
        """An objective that a lost leader in the middle does not break."""
        return replace(Named.tamed(options), rpo_ms=30_000)

    def play(self) -> None:
        """Ask, kill, and see everything where it was."""
        home, epoch = self.home, self.epoch
        self.world.watch.on_applied.append(self._see_applied)
        timeout_ms = self.state.topology.services[0].health.probe_timeout_ms
        scenario = DrillScenario(self._kind, delay_ms=2 * timeout_ms)
        answer = self.operator.ask(DrillAsked(DrillSpec(SERVICE, scenario, _FOR_MS)), "drill")
        assert answer is not None, "a calm fleet answers"
        assert answer.is_done, answer.message
        if self._aborts:
            self.until(lambda: self._stage() is DrillStage.RECOVERED, 40_000, "it recovers")
            self.operator.ask(DrillAbortAsked(DrillId(answer.run_id)), "abort")
        self.until(
            lambda: self._stage() is DrillStage.ENDED, _ENDED_MS_MAX, f"the end of {self._drill}"
        )
        drill = self._drill
        assert drill.state_diff == (), drill
        assert drill.report_hash == report_hash(drill)
        expected = DrillVerdict.ABORTED if self._aborts else DrillVerdict.PASSED
        # The time of an election may be more than the objective leaves.
        is_slow = self.killed is not None and drill.cause in ("RTO_MISSED", "NOT_RECOVERED")
        assert drill.verdict is expected or is_slow, drill
        assert self.home == home
        assert self.epoch >= epoch
        for region in self.cluster.regions.values():
            said = region.agent.readings(now_ms=region.process.clock.now_ms())
            assert said.muted == (), "nothing stays injected"
        if self.killed is not None:
            self.killed.start()

    @property
    def _drill(self) -> DrillRecord:
        return self.state.drills[-1]

    def _stage(self) -> DrillStage:
        return self._drill.stage

    def _see_applied(self, name: str, state: State) -> None:
        drill = state.active_drill()
        is_time = drill is not None and drill.stage is self._kill_in and self.killed is None
        leader = self.cluster.leader()
        if is_time and leader is not None and leader.replica_id == name:
            self.killed = leader
            self.world.schedule.after(50, leader.kill)
