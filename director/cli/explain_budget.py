"""`director explain budget`: where the RTO goes, phase by phase, and how much could be lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.example import example
from director.cli.options import connected, formatted
from director.cli.output import Form, Printed, message_dict
from director.cli.words import columns, seconds
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from director.cli.connection import Connection


@click.command("budget")
@click.argument("service")
@formatted(Form.TABLE, Form.WIDE, Form.JSON, Form.YAML)
@connected
@example("director explain budget chat")
def explain_budget(*, service: str, form: Form, connection: Connection) -> None:
    """Show where the recovery time of a service goes, and how much it could lose."""
    request = admin.ExplainBudgetRequest(service_id=service)
    answer = connection.call(methods.EXPLAIN_BUDGET, request)
    # The leader knows best how far the copies are behind.
    answer = connection.call_leader(methods.EXPLAIN_BUDGET, request, answer)

    def lines(form: Form) -> Iterator[str]:
        wide = form is Form.WIDE
        yield _recovery_title(answer)
        yield from _lines(answer.recovery, wide=wide)
        yield ""
        yield "on top, in a worse case"
        yield from _lines(answer.on_top, wide=wide)
        if answer.exposure:
            yield ""
            yield from _exposure_lines(answer, wide=wide)

    Printed("BudgetExplanation", message_dict(answer), [service], lines).echo(form)


def _recovery_title(answer: admin.ExplainBudgetResponse) -> str:
    left_ms = answer.rto_ms - answer.predicted_rto_ms
    spare = f"{seconds(left_ms)} to spare" if left_ms >= 0 else f"{seconds(-left_ms)} too long"
    measured = ""
    if answer.HasField("measured_rto_ms"):
        measured = f"; the last run took {seconds(answer.measured_rto_ms)}"
    return (
        f"{answer.service_id}  recovery {seconds(answer.predicted_rto_ms)} of an RTO of "
        f"{seconds(answer.rto_ms)}, {spare}{measured}"
    )


def _lines(budget: Iterable[admin.BudgetLine], *, wide: bool) -> list[str]:
    rows = []
    for line in budget:
        row = (line.phase, seconds(line.spent_ms), line.formula)
        rows.append((*row, line.source) if wide else row)
    header = ("PHASE", "TIME", "HOW", "FROM") if wide else ("PHASE", "TIME", "HOW")
    return [f"  {line}" for line in columns(header, rows)[0 if wide else 1 :]]


def _exposure_lines(answer: admin.ExplainBudgetResponse, *, wide: bool) -> Iterator[str]:
    if answer.HasField("rpo_ms"):
        yield f"loss, against an RPO of {seconds(answer.rpo_ms)}"
    else:
        yield "loss; no RPO is declared, so it is not bounded"
    yield from _lines(answer.exposure, wide=wide)
    for standby in answer.standbys:
        lag = seconds(standby.lag_ms) if standby.HasField("lag_ms") else "not known"
        bound = "unknown, hence infinite"
        if standby.HasField("loss_bound_ms"):
            bound = f"at most {seconds(standby.loss_bound_ms)}"
        yield f"  {standby.region_id}: lag {lag}; promoted now it would lose {bound}"
