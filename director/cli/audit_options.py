"""The options of `director check` that are about the audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from director.cli.parameters import bundled


@dataclass(frozen=True, slots=True)
class AuditAsked:
    """What is to be checked of the trail.

    Attributes:
        is_wanted: At every director.
        file: An export, in place of everything else; None for none.
    """

    is_wanted: bool
    file: Path | None


auditing = bundled(
    "audit",
    AuditAsked,
    click.option(
        "--audit", "is_wanted", is_flag=True, help="Does the audit trail hold everywhere?"
    ),
    click.option(
        "--file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="With --audit: only check this export of the trail.",
    ),
)
