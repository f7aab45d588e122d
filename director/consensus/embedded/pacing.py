"""When the next Raft tick is due, and how much silence a tick stands for.

A stall of this thread or of the machine must not turn into a burst of ticks: a healthy leader's
heartbeats may be waiting in the socket, and ticks fired before they are read would depose it.
"""


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
        self._at_ms: list[int] = []

    def due(self, now_ms: int) -> int:
        """Return how many ticks to let pass now."""
        if self._due_at_ms is None:
            self._due_at_ms = now_ms + self.tick_ms
            self._at_ms.append(now_ms)
            return 0
        if now_ms < self._due_at_ms:
            return 0
        late = 1 + (now_ms - self._due_at_ms) // self.tick_ms
        count = min(late, self._catch_up_max)
        # Dropped ticks are gone: the next one is a whole tick away, not at once.
        self._due_at_ms = (
            self._due_at_ms + count * self.tick_ms if late == count else now_ms + self.tick_ms
        )
        for _ in range(count):
            self.tick += 1
            self._at_ms.append(now_ms)
        del self._at_ms[: -4 * self._election_ticks]
        return count

    def wait_ms(self, now_ms: int) -> int:
        """Return how long to wait for the next tick."""
        return self.tick_ms if self._due_at_ms is None else max(0, self._due_at_ms - now_ms)

    def at_ms(self, tick: int) -> int | None:
        """Return the instant at which a recent tick passed; None if it is long ago or unknown.

        Real instants, not ``tick * tick_ms``: while this thread stood still, ticks did too.
        """
        position = len(self._at_ms) - 1 - (self.tick - tick)
        return self._at_ms[position] if 0 <= position < len(self._at_ms) else None

    def stretch(self, round_trip_ms: int) -> None:
        """Make ticks long enough that an election's silence holds ten round trips.

        With less, the answers to a leader that is well and far away look like silence.
        """
        needed_ms = -(-10 * round_trip_ms // self._election_ticks)
        self.tick_ms = max(self._tick_ms_min, needed_ms)
