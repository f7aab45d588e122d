"""Linearizable reads without writing: the read-index protocol (Raft thesis, section 6.4).

A leader notes how far the log is committed, then asks a quorum whether it still leads. Asking
happens in numbered rounds: each HEARTBEAT and APPEND carries the round it was sent in, each answer
returns it, and a read waits for a round that began after it.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from director.raft.messages import Message, MessageKind, ReplicaId


@dataclass(frozen=True, slots=True)
class ReadState:
    """A read that may be served by whoever has applied ``index``."""

    context: int
    index: int
    term: int
    """The term of the leader that vouches for it."""


@dataclass(frozen=True, slots=True)
class PendingRead:
    """A read that waits for the leader to be confirmed."""

    context: int
    origin: ReplicaId | None
    """The follower that asked, or None for a read of the leader's own."""
    index: int
    round: int
    """The first round that began after the read."""


@dataclass(frozen=True, slots=True)
class ForwardedRead:
    """A read of this follower's own that its leader was asked about."""

    context: int
    expires_at_tick: int


class ReadQueue:
    """Reads on their way, and the rounds that confirm them.

    Invariant: ``confirmed_round <= round``, and pending reads are ordered by round and by index.
    """

    __slots__ = (
        "_forwarded_by_wire_id",
        "_next_wire_id",
        "_pending",
        "_round_starts",
        "confirmed_round",
        "is_round_due",
        "lost",
        "ready",
        "round",
    )

    def __init__(self, *, first_wire_id: int) -> None:
        """Start with nothing pending.

        Args:
            first_wire_id: Where the numbers of forwarded reads begin. Drawn at random, so that an
                answer to a read from before a restart is never taken for one of now.
        """
        self._pending: deque[PendingRead] = deque()
        self._forwarded_by_wire_id: dict[int, ForwardedRead] = {}
        self._next_wire_id = first_wire_id
        self._round_starts: deque[tuple[int, int, int]] = deque()
        """The last round begun in each tick, with the tick and the instant, oldest first."""
        self.round = 0
        self.confirmed_round = 0
        self.is_round_due = False
        self.ready: list[ReadState] = []
        self.lost: list[int] = []

    def open_rounds(self, tick: int, now_ms: int) -> None:
        """Begin to count anew, as the leader of a new term."""
        self.round = 0
        self.confirmed_round = 0
        self._round_starts.clear()
        self.begin_round(tick, now_ms)

    def begin_round(self, tick: int, now_ms: int) -> None:
        """Ask again: messages sent from now on belong to a new round."""
        self.round += 1
        self.is_round_due = False
        if self._round_starts and self._round_starts[-1][1] == tick:
            # One per tick is enough, and bounds the queue. The later round stands for both.
            self._round_starts.pop()
        self._round_starts.append((self.round, tick, now_ms))

    def confirm(self, agreed_round: int) -> tuple[int, int] | None:
        """Learn that a quorum answered in ``agreed_round``.

        Returns:
            The tick and the instant (ms) at which the newest round now known to be confirmed
            began, None if no news.
        """
        if agreed_round <= self.confirmed_round:
            return None
        self.confirmed_round = agreed_round
        began = None
        while self._round_starts and self._round_starts[0][0] <= agreed_round:
            _, at_tick, at_ms = self._round_starts.popleft()
            began = (at_tick, at_ms)
        return began

    def add(self, context: int, origin: ReplicaId | None, index: int) -> None:
        """Queue a read that sees everything up to ``index``."""
        self._pending.append(PendingRead(context, origin, index, self.round + 1))
        self.is_round_due = True

    def take_confirmed(self, commit_index: int) -> Iterator[PendingRead]:
        """Take out the reads whose round is confirmed and whose index is committed."""
        pending = self._pending
        while pending:
            if pending[0].round > self.confirmed_round or pending[0].index > commit_index:
                return
            yield pending.popleft()

    def forward(self, context: int, *, expires_at_tick: int) -> int:
        """Note a read the leader is asked about, and number it."""
        wire_id = self._next_wire_id
        self._next_wire_id += 1
        self._forwarded_by_wire_id[wire_id] = ForwardedRead(context, expires_at_tick)
        return wire_id

    def take_forwarded(self, wire_id: int) -> ForwardedRead | None:
        """Take out the read an answer belongs to. None if it is not waited for any more."""
        return self._forwarded_by_wire_id.pop(wire_id, None)

    def expire(self, tick: int) -> None:
        """Give up forwarded reads whose answer does not come."""
        # They expire in the order they were made, so the first that has not ends the search.
        for wire_id, read in list(self._forwarded_by_wire_id.items()):
            if read.expires_at_tick > tick:
                return
            del self._forwarded_by_wire_id[wire_id]
            self.lost.append(read.context)

    def lose_all(self, replica_id: ReplicaId, term: int) -> Iterator[Message]:
        """Give up everything: the leader is gone. Yield the answers due to other replicas."""
        self.is_round_due = False
        for read in self._pending:
            if read.origin is None:
                self.lost.append(read.context)
            else:
                yield refusal(replica_id, read.origin, term, read.context)
        self._pending.clear()
        self.lost.extend(read.context for read in self._forwarded_by_wire_id.values())
        self._forwarded_by_wire_id.clear()

    def hand_out(self) -> tuple[tuple[ReadState, ...], tuple[int, ...]]:
        """What became of reads since the last call: those that may be served, those lost."""
        states = tuple(self.ready)
        self.ready.clear()
        return states, self.take_lost()

    def take_lost(self) -> tuple[int, ...]:
        """Return the contexts of the reads that were lost since they were last handed out."""
        lost = tuple(self.lost)
        self.lost.clear()
        return lost


def refusal(replica_id: ReplicaId, to: ReplicaId, term: int, context: int) -> Message:
    """Tell ``to`` that its read must be asked again."""
    return Message(MessageKind.READ_INDEX_REPLY, replica_id, to, term, reject=True, context=context)
