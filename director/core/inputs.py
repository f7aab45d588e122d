"""Everything that can happen to a director replica."""

from dataclasses import dataclass
from typing import TypeAlias

from director.core.automation_commands import AutomationAction
from director.core.commands import Command, RunKind
from director.core.drill import DrillSpec, LocalMoment
from director.core.ids import AgentId, DrillId, FencingToken, GroupId, RunId
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
    """An operator applies documents (already validated).

    Attributes:
        expected_revision: None means: whatever is in force.
        expected_etag: "" means: whatever is in force.
        restores: The earlier revision that is rolled back to; 0: none.
        allow_removed: Services that may go, or change their mode, although they serve.
    """

    topology: Topology
    source: str
    expected_revision: int | None = None
    expected_etag: str = ""
    restores: int = 0
    allow_removed: tuple[ServiceId, ...] = ()


@dataclass(frozen=True, slots=True)
class MoveAsked:
    """An operator moves a service.

    Attributes:
        target: None lets the director choose the best candidate.
        expected_epoch: None means: whatever it is.
        accept_loss_ms: The loss the operator accepts; None accepts none beyond the RPO.
        waives: The safety rule that the operator waives; "" none.
    """

    kind: RunKind
    service_id: ServiceId
    target: RegionId | None
    expected_epoch: int | None = None
    accept_loss_ms: int | None = None
    waives: str = ""


@dataclass(frozen=True, slots=True)
class AbortAsked:
    """An operator stops a run."""

    run_id: RunId


@dataclass(frozen=True, slots=True)
class DrainAsked:
    """An operator drains a region, or ends its drain. ``waives`` names a safety rule, or is ""."""

    region_id: RegionId
    drained: bool
    waives: str = ""


@dataclass(frozen=True, slots=True)
class OverrideAsked:
    """An operator sets or clears (None) a verdict by hand."""

    service_id: ServiceId
    region_id: RegionId
    override: Override | None
    for_ms: int = 0  # how long it holds; 0 is as long as allowed


@dataclass(frozen=True, slots=True)
class AutomationAsked:
    """An operator pauses or resumes automation, or acknowledges what it did.

    Attributes:
        service_id: "" is the whole fleet.
        for_ms: How long a pause lasts.
    """

    service_id: ServiceId
    action: AutomationAction
    for_ms: int = 0


@dataclass(frozen=True, slots=True)
class ApproveAsked:
    """An operator has the director make the move that it proposed.

    Attributes:
        expected_epoch: None means: whatever the proposal says.
        intent_id: The proposal that was looked at; "" means: the newest of the service.
    """

    service_id: ServiceId
    expected_epoch: int | None = None
    intent_id: str = ""


@dataclass(frozen=True, slots=True)
class DrillAsked:
    """A person, or the calendar, wants a drill.

    Attributes:
        local: The wall clock in the drill's time zone; None: windows and dates are not looked at.
        schedule_id: "" when a person asks without a schedule.
        occurrence_ms: The schedule's occurrence that is due, in UTC milliseconds; None when a
            person asks. What a guard refuses is recorded as skipped then.
        skip_cause: The occurrence is only to be recorded as left out, and why; "" otherwise.
    """

    spec: DrillSpec
    local: LocalMoment | None = None
    schedule_id: str = ""
    occurrence_ms: int | None = None
    skip_cause: str = ""
    skip_note: str = ""


@dataclass(frozen=True, slots=True)
class DrillAbortAsked:
    """A person stops a drill."""

    drill_id: DrillId


Ask: TypeAlias = (
    ManifestAsked
    | MoveAsked
    | AbortAsked
    | DrainAsked
    | OverrideAsked
    | AutomationAsked
    | ApproveAsked
    | DrillAsked
    | DrillAbortAsked
)


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
