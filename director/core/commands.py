"""What may be written to the log.

Each command carries what it was decided on (an epoch, a revision, a stage), so that one that
is out of date by the time it commits changes nothing (A9). ``at_ms`` is director time; the wall
clock travels beside it for people and is never compared.
"""

from dataclasses import dataclass
from typing import TypeAlias

from director.core.automation_commands import RecordIntent, SetAutomation
from director.core.command_parts import Evidence, RunKind, StageName, Stamp
from director.core.drill import DrillSpec, DrillStage, GuardAnswer, LocalMoment
from director.core.ids import NO_DRILL, AgentId, DrillId, FencingToken, GroupId, RunId
from director.core.loads import RegionLoad, SpillSite
from director.core.topology import Topology
from director.routing.table import Override, RegionId, ServiceId, Verdict

# Whoever handles commands needs their parts.
__all__ = ["Evidence", "RecordIntent", "RunKind", "SetAutomation", "StageName", "Stamp"]


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A new verdict on one region of one service, with what it rests on."""

    service_id: ServiceId
    region_id: RegionId
    verdict: Verdict
    reason: str
    suspected_at_ms: int  # director time of the first bad sign; equals at_ms for good news
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class ApplyManifest:
    """Replace the declared topology.

    ``expected_revision`` None, and ``expected_etag`` "", mean: whatever is there. ``restores`` is
    the earlier revision that is rolled back to; 0: none.
    """

    stamp: Stamp
    topology: Topology
    source: str = ""  # the documents as the operator wrote them, for export
    expected_revision: int | None = None
    expected_etag: str = ""
    restores: int = 0
    # Services that may go, or change their mode, although they serve.
    allow_removed: tuple[ServiceId, ...] = ()
    loads: tuple[RegionLoad, ...] = ()  # when it was decided


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
        drill_id: The drill that asks for it; "" if none does.
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
    load_rps: int | None = None  # of the source, when it was decided; None is unknown
    waives: str = ""  # the safety rule that the operator waives; the stamp says who and why
    intent_id: str = ""  # the proposal that the operator approved; "" for none
    drill_id: DrillId = NO_DRILL


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
    loads: tuple[RegionLoad, ...] = ()  # when it was decided
    waives: str = ""  # the safety rule that the operator waives; the stamp says who and why


@dataclass(frozen=True, slots=True)
class SetOverride:
    """Set or clear (None) an operator's verdict on one region of one service.

    Attributes:
        for_ms: How long it holds; 0, of a release that knew no terms, is until it is cleared.
        lapsed_at_ms: By the director: clears only if the term ended at this director time, so that
            one set again meanwhile stays. 0: by a person.
    """

    stamp: Stamp
    service_id: ServiceId
    region_id: RegionId
    override: Override | None
    for_ms: int = 0
    lapsed_at_ms: int = 0


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


@dataclass(frozen=True, slots=True)
class RecordSpill:
    """Have full regions of a service send some of their clients on.

    Attributes:
        sites: What holds from now on, sorted by region; empty: nobody sends clients on.
        expected_index: Log index of the decision that this one replaces; 0: there is none.
    """

    stamp: Stamp
    service_id: ServiceId
    sites: tuple[SpillSite, ...]
    expected_index: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far the audit trail was delivered to one webhook.

    Attributes:
        webhook: Its name.
        through: Number of the last record that is done with: delivered, not wanted, or lost.
        lost_count: Records, ever, that were no longer kept when their turn came.
    """

    webhook: str
    through: int
    lost_count: int = 0


@dataclass(frozen=True, slots=True)
class RecordDeliveries:
    """Note how far webhooks were delivered, so that another leader goes on from there."""

    stamp: Stamp
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class StartDrill:
    """Begin a drill, or record that a scheduled one is left out.

    Attributes:
        schedule_id: "" when a person asks.
        occurrence_ms: The schedule's occurrence, in UTC milliseconds; refused unless it is later
            than the last one, so that none runs twice. None when a person asks.
        local: The wall clock in the drill's time zone; None: windows and dates are not looked at.
        guards: What they said on the leader; the machine asks those again that it can.
        skip_cause: Why it is only recorded as left out; "": it is to run.
    """

    stamp: Stamp
    spec: DrillSpec
    schedule_id: str = ""
    occurrence_ms: int | None = None
    local: LocalMoment | None = None
    guards: tuple[GuardAnswer, ...] = ()
    skip_cause: str = ""
    skip_note: str = ""


@dataclass(frozen=True, slots=True)
class AdvanceDrill:
    """Move a drill to its next stage; to the stage it is in: renew its injection.

    Attributes:
        cause: Why the drill is going to fail although it was not cut short; "" if it is not.
    """

    stamp: Stamp
    drill_id: DrillId
    expected_stage: DrillStage
    stage: DrillStage
    note: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class AbortDrill:
    """Cut a drill short: the injection ends with this entry, and everything goes back."""

    stamp: Stamp
    drill_id: DrillId
    cause: str
    note: str = ""


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
    | SetAutomation
    | RecordIntent
    | RecordDeliveries
    | RecordSpill
    | StartDrill
    | AdvanceDrill
    | AbortDrill
)
