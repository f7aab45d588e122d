"""`director get intents`: the moves that the director left to people, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.automation import clock
from director.cli.example import example
from director.cli.options import connected, formatted
from director.cli.output import Form, Printed, message_dict
from director.cli.words import columns, seconds
from director.runtime.durations import format_ms
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.cli.connection import Connection

_HEADER = ("NAME", "KIND", "FROM", "TO", "MODE", "STATE", "COULD LOSE", "PROPOSED")


@click.command("intents")
@click.option("--service", default="", metavar="NAME", help="Only of this service.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Newest.")
@formatted()
@connected
@example("director get intents --service chat")
def get_intents(*, service: str, limit: int, form: Form, connection: Connection) -> None:
    """List the moves that the director would have made and left to people, newest first."""
    request = admin.ListIntentsRequest(service_id=service, limit=limit)
    found = connection.call(methods.LIST_INTENTS, request).intents

    def lines(form: Form) -> Iterator[str]:
        yield from columns(_HEADER, map(_row, found))
        if form is Form.WIDE:
            for each in found:
                yield ""
                yield from intent_lines(each)

    value = {"items": [message_dict(each) for each in found]}
    Printed("IntentList", value, [each.intent_id for each in found], lines).echo(form)


def _row(intent: admin.Intent) -> tuple[str, ...]:
    return (
        intent.intent_id,
        intent.kind,
        intent.source_region_id,
        intent.target_region_id,
        intent.mode.lower(),
        intent.state,
        seconds(intent.loss_bound_ms if intent.HasField("loss_bound_ms") else None),
        clock(intent.opened_wall_ms),
    )


def intent_lines(intent: admin.Intent) -> Iterator[str]:
    """Yield all about one proposal."""
    yield f"{intent.intent_id}  {remark(intent)}"
    yield f"  why       {intent.reason}"
    yield f"  left to a person because {intent.limit}"
    for each in intent.evidence:
        yield f"  evidence  {each.vantage} {each.finding}, {each.age_ms} ms old"
    if intent.outcome:
        yield f"  outcome   {intent.outcome}"
    if intent.failover_id:
        yield f"  run       {intent.failover_id}"


def remark(intent: admin.Intent) -> str:
    """Return what a proposal says, and what to do about it, in one line."""
    loss = seconds(intent.loss_bound_ms if intent.HasField("loss_bound_ms") else None)
    lost = "at an unknown loss" if loss == "-" else f"losing at most {loss}"
    move = f"{intent.kind} from {intent.source_region_id} to {intent.target_region_id}, {lost}"
    if intent.mode == "Observe":
        return f"would have begun a {move}"
    if intent.HasField("approvable_for_ms"):
        left = format_ms(intent.approvable_for_ms)
        return f"proposes a {move}: `director approve {intent.service_id}` within {left}"
    return f"proposed a {move}; {intent.state}"


def override_remark(site: admin.SiteStatus) -> str:
    """Return what an operator holds a region to be, how long and why; "" without an override."""
    if not site.override:
        return ""
    term = site.override_term
    left = ""
    if site.HasField("override_term"):
        left = f" for {format_ms(term.left_ms)}" if term.left_ms else " past its end (still needed)"
    by = f" by {term.actor}: {term.reason}" if term.actor else ""
    return f"override {site.override}{left}{by}"


def automation_remarks(service: admin.ServiceStatus) -> Iterator[str]:
    """Yield what keeps the director from acting on a service, and what waits for a person."""
    name = service.service_id
    if service.HasField("pause"):
        pause = service.pause
        whose = "" if pause.service_id else " with the whole fleet"
        until = clock(pause.until_wall_ms)
        yield f"{name}: automation is paused{whose} until {until} by {pause.actor}: {pause.reason}"
    for site in service.sites:
        if site.override:
            yield f"{name}: {site.region_id} has {override_remark(site)}"
    if service.HasField("intent"):
        yield f"{name}: the director {remark(service.intent)}"
    if service.lossy_run_id:
        run_id = service.lossy_run_id
        yield f"{name}: {run_id} may have lost writes; looked at it? `director acknowledge {name}`"
    if service.automation_note:
        yield f"{name}: {service.automation_note}"
