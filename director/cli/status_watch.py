"""`director status --watch`: the screen drawn anew, or without a terminal each change as a line."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from director.cli.exits import CliError, ExitCode
from director.cli.output import API_VERSION, Form, message_dict
from director.cli.words import is_colourful
from director.runtime.clock import wall_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from director.cli.output import Printed
    from trafficdirector.admin.v1 import admin_pb2 as admin

    Ask = Callable[[], admin.GetStatusResponse]
    Show = Callable[[admin.GetStatusResponse], Printed]

_WATCH_EVERY_S = 1.0
_MS_PER_S = 1_000


def watch(ask: Ask, show: Show, form: Form) -> None:
    """Show the status until Ctrl-C. A director that does not answer is said, and asked again.

    Args:
        ask: Returns the status now.
        show: Makes the screen of it.
        form: TABLE or WIDE on a terminal draw the screen anew; without a terminal they print a line
            for each change. JSON prints a line, YAML a document, NAME the names at each change.

    Raises:
        CliError: No director answered the first time, or one refused.
    """
    first = ask()
    if form in (Form.TABLE, Form.WIDE) and is_colourful():
        _draw(first, ask, show, form)
        return
    for seen in _changed(first, ask, form):
        if form is Form.JSON:
            envelope = {"apiVersion": API_VERSION, "kind": "Status", **message_dict(seen)}
            click.echo(json.dumps(envelope, ensure_ascii=False))
        elif form in (Form.YAML, Form.NAME):
            show(seen).echo(form)


def _draw(first: admin.GetStatusResponse, ask: Ask, show: Show, form: Form) -> None:
    # Rich takes a tenth of a second to load, which only this case repays.
    from rich.live import Live  # noqa: PLC0415 - loaded only when it is needed
    from rich.text import Text  # noqa: PLC0415 - loaded only when it is needed

    seen, trouble = first, ""
    with Live(auto_refresh=False) as live:
        while True:
            lines = [*show(seen).lines(form), *(["", trouble] if trouble else [])]
            live.update(Text.from_ansi("\n".join(lines)), refresh=True)
            time.sleep(_WATCH_EVERY_S)
            answer = _asked_again(ask)
            if isinstance(answer, str):
                trouble = f"{_time()}  no answer, so this is what was seen last: {answer}"
            else:
                seen, trouble = answer, ""


def _changed(
    first: admin.GetStatusResponse, ask: Ask, form: Form
) -> Iterator[admin.GetStatusResponse]:
    """Yield the first status and each that differs from the one before in more than its ages."""
    is_table = form in (Form.TABLE, Form.WIDE)
    known = facts(first)
    if is_table:
        for name, value in known.items():
            click.echo(f"{_time()}  {name}: {value}")
    yield first
    said = ""
    while True:
        time.sleep(_WATCH_EVERY_S)
        answer = _asked_again(ask)
        if isinstance(answer, str):
            if answer != said:
                click.echo(f"{_time()}  no answer: {answer}", err=not is_table)
            said = answer
            continue
        if said:
            click.echo(f"{_time()}  answers again", err=not is_table)
            said = ""
        now = facts(answer)
        if now == known:
            continue
        if is_table:
            for line in changes(known, now):
                click.echo(f"{_time()}  {line}")
        known = now
        yield answer


def _asked_again(ask: Ask) -> admin.GetStatusResponse | str:
    """Return the status, or why there is none just now."""
    try:
        return ask()
    except CliError as error:
        if error.code is not ExitCode.UNREACHABLE:
            raise
        return error.message


def _time() -> str:
    return time.strftime("%H:%M:%S", time.localtime(wall_ms() // _MS_PER_S))


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each fact that came, went or changed."""
    for name, value in now.items():
        was = before.get(name)
        if was is None:
            yield f"{name}: {value}"
        elif was != value:
            yield f"{name}: {was} -> {value}"
    for name, was in before.items():
        if name not in now:
            yield f"{name}: {was} -> gone"


def facts(seen: admin.GetStatusResponse) -> dict[str, str]:
    """Return what is worth a line when it changes: no ages, no lags, no counters."""
    found = {
        "leader": f"{seen.leader_id or 'none'} (term {seen.term})",
        "view": "fresh" if seen.is_fresh else "stale",
        "revision": str(seen.config_revision),
        "generation": str(seen.generation),
    }
    if seen.is_leader:
        found["quorum"] = f"{seen.voters_alive}/{seen.voter_count}"
    for region in seen.regions:
        heard = "heard" if region.HasField("heard_age_ms") else "never heard"
        state = "drained" if region.drained else "in service"
        found[f"region {region.region_id}"] = f"{state}, {heard}"
    for service in seen.services:
        found.update(_service_facts(service))
    return found


def _service_facts(service: admin.ServiceStatus) -> Iterator[tuple[str, str]]:
    name = service.service_id
    if service.mode == "ActivePassive":
        owner, serving = service.owner_region_id or "nobody", service.serving_region_id
        active = owner if owner == serving or not serving else f"{serving} (on its way to {owner})"
        yield f"{name} active", active
        yield f"{name} token", f"{service.generation}.{service.epoch}"
    else:
        serving_ids = [each.region_id for each in service.sites if each.serving]
        yield f"{name} active", ",".join(serving_ids) or "none"
    yield f"{name} automation", _automation(service)
    yield f"{name} run", service.active_run_id or "none"
    if service.HasField("intent"):
        intent = service.intent
        yield f"{name} proposal", f"{intent.intent_id} to {intent.target_region_id}"
    for site in service.sites:
        where = f"{name} {site.region_id}"
        reason = f" ({site.reason})" if site.reason and site.verdict != "UP" else ""
        override = f", override {site.override}" if site.override else ""
        yield where, f"{site.verdict or 'UNKNOWN'}{reason}{override}"
        if service.mode == "ActivePassive":
            yield f"{where} gate", "open" if site.gate_open else "closed"


def _automation(service: admin.ServiceStatus) -> str:
    if service.HasField("pause"):
        return "paused"
    if service.HasField("damped_for_ms"):
        return "damped"
    return service.automation
