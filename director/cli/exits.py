"""How a command ends: the table of exit codes, and the errors that carry them."""

from __future__ import annotations

from enum import IntEnum
from typing import IO, TYPE_CHECKING, Any

import click

from director.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping


class ExitCode(IntEnum):
    """What a script may rely on."""

    DONE = 0
    NO = 1  # the answer is "no"
    USAGE = 2  # usage, or an invalid file
    REFUSED = 3  # by a guard
    UNREACHABLE = 4  # no director, or no quorum
    TIMED_OUT = 5  # the operation still runs; its name is on stdout
    BUDGET_MISSED = 6
    CONFLICT = 7  # revision or epoch mismatch
    ABORTED = 8  # by a guard or a person
    INTERRUPTED = 130  # the operation is not cancelled


EXIT_CODE_BY_REASON: Mapping[Reason, ExitCode] = {
    Reason.NOT_LEADER: ExitCode.UNREACHABLE,
    Reason.NO_LEADER: ExitCode.UNREACHABLE,
    # Nobody could say whether it happened, which is what losing a quorum looks like from outside.
    Reason.OUTCOME_UNKNOWN: ExitCode.UNREACHABLE,
    Reason.STALENESS_BOUND_EXCEEDED: ExitCode.UNREACHABLE,
    Reason.SHUTTING_DOWN: ExitCode.UNREACHABLE,
    Reason.UNAVAILABLE: ExitCode.UNREACHABLE,
    Reason.STORAGE_FULL: ExitCode.UNREACHABLE,
    Reason.QUOTA_EXCEEDED: ExitCode.UNREACHABLE,
    Reason.STALE_EPOCH: ExitCode.CONFLICT,
    Reason.STALE_REVISION: ExitCode.CONFLICT,
    Reason.STALE_STAGE: ExitCode.CONFLICT,
    Reason.RPO_EXCEEDED: ExitCode.REFUSED,
    Reason.NO_ELIGIBLE_REGION: ExitCode.REFUSED,
    Reason.TARGET_INELIGIBLE: ExitCode.REFUSED,
    Reason.SAFETY_RULE: ExitCode.REFUSED,
    Reason.COOLDOWN: ExitCode.REFUSED,
    Reason.FAILOVER_IN_PROGRESS: ExitCode.REFUSED,
    Reason.DRILL_REFUSED: ExitCode.REFUSED,
    Reason.AUTOMATION_OFF: ExitCode.REFUSED,
    Reason.AUTOMATION_PAUSED: ExitCode.REFUSED,
    Reason.FLAP_DAMPED: ExitCode.REFUSED,
    Reason.FAILBACK_NOT_READY: ExitCode.REFUSED,
    Reason.NOTHING_TO_APPROVE: ExitCode.REFUSED,
    Reason.NOTHING_TO_DO: ExitCode.REFUSED,
    Reason.FENCED: ExitCode.REFUSED,
    Reason.RESIDENCY: ExitCode.REFUSED,
    Reason.ALL_UNHEALTHY: ExitCode.REFUSED,
    Reason.NO_OWNER: ExitCode.REFUSED,
    Reason.UNAUTHENTICATED: ExitCode.REFUSED,
    Reason.PERMISSION_DENIED: ExitCode.REFUSED,
    Reason.REGION_NOT_FOUND: ExitCode.USAGE,
    Reason.SERVICE_NOT_FOUND: ExitCode.USAGE,
    Reason.FAILOVER_NOT_FOUND: ExitCode.USAGE,
    Reason.DRILL_NOT_FOUND: ExitCode.USAGE,
    Reason.REVISION_NOT_FOUND: ExitCode.USAGE,
    Reason.POSITION_UNUSABLE: ExitCode.USAGE,
    Reason.INVALID_REQUEST: ExitCode.USAGE,
    Reason.INVALID_DOCUMENT: ExitCode.USAGE,
    Reason.STATE_CORRUPT: ExitCode.NO,
    Reason.INTERNAL: ExitCode.NO,
}


class CliError(click.ClickException):
    """A command that did not do what it was asked, said in one line and perhaps a hint.

    Attributes:
        code: What the process exits with.
        reason: The director's reason; "" when the director did not refuse.
        metadata: The values involved, as the director gave them.
    """

    def __init__(
        self,
        message: str,
        code: ExitCode,
        *,
        hint: str = "",
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint
        self.reason = reason
        self.metadata = dict(metadata or {})

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message, the reason for programs, and the hint on stderr."""
        reason = f" [{self.reason}]" if self.reason else ""
        click.echo(f"{self.message}{reason}", file=file, err=file is None)
        if self.hint:
            click.echo(self.hint, file=file, err=file is None)
