"""What the models refuse, told as faults: the line, the value, and what would be right."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel, ValidationError

from director.config.faults import Fault, Path, path_text, suggestion
from director.config.model import API_VERSION, MODEL_BY_KIND
from director.config.quantities import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from director.config.model import AnyDocument
    from director.config.yaml_text import YamlDocument

_WANTED_BY_TYPE = {
    "bool_type": "true or false",
    "dict_type": "a block of keys and values",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_type": "a whole number",
    "model_type": "a block of keys and values",
    "string_type": "text; put it in quotes",
    "tuple_type": "a list",
}
_WANTED_BY_LIMIT = {
    "greater_than": ("gt", "must be more than {}"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "too_long": ("max_length", "must have at most {} entries"),
    "too_short": ("min_length", "must have at least {} entries"),
    "string_too_long": ("max_length", "must have at most {} characters"),
    "string_pattern_mismatch": ("pattern", "must match {}"),
}


def validate_document(document: YamlDocument) -> tuple[AnyDocument | None, tuple[Fault, ...]]:
    """Return the model of ``document``, or None and everything that the schema refuses."""
    model, faults = _model_of(document)
    if model is None:
        return None, faults
    try:
        return model.model_validate(document.value), ()
    except ValidationError as error:
        return None, tuple(_faults(document, model, error))


def _model_of(document: YamlDocument) -> tuple[type[AnyDocument] | None, tuple[Fault, ...]]:
    if not isinstance(document.value, dict):
        hint = "apiVersion, kind, metadata and spec"
        message = "a document must be a block of keys and values"
        return None, (Fault(document.source, document.line, "", message, "D002", hint),)
    kind = document.value.get("kind")
    if kind is None:
        hint = f"kind: one of {', '.join(MODEL_BY_KIND)}"
        return None, (Fault(document.source, document.line, "kind", "is missing", "D003", hint),)
    model = MODEL_BY_KIND.get(kind) if isinstance(kind, str) else None
    if model is None:
        line = document.line_at(("kind",))
        message = f"{shown(kind)} is not a kind of document"
        hint = suggestion(str(kind), MODEL_BY_KIND)
        return None, (Fault(document.source, line, "kind", message, "D003", hint),)
    return model, ()


def _faults(
    document: YamlDocument, model: type[BaseModel], error: ValidationError
) -> Iterator[Fault]:
    for detail in error.errors(include_url=False):
        path: Path = tuple(detail["loc"])
        message, code, hint = _told(model, path, detail)
        # Pydantic ends the place of a bad mapping key with this marker.
        shown_path = tuple(step for step in path if step != "[key]")
        line = document.line_at(shown_path)
        yield Fault(document.source, line, path_text(shown_path), message, code, hint)


def _told(model: type[BaseModel], path: Path, detail: ErrorDetails) -> tuple[str, str, str]:
    """Return message, code and hint."""
    kind, context = detail["type"], detail.get("ctx", {})
    match kind:
        case "refused":
            return context["text"], context["code"], context["hint"]
        case "extra_forbidden":
            told = "unknown key", "D004", suggestion(str(path[-1]), _keys(model, path[:-1]))
        case "missing":
            told = "is missing", "D005", _hint_for_missing(path)
        case "enum" | "literal_error":
            told = _not_a_choice(path, detail["input"], str(context["expected"]))
        case _ if kind in _WANTED_BY_LIMIT:
            key, template = _WANTED_BY_LIMIT[kind]
            limit = template.format(context[key])
            told = f"{limit}, not {shown(detail['input'])}", "D006", ""
        case _ if kind in _WANTED_BY_TYPE:
            told = f"{shown(detail['input'])} is of the wrong type", "D006", _WANTED_BY_TYPE[kind]
        case _:
            told = f"{shown(detail['input'])} is refused: {detail['msg'].lower()}", "D006", ""
    return told


def _not_a_choice(path: Path, given: object, expected: str) -> tuple[str, str, str]:
    if path == ("apiVersion",):
        return f"{shown(given)} is not a known version", "D003", API_VERSION
    # The choices are the quoted words of pydantic's "'A', 'B' or 'C'".
    hint = suggestion(str(given), expected.split("'")[1::2])
    return f"{shown(given)} is not allowed", "D006", hint


def _hint_for_missing(path: Path) -> str:
    if path == ("apiVersion",):
        return f"apiVersion: {API_VERSION}"
    return f"add {path[-1]}" if isinstance(path[-1], str) else ""


def _keys(model: type[BaseModel], path: Path) -> list[str]:
    """Return the keys allowed at ``path`` below ``model``."""
    here: type[BaseModel] | None = model
    for step in path:
        if here is None:
            return []
        if isinstance(step, int):
            continue
        found = next((each for each in here.model_fields.values() if each.alias == step), None)
        here = _model_inside(found.annotation) if found is not None else None
    return [each.alias or "" for each in here.model_fields.values()] if here is not None else []


def _model_inside(annotation: object) -> type[BaseModel] | None:
    """Return the model that an annotation such as ``tuple[Model, ...] | None`` is about."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(
        (found for each in get_args(annotation) if (found := _model_inside(each)) is not None),
        None,
    )
