"""`director pause`, `resume`, `acknowledge`: how far the director acts by itself, for a while."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.example import example
from director.cli.options import ChangeOptions, change_form, changing, connected
from director.cli.output import Form, echo_change
from director.cli.parameters import DURATION
from director.runtime.durations import format_ms
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from director.cli.connection import Connection

_MS_PER_S = 1_000
# What a request can carry; what the director allows is far less, and it says so.
_TERM_MS_MAX = (1 << 32) - 1


def term(ctx: click.Context, param: click.Parameter, value: int | None) -> int | None:
    """Return a duration that a request can carry, or refuse it; for options such as ``--for``."""
    if value is not None and not 0 < value <= _TERM_MS_MAX:
        message = f"{format_ms(value)} is not possible; give an end that is hours or days away"
        raise click.BadParameter(message, ctx, param)
    return value


def clock(wall_ms: int) -> str:
    """Return a wall clock as people read it, in UTC; "an unknown time" for 0."""
    if not wall_ms:
        return "an unknown time"
    return datetime.fromtimestamp(wall_ms / _MS_PER_S, tz=UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@click.command()
@click.argument("service", required=False, default="")
@click.option(
    "--for",
    "for_ms",
    type=DURATION,
    required=True,
    callback=term,
    help="How long, at most 24h; it ends by itself.",
)
@changing(is_reason_required=True)
@change_form
@connected
@example('director pause chat --for 30m --reason "network work"')
def pause(
    *, service: str, for_ms: int, change: ChangeOptions, form: Form, connection: Connection
) -> None:
    """Have the director start no move of a service, or of any, by itself for a while."""
    request = admin.SetAutomationRequest(service_id=service, action="pause", for_ms=for_ms)
    whose = _whose(service)
    done = f"automation of {whose} is paused for {format_ms(for_ms)}"
    _set(request, change, (form, connection), done, f"{whose} would be paused")


@click.command()
@click.argument("service", required=False, default="")
@changing(is_reason_required=False)
@change_form
@connected
@example("director resume chat")
def resume(*, service: str, change: ChangeOptions, form: Form, connection: Connection) -> None:
    """End a pause: of a service, or of the whole fleet."""
    request = admin.SetAutomationRequest(service_id=service, action="resume")
    whose = _whose(service)
    _set(
        request,
        change,
        (form, connection),
        f"the pause of {whose} has ended",
        f"the pause of {whose} would end",
    )


@click.command()
@click.argument("service", required=False, default="")
@changing(is_reason_required=True)
@change_form
@connected
@example('director acknowledge chat --reason "looked at chat/7, nothing is missing"')
def acknowledge(*, service: str, change: ChangeOptions, form: Form, connection: Connection) -> None:
    """Let what the director did rest: ends cooldown and damping, allows failback after a loss."""
    request = admin.SetAutomationRequest(service_id=service, action="acknowledge")
    whose = _whose(service)
    _set(
        request,
        change,
        (form, connection),
        f"moves of {whose} are acknowledged",
        f"moves of {whose} would be acknowledged",
    )


def _whose(service: str) -> str:
    return service or "the fleet"


def _set(
    request: admin.SetAutomationRequest,
    change: ChangeOptions,
    answering: tuple[Form, Connection],
    done: str,
    would: str,
) -> None:
    form, connection = answering
    request.change.CopyFrom(change.message())
    answer = connection.call(methods.SET_AUTOMATION, request)
    line = f"{done} (index {answer.index})"
    if answer.until_wall_ms:
        line = f"{done}, until {clock(answer.until_wall_ms)} (index {answer.index})"
    if not answer.index:
        line = f"{answer.message or done}; nothing was written"
    if change.dry_run:
        line = f"dry run: {would}"
    value = {
        "service_id": request.service_id,
        "action": request.action,
        "index": answer.index,
        "until_wall_ms": answer.until_wall_ms,
        "message": answer.message,
        "dry_run": change.dry_run,
    }
    echo_change(form, "Automation", value, line)
