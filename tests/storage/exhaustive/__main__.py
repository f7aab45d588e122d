"""Crashes and damages the durable log in every way: ``python -m tests.storage.exhaustive``.

Exit codes: 0 nothing wrong was served and nothing synced was lost; 1 it was, with the line that
plays it again; 2 bad arguments; 130 interrupted.
"""

import argparse
import sys
from collections.abc import Callable

import click

from tests.storage.exhaustive import campaign, crashes, damage
from tests.support.sweep import PASSED, WRONG, Plan, add_arguments, sweep


def _case(text: str) -> Callable[[], str]:
    what, _, rest = text.partition(":")
    match what:
        case "crash":
            crash = crashes.Crash.parse(rest)
            return lambda: crashes.play_one(crash)
        case "damage":
            done = damage.Damage.parse(rest)
            return lambda: damage.play(done)
        case _:
            raise ValueError(f"{what!r} is neither crash nor damage")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.storage.exhaustive", description=__doc__)
    parser.add_argument("--only", choices=["crashes", "damage"], help="half of it")
    parser.add_argument("--seeds", type=int, default=1, help="how many traces to crash")
    parser.add_argument("--stride", type=int, default=1, help="every n-th case only")
    parser.add_argument("--case", type=_case, help="play this one and say how it ended")
    add_arguments(parser)
    arguments = parser.parse_args()
    if arguments.case is not None:
        return _play_one(arguments.case)
    pieces: list[campaign.Piece] = []
    if arguments.only != "damage":
        pieces += campaign.crash_pieces(range(arguments.seeds), arguments.stride)
    if arguments.only != "crashes":
        pieces += campaign.damage_pieces(arguments.stride)
    return sweep(Plan.parsed("durable log", arguments), pieces, campaign.play)


def _play_one(case: Callable[[], str]) -> int:
    try:
        click.echo(case())
    except AssertionError as error:
        click.echo(f"WRONG {error}")
        return WRONG
    return PASSED


if __name__ == "__main__":
    sys.exit(main())
