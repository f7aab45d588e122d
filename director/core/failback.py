"""Moving a service back home: by policy only after a soak, and never after writes may be lost (C3).

Home is the site of least priority. By hand it is a planned move like any other; of the conditions
below only health and the lag are hard then, and the soak is a warning.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from director.core.automation import flap_of
from director.core.commands import RunKind, StageName, Stamp, StartRun
from director.core.failover import Bench, Candidate, candidates
from director.core.ids import GroupId
from director.core.load_view import owner_load_rps
from director.core.reasons import Reason
from director.core.safety import Refusal
from director.core.state import Group, State
from director.core.topology import ServiceSpec, Topology
from director.routing.table import RegionId, ServiceId, Verdict

# However short the soak: what was taken back is not tried again at once.
_RETRY_MS = 60_000


def failback_refusal(state: State, command: StartRun) -> Refusal | None:
    """Say why a failback may not start, or None if it may or is none; for apply time."""
    group = state.group(command.group_id)
    service = None if group is None else state.topology.service(group.service_id)
    if command.kind is not RunKind.FAILBACK or group is None or service is None:
        return None
    refusal = not_homeward(service, group, command.target)
    if refusal is not None or not command.automatic:
        return refusal
    return _policy_refusal(state, service, group, command.target)


def not_homeward(service: ServiceSpec, group: Group, target: RegionId) -> Refusal | None:
    """Say that a move to ``target`` is no failback, or None if it is one."""
    site = service.site(target)
    present = None if group.home is None else service.site(group.home)
    if site is None or present is None or site.priority < present.priority:
        return None  # who has no site or no owner is refused by the rules of every move
    return Refusal(
        Reason.TARGET_INELIGIBLE,
        f"{target} (priority {site.priority}) is not preferred to {group.home} (priority "
        f"{present.priority}), which owns {service.service_id}: that is no failback; use `director "
        f"switchover {service.service_id} --to {target}`",
    )


def _policy_refusal(
    state: State, service: ServiceSpec, group: Group, target: RegionId
) -> Refusal | None:
    policy = state.topology.policy(service.policy_id)
    if not policy.failback_automatic:
        return Refusal(
            Reason.AUTOMATION_OFF,
            f"policy {policy.policy_id} says failback Manual; run `director failback "
            f"{service.service_id}` to move it by hand",
        )
    lossy_run_id = flap_of(state, service.service_id).lossy_run_id
    if lossy_run_id is not None:
        return Refusal(
            Reason.FAILBACK_NOT_READY,
            f"{lossy_run_id} may have lost writes of {service.service_id}; look at what {target} "
            f"still has, then move it by hand or run `director acknowledge {service.service_id}`",
            (("failoverId", lossy_run_id),),
        )
    held = _held_refusal(state, service, target)
    if held is not None:
        return held
    left_ms = soak_left_ms(state, service, group, target)
    if left_ms == 0:
        return None
    if left_ms is None:
        return Refusal(Reason.FAILBACK_NOT_READY, f"{service.service_id} is not UP in {target}")
    return Refusal(
        Reason.FAILBACK_NOT_READY,
        f"{service.service_id} goes back to {target} by itself once all is well for "
        f"{policy.failback_soak_ms} ms; {left_ms} ms are left",
        (("retryAfterMs", str(left_ms)),),
    )


def _held_refusal(state: State, service: ServiceSpec, target: RegionId) -> Refusal | None:
    """Say that a person, or a drill, has the service where it is, or None if nobody has."""
    if (service.service_id, target) in state.overrides:
        return Refusal(
            Reason.FAILBACK_NOT_READY,
            f"an operator's override says how {service.service_id} is in {target}; what it is in "
            "truth nobody soaks",
        )
    drills = [each for each in state.drills if each.spec.service_id == service.service_id]
    drill = next((each for each in drills if each.is_active), None)
    if drill is None:
        return None
    return Refusal(
        Reason.FAILBACK_NOT_READY,
        f"drill {drill.drill_id} moves {service.service_id}, and brings it home itself",
        (("drillId", drill.drill_id),),
    )


def soak_left_ms(state: State, service: ServiceSpec, group: Group, target: RegionId) -> int | None:
    """How much of the soak is left for a move to ``target``; None if it is not UP.

    It counts from the last of: the region's verdict UP, the last move of the group, and the last
    try to bring it home that was taken back, by whomever.
    """
    record = state.verdicts.get((service.service_id, target))
    if record is None or record.verdict is not Verdict.UP:
        return None
    soak_ms = state.topology.policy(service.policy_id).failback_soak_ms
    ends_at_ms = max(record.since_ms, group.granted_at_ms) + soak_ms
    last = next((each for each in reversed(state.runs) if each.group_id == group.group_id), None)
    if last is not None and (last.kind, last.stage) == (RunKind.FAILBACK, StageName.ABORTED):
        ends_at_ms = max(ends_at_ms, last.stage_at_ms + max(soak_ms, _RETRY_MS))
    return max(0, ends_at_ms - state.now_ms)


def lag_refusal(service: ServiceSpec, candidate: Candidate, lag_ms_max: int) -> Refusal | None:
    """Say that a copy is too far behind to go back to it, or None if it follows closely."""
    if service.rpo_ms is None:
        return None  # no lag is declared; there is nothing to wait for
    if candidate.lag_ms is not None and candidate.lag_ms <= lag_ms_max:
        return None
    behind = "by an unknown span" if candidate.lag_ms is None else f"{candidate.lag_ms} ms"
    return Refusal(
        Reason.FAILBACK_NOT_READY,
        f"{candidate.region_id} is behind {service.service_id} {behind}; a failback waits until it "
        f"is within {lag_ms_max} ms",
        (("lagMs", str(candidate.lag_ms)), ("lagMsMax", str(lag_ms_max))),
    )


@dataclass(frozen=True, slots=True)
class _Fit:
    """Since when a leader has seen a region without a break as fit to go back to, and when last."""

    region_id: RegionId
    since_ms: int
    seen_ms: int


class FailbackWatch:
    """What this leader saw of the regions that services may go back to. Lost with the office.

    A verdict does not say that a region was drained meanwhile, or that its agent was not heard for
    a moment. So the leader's own sight has to soak as well, and a new leader begins anew: later,
    never sooner.
    """

    def __init__(self) -> None:
        self._fit: dict[GroupId, _Fit] = {}
        self._topology: Topology | None = None
        self._homing: frozenset[ServiceId] = frozenset()

    def forget(self) -> None:
        """Begin an office."""
        self._fit = {}

    def look(
        self, bench: Bench, group: Group, service: ServiceSpec, stamp: Stamp
    ) -> StartRun | Refusal | None:
        """Return the move that brings a service home, why it waits, or None if there is none."""
        self._learn(bench.state.topology)
        if service.service_id not in self._homing:
            return None  # asked for every service at every tick, so this comes first
        policy = bench.state.topology.policy(service.policy_id)
        present = None if group.home is None else service.site(group.home)
        if present is None:
            return None
        if all(present.priority <= site.priority for site in service.sites):
            self._fit.pop(group.group_id, None)
            return None
        best = self._best(bench, group, service, present.priority)
        if best is None:
            self._fit.pop(group.group_id, None)
            return None
        fit = self._seen(bench, group.group_id, best.region_id)
        command = _command(bench, group, service, best, stamp)
        at_now = replace(bench.state, now_ms=max(bench.state.now_ms, stamp.at_ms))
        refusal = failback_refusal(at_now, command)
        left_ms = fit.since_ms + policy.failback_soak_ms - bench.now_ms
        if refusal is None and left_ms > 0:
            refusal = Refusal(
                Reason.FAILBACK_NOT_READY,
                f"this leader has seen {best.region_id} well for "
                f"{bench.now_ms - fit.since_ms} of {policy.failback_soak_ms} ms",
                (("retryAfterMs", str(left_ms)),),
            )
        heartbeat_ms = bench.court.timing.heartbeat_ms
        return refusal or lag_refusal(service, best, heartbeat_ms) or command

    def _seen(self, bench: Bench, group_id: GroupId, region_id: RegionId) -> _Fit:
        """Note that a region is fit now. Nobody knows what it was while nobody looked."""
        fit = self._fit.get(group_id)
        since_ms = bench.now_ms
        if fit is not None and fit.region_id == region_id:
            is_break = bench.now_ms - fit.seen_ms > bench.court.timing.staleness_bound_ms
            since_ms = bench.now_ms if is_break else fit.since_ms
        self._fit[group_id] = _Fit(region_id, since_ms, bench.now_ms)
        return self._fit[group_id]

    def _learn(self, topology: Topology) -> None:
        if topology is self._topology:
            return
        self._topology = topology
        self._homing = frozenset(
            each.service_id
            for each in topology.services
            if topology.policy(each.policy_id).failback_automatic
        )

    def _best(
        self, bench: Bench, group: Group, service: ServiceSpec, priority: int
    ) -> Candidate | None:
        found = candidates(bench, service, group, suspected_ms=bench.now_ms, automatic=True)
        return next(
            (each for each in found if each.ineligible is None and each.priority < priority), None
        )


def _command(
    bench: Bench, group: Group, service: ServiceSpec, best: Candidate, stamp: Stamp
) -> StartRun:
    reason = f"{best.region_id} is well again, and preferred for {service.service_id}"
    return StartRun(
        replace(stamp, reason=reason),
        RunKind.FAILBACK,
        group.group_id,
        best.region_id,
        group.epoch,
        automatic=True,
        suspected_at_ms=stamp.at_ms,
        loss_bound_ms=best.loss_bound_ms,
        load_rps=owner_load_rps(bench.court.log, group, now_ms=bench.now_ms),
    )


def soak_warning(state: State, service_id: ServiceId, command: StartRun) -> str:
    """Say for a dry run that a failback by hand comes before the soak is over, or ""."""
    service = state.topology.service(service_id)
    group = state.group(command.group_id)
    if command.kind is not RunKind.FAILBACK or service is None or group is None:
        return ""
    left_ms = soak_left_ms(state, service, group, command.target)
    if not left_ms:
        return ""
    return f"; warning: {command.target} has {left_ms} ms of its soak left"


def home_choice(
    service: ServiceSpec, group: Group, usable: Sequence[Candidate]
) -> Candidate | Refusal:
    """Return the site to go back to by hand when none was named: the most preferred usable one."""
    present = None if group.home is None else service.site(group.home)
    assert present is not None, "the caller checked that somebody owns"
    best = min(usable, key=lambda each: (each.priority, each.region_id), default=None)
    if best is not None and best.priority < present.priority:
        return best
    preferred = [site.region_id for site in service.sites if site.priority < present.priority]
    if not preferred:
        return Refusal(
            Reason.NOTHING_TO_DO, f"{group.home} owns {service.service_id}, and is its home"
        )
    return Refusal(
        Reason.TARGET_INELIGIBLE,
        f"{service.service_id} belongs in {' or '.join(preferred)}, which cannot take it over now; "
        f"look at `director status {service.service_id}`",
    )
