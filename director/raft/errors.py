"""Why a replica refuses what the layer above asks of it."""

from enum import StrEnum


class Refusal(StrEnum):
    """Stable, machine-readable reasons. Nothing was appended when one of them is given."""

    NOT_LEADER = "NOT_LEADER"
    TRANSFERRING = "TRANSFERRING"
    """Leadership is being handed over. Ask again after it settled."""
    TOO_MANY_UNCOMMITTED = "TOO_MANY_UNCOMMITTED"
    """More bytes wait to be committed than ``uncommitted_bytes_max``. Back off."""
    NO_LEADER = "NO_LEADER"
    """No leader is known to forward a read to."""
    CHANGE_IN_FLIGHT = "CHANGE_IN_FLIGHT"
    """Another membership change is not committed yet."""
    TERM_NOT_COMMITTED = "TERM_NOT_COMMITTED"
    """The leader has committed nothing in its own term yet."""
    ALREADY_MEMBER = "ALREADY_MEMBER"
    NOT_A_MEMBER = "NOT_A_MEMBER"
    NOT_A_LEARNER = "NOT_A_LEARNER"
    NOT_A_VOTER = "NOT_A_VOTER"
    NOT_CAUGHT_UP = "NOT_CAUGHT_UP"
    """The learner is silent, or too far behind to count in a quorum."""
    LAST_VOTER = "LAST_VOTER"
    QUORUM_AT_RISK = "QUORUM_AT_RISK"
    """The voters heard from lately would be no majority after the change."""


class ProposalRefusedError(Exception):
    """The node did nothing; ``reason`` says why."""

    def __init__(self, reason: Refusal, message: str) -> None:
        """Give the ``reason`` for programs and the ``message`` for people."""
        super().__init__(message)
        self.reason = reason
