"""Works through every case there is, on all cores, and says how far it is.

A campaign cuts its cases into pieces and gives a function that works on one piece and returns a
tally. What a sweep finds does not depend on how many processes it has.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

PASSED, WRONG, INTERRUPTED = 0, 1, 130
"""What a sweep exits with. Bad arguments are 2, as ever."""

_PROGRESS_EVERY_S = 10.0
_WRONG_SHOWN_MAX = 20
# Pieces handed to a process at once would make the estimate jump.
_PIECES_AT_ONCE = 1

Piece = TypeVar("Piece")


@dataclass
class Tally:
    """What came of some cases."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many cases of a kind (first) ended in a way (second)."""
    highest: dict[str, int] = field(default_factory=dict)
    """The highest figure seen, by what it measures."""
    wrong: list[str] = field(default_factory=list)
    """What must not happen, each with the line that plays it again."""

    def note(self, kind: str, ending: str) -> None:
        """Count one case."""
        self.counts[kind, ending] += 1

    def note_figure(self, name: str, value: int) -> None:
        """Keep ``value`` if it is the highest so far."""
        self.highest[name] = max(value, self.highest.get(name, value))

    def add(self, other: Tally) -> None:
        """Count what ``other`` counted."""
        self.counts.update(other.counts)
        for name, value in other.highest.items():
            self.note_figure(name, value)
        self.wrong += other.wrong

    @property
    def cases(self) -> int:
        """How many cases there were."""
        return self.counts.total()

    def table(self) -> str:
        """Return the counts as text: a line for each kind, a column for each ending."""
        endings = sorted({ending for _, ending in self.counts})
        kinds = sorted({kind for kind, _ in self.counts})
        width = max((len(kind) for kind in kinds), default=0)
        lines = [" | ".join([" " * width, *(f"{ending:>12}" for ending in ("cases", *endings))])]
        for kind in kinds:
            counts = [self.counts[kind, ending] for ending in endings]
            figures = [f"{count:>12,}" for count in (sum(counts), *counts)]
            lines.append(" | ".join([f"{kind:<{width}}", *figures]))
        return "\n".join(lines)


@dataclass(frozen=True)
class Plan:
    """How a sweep is run."""

    name: str
    processes: int
    out: Path | None

    @classmethod
    def parsed(cls, name: str, arguments: argparse.Namespace) -> Plan:
        """Take what `add_arguments` added."""
        return cls(name, arguments.processes, arguments.out)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every sweep understands."""
    cores = os.cpu_count() or 1
    parser.add_argument("--processes", type=int, default=cores, help="default: one a core")
    parser.add_argument("--out", type=Path, help="write the result here too, as JSON")


def sweep(plan: Plan, pieces: Sequence[Piece], work: Callable[[Piece], Tally]) -> int:
    """Do ``work`` on every piece, say how far it is, report, and return the exit code.

    Both must survive the way to another process: ``work`` is a function of a module.
    """
    tally = Tally()
    done = 0
    pieces = list(pieces)
    # Cheap and dear ones mixed, so that the estimate holds from the beginning.
    random.Random(plan.name).shuffle(pieces)
    began_s = said_s = time.perf_counter()
    try:
        for part in _parts(plan, pieces, work):
            for line in part.wrong[: max(0, _WRONG_SHOWN_MAX - len(tally.wrong))]:
                click.echo(f"WRONG {line}")
            tally.add(part)
            done += 1
            now_s = time.perf_counter()
            if now_s - said_s >= _PROGRESS_EVERY_S:
                said_s = now_s
                _say_progress(tally, done / len(pieces), now_s - began_s)
    except KeyboardInterrupt:
        click.echo(f"interrupted after {done} of {len(pieces)} pieces")
    _report(plan, tally, time.perf_counter() - began_s, is_complete=done == len(pieces))
    if done < len(pieces) and not tally.wrong:
        return INTERRUPTED
    # Nothing wrong among no cases at all is no success.
    return PASSED if tally.cases and not tally.wrong else WRONG


def _parts(plan: Plan, pieces: Sequence[Piece], work: Callable[[Piece], Tally]) -> Iterator[Tally]:
    if plan.processes <= 1:
        yield from map(work, pieces)
        return
    context = multiprocessing.get_context("fork")
    with context.Pool(plan.processes, _leave_interrupts_to_the_parent) as pool:
        yield from pool.imap_unordered(work, pieces, _PIECES_AT_ONCE)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _say_progress(tally: Tally, share: float, took_s: float) -> None:
    left_s = took_s / share - took_s
    click.echo(
        f"{share:6.1%}  {tally.cases:,} cases, {tally.cases / took_s:,.0f} a second, "
        f"{len(tally.wrong)} wrong, about {left_s / 60:.1f} min left"
    )


def _report(plan: Plan, tally: Tally, took_s: float, *, is_complete: bool) -> None:
    click.echo(tally.table())
    for name, value in sorted(tally.highest.items()):
        click.echo(f"{name}: {value:,} at most")
    click.echo(
        f"{plan.name}: {tally.cases:,} cases in {took_s:.0f} s, {len(tally.wrong)} wrong"
        + ("" if is_complete else "; NOT ALL OF THEM")
    )
    if plan.out is None:
        return
    counts: dict[str, dict[str, int]] = {}
    for (kind, ending), count in sorted(tally.counts.items()):
        counts.setdefault(kind, {})[ending] = count
    result = {
        "campaign": plan.name,
        "isComplete": is_complete,
        "cases": tally.cases,
        "counts": counts,
        "highest": dict(sorted(tally.highest.items())),
        "wrong": sorted(tally.wrong),
        "tookSeconds": round(took_s, 1),
        "processes": plan.processes,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    plan.out.write_text(json.dumps(result, indent=2) + "\n")
