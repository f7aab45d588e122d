"""The remedy for a director that lost its data: remove it, and add it again as a new one (C10)."""

from collections.abc import Mapping
from typing import Any

from director.consensus.port import ConsensusError
from director.raft.membership import AddLearner, MembershipChange, Promote, Remove
from director.raft.messages import ReplicaId
from tests.sim.replica import Replica
from tests.sim.world import World

_AGAIN_MS = 300


class Rejoin:
    """An operator at work: asks whoever leads for one change after the other, until all are made.

    The replica itself is to run, or to be started, on its empty disk.

    Attributes:
        refusals: What the leaders refused on the way.
        is_done: Whether the replica is a voter again.
    """

    def __init__(self, world: World, replicas: Mapping[str, Replica], replica_id: str) -> None:
        self.refusals: list[str] = []
        self.is_done = False
        self._world = world
        self._replicas = replicas
        self._id = ReplicaId(replica_id)
        self._is_removed = False
        self._has_address = False
        self._asked_promotion = False

    def begin(self) -> "Rejoin":
        """Begin; it goes on by itself while time passes."""
        self._world.trace.note(f"the operator takes {self._id} out and in again")
        self._step()
        return self

    def _step(self) -> None:
        if self.is_done:
            return
        self._world.schedule.after(_AGAIN_MS, self._step)
        leading = [each for each in self._replicas.values() if each.leads]
        if leading and not any(each.process.is_paused for each in leading):
            self._ask(max(leading, key=lambda each: each.raft.node.term))

    def _ask(self, leader: Replica) -> None:
        membership = leader.raft.node.membership
        if not self._is_removed and not membership.is_member(self._id):
            self._is_removed = True
        elif not self._is_removed:
            self._change(leader, Remove(self._id))
        elif not membership.is_member(self._id):
            if self._has_address:
                self._change(leader, AddLearner(self._id))
            else:
                leader.raft.note_address(self._id, self._address_noted)
        elif not membership.is_voter(self._id):
            self._asked_promotion = True
            self._change(leader, Promote(self._id))
        elif self._asked_promotion:
            self._finish()  # the answer was lost with the leader that made the change
        else:
            self._is_removed = False  # the removal was overwritten

    def _finish(self) -> None:
        if not self.is_done:
            self.is_done = True
            self._world.coverage.hit(25, "rejoined")

    def _address_noted(self, outcome: Any) -> None:
        self._has_address = not isinstance(outcome, ConsensusError)

    def _change(self, leader: Replica, step: MembershipChange) -> None:
        def answered(outcome: Any) -> None:
            if isinstance(outcome, ConsensusError):
                self.refusals.append(str(outcome))
                return
            self._world.trace.note(f"{leader.replica_id} made the change: {step}")
            if isinstance(step, Remove):
                self._is_removed = True
            elif isinstance(step, Promote):
                self._finish()

        leader.raft.change(step, answered)
