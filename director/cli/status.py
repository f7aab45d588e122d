"""`director status`: one screen that says who serves and what is at risk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from director.cli import methods
from director.cli.drill_list import last_drill_words
from director.cli.example import example
from director.cli.intents import automation_remarks, override_remark
from director.cli.load_words import headroom_remark, headroom_title, load_remark
from director.cli.options import connected, formatted
from director.cli.output import Form, Printed, message_dict
from director.cli.status_watch import watch as run_watch
from director.cli.words import ABSENT, against, coloured, columns, plural, seconds
from director.runtime.durations import format_ms
from trafficdirector.admin.v1 import admin_pb2 as admin

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from director.cli.connection import Connection

_REGIONS_SHOWN_MAX = 3
_WELL = frozenset({"UP", "DEGRADED"})


@click.command()
@click.argument("service", required=False, default="")
@click.option(
    "--watch", is_flag=True, help="Follow it until Ctrl-C: draw anew, or print each change."
)
@formatted()
@connected
@example("director status chat --watch")
def status(*, service: str, watch: bool, form: Form, connection: Connection) -> None:
    """Show who serves and what is at risk, on one screen."""
    if watch:
        run_watch(
            lambda: asked(connection, service), lambda seen: printed_status(seen, service), form
        )
    else:
        printed_status(asked(connection, service), service).echo(form)


def asked(connection: Connection, service: str = "") -> admin.GetStatusResponse:
    """Return the status as the leader sees it, or a follower when no leader answers."""
    request = admin.GetStatusRequest(service_id=service)
    seen = connection.call(methods.GET_STATUS, request)
    if seen.is_leader or not seen.leader_id:
        return seen
    return connection.call_leader(methods.GET_STATUS, request, seen)


def printed_status(seen: admin.GetStatusResponse, service: str) -> Printed:
    """Return the status in every form; of one service, its regions too."""

    def lines(form: Form) -> Iterator[str]:
        yield _headline(seen)
        yield ""
        if seen.services:
            yield from columns(_SERVICE_HEADER, map(_service_row, seen.services))
        else:
            yield "no services; declare some with `director apply -f FILE`"
        wide = form is Form.WIDE
        if wide or service:
            for each in seen.services:
                yield ""
                yield from site_lines(each)
        if wide and seen.regions:
            yield ""
            yield from region_lines(seen.regions)
        remarks = list(_remarks(seen))
        if remarks:
            yield ""
            yield from remarks

    names = [each.service_id for each in seen.services]
    return Printed("Status", message_dict(seen), names, lines)


def _headline(seen: admin.GetStatusResponse) -> str:
    leader = f"leader {seen.leader_id}" if seen.leader_id else "no leader"
    # Only the leader hears the other voters.
    alive = str(seen.voters_alive) if seen.is_leader else "?"
    parts = [
        leader,
        f"term {seen.term}",
        f"revision {seen.config_revision}",
        f"quorum {alive}/{seen.voter_count}",
    ]
    if not seen.is_leader:
        parts.append(f"as {seen.replica_id} sees it")
    if not seen.is_fresh:
        parts.append(f"view {seconds(seen.view_age_ms)} old")
    fleet = f"FLEET {seen.fleet_id or '(none)'}  {_condition(seen)}"
    return f"{fleet}   {'  '.join(parts)}"


def _condition(seen: admin.GetStatusResponse) -> str:
    """Return the health, and the regions being drained; a drain alone is nothing wrong."""
    health = _health(seen)
    drained = ", ".join(each.region_id for each in seen.regions if each.drained)
    if not drained:
        return coloured(health)
    draining = f"draining: {drained}"
    return draining if health == "healthy" else f"{coloured(health)}, {draining}"


def _health(seen: admin.GetStatusResponse) -> str:
    if not seen.is_fresh:
        return "stale"
    if not seen.leader_id:
        return "no leader"
    drained = {each.region_id for each in seen.regions if each.drained}
    is_whole = all(
        _is_served(each) and all(_is_well(site, drained) for site in each.sites)
        for each in seen.services
    )
    is_quorum_whole = not seen.is_leader or seen.voters_alive == seen.voter_count
    return "healthy" if is_whole and is_quorum_whole else "degraded"


def _is_well(site: admin.SiteStatus, drained: Container[str]) -> bool:
    return site.verdict in _WELL and (site.serving or site.region_id in drained)


def _is_served(service: admin.ServiceStatus) -> bool:
    if service.mode != "ActivePassive":
        return any(site.serving for site in service.sites)
    # A drained owner serves until ownership has moved, so its verdict counts alone.
    return any(
        site.region_id == service.serving_region_id and site.verdict in _WELL
        for site in service.sites
    )


_SERVICE_HEADER = (
    "SERVICE",
    "MODE",
    "ACTIVE",
    "LAG / RPO",
    "PREDICTED / RTO",
    "LAST DRILL",
    "AUTOMATION",
)


def mode_word(mode: str) -> str:
    """Return ``ActivePassive`` as ``active-passive``."""
    return {"ActivePassive": "active-passive", "ActiveActive": "active-active"}.get(mode, mode)


def _service_row(service: admin.ServiceStatus) -> tuple[str, ...]:
    rpo_ms = service.rpo_ms if service.HasField("rpo_ms") else None
    is_passive = service.mode == "ActivePassive"
    return (
        service.service_id,
        mode_word(service.mode),
        _active(service),
        against(_best_lag_ms(service), rpo_ms) if is_passive else ABSENT,
        f"{seconds(service.predicted_rto_ms)} / {seconds(service.rto_ms)}",
        last_drill_words(service),
        _automation(service),
    )


def _automation(service: admin.ServiceStatus) -> str:
    if service.HasField("pause"):
        return f"paused {format_ms(service.pause.left_ms)}"
    if service.HasField("damped_for_ms"):
        return f"damped {format_ms(service.damped_for_ms)}"
    return "on" if service.automation == "Automatic" else service.automation.lower()


def _active(service: admin.ServiceStatus) -> str:
    if service.mode == "ActivePassive":
        serving, owner = service.serving_region_id, service.owner_region_id
        if not owner:
            return "nobody yet"
        return serving if serving == owner else f"{serving} -> {owner}"
    serving_ids = [site.region_id for site in service.sites if site.serving]
    shown = ",".join(serving_ids[:_REGIONS_SHOWN_MAX])
    more = len(serving_ids) - _REGIONS_SHOWN_MAX
    return f"{shown} +{more}" if more > 0 else shown or "none"


def _best_lag_ms(service: admin.ServiceStatus) -> int | None:
    """Return the lag of the standby that is least behind; None when none is known."""
    known = [
        site.lag_ms
        for site in service.sites
        if site.HasField("lag_ms") and site.region_id != service.owner_region_id
    ]
    return min(known, default=None)


_SITE_HEADER = ("REGION", "ROLE", "PRIORITY", "VERDICT", "LAG", "COULD LOSE", "REMARK")


def site_lines(service: admin.ServiceStatus) -> list[str]:
    """Return the regions of one service as a table."""
    token = f"token {service.generation}.{service.epoch}" if service.epoch else "no owner yet"
    passive = service.mode == "ActivePassive"
    title = f"{service.service_id}  {token}" if passive else service.service_id
    title = "  ".join(filter(None, (title, headroom_title(service))))
    return [title, *columns(_SITE_HEADER, (_site_row(service, each) for each in service.sites))]


def _site_row(service: admin.ServiceStatus, site: admin.SiteStatus) -> tuple[str, ...]:
    is_owner = site.region_id == service.owner_region_id
    remarks = [
        site.reason if site.verdict != "UP" else "",
        override_remark(site),
        "" if site.serving else "gets no clients",
        f"kept in service: {site.withheld}" if site.withheld else "",
        f"not promotable: {site.ineligibility}" if site.ineligibility and not is_owner else "",
        "gate open" if site.gate_open else "",
        load_remark(site),
    ]
    role = ABSENT
    if service.mode == "ActivePassive":
        role = "active" if is_owner else "standby"
    return (
        site.region_id,
        role,
        str(site.priority),
        site.verdict or "UNKNOWN",
        seconds(site.lag_ms if site.HasField("lag_ms") else None),
        seconds(site.loss_bound_ms if site.HasField("loss_bound_ms") else None),
        ", ".join(filter(None, remarks)),
    )


_REGION_HEADER = ("REGION", "JURISDICTION", "AGENTS", "HEARD", "STATE")


def region_lines(regions: Iterable[admin.RegionStatus]) -> list[str]:
    """Return the regions as a table."""
    return columns(_REGION_HEADER, map(_region_row, regions))


def _region_row(region: admin.RegionStatus) -> tuple[str, ...]:
    heard = f"{seconds(region.heard_age_ms)} ago" if region.HasField("heard_age_ms") else "never"
    return (
        region.region_id,
        region.jurisdiction,
        str(region.agent_count),
        heard,
        "drained" if region.drained else "in service",
    )


def _remarks(seen: admin.GetStatusResponse) -> Iterator[str]:
    for service in seen.services:
        if service.active_run_id:
            yield f"{service.service_id}: {service.active_run_id} is going on; follow it with " + (
                f"`director wait {service.active_run_id}`"
            )
        yield from automation_remarks(service)
        if headroom_remark(service):
            yield headroom_remark(service)
        for site in service.sites:
            if site.verdict not in _WELL:
                reason = f" ({site.reason})" if site.reason else ""
                kept = f", kept in service by {site.withheld}" if site.withheld else ""
                yield f"{service.service_id}: {site.region_id} is {site.verdict}{reason}{kept}"
    drained = [each.region_id for each in seen.regions if each.drained]
    if drained:
        yield f"drained: {', '.join(drained)}"
    unheard = [each.region_id for each in seen.regions if not each.HasField("heard_age_ms")]
    if unheard:
        yield f"no agent heard from: {', '.join(unheard)}"
    if not seen.is_fresh:
        voters = plural(seen.voter_count, "voter")
        yield f"{seen.replica_id} has no contact with a quorum of {voters}"
