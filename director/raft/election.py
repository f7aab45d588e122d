"""Elections: pre-votes, votes, and what time does to a replica.

Pre-vote and check-quorum work together (thesis, sections 9.6 and 4.2.3): nobody campaigns who
could not win, nobody votes while a leader is heard, and no leader stays who is not heard.
"""

from director.raft import quorum, reads, replication
from director.raft.messages import EntryKind, Message, MessageKind
from director.raft.quorum import VoteResult
from director.raft.state import ReplicaState, Role


def can_campaign(state: ReplicaState) -> bool:
    """Whether this replica may seek office.

    A voter may. So may one whose own removal is in its log but not known to be committed: it may
    hold the only complete log, and nobody else could win (thesis, section 4.2.2).
    """
    if state.log.has_pending_snapshot:
        return False
    if state.membership.is_voter(state.replica_id):
        return True
    removed_index = state.memberships.latest_index
    return removed_index > state.log.commit_index and state.memberships.at(
        removed_index - 1
    ).is_voter(state.replica_id)


def campaign(state: ReplicaState, *, is_forced: bool = False) -> None:
    """Seek office, at first by asking whether it could be won.

    Args:
        state: The replica.
        is_forced: The leader asked for it. No pre-vote, and no lease stands against it.
    """
    if state.config.pre_vote and not is_forced:
        state.become_pre_candidate()
        _ask_for_votes(state, MessageKind.PRE_VOTE, term=state.term + 1, is_forced=False)
    else:
        state.become_candidate()
        _ask_for_votes(state, MessageKind.VOTE, term=state.term, is_forced=is_forced)
    _count_votes(state)


def _ask_for_votes(state: ReplicaState, kind: MessageKind, *, term: int, is_forced: bool) -> None:
    last_index, last_term = state.log.last_index, state.log.last_term
    for replica_id in state.membership.all_ids():
        if replica_id == state.replica_id or not state.membership.is_voter(replica_id):
            continue
        state.send_after_persist(
            Message(
                kind,
                state.replica_id,
                replica_id,
                term,
                index=last_index,
                log_term=last_term,
                force=is_forced,
            )
        )


def on_vote_request(state: ReplicaState, message: Message) -> None:
    """Grant or refuse a vote or a pre-vote (Raft paper, sections 5.2 and 5.4.1)."""
    is_pre_vote = message.kind is MessageKind.PRE_VOTE
    can_vote = (
        state.vote == message.sender
        or (state.vote is None and state.leader_id is None)
        or (is_pre_vote and message.term > state.term)
    )
    own_log = (state.log.last_term, state.log.last_index)
    is_granted = can_vote and (message.log_term, message.index) >= own_log
    state.send_after_persist(
        Message(
            MessageKind.PRE_VOTE_REPLY if is_pre_vote else MessageKind.VOTE_REPLY,
            state.replica_id,
            message.sender,
            # A granted pre-vote is about the term asked for. A refusal brings the own term, so
            # that a candidate that is behind learns of it.
            message.term if is_granted else state.term,
            reject=not is_granted,
        )
    )
    if is_granted and not is_pre_vote:
        state.vote = message.sender
        state.election_elapsed_ticks = 0


def on_vote_reply(state: ReplicaState, message: Message) -> None:
    """Count the answer to a vote or a pre-vote, if it is still wanted."""
    match message.kind:
        case MessageKind.PRE_VOTE_REPLY:
            is_wanted = state.role is Role.PRE_CANDIDATE and (
                message.reject or message.term == state.term + 1
            )
        case _:
            is_wanted = state.role is Role.CANDIDATE
    if is_wanted:
        state.votes.setdefault(message.sender, not message.reject)
        _count_votes(state)


def note_own_vote_durable(state: ReplicaState) -> None:
    """Count a candidate's vote for itself. Before it is on disk it could be given twice."""
    if state.role is Role.CANDIDATE and state.replica_id not in state.votes:
        state.votes[state.replica_id] = True
        _count_votes(state)


def _count_votes(state: ReplicaState) -> None:
    match quorum.vote_result(state.votes, state.membership):
        case VoteResult.PENDING:
            return
        case VoteResult.LOST:
            state.become_follower(state.term, None)
        case VoteResult.WON:
            if state.role is Role.PRE_CANDIDATE:
                state.become_candidate()
                _ask_for_votes(state, MessageKind.VOTE, term=state.term, is_forced=False)
            else:
                _take_office(state)


def _take_office(state: ReplicaState) -> None:
    state.become_leader()
    # An entry of the own term commits everything before it (Raft paper, section 8).
    replication.append_own(state, EntryKind.EMPTY, b"")


def on_timeout_now(state: ReplicaState) -> None:
    """The leader hands over: campaign at once."""
    if state.role is not Role.LEADER and can_campaign(state):
        campaign(state, is_forced=True)


def tick(state: ReplicaState) -> None:
    """Let one tick pass."""
    state.tick += 1
    if state.is_leader:
        _tick_leader(state)
        return
    state.election_elapsed_ticks += 1
    state.reads.expire(state.tick)
    if state.election_elapsed_ticks >= state.election_timeout_ticks and can_campaign(state):
        campaign(state)


def _tick_leader(state: ReplicaState) -> None:
    election_ticks = state.config.election_ticks
    if state.transferee is not None:
        state.transfer_elapsed_ticks += 1
        if state.transfer_elapsed_ticks >= election_ticks:
            # The replica that was to lead did not manage. Serve again.
            state.transferee = None
    # A new leader gets one election timeout to reach a quorum, however long its campaign took.
    contact_at_tick = max(state.quorum_contact_at_tick, state.leader_since_tick)
    if state.config.check_quorum and state.tick - contact_at_tick >= election_ticks:
        state.become_follower(state.term, None)
        return
    state.heartbeat_elapsed_ticks += 1
    if state.heartbeat_elapsed_ticks >= state.config.heartbeat_ticks:
        state.heartbeat_elapsed_ticks = 0
        reads.begin_round(state)
