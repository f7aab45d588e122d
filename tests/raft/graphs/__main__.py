"""Plays every connectivity graph: ``python -m tests.raft.graphs``.

Exit codes: 0 a stable leader exactly where one can be; 1 not so, with the line that plays it
again; 2 bad arguments; 130 interrupted.
"""

import argparse
import sys

import click

from tests.raft.graphs.campaign import all_cases, labelled_cases, play_all
from tests.raft.graphs.shapes import SHAPE_COUNTS, shapes
from tests.raft.graphs.trial import Case, play
from tests.support.sweep import PASSED, WRONG, Plan, add_arguments, sweep

_CASES_PER_PIECE = 100


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.raft.graphs", description=__doc__)
    parser.add_argument("--replicas", type=int, choices=sorted(SHAPE_COUNTS), default=5)
    parser.add_argument("--labelled", action="store_true", help="every naming of every shape")
    parser.add_argument("--seed", type=int, default=0, help="other timings and other logs")
    parser.add_argument("--stride", type=int, default=1, help="every n-th case only")
    parser.add_argument("--case", type=Case.parse, help="play this one and say how it went")
    add_arguments(parser)
    arguments = parser.parse_args()
    if arguments.case is not None:
        return _play_one(arguments.case)
    count = arguments.replicas
    found = len(shapes(count))
    if found != SHAPE_COUNTS[count]:
        click.echo(f"{found} shapes of {count} replicas, though there are {SHAPE_COUNTS[count]}")
        return WRONG
    click.echo(f"{found:,} shapes of {count} replicas")
    choose = labelled_cases if arguments.labelled else all_cases
    cases = choose(count, arguments.seed)[:: arguments.stride]
    pieces = [cases[at : at + _CASES_PER_PIECE] for at in range(0, len(cases), _CASES_PER_PIECE)]
    return sweep(Plan.parsed(f"graphs of {count}", arguments), pieces, play_all)


def _play_one(case: Case) -> int:
    try:
        click.echo(f"{case.describe()}: {play(case)}")
    except AssertionError as error:
        click.echo(f"WRONG {error}")
        return WRONG
    return PASSED


if __name__ == "__main__":
    sys.exit(main())
