"""Who makes the call that is being served, and a tally of those who may not.

Set by ``director.runtime.call_guard`` for the task that serves the call, and by nobody else.
"""

from __future__ import annotations

from collections import Counter
from contextvars import ContextVar

import structlog

from director.runtime.clock import boot_ms
from director.runtime.identity import Identity

log = structlog.get_logger()

# A client that is refused asks again and again; its refusal is one line in this time.
_SAY_EVERY_MS = 60_000
_REMEMBERED_MAX = 1_024

_caller: ContextVar[Identity | None] = ContextVar("caller", default=None)


def caller() -> Identity | None:
    """Return who calls; None where nobody has to say who they are, as on loopback without TLS."""
    return _caller.get()


def set_caller(identity: Identity) -> None:
    """Name who makes the call that this task serves."""
    _caller.set(identity)


class Denials:
    """Counts the calls of this process that were refused for who made them, and logs them.

    Attributes:
        count_by_fault: For ``director_denied_calls_total{fault}``.
    """

    def __init__(self) -> None:
        self.count_by_fault: Counter[str] = Counter()
        self._said_at_ms: dict[tuple[str, ...], int] = {}

    def note(self, fault: str, *, who: str, method: str, message: str) -> None:
        """Count one, and log it unless the same was logged within a minute.

        Args:
            fault: Why, in UPPER_SNAKE_CASE; one of a few.
            who: SPIFFE id, or the address when there is none.
            method: What was called.
            message: For people.
        """
        self.count_by_fault[fault] += 1
        key = (fault, who, method)
        now_ms = boot_ms()
        if now_ms - self._said_at_ms.get(key, -_SAY_EVERY_MS) < _SAY_EVERY_MS:
            return
        if len(self._said_at_ms) >= _REMEMBERED_MAX:
            self._said_at_ms.clear()
        self._said_at_ms[key] = now_ms
        log.warning("call_denied", fault=fault, identity=who, method=method, reason=message)


DENIALS = Denials()
