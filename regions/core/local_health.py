"""When an observer trusts itself less than what it sees (fault 29).

An agent starved of CPU, or cut off from the network, sees every other region fail. It then
withholds what it would accuse others of: "undecided" instead of "failing". What it sees passing
it still reports.
"""

from collections.abc import Iterable

from director.routing.table import RegionId
from regions.core.effects import Note

# A probe that had half of its time taken away by its own process proves nothing.
LATE_MS = 250
# How long after a late wake-up failures do not count: two default probe timeouts, so that every
# probe which ran during the pause has ended.
DOUBT_MS = 1_000
# With one other region, "all others fail" would silence the only witness.
REGIONS_MIN = 2


class LocalHealth:
    """Whether this agent's own failures to see are to be believed."""

    def __init__(self) -> None:
        self._starved_until_ms: int | None = None
        self._is_cut_off = False
        self._doubt_told = ""

    def woke(self, *, due_at_ms: int | None, now_ms: int) -> None:
        """Note how late the agent runs: it was to wake at ``due_at_ms`` at the latest."""
        if due_at_ms is not None and now_ms - due_at_ms > LATE_MS:
            self._starved_until_ms = now_ms + DOUBT_MS

    def looked(self, is_failing_by_region: Iterable[tuple[RegionId, bool]]) -> None:
        """Note which other regions fail as a whole."""
        failing = [is_failing for _, is_failing in is_failing_by_region]
        self._is_cut_off = len(failing) >= REGIONS_MIN and all(failing)

    def is_starved(self, *, now_ms: int) -> bool:
        """Tell whether this process ran late a moment ago."""
        return self._starved_until_ms is not None and now_ms < self._starved_until_ms

    def doubt(self, *, now_ms: int) -> str:
        """Say why accusations of others are withheld; "" if they are not."""
        if self.is_starved(now_ms=now_ms):
            return "STARVED"
        return "CUT_OFF" if self._is_cut_off else ""

    def news(self, *, now_ms: int) -> tuple[Note, ...]:
        """Return what people should know if the doubt is another than at the last call."""
        doubt = self.doubt(now_ms=now_ms)
        if doubt == self._doubt_told:
            return ()
        self._doubt_told = doubt
        if not doubt:
            return (Note("accusations_resumed"),)
        return (Note("accusations_withheld", (("reason", doubt),)),)

    def wake_at_ms(self, *, now_ms: int) -> int | None:
        """Return when the present doubt about our own pace ends, or None."""
        return self._starved_until_ms if self.is_starved(now_ms=now_ms) else None
