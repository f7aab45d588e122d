"""One failover, switchover or failback as people follow it: its phases, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from director.cli.exits import ExitCode
from director.cli.output import note
from director.cli.words import ABSENT, coloured, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trafficdirector.admin.v1 import admin_pb2 as admin

_SETTLED = "settled"
_ABORTED = "aborted"
_MS_PER_TENTH = 100


def has_ended(run: admin.Failover) -> bool:
    """Whether nothing is left to be done."""
    return run.stage in {_SETTLED, _ABORTED}


def budget_missed(run: admin.Failover) -> str:
    """Return which objective a settled run missed, with its values; "" when it kept to both.

    A switchover loses nothing, so only its time counts.
    """
    missed = []
    if run.HasField("measured_rto_ms") and run.measured_rto_ms > run.rto_ms:
        missed.append(f"RTO {seconds(run.measured_rto_ms)} of {seconds(run.rto_ms)}")
    if run.kind == "failover" and run.HasField("rpo_ms"):
        if not run.HasField("loss_bound_ms"):
            missed.append(f"RPO unknown of {seconds(run.rpo_ms)}")
        elif run.loss_bound_ms > run.rpo_ms:
            missed.append(f"RPO {seconds(run.loss_bound_ms)} of {seconds(run.rpo_ms)}")
    return ", ".join(missed)


def outcome(run: admin.Failover) -> tuple[str, ExitCode]:
    """Return one line on how ``run`` ended, and the exit code for it."""
    assert has_ended(run), "a run that goes on has no outcome"
    name = f"{run.failover_id}  {coloured(run.stage)}"
    if run.stage == _ABORTED:
        cause = run.cause or "no cause given"
        return f"{name}: {run.service_id} did not move to {run.target_region_id}: {cause}", (
            ExitCode.ABORTED
        )
    line = f"{name}: {run.service_id} moved from {run.source_region_id} to {run.target_region_id}"
    facts = ", ".join(filter(None, (_rto(run), _rpo(run))))
    missed = budget_missed(run)
    if missed:
        return f"{line}; budget missed: {missed} ({facts})", ExitCode.BUDGET_MISSED
    return f"{line}; {facts}", ExitCode.DONE


def _rto(run: admin.Failover) -> str:
    if not run.HasField("measured_rto_ms"):
        return "RTO not measured"
    return f"RTO {seconds(run.measured_rto_ms)} of {seconds(run.rto_ms)}"


def _rpo(run: admin.Failover) -> str:
    if run.kind != "failover":
        return "nothing lost"
    if not run.HasField("loss_bound_ms"):
        return "loss unknown" + (f", RPO {seconds(run.rpo_ms)}" if run.HasField("rpo_ms") else "")
    objective = f" of {seconds(run.rpo_ms)}" if run.HasField("rpo_ms") else ""
    return f"RPO at most {seconds(run.loss_bound_ms)}{objective}"


class PhasePrinter:
    """Prints each phase of one run on stderr as it becomes known, once."""

    def __init__(self) -> None:
        self._ledger_count = 0
        self._note_count = 0
        self._has_begun = False

    def show(self, run: admin.Failover) -> None:
        """Print what is new in ``run``."""
        if not self._has_begun:
            note(title(run))
            self._has_begun = True
        for line in phase_lines(run, self._ledger_count, self._note_count):
            note(line)
        self._ledger_count = len(run.ledger)
        self._note_count = len(run.notes)


def title(run: admin.Failover) -> str:
    """Return ``chat/7  failover of chat: eu-west1 -> eu-north1``."""
    who = "by the director" if run.automatic else f"by {run.actor or 'an operator'}"
    moved = f"{run.source_region_id or ABSENT} -> {run.target_region_id or ABSENT}"
    return f"{run.failover_id}  {run.kind} of {run.service_id}: {moved}  ({who})"


def phase_lines(run: admin.Failover, ledger_from: int = 0, notes_from: int = 0) -> Iterator[str]:
    """Yield the phases and notes from these positions on, with the time since suspicion."""
    elapsed_ms = sum(each.spent_ms for each in run.ledger[:ledger_from])
    for spent in run.ledger[ledger_from:]:
        elapsed_ms += spent.spent_ms
        at = f"{-(-elapsed_ms // _MS_PER_TENTH) / 10:04.1f}s"
        yield f"  {at}  {spent.phase:<9}  {seconds(spent.spent_ms):>6}  {spent.note}".rstrip()
    for text in run.notes[notes_from:]:
        yield f"  {'':5}  {text}"


def describe_run(run: admin.Failover) -> Iterator[str]:
    """Yield everything known about a run."""
    yield title(run)
    yield from phase_lines(run)
    yield f"  stage     {coloured(run.stage)}" + (f" ({run.cause})" if run.cause else "")
    yield f"  recovery  {_rto(run)}"
    yield f"  loss      {_rpo(run)}"
    if run.reason:
        yield f"  reason    {run.reason}"
    if run.evidence:
        yield "  evidence  " + ", ".join(
            f"{each.vantage} {each.finding} ({seconds(each.age_ms)} old)" for each in run.evidence
        )
    if has_ended(run) and run.stage == _SETTLED and budget_missed(run):
        yield f"  missed    {budget_missed(run)}"
