"""Who takes part, as the log says it, and the single steps by which that may change.

One voter is added or removed at a time, so any majority of the old voters shares a replica with
any majority of the new ones and no joint phase is needed (Raft thesis, section 4.1). A membership
holds from the moment its entry is in the log, committed or not, and goes when the entry is
overwritten.
"""

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from director.raft.errors import Refusal
from director.raft.messages import Membership, ReplicaId, SnapshotMark


@dataclass(frozen=True, slots=True)
class AddLearner:
    """Let a new replica receive the log, without a vote."""

    replica_id: ReplicaId


@dataclass(frozen=True, slots=True)
class Promote:
    """Give a learner that has caught up a vote."""

    replica_id: ReplicaId


@dataclass(frozen=True, slots=True)
class Remove:
    """Take a voter or a learner out. It may be the leader itself."""

    replica_id: ReplicaId


MembershipChange: TypeAlias = AddLearner | Promote | Remove


def changed(membership: Membership, change: MembershipChange) -> Membership | Refusal:
    """Return ``membership`` after ``change``, or why it cannot be made."""
    match change:
        case AddLearner(replica_id=replica_id):
            if membership.is_member(replica_id):
                return Refusal.ALREADY_MEMBER
            return Membership(voters=membership.voters, learners=(*membership.learners, replica_id))
        case Promote(replica_id=replica_id):
            if replica_id not in membership.learners:
                return Refusal.NOT_A_LEARNER
            return Membership(
                voters=(*membership.voters, replica_id),
                learners=_without(membership.learners, replica_id),
            )
        case Remove(replica_id=replica_id):
            return _removed(membership, replica_id)
        case _:
            assert_never(change)


def _removed(membership: Membership, replica_id: ReplicaId) -> Membership | Refusal:
    if not membership.is_member(replica_id):
        return Refusal.NOT_A_MEMBER
    if membership.voters == (replica_id,):
        return Refusal.LAST_VOTER
    return Membership(
        voters=_without(membership.voters, replica_id),
        learners=_without(membership.learners, replica_id),
    )


def _without(ids: tuple[ReplicaId, ...], removed: ReplicaId) -> tuple[ReplicaId, ...]:
    return tuple(replica_id for replica_id in ids if replica_id != removed)


class MembershipTrack:
    """The memberships along the log: which one holds from which index on.

    Invariant: indexes rise, and the first step is the newest at or below the snapshot.
    """

    __slots__ = ("_steps",)

    def __init__(self, mark: SnapshotMark) -> None:
        """Start from the membership of a snapshot."""
        self._steps: list[tuple[int, Membership]] = [(mark.index, mark.membership)]

    @property
    def latest(self) -> Membership:
        """The membership that holds now: the newest in the log, committed or not."""
        return self._steps[-1][1]

    @property
    def latest_index(self) -> int:
        """The index of the entry that made ``latest``."""
        return self._steps[-1][0]

    def at(self, index: int) -> Membership:
        """The membership as of ``index``. Below the first step kept, that of the first step."""
        for step_index, membership in reversed(self._steps):
            if step_index <= index:
                return membership
        return self._steps[0][1]

    def append(self, index: int, membership: Membership) -> None:
        """Note that the entry at ``index`` makes ``membership`` hold."""
        assert index > self.latest_index, "memberships follow the log, which only grows here"
        self._steps.append((index, membership))

    def truncate_from(self, index: int) -> None:
        """Forget the memberships of entries that are overwritten from ``index`` on."""
        while len(self._steps) > 1 and self._steps[-1][0] >= index:
            self._steps.pop()

    def forget_below(self, index: int) -> None:
        """Drop what no one can ask for once the log starts after ``index``."""
        while len(self._steps) > 1 and self._steps[1][0] <= index:
            del self._steps[0]
