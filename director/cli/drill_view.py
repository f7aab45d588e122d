"""One drill as people follow it: guards, phases, restoration, and the verdict in one line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from director.cli.exits import ExitCode
from director.cli.output import note
from director.cli.words import ABSENT, seconds
from director.runtime.durations import format_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from trafficdirector.admin.v1 import admin_pb2 as admin
    from trafficdirector.drill.v1 import drill_pb2 as pb

ENDED = "ended"
_RESTORING = "restoring"
_RECOVERED = "recovered"
_MS_PER_TENTH = 100
_MS_PER_S = 1_000
_BUDGET_CAUSES = {"RTO_MISSED", "RPO_MISSED", "RPO_UNKNOWN", "NOT_RECOVERED"}
_WORD_BY_VERDICT = {"PASSED": "PASS", "FAILED": "FAIL"}
_SAID_BY_HOW = {
    "Blackhole": "unreachable",
    "AgentKill": "its agents are silent",
    "ErrorRate": "probes fail",
    "Latency": "probes are slow",
    "Switchover": "a planned move",
}
_SAID_BY_CAUSE = {
    "RTO_MISSED": "the recovery took longer than expected",
    "RPO_MISSED": "more writes could be lost than allowed",
    "RPO_UNKNOWN": "how many writes could be lost is not known",
    "NOT_RECOVERED": "no other region took over in time",
    "STATE_DIFF": "not everything is as it was before",
}


def exit_code(drill: pb.Drill) -> ExitCode:
    """Return what a command that followed a drill to its end exits with."""
    match drill.verdict:
        case "PASSED":
            return ExitCode.DONE
        case "ABORTED":
            return ExitCode.ABORTED
        case "SKIPPED":
            return ExitCode.REFUSED
        case _:
            is_budget = drill.cause in _BUDGET_CAUSES
            return ExitCode.BUDGET_MISSED if is_budget else ExitCode.NO


def verdict_line(drill: pb.Drill) -> str:
    """Return ``PASS   RTO 5.9s of 45s expected (60s objective)   RPO 0s of 5s``."""
    parts = [_WORD_BY_VERDICT.get(drill.verdict, drill.verdict), *_cause(drill)]
    if drill.HasField("measured_rto_ms"):
        parts += [_rto(drill), *_rpo(drill)]
    return "   ".join(parts)


def _cause(drill: pb.Drill) -> Iterator[str]:
    if not drill.cause:
        return
    said = drill.abort_note if drill.abort_cause == drill.cause else _SAID_BY_CAUSE.get(drill.cause)
    if drill.cause == "STATE_DIFF":
        said = "; ".join((_SAID_BY_CAUSE["STATE_DIFF"], *drill.state_diff))
    elif drill.verdict == "SKIPPED" and drill.timeline:
        said = drill.timeline[-1].note
    yield f"{drill.cause}: {said}" if said else drill.cause


def _rto(drill: pb.Drill) -> str:
    line = f"RTO {seconds(drill.measured_rto_ms)} of {seconds(drill.rto_budget_ms)}"
    if drill.rto_ms and drill.rto_ms != drill.rto_budget_ms:
        return f"{line} expected ({seconds(drill.rto_ms)} objective)"
    return line


def _rpo(drill: pb.Drill) -> Iterator[str]:
    loss = seconds(drill.loss_bound_ms) if drill.HasField("loss_bound_ms") else "unknown"
    if drill.HasField("rpo_budget_ms"):
        yield f"RPO {loss} of {seconds(drill.rpo_budget_ms)}"
    elif drill.HasField("loss_bound_ms"):
        yield f"RPO {loss}"


def scenario_words(drill: pb.Drill | pb.ScheduleStatus | pb.PlanDrillResponse) -> str:
    """Return ``lose eu-west1 (blackhole) for 30s``."""
    region = drill.region_id or "the owner's region"
    return f"lose {region} ({drill.how.lower()}) for {format_ms(drill.for_ms)}"


class DrillPrinter:
    """Prints each thing that becomes known of one drill on stderr, once."""

    def __init__(self) -> None:
        self._has_begun = False
        self._is_injected = False
        self._phase_count = 0
        self._elapsed_ms = 0
        self._moment_count = 0
        self._is_line_open = False

    def show(self, drill: pb.Drill) -> None:
        """Print what is new in ``drill``."""
        if not self._has_begun:
            self._has_begun = True
            note(f"Drill {drill.drill_id}   {scenario_words(drill)}")
            note(f"  guards    {guards_line(drill.guards)}")
        if drill.HasField("injected_at_ms") and not self._is_injected:
            self._is_injected = True
            said = _SAID_BY_HOW.get(drill.how, drill.how)
            note(f"  {_clock(0)}  inject     {drill.region_id} {said}")
        # Counted before it is printed: Ctrl-C may come in between, and what follows goes on here.
        for each in drill.phases[self._phase_count :]:
            self._phase_count += 1
            self._elapsed_ms += each.spent_ms
            note(phase_line(self._elapsed_ms, each))
        for moment in drill.timeline[self._moment_count :]:
            self._moment_count += 1
            self._moment(drill, moment)

    def break_line(self) -> None:
        """End a line that waits for its end, so that something else can be said."""
        if self._is_line_open:
            note("")
        self._is_line_open = False

    def _moment(self, drill: pb.Drill, moment: pb.DrillMoment) -> None:
        if moment.stage == _RECOVERED:
            left_ms = drill.injected_at_ms + drill.for_ms - moment.at_ms
            note(f"  {moment.note}; held for another {seconds(max(0, left_ms))}")
        elif moment.stage == _RESTORING:
            if drill.abort_cause:
                note(f"  aborted: {drill.abort_note or drill.abort_cause}")
            click.echo(
                f"  restoring {drill.home_region_id or drill.region_id} ... ", nl=False, err=True
            )
            self._is_line_open = True
        elif moment.stage == ENDED and self._is_line_open:
            said = f"not as before: {drill.state_diff[0]}" if drill.state_diff else "done"
            note(said)
            self._is_line_open = False


def describe_drill(drill: pb.Drill) -> Iterator[str]:
    """Yield everything known about a drill."""
    yield f"{drill.drill_id}   {scenario_words(drill)}   by {drill.actor or ABSENT}"
    if drill.reason:
        yield f"  reason    {drill.reason}"
    yield f"  began     {when(drill.started_wall_ms)}"
    for each in drill.guards:
        yield f"  {'ok' if each.passed else 'NO'}        {each.guard}: {each.message}"
    began_ms = drill.timeline[0].at_ms if drill.timeline else 0
    for moment in drill.timeline:
        at = _clock(moment.at_ms - began_ms)
        yield f"  {at}     {moment.stage:<10} {moment.note}".rstrip()
    elapsed_ms = 0
    for phase in drill.phases:
        elapsed_ms += phase.spent_ms
        yield phase_line(elapsed_ms, phase)
    if drill.evidence:
        yield "  evidence  " + ", ".join(
            f"{each.vantage} {each.finding} ({seconds(each.age_ms)} old)" for each in drill.evidence
        )
    if drill.failover_ids:
        yield f"  moves     {', '.join(drill.failover_ids)}"
    for line in drill.state_diff:
        yield f"  differs   {line}"
    yield f"  {verdict_line(drill)}" if drill.verdict else f"  stage     {drill.stage}"
    if drill.report_hash:
        yield f"  report    SHA-256 {drill.report_hash}"


def guards_line(guards: Iterable[pb.GuardAnswer]) -> str:
    """Return what the guards said, on one line."""
    return " · ".join(each.message for each in guards) or ABSENT


def phase_line(elapsed_ms: int, phase: admin.PhaseTime) -> str:
    """Return ``02.9s  detect     PEERS_FAIL   2.9s``."""
    return (
        f"  {_clock(elapsed_ms)}  {phase.phase:<9}  {seconds(phase.spent_ms):>6}  {phase.note}"
    ).rstrip()


def _clock(elapsed_ms: int) -> str:
    return f"{-(-elapsed_ms // _MS_PER_TENTH) / 10:04.1f}s"


def when(wall_ms: int) -> str:
    """Return a wall-clock instant as people read it; a dash for none."""
    if not wall_ms:
        return ABSENT
    moment = datetime.fromtimestamp(wall_ms / _MS_PER_S, tz=UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")


def plan_lines(plan: pb.PlanDrillResponse) -> Iterator[str]:
    """Yield what a drill would do."""
    verdict = "would run" if plan.would_run else "would be refused"
    yield f"{plan.service_id}: {scenario_words(plan)}   {verdict}"
    yield ""
    yield "guards"
    width = max((len(each.guard) for each in plan.guards), default=0)
    for each in plan.guards:
        yield f"  {'ok' if each.passed else 'NO':<3} {each.guard:<{width}}  {each.message}"
    if not plan.would_run:
        return
    yield ""
    yield f"target    {plan.target_region_id or 'nobody has to take over'}"
    yield from _predicted(plan)
    yield f"touched   {'; '.join(plan.touched) or 'nothing'}"
    left_over = "; ".join(plan.left_over) or "nothing"
    yield f"differs at the end: {left_over}"


def _predicted(plan: pb.PlanDrillResponse) -> Iterator[str]:
    if not plan.phases:
        yield "predicted nothing moves"
        return
    yield f"predicted {seconds(plan.predicted_rto_ms)} of {seconds(plan.rto_budget_ms)}"
    elapsed_ms = 0
    for each in plan.phases:
        elapsed_ms += each.spent_ms
        yield phase_line(elapsed_ms, each)
    loss = seconds(plan.loss_bound_ms) if plan.HasField("loss_bound_ms") else "unknown"
    allowed = f" of {seconds(plan.rpo_budget_ms)}" if plan.HasField("rpo_budget_ms") else ""
    yield f"could lose {loss}{allowed}"
