"""Numbers and columns as people read them: ``5.9s``, aligned tables, colour only on a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ABSENT = "-"

_COLOUR_BY_WORD = {
    "UP": "green",
    "OK": "green",
    "WARN": "yellow",
    "FAIL": "red",
    "healthy": "green",
    "settled": "green",
    "DEGRADED": "yellow",
    "UNKNOWN": "yellow",
    "degraded": "yellow",
    "stale": "yellow",
    "DOWN": "red",
    "aborted": "red",
}


def seconds(duration_ms: int | None) -> str:
    """Return ``5900`` as ``5.9s`` and None as a dash."""
    if duration_ms is None:
        return ABSENT
    # Rounded up to a tenth: a loss of 40 ms is not "0s".
    tenths = -(-duration_ms // 100)
    whole, tenth = divmod(tenths, 10)
    return f"{whole}.{tenth}s" if tenth else f"{whole}s"


def against(measured_ms: int | None, objective_ms: int | None) -> str:
    """Return ``0.3s / 5s``, or a dash when there is no objective."""
    if objective_ms is None:
        return ABSENT
    return f"{seconds(measured_ms) if measured_ms is not None else '?'} / {seconds(objective_ms)}"


def is_colourful() -> bool:
    """Whether stdout is a terminal that may be coloured (no-color.org)."""
    return (
        sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and (os.environ.get("TERM", "") != "dumb")
    )


def coloured(word: str) -> str:
    """Return ``word`` in the colour of what it says, on a terminal."""
    colour = _COLOUR_BY_WORD.get(word.strip())
    return click.style(word, fg=colour) if colour is not None and is_colourful() else word


def columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table with a header."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(header))]
    lines = []
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        # Colour codes have no width, so they come after the padding.
        line = "  ".join(coloured(cell) for cell in padded)
        lines.append(line.rstrip())
    return lines


def plural(count: int, noun: str) -> str:
    """Return ``2 services`` or ``1 service``."""
    ending = "" if count == 1 else "s"
    if count != 1 and noun.endswith("y"):
        noun, ending = noun[:-1], "ies"
    return f"{count} {noun}{ending}"
