"""Files of documents as commands take them: read within bounds, checked, joined into one text."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from director.cli.exits import CliError, ExitCode
from director.cli.output import note
from director.cli.words import plural
from director.config.faults import Fault, Severity
from director.config.load import Loaded, load_topology
from director.config.yaml_text import TEXT_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from director.config.load import SourceText

_NOUN_BY_KIND = {
    "Fleet": "fleet",
    "Service": "service",
    "FailoverPolicy": "policy",
    "DrillSchedule": "drill schedule",
}
files_option = click.option(
    "-f",
    "--file",
    "paths",
    multiple=True,
    required=True,
    metavar="PATH",
    help="A file, a folder with *.yaml and *.yml in it, or - for stdin; repeat for several.",
)
removing = click.option(
    "--remove-service",
    "removed",
    multiple=True,
    metavar="NAME",
    help="This service may go, or change its mode, although it serves. Repeatable.",
)


def fault_dict(fault: Fault) -> dict[str, Any]:
    """Return a fault as JSON and YAML have it."""
    return {**asdict(fault), "severity": fault.severity.value}


def has_error(faults: Iterable[Fault]) -> bool:
    """Whether any of them keeps the documents from being applied."""
    return any(each.severity is Severity.ERROR for each in faults)


def contents(loaded: Loaded) -> str:
    """Count what is declared: ``3 regions, 2 services``."""
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


def checked(paths: Sequence[str]) -> tuple[tuple[SourceText, ...], Loaded, tuple[Fault, ...]]:
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


def sound(paths: Sequence[str], otherwise: str) -> tuple[tuple[SourceText, ...], Loaded]:
    """Return texts and what they declare, with every fault told on stderr.

    Raises:
        CliError: There are errors; the message begins with ``otherwise``.
    """
    texts, loaded, told = checked(paths)
    for fault in told:
        note(str(fault))
    if has_error(told):
        errors = sum(each.severity is Severity.ERROR for each in told)
        raise CliError(f"{otherwise}: {plural(errors, 'fault')}", ExitCode.USAGE)
    return texts, loaded


def source_name(texts: Sequence[SourceText]) -> str:
    """Return what the director is to call the text in its faults."""
    return ", ".join(name for name, _ in texts)[:200]


def joined(texts: Sequence[SourceText]) -> str:
    """Return the texts as one; at least one is given.

    Raises:
        CliError: Together they are too large.
    """
    plain = [text.removeprefix("\ufeff") for _, text in texts]
    # One file is kept as it is, to be exported byte for byte.
    whole = (
        "\n---\n".join(each.strip("\n") for each in plain) + "\n" if len(plain) > 1 else plain[0]
    )
    size_bytes = len(whole.encode())
    if size_bytes > TEXT_BYTES_MAX:
        message = f"the documents are {size_bytes} bytes; at most {TEXT_BYTES_MAX} are accepted"
        raise CliError(message, ExitCode.USAGE)
    return whole
