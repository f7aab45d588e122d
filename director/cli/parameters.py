"""Kinds of argument: durations, points on Earth, and options that travel together."""

from __future__ import annotations

from dataclasses import fields
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from director.runtime.durations import parse_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    _Decorator = Callable[[Callable[..., None]], Callable[..., None]]

_P = ParamSpec("_P")
_Bundle = TypeVar("_Bundle")


class DurationType(click.ParamType[int]):
    """``5s`` or ``1500ms``; milliseconds inside."""

    name = "duration"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - whatever click passes
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """Return the milliseconds, or fail saying what is right."""
        if isinstance(value, int):
            return value
        try:
            return parse_ms(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class PointType(click.ParamType[tuple[float, float]]):
    """``LAT,LON`` in degrees."""

    name = "lat,lon"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - whatever click passes
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[float, float]:
        """Return latitude and longitude; whether they are on Earth is the director's to say."""
        if isinstance(value, tuple):
            return value
        parts = str(value).split(",")
        try:
            latitude, longitude = (float(part) for part in parts)
        except ValueError:
            self.fail(f"{value!r} is not LAT,LON in degrees, such as 48.85,2.35", param, ctx)
        return latitude, longitude


DURATION = DurationType()
POINT = PointType()


def bundled(name: str, bundle: type[_Bundle], *options: _Decorator) -> _Decorator:
    """Return a decorator that adds ``options`` and passes their values as one dataclass.

    Each option's name is a field of ``bundle``; the function gets the value as ``name``.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def call(**values: Any) -> None:  # noqa: ANN401 - whatever click passes
            own = {each.name: values.pop(each.name) for each in fields(bundle)}  # type: ignore[arg-type]
            function(**values, **{name: bundle(**own)})

        decorated: Callable[..., None] = call
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate
