"""Durations as people write them, and as the program keeps them: whole milliseconds."""

from __future__ import annotations

import re
from decimal import Decimal

_MS_BY_UNIT = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_PART = r"(?:(\d+(?:\.\d+)?){})?"
_FORM = re.compile("".join(_PART.format(unit) for unit in ("d", "h", "m(?!s)", "s", "ms")))
_TEXT_LENGTH_MAX = 40

# Ten thousand days: far above any objective, and far below what would overflow an int64
# when a duration is multiplied by a small factor.
DURATION_MS_MAX = 10_000 * _MS_BY_UNIT["d"]

_ALLOWED = (
    "a number with a unit - ms, s, m, h or d - such as '1500ms', '5s' or '1h30m', "
    "in whole milliseconds and at most 10000d"
)


def parse_ms(text: str) -> int:
    """Return the milliseconds in ``text``, such as ``"1500ms"``, ``"4.8s"`` or ``"1h30m"``.

    Raises:
        ValueError: The text is not such a duration. The message says what is allowed.
    """
    matched = None
    if len(text) <= _TEXT_LENGTH_MAX and text.isascii():
        matched = _FORM.fullmatch(text.strip())
    if matched is None or not any(matched.groups()):
        raise ValueError(f"{text[:_TEXT_LENGTH_MAX]!r} is not a duration; write {_ALLOWED}")
    total_ms = sum(
        Decimal(number) * factor
        for number, factor in zip(matched.groups(), _MS_BY_UNIT.values(), strict=True)
        if number
    )
    if total_ms != int(total_ms):
        raise ValueError(f"{text!r} is not a whole number of milliseconds; write {_ALLOWED}")
    if total_ms > DURATION_MS_MAX:
        raise ValueError(f"{text!r} is too long; write {_ALLOWED}")
    return int(total_ms)


def format_ms(duration_ms: int) -> str:
    """Return ``duration_ms`` for people: ``"850ms"``, ``"4.8s"``, ``"1m30s"``, ``"2h5m"``.

    Below one second it is exact; above, it is rounded to the smaller unit shown. The result
    can be parsed again unless it is negative.
    """
    sign, rest_ms = ("-", -duration_ms) if duration_ms < 0 else ("", duration_ms)
    if rest_ms < _MS_BY_UNIT["s"]:
        return f"{sign}{rest_ms}ms"
    # Rounded before the unit is chosen, or 59.96 s would read "60.0s".
    tenths = (rest_ms + 50) // 100
    if tenths < 600:  # noqa: PLR2004 - one minute
        seconds, tenth = divmod(tenths, 10)
        return f"{sign}{seconds}.{tenth}s" if tenth else f"{sign}{seconds}s"
    for larger, smaller in (("m", "s"), ("h", "m"), ("d", "h")):
        whole = (rest_ms + _MS_BY_UNIT[smaller] // 2) // _MS_BY_UNIT[smaller]
        per_larger = _MS_BY_UNIT[larger] // _MS_BY_UNIT[smaller]
        large, small = divmod(whole, per_larger)
        limit = {"m": 60, "h": 24, "d": None}[larger]
        if limit is None or large < limit:
            return f"{sign}{large}{larger}" + (f"{small}{smaller}" if small else "")
    raise AssertionError("days have no limit")
