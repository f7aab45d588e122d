"""The base of errors that a program can read, for packages below the service layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


class ReasonedError(Exception):
    """An error raised on purpose, with a stable reason and the values involved.

    Attributes:
        reason: What went wrong, in UPPER_SNAKE_CASE, for programs. Never renamed.
        metadata: The values involved. Keys are lowerCamelCase and carry the unit.
    """

    reason: ClassVar[str]

    def __init__(self, message: str, **metadata: str | int) -> None:
        super().__init__(message)
        self.metadata: Mapping[str, str] = {key: str(value) for key, value in metadata.items()}
