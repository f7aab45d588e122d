"""Round trips to other regions, from the time that probes take to connect.

A connect time is a round trip plus whatever kept either end busy, so the least of the last few is
nearest to the truth; the smoothed value follows that.
"""

from dataclasses import replace

from director.routing.table import RegionId
from regions.core.readings import ProbeKind, ProbeTarget, RoundTrip

# At two probes a second: the least of the last four seconds.
WINDOW_COUNT = 8
# The smoothed value takes over a quarter of each difference.
SMOOTHING_DIVISOR = 4
# A reported value moves only by more than a tenth and half a millisecond: routing does not care
# for less, and each change of it is pushed to every watcher.
CHANGE_DIVISOR = 10
CHANGE_US_MIN = 500
# Far beyond any way on earth. A connect that takes longer is the service's own doing, and a
# deadline that grew with it would never find it failing.
WAY_MS_MAX = 600


class RoundTrips:
    """Measured round trips, by region."""

    def __init__(self) -> None:
        self._window_by_region: dict[RegionId, list[int]] = {}
        self._smoothed_us: dict[RegionId, int] = {}
        self._reported_us: dict[RegionId, int] = {}

    def measured(self, region_id: RegionId, rtt_us: int) -> None:
        """Fold one connect time in."""
        window = self._window_by_region.setdefault(region_id, [])
        window.append(max(1, rtt_us))
        del window[:-WINDOW_COUNT]
        least_us = min(window)
        smoothed_us = self._smoothed_us.get(region_id, least_us)
        difference_us = least_us - smoothed_us
        # Whole microseconds, truncated towards the smoothed value.
        smoothed_us += int(difference_us / SMOOTHING_DIVISOR)
        self._smoothed_us[region_id] = smoothed_us
        reported_us = self._reported_us.get(region_id)
        if reported_us is None or abs(smoothed_us - reported_us) > max(
            CHANGE_US_MIN, reported_us // CHANGE_DIVISOR
        ):
            self._reported_us[region_id] = smoothed_us

    def way_ms(self, region_id: RegionId) -> int:
        """Return the round trip to a region in whole ms, rounded up; 0 while it is not known.

        At most ``WAY_MS_MAX``.
        """
        return min(WAY_MS_MAX, -(-self._reported_us.get(region_id, 0) // 1_000))

    def with_way(self, target: ProbeTarget) -> ProbeTarget:
        """Give the service its whole time: the way there and back comes on top of it.

        With one deadline for near and far, far observers would accuse a service that is well.
        """
        way_ms = self.way_ms(target.region_id)
        if not way_ms:
            return target
        round_trips = 1 if target.probe.kind is ProbeKind.TCP else 2  # to connect, and to ask
        return replace(target, timeout_ms=target.timeout_ms + round_trips * way_ms)

    def readings(self) -> tuple[RoundTrip, ...]:
        """Return what to report, sorted by region."""
        return tuple(RoundTrip(*pair) for pair in sorted(self._reported_us.items()))
