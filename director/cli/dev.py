"""`director dev`: a whole fleet on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from director.cli.context_file import remove_context, write_context
from director.cli.dev_drill import drill, finish
from director.cli.example import example
from director.cli.exits import CliError, ExitCode
from director.cli.output import note
from director.dev.control import ControlError
from director.dev.directors import DirectorsError
from director.dev.session import Options, Voice, run_session
from director.dev.supervisor import FleetError, How
from director.runtime.directory_lock import DirectoryInUseError
from director.runtime.pki import PkiError
from director.runtime.signals import assert_debug

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from director.runtime.tls import TlsPaths

_CONTEXT = "dev"
_PORT_BASE = 7440


@click.group(invoke_without_command=True)
@click.option(
    "--port-base",
    type=click.IntRange(1024, 31_000),
    default=_PORT_BASE,
    show_default=True,
    help="First of 60 ports; the next free block is taken when they are in use.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep logs and state here. Without it everything is removed at the end.",
)
@click.option("--drill", "is_drill", is_flag=True, help="Carry out one drill, then stop.")
@click.option("--tls", "is_tls", is_flag=True, help="Mutual TLS everywhere, with a PKI made here.")
@click.option(
    "--how",
    type=click.Choice([str(each) for each in How]),
    default=str(How.KILL),
    show_default=True,
    help="What the drill does to the region: SIGKILL, SIGSTOP, or SIGKILL of its agent alone.",
)
@click.pass_context
@example("director dev --drill")
def dev(
    context: click.Context,
    port_base: int,
    data_dir: Path | None,
    how: str,
    *,
    is_drill: bool,
    is_tls: bool,
) -> None:
    """Run 3 directors, 4 regions, sample services and traffic on loopback.

    Nothing else is needed, and Ctrl-C leaves nothing behind.
    """
    if context.invoked_subcommand is not None:
        return
    assert_debug()
    options = Options(
        port_base, None if data_dir is None else data_dir.resolve(), is_drill, How(how), is_tls
    )
    try:
        result = asyncio.run(run_session(options, Voice(click.echo, _select)))
    except BrokenPipeError:
        raise  # the reader of our lines is gone; whoever called says what that means
    except (FleetError, ControlError, DirectoryInUseError, PkiError, OSError) as error:
        raise CliError(str(error), ExitCode.NO) from None
    except DirectorsError as error:
        raise CliError(str(error), ExitCode.UNREACHABLE, reason=error.reason) from None
    if is_drill:
        if result is None:
            raise CliError("interrupted; the region was restored first", ExitCode.INTERRUPTED)
        finish(result)


dev.add_command(drill)


def _select(addresses: Sequence[str], tls: TlsPaths | None) -> Callable[[], None] | None:
    """Make the fleet the current context until the returned function is called.

    None: the context file cannot be written, as in a read-only home; the fleet runs without.
    """
    try:
        before = write_context(_CONTEXT, addresses, tls=tls)
    except (CliError, OSError) as error:
        note(f"the context is not kept: {error}")
        return None
    return lambda: remove_context(_CONTEXT, current=before)
