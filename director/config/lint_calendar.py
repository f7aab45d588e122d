"""When a drill schedule would run: a cron line that says nothing, or only times not allowed."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain, islice, takewhile
from typing import TYPE_CHECKING

from cronsim import CronSim, CronSimError

from director.config.build_drills import drill_window
from director.core.drill import LocalMoment
from director.core.drill_rules import is_within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.config.declared import Declared
    from director.config.faults import Fault
    from director.config.model import DrillSchedule
    from director.core.drill import DrillWindow

# Any day will do: cron and windows speak of the same time zone, and a Monday of a leap year sees
# every day that there is. UTC stands for it, because it has no hour that comes twice or never.
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
# More than every minute of a week, after which windows repeat.
_TIMES_MAX = 11_000
# Twenty-eight years, after which every date has fallen on every weekday. What comes once a year or
# more seldom would run out of years otherwise.
_END = datetime(2052, 1, 1, tzinfo=UTC)
_HINT = 'minute, hour, day, month and weekday in quotes, such as "30 3 * * 2"'


def lint_calendar(here: Declared, drill: DrillSchedule) -> Iterator[Fault]:
    """Yield what keeps ``drill`` from ever running: D123 and D124."""
    spec = drill.spec
    path = ("spec", "cron")
    try:
        times = _times(spec.cron)
        first = next(times, None)
    except CronSimError as error:
        yield here.fault(path, f"{spec.cron!r} is not a cron schedule: {error}", "D123", _HINT)
        return
    if first is None:
        yield here.fault(path, f"{spec.cron!r} names no day that ever comes", "D123", _HINT)
        return
    windows = tuple(map(drill_window, spec.allowed_windows))
    if windows and not _is_ever_within(windows, chain((first,), times)):
        allowed = "; ".join(spec.allowed_windows)
        message = f"none of its times is within the allowed windows ({allowed}), so it never runs"
        hint = "move cron or widen allowedWindows; both are in the schedule's time zone"
        yield here.warning(path, message, "D124", hint)


def _times(cron: str) -> Iterator[datetime]:
    return takewhile(lambda at: at < _END, islice(CronSim(cron, _BEGIN), _TIMES_MAX))


def _is_ever_within(windows: tuple[DrillWindow, ...], times: Iterator[datetime]) -> bool:
    # The first that is ends the search: nearly always within the first week.
    return any(is_within(each, _moment(at)) for at in times for each in windows)


def _moment(at: datetime) -> LocalMoment:
    return LocalMoment(at.date().isoformat(), at.weekday(), at.hour * 60 + at.minute)
