"""`director explain failover`: what would happen if the owner were lost now, region by region."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.example import example
from director.cli.options import connected, formatted
from director.cli.output import Form, Printed, message_dict
from director.cli.run_view import describe_run
from director.cli.words import ABSENT, columns, seconds
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.cli.connection import Connection

_ACTIVE_ACTIVE = "ActiveActive"


@click.command("failover")
@click.argument("service")
@formatted(Form.TABLE, Form.JSON, Form.YAML, Form.NAME)
@connected
@example("director explain failover chat")
def explain_failover(*, service: str, form: Form, connection: Connection) -> None:
    """Show who would take over if the owner were lost now, and why nobody else."""
    request = admin.ExplainFailoverRequest(service_id=service)
    answer = connection.call(methods.EXPLAIN_FAILOVER, request)
    if not answer.is_leader:
        answer = connection.call_leader(methods.EXPLAIN_FAILOVER, request, answer)
    names = [each.region_id for each in answer.candidates if each.chosen]
    Printed("FailoverExplanation", message_dict(answer), names, lambda _: _lines(answer)).echo(form)


def _lines(answer: admin.ExplainFailoverResponse) -> Iterator[str]:
    if answer.mode == _ACTIVE_ACTIVE:
        yield f"{answer.service_id} is active-active: every region serves, so nothing fails over"
        return
    yield f"if {answer.owner_region_id or 'the owner'} were lost now"
    yield from (f"  {line}" for line in columns(_HEADER, map(_row, answer.candidates))[1:])
    yield _outcome(answer)
    yield _automation(answer)
    rpo = seconds(answer.rpo_ms) if answer.HasField("rpo_ms") else ABSENT
    yield (
        f"predicted {seconds(answer.predicted_rto_ms)} of RTO {seconds(answer.rto_ms)}; RPO {rpo}"
    )
    if not answer.is_leader:
        yield f"said by {answer.replica_id}, which does not lead: leases are not known there"
    if answer.HasField("last_run"):
        yield ""
        yield "last run"
        yield from (f"  {line}" for line in describe_run(answer.last_run))


_HEADER = ("REGION", "OUTCOME", "WHY")


def _row(candidate: admin.FailoverCandidate) -> tuple[str, str, str]:
    outcome = "refused" if candidate.ineligibility else "eligible"
    lag = f"lag {seconds(candidate.lag_ms)}" if candidate.HasField("lag_ms") else ""
    code = f"[{candidate.ineligibility}]" if candidate.ineligibility else ""
    why = ", ".join(filter(None, (candidate.text, lag)))
    return candidate.region_id, "chosen" if candidate.chosen else outcome, f"{why} {code}".rstrip()


def _outcome(answer: admin.ExplainFailoverResponse) -> str:
    if not answer.owner_region_id:
        return "nobody owns it yet, so nothing can be lost"
    chosen = next((each.region_id for each in answer.candidates if each.chosen), "")
    return f"it would move to {chosen}" if chosen else "no region may take it over"


def _automation(answer: admin.ExplainFailoverResponse) -> str:
    note = f": {answer.automation_note}" if answer.automation_note else ""
    line = f"automation {answer.automation}{note}"
    if answer.held_reason:
        return f"{line}; held back now: {answer.held_message} [{answer.held_reason}]"
    return line
