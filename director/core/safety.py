"""Rules that refuse a change whoever asks. The machine applies them; the planner asks them first.

The limits are constants and not settings: every replica must come to the same answer.
"""

from dataclasses import dataclass
from enum import StrEnum

from director.core.automation import damped_for_ms, flap_of, pause_of
from director.core.commands import RunKind, StartRun
from director.core.flap_damping import penalty_of
from director.core.reasons import Reason
from director.core.state import Group, State
from director.core.topology import Automation, ServiceSpec
from director.routing.table import Override, RegionId, ServiceId, ServiceMode, Verdict

# R3: automation takes at most this many regions of one service out of service per window.
VELOCITY_REGIONS_MAX = 1
VELOCITY_WINDOW_MS = 60_000


class Rule(StrEnum):
    """Names of the safety rules, as people see them."""

    NEVER_LAST = "NEVER_LAST"  # R2
    VELOCITY_CAP = "VELOCITY_CAP"  # R3
    CONCURRENT_MAX = "CONCURRENT_MAX"  # C1
    OWNER_STAYS = "OWNER_STAYS"  # a document may not take the owner's site away
    ONE_RUN = "ONE_RUN"  # C1
    CAPACITY = "CAPACITY"  # R2: the rest carries the load
    SERVICE_STAYS = "SERVICE_STAYS"  # documents do not drop a service that serves
    MODE_STAYS = "MODE_STAYS"  # nor change how it is owned


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a change is refused: for programs, for people, and with the values compared."""

    reason: Reason
    message: str
    metadata: tuple[tuple[str, str], ...] = ()


def is_serving(state: State, service: ServiceSpec, region_id: RegionId) -> bool:
    """Whether routing would use the site: known, not drained, not forced down, not out as DOWN."""
    if service.site(region_id) is None or region_id in state.drained_regions:
        return False
    pair = (service.service_id, region_id)
    override = state.overrides.get(pair)
    if override is not None:
        return override is Override.FORCE_UP
    record = state.verdicts.get(pair)
    return record is None or record.verdict is not Verdict.DOWN or record.withheld != ""


def is_healthy(state: State, service: ServiceSpec, region_id: RegionId) -> bool:
    """Whether routing would use the site for its health, not because a rule withholds a DOWN."""
    if not is_serving(state, service, region_id):
        return False
    pair = (service.service_id, region_id)
    record = state.verdicts.get(pair)
    is_down = record is not None and record.verdict is Verdict.DOWN
    return not is_down or state.overrides.get(pair) is Override.FORCE_UP


def _serving_min(state: State, service: ServiceSpec) -> int:
    # A policy may not say that none is enough (R1).
    return max(1, state.topology.policy(service.policy_id).serving_regions_min)


def _healthy_elsewhere(state: State, service: ServiceSpec, region_id: RegionId) -> list[RegionId]:
    return [
        site.region_id
        for site in service.sites
        if site.region_id != region_id and is_healthy(state, service, site.region_id)
    ]


def withholding_rule(state: State, service_id: ServiceId, region_id: RegionId) -> str:
    """Name the rule that keeps a DOWN site of an active-active service in service, or "".

    An active-passive service keeps its owner whatever the verdict (R4), so nothing is withheld.
    """
    service = state.topology.service(service_id)
    if service is None or service.mode is ServiceMode.ACTIVE_PASSIVE:
        return ""
    if len(_healthy_elsewhere(state, service, region_id)) < _serving_min(state, service):
        return Rule.NEVER_LAST
    return Rule.VELOCITY_CAP if _has_removed_enough(state, service_id, region_id) else ""


def _has_removed_enough(state: State, service_id: ServiceId, region_id: RegionId) -> bool:
    """Whether automation took as many other regions out lately as it may (R3)."""
    removed = {
        each.region_id
        for each in state.removals
        if each.service_id == service_id
        and each.region_id != region_id
        and each.at_ms > state.now_ms - VELOCITY_WINDOW_MS
    }
    return len(removed) >= VELOCITY_REGIONS_MAX


def takes_out_by_clearing(state: State, service: ServiceSpec, region_id: RegionId) -> bool:
    """Whether a site serves only because it is forced up, so that clearing this takes it out."""
    pair = (service.service_id, region_id)
    record = state.verdicts.get(pair)
    is_out = record is not None and record.verdict is Verdict.DOWN and not record.withheld
    return is_out and state.overrides.get(pair) is Override.FORCE_UP


def lapse_refusal(state: State, service_id: ServiceId, region_id: RegionId) -> Refusal | None:
    """Say why an override whose term is over must stay for now, or None if it may go (R2, R3).

    It is the director that clears it, so it goes no faster than what it takes out by itself.
    """
    service = state.topology.service(service_id)
    assert service is not None, "the caller looked the service up"
    refusal = override_refusal(state, service_id, region_id, None)
    if refusal is not None or service.mode is ServiceMode.ACTIVE_PASSIVE:
        return refusal
    if not takes_out_by_clearing(state, service, region_id):
        return None
    if not _has_removed_enough(state, service_id, region_id):
        return None
    return Refusal(
        Reason.SAFETY_RULE,
        f"another region of {service_id} was taken out within {VELOCITY_WINDOW_MS} ms; the "
        f"override of {region_id} ends after that",
        (("rule", Rule.VELOCITY_CAP), ("serviceId", service_id), ("regionId", region_id)),
    )


def drain_refusal(state: State, region_id: RegionId) -> Refusal | None:
    """Say why ``region_id`` may not be drained, or None if it may (R2)."""
    for service in state.topology.services:
        refusal = _withdrawal_refusal(state, service, region_id, "draining")
        if refusal is not None:
            return refusal
    return None


def override_refusal(
    state: State, service_id: ServiceId, region_id: RegionId, override: Override | None
) -> Refusal | None:
    """Say why an operator's verdict may not be set or cleared (None), or None if it may (R2).

    A site that serves only because it is forced up goes out with the operator's word.
    """
    service = state.topology.service(service_id)
    assert service is not None, "the caller looked the service up"
    match override:
        case Override.FORCE_DOWN:
            return _withdrawal_refusal(state, service, region_id, "forcing down")
        case Override.FORCE_UP:
            return None
        case None:
            if not takes_out_by_clearing(state, service, region_id):
                return None
            doing = "clearing the override of"
            return _withdrawal_refusal(state, service, region_id, doing)


def removal_refusal(state: State, after: State) -> Refusal | None:
    """Say why documents may not take a service's sites away now, or None if they may (R2, C7).

    Args:
        state: What is in force.
        after: The same with the documents in force, and what is known of sites that stay.
    """
    for service in after.topology.services:
        before = state.topology.service(service.service_id)
        if before is None:
            continue
        was = _healthy_elsewhere(state, before, RegionId(""))
        # Of a site that is new nobody has heard yet: it cannot stand in for one that is well.
        left = [
            region_id
            for region_id in _healthy_elsewhere(after, service, RegionId(""))
            if before.site(region_id) is not None
        ]
        if len(left) < min(len(was), _serving_min(after, service)):
            doing = "applying the documents, whose new sites nobody has heard of yet,"
            return _too_few(after, service, left, doing)
    return None


def _withdrawal_refusal(
    state: State, service: ServiceSpec, region_id: RegionId, doing: str
) -> Refusal | None:
    if not is_serving(state, service, region_id):
        return None
    left = _healthy_elsewhere(state, service, region_id)
    if len(left) >= _serving_min(state, service):
        return None
    return _too_few(state, service, left, f"{doing} {region_id}")


def _too_few(state: State, service: ServiceSpec, left: list[RegionId], doing: str) -> Refusal:
    least = _serving_min(state, service)
    names = ", ".join(left) or "none"
    return Refusal(
        Reason.SAFETY_RULE,
        f"{doing} would leave {service.service_id} with {len(left)} healthy serving regions "
        f"({names}); at least {least} must remain",
        (
            ("rule", Rule.NEVER_LAST),
            ("serviceId", service.service_id),
            ("servingCount", str(len(left))),
            ("servingCountMin", str(least)),
        ),
    )


def start_refusal(state: State, command: StartRun, *, is_proposal: bool = False) -> Refusal | None:
    """Say why a run may not start, or None if it may. ``state.now_ms`` is the time of decision.

    Args:
        state: What is replicated.
        command: The run.
        is_proposal: The move is put to a person: how far automation goes does not matter.
    """
    group = state.group(command.group_id)
    if group is None:
        return Refusal(Reason.SERVICE_NOT_FOUND, f"there is no session group {command.group_id}")
    service = state.topology.service(group.service_id)
    assert service is not None, "a group lives as long as its service"
    return (
        _epoch_refusal(group, command)
        or _target_refusal(state, service, group, command)
        or _run_refusal(state, group)
        or (_mode_refusal(state, service) if command.automatic and not is_proposal else None)
        or (_automation_refusal(state, service, group) if command.automatic else None)
        or _rpo_refusal(state, service, command)
    )


def _epoch_refusal(group: Group, command: StartRun) -> Refusal | None:
    if command.expected_epoch == group.epoch:
        return None
    return Refusal(
        Reason.STALE_EPOCH,
        f"{group.group_id} is at epoch {group.epoch}; the request was made for epoch "
        f"{command.expected_epoch}",
        (("epoch", str(group.epoch)), ("expectedEpoch", str(command.expected_epoch))),
    )


def _target_refusal(
    state: State, service: ServiceSpec, group: Group, command: StartRun
) -> Refusal | None:
    target = command.target
    if group.home is None:
        return Refusal(Reason.NO_OWNER, f"{service.service_id} has no owner yet to move from")
    if target == group.home:
        return Refusal(Reason.NOTHING_TO_DO, f"{target} already owns {service.service_id}")
    if service.site(target) is None:
        sites = ", ".join(site.region_id for site in service.sites)
        return Refusal(
            Reason.REGION_NOT_FOUND, f"{service.service_id} has no site in {target}; it has {sites}"
        )
    return standing_refusal(state, service, target)


def standing_refusal(state: State, service: ServiceSpec, target: RegionId) -> Refusal | None:
    """Say why a region may not own now, by what is committed of it; None if it may."""
    override = state.overrides.get((service.service_id, target))
    if target in state.drained_regions:
        return Refusal(Reason.TARGET_INELIGIBLE, f"{target} is drained")
    if override is Override.FORCE_DOWN:
        return Refusal(Reason.TARGET_INELIGIBLE, f"{target} is forced down by an operator")
    record = state.verdicts.get((service.service_id, target))
    is_down = record is not None and record.verdict is Verdict.DOWN
    if is_down and override is not Override.FORCE_UP:
        return Refusal(Reason.TARGET_INELIGIBLE, f"{service.service_id} is DOWN in {target}")
    return None


def _run_refusal(state: State, group: Group) -> Refusal | None:
    active = state.active_run(group.group_id)
    if active is None:
        return None
    return Refusal(
        Reason.FAILOVER_IN_PROGRESS,
        f"{active.run_id} ({active.source} to {active.target}) is {active.stage}; wait for it to "
        "settle or cancel it",
        (("failoverId", active.run_id), ("stage", active.stage)),
    )


def _mode_refusal(state: State, service: ServiceSpec) -> Refusal | None:
    policy = state.topology.policy(service.policy_id)
    if policy.automation is Automation.AUTOMATIC:
        return None
    return Refusal(
        Reason.AUTOMATION_OFF,
        f"policy {policy.policy_id} says automation {policy.automation}; run "
        f"`director failover {service.service_id}` to move it by hand",
    )


def pause_refusal(state: State, service_id: ServiceId) -> Refusal | None:
    """Say that automation is paused, by whom and until when, or None if it is not."""
    pause = pause_of(state, service_id)
    if pause is None:
        return None
    left_ms = pause.until_ms - state.now_ms
    what = f"automation of {pause.service_id}" if pause.service_id else "automation of the fleet"
    return Refusal(
        Reason.AUTOMATION_PAUSED,
        f"{what} is paused by {pause.actor} ({pause.reason}) for another {left_ms} ms; end it with "
        f"`director resume{' ' if pause.service_id else ''}{pause.service_id}`",
        (("retryAfterMs", str(left_ms)), ("pausedService", pause.service_id)),
    )


def _damping_refusal(state: State, service: ServiceSpec) -> Refusal | None:
    policy = state.topology.policy(service.policy_id)
    left_ms = damped_for_ms(state, service.service_id, policy)
    if left_ms == 0:
        return None
    penalty = penalty_of(flap_of(state, service.service_id), policy, now_ms=state.now_ms)
    return Refusal(
        Reason.FLAP_DAMPED,
        f"{service.service_id} was moved too often: its penalty is {penalty}, and the director "
        f"moves it by itself again below {policy.flap_reuse}, {left_ms} ms from now; run "
        f"`director acknowledge {service.service_id}` to end this, or move it by hand",
        (
            ("retryAfterMs", str(left_ms)),
            ("penalty", str(penalty)),
            ("reuse", str(policy.flap_reuse)),
        ),
    )


def _automation_refusal(state: State, service: ServiceSpec, group: Group) -> Refusal | None:
    policy = state.topology.policy(service.policy_id)
    held = pause_refusal(state, service.service_id) or _damping_refusal(state, service)
    if held is not None:
        return held
    settled_at_ms = dict(state.settled_at_ms).get(service.service_id)
    if settled_at_ms is not None:
        left_ms = settled_at_ms + policy.min_interval_ms - state.now_ms
        if left_ms > 0:
            return Refusal(
                Reason.COOLDOWN,
                f"the last automatic move of {service.service_id} settled "
                f"{state.now_ms - settled_at_ms} ms ago; the next may start {left_ms} ms from now",
                (("retryAfterMs", str(left_ms)),),
            )
    # A lost region moves all its services at once; the cap is on how many regions may be losing
    # theirs at the same time. One that goes home takes nothing away from anybody.
    sources = {
        run.source
        for run in state.runs
        if run.is_active and run.automatic and run.kind is RunKind.FAILOVER
    }
    sources.discard(group.home or RegionId(""))
    if len(sources) >= policy.concurrent_max:
        return Refusal(
            Reason.SAFETY_RULE,
            f"automatic failovers away from {', '.join(sorted(sources))} are under way; policy "
            f"{policy.policy_id} allows {policy.concurrent_max} region at a time",
            (("rule", Rule.CONCURRENT_MAX),),
        )
    return None


def _rpo_refusal(state: State, service: ServiceSpec, command: StartRun) -> Refusal | None:
    policy = state.topology.policy(service.policy_id)
    planned = command.kind is not RunKind.FAILOVER
    if planned or service.rpo_ms is None or not policy.require_lag_within_rpo:
        return None  # a planned move waits for the copy to be complete, whatever the lag is now
    bound_ms = command.loss_bound_ms
    if bound_ms is None:
        if command.accept_loss_ms is not None and not command.automatic:
            return None  # the operator was told that the loss is unknown, and named what to accept
        return Refusal(
            Reason.RPO_EXCEEDED,
            f"how far {command.target} is behind is not known, so the loss has no bound; the RPO "
            f"of {service.service_id} is {service.rpo_ms} ms",
            (("rpoMs", str(service.rpo_ms)), ("targetRegionId", command.target)),
        )
    allowed_ms = max(service.rpo_ms, command.accept_loss_ms or 0)
    if bound_ms <= allowed_ms:
        return None
    return Refusal(
        Reason.RPO_EXCEEDED,
        f"{command.target} could lose {bound_ms} ms of writes; the RPO of {service.service_id} is "
        f"{service.rpo_ms} ms",
        (
            ("lossBoundMs", str(bound_ms)),
            ("rpoMs", str(service.rpo_ms)),
            ("targetRegionId", command.target),
        ),
    )
