"""A plan as a message, with what it makes worse named as risks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from director.api.documents import fault_to_proto
from director.config.compare import DocumentChange
from director.config.faults import Fault
from director.core.impact import BudgetChange, Impact, LossOutcome, RegionLoss, ServiceBudget
from director.core.impact_traffic import TrafficMoved
from director.core.state import State
from director.service.errors import RefusedError
from trafficdirector.admin.v1 import admin_pb2 as pb

REFUSED, WARNING = "refused", "warning"
# A plan of 2 000 services in 100 regions is to fit into a message. What is left out is counted.
FIELDS_SHOWN_MAX = 2_000
MOVES_SHOWN_MAX = 12
NAMES_SHOWN_MAX = 50
_NAMES_IN_TEXT_MAX = 8


@dataclass(frozen=True, slots=True)
class Planned:
    """What documents would do."""

    changes: tuple[DocumentChange, ...]
    impact: Impact
    warnings: tuple[Fault, ...]


def plan_to_proto(
    state: State, planned: Planned, refusal: RefusedError | None
) -> pb.PlanManifestResponse:
    """Return the plan; ``refusal`` is what a rule of the machine says against it."""
    found = planned.impact
    risks = [] if refusal is None else [_risk(REFUSED, refusal.reason, str(refusal))]
    return pb.PlanManifestResponse(
        revision=state.revision,
        etag=state.etag,
        changes=_changes_to_proto(planned.changes),
        traffic=map(_traffic_to_proto, found.traffic.moved),
        place_count=found.traffic.place_count,
        budgets=map(_budget_change_to_proto, found.budgets),
        losses=map(_loss_to_proto, found.losses),
        worst_before_region_id=found.worst_before or "",
        worst_after_region_id=found.worst_after or "",
        risks=[*risks, *_risks(found)],
        warnings=map(fault_to_proto, planned.warnings),
    )


def _risk(severity: str, reason: str, message: str) -> pb.PlanRisk:
    return pb.PlanRisk(severity=severity, reason=reason, message=message)


def _risks(found: Impact) -> Iterator[pb.PlanRisk]:
    """Name what the documents make worse, though no rule refuses it."""
    for change in found.budgets:
        was, now = change.before, change.after
        if now is None:
            continue
        if not now.is_rto_met and (was is None or was.is_rto_met):
            message = (
                f"{change.service_id}: predicted recovery of {now.predicted_rto_ms} ms exceeds "
                f"the RTO of {now.rto_ms} ms"
            )
            yield _risk(WARNING, "RTO_EXCEEDED", message)
        if not now.is_rpo_met and (was is None or was.is_rpo_met):
            message = (
                f"{change.service_id}: an owner out of sight may have {now.exposed_ms} ms of "
                f"writes alone; an RPO of {now.rpo_ms} ms refuses every automatic failover"
            )
            yield _risk(WARNING, "RPO_EXPOSED", message)
    for loss in found.losses:
        yield from _loss_risks(loss)


def _loss_risks(loss: RegionLoss) -> Iterator[pb.PlanRisk]:
    if loss.after is None:
        return
    known = () if loss.before is None else loss.before.lost
    new = [each for each in loss.after.lost if each not in known]
    if new:
        message = f"the loss of {loss.region_id} would leave no region for {_some(new)}"
        yield _risk(WARNING, "SINGLE_REGION", message)
    known_subjects = () if loss.before is None else loss.before.lost_subjects
    subjects = [
        f"{service_id} (subjects of {subject})"
        for service_id, subject in loss.after.lost_subjects
        if (service_id, subject) not in known_subjects
    ]
    if subjects:
        message = f"the loss of {loss.region_id} would leave no region for {_some(subjects)}"
        yield _risk(WARNING, "RESIDENCY", message)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_IN_TEXT_MAX
    shown = ", ".join(names[:_NAMES_IN_TEXT_MAX])
    return f"{shown} and {more} more" if more > 0 else shown


def _changes_to_proto(changes: tuple[DocumentChange, ...]) -> Iterator[pb.DocumentChange]:
    left = FIELDS_SHOWN_MAX
    for change in changes:
        shown = change.fields[:left]
        left -= len(shown)
        yield pb.DocumentChange(
            kind=change.kind,
            name=change.name,
            how=change.how,
            fields=[
                pb.FieldChange(path=each.path, before=each.before, after=each.after)
                for each in shown
            ],
            field_count=len(change.fields),
        )


def _traffic_to_proto(moved: TrafficMoved) -> pb.TrafficMoved:
    return pb.TrafficMoved(
        service_id=moved.service_id,
        subject_jurisdiction=moved.subject,
        moved_per_mille=moved.moved_per_mille,
        moves=[
            pb.RouteMove(
                source_region_id=each.source or "",
                target_region_id=each.target or "",
                share_per_mille=each.share_per_mille,
                refusal=each.refusal,
            )
            for each in moved.moves[:MOVES_SHOWN_MAX]
        ],
        move_count=len(moved.moves),
    )


def _budget_change_to_proto(change: BudgetChange) -> pb.BudgetChange:
    return pb.BudgetChange(
        service_id=change.service_id,
        before=_budget_to_proto(change.before),
        after=_budget_to_proto(change.after),
    )


def _budget_to_proto(budget: ServiceBudget | None) -> pb.ServiceBudget | None:
    if budget is None:
        return None
    return pb.ServiceBudget(
        rto_ms=budget.rto_ms,
        predicted_rto_ms=budget.predicted_rto_ms,
        rpo_ms=budget.rpo_ms,
        exposed_ms=budget.exposed_ms,
    )


def _loss_to_proto(loss: RegionLoss) -> pb.RegionLoss:
    return pb.RegionLoss(
        region_id=loss.region_id,
        before=_outcome_to_proto(loss.before),
        after=_outcome_to_proto(loss.after),
    )


def _outcome_to_proto(outcome: LossOutcome | None) -> pb.LossOutcome | None:
    if outcome is None:
        return None
    return pb.LossOutcome(
        lost_service_ids=outcome.lost[:NAMES_SHOWN_MAX],
        lost_subjects=[
            pb.SubjectLoss(service_id=service_id, subject_jurisdiction=subject)
            for service_id, subject in outcome.lost_subjects[:NAMES_SHOWN_MAX]
        ],
        moved_service_ids=outcome.moved[:NAMES_SHOWN_MAX],
        capacity_left_per_mille=outcome.capacity_left_per_mille,
        capacity_service_id=outcome.capacity_service or "",
        lost_service_count=len(outcome.lost),
        moved_service_count=len(outcome.moved),
        lost_subject_count=len(outcome.lost_subjects),
    )
