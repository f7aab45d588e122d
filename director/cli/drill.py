"""`director drill`: have the directors rehearse the loss of a region, and measure."""

from __future__ import annotations

import re
import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from director.cli import methods
from director.cli.drill_files import FOLDER, fetched, mismatch, read, written
from director.cli.drill_view import (
    ENDED,
    DrillPrinter,
    exit_code,
    plan_lines,
    verdict_line,
)
from director.cli.example import example
from director.cli.exits import CliError, ExitCode
from director.cli.get_drills import printed_drills
from director.cli.options import ChangeOptions, change_form, changing, connected, formatted
from director.cli.output import Form, Printed, echo_change, message_dict, note
from director.cli.parameters import DURATION, bundled
from director.cli.words import seconds
from director.core.reasons import Reason
from director.runtime.clock import boot_ms
from trafficdirector.drill.v1 import drill_pb2 as pb

if TYPE_CHECKING:
    from director.cli.connection import Connection

# A leader lost during a drill is replaced in this time; beyond it nobody is there.
_SILENCE_MS_MAX = 15_000
_PAUSE_MS = 200
# How often to look whether something began that nobody waited for; it is written within a second.
_LOOKS = 8
# What putting everything back may take at the most, and a margin.
_RESTORE_MS_MAX = 300_000
_SHARE = re.compile(r"(?P<whole>\d{1,3})(\.(?P<tenth>\d))?\s*%")
_SHARE_MAX = 1_000
_HOW = {
    "blackhole": "Blackhole",
    "agent-kill": "AgentKill",
    "error-rate": "ErrorRate",
    "latency": "Latency",
    "switchover": "Switchover",
}

_RUN_EXITS = """\
Exits 0 when it passed, 1 when something was not put back, 3 when a guard refused, 4 when no
director answers, 5 when it still runs, 6 when a budget was missed, 8 when a guard or a person cut
it short, 130 on Ctrl-C: the drill is aborted then, and everything put back. If this command is
killed, the directors go on with the drill and put everything back at its end."""


class ShareType(click.ParamType[int]):
    """``30%``; per mille inside."""

    name = "percentage"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - whatever click passes
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """Return per mille, or fail saying what is right."""
        if isinstance(value, int):
            return value
        matched = _SHARE.fullmatch(str(value).strip())
        share = 0
        if matched is not None:
            share = int(matched["whole"]) * 10 + int(matched["tenth"] or 0)
        if not 0 < share <= _SHARE_MAX:
            self.fail(f"{value!r} is no share; write one from 0.1% to 100%", param, ctx)
        return share


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be rehearsed; None and "" leave it to the schedule, or to the director."""

    lose: str
    how: str | None
    share: int | None
    delay_ms: int | None
    for_ms: int | None
    expect_rto_ms: int | None
    expect_rpo_ms: int | None

    def rehearsal(self, name: str) -> pb.Rehearsal:
        """Return it for the wire."""
        return pb.Rehearsal(
            name=name,
            region_id=self.lose,
            how=_HOW.get(self.how or "", ""),
            share_per_mille=self.share or 0,
            delay_ms=self.delay_ms or 0,
            for_ms=self.for_ms or 0,
            expect_rto_ms=self.expect_rto_ms,
            expect_rpo_ms=self.expect_rpo_ms,
        )


@dataclass(frozen=True, slots=True)
class Following:
    """How far to follow, and where the report goes."""

    detach: bool
    timeout_ms: int | None
    out: Path


_wanting = bundled(
    "wanted",
    Wanted,
    click.option("--lose", default="", metavar="REGION", help="Default: the present owner's."),
    click.option(
        "--how",
        type=click.Choice(list(_HOW)),
        help="What happens to the service there.  [default: blackhole]",
    ),
    click.option(
        "--share",
        type=ShareType(),
        metavar="PERCENT",
        help="Of the probes, for error-rate.  [default: 100%]",
    ),
    click.option("--delay", "delay_ms", type=DURATION, metavar="DURATION", help="For latency."),
    click.option(
        "--for",
        "for_ms",
        type=DURATION,
        metavar="DURATION",
        help="How long the region stays lost.  [default: 30s]",
    ),
    click.option(
        "--expect-rto",
        "expect_rto_ms",
        type=DURATION,
        metavar="DURATION",
        help="Stricter than the objective.",
    ),
    click.option(
        "--expect-rpo",
        "expect_rpo_ms",
        type=DURATION,
        metavar="DURATION",
        help="Stricter than the objective.",
    ),
)
_out = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    show_default=True,
    metavar="DIR",
    help="Where the report goes.",
)
_following = bundled(
    "following",
    Following,
    click.option("--detach", is_flag=True, help="Print the drill's name and do not follow it."),
    click.option(
        "--timeout",
        "timeout_ms",
        type=DURATION,
        metavar="DURATION",
        help="Stop following after this; the drill goes on.  [default: its own time and 5m]",
    ),
    _out,
)
_drill_form = formatted(Form.TABLE, Form.JSON, Form.YAML, Form.NAME)


@click.group()
@example("director drill run chat-weekly")
def drill() -> None:
    """Lose a region on purpose, and measure."""


@drill.command(epilog="Exits 0 when it would run, and 3 when a guard would refuse it.")
@click.argument("name")
@_wanting
@formatted(Form.TABLE, Form.JSON, Form.YAML)
@connected
@example("director drill plan chat --lose eu-west1 --for 2m")
def plan(*, name: str, wanted: Wanted, form: Form, connection: Connection) -> None:
    """Say what a drill of a schedule or service would do now, guard by guard."""
    request = pb.PlanDrillRequest(rehearsal=wanted.rehearsal(name))
    answer = connection.call(methods.PLAN_DRILL, request)
    Printed("DrillPlan", message_dict(answer), [name], lambda _: plan_lines(answer)).echo(form)
    click.get_current_context().exit(int(ExitCode.DONE if answer.would_run else ExitCode.REFUSED))


@drill.command(epilog=_RUN_EXITS)
@click.argument("name")
@_wanting
@changing(is_reason_required=False)
@click.option(
    "--expected-revision",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Start only if revision N of the documents is in force.",
)
@_following
@_drill_form
@connected
@example("director drill run chat --lose eu-west1 --how blackhole --for 2m --expect-rto 45s")
def run(  # noqa: PLR0913 - one argument per group of options
    *,
    name: str,
    wanted: Wanted,
    change: ChangeOptions,
    expected_revision: int,
    following: Following,
    form: Form,
    connection: Connection,
) -> None:
    """Rehearse a schedule, or the loss of a service's region, and follow it to its verdict."""
    request = pb.StartDrillRequest(
        rehearsal=wanted.rehearsal(name),
        expected_revision=expected_revision,
        change=change.message(),
    )
    answer = _started(connection, request, name)
    if change.dry_run:
        line = f"dry run: {answer.message}"
        echo_change(form, "Drill", {"name": name, "dry_run": True, "message": answer.message}, line)
        return
    _followed(connection, answer.drill_id, following, form)


def _started(
    connection: Connection, request: pb.StartDrillRequest, name: str
) -> pb.StartDrillResponse:
    try:
        return connection.call(methods.START_DRILL, request)
    except CliError as error:
        if error.reason == Reason.DRILL_REFUSED and not error.hint:
            error.hint = f"`director drill plan {name}` says what every guard finds"
        raise
    except KeyboardInterrupt:
        _abandoned(connection, request)
        raise click.Abort from None


def _abandoned(connection: Connection, request: pb.StartDrillRequest) -> None:
    """Abort what may have begun although nobody waited for the answer.

    Asked for again under the same id, as a dry run, the directors name the drill that it began.
    """
    note("interrupted before the director answered; asking whether the drill began")
    look = pb.StartDrillRequest()
    look.CopyFrom(request)
    look.change.validate_only = True
    for _ in range(_LOOKS):
        if request.change.validate_only:
            return
        time.sleep(_PAUSE_MS / 1_000)
        try:
            drill_id = connection.call(methods.START_DRILL, look).drill_id
        except CliError as error:
            if error.code is ExitCode.UNREACHABLE:
                error.hint = "`director drill list` says whether it began"
                raise
            continue  # a guard refuses: it may be the drill itself, of which nothing is known yet
        if drill_id:
            _aborted(connection, drill_id, DrillPrinter())
            return
    note("it did not begin")


def _followed(connection: Connection, drill_id: str, following: Following, form: Form) -> None:
    """Follow the drill, print its verdict, write its report, and exit accordingly."""
    if following.detach:
        _named(form, drill_id)
        return
    printer = DrillPrinter()
    is_interrupted = False
    try:
        ended = follow(connection, drill_id, printer, timeout_ms=following.timeout_ms)
    except KeyboardInterrupt:
        is_interrupted = True
        printer.break_line()
        ended = _aborted(connection, drill_id, printer)
    if ended is None:
        _named(form, drill_id)
        hint = f"`director drill list` says how it ends, `director drill abort {drill_id}` ends it"
        raise CliError(f"{drill_id} still runs", ExitCode.TIMED_OUT, hint=hint)
    _told(connection, ended, following.out, form)
    if is_interrupted:
        raise click.Abort
    click.get_current_context().exit(int(exit_code(ended)))


def _aborted(connection: Connection, drill_id: str, printer: DrillPrinter) -> pb.Drill | None:
    """Ask for the end of the drill and wait until everything is put back."""
    note(f"interrupted; asking the director to abort {drill_id} and to put everything back")
    change = ChangeOptions(reason="Ctrl-C in director drill run", dry_run=False).message()
    try:
        _asked_to_abort(connection, pb.AbortDrillRequest(drill_id=drill_id, change=change))
        return follow(connection, drill_id, printer, timeout_ms=None)
    except KeyboardInterrupt:
        printer.break_line()
        note(f"not waiting any longer; the director goes on putting {drill_id} back")
        raise click.Abort from None
    except CliError as error:
        if error.code is ExitCode.UNREACHABLE:
            error.hint = f"the directors end {drill_id} by themselves when its time is over"
        raise


def _asked_to_abort(connection: Connection, request: pb.AbortDrillRequest) -> bool:
    """Ask, and return whether there was anything to ask for: one that is over is no trouble."""
    try:
        connection.call(methods.ABORT_DRILL, request)
    except CliError as error:
        if error.reason != Reason.NOTHING_TO_DO:
            raise
        note(error.message)
        return False
    return True


def _named(form: Form, drill_id: str) -> None:
    Printed("Drill", {"drill_id": drill_id}, [drill_id], lambda _: [drill_id]).echo(form)


def _told(connection: Connection, ended: pb.Drill, out: Path, form: Form) -> None:
    lines = [verdict_line(ended)]
    try:
        page, _ = written(fetched(connection, ended.drill_id), out)
        lines.append(f"report   {page}")
    except OSError as error:
        note(f"the report was not written to {out}: {error.strerror or error}")
    Printed("Drill", message_dict(ended), [ended.drill_id], lambda _: lines).echo(form)


def follow(
    connection: Connection, drill_id: str, printer: DrillPrinter, *, timeout_ms: int | None
) -> pb.Drill | None:
    """Print what happens in a drill until it ends; return it, or None at the timeout.

    Raises:
        CliError: There is no such drill, or no director has answered for a while.
    """
    give_up_at_ms = None if timeout_ms is None else boot_ms() + timeout_ms
    heard_at_ms = boot_ms()
    request = pb.WatchDrillRequest(drill_id=drill_id)
    while give_up_at_ms is None or boot_ms() < give_up_at_ms:
        until_ms = boot_ms() + _RESTORE_MS_MAX if give_up_at_ms is None else give_up_at_ms
        try:
            for answer in connection.stream(methods.WATCH_DRILL, request, give_up_at_ms=until_ms):
                heard_at_ms = boot_ms()
                printer.show(answer.drill)
                if answer.drill.stage == ENDED:
                    return answer.drill
                if give_up_at_ms is None:
                    give_up_at_ms = boot_ms() + answer.drill.for_ms + _RESTORE_MS_MAX
        except CliError as error:
            # A director that follows may not have heard of it yet.
            is_passing = error.code is ExitCode.UNREACHABLE or (
                error.reason == Reason.DRILL_NOT_FOUND
            )
            if not is_passing or boot_ms() - heard_at_ms > _SILENCE_MS_MAX:
                if is_passing and not error.hint:
                    error.hint = f"{drill_id} goes on by itself; see `director drill list`"
                raise
        # The stream broke, as when the director that served it was stopped.
        time.sleep(_PAUSE_MS / 1_000)
    return None


# -- looking at drills -----------------------------------------------------------------------------


@drill.command("list")
@click.argument("name", required=False, default="")
@click.option(
    "--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="At most so many."
)
@formatted()
@connected
@example("director drill list chat")
def list_drills(*, name: str, limit: int, form: Form, connection: Connection) -> None:
    """List the schedules with what is due next, and the drills with their verdicts."""
    printed_drills(connection, name, limit).echo(form)


@drill.command(epilog="With --verify, exits 1 when the file is not what the directors recorded.")
@click.argument("name", required=False, default="")
@click.option("--open", "is_opened", is_flag=True, help="Show the page in a browser.")
@_out
@click.option(
    "--verify",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Check a report's JSON file against what the directors recorded.",
)
@formatted(Form.TABLE, Form.JSON, Form.YAML)
@connected
@example("director drill report chat-weekly/7 --open")
def report(
    *,
    name: str,
    is_opened: bool,
    out: Path,
    verify: Path | None,
    form: Form,
    connection: Connection,
) -> None:
    """Write the report of a drill, or the last one of a schedule or service, as page and JSON."""
    if verify is not None:
        _verified(connection, verify, form)
        return
    if not name:
        message = "which drill? give its name, or --verify FILE"
        raise CliError(message, ExitCode.USAGE, hint="`director drill list` names them")
    found = fetched(connection, _resolved(connection, name, is_running=False))
    page, data = written(found, out)
    Printed(
        "DrillReport", found.document(), [found.drill_id], lambda _: [str(page), str(data)]
    ).echo(form)
    if is_opened and not webbrowser.open(page.resolve().as_uri()):
        note(f"no browser was found; open {page} yourself")


def _verified(connection: Connection, path: Path, form: Form) -> None:
    found = read(path)
    fault = mismatch(connection, found)
    if fault:
        raise CliError(f"{path} is not the report of {found.drill_id}: {fault}", ExitCode.NO)
    value = {"drill_id": found.drill_id, "report_hash": found.report_hash, "is_recorded": True}
    line = f"{found.drill_id}: {path} is what the directors recorded (SHA-256 {found.report_hash})"
    echo_change(form, "DrillVerification", value, line)


def _resolved(connection: Connection, name: str, *, is_running: bool) -> str:
    """Return the name of a drill; of a schedule or service the newest that runs, or has ended.

    Raises:
        CliError: There is none.
    """
    if "/" in name:
        return name
    answer = connection.call(methods.LIST_DRILLS, pb.ListDrillsRequest(name=name, limit=100))
    for each in answer.drills:
        if (each.stage != ENDED) is is_running:
            return each.drill_id
    what = "runs now" if is_running else "has ended yet"
    hint = "`director drill list` names those there are"
    raise CliError(f"no drill of {name} {what}", ExitCode.USAGE, hint=hint)


@drill.command()
@click.argument("name")
@changing(is_reason_required=False)
@click.option("--detach", is_flag=True, help="Do not wait until everything is put back.")
@change_form
@connected
@example('director drill abort chat-weekly --reason "an incident elsewhere"')
def abort(
    *, name: str, change: ChangeOptions, detach: bool, form: Form, connection: Connection
) -> None:
    """End a drill early: the injection stops at once, and what moved goes back."""
    drill_id = _resolved(connection, name, is_running=True)
    began_ms = boot_ms()
    request = pb.AbortDrillRequest(drill_id=drill_id, change=change.message())
    connection.call(methods.ABORT_DRILL, request)
    value = {"drill_id": drill_id, "dry_run": change.dry_run}
    if change.dry_run or detach:
        said = "dry run: it would be aborted" if change.dry_run else "is being put back"
        echo_change(form, "DrillAbort", value, f"{drill_id} {said}")
        return
    ended = follow(connection, drill_id, DrillPrinter(), timeout_ms=None)
    if ended is None or ended.state_diff:
        left = "; ".join(ended.state_diff) if ended is not None else "it goes on"
        raise CliError(f"{drill_id} was aborted and is not put back: {left}", ExitCode.NO)
    line = f"{drill_id} aborted; everything is as before after {seconds(boot_ms() - began_ms)}"
    echo_change(form, "DrillAbort", value, line)
