"""`director switchover`, `failover`, `failback`, `wait`, `cancel`: moving a service by hand."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.example import example
from director.cli.exits import CliError, ExitCode
from director.cli.options import (
    ChangeOptions,
    change_form,
    changing,
    confirm,
    connected,
    force_capacity,
    formatted,
    is_interactive,
)
from director.cli.output import Form, Printed, echo_change, message_dict, note
from director.cli.parameters import DURATION, bundled
from director.cli.run_view import PhasePrinter, has_ended, outcome
from director.cli.words import seconds
from director.core.reasons import Reason
from director.runtime.clock import boot_ms
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from director.cli.connection import Connection

# A leader lost during a failover is replaced in this time; beyond it nobody is there.
_SILENCE_MS_MAX = 10_000
_PAUSE_MS = 200


@dataclass(frozen=True, slots=True)
class Target:
    """Where to, and on what."""

    to: str
    expected_epoch: int


@dataclass(frozen=True, slots=True)
class PlannedTarget(Target):
    """The same of a planned move, which may be refused for want of room there."""

    is_forced: bool


@dataclass(frozen=True, slots=True)
class Following:
    """How far to follow the run that was started."""

    yes: bool
    detach: bool
    timeout_ms: int


_to_options = (
    click.option("--to", default="", metavar="REGION", help="Target; without it, the best one."),
    click.option(
        "--expected-epoch",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="Move only if the owner's epoch is N.",
    ),
)
_to_target = bundled("target", Target, *_to_options)
_to_planned_target = bundled("target", PlannedTarget, *_to_options, force_capacity)
_timeout = click.option(
    "--timeout",
    "timeout_ms",
    type=DURATION,
    default="2m",
    envvar="DIRECTOR_TIMEOUT",
    show_default=True,
    help="Stop following after this; the run goes on.",
)
_following = bundled(
    "following",
    Following,
    click.option("--yes", is_flag=True, help="Do not ask for confirmation."),
    click.option("--detach", is_flag=True, help="Print the run's name and do not follow it."),
    _timeout,
)
_run_form = formatted(Form.TABLE, Form.JSON, Form.YAML, Form.NAME)


@click.command()
@click.argument("service")
@_to_planned_target
@changing(is_reason_required=True)
@_following
@_run_form
@connected
@example('director switchover chat --to eu-north1 --reason "rack work" --yes')
def switchover(
    *,
    service: str,
    target: PlannedTarget,
    change: ChangeOptions,
    following: Following,
    form: Form,
    connection: Connection,
) -> None:
    """Move a service while both regions are healthy; nothing is lost."""
    _planned(service, target, change, following, (form, connection), failback=False)


@click.command()
@click.argument("service")
@_to_planned_target
@changing(is_reason_required=True)
@_following
@_run_form
@connected
@example('director failback chat --to eu-west1 --reason "power is back" --yes')
def failback(
    *,
    service: str,
    target: PlannedTarget,
    change: ChangeOptions,
    following: Following,
    form: Form,
    connection: Connection,
) -> None:
    """Move a service back to its home region; nothing is lost."""
    _planned(service, target, change, following, (form, connection), failback=True)


def _planned(
    service: str,
    target: PlannedTarget,
    change: ChangeOptions,
    following: Following,
    answering: tuple[Form, Connection],
    *,
    failback: bool,
) -> None:
    form, connection = answering
    request = admin.StartSwitchoverRequest(
        service_id=service,
        target_region_id=target.to,
        expected_epoch=target.expected_epoch,
        change=change.message(),
        failback=failback,
        force_capacity=target.is_forced,
    )
    if not change.dry_run:
        verb = "Fail back" if failback else "Switch over"
        where = target.to or "the best region"
        confirm(f"{verb} {service} to {where}?", is_agreed=following.yes)
    answer = connection.call(methods.START_SWITCHOVER, request)
    if change.dry_run:
        _told(form, service, target, answer.message)
        return
    _followed(connection, answer.failover_id, following, form)


@click.command()
@click.argument("service")
@_to_target
@click.option(
    "--accept-data-loss",
    "accepted_ms",
    type=DURATION,
    metavar="DURATION",
    help="Span of writes given up, such as 5s. Needed beyond the RPO.",
)
@changing(is_reason_required=True)
@_following
@_run_form
@connected
@example('director failover chat --to eu-north1 --reason "eu power event" --yes')
def failover(  # noqa: PLR0913 - one argument per group of options
    *,
    service: str,
    target: Target,
    accepted_ms: int | None,
    change: ChangeOptions,
    following: Following,
    form: Form,
    connection: Connection,
) -> None:
    """Move a service whose owner is gone or not wanted."""
    request = admin.StartFailoverRequest(
        service_id=service,
        target_region_id=target.to,
        expected_epoch=target.expected_epoch,
        accept_data_loss_ms=accepted_ms,
        change=change.message(),
    )
    if not change.dry_run:
        _agree_to_failover(connection, request, change, is_agreed=following.yes)
    answer = connection.call(methods.START_FAILOVER, request)
    if change.dry_run:
        _told(form, service, target, answer.message)
        return
    _followed(connection, answer.failover_id, following, form)


def _told(form: Form, service: str, target: Target, message: str) -> None:
    """Print what a dry run found."""
    line = f"dry run: {message or 'this request was carried out before'}"
    value = {
        "service_id": service,
        "target_region_id": target.to,
        "dry_run": True,
        "message": message,
    }
    echo_change(form, "Failover", value, line)


def _agree_to_failover(
    connection: Connection,
    request: admin.StartFailoverRequest,
    change: ChangeOptions,
    *,
    is_agreed: bool,
) -> None:
    """Ask what must be asked; a loss that the person accepts by name goes into ``request``."""
    if not is_interactive():
        confirm("", is_agreed=is_agreed)
        return
    asked = admin.StartFailoverRequest()
    asked.CopyFrom(request)
    asked.change.CopyFrom(change.message(validate_only=True))
    try:
        answer = connection.call(methods.START_FAILOVER, asked)
    except CliError as refused:
        loss = refused.metadata.get("lossBoundMs", "")
        is_loss = refused.reason == Reason.RPO_EXCEEDED and loss.isdigit()
        if not is_loss or request.HasField("accept_data_loss_ms"):
            raise
        note(refused.message)
        note(f"To give up as much as {seconds(int(loss))} of writes, type the service's name")
        typed = click.prompt("service", default="", show_default=False, err=True)
        if typed != request.service_id:
            raise CliError("nothing was changed", ExitCode.NO) from refused
        request.accept_data_loss_ms = int(loss)
        return
    if answer.message:
        note(answer.message)
    where = request.target_region_id or "the best region"
    confirm(f"Fail over {request.service_id} to {where}?", is_agreed=is_agreed)


@click.command()
@click.argument("service")
@click.option(
    "--expected-epoch",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Approve only if it was proposed at epoch N.",
)
@click.option(
    "--proposal",
    default="",
    metavar="NAME",
    help="Approve only this proposal; without it, the newest.",
)
@changing(is_reason_required=True)
@_following
@_run_form
@connected
@example('director approve chat --reason "eu-west1 has no power" --yes')
def approve(  # noqa: PLR0913 - one argument per group of options
    *,
    service: str,
    expected_epoch: int,
    proposal: str,
    change: ChangeOptions,
    following: Following,
    form: Form,
    connection: Connection,
) -> None:
    """Make exactly the move that the director proposes for a service, as your own."""
    request = admin.ApproveFailoverRequest(
        service_id=service, expected_epoch=expected_epoch, intent_id=proposal
    )
    if not change.dry_run:
        if is_interactive() and not following.yes:
            # What is approved is what was shown, although another may be proposed meanwhile.
            request.intent_id = proposal or _newest_proposal(connection, service)
            request.change.CopyFrom(change.message(validate_only=True))
            note(connection.call(methods.APPROVE_FAILOVER, request).message)
        confirm(f"Make this move of {service}?", is_agreed=following.yes)
    request.change.CopyFrom(change.message())
    answer = connection.call(methods.APPROVE_FAILOVER, request)
    if change.dry_run:
        _told(form, service, Target("", expected_epoch), answer.message)
        return
    _followed(connection, answer.failover_id, following, form)


def _newest_proposal(connection: Connection, service: str) -> str:
    asked = admin.ListIntentsRequest(service_id=service, limit=1)
    found = connection.call(methods.LIST_INTENTS, asked).intents
    return found[0].intent_id if found else ""


@click.command()
@click.argument("name")
@_timeout
@_run_form
@connected
@example("director wait chat/7 --timeout 5m")
def wait(*, name: str, timeout_ms: int, form: Form, connection: Connection) -> None:
    """Follow a failover, switchover or failback until it ends."""
    _followed(connection, name, Following(yes=True, detach=False, timeout_ms=timeout_ms), form)


@click.command()
@click.argument("name")
@changing(is_reason_required=False)
@change_form
@connected
@example('director cancel chat/7 --reason "false alarm"')
def cancel(*, name: str, change: ChangeOptions, form: Form, connection: Connection) -> None:
    """Abort a run that has not granted a new owner yet."""
    request = admin.CancelFailoverRequest(failover_id=name, change=change.message())
    connection.call(methods.CANCEL_FAILOVER, request)
    line = f"dry run: {name} would be cancelled" if change.dry_run else f"{name} cancelled"
    value = {"failover_id": name, "dry_run": change.dry_run}
    echo_change(form, "Cancellation", value, line)


def _followed(connection: Connection, name: str, following: Following, form: Form) -> None:
    """Follow the run, print how it ended, and exit accordingly."""
    if following.detach:
        _named(form, name)
        return
    try:
        run = follow(connection, name, timeout_ms=following.timeout_ms)
    except KeyboardInterrupt:
        note(f"interrupted; {name} goes on: `director wait {name}`, `director cancel {name}`")
        raise click.Abort from None
    if run is None:
        _named(form, name)
        message = f"{name} still runs after {seconds(following.timeout_ms)}"
        raise CliError(message, ExitCode.TIMED_OUT, hint=f"follow it with `director wait {name}`")
    line, code = outcome(run)
    Printed("Failover", message_dict(run), [name], lambda _: [line]).echo(form)
    click.get_current_context().exit(int(code))


def _named(form: Form, name: str) -> None:
    """Print the name of a run that goes on."""
    Printed("Failover", {"failover_id": name}, [name], lambda _: [name]).echo(form)


def follow(connection: Connection, name: str, *, timeout_ms: int) -> admin.Failover | None:
    """Print the phases of ``name`` on stderr until it ends; return it, or None at the timeout.

    Raises:
        CliError: There is no such run, or no director has answered for ten seconds.
    """
    give_up_at_ms = boot_ms() + timeout_ms
    heard_at_ms = boot_ms()
    printer = PhasePrinter()
    request = admin.WatchFailoverRequest(failover_id=name)
    while boot_ms() < give_up_at_ms:
        try:
            for answer in connection.stream(
                methods.WATCH_FAILOVER, request, give_up_at_ms=give_up_at_ms
            ):
                heard_at_ms = boot_ms()
                printer.show(answer.failover)
                if has_ended(answer.failover):
                    return answer.failover
        except CliError as error:
            is_silence = error.code is ExitCode.UNREACHABLE
            if boot_ms() >= give_up_at_ms:
                return None
            if not is_silence or boot_ms() - heard_at_ms > min(_SILENCE_MS_MAX, timeout_ms):
                if is_silence and not error.hint:
                    error.hint = f"{name} may go on; follow it with `director wait {name}`"
                raise
        # The stream broke, as when the director that served it was stopped.
        time.sleep(_PAUSE_MS / 1_000)
    return None
