"""Bugs of leases, tokens and gates, played in whole fleets (A1 - A6, A8)."""

from director.core import (
    directives,
    director,
    failover,
    failover_run,
    lease,
    machine_generation,
    machine_manifest,
    machine_runs,
    routes,
    safety,
    timing,
)
from director.core.commands import StageName
from director.service import codec
from regions.actuators import gate
from regions.core import autonomy, fence, proof
from tests.sim.bugs.bug import Bug, Edit
from tests.sim.bugs.fleet_worlds import StaleDirector, hung_disk, leader_lost, told
from tests.sim.options import LeaderLoss, RegionLoss
from tests.sim.scenarios.changes import PoisonedConfiguration
from tests.sim.scenarios.disks import RestoredFromYesterday
from tests.sim.scenarios.lost_regions import AllUnhealthy, OverRpo
from tests.sim.scenarios.messages import OldMessages
from tests.sim.scenarios.processes import PausedBeyondLease

_UNSEEN = leader_lost(region_loss=RegionLoss.UNSEEN, rpo_ms=None)
"""The home goes on writing while it is moved away from."""
_REPLACE = "__import__('dataclasses').replace"

BUGS = (
    Bug("the lease is counted from receipt", "A5",
        leader_lost(region_loss=RegionLoss.STALLED), (
        Edit(autonomy, "Autonomy.granted",
             "deadline_at_ms = sent_at_ms + given", "deadline_at_ms = now_ms + given"),
    )),
    Bug("a gate stays open for longer than its lease", "A5",
        leader_lost(region_loss=RegionLoss.CUT_OFF), (
        Edit(autonomy, "Autonomy.granted",
             "given.ttl_ms * USED_PER_MILLE", "given.ttl_ms * 1_500"),
    )),
    Bug("permits are not bounded by the lease", "A5",
        leader_lost(region_loss=RegionLoss.CUT_OFF, gate_answer_ms=1_000, rpo_ms=None), (
        Edit(gate, "Gates.check",
             "min(state.deadline_at_ms, now_ms + state.answer_ms)", "now_ms + state.answer_ms"),
    )),
    Bug("clock drift is counted neither by the holder nor by whoever waits", "A4",
        leader_lost(region_loss=RegionLoss.CUT_OFF, clock_rate_ppm_max=10_000, rpo_ms=None,
                    # Nothing but the clocks stands between a lease and its wait.
                    base_delay_ms=1, jitter_ms=0, loss=0.0, sync_ms=1, app_hop_ms=0,
                    write_every_ms=60), (
        Edit(autonomy, "USED_PER_MILLE", "900", "1_000"),
        Edit(timing, "Timing.lease_wait_ms",
             "-(-self.lease_ms * (1_000 + rho) // (1_000 - rho)) + self.lease_margin_ms",
             "self.lease_ms + 0 * rho"),
    )),
    Bug("leases are granted without a barrier", "A4",
        leader_lost(region_loss=RegionLoss.UNSEEN, rpo_ms=None, stage=StageName.CONFIRMING,
                    leader_loss=LeaderLoss.PAUSED_WITH_HOME), (
        Edit(director, "Director._take", "return self._leases.ask(given)",
             "self._leases.ask(given); return self._leases.passed("
             "self._leases._barrier_id, self._term or 0, self._state, now_ms=now_ms)"),
    )),
    Bug("a new leader does not wait for the old one's leases", "A4",
        leader_lost(region_loss=RegionLoss.UNSEEN, rpo_ms=None, stage=StageName.CONFIRMING,
                    leader_loss=LeaderLoss.ISOLATED_WITH_HOME), (
        Edit(lease, "LeaseBook._stopped_at_ms",
             "self._office_at_ms + self._timing.lease_wait_ms", "self._office_at_ms"),
    )),
    Bug("grants of this office are forgotten", "A4", _UNSEEN, (
        Edit(lease, "LeaseBook._stopped_at_ms",
             "if grant is not None and", "if grant is not None and False and"),
    )),
    Bug("a demotion is not awaited", "A4", _UNSEEN, (
        Edit(failover_run, "_stopped", "if _has_promised(view)", "if True"),
    )),
    Bug("the new epoch is granted while the old home's lease runs", "A4",
        leader_lost(region_loss=RegionLoss.CUT_OFF, rpo_ms=None), (
        Edit(failover_run, "_has_lease_ended", "return view.bench.now_ms >=",
             "return True or view.bench.now_ms >="),
    )),
    Bug("a promise is confirmed while permits are out", "A4",
        leader_lost(region_loss=RegionLoss.UNSEEN, rpo_ms=None, gate_answer_ms=1_000), (
        Edit(autonomy, "Autonomy._maybe_confirm", "and now_ms >= gate.quiet_at_ms", ""),
    )),
    Bug("a home that is being fenced is asked for nothing, and granted leases", "L2",
        leader_lost(region_loss=RegionLoss.UNSEEN, rpo_ms=None), (
        Edit(directives, "_direct",
             "demote=fenced.get(group.group_id) is StageName.FENCING", "demote=False"),
        Edit(lease, "LeaseBook._ownership_refusal", "run.stage is StageName.FENCING", "False"),
    ), is_liveness=True),
    Bug("an abort grants the same epoch again", "A2",
        leader_lost(stage=StageName.FENCING, loses_target=True), (
        Edit(machine_runs, "_granted",
             "epoch=group.epoch + 1", "epoch=group.epoch + (home != group.home)"),
    )),
    Bug("an epoch is lost with a snapshot of a director", "A2",
        leader_lost(leader_loss=LeaderLoss.KILLED, snapshot_entries=5), (
        Edit(codec, "decode_state", "_STATE.decode(snapshot.state)",
             f"{_REPLACE}(state := _STATE.decode(snapshot.state), groups=tuple("
             f"{_REPLACE}(each, epoch=max(1, each.epoch - 1))"
             " for each in state.groups))"),
    )),
    Bug("an agent obeys whoever speaks last", "A3",
        leader_lost(leader_loss=LeaderLoss.KILLED), (
        Edit(fence, "Fence.directed",
             "        return None\n    if known is None or given.token > known.token:",
             "        pass\n    if known is None or given.token != known.token:"),
    )),
    Bug("the fence is checked only in the region that owns", "A3",
        leader_lost(leader_loss=LeaderLoss.KILLED), (
        Edit(fence, "Fence.directed", "given.token < known.token:",
             "given.token < known.token and known.home == self._region_id:"),
        Edit(fence, "Fence.directed", "given.token > known.token:", "given.token != known.token:"),
    )),
    Bug("an agent forgets its token at a restart", "A3",
        told(StaleDirector), (
        Edit(fence, "Fence.__init__", "group.group_id: group for group in kept.groups",
             "group.group_id: group for group in ()"),
    )),
    Bug("an agent without directors prolongs its own lease", "A8",
        leader_lost(region_loss=RegionLoss.CUT_OFF, rpo_ms=None), (
        Edit(autonomy, "Autonomy.run",
             "if gate.is_open and now_ms >= gate.deadline_at_ms:",
             "if gate.is_open and now_ms >= gate.deadline_at_ms - 500:\n"
             "            gate.deadline_at_ms += 1_000\n"
             "            effects.append(self._set(gate))\n"
             "        elif gate.is_open and now_ms >= gate.deadline_at_ms:"),
        Edit(autonomy, "Autonomy._wakes", "at_ms.append(gate.deadline_at_ms)",
             "at_ms.append(gate.deadline_at_ms - 500)"),
    )),
    Bug("a lease is renewed although the disk hangs", "A6", hung_disk(), (
        Edit(proof, "Proof.is_complete",
             "and self._wrote_at_ms is not None\n        and self._wrote_at_ms >= oldest_ms", ""),
    )),
    Bug("old proof is good for ever", "A6", hung_disk(), (
        Edit(proof, "Proof.is_complete", "oldest_ms = now_ms - PROOF_AGE_MS", "oldest_ms = 0"),
        Edit(proof, "Proof.is_complete", "oldest_ms = max(oldest_ms, since_ms)", "pass"),
    )),
    Bug("the gate does not look at the clock when it is asked", "A5",
        told(PausedBeyondLease), (
        Edit(gate, "Gates.check", "if state.is_open and now_ms < state.deadline_at_ms:",
             "if state.is_open:"),
        Edit(gate, "Gates.check",
             "min(state.deadline_at_ms, now_ms + state.answer_ms)", "now_ms + state.answer_ms"),
    )),
    Bug("an agent promotes itself on a grant that it did not ask for", "A8",
        told(OldMessages), (
        Edit(autonomy, "Autonomy.granted", "or given.token != gate.token ", ""),
        Edit(autonomy, "Autonomy.granted", "gate.asked_at_ms.get(given.request_number)",
             "gate.asked_at_ms.get(given.request_number, now_ms)"),
        Edit(autonomy, "Autonomy.granted",
             "sent_at_ms is None or not self._fence.may_act(given.group_id)", "sent_at_ms is None"),
    )),
    Bug("a director that was restored goes on in the old generation", "A2",
        told(RestoredFromYesterday), (
        Edit(machine_generation, "start_generation",
             "generation=command.generation,", "generation=state.generation,"),
    )),
    Bug("documents are not compared with what is in force", "C7", told(PoisonedConfiguration), (
        Edit(machine_manifest, "manifest_refusal", "before, after = ",
             "return None; before, after = "),
    )),
    Bug("an owner that is DOWN leaves the routes", "R4", told(AllUnhealthy), (
        Edit(routes, "_service_route", "None if group is None else group.serving",
             "None if group is None or any(each.verdict == 'DOWN' for pair, each in "
             "state.verdicts.items() if pair == (service.service_id, group.serving)) "
             "else group.serving"),
    )),
    Bug("the loss is compared with the RPO nowhere", "D3", told(OverRpo), (
        Edit(failover, "_data_reason", "bound_ms is None", "False"),
        Edit(failover, "_data_reason", "bound_ms > service.rpo_ms", "False"),
        Edit(safety, "_rpo_refusal", "bound_ms is None", "False"),
        Edit(safety, "_rpo_refusal", "bound_ms <= allowed_ms", "True"),
    )),
)  # fmt: skip
