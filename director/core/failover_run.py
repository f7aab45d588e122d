"""The stages of one run: what each waits for, and what comes next.

Everything a new leader needs to go on is in the replicated run; the rest (``Memory``) it starts
afresh, which only ever makes a stage wait longer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from director.core.budget import REPROBE_MS
from director.core.commands import AbortRun, AdvanceRun, RunKind, StageName, Stamp
from director.core.failover import (
    Bench,
    Ineligible,
    copy_covers_ms,
    covered_through_ms,
    has_long_answers,
    is_idle,
    standing,
)
from director.core.health import (
    SILENT_DIRECTORS_MIN,
    Cause,
    Judgement,
    judge,
    silent_domain_count,
)
from director.core.ids import FencingToken
from director.core.state import Group, Run
from director.core.topology import ServiceSpec
from director.routing.table import Verdict

Step: TypeAlias = AdvanceRun | AbortRun

# Evidence that neither holds nor is taken back leaves a run undecided for at most this long, on
# top of the policy's hold.
_CONFIRM_DEADLINE_MS = 10_000

# Answers of a gate last a second at most; with the word of it that they no longer do.
_SHORT_WITHIN_MS = 3_000

# What may be said of a region that was just not heard yet, rather than of one that failed.
_MISSING = (Ineligible.NEVER_REPORTED, Ineligible.SILENT, Ineligible.NOT_PASSING)


@dataclass(slots=True)
class Memory:
    """What this leader saw of a run's present stage. Lost with the office, on purpose.

    Attributes:
        since_ms: Local instant at which this leader first saw the run in its stage.
        accusers: Rounds of the accusing peers at that instant.
        stopped_ms: Local instant at which the old home was first known to have stopped.
    """

    stage: StageName
    since_ms: int
    accusers: dict[str, int]
    stopped_ms: int | None = None


@dataclass(frozen=True, slots=True)
class RunView:
    """Everything one step looks at."""

    bench: Bench
    run: Run
    group: Group
    service: ServiceSpec
    memory: Memory
    stamp: Stamp

    @property
    def here_ms(self) -> int:
        """How long this leader has seen the run in its stage."""
        return self.bench.now_ms - self.memory.since_ms

    def advance(self, note: str, *, loss_bound_ms: int | None = None) -> AdvanceRun:
        """Propose the following stage."""
        following = _FOLLOWING[self.run.stage]
        return AdvanceRun(
            self.stamp, self.run.run_id, self.run.stage, following, note, loss_bound_ms
        )

    def abort(self, cause: str, note: str) -> AbortRun:
        """Propose to end the run."""
        return AbortRun(self.stamp, self.run.run_id, self.run.stage, cause, note)


_FOLLOWING = {
    StageName.DRAINING: StageName.FENCING,
    StageName.CONFIRMING: StageName.FENCING,
    StageName.FENCING: StageName.PROMOTING,
    StageName.PROMOTING: StageName.PUBLISHING,
    StageName.PUBLISHING: StageName.VERIFYING,
    StageName.VERIFYING: StageName.SETTLED,
}


def next_step(view: RunView) -> Step | None:
    """Return the command that moves the run on, or None while it has to wait."""
    return _STEPS[view.run.stage](view)


def remember(bench: Bench, service: ServiceSpec, run: Run, memory: Memory | None) -> Memory:
    """Return what this leader knows of the run's stage, beginning anew when the stage changed."""
    if memory is not None and memory.stage is run.stage:
        return memory
    judgement = judge(bench.court, service, run.source, now_ms=bench.now_ms)
    accusers: dict[str, int] = dict(judgement.accusers)
    return Memory(run.stage, bench.now_ms, accusers)


# -- stages ----------------------------------------------------------------------------------------


def _draining(view: RunView) -> Step | None:
    """A planned move waits until the target could take over with its copy nearly complete."""
    deadline_ms = view.bench.court.timing.switchover_deadline_ms
    if _is_source_lost(view):
        return view.abort("SOURCE_LOST", f"{view.run.source} failed; that is a failover's work")
    target = view.service.site(view.run.target)
    reason = None if target is None else standing(view.bench, view.service, target)
    if reason is not None or target is None:
        if view.here_ms >= deadline_ms:
            return view.abort("TARGET_LOST", f"{view.run.target} is not ready: {reason}")
        return None
    return _follows_closely(view)


def _follows_closely(view: RunView) -> Step | None:
    is_long = has_long_answers(view.bench, view.run.group_id, view.run.source)
    if is_long and view.here_ms < _SHORT_WITHIN_MS:
        return None  # its gate was told to answer briefly; writes go on meanwhile
    if not _tracks_lag(view):
        return view.advance("no replication lag is declared; nothing to wait for")
    timing = view.bench.court.timing
    covered_ms = _covered_ms(view)
    # Writes stop only in the next stage, so it is enough that the copy follows closely now.
    if covered_ms is not None and view.bench.now_ms - covered_ms <= timing.staleness_bound_ms:
        return view.advance(f"{view.run.target} is {view.bench.now_ms - covered_ms} ms behind")
    if view.here_ms >= timing.switchover_deadline_ms:
        behind = "by an unknown amount"
        if covered_ms is not None:
            behind = f"{view.bench.now_ms - covered_ms} ms"
        return view.abort("LAG", f"{view.run.target} stayed behind: {behind}")
    return None


def _confirming(view: RunView) -> Step | None:
    """One more fresh round must agree; contrary evidence ends the run (architecture.md 2)."""
    reason = _target_reason(view)
    if reason is not None:
        return _without_target(view, reason)
    if is_idle(view.bench, view.group, view.run.source):
        return _within_rpo(view, f"the gate of {view.run.source} stays closed")
    judgement = judge(view.bench.court, view.service, view.run.source, now_ms=view.bench.now_ms)
    return _retracted(view, judgement) or _confirmed(view, judgement)


def _retracted(view: RunView, judgement: Judgement) -> Step | None:
    if judgement.verdict in (Verdict.UP, Verdict.DEGRADED):
        return view.abort("EVIDENCE_RETRACTED", f"{view.run.source} is {judgement.verdict} again")
    if judgement.cause is Cause.UNDECIDED:
        # An agent that was silent beats again, or one that saw its service fail began anew.
        return view.abort("EVIDENCE_RETRACTED", f"the agent of {view.run.source} is back")
    return None


def _confirmed(view: RunView, judgement: Judgement) -> Step | None:
    hold_ms = view.bench.state.topology.policy(view.service.policy_id).hold_ms
    if view.here_ms >= hold_ms and _is_fresh_round(view, judgement):
        return _within_rpo(view, f"confirmed: {judgement.cause}")
    if view.here_ms >= hold_ms + _CONFIRM_DEADLINE_MS:
        return view.abort("EVIDENCE_LOST", f"no fresh evidence against {view.run.source}")
    return None


def _is_fresh_round(view: RunView, judgement: Judgement) -> bool:
    heartbeat_ms = view.bench.court.timing.heartbeat_ms
    match judgement.cause:
        case Cause.PEERS_FAIL:
            fresh = [
                region_id
                for region_id, rounds in judgement.accusers
                if rounds > view.memory.accusers.get(region_id, -1)
            ]
            return len(fresh) >= view.service.health.observers_agree
        case Cause.PEER_FAIL_AND_SILENT:
            return any(
                rounds > view.memory.accusers.get(region_id, -1)
                for region_id, rounds in judgement.accusers
            )
        case Cause.SELF_FAIL:
            # A service that only paused is called failing until enough probes passed, and the word
            # of that has to get here.
            heard_ms = view.bench.court.log.last_heard_ms(view.run.source)
            rise_ms = view.service.health.rise_count * REPROBE_MS + heartbeat_ms
            # However many probes are asked for: what is waited for longer is never confirmed.
            rise_ms = min(rise_ms, _CONFIRM_DEADLINE_MS // 2)
            return heard_ms is not None and heard_ms > view.memory.since_ms + rise_ms
        case Cause.SILENT | Cause.NEVER_HEARD:
            # Silence moves nothing before the lease has run out (ADR 0003), however the run began.
            court = view.bench.court
            pair = (view.run.service_id, view.run.source)
            silent = silent_domain_count(court, pair, now_ms=view.bench.now_ms)
            agreed = min(SILENT_DIRECTORS_MIN, len(set(court.domains.values())))
            return view.here_ms >= heartbeat_ms and silent >= agreed and _has_lease_ended(view)
        case _:
            return False


def _fencing(view: RunView) -> Step | None:
    """Wait until the old home can no longer act: it promised, or its lease ran out (A4)."""
    reason = _target_reason(view)
    if reason is not None:
        return _without_target(view, reason)
    how = _stopped(view)
    if how is None:
        return None
    if view.memory.stopped_ms is None:
        view.memory.stopped_ms = view.bench.now_ms
    if view.run.kind is RunKind.FAILOVER:
        return _within_rpo(view, how)
    if not _tracks_lag(view):
        return view.advance(how)
    return _has_every_write(view, how, view.memory.stopped_ms)


def _within_rpo(view: RunView, note: str) -> Step:
    """Go on with the loss as it is bounded by now, or end the run if that is beyond the RPO (D3).

    The home may have been granted leases since the run began, for as long as it answered.
    """
    bound_ms = _loss_ms(view)
    rpo_ms = view.run.rpo_ms
    policy = view.bench.state.topology.policy(view.service.policy_id)
    is_guarded = view.run.automatic and policy.require_lag_within_rpo
    if is_guarded and None not in (bound_ms, rpo_ms) and (bound_ms or 0) > (rpo_ms or 0):
        return view.abort(
            "RPO_EXCEEDED", f"{view.run.target} could lose {bound_ms} ms; the RPO is {rpo_ms} ms"
        )
    return view.advance(note, loss_bound_ms=bound_ms)


def _loss_ms(view: RunView) -> int | None:
    """Bound the writes lost by going on now; None is unknown.

    What the run was begun with counts too: a new leader has no samples from before the suspicion.
    """
    bench, run = view.bench, view.run
    suspected_ms = bench.now_ms - (view.stamp.at_ms - run.suspected_at_ms)
    known = [copy_covers_ms(bench, view.service, view.group, run.target, suspected_ms)]
    if run.covered_at_ms is not None:
        known.append(bench.now_ms - (view.stamp.at_ms - run.covered_at_ms))
    covered_ms = max((each for each in known if each is not None), default=None)
    if covered_ms is None:
        return None
    token = FencingToken(bench.state.generation, run.source_epoch)
    ends_ms = bench.leases.stopped_at_ms(run.group_id, token)
    if _has_promised(view):
        ends_ms = min(ends_ms, bench.now_ms)
    return max(0, ends_ms - covered_ms)


def _has_every_write(view: RunView, how: str, stopped_ms: int) -> Step | None:
    """A planned move loses nothing: the copy must cover everything up to the stop."""
    if not _has_promised(view) and _is_source_lost(view):
        # It ran to the end of its lease unheard, so no copy can know that it has every write.
        return view.abort("SOURCE_LOST", f"{view.run.source} failed before it promised to stop")
    covered_ms = _covered_ms(view)
    if covered_ms is not None and covered_ms >= stopped_ms:
        return view.advance(f"{how}; {view.run.target} has every write")
    if view.here_ms >= view.bench.court.timing.switchover_deadline_ms:
        return view.abort("LAG", f"{view.run.target} did not catch up after the stop")
    return None


def _covered_ms(view: RunView) -> int | None:
    """Up to when the target's copy surely has every write; None is unknown.

    A planned move may lose nothing. So what another replica relayed does not count here: how long
    it was on its way is allowed for, but not measured.
    """
    samples = view.bench.court.log.lag_samples((view.run.service_id, view.run.target))
    token = FencingToken(view.bench.state.generation, view.run.source_epoch)
    direct = tuple(
        each for each in samples if each.is_direct and each.follows(view.run.group_id, token)
    )
    return covered_through_ms(direct, view.bench.now_ms)


def _is_source_lost(view: RunView) -> bool:
    record = view.bench.state.verdicts.get((view.run.service_id, view.run.source))
    return record is not None and record.verdict in (Verdict.DOWN, Verdict.UNKNOWN)


def _has_promised(view: RunView) -> bool:
    token = FencingToken(view.bench.state.generation, view.run.source_epoch)
    return view.bench.leases.is_demoted(
        view.run.group_id, token, view.bench.court.log, now_ms=view.bench.now_ms
    )


def _has_lease_ended(view: RunView) -> bool:
    token = FencingToken(view.bench.state.generation, view.run.source_epoch)
    return view.bench.now_ms >= view.bench.leases.stopped_at_ms(view.run.group_id, token)


def _stopped(view: RunView) -> str | None:
    if _has_promised(view):
        return f"{view.run.source} confirmed that it stopped"
    if _has_lease_ended(view):
        return f"the lease of {view.run.source} ran out"
    return None


def _promoting(view: RunView) -> Step | None:
    """Wait until the new home's gate is open under its own token."""
    token = view.bench.state.token(view.group)
    if view.bench.court.log.is_gate_open(view.run.target, view.run.group_id, token):
        return view.advance(f"{view.run.target} serves under {token}")
    # A new leader grants nobody a lease before those of its predecessor have ended.
    grantable_ms = view.bench.leases.grantable_at_ms(view.run.group_id, token)
    since_ms = max(view.memory.since_ms, grantable_ms)
    if view.bench.now_ms >= since_ms + view.bench.court.timing.promote_deadline_ms:
        return view.abort("TARGET_LOST", f"{view.run.target} did not open its gate")
    return None


def _publishing(view: RunView) -> Step | None:
    """Wait until every replica in touch says that its watchers have the new routes."""
    timing, log, now_ms = view.bench.court.timing, view.bench.court.log, view.bench.now_ms
    in_touch = [
        each.report
        for _, each in sorted(log.replicas.items())
        if now_ms - each.seen_at_ms <= timing.staleness_bound_ms
    ]
    behind = [each.replica_id for each in in_touch if each.pushed_index < view.run.index]
    if in_touch and not behind:
        count = sum(each.watcher_count for each in in_touch)
        return view.advance(f"{count} watchers moved")
    if view.here_ms >= timing.publish_deadline_ms:
        return view.advance(f"not confirmed by {', '.join(behind) or 'any replica'}")
    return None


def _verifying(view: RunView) -> Step | None:
    """See the new home pass its own probe, or say that nobody did; ownership stands either way."""
    pair = (view.run.service_id, view.run.target)
    own = view.bench.court.log.self_reading(
        pair, now_ms=view.bench.now_ms, fresh_ms=view.bench.court.timing.suspect_ms
    )
    token = view.bench.state.token(view.group)
    serves = view.bench.court.log.is_gate_open(view.run.target, view.run.group_id, token)
    if own is not None and own[0] is True and serves:
        return view.advance(f"{view.run.target} passes its own probe")
    if view.here_ms >= view.bench.court.timing.verify_deadline_ms:
        return view.advance(f"{view.run.target} was not seen to pass its own probe")
    return None


def _target_reason(view: RunView) -> Ineligible | None:
    target = view.service.site(view.run.target)
    assert target is not None, "a manifest cannot take away what a run works on"
    return standing(view.bench, view.service, target)


def _without_target(view: RunView, reason: Ineligible) -> Step | None:
    """Give the run up, unless it is only that a new leader has not heard everybody yet."""
    timing, pair = view.bench.court.timing, (view.run.service_id, view.run.target)
    own = view.bench.court.log.self_reading(
        pair, now_ms=view.bench.now_ms, fresh_ms=timing.suspect_ms
    )
    has_failed = own is not None and own[0] is False
    is_missing = reason in _MISSING and not has_failed
    if is_missing and view.here_ms < timing.staleness_bound_ms:
        return None
    return view.abort("TARGET_LOST", f"{view.run.target} can no longer take over: {reason}")


def _tracks_lag(view: RunView) -> bool:
    return view.service.rpo_ms is not None


def _ended(_view: RunView) -> Step | None:
    return None


_STEPS: dict[StageName, Callable[[RunView], Step | None]] = {
    StageName.DRAINING: _draining,
    StageName.CONFIRMING: _confirming,
    StageName.FENCING: _fencing,
    StageName.PROMOTING: _promoting,
    StageName.PUBLISHING: _publishing,
    StageName.VERIFYING: _verifying,
    StageName.SETTLED: _ended,
    StageName.ABORTED: _ended,
}
