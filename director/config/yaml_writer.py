"""Plain values in, YAML documents out, always in the same form. Imports no models."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Sequence

# Wide enough that an address or a note stays on one line.
_LINE_WIDTH = 200


def to_yaml(values: Sequence[dict[str, Any]]) -> str:
    """Return YAML documents in a stable form."""
    yaml = YAML()
    yaml.explicit_start = False
    yaml.width = _LINE_WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    texts = []
    for value in values:
        stream = StringIO()
        yaml.dump(value, stream)
        texts.append(stream.getvalue())
    return "---\n".join(texts)
