"""`director get policies`, `get schedules` and their descriptions: documents that are in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.example import example
from director.cli.exits import CliError, ExitCode
from director.cli.options import connected, formatted
from director.cli.output import Form, Printed
from director.cli.words import ABSENT, columns
from director.config.compare import documents_in
from director.config.faults import suggestion
from director.config.model import DrillSchedule, FailoverPolicy, Service
from director.config.quantities import duration_text
from director.config.written import written
from director.config.yaml_writer import to_yaml
from director.core.topology import DEFAULT_POLICY
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from director.cli.connection import Connection
    from director.config.model import AnyDocument


def documents_in_force(connection: Connection) -> tuple[AnyDocument, ...]:
    """Return the documents in force; none before any were applied."""
    answer = connection.call(methods.GET_MANIFEST, admin.GetManifestRequest())
    return documents_in(answer.documents)


def named(noun: str, wanted: str, names: Sequence[str]) -> list[str]:
    """Return ``names``, or only the one that is ``wanted``; all of them for "".

    Raises:
        CliError: There is no such one.
    """
    if wanted and wanted not in names:
        message = f"there is no {noun} {wanted!r}"
        raise CliError(message, ExitCode.USAGE, hint=suggestion(wanted, names))
    return [wanted] if wanted else list(names)


@click.command("policies")
@click.argument("name", required=False, default="")
@formatted()
@connected
@example("director get policies")
def get_policies(*, name: str, form: Form, connection: Connection) -> None:
    """List the failover policies, and the services under each."""
    documents = documents_in_force(connection)
    policies = {each.metadata.name: each for each in documents if isinstance(each, FailoverPolicy)}
    names = named("policy", name, sorted(policies))

    def lines(form: Form) -> list[str]:
        wide = form is Form.WIDE
        header = ("POLICY", "AUTOMATION", "HOLD", "COOLDOWN", "FAILBACK", "SERVICES")
        extra = ("CONCURRENT", "SERVING MIN", "WITHIN RPO") if wide else ()
        rows = (_policy_row(policies[each], documents, wide=wide) for each in names)
        return columns((*header, *extra), rows)

    value = {"items": [written(policies[each]) for each in names]}
    Printed("FailoverPolicyList", value, names, lines).echo(form)


def _policy_row(
    policy: FailoverPolicy, documents: Iterable[AnyDocument], *, wide: bool
) -> tuple[str, ...]:
    spec = policy.spec
    row = (
        policy.metadata.name,
        spec.automation.value,
        duration_text(spec.hold),
        duration_text(spec.guards.min_interval),
        str(spec.failback.mode),
        ",".join(_services_under(policy.metadata.name, documents)) or ABSENT,
    )
    if not wide:
        return row
    guards = spec.guards
    within = "yes" if guards.require_lag_within_rpo else "no"
    return (*row, str(guards.max_concurrent), str(guards.min_serving_regions), within)


def _services_under(policy: str, documents: Iterable[AnyDocument]) -> list[str]:
    return sorted(
        each.metadata.name
        for each in documents
        if isinstance(each, Service)
        and (each.spec.policy_ref or DEFAULT_POLICY.policy_id) == policy
    )


@click.command("schedules")
@click.argument("name", required=False, default="")
@formatted()
@connected
@example("director get schedules")
def get_schedules(*, name: str, form: Form, connection: Connection) -> None:
    """List the drill schedules."""
    schedules = {
        each.metadata.name: each
        for each in documents_in_force(connection)
        if isinstance(each, DrillSchedule)
    }
    names = named("drill schedule", name, sorted(schedules))

    def lines(form: Form) -> list[str]:
        wide = form is Form.WIDE
        header = ("SCHEDULE", "SERVICE", "CRON", "TIMEZONE", "HOW", "REGION", "RTO")
        extra = ("FOR", "WINDOWS") if wide else ()
        return columns(
            (*header, *extra), (_schedule_row(schedules[each], wide=wide) for each in names)
        )

    value = {"items": [written(schedules[each]) for each in names]}
    Printed("DrillScheduleList", value, names, lines).echo(form)


def _schedule_row(schedule: DrillSchedule, *, wide: bool) -> tuple[str, ...]:
    spec = schedule.spec
    row = (
        schedule.metadata.name,
        spec.service,
        spec.cron,
        spec.timezone,
        str(spec.scenario.lose.how),
        spec.scenario.lose.region or ABSENT,
        ABSENT if spec.expect.rto is None else duration_text(spec.expect.rto),
    )
    if not wide:
        return row
    windows = "; ".join(spec.allowed_windows) or "always"
    return (*row, duration_text(spec.scenario.for_), windows)


@click.command("policy")
@click.argument("name")
@formatted(Form.TABLE, Form.JSON, Form.YAML, Form.NAME)
@connected
@example("director describe policy tier0")
def describe_policy(*, name: str, form: Form, connection: Connection) -> None:
    """Show one failover policy with every default, and the services under it."""
    documents = documents_in_force(connection)
    _described("policy", name, form, [d for d in documents if isinstance(d, FailoverPolicy)])
    if form is Form.TABLE:
        services = ", ".join(_services_under(name, documents)) or "none"
        click.echo(f"services: {services}")


@click.command("schedule")
@click.argument("name")
@formatted(Form.TABLE, Form.JSON, Form.YAML, Form.NAME)
@connected
@example("director describe schedule chat-weekly")
def describe_schedule(*, name: str, form: Form, connection: Connection) -> None:
    """Show one drill schedule with every default."""
    documents = documents_in_force(connection)
    found = [each for each in documents if isinstance(each, DrillSchedule)]
    _described("drill schedule", name, form, found)


def _described(noun: str, name: str, form: Form, documents: Sequence[AnyDocument]) -> None:
    by_name = {each.metadata.name: each for each in documents}
    named(noun, name, sorted(by_name))
    document = written(by_name[name])
    text = to_yaml([{"spec": document["spec"]}]).rstrip("\n")
    lines = [name, *(f"  {line}" for line in text.splitlines()[1:])]
    inside = {key: value for key, value in document.items() if key not in ("apiVersion", "kind")}
    Printed(str(document["kind"]), inside, [name], lambda _: lines).echo(form)
