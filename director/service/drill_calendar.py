"""Which occurrence of a drill schedule is due: cron and time zones in, instants out.

An occurrence is its UTC instant. Every replica works out the same one whatever its own clock did
in between, and the machine refuses one that is not later than the last: so none runs twice, not
after a change of leader, nor when a wall clock steps back, nor in the hour that autumn repeats.
In the hour that spring leaves out a schedule of fixed hours comes due when that hour is over, as
with Debian's cron.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from director.core.drill import LocalMoment

# What nobody could start for longer, as while the fleet was down, is not caught up: a drill at
# breakfast because of one that was missed at night helps nobody.
LATE_MS_MAX = 10 * 60_000
_MS_PER_S = 1_000
# What the calendar of Python can count.
_WALL_MS_MAX = 253_402_300_799_000


class CalendarError(ValueError):
    """A schedule's cron line or time zone cannot be used. The message says why."""


@dataclass(frozen=True, slots=True)
class Due:
    """An occurrence whose time has come.

    Attributes:
        occurrence_ms: Its UTC instant.
        late_ms: How long ago that is.
    """

    occurrence_ms: int
    late_ms: int

    @property
    def is_missed(self) -> bool:
        """Whether it is too late to run; it is only recorded then."""
        return self.late_ms > LATE_MS_MAX


def due(cron: str, timezone: str, *, after_ms: int, wall_ms: int) -> Due | None:
    """Return the newest occurrence that is due, or None.

    Args:
        cron: Five fields.
        timezone: An IANA name.
        after_ms: The last one that was started or skipped, or when the schedule appeared.
        wall_ms: The wall clock now.

    Raises:
        CalendarError: The schedule cannot be used.
    """
    if wall_ms <= after_ms:
        return None  # the clock stepped back, or nothing can have come since
    zone = _zone(timezone)
    begin_ms = wall_ms - LATE_MS_MAX
    newest_ms: int | None = None
    for at_ms in _forward(cron, zone, begin_ms):
        if at_ms > wall_ms:
            break
        newest_ms = at_ms
    if newest_ms is None:
        newest_ms = next(_backward(cron, zone, begin_ms), None)
    if newest_ms is None or newest_ms <= after_ms:
        return None
    return Due(newest_ms, wall_ms - newest_ms)


def next_due_ms(cron: str, timezone: str, *, after_ms: int) -> int | None:
    """Return the first occurrence after an instant, or None if there is none in fifty years.

    Raises:
        CalendarError: The schedule cannot be used.
    """
    for at_ms in _forward(cron, _zone(timezone), after_ms):
        # In an hour that is repeated, what has its instant in the first pass is said again.
        if at_ms > after_ms:
            return at_ms
    return None


def local_moment(timezone: str, wall_ms: int) -> LocalMoment:
    """Return the wall clock in a time zone, for windows and blocked dates.

    Raises:
        CalendarError: There is no such time zone, or no such time.
    """
    local = _at(wall_ms, _zone(timezone))
    minute = local.hour * 60 + local.minute
    return LocalMoment(local.date().isoformat(), local.weekday(), minute)


def _forward(cron: str, zone: ZoneInfo, begin_ms: int) -> Iterator[int]:
    yield from _instants(cron, _at(begin_ms, zone), reverse=False)


def _backward(cron: str, zone: ZoneInfo, begin_ms: int) -> Iterator[int]:
    # cronsim says one that is exactly now neither forward nor backward.
    begin = _at(begin_ms, zone) + timedelta(seconds=1)
    yield from (each for each in _instants(cron, begin, reverse=True) if each <= begin_ms)


def _instants(cron: str, begin: datetime, *, reverse: bool) -> Iterator[int]:
    try:
        found = CronSim(cron, begin, reverse=reverse)
    except CronSimError as error:
        raise CalendarError(f"{cron!r} is not a cron schedule: {error}") from error
    for each in found:
        yield int(each.astimezone(UTC).timestamp()) * _MS_PER_S


def _at(wall_ms: int, zone: ZoneInfo) -> datetime:
    if not 0 <= wall_ms <= _WALL_MS_MAX:
        raise CalendarError(f"the wall clock says {wall_ms} ms since 1970")
    return datetime.fromtimestamp(wall_ms // _MS_PER_S, tz=zone)


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (OSError, ValueError, ZoneInfoNotFoundError) as error:
        raise CalendarError(f"there is no time zone {timezone!r} on this machine") from error
