"""The example that every command's help shows after its one line."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Function = TypeVar("_Function", bound="Callable[..., Any]")

# Click keeps the lines of a paragraph as they are when it begins with this character.
_VERBATIM = "\x08"


def example(command_line: str) -> Callable[[_Function], _Function]:
    """Return a decorator that adds an example to the help of a command."""

    def decorate(function: _Function) -> _Function:
        said = inspect.cleandoc(function.__doc__ or "")
        function.__doc__ = f"{said}\n\n{_VERBATIM}\nExample:\n  {command_line}\n"
        return function

    return decorate
