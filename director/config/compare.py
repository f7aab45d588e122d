"""What differs between two sets of documents in meaning: order, comments and defaults do not count.

For ``director diff`` and ``director plan``. Entries of a list are told apart by their name where
they have one, so that a region added at the top is one change and not one to every region.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from director.config.schema_faults import validate_document
from director.config.written import written
from director.config.yaml_text import parse_documents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from director.config.model import AnyDocument
    from director.config.written import Value

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
# A whole region may be added; its endpoints need not all be read on one line.
VALUE_CHARS_MAX = 160
# Keys that tell the entries of a list apart, most telling first.
_NAME_KEYS = ("name", "address", "between", "when")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value that is not as it was.

    Attributes:
        path: Such as ``spec.regions[eu-west1].priority``.
        before: As a document has it; "" when it was not there.
        after: Likewise; "" when it is no longer there.
    """

    path: str
    before: str
    after: str

    def __str__(self) -> str:
        if not self.before:
            return f"+ {self.path}: {self.after}"
        if not self.after:
            return f"- {self.path}: {self.before}"
        return f"~ {self.path}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """One document that is not as it was. ``fields`` is empty unless it is ``CHANGED``."""

    kind: str
    name: str
    how: str
    fields: tuple[FieldChange, ...] = ()


def documents_in(text: str) -> tuple[AnyDocument, ...]:
    """Return the documents in ``text`` that pass the schema; of a text in force, all of them."""
    parsed, _ = parse_documents("<documents>", text)
    models = (validate_document(each)[0] for each in parsed)
    return tuple(model for model in models if model is not None)


def document_changes(
    before: Iterable[AnyDocument], after: Iterable[AnyDocument]
) -> tuple[DocumentChange, ...]:
    """Return the documents that differ, by kind and name. The kinds are in their usual order."""
    was, now = _by_place(before), _by_place(after)
    found: list[DocumentChange] = []
    for place in sorted(was.keys() | now.keys()):
        _, kind, name = place
        if place not in was:
            found.append(DocumentChange(kind, name, ADDED))
        elif place not in now:
            found.append(DocumentChange(kind, name, REMOVED))
        elif was[place] != now[place]:
            fields = tuple(_differences(written(was[place]), written(now[place]), ""))
            if fields:
                found.append(DocumentChange(kind, name, CHANGED, fields))
    return tuple(found)


_KIND_ORDER = ("Fleet", "FailoverPolicy", "Service", "DrillSchedule")


def _by_place(documents: Iterable[AnyDocument]) -> Mapping[tuple[int, str, str], AnyDocument]:
    return {
        (_KIND_ORDER.index(each.kind), each.kind, each.metadata.name): each for each in documents
    }


def _differences(before: Value, after: Value, path: str) -> Iterator[FieldChange]:
    was, now = _keyed(before), _keyed(after)
    if was is None or now is None:
        if before != after:
            yield FieldChange(path, _text(before), _text(after))
        return
    for key in dict.fromkeys((*was, *now)):
        inside = key if not path else f"{path}{key}" if key.startswith("[") else f"{path}.{key}"
        if key not in was:
            yield FieldChange(inside, "", _text(now[key]))
        elif key not in now:
            yield FieldChange(inside, _text(was[key]), "")
        else:
            yield from _differences(was[key], now[key], inside)


def _keyed(value: Value) -> Mapping[str, Value] | None:
    """Return the parts of a block, or of a list of blocks by their names; None of anything else."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        return None
    keyed = {f"[{_name(each, at)}]": each for at, each in enumerate(value)}
    # Two entries of one name are a fault of their own; here the whole list is compared.
    return keyed if len(keyed) == len(value) else None


def _name(entry: Value, at: int) -> str:
    assert isinstance(entry, dict), "the caller has checked"
    for key in _NAME_KEYS:
        name = entry.get(key)
        if isinstance(name, str):
            return name
        if isinstance(name, list):
            return "-".join(map(str, sorted(map(str, name))))
        if isinstance(name, dict):
            return ",".join(map(str, name.values()))
    return str(at)


def _text(value: Value) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[: VALUE_CHARS_MAX - 3]}..."
