"""What the layer above may ask for, and the reasons it may not.

A refused proposal left no trace. An accepted one is in the log, and commits or is overwritten.
"""

from director.raft import reads, replication
from director.raft.errors import ProposalRefusedError, Refusal
from director.raft.membership import MembershipChange, Promote, changed
from director.raft.messages import (
    ENTRY_OVERHEAD_BYTES,
    EntryKind,
    Membership,
    Message,
    MessageKind,
    ReplicaId,
    encode_membership,
)
from director.raft.quorum import quorum_size
from director.raft.state import ReplicaState


def propose(state: ReplicaState, payload: bytes) -> int:
    """Append ``payload`` and return its index."""
    require_leader(state)
    _require_no_transfer(state)
    size = len(payload) + ENTRY_OVERHEAD_BYTES
    # One entry is always let in, or an entry larger than the bound could never be.
    if state.uncommitted_bytes and (
        state.uncommitted_bytes + size > state.config.uncommitted_bytes_max
    ):
        raise ProposalRefusedError(
            Refusal.TOO_MANY_UNCOMMITTED,
            f"{state.uncommitted_bytes} bytes wait to be committed; "
            f"the bound is {state.config.uncommitted_bytes_max}",
        )
    return replication.append_own(state, EntryKind.NORMAL, payload)


def propose_membership(state: ReplicaState, change: MembershipChange) -> int:
    """Append the membership after ``change`` and return its index."""
    require_leader(state)
    _require_no_transfer(state)
    if state.log.commit_index < state.term_start_index:
        # Two leaders could otherwise make changes whose majorities do not meet: the fault in
        # single-step changes that the thesis's author reported in 2015.
        raise ProposalRefusedError(
            Refusal.TERM_NOT_COMMITTED, f"nothing of term {state.term} is committed yet"
        )
    if state.memberships.latest_index > state.log.commit_index:
        raise ProposalRefusedError(
            Refusal.CHANGE_IN_FLIGHT,
            f"the change at index {state.memberships.latest_index} is not committed yet",
        )
    membership = changed(state.membership, change)
    if isinstance(membership, Refusal):
        raise ProposalRefusedError(membership, f"{change} does not fit {state.membership}")
    if isinstance(change, Promote):
        _require_caught_up(state, change.replica_id)
    _require_quorum(state, membership)
    index = replication.append_own(state, EntryKind.CONFIG, encode_membership(membership))
    # A voter less may be all that was missing to commit what was there before.
    replication.maybe_commit(state)
    return index


def require_leader(state: ReplicaState) -> None:
    """Refuse what only a leader can do.

    Raises:
        ProposalRefusedError: NOT_LEADER.
    """
    if not state.is_leader:
        raise ProposalRefusedError(
            Refusal.NOT_LEADER, f"{state.replica_id} does not lead term {state.term}"
        )


def _require_no_transfer(state: ReplicaState) -> None:
    if state.transferee is not None:
        raise ProposalRefusedError(
            Refusal.TRANSFERRING, f"leadership is being handed to {state.transferee}"
        )


def _require_caught_up(state: ReplicaState, replica_id: ReplicaId) -> None:
    lag = state.log.last_index - state.progress_by_id[replica_id].match_index
    lag_max = state.config.promote_lag_entries_max
    if lag > lag_max or not state.is_active(replica_id):
        raise ProposalRefusedError(
            Refusal.NOT_CAUGHT_UP,
            f"{replica_id} is {lag} entries behind or silent; at most {lag_max} are allowed",
        )


def _require_quorum(state: ReplicaState, after: Membership) -> None:
    if after.voters == state.membership.voters:
        return
    active_count = sum(state.is_active(voter) for voter in after.voters)
    if active_count < quorum_size(len(after.voters)):
        raise ProposalRefusedError(
            Refusal.QUORUM_AT_RISK,
            f"of {len(after.voters)} voters after the change only {active_count} are heard",
        )


def forward_read(state: ReplicaState, context: int) -> None:
    """Ask the leader, whoever it is, to vouch for a read."""
    if state.is_leader:
        reads.add_read(state, context, None)
        return
    if state.leader_id is None:
        raise ProposalRefusedError(Refusal.NO_LEADER, f"no leader of term {state.term} is known")
    wire_id = state.reads.forward(context, expires_at_tick=state.tick + state.config.election_ticks)
    state.send_after_persist(
        Message(
            MessageKind.READ_INDEX,
            state.replica_id,
            state.leader_id,
            state.term,
            context=wire_id,
        )
    )


def transfer_leadership(state: ReplicaState, to: ReplicaId) -> None:
    """Begin to hand leadership to ``to``, or give a transfer up if ``to`` is the leader."""
    require_leader(state)
    if not state.membership.is_voter(to):
        raise ProposalRefusedError(Refusal.NOT_A_VOTER, f"{to} is no voter")
    if to == state.replica_id:
        state.transferee = None
    elif to != state.transferee:
        state.transferee = to
        state.transfer_elapsed_ticks = 0
        state.append_due = True
        replication.maybe_finish_transfer(state)
