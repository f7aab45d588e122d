"""Asks for the drills that are due by the calendar, while this replica leads.

Every replica runs one. What is due is worked out anew each time, from the wall clock and the
replicated occurrences. Each is asked for as an operator would, under a request id of its own; the
core decides.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog
from structlog.typing import FilteringBoundLogger

from director.consensus.port import Standing
from director.core.drill import DrillSchedule
from director.core.inputs import Ask, DrillAsked
from director.core.reasons import Reason
from director.core.state import State
from director.runtime.clock import wall_ms
from director.runtime.durations import format_ms
from director.service.drill_calendar import (
    LATE_MS_MAX,
    CalendarError,
    Due,
    due,
    local_moment,
    next_due_ms,
)
from director.service.errors import DirectorError
from director.service.writes import Change, Done

LOOK_MS = 1_000
_AFTER_FAULT_MS = 10_000
_NEVER_MS = 1 << 62

log: FilteringBoundLogger = structlog.get_logger()


class Asks(Protocol):
    """Takes requests, as ``Writes`` does."""

    async def ask(self, ask: Ask, change: Change) -> Done:
        """Ask for a change and wait for its outcome."""
        ...


class DrillSchedules:
    """Runs until it is cancelled.

    Args:
        asks: Where to ask.
        standing: Where this replica stands.
        state: What is replicated, as of the last entry applied here.
        wall: The wall clock; ms since 1970.
    """

    def __init__(
        self,
        asks: Asks,
        standing: Callable[[], Standing],
        state: Callable[[], State],
        *,
        wall: Callable[[], int] = wall_ms,
    ) -> None:
        self._asks = asks
        self._standing = standing
        self._state = state
        self._wall = wall
        # Where the log does not say it: a state that is older than the calendar.
        self._seen_at_ms: dict[str, int] = {}
        self._told: dict[str, str] = {}
        self._next: dict[str, tuple[tuple[str, str, int], int]] = {}

    async def run(self) -> None:
        """Look once a second for as long as this replica lives."""
        while True:
            fault = await self._look_safely()
            if fault is not None:
                log.error("drill_schedules_failed", exc_info=fault)
            await asyncio.sleep((LOOK_MS if fault is None else _AFTER_FAULT_MS) / 1_000)

    async def _look_safely(self) -> Exception | None:
        """Look; no mistake in here may stop a director."""
        try:
            await self.look()
        except Exception as error:
            return error
        return None

    async def look(self) -> None:
        """Ask for whatever is due now."""
        if not self._standing().is_leader:
            return
        schedules = self._state().topology.drill_schedules
        names = {each.schedule_id for each in schedules}
        for kept in (self._seen_at_ms, self._told, self._next):
            for name in [each for each in kept if each not in names]:
                del kept[name]
        for schedule in schedules:
            try:
                found = self._due(schedule)
            except CalendarError as error:
                if self._is_new(schedule, str(error)):
                    name = schedule.schedule_id
                    log.warning("drill_schedule_unusable", schedule_id=name, reason=str(error))
                continue
            if found is not None:
                await self._ask(schedule, found)

    def _due(self, schedule: DrillSchedule) -> Due | None:
        now_ms = self._wall()
        after_ms = dict(self._state().occurrences).get(schedule.schedule_id)
        if after_ms is None:
            after_ms = self._seen_at_ms.setdefault(schedule.schedule_id, now_ms)
        if now_ms < self._next_ms(schedule, after_ms):
            return None
        return due(schedule.cron, schedule.timezone, after_ms=after_ms, wall_ms=now_ms)

    def _next_ms(self, schedule: DrillSchedule, after_ms: int) -> int:
        """Return before when nothing can be due: worked out once and not once a second."""
        key = (schedule.cron, schedule.timezone, after_ms)
        known = self._next.get(schedule.schedule_id)
        if known is None or known[0] != key:
            next_ms = next_due_ms(schedule.cron, schedule.timezone, after_ms=after_ms)
            known = (key, _NEVER_MS if next_ms is None else next_ms)
            self._next[schedule.schedule_id] = known
        return known[1]

    async def _ask(self, schedule: DrillSchedule, found: Due) -> None:
        name = schedule.schedule_id
        # The same occurrence under the same id, whoever leads: sent again it has one effect.
        change = Change(
            request_id=f"drill {name} {found.occurrence_ms}",
            actor=f"schedule:{name}",
            reason=f"due by {schedule.cron} {schedule.timezone}",
        )
        try:
            await self._asks.ask(self._wanted(schedule, found), change)
        except DirectorError as error:
            # Refused for now, or the office went, or the answer was lost: whoever leads looks again
            # in a second. That it was recorded already is what it was asked for.
            said = f"{found.occurrence_ms}: {error}"
            if error.reason is not Reason.NOTHING_TO_DO and self._is_new(schedule, said):
                log.warning("drill_not_asked", schedule_id=name, reason=str(error))

    def _wanted(self, schedule: DrillSchedule, found: Due) -> DrillAsked:
        note = ""
        if found.is_missed:
            note = (
                f"it was due {format_ms(found.late_ms)} ago and nobody could start it; what is "
                f"more than {format_ms(LATE_MS_MAX)} late is not caught up"
            )
        return DrillAsked(
            schedule.spec,
            local_moment(schedule.timezone, self._wall()),
            schedule.schedule_id,
            found.occurrence_ms,
            skip_cause="MISSED" if found.is_missed else "",
            skip_note=note,
        )

    def _is_new(self, schedule: DrillSchedule, said: str) -> bool:
        """Whether it is to be logged: what keeps a schedule from running is told once."""
        is_known = self._told.get(schedule.schedule_id) == said
        self._told[schedule.schedule_id] = said
        return not is_known
