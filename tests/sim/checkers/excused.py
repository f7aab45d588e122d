"""A stand-in for a checker whose promise a scenario breaks on purpose: it counts, and goes on."""

from collections.abc import Callable
from typing import Any

from tests.sim.checkers.watch import Watch


class Excused:
    """Passes everything on to a checker, and keeps what that would have raised.

    Attributes:
        said: What the checker found, oldest first.
    """

    def __init__(self, checker: object) -> None:
        self.said: list[str] = []
        self._checker = checker

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._checker, name)
        return self._noting(value) if callable(value) else value

    def _noting(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*given: Any, **named: Any) -> Any:
            try:
                return ask(*given, **named)
            except AssertionError as error:
                self.said.append(str(error))
                return None

        return asked


def excuse(watch: Watch, *names: str) -> dict[str, Excused]:
    """Have the checkers of these names speak no more; return what stands in for them."""
    excused = {name: Excused(getattr(watch, name)) for name in names}
    for name, stand_in in excused.items():
        setattr(watch, name, stand_in)
    return excused
