"""What applying a command did. The shell logs them and answers waiting callers with them."""

from dataclasses import dataclass
from typing import TypeAlias

from director.core.automation_commands import AutomationAction, IntentState
from director.core.commands import Delivery, RunKind, StageName, TokenShown, VerdictChange
from director.core.drill import DrillStage, DrillVerdict
from director.core.ids import DrillId, FencingToken, GroupId, RunId
from director.core.reasons import Reason
from director.core.topology import Automation
from director.routing.table import Override, RegionId, ServiceId


@dataclass(frozen=True, slots=True)
class Rejected:
    """The command changed nothing.

    Attributes:
        command: Class name of the command, for the log.
        message: What, with which values, compared with what; for people.
        metadata: The values, for programs; lowerCamelCase keys that include the unit.
    """

    index: int
    command: str
    reason: Reason
    message: str
    metadata: tuple[tuple[str, str], ...] = ()
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Repeated:
    """The request id was seen before: its first outcome stands."""

    index: int
    first_index: int
    request_id: str
    run_id: str = ""
    rejected: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ManifestApplied:
    """A new topology is in force."""

    index: int
    revision: int
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class VerdictsRecorded:
    """Verdicts changed. ``withheld`` names those kept in service, with the rule."""

    index: int
    changes: tuple[VerdictChange, ...]
    withheld: tuple[tuple[ServiceId, RegionId, str], ...] = ()


@dataclass(frozen=True, slots=True)
class OwnershipGranted:
    """A group has its first home."""

    index: int
    group_id: GroupId
    home: RegionId
    token: FencingToken


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A failover or switchover began."""

    index: int
    run_id: RunId
    group_id: GroupId
    source: RegionId
    target: RegionId
    stage: StageName
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class RunAdvanced:
    """A run reached its next stage; ``token`` is set when that was the grant."""

    index: int
    run_id: RunId
    stage: StageName
    token: FencingToken | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class RunAborted:
    """A run ended without moving further."""

    index: int
    run_id: RunId
    cause: str
    token: FencingToken | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class RegionDrainSet:
    """A region's drain began or ended. ``waived``: the rule that the operator waived, or ""."""

    index: int
    region_id: RegionId
    drained: bool
    request_id: str = ""
    waived: str = ""


@dataclass(frozen=True, slots=True)
class SpillRecorded:
    """Full regions of a service send other shares of their clients on than before.

    Attributes:
        shares: Region and per mille of those that send clients on; none: it has ended.
    """

    index: int
    service_id: ServiceId
    shares: tuple[tuple[RegionId, int], ...]


@dataclass(frozen=True, slots=True)
class OverrideChanged:
    """An operator's verdict was set or cleared."""

    index: int
    service_id: ServiceId
    region_id: RegionId
    override: Override | None
    request_id: str = ""
    expires_at_ms: int = 0  # director time at which it ends; 0 when it was cleared
    expires_wall_ms: int = 0


@dataclass(frozen=True, slots=True)
class AutomationSet:
    """Automation was paused or resumed, or what it did was acknowledged.

    Attributes:
        service_id: "" is the whole fleet.
        until_ms: Director time at which a pause ends; 0 otherwise.
    """

    index: int
    service_id: ServiceId
    action: AutomationAction
    until_ms: int = 0
    until_wall_ms: int = 0
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class IntentRecorded:
    """A move was proposed to a person, or a proposal ended."""

    index: int
    intent_id: str
    service_id: ServiceId
    state: IntentState
    mode: Automation
    kind: RunKind
    target: RegionId
    reason: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class GenerationStarted:
    """Every token is a new one: agents showed tokens that this state never granted (A2).

    Attributes:
        shown: What proved it.
        moved: Groups whose owner is another than this state knew, as agents agree.
    """

    index: int
    generation: int
    shown: tuple[TokenShown, ...]
    moved: tuple[GroupId, ...] = ()


@dataclass(frozen=True, slots=True)
class DeliveriesRecorded:
    """Webhooks were delivered up to here."""

    index: int
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class DrillStarted:
    """A drill began; or, ``verdict`` SKIPPED, a scheduled one was left out."""

    index: int
    drill_id: DrillId
    service_id: ServiceId
    region_id: RegionId
    stage: DrillStage
    verdict: DrillVerdict | None = None
    note: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class DrillAdvanced:
    """A drill reached its next stage; ``verdict`` is set when that was the last."""

    index: int
    drill_id: DrillId
    service_id: ServiceId
    stage: DrillStage
    verdict: DrillVerdict | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class DrillRenewed:
    """What a drill injects holds for another while. One a second while it lasts."""

    index: int
    drill_id: DrillId
    renewal: int


@dataclass(frozen=True, slots=True)
class DrillAborted:
    """A drill is cut short: its injection is off, and everything goes back."""

    index: int
    drill_id: DrillId
    service_id: ServiceId
    cause: str
    note: str = ""
    request_id: str = ""


Event: TypeAlias = (
    Rejected
    | Repeated
    | ManifestApplied
    | VerdictsRecorded
    | OwnershipGranted
    | RunStarted
    | RunAdvanced
    | RunAborted
    | RegionDrainSet
    | OverrideChanged
    | GenerationStarted
    | SpillRecorded
    | AutomationSet
    | IntentRecorded
    | DeliveriesRecorded
    | DrillStarted
    | DrillAdvanced
    | DrillRenewed
    | DrillAborted
)
