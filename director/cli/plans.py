"""`director plan` and `director diff`: what documents would change, before they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.document_files import files_option, joined, removing, sound, source_name
from director.cli.example import example
from director.cli.exits import ExitCode
from director.cli.options import connected, formatted
from director.cli.output import Form, Printed, message_dict, note
from director.cli.plan_view import change_lines, plan_lines
from director.config.compare import document_changes, documents_in
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.cli.connection import Connection

REFUSED = "refused"


@click.command()
@files_option
@removing
@click.option("--detailed-exitcode", is_flag=True, help="Exit 1 if anything would change.")
@formatted(Form.TABLE, Form.JSON, Form.YAML)
@connected
@example("director plan -f fleet.yaml -f services/ --detailed-exitcode")
def plan(
    *,
    paths: tuple[str, ...],
    removed: tuple[str, ...],
    detailed_exitcode: bool,
    form: Form,
    connection: Connection,
) -> None:
    """Show what documents would change, whom they would move, and what refuses them."""
    texts, _ = sound(paths, "there is no plan")
    request = admin.PlanManifestRequest(
        documents=joined(texts),
        source_name=source_name(texts),
        allow_removed_service_ids=removed,
    )
    answer = connection.call(methods.PLAN_MANIFEST, request)
    printed_plan(answer).echo(form)
    if answer.changes and answer.etag:
        note(f"carry out exactly this plan with `director apply --etag {answer.etag}`")
    code = ExitCode.DONE
    if is_refused(answer):
        code = ExitCode.REFUSED
    elif detailed_exitcode and answer.changes:
        code = ExitCode.NO
    click.get_current_context().exit(int(code))


def printed_plan(answer: admin.PlanManifestResponse) -> Printed:
    """Return a plan in every form."""
    names = [f"{each.kind}/{each.name}" for each in answer.changes]
    return Printed("Plan", message_dict(answer), names, lambda _: plan_lines(answer))


def is_refused(answer: admin.PlanManifestResponse) -> bool:
    """Whether a rule would refuse the documents now."""
    return any(each.severity == REFUSED for each in answer.risks)


@click.command()
@files_option
@click.option(
    "--revision",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Compare with an earlier revision instead of the one in force.",
)
@formatted(Form.TABLE, Form.JSON, Form.YAML, Form.NAME)
@connected
@example("director diff -f fleet.yaml -f services/")
def diff(*, paths: tuple[str, ...], revision: int, form: Form, connection: Connection) -> None:
    """Show how documents differ in meaning from those in force; exit 1 if they do."""
    texts, loaded = sound(paths, "there is nothing to compare")
    request = admin.GetManifestRequest(revision=revision)
    answer = connection.call(methods.GET_MANIFEST, request)
    changes = [
        admin.DocumentChange(
            kind=each.kind,
            name=each.name,
            how=each.how,
            fields=[
                admin.FieldChange(path=field.path, before=field.before, after=field.after)
                for field in each.fields
            ],
        )
        for each in document_changes(documents_in(answer.documents), loaded.documents)
    ]

    def lines(_: Form) -> Iterator[str]:
        if not changes:
            yield f"no difference: revision {answer.revision} says the same"
        yield from change_lines(changes)

    value = {
        "revision": answer.revision,
        "etag": answer.etag,
        "source": source_name(texts),
        "changes": [message_dict(each) for each in changes],
    }
    names = [f"{each.kind}/{each.name}" for each in changes]
    Printed("Difference", value, names, lines).echo(form)
    if changes:
        click.get_current_context().exit(int(ExitCode.NO))
