"""`director check`: is all as it should be, may a change begin, could a region be lost?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from director.cli import check_change, check_drills, check_fleet, check_services
from director.cli.audit_check import AuditFinding, audit_findings, file_findings
from director.cli.audit_options import AuditAsked, auditing
from director.cli.check_facts import gather
from director.cli.example import example
from director.cli.exits import CliError, ExitCode
from director.cli.findings import Finding, Level, fail, ok
from director.cli.options import connected, formatted
from director.cli.output import Form, Printed, note
from director.cli.parameters import DURATION
from director.cli.words import coloured, plural
from director.runtime.clock import boot_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from director.cli.check_facts import Facts
    from director.cli.connection import Connection

    Rule = Callable[[Facts], Iterable[Finding]]

_WAIT_EVERY_S = 1.0

_RULES: tuple[Rule, ...] = (
    check_fleet.connectivity,
    check_fleet.quorum,
    check_fleet.agreement,
    check_fleet.clocks,
    check_services.agents,
    check_services.services,
    check_services.capacity,
    check_services.budgets,
    check_fleet.certificates,
    check_services.configuration,
    check_drills.drills,
)


@click.command()
@click.option("--pre", "is_before", is_flag=True, help="May a deployment or a move begin now?")
@click.option("--dr", "is_recovery", is_flag=True, help="Could each region be lost now?")
@auditing
@click.option("--wait", "wait_ms", type=DURATION, help="Look again until nothing fails, this long.")
@formatted(Form.TABLE, Form.JSON, Form.YAML)
@connected
@example("director check --pre --wait 5m")
def check(
    *,
    is_before: bool,
    is_recovery: bool,
    audit: AuditAsked,
    wait_ms: int | None,
    form: Form,
    connection: Connection,
) -> None:
    """Look at everything, a line each; exit code 1 when something fails."""
    if audit.file is not None and not audit.is_wanted:
        raise click.UsageError("--file needs --audit")
    rules = list(_RULES)
    if is_before:
        rules.append(check_change.before_a_change)
    if is_recovery:
        rules.append(check_change.losses)

    def look() -> list[Finding]:
        if audit.file is not None:
            return list(_audited(file_findings(audit.file, connection)))
        found = look_once(connection, rules)
        return [*found, *(_audited(audit_findings(connection)) if audit.is_wanted else ())]

    findings = look() if wait_ms is None else _look_until_well(look, wait_ms)
    _printed(findings).echo(form)
    if has_failed(findings):
        click.get_current_context().exit(ExitCode.NO)


def look_once(connection: Connection, rules: Sequence[Rule]) -> list[Finding]:
    """Return what the rules find now.

    Raises:
        CliError: No director answered at all.
    """
    facts = gather(connection)
    return [finding for rule in rules for finding in rule(facts)]


def has_failed(findings: Iterable[Finding]) -> bool:
    """Whether any of them says FAIL."""
    return any(each.level is Level.FAIL for each in findings)


def _look_until_well(look: Callable[[], list[Finding]], wait_ms: int) -> list[Finding]:
    """Look every second until nothing fails; return the last look when the time is over.

    Raises:
        CliError: No director answered, to the end.
    """
    give_up_at_ms = boot_ms() + wait_ms
    said = ""
    while True:
        is_last = boot_ms() + int(_WAIT_EVERY_S * 1_000) > give_up_at_ms
        try:
            findings = look()
        except CliError as error:
            if is_last or error.code is not ExitCode.UNREACHABLE:
                raise
            failed = error.message
        else:
            if is_last or not has_failed(findings):
                return findings
            failed = "; ".join(each.message for each in findings if each.level is Level.FAIL)
        if failed != said:
            note(f"waiting: {failed}")
            said = failed
        time.sleep(_WAIT_EVERY_S)


def _audited(found: Iterable[AuditFinding]) -> Iterator[Finding]:
    for each in found:
        message = f"{each.subject}: {each.message}"
        if each.is_ok:
            yield ok("audit", message)
        else:
            yield fail("audit", message, each.hint or "compare it with an exported trail")


def _printed(findings: Sequence[Finding]) -> Printed:
    def lines(_: Form) -> Iterator[str]:
        width = max(len(each.category) for each in findings)
        for each in findings:
            hint = f" -> {each.hint}" if each.hint else ""
            level = coloured(each.level.value.ljust(4))
            yield f"{level}  {each.category.ljust(width)}  {each.message}{hint}"
        yield ""
        yield _summary(findings)

    value = {
        "ok": not has_failed(findings),
        "findings": [
            {
                "category": each.category,
                "level": each.level.value,
                "message": each.message,
                "hint": each.hint,
            }
            for each in findings
        ],
    }
    return Printed("Check", value, [], lines)


def _summary(findings: Sequence[Finding]) -> str:
    failed = sum(each.level is Level.FAIL for each in findings)
    warned = sum(each.level is Level.WARN for each in findings)
    warnings = f", {plural(warned, 'warning')}" if warned else ""
    if not failed:
        return f"all of {len(findings)} passed{warnings}"
    return f"{failed} of {len(findings)} failed{warnings}"
