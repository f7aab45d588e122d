"""Instants that faults are aimed at, because chance alone hardly ever finds them.

What happens tells ``Moments``; a fault waits for the next moment of a kind and strikes right after
it, before what follows from it can be done.
"""

from collections.abc import Callable
from enum import StrEnum


class Moment(StrEnum):
    """What a fault may be aimed at. ``who`` is the replica that it happened to."""

    VOTE_ASKED = "vote-asked"
    """A replica was asked for its vote; what it decides is not durable yet."""
    VOTE_GIVEN = "vote-given"
    """A candidate heard a vote."""
    TERM_BEGUN = "term-begun"
    """A replica leads a new term and may not have told anybody."""
    APPENDED = "appended"
    """The leader took a proposal into its log."""
    SNAPSHOT_ARRIVED = "snapshot-arrived"
    """A snapshot came and is being written."""
    SNAPSHOT_INSTALLED = "snapshot-installed"
    LEASE_GRANTED = "lease-granted"
    LEASE_ASKED = "lease-asked"
    AGENT_REPORTED = "agent-reported"


Waiter = Callable[[str, object], bool]
"""Called with who and what; True if it waits for more."""


class Moments:
    """Who waits for what. Nothing costs more than a look into a dictionary unless somebody does."""

    def __init__(self) -> None:
        self._waiters: dict[Moment, list[Waiter]] = {}

    def happened(self, moment: Moment, who: str, what: object = None) -> None:
        """Tell everyone who waits for it, in the order in which they came."""
        waiters = self._waiters.pop(moment, None)
        if waiters is None:
            return
        left = [waiter for waiter in waiters if waiter(who, what)]
        if left:
            self._waiters[moment] = left + self._waiters.get(moment, [])

    def await_next(self, moment: Moment, waiter: Waiter) -> None:
        """Have ``waiter`` called from the next moment of that kind on, while it returns True."""
        self._waiters.setdefault(moment, []).append(waiter)

    def forget_all(self) -> None:
        """Nobody waits any more."""
        self._waiters.clear()
