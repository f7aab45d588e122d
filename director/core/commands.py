"""What may be written to the log.

Each command carries what it was decided on (an epoch, a revision, a stage), so that one that
is out of date by the time it commits changes nothing (A9). ``at_ms`` is director time; the wall
clock travels beside it for people and is never compared.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from director.core.ids import AgentId, FencingToken, GroupId, RunId
from director.core.topology import Topology
from director.routing.table import Override, RegionId, ServiceId, Verdict


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who asked for a command, when, and how to recognise a repetition.

    Attributes:
        at_ms: Director time of the decision.
        wall_ms: Wall clock of the replica that proposed, for people only.
        request_id: Same id, same effect: a repetition changes nothing (invariant C1, fault 37).
            Empty for the director's own commands, which are guarded by what they expect.
        actor: Who: "director" or an operator's name.
        reason: Why, in the actor's words.
        ask_digest: Stands for what was asked, so that one request id is not used for two things;
            "" for the director's own commands.
    """

    at_ms: int
    wall_ms: int = 0
    request_id: str = ""
    actor: str = "director"
    reason: str = ""
    ask_digest: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One vantage point's word, as it stood when a decision was made (C4, C6).

    Attributes:
        vantage: "self", "director:d0" or "peer:eu-north1".
        finding: "pass", "fail", "silent" or "unheard".
        age_ms: Age of the observation when the decision was made.
    """

    vantage: str
    finding: str
    age_ms: int


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A new verdict on one region of one service, with what it rests on."""

    service_id: ServiceId
    region_id: RegionId
    verdict: Verdict
    reason: str
    suspected_at_ms: int  # director time of the first bad sign; equals at_ms for good news
    evidence: tuple[Evidence, ...] = ()


class RunKind(StrEnum):
    """Why ownership moves."""

    FAILOVER = "failover"
    SWITCHOVER = "switchover"
    FAILBACK = "failback"


class StageName(StrEnum):
    """The stages of a run, in order. DRAINING only for planned moves, CONFIRMING for automatic."""

    DRAINING = "draining"
    CONFIRMING = "confirming"
    FENCING = "fencing"
    PROMOTING = "promoting"
    PUBLISHING = "publishing"
    VERIFYING = "verifying"
    SETTLED = "settled"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class ApplyManifest:
    """Replace the declared topology.

    ``expected_revision`` None means: whatever is there.
    """

    stamp: Stamp
    topology: Topology
    source: str = ""  # the documents as the operator wrote them, for export
    expected_revision: int | None = None


@dataclass(frozen=True, slots=True)
class RecordVerdicts:
    """Commit changes of verdict drawn from observations."""

    stamp: Stamp
    changes: tuple[VerdictChange, ...]


@dataclass(frozen=True, slots=True)
class GrantOwnership:
    """Give a group that nobody owns its first home."""

    stamp: Stamp
    group_id: GroupId
    home: RegionId
    expected_epoch: int


@dataclass(frozen=True, slots=True)
class StartRun:
    """Begin to move a group.

    Attributes:
        automatic: Decided by the director itself, so the policy's guards apply.
        suspected_at_ms: Director time of the first bad sign; the RTO counts from here.
        loss_bound_ms: Bound on lost writes at decision time; None is unknown, hence infinite.
        accept_loss_ms: The loss an operator accepts by hand; None accepts none beyond the RPO.
        covered_at_ms: Director time up to which the target's copy surely has every write; None is
            unknown. The home may go on for a while, so the loss is bounded anew from here.
    """

    stamp: Stamp
    kind: RunKind
    group_id: GroupId
    target: RegionId
    expected_epoch: int
    automatic: bool
    suspected_at_ms: int
    loss_bound_ms: int | None
    accept_loss_ms: int | None = None
    evidence: tuple[Evidence, ...] = ()
    covered_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AdvanceRun:
    """Move a run to its next stage.

    Entering PROMOTING is the grant: it raises the epoch and makes ``target`` the home. The
    leader proposes it only once the old home has provably stopped (A4), and ``note`` says how.

    Attributes:
        loss_bound_ms: Bound on lost writes as of now, when the home was last granted a lease, or
            has stopped; None leaves the one before.
    """

    stamp: Stamp
    run_id: RunId
    expected_stage: StageName
    stage: StageName
    note: str = ""
    loss_bound_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AbortRun:
    """End a run without moving further.

    In FENCING the old home may have been demoted, so it is granted the next epoch.
    """

    stamp: Stamp
    run_id: RunId
    expected_stage: StageName
    cause: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class SetRegionDrained:
    """Start or end the drain of a region, for every service."""

    stamp: Stamp
    region_id: RegionId
    drained: bool


@dataclass(frozen=True, slots=True)
class SetOverride:
    """Set or clear (None) an operator's verdict on one region of one service."""

    stamp: Stamp
    service_id: ServiceId
    region_id: RegionId
    override: Override | None


@dataclass(frozen=True, slots=True)
class TokenShown:
    """A token that an agent has durably seen, and by whose word.

    Attributes:
        home: Owner under the token, as the agent knows it; None if nobody, or not known.
    """

    group_id: GroupId
    region_id: RegionId
    agent_id: AgentId
    token: FencingToken
    home: RegionId | None = None


@dataclass(frozen=True, slots=True)
class StartGeneration:
    """Make every token larger than any that was ever shown (A2).

    Proposed when agents show tokens that this state never granted: it comes from the past. Whether
    it does is decided when this is applied. Whatever this log granted before an agent showed it
    stands before this entry, so a token that is unknown here was granted by another history.

    Attributes:
        generation: The new one; above every generation in ``shown``.
        shown: What it rests on.
    """

    stamp: Stamp
    generation: int
    expected_generation: int
    shown: tuple[TokenShown, ...]


Command: TypeAlias = (
    ApplyManifest
    | RecordVerdicts
    | GrantOwnership
    | StartRun
    | AdvanceRun
    | AbortRun
    | SetRegionDrained
    | SetOverride
    | StartGeneration
)
