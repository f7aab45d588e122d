"""Plays seeds on all cores: processes that take chunks of seeds, results in order of the seeds.

Each worker is a fresh process ("spawn"), so a run is the same with one worker as with many. Chunks
are handed out as workers become free and merged in order, so no result depends on who was faster.
"""

import multiprocessing
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Any

from tests.sim.interpreter import prepare
from tests.sim.scenarios.registry import SCENARIOS
from tests.sim.scenarios.story import Outcome, Story

CHUNK_SEEDS = 5
# A world takes a few seconds; a day without a quorum takes minutes.
CPU_S_MAX = 900
# Whoever swallowed the first word to give up hears it again.
_AGAIN_S = 5
# Chunks that may be done and wait for an earlier one, per worker.
_AHEAD_MAX = 8


class EndlessWorldError(Exception):
    """A world took far longer than any does."""


class WorkerEndedError(RuntimeError):
    """A worker process ended by itself, with the worlds that it had."""


@dataclass(frozen=True, slots=True)
class Played:
    """What became of one seed.

    Attributes:
        error: What failed; "" if nothing did.
        outcome: None if it failed.
        last_lines: What happened before it failed.
    """

    seed: int
    scenario: str
    options: str
    error: str
    outcome: Outcome | None
    last_lines: tuple[str, ...] = ()


def play(scenario: str, seed: int) -> Played:
    """Play one seed, whatever comes of it."""
    kind, draw = SCENARIOS[scenario]
    options = draw(seed)
    story: Story | None = None
    # Whatever goes round in circles at one instant would hold up all worlds behind it.
    signal.signal(signal.SIGVTALRM, _give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_S_MAX, _AGAIN_S)
    try:
        story = kind(options)
        outcome = story.run()
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        shown: str = options.describe()
        lines: tuple[str, ...] = ()
        if story is not None:
            shown = story.options.describe()
            lines = tuple(story.cluster.world.trace.last_lines)
        return Played(seed, scenario, shown, what, None, lines)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return Played(seed, scenario, story.options.describe(), "", outcome)


def _give_up(*_: object) -> None:
    raise EndlessWorldError(f"not at its end after {CPU_S_MAX} s of CPU")


Job = tuple[str, int]
"""A scenario and a seed."""


def play_all(jobs: Iterator[Job], worker_count: int) -> Iterator[Played]:
    """Play all jobs and yield what became of each, in order. Closing it ends the workers.

    Raises:
        WorkerEndedError: A worker ended by itself.
    """
    if worker_count == 1:
        prepare()
        for scenario, seed in jobs:
            yield play(scenario, seed)
        return
    crew = _Crew(worker_count)
    try:
        yield from crew.play(jobs)
    finally:
        crew.end()


class _Crew:
    """The worker processes, and which chunk each has."""

    def __init__(self, worker_count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._processes = []
        self._chunk_by_pipe: dict[Connection, int | None] = {}
        for _ in range(worker_count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
            self._chunk_by_pipe[ours] = None

    def play(self, jobs: Iterator[Job]) -> Iterator[Played]:
        """See play_all."""
        done: dict[int, list[Played]] = {}
        handed_out = merged = 0
        are_left = True
        while True:
            for pipe, chunk in self._chunk_by_pipe.items():
                ahead_max = _AHEAD_MAX * len(self._processes)
                if chunk is None and are_left and handed_out - merged < ahead_max:
                    part = list(islice(jobs, CHUNK_SEEDS))
                    are_left = len(part) == CHUNK_SEEDS
                    if part:
                        pipe.send(part)
                        self._chunk_by_pipe[pipe] = handed_out
                        handed_out += 1
            busy = [pipe for pipe, chunk in self._chunk_by_pipe.items() if chunk is not None]
            if not busy:
                return
            ready = wait(busy)
            for pipe in [each for each in busy if each in ready]:
                self._receive(pipe, done)
            while merged in done:
                yield from done.pop(merged)
                merged += 1

    def _receive(self, pipe: Connection, done: dict[int, list[Played]]) -> None:
        chunk = self._chunk_by_pipe[pipe]
        assert chunk is not None, "only busy workers are waited for"
        try:
            done[chunk] = pipe.recv()
        except EOFError:
            raise WorkerEndedError("a worker ended by itself; was there enough memory?") from None
        self._chunk_by_pipe[pipe] = None

    def end(self) -> None:
        """End the workers, whatever they do."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()


def _work(pipe: Any) -> None:
    """What a worker process does: play chunks until nobody sends one."""
    # Ctrl-C is for the one who handed out the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare()
    while True:
        try:
            jobs = pipe.recv()
        except EOFError:
            return
        pipe.send([play(scenario, seed) for scenario, seed in jobs])
