"""Values with units and forms, for the models: text from a document in, whole numbers out.

Each type refuses with a :class:`PydanticCustomError` whose context carries the code of the fault
and what would be right.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from director.runtime.durations import parse_ms

NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_NAME = re.compile(NAME_PATTERN.replace("$", r"\Z"))
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)\s*%")
_ROUND_TRIP = re.compile(r"(\d{1,7}(?:\.\d{1,3})?)(us|ms|s)")
_US_BY_UNIT = {"us": 1, "ms": 1_000, "s": 1_000_000}
_BYTES = re.compile(r"(\d{1,9})(B|KiB|MiB)")
_BYTES_BY_UNIT = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}
_HOST = re.compile(r"(?!-)[A-Za-z0-9_.-]{1,253}(?<![-.])")
_IPV6 = re.compile(r"\[[0-9A-Fa-f:.]{2,45}\]")
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z")
_CLOCK_WINDOW = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun)(-(Mon|Tue|Wed|Thu|Fri|Sat|Sun))? "
    r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-4]):[0-5]\d\Z"
)
_DATE = re.compile(r"(2\d{3}-)?(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])\Z")
_CRON_FIELD = re.compile(r"[0-9A-Za-z*/,#L?-]{1,40}\Z")
_CRON_FIELD_COUNT = 5
_PORT_MAX = 65_535
_RTT_US_MAX = 10_000_000
_SHOWN_MAX = 60


def shown(value: object) -> str:
    """Return ``value`` as a message may quote it: short, on one line."""
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[: _SHOWN_MAX - 3]}..."


def refusal(message: str, hint: str = "", code: str = "D006") -> PydanticCustomError:
    """Return the error that a validator raises for a value that is not right."""
    # The message is a value of the template, because braces in it would be read as fields.
    return PydanticCustomError("refused", "{text}", {"text": message, "hint": hint, "code": code})


def _duration_ms(value: object) -> int:
    hint = "a number with a unit, such as 1500ms, 30s or 15m"
    if not isinstance(value, str):
        raise refusal(f"{shown(value)} is not a duration", hint)
    try:
        return parse_ms(value)
    except ValueError:
        raise refusal(f"{shown(value)} is not a duration in whole milliseconds", hint) from None


def _positive_duration_ms(value: object) -> int:
    duration_ms = _duration_ms(value)
    if duration_ms == 0:
        raise refusal("must be longer than 0", "a number with a unit, such as 500ms")
    return duration_ms


def _percent(value: object, parts: int) -> int:
    hint = 'a percentage in quotes, such as "40%"'
    matched = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if matched is None:
        raise refusal(f"{shown(value)} is not a percentage", hint)
    share = Decimal(matched[1]) * parts / 100
    if share > parts:
        raise refusal(f"{shown(value)} is more than 100%", hint)
    if share != int(share):
        raise refusal(f"{shown(value)} has more decimals than are kept", hint)
    return int(share)


def _round_trip_us(value: object) -> int:
    hint = "a round trip such as 88ms or 1.7ms"
    matched = _ROUND_TRIP.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise refusal(f"{shown(value)} is not a round trip", hint)
    rtt_us = int(Decimal(matched[1]) * _US_BY_UNIT[matched[2]])
    if not 0 < rtt_us <= _RTT_US_MAX:
        raise refusal(f"{shown(value)} is not between 1us and 10s", hint)
    return rtt_us


def _size_bytes(value: object) -> int:
    matched = _BYTES.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise refusal(f"{shown(value)} is not a size", "a size such as 256KiB or 1MiB")
    return int(matched[1]) * _BYTES_BY_UNIT[matched[2]]


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.match(value):
        hint = "1 to 63 lower-case letters, digits and inner hyphens; quote a number"
        raise refusal(f"{shown(value)} is not a name", hint, "D113")
    return value


def _address(value: object) -> str:
    """Check the form only; whether anything listens there is for probes to find out."""
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    is_host = bool(_HOST.fullmatch(host) or _IPV6.fullmatch(host))
    is_port = port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _PORT_MAX
    if not (colon and is_host and is_port):
        hint = "host:port, such as chat.internal:443, 10.0.0.1:443 or [fd00::1]:443"
        raise refusal(f"{shown(value)} is not an address to connect to", hint, "D108")
    return f"{host}:{int(port)}"


def _degrees(value: object, limit: int, name: str) -> float:
    hint = f"a number from -{limit} to {limit}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise refusal(f"{name} {shown(value)} is not a number", hint, "D115")
    if not math.isfinite(value):
        raise refusal(f"{name} must be finite, not {value}", hint, "D115")
    if abs(value) > limit:
        raise refusal(f"{name} {value} is outside -{limit} to {limit} degrees", hint, "D115")
    return float(value)


def _token(value: object) -> str:
    if not isinstance(value, str) or not _TOKEN.match(value):
        raise refusal(f"{shown(value)} is not a word", "letters, digits, '-', '_' and '.'")
    return value


def _cron(value: object) -> str:
    fields = value.split() if isinstance(value, str) else []
    if len(fields) != _CRON_FIELD_COUNT or not all(map(_CRON_FIELD.match, fields)):
        hint = 'five fields in quotes, such as "30 3 * * 2"'
        raise refusal(f"{shown(value)} is not a cron schedule", hint)
    return " ".join(fields)


def _window(value: object) -> str:
    if not isinstance(value, str) or not _CLOCK_WINDOW.match(value):
        raise refusal(f"{shown(value)} is not a window", 'such as "Tue-Thu 02:00-05:00"')
    return value


def _blocked_date(value: object) -> str:
    if not isinstance(value, str) or not _DATE.match(value):
        hint = 'in quotes, "2026-12-24" or, for every year, "12-24"'
        raise refusal(f"{shown(value)} is not a date", hint)
    return value


@dataclass(frozen=True, slots=True)
class Written:
    """Part of a type with a unit: how its whole numbers are written in a document."""

    write: Callable[[int], str]


_MS_BY_LETTER = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000}


def duration_text(duration_ms: int) -> str:
    """Return ``15m`` or ``500ms``: exact, in the largest unit that divides it."""
    for letter, unit_ms in _MS_BY_LETTER.items():
        if duration_ms and duration_ms % unit_ms == 0:
            return f"{duration_ms // unit_ms}{letter}"
    return f"{duration_ms}ms" if duration_ms else "0s"


def _percentage_text(share: int, parts: int) -> str:
    return f"{(Decimal(share) * 100 / parts).normalize():f}%"


def _per_mille_text(share: int) -> str:
    return _percentage_text(share, 1_000)


def _parts_per_million_text(share: int) -> str:
    return _percentage_text(share, 1_000_000)


def _round_trip_text(rtt_us: int) -> str:
    return f"{(Decimal(rtt_us) / 1_000).normalize():f}ms"


def _size_text(size_bytes: int) -> str:
    for unit in ("MiB", "KiB"):
        if size_bytes and size_bytes % _BYTES_BY_UNIT[unit] == 0:
            return f"{size_bytes // _BYTES_BY_UNIT[unit]}{unit}"
    return f"{size_bytes}B"


def _text(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


_DURATION = _text(r"^([0-9.]+(d|h|ms|m|s))+$", "30s")
_PERCENTAGE = _text(r"^[0-9]{1,3}(\.[0-9]+)?%$", "40%")


def _per_mille(value: object) -> int:
    return _percent(value, 1_000)


def _parts_per_million(value: object) -> int:
    return _percent(value, 1_000_000)


def _latitude(value: object) -> float:
    return _degrees(value, 90, "latitude")


def _longitude(value: object) -> float:
    return _degrees(value, 180, "longitude")


_ROUND_TRIP_TEXT = _text(r"^[0-9.]+(us|ms|s)$", "88ms")
_SIZE_TEXT = _text(r"^[0-9]+(B|KiB|MiB)$", "256KiB")
_TOKEN_TEXT = _text(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$", "EU")
_WINDOW_TEXT = _text(r"^\S+ \S+$", "Tue-Thu 02:00-05:00")
_LATITUDE_NUMBER = WithJsonSchema({"type": "number", "minimum": -90, "maximum": 90})
_LONGITUDE_NUMBER = WithJsonSchema({"type": "number", "minimum": -180, "maximum": 180})

DurationMs = Annotated[int, BeforeValidator(_duration_ms), _DURATION, Written(duration_text)]
PositiveDurationMs = Annotated[
    int, BeforeValidator(_positive_duration_ms), _DURATION, Written(duration_text)
]
PerMille = Annotated[int, BeforeValidator(_per_mille), _PERCENTAGE, Written(_per_mille_text)]
PartsPerMillion = Annotated[
    int, BeforeValidator(_parts_per_million), _PERCENTAGE, Written(_parts_per_million_text)
]
RoundTripUs = Annotated[
    int, BeforeValidator(_round_trip_us), _ROUND_TRIP_TEXT, Written(_round_trip_text)
]
SizeBytes = Annotated[int, BeforeValidator(_size_bytes), _SIZE_TEXT, Written(_size_text)]
Name = Annotated[str, BeforeValidator(_name), _text(NAME_PATTERN, "eu-west1")]
Address = Annotated[str, BeforeValidator(_address), _text(r"^.+:[0-9]+$", "chat.internal:443")]
Token = Annotated[str, BeforeValidator(_token), _TOKEN_TEXT]
Cron = Annotated[str, BeforeValidator(_cron), _text(r"^(\S+ ){4}\S+$", "30 3 * * 2")]
Window = Annotated[str, BeforeValidator(_window), _WINDOW_TEXT]
BlockedDate = Annotated[
    str, BeforeValidator(_blocked_date), _text(r"^(2\d{3}-)?[01]\d-[0-3]\d$", "12-24")
]
Latitude = Annotated[float, BeforeValidator(_latitude), _LATITUDE_NUMBER]
Longitude = Annotated[float, BeforeValidator(_longitude), _LONGITUDE_NUMBER]
