"""A digest of the state, to compare replicas: equal states give equal digests, in any process."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from hashlib import blake2b
from typing import Any

_DIGEST_BYTES = 16


def digest(value: object) -> str:
    """Return 32 hex digits that depend on a whole value, such as a state, and nothing else."""
    parts: list[str] = []
    _write(value, parts)
    return blake2b("\x1f".join(parts).encode(), digest_size=_DIGEST_BYTES).hexdigest()


def _write(value: Any, parts: list[str]) -> None:  # noqa: ANN401 - walks every type of the state
    """Append a canonical form: type names and lengths make it unambiguous."""
    if isinstance(value, Enum):
        parts.append(f"e:{value.value}")
    elif is_dataclass(value):
        parts.append(f"d:{type(value).__name__}")
        for field in fields(value):
            _write(getattr(value, field.name), parts)
    elif isinstance(value, tuple):
        parts.append(f"t:{len(value)}")
        for each in value:
            _write(each, parts)
    elif isinstance(value, Mapping):
        parts.append(f"m:{len(value)}")
        for key in sorted(value):
            _write(key, parts)
            _write(value[key], parts)
    else:
        assert value is None or isinstance(value, bool | int | float | str), type(value)
        parts.append(f"{type(value).__name__}:{value!r}")
