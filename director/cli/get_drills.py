"""`director get drills`, `director describe drill`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.drill_list import drill_lines, schedule_lines
from director.cli.drill_view import describe_drill
from director.cli.example import example
from director.cli.options import connected, formatted
from director.cli.output import Form, Printed, message_dict
from trafficdirector.drill.v1 import drill_pb2 as pb

if TYPE_CHECKING:
    from director.cli.connection import Connection


@click.command("drills")
@click.argument("name", required=False, default="")
@click.option(
    "--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="At most so many."
)
@formatted()
@connected
@example("director get drills chat")
def get_drills(*, name: str, limit: int, form: Form, connection: Connection) -> None:
    """List drills, newest first, and the schedules; NAME is a service or a schedule."""
    printed_drills(connection, name, limit).echo(form)


@click.command("drill")
@click.argument("name")
@formatted(Form.TABLE, Form.JSON, Form.YAML, Form.NAME)
@connected
@example("director describe drill chat-weekly/7")
def get_drill(*, name: str, form: Form, connection: Connection) -> None:
    """Show one drill: its guards, phases, stages, verdict and what it left behind."""
    found = connection.call(methods.GET_DRILL, pb.GetDrillRequest(drill_id=name)).drill
    Printed("Drill", message_dict(found), [name], lambda _: describe_drill(found)).echo(form)


def printed_drills(connection: Connection, name: str, limit: int) -> Printed:
    """Return the schedules and drills of a service or schedule, or ("") of all."""
    answer = connection.call(methods.LIST_DRILLS, pb.ListDrillsRequest(name=name, limit=limit))

    def lines(_: Form) -> list[str]:
        shown = [*schedule_lines(answer.schedules)]
        if shown and answer.drills:
            shown.append("")
        return [*shown, *drill_lines(answer.drills)] or ["no schedules and no drills yet"]

    names = [each.drill_id for each in answer.drills]
    return Printed("DrillList", message_dict(answer), names, lines)
