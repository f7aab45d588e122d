"""Counting majorities, of one set of voters or of both sets of a joint membership."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from director.raft.messages import Membership, ReplicaId


class VoteResult(StrEnum):
    """What the votes counted so far amount to."""

    PENDING = "pending"
    WON = "won"
    LOST = "lost"


def quorum_size(voter_count: int) -> int:
    """How many of ``voter_count`` voters any two quorums need to share one."""
    return voter_count // 2 + 1


def majority_value(values: list[int]) -> int:
    """Return the highest value that a majority of ``values`` reaches. Sorts them in place."""
    values.sort()
    return values[(len(values) - 1) // 2]


def committed_index(match_by_id: Mapping[ReplicaId, int], voters: Sequence[ReplicaId]) -> int:
    """Return the highest index a majority of ``voters`` holds. An unknown voter holds none."""
    return majority_value([match_by_id.get(voter, 0) for voter in voters])


def agreed(membership: Membership, value_of: Callable[[ReplicaId], int]) -> int:
    """Return the highest value that every majority ``membership`` needs has reached."""
    value = majority_value([value_of(voter) for voter in membership.voters])
    if not membership.voters_outgoing:
        return value
    return min(value, majority_value([value_of(voter) for voter in membership.voters_outgoing]))


def vote_result(votes: Mapping[ReplicaId, bool], membership: Membership) -> VoteResult:
    """Count ``votes``. Both halves of a joint membership must be won; either can be lost."""
    results = [_majority_result(votes, membership.voters)]
    if membership.voters_outgoing:
        results.append(_majority_result(votes, membership.voters_outgoing))
    if VoteResult.LOST in results:
        return VoteResult.LOST
    if VoteResult.PENDING in results:
        return VoteResult.PENDING
    return VoteResult.WON


def _majority_result(votes: Mapping[ReplicaId, bool], voters: Sequence[ReplicaId]) -> VoteResult:
    needed = quorum_size(len(voters))
    granted = sum(votes.get(voter) is True for voter in voters)
    refused = sum(votes.get(voter) is False for voter in voters)
    if granted >= needed:
        return VoteResult.WON
    # Undecided voters may still grant; lost is when even all of them are not enough.
    if len(voters) - refused < needed:
        return VoteResult.LOST
    return VoteResult.PENDING
