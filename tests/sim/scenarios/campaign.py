"""The random campaign: round after round something is lost, and more fails at the worst moments.

Each round draws what happens (mostly the loss of the active region), and up to three faults more,
at random instants or aimed: at a stage of the run, or at a moment of an election, a snapshot or a
lease. Then everything heals, and the fleet must settle within a bound before the next round.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from director.core.commands import RunKind, StageName
from director.core.inputs import MoveAsked
from director.core.state import Run, State
from tests.sim.faults import (
    clocks,
    commands,
    disks,
    elections,
    links,
    partitions,
    processes,
    regions,
)
from tests.sim.faults.fault import ACTIVE, ALL, LEADER, TARGET, Fault
from tests.sim.moments import Moment
from tests.sim.operator import Operator
from tests.sim.options import STAGES, Options
from tests.sim.scenarios.settled import missing
from tests.sim.scenarios.story import CONVERGE_MS_MAX, LOOK_EVERY_MS, SETTLE_MS_MAX, Outcome, Story

# A failover takes about 8 s; with a second failure it may begin again.
ROUND_MS_MAX = 25_000
# What a failover may take when one region is lost, and nothing else (L2).
RTO_MS_MAX = 20_000
# Until the copies were measured against their owner, after a move or a partition, what its loss
# would cost is unknown, and nobody replaces it (D3): the service learns of its owner (1 s), copies
# (1 s), is asked how far it is (0.5 s) and the directors are told.
MEASURED_MS = 3_500
# Whoever has been waited for this long does not come.
STRIKE_MS_MAX = 9_000
# When no run is expected, there is less to wait for.
STRIKE_WITHOUT_MOVE_MS_MAX = 5_000
# A moment can come at once; when it does not come, the leader is lost, so that elections do.
_ELECTION_AFTER_MS = 1_500
_MOVE_STAGES = (StageName.DRAINING, *STAGES[1:])
ALL_STAGES = (StageName.DRAINING, *STAGES)

LOSSES: tuple[type[Fault], ...] = (
    processes.LoseRegion,
    processes.DarkenRegion,
    processes.PauseRegion,
    processes.SuspendRegion,
    processes.KillAgents,
    processes.KillService,
    partitions.IsolateRegion,
    partitions.MuteRegion,
    partitions.DeafenRegion,
    partitions.HideRegion,
    regions.FailServices,
)
"""Ways to lose the active region."""
SECOND: tuple[type[Fault], ...] = (
    *processes.FAULTS,
    *partitions.FAULTS,
    *links.FAULTS,
    *regions.FAULTS,
    *clocks.FAULTS,
    *disks.FAULTS,
    *elections.FAULTS,
    *commands.FAULTS,
)
"""What may come on top."""
FLEET: tuple[type[Fault], ...] = (*processes.QUORUM_FAULTS, *regions.FLEET_FAULTS)
"""What hits everybody at once. Nothing comes on top but what hits regions."""
AT_MOMENTS: tuple[type[Fault], ...] = (
    processes.KillDirector,
    processes.PauseDirector,
    partitions.IsolateDirector,
    partitions.MuteDirector,
    partitions.DeafenDirector,
    *disks.AT_MOMENTS,
)
"""What strikes the very director that a moment is about."""
ELECTIONS = (Moment.VOTE_ASKED, Moment.VOTE_GIVEN, Moment.TERM_BEGUN)
MOMENTS = (
    *ELECTIONS,
    Moment.APPENDED,
    Moment.SNAPSHOT_ARRIVED,
    Moment.SNAPSHOT_INSTALLED,
    Moment.LEASE_GRANTED,
)
KINDS: tuple[type[Fault], ...] = tuple(dict.fromkeys((*LOSSES, *SECOND, *FLEET)))


@dataclass(slots=True)
class Aim:
    """When a fault is to strike.

    Attributes:
        stage: At this stage of a run; None does not wait for one.
        moment: At the next moment of this kind; None does not wait for one.
        wait_ms: From then, or from the beginning of the round.
    """

    wait_ms: int
    stage: StageName | None = None
    moment: Moment | None = None


@dataclass(slots=True)
class Planned:
    """One fault of a round.

    Attributes:
        faults: Those that may strike, best first; the first that can, does.
        lasts_ms: Until it is mended; None until everything heals.
    """

    aim: Aim
    faults: list[Fault]
    lasts_ms: int | None
    is_done: bool = False


@dataclass(slots=True)
class _Round:
    """What goes on in this round. An event of an earlier round looks whether it is over."""

    home: str
    ended_before: int
    struck: list[Fault] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    strike_ms_max: int = STRIKE_MS_MAX
    is_over: bool = False


class Campaign(Story):
    """One world, several rounds."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.rng = random.Random(f"campaign {options.seed}")
        self.operator = Operator(self.cluster)
        self._kept: list[Fault] = []
        self._round: _Round | None = None
        self._runs_seen: tuple[Run, ...] = ()
        self.world.watch.on_applied.append(self._see_applied)

    def run(self) -> Outcome:
        """Play it. Raises AssertionError, from a checker or because the fleet did not settle."""
        self.cluster.start()
        self.until_settled(SETTLE_MS_MAX, "at the start")
        self.advance(self.options.calm_ms)
        healed_ms = self.world.now_ms
        for number in range(self.options.rounds):
            healed_ms = self._play_round(number)
        for fault in self._kept:
            fault.mend(self.cluster)
        self.finish(healed_ms)
        return self.outcome

    # -- one round ---------------------------------------------------------------------------------

    def _play_round(self, number: int) -> int:
        """Play one round and return the instant at which everything healed."""
        home = self.cluster.busiest_home()
        assert home is not None, "a settled fleet has an owner"
        self.world.trace.note(f"round {number}: {home} is active")
        now = self._round = _Round(home, len(self.runs.ended))
        self.world.watch.disturbed()
        moves = self._begin(now, number)
        end_ms = self.world.now_ms + ROUND_MS_MAX
        while self.world.now_ms < end_ms and not self._is_played(now, moves=moves):
            self.advance(LOOK_EVERY_MS)
        self.world.watch.rto.look(now_ms=self.world.now_ms)
        now.is_over = True
        # Last first, so that what one fault found broken is broken again.
        for fault in reversed(now.struck):
            if not fault.is_over:
                fault.mend(self.cluster)
        if not self._kept:
            self.world.moments.forget_all()
        self.heal()
        healed_ms = self.world.now_ms
        self._await_operators(now, number)
        self.until_settled(CONVERGE_MS_MAX, f"after round {number} healed")
        self.outcome.converge_ms = max(self.outcome.converge_ms, self.world.now_ms - healed_ms)
        self._sit_out_cooldown()
        return healed_ms

    def _await_operators(self, now: _Round, number: int) -> None:
        """Let them have their answers, and release what they drained: a fleet settles after."""
        asking = [each for each in now.struck if isinstance(each, commands.Commands)]
        self.until(
            lambda: all(each.is_done(self.world.now_ms) for each in asking),
            CONVERGE_MS_MAX,
            f"the operators of round {number} are answered",
        )

    def _begin(self, now: _Round, number: int) -> bool:
        """Draw the round and begin it. Returns whether a run is to be waited for."""
        rng, drawn = self.rng, self.rng.random()
        counter = self.options.seed * self.options.rounds + number
        stages: Sequence[StageName] = STAGES
        moves = drawn < 0.9
        count = rng.choice([0, 1, 1, 2, 2, 3])
        if drawn < 0.78:
            loss = rng.choice(LOSSES)(ACTIVE)
            lasts_ms = rng.choice([*[None] * 12, 300, 1_500, 4_000, 8_000])
            is_timed = lasts_ms is None and not count and self._is_plain
            if is_timed:
                self.advance(MEASURED_MS)
            self._plan(now, Planned(Aim(0), [loss], lasts_ms))
            moves = lasts_ms is None or lasts_ms >= 5_000
            if is_timed and not missing(self.cluster) and self.cluster.busiest_home() == now.home:
                self._expect_failovers(now.home)
        elif drawn < 0.9:
            stages = _MOVE_STAGES
            self._ask_for_moves(now.home)
        elif drawn < 0.95:
            fleet = rng.choice(FLEET)(ALL)
            self._plan(now, Planned(Aim(0), [fleet], rng.choice([1_000, 5_000, 9_000, 20_000])))
            count = min(count, 1)
        if not moves:
            now.strike_ms_max = STRIKE_WITHOUT_MOVE_MS_MAX
        for each in range(count):
            self._plan(now, self._draw_second(stages[(counter + each) % len(stages)]))
        return moves

    def _expect_failovers(self, home: str) -> None:
        """Only this region is in trouble: all that it owns is to move within the budget (L2)."""
        # While a cooldown lasts nobody may be moved, whatever is lost (C1).
        budget_ms = RTO_MS_MAX + self._cooldown_left_ms()
        for group in self.cluster.newest().director.state.groups:
            if group.home == home:
                now_ms = self.world.now_ms
                self.world.watch.region_lost(group.service_id, home, now_ms, budget_ms)

    def _ask_for_moves(self, home: str) -> None:
        """Have everything that is at home there moved, as before work on a region."""
        for group in self.cluster.newest().director.state.groups:
            if group.home == home:
                self.cluster.command_count += 1
                move = MoveAsked(RunKind.SWITCHOVER, group.service_id, None)
                self.operator.send(move, f"move-{self.cluster.command_count}")

    @property
    def _is_plain(self) -> bool:
        """Whether a failover is possible in this world, when nothing else is wrong in it."""
        options = self.options
        return options.loss <= 0.005 and options.rpo_ms != 5_000 and not self._kept

    def _is_played(self, now: _Round, *, moves: bool) -> bool:
        """Whether the round has come to its end by itself."""
        runs = self.cluster.newest().director.state.runs
        if not all(each.is_done for each in now.planned) or any(run.is_active for run in runs):
            return False
        return len(self.runs.ended) > now.ended_before if moves else True

    def _sit_out_cooldown(self) -> None:
        """Let the policy's pause between automatic runs pass, or the next loss would only wait."""
        left_ms = self._cooldown_left_ms()
        if left_ms and self.rng.random() < 0.9:
            self.advance(left_ms)

    def _cooldown_left_ms(self) -> int:
        """For how long no automatic run may begin (C1)."""
        state = self.cluster.newest().director.state
        last_ms = max((at_ms for _, at_ms in state.settled_at_ms), default=None)
        if last_ms is None:
            return 0
        # The director's time may run slower than ours by as much as clocks may.
        return max(0, last_ms + self.options.cooldown_ms - state.now_ms) * 102 // 100

    # -- what strikes, and when --------------------------------------------------------------------

    def _draw_second(self, stage: StageName) -> Planned:
        rng, drawn = self.rng, self.rng.random()
        lasts_ms = rng.choice([None, None, 100, 1_000, 4_000, 9_000])
        if drawn < 0.45:
            aim = Aim(rng.choice([0, 0, 3, 30, 300]), stage=stage)
        elif drawn < 0.75:
            aim = Aim(rng.randint(0, 7_000))
        else:
            aim = Aim(rng.choice([0, 0, 1, 5, 30]), moment=rng.choice(MOMENTS))
            lasts_ms = rng.choice([1, 30, 200, 1_500, 5_000])
        return Planned(aim, self._draw_faults(aim), lasts_ms)

    def _draw_faults(self, aim: Aim) -> list[Fault]:
        """All that may strike then, in a random order, each with a random role."""
        kinds = list(SECOND if aim.moment is None else AT_MOMENTS)
        self.rng.shuffle(kinds)
        if aim.stage is not None and self.rng.random() < 0.3:
            # The target and the leader are whom a run needs most.
            role = self.rng.choice([TARGET, LEADER])
            kinds.sort(key=lambda kind: role not in kind.roles)
            return [kind(role if role in kind.roles else self._role_of(kind)) for kind in kinds]
        return [kind(self._role_of(kind)) for kind in kinds]

    def _role_of(self, kind: type[Fault]) -> str:
        return self.rng.choice(kind.roles)

    def _plan(self, now: _Round, planned: Planned) -> None:
        now.planned.append(planned)
        aim = planned.aim
        if aim.moment is not None:
            self._await_moment(now, planned, aim.moment)
        elif aim.stage is None:
            self._later(now, aim.wait_ms, lambda: self._strike(now, planned))
        # What is not struck by then is struck whatever the stage, or is given up.
        self._later(now, now.strike_ms_max, lambda: self._strike(now, planned))

    def _await_moment(self, now: _Round, planned: Planned, moment: Moment) -> None:
        def came(who: str, _: object) -> bool:
            if now.is_over or planned.is_done:
                return False
            for fault in planned.faults:
                fault.victim_id = who
                # It soon ends by itself, and is not for good.
                fault.may_cost_quorum = True
            self._later(now, planned.aim.wait_ms, lambda: self._strike(now, planned))
            return False

        self.world.moments.await_next(moment, came)
        if moment in ELECTIONS:
            bait = Planned(Aim(0), [processes.KillDirector(LEADER)], 3_000)
            now.planned.append(bait)
            self._later(now, _ELECTION_AFTER_MS, lambda: self._strike(now, bait))

    def _see_applied(self, _: str, state: State) -> None:
        """Look whether a run came to a stage that something waits for."""
        now = self._round
        if now is None or now.is_over or state.runs is self._runs_seen:
            return
        self._runs_seen = state.runs
        stages = [run.stage for run in state.runs if run.is_active]
        for planned in now.planned:
            aim = planned.aim
            if aim.stage in stages and not planned.is_done:
                aim.stage = None
                self._later(now, aim.wait_ms, lambda planned=planned: self._strike(now, planned))  # type: ignore[misc]

    def _later(self, now: _Round, wait_ms: int, event: Callable[[], None]) -> None:
        self.world.schedule.after(wait_ms, lambda: None if now.is_over else event())

    def _strike(self, now: _Round, planned: Planned) -> None:
        if planned.is_done:
            return
        planned.is_done = True
        fault = next((each for each in planned.faults if each.can_strike(self.cluster)), None)
        if fault is None:
            return
        run = self.cluster.active_run()
        self.outcome.strikes["" if run is None else str(run.stage), fault.name] += 1
        if run is not None:
            self.world.coverage.hit(35, str(run.stage))
        fault.strike(self.cluster, self.rng)
        if isinstance(fault, links.OldWords):
            self._kept.append(fault)
            return
        now.struck.append(fault)
        if planned.lasts_ms is not None:
            self._later(now, planned.lasts_ms, lambda: self._mend(fault))

    def _mend(self, fault: Fault) -> None:
        if not fault.is_over:
            fault.mend(self.cluster)


def run_seed(seed: int) -> Outcome:
    """Draw the world of ``seed`` and play it."""
    return Campaign(Options.draw_campaign(seed)).run()
