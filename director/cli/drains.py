"""`director drain`, `undrain`, `override`: an operator's word on a region, above every verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.example import example
from director.cli.options import ChangeOptions, change_form, changing, connected
from director.cli.output import Form, echo_change
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from director.cli.connection import Connection

_OVERRIDE_BY_WORD = {"up": "FORCE_UP", "down": "FORCE_DOWN", "clear": ""}


@click.command()
@click.argument("region")
@changing(is_reason_required=True)
@change_form
@connected
@example('director drain eu-west1 --reason "rack work"')
def drain(*, region: str, change: ChangeOptions, form: Form, connection: Connection) -> None:
    """Take new work off a region; services whose home it is are moved, losing nothing."""
    _set_drained(region, change, (form, connection), drained=True)


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
    region: str, change: ChangeOptions, answering: tuple[Form, Connection], *, drained: bool
) -> None:
    form, connection = answering
    request = admin.SetRegionDrainRequest(
        region_id=region, drained=drained, change=change.message()
    )
    answer = connection.call(methods.SET_REGION_DRAIN, request)
    word = "drained" if drained else "in service again"
    line = f"{region} is {word} (index {answer.index})"
    if not answer.index:
        line = f"{region} is {word.removesuffix(' again')} already; nothing was written"
    if change.dry_run:
        line = f"dry run: {region} would be {word}"
    value = {"region_id": region, "drained": drained, "index": answer.index}
    echo_change(form, "RegionDrain", {**value, "dry_run": change.dry_run}, line)


@click.command()
@click.argument("service")
@click.argument("region")
@click.argument("verdict", type=click.Choice(list(_OVERRIDE_BY_WORD)))
@changing(is_reason_required=True)
@change_form
@connected
@example('director override chat eu-west1 down --reason "corrupts replies"')
def override(
    *,
    service: str,
    region: str,
    verdict: str,
    change: ChangeOptions,
    form: Form,
    connection: Connection,
) -> None:
    """Set or clear an operator's verdict on one region of one service."""
    request = admin.SetOverrideRequest(
        service_id=service,
        region_id=region,
        override=_OVERRIDE_BY_WORD[verdict],
        change=change.message(),
    )
    answer = connection.call(methods.SET_OVERRIDE, request)
    what = "left to the evidence" if verdict == "clear" else f"held {verdict} by hand"
    line = f"{service} in {region} is {what} (index {answer.index})"
    if change.dry_run:
        line = f"dry run: {service} in {region} would be {what}"
    value = {
        "service_id": service,
        "region_id": region,
        "override": request.override,
        "index": answer.index,
        "dry_run": change.dry_run,
    }
    echo_change(form, "Override", value, line)
