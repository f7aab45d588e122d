"""Where the directors are: named sets of endpoints, kept in one small YAML file.

``director dev`` writes the context ``dev`` here. A damaged file is told, never repaired in silence.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from director.cli.exits import CliError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from director.runtime.tls import TlsPaths

FILE_VARIABLE = "DIRECTOR_CONFIG"


@dataclass(frozen=True, slots=True)
class Contexts:
    """The contexts of one person.

    Attributes:
        current: The one in use; "" when none is.
        tls_by_name: Where the certificate files are, of those contexts that have TLS.
    """

    current: str
    endpoints_by_name: Mapping[str, tuple[str, ...]]
    tls_by_name: Mapping[str, TlsPaths] = field(default_factory=dict)


NO_CONTEXTS = Contexts("", {})


def contexts_path() -> Path:
    """Return the path of the file, which may not exist."""
    given = os.environ.get(FILE_VARIABLE)
    if given:
        return Path(given)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else _home() / ".config") / "director" / "contexts.yaml"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # no HOME, and no entry for this user id, as in a container
        return Path("/nonexistent")


def read_contexts(path: Path | None = None) -> Contexts:
    """Return the contexts; none when there is no file.

    Raises:
        CliError: The file is there and cannot be understood.
    """
    path = path or contexts_path()
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return NO_CONTEXTS
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        hint = f"give --endpoint, or set DIRECTOR_ENDPOINTS or {FILE_VARIABLE}"
        raise CliError(f"cannot read {path}: {why}", ExitCode.USAGE, hint=hint) from error
    # Parsing YAML costs more than the rest of a command's start, so only when there is a file.
    from director.config.yaml_text import parse_documents  # noqa: PLC0415 - loaded only when it is needed

    documents, faults = parse_documents(str(path), text)
    if faults:
        raise CliError(str(faults[0]), ExitCode.USAGE)
    if not documents:
        return NO_CONTEXTS
    return _contexts(path, documents[0].value)


def _contexts(path: Path, value: object) -> Contexts:
    contexts = value.get("contexts") if isinstance(value, dict) else None
    current = value.get("current", "") if isinstance(value, dict) else None
    if not isinstance(contexts, dict) or not isinstance(current, str):
        message = f"{path} is not a context file"
        raise CliError(message, ExitCode.USAGE, hint="it has the keys current and contexts")
    endpoints_by_name: dict[str, tuple[str, ...]] = {}
    tls_by_name: dict[str, TlsPaths] = {}
    for name, context in contexts.items():
        endpoints = context.get("endpoints") if isinstance(context, dict) else None
        if not isinstance(endpoints, list) or not all(isinstance(each, str) for each in endpoints):
            message = f"{path}: contexts.{name}.endpoints is not a list of addresses"
            raise CliError(message, ExitCode.USAGE)
        endpoints_by_name[name] = tuple(endpoints)
        if "tls" in context:
            tls_by_name[name] = _tls(path, name, context["tls"])
    return Contexts(current, endpoints_by_name, tls_by_name)


def _tls(path: Path, name: str, value: object) -> TlsPaths:
    from director.runtime.tls import TlsPaths  # noqa: PLC0415 - loaded only when it is needed

    match value:
        case {"cert": str(cert), "key": str(key), "ca": str(ca), "trustDomain": str(domain)}:
            # Beside the context file, unless the paths are absolute.
            return TlsPaths(path.parent / cert, path.parent / key, path.parent / ca, domain)
        case _:
            message = f"{path}: contexts.{name}.tls needs cert, key, ca and trustDomain"
            raise CliError(message, ExitCode.USAGE)


def write_context(
    name: str,
    endpoints: Sequence[str],
    *,
    tls: TlsPaths | None = None,
    path: Path | None = None,
) -> str:
    """Keep ``endpoints`` as ``name``, with where the certificates are, as the current context.

    Returns:
        The name of the context that was current before; "" when there was none.
    """
    path = path or contexts_path()
    before = read_contexts(path)
    known = {**before.endpoints_by_name, name: tuple(endpoints)}
    secured = {key: value for key, value in before.tls_by_name.items() if key != name}
    _write(path, Contexts(name, known, secured if tls is None else {**secured, name: tls}))
    return before.current


def remove_context(name: str, *, current: str = "", path: Path | None = None) -> None:
    """Forget ``name``; if it was the current context, ``current`` becomes so when it exists."""
    path = path or contexts_path()
    before = read_contexts(path)
    known = {key: value for key, value in before.endpoints_by_name.items() if key != name}
    after = replace(before, endpoints_by_name=known)
    if before.current == name:
        after = replace(after, current=current if current in known else "")
    if after != before:
        _write(path, after)


def _write(path: Path, contexts: Contexts) -> None:
    from director.config.yaml_writer import to_yaml  # noqa: PLC0415 - loaded only when it is needed

    value: dict[str, Any] = {
        "current": contexts.current,
        "contexts": {
            name: {"endpoints": list(endpoints), **_tls_value(contexts.tls_by_name.get(name))}
            for name, endpoints in sorted(contexts.endpoints_by_name.items())
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # Another command may read at any moment, so the file is replaced whole.
    fresh = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    fresh.write_text(to_yaml([value]), encoding="utf-8")
    fresh.replace(path)


def _tls_value(tls: TlsPaths | None) -> dict[str, Any]:
    if tls is None:
        return {}
    files = {"cert": str(tls.cert), "key": str(tls.key), "ca": str(tls.ca)}
    return {"tls": {**files, "trustDomain": tls.trust_domain}}
