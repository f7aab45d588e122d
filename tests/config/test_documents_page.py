"""docs/documents.md, docs/schema and docs/examples are what the models say now."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from director.cli.document_files import checked
from director.config.descriptions import DESCRIPTIONS
from director.config.load import load_topology
from director.config.model import MODEL_BY_KIND
from director.config.schema import parts, schema_of, schemas
from director.config.written import unit_of, written
from tests.config.documents_page import PAGE, ROOT, page, schema_files
from tests.config.sample import ALL, CHAT, DRILL, FLEET, POLICY, SESSIONS

EXAMPLES = ROOT / "docs" / "examples"
REMEDY = "run `make docs`"


def test_the_tables_of_the_page_are_those_of_the_schema() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert page(text) == text, REMEDY


def test_the_exported_schemas_are_those_of_this_release() -> None:
    wanted = schema_files()
    found = {path: path.read_text(encoding="utf-8") for path in wanted if path.exists()}

    assert found == wanted, REMEDY
    folder = ROOT / "docs" / "schema"
    assert sorted(folder.iterdir()) == sorted(wanted)


def test_every_key_says_what_it_means() -> None:
    keys = {
        f"{name}.{field.alias or field_name}"
        for name, model in parts().items()
        for field_name, field in model.model_fields.items()
    }

    assert sorted(keys - DESCRIPTIONS.keys()) == []


def properties(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every key's own schema, at any depth."""
    if isinstance(value, dict):
        yield from value.get("properties", {}).values()
        for each in value.values():
            yield from properties(each)


@pytest.mark.parametrize("name", [*MODEL_BY_KIND, "documents"])
def test_a_default_in_the_schema_is_written_as_in_a_document(name: str) -> None:
    # An editor inserts it: a bare number where text with a unit belongs would be a fault.
    described = list(properties(schemas()[name]))

    assert len(described) > 5
    for key in described:
        default, pattern = key.get("default"), key.get("pattern")
        if key.get("type") == "string" and default is not None:
            assert isinstance(default, str), key
            assert pattern is None or re.search(pattern, default), key


def test_the_schema_of_a_service_knows_units_choices_and_limits() -> None:
    routing = schema_of("Service")["$defs"]["Routing"]["properties"]

    assert routing["ttl"]["default"] == "15s"
    assert routing["panicBelow"]["default"] == "40%"
    assert routing["ttl"]["description"].startswith("How long a client may keep")


@pytest.mark.parametrize(
    "text", [ALL, f"{ALL}---\n{DRILL}", "---\n".join((FLEET, CHAT + SESSIONS, POLICY))]
)
def test_a_document_written_out_again_means_the_same(text: str) -> None:
    for document in load_topology([("x", text)]).documents:
        assert type(document).model_validate(written(document)) == document


def test_every_number_with_a_unit_is_written_with_it() -> None:
    with_unit = [
        f"{name}.{field_name}"
        for name, model in parts().items()
        for field_name, field in model.model_fields.items()
        if unit_of(field) is not None
    ]

    assert {"Routing.ttl", "Routing.spill_at", "Link.rtt", "Sessions.max_size"} <= set(with_unit)


def examples() -> list[Path]:
    return sorted(path for path in EXAMPLES.iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", examples(), ids=lambda each: each.name)
def test_an_example_is_valid_as_a_whole(folder: Path) -> None:
    _, loaded, told = checked([str(folder)])

    assert [str(each) for each in told if each.code != "D120"] == []
    assert loaded.topology is not None


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda each: each.name)
def test_an_example_tells_editors_its_schema(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]

    modeline = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert modeline is not None, first
    schema = (path.parent / modeline[1]).resolve()
    assert schema.parent == ROOT / "docs" / "schema"
    assert json.loads(schema.read_text(encoding="utf-8"))


def test_between_them_the_examples_show_every_kind() -> None:
    assert examples()
    shown = {
        type(document).__name__
        for folder in examples()
        for document in checked([str(folder)])[1].documents
    }

    assert shown == set(MODEL_BY_KIND)
