"""When replication lag is asked for, and what is known of it.

A sample that grows old stays true: what it left out happened since, and the director counts its
age in full (D3). So a lag probe that fails - the home it compares with is gone, say - does not
make the last sample void.

That holds for the home it was measured against. What a copy had of an earlier one may be undone
since (D4), so the sample is forgotten when the service gets another home.

A standby whose home is told to stop is asked more often for a moment: the move waits for a sample
from after the stop.
"""

from dataclasses import dataclass

from director.routing.table import ServiceId
from regions.core.inputs import LagMeasured
from regions.core.settings import GuardedService

# No objective is that long; what is older is unknown.
SAMPLE_AGE_MS_MAX = 3_600_000
# How often, and for how long, a copy is measured whose home is about to stop.
HURRY_EVERY_MS = 100
HURRY_MS = 2_000


@dataclass(slots=True)
class _Lag:
    every_ms: int
    due_at_ms: int = 0
    not_before_ms: int = 0
    hurried_until_ms: int = 0
    is_running: bool = False
    lag_ms: int | None = None
    sampled_at_ms: int = 0


class LagPlan:
    """The lag of each guarded service that has a lag probe."""

    def __init__(self, services: tuple[GuardedService, ...]) -> None:
        self._lags = {
            each.service_id: _Lag(each.lag_every_ms)
            for each in services
            if each.lag_every_ms is not None
        }
        # The earliest that one is due; every change of a due time is followed by _look_ahead.
        self._wake_at_ms: int | None = None
        self._look_ahead()

    def start(self, *, now_ms: int) -> None:
        """Ask everything at once."""
        for lag in self._lags.values():
            lag.due_at_ms = now_ms
        self._look_ahead()

    def follow_anew(self, service_id: ServiceId, *, not_before_ms: int) -> None:
        """Forget what was measured against an earlier home.

        Args:
            service_id: Whose home is another one now.
            not_before_ms: Until then the service may act on what it was told before.
        """
        lag = self._lags.get(service_id)
        if lag is not None:
            lag.lag_ms = None
            lag.not_before_ms = lag.due_at_ms = not_before_ms
            self._look_ahead()

    def hurry(self, service_id: ServiceId, *, now_ms: int) -> None:
        """Ask at once, and often for a while."""
        lag = self._lags.get(service_id)
        if lag is not None:
            lag.hurried_until_ms = now_ms + HURRY_MS
            lag.due_at_ms = now_ms
            self._look_ahead()

    def is_hurried(self, service_id: ServiceId, *, now_ms: int) -> bool:
        """Tell whether somebody waits for a sample."""
        lag = self._lags.get(service_id)
        return lag is not None and now_ms < lag.hurried_until_ms

    def take_due(self, *, now_ms: int) -> tuple[ServiceId, ...]:
        """Return the services to ask now, and mark them as asked."""
        if self._wake_at_ms is None or now_ms < self._wake_at_ms:
            return ()
        due = []
        for service_id, lag in self._lags.items():
            if not lag.is_running and now_ms >= lag.due_at_ms:
                lag.is_running = True
                due.append(service_id)
        self._look_ahead()
        return tuple(due)

    def measured(self, given: LagMeasured, *, now_ms: int) -> None:
        """Fold a sample in. It is as old as the start of the probe that took it."""
        lag = self._lags.get(given.service_id)
        if lag is None:
            return
        lag.is_running = False
        is_hurried = now_ms < lag.hurried_until_ms
        every_ms = min(lag.every_ms, HURRY_EVERY_MS) if is_hurried else lag.every_ms
        lag.due_at_ms = max(now_ms, given.started_at_ms + every_ms, lag.not_before_ms)
        self._look_ahead()
        if given.lag_ms is not None and given.started_at_ms >= lag.not_before_ms:
            lag.lag_ms = given.lag_ms
            lag.sampled_at_ms = given.started_at_ms

    def reading(self, service_id: ServiceId, *, now_ms: int) -> tuple[int | None, int]:
        """Return the last sample and its age; None and 0 if there is none worth telling."""
        lag = self._lags.get(service_id)
        if lag is None or lag.lag_ms is None:
            return None, 0
        age_ms = now_ms - lag.sampled_at_ms
        return (None, 0) if age_ms > SAMPLE_AGE_MS_MAX else (lag.lag_ms, age_ms)

    def wake_at_ms(self) -> int | None:
        """Return when the next sample is due, or None."""
        return self._wake_at_ms

    def _look_ahead(self) -> None:
        due = [lag.due_at_ms for lag in self._lags.values() if not lag.is_running]
        self._wake_at_ms = min(due) if due else None
