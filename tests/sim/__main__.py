"""Plays simulated worlds, each from a seed, on all cores.

Exit codes: 0 all passed; 1 a world failed (with the line that plays it again), or something that
was to be covered was not; 2 bad arguments; 130 ended by Ctrl-C, with what was reached.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import click

from tests.sim.campaign_report import Summary, uncovered, write_summary
from tests.sim.round_trips import SHARED
from tests.sim.scenarios.registry import GROUPS, SCENARIOS, names_of
from tests.sim.workers import Job, Played, WorkerEndedError, play_all

_EXAMPLE = """example:
  python -m tests.sim --scenario campaign --failovers 100000 --require-coverage --out sim.json
"""
_SAY_EVERY_S_AT_TERMINAL = 1.0
_SAY_EVERY_S = 10.0
_FAILURES_SHOWN_MAX = 20


def seeds_from(text: str) -> range:
    """Return 0..N-1 for a count, A..B for a range."""
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a count nor a range such as 1-1000")
    seeds = range(int(first), int(last) + 1) if dash else range(int(first))
    if not seeds:
        raise argparse.ArgumentTypeError(f"{text!r} names no seed")
    return seeds


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count of at least 1")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0.0 < minutes < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes above 0")
    return minutes


def arguments_from(words: list[str]) -> argparse.Namespace:
    """Parse the command line. Exits with 2 and a message if it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sim",
        description=__doc__,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=seeds_from, help="a count, or first-last (50)")
    parser.add_argument(
        "--scenario",
        choices=[*SCENARIOS, *GROUPS],
        default="campaign",
        metavar="NAME",
        help=f"{', '.join(GROUPS)}, or one of {', '.join(SCENARIOS)} (campaign)",
    )
    parser.add_argument(
        "--workers", type=_positive, default=os.cpu_count() or 1, help="processes (one per core)"
    )
    parser.add_argument("--minutes", type=_minutes, help="begin no more worlds after this long")
    parser.add_argument(
        "--failovers", type=_positive, help="go on until so many automatic failovers settled"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the summary there")
    parser.add_argument(
        "--require-coverage",
        action="store_true",
        help="fail if some fault, or some stage of a failover, was never hit",
    )
    parser.add_argument("--verbose", action="store_true", help="show the last events of failures")
    parser.add_argument("--digests", action="store_true", help="print the trace digest of each")
    arguments = parser.parse_args(words)
    if arguments.out is not None and not arguments.out.parent.is_dir():
        parser.error(f"--out: there is no directory {arguments.out.parent}")
    if arguments.seeds is not None and arguments.failovers is not None:
        parser.error("--seeds and --failovers both say when to end; give one of them")
    return arguments


def main(words: list[str]) -> int:
    arguments = arguments_from(words)
    summary = Summary(arguments.scenario)
    progress = _Progress(summary, arguments)
    is_cut_short = is_broken = False
    results = play_all(_jobs(arguments), arguments.workers)
    try:
        for played in results:
            summary.add(played)
            if played.error:
                progress.say_failure(played)
            elif arguments.digests:
                progress.say(f"seed {played.seed} digest {_digest(played)}")
            progress.tick()
            if summary.failovers >= (arguments.failovers or sys.maxsize):
                break
    except KeyboardInterrupt:
        is_cut_short = True
    except WorkerEndedError as error:
        is_broken = True
        progress.say(f"{error}; the figures are what was reached")
    finally:
        results.close()  # type: ignore[attr-defined]
    summary.took_s = progress.took_s()
    summary.worker_count = arguments.workers
    progress.clear()
    click.echo(summary.text())
    if arguments.out is not None:
        write_summary(summary, arguments.out)
    if is_cut_short:
        click.echo("ended by Ctrl-C; the figures are what was reached")
        return 130
    missing = uncovered(summary) if arguments.require_coverage else []
    for each in missing:
        click.echo(f"never hit: {each}")
    return 1 if summary.failures or missing or is_broken else 0


def _jobs(arguments: argparse.Namespace) -> Iterator[Job]:
    names = names_of(arguments.scenario)
    goes_on = arguments.failovers is not None or arguments.minutes is not None
    seeds = arguments.seeds or (count() if goes_on else range(50))
    end_s = time.perf_counter() + 60 * (arguments.minutes or 1e6)
    for seed in seeds:
        for name in names:
            if time.perf_counter() >= end_s:
                return
            yield name, seed


def _digest(played: Played) -> str:
    return "" if played.outcome is None else played.outcome.digest


class _Progress:
    """One line that is written over on a terminal; a line now and then elsewhere."""

    def __init__(self, summary: Summary, arguments: argparse.Namespace) -> None:
        self._summary = summary
        self._arguments = arguments
        self._began_s = self._said_s = time.perf_counter()
        self._is_terminal = sys.stderr.isatty()
        self._every_s = _SAY_EVERY_S_AT_TERMINAL if self._is_terminal else _SAY_EVERY_S

    def took_s(self) -> float:
        return time.perf_counter() - self._began_s

    def tick(self) -> None:
        """Say how far it is, if it is time to."""
        now_s = time.perf_counter()
        if now_s - self._said_s < self._every_s:
            return
        self._said_s = now_s
        end = "" if self._is_terminal else "\n"
        sys.stderr.write(("\r\x1b[K" if self._is_terminal else "") + self._line() + end)
        sys.stderr.flush()

    def _line(self) -> str:
        summary, arguments, took_s = self._summary, self._arguments, self.took_s()
        rate = summary.simulated_ms / 1_000 / took_s / arguments.workers
        share, of_what = 0.0, ""
        if arguments.failovers is not None:
            share = summary.failovers / arguments.failovers
            of_what = f" of {arguments.failovers}"
        elif arguments.seeds is not None or arguments.minutes is None:
            total = len(arguments.seeds or range(50)) * len(names_of(arguments.scenario))
            share = summary.world_count / total
        if arguments.minutes is not None:
            share = max(share, took_s / 60 / arguments.minutes)
        left = f", {took_s * (1 - share) / share:.0f} s left" if 0 < share < 1 else ""
        return (
            f"{summary.world_count} worlds, {summary.failovers}{of_what} failovers, "
            f"{len(summary.failures)} failed, {100 * share:.0f} %, "
            f"{rate:.0f} simulated s/s per core{left}"
        )

    def say_failure(self, played: Played) -> None:
        """Say what failed, with the line that plays it again."""
        if len(self._summary.failures) > _FAILURES_SHOWN_MAX:
            return
        self.say(f"seed {played.seed} of {played.scenario} FAILED: {played.error}")
        self.say(f"  {played.options}")
        if self._arguments.verbose:
            self.say("\n".join(f"  {line}" for line in played.last_lines))
        self.say(f"  play it again: {replay_line(played)}")

    def say(self, line: str) -> None:
        self.clear()
        click.echo(line)

    def clear(self) -> None:
        if self._is_terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def replay_line(played: Played) -> str:
    """The one line that plays this world again, with what else that takes."""
    line = f"make sim SEEDS={played.seed}-{played.seed} SCENARIO={played.scenario}"
    commit = _git("rev-parse", "--short", "HEAD")
    needed = []
    if commit and _git("status", "--porcelain", "--untracked-files=no"):
        needed.append(f"what was changed since {commit} and is not committed")
    elif commit:
        line = f"git checkout {commit} && {line}"
    if "is_measured=True" in played.options and SHARED.is_file():
        needed.append("the round trips in ../shared/data/rtt")
    return f"{line}  # with {' and '.join(needed)}" if needed else line


def _git(*words: str) -> str:
    """What git says of this checkout; "" if there is none."""
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
