"""Play healthy fleets for a long time and count what the director does although nothing failed.

Run with ``python -m tests.sim.false_alarms --region-hours 10000``. Worlds are numbered and summed
up in their order, so the sum does not depend on how many workers play them. What is interrupted
can be gone on with: ``--out sum.json``, and later the same with ``--resume``.
"""

import argparse
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields
from itertools import count
from multiprocessing import get_context
from pathlib import Path

from director.runtime.clock import boot_ms
from tests.sim.interpreter import prepare
from tests.sim.scenarios.healthy import HOUR_MS, PAUSE_MS, Alarm, Calm, Health, played

_ALARMS_SHOWN_MAX = 20
# Enough to keep the workers busy.
_WORLDS_MIN = 8
# Upper bound of a Poisson mean with 95 % confidence when no event was seen.
_BOUND_OF_NONE = 3.0
# The settings that make up a world; a sum is of equal ones.
_SETTINGS = ("loss", "jitter", "pause_ms", "regions", "first_seed", "region_hours")
# What is the largest of all worlds, and not their sum.
_WORST = ("write_gap_ms", "calm_write_gap_ms")
_SUMMED = tuple(
    each.name for each in fields(Calm) if each.name not in ("pauses", "alarms", *_WORST)
)


class SettingsDifferError(Exception):
    """What is to be gone on with was begun with other settings."""


@dataclass(slots=True)
class Sum:
    """All worlds together, in the order of their seeds."""

    worlds: int = 0
    cpu_s: float = 0.0
    calm: Calm = field(default_factory=Calm)

    def add(self, calm: Calm, cpu_s: float) -> None:
        """Take one world in."""
        self.worlds += 1
        self.cpu_s += cpu_s
        total = self.calm
        for name in _SUMMED:
            setattr(total, name, getattr(total, name) + getattr(calm, name))
        for name in _WORST:
            setattr(total, name, max(getattr(total, name), getattr(calm, name)))
        total.pauses += calm.pauses
        total.alarms += calm.alarms

    @property
    def region_hours(self) -> float:
        """How long all regions were watched together."""
        return self.calm.region_ms / HOUR_MS

    def bound_per_region_hour(self) -> float | None:
        """3/N: the true rate is below it with 95 % confidence. None if a failover was seen."""
        return None if self.calm.failovers else _BOUND_OF_NONE / self.region_hours

    def lines(self) -> Iterator[str]:
        """For people."""
        calm = self.calm
        paused = ", ".join(f"{number} {role}" for role, number in sorted(calm.pauses.items()))
        yield f"{self.region_hours:.5g} healthy region-hours in {self.worlds} worlds"
        yield f"paused one at a time: {paused or 'nothing'}"
        yield f"failovers {calm.failovers}, runs begun {calm.runs}, leaders after the first " + str(
            calm.terms
        )
        yield (
            f"verdicts DOWN {calm.down}, {calm.wrongly_down} of them on a region where nothing "
            f"stood still; UNKNOWN {calm.unknown}"
        )
        yield f"the owner's gate closed {calm.gate_closures} times, {calm.gate_closed_ms} ms in all"
        yield (
            f"{calm.writes} writes; longest gap {calm.write_gap_ms} ms, and "
            f"{calm.calm_write_gap_ms} ms while nothing stood still"
        )
        speed = calm.region_ms / 1_000 / self.cpu_s
        yield f"{self.cpu_s:.0f} s of CPU: {speed:.0f} seconds of a region per second"
        bound = self.bound_per_region_hour()
        if bound is None:
            yield f"{calm.failovers / self.region_hours:.2g} false failovers per region-hour"
        else:
            yield f"fewer than {bound:.2g} false failovers per region-hour (95 %, 3/N)"

    def document(self, given: argparse.Namespace) -> dict[str, object]:
        """Everything, for a file."""
        return {
            **{each.name: getattr(self.calm, each.name) for each in fields(Calm)},
            "alarms": [asdict(each) for each in self.calm.alarms],
            **{name: getattr(given, name) for name in _SETTINGS},
            "worlds": self.worlds,
            "cpu_s": round(self.cpu_s, 1),
            "next_seed": given.first_seed + self.worlds,
            "region_hours_played": self.region_hours,
            "bound_per_region_hour": self.bound_per_region_hour() if self.worlds else None,
        }


def _read(given: argparse.Namespace) -> Sum:
    """Return the sum that ``--out`` holds so far.

    Raises:
        SettingsDifferError: It is of other worlds.
    """
    if not given.resume or not given.out.exists():
        return Sum()
    said = json.loads(given.out.read_text(encoding="utf-8"))
    for name in _SETTINGS:
        if said[name] != getattr(given, name):
            raise SettingsDifferError(f"{given.out} was begun with {name} = {said[name]}")
    calm = Calm(**{each.name: said[each.name] for each in fields(Calm)})
    calm.alarms = [Alarm(**each) for each in said["alarms"]]
    calm.pauses = Counter(calm.pauses)
    return Sum(said["worlds"], said["cpu_s"], calm)


def _write(total: Sum, given: argparse.Namespace) -> None:
    """Replace the file whole, so that there is always one to go on with."""
    if given.out is None:
        return
    text = json.dumps(total.document(given), indent=1, sort_keys=True) + "\n"
    beside = given.out.with_name(given.out.name + ".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(given.out)


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
    parser.add_argument("--out", type=Path, help="keep the sum and every alarm there, as JSON")
    parser.add_argument("--resume", action="store_true", help="go on with what --out holds")
    given = parser.parse_args(words)
    for name, is_right in (
        ("--region-hours", given.region_hours > 0),
        ("--loss", 0 <= given.loss < 1),
        ("--jitter", given.jitter >= 1),
        ("--pause-ms", given.pause_ms >= 0),
        ("--regions", given.regions >= 3),
        ("--workers", given.workers >= 1),
        ("--resume without --out", given.out is not None or not given.resume),
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

    def __init__(self, total_hours: float, before: Sum) -> None:
        self._total_hours = total_hours
        self._before_hours = before.region_hours
        self._began_ms = boot_ms()
        self._every_ms = 1_000 if sys.stderr.isatty() else 10_000
        self._next_ms = self._began_ms + self._every_ms

    def is_due(self) -> bool:
        """Whether it is time to say something."""
        return boot_ms() >= self._next_ms

    def tell(self, total: Sum) -> None:
        """Say how far it is."""
        now_ms = boot_ms()
        self._next_ms = now_ms + self._every_ms
        hours, calm = total.region_hours, total.calm
        rate = 1_000 * (hours - self._before_hours) / (now_ms - self._began_ms)
        left_s = (self._total_hours - hours) / rate
        sys.stderr.write(
            f"{hours:.0f}/{self._total_hours:.0f} region-hours, {rate:.2f} per s, "
            f"{left_s / 60:.0f} min left: {calm.failovers} failovers, {calm.runs} runs, "
            f"{calm.down} DOWN ({calm.wrongly_down} wrongly)\n"
        )
        sys.stderr.flush()


def _play(seed: int, health: Health) -> tuple[Calm, float]:
    """Play one world, and say how many seconds of CPU it took."""
    began_s = time.process_time()
    calm = played(seed, health)
    return calm, time.process_time() - began_s


def _ready() -> None:
    # Ctrl-C is for the one who handed out the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare()


def _played_in_order(
    healths: list[Health], *, first_seed: int, workers: int
) -> Generator[tuple[Calm, float], None, None]:
    """Play the worlds on all workers and yield them in the order of their seeds."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_ready) as pool:
        todo = iter(enumerate(healths))
        waiting: dict[Future[tuple[Calm, float]], int] = {}
        done: dict[int, tuple[Calm, float]] = {}
        try:
            for following in count():
                while following not in done:
                    while len(waiting) < 2 * workers and (job := next(todo, None)) is not None:
                        number, health = job
                        waiting[pool.submit(_play, first_seed + number, health)] = number
                    if not waiting:
                        return
                    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                        done[waiting.pop(future)] = future.result()
                yield done.pop(following)
        finally:
            for future in waiting:
                future.cancel()


def _play_all(total: Sum, given: argparse.Namespace) -> bool:
    """Play what is left and add it. Return whether it came to its end."""
    progress = _Progress(given.region_hours, total)
    worlds = _played_in_order(
        _healths(given)[total.worlds :],
        first_seed=given.first_seed + total.worlds,
        workers=given.workers,
    )
    try:
        with closing(worlds):
            for calm, cpu_s in worlds:
                total.add(calm, cpu_s)
                if progress.is_due():
                    progress.tell(total)
                    _write(total, given)
    except KeyboardInterrupt:
        return False
    return True


def main(words: list[str] | None = None) -> int:
    """Play, and return 1 if there was a false failover, 2 if it cannot go on, 130 on Ctrl-C."""
    given = _arguments(words)
    try:
        total = _read(given)
    except SettingsDifferError as error:
        sys.stderr.write(f"{error}; nothing was played\n")
        return 2
    is_complete = _play_all(total, given)
    if not total.worlds:
        sys.stderr.write("stopped before the end of the first world\n")
        return 130
    if not is_complete:
        sys.stderr.write(
            f"stopped early; the next seed would be {given.first_seed + total.worlds}\n"
        )
    _write(total, given)
    alarms = total.calm.alarms
    for alarm in alarms[:_ALARMS_SHOWN_MAX]:
        sys.stdout.write(
            f"seed {alarm.seed} at {alarm.at_ms} ms: {alarm.what} ({alarm.because}); "
            f"{alarm.paused}\n"
        )
    if len(alarms) > _ALARMS_SHOWN_MAX:
        sys.stdout.write(f"and {len(alarms) - _ALARMS_SHOWN_MAX} more\n")
    sys.stdout.write("\n".join(total.lines()) + "\n")
    if total.calm.failovers:
        return 1
    return 0 if is_complete else 130


if __name__ == "__main__":
    sys.exit(main())
