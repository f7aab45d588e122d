"""What is wrong in a document: one fault, one line, with what would be right."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]
"""Where in a document: keys and list positions from its top."""

_SHOWN_MAX = 8


class Severity(StrEnum):
    """Whether a fault keeps the documents from being applied."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong, in one place.

    Attributes:
        file: Name of the source, as the caller gave it.
        line: From 1; 0 when there is no line, as for a missing document.
        path: Such as ``spec.regions[0].name``; empty for a whole document.
        code: Stable; people search for it and programs branch on it.
        hint: What would be right; empty when the message already says so.
    """

    file: str
    line: int
    path: str
    message: str
    code: str
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        place = f" {self.path}:" if self.path else ""
        warning = "warning: " if self.severity is Severity.WARNING else ""
        hint = f" -> {self.hint}" if self.hint else ""
        return f"{where}:{place} {warning}{self.message} [{self.code}]{hint}"


def path_text(path: Path) -> str:
    """Return ``path`` as people read it: ``spec.regions[0].name``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def suggestion(wrong: str, allowed: Iterable[str]) -> str:
    """Return "did you mean ...?" when something allowed looks like ``wrong``, else the choices."""
    choices = sorted(set(allowed))
    # Case is the commonest typo of all, and difflib counts it as a wrong letter.
    by_lower = {choice.lower(): choice for choice in choices}
    close = get_close_matches(wrong.lower()[:80], by_lower, n=1, cutoff=0.6)
    if close:
        return f"did you mean {by_lower[close[0]]!r}?"
    if not choices:
        return ""
    shown = ", ".join(choices[:_SHOWN_MAX])
    more = f" and {len(choices) - _SHOWN_MAX} more" if len(choices) > _SHOWN_MAX else ""
    return f"one of {shown}{more}"
