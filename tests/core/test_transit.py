"""How long a report can have been on its way, from a pulse that came back with it."""

from hypothesis import given
from hypothesis import strategies as st

from director.core.transit import transit_ms_max

RHO = 10


def bound(sent: int, held: int, arrived: int, *, opened: int = 0) -> int | None:
    return transit_ms_max(
        sent, held, arrived_at_ms=arrived, opened_at_ms=opened, clock_drift_per_mille=RHO
    )


def test_what_is_left_of_the_time_between_bounds_the_way() -> None:
    # 560 ms in all, of which the agent held the pulse 500, or 490 by a clock that is 2 % slower;
    # and 2 ms for what two clocks of whole milliseconds leave out.
    assert bound(10_000, 500, 10_560) == 560 - 490 + 2


def test_a_pulse_that_came_back_at_once_bounds_the_way_by_the_round_trip() -> None:
    assert bound(10_000, 0, 10_040) == 42


def test_a_stalled_report_shows_in_full() -> None:
    prompt, stalled = bound(10_000, 500, 10_520), bound(10_000, 500, 12_020)

    assert prompt is not None
    assert stalled == prompt + 1_500


def test_a_pulse_of_an_earlier_stream_says_nothing() -> None:
    assert bound(9_999, 0, 10_040, opened=10_000) is None
    assert bound(10_000, 0, 10_040, opened=10_000) == 42


def test_a_pulse_from_the_future_or_too_long_ago_says_nothing() -> None:
    assert bound(10_001, 0, 10_000) is None
    assert bound(0, 59_000, 60_001) is None
    assert bound(0, 59_990, 60_000) is not None


def test_an_echo_held_longer_than_there_was_time_is_not_believed() -> None:
    assert bound(10_000, 5_000, 10_040) is None
    # One per cent fast or slow is what clocks may be.
    assert bound(10_000, 1_010, 11_000) is not None


@given(
    down_ms=st.integers(0, 20_000),
    held_ms=st.integers(0, 20_000),
    up_ms=st.integers(0, 19_000),
    ours=st.integers(-RHO, RHO),
    theirs=st.integers(-RHO, RHO),
    offsets=st.tuples(st.integers(0, 999), st.integers(0, 999)),
)
def test_the_bound_holds_whatever_the_clocks_within_their_drift(
    down_ms: int, held_ms: int, up_ms: int, ours: int, theirs: int, offsets: tuple[int, int]
) -> None:
    def shown_ms(true_ms: int, rate: int, offset_us: int) -> int:
        return (true_ms * (1_000 + rate) + offset_us) // 1_000

    came_ms = down_ms
    left_ms = came_ms + held_ms
    arrived_ms = left_ms + up_ms
    sent = shown_ms(0, ours, offsets[0])
    arrived = shown_ms(arrived_ms, ours, offsets[0])
    held = shown_ms(left_ms, theirs, offsets[1]) - shown_ms(came_ms, theirs, offsets[1])

    found = bound(sent, held, arrived)

    assert found is not None
    assert found * 1_000 >= up_ms * (1_000 + ours), "never less than the way up, by our clock"
