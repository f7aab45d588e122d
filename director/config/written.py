"""Models back to plain values as documents have them: ``15s`` and ``"40%"``, not 15000 and 400.

Every default is written out, so two documents that mean the same give the same values.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args, get_origin

from pydantic import BaseModel

from director.config.quantities import Written

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | float | bool"


def written(part: BaseModel) -> dict[str, Value]:
    """Return ``part`` as a document has it. What is not set, and has no default, is left out."""
    values: dict[str, Value] = {}
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        if value is not None:
            values[field.alias or name] = written_value(field, value)
    return values


def written_value(field: FieldInfo, value: object) -> Value:
    """Return a value of ``field`` as a document has it; ``value`` is not None."""
    unit = unit_of(field)
    if unit is not None and isinstance(value, int):
        return unit.write(value)
    return _plain(value)


def unit_of(field: FieldInfo) -> Written | None:
    """Return how the numbers of ``field`` are written, or None when they have no unit."""
    found = next((each for each in field.metadata if isinstance(each, Written)), None)
    return found or _unit_inside(field.annotation)


def _unit_inside(annotation: object) -> Written | None:
    """Look into types such as ``DurationMs | None``."""
    if get_origin(annotation) is Annotated:
        return next((each for each in get_args(annotation) if isinstance(each, Written)), None)
    found = (_unit_inside(each) for each in get_args(annotation))
    return next((each for each in found if each is not None), None)


def _plain(value: Any) -> Value:  # noqa: ANN401 - whatever a model holds
    if isinstance(value, BaseModel):
        return written(value)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    assert isinstance(value, str | int | float | bool), f"a document holds no {type(value)}"
    return value
