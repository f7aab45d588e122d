"""Maps frozen dataclasses to protobuf messages whose fields have the same names, and back.

The mapping is worked out once per type from its type hints and checked against the descriptor, so a
field that one side lacks is found at import and not in a log. What becomes what:

- text, numbers and booleans: scalars; a ``StrEnum`` or ``Literal``: its word;
- ``X | None``: a field with presence;
- ``tuple[X, ...]``: a repeated field; a tuple of fixed length: a message with its parts in order;
- a mapping: repeated entries sorted by key, with the parts of the key first and the value last.
"""

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal, NewType, Union, cast, get_args, get_origin, get_type_hints

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

_SCALARS = {
    str: FieldDescriptor.CPPTYPE_STRING,
    int: FieldDescriptor.CPPTYPE_INT64,
    float: FieldDescriptor.CPPTYPE_DOUBLE,
    bool: FieldDescriptor.CPPTYPE_BOOL,
}


class _Form:
    """How one type travels. ``encode`` gives a scalar or a message; ``decode`` undoes it."""

    __slots__ = ("decode", "encode")

    def __init__(self, encode: Callable[[Any], Any], decode: Callable[[Any], Any]) -> None:
        self.encode = encode
        self.decode = decode


def _same(value: Any) -> Any:  # noqa: ANN401 - a scalar of any kind
    return value


class RecordMapping:
    """The mapping between one dataclass and one message type.

    Raises:
        TypeError: At construction: the two do not fit; the message names the field.
    """

    __slots__ = ("_form",)

    def __init__(self, record: type, message: type[Message]) -> None:
        self._form = _record_form(record, cast("Descriptor", message.DESCRIPTOR))

    def encode(self, value: object) -> Message:
        """Return ``value`` as a message."""
        encoded: Message = self._form.encode(value)
        return encoded

    def decode(self, message: Message) -> Any:  # noqa: ANN401 - of the dataclass given
        """Return the value in ``message``.

        Raises:
            ValueError: A word is not one this release knows, or a part is missing.
        """
        return self._form.decode(message)


def _record_form(record: type, descriptor: Descriptor) -> _Form:
    hints = get_type_hints(record)
    names = [each.name for each in fields(record)]
    if set(names) != set(descriptor.fields_by_name):
        odd = sorted(set(names) ^ set(descriptor.fields_by_name))
        raise TypeError(f"{record.__name__} and {descriptor.full_name} differ in {odd}")
    parts = [(name, *_field_form(hints[name], descriptor.fields_by_name[name])) for name in names]
    return _message_form(GetMessageClass(descriptor), parts, record, lambda value: value)


def _message_form(
    message_class: type[Message],
    parts: list[tuple[str, Callable[[Any], Any], Callable[[Message], Any]]],
    build: Callable[..., Any],
    unpack: Callable[[Any], Any],
) -> _Form:
    encoders = [(name, encode) for name, encode, _ in parts]
    decoders = [decode for _, _, decode in parts]

    def encode(value: Any) -> Message:  # noqa: ANN401
        source = unpack(value)
        return message_class(
            **{
                name: encoded
                for name, encode_part in encoders
                if (encoded := encode_part(getattr(source, name))) is not None
            }
        )

    def decode(message: Message) -> Any:  # noqa: ANN401
        return build(*[decode_part(message) for decode_part in decoders])

    return _Form(encode, decode)


def _field_form(
    hint: Any,  # noqa: ANN401 - a type expression
    field: FieldDescriptor,
) -> tuple[Callable[[Any], Any], Callable[[Message], Any]]:
    """Return how to get the field's content from a value, and the value from a message."""
    name = field.name
    hint = _plain(hint)
    origin = get_origin(hint)
    if origin in (types.UnionType, Union):
        return _optional_form(hint, field)
    if origin is tuple and get_args(hint)[-1] is Ellipsis:
        form = _single_form(get_args(hint)[0], field)
        encode, decode = form.encode, form.decode
        if encode is _same:
            return _same, lambda message: tuple(getattr(message, name))
        return (
            lambda value: [encode(each) for each in value],
            lambda message: tuple([decode(each) for each in getattr(message, name)]),
        )
    if origin is Mapping or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return _mapping_form(hint, field)
    form = _single_form(hint, field)
    decode = form.decode
    if field.message_type is not None:

        def required(message: Message) -> Any:  # noqa: ANN401
            if not message.HasField(name):
                raise ValueError(f"{field.full_name} is missing")
            return decode(getattr(message, name))

        return form.encode, required
    return form.encode, lambda message: decode(getattr(message, name))


def _optional_form(
    hint: Any,  # noqa: ANN401
    field: FieldDescriptor,
) -> tuple[Callable[[Any], Any], Callable[[Message], Any]]:
    inner = [each for each in get_args(hint) if each is not type(None)]
    if len(inner) != 1 or not field.has_presence:
        raise TypeError(f"{field.full_name} cannot hold {hint}")
    name = field.name
    form = _single_form(inner[0], field)
    encode, decode = form.encode, form.decode
    return (
        lambda value: None if value is None else encode(value),
        lambda message: decode(getattr(message, name)) if message.HasField(name) else None,
    )


def _mapping_form(
    hint: Any,  # noqa: ANN401
    field: FieldDescriptor,
) -> tuple[Callable[[Any], Any], Callable[[Message], Any]]:
    key_hint, value_hint = get_args(hint)
    key_hints = get_args(key_hint) if get_origin(key_hint) is tuple else (key_hint,)
    is_pair = get_origin(key_hint) is tuple
    form = _tuple_form((*key_hints, value_hint), field)
    name = field.name

    def encode(value: Mapping[Any, Any]) -> list[Message]:
        keys = sorted(value)
        if is_pair:
            return [form.encode((*key, value[key])) for key in keys]
        return [form.encode((key, value[key])) for key in keys]

    def decode(message: Message) -> Mapping[Any, Any]:
        entries = [form.decode(each) for each in getattr(message, name)]
        return MappingProxyType(
            {(entry[:-1] if is_pair else entry[0]): entry[-1] for entry in entries}
        )

    return encode, decode


def _single_form(hint: Any, field: FieldDescriptor) -> _Form:  # noqa: ANN401
    hint = _plain(hint)
    if get_origin(hint) is tuple:
        return _tuple_form(get_args(hint), field)
    if get_origin(hint) is Literal:
        return _words_form({word: word for word in get_args(hint)}, field)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _words_form({each.value: each for each in hint}, field)
    if is_dataclass(hint):
        assert isinstance(hint, type), "a hint names a class, not a value"
        return _record_form(hint, _message_type(field))
    if _SCALARS.get(hint) != field.cpp_type:
        raise TypeError(f"{field.full_name} cannot hold {hint}")
    return _Form(_same, _same)


def _tuple_form(hints: tuple[Any, ...], field: FieldDescriptor) -> _Form:
    descriptor = _message_type(field)
    if len(descriptor.fields) != len(hints):
        raise TypeError(f"{descriptor.full_name} does not have {len(hints)} fields")
    names = [each.name for each in descriptor.fields]
    forms = [_field_form(hint, each) for hint, each in zip(hints, descriptor.fields, strict=True)]
    message_class = GetMessageClass(descriptor)

    def encode(value: tuple[Any, ...]) -> Message:
        return message_class(
            **{name: form[0](part) for name, form, part in zip(names, forms, value, strict=True)}
        )

    def decode(message: Message) -> tuple[Any, ...]:
        return tuple([form[1](message) for form in forms])

    return _Form(encode, decode)


def _words_form(value_by_word: Mapping[str, Any], field: FieldDescriptor) -> _Form:
    if field.cpp_type != FieldDescriptor.CPPTYPE_STRING:
        raise TypeError(f"{field.full_name} cannot hold words")

    def decode(word: str) -> Any:  # noqa: ANN401
        if word not in value_by_word:
            raise ValueError(f"{field.full_name} is {word!r}, none of {sorted(value_by_word)}")
        return value_by_word[word]

    return _Form(str, decode)


def _plain(hint: Any) -> Any:  # noqa: ANN401
    return hint.__supertype__ if isinstance(hint, NewType) else hint


def _message_type(field: FieldDescriptor) -> Descriptor:
    if field.message_type is None:
        raise TypeError(f"{field.full_name} is not a message")
    return field.message_type
