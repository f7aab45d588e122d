"""Commands about automation: pauses, acknowledgements, and moves that are left to a person."""

from dataclasses import dataclass
from enum import StrEnum

from director.core.command_parts import Evidence, RunKind, Stamp
from director.core.ids import GroupId
from director.routing.table import RegionId, ServiceId

_NO_REGION = RegionId("")


class AutomationAction(StrEnum):
    """What an operator does to automation."""

    PAUSE = "pause"
    RESUME = "resume"
    ACKNOWLEDGE = "acknowledge"  # ends cooldown and damping, and lets a lossy failover rest


@dataclass(frozen=True, slots=True)
class SetAutomation:
    """Pause or resume automation, or acknowledge what it did.

    Attributes:
        service_id: "" is the whole fleet.
        for_ms: How long a pause lasts, from when this is applied.
    """

    stamp: Stamp
    service_id: ServiceId
    action: AutomationAction
    for_ms: int = 0


class IntentState(StrEnum):
    """How far a proposed move is."""

    OPEN = "open"
    APPROVED = "approved"
    EXPIRED = "expired"  # nobody approved it in time; the trouble goes on
    WITHDRAWN = "withdrawn"  # the trouble is over, or something else moved the service


@dataclass(frozen=True, slots=True)
class RecordIntent:
    """Record a move that is left to a person (OPEN), or how that ended (EXPIRED, WITHDRAWN).

    Attributes:
        intent_id: The one that ended; "" for a new one.
        target: Where to; "" when one ended. So are the fields after it.
        limit: Why the director does not move by itself.
    """

    stamp: Stamp
    group_id: GroupId
    state: IntentState
    intent_id: str = ""
    outcome: str = ""
    kind: RunKind = RunKind.FAILOVER
    target: RegionId = _NO_REGION
    expected_epoch: int = 0
    limit: str = ""
    suspected_at_ms: int = 0
    loss_bound_ms: int | None = None
    evidence: tuple[Evidence, ...] = ()
