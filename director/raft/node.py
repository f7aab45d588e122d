"""One replica's Raft as a whole: inputs in, work to do out.

The driver calls `Node.step`, `Node.tick` and the proposing calls in any order, and then repeats:

1. ``ready = node.ready()``. Send ``ready.messages_now`` at any time from here on.
2. Persist, in this order and with one sync if ``must_sync``: install ``snapshot``, append
   ``entries`` (replacing what is there from the first of them on), write ``hard_state``.
3. Send ``messages_after_persist``. They promise what step 2 made durable.
4. Apply ``committed``, in order. Skip what is not NORMAL.
5. ``node.advance(ready)``. Only now does the node rely on any of it.

Inputs may come in between. There is one ready at a time. The node reads its log only through the
reader it was given, so the driver writes to that log in step 2 and nowhere else.
"""

from typing import TYPE_CHECKING

from director.raft import election, inbox, proposals, reads, replication
from director.raft.config import RaftConfig
from director.raft.errors import ProposalRefusedError, Refusal
from director.raft.membership import (
    AddLearner,
    MembershipChange,
    Promote,
    Remove,
)
from director.raft.messages import Membership, Message, ReplicaId
from director.raft.progress import ProgressView
from director.raft.read_index import ReadState
from director.raft.ready import Handover, Ready
from director.raft.state import QuorumContact, ReplicaState, Role
from director.raft.storage import RaftLogReader

if TYPE_CHECKING:
    from random import Random

__all__ = [
    "AddLearner",
    "MembershipChange",
    "Node",
    "Promote",
    "ProposalRefusedError",
    "QuorumContact",
    "ReadState",
    "Ready",
    "Refusal",
    "Remove",
    "Role",
]


class Node:
    """One replica. Not safe for use from two threads at once."""

    __slots__ = ("_handover", "_state")

    def __init__(self, config: RaftConfig, log: RaftLogReader, rng: "Random") -> None:
        """Start as a follower of nobody.

        Entries up to ``log.snapshot_mark().index`` count as applied: the driver restores that
        snapshot first, and is handed what is committed above it once more.

        Args:
            config: This replica's settings.
            log: Its durable log. All founding members start with the same founding membership; a
                replica that joins later starts with an empty one.
            rng: Draws election timeouts. Replicas must not share a seed.
        """
        self._state = ReplicaState(config, log, rng)
        self._handover = Handover(log.hard_state())

    # What it is.

    @property
    def replica_id(self) -> ReplicaId:
        """This replica."""
        return self._state.replica_id

    @property
    def role(self) -> Role:
        """What this replica is doing about leadership."""
        return self._state.role

    @property
    def term(self) -> int:
        """The highest term heard of."""
        return self._state.term

    @property
    def leader_id(self) -> ReplicaId | None:
        """Who leads ``term``, as far as this replica heard. None if it did not."""
        return self._state.leader_id

    @property
    def commit_index(self) -> int:
        """The highest index known to be committed."""
        return self._state.log.commit_index

    @property
    def applied_index(self) -> int:
        """The highest index applied, as of the last `advance`."""
        return self._state.log.applied_index

    @property
    def last_index(self) -> int:
        """The highest index in the log, durable or not."""
        return self._state.log.last_index

    @property
    def membership(self) -> Membership:
        """The membership in force: the newest in the log, committed or not."""
        return self._state.membership

    def membership_at(self, index: int) -> Membership:
        """The membership as of ``index``: what a snapshot taken there must record."""
        return self._state.memberships.at(index)

    @property
    def transferee(self) -> ReplicaId | None:
        """Whom leadership is being handed to, if anyone."""
        return self._state.transferee

    @property
    def election_elapsed_ticks(self) -> int:
        """Ticks since a leader was heard or a vote was given. Means nothing while leader."""
        return self._state.election_elapsed_ticks

    @property
    def quorum_contact(self) -> QuorumContact | None:
        """The newest contact of the leader with a quorum that this replica can vouch for (A8).

        Dated no later than when the leader asked: an answer that was long on its way proves
        nothing about now. None if there was none since the start.
        """
        return self._state.contact

    def leads_term(self) -> int | None:
        """The term this replica leads, once its own first entry of it is applied. Else None."""
        state = self._state
        if state.is_leader and state.log.applied_index >= state.term_start_index:
            return state.term
        return None

    def progress(self) -> tuple[ProgressView, ...]:
        """Every other member as this leader sees it, sorted by id. Empty unless leader."""
        return self._state.progress_views()

    # What happens to it.

    def note_time(self, now_ms: int) -> None:
        """Learn what time it is, by a clock that also counts while this replica stands still.

        Due before every input: `quorum_contact` is dated by it. Nothing else is, so elections go
        by ticks alone.
        """
        self._state.now_ms = max(self._state.now_ms, now_ms)

    def tick(self) -> None:
        """Let one tick pass."""
        election.tick(self._state)

    def step(self, message: Message) -> None:
        """Take one message in. Messages may be lost, repeated, late and out of order."""
        inbox.receive(self._state, message)

    def report_unreachable(self, peer: ReplicaId) -> None:
        """Learn that messages to ``peer`` were probably lost."""
        replication.report_unreachable(self._state, peer)

    def report_snapshot(self, peer: ReplicaId, ok: bool) -> None:  # noqa: FBT001 - one fact
        """Learn whether the snapshot sent to ``peer`` arrived.

        Due once for each SNAPSHOT message. Until then ``peer`` is sent nothing but heartbeats.
        """
        replication.report_snapshot(self._state, peer, is_delivered=ok)

    def compacted(self, index: int) -> None:
        """Learn that the driver dropped the log up to and including ``index``."""
        state = self._state
        assert index <= state.log.applied_index, "only applied entries may be dropped"
        state.memberships.forget_below(index)

    def leave_office(self) -> None:
        """Follow nobody from here on, if this replica leads: it cannot do a leader's work now."""
        if self._state.is_leader:
            self._state.become_follower(self._state.term, None)

    def drop_unsent(self) -> tuple[int, ...]:
        """Forget the answers that wait for the disk, as if the network had lost them.

        Returns:
            Contexts of reads that must be asked again: the disk does not keep them waiting.
        """
        self._state.outbox_after_persist.clear()
        return self._state.reads.take_lost()

    # What is asked of it.

    def propose(self, payload: bytes) -> tuple[int, int]:
        """Append ``payload`` to the leader's log.

        Returns:
            The index and the term it got. It is committed if and only if the entry committed at
            that index has that term.

        Raises:
            ProposalRefusedError: nothing was appended. NOT_LEADER, TRANSFERRING or
                TOO_MANY_UNCOMMITTED.
        """
        return proposals.propose(self._state, payload), self._state.term

    def propose_membership(self, change: MembershipChange) -> tuple[int, int]:
        """Append a membership that differs by one step. It is in force at once.

        Returns:
            The index and the term of its entry, as for `propose`.

        Raises:
            ProposalRefusedError: nothing was appended. `Refusal` lists the reasons.
        """
        return proposals.propose_membership(self._state, change), self._state.term

    def read_index(self, context: int) -> None:
        """Ask at which index a linearizable read may be served.

        The answer comes in ``Ready.read_states``, or ``Ready.reads_lost`` if leadership is lost
        first. A quorum is asked in a round that begins after this call.

        Args:
            context: Names the read in the answer. The caller's own choice, not in use already.

        Raises:
            ProposalRefusedError: NOT_LEADER.
        """
        proposals.require_leader(self._state)
        reads.add_read(self._state, context, None)

    def forward_read(self, context: int) -> None:
        """As `read_index`, but on any replica: the leader is asked to vouch for the read.

        Without an answer in an election timeout the read is reported lost.

        Raises:
            ProposalRefusedError: NO_LEADER is known.
        """
        proposals.forward_read(self._state, context)

    def transfer_leadership(self, to: ReplicaId) -> None:
        """Hand leadership to ``to`` once it holds the whole log. Proposals are refused meanwhile.

        Given up after an election timeout. Asking for another replica changes the mind; asking
        for this one gives the transfer up.

        Raises:
            ProposalRefusedError: NOT_LEADER, or NOT_A_VOTER.
        """
        proposals.transfer_leadership(self._state, to)

    # What it has for the driver.

    def has_ready(self) -> bool:
        """Whether `ready` would return anything to do. False while one is outstanding."""
        return self._handover.is_due(self._state)

    def ready(self) -> Ready:
        """Take out everything there is to do. Call `advance` before the next one."""
        return self._handover.take(self._state)

    def advance(self, ready: Ready) -> None:
        """Learn that everything in ``ready`` is done: durable, sent and applied."""
        self._handover.advance(self._state, ready)
