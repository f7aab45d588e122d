"""What a drill measured, and the verdict on it."""

from dataclasses import replace

from director.core.commands import RunKind
from director.core.drill import DrillKind, DrillVerdict
from director.core.drill_record import Drill, DrillPhase
from director.core.drill_rules import away_run
from director.core.ids import NO_GROUP
from director.core.state import Phase, Run, State
from director.routing.table import ServiceMode, Verdict

# What nobody has to wait for: the new owner serves already.
_AFTERWARDS = Phase.VERIFY


def measured(state: State, drill: Drill) -> Drill | None:
    """Return the drill with what its move took and could lose, or None while nothing has moved.

    The time counts from the injection, not from the first suspicion: what nobody had noticed yet
    was an outage already.
    """
    if drill.injected_at_ms is None:
        return None
    if drill.group_id != NO_GROUP and drill.home == drill.spec.scenario.region_id:
        run = away_run(state, drill)
        return None if run is None or run.measured_rto_ms is None else _by_run(state, drill, run)
    return _by_verdict(state, drill)


def _by_run(state: State, drill: Drill, run: Run) -> Drill:
    assert drill.injected_at_ms is not None, "checked by the caller"
    assert run.measured_rto_ms is not None, "checked by the caller"
    ledger = [each for each in run.ledger if each.phase is not _AFTERWARDS]
    total_ms = run.suspected_at_ms + run.measured_rto_ms - drill.injected_at_ms
    unseen_ms = total_ms - sum(each.ms for each in ledger)
    phases = tuple(
        # Before anybody suspected anything, it was to be detected.
        DrillPhase(str(each.phase), each.ms + (unseen_ms if at == 0 else 0), each.note)
        for at, each in enumerate(ledger)
    )
    # A planned move waits until the copy has every write.
    loss_ms = run.loss_bound_ms if run.kind is RunKind.FAILOVER else 0
    record = state.verdicts.get((drill.spec.service_id, drill.spec.scenario.region_id))
    evidence = run.evidence or (record.evidence if record is not None else ())
    return replace(
        drill,
        measured_rto_ms=total_ms,
        loss_bound_ms=loss_ms,
        phases=phases,
        evidence=evidence,
    )


def _by_verdict(state: State, drill: Drill) -> Drill | None:
    """Nobody owned anything there: it has moved once routes leave the region out."""
    spec = drill.spec
    record = state.verdicts.get((spec.service_id, spec.scenario.region_id))
    if record is None or drill.injected_at_ms is None or record.withheld:
        return None
    if record.verdict not in (Verdict.DOWN, Verdict.UNKNOWN):
        return None
    if record.since_ms < drill.injected_at_ms:
        return None
    service = state.topology.service(spec.service_id)
    is_shared = service is not None and service.mode is ServiceMode.ACTIVE_ACTIVE
    if is_shared and record.verdict is not Verdict.DOWN:
        return None  # routes leave out only what is DOWN
    detect_ms = record.since_ms - drill.injected_at_ms
    publish_ms = state.now_ms - record.since_ms
    return replace(
        drill,
        measured_rto_ms=detect_ms + publish_ms,
        loss_bound_ms=0,  # nothing was written there that another region waited for
        phases=(
            DrillPhase(str(Phase.DETECT), detect_ms, record.reason),
            DrillPhase(str(Phase.PUBLISH), publish_ms, "routes leave the region out"),
        ),
        evidence=record.evidence,
    )


def must_move(drill: Drill) -> bool:
    """Whether another region has to take over for the drill to pass."""
    is_kill = drill.spec.scenario.kind is DrillKind.AGENT_KILL
    if is_kill and drill.group_id == NO_GROUP and drill.spec.expect_rto_ms is None:
        return False  # silence alone takes no region out that others share the work with (C4)
    return drill.spec.expects_move


def judged(drill: Drill) -> Drill:
    """Return the drill with its verdict. What was not put back counts for more than anything."""
    if drill.state_diff:
        return replace(drill, verdict=DrillVerdict.FAILED, cause="STATE_DIFF")
    if drill.abort_cause:
        return replace(drill, verdict=DrillVerdict.ABORTED, cause=drill.abort_cause)
    cause = drill.cause or _missed(drill)
    verdict = DrillVerdict.FAILED if cause else DrillVerdict.PASSED
    return replace(drill, verdict=verdict, cause=cause)


def _missed(drill: Drill) -> str:
    if drill.measured_rto_ms is None:
        return "NOT_RECOVERED" if must_move(drill) else ""
    if drill.measured_rto_ms > drill.rto_budget_ms:
        return "RTO_MISSED"
    if drill.rpo_budget_ms is None or drill.spec.scenario.kind is DrillKind.SWITCHOVER:
        return ""
    if drill.loss_bound_ms is None:
        return "RPO_UNKNOWN"
    return "RPO_MISSED" if drill.loss_bound_ms > drill.rpo_budget_ms else ""
