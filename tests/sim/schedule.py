"""Simulated time: a wheel of events, and a trace of what happened that two runs can compare."""

import hashlib
import heapq
import random
from collections import deque
from collections.abc import Callable
from typing import Protocol

_LINES_KEPT_MAX = 60
_LINES_PER_UPDATE = 200
# A power of two: nearly everything is due within this many ms, and needs no heap.
_WHEEL_MS = 1 << 10
_MASK = _WHEEL_MS - 1


class Runner(Protocol):
    """Whoever runs events: a process, or the world itself.

    Attributes:
        running: The life whose events run at once; none does while it is -1.
    """

    running: int

    def post(self, event: Callable[[], None], incarnation: int) -> None:
        """Take an event of a life that is not running events at once."""


class _Always:
    """Runs what belongs to no process."""

    running = 0

    def post(self, event: Callable[[], None], incarnation: int) -> None:
        raise AssertionError(f"the world runs {event} of life {incarnation} at once")


_WORLD = _Always()
_Entry = tuple[Runner, int, Callable[[], None]]


class Schedule:
    """Runs events in (due time, insertion order). Time moves only when events run.

    Events due soon are in the list of their millisecond, in the order of insertion. Those due
    later wait in a heap, and enter their list before anything can be inserted there directly.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now_ms = 0
        self.event_count = 0
        self._wheel: list[list[_Entry]] = [[] for _ in range(_WHEEL_MS)]
        self._far: list[tuple[int, int, _Entry]] = []
        self._inserted = 0

    def after(self, delay_ms: int, event: Callable[[], None]) -> None:
        """Run ``event`` when ``delay_ms`` have passed, whoever lives then."""
        self.put(delay_ms, _WORLD, 0, event)

    def put(
        self, delay_ms: int, runner: Runner, incarnation: int, event: Callable[[], None]
    ) -> None:
        """Have ``runner`` run ``event`` when ``delay_ms`` have passed, if it is in that life."""
        assert delay_ms >= 0
        if delay_ms < _WHEEL_MS:
            self._wheel[(self.now_ms + delay_ms) & _MASK].append((runner, incarnation, event))
            return
        # The insertion count breaks ties, so equal due times keep a defined order.
        self._inserted += 1
        entry = (runner, incarnation, event)
        heapq.heappush(self._far, (self.now_ms + delay_ms, self._inserted, entry))

    def run_until(self, end_ms: int) -> None:
        """Run everything due up to ``end_ms``, that instant included."""
        wheel, now_ms = self._wheel, self.now_ms
        while True:
            due = wheel[now_ms & _MASK]
            if due:
                # What runs may append to the very list: it is due now, and runs last.
                for runner, incarnation, event in due:
                    if runner.running == incarnation:
                        event()
                    else:
                        runner.post(event, incarnation)
                self.event_count += len(due)
                due.clear()
            if now_ms >= end_ms:
                return
            now_ms += 1
            self.now_ms = now_ms
            if self._far and self._far[0][0] <= now_ms + _MASK:
                self._approach()

    def _approach(self) -> None:
        """Move what is due soon from the heap to the wheel."""
        far, last_ms = self._far, self.now_ms + _MASK
        while far and far[0][0] <= last_ms:
            due_ms, _, entry = heapq.heappop(far)
            self._wheel[due_ms & _MASK].append(entry)


class Trace:
    """A running digest of everything worth telling, and the last lines of it for people."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._digest = hashlib.blake2b(digest_size=16)
        self._lines: list[str] = []
        self.last_lines: deque[str] = deque(maxlen=_LINES_KEPT_MAX)

    def note(self, line: str) -> None:
        """Take a line that people want to see when something fails."""
        self.last_lines.append(f"{self._schedule.now_ms:7d} ms  {line}")
        self.count(line)

    def count(self, line: str) -> None:
        """Take a line into the digest only."""
        self._lines.append(f"{self._schedule.now_ms} {line}\n")
        if len(self._lines) >= _LINES_PER_UPDATE:
            self._flush()

    def digest(self) -> str:
        """Return 32 hex digits: equal for equal runs, in any process."""
        self._flush()
        return self._digest.hexdigest()

    def _flush(self) -> None:
        self._digest.update("".join(self._lines).encode())
        self._lines.clear()
