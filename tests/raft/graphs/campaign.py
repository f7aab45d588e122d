"""Every shape with every leader placement: which cases there are, and what came of them."""

from __future__ import annotations

from dataclasses import replace

from tests.raft.graphs.shapes import labellings, shapes
from tests.raft.graphs.trial import Case, GraphViolationError, Outcome, play
from tests.support.sweep import Tally

# Once in ten thousand is chance. Three times in a row is not.
DRAWS_MAX = 3
LATE_SEED_STEP = 1_000_000


def all_cases(count: int, seed: int = 0) -> list[Case]:
    """Return each shape of ``count`` replicas with each one leading and with none.

    A placement is as good as any other that renames into it, so one graph of each shape does.
    Each is played with equal logs, and with unequal ones of a draw of its own.
    """
    return [
        Case(count, graph, start, unequal, seed)
        for graph in shapes(count)
        for start in (None, *range(count))
        for unequal in (False, True)
    ]


def labelled_cases(count: int, seed: int = 0) -> list[Case]:
    """Return every graph with every naming of its corners: what chance and order make of it."""
    return [
        Case(count, graph, start, unequal, seed)
        for shape in shapes(count)
        for graph in labellings(count, shape)
        for start in (None, *range(count))
        for unequal in (False, True)
    ]


def play_all(cases: list[Case]) -> Tally:
    """Play ``cases`` and tally how they ended."""
    tally = Tally()
    for case in cases:
        kind = (
            f"{case.count} replicas, {'unequal' if case.unequal else 'equal'} logs, "
            f"{'nobody' if case.start is None else 'one'} leading"
        )
        try:
            outcome, draws = _in_time(case)
        except AssertionError as error:
            # A violation, or production code that found itself in an impossible place.
            tally.note(kind, "wrong")
            tally.wrong.append(f"{error}\n  again: python -m tests.raft.graphs --case {case}")
            continue
        led = "led" if draws == 1 else "led, late once"
        tally.note(kind, "cannot be led" if outcome.leader is None else led)
        tally.note_figure("ticks from the cut to the last change of leader", outcome.settle_ticks)
        tally.note_figure("ticks from healing to one log", outcome.heal_ticks)
        tally.note_figure("terms begun between the cut and the last change", outcome.terms)
    return tally


def _in_time(case: Case) -> tuple[Outcome, int]:
    """Play ``case`` with other draws if it is late, as chance may have it once but not again.

    Returns:
        How it went, and how many draws it took.
    """
    for attempt in range(DRAWS_MAX):
        outcome = play(replace(case, seed=case.seed + attempt * LATE_SEED_STEP))
        if not outcome.is_late:
            return outcome, attempt + 1
    raise GraphViolationError(f"{case.describe()}: late with each of {DRAWS_MAX} draws")
