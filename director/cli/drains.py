"""`director drain`, `undrain`, `override`: an operator's word on a region, above every verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.automation import clock, term
from director.cli.example import example
from director.cli.options import (
    ChangeOptions,
    change_form,
    changing,
    connected,
    force_capacity,
)
from director.cli.output import Form, echo_change
from director.cli.parameters import DURATION
from director.runtime.durations import format_ms
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from director.cli.connection import Connection

_OVERRIDE_BY_WORD = {"force-up": "FORCE_UP", "force-down": "FORCE_DOWN", "clear": ""}


@click.command()
@click.argument("region")
@force_capacity
@changing(is_reason_required=True)
@change_form
@connected
@example('director drain eu-west1 --reason "rack work"')
def drain(
    *, region: str, is_forced: bool, change: ChangeOptions, form: Form, connection: Connection
) -> None:
    """Take new work off a region; services whose home it is are moved, losing nothing."""
    _set_drained(region, change, (form, connection), drained=True, is_forced=is_forced)


@click.command()
@click.argument("region")
@changing(is_reason_required=False)
@change_form
@connected
@example('director undrain eu-west1 --reason "rack work done"')
def undrain(*, region: str, change: ChangeOptions, form: Form, connection: Connection) -> None:
    """Give a drained region work again. Services do not move back by themselves."""
    _set_drained(region, change, (form, connection), drained=False)


def _set_drained(
    region: str,
    change: ChangeOptions,
    answering: tuple[Form, Connection],
    *,
    drained: bool,
    is_forced: bool = False,
) -> None:
    form, connection = answering
    request = admin.SetRegionDrainRequest(
        region_id=region, drained=drained, change=change.message(), force_capacity=is_forced
    )
    answer = connection.call(methods.SET_REGION_DRAIN, request)
    word = "drained" if drained else "in service again"
    line = f"{region} is {word} (index {answer.index})"
    if not answer.index:
        line = f"{region} is {word.removesuffix(' again')} already; nothing was written"
    if change.dry_run:
        line = f"dry run: {answer.message or f'{region} would be {word}'}"
    value = {"region_id": region, "drained": drained, "index": answer.index}
    value["message"] = answer.message
    echo_change(form, "RegionDrain", {**value, "dry_run": change.dry_run}, line)


@click.command()
@click.argument("service")
@click.argument("region")
@click.option(
    "--verdict",
    type=click.Choice(list(_OVERRIDE_BY_WORD)),
    required=True,
    help="What it is held to be; clear leaves it to the evidence.",
)
@click.option(
    "--for",
    "for_ms",
    type=DURATION,
    callback=term,
    help="How long, at most 7d; then it is left to the evidence. Needed unless it clears.",
)
@changing(is_reason_required=True)
@change_form
@connected
@example(
    'director override chat eu-west1 --verdict force-down --for 1h --reason "corrupts replies"'
)
def override(  # noqa: PLR0913 - one argument per option
    *,
    service: str,
    region: str,
    verdict: str,
    for_ms: int | None,
    change: ChangeOptions,
    form: Form,
    connection: Connection,
) -> None:
    """Set or clear an operator's verdict on one region of one service; it ends by itself."""
    if verdict != "clear" and for_ms is None:
        raise click.UsageError("an override needs an end; give --for, such as --for 1h")
    request = admin.SetOverrideRequest(
        service_id=service,
        region_id=region,
        override=_OVERRIDE_BY_WORD[verdict],
        for_ms=0 if verdict == "clear" else for_ms,
        change=change.message(),
    )
    answer = connection.call(methods.SET_OVERRIDE, request)
    what = "left to the evidence"
    if verdict != "clear":
        what = f"held {verdict.removeprefix('force-')} by hand for {format_ms(request.for_ms)}"
    until = f", until {clock(answer.until_wall_ms)}" if answer.until_wall_ms else ""
    line = f"{service} in {region} is {what}{until} (index {answer.index})"
    if change.dry_run:
        line = f"dry run: {service} in {region} would be {what}"
    value = {
        "service_id": service,
        "region_id": region,
        "override": request.override,
        "for_ms": request.for_ms,
        "until_wall_ms": answer.until_wall_ms,
        "index": answer.index,
        "dry_run": change.dry_run,
    }
    echo_change(form, "Override", value, line)
