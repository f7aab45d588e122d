"""Applies grants and the stages of runs: the only place where ownership changes."""

from dataclasses import replace

from director.core.capacity import start_room_refusal
from director.core.commands import (
    AbortRun,
    AdvanceRun,
    GrantOwnership,
    RunKind,
    StageName,
    StartRun,
)
from director.core.events import (
    Event,
    OwnershipGranted,
    RunAborted,
    RunAdvanced,
    RunStarted,
)
from director.core.failback import failback_refusal
from director.core.ids import FencingToken, RunId
from director.core.machine_automation import (
    with_grant,
    with_move_counted,
)
from director.core.machine_drills import run_refusal, with_drill
from director.core.machine_intents import approval_refusal, with_run_started
from director.core.reasons import Reason
from director.core.refusals import reject
from director.core.safety import Refusal, start_refusal
from director.core.state import RUNS_KEPT_MAX, Group, Phase, Run, Spent, State
from director.routing.table import Override, RegionId, ServiceId, Verdict

# Which stage may follow which, and the phase of the ledger that ends with it.
_NEXT: dict[StageName, tuple[StageName, Phase]] = {
    StageName.DRAINING: (StageName.FENCING, Phase.DECIDE),
    StageName.CONFIRMING: (StageName.FENCING, Phase.DECIDE),
    StageName.FENCING: (StageName.PROMOTING, Phase.FENCE),
    StageName.PROMOTING: (StageName.PUBLISHING, Phase.PROMOTE),
    StageName.PUBLISHING: (StageName.VERIFYING, Phase.PUBLISH),
    StageName.VERIFYING: (StageName.SETTLED, Phase.VERIFY),
}
# Until the grant is made a run can be taken back; afterwards it can only be finished, but for a
# target that never opens its gate.
_ABORTABLE = (
    StageName.DRAINING,
    StageName.CONFIRMING,
    StageName.FENCING,
    StageName.PROMOTING,
)


def grant_ownership(state: State, index: int, command: GrantOwnership) -> tuple[State, Event]:
    """Give a group without a home its first one."""
    group = state.group(command.group_id)
    service = None if group is None else state.topology.service(group.service_id)
    if group is None or service is None or service.site(command.home) is None:
        return reject(
            state,
            index,
            command,
            Refusal(Reason.SERVICE_NOT_FOUND, f"{command.group_id} has no site in {command.home}"),
        )
    if group.home is not None or group.epoch != command.expected_epoch:
        return reject(
            state,
            index,
            command,
            Refusal(
                Reason.STALE_EPOCH,
                f"{group.group_id} is at epoch {group.epoch} with home {group.home}; the grant was "
                f"decided at epoch {command.expected_epoch}",
            ),
        )
    group = _granted(group, command.home, index, state.now_ms)
    group = replace(group, serving=command.home)
    state = _with_group(state, group, index)
    return state, OwnershipGranted(index, group.group_id, command.home, state.token(group))


def start_run(state: State, index: int, command: StartRun) -> tuple[State, Event]:
    """Begin a run, if every rule allows it at this moment."""
    refusal = _start_refusal(state, command)
    if refusal is not None:
        return reject(state, index, command, refusal)
    group = state.group(command.group_id)
    assert group is not None, "start_refusal looked it up"
    assert group.home is not None, "start_refusal looked it up"
    service = state.topology.service(group.service_id)
    assert service is not None, "a group lives as long as its service"
    number = state.run_count + 1
    detect_ms = max(0, state.now_ms - command.suspected_at_ms)
    run = Run(
        run_id=RunId(f"{group.service_id}/{number}"),
        kind=command.kind,
        group_id=group.group_id,
        service_id=group.service_id,
        source=group.home,
        target=command.target,
        source_epoch=group.epoch,
        stage=_first_stage(command),
        automatic=command.automatic,
        started_at_ms=state.now_ms,
        suspected_at_ms=min(command.suspected_at_ms, state.now_ms),
        stage_at_ms=state.now_ms,
        rto_ms=service.rto_ms,
        rpo_ms=service.rpo_ms,
        loss_bound_ms=command.loss_bound_ms,
        accept_loss_ms=command.accept_loss_ms,
        ledger=(Spent(Phase.DETECT, detect_ms, command.stamp.reason),),
        actor=command.stamp.actor,
        reason=command.stamp.reason,
        request_id=command.stamp.request_id,
        started_wall_ms=command.stamp.wall_ms,
        index=index,
        evidence=command.evidence,
        covered_at_ms=command.covered_at_ms,
    )
    state, run = with_drill(state, run, command)
    state = replace(state, runs=_kept((*state.runs, run)), run_count=number)
    state = with_run_started(state, run, command)
    return state, RunStarted(
        index,
        run.run_id,
        run.group_id,
        run.source,
        run.target,
        run.stage,
        command.stamp.request_id,
    )


def _start_refusal(state: State, command: StartRun) -> Refusal | None:
    return (
        run_refusal(state, command)
        or start_refusal(state, command)
        or failback_refusal(state, command)
        or approval_refusal(state, command)
        or start_room_refusal(state, command)
    )


def _first_stage(command: StartRun) -> StageName:
    if command.kind is not RunKind.FAILOVER:
        return StageName.DRAINING
    # An operator's word needs no confirmation; the director's own suspicion does.
    return StageName.CONFIRMING if command.automatic else StageName.FENCING


def advance_run(state: State, index: int, command: AdvanceRun) -> tuple[State, Event]:
    """Move a run to its next stage; entering PROMOTING is the grant of the next epoch."""
    run = state.run(command.run_id)
    refusal = _stage_refusal(run, command.run_id, command.expected_stage)
    if refusal is not None or run is None:
        return reject(state, index, command, refusal or _no_run(command.run_id))
    following, phase = _NEXT[run.stage]
    if command.stage is not following:
        return reject(
            state,
            index,
            command,
            Refusal(Reason.STALE_STAGE, f"{run.stage} is followed by {following}"),
        )
    refusal = _loss_refusal(state, run, command)
    if refusal is not None:
        return reject(state, index, command, refusal)
    token: FencingToken | None = None
    group = state.group(run.group_id)
    assert group is not None, "a manifest cannot take the group of an active run away"
    if command.stage is StageName.PROMOTING:
        refusal = _grant_refusal(state, run, group)
        if refusal is not None:
            return reject(state, index, command, refusal)
        group = _granted(group, run.target, index, state.now_ms)
        token = state.token(group)
    elif command.stage is StageName.PUBLISHING:
        group = replace(group, serving=run.target)
    spent = Spent(phase, state.now_ms - run.stage_at_ms, command.note)
    run = _at_stage(run, command, index, state.now_ms)
    run = replace(run, ledger=(*run.ledger, spent))
    if command.stage is StageName.VERIFYING:
        run = replace(run, measured_rto_ms=state.now_ms - run.suspected_at_ms)
    state = _with_run(_with_group(state, group, index), run)
    if token is not None:
        state = with_grant(state, run)
    if command.stage is StageName.SETTLED:
        state = _settled(state, run)
    return state, RunAdvanced(index, run.run_id, run.stage, token, command.note)


def _loss_refusal(state: State, run: Run, command: AdvanceRun) -> Refusal | None:
    """The director itself gives up no more than the RPO, however long the home went on (D3)."""
    if not run.automatic or run.rpo_ms is None or command.loss_bound_ms is None:
        return None
    service = state.topology.service(run.service_id)
    assert service is not None, "a manifest cannot take away what a run works on"
    is_bound = state.topology.policy(service.policy_id).require_lag_within_rpo
    if not is_bound or command.loss_bound_ms <= run.rpo_ms:
        return None
    return Refusal(
        Reason.RPO_EXCEEDED,
        f"{run.target} could lose {command.loss_bound_ms} ms of writes by now; the RPO of "
        f"{run.service_id} is {run.rpo_ms} ms",
    )


def _grant_refusal(state: State, run: Run, group: Group) -> Refusal | None:
    """Look once more, with everything that committed since the run was decided (A9)."""
    if (group.home, group.epoch) != (run.source, run.source_epoch):
        return Refusal(
            Reason.STALE_EPOCH,
            f"{group.group_id} is owned by {group.home} at epoch {group.epoch}, not by "
            f"{run.source} at {run.source_epoch}",
        )
    pair = (run.service_id, run.target)
    override = state.overrides.get(pair)
    record = state.verdicts.get(pair)
    is_down = record is not None and record.verdict is Verdict.DOWN
    if override is Override.FORCE_DOWN or (is_down and override is not Override.FORCE_UP):
        return Refusal(Reason.TARGET_INELIGIBLE, f"{run.service_id} is DOWN in {run.target}")
    return None


def abort_refusal(run: Run) -> Refusal | None:
    """Say why ``run`` can no longer be taken back, or None if it can."""
    if run.stage in _ABORTABLE:
        return None
    stage = (("stage", str(run.stage)),)
    if not run.is_active:
        return Refusal(Reason.STALE_STAGE, f"{run.run_id} has ended: it is {run.stage}", stage)
    return Refusal(
        Reason.STALE_STAGE,
        f"{run.run_id} is {run.stage}: {run.target} owns already; move it back with a switchover "
        "instead",
        stage,
    )


def abort_run(state: State, index: int, command: AbortRun) -> tuple[State, Event]:
    """End a run. Whoever may have been fenced gets a fresh epoch, so that somebody owns."""
    run = state.run(command.run_id)
    refusal = _stage_refusal(run, command.run_id, command.expected_stage)
    if refusal is not None or run is None:
        return reject(state, index, command, refusal or _no_run(command.run_id))
    refusal = abort_refusal(run)
    if refusal is not None:
        return reject(state, index, command, refusal)
    token: FencingToken | None = None
    group = state.group(run.group_id)
    assert group is not None, "a manifest cannot take the group of an active run away"
    if run.stage is StageName.FENCING:
        # The source may have promised never to act under its token again.
        group = _granted(group, run.source, index, state.now_ms)
        token = state.token(group)
    elif run.stage is StageName.PROMOTING:
        # The target owns, served or not; a further run moves it on from there.
        group = replace(group, serving=run.target)
    ended = replace(
        run,
        stage=StageName.ABORTED,
        stage_at_ms=state.now_ms,
        index=index,
        cause=command.cause,
        ended_wall_ms=command.stamp.wall_ms,
        notes=(*run.notes, command.note or command.cause),
    )
    state = _with_run(_with_group(state, group, index), ended)
    return state, RunAborted(index, run.run_id, command.cause, token, command.stamp.request_id)


def _no_run(run_id: RunId) -> Refusal:
    return Refusal(Reason.FAILOVER_NOT_FOUND, f"there is no failover {run_id}")


def _stage_refusal(run: Run | None, run_id: RunId, expected: StageName) -> Refusal | None:
    if run is None:
        return _no_run(run_id)
    if run.stage is expected and run.is_active:
        return None
    return Refusal(
        Reason.STALE_STAGE,
        f"{run_id} is {run.stage}; the step was decided while it was {expected}",
        (("stage", run.stage), ("expectedStage", expected)),
    )


def _granted(group: Group, home: RegionId, index: int, now_ms: int) -> Group:
    return replace(
        group, epoch=group.epoch + 1, home=home, granted_index=index, granted_at_ms=now_ms
    )


def _with_group(state: State, group: Group, index: int) -> State:
    before = state.group(group.group_id)
    if group is before:
        return state  # routes stay as they are
    assert before is not None, "groups are made by manifests only"
    assert group.epoch >= before.epoch, "epochs only rise (A2)"
    groups = tuple(group if each.group_id == group.group_id else each for each in state.groups)
    return replace(state, groups=groups, changed_index=index)


def _with_run(state: State, run: Run) -> State:
    runs = tuple(run if each.run_id == run.run_id else each for each in state.runs)
    return replace(state, runs=_kept(runs))


def _kept(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    ended = [run.run_id for run in runs if not run.is_active]
    dropped = set(ended[:-RUNS_KEPT_MAX])
    return tuple(run for run in runs if run.run_id not in dropped)


def _at_stage(run: Run, command: AdvanceRun, index: int, now_ms: int) -> Run:
    is_last = command.stage is StageName.SETTLED
    return replace(
        run,
        stage=command.stage,
        stage_at_ms=now_ms,
        index=index,
        ended_wall_ms=command.stamp.wall_ms if is_last else 0,
        loss_bound_ms=(
            run.loss_bound_ms if command.loss_bound_ms is None else command.loss_bound_ms
        ),
    )


def _settled(state: State, run: Run) -> State:
    if not run.automatic or run.drill_id:
        return state  # a rehearsal keeps nobody from the real thing
    settled: dict[ServiceId, int] = dict(state.settled_at_ms)
    settled[run.service_id] = state.now_ms
    state = replace(state, settled_at_ms=tuple(sorted(settled.items())))
    return with_move_counted(state, run)
