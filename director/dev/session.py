"""What `director dev` does from start to end: a fleet, traffic, perhaps one drill, a clean stop."""

import asyncio
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from director.dev.control import ControlServer, LocalFaults
from director.dev.credentials import OPERATOR
from director.dev.directors import Directors
from director.dev.drill import Drill, Result, Settings
from director.dev.launch import CHAT, Launched, launch
from director.dev.plan import WATCHER_COUNT, FleetPlan, free_port_base, plan_fleet
from director.dev.supervisor import Fleet, How, remove_leftovers
from director.dev.traffic import Traffic
from director.runtime.signals import stop_event
from director.runtime.tls import TlsPaths

_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for.

    Attributes:
        port_base: First port wanted; the next free block is taken when it is in use.
        data_dir: Kept at the end; None means a temporary one, removed at the end.
        is_drill: Carry out one drill and end.
        is_tls: Everybody shows a certificate to everybody.
    """

    port_base: int
    data_dir: Path | None
    is_drill: bool
    how: How
    is_tls: bool = False


@dataclass(frozen=True, slots=True)
class Voice:
    """Where the session speaks.

    Attributes:
        say: Told each line.
        on_ready: Called once with the directors' addresses, and with TLS where an operator's
            certificate is; returns how to undo what it did, or None if it could not make them known
            to the other commands.
    """

    say: Callable[[str], None]
    on_ready: Callable[[Sequence[str], TlsPaths | None], Callable[[], None] | None]


async def run_session(options: Options, voice: Voice) -> Result | None:
    """Run until Ctrl-C, SIGTERM or the end of the drill. Nothing is left running.

    Returns:
        The drill's result; None when there was none or it was interrupted.

    Raises:
        FleetError: The fleet did not start.
        DirectoryInUseError: Another fleet runs in the data directory.
        OSError: No free ports.
    """
    remove_leftovers()
    stopping = stop_event()
    plan = plan_fleet(free_port_base(options.port_base))
    fleet = Fleet(plan, options.data_dir, is_tls=options.is_tls)
    work = asyncio.create_task(_work(fleet, options, voice))
    stopper = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((work, stopper), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        return None
    finally:
        for task in (work, stopper):
            task.cancel()
        await asyncio.gather(work, stopper, return_exceptions=True)
        await fleet.stop()
        voice.say("stopped; " + ("nothing left behind" if options.data_dir is None else "kept"))


async def _work(fleet: Fleet, options: Options, voice: Voice) -> Result | None:
    plan = fleet.plan
    operator_tls = fleet.operator_tls()
    async with Directors(plan.api_addresses, operator_tls) as directors:
        launched = await launch(fleet, directors)
        async with (
            ControlServer(fleet) as control,
            Traffic(plan.api_addresses, CHAT, WATCHER_COUNT, tls=fleet.client_tls()) as traffic,
        ):
            undo = voice.on_ready(
                plan.api_addresses, None if operator_tls is None else operator_tls.paths
            )
            try:
                for line in introduction(plan, launched):
                    voice.say(line)
                if options.is_drill:
                    settings = Settings(CHAT, how=str(options.how))
                    faults = LocalFaults(fleet)
                    return await Drill(directors, traffic, faults, settings, voice.say).run()
                for line in suggestions(fleet, control.path, options, is_known=undo is not None):
                    voice.say(line)
                await _watch_over(fleet, voice)
            finally:
                if undo is not None:
                    undo()
    return None


async def _watch_over(fleet: Fleet, voice: Voice) -> None:
    """Say when a process ends by itself; a fleet that lost one goes on, as it would anywhere."""
    while True:
        for told in fleet.ended():
            voice.say(told)
        await asyncio.sleep(_LOOK_SECONDS)


def introduction(plan: FleetPlan, launched: Launched) -> list[str]:
    """Return the lines that say what runs."""
    replicas = " ".join(each.replica_id for each in plan.replicas)
    regions = " ".join(each.region_id for each in plan.regions)
    return [
        f"directors  {replicas} on loopback, leader {launched.leader_id} (term {launched.term}) "
        f"in {launched.leader_after_ms / 1_000:.1f} s",
        f"regions    {regions}",
        f"services   {launched.services}",
        f"  gRPC {plan.api_addresses[0]}     chat is in {launched.owner}, "
        f"ready in {launched.ready_after_ms / 1_000:.1f} s",
        f"  HTTP {' '.join(each.http for each in plan.replicas)}     /metrics /readyz /active",
    ]


def tls_exports(fleet: Fleet) -> list[str]:
    """Return the lines that let other commands be the operator of a fleet with TLS."""
    if fleet.credentials is None:
        return []
    paths = fleet.credentials.paths(OPERATOR)
    values = {
        "DIRECTOR_TLS_CERT": str(paths.cert),
        "DIRECTOR_TLS_KEY": str(paths.key),
        "DIRECTOR_TLS_CA": str(paths.ca),
        "DIRECTOR_TRUST_DOMAIN": paths.trust_domain,
    }
    return [f"  export {name}={shlex.quote(value)}" for name, value in values.items()]


def suggestions(
    fleet: Fleet, socket: Path, options: Options, *, is_known: bool = True
) -> list[str]:
    """Return six commands to try next, each of which works as it stands.

    ``is_known``: other commands find the fleet by themselves.
    """
    control = "" if options.data_dir is None else f" --control {shlex.quote(str(socket))}"
    endpoints = ",".join(fleet.plan.api_addresses)
    return [
        *(['  context "dev" selected'] if is_known else []),
        "",
        "try, in another terminal:",
        *([] if is_known else [f"  export DIRECTOR_ENDPOINTS={endpoints}"]),
        *([] if is_known else tls_exports(fleet)),
        "  director status",
        "  director explain resolve chat --from 48.85,2.35 --subject-jurisdiction EU",
        "  director resolve embed --from-ip 180.10.61.38",
        "  director drill run chat-weekly",
        '  director switchover chat --to eu-north1 --reason "trying it out" --yes',
        f"  director dev drill chat{control}",
        "",
        f"logs and write logs are in {fleet.data_dir}; Ctrl-C stops everything",
    ]
