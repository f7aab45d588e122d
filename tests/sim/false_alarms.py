"""Play healthy fleets for a long time and count what the director does although nothing failed.

Run with ``python -m tests.sim.false_alarms --region-hours 10000``. Worlds are numbered, and the sum
does not depend on how many workers play them or in what order they end.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field, fields
from multiprocessing import get_context
from pathlib import Path

from director.runtime.clock import boot_ms
from tests.sim.scenarios.healthy import HOUR_MS, PAUSE_MS, Calm, Health, played

_ALARMS_SHOWN_MAX = 20
# Enough to keep the workers busy.
_WORLDS_MIN = 8
# Upper bound of a Poisson mean with 95 % confidence when no event was seen.
_BOUND_OF_NONE = 3.0


@dataclass(slots=True)
class Sum:
    """All worlds together."""

    worlds: int = 0
    region_hours: float = 0.0
    runs: int = 0
    failovers: int = 0
    down: int = 0
    unknown: int = 0
    pauses: Counter[str] = field(default_factory=Counter)
    alarms: list[dict[str, object]] = field(default_factory=list)

    def add(self, calm: Calm) -> None:
        """Take one world in."""
        self.worlds += 1
        self.region_hours += calm.region_ms / HOUR_MS
        self.runs += calm.runs
        self.failovers += calm.failovers
        self.down += calm.down
        self.unknown += calm.unknown
        self.pauses += calm.pauses
        self.alarms += [asdict(each) for each in calm.alarms]

    def bound_per_region_hour(self) -> float | None:
        """3/N: the true rate is below it with 95 % confidence. None if a failover was seen."""
        return None if self.failovers else _BOUND_OF_NONE / self.region_hours

    def lines(self) -> Iterator[str]:
        """For people."""
        paused = ", ".join(f"{count} {role}" for role, count in sorted(self.pauses.items()))
        yield f"{self.region_hours:.5g} healthy region-hours in {self.worlds} worlds"
        yield f"paused one at a time: {paused or 'nothing'}"
        yield f"failovers {self.failovers}, runs begun {self.runs}"
        yield f"verdicts DOWN {self.down}, UNKNOWN {self.unknown}"
        bound = self.bound_per_region_hour()
        if bound is None:
            yield f"{self.failovers / self.region_hours:.2g} false failovers per region-hour"
        else:
            yield f"fewer than {bound:.2g} false failovers per region-hour (95 %, 3/N)"


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.sim.false_alarms",
        description="Count false alarms in healthy fleets with lossy networks and short pauses.",
        epilog="example: python -m tests.sim.false_alarms --region-hours 100 --loss 0.05",
    )
    parser.add_argument("--region-hours", type=float, default=10_000.0)
    parser.add_argument("--loss", type=float, default=0.01, help="share of packets sent again")
    parser.add_argument("--jitter", type=float, default=2.0, help="up to so many times the delay")
    parser.add_argument("--pause-ms", type=int, default=PAUSE_MS, help="0 for no pauses")
    parser.add_argument("--regions", type=int, default=4, help="regions per world, 3 or more")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the sum and every alarm there, as JSON")
    given = parser.parse_args(words)
    for name, is_right in (
        ("--region-hours", given.region_hours > 0),
        ("--loss", 0 <= given.loss < 1),
        ("--jitter", given.jitter >= 1),
        ("--pause-ms", given.pause_ms >= 0),
        ("--regions", given.regions >= 3),
        ("--workers", given.workers >= 1),
    ):
        if not is_right:
            parser.error(f"{name} is out of range; see --help")
    return given


def _healths(given: argparse.Namespace) -> list[Health]:
    """Worlds of an hour each, shorter if there would be few; the last one is the rest."""
    left_ms = round(given.region_hours * HOUR_MS / given.regions)
    longest_ms = min(HOUR_MS, -(-left_ms // _WORLDS_MIN))
    found = []
    while left_ms > 0:
        duration_ms = min(longest_ms, left_ms)
        found.append(Health(given.regions, given.loss, given.jitter, given.pause_ms, duration_ms))
        left_ms -= duration_ms
    return found


class _Progress:
    """At most one line per second on a terminal, one per ten seconds otherwise."""

    def __init__(self, total_hours: float) -> None:
        self._total_hours = total_hours
        self._began_ms = boot_ms()
        self._every_ms = 1_000 if sys.stderr.isatty() else 10_000
        self._next_ms = self._began_ms + self._every_ms

    def tell(self, total: Sum) -> None:
        """Say how far it is, if it is time to."""
        now_ms = boot_ms()
        if now_ms < self._next_ms:
            return
        self._next_ms = now_ms + self._every_ms
        rate = 1_000 * total.region_hours / (now_ms - self._began_ms)
        left_s = (self._total_hours - total.region_hours) / rate if rate else 0
        sys.stderr.write(
            f"{total.region_hours:.0f}/{self._total_hours:.0f} region-hours, {rate:.2f} per s, "
            f"{left_s / 60:.0f} min left: {total.failovers} failovers, {total.runs} runs, "
            f"{total.down} DOWN\n"
        )
        sys.stderr.flush()


def _played_in_order(
    healths: list[Health], *, first_seed: int, workers: int
) -> Iterator[tuple[int, Calm]]:
    """Play the worlds on all workers; each comes as it ends. The caller sorts."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting: dict[Future[Calm], int] = {}
        todo = list(enumerate(healths, first_seed))[::-1]
        while todo or waiting:
            while todo and len(waiting) < 2 * workers:
                seed, health = todo.pop()
                waiting[pool.submit(played, seed, health)] = seed
            ended, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ended:
                yield waiting.pop(future), future.result()


def main(words: list[str] | None = None) -> int:
    """Play, and return 1 if there was a false failover."""
    given = _arguments(words)
    progress, total = _Progress(given.region_hours), Sum()
    try:
        for _, calm in _played_in_order(
            _healths(given), first_seed=given.first_seed, workers=given.workers
        ):
            total.add(calm)
            progress.tell(total)
    except KeyboardInterrupt:
        sys.stderr.write("stopped early; this is how far it came:\n")
    total.alarms.sort(key=lambda each: (each["seed"], each["at_ms"]))
    for alarm in total.alarms[:_ALARMS_SHOWN_MAX]:
        sys.stdout.write(
            f"seed {alarm['seed']} at {alarm['at_ms']} ms: {alarm['what']} ({alarm['because']}); "
            f"{alarm['paused']}\n"
        )
    if len(total.alarms) > _ALARMS_SHOWN_MAX:
        sys.stdout.write(f"and {len(total.alarms) - _ALARMS_SHOWN_MAX} more\n")
    if total.worlds:
        sys.stdout.write("\n".join(total.lines()) + "\n")
    if given.out is not None and total.worlds:
        said = {
            **{each.name: getattr(total, each.name) for each in fields(total)},
            "loss": given.loss,
            "jitter": given.jitter,
            "pause_ms": given.pause_ms,
            "bound_per_region_hour": total.bound_per_region_hour(),
        }
        given.out.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 1 if total.failovers else 0


if __name__ == "__main__":
    sys.exit(main())
