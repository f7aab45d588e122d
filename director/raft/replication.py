"""How the log spreads: what a leader sends, what a follower accepts, when an entry is committed.

Nothing is sent from within an input. Inputs note what is due; `flush` then sends as much as each
replica may be sent, so that everything that came in meanwhile shares messages.
"""

from director.raft import reads
from director.raft.membership import MembershipTrack
from director.raft.messages import (
    ENTRY_OVERHEAD_BYTES,
    Entry,
    EntryKind,
    Message,
    MessageKind,
    ReplicaId,
)
from director.raft.progress import Progress, ProgressState
from director.raft.state import ReplicaState


def append_own(state: ReplicaState, kind: EntryKind, payload: bytes) -> int:
    """Append one entry of the leader's own and return its index."""
    index = state.log.last_index + 1
    state.accept_entries((Entry(index, state.term, kind, payload),))
    state.uncommitted_bytes += len(payload) + ENTRY_OVERHEAD_BYTES
    state.append_due = True
    return index


def flush(state: ReplicaState) -> None:
    """Send everything that is due and that the replicas may be sent now."""
    if not state.is_leader:
        return
    if state.reads.is_round_due:
        reads.begin_round(state)
    if state.append_due:
        state.append_due = False
        for replica_id, progress in state.progress_by_id.items():
            if replica_id != state.replica_id:
                while _send_append(state, replica_id, progress):
                    pass


def _send_append(state: ReplicaState, to: ReplicaId, progress: Progress) -> bool:
    """Send one APPEND or SNAPSHOT if one is due. Whether another may follow at once."""
    log = state.log
    if progress.is_paused:
        return False
    has_entries = progress.next_index <= log.last_index
    if (
        progress.state is ProgressState.REPLICATE
        and not has_entries
        and not progress.check_due
        and progress.sent_commit >= log.commit_index
    ):
        return False
    before_term = log.term_at(progress.next_index - 1)
    if before_term is None or not log.can_read_from(progress.next_index):
        _send_snapshot(state, to, progress)
        return False
    entries = (
        log.entries(progress.next_index, log.last_index + 1, state.config.append_bytes_max)
        if has_entries
        else ()
    )
    state.send_now(
        Message(
            MessageKind.APPEND,
            state.replica_id,
            to,
            state.term,
            index=progress.next_index - 1,
            log_term=before_term,
            commit=log.commit_index,
            entries=entries,
            context=state.reads.round,
            quorum_age_ms=state.quorum_age_ms(),
            leader_commit=state.leader_commit,
            stamp=progress.stamp,
        )
    )
    progress.sent_commit = log.commit_index
    progress.note_sent(progress.next_index - 1 + len(entries), len(entries))
    return progress.next_index <= log.last_index


def _send_snapshot(state: ReplicaState, to: ReplicaId, progress: Progress) -> None:
    if progress.heard_at_tick is None:
        # A snapshot is large. Nobody sends one to a replica that may be down; its first answer
        # to a heartbeat brings us back here.
        return
    mark = state.log.mark()
    assert mark.index >= progress.next_index - 1, "the log was cut above its newest snapshot"
    progress.become_snapshot(mark.index)
    state.send_now(
        Message(
            MessageKind.SNAPSHOT,
            state.replica_id,
            to,
            state.term,
            snapshot=mark,
            context=state.reads.round,
            quorum_age_ms=state.quorum_age_ms(),
            leader_commit=state.leader_commit,
            stamp=progress.stamp,
        )
    )


def on_append(state: ReplicaState, message: Message) -> None:
    """Accept the leader's entries if the log matches before them (Raft paper, section 5.3)."""
    log = state.log
    if message.index < log.commit_index:
        # Everything up to the commit index matches whatever the leader holds. Say how far.
        _answer_append(state, message, matched_index=log.commit_index)
        return
    if log.term_at(message.index) != message.log_term:
        # Raft paper, end of section 5.3: skip whole terms that cannot agree.
        hint, hint_term = log.meeting_point(min(message.index, log.last_index), message.log_term)
        _refuse_append(state, message, hint=hint, hint_term=hint_term)
        return
    held = log.held_count(message.entries)
    if held < len(message.entries):
        state.accept_entries(message.entries[held:] if held else message.entries)
    matched_index = message.index + len(message.entries)
    log.commit_to(min(message.commit, matched_index))
    _answer_append(state, message, matched_index=matched_index)


def _answer_append(state: ReplicaState, message: Message, *, matched_index: int) -> None:
    state.send_after_persist(
        Message(
            MessageKind.APPEND_REPLY,
            state.replica_id,
            message.sender,
            state.term,
            index=matched_index,
            context=message.context,
            stamp=state.stamp(),
        )
    )


def _refuse_append(state: ReplicaState, message: Message, *, hint: int, hint_term: int) -> None:
    state.send_after_persist(
        Message(
            MessageKind.APPEND_REPLY,
            state.replica_id,
            message.sender,
            state.term,
            index=message.index,
            log_term=hint_term,
            reject=True,
            reject_hint=hint,
            context=message.context,
            stamp=state.stamp(),
        )
    )


def on_append_reply(state: ReplicaState, message: Message) -> None:
    """Learn how far a replica's log matches, or step back to where it may."""
    progress = state.progress_by_id.get(message.sender)
    if progress is None or message.index > state.log.last_index:
        return
    reads.note_heard(state, progress, message)
    if message.reject:
        meet_index = message.reject_hint
        if message.log_term > 0:
            meet_index, _ = state.log.meeting_point(message.reject_hint, message.log_term)
        if progress.note_refused(message.index, meet_index):
            state.append_due = True
        return
    is_news = progress.note_match(message.index)
    _continue_from(state, progress, message.index, is_news=is_news)
    state.append_due = True
    if is_news:
        maybe_commit(state)
        maybe_finish_transfer(state)


def _continue_from(state: ReplicaState, progress: Progress, index: int, *, is_news: bool) -> None:
    match progress.state:
        case ProgressState.PROBE:
            if is_news or progress.match_index == index:
                progress.become_replicate()
        case ProgressState.REPLICATE:
            progress.free_inflight_to(index)
        case ProgressState.SNAPSHOT:
            # Whichever way it got there, the replica can be continued from the log again.
            if is_news and state.log.can_read_from(progress.match_index + 1):
                progress.become_replicate()


def on_heartbeat(state: ReplicaState, message: Message) -> None:
    """The leader is there. Its commit index covers only what it knows to match here."""
    state.log.commit_to(message.commit)
    state.reply(message, MessageKind.HEARTBEAT_REPLY)


def on_heartbeat_reply(state: ReplicaState, message: Message) -> None:
    """A replica is there: whatever it was not sent for lack of answers may be tried again."""
    progress = state.progress_by_id.get(message.sender)
    if progress is None:
        return
    reads.note_heard(state, progress, message)
    progress.probe_paused = False
    if progress.state is ProgressState.REPLICATE and progress.is_paused:
        # All answers may have been lost. Room for one message finds out.
        progress.inflight.popleft()
    if progress.match_index < state.log.last_index or progress.state is ProgressState.PROBE:
        progress.check_due = True
        state.append_due = True


def on_snapshot(state: ReplicaState, message: Message) -> None:
    """Take the leader's snapshot, unless the log holds as much already."""
    log, mark = state.log, message.snapshot
    if mark is None:
        return
    if mark.index > log.commit_index:
        if log.term_at(mark.index) == mark.term:
            log.commit_to(mark.index)
        else:
            log.restore(mark)
            state.memberships = MembershipTrack(mark)
    _answer_append(state, message, matched_index=log.commit_index)


def report_snapshot(state: ReplicaState, peer: ReplicaId, *, is_delivered: bool) -> None:
    """Learn from the driver whether the snapshot's payload reached ``peer``."""
    progress = state.progress_by_id.get(peer)
    if progress is None or progress.state is not ProgressState.SNAPSHOT:
        return
    if not is_delivered:
        progress.pending_snapshot_index = 0
    progress.become_probe()
    # Wait for a sign of life first: the answer to the snapshot, or to the next heartbeat.
    progress.probe_paused = True


def report_unreachable(state: ReplicaState, peer: ReplicaId) -> None:
    """Learn from the driver that messages to ``peer`` were probably lost."""
    progress = state.progress_by_id.get(peer)
    if progress is not None and progress.state is ProgressState.REPLICATE:
        progress.become_probe()
        state.append_due = True


def maybe_commit(state: ReplicaState) -> None:
    """Commit what a quorum holds, but by counting only entries of the own term.

    An older entry on a majority can still be overwritten (Raft paper, section 5.4.2, figure 8). It
    is committed with the first entry of the own term above it.
    """
    index = state.agreed(lambda progress: progress.match_index)
    log = state.log
    if index <= log.commit_index or log.term_at(index) != state.term:
        return
    log.commit_to(index)
    state.append_due = True
    reads.release_reads(state)
    is_committed = state.memberships.latest_index <= index
    if is_committed and not state.membership.is_voter(state.replica_id):
        _retire(state)


def _retire(state: ReplicaState) -> None:
    """Step down after the own removal is committed (thesis 4.2.2), leaving nobody to wait."""
    flush(state)
    successor = max(
        state.membership.voters,
        key=lambda voter: (state.progress_by_id[voter].match_index, voter),
    )
    state.send_now(Message(MessageKind.TIMEOUT_NOW, state.replica_id, successor, state.term))
    state.become_follower(state.term, None)


def maybe_finish_transfer(state: ReplicaState) -> None:
    """Tell the replica that is to lead to campaign, once it holds the whole log."""
    if state.transferee is None:
        return
    progress = state.progress_by_id.get(state.transferee)
    if progress is None or progress.is_learner:
        state.transferee = None
    elif progress.match_index == state.log.last_index:
        state.send_now(
            Message(MessageKind.TIMEOUT_NOW, state.replica_id, state.transferee, state.term)
        )


def note_own_durable(state: ReplicaState) -> None:
    """Count the leader itself for what its own disk holds, and not before."""
    own = state.progress_by_id.get(state.replica_id)
    if own is not None and own.note_match(state.log.durable_index):
        maybe_commit(state)
