"""Anti-flap: raw probe results in, a steady verdict out.

A verdict changes only after enough agreeing results in a row, so one lost probe moves nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProbeTrack:
    """The evidence on one target.

    Invariant: ``passes == 0 or failures == 0``: the present streak is of one kind.

    Attributes:
        passing: Verdict; None until the first streak is long enough.
        passes: Passed probes in a row.
        failures: Failed probes in a row.
        failing_since_ms: Start of the first probe of the failing streak; None without one.
        last_at_ms: End of the last probe; None before the first.
    """

    passing: bool | None = None
    passes: int = 0
    failures: int = 0
    failing_since_ms: int | None = None
    last_at_ms: int | None = None


NO_TRACK = ProbeTrack()


def passed(track: ProbeTrack, *, rise_count: int, now_ms: int) -> ProbeTrack:
    """Fold a passed probe into ``track``."""
    passes = min(track.passes + 1, rise_count)
    passing = True if passes >= rise_count else track.passing
    return ProbeTrack(passing, passes=passes, last_at_ms=now_ms)


def failed(track: ProbeTrack, *, fall_count: int, started_at_ms: int, now_ms: int) -> ProbeTrack:
    """Fold a failed probe into ``track``."""
    failures = min(track.failures + 1, fall_count)
    since_ms = started_at_ms if track.failing_since_ms is None else track.failing_since_ms
    passing = False if failures >= fall_count else track.passing
    return ProbeTrack(passing, failures=failures, failing_since_ms=since_ms, last_at_ms=now_ms)
