"""YAML text in, plain values with their lines out. Hostile text gives faults, never a crash.

The values are built from the parser's events and not by its constructor, so that size, depth,
aliases and tags are checked before anything is built, and each value keeps its line. Scalars
follow the YAML 1.2 core schema: ``no`` is a string, not false.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from director.config.faults import Fault, Path, path_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | int | float | bool | None"

TEXT_BYTES_MAX = 1 << 20
# The documents are seven levels deep at most; a deeper one is a mistake or an attack.
DEPTH_MAX = 24
# Far above a fleet at its limits of 100 regions and 2 000 services with aliases expanded.
VALUES_MAX = 400_000

_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,4})?")
_CONSTANTS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """One document of a text, as plain values.

    Attributes:
        line: Where it starts, from 1.
        line_by_path: The line of every value; of a key's value, the line of the key.
    """

    source: str
    line: int
    value: Plain
    line_by_path: Mapping[Path, int]

    def line_at(self, path: Path) -> int:
        """Return the line of ``path``, or of the nearest thing around it that exists."""
        while path:
            if path in self.line_by_path:
                return self.line_by_path[path]
            path = path[:-1]
        return self.line


def parse_documents(source: str, text: str) -> tuple[tuple[YamlDocument, ...], tuple[Fault, ...]]:
    """Return the documents in ``text``, empty ones left out, and what is wrong with it.

    A text that is not YAML gives one fault and no documents.
    """
    size_bytes = len(text.encode("utf-8", "surrogatepass"))
    if size_bytes > TEXT_BYTES_MAX:
        message = f"is {size_bytes} bytes; at most {TEXT_BYTES_MAX} are read"
        return (), (Fault(source, 0, "", message, "D008", "split it into several files"),)
    faults: list[Fault] = []
    documents: list[YamlDocument] = []
    try:
        for line, root in _roots(text):
            builder = _Builder(source, faults)
            value = builder.plain(root, ())
            if value is not None:
                documents.append(YamlDocument(source, line, value, builder.line_by_path))
    except _RefusedError as refused:
        return (), (Fault(source, refused.line, "", refused.message, refused.code, refused.hint),)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 0
        problem = error.problem or error.context or "cannot be read"
        return (), (Fault(source, line, "", f"not YAML: {problem}", "D001", _syntax_hint(text)),)
    except YAMLError as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else "unreadable"
        return (), (Fault(source, 0, "", f"not YAML: {first_line}", "D001"),)
    except Exception as error:  # The parser raises almost anything on odd text.
        kind = type(error).__name__
        return (), (Fault(source, 0, "", f"not YAML: the parser gave up ({kind})", "D001"),)
    return tuple(documents), tuple(faults)


def _syntax_hint(text: str) -> str:
    return "indent with spaces, not tabs" if "\n\t" in text or text.startswith("\t") else ""


class _RefusedError(Exception):
    """The text is YAML, but of a kind that is not accepted."""

    def __init__(self, line: int, message: str, code: str, hint: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.code = code
        self.hint = hint


@dataclass(slots=True)
class _Node:
    """One value in the text. ``children`` of a mapping are its keys and values in turn."""

    line: int
    kind: str  # scalar, mapping or sequence
    value: Plain = None
    text: str = ""
    children: list[_Node] = field(default_factory=list)
    is_open: bool = False


def _roots(text: str) -> Iterator[tuple[int, _Node]]:
    """Yield the line and the root of each document."""
    top = _Node(0, "sequence")
    stack = [top]
    anchors: dict[str, _Node] = {}
    document_line = 1
    events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text)
    for seen_count, event in enumerate(events, start=1):
        line = event.start_mark.line + 1
        if seen_count > VALUES_MAX:
            raise _RefusedError(line, f"has more than {VALUES_MAX} values", "D008")
        match event:
            case DocumentStartEvent():
                document_line, top.children, anchors = line, [], {}
            case DocumentEndEvent():
                yield from ((max(document_line, root.line), root) for root in top.children[:1])
            case ScalarEvent() | MappingStartEvent() | SequenceStartEvent():
                _begin(event, line, stack, anchors)
            case MappingEndEvent() | SequenceEndEvent():
                stack.pop().is_open = False
            case AliasEvent():
                stack[-1].children.append(_aliased(event, line, anchors))
            case _:
                pass  # the stream's own start and end


def _begin(
    event: ScalarEvent | MappingStartEvent | SequenceStartEvent,
    line: int,
    stack: list[_Node],
    anchors: dict[str, _Node],
) -> None:
    if event.ctag is not None and str(event.ctag) not in {"", "None", "!"}:
        raise _RefusedError(line, f"the tag {event.ctag} is not accepted", "D009", "remove it")
    if isinstance(event, ScalarEvent):
        is_plain = event.style in {None, ""}
        value = _scalar(event.value) if is_plain else event.value
        node = _Node(line, "scalar", value, event.value)
    else:
        kind = "mapping" if isinstance(event, MappingStartEvent) else "sequence"
        node = _Node(line, kind, is_open=True)
    stack[-1].children.append(node)
    if event.anchor is not None:
        anchors[event.anchor] = node
    if node.is_open:
        stack.append(node)
        if len(stack) > DEPTH_MAX:
            message = f"is nested more than {DEPTH_MAX} levels deep"
            raise _RefusedError(line, message, "D009")


def _aliased(event: AliasEvent, line: int, anchors: Mapping[str, _Node]) -> _Node:
    node = anchors.get(event.anchor)
    if node is None:
        raise _RefusedError(line, f"the alias *{event.anchor} names nothing above", "D009")
    if node.is_open:
        raise _RefusedError(line, f"the alias *{event.anchor} contains itself", "D009")
    return node


def _scalar(text: str) -> Plain:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


class _Builder:
    """Builds the plain value of one document and notes the line of everything in it."""

    def __init__(self, source: str, faults: list[Fault]) -> None:
        self._source = source
        self._faults = faults
        self._value_count = 0
        self.line_by_path: dict[Path, int] = {}

    def plain(self, node: _Node, path: Path) -> Plain:
        # Aliases share their node, so what they expand to is counted here and not by events.
        self._value_count += 1
        if self._value_count > VALUES_MAX:
            message = f"its aliases expand to more than {VALUES_MAX} values"
            raise _RefusedError(node.line, message, "D009")
        if len(path) > DEPTH_MAX:
            message = f"is nested more than {DEPTH_MAX} levels deep"
            raise _RefusedError(node.line, message, "D009")
        self.line_by_path.setdefault(path, node.line)
        if node.kind == "scalar":
            return node.value
        if node.kind == "sequence":
            return [self.plain(child, (*path, at)) for at, child in enumerate(node.children)]
        return self._mapping(node, path)

    def _mapping(self, node: _Node, path: Path) -> Plain:
        values: dict[str, Plain] = {}
        for key, child in zip(node.children[::2], node.children[1::2], strict=True):
            if key.kind != "scalar":
                self._fault(key.line, path, "a key must be a word", "D002")
                continue
            inside = (*path, key.text)
            if key.text in values:
                first_line = self.line_by_path[inside]
                message = f"is written twice; first on line {first_line}"
                self._fault(key.line, inside, message, "D007", "keep one of them")
                continue
            self.line_by_path[inside] = key.line
            values[key.text] = self.plain(child, inside)
        return values

    def _fault(self, line: int, path: Path, message: str, code: str, hint: str = "") -> None:
        self._faults.append(Fault(self._source, line, path_text(path), message, code, hint))
