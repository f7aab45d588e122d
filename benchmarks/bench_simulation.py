"""How fast the simulator plays a healthy fleet: simulated seconds per second of CPU on one core.

Three directors, four agents and their services, everything well. The floor is measured in the same
run, in turn with the fleet: as many empty events through the bare schedule as the fleet had. So the
ratio says what the fleet itself costs, whatever the machine or the interpreter is, and hardly moves
with its load. Nothing of this needs gRPC, so it runs with PyPy too, given ``protobuf`` for it:

    PYTHONPATH=.:protos python benchmarks/bench_simulation.py --simulated-s 2000
"""

import argparse
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "protos")]

from tests.sim.interpreter import prepare  # noqa: E402
from tests.sim.options import Options  # noqa: E402
from tests.sim.scenarios.story import SETTLE_MS_MAX, Story  # noqa: E402
from tests.sim.schedule import Schedule  # noqa: E402

SEED = 1
SLICE_S = 20


@dataclass(frozen=True, slots=True)
class Slice:
    """One stretch of simulated time, and as many empty events."""

    events: int
    fleet_s: float
    floor_s: float


def play(simulated_s: int) -> list[Slice]:
    """Play a healthy fleet for that long, slice by slice."""
    story = Story(Options.draw(SEED))
    story.cluster.start()
    story.until_settled(SETTLE_MS_MAX, "at the start")
    slices = []
    for _ in range(max(1, simulated_s // SLICE_S)):
        before = story.world.schedule.event_count
        began_s = time.process_time()
        story.advance(SLICE_S * 1_000)
        fleet_s = time.process_time() - began_s
        events = story.world.schedule.event_count - before
        slices.append(Slice(events, fleet_s, floor(events)))
    return slices


def floor(events: int) -> float:
    """Return the CPU seconds of ``events`` empty events within the time of a slice."""
    schedule = Schedule(SEED)
    left = [events]

    def next_event() -> None:
        left[0] -= 1
        if left[0] > 0:
            schedule.after(left[0] % every_ms, next_event)

    # On average they are as far apart as the fleet's.
    every_ms = max(1, 2 * SLICE_S * 1_000 // events)
    began_s = time.process_time()
    schedule.after(0, next_event)
    schedule.run_until(SLICE_S * 1_000)
    return time.process_time() - began_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--simulated-s", type=int, default=400)
    arguments = parser.parse_args()
    prepare()
    slices = play(arguments.simulated_s)
    # A compiler needs a while: the second half is what a long campaign gets.
    warm = slices[len(slices) // 2 :]
    rates = sorted(SLICE_S / each.fleet_s for each in warm)
    events = sum(each.events for each in warm) / len(warm) / SLICE_S
    ratio = median(each.fleet_s / each.floor_s for each in warm)
    print(f"{platform.python_implementation()} {platform.python_version()}, seed {SEED}, healthy")
    print(f"{events:.0f} events per simulated second")
    print(f"{median(rates):.0f} simulated seconds per CPU second (best slice {rates[-1]:.0f})")
    print(f"{1e6 / median(rates) / events:.1f} us per event, {ratio:.0f} times an empty event")


if __name__ == "__main__":
    main()
