"""Reads at the leader and on its followers, and the rounds in which a leader proves itself.

The bookkeeping is in `read_index`; this joins it to the rest of the replica.
"""

from director.raft.messages import Message, MessageKind, ReplicaId
from director.raft.progress import Progress
from director.raft.read_index import ReadState, refusal
from director.raft.state import ReplicaState


def begin_round(state: ReplicaState) -> None:
    """Ask every member whether this replica still leads, and tell it the commit index."""
    state.reads.begin_round(state.tick, state.now_ms)
    state.note_own_round()
    quorum_age_ms = state.quorum_age_ms()
    for replica_id, progress in state.progress_by_id.items():
        if replica_id == state.replica_id:
            continue
        state.send_now(
            Message(
                MessageKind.HEARTBEAT,
                state.replica_id,
                replica_id,
                state.term,
                # Beyond what is known to match, a commit index could name the wrong entry.
                commit=min(progress.match_index, state.log.commit_index),
                context=state.reads.round,
                quorum_age_ms=quorum_age_ms,
                leader_commit=state.leader_commit,
                stamp=progress.stamp,
            )
        )
    note_agreed_round(state)


def note_heard(state: ReplicaState, progress: Progress, message: Message) -> None:
    """Note a sign of life from a member, and the round it answers."""
    progress.heard_at_tick = state.tick
    progress.stamp = message.stamp
    if progress.acked_round < message.context <= state.reads.round:
        progress.acked_round = message.context
        note_agreed_round(state)


def note_agreed_round(state: ReplicaState) -> None:
    """Note how far a quorum has answered, and what that settles."""
    reads = state.reads
    began = reads.confirm(state.agreed(lambda progress: progress.acked_round))
    if began is not None:
        at_tick, at_ms = began
        state.quorum_contact_at_tick = max(state.quorum_contact_at_tick, at_tick)
        state.note_contact(at_ms, state.leader_commit)
    release_reads(state)


def release_reads(state: ReplicaState) -> None:
    """Answer every read whose round a quorum confirmed."""
    for read in state.reads.take_confirmed(state.log.commit_index):
        if read.origin is None:
            state.reads.ready.append(ReadState(read.context, read.index, state.term))
        else:
            state.send_after_persist(
                Message(
                    MessageKind.READ_INDEX_REPLY,
                    state.replica_id,
                    read.origin,
                    state.term,
                    index=read.index,
                    context=read.context,
                )
            )


def add_read(state: ReplicaState, context: int, origin: ReplicaId | None) -> None:
    """Queue a read at the leader."""
    state.reads.add(context, origin, state.leader_commit)


def on_read_index(state: ReplicaState, message: Message) -> None:
    """A follower asks on behalf of its own readers."""
    if state.is_leader:
        add_read(state, message.context, message.sender)
    else:
        state.send_after_persist(
            refusal(state.replica_id, message.sender, state.term, message.context)
        )


def on_read_index_reply(state: ReplicaState, message: Message) -> None:
    """The leader vouches for a forwarded read, or refuses it."""
    read = state.reads.take_forwarded(message.context)
    if read is None:
        return
    if message.reject:
        state.reads.lost.append(read.context)
    else:
        state.reads.ready.append(ReadState(read.context, message.index, message.term))
