"""Puts every bug in and counts the seeds until it is noticed: ``python -m tests.sim.bugs``.

Exit codes: 0 all were noticed, by whom they must be; 1 some were not; 2 bad arguments.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.sim.bugs import table
from tests.sim.bugs.bug import MisfitError
from tests.sim.bugs.registry import BUGS
from tests.sim.bugs.search import Found, Kind, Notice, search, tell

_SEEDS_MAX = 10_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.bugs", description=__doc__)
    parser.add_argument("--seeds", type=int, default=_SEEDS_MAX, help="how many, at most, per bug")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--only", default="", help="bugs whose name, world or invariant has this")
    parser.add_argument("--write", action="store_true", help="write the table into the docs")
    arguments = parser.parse_args()
    chosen = [
        number
        for number, bug in enumerate(BUGS)
        if any(arguments.only in text for text in (bug.name, bug.arena.kind, bug.invariant))
    ]
    if not chosen or (arguments.write and len(chosen) != len(BUGS)):
        parser.error("--write is for all bugs; --only must leave some")
    found = _search_all(chosen, arguments.seeds, arguments.workers)
    missed = [BUGS[number].name for number in chosen if not _counts(found[number])]
    if arguments.write and not missed:
        by_name = {BUGS[number].name: each for number, each in found.items() if each is not None}
        table.write(table.lines(by_name, BUGS))
        tell(f"the table is in {table.PATH.name}")
    tell(f"{len(chosen) - len(missed)} of {len(chosen)} bugs were noticed")
    for name in missed:
        tell(f"MISSED: {name}")
    return 1 if missed else 0


def _counts(found: Found | None) -> bool:
    return found is not None and found.clean is None


def _search_all(chosen: list[int], seeds: int, workers: int) -> dict[int, Found | None]:
    began_s = time.perf_counter()
    found: dict[int, Found | None] = {}
    with ProcessPoolExecutor(workers) as pool:
        waiting = {pool.submit(_search_one, number, seeds): number for number in chosen}
        for done, future in enumerate(as_completed(waiting), start=1):
            number = waiting[future]
            found[number] = future.result()
            passed_s = time.perf_counter() - began_s
            tell(
                f"[{done}/{len(chosen)} {passed_s:4.0f} s] {_said(found[number])} | "
                f"{BUGS[number].name}"
            )
    return found


def _search_one(number: int, seeds: int) -> Found | None:
    try:
        return search(BUGS[number], seeds)
    except MisfitError as error:
        notice = Notice(Kind.ERROR, "MisfitError", str(error))
        return Found(0, notice, clean=notice)


def _said(found: Found | None) -> str:
    if found is None:
        return "NOT FOUND"
    if found.notice.kind is Kind.ERROR:
        return f"DOES NOT FIT: {found.notice.said}"
    if found.clean is not None:
        return f"FAILS WITHOUT IT TOO, seed {found.seeds - 1}: {found.clean.said}"
    return f"{found.seeds} seeds, {found.notice.who}"


if __name__ == "__main__":
    sys.exit(main())
