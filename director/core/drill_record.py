"""The replicated record of one drill: all that a new leader goes on with, and a report shows."""

from dataclasses import dataclass

from director.core.commands import Evidence
from director.core.drill import DrillSpec, DrillStage, DrillVerdict, GuardAnswer
from director.core.ids import NO_GROUP, DrillId, GroupId, RunId
from director.routing.table import RegionId

# Drills that ended and are kept for `director drill list`; the one that runs is kept always.
DRILLS_KEPT_MAX = 100


@dataclass(frozen=True, slots=True)
class ViewLine:
    """One fact of the operational view: ``home chat/0`` is ``eu-west1``."""

    subject: str
    value: str


@dataclass(frozen=True, slots=True)
class DrillMoment:
    """A line of the timeline: the drill entered ``stage``, or something was noted in it.

    Attributes:
        at_ms: Director time.
        wall_ms: Wall clock of the replica that proposed it, for people.
    """

    stage: DrillStage
    at_ms: int
    note: str = ""
    wall_ms: int = 0


@dataclass(frozen=True, slots=True)
class DrillPhase:
    """Where the recovery time went, as in a run's ledger; detection counts from the injection."""

    phase: str
    ms: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill.

    Attributes:
        drill_id: ``chat-weekly/7`` of a schedule, ``chat/7`` otherwise.
        number: Of all drills of the fleet; it orders injections.
        spec: As asked, with the region filled in.
        group_id: What the service's ownership is called; "" when every region serves.
        home: The owner at the start; None when every region serves.
        occurrence_ms: UTC instant of the schedule's occurrence; None when a person asked.
        injected_at_ms: Director time from which the recovery time counts; None before.
        renewal: How often the injection was renewed; 0 when nothing is injected.
        renewed_at_ms: Director time of that.
        baseline: The operational view before.
        guards: What the guards said at the start.
        run_ids: Runs that the drill caused: away, and back home.
        abort_cause: Why it is being, or was, cut short; "" otherwise.
        verdict: None until it ended.
        cause: Machine-readable: why it failed, was aborted or skipped; "" when it passed.
        measured_rto_ms: From the injection to clients being sent elsewhere; None: it did not move.
        loss_bound_ms: Bound on the writes lost by the move; None: unknown, or it did not move.
        phases: Parts of ``measured_rto_ms``.
        evidence: What the verdict on the region rested on.
        revision: Of the documents, at the start.
        state_diff: What was not as before at the end; empty when everything was.
        report_hash: SHA-256 of the report's content, set at the end.
        rto_budget_ms: What was expected, or the objective.
        rpo_budget_ms: The same for the loss; None: any.
        configuration: The service and its policy as declared at the start, as JSON.
    """

    drill_id: DrillId
    number: int
    spec: DrillSpec
    stage: DrillStage
    actor: str
    reason: str
    request_id: str = ""
    schedule_id: str = ""
    occurrence_ms: int | None = None
    group_id: GroupId = NO_GROUP
    home: RegionId | None = None
    started_at_ms: int = 0
    started_wall_ms: int = 0
    ended_at_ms: int = 0
    ended_wall_ms: int = 0
    stage_at_ms: int = 0
    injected_at_ms: int | None = None
    renewal: int = 0
    renewed_at_ms: int = 0
    baseline: tuple[ViewLine, ...] = ()
    guards: tuple[GuardAnswer, ...] = ()
    run_ids: tuple[RunId, ...] = ()
    timeline: tuple[DrillMoment, ...] = ()
    abort_cause: str = ""
    abort_note: str = ""
    verdict: DrillVerdict | None = None
    cause: str = ""
    measured_rto_ms: int | None = None
    loss_bound_ms: int | None = None
    phases: tuple[DrillPhase, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    revision: int = 0
    state_diff: tuple[str, ...] = ()
    report_hash: str = ""
    index: int = 0
    rto_budget_ms: int = 0
    rpo_budget_ms: int | None = None
    configuration: str = ""

    @property
    def is_active(self) -> bool:
        """Whether something is still to be done."""
        return self.stage is not DrillStage.ENDED

    @property
    def is_broken(self) -> bool:
        """Whether the scenario is in force."""
        return self.stage in (DrillStage.INJECTING, DrillStage.RECOVERED)
