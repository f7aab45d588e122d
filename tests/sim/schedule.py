"""Simulated time: a queue of events, and a trace of what happened that two runs can compare."""

import hashlib
import heapq
import random
from collections import deque
from collections.abc import Callable

_LINES_KEPT_MAX = 60


class Schedule:
    """Runs events in (due time, insertion order). Time moves only when an event runs."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now_ms = 0
        self.event_count = 0
        self._pending: list[tuple[int, int, Callable[[], None]]] = []
        self._inserted = 0

    def after(self, delay_ms: int, event: Callable[[], None]) -> None:
        assert delay_ms >= 0
        # The insertion count breaks ties, so equal due times keep a defined order.
        self._inserted += 1
        heapq.heappush(self._pending, (self.now_ms + delay_ms, self._inserted, event))

    def run_until(self, end_ms: int) -> None:
        while self._pending and self._pending[0][0] <= end_ms:
            self.now_ms, _, event = heapq.heappop(self._pending)
            self.event_count += 1
            event()
        self.now_ms = end_ms


class Trace:
    """A running digest of everything worth telling, and the last lines of it for people."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._digest = hashlib.blake2b(digest_size=16)
        self.last_lines: deque[str] = deque(maxlen=_LINES_KEPT_MAX)

    def note(self, line: str) -> None:
        """Take a line that people want to see when something fails."""
        self.last_lines.append(f"{self._schedule.now_ms:7d} ms  {line}")
        self.count(line)

    def count(self, line: str) -> None:
        """Take a line into the digest only."""
        self._digest.update(f"{self._schedule.now_ms} {line}\n".encode())

    def digest(self) -> str:
        """Return 32 hex digits: equal for equal runs, in any process."""
        return self._digest.hexdigest()
