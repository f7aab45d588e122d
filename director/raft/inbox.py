"""What a replica does with a message: first its term, then its kind.

Terms order everything (Raft paper, section 5.1). What is special to pre-vote and check-quorum
about them is here, the rest in `election`, `replication` and `reads`.
"""

from director.raft import election, reads, replication
from director.raft.messages import Message, MessageKind
from director.raft.state import NEVER_MS, ReplicaState, Role

_FROM_LEADER = (MessageKind.APPEND, MessageKind.HEARTBEAT, MessageKind.SNAPSHOT)
_CAMPAIGN = (MessageKind.VOTE, MessageKind.PRE_VOTE)


def receive(state: ReplicaState, message: Message) -> None:
    """Take one message in. What was not meant for this replica, or is malformed, is dropped."""
    if message.recipient != state.replica_id or message.sender == state.replica_id:
        return
    if not _is_gap_free(message):
        return
    if message.term > state.term:
        if not _admit_higher_term(state, message):
            return
    elif message.term < state.term:
        _answer_lower_term(state, message)
        return
    _dispatch(state, message)


def _is_gap_free(message: Message) -> bool:
    entries = message.entries
    if not entries:
        return True
    return entries[0].index == message.index + 1 and entries[-1].index == message.index + len(
        entries
    )


def _admit_higher_term(state: ReplicaState, message: Message) -> bool:
    """Whether to go on with a message of a higher term, which usually raises our own."""
    if message.kind in _CAMPAIGN and state.is_in_lease and not message.force:
        # A replica that does not hear the leader must not disturb those that do.
        return False
    match message.kind:
        case MessageKind.PRE_VOTE:
            pass  # only asking
        case MessageKind.PRE_VOTE_REPLY if not message.reject:
            pass  # granted for the term we asked about, which nobody is in yet
        case _:
            leader_id = message.sender if message.kind in _FROM_LEADER else None
            state.become_follower(message.term, leader_id)
    return True


def _answer_lower_term(state: ReplicaState, message: Message) -> None:
    config = state.config
    if message.kind in _FROM_LEADER and (config.check_quorum or config.pre_vote):
        # A leader whose term we outran cannot reach us, and leases and pre-votes keep us from
        # winning. Our term makes it step down; the next election brings us together.
        state.reply(message, MessageKind.APPEND_REPLY, reject=True)
    elif message.kind is MessageKind.PRE_VOTE:
        state.reply(message, MessageKind.PRE_VOTE_REPLY, reject=True)
    elif message.kind is MessageKind.READ_INDEX:
        reads.on_read_index(state, message)


def _dispatch(state: ReplicaState, message: Message) -> None:
    match message.kind:
        case MessageKind.APPEND | MessageKind.HEARTBEAT | MessageKind.SNAPSHOT:
            _hear_leader(state, message)
        case MessageKind.APPEND_REPLY | MessageKind.HEARTBEAT_REPLY:
            if state.is_leader:
                _hear_member(state, message)
        case MessageKind.VOTE | MessageKind.PRE_VOTE:
            election.on_vote_request(state, message)
        case MessageKind.VOTE_REPLY | MessageKind.PRE_VOTE_REPLY:
            election.on_vote_reply(state, message)
        case MessageKind.TIMEOUT_NOW:
            election.on_timeout_now(state)
        case MessageKind.READ_INDEX:
            reads.on_read_index(state, message)
        case MessageKind.READ_INDEX_REPLY:
            reads.on_read_index_reply(state, message)


def _hear_leader(state: ReplicaState, message: Message) -> None:
    assert not state.is_leader, "two leaders in one term"
    if state.role is not Role.FOLLOWER or state.leader_id is None:
        state.become_follower(state.term, message.sender)
    state.election_elapsed_ticks = 0
    _note_contact(state, message)
    match message.kind:
        case MessageKind.APPEND:
            replication.on_append(state, message)
        case MessageKind.SNAPSHOT:
            replication.on_snapshot(state, message)
        case _:
            replication.on_heartbeat(state, message)


def _note_contact(state: ReplicaState, message: Message) -> None:
    """Date the leader's contact with its quorum by this replica's own clock.

    When the message came says nothing: it may have waited, here or on its way, while this replica
    or the network stood still. What it certainly follows is the stamp of ours that it brings back.
    """
    stamped_at_ms = state.read_stamp(message.stamp)
    if stamped_at_ms is not None and message.quorum_age_ms < NEVER_MS:
        state.note_contact(stamped_at_ms - message.quorum_age_ms, message.leader_commit)


def _hear_member(state: ReplicaState, message: Message) -> None:
    if message.kind is MessageKind.APPEND_REPLY:
        replication.on_append_reply(state, message)
    else:
        replication.on_heartbeat_reply(state, message)
