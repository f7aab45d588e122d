"""`director get` lists, `director describe` tells all about one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.events import describe_event, get_events
from director.cli.example import example
from director.cli.exits import CliError, ExitCode
from director.cli.get_documents import (
    describe_policy,
    describe_schedule,
    documents_in_force,
    get_policies,
    get_schedules,
    named,
)
from director.cli.get_drills import get_drill, get_drills
from director.cli.intents import get_intents, override_remark
from director.cli.options import connected, formatted
from director.cli.output import Form, Printed, message_dict
from director.cli.run_view import describe_run
from director.cli.status import asked, mode_word, printed_status, region_lines
from director.cli.words import ABSENT, columns, seconds
from director.config.faults import suggestion
from director.config.model import Fleet
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.cli.connection import Connection

_MS_PER_S = 1_000


@click.group()
@example("director get failovers --service chat")
def get() -> None:
    """List regions, services, policies, drill schedules or failovers."""


get.add_command(get_policies)
get.add_command(get_schedules)


get.add_command(get_intents)
get.add_command(get_drills)


@click.group()
@example("director describe failover chat/7")
def describe() -> None:
    """Show all about one region, service, policy, drill schedule or failover."""


describe.add_command(describe_policy)
describe.add_command(describe_schedule)
describe.add_command(get_drill)


get.add_command(get_events)
describe.add_command(describe_event)


@get.command("regions")
@click.argument("name", required=False, default="")
@formatted()
@connected
@example("director get regions -o wide")
def get_regions(*, name: str, form: Form, connection: Connection) -> None:
    """List the regions, when each was last heard from, and drains."""
    seen = asked(connection)
    wanted = named("region", name, [each.region_id for each in seen.regions])
    regions = [each for each in seen.regions if each.region_id in wanted]

    def lines(form: Form) -> list[str]:
        plain = region_lines(regions)
        return _with_declared(plain, seen, wanted, connection) if form is Form.WIDE else plain

    value = {"items": [message_dict(each) for each in regions]}
    Printed("RegionList", value, wanted, lines).echo(form)


def _with_declared(
    plain: list[str], seen: admin.GetStatusResponse, wanted: list[str], connection: Connection
) -> list[str]:
    """Return the table with what the documents say of each region, and what runs there."""
    declared = {
        region.name: region
        for each in documents_in_force(connection)
        if isinstance(each, Fleet)
        for region in each.spec.regions
    }
    rows = []
    for name in wanted:
        region = declared.get(name)
        place = f"{region.location.lat:g},{region.location.lon:g}" if region else ABSENT
        here = [
            service.service_id
            for service in seen.services
            if any(site.region_id == name for site in service.sites)
        ]
        rows.append((region.failure_domain if region else ABSENT, place, ",".join(here) or ABSENT))
    width = max(map(len, plain))
    more = columns(("FAILURE DOMAIN", "LOCATION", "SERVICES"), rows)
    return [f"{line.ljust(width)}  {extra}" for line, extra in zip(plain, more, strict=True)]


@get.command("services")
@click.argument("name", required=False, default="")
@formatted()
@connected
@example("director get services -o json")
def get_services(*, name: str, form: Form, connection: Connection) -> None:
    """List the services and who owns each."""
    seen = asked(connection)
    wanted = named("service", name, [each.service_id for each in seen.services])
    services = [each for each in seen.services if each.service_id in wanted]

    def lines(form: Form) -> list[str]:
        wide = form is Form.WIDE
        header = ("SERVICE", "MODE", "OWNER", "TOKEN", "RTO", "RPO", "REGIONS")
        extra = ("SERVING", "PREDICTED", "AUTOMATION", "RUN") if wide else ()
        return columns((*header, *extra), (_service_row(each, wide=wide) for each in services))

    value = {"items": [message_dict(each) for each in services]}
    Printed("ServiceList", value, wanted, lines).echo(form)


def _service_row(service: admin.ServiceStatus, *, wide: bool) -> tuple[str, ...]:
    row = (
        service.service_id,
        mode_word(service.mode),
        service.owner_region_id or ABSENT,
        f"{service.generation}.{service.epoch}" if service.epoch else ABSENT,
        seconds(service.rto_ms),
        seconds(service.rpo_ms if service.HasField("rpo_ms") else None),
        ",".join(site.region_id for site in service.sites),
    )
    if not wide:
        return row
    serving = [site.region_id for site in service.sites if site.serving]
    return (
        *row,
        service.serving_region_id or ",".join(serving) or ABSENT,
        seconds(service.predicted_rto_ms),
        service.automation,
        service.active_run_id or ABSENT,
    )


@get.command("failovers")
@click.option("--service", default="", metavar="NAME", help="Only of this service.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="At most so many."
)
@formatted()
@connected
@example("director get failovers --service chat --limit 5")
def get_failovers(*, service: str, limit: int, form: Form, connection: Connection) -> None:
    """List failovers, switchovers and failbacks, newest first."""
    request = admin.ListFailoversRequest(service_id=service, limit=limit)
    runs = connection.call(methods.LIST_FAILOVERS, request).failovers
    header = ("NAME", "KIND", "FROM", "TO", "STAGE", "RTO", "COULD LOSE", "BY", "STARTED")

    def row(run: admin.Failover) -> tuple[str, ...]:
        measured = run.measured_rto_ms if run.HasField("measured_rto_ms") else None
        return (
            run.failover_id,
            run.kind,
            run.source_region_id,
            run.target_region_id,
            run.stage,
            f"{seconds(measured)} / {seconds(run.rto_ms)}",
            seconds(run.loss_bound_ms if run.HasField("loss_bound_ms") else None),
            "director" if run.automatic else run.actor,
            _started(run),
        )

    value = {"items": [message_dict(each) for each in runs]}
    names = [each.failover_id for each in runs]
    Printed("FailoverList", value, names, lambda _: columns(header, map(row, runs))).echo(form)


def _started(run: admin.Failover) -> str:
    if not run.started_wall_ms:
        return ABSENT
    started = datetime.fromtimestamp(run.started_wall_ms / _MS_PER_S, tz=UTC)
    return started.strftime("%Y-%m-%d %H:%M:%SZ")


@describe.command("failover")
@click.argument("name")
@formatted(Form.TABLE, Form.JSON, Form.YAML, Form.NAME)
@connected
@example("director describe failover chat/7")
def describe_failover(*, name: str, form: Form, connection: Connection) -> None:
    """Show one run: its phases, evidence, measured times and notes."""
    request = admin.GetFailoverRequest(failover_id=name)
    run = connection.call(methods.GET_FAILOVER, request).failover

    def lines(_: Form) -> Iterator[str]:
        yield from describe_run(run)
        yield f"  started   {_started(run)}"

    Printed("Failover", message_dict(run), [run.failover_id], lines).echo(form)


@describe.command("service")
@click.argument("name")
@formatted(Form.TABLE, Form.JSON, Form.YAML, Form.NAME)
@connected
@example("director describe service chat")
def describe_service(*, name: str, form: Form, connection: Connection) -> None:
    """Show one service and each of its regions."""
    seen = asked(connection, name)
    service = next((each for each in seen.services if each.service_id == name), None)
    if service is None:
        raise CliError(f"there is no service {name!r}", ExitCode.USAGE)
    printed = printed_status(seen, name)
    Printed("Service", message_dict(service), [name], printed.lines).echo(form)


@describe.command("region")
@click.argument("name")
@formatted(Form.TABLE, Form.JSON, Form.YAML, Form.NAME)
@connected
@example("director describe region eu-west1")
def describe_region(*, name: str, form: Form, connection: Connection) -> None:
    """Show one region and what it does for each service."""
    seen = asked(connection)
    region = next((each for each in seen.regions if each.region_id == name), None)
    if region is None:
        hint = suggestion(name, (each.region_id for each in seen.regions))
        raise CliError(f"there is no region {name!r}", ExitCode.USAGE, hint=hint)
    here = [
        (service, site)
        for service in seen.services
        for site in service.sites
        if site.region_id == name
    ]

    def lines(_: Form) -> Iterator[str]:
        yield from region_lines([region])
        yield ""
        rows = [
            (
                service.service_id,
                "owner" if service.owner_region_id == name else ABSENT,
                site.verdict,
                ", ".join(filter(None, (site.reason, override_remark(site)))),
            )
            for service, site in here
        ]
        yield from columns(("SERVICE", "ROLE", "VERDICT", "REASON"), rows)

    services = [{"service_id": service.service_id, **message_dict(site)} for service, site in here]
    value = {**message_dict(region), "services": services}
    Printed("Region", value, [name], lines).echo(form)
