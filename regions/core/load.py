"""When the load of guarded services is asked for, and what is known of it.

A load says what holds now, so a sample that grows old says nothing: unlike a lag it is dropped.
"""

from dataclasses import dataclass

from director.routing.table import ServiceId
from regions.core.inputs import LoadMeasured
from regions.core.settings import GuardedService

# Several samples may fail before what was known last is given up.
SAMPLE_AGE_MS_MAX = 10_000


@dataclass(slots=True)
class _Load:
    every_ms: int
    due_at_ms: int = 0
    is_running: bool = False
    rps: int | None = None
    sampled_at_ms: int = 0


class LoadPlan:
    """The load of each guarded service that says how much it takes."""

    def __init__(self, services: tuple[GuardedService, ...]) -> None:
        self._loads = {
            each.service_id: _Load(each.load_every_ms)
            for each in services
            if each.load_every_ms is not None
        }
        # The earliest that one is due; every change of a due time is followed by _look_ahead.
        self._wake_at_ms: int | None = None
        self._look_ahead()

    def start(self, *, now_ms: int) -> None:
        """Ask everything at once."""
        for load in self._loads.values():
            load.due_at_ms = now_ms
        self._look_ahead()

    def take_due(self, *, now_ms: int) -> tuple[ServiceId, ...]:
        """Return the services to ask now, and mark them as asked."""
        if self._wake_at_ms is None or now_ms < self._wake_at_ms:
            return ()
        due = []
        for service_id, load in self._loads.items():
            if not load.is_running and now_ms >= load.due_at_ms:
                load.is_running = True
                due.append(service_id)
        self._look_ahead()
        return tuple(due)

    def measured(self, given: LoadMeasured, *, now_ms: int) -> bool:
        """Fold a sample in. Returns whether it says something else than the one before."""
        load = self._loads.get(given.service_id)
        if load is None:
            return False
        load.is_running = False
        load.due_at_ms = max(now_ms, given.started_at_ms + load.every_ms)
        self._look_ahead()
        before = self.load_rps(given.service_id, now_ms=now_ms)
        if given.load_rps is not None:
            load.rps, load.sampled_at_ms = given.load_rps, given.started_at_ms
        return self.load_rps(given.service_id, now_ms=now_ms) != before

    def load_rps(self, service_id: ServiceId, *, now_ms: int) -> int | None:
        """Return what the service takes, in requests per second; None is unknown."""
        load = self._loads.get(service_id)
        if load is None or now_ms - load.sampled_at_ms > SAMPLE_AGE_MS_MAX:
            return None
        return load.rps

    def wake_at_ms(self) -> int | None:
        """Return when the next sample is due, or None."""
        return self._wake_at_ms

    def _look_ahead(self) -> None:
        due = [load.due_at_ms for load in self._loads.values() if not load.is_running]
        self._wake_at_ms = min(due) if due else None
