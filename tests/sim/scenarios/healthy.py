"""A fleet in which nothing fails: packets are lost now and then, and one process at a time pauses.

Whatever the director does here is a false alarm. Every verdict DOWN and every run is kept with what
it rested on, so that it can be understood.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from director.core.commands import StageName
from director.core.state import Run, State
from director.routing.table import Verdict
from regions.core.effects import SetGate
from tests.sim.options import Options
from tests.sim.process import Process
from tests.sim.round_trips import region_names
from tests.sim.scenarios.story import SETTLE_MS_MAX, Outcome, Story

DIRECTORS = 3
HOUR_MS = 3_600_000
PAUSE_MS = 2_000
# About one pause a minute.
_BETWEEN_MS = (30_000, 90_000)
# For so long after a pause evidence of it may still arrive, and what waited is worked off.
_AFTER_PAUSE_MS = 3_000


@dataclass(frozen=True, slots=True)
class Health:
    """What a healthy fleet has to put up with.

    Attributes:
        loss: Share of packets that have to be sent again; under TCP loss is delay.
        jitter: A packet takes up to this many times its shortest delay.
        pause_ms: How long a process stands still; 0 for never.
    """

    regions: int = 4
    loss: float = 0.01
    jitter: float = 2.0
    pause_ms: int = PAUSE_MS
    duration_ms: int = HOUR_MS


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that the director did although nothing had failed."""

    seed: int
    at_ms: int
    what: str
    because: str
    paused: str
    """The last process that stood still, and how long before this it began to."""


@dataclass(slots=True)
class Calm:
    """What became of one world.

    Attributes:
        region_ms: Regions times duration.
        runs: Runs of any kind that began.
        failovers: Those that gave the service to another region; others were taken back in time.
        down: Verdicts DOWN.
        wrongly_down: Those on a region of which nothing stood still at that time.
        unknown: Verdicts UNKNOWN.
        terms: Terms of leaders, the first one not counted.
        gate_closures: How often the owner's gate closed.
        gate_closed_ms: For how long, together.
        write_gap_ms: The longest time between two acknowledged writes.
        calm_write_gap_ms: Likewise, of those gaps in which nothing stood still.
        writes: Acknowledged ones.
    """

    region_ms: int = 0
    runs: int = 0
    failovers: int = 0
    down: int = 0
    wrongly_down: int = 0
    unknown: int = 0
    terms: int = 0
    gate_closures: int = 0
    gate_closed_ms: int = 0
    write_gap_ms: int = 0
    calm_write_gap_ms: int = 0
    writes: int = 0
    pauses: Counter[str] = field(default_factory=Counter)
    """Of processes that really ran, by what they were."""
    alarms: list[Alarm] = field(default_factory=list)


def drawn(seed: int, health: Health) -> Options:
    """One healthy world: measured round trips, directors beside three of its regions."""
    rng = random.Random(f"healthy {seed}")
    regions = tuple(sorted(rng.sample(region_names(), health.regions)))
    directors = tuple(
        (f"d{number}", name) for number, name in enumerate(rng.sample(regions, DIRECTORS))
    )
    return replace(
        Options.draw(seed),
        regions=regions,
        directors=directors,
        is_measured=True,
        first_home=rng.choice(regions),
        services=(),
        loss=health.loss,
        jitter_ms=0,
        jitter_share=health.jitter - 1.0,
        rpo_ms=30_000,
        # Seldom enough to be cheap; what is looked for is in the control plane.
        write_every_ms=500,
        # So long that one answer lasts until the next write: gaps have other reasons then.
        gate_answer_ms=1_000,
        snapshot_entries=1_000,
        cooldown_ms=15 * 60_000,
        disk="memory",
        duplicated=0.0,
        reordered=0.0,
        tcp_timers=True,
    )


class _Owner:
    """Watches that the service can be written to: its owner's gate, and the gaps between writes."""

    def __init__(self, calm: Calm, clock: Callable[[], int]) -> None:
        self._calm = calm
        self._clock = clock
        self._is_open: dict[str, bool] = {}
        self._closed_at_ms: int | None = None
        self._wrote_at_ms: int | None = None
        self.paused_until_ms = 0

    def gate(self, region_id: str, told: SetGate) -> str:
        """Take a gate's change in; say why the owner's closed, "" if it did not."""
        was_open = self._is_open.get(region_id, False)
        self._is_open[region_id] = told.is_open
        if told.is_open and self._closed_at_ms is not None:
            self._calm.gate_closed_ms += self._clock() - self._closed_at_ms
            self._closed_at_ms = None
        if not was_open or told.is_open or told.home != region_id:
            return ""
        self._closed_at_ms = self._clock()
        self._calm.gate_closures += 1
        return told.reason

    def wrote(self, _service_id: str, _region_id: str) -> None:
        """A write was acknowledged."""
        calm, now_ms, before_ms = self._calm, self._clock(), self._wrote_at_ms
        self._wrote_at_ms = now_ms
        calm.writes += 1
        if before_ms is None:
            return
        gap_ms = now_ms - before_ms
        calm.write_gap_ms = max(calm.write_gap_ms, gap_ms)
        if before_ms >= self.paused_until_ms:
            calm.calm_write_gap_ms = max(calm.calm_write_gap_ms, gap_ms)

    def ended(self) -> None:
        """The world ends."""
        if self._closed_at_ms is not None:
            self._calm.gate_closed_ms += self._clock() - self._closed_at_ms


class Healthy(Story):
    """One world for as long as ``health`` says."""

    def __init__(self, options: Options, health: Health) -> None:
        super().__init__(options)
        self.calm = Calm()
        self._health = health
        self._rng = random.Random(f"pauses {options.seed}")
        self._paused = "nothing paused yet"
        self._paused_at_ms = 0
        self._paused_region = ""
        self._seen: State | None = None
        self._stage_by_run: dict[str, str] = {}
        self._moved: set[str] = set()
        self._owner = _Owner(self.calm, lambda: self.world.now_ms)

    def run(self) -> Outcome:
        """Play it. Alarms do not end it: they are counted in ``calm``."""
        self.cluster.start()
        self.until_settled(SETTLE_MS_MAX, "at the start")
        self.advance(10_000)
        self._watch()
        began_ms, end_ms = self.world.now_ms, self.world.now_ms + self._health.duration_ms
        while self.world.now_ms < end_ms:
            self.advance(min(self._rng.randint(*_BETWEEN_MS), end_ms - self.world.now_ms))
            if self._health.pause_ms and self.world.now_ms < end_ms:
                self._pause_one()
        self.calm.region_ms = (self.world.now_ms - began_ms) * len(self.cluster.regions)
        self.calm.runs = len(self._stage_by_run)
        self.calm.failovers = len(self._moved)
        self.calm.terms = len(self.world.watch.leaders.leader_by_term) - 1
        self._owner.ended()
        self.world.watch.finish()
        self.outcome.simulated_ms = self.world.now_ms
        self.outcome.events = self.world.schedule.event_count
        self.outcome.digest = self.world.trace.digest()
        return self.outcome

    def _watch(self) -> None:
        self.world.watch.on_applied.append(self._see_applied)
        self.world.watch.on_acknowledged.append(self._owner.wrote)
        for name, region in self.cluster.regions.items():
            region.on_gate = partial(self._see_gate, name)

    # -- pauses ------------------------------------------------------------------------------------

    def _pause_one(self) -> None:
        """Stop one process, or one region's machine with agent and service, for two seconds."""
        role, processes = self._drawn_node()
        self._paused = f"{role} {processes[0].host}"
        self._paused_region = processes[0].host
        self._paused_at_ms = self.world.now_ms
        # What it finds to do when it goes on takes it a moment.
        self._owner.paused_until_ms = self.world.now_ms + self._health.pause_ms + _AFTER_PAUSE_MS
        for process in processes:
            process.pause()
        self.calm.pauses[role] += all(each.is_paused for each in processes)
        self.world.network.watch_blocked()
        self.advance(self._health.pause_ms)
        for process in processes:
            process.resume()

    def _drawn_node(self) -> tuple[str, list[Process]]:
        role = self._rng.choice(("director", "agent", "service", "machine"))
        if role == "director":
            replica = self._rng.choice(list(self.cluster.replicas.values()))
            return ("leader" if replica.leads else "follower"), [replica.process]
        name = self._rng.choice(self.options.regions)
        region = self.cluster.regions[name]
        where = f"active {role}" if name == self.cluster.home() else role
        processes = {
            "agent": [region.process],
            "service": [region.service.process],
            "machine": [region.process, region.service.process],
        }
        return where, processes[role]

    # -- alarms ------------------------------------------------------------------------------------

    def _see_applied(self, _: str, state: State) -> None:
        seen, self._seen = self._seen, state
        if seen is None or state.applied_index <= seen.applied_index:
            self._seen = state if seen is None else seen
            return
        if state.verdicts is not seen.verdicts:
            self._see_verdicts(seen, state)
        if state.runs is not seen.runs:
            for run in state.runs:
                self._see_run(run)

    def _see_verdicts(self, seen: State, state: State) -> None:
        for pair, record in sorted(state.verdicts.items()):
            before = seen.verdicts.get(pair)
            if before is not None and before.verdict is record.verdict:
                continue
            if record.verdict is Verdict.DOWN:
                self.calm.down += 1
                stood_still = self._stood_still(pair[1])
                self.calm.wrongly_down += not stood_still
                evidence = ", ".join(
                    f"{each.vantage} {each.finding} {each.age_ms} ms" for each in record.evidence
                )
                how = "" if stood_still else "wrongly "
                self._alarm(f"{pair[1]} is {how}DOWN", f"{record.reason}: {evidence}")
            self.calm.unknown += record.verdict is Verdict.UNKNOWN

    def _stood_still(self, region_id: str) -> bool:
        """Whether part of a region stands still, or did until a moment ago."""
        since_ms = self.world.now_ms - self._paused_at_ms
        is_lately = since_ms <= self._health.pause_ms + _AFTER_PAUSE_MS
        return self._paused_region == region_id and is_lately

    def _see_gate(self, region_id: str, told: SetGate) -> None:
        reason = self._owner.gate(region_id, told)
        if reason and not self._stood_still(region_id):
            self._alarm(f"the gate of {region_id} closes", reason)

    def _see_run(self, run: Run) -> None:
        if self._stage_by_run.get(run.run_id) == run.stage:
            return
        self._stage_by_run[run.run_id] = run.stage
        if run.stage is StageName.PROMOTING:
            self._moved.add(run.run_id)
        notes = "; ".join((*run.notes, *(f"{each.phase}: {each.note}" for each in run.ledger)))
        self._alarm(f"{run.run_id} {run.source} to {run.target} is {run.stage}", notes)

    def _alarm(self, what: str, because: str) -> None:
        since_ms = self.world.now_ms - self._paused_at_ms
        self.calm.alarms.append(
            Alarm(
                self.options.seed,
                self.world.now_ms,
                what,
                because,
                f"{self._paused}, {since_ms} ms before",
            )
        )


def played(seed: int, health: Health) -> Calm:
    """Play one healthy world."""
    story = Healthy(drawn(seed, health), health)
    story.run()
    return story.calm
