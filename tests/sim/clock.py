"""Clocks of simulated machines: each with an offset and a rate of its own."""

from tests.sim.schedule import Schedule

_MILLION = 1_000_000


class NodeClock:
    """The boot-time clock of one machine. It goes on while processes are stopped.

    Args:
        schedule: True time.
        offset_ms: What the clock shows at true time 0.
        rate_ppm: How much faster than true time it runs, in parts per million.
    """

    __slots__ = ("_offset_ms", "_rate", "_schedule")

    def __init__(self, schedule: Schedule, offset_ms: int, rate_ppm: int) -> None:
        self._schedule = schedule
        self._offset_ms = offset_ms
        self._rate = _MILLION + rate_ppm

    def set_rate_ppm(self, rate_ppm: int) -> None:
        """Run at another rate. Only before anything looked at the clock."""
        assert self._schedule.now_ms == 0, "an instant that was read would move"
        self._rate = _MILLION + rate_ppm

    def now_ms(self) -> int:
        if self._rate == _MILLION:
            return self._offset_ms + self._schedule.now_ms
        return self._offset_ms + self._schedule.now_ms * self._rate // _MILLION

    def true_delay_ms(self, delay_ms: int) -> int:
        """How long ``delay_ms`` of this clock takes in truth, rounded up."""
        if delay_ms <= 0:
            return 0
        if self._rate == _MILLION:
            return delay_ms
        return -(-delay_ms * _MILLION // self._rate)

    def true_at_ms(self, local_ms: int) -> int:
        """The first instant of true time at which this clock shows ``local_ms`` or more."""
        return -(-(local_ms - self._offset_ms) * _MILLION // self._rate)
