"""Everything that can happen to a director replica."""

from dataclasses import dataclass
from typing import TypeAlias

from director.core.commands import Command, RunKind
from director.core.ids import AgentId, FencingToken, GroupId, RunId
from director.core.observations import AgentReport, ReplicaReport
from director.core.reasons import Reason
from director.core.state import State
from director.core.topology import Topology
from director.routing.table import Override, RegionId, ServiceId


@dataclass(frozen=True, slots=True)
class Committed:
    """An entry of the log, in index order. ``command`` is None for an entry without one."""

    index: int
    command: Command | None


@dataclass(frozen=True, slots=True)
class SnapshotInstalled:
    """The log below was replaced by this state."""

    state: State


@dataclass(frozen=True, slots=True)
class LeadershipGained:
    """This replica leads, and has applied everything committed before its term."""

    term: int


@dataclass(frozen=True, slots=True)
class LeadershipLost:
    """This replica no longer leads."""

    term: int


@dataclass(frozen=True, slots=True)
class Reported:
    """An agent's report arrived, directly or relayed."""

    report: AgentReport


@dataclass(frozen=True, slots=True)
class ReplicaReported:
    """Another replica (or this one) said how far its watchers are."""

    report: ReplicaReport


@dataclass(frozen=True, slots=True)
class LeaseAsked:
    """An agent of a home asks for, or renews, the right to act.

    Attributes:
        request_number: The agent's own; comes back in the answer.
        is_proven: A probe of the service and a durable write succeeded since the last one (A6).
        is_holding: The agent believes that it holds the lease now.
    """

    region_id: RegionId
    agent_id: AgentId
    group_id: GroupId
    token: FencingToken
    request_number: int
    is_proven: bool
    is_holding: bool


@dataclass(frozen=True, slots=True)
class BarrierPassed:
    """The read barrier asked for as ``barrier_id`` confirmed ``term``."""

    barrier_id: int
    term: int


@dataclass(frozen=True, slots=True)
class BarrierFailed:
    """The read barrier could not confirm the term; nothing may be granted on it."""

    barrier_id: int


@dataclass(frozen=True, slots=True)
class ManifestAsked:
    """An operator applies documents (already validated)."""

    topology: Topology
    source: str
    expected_revision: int | None = None


@dataclass(frozen=True, slots=True)
class MoveAsked:
    """An operator moves a service.

    Attributes:
        target: None lets the director choose the best candidate.
        expected_epoch: None means: whatever it is.
        accept_loss_ms: The loss the operator accepts; None accepts none beyond the RPO.
    """

    kind: RunKind
    service_id: ServiceId
    target: RegionId | None
    expected_epoch: int | None = None
    accept_loss_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AbortAsked:
    """An operator stops a run."""

    run_id: RunId


@dataclass(frozen=True, slots=True)
class DrainAsked:
    """An operator drains a region, or ends its drain."""

    region_id: RegionId
    drained: bool


@dataclass(frozen=True, slots=True)
class OverrideAsked:
    """An operator sets or clears (None) a verdict by hand."""

    service_id: ServiceId
    region_id: RegionId
    override: Override | None


Ask: TypeAlias = ManifestAsked | MoveAsked | AbortAsked | DrainAsked | OverrideAsked


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a change, from an operator.

    Attributes:
        request_id: Never empty; the shell makes one up if the caller gave none.
        validate_only: Answer what would happen and change nothing.
    """

    request_id: str
    actor: str
    reason: str
    ask: Ask
    validate_only: bool = False


@dataclass(frozen=True, slots=True)
class ProposalFailed:
    """A proposal was not appended, or its outcome is unknown."""

    proposal_id: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Ticked:
    """The timer set by ``wake_at_ms`` ran out."""


Input: TypeAlias = (
    Committed
    | SnapshotInstalled
    | LeadershipGained
    | LeadershipLost
    | Reported
    | ReplicaReported
    | LeaseAsked
    | BarrierPassed
    | BarrierFailed
    | Asked
    | ProposalFailed
    | Ticked
)
