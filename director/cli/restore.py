"""`director restore`: begin anew from a copy of a data directory, without any director running."""

from __future__ import annotations

from pathlib import Path

import click

from director.cli.example import example
from director.cli.exits import CliError, ExitCode

# 2**31, far above what a restore a day could reach and far below what tokens can hold.
_GENERATION_MAX = 2_147_483_647


@click.command()
@click.option(
    "--from",
    "copy",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Copy of the data directory of a stopped replica; only read.",
)
@click.option(
    "--data-dir",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The new data directory; it must not exist.",
)
@click.option(
    "--id", "replica_id", required=True, metavar="NAME", help="The one replica to begin with."
)
@click.option(
    "--generation",
    type=click.IntRange(1, _GENERATION_MAX),
    default=1,
    help="At least this generation; needed when one copy is restored twice.  [default: the next]",
)
@example("director restore --from ./backup/d0 --data-dir ./d0 --id d0")
def restore(copy: Path, data_dir: Path, replica_id: str, generation: int) -> None:
    """Make a new data directory from a copy of one; stop every other director first."""
    # Loaded here, so that `director restore --help` does not wait for the whole server.
    from director import app  # noqa: PLC0415 - as said

    try:
        done = app.restore(copy, data_dir, replica_id, generation_min=generation)
    except app.RestoreError as error:
        raise CliError(str(error), ExitCode.USAGE) from error
    click.echo(
        f"{data_dir} holds fleet {done.fleet_id} as {done.copied_from} knew it at index "
        f"{done.index}: revision {done.revision}; generation {done.generation} starts before "
        "anybody acts"
    )
    if done.dropped_count or done.cut_bytes:
        click.echo(
            f"dropped {done.dropped_count} entries that the copy does not know to be committed, "
            f"and {done.cut_bytes} bytes that were never synced"
        )
    click.echo(
        "what was changed after the copy was made is forgotten; no token granted since is ever "
        "granted again\nbefore it starts: every other director is stopped, and its data directory "
        "out of the way"
    )
    click.echo(
        f"start it with: director serve --id {replica_id} --fleet {done.fleet_id} --data-dir "
        f"{data_dir}\nthe others join as new members, with empty directories: director serve "
        "--join ..., director cluster add ..."
    )
