"""`director validate`, `apply`, `export`, `schema`: the documents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.document_files import (
    checked,
    contents,
    fault_dict,
    files_option,
    has_error,
    joined,
    removing,
    sound,
    source_name,
)
from director.cli.example import example
from director.cli.exits import CliError, ExitCode
from director.cli.options import ChangeOptions, changing, connected, formatted
from director.cli.output import Form, Printed, message_dict, note
from director.cli.parameters import bundled
from director.config.compare import documents_in
from director.config.export import export_topology
from director.config.load import load_topology
from director.config.model import MODEL_BY_KIND
from director.config.written import written
from director.config.yaml_writer import to_yaml
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.cli.connection import Connection


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be in force for a change to be made, and what it may take away.

    0 and "" mean: whatever is in force.
    """

    revision: int
    etag: str
    removed: tuple[str, ...]


expecting = bundled(
    "expected",
    Expected,
    click.option(
        "--expected-revision",
        "revision",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="Apply only if revision N is in force.",
    ),
    click.option(
        "--etag",
        default="",
        metavar="ETAG",
        help="Apply only if the revision with this etag is; `director plan` prints it.",
    ),
    removing,
)


@click.command()
@files_option
@formatted(Form.TABLE, Form.JSON, Form.YAML)
@example("director validate -f fleet.yaml -f services/")
def validate(*, paths: tuple[str, ...], form: Form) -> None:
    """Check documents without a director, and name every fault in them."""
    _, loaded, told = checked(paths)

    def lines(_: Form) -> Iterator[str]:
        yield from map(str, told)
        if not has_error(told):
            yield f"valid: {contents(loaded)}"

    value = {"valid": not has_error(told), "faults": [fault_dict(each) for each in told]}
    Printed("ValidationReport", value, [], lines).echo(form)
    if has_error(told):
        click.get_current_context().exit(int(ExitCode.USAGE))


@click.command()
@files_option
@expecting
@changing(is_reason_required=False)
@formatted(Form.TABLE, Form.JSON, Form.YAML)
@connected
@example("director apply -f fleet.yaml -f services/ --dry-run")
def apply(
    *,
    paths: tuple[str, ...],
    expected: Expected,
    change: ChangeOptions,
    form: Form,
    connection: Connection,
) -> None:
    """Put documents in force in place of all earlier ones: all of them or none."""
    texts, loaded = sound(paths, "nothing was applied")
    request = admin.ApplyManifestRequest(
        documents=joined(texts),
        source_name=source_name(texts),
        expected_revision=expected.revision,
        expected_etag=expected.etag,
        allow_removed_service_ids=expected.removed,
        change=change.message(),
    )
    answer = connection.call(methods.APPLY_MANIFEST, request)
    known = {(each.code, each.path, each.message) for each in loaded.faults}
    for warning in answer.warnings:
        if (warning.code, warning.path, warning.message) not in known:
            note(f"{warning.path}: warning: {warning.message} [{warning.code}]")

    def lines(_: Form) -> Iterator[str]:
        if change.dry_run:
            yield f"dry run: valid, {contents(loaded)}; it would become revision {answer.revision}"
        else:
            yield f"revision {answer.revision} in force (index {answer.index}): {contents(loaded)}"

    Printed("ApplyResult", message_dict(answer), [], lines).echo(form)


@click.command()
@click.option(
    "--canonical",
    is_flag=True,
    help="Every value written out, in one order; without comments, sessions and drills.",
)
@click.option(
    "--revision",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Those of an earlier revision; `director history` lists them.",
)
@formatted(Form.TABLE, Form.JSON, Form.YAML)
@connected
@example("director export > fleet.yaml")
def export(*, canonical: bool, revision: int, form: Form, connection: Connection) -> None:
    """Print the documents in force as they were applied; with -o yaml, in a normal form."""
    answer = connection.call(methods.GET_MANIFEST, admin.GetManifestRequest(revision=revision))
    if not answer.documents:
        raise CliError("no documents are in force", ExitCode.NO, hint="apply some first")
    text = answer.documents
    if canonical:
        loaded = load_topology([(f"revision {answer.revision}", text)])
        if loaded.topology is None:
            raise CliError("\n".join(map(str, loaded.errors)), ExitCode.NO)
        text = export_topology(loaded.topology)
    if form is Form.YAML:
        normal = to_yaml([written(each) for each in documents_in(text)])
        click.echo(normal, nl=False)
        return
    value = {"revision": answer.revision, "etag": answer.etag, "documents": text}
    Printed("Manifest", value, [], lambda _: [text.removesuffix("\n")]).echo(form)


@click.command()
@click.argument("kind", type=click.Choice(list(MODEL_BY_KIND)), required=False)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write one file for each kind, and documents.json for all of them.",
)
@example("director schema Service > service.schema.json")
def schema(*, kind: str | None, out: Path | None) -> None:
    """Print the JSON Schema of the documents, for editors and pipelines."""
    from director.config.schema import schema_of, schema_of_all, schemas  # noqa: PLC0415 - loaded only when it is needed

    if out is None:
        click.echo(json.dumps(schema_of(kind) if kind is not None else schema_of_all(), indent=2))
        return
    if kind is not None:
        raise click.UsageError("--out writes every kind; leave KIND out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, found in schemas().items():
            path = out / f"{name}.json"
            path.write_text(f"{json.dumps(found, indent=2)}\n", encoding="utf-8")
            click.echo(str(path))
    except OSError as error:
        message = f"{error.filename}: {error.strerror or error}"
        raise CliError(message, ExitCode.USAGE) from error
