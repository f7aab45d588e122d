"""How long to wait before trying again: exponential backoff with full jitter.

Full jitter draws from the whole span, so that a thousand agents which lost the
same director at the same instant do not come back at the same instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

# 2**30 times any base is past any cap; a larger exponent would only make larger integers.
_EXPONENT_MAX = 30


def full_jitter_ms(attempt: int, *, base_ms: int, cap_ms: int, rng: Random) -> int:
    """Draw the delay before retry number ``attempt`` (0 is the first).

    Returns:
        Between 1 ms and ``min(cap_ms, base_ms * 2**attempt)``. Never zero: a retry without
        a pause is a busy loop while the far side refuses at once.
    """
    assert attempt >= 0, "attempts are counted from zero"
    assert 1 <= base_ms <= cap_ms, "a delay lies between its base and its cap"
    return rng.randint(1, min(cap_ms, base_ms << min(attempt, _EXPONENT_MAX)))


class Backoff:
    """Counts failures in a row and draws the next delay."""

    def __init__(self, rng: Random, *, base_ms: int, cap_ms: int) -> None:
        assert 1 <= base_ms <= cap_ms, "a delay lies between its base and its cap"
        self._rng = rng
        self._base_ms = base_ms
        self._cap_ms = cap_ms
        self._attempt = 0

    @property
    def attempt(self) -> int:
        """How many delays were drawn since the last success."""
        return self._attempt

    def next_delay_ms(self) -> int:
        """Draw the delay to wait now, and count the failure that made it necessary."""
        delay_ms = full_jitter_ms(
            self._attempt, base_ms=self._base_ms, cap_ms=self._cap_ms, rng=self._rng
        )
        self._attempt += 1
        return delay_ms

    def reset(self) -> None:
        """Start again from the base, after something worked."""
        self._attempt = 0
