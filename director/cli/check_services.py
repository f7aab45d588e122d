"""Rules about regions and services: are they heard, served, and could somebody else take over?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from director.cli.findings import Finding, fail, ok, warn
from director.cli.words import plural, seconds
from director.config.load import load_topology
from director.core.capacity import HEADROOM_PER_MILLE, percent_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.cli.check_facts import Facts
    from trafficdirector.admin.v1 import admin_pb2 as admin

# Ten beats: an agent that was only restarted is back by then.
SILENT_FAIL_MS = 5_000
# What a leader lost at the same time adds has to fit as well.
BUDGET_USED_WARN_PER_MILLE = 800
_ALL_PER_MILLE = 1_000
_WELL = frozenset({"UP", "DEGRADED"})
_PASSIVE = "ActivePassive"


def agents(facts: Facts) -> Iterator[Finding]:
    """Is an agent of every region heard?"""
    is_bad = False
    for region in facts.status.regions:
        name = region.region_id
        if not region.HasField("heard_age_ms"):
            is_bad = True
            hint = "start one with every director in its list: `director agent --config FILE`"
            yield fail("agents", f"no agent of {name} was ever heard", hint)
        elif region.heard_age_ms > SILENT_FAIL_MS:
            is_bad = True
            message = f"no agent of {name} was heard for {seconds(region.heard_age_ms)}"
            hint = f"look at the agents of {name} and their way to the directors"
            yield fail("agents", message, hint)
    if facts.status.regions and not is_bad:
        oldest_ms = max(each.heard_age_ms for each in facts.status.regions)
        count = plural(len(facts.status.regions), "region")
        yield ok("agents", f"{count} heard within {seconds(oldest_ms)}")


def services(facts: Facts) -> Iterator[Finding]:
    """Is every service served, may it write, and could another region take over?"""
    if not facts.status.services:
        yield warn("services", "none is declared", "declare some: `director apply -f FILE`")
    for service in facts.status.services:
        found = [*_served(service), *_sites(service), *_automation(service)]
        yield from found
        if not found:
            yield ok("services", _well(service))


def _well(service: admin.ServiceStatus) -> str:
    name = service.service_id
    if service.mode != _PASSIVE:
        return f"{name} is served by {', '.join(serving_regions(service))}"
    best = candidates(service)[0]
    lost = could_lose(best, service)
    return f"{name} is active in {service.owner_region_id}; {best.region_id} could take over{lost}"


def could_lose(site: admin.SiteStatus, service: admin.ServiceStatus, *, more_ms: int = 0) -> str:
    """Return what a move to ``site`` could lose, as the end of a sentence; "" without an RPO."""
    if not service.HasField("rpo_ms"):
        return ""
    if not site.HasField("loss_bound_ms"):
        return ", at an unknown loss"
    lost = seconds(site.loss_bound_ms + more_ms)
    return f", losing at most {lost} of {seconds(service.rpo_ms)}"


def candidates(service: admin.ServiceStatus) -> list[admin.SiteStatus]:
    """Return the sites that could take over now, best first, as the director would choose."""
    able = [
        each
        for each in service.sites
        if each.region_id != service.owner_region_id and not each.ineligibility
    ]
    return sorted(
        able,
        key=lambda each: (
            each.priority,
            not each.HasField("loss_bound_ms"),
            each.loss_bound_ms,
            each.region_id,
        ),
    )


def serving_regions(service: admin.ServiceStatus) -> list[str]:
    """Return the regions that clients may be sent to."""
    return [each.region_id for each in service.sites if each.serving]


def _served(service: admin.ServiceStatus) -> Iterator[Finding]:
    name = service.service_id
    if service.mode != _PASSIVE:
        serving = serving_regions(service)
        if not serving:
            yield fail(
                "services",
                f"{name} is served by no region",
                f"see why: `director describe service {name}`",
            )
        elif len(serving) == 1:
            message = f"{name} is served by {serving[0]} alone"
            yield fail("services", message, f"bring another region back: `director status {name}`")
        return
    if not service.owner_region_id:
        message = f"nobody owns {name}"
        yield fail(
            "services",
            message,
            f"see why no region is eligible: `director explain failover {name}`",
        )
        return
    if service.active_run_id:
        message = f"{service.active_run_id} is going on"
        yield warn("services", message, f"follow it: `director wait {service.active_run_id}`")
        return
    gate = {each.region_id: each.gate_open for each in service.sites}
    if not gate.get(service.owner_region_id, False):
        message = f"the gate of {name} is closed in {service.owner_region_id}, its owner"
        hint = f"look at the agent there; who could take over: `director explain failover {name}`"
        yield fail("services", message, hint)
    if not candidates(service):
        reasons = ", ".join(
            f"{each.region_id} {each.ineligibility}"
            for each in service.sites
            if each.region_id != service.owner_region_id
        )
        message = f"no region could take {name} over: {reasons or 'it has one site'}"
        yield fail("services", message, f"see why: `director explain failover {name}`")


def _sites(service: admin.ServiceStatus) -> Iterator[Finding]:
    for site in service.sites:
        if site.verdict not in _WELL:
            reason = f" ({site.reason})" if site.reason else ""
            kept = f", kept in service by {site.withheld}" if site.withheld else ""
            message = f"{service.service_id} is {site.verdict} in {site.region_id}{reason}{kept}"
            yield warn(
                "services", message, f"see who: `director explain failover {service.service_id}`"
            )


def _automation(service: admin.ServiceStatus) -> Iterator[Finding]:
    name = service.service_id
    if service.HasField("pause"):
        pause = service.pause
        message = f"{name} is paused for {seconds(pause.left_ms)} more by {pause.actor}"
        yield warn(
            "services",
            f"{message}: {pause.reason}",
            f"when it is no longer needed: `director resume {name}`",
        )
    if service.HasField("damped_for_ms"):
        message = f"{name} moved too often: damped for {seconds(service.damped_for_ms)} more"
        hint = f"find out why it flaps, then: `director acknowledge {name} --reason TEXT`"
        yield warn("services", message, hint)
    if service.HasField("intent"):
        intent = service.intent
        message = f"the director would move {name} to {intent.target_region_id}: {intent.reason}"
        yield warn(
            "services", message, f"look at it: `director get intents --service {name} -o wide`"
        )
    if service.lossy_run_id:
        message = f"{service.lossy_run_id} may have lost writes, and nobody said that they know"
        yield warn("services", message, f"`director acknowledge {name} --reason TEXT`")
    if service.automation_note and not service.HasField("pause"):
        hint = f"see what it would do: `director explain failover {name}`"
        yield warn("services", f"{name}: {service.automation_note}", hint)


def capacity(facts: Facts) -> Iterator[Finding]:
    """Could the rest carry the load of the region whose loss is worst?"""
    for service in facts.status.services:
        name = service.service_id
        for site in service.sites:
            if site.spill_per_mille:
                share = site.spill_per_mille // 10
                message = f"{name} is full in {site.region_id}, which sends {share} % on"
                yield warn("capacity", message, "add capacity there, or take load away")
        if not service.HasField("headroom_per_mille"):
            said = service.headroom_unknown or "no load moves with the loss of a region"
            yield ok("capacity", f"{name}: no statement: {said}")
            continue
        region = service.headroom_region_id
        room = percent_words(service.headroom_per_mille)
        message = f"{name}: the rest has room for {room} of the load of {region}"
        hint = f"add capacity outside {region}"
        if service.headroom_per_mille < _ALL_PER_MILLE:
            yield fail("capacity", message, hint)
        elif service.headroom_per_mille < HEADROOM_PER_MILLE:
            yield warn("capacity", message, hint)
        else:
            yield ok("capacity", message)


def budgets(facts: Facts) -> Iterator[Finding]:
    """Would a recovery be in time?"""
    for service in facts.status.services:
        name, used_ms, rto_ms = service.service_id, service.predicted_rto_ms, service.rto_ms
        message = f"{name}: recovery takes {seconds(used_ms)} of {seconds(rto_ms)}"
        hint = f"see which phase it is: `director explain budget {name}`"
        if used_ms > rto_ms:
            yield fail("budgets", message, hint)
        elif used_ms * 1_000 > rto_ms * BUDGET_USED_WARN_PER_MILLE:
            yield warn("budgets", f"{message}, with little to spare", hint)
        else:
            yield ok("budgets", message)


def configuration(facts: Facts) -> Iterator[Finding]:
    """Do the documents have warnings, and does anything stand against them?"""
    found = [*_lint(facts.documents), *_by_hand(facts.status)]
    yield from found
    if not found:
        yield ok("configuration", f"revision {facts.status.config_revision} has no warnings")


def _lint(documents: str) -> Iterator[Finding]:
    if not documents:
        return
    for fault in load_topology([("documents", documents)]).warnings:
        hint = (
            fault.hint
            or "change the documents (`director export`) and apply them: `director apply -f FILE`"
        )
        yield warn("configuration", f"{fault.path}: {fault.message} [{fault.code}]", hint)


def _by_hand(status: admin.GetStatusResponse) -> Iterator[Finding]:
    for region in status.regions:
        if region.drained:
            hint = f"when the work there is done: `director undrain {region.region_id}`"
            yield warn("configuration", f"{region.region_id} is drained", hint)
    for service in status.services:
        for site in service.sites:
            if site.override:
                name, where = service.service_id, site.region_id
                message = f"{name} in {where} is overridden: {site.override}"
                hint = f"`director override {name} {where} --verdict clear --reason TEXT`"
                yield warn("configuration", message, hint)
