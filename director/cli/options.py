"""Options that many commands share, so that they are called and work the same everywhere."""

from __future__ import annotations

import getpass
import os
import sys
import uuid
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from director.cli.connection import DEFAULT_ENDPOINT, Connection, endpoints_from, tls_from
from director.cli.exits import CliError, ExitCode
from director.cli.output import Form, note
from director.cli.parameters import DURATION, bundled
from director.cli.tls_options import TLS_OPTIONS, TlsFlags
from director.runtime.loopback import ensure_loopback
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _tell_of_plain_text(endpoints: Sequence[str]) -> None:
    """Say where no TLS is used across machines: an endpoint given by hand leaves a context's."""
    exposed = [each for each in endpoints if not _is_loopback(each)]
    if exposed:
        note(
            f"{', '.join(exposed)}: spoken to in plain text; give --tls-cert, --tls-key, --tls-ca "
            "and --trust-domain, or --context NAME of one that has them"
        )


def _is_loopback(endpoint: str) -> bool:
    try:
        ensure_loopback(endpoint)
    except ValueError:
        return False
    return True


def connected(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say where the directors are, and pass a ``connection``."""

    @wraps(function)
    def call(**values: Any) -> None:  # noqa: ANN401 - whatever click parsed
        given, context = values.pop("endpoint"), values.pop("context")
        flags = TlsFlags(*(values.pop(each.name) for each in fields(TlsFlags)))
        endpoints, source = endpoints_from(given, context or "")
        deadline_ms = values.pop("deadline_ms")
        if deadline_ms < 1:
            raise click.BadParameter("it must be longer than 0", param_hint="'--deadline'")
        tls = tls_from(flags, given, context or "")
        if tls is None:
            _tell_of_plain_text(endpoints)
        connection = Connection(endpoints, deadline_ms=deadline_ms, source=source, tls=tls)
        try:
            function(**values, connection=connection)
        finally:
            connection.close()

    decorated: Callable[..., None] = call
    for option in (
        *reversed(TLS_OPTIONS),
        click.option(
            "--deadline",
            "deadline_ms",
            type=DURATION,
            default="10s",
            envvar="DIRECTOR_DEADLINE",
            show_default=True,
            help="Longest wait for one answer.",
        ),
        click.option(
            "--context",
            metavar="NAME",
            envvar="DIRECTOR_CONTEXT",
            help="Endpoints kept under this name in the context file.",
        ),
        click.option(
            "--endpoint",
            multiple=True,
            metavar="HOST:PORT",
            help=f"A director; repeat for several.  [default: {DEFAULT_ENDPOINT}]",
        ),
    ):
        decorated = option(decorated)
    return decorated


def formatted(*forms: Form) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add ``-o`` with these forms, passed as ``form``."""
    choices = forms or tuple(Form)

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def call(**values: Any) -> None:  # noqa: ANN401 - whatever click parsed
            form = Form(values.pop("output"))
            function(**values, form=form)

        return click.option(
            "-o",
            "--output",
            type=click.Choice([each.value for each in choices]),
            default=choices[0].value,
            envvar="DIRECTOR_OUTPUT",
            show_default=True,
            help="Form of the answer on stdout.",
        )(call)

    return decorate


# For a change that is answered in one line.
change_form = formatted(Form.TABLE, Form.JSON, Form.YAML)


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """What every change carries."""

    reason: str
    dry_run: bool

    def message(self, *, validate_only: bool | None = None) -> admin.Change:
        """Return it for the wire, with an id by which a repetition is recognised."""
        return admin.Change(
            request_id=uuid.uuid4().hex,
            actor=_actor(),
            reason=self.reason,
            validate_only=self.dry_run if validate_only is None else validate_only,
        )


force_capacity = click.option(
    "--force-capacity",
    "is_forced",
    is_flag=True,
    help="Do it although the rest may not carry the load; the reason says why.",
)


def _actor() -> str:
    given = os.environ.get("DIRECTOR_ACTOR", "")
    if given:
        return given
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # no entry for this user id, as in a container
        return f"uid-{os.getuid()}"
    # The name by which the trail means the director itself; often its daemons run under it.
    return "user-director" if name.lower() == "director" else name


_REQUIRED_REASON = click.option(
    "--reason", required=True, metavar="TEXT", help="Why; kept in the audit trail."
)
_OPTIONAL_REASON = click.option(
    "--reason", default="", metavar="TEXT", help="Why; kept in the audit trail."
)


def changing(*, is_reason_required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add ``--reason`` and ``--dry-run``, passed as ``change``."""
    return bundled(
        "change",
        ChangeOptions,
        _REQUIRED_REASON if is_reason_required else _OPTIONAL_REASON,
        click.option("--dry-run", is_flag=True, help="Check and answer, change nothing."),
    )


def is_interactive() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, is_agreed: bool) -> None:
    """Ask y/N unless ``--yes`` was given.

    Raises:
        CliError: The answer is no, or there is no terminal to ask on.
    """
    if is_agreed:
        return
    if not is_interactive():
        message = "this asks for confirmation and there is no terminal"
        raise CliError(message, ExitCode.USAGE, hint="give --yes to go ahead")
    if not click.confirm(question, err=True):
        raise CliError("nothing was changed", ExitCode.NO)
