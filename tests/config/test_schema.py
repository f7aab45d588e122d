"""The exported JSON Schema accepts what the director accepts, as an editor reads it.

The checker below knows the words of JSON Schema that ours use, and fails on any other.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from director.config.model import MODEL_BY_KIND
from director.config.schema import schema_of, schema_of_all
from director.config.schema_faults import validate_document
from director.config.yaml_text import YamlDocument, parse_documents
from tests.config.sample import ALL, CHAT, DRILL, FLEET, POLICY, SESSIONS
from tests.config.test_codes import WITH_WEBHOOK

SCHEMA_BY_KIND = {kind: schema_of(kind) for kind in MODEL_BY_KIND}
SCHEMA_OF_ALL = schema_of_all()
EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
SAID_ONLY = {"title", "description", "examples", "default", "$schema", "$defs", "format"}
TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}
NUMBER = (int, float)
LIMITS: Mapping[str, tuple[type | tuple[type, ...], Callable[[Any, Any], bool]]] = {
    "minimum": (NUMBER, lambda value, wanted: value >= wanted),
    "maximum": (NUMBER, lambda value, wanted: value <= wanted),
    "exclusiveMinimum": (NUMBER, lambda value, wanted: value > wanted),
    "minLength": (str, lambda value, wanted: len(value) >= wanted),
    "maxLength": (str, lambda value, wanted: len(value) <= wanted),
    "minItems": (list, lambda value, wanted: len(value) >= wanted),
    "maxItems": (list, lambda value, wanted: len(value) <= wanted),
    "maxProperties": (dict, lambda value, wanted: len(value) <= wanted),
    # Their own case above speaks of values of their own type only.
    **dict.fromkeys(
        ("pattern", "properties", "required", "additionalProperties", "items", "prefixItems"),
        ((), lambda *_: True),
    ),
}


def wrong(  # noqa: C901, PLR0912 - one line for each word
    value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]
) -> Iterator[str]:
    """Yield what the schema says against ``value``."""
    for word, wanted in schema.items():
        if word in SAID_ONLY:
            continue
        match word:
            case "$ref":
                yield from wrong(value, root["$defs"][wanted.rpartition("/")[2]], root)
            case "anyOf":
                if all(list(wrong(value, each, root)) for each in wanted):
                    yield f"{value!r} is none of them"
            case "type":
                yield from _type(value, wanted)
            case "const" | "enum":
                if value not in ([wanted] if word == "const" else wanted):
                    yield f"{value!r} is not {wanted}"
            case "pattern" if isinstance(value, str):
                if not re.search(wanted, value):
                    yield f"{value!r} does not match {wanted}"
            case "properties" | "required" | "additionalProperties" if isinstance(value, dict):
                yield from _block(value, word, schema, root)
            case "items" | "prefixItems" if isinstance(value, list):
                parts = wanted if word == "prefixItems" else [wanted] * len(value)
                for each, part in zip(value, parts, strict=False):
                    yield from wrong(each, part, root)
            case _:
                yield from _limit(value, word, wanted)


def _type(value: Any, wanted: str) -> Iterator[str]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if wanted in ("number", "integer"):
        fits = is_number and (wanted == "number" or isinstance(value, int))
    else:
        fits = isinstance(value, TYPES[wanted])
    if not fits:
        yield f"{value!r} is no {wanted}"


def _block(
    value: dict[str, Any], word: str, schema: Mapping[str, Any], root: Mapping[str, Any]
) -> Iterator[str]:
    properties = schema.get("properties", {})
    if word == "properties":
        for key in value.keys() & properties.keys():
            yield from wrong(value[key], properties[key], root)
    elif word == "required":
        yield from (f"{key} is missing" for key in schema["required"] if key not in value)
    elif schema["additionalProperties"] is False:
        yield from (f"{key} is not known" for key in value if key not in properties)
    else:
        for key in value.keys() - properties.keys():
            yield from wrong(value[key], schema["additionalProperties"], root)


def _limit(value: Any, word: str, wanted: int) -> Iterator[str]:
    """Check a limit; one on another type says nothing."""
    if isinstance(value, bool):
        return
    kind, fits = LIMITS[word]
    if isinstance(value, kind) and not fits(value, wanted):
        yield f"{value!r} breaks {word} {wanted}"


def documents(text: str) -> tuple[YamlDocument, ...]:
    parsed, faults = parse_documents("x", text)
    assert faults == ()
    return parsed


def faults_of(document: YamlDocument) -> tuple[list[str], list[str]]:
    """Return what the schema of its kind, and the one of all kinds, say against it."""
    value = document.value
    assert isinstance(value, dict)
    own, whole = SCHEMA_BY_KIND[str(value["kind"])], SCHEMA_OF_ALL
    return list(wrong(value, own, own)), list(wrong(value, whole, whole))


SOUND = {
    "the sample": "---\n".join((ALL, DRILL)),
    "sessions": "---\n".join((FLEET, CHAT + SESSIONS, POLICY)),
    "webhooks": WITH_WEBHOOK,
    **{path.name: path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.rglob("*.yaml"))},
}


@pytest.mark.parametrize("name", SOUND)
def test_what_the_director_accepts_no_editor_underlines(name: str) -> None:
    for document in documents(SOUND[name]):
        assert faults_of(document) == ([], [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    ttl: 15s", "    tll: 15s"),
        ("    ttl: 15s", "    ttl: 15"),
        ("    ttl: 15s", "    ttl: soon"),
        ('    panicBelow: "40%"', "    panicBelow: 0.4"),
        ("    strategy: Nearest", "    strategy: nearby"),
        ("    fall: 3", "    fall: 0"),
        ("    fall: 3", '    fall: "3"'),
        ("  objectives: {rto: 60s, rpo: 5s", "  objectives: {rpo: 5s"),
        ("  mode: ActivePassive", "  mode: Passive"),
        ("lat: 33.2", "lat: 91"),
        ("  gate: false", "  gate: 1"),
        ("allow: {jurisdiction: [EU]}", "allow: {jurisdiction: []}"),
    ],
)
def test_what_the_schema_can_say_it_says_before_the_director_does(old: str, new: str) -> None:
    assert ALL.count(old) >= 1
    bad = [
        each for each in documents(ALL.replace(old, new, 1)) if validate_document(each)[0] is None
    ]

    [document] = bad
    own, whole = faults_of(document)
    assert own
    assert whole


@pytest.mark.parametrize("text", ["1h30m", "4.8s", "500ms", "0s", "7d"])
def test_every_way_to_write_a_duration_passes_the_schema(text: str) -> None:
    policy = documents(POLICY.replace("hold: 0s", f"hold: {text}"))[0]

    assert validate_document(policy)[0] is not None
    assert faults_of(policy) == ([], [])


def test_there_is_a_schema_of_every_kind() -> None:
    assert set(MODEL_BY_KIND) <= set(SCHEMA_OF_ALL["$defs"])
