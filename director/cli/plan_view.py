"""A plan as people read it: what changes, who moves, what the budgets and a loss would become."""

from __future__ import annotations

from typing import TYPE_CHECKING

from director.cli.words import ABSENT, columns, plural, seconds
from director.config.compare import FieldChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trafficdirector.admin.v1 import admin_pb2 as admin

_SIGN_BY_HOW = {"added": "+", "removed": "-", "changed": "~"}
_MOVES_SHOWN_MAX = 6
_NAMES_SHOWN_MAX = 6


def change_lines(changes: Iterable[admin.DocumentChange]) -> Iterator[str]:
    """Yield one line for each document that differs, and one for each value in it."""
    for change in changes:
        yield f"{_SIGN_BY_HOW.get(change.how, '~')} {change.kind} {change.name}"
        for field in change.fields:
            yield f"    {FieldChange(field.path, field.before, field.after)}"
        if change.field_count > len(change.fields):
            yield f"    and {change.field_count - len(change.fields)} more"


def plan_lines(plan: admin.PlanManifestResponse) -> Iterator[str]:
    """Yield the whole plan."""
    if not plan.changes:
        yield f"no changes: revision {plan.revision} says the same"
    else:
        counts = [f"{sum(each.how == how for each in plan.changes)} {how}" for how in _SIGN_BY_HOW]
        yield f"changes to revision {plan.revision}: {', '.join(counts)}"
        yield from change_lines(plan.changes)
        for title, lines in (
            ("traffic", _traffic_lines(plan)),
            ("budgets", _budget_lines(plan.budgets)),
            ("loss of a region", _loss_lines(plan)),
        ):
            yield ""
            yield title
            yield from (f"  {line}" for line in lines)
    if plan.risks:
        yield ""
        yield "risk"
        yield from (f"  {each.severity}  {each.reason}: {each.message}" for each in plan.risks)


def _percent(per_mille: int) -> str:
    whole, tenth = divmod(per_mille, 10)
    return f"{whole}.{tenth} %" if tenth else f"{whole} %"


def _traffic_lines(plan: admin.PlanManifestResponse) -> Iterator[str]:
    if not plan.traffic:
        yield "nobody is routed elsewhere"
        return
    for moved in plan.traffic:
        subject = f" (subjects of {moved.subject_jurisdiction})" * bool(moved.subject_jurisdiction)
        yield f"{moved.service_id}{subject}: {_percent(moved.moved_per_mille)} of clients"
        for move in moved.moves[:_MOVES_SHOWN_MAX]:
            source = move.source_region_id or "nowhere"
            target = move.target_region_id or f"refused ({move.refusal})"
            yield f"  {source} -> {target}  {_percent(move.share_per_mille)}"
        more = moved.move_count - len(moved.moves[:_MOVES_SHOWN_MAX])
        if more > 0:
            yield f"  and {more} more"
    yield f"by {plural(plan.place_count, 'place')} that stand for the cities of the world"


_BUDGET_HEADER = ("SERVICE", "PREDICTED / RTO", "", "EXPOSED / RPO", "")


def _budget_lines(budgets: Sequence[admin.BudgetChange]) -> list[str]:
    changed = [each for each in budgets if each.before != each.after]
    if not changed:
        return [f"unchanged for {plural(len(budgets), 'service')}"]
    return columns(_BUDGET_HEADER, map(_budget_row, changed))


def _budget_row(change: admin.BudgetChange) -> tuple[str, ...]:
    was = change.before if change.HasField("before") else None
    now = change.after if change.HasField("after") else None
    return (
        change.service_id,
        _recovery(was),
        f"-> {_recovery(now)}",
        _exposure(was),
        f"-> {_exposure(now)}",
    )


def _recovery(budget: admin.ServiceBudget | None) -> str:
    if budget is None:
        return "none"
    missed = "!" * (budget.predicted_rto_ms > budget.rto_ms)
    return f"{seconds(budget.predicted_rto_ms)} / {seconds(budget.rto_ms)}{missed}"


def _exposure(budget: admin.ServiceBudget | None) -> str:
    if budget is None:
        return "none"
    if not budget.HasField("exposed_ms"):
        return ABSENT
    objective = seconds(budget.rpo_ms) if budget.HasField("rpo_ms") else ABSENT
    missed = "!" * (budget.HasField("rpo_ms") and budget.exposed_ms >= budget.rpo_ms)
    return f"{seconds(budget.exposed_ms)} / {objective}{missed}"


def _loss_lines(plan: admin.PlanManifestResponse) -> Iterator[str]:
    by_region = {each.region_id: each for each in plan.losses}
    for title, region_id, side in (
        ("worst now ", plan.worst_before_region_id, "before"),
        ("worst then", plan.worst_after_region_id, "after"),
    ):
        loss = by_region.get(region_id)
        if loss is None:
            yield f"{title}  no regions"
            continue
        outcome = loss.before if side == "before" else loss.after
        yield f"{title}  {region_id}: {_outcome(outcome)}"


def _outcome(outcome: admin.LossOutcome) -> str:
    parts = []
    if outcome.lost_service_ids:
        names = _some(outcome.lost_service_ids, outcome.lost_service_count)
        parts.append(f"nothing left for {names}")
    subjects = [
        f"{each.service_id} (subjects of {each.subject_jurisdiction})"
        for each in outcome.lost_subjects
    ]
    if subjects:
        parts.append(f"nothing left for {_some(subjects, outcome.lost_subject_count)}")
    if outcome.moved_service_ids:
        names = _some(outcome.moved_service_ids, outcome.moved_service_count)
        parts.append(f"{names} would fail over")
    if outcome.HasField("capacity_left_per_mille"):
        share = _percent(outcome.capacity_left_per_mille)
        parts.append(f"{outcome.capacity_service_id} keeps {share} of its capacity")
    return "; ".join(parts) or "every service goes on"


def _some(names: Sequence[str], count: int) -> str:
    more = count - len(names[:_NAMES_SHOWN_MAX])
    shown = ", ".join(names[:_NAMES_SHOWN_MAX])
    return f"{shown} and {more} more" if more > 0 else shown
