"""The JSON Schema of the documents, with defaults as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticUndefined

from director.config.descriptions import DESCRIPTIONS
from director.config.model import MODEL_BY_KIND, AnyDocument, Part
from director.config.written import written_value

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
ALL_KINDS = "documents"


def schema_of(kind: str) -> dict[str, Any]:
    """Return the schema of one kind of document."""
    model = MODEL_BY_KIND[kind]
    schema = {"$schema": _DIALECT, **model.model_json_schema(by_alias=True)}
    _as_written(kind, schema)
    return _amended(schema)


def schema_of_all() -> dict[str, Any]:
    """Return the schema of a document of any kind."""
    adapter: TypeAdapter[Any] = TypeAdapter(AnyDocument)
    title = "Documents of the traffic director"
    schema = {"$schema": _DIALECT, "title": title, **adapter.json_schema(by_alias=True)}
    return _amended(schema)


def schemas() -> dict[str, dict[str, Any]]:
    """Return all of them by name: ``documents`` for any kind, and each kind."""
    return {ALL_KINDS: schema_of_all(), **{kind: schema_of(kind) for kind in MODEL_BY_KIND}}


def _amended(schema: dict[str, Any]) -> dict[str, Any]:
    for name, inner in schema.get("$defs", {}).items():
        _as_written(name, inner)
    return schema


def _as_written(name: str, schema: dict[str, Any]) -> None:
    """Write the defaults of one model with their units, and say what each key means."""
    model = parts().get(name)
    if model is None:
        return
    for field_name, field in model.model_fields.items():
        key = field.alias or field_name
        described = schema.get("properties", {}).get(key)
        if described is None:
            continue
        text = DESCRIPTIONS.get(f"{name}.{key}")
        if text is not None:
            described["description"] = text
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            # Its keys have defaults of their own, which stand with them.
            described["default"] = {}
        elif default is not None and default is not PydanticUndefined:
            described["default"] = written_value(field, default)
        else:
            described.pop("default", None)


def parts() -> dict[str, type[Part]]:
    """Return every model that documents are made of, by its name in the schema."""
    return {each.__name__: each for each in _below(Part)}


def _below(model: type[Part]) -> Iterator[type[Part]]:
    for each in model.__subclasses__():
        yield each
        yield from _below(each)
