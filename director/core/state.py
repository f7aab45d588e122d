"""What all replicas agree on. Immutable; only ``machine.apply`` makes a new one."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from types import MappingProxyType

from director.core.audit import NO_AUDIT, AuditLog
from director.core.automation_records import Flap, Intent, OverrideTerm, Pause
from director.core.commands import Delivery, Evidence, RunKind, StageName
from director.core.drill_record import Drill
from director.core.ids import NO_DRILL, DrillId, FencingToken, GroupId, RunId
from director.core.loads import SpillRecord
from director.core.revisions import Revision
from director.core.topology import NO_TOPOLOGY, Topology
from director.routing.table import Override, RegionId, ServiceId, Verdict

# Enough for an operator's retry storm; each is about a hundred bytes.
REQUESTS_KEPT_MAX = 1_024
# Finished runs kept for `get failovers`; running ones are always kept.
RUNS_KEPT_MAX = 200


class Phase(StrEnum):
    """Where recovery time goes. Each phase starts when the one before it ends."""

    DETECT = "detect"  # first bad sign to committed verdict (or the request, by hand)
    DECIDE = "decide"  # verdict to the end of confirmation (a drain, when planned)
    FENCE = "fence"  # to the old home being unable to act
    PROMOTE = "promote"  # to the new home serving
    PUBLISH = "publish"  # to the replicas having pushed the new routes
    VERIFY = "verify"  # to the new home's own passing probe; not part of the RTO


@dataclass(frozen=True, slots=True)
class VerdictRecord:
    """The committed verdict on one region of one service.

    Attributes:
        since_ms: Director time at which this verdict was committed.
        index: Log index of the entry.
        reason: Machine-readable cause, e.g. PEERS_FAIL, SELF_FAIL, SILENT, RECOVERED.
        withheld: Name of the safety rule that keeps a DOWN region in service; "" when none.
        suspected_at_ms: Director time of the first bad sign.
    """

    verdict: Verdict
    since_ms: int
    index: int
    reason: str = ""
    withheld: str = ""
    suspected_at_ms: int = 0
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Ownership of one session group.

    Attributes:
        home: The region that alone may acknowledge writes in this epoch; None before the
            first grant.
        serving: The region that routes point at. It follows ``home`` when a run publishes.
        granted_index: Log index of the grant, for people.

    Invariant: a group that was granted once keeps a home until its service is removed; one that
    comes back after a removal has no home, and goes on from the epoch it had (A2).
    """

    group_id: GroupId
    service_id: ServiceId
    epoch: int = 0
    home: RegionId | None = None
    serving: RegionId | None = None
    granted_index: int = 0
    granted_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """One line of the RTO ledger. ``note`` says what ended the phase, for people."""

    phase: Phase
    ms: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One failover, switchover or failback.

    Attributes:
        source: Home when the run began; the loser.
        source_epoch: Epoch the source held. The target gets ``source_epoch + 1``.
        suspected_at_ms: The RTO counts from here.
        stage_at_ms: Director time at which the current stage began.
        ledger: Phases finished so far.
        measured_rto_ms: Suspicion to PUBLISHING done; None until then.
        cause: Why it aborted; "" otherwise.
        notes: What the ledger has no line for: why it was taken back.
        covered_at_ms: Director time up to which the target's copy surely has every write, as of the
            start; None is unknown.
        drill_id: The drill that caused it; "" if none did. It counts for no cooldown.
    """

    run_id: RunId
    kind: RunKind
    group_id: GroupId
    service_id: ServiceId
    source: RegionId
    target: RegionId
    source_epoch: int
    stage: StageName
    automatic: bool
    started_at_ms: int
    suspected_at_ms: int
    stage_at_ms: int
    rto_ms: int
    rpo_ms: int | None
    loss_bound_ms: int | None
    accept_loss_ms: int | None = None
    ledger: tuple[Spent, ...] = ()
    measured_rto_ms: int | None = None
    cause: str = ""
    actor: str = "director"
    reason: str = ""
    request_id: str = ""
    started_wall_ms: int = 0
    ended_wall_ms: int = 0
    index: int = 0
    evidence: tuple[Evidence, ...] = ()
    notes: tuple[str, ...] = ()
    covered_at_ms: int | None = None
    drill_id: DrillId = NO_DRILL

    @property
    def is_active(self) -> bool:
        """Whether something is still to be done."""
        return self.stage not in (StageName.SETTLED, StageName.ABORTED)


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """What a request id led to, so that a repetition gets the same answer."""

    request_id: str
    index: int
    run_id: str = ""
    rejected: str = ""  # the reason; "" when it was carried out
    message: str = ""
    ask_digest: str = ""


@dataclass(frozen=True, slots=True)
class Removal:
    """Automation took a region of a service out, for the velocity cap (R3)."""

    service_id: ServiceId
    region_id: RegionId
    at_ms: int


def _no_mapping() -> Mapping[tuple[ServiceId, RegionId], VerdictRecord]:
    return MappingProxyType({})


def _no_override() -> Mapping[tuple[ServiceId, RegionId], Override]:
    return MappingProxyType({})


def _no_term() -> Mapping[tuple[ServiceId, RegionId], OverrideTerm]:
    return MappingProxyType({})


def _no_spill() -> Mapping[tuple[ServiceId, RegionId], SpillRecord]:
    return MappingProxyType({})


_group_id = attrgetter("group_id")


@dataclass(frozen=True, slots=True)
class State:
    """Everything replicated.

    Mappings are never mutated; iterate over them in sorted order when order matters.

    Attributes:
        generation_due: This state was restored from a copy: until a generation of at least this has
            started, it lies in the past, and nobody may act on it (A2). 0: it was not.
        applied_index: Log index of the last entry applied.
        now_ms: Director time; the greatest ``at_ms`` applied, so that it never goes back.
        revision: Number of the manifest in force; 0 means that none was applied.
        changed_index: Log index of the last entry that changed what routes depend on.
        retired_epochs: Last epoch of groups whose service was removed, so that none is reused.
        runs: Oldest first; all active ones and the last ``RUNS_KEPT_MAX`` finished.
        run_count: Runs ever started; the next run's number.
        settled_at_ms: Director time of the last settled automatic run per service (cooldown).
        pauses: Sorted by service; ended ones may still be there.
        override_terms: Of each override that was set with one; same keys.
        intents: Moves left to a person, oldest first; bounded.
        flaps: What the director's own moves left behind, sorted by service.
        spills: Of services of which some region is full: who sends clients on, and who takes none.
        audit: What was done and refused, chained.
        deliveries: How far webhooks were told of it, sorted by name.
        revisions: The manifests applied, oldest first, the one in force last.
        drills: Oldest first; the one that runs and the last ``DRILLS_KEPT_MAX`` that ended.
        drill_count: Drills ever recorded; the next one's number.
        occurrences: Of each schedule the last one started or skipped, in UTC milliseconds.
    """

    generation: int = 1
    generation_due: int = 0
    applied_index: int = 0
    now_ms: int = 0
    revision: int = 0
    changed_index: int = 0
    topology: Topology = NO_TOPOLOGY
    manifest_source: str = ""
    verdicts: Mapping[tuple[ServiceId, RegionId], VerdictRecord] = field(
        default_factory=_no_mapping
    )
    overrides: Mapping[tuple[ServiceId, RegionId], Override] = field(default_factory=_no_override)
    drained_regions: tuple[RegionId, ...] = ()
    groups: tuple[Group, ...] = ()
    retired_epochs: tuple[tuple[GroupId, int], ...] = ()
    runs: tuple[Run, ...] = ()
    run_count: int = 0
    settled_at_ms: tuple[tuple[ServiceId, int], ...] = ()
    removals: tuple[Removal, ...] = ()
    requests: tuple[RequestOutcome, ...] = ()
    drills: tuple[Drill, ...] = ()
    drill_count: int = 0
    occurrences: tuple[tuple[str, int], ...] = ()
    audit: AuditLog = NO_AUDIT
    deliveries: tuple[Delivery, ...] = ()
    pauses: tuple[Pause, ...] = ()
    override_terms: Mapping[tuple[ServiceId, RegionId], OverrideTerm] = field(
        default_factory=_no_term
    )
    intents: tuple[Intent, ...] = ()
    flaps: tuple[Flap, ...] = ()
    spills: Mapping[tuple[ServiceId, RegionId], SpillRecord] = field(default_factory=_no_spill)
    revisions: tuple[Revision, ...] = ()

    @property
    def etag(self) -> str:
        """Stands for the manifest in force; "" before the first."""
        return self.revisions[-1].etag if self.revisions else ""

    def group(self, group_id: GroupId) -> Group | None:
        """Return the group, or None."""
        # The machine keeps them sorted, and everything that looks at each service asks for each.
        at = bisect_left(self.groups, group_id, key=_group_id)
        if at < len(self.groups) and self.groups[at].group_id == group_id:
            return self.groups[at]
        return next((each for each in self.groups if each.group_id == group_id), None)

    def run(self, run_id: RunId) -> Run | None:
        """Return the run, or None if there never was one or it is no longer kept."""
        return next((each for each in self.runs if each.run_id == run_id), None)

    def active_run(self, group_id: GroupId) -> Run | None:
        """Return the group's run that is still going on, or None."""
        return next(
            (each for each in self.runs if each.group_id == group_id and each.is_active), None
        )

    def drill(self, drill_id: DrillId) -> Drill | None:
        """Return the drill, or None if there never was one or it is no longer kept."""
        return next((each for each in self.drills if each.drill_id == drill_id), None)

    def active_drill(self) -> Drill | None:
        """Return the drill that is going on, or None; there is at most one in the fleet."""
        return next((each for each in self.drills if each.is_active), None)

    def token(self, group: Group) -> FencingToken:
        """The fencing token of the group's present owner."""
        return FencingToken(self.generation, group.epoch)
