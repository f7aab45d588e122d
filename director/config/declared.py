"""A document and its surroundings, as the semantic checks look at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from director.config.faults import Fault, Path, Severity, path_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from director.config.model import AnyDocument, FailoverPolicy, FleetRegion
    from director.config.yaml_text import YamlDocument
    from director.core.timing import Timing


@dataclass(frozen=True, slots=True)
class Declared:
    """A document with its lines. ``model`` is None when the schema refused it."""

    text: YamlDocument
    model: AnyDocument | None

    @property
    def kind(self) -> str:
        """The kind it says it is."""
        value = self.text.value
        return str(value.get("kind")) if isinstance(value, dict) else ""

    @property
    def name(self) -> str:
        """The name it says it has; "" when it has none."""
        value = self.text.value
        metadata = value.get("metadata") if isinstance(value, dict) else None
        return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""

    def fault(
        self,
        path: Path,
        message: str,
        code: str,
        hint: str = "",
        *,
        severity: Severity = Severity.ERROR,
    ) -> Fault:
        """Return a fault at ``path`` of this document."""
        line = self.text.line_at(path)
        return Fault(self.text.source, line, path_text(path), message, code, hint, severity)

    def warning(self, path: Path, message: str, code: str, hint: str = "") -> Fault:
        """Return a fault that does not keep the documents from being applied."""
        return self.fault(path, message, code, hint, severity=Severity.WARNING)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the documents say of each other.

    Attributes:
        regions: By name; None when the fleet is missing or refused, so nothing is known.
        policies: The model by name; None for one that its schema refused.
        rtt_us_by_pair: Declared links, in both directions.
    """

    timing: Timing
    regions: Mapping[str, FleetRegion] | None
    policies: Mapping[str, FailoverPolicy | None]
    rtt_us_by_pair: Mapping[tuple[str, str], int]
