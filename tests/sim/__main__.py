"""Plays simulated worlds: ``python -m tests.sim --seeds 50`` or ``--seeds 1-1000``.

Exit codes: 0 all passed; 1 some failed, each with the line that plays it again; 2 bad arguments.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable

import click

from tests.sim.mutations import BUGS, put_in, seeds_to_find
from tests.sim.options import STAGES, Options
from tests.sim.scenarios.leader_lost import LeaderLostDuringFailover
from tests.sim.scenarios.story import Outcome

_PROGRESS_EVERY = 25


def seeds_from(text: str) -> range:
    """Return 0..N-1 for a count, A..B for a range."""
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a count nor a range such as 1-1000")
    return range(int(first), int(last) + 1) if dash else range(int(first))


def play(seed: int, *, verbose: bool) -> Outcome | None:
    """Play one seed; None, and a report, if it failed."""
    options = Options.draw(seed)
    scenario = LeaderLostDuringFailover(options)
    if verbose:
        click.echo(options.describe())
    try:
        return scenario.run()
    except Exception as error:
        click.echo(f"seed {seed} FAILED: {error!r}")
        click.echo(f"  {options.describe()}")
        if verbose:
            click.echo("\n".join(f"  {line}" for line in scenario.cluster.world.trace.last_lines))
        click.echo(f"  play it again: python -m tests.sim --seeds {seed}-{seed} --verbose")
        return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=seeds_from, default=range(50), help="count, or first-last")
    parser.add_argument("--verbose", action="store_true", help="show the last events of failures")
    parser.add_argument("--digests", action="store_true", help="print the trace digest of each")
    parser.add_argument("--bugs", action="store_true", help="put bugs in; count seeds to find each")
    arguments = parser.parse_args()
    if arguments.bugs:
        return _find_bugs(len(arguments.seeds))
    outcomes: list[Outcome] = []
    failed: list[int] = []
    began_s = time.perf_counter()
    for number, seed in enumerate(arguments.seeds, start=1):
        outcome = play(seed, verbose=arguments.verbose)
        if outcome is None:
            failed.append(seed)
        else:
            outcomes.append(outcome)
            if arguments.digests:
                click.echo(f"seed {seed} digest {outcome.digest}")
        if number % _PROGRESS_EVERY == 0:
            click.echo(f"{number} of {len(arguments.seeds)} seeds, {len(failed)} failed")
    _summarise(outcomes, failed, time.perf_counter() - began_s)
    return 1 if failed else 0


def _summarise(outcomes: list[Outcome], failed: list[int], took_s: float) -> None:
    simulated_s = sum(each.simulated_ms for each in outcomes) / 1_000
    stages = Counter(each.stage_hit or "no run" for each in outcomes)
    names = [*(str(stage) for stage in STAGES), "no run"]
    hit = ", ".join(f"{name} {stages[name]}" for name in names)
    click.echo(f"leader lost while the run was: {hit}")
    for of_what, choose in (
        ("region", lambda each: str(each.options.region_loss)),
        ("leader", lambda each: str(each.options.leader_loss)),
    ):
        click.echo(f"{of_what} was: {_counts(outcomes, choose)}")
    click.echo(
        f"quorum lost in {sum(each.options.loses_quorum for each in outcomes)} "
        f"({sum(each.frozen_ms for each in outcomes) // 1_000} s watched), "
        f"{sum(each.handovers for each in outcomes)} ownerships, "
        f"{sum(each.terms for each in outcomes)} terms, "
        f"{sum(each.writes for each in outcomes)} acknowledged writes, "
        f"slowest to settle {max((each.converge_ms for each in outcomes), default=0)} ms"
    )
    click.echo(
        f"{len(outcomes)} passed, {len(failed)} failed; {simulated_s:.0f} simulated seconds in "
        f"{took_s:.1f} s ({simulated_s / max(took_s, 0.001):.0f} per second), "
        f"{sum(each.events for each in outcomes)} events"
    )


def _counts(outcomes: list[Outcome], choose: Callable[[Outcome], str]) -> str:
    return ", ".join(
        f"{name} {count}" for name, count in sorted(Counter(map(choose, outcomes)).items())
    )


def _find_bugs(seeds_max: int) -> int:
    missed = 0
    for bug in BUGS:
        undo: list[Callable[[], None]] = []

        def replace(
            owner: object, name: str, value: object, undo: list[Callable[[], None]] = undo
        ) -> None:
            before = getattr(owner, name)
            undo.append(lambda: setattr(owner, name, before))
            setattr(owner, name, value)

        put_in(bug, replace)
        found = seeds_to_find(bug, seeds_max)
        for each in undo:
            each()
        missed += found is None
        click.echo(
            f"{found.seeds if found else 'not'} | {bug.name} | {found.said if found else ''}"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
