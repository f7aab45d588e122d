"""Plans a drill without running it.

The commands that its move would write are folded through ``machine.apply`` on a copy of the state:
what the plan says of owners and of what would be left over is what would stand in the log.
"""

from dataclasses import dataclass, replace

from director.core import machine
from director.core.budget import PROMOTE_AND_PUBLISH_MS, REPROBE_MS, predicted_rto
from director.core.commands import (
    AdvanceDrill,
    AdvanceRun,
    Command,
    RecordVerdicts,
    RunKind,
    StageName,
    Stamp,
    StartDrill,
    StartRun,
    VerdictChange,
)
from director.core.drill import DrillKind, DrillSpec, DrillStage, GuardAnswer
from director.core.drill_guards import Prospect, guard_answers, prospect, run_for
from director.core.drill_record import DrillPhase
from director.core.drill_view import operational_view, state_diff, view_diff
from director.core.events import (
    DrillAdvanced,
    DrillStarted,
    Event,
    Rejected,
    RunAdvanced,
    RunStarted,
    VerdictsRecorded,
)
from director.core.failover import Bench
from director.core.ids import NO_DRILL
from director.core.inputs import DrillAsked
from director.core.machine_drills import resolved
from director.core.state import Phase, State
from director.core.topology import ServiceSpec
from director.routing.table import RegionId, ServiceMode, Verdict

_PER_MILLE = 1_000


@dataclass(frozen=True, slots=True)
class PlannedMoment:
    """What would stand in the log, and when after the injection."""

    after_ms: int
    what: str


@dataclass(frozen=True, slots=True)
class DrillPlan:
    """What a drill would do.

    Attributes:
        spec: With its region filled in.
        guards: What every guard says now.
        target: Who would take over; None if nobody may, or has to.
        phases: Predicted, from the injection on; empty if nothing would move.
        predicted_rto_ms: Their sum.
        loss_bound_ms: Bound on the writes lost if the region were lost now; None is unknown.
        touched: What would change in the middle of the drill, and back at its end.
        moments: The simulated log.
        left_over: What would not be as before at the end.
    """

    spec: DrillSpec
    guards: tuple[GuardAnswer, ...]
    target: RegionId | None
    phases: tuple[DrillPhase, ...] = ()
    predicted_rto_ms: int = 0
    loss_bound_ms: int | None = None
    touched: tuple[str, ...] = ()
    moments: tuple[PlannedMoment, ...] = ()
    left_over: tuple[str, ...] = ()

    @property
    def would_run(self) -> bool:
        """Whether every guard lets it."""
        return all(each.passed for each in self.guards)


def plan_drill(bench: Bench, ask: DrillAsked, stamp: Stamp) -> DrillPlan:
    """Return what the drill would do if it were asked for now."""
    spec = resolved(bench.state, ask.spec)
    answers = guard_answers(
        bench, spec, ask.local, stamp, is_scheduled=ask.occurrence_ms is not None
    )
    ahead = prospect(bench, spec)
    target = None if ahead is None or ahead.target is None else ahead.target
    plan = DrillPlan(
        spec,
        answers,
        None if target is None else target.region_id,
        loss_bound_ms=None if target is None else target.loss_bound_ms,
    )
    if not plan.would_run:
        return plan
    phases = predicted_phases(bench, spec, ahead)
    plan = replace(plan, phases=phases, predicted_rto_ms=sum(each.ms for each in phases))
    return _simulated(bench, plan, ahead, replace(stamp, request_id="", ask_digest=""))


def would_move(spec: DrillSpec, service: ServiceSpec) -> bool:
    """Whether what is injected is enough for the region to be called down.

    A share is spread evenly over the probes, so that its longest streak is known.
    """
    health, scenario = service.health, spec.scenario
    match scenario.kind:
        case DrillKind.LATENCY:
            return scenario.delay_ms >= health.probe_timeout_ms
        case DrillKind.ERROR_RATE:
            passing = _PER_MILLE - scenario.share_per_mille
            if passing == 0:
                return True
            fails_in_a_row = -(-_PER_MILLE // passing) - 1
            passes_in_a_row = -(-_PER_MILLE // scenario.share_per_mille) - 1
            is_forgiven = passes_in_a_row >= health.forgive_count
            return fails_in_a_row >= health.fall_count or not is_forgiven
        case _:
            return True


def predicted_phases(
    bench: Bench, spec: DrillSpec, ahead: Prospect | None
) -> tuple[DrillPhase, ...]:
    """Return where the time would go, from the functions that `director status` predicts with."""
    service = bench.state.topology.service(spec.service_id)
    kind, timing = spec.scenario.kind, bench.court.timing
    if service is None or not would_move(spec, service):
        return ()
    policy = bench.state.topology.policy(service.policy_id)
    if kind is DrillKind.SWITCHOVER:
        lag_ms = 0 if ahead is None or ahead.target is None else ahead.target.lag_ms or 0
        return (
            DrillPhase(Phase.FENCE, timing.heartbeat_ms + lag_ms, "the owner stops"),
            DrillPhase(Phase.PROMOTE, PROMOTE_AND_PUBLISH_MS, "promote and publish"),
        )
    if kind is DrillKind.AGENT_KILL:
        if ahead is None:
            is_shared = service.mode is ServiceMode.ACTIVE_ACTIVE
            wait_ms = timing.suspect_ms
            return () if is_shared else (DrillPhase(Phase.DETECT, wait_ms, "silent"),)
        # Silence moves nothing before the lease has run out.
        return (
            DrillPhase(Phase.DETECT, timing.lease_wait_ms, "silent, and the lease ran out"),
            DrillPhase(Phase.DECIDE, timing.heartbeat_ms + policy.hold_ms, "confirmed"),
            DrillPhase(Phase.PROMOTE, PROMOTE_AND_PUBLISH_MS, "promote and publish"),
        )
    predicted = predicted_rto(
        timing, service.health, hold_ms=policy.hold_ms, fenced=ahead is not None
    )
    confirm_ms, fence_ms = predicted.confirm_ms, predicted.fence_ms
    if kind is not DrillKind.BLACKHOLE and ahead is not None:
        # Its own agent calls it failing, and is asked for longer: it may only have paused.
        own_ms = service.health.rise_count * REPROBE_MS + 2 * timing.heartbeat_ms
        confirm_ms = max(confirm_ms, own_ms + policy.hold_ms)
        fence_ms = max(0, timing.lease_wait_ms - predicted.detect_ms - confirm_ms)
    return (
        DrillPhase(Phase.DETECT, predicted.detect_ms, "enough observers agree"),
        DrillPhase(Phase.DECIDE, confirm_ms, "confirmed"),
        DrillPhase(Phase.FENCE, fence_ms, "the lease runs out"),
        DrillPhase(Phase.PROMOTE, predicted.promote_publish_ms, "promote and publish"),
    )


# -- the simulated log -----------------------------------------------------------------------------

_AWAY = (
    StageName.FENCING,
    StageName.PROMOTING,
    StageName.PUBLISHING,
    StageName.VERIFYING,
    StageName.SETTLED,
)


class _Simulation:
    """A copy of the state that commands are applied to, and what they came to."""

    def __init__(self, state: State, plan: DrillPlan, stamp: Stamp) -> None:
        self.state = state
        self.moments: list[PlannedMoment] = []
        self.touched: list[str] = []
        self.is_refused = False
        self._spec = plan.spec
        self._stamp = stamp
        self._before = operational_view(state, plan.spec.service_id)

    def stamp(self, after_ms: int) -> Stamp:
        """Return a stamp of so long after the injection."""
        return replace(self._stamp, at_ms=self._stamp.at_ms + after_ms)

    def apply(self, after_ms: int, command: Command) -> None:
        """Apply one more command, unless an earlier one was refused."""
        if self.is_refused:
            return
        index = self.state.applied_index + 1
        self.state, event = machine.apply(self.state, index, command)
        self.is_refused = isinstance(event, Rejected)
        self.moments.append(PlannedMoment(after_ms, _said(event)))
        differs = view_diff(self._before, operational_view(self.state, self._spec.service_id))
        self.touched += [each for each in differs if each not in self.touched]

    def advance(self, after_ms: int, stage: DrillStage) -> None:
        """Move the drill on."""
        if not self.is_refused:
            drill = self.state.drills[-1]
            stamp = self.stamp(after_ms)
            self.apply(after_ms, AdvanceDrill(stamp, drill.drill_id, drill.stage, stage))

    def verdict(self, after_ms: int, verdict: Verdict) -> None:
        """Have the region judged."""
        service_id, region_id = self._spec.service_id, self._spec.scenario.region_id
        stamp = self.stamp(after_ms)
        change = VerdictChange(service_id, region_id, verdict, "DRILL", stamp.at_ms)
        self.apply(after_ms, RecordVerdicts(stamp, (change,)))

    def move(self, after_ms: int, command: StartRun, phases: tuple[DrillPhase, ...]) -> None:
        """Have a run go through all of its stages, those of ``phases`` in their time."""
        self.apply(after_ms, replace(command, stamp=self.stamp(after_ms)))
        ms_by_phase = {each.phase: each.ms for each in phases}
        ends = (Phase.DECIDE, Phase.FENCE, Phase.PROMOTE, Phase.PUBLISH, Phase.VERIFY)
        for stage, phase in zip(_AWAY, ends, strict=True):
            after_ms += ms_by_phase.get(phase, 0)
            if not self.is_refused:
                run = self.state.runs[-1]
                stamp = self.stamp(after_ms)
                self.apply(after_ms, AdvanceRun(stamp, run.run_id, run.stage, stage))


def _simulated(bench: Bench, plan: DrillPlan, ahead: Prospect | None, stamp: Stamp) -> DrillPlan:
    spec, phases = plan.spec, plan.phases
    stamp = replace(stamp, at_ms=max(bench.state.now_ms, stamp.at_ms))
    world = _Simulation(bench.state, plan, stamp)
    world.apply(0, StartDrill(stamp, spec))
    if world.is_refused:
        return replace(plan, moments=tuple(world.moments))
    world.advance(0, DrillStage.INJECTING)
    is_seen = bool(phases) and spec.is_injected
    is_killed = spec.scenario.kind is DrillKind.AGENT_KILL
    seen_ms = phases[0].ms if is_seen else 0
    if is_seen:
        world.verdict(seen_ms, Verdict.UNKNOWN if is_killed else Verdict.DOWN)
    run = run_for(ahead, spec, stamp) if ahead is not None and phases else None
    if run is not None:
        drill_id = NO_DRILL if run.automatic else world.state.drills[-1].drill_id
        world.move(seen_ms, replace(run, drill_id=drill_id), phases)
    if phases:
        world.advance(plan.predicted_rto_ms, DrillStage.RECOVERED)
    at_ms = max(spec.for_ms, plan.predicted_rto_ms)
    world.advance(at_ms, DrillStage.RESTORING)
    if is_seen:
        at_ms += bench.court.timing.heartbeat_ms
        world.verdict(at_ms, Verdict.UP)
    if run is not None:
        stop_ms = bench.court.timing.heartbeat_ms
        back = (
            DrillPhase(Phase.FENCE, stop_ms),
            DrillPhase(Phase.PROMOTE, PROMOTE_AND_PUBLISH_MS),
        )
        world.move(at_ms, _home(world, run, spec), back)
        at_ms += stop_ms + PROMOTE_AND_PUBLISH_MS
    world.advance(at_ms, DrillStage.ENDED)
    return replace(
        plan,
        moments=tuple(world.moments),
        touched=tuple(world.touched),
        left_over=state_diff(world.state, world.state.drills[-1]),
    )


def _home(world: _Simulation, run: StartRun, spec: DrillSpec) -> StartRun:
    group = world.state.group(run.group_id)
    return replace(
        run,
        kind=RunKind.SWITCHOVER,
        target=spec.scenario.region_id,
        expected_epoch=run.expected_epoch + 1 if group is None else group.epoch,
        automatic=False,
        drill_id=world.state.drills[-1].drill_id,
    )


def _said(event: Event | None) -> str:
    match event:
        case DrillStarted() | DrillAdvanced():
            verdict = "" if event.verdict is None else f": {event.verdict}"
            return f"drill {event.stage}{verdict}"
        case RunStarted():
            return f"{event.run_id} from {event.source} to {event.target} begins"
        case RunAdvanced():
            token = "" if event.token is None else f", epoch {event.token.epoch}"
            return f"{event.run_id} {event.stage}{token}"
        case VerdictsRecorded():
            return "; ".join(f"{each.region_id} {each.verdict}" for each in event.changes)
        case Rejected():
            return f"refused: {event.message}"
        case _:
            return type(event).__name__
