"""Anti-flap: raw probe results in, a steady verdict out.

A verdict changes only after enough results of one kind, so one lost probe moves nothing. Three
thresholds, in the words of HAProxy and gdnsd: ``rise`` passes in a row make it pass, ``fall``
failures make it fail, and ``forgive`` passes in a row wipe out the failures counted so far. With
``forgive`` 1 the failures have to come in a row as well; with more, a target that keeps failing and
passes now and then is found out too.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProbeTrack:
    """The evidence on one target.

    Invariant: ``passes == 0`` after a failed probe, and ``failures == 0`` after enough passes.

    Attributes:
        passing: Verdict; None until there was enough of one kind.
        passes: Passed probes in a row.
        failures: Failed probes that were not forgiven.
        failing_since_ms: Start of the first of them; None without one.
        last_at_ms: End of the last probe; None before the first.
    """

    passing: bool | None = None
    passes: int = 0
    failures: int = 0
    failing_since_ms: int | None = None
    last_at_ms: int | None = None

    @property
    def is_failing(self) -> bool:
        """Whether the last probe failed."""
        return self.failures > 0 and self.passes == 0


NO_TRACK = ProbeTrack()


def passed(
    track: ProbeTrack, *, rise_count: int, now_ms: int, forgive_count: int = 1
) -> ProbeTrack:
    """Fold a passed probe into ``track``."""
    passes = min(track.passes + 1, max(rise_count, forgive_count))
    passing = True if passes >= rise_count else track.passing
    # Whoever has just risen begins with a clean sheet, whatever it takes to be forgiven later.
    has_risen = passing is True and track.passing is not True
    if track.failures == 0 or has_risen or passes >= forgive_count:
        return ProbeTrack(passing, passes=passes, last_at_ms=now_ms)
    return ProbeTrack(
        passing,
        passes=passes,
        failures=track.failures,
        failing_since_ms=track.failing_since_ms,
        last_at_ms=now_ms,
    )


def failed(track: ProbeTrack, *, fall_count: int, started_at_ms: int, now_ms: int) -> ProbeTrack:
    """Fold a failed probe into ``track``."""
    failures = min(track.failures + 1, fall_count)
    since_ms = started_at_ms if track.failing_since_ms is None else track.failing_since_ms
    passing = False if failures >= fall_count else track.passing
    return ProbeTrack(passing, failures=failures, failing_since_ms=since_ms, last_at_ms=now_ms)
