"""Starts the move of a group: to whom, and why not."""

from dataclasses import dataclass, replace

from director.core.capacity import start_room_refusal
from director.core.commands import RunKind, StageName, Stamp, StartRun
from director.core.failover import Bench, Candidate, candidates, first_suspicion_ms
from director.core.health import Court
from director.core.load_view import owner_load_rps
from director.core.reasons import Reason
from director.core.safety import Refusal, start_refusal
from director.core.state import Group, Phase, State, VerdictRecord
from director.core.topology import ServiceSpec

# A move that was taken back, or that came to a target whose gate stayed closed, is not tried again
# at once: each try stops the writes.
_RETRY_MS = 60_000
# Fewer failure domains than this among the replicas cannot lose one and still decide safely.
_DOMAINS_FOR_AUTOMATION_MIN = 3


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why a group is to be moved."""

    kind: RunKind
    reason: str
    suspected_at_ms: int
    record: VerdictRecord | None
    automatic: bool


def covered_at_ms(bench: Bench, candidate: Candidate, stamp: Stamp) -> int | None:
    """Director time up to which a candidate's copy surely has every write; None is unknown."""
    if candidate.covered_ms is None:
        return None
    return stamp.at_ms - (bench.now_ms - candidate.covered_ms)


def start(
    bench: Bench, group: Group, service: ServiceSpec, trigger: Trigger, stamp: Stamp
) -> StartRun | Refusal:
    """Start a run if every rule allows it; otherwise say why not, for people."""
    limit = automation_limit(bench.court, service) if trigger.automatic else _gate_limit(service)
    if limit is not None:
        return limit
    command = wanted(bench, group, service, trigger, stamp)
    return command if isinstance(command, Refusal) else admitted(bench, command, stamp)


def admitted(bench: Bench, command: StartRun, stamp: Stamp) -> StartRun | Refusal:
    """Return ``command`` if every rule of the machine lets it start now; otherwise say why not."""
    # Director time goes on between entries; the machine will see the stamp's.
    at_now = replace(bench.state, now_ms=max(bench.state.now_ms, stamp.at_ms))
    return start_refusal(at_now, command) or start_room_refusal(at_now, command) or command


def wanted(
    bench: Bench, group: Group, service: ServiceSpec, trigger: Trigger, stamp: Stamp
) -> StartRun | Refusal:
    """Return the run that would bring ``group`` to the best target, whoever may start it."""
    suspected_at_ms = trigger.suspected_at_ms
    if trigger.kind is RunKind.FAILOVER:
        suspected_at_ms = first_suspicion_ms(bench, group, suspected_at_ms)
    else:
        refusal = _retry_refusal(bench.state, group, stamp)
        if refusal is not None:
            return refusal
    suspected_ms = bench.now_ms - max(0, stamp.at_ms - suspected_at_ms)
    found = candidates(
        bench, service, group, suspected_ms=suspected_ms, automatic=trigger.automatic
    )
    if not found or found[0].ineligible is not None:
        return no_target(service, found)
    best = _best_untried(bench.state, group, found, stamp)
    if best is None:
        return Refusal(
            Reason.COOLDOWN,
            f"no region that took {service.service_id} over in the last {_RETRY_MS} ms opened its "
            "gate; look at the agents there",
        )
    return StartRun(
        replace(stamp, reason=trigger.reason),
        trigger.kind,
        group.group_id,
        best.region_id,
        group.epoch,
        trigger.automatic,
        suspected_at_ms=suspected_at_ms,
        loss_bound_ms=best.loss_bound_ms,
        evidence=() if trigger.record is None else trigger.record.evidence,
        covered_at_ms=covered_at_ms(bench, best, stamp),
        load_rps=owner_load_rps(bench.court.log, group, now_ms=bench.now_ms),
    )


def _retry_refusal(state: State, group: Group, stamp: Stamp) -> Refusal | None:
    """Say that a planned move was taken back a moment ago, or None if it was not."""
    for run in reversed(state.runs):
        if run.group_id != group.group_id:
            continue
        left_ms = run.stage_at_ms + _RETRY_MS - stamp.at_ms
        if run.stage is not StageName.ABORTED or run.kind is RunKind.FAILOVER or left_ms <= 0:
            return None
        return Refusal(
            Reason.COOLDOWN,
            f"{run.run_id} was taken back ({run.cause}); the next planned move may start {left_ms} "
            "ms from now",
            (("retryAfterMs", str(left_ms)),),
        )
    return None


def automation_limit(court: Court, service: ServiceSpec) -> Refusal | None:
    """Say why the director must not move ``service`` by itself, or None if it may."""
    domains = sorted(set(court.domains.values()))
    if len(domains) < _DOMAINS_FOR_AUTOMATION_MIN:
        return Refusal(
            Reason.AUTOMATION_OFF,
            f"the directors run in {len(domains)} failure domains ({', '.join(domains)}); "
            f"automatic failover needs {_DOMAINS_FOR_AUTOMATION_MIN}",
        )
    return _gate_limit(service)


def _gate_limit(service: ServiceSpec) -> Refusal | None:
    """Nobody but a person moves a service that cannot be fenced, not even for a drain."""
    if service.gated:
        return None
    return Refusal(
        Reason.AUTOMATION_OFF,
        f"{service.service_id} does not ask the gate before it writes, so its old owner cannot "
        "be fenced; move it by hand",
    )


def _best_untried(
    state: State, group: Group, found: tuple[Candidate, ...], stamp: Stamp
) -> Candidate | None:
    """The best candidate that did not just take over without ever opening its gate."""
    failed = {
        run.target
        for run in state.runs
        if run.group_id == group.group_id
        and run.stage is StageName.ABORTED
        and any(spent.phase is Phase.FENCE for spent in run.ledger)  # it had been granted
        and stamp.at_ms < run.stage_at_ms + _RETRY_MS
    }
    return next(
        (each for each in found if each.ineligible is None and each.region_id not in failed), None
    )


def no_target(service: ServiceSpec, found: tuple[Candidate, ...]) -> Refusal:
    """Say that no region may take over, with the reason for each."""
    reasons = "; ".join(f"{each.region_id}: {each.ineligible}" for each in found)
    return Refusal(
        Reason.NO_ELIGIBLE_REGION,
        f"no region may take {service.service_id} over ({reasons or 'it has no other site'})",
        tuple((each.region_id, str(each.ineligible)) for each in found),
    )
