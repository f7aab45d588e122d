"""Durations: what people may write, and what they are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from director.runtime.durations import DURATION_MS_MAX, format_ms, parse_ms


@pytest.mark.parametrize(
    ("text", "duration_ms"),
    [
        ("0s", 0),
        ("1500ms", 1_500),
        ("5s", 5_000),
        ("4.8s", 4_800),
        ("0.5s", 500),
        ("30m", 1_800_000),
        ("2h", 7_200_000),
        ("1d", 86_400_000),
        ("1h30m", 5_400_000),
        ("1d2h3m4s5ms", 93_784_005),
        (" 5s ", 5_000),
        ("10000d", DURATION_MS_MAX),
    ],
)
def test_a_number_with_a_unit_is_a_duration(text: str, duration_ms: int) -> None:
    assert parse_ms(text) == duration_ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "s",
        "-5s",
        "5 s",
        "5sec",
        "1e3s",
        "5S",
        "5m5m",
        "5s5m",
        "\u0665s",
        "nan",
        "5us",
        ".5s",
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="a number with a unit - ms, s, m, h or d"):
        parse_ms(text)


def test_fractions_of_a_millisecond_and_eternities_are_refused() -> None:
    with pytest.raises(ValueError, match="not a whole number of milliseconds"):
        parse_ms("0.5ms")
    with pytest.raises(ValueError, match="too long"):
        parse_ms("10001d")
    with pytest.raises(ValueError, match="not a duration"):
        parse_ms("9" * 1_000_000 + "s")


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (0, "0ms"),
        (850, "850ms"),
        (999, "999ms"),
        (1_000, "1s"),
        (4_812, "4.8s"),
        (59_949, "59.9s"),
        (59_950, "1m"),
        (90_000, "1m30s"),
        (3_599_400, "59m59s"),
        (3_599_500, "1h"),
        (7_500_000, "2h5m"),
        (86_399_999, "1d"),
        (93_600_000, "1d2h"),
        (-1_500, "-1.5s"),
    ],
)
def test_people_are_shown_a_rounded_duration(duration_ms: int, text: str) -> None:
    assert format_ms(duration_ms) == text


@given(st.integers(0, DURATION_MS_MAX))
def test_what_is_shown_can_be_written_and_is_close(duration_ms: int) -> None:
    shown = parse_ms(format_ms(min(duration_ms, DURATION_MS_MAX - 86_400_000)))

    assert abs(shown - min(duration_ms, DURATION_MS_MAX - 86_400_000)) <= duration_ms / 20


@given(st.integers(0, DURATION_MS_MAX))
def test_milliseconds_written_out_are_exact(duration_ms: int) -> None:
    assert parse_ms(f"{duration_ms}ms") == duration_ms
