"""Bugs of the replicated state machine, its rules and its snapshots (A2, A9, C1, D3, R2, R3)."""

from director.core import machine, machine_manifest, machine_runs, routes, safety
from director.service import codec
from tests.sim.bugs.bug import Bug, Edit
from tests.sim.bugs.machine_world import committed

_COMMITTED = committed()

_REPLACE = "__import__('dataclasses').replace"

BUGS = (
    Bug("a snapshot is without the epochs of its groups", "A2", _COMMITTED, (
        Edit(codec, "encode_state", "_STATE.encode(state)",
             f"_STATE.encode({_REPLACE}(state, groups=tuple("
             f"{_REPLACE}(each, epoch=0) for each in state.groups)))"),
    )),
    Bug("a token is used again after a snapshot, for a service that came back", "A2", _COMMITTED, (
        Edit(codec, "decode_state", "_STATE.decode(snapshot.state)",
             f"{_REPLACE}(_STATE.decode(snapshot.state), retired_epochs=())"),
    )),
    Bug("the epoch of a removed service is forgotten", "A2", _COMMITTED, (
        Edit(machine_manifest, "_groups_after", "epoch=retired.pop(group_id, 0)", "epoch=0"),
    )),
    Bug("a promotion keeps the epoch", "A1", _COMMITTED, (
        Edit(machine_runs, "_granted", "epoch=group.epoch + 1",
             "epoch=group.epoch + (group.home is None)"),
    )),
    Bug("a grant is not compared with the epoch it was decided at", "A9", _COMMITTED, (
        Edit(machine_runs, "grant_ownership",
             "group.home is not None or group.epoch != command.expected_epoch", "False"),
    )),
    Bug("a step is taken whatever the stage is by now", "A9", _COMMITTED, (
        Edit(machine_runs, "_stage_refusal", "run.stage is expected and run.is_active", "True"),
    )),
    Bug("deduplication is lost with a snapshot", "C1", _COMMITTED, (
        Edit(codec, "encode_state", "_STATE.encode(state)",
             f"_STATE.encode({_REPLACE}(state, requests=()))"),
    )),
    Bug("a request that comes twice is carried out twice", "C1", _COMMITTED, (
        Edit(machine, "apply", "repetition(state, command.stamp) if request_id else None", "None"),
    )),
    Bug("two runs of one group at once", "C1", _COMMITTED, (
        Edit(safety, "_run_refusal", "if active is None:", "if True:"),
    )),
    Bug("the cooldown is ignored", "C1", _COMMITTED, (
        Edit(safety, "_automation_refusal", "if left_ms > 0:", "if False:"),
    )),
    Bug("the cooldown is forgotten by a snapshot", "C1", _COMMITTED, (
        Edit(codec, "encode_state", "_STATE.encode(state)",
             f"_STATE.encode({_REPLACE}(state, settled_at_ms=()))"),
    )),
    Bug("the cap on regions that lose their services at once is ignored", "C1", _COMMITTED, (
        Edit(safety, "_automation_refusal", "len(sources) >= policy.concurrent_max", "False"),
    )),
    Bug("unknown loss is taken for none at apply", "D3", _COMMITTED, (
        Edit(safety, "_rpo_refusal", "bound_ms = command.loss_bound_ms",
             "bound_ms = command.loss_bound_ms or 0"),
    )),
    Bug("the loss is not compared with the RPO", "D3", _COMMITTED, (
        Edit(safety, "_rpo_refusal", "if bound_ms <= allowed_ms:", "if True:"),
    )),
    Bug("a region that is DOWN may take over", "D4", _COMMITTED, (
        Edit(safety, "standing_refusal", "if is_down and override", "if False and override"),
    )),
    Bug("a drained region may take over", "D4", _COMMITTED, (
        Edit(safety, "standing_refusal", "if target in state.drained_regions:", "if False:"),
    )),
    Bug("the last region may be drained", "R2", _COMMITTED, (
        Edit(safety, "_withdrawal_refusal", "len(left) >= _serving_min(state, service)", "True"),
    )),
    Bug("the rule on drains is checked when they are asked for, not when they are applied", "R2",
        _COMMITTED, (
        Edit(machine, "_set_region_drained",
             "drain_refusal(state, region_id) if command.drained else None", "None"),
    )),
    Bug("the last healthy region is taken out on a verdict", "R2", _COMMITTED, (
        Edit(safety, "withholding_rule",
             "len(_healthy_elsewhere(state, service, region_id)) < _serving_min(state, service)",
             "False"),
    )),
    Bug("an override may take the last region out", "R2", _COMMITTED, (
        Edit(safety, "override_refusal",
             'return _withdrawal_refusal(state, service, region_id, "forcing down")',
             "return None"),
    )),
    Bug("documents may take the last healthy region away", "R2", _COMMITTED, (
        Edit(machine_manifest, "manifest_refusal",
             "return manifest_safety_refusal(state, _with_topology(state, after), command)",
             "return None"),
    )),
    Bug("the velocity cap is ignored", "R3", _COMMITTED, (
        Edit(safety, "_has_removed_enough", "len(removed) >= VELOCITY_REGIONS_MAX", "False"),
    )),
    Bug("the velocity cap is forgotten by a snapshot", "R3", _COMMITTED, (
        Edit(codec, "encode_state", "_STATE.encode(state)",
             f"_STATE.encode({_REPLACE}(state, removals=()))"),
    )),
    Bug("director time goes back with a new leader's clock", "C6", _COMMITTED, (
        Edit(machine, "apply", "max(state.now_ms, command.stamp.at_ms)", "command.stamp.at_ms"),
    )),
    Bug("routes are published before the promotion", "R4", _COMMITTED, (
        Edit(machine_runs, "advance_run",
             "group = _granted(group, run.target, index, state.now_ms)",
             "group = replace(_granted(group, run.target, index, state.now_ms), "
             "serving=run.target)"),
    )),
    Bug("routes follow the home, served or not", "R4", _COMMITTED, (
        Edit(routes, "_service_route", "None if group is None else group.serving",
             "None if group is None else group.home"),
    )),
)  # fmt: skip
