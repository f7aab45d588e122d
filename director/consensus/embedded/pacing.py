"""When the next Raft tick is due, and how much silence a tick stands for.

A stall of this thread or of the machine must not turn into a burst of ticks: a healthy leader's
heartbeats may be waiting in the socket, and ticks fired before they are read would depose it.
"""

from collections import deque

# The smallest of the last few: what the network takes, not what a busy peer adds to it.
_ROUND_TRIPS_KEPT = 5
# Fewer say nothing: the first one on a new connection is often slow, and a leader that made its
# ticks longer for that would be late with its heartbeats.
_ROUND_TRIPS_MIN = 3


class RoundTrips:
    """What a round trip to one peer takes, by the newest few.

    Attributes:
        best_ms: The shortest of them; None while there are too few.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self.best_ms: float | None = None
        self._newest_ms: deque[float] = deque(maxlen=_ROUND_TRIPS_KEPT)

    def add(self, round_trip_ms: float) -> None:
        """Take one in."""
        self._newest_ms.append(round_trip_ms)
        if len(self._newest_ms) >= _ROUND_TRIPS_MIN:
            self.best_ms = min(self._newest_ms)


class TickPacer:
    """Counts ticks against a clock given from outside.

    Attributes:
        tick_ms: The length of a tick now.
        tick: How many ticks passed.
    """

    def __init__(self, tick_ms: int, *, election_ticks: int, catch_up_max: int) -> None:
        """Begin with the shortest tick.

        Args:
            tick_ms: The length of a tick while round trips are short.
            election_ticks: The shortest silence before a campaign.
            catch_up_max: How many ticks may be due at once. What is late beyond it is dropped.
        """
        self.tick_ms = tick_ms
        self.tick = 0
        self._tick_ms_min = tick_ms
        self._election_ticks = election_ticks
        self._catch_up_max = catch_up_max
        self._due_at_ms: int | None = None

    def due(self, now_ms: int) -> int:
        """Return how many ticks to let pass now."""
        if self._due_at_ms is None:
            self._due_at_ms = now_ms + self.tick_ms
            return 0
        if now_ms < self._due_at_ms:
            return 0
        late = 1 + (now_ms - self._due_at_ms) // self.tick_ms
        count = min(late, self._catch_up_max)
        # Dropped ticks are gone: the next one is a whole tick away, not at once.
        self._due_at_ms = (
            self._due_at_ms + count * self.tick_ms if late == count else now_ms + self.tick_ms
        )
        self.tick += count
        return count

    def wait_ms(self, now_ms: int) -> int:
        """Return how long to wait for the next tick."""
        return self.tick_ms if self._due_at_ms is None else max(0, self._due_at_ms - now_ms)

    def stretch(self, round_trip_ms: int) -> None:
        """Make ticks long enough that an election's silence holds ten round trips.

        With less, the answers to a leader that is well and far away look like silence.
        """
        needed_ms = -(-10 * round_trip_ms // self._election_ticks)
        self.tick_ms = max(self._tick_ms_min, needed_ms)
