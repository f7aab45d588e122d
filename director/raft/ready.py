"""The work a replica has for its driver, handed out once and taken as done once."""

from dataclasses import dataclass

from director.raft import election, replication
from director.raft.config import MIB
from director.raft.messages import (
    ENTRY_OVERHEAD_BYTES,
    Entry,
    HardState,
    Message,
    SnapshotMark,
)
from director.raft.read_index import ReadState
from director.raft.state import ReplicaState

# One ready applies no more than this, so that catching up does not keep heartbeats waiting.
APPLY_BYTES_MAX = 8 * MIB


@dataclass(frozen=True, slots=True)
class Ready:
    """What the driver has to do now. The docstring of `node` says in which order."""

    hard_state: HardState | None
    """None if it did not change since the last ready."""
    entries: tuple[Entry, ...]
    snapshot: SnapshotMark | None
    """A snapshot of the leader's to install, whose payload came beside its message."""
    committed: tuple[Entry, ...]
    """Empty while a snapshot is not installed."""
    messages_now: tuple[Message, ...]
    messages_after_persist: tuple[Message, ...]
    read_states: tuple[ReadState, ...]
    reads_lost: tuple[int, ...]
    """Contexts of reads that must be asked again. Nothing is known about them."""
    must_sync: bool
    """Whether something must be on disk before the messages that promise it. A commit index alone
    need not be: it is found again."""


class Handover:
    """What was handed out, what of it is done, and so what is due next."""

    __slots__ = ("_outstanding", "_written")

    def __init__(self, written: HardState) -> None:
        """Start with ``written`` on disk and nothing outstanding."""
        self._written = written
        self._outstanding: Ready | None = None

    def is_due(self, state: ReplicaState) -> bool:
        """Whether there is work, and none outstanding."""
        if self._outstanding is not None:
            return False
        replication.flush(state)
        return bool(
            state.outbox_now
            or state.outbox_after_persist
            or state.reads.ready
            or state.reads.lost
            or state.log.has_work()
            or state.log.commit_index != self._written.commit
            or self._is_ballot_news(state)
        )

    def _is_ballot_news(self, state: ReplicaState) -> bool:
        return state.term != self._written.term or state.vote != self._written.vote

    def take(self, state: ReplicaState) -> Ready:
        """Hand out all the work there is."""
        assert self._outstanding is None, "advance the last ready first"
        replication.flush(state)
        is_ballot_news = self._is_ballot_news(state)
        is_commit_news = state.log.commit_index != self._written.commit
        snapshot, entries = state.log.hand_out()
        read_states, reads_lost = state.reads.hand_out()
        ready = Ready(
            hard_state=state.hard_state if is_ballot_news or is_commit_news else None,
            entries=entries,
            snapshot=snapshot,
            committed=state.log.to_apply(APPLY_BYTES_MAX),
            messages_now=tuple(state.outbox_now),
            messages_after_persist=tuple(state.outbox_after_persist),
            read_states=read_states,
            reads_lost=reads_lost,
            must_sync=is_ballot_news or bool(entries) or snapshot is not None,
        )
        state.outbox_now.clear()
        state.outbox_after_persist.clear()
        self._outstanding = ready
        return ready

    def advance(self, state: ReplicaState, ready: Ready) -> None:
        """Take ``ready`` as done, and draw the conclusions."""
        assert ready is self._outstanding, "readies are advanced one by one"
        self._outstanding = None
        if ready.hard_state is not None:
            self._written = ready.hard_state
        state.log.note_durable(ready.snapshot)
        if ready.committed:
            state.log.note_applied(ready.committed[-1].index)
            applied_bytes = sum(
                len(entry.payload) + ENTRY_OVERHEAD_BYTES for entry in ready.committed
            )
            # What was proposed in earlier terms was never counted.
            state.uncommitted_bytes = max(0, state.uncommitted_bytes - applied_bytes)
        if self._written.term == state.term and self._written.vote == state.replica_id:
            election.note_own_vote_durable(state)
        if state.is_leader:
            replication.note_own_durable(state)
