"""`director dev drill`: lose a region of a fleet on this machine, with its processes, and measure.

`director drill` has the directors rehearse a loss; this one really kills or stops.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from director.cli.connection import endpoints_from, tls_from
from director.cli.example import example
from director.cli.exits import CliError, ExitCode
from director.cli.options import formatted
from director.cli.output import Form, Printed, note
from director.cli.parameters import DURATION, bundled
from director.cli.tls_options import TLS_OPTIONS, TlsFlags
from director.core.reasons import Reason
from director.dev.control import ControlError, RemoteFaults, find_faults
from director.dev.directors import Directors, DirectorsError
from director.dev.drill import NOTHING_TO_LOSE, Drill, Result, Settings
from director.dev.drill_verdict import SWITCHOVER, Outcome
from director.dev.plan import WATCHER_COUNT
from director.dev.supervisor import How
from director.dev.traffic import Traffic
from director.runtime.signals import stop_event
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from director.runtime.tls import TlsFiles

_EXIT_CODE_BY_OUTCOME = {
    Outcome.PASS: ExitCode.DONE,
    Outcome.FAIL: ExitCode.NO,
    Outcome.REFUSED: ExitCode.REFUSED,
    Outcome.BUDGET_MISSED: ExitCode.BUDGET_MISSED,
    Outcome.ABORTED: ExitCode.ABORTED,
}


@click.command()
@click.argument("service")
@click.option("--lose", "region", default="", metavar="REGION", help="Default: the present owner.")
@click.option(
    "--how",
    type=click.Choice([*(str(each) for each in How), SWITCHOVER]),
    help="kill: SIGKILL; stop: SIGSTOP; agent: SIGKILL of the agent alone; switchover: a planned "
    "move.  [default: kill for a fleet of `director dev` on this machine, else switchover]",
)
@click.option(
    "--expect-rto", type=DURATION, metavar="DURATION", help="Stricter than the objective."
)
@click.option(
    "--control",
    type=click.Path(path_type=Path),
    help="Socket of a `director dev` that was given a --data-dir; others are found.",
)
@click.option(
    "--endpoint", multiple=True, metavar="HOST:PORT", help="A director; repeat for several."
)
@click.option(
    "--context",
    metavar="NAME",
    envvar="DIRECTOR_CONTEXT",
    help="Endpoints kept under this name in the context file.",
)
@bundled("tls_flags", TlsFlags, *TLS_OPTIONS)
@formatted(Form.TABLE, Form.JSON)
@example("director dev drill chat --lose eu-west1 --how stop --expect-rto 45s")
def drill(form: Form, **asked: Any) -> None:  # noqa: ANN401 - whatever click parsed
    """Lose the region that owns SERVICE, watch the failover, bring the region back.

    Exits 0 when everything held, 1 when a check failed, 3 when a guard refused, 4 when no director
    answers, 6 when a budget was missed, 8 when the failover aborted, 130 on Ctrl-C; the region is
    restored first.
    """
    endpoints, _ = endpoints_from(asked["endpoint"], asked["context"] or "")
    tls = tls_from(asked["tls_flags"], asked["endpoint"], asked["context"] or "")
    say = note if form is Form.JSON else click.echo
    settings = Settings(asked["service"], asked["region"], asked["how"] or "", asked["expect_rto"])
    try:
        result = asyncio.run(_run(Reached(endpoints, tls), settings, asked["control"], say))
    except ControlError as error:
        raise CliError(str(error), ExitCode.UNREACHABLE) from None
    except DirectorsError as error:
        code = ExitCode.UNREACHABLE if error.reason == "UNAVAILABLE" else ExitCode.REFUSED
        raise CliError(str(error), code, reason=error.reason) from None
    if result is None:
        raise CliError("interrupted; the region was restored first", ExitCode.INTERRUPTED)
    if form is Form.JSON:
        Printed("Drill", summary(result), (), lambda _: ()).echo(form)
    finish(result)


@dataclass(frozen=True, slots=True)
class Reached:
    """How the directors are reached."""

    endpoints: Sequence[str]
    tls: TlsFiles | None


async def _run(
    reached: Reached, settings: Settings, control: Path | None, say: Callable[[str], None]
) -> Result | None:
    stopping = stop_event()
    faults = await find_faults(reached.endpoints, control)
    try:
        if faults is not None:
            reached = replace(reached, endpoints=faults.layout.api_addresses)
        work = asyncio.create_task(_drilled(reached, _decided(settings, faults), faults, say))
        stopper = asyncio.create_task(stopping.wait())
        await asyncio.wait((work, stopper), return_when=asyncio.FIRST_COMPLETED)
        is_done = work.done()
        stopper.cancel()
        work.cancel()
        await asyncio.gather(work, stopper, return_exceptions=True)
        return work.result() if is_done else None
    finally:
        if faults is not None:
            await faults.close()


def _decided(settings: Settings, faults: RemoteFaults | None) -> Settings:
    """Choose how, when it was left open.

    Raises:
        CliError: It needs processes of this machine and there are none.
    """
    how = settings.how or (str(How.KILL) if faults is not None else SWITCHOVER)
    if faults is None and how != SWITCHOVER:
        message = f"--how {how} needs the processes of a fleet on this machine, and none was found"
        hint = "start one with `director dev`, or rehearse with --how switchover"
        raise CliError(message, ExitCode.REFUSED, hint=hint)
    is_reduced = not settings.how and how == SWITCHOVER
    if is_reduced:
        note(
            f"{NOTHING_TO_LOSE}, so a planned switchover is drilled and no region is lost; start "
            "a fleet with `director dev`, or name its socket with --control"
        )
    return replace(settings, how=how, is_reduced=is_reduced)


def _check_names(seen: admin.GetStatusResponse, settings: Settings) -> None:
    """Refuse a service or region that is not there.

    Raises:
        CliError: Names those that are.
    """
    sites_by_service = {
        each.service_id: [site.region_id for site in each.sites] for each in seen.services
    }
    sites = sites_by_service.get(settings.service_id)
    if sites is None:
        message = f"there is no service {settings.service_id!r}"
        hint = f"there are: {', '.join(sorted(sites_by_service)) or 'none'}"
        raise CliError(message, ExitCode.USAGE, hint=hint, reason=Reason.SERVICE_NOT_FOUND)
    if settings.region_id and settings.region_id not in sites:
        message = f"{settings.service_id} has no site in {settings.region_id!r}"
        hint = f"it has: {', '.join(sorted(sites))}"
        raise CliError(message, ExitCode.USAGE, hint=hint, reason=Reason.REGION_NOT_FOUND)


async def _drilled(
    reached: Reached,
    settings: Settings,
    faults: RemoteFaults | None,
    say: Callable[[str], None],
) -> Result:
    endpoints, tls = reached.endpoints, reached.tls
    async with Directors(endpoints, tls) as directors:
        _check_names(await directors.status(), settings)
    # Only the sample service may be written to: it is there for nothing else.
    is_writing = faults is not None
    async with (
        Directors(endpoints, tls) as directors,
        Traffic(
            endpoints, settings.service_id, WATCHER_COUNT, is_writing=is_writing, tls=tls
        ) as traffic,
    ):
        return await Drill(directors, traffic, faults, settings, say).run()


def summary(result: Result) -> dict[str, Any]:
    """Return the result as JSON has it; every duration in milliseconds."""
    measured = None if result.measured is None else asdict(result.measured)
    lines = [
        {"name": each.name, "passed": each.passed, "detail": each.detail} for each in result.lines
    ]
    return {"outcome": str(result.outcome), "checks": lines, "measured": measured}


def finish(result: Result) -> NoReturn:
    """End with the exit code of the result; the drill itself has told the verdict."""
    raise SystemExit(int(_EXIT_CODE_BY_OUTCOME[result.outcome]))
