"""`director history` and `director rollback`: documents that were in force."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.document_files import removing
from director.cli.example import example
from director.cli.exits import CliError, ExitCode
from director.cli.options import (
    ChangeOptions,
    changing,
    confirm,
    connected,
    formatted,
)
from director.cli.output import Form, Printed, message_dict, note
from director.cli.plan_view import plan_lines
from director.cli.plans import is_refused
from director.cli.words import ABSENT, columns
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.cli.connection import Connection

_MS_PER_S = 1_000


@click.command()
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="At most so many."
)
@formatted()
@connected
@example("director history --limit 5")
def history(*, limit: int, form: Form, connection: Connection) -> None:
    """List the revisions of the documents, newest first: when, who, why and what changed."""
    request = admin.ListRevisionsRequest(limit=limit)
    answer = connection.call(methods.LIST_REVISIONS, request)

    def lines(form: Form) -> Iterator[str]:
        wide = form is Form.WIDE
        header = ("REVISION", "APPLIED", "BY", "WHY", "CHANGED")
        extra = ("ETAG", "INDEX", "BYTES") if wide else ()
        rows = (_row(each, answer.revision, wide=wide) for each in answer.revisions)
        yield from columns((*header, *extra), rows)
        if not answer.revisions:
            yield "no documents were applied yet; apply some with `director apply -f FILE`"

    value = {
        "revision": answer.revision,
        "items": [message_dict(each) for each in answer.revisions],
    }
    names = [str(each.revision) for each in answer.revisions]
    Printed("RevisionList", value, names, lines).echo(form)


def _row(revision: admin.ManifestRevision, in_force: int, *, wide: bool) -> tuple[str, ...]:
    remarks = [
        "in force" if revision.revision == in_force else "",
        "" if revision.document_bytes else "no longer kept",
    ]
    remark = ", ".join(filter(None, remarks))
    back = f"back to {revision.restores}: " if revision.restores else ""
    row = (
        f"{revision.revision}{f' ({remark})' if remark else ''}",
        _when(revision.applied_wall_ms),
        revision.actor or ABSENT,
        revision.reason or ABSENT,
        f"{back}{revision.summary}",
    )
    if not wide:
        return row
    return (*row, revision.etag, str(revision.index), str(revision.document_bytes))


def _when(wall_ms: int) -> str:
    if not wall_ms:
        return ABSENT
    return datetime.fromtimestamp(wall_ms / _MS_PER_S, tz=UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@click.command()
@click.argument("revision", type=click.IntRange(min=1), metavar="REVISION")
@removing
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@changing(is_reason_required=False)
@formatted(Form.TABLE, Form.JSON, Form.YAML)
@connected
@example('director rollback 4 --reason "answers were kept too long" --yes')
def rollback(
    *,
    revision: int,
    removed: tuple[str, ...],
    yes: bool,
    change: ChangeOptions,
    form: Form,
    connection: Connection,
) -> None:
    """Show the plan, then put the documents of an earlier revision in force as a new one."""
    asked = admin.PlanManifestRequest(revision=revision, allow_removed_service_ids=removed)
    plan = connection.call(methods.PLAN_MANIFEST, asked)
    for line in plan_lines(plan):
        note(line)
    if is_refused(plan):
        refused = next(each for each in plan.risks if each.severity == "refused")
        raise CliError(refused.message, ExitCode.REFUSED, hint="see the risk above")
    if not change.dry_run:
        confirm(f"Put revision {revision} in force again?", is_agreed=yes)
    request = admin.RollbackManifestRequest(
        revision=revision,
        # What was shown is what is done: anything applied meanwhile is a conflict.
        expected_revision=plan.revision,
        expected_etag=plan.etag,
        change=change.message(),
        allow_removed_service_ids=removed,
    )
    answer = connection.call(methods.ROLLBACK_MANIFEST, request)
    for warning in answer.warnings:
        note(f"{warning.path}: warning: {warning.message} [{warning.code}]")
    line = f"revision {answer.revision} in force (index {answer.index}): back to {revision}"
    if change.dry_run:
        line = f"dry run: back to {revision}; it would become revision {answer.revision}"
    Printed("Rollback", message_dict(answer), [], lambda _: [line]).echo(form)
