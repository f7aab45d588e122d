"""The stages of a drill on the leader: what each waits for, and what comes next.

All that a new leader needs to go on is in the replicated drill. The failover inside is not made
here: the planner sees what it would see of a real fault, and acts. Here are only the injection's
renewal, the planned moves there and back, and the end.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from director.core.agent_view import Pair
from director.core.commands import (
    AbortDrill,
    AbortRun,
    AdvanceDrill,
    RunKind,
    StageName,
    Stamp,
    StartRun,
)
from director.core.drill import (
    DRILL_MARGIN_MS,
    INJECTION_RENEW_MS,
    RESTORE_DEADLINE_MS,
    DrillKind,
    DrillStage,
)
from director.core.drill_guards import guard_answers, prospect, run_for
from director.core.drill_record import Drill
from director.core.drill_results import measured, must_move
from director.core.drill_rules import away_run, time_left_ms, trip
from director.core.drill_view import awaited, state_diff
from director.core.failover import Bench, standing
from director.core.ids import NO_GROUP
from director.core.safety import start_refusal
from director.core.state import Run, VerdictRecord
from director.routing.table import ServiceMode

Step: TypeAlias = AdvanceDrill | AbortDrill | StartRun | AbortRun

DRILL_KEY = "drill"

# A guard that does not pass may only be one that a new leader has not heard everybody for yet.
_GUARD_PATIENCE_MS = 5_000
# From the end of an injection until every observer saw enough probes pass, and said so.
_CLEARS_MS = 3_000
# A move home that was taken back stops writes each time it is tried; as for any planned move.
_HOME_RETRY_MS = 60_000
# What is as before but does not accept writes yet, because an old lease has to run out, is waited
# for; for longer than any lease it is not the drill's doing.
_GATE_PATIENCE_MS = 10_000


@dataclass(frozen=True, slots=True)
class DrillView:
    """Everything one step looks at."""

    bench: Bench
    drill: Drill
    stamp: Stamp

    @property
    def here_ms(self) -> int:
        """How long the drill has been in its stage, in director time."""
        return self.stamp.at_ms - self.drill.stage_at_ms

    def advance(self, stage: DrillStage, note: str = "", cause: str = "") -> AdvanceDrill:
        """Propose the next stage."""
        stamp = replace(self.stamp, reason=note)
        return AdvanceDrill(stamp, self.drill.drill_id, self.drill.stage, stage, note, cause)

    def abort(self, cause: str, note: str) -> AbortDrill:
        """Propose to cut the drill short."""
        return AbortDrill(replace(self.stamp, reason=note), self.drill.drill_id, cause, note)

    def run(self) -> Run | None:
        """The service's run that is going on, or None."""
        if self.drill.group_id == NO_GROUP:
            return None
        return self.bench.state.active_run(self.drill.group_id)


def drill_proposals(bench: Bench, stamp: Stamp, taken: frozenset[str]) -> list[tuple[str, Step]]:
    """Return the command that moves the drill on, with its key; none while it waits.

    The key is the group's where the command is about its ownership: one of those is under way at a
    time, whoever asks.
    """
    drill = bench.state.active_drill() if bench.state.drills else None
    if drill is None:
        return []
    # Guards compare with the time of the decision: between entries director time goes on.
    at_now = replace(bench.state, now_ms=max(bench.state.now_ms, stamp.at_ms))
    step = _STEPS[drill.stage](DrillView(replace(bench, state=at_now), drill, stamp))
    is_of_group = isinstance(step, StartRun | AbortRun)
    key = drill.group_id if is_of_group else DRILL_KEY
    return [] if step is None or key in taken else [(key, step)]


def is_just_restored(bench: Bench, pair: Pair, stamp: Stamp) -> bool:
    """Whether evidence against a region may still be what a drill injected a moment ago.

    A run that is begun on it would move the service for nothing.
    """
    drill = bench.state.active_drill() if bench.state.drills else None
    if drill is None or drill.stage is not DrillStage.RESTORING or not drill.spec.is_injected:
        return False
    is_its = pair == (drill.spec.service_id, drill.spec.scenario.region_id)
    return is_its and stamp.at_ms - drill.stage_at_ms < _CLEARS_MS


def recover_ms(bench: Bench, pair: Pair, record: VerdictRecord) -> int:
    """How long good evidence must last before DOWN ends.

    What a drill broke is known to be well again once nothing is injected: a region that comes back
    by itself has to prove it for longer.
    """
    timing = bench.court.timing
    drill = bench.state.active_drill() if bench.state.drills else None
    if drill is None or drill.stage is not DrillStage.RESTORING or drill.injected_at_ms is None:
        return timing.recover_ms
    is_its = pair == (drill.spec.service_id, drill.spec.scenario.region_id)
    # What was suspected later than what was injected can explain it is a failure of its own.
    is_its = is_its and record.suspected_at_ms < drill.stage_at_ms + _CLEARS_MS
    if not is_its or record.suspected_at_ms < drill.injected_at_ms:
        return timing.recover_ms
    return min(timing.recover_ms, timing.heartbeat_ms)


# -- stages ----------------------------------------------------------------------------------------


def _guarding(view: DrillView) -> Step | None:
    """Ask every guard once more, at this moment, whoever leads."""
    tripped = trip(view.bench.state, view.drill)
    if tripped is not None:
        return view.abort(*tripped)
    # The calendar was asked by the wall clock of the start; and this drill is the one that runs.
    others = replace(view.bench.state, drills=())
    bench = replace(view.bench, state=others)
    answers = guard_answers(bench, view.drill.spec, None, view.stamp, is_scheduled=False)
    refused = next((each for each in answers if not each.passed), None)
    if refused is None:
        return view.advance(DrillStage.INJECTING, " · ".join(each.message for each in answers))
    if view.here_ms < _GUARD_PATIENCE_MS:
        return None
    return view.abort("GUARD", f"guard {refused.guard}: {refused.message}")


def _injecting(view: DrillView) -> Step | None:
    """Keep the fault up until another region serves, or the time is over."""
    tripped = trip(view.bench.state, view.drill) or _nobody_left(view)
    if tripped is not None:
        return view.abort(*tripped)
    if _has_recovered(view):
        return view.advance(DrillStage.RECOVERED, _recovered_note(view))
    left_ms = time_left_ms(view.drill, view.stamp.at_ms)
    if _is_hopeless(view):
        note = f"nobody took over {DRILL_MARGIN_MS} ms after the time allowed for it"
        return view.advance(DrillStage.RESTORING, note, "NOT_RECOVERED")
    if left_ms > 0:
        return _planned_away(view) or _renewed(view)
    return _out_of_time(view, left_ms)


def _out_of_time(view: DrillView, left_ms: int) -> Step | None:
    if view.run() is not None:
        if left_ms > -DRILL_MARGIN_MS:
            return _renewed(view)
        return view.abort("TIME_BOX", f"the move did not end within {DRILL_MARGIN_MS} ms more")
    cause = "NOT_RECOVERED" if must_move(view.drill) else ""
    note = "the time is over; nothing moved" if cause else "the time is over; it stayed"
    return view.advance(DrillStage.RESTORING, note, cause)


def _nobody_left(view: DrillView) -> tuple[str, str] | None:
    """With no other region in a state to serve, the fault would be an outage while it lasts."""
    bench, spec = view.bench, view.drill.spec
    service = bench.state.topology.service(spec.service_id)
    if service is None or not spec.is_injected:
        return None
    others = [each for each in service.sites if each.region_id != spec.scenario.region_id]
    kept_back = [(each.region_id, standing(bench, service, each)) for each in others]
    if any(reason is None for _, reason in kept_back):
        return None
    said = ", ".join(f"{region_id}: {reason}" for region_id, reason in kept_back)
    return "NOBODY_LEFT", f"no other region could serve {spec.service_id} ({said})"


def _is_hopeless(view: DrillView) -> bool:
    """Whether a move that has to come did not: an outage on purpose is not drawn out."""
    drill = view.drill
    if drill.injected_at_ms is None or view.run() is not None:
        return False
    if not must_move(drill) and _may_write(view):
        return False
    return view.stamp.at_ms - drill.injected_at_ms > drill.rto_budget_ms + DRILL_MARGIN_MS


def _recovered(view: DrillView) -> Step | None:
    """Hold the fault for the time that was asked for: another region has to carry on for it."""
    tripped = trip(view.bench.state, view.drill) or _nobody_left(view)
    if tripped is not None:
        return view.abort(*tripped)
    if time_left_ms(view.drill, view.stamp.at_ms) <= 0:
        return view.advance(DrillStage.RESTORING, "the time is over")
    return _renewed(view)


def _restoring(view: DrillView) -> Step | None:
    """Put everything back: take back what has not moved yet, move home what has."""
    run = view.run()
    if run is not None:
        return _taken_back(view, run)
    step = _moved_home(view)
    if step is not None:
        return step
    differs = state_diff(view.bench.state, view.drill)
    if awaited(differs) and view.here_ms < RESTORE_DEADLINE_MS:
        return None
    if not awaited(differs) and view.here_ms < _GATE_PATIENCE_MS and not _may_write(view):
        return None
    return view.advance(DrillStage.ENDED, f"not as before: {differs[0]}" if differs else "restored")


def _ended(_view: DrillView) -> Step | None:
    return None


_STEPS: dict[DrillStage, Callable[[DrillView], Step | None]] = {
    DrillStage.GUARDING: _guarding,
    DrillStage.INJECTING: _injecting,
    DrillStage.RECOVERED: _recovered,
    DrillStage.RESTORING: _restoring,
    DrillStage.ENDED: _ended,
}


# -- away ------------------------------------------------------------------------------------------


def _renewed(view: DrillView) -> Step | None:
    drill = view.drill
    is_due = view.stamp.at_ms - drill.renewed_at_ms >= INJECTION_RENEW_MS
    # No reason: there is one of these a second, and nobody decides anything.
    return view.advance(drill.stage) if drill.spec.is_injected and is_due else None


def _has_recovered(view: DrillView) -> bool:
    if measured(view.bench.state, view.drill) is None:
        return False
    run = away_run(view.bench.state, view.drill)
    if run is not None:
        return run.stage is StageName.SETTLED
    return _are_watchers_told(view)


def _are_watchers_told(view: DrillView) -> bool:
    """Whether every replica in touch pushed the routes without the region; as runs publish."""
    spec, bench = view.drill.spec, view.bench
    record = bench.state.verdicts.get((spec.service_id, spec.scenario.region_id))
    service = bench.state.topology.service(spec.service_id)
    if record is None or service is None or service.mode is ServiceMode.ACTIVE_PASSIVE:
        return True  # nobody was sent to a standby
    timing = bench.court.timing
    in_touch = [
        each.report.pushed_index
        for _, each in sorted(bench.court.log.replicas.items())
        if bench.now_ms - each.seen_at_ms <= timing.staleness_bound_ms
    ]
    if in_touch and min(in_touch) >= record.index:
        return True
    return view.stamp.at_ms - record.since_ms >= timing.publish_deadline_ms


def _recovered_note(view: DrillView) -> str:
    run = away_run(view.bench.state, view.drill)
    return "routes leave the region out" if run is None else f"{run.target} serves"


def _planned_away(view: DrillView) -> Step | None:
    """Begin the move of a switchover drill; a second try is none of a drill's business."""
    drill = view.drill
    if drill.spec.scenario.kind is not DrillKind.SWITCHOVER or view.run() is not None:
        return None
    before = away_run(view.bench.state, drill)
    if before is not None and before.stage is StageName.ABORTED:
        return view.abort("RUN_ABORTED", f"{before.run_id} was taken back: {before.cause}")
    if before is not None:
        return None
    ahead = prospect(view.bench, drill.spec)
    command = None if ahead is None else run_for(ahead, drill.spec, view.stamp)
    if command is None:
        return None
    return _as_drill(view, command, f"drill {drill.drill_id}")


def _as_drill(view: DrillView, command: StartRun, reason: str) -> StartRun | None:
    stamp = replace(view.stamp, actor=view.drill.actor, reason=reason)
    command = replace(command, stamp=stamp, drill_id=view.drill.drill_id)
    return None if start_refusal(view.bench.state, command) is not None else command


# -- back ------------------------------------------------------------------------------------------


def _taken_back(view: DrillView, run: Run) -> Step | None:
    """Cancel a move away that has not been granted; any other one ends by itself."""
    is_away = run.drill_id == view.drill.drill_id and run.target != view.drill.home
    if is_away and run.stage in (StageName.DRAINING, StageName.CONFIRMING, StageName.FENCING):
        note = f"drill {view.drill.drill_id} is over"
        return AbortRun(replace(view.stamp, reason=note), run.run_id, run.stage, "DRILL", note)
    return None


def _moved_home(view: DrillView) -> StartRun | None:
    """Begin the planned move home as soon as home can serve; it waits for every write by itself."""
    bench, drill = view.bench, view.drill
    service = bench.state.topology.service(drill.spec.service_id)
    group = None if drill.group_id == NO_GROUP else bench.state.group(drill.group_id)
    if service is None or group is None or drill.home is None or group.home == drill.home:
        return None
    site = service.site(drill.home)
    if site is None or standing(bench, service, site) is not None or _was_just_tried(view):
        return None
    if _is_moved_by_others(view):
        return None  # where a person, or a real failure, has it now is not for a drill to undo
    command = StartRun(
        view.stamp,
        RunKind.SWITCHOVER,
        group.group_id,
        drill.home,
        group.epoch,
        automatic=False,
        suspected_at_ms=view.stamp.at_ms,
        loss_bound_ms=None,
    )
    return _as_drill(view, command, f"home after drill {drill.drill_id}")


def _is_moved_by_others(view: DrillView) -> bool:
    drill = view.drill
    return any(
        run.group_id == drill.group_id
        and run.drill_id != drill.drill_id
        and run.stage is StageName.SETTLED
        and run.started_at_ms >= drill.started_at_ms
        and (not run.automatic or run.source == drill.home)
        for run in view.bench.state.runs
    )


def _was_just_tried(view: DrillView) -> bool:
    tried = [view.bench.state.run(run_id) for run_id in view.drill.run_ids]
    return any(
        run is not None
        and run.target == view.drill.home
        and run.stage is StageName.ABORTED
        and view.stamp.at_ms - run.stage_at_ms < _HOME_RETRY_MS
        for run in tried
    )


def _may_write(view: DrillView) -> bool:
    """Whether the owner accepts writes again, where there is one that asks a gate."""
    bench, drill = view.bench, view.drill
    service = bench.state.topology.service(drill.spec.service_id)
    group = None if drill.group_id == NO_GROUP else bench.state.group(drill.group_id)
    if service is None or group is None or group.home is None or not service.gated:
        return True
    token = bench.state.token(group)
    return bench.court.log.is_gate_open(group.home, group.group_id, token)
