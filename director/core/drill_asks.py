"""Turns what is asked of drills into commands, or says why not. Runs on the leader."""

from dataclasses import replace

from director.core.commands import AbortDrill, Stamp, StartDrill
from director.core.drill_guards import guard_answers
from director.core.failover import Bench
from director.core.inputs import DrillAbortAsked, DrillAsked
from director.core.machine_drills import (
    drill_abort_refusal,
    guard_refusal,
    not_found,
    occurrence_refusal,
    resolved,
)
from director.core.safety import Refusal
from director.core.state import State


def ask_drill(bench: Bench, ask: DrillAsked, stamp: Stamp) -> StartDrill | Refusal:
    """Return the command that begins a drill, or the guard that refuses it.

    A scheduled one that a guard refuses is recorded as skipped: somebody looks for it.
    """
    command = StartDrill(
        stamp, resolved(bench.state, ask.spec), ask.schedule_id, ask.occurrence_ms, ask.local
    )
    refusal = occurrence_refusal(bench.state, command)
    if refusal is not None:
        return refusal
    if ask.skip_cause:
        return replace(command, skip_cause=ask.skip_cause, skip_note=ask.skip_note)
    answers = guard_answers(
        bench, command.spec, ask.local, stamp, is_scheduled=ask.occurrence_ms is not None
    )
    command = replace(command, guards=answers)
    refused = next((each for each in answers if not each.passed), None)
    if refused is None:
        return command
    if ask.occurrence_ms is None:
        return guard_refusal(refused)
    return replace(command, skip_cause=str(refused.guard), skip_note=refused.message)


def ask_abort(state: State, ask: DrillAbortAsked, stamp: Stamp) -> AbortDrill | Refusal:
    """Return the command that cuts a drill short, or why it cannot be."""
    drill = state.drill(ask.drill_id)
    if drill is None:
        return not_found(state, ask.drill_id)
    note = f"{stamp.actor}: {stamp.reason}" if stamp.reason else stamp.actor
    return drill_abort_refusal(drill) or AbortDrill(stamp, drill.drill_id, "ASKED", note)


def drill_preview(command: StartDrill) -> str:
    """Say for a dry run what would be lost for how long, and what the guards say."""
    spec = command.spec
    if command.skip_cause:
        return f"it would be recorded as skipped: {command.skip_note}"
    said = " · ".join(each.message for each in command.guards)
    return (
        f"{spec.service_id} would lose {spec.scenario.region_id} ({spec.scenario.kind}) for "
        f"{spec.for_ms} ms; {said}"
    )
