"""What applying a command did. The shell logs them and answers waiting callers with them."""

from dataclasses import dataclass
from typing import TypeAlias

from director.core.commands import StageName, TokenShown, VerdictChange
from director.core.ids import FencingToken, GroupId, RunId
from director.core.reasons import Reason
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
    """A region's drain began or ended."""

    index: int
    region_id: RegionId
    drained: bool
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class OverrideChanged:
    """An operator's verdict was set or cleared."""

    index: int
    service_id: ServiceId
    region_id: RegionId
    override: Override | None
    request_id: str = ""


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
)
