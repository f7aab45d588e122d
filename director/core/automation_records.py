"""What is replicated about automation: pauses, terms of overrides, proposals, and past moves."""

from dataclasses import dataclass

from director.core.automation_commands import IntentState
from director.core.command_parts import Evidence, RunKind
from director.core.ids import GroupId, RunId
from director.core.topology import Automation
from director.routing.table import RegionId, ServiceId


@dataclass(frozen=True, slots=True)
class Pause:
    """Automation starts nothing until it ends, by itself or by an operator.

    Attributes:
        service_id: The service; "" is the whole fleet.
        until_ms: Director time at which it ends; at that instant it has ended.
        until_wall_ms: The same for people.
    """

    service_id: ServiceId
    until_ms: int
    until_wall_ms: int = 0
    began_at_ms: int = 0
    began_wall_ms: int = 0
    actor: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OverrideTerm:
    """Who set an override, why, and until when (C9).

    Attributes:
        expires_at_ms: Director time from which the leader clears it.
        expires_wall_ms: The same for people.
    """

    actor: str
    reason: str
    expires_at_ms: int
    expires_wall_ms: int = 0


@dataclass(frozen=True, slots=True)
class Intent:
    """A move that the director would make and leaves to a person: one per incident.

    Attributes:
        intent_id: Its name, such as "chat/p3".
        number: Rises by one with each; the part of the name after the "p".
        epoch: Epoch of the group; the move is approved for this one only.
        mode: APPROVE waits for a person; OBSERVE only says what would have been done.
        limit: Why the director does not move by itself.
        reason: Why it would move.
        suspected_at_ms: Director time of the first bad sign.
        loss_bound_ms: Bound on lost writes when it was recorded; None is unknown.
        expires_at_ms: Director time from which it cannot be approved; 0 never expires.
        outcome: How it ended, for people; "" while the trouble goes on.
        run_id: The run that it led to, or that took its place; "" for none.

    Invariant: ``outcome == ""`` while OPEN or EXPIRED.
    """

    intent_id: str
    number: int
    group_id: GroupId
    service_id: ServiceId
    kind: RunKind
    source: RegionId
    target: RegionId
    epoch: int
    mode: Automation
    state: IntentState = IntentState.OPEN
    limit: str = ""
    reason: str = ""
    suspected_at_ms: int = 0
    loss_bound_ms: int | None = None
    evidence: tuple[Evidence, ...] = ()
    opened_at_ms: int = 0
    opened_wall_ms: int = 0
    expires_at_ms: int = 0
    closed_at_ms: int = 0
    closed_wall_ms: int = 0
    outcome: str = ""
    run_id: RunId | None = None

    @property
    def is_standing(self) -> bool:
        """Whether the incident it is about goes on, approvable or not."""
        return self.state in (IntentState.OPEN, IntentState.EXPIRED)


@dataclass(frozen=True, slots=True)
class Flap:
    """What the director's own moves of one service left behind (C2, C3).

    Attributes:
        penalty: As of ``at_ms``; it halves with each half-life of the policy.
        at_ms: Director time of the last move that counted.
        suppressed: The penalty reached the policy's ``suppress`` and has not been below ``reuse``
            since, as of ``at_ms``.
        lossy_run_id: The last failover, if it may have lost writes and nobody has moved the
            service or acknowledged the loss since; None otherwise.
    """

    service_id: ServiceId
    penalty: int = 0
    at_ms: int = 0
    suppressed: bool = False
    lossy_run_id: RunId | None = None
