"""The command ``region-agent`` (``python -m regions``)."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import uvloop

from director.runtime import logs
from director.runtime.errors import ReasonedError
from director.runtime.hardening import harden
from director.runtime.logs import get_logger
from director.runtime.signals import assert_debug, stop_event
from regions.app.process import AgentProcess
from regions.app.shell import PROBE_TASK_FAILED
from regions.config import AgentConfig, load_config

_EXIT_INVALID = 2
_EXIT_FAILED = 1


@click.command(
    epilog="Example:  python -m regions --config agent.yaml",
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "REGION_AGENT"},
)
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The configuration, in YAML.",
)
@click.option("--region", help="Instead of the file's region.")
@click.option("--id", "agent_id", help="Instead of the file's id.")
@click.option("--directors", metavar="ADDRESS,...", help="Instead of the file's directors.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Instead of the file's data_dir.")
@click.option("--check", is_flag=True, help="Check the configuration and end.")
@click.option(
    "--log-json/--log-text",
    default=None,
    help="JSON lines or key=value. Left out: JSON unless on a terminal.",
)
@click.option("--log-level", type=click.Choice(logs.LEVELS), default="info", show_default=True)
def main(  # noqa: PLR0913 - one parameter per flag
    *,
    path: Path,
    region: str | None,
    agent_id: str | None,
    directors: str | None,
    data_dir: Path | None,
    check: bool,
    log_json: bool | None,
    log_level: str,
) -> None:
    """Guard the services of one region: probe, report, hold the gate, answer resolves."""
    assert_debug()
    harden()
    given: dict[str, object | None] = {
        "region": region,
        "id": agent_id,
        "directors": None if directors is None else directors.split(","),
        "data_dir": data_dir,
    }
    overrides = {key: value for key, value in given.items() if value is not None}
    config = _config(path, overrides)
    if check:
        click.echo(f"{path}: ok")
        return
    logs.configure(json=log_json, level=log_level, region_id=config.region, agent_id=config.id)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(_run(config)))


def _config(path: Path, overrides: Mapping[str, object]) -> AgentConfig:
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        click.echo(f"{path}:0: cannot be read: {error.strerror or error}", err=True)
        sys.exit(_EXIT_INVALID)
    except UnicodeDecodeError as error:
        click.echo(f"{path}:0: byte {error.start} is not UTF-8; save it as UTF-8", err=True)
        sys.exit(_EXIT_INVALID)
    config, faults = load_config(text, str(path), overrides)
    for fault in faults:
        click.echo(str(fault), err=True)
    if config is None:
        sys.exit(_EXIT_INVALID)
    return config


async def _run(config: AgentConfig) -> int:
    """Run until told to stop; 0, or 1 if it could not start or went wrong."""
    stop = stop_event()
    went_wrong = False

    def failed(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        nonlocal went_wrong
        error = context.get("exception")
        get_logger().error("task_failed", message=context["message"], exception=repr(error))
        # A mistake of ours: a wrong answer is worse than none, and the gates close with us.
        if isinstance(error, AssertionError) or context["message"] == PROBE_TASK_FAILED:
            went_wrong = True
            stop.set()

    asyncio.get_running_loop().set_exception_handler(failed)
    process = AgentProcess(config)
    try:
        await process.start()
    except ReasonedError as error:
        get_logger().error("agent_not_started", reason=error.reason, message=str(error))
        return _EXIT_FAILED
    except (OSError, ValueError) as error:
        message = str(error)
        if isinstance(error, OSError) and error.filename:
            message = f"{error.filename}: {error.strerror}; is data_dir right and this user's own?"
        get_logger().error("agent_not_started", reason="UNAVAILABLE", message=message)
        return _EXIT_FAILED
    await stop.wait()
    await process.stop()
    return _EXIT_FAILED if went_wrong else 0
