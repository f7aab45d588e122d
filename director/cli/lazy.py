"""A group that knows its commands by name and one line each, and imports one when it is called.

``director --help`` therefore needs neither gRPC nor pydantic, and starts in a tenth of the time.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from director.cli.exits import CliError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Lazy(NamedTuple):
    """Where a command is written, and what it does in one line."""

    target: str  # "package.module:attribute"
    help: str


class LazyGroup(click.Group):
    """Commands in sections, each imported when it is called."""

    def __init__(self, *, sections: Mapping[str, Mapping[str, Lazy]], **attributes: Any) -> None:  # noqa: ANN401 - whatever click passes
        super().__init__(**attributes)
        self._sections = sections
        self._lazy_by_name = {
            name: lazy for section in sections.values() for name, lazy in section.items()
        }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help."""
        del ctx
        return list(self._lazy_by_name)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module and return it."""
        del ctx
        lazy = self._lazy_by_name.get(cmd_name)
        if lazy is None:
            return None
        module_name, _, attribute = lazy.target.partition(":")
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name != module_name:
                raise
            message = f"`director {cmd_name}` is not part of this installation"
            hint = f"the module {module_name} is missing"
            raise CliError(message, ExitCode.USAGE, hint=hint) from error
        command: click.Command = getattr(module, attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that ``args`` begin with, or say which one was meant."""
        if args and args[0] not in self._lazy_by_name and not args[0].startswith("-"):
            close = get_close_matches(args[0], self._lazy_by_name, n=1)
            meant = f"; did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"no such command {args[0]!r}{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section, from the lines given here."""
        del ctx
        for title, section in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, lazy.help) for name, lazy in section.items()])


class RootGroup(LazyGroup):
    """The outermost group: turns every way to end into the exit code of the table."""

    def main(  # type: ignore[override] # click has two overloads, of which scripts need one
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,  # noqa: ANN401 - whatever click passes
    ) -> NoReturn:
        """Run the command line and exit."""
        extra.pop("standalone_mode", None)
        try:
            code = super().main(args, prog_name or "director", standalone_mode=False, **extra)
        except CliError as error:
            error.show()
            code = error.code
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except click.Abort:
            code = ExitCode.INTERRUPTED
        except BrokenPipeError:
            # The reader, such as `head`, has seen enough.
            code = ExitCode.DONE
        except OSError as error:
            code = _said(error)
        raise SystemExit(int(code) if isinstance(code, int) else 0)


def _said(error: OSError) -> ExitCode:
    """Say what this machine could not do, such as write to a full disk; lose no more on exit."""
    about = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, (str, bytes)) else ""
    click.echo(f"{error.strerror or error}{about}", err=True)
    if error.errno == errno.ENOSPC:
        # What is still buffered would fail again while Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    return ExitCode.NO
