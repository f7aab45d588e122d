"""Flap damping: each automatic move leaves a penalty, and a service with too much of it stays put.

``P(t) = P0 * 2^(-t / half_life)`` as in RFC 2439, with two thresholds: from ``suppress`` on the
director does not move the service by itself, until the penalty has fallen below ``reuse``. Whole
numbers only, so that every replica comes to the same answer: what ``decayed`` returns is at most 1
below the exact value, and at most 1.1e-5 of it above.
"""

from dataclasses import replace
from math import isqrt

from director.core.automation_records import Flap
from director.core.topology import Policy

# One automatic move.
MOVE_PENALTY = 1_000
# However many moves: no service is damped for longer (RFC 2439 calls it the maximum hold-down).
SUPPRESSED_MS_MAX = 3_600_000
# A policy may ask for a high threshold; beyond this nobody means it.
PENALTY_MAX = 1_000_000

_FRACTION_BITS = 16
_SCALE_BITS = 40


def _roots_of_half() -> tuple[int, ...]:
    """Return 2^(-1/2), 2^(-1/4), ... as fixed-point numbers; each is the root of the one before."""
    roots = []
    value = 1 << (_SCALE_BITS - 1)
    for _ in range(_FRACTION_BITS):
        value = isqrt(value << _SCALE_BITS)
        roots.append(value)
    return tuple(roots)


_ROOTS = _roots_of_half()


def decayed(penalty: int, elapsed_ms: int, half_life_ms: int) -> int:
    """Return what is left of ``penalty`` after ``elapsed_ms``; nothing decays before it begins.

    Whole half-lives are shifts; the rest is a product of roots of 1/2, one for each bit of the
    fraction. Cutting the fraction to 16 bits makes the result at most 1.1e-5 of it too large, and
    the last rounding less than 1 too small.
    """
    if half_life_ms <= 0:
        return 0
    if elapsed_ms <= 0:
        return penalty
    halvings, rest_ms = divmod(elapsed_ms, half_life_ms)
    fraction = (rest_ms << _FRACTION_BITS) // half_life_ms
    scaled = penalty << _SCALE_BITS
    for place, root in enumerate(_ROOTS, start=1):
        if fraction >> (_FRACTION_BITS - place) & 1:
            scaled = scaled * root >> _SCALE_BITS
    return scaled >> (_SCALE_BITS + min(halvings, _SCALE_BITS))


def penalty_of(flap: Flap, policy: Policy, *, now_ms: int) -> int:
    """Return the penalty at ``now_ms`` (director time)."""
    return decayed(flap.penalty, now_ms - flap.at_ms, policy.flap_half_life_ms)


def reusable_in_ms(flap: Flap, policy: Policy, *, now_ms: int) -> int:
    """Return how long the director will not move the service by itself; 0: it may now."""
    if not flap.suppressed or penalty_of(flap, policy, now_ms=now_ms) < policy.flap_reuse:
        return 0
    # The penalty never rises by waiting, so the first instant below the threshold is found by
    # halving the span; it lies within the longest suppression.
    early_ms, late_ms = now_ms, flap.at_ms + SUPPRESSED_MS_MAX
    if late_ms <= now_ms:
        return 0
    while early_ms + 1 < late_ms:
        middle_ms = (early_ms + late_ms) // 2
        if penalty_of(flap, policy, now_ms=middle_ms) < policy.flap_reuse:
            late_ms = middle_ms
        else:
            early_ms = middle_ms
    return late_ms - now_ms


def after_move(flap: Flap, policy: Policy, *, now_ms: int) -> Flap:
    """Return ``flap`` with one more automatic move at ``now_ms``."""
    was_suppressed = reusable_in_ms(flap, policy, now_ms=now_ms) > 0
    penalty = penalty_of(flap, policy, now_ms=now_ms) + MOVE_PENALTY
    penalty = min(penalty, _ceiling(policy))
    suppressed = policy.flap_half_life_ms > 0 and (
        was_suppressed or penalty >= policy.flap_suppress
    )
    return replace(flap, penalty=penalty, at_ms=now_ms, suppressed=suppressed)


def _ceiling(policy: Policy) -> int:
    """A penalty above this would take longer than the longest suppression to fall below reuse."""
    if policy.flap_half_life_ms <= 0:
        return PENALTY_MAX
    halvings = SUPPRESSED_MS_MAX // policy.flap_half_life_ms
    ceiling = policy.flap_reuse << min(halvings, _SCALE_BITS)
    return max(policy.flap_suppress, min(PENALTY_MAX, ceiling))
