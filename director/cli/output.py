"""What a command prints on stdout, in the form asked for: table, wide, json, yaml or name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from google._upb._message import FieldDescriptor as UpbFieldDescriptor
    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message

    _Field = FieldDescriptor | UpbFieldDescriptor

API_VERSION = "trafficdirector/v1"


class Form(StrEnum):
    """Forms of output."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Printed:
    """One answer in all its forms.

    Attributes:
        kind: Word for the ``kind`` of the JSON and YAML envelope.
        value: What the envelope holds.
        names: Lines of ``-o name``.
        lines: Makes the lines for people, in the table or the wide form.
    """

    kind: str
    value: dict[str, Any]
    names: Sequence[str]
    lines: Callable[[Form], Iterable[str]]

    def echo(self, form: Form) -> None:
        """Print it."""
        match form:
            case Form.TABLE | Form.WIDE:
                for line in self.lines(form):
                    click.echo(line)
            case Form.NAME:
                for name in self.names:
                    click.echo(name)
            case Form.JSON:
                click.echo(json.dumps(self._enveloped(), indent=2, ensure_ascii=False))
            case Form.YAML:
                from director.config.yaml_writer import to_yaml  # noqa: PLC0415 - loaded only when it is needed

                click.echo(to_yaml([self._enveloped()]), nl=False)

    def _enveloped(self) -> dict[str, Any]:
        return {"apiVersion": API_VERSION, "kind": self.kind, **self.value}


def message_dict(message: Message) -> dict[str, Any]:
    """Return every field by its proto name. One that can be absent is left out when it is.

    Unlike protobuf's own JSON, 64-bit integers stay numbers: ours are indices and counts far
    below 2^53, and scripts compare them.
    """
    values: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        if field.has_presence and not message.HasField(field.name):
            continue
        value = getattr(message, field.name)
        if _is_map(field):
            values[field.name] = {str(key): value[key] for key in sorted(value)}
        elif field.is_repeated:
            values[field.name] = [_plain(field, each) for each in value]
        else:
            values[field.name] = _plain(field, value)
    return values


def _is_map(field: _Field) -> bool:
    inside = field.message_type
    return inside is not None and bool(inside.GetOptions().map_entry)


def _plain(field: _Field, value: object) -> Any:  # noqa: ANN401 - any JSON value
    if field.message_type is not None:
        return message_dict(cast("Message", value))
    if field.enum_type is not None:
        return field.enum_type.values_by_number[cast("int", value)].name
    return value


def echo_change(form: Form, kind: str, value: dict[str, Any], line: str) -> None:
    """Print what a change came to: ``line`` for people, ``value`` for programs."""
    Printed(kind, value, [], lambda _: [line]).echo(form)


def note(text: str) -> None:
    """Print progress or a hint: on stderr, so that stdout stays data."""
    click.echo(text, err=True)
