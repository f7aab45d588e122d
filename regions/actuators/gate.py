"""The gate in memory: may this service write, at the moment of asking?

The agent's core sets it; whoever asks is answered by the clock of that moment, so a process that
was stopped and goes on (A5, fault 3) finds the gate shut although nothing has shut it yet.
"""

import asyncio
from collections.abc import Callable, Iterable

from director.routing.table import RegionId, ServiceId
from regions.core.effects import SetGate
from regions.core.gate_answer import GateAnswer


class Gates:
    """The gates of all guarded services.

    Args:
        service_ids: What is guarded.
        clock: CLOCK_BOOTTIME in milliseconds.
    """

    def __init__(self, service_ids: Iterable[ServiceId], clock: Callable[[], int]) -> None:
        self._clock = clock
        self._set: dict[ServiceId, SetGate | None] = dict.fromkeys(sorted(service_ids))
        self._changed = {service_id: asyncio.Event() for service_id in self._set}

    def service_ids(self) -> tuple[ServiceId, ...]:
        """Return the guarded services, sorted."""
        return tuple(self._set)

    def put(self, state: SetGate) -> None:
        """Set a gate. Takes effect before the next answer."""
        assert state.service_id in self._set, "gates are set for guarded services only"
        self._set[state.service_id] = state
        changed, self._changed[state.service_id] = (
            self._changed[state.service_id],
            asyncio.Event(),
        )
        changed.set()

    def check(self, service_id: ServiceId) -> GateAnswer | None:
        """Answer now; None if the service is not guarded here.

        An answer is good for ``answer_ms`` at most: the core confirms a demotion only when the
        last one given has run out.
        """
        if service_id not in self._set:
            return None
        state = self._set[service_id]
        if state is None:
            return _closed(service_id, "NO_OWNER", None)
        now_ms = self._clock()
        if state.is_open and now_ms < state.deadline_at_ms:
            deadline_ms = min(state.deadline_at_ms, now_ms + state.answer_ms)
            return GateAnswer(
                service_id,
                may_write=True,
                token=state.token,
                deadline_boottime_ms=deadline_ms,
                reason="",
                home=state.home,
            )
        return _closed(service_id, state.reason or "LEASE_ENDED", state.home)

    def lease_left_ms(self, service_id: ServiceId) -> int:
        """Return how long the gate stays open without another lease; 0 while it is closed."""
        state = self._set.get(service_id)
        if state is None or not state.is_open:
            return 0
        return max(0, state.deadline_at_ms - self._clock())

    def answer_ms(self, service_id: ServiceId) -> int | None:
        """Return how long one answer may be used, or None while the gate was never set."""
        state = self._set.get(service_id)
        return None if state is None else state.answer_ms

    async def changed(self, service_id: ServiceId, *, within_ms: int) -> None:
        """Return after the next change of this gate, or after ``within_ms``."""
        event = self._changed[service_id]
        try:
            async with asyncio.timeout(within_ms / 1_000):
                await event.wait()
        except TimeoutError:
            return


def _closed(service_id: ServiceId, reason: str, home: RegionId | None) -> GateAnswer:
    return GateAnswer(
        service_id, may_write=False, token=None, deadline_boottime_ms=0, reason=reason, home=home
    )
