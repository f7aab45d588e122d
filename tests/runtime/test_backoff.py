"""Backoff: bounded, growing, spread over the whole span, and never zero."""

import random

from hypothesis import given
from hypothesis import strategies as st

from director.runtime.backoff import Backoff, full_jitter_ms


@given(
    st.integers(0, 10_000), st.integers(1, 1_000), st.integers(1_000, 60_000), st.integers(0, 99)
)
def test_a_delay_lies_between_one_millisecond_and_its_cap(
    attempt: int, base_ms: int, cap_ms: int, seed: int
) -> None:
    delay_ms = full_jitter_ms(attempt, base_ms=base_ms, cap_ms=cap_ms, rng=random.Random(seed))

    assert 1 <= delay_ms <= min(cap_ms, base_ms * 2**attempt)


def test_a_thousand_clients_that_fail_together_do_not_come_back_together() -> None:
    rng = random.Random(1)

    delays = [full_jitter_ms(10, base_ms=100, cap_ms=10_000, rng=rng) for _ in range(1_000)]

    # A tenth of the span holds about a tenth of them.
    for tenth in range(10):
        count = sum(1 for delay in delays if delay // 1_001 == tenth)
        assert 60 <= count <= 140


def test_failures_in_a_row_raise_the_bound_and_a_success_resets_it() -> None:
    backoff = Backoff(random.Random(1), base_ms=10, cap_ms=1_000)

    delays = [backoff.next_delay_ms() for _ in range(50)]
    assert max(delays[:3]) <= 40
    assert max(delays) > 500
    assert backoff.attempt == 50
    backoff.reset()
    assert backoff.attempt == 0
    assert backoff.next_delay_ms() <= 10
