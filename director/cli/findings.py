"""What a check found: a line each, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is. Only FAIL makes a check fail."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a check.

    Attributes:
        category: Such as "quorum".
        message: What was found, with its values.
        hint: What to do; "" when all is well.

    Invariant: whatever is not OK has a hint.
    """

    category: str
    level: Level
    message: str
    hint: str = ""

    def __post_init__(self) -> None:
        """Hold the invariant."""
        assert (self.level is Level.OK) == (not self.hint), "a hint says what to do about trouble"


def ok(category: str, message: str) -> Finding:
    """All is well."""
    return Finding(category, Level.OK, message)


def warn(category: str, message: str, hint: str) -> Finding:
    """Nothing is broken; somebody should know."""
    return Finding(category, Level.WARN, message, hint)


def fail(category: str, message: str, hint: str) -> Finding:
    """Something is broken, or would break with the next fault."""
    return Finding(category, Level.FAIL, message, hint)
