"""`director completion`: the shell script that completes commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from director.cli.example import example


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
@example("director completion bash > ~/.local/share/bash-completion/completions/director")
def completion(ctx: click.Context, /, *, shell: str) -> None:
    """Print the completion script for a shell."""
    script = get_completion_class(shell)
    assert script is not None, "click completes all three shells"
    root = ctx.find_root().command
    click.echo(script(root, {}, "director", "_DIRECTOR_COMPLETE").source())
