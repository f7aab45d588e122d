"""`director agent`: becomes the agent of one region, which is a program of its own."""

from __future__ import annotations

import os
import sys

import click

from director.cli.example import example


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@example("director agent --config agent.yaml")
def agent(*, arguments: tuple[str, ...]) -> None:
    """Run the agent of one region; every option is the agent's own."""
    # The director never imports the agent, so that neither can come to depend on the other.
    # Replacing this process keeps its pid, signals and exit code the agent's.
    os.execv(sys.executable, [sys.executable, "-m", "regions", *arguments])  # noqa: S606 - it becomes the agent
