"""A digest of the state, to compare replicas: equal states give equal digests, in any process."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from hashlib import blake2b
from typing import Any

from director.core.audit import AuditLog

_DIGEST_BYTES = 16
_TEXT_CHARS_MAX = 256


def digest(value: object) -> str:
    """Return 32 hex digits that depend on a whole value, such as a state, and nothing else."""
    parts: list[str] = []
    _write(value, parts)
    return _hash("\x1f".join(parts))


def _hash(text: str) -> str:
    encoded = text.encode(errors="surrogatepass")
    return blake2b(encoded, digest_size=_DIGEST_BYTES).hexdigest()


def _write(value: Any, parts: list[str]) -> None:  # noqa: ANN401 - walks every type of the state
    """Append a canonical form: type names and lengths make it unambiguous."""
    if isinstance(value, AuditLog):
        # Its head stands for every record: thousands, in each digest of a state.
        parts.append(f"a:{value.count}:{value.head}:{len(value.records)}")
    elif isinstance(value, Enum):
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
    elif isinstance(value, str):
        # Not its repr: which characters that escapes differs between releases of Python. And a
        # whole document is hashed at once, in a tenth of the time.
        shown = value if len(value) <= _TEXT_CHARS_MAX else _hash(value)
        parts.append(f"s:{len(value)}:{shown}")
    else:
        assert value is None or isinstance(value, bool | int | float), type(value)
        parts.append(f"{type(value).__name__}:{value!r}")
