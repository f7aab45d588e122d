"""How long a report can have been on its way, without a clock that two machines share.

A replica sends its agents pulses stamped by its own clock, and an agent gives the last one back
with its report and says how long it held it. What is left of the time between is the way down and
the way up together, so it bounds the way up.
"""

# Both clocks show whole milliseconds: each difference of two readings may be one too small.
_ROUNDING_MS = 2
# Beyond this the drift of two clocks while the pulse was held tells more than the network.
_PULSE_AGE_MS_MAX = 60_000


def transit_ms_max(
    sent_at_ms: int,
    held_ms: int,
    *,
    arrived_at_ms: int,
    opened_at_ms: int,
    clock_drift_per_mille: int,
) -> int | None:
    """Return the most time a report can have been on its way, or None if that is unknown.

    Args:
        sent_at_ms: The echoed stamp: this replica's clock when the pulse was made.
        held_ms: From when the agent got the pulse to when it made the report, by its own clock.
        arrived_at_ms: This replica's clock when it read the report.
        opened_at_ms: This replica's clock when the stream began; an older stamp is not of it.
        clock_drift_per_mille: Greatest rate error between two clocks.
    """
    elapsed_ms = arrived_at_ms - sent_at_ms
    if sent_at_ms < opened_at_ms or not 0 <= elapsed_ms <= _PULSE_AGE_MS_MAX:
        return None
    # Held at least this long by the clock here, if the agent's own runs too fast against it.
    rho = clock_drift_per_mille
    held_least_ms = held_ms * (1_000 - rho) // (1_000 + rho)
    transit_ms = elapsed_ms - held_least_ms + _ROUNDING_MS
    # Less than nothing: a clock that drifts more than is allowed for, or an invented echo.
    return transit_ms if transit_ms >= 0 else None
