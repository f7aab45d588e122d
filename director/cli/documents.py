"""`director validate`, `apply`, `export`, `schema`: the documents."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from director.cli import methods
from director.cli.example import example
from director.cli.exits import CliError, ExitCode
from director.cli.options import ChangeOptions, changing, connected, formatted
from director.cli.output import Form, Printed, message_dict, note
from director.cli.words import plural
from director.config.export import export_topology
from director.config.faults import Fault, Severity
from director.config.load import Loaded, load_topology
from director.config.model import MODEL_BY_KIND
from director.config.yaml_text import TEXT_BYTES_MAX
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from director.cli.connection import Connection
    from director.config.load import SourceText

_NOUN_BY_KIND = {
    "Fleet": "fleet",
    "Service": "service",
    "FailoverPolicy": "policy",
    "DrillSchedule": "drill schedule",
}
_files = click.option(
    "-f",
    "--file",
    "paths",
    multiple=True,
    required=True,
    metavar="PATH",
    help="A file, a folder with *.yaml and *.yml in it, or - for stdin; repeat for several.",
)


@click.command()
@_files
@formatted(Form.TABLE, Form.JSON, Form.YAML)
@example("director validate -f fleet.yaml -f services/")
def validate(*, paths: tuple[str, ...], form: Form) -> None:
    """Check documents without a director, and name every fault in them."""
    _, loaded, told = _checked(paths)

    def lines(_: Form) -> Iterator[str]:
        yield from map(str, told)
        if not _has_error(told):
            yield f"valid: {_contents(loaded)}"

    value = {"valid": not _has_error(told), "faults": [_fault_dict(each) for each in told]}
    Printed("ValidationReport", value, [], lines).echo(form)
    if _has_error(told):
        click.get_current_context().exit(int(ExitCode.USAGE))


def _fault_dict(fault: Fault) -> dict[str, Any]:
    return {**asdict(fault), "severity": fault.severity.value}


def _has_error(faults: Iterable[Fault]) -> bool:
    return any(each.severity is Severity.ERROR for each in faults)


def _contents(loaded: Loaded) -> str:
    counts = Counter(type(each).__name__ for each in loaded.documents)
    parts = [plural(counts[kind], noun) for kind, noun in _NOUN_BY_KIND.items() if counts[kind]]
    regions = len(loaded.topology.regions) if loaded.topology is not None else 0
    return ", ".join([plural(regions, "region"), *parts[1:]])


def read_sources(paths: Sequence[str]) -> tuple[tuple[SourceText, ...], tuple[Fault, ...]]:
    """Return the texts of all files named, folders opened, and faults for those unreadable.

    Raises:
        click.UsageError: A path does not exist, or a folder has no documents in it.
    """
    texts: list[SourceText] = []
    faults: list[Fault] = []
    for name, path in _expanded(paths):
        try:
            raw = _bounded(path)
            if len(raw) > TEXT_BYTES_MAX:
                message = f"is larger than {TEXT_BYTES_MAX} bytes"
                hint = "split it into several files"
                faults.append(Fault(name, 0, "", message, "D008", hint))
                continue
            texts.append((name, raw.decode("utf-8")))
        except UnicodeDecodeError as error:
            message = f"byte {error.start} is not UTF-8"
            faults.append(Fault(name, 0, "", message, "D001", "save the file as UTF-8"))
        except OSError as error:
            reason = error.strerror or str(error)
            faults.append(Fault(name, 0, "", f"cannot be read: {reason}", "D001"))
    return tuple(texts), tuple(faults)


def _bounded(path: Path | None) -> bytes:
    """Read at most a byte more than a document may have: a path may be an endless device."""
    if path is None:
        return sys.stdin.buffer.read(TEXT_BYTES_MAX + 1)
    with path.open("rb") as file:
        return file.read(TEXT_BYTES_MAX + 1)


def _checked(paths: Sequence[str]) -> tuple[tuple[SourceText, ...], Loaded, tuple[Fault, ...]]:
    """Return the texts, what they declare, and all faults; none about files never read."""
    texts, faults = read_sources(paths)
    loaded = load_topology(texts)
    if faults and not texts:
        return texts, loaded, faults
    return texts, loaded, (*faults, *loaded.faults)


def _expanded(paths: Sequence[str]) -> Iterator[tuple[str, Path | None]]:
    for given in paths:
        path = Path(given)
        if given == "-":
            yield "<stdin>", None
        elif path.is_dir():
            files = sorted(
                each
                for each in path.rglob("*.y*ml")
                if each.suffix in {".yaml", ".yml"}
                and each.is_file()
                and not _is_hidden(each, path)
            )
            if not files:
                raise click.UsageError(f"there is no *.yaml or *.yml in {given}")
            yield from ((str(each), each) for each in files)
        elif path.exists():
            yield given, path
        else:
            raise click.UsageError(f"{given} does not exist")


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


@click.command()
@_files
@click.option(
    "--expected-revision",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Apply only if revision N is in force.",
)
@changing(is_reason_required=False)
@formatted(Form.TABLE, Form.JSON, Form.YAML)
@connected
@example("director apply -f fleet.yaml -f services/ --dry-run")
def apply(
    *,
    paths: tuple[str, ...],
    expected_revision: int,
    change: ChangeOptions,
    form: Form,
    connection: Connection,
) -> None:
    """Put documents in force in place of all earlier ones: all of them or none."""
    texts, loaded, told = _checked(paths)
    for fault in told:
        note(str(fault))
    if _has_error(told):
        errors = sum(each.severity is Severity.ERROR for each in told)
        raise CliError(f"nothing was applied: {plural(errors, 'fault')}", ExitCode.USAGE)
    request = admin.ApplyManifestRequest(
        documents=_joined(texts),
        source_name=", ".join(name for name, _ in texts)[:200],
        expected_revision=expected_revision,
        change=change.message(),
    )
    answer = connection.call(methods.APPLY_MANIFEST, request)
    known = {(each.code, each.path, each.message) for each in told}
    for warning in answer.warnings:
        if (warning.code, warning.path, warning.message) not in known:
            note(f"{warning.path}: warning: {warning.message} [{warning.code}]")

    def lines(_: Form) -> Iterator[str]:
        if change.dry_run:
            yield f"dry run: valid, {_contents(loaded)}; it would become revision {answer.revision}"
        else:
            yield f"revision {answer.revision} in force (index {answer.index}): {_contents(loaded)}"

    Printed("ApplyResult", message_dict(answer), [], lines).echo(form)


def _joined(texts: Sequence[SourceText]) -> str:
    joined = "\n---\n".join(text.removeprefix("\ufeff").strip("\n") for _, text in texts) + "\n"
    size_bytes = len(joined.encode())
    if size_bytes > TEXT_BYTES_MAX:
        message = f"the documents are {size_bytes} bytes; at most {TEXT_BYTES_MAX} are accepted"
        raise CliError(message, ExitCode.USAGE)
    return joined


@click.command()
@click.option(
    "--canonical",
    is_flag=True,
    help="Every value written out, in one order; without comments, sessions and drills.",
)
@formatted(Form.TABLE, Form.JSON)
@connected
@example("director export > fleet.yaml")
def export(*, canonical: bool, form: Form, connection: Connection) -> None:
    """Print the documents in force, as they were applied."""
    answer = connection.call(methods.GET_MANIFEST, admin.GetManifestRequest())
    if not answer.documents:
        raise CliError("no documents are in force", ExitCode.NO, hint="apply some first")
    text = answer.documents
    if canonical:
        loaded = load_topology([(f"revision {answer.revision}", text)])
        if loaded.topology is None:
            raise CliError("\n".join(map(str, loaded.errors)), ExitCode.NO)
        text = export_topology(loaded.topology)
    value = {"revision": answer.revision, "documents": text}
    Printed("Manifest", value, [], lambda _: [text.rstrip("\n")]).echo(form)


@click.command()
@click.argument("kind", type=click.Choice(list(MODEL_BY_KIND)), required=False)
@example("director schema Service > service.schema.json")
def schema(*, kind: str | None) -> None:
    """Print the JSON Schema of the documents, for editors and pipelines."""
    if kind is not None:
        found = MODEL_BY_KIND[kind].model_json_schema(by_alias=True)
    else:
        found = _all_kinds()
    click.echo(json.dumps(found, indent=2))


def _all_kinds() -> dict[str, Any]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - loaded only when it is needed

    from director.config.model import AnyDocument  # noqa: PLC0415 - loaded only when it is needed

    adapter: TypeAdapter[Any] = TypeAdapter(AnyDocument)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Documents of the traffic director",
        **adapter.json_schema(by_alias=True),
    }
