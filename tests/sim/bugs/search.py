"""Plays seeds until somebody notices a bug, and says who it was."""

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.sim.bugs.bug import Bug, put_in

_TESTS = Path(__file__).parents[2]
# Where a world says that it did not get where it had to in time.
_WAITS = ("recover", "until", "until_settled", "finish")
# A checker is what we look for. If the code's own assertions are always first, they count too:
# after this many further seeds nobody expects a checker to speak.
_FURTHER_SEEDS = 40


class Kind(StrEnum):
    """Who noticed."""

    CHECKER = "checker"
    ASSERTION = "assertion"
    """An assertion in the production code itself."""
    LIVENESS = "liveness"
    ERROR = "error"
    """An exception that nobody raised on purpose. Never enough."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What stopped a world."""

    kind: Kind
    who: str
    said: str


@dataclass(frozen=True, slots=True)
class Found:
    """The first seed that counts.

    Attributes:
        seeds: Played until then, this one included; the first seed is 0.
        clean: What the same seed says without the bug; None, as it must be, is nothing.
    """

    seeds: int
    notice: Notice
    clean: Notice | None


def search(
    bug: Bug, seeds_max: int, progress: Callable[[int], None] = lambda _: None
) -> Found | None:
    """Play seeds from 0 on until one is noticed by whom it must be; None if none is."""
    first: tuple[int, Notice] | None = None
    for seed in range(seeds_max):
        with put_in(bug):
            notice = noticed(bug.arena.play, seed)
        progress(seed + 1)
        if notice is not None:
            if notice.kind is Kind.CHECKER or (notice.kind is Kind.LIVENESS and bug.is_liveness):
                return _found(bug, seed, notice)
            if first is None and notice.kind is Kind.ASSERTION:
                first = (seed, notice)
        if first is not None and seed >= first[0] + _FURTHER_SEEDS:
            break
    return None if first is None else _found(bug, *first)


def _found(bug: Bug, seed: int, notice: Notice) -> Found:
    return Found(seed + 1, notice, clean=noticed(bug.arena.play, seed))


def noticed(play: Callable[[int], None], seed: int) -> Notice | None:
    """Play one seed and say who stopped it; None if it passed."""
    try:
        play(seed)
    except AssertionError as error:
        return _by_assertion(error)
    except Exception as error:
        return Notice(Kind.ERROR, type(error).__name__, str(error)[:300])
    return None


def _by_assertion(error: AssertionError) -> Notice:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    said = (str(error).strip() or f"not so: {frame.line}").partition("\n")[0][:300]
    path = Path(frame.filename)
    if not path.is_relative_to(_TESTS):
        module = _module_of(error)
        return Notice(Kind.ASSERTION, f"assertion in {module}.{frame.name}", said)
    who = path.stem if path.parent.name == "checkers" else f"{path.stem}.{frame.name}"
    is_wait = frame.name.lstrip("_") in _WAITS
    return Notice(Kind.LIVENESS if is_wait else Kind.CHECKER, who, said)


def _module_of(error: AssertionError) -> str:
    """The module of the frame that raised; the source of a rewritten function has no file."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    assert last is not None, "an error that was raised has a traceback"
    return str(last.tb_frame.f_globals.get("__name__", "?")).rpartition(".")[2]


def tell(line: str) -> None:
    """Say something at once, also into a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
