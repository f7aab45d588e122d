"""Rules for two questions: may a change begin now, and could each region be lost now?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from director.cli.check_services import candidates, could_lose, serving_regions
from director.cli.findings import Finding, fail, ok, warn
from director.cli.words import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.cli.check_facts import Facts
    from trafficdirector.admin.v1 import admin_pb2 as admin

_PASSIVE = "ActivePassive"
_ALL_PER_MILLE = 1_000


def before_a_change(facts: Facts) -> Iterator[Finding]:
    """Is nothing in flight, and could a replica be restarted and each service be moved?"""
    found = [
        *_spare_replica(facts.status),
        *_in_flight(facts.status),
        *_rehearsed(facts),
        *_movable(facts.status),
    ]
    yield from found
    if not found:
        yield ok("change", "nothing is in flight; each replica and each owner may be moved")


def _spare_replica(status: admin.GetStatusResponse) -> Iterator[Finding]:
    if not status.is_leader:
        return  # the category of the quorum says so
    spare = status.voters_alive - (status.voter_count // 2 + 1)
    if spare < 1:
        message = f"no replica may be restarted: {status.voters_alive} of {status.voter_count} left"
        yield fail("change", message, "bring the others back first")


def _in_flight(status: admin.GetStatusResponse) -> Iterator[Finding]:
    for service in status.services:
        if service.active_run_id:
            hint = f"wait for it: `director wait {service.active_run_id}`"
            yield fail("change", f"{service.active_run_id} is going on", hint)
        if service.HasField("intent"):
            message = f"a move of {service.service_id} waits for a person"
            yield fail(
                "change",
                message,
                f"mend it, or `director approve {service.service_id} --reason TEXT`",
            )
        if service.HasField("damped_for_ms"):
            message = f"{service.service_id} has just moved, more than once"
            yield fail("change", message, "find out why before anything else changes")
    for region in status.regions:
        if region.drained:
            hint = f"finish there first: `director undrain {region.region_id}`"
            yield warn("change", f"{region.region_id} is drained", hint)


def _rehearsed(facts: Facts) -> Iterator[Finding]:
    for each in facts.drills:
        if not each.verdict:
            hint = "wait for its end, or end it: `director drill abort NAME --reason TEXT`"
            yield fail("change", f"{each.drill_id} is going on", hint)


def _movable(status: admin.GetStatusResponse) -> Iterator[Finding]:
    for service in status.services:
        if service.mode != _PASSIVE or not service.owner_region_id:
            continue
        able = candidates(service)
        if not able:
            message = f"{service.service_id} could not be switched over: no region is eligible"
            yield fail(
                "change", message, f"see why: `director explain failover {service.service_id}`"
            )
        elif service.HasField("rpo_ms") and not able[0].HasField("lag_ms"):
            message = f"nobody knows how far the copy of {service.service_id} is behind"
            hint = f"look at the lag source of {able[0].region_id}: a switchover waits for lag 0"
            yield fail("change", message, hint)


def losses(facts: Facts) -> Iterator[Finding]:
    """Who would take over from each region, with what loss, and how long would it take?"""
    yield from _replica_lost(facts.status)
    for region in facts.status.regions:
        for service in facts.status.services:
            sited = [each.region_id for each in service.sites]
            if region.region_id in sited:
                yield from _lost(facts, service, region.region_id)


def _replica_lost(status: admin.GetStatusResponse) -> Iterator[Finding]:
    if not status.is_leader:
        return
    category = "loss of a replica"
    needed = status.voter_count // 2 + 1
    if status.voters_alive - 1 >= needed:
        yield ok(
            category, f"{status.voters_alive - 1} of {status.voter_count} voters would be left"
        )
    else:
        message = f"no quorum would be left: {status.voters_alive} of {status.voter_count} answer"
        yield fail(category, message, "run three replicas in three failure domains, all of them up")


def _lost(facts: Facts, service: admin.ServiceStatus, region_id: str) -> Iterator[Finding]:
    category = f"loss of {region_id}"
    if service.mode != _PASSIVE:
        yield from _one_of_many_lost(category, service, region_id)
    elif service.owner_region_id == region_id:
        yield _owner_lost(category, facts, service)
    elif [each.region_id for each in candidates(service)] == [region_id]:
        message = f"{service.service_id} goes on, and nobody else could take over then"
        yield warn(category, message, f"have a second standby for {service.service_id}")


def _owner_lost(category: str, facts: Facts, service: admin.ServiceStatus) -> Finding:
    name, able = service.service_id, candidates(service)
    if not able:
        message = f"{name} would be gone: no region could take over"
        return fail(category, message, f"see why: `director explain failover {name}`")
    best, unseen_ms = able[0], facts.exposed_ms_by_service.get(name, 0)
    lost = could_lose(best, service, more_ms=unseen_ms)
    used = f"in {seconds(service.predicted_rto_ms)} of {seconds(service.rto_ms)}"
    message = f"{name} moves to {best.region_id} {used}{lost}"
    if service.predicted_rto_ms > service.rto_ms:
        return fail(category, message, f"see which phase it is: `director explain budget {name}`")
    if service.HasField("rpo_ms"):
        known = best.HasField("loss_bound_ms")
        if not known or best.loss_bound_ms + unseen_ms > service.rpo_ms:
            # An owner that is cut off may write until its lease ends; whether it did, nobody knows.
            return warn(
                category,
                f"{name} could move to {best.region_id} {used}{lost}",
                "beyond its RPO it moves by itself only if requireLagWithinRPO is off; else a "
                f"person accepts the loss: `director failover {name} --reason TEXT` states it, and "
                f"`director explain budget {name}` what it consists of",
            )
    if service.automation != "Automatic" or service.HasField("pause"):
        hint = f"a person has to start it: `director failover {name} --reason TEXT`"
        return warn(category, message, hint)
    if service.HasField("damped_for_ms"):
        return warn(
            category,
            message,
            f"damped, so a person has to: `director failover {name} --reason TEXT`",
        )
    return ok(category, message)


def _one_of_many_lost(
    category: str, service: admin.ServiceStatus, region_id: str
) -> Iterator[Finding]:
    name = service.service_id
    serving = serving_regions(service)
    left = [each for each in serving if each != region_id]
    if not left:
        yield fail(
            category,
            f"{name} would be gone",
            f"bring another region back: `director status {name}`",
        )
        return
    message = f"{name} stays in {', '.join(left)}"
    is_worst = service.headroom_region_id == region_id and service.HasField("headroom_per_mille")
    if is_worst and service.headroom_per_mille < _ALL_PER_MILLE:
        percent = service.headroom_per_mille // 10
        message = f"{message}, which have {percent} % of what is needed"
        yield fail(category, message, "add capacity there")
    elif region_id in serving:
        yield ok(category, message)
