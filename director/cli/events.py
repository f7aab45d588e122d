"""`director get events`: who did what, why, and what became of it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.audit_trail import EVENT_KIND, HEAD_KIND, PAGE
from director.cli.example import example
from director.cli.exits import CliError, ExitCode
from director.cli.options import connected, formatted
from director.cli.output import API_VERSION, Form, Printed, message_dict, note
from director.cli.parameters import bundled
from director.cli.words import ABSENT, columns
from director.runtime.clock import boot_ms
from trafficdirector.event.v1 import event_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

    from director.cli.connection import Connection

JSON_LINES = "jsonl"
_FORMS = (*(each.value for each in Form), JSON_LINES)
_HEADER = ("NO.", "WHEN", "WHO", "ACTION", "SUBJECT", "RESULT", "DETAIL")
_DETAIL_CHARS = 60
_SHOWN_FIRST = 10
_NAME_WIDTH = 12
_MS_PER_S = 1_000
# A stream that ended is opened again after this; each lasts at most so long.
_AGAIN_MS = 500
_STREAM_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records."""

    service: str
    region: str
    action: str
    after: int | None
    limit: int | None

    @property
    def is_filtered(self) -> bool:
        """Whether some between others are left out."""
        return bool(self.service or self.region or self.action)

    def list_request(self, after: int | None, limit: int) -> pb.ListEventsRequest:
        """Return the question for one page; ``after`` None asks for the newest."""
        return pb.ListEventsRequest(
            service_id=self.service,
            region_id=self.region,
            action=self.action,
            after_number=after,
            limit=limit,
        )


_wanting = bundled(
    "wanted",
    Wanted,
    click.option("--service", default="", metavar="NAME", help="Only about this service."),
    click.option("--region", default="", metavar="NAME", help="Only about this region."),
    click.option(
        "--action", default="", metavar="PREFIX", help="Only actions that begin so: start_run."
    ),
    click.option("--after", type=click.IntRange(0), metavar="NO.", help="Only after this number."),
    click.option(
        "--limit",
        type=click.IntRange(1, 100_000),
        metavar="N",
        help="At most so many: the newest, or the first after --after.  [default: 50]",
    ),
)


@click.command("events")
@_wanting
@click.option("--watch", is_flag=True, help="Go on with each new one, until Ctrl-C.")
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(_FORMS),
    default=Form.TABLE.value,
    show_default=True,
    help="jsonl: one line each, everything that is kept, for `director check --audit --file`.",
)
@connected
@example("director get events --service chat --watch")
def get_events(*, wanted: Wanted, watch: bool, form: str, connection: Connection) -> None:
    """List what was done and refused: who, what, why, and what became of it."""
    if watch:
        _watch(wanted, form, connection)
    elif form == JSON_LINES:
        _export(wanted, connection)
    else:
        _list(wanted, Form(form), connection)


@click.command("event")
@click.argument("number", type=click.IntRange(min=1))
@formatted(Form.TABLE, Form.JSON, Form.YAML, Form.NAME)
@connected
@example("director describe event 42")
def describe_event(*, number: int, form: Form, connection: Connection) -> None:
    """Show one record of the audit trail in full."""
    request = pb.ListEventsRequest(after_number=number - 1, limit=1)
    found = connection.call(methods.LIST_EVENTS, request).events
    if not found or found[0].number != number:
        raise CliError(f"record {number} is not kept", ExitCode.USAGE)
    value = message_dict(found[0])

    def lines(_: Form) -> Iterator[str]:
        yield f"wall clock    {_when(found[0].wall_ms)}"
        for name, known in value.items():
            if known != "":
                yield _printable(f"{name.ljust(_NAME_WIDTH)}  {known}")

    Printed(EVENT_KIND, value, [str(number)], lines).echo(form)


def _list(wanted: Wanted, form: Form, connection: Connection) -> None:
    limit = wanted.limit or 50
    events = list(_pages(wanted, connection, limit))
    value = {"items": [message_dict(each) for each in events]}
    names = [str(each.number) for each in events]

    def lines(form: Form) -> Iterator[str]:
        yield from columns(_HEADER, (_row(each, is_wide=form is Form.WIDE) for each in events))

    Printed("EventList", value, names, lines).echo(form)


def _pages(wanted: Wanted, connection: Connection, limit: int) -> list[pb.Event]:
    """Return at most ``limit`` events, oldest first."""
    if wanted.after is None:
        request = wanted.list_request(None, min(limit, PAGE))
        newest = list(connection.call(methods.LIST_EVENTS, request).events)
        if limit <= PAGE or len(newest) < PAGE:
            return newest
        # More than one answer holds: from the first that is kept, and the end of that.
        every = _from(wanted, connection, 0, None)
        return every[-limit:]
    return _from(wanted, connection, wanted.after, limit)


def _from(wanted: Wanted, connection: Connection, after: int, limit: int | None) -> list[pb.Event]:
    events: list[pb.Event] = []
    while limit is None or len(events) < limit:
        page = PAGE if limit is None else min(PAGE, limit - len(events))
        answer = connection.call(methods.LIST_EVENTS, wanted.list_request(after, page))
        if not answer.events:
            break
        events += answer.events
        after = events[-1].number
    return events


def _export(wanted: Wanted, connection: Connection) -> None:
    """Print everything, and at last the head, by which missing lines are noticed."""
    after, left = wanted.after or 0, wanted.limit
    while left is None or left > 0:
        page = PAGE if left is None else min(PAGE, left)
        answer = connection.call(methods.LIST_EVENTS, wanted.list_request(after, page))
        for each in answer.events:
            _echo_line(EVENT_KIND, each)
            after = each.number
        left = None if left is None else left - len(answer.events)
        is_whole = not wanted.is_filtered and after >= answer.head.count
        if is_whole:
            _echo_line(HEAD_KIND, answer.head)
        if is_whole or not answer.events:
            return


def _echo_line(kind: str, message: Message) -> None:
    value = {"apiVersion": API_VERSION, "kind": kind, **message_dict(message)}
    click.echo(json.dumps(value, ensure_ascii=False))


def _watch(wanted: Wanted, form: str, connection: Connection) -> None:
    """Print what there is and what comes; go on at another director when one goes away."""
    after = wanted.after
    if after is None:
        # The newest few first, so that the screen is not empty.
        request = wanted.list_request(None, min(wanted.limit or _SHOWN_FIRST, PAGE))
        answer = connection.call(methods.LIST_EVENTS, request)
        for each in answer.events:
            _echo(each, form)
        after = answer.head.count
    while True:
        after = _follow(wanted, form, connection, after)
        time.sleep(_AGAIN_MS / 1_000)


def _follow(wanted: Wanted, form: str, connection: Connection, after: int) -> int:
    """Print what one stream brings; return the number to go on after."""
    request = pb.WatchEventsRequest(
        service_id=wanted.service,
        region_id=wanted.region,
        action=wanted.action,
        after_number=after,
    )
    give_up_at_ms = boot_ms() + _STREAM_MS
    for answer in connection.stream(methods.WATCH_EVENTS, request, give_up_at_ms=give_up_at_ms):
        if answer.lost_count:
            note(f"{answer.lost_count} records before {answer.event.number} are no longer kept")
        _echo(answer.event, form)
        after = answer.event.number
    return after


def _echo(event: pb.Event, form: str) -> None:
    match form:
        case Form.JSON | "jsonl":
            _echo_line(EVENT_KIND, event)
        case Form.NAME:
            click.echo(event.number)
        case Form.YAML:
            Printed(EVENT_KIND, message_dict(event), [], lambda _: []).echo(Form.YAML)
        case _:
            click.echo("  ".join(_row(event, is_wide=form == Form.WIDE)))


def _row(event: pb.Event, *, is_wide: bool) -> tuple[str, ...]:
    subject = event.run_id or "/".join(filter(None, (event.service_id, event.region_id)))
    detail = " ".join(filter(None, (event.refusal, event.detail)))
    if not is_wide and len(detail) > _DETAIL_CHARS:
        detail = f"{detail[: _DETAIL_CHARS - 3]}..."
    why = f"{detail}  ({event.reason})" if is_wide and event.reason else detail
    cells = (
        str(event.number),
        _when(event.wall_ms),
        event.actor,
        event.action,
        subject or ABSENT,
        event.result,
        why,
    )
    return tuple(map(_printable, cells))


def _when(wall_ms: int) -> str:
    if not wall_ms:
        return ABSENT
    moment = datetime.fromtimestamp(wall_ms / _MS_PER_S, tz=UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")


def _printable(text: str) -> str:
    """Keep a reason that somebody wrote from moving the cursor or faking a line."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)
