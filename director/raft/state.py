"""Everything one replica's Raft remembers between two inputs, and its changes of role.

The rules live in `election`, `replication` and `read_index`; this is what they share.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from director.raft import quorum
from director.raft.config import MIB, RaftConfig
from director.raft.log import ReplicaLog
from director.raft.membership import MembershipTrack
from director.raft.messages import (
    Entry,
    EntryKind,
    HardState,
    Membership,
    Message,
    MessageKind,
    ReplicaId,
    decode_membership,
)
from director.raft.progress import Progress, ProgressView
from director.raft.read_index import ReadQueue
from director.raft.storage import RaftLogReader

if TYPE_CHECKING:
    from random import Random

NEVER_TICKS = 1 << 31
"""The age of something that did not happen since the start. Years, whatever a tick is."""

NEVER_MS = (1 << 32) - 1
"""The same in milliseconds."""

# How much of the log is searched at once for memberships at the start.
SCAN_BYTES_MAX = 4 * MIB


class Role(StrEnum):
    """What a replica is doing about leadership."""

    FOLLOWER = "follower"
    PRE_CANDIDATE = "pre-candidate"
    CANDIDATE = "candidate"
    LEADER = "leader"


@dataclass(frozen=True, slots=True)
class QuorumContact:
    """An instant at which a quorum certainly was in touch with the leader (A8).

    Everything that was committed by ``at_ms`` lies at or below ``index``. So a replica that applied
    ``index`` sees what was true at ``at_ms``, and one that did not is behind.
    """

    at_ms: int
    """By this replica's own clock."""
    index: int


class ReplicaState:
    """The state of one replica. Changed only from `node.Node`, by one input at a time."""

    __slots__ = (
        "append_due",
        "campaign_at_ms",
        "campaign_at_tick",
        "config",
        "contact",
        "election_elapsed_ticks",
        "election_timeout_ticks",
        "heartbeat_elapsed_ticks",
        "leader_id",
        "leader_since_tick",
        "log",
        "memberships",
        "now_ms",
        "outbox_after_persist",
        "outbox_now",
        "progress_by_id",
        "quorum_contact_at_tick",
        "reads",
        "replica_id",
        "rng",
        "role",
        "stamp_base",
        "term",
        "term_start_index",
        "tick",
        "transfer_elapsed_ticks",
        "transferee",
        "uncommitted_bytes",
        "vote",
        "votes",
    )

    def __init__(self, config: RaftConfig, reader: RaftLogReader, rng: "Random") -> None:
        """Take up where the durable log ended, as a follower of nobody."""
        self.config = config
        self.replica_id = config.replica_id
        self.rng = rng
        self.log = ReplicaLog(reader)
        self.memberships = _memberships_in(reader)
        hard_state = reader.hard_state()
        # An entry may have been written and the hard state of the same batch lost. Nobody was
        # answered in that term yet, so no vote is forgotten.
        self.term = max(hard_state.term, self.log.last_term)
        self.vote = hard_state.vote if hard_state.term == self.term else None
        self.role = Role.FOLLOWER
        self.leader_id: ReplicaId | None = None
        self.tick = 0
        self.election_elapsed_ticks = 0
        self.election_timeout_ticks = self.draw_election_timeout()
        self.now_ms = 0
        self.contact: QuorumContact | None = None
        self.quorum_contact_at_tick = -NEVER_TICKS
        """The last contact of this replica's own with a quorum, as leader. It decides on office."""
        self.votes: dict[ReplicaId, bool] = {}
        self.campaign_at_tick = 0
        self.campaign_at_ms = 0
        self.progress_by_id: dict[ReplicaId, Progress] = {}
        """Empty unless leader. It includes the leader itself while it is a member."""
        self.heartbeat_elapsed_ticks = 0
        self.leader_since_tick = 0
        self.term_start_index = 0
        """While leader, the index of its own first entry."""
        self.uncommitted_bytes = 0
        self.transferee: ReplicaId | None = None
        self.transfer_elapsed_ticks = 0
        # Drawn anew at each start: numbers of an earlier life mean nothing to this one.
        self.stamp_base = rng.getrandbits(62)
        self.reads = ReadQueue(first_wire_id=self.stamp_base)
        self.append_due = False
        """Whether some replica may be due an APPEND."""
        self.outbox_now: list[Message] = []
        self.outbox_after_persist: list[Message] = []

    @property
    def membership(self) -> Membership:
        """The membership in force: the newest in the log."""
        return self.memberships.latest

    @property
    def hard_state(self) -> HardState:
        """What must be durable before anyone is answered."""
        return HardState(term=self.term, vote=self.vote, commit=self.log.commit_index)

    @property
    def is_leader(self) -> bool:
        """Whether this replica leads its term."""
        return self.role is Role.LEADER

    @property
    def is_in_lease(self) -> bool:
        """Whether a leader was heard so recently that no other may be elected (thesis 4.2.3)."""
        if not self.config.check_quorum or self.leader_id is None:
            return False
        return self.is_leader or self.election_elapsed_ticks < self.config.election_ticks

    @property
    def leader_commit(self) -> int:
        """The index below which everything lies that was committed so far. For a leader only.

        Until the own first entry is committed, a leader does not know how far its predecessors
        committed. That entry lies above all of theirs.
        """
        return max(self.log.commit_index, self.term_start_index)

    def note_contact(self, at_ms: int, index: int) -> None:
        """Learn of a contact. Only a newer one is news."""
        if self.contact is None or at_ms > self.contact.at_ms:
            self.contact = QuorumContact(at_ms, index)

    def quorum_age_ms(self) -> int:
        """Milliseconds since the last contact; `NEVER_MS` if there was none since the start.

        Counted from when the leader asked, not from when the answers came: an answer that was
        long on its way proves nothing about now.
        """
        return NEVER_MS if self.contact is None else min(NEVER_MS, self.now_ms - self.contact.at_ms)

    def stamp(self) -> int:
        """Now, for the leader to send back."""
        return self.stamp_base + self.now_ms

    def read_stamp(self, stamp: int) -> int | None:
        """When this replica wrote ``stamp``; None if it did not, in this life."""
        at_ms = stamp - self.stamp_base
        return at_ms if 0 <= at_ms <= self.now_ms else None

    def draw_election_timeout(self) -> int:
        """Raft paper, section 5.2: random, so that two candidates rarely collide twice."""
        election_ticks = self.config.election_ticks
        return self.rng.randrange(election_ticks, 2 * election_ticks)

    def send_now(self, message: Message) -> None:
        """Send a leader's message, which may overtake the leader's own disk."""
        self.outbox_now.append(message)

    def send_after_persist(self, message: Message) -> None:
        """Send a message that promises something to be durable."""
        self.outbox_after_persist.append(message)

    def reply(self, to: Message, kind: MessageKind, *, reject: bool = False) -> None:
        """Answer ``to`` in the term this replica is in, with no more than a yes or a no."""
        self.send_after_persist(
            Message(
                kind,
                self.replica_id,
                to.sender,
                self.term,
                reject=reject,
                context=to.context,
                stamp=self.stamp(),
            )
        )

    def become_follower(self, term: int, leader_id: ReplicaId | None) -> None:
        """Follow ``leader_id``, or nobody yet if None, in ``term``."""
        self._leave_office(term)
        self.role = Role.FOLLOWER
        self.leader_id = leader_id

    def become_pre_candidate(self) -> None:
        """Ask whether a campaign could succeed. Term and vote stay as they are."""
        self._leave_office(self.term)
        self.role = Role.PRE_CANDIDATE
        self.votes = {self.replica_id: True}

    def become_candidate(self) -> None:
        """Campaign in a new term. The own vote counts only once it is durable."""
        self._leave_office(self.term + 1)
        self.role = Role.CANDIDATE
        self.vote = self.replica_id
        self.campaign_at_tick = self.tick
        self.campaign_at_ms = self.now_ms

    def become_leader(self) -> None:
        """Take office: know nothing of the others' logs yet, and have asked nobody."""
        self._leave_office(self.term)
        self.role = Role.LEADER
        self.leader_id = self.replica_id
        self.leader_since_tick = self.tick
        self.term_start_index = self.log.last_index + 1
        # The votes are answers to the campaign, so a quorum was in touch when it began.
        self.quorum_contact_at_tick = max(self.quorum_contact_at_tick, self.campaign_at_tick)
        self.note_contact(self.campaign_at_ms, self.leader_commit)
        self.uncommitted_bytes = 0
        self.track_members()
        self.reads.open_rounds(self.tick, self.now_ms)
        self.note_own_round()

    def _leave_office(self, term: int) -> None:
        if term != self.term:
            assert term > self.term, "terms only rise"
            self.term = term
            self.vote = None
        for message in self.reads.lose_all(self.replica_id, self.term):
            self.send_after_persist(message)
        self.leader_id = None
        self.votes = {}
        self.progress_by_id = {}
        self.transferee = None
        self.election_elapsed_ticks = 0
        self.heartbeat_elapsed_ticks = 0
        self.election_timeout_ticks = self.draw_election_timeout()

    def accept_entries(self, entries: tuple[Entry, ...]) -> None:
        """Take ``entries`` into the log, and with them the memberships they make or unmake."""
        first = entries[0].index
        if first <= self.log.last_index:
            self.memberships.truncate_from(first)
        self.log.append(entries)
        for entry in entries:
            if entry.kind is EntryKind.CONFIG:
                self.memberships.append(entry.index, decode_membership(entry.payload))
                if self.is_leader:
                    self.track_members()

    def track_members(self) -> None:
        """Keep progress for exactly the members of the membership in force."""
        known = self.progress_by_id
        self.progress_by_id = {}
        membership = self.membership
        for replica_id in membership.all_ids():
            progress = known.get(replica_id) or Progress(
                next_index=self.log.last_index + 1,
                inflight_count_max=self.config.inflight_count_max,
                is_learner=False,
            )
            progress.is_learner = not membership.is_voter(replica_id)
            self.progress_by_id[replica_id] = progress
        own = self.progress_by_id.get(self.replica_id)
        if own is not None:
            own.note_match(self.log.durable_index)

    def is_active(self, replica_id: ReplicaId) -> bool:
        """Whether this leader heard from ``replica_id`` within an election timeout."""
        if replica_id == self.replica_id:
            return True
        progress = self.progress_by_id.get(replica_id)
        if progress is None or progress.heard_at_tick is None:
            return False
        return self.tick - progress.heard_at_tick < self.config.election_ticks

    def progress_views(self) -> tuple[ProgressView, ...]:
        """Every other member as this leader sees it, sorted by id."""
        return tuple(
            ProgressView(
                replica_id=replica_id,
                state=progress.state,
                match_index=progress.match_index,
                next_index=progress.next_index,
                inflight_count=len(progress.inflight),
                is_learner=progress.is_learner,
                is_active=self.is_active(replica_id),
            )
            for replica_id, progress in self.progress_by_id.items()
            if replica_id != self.replica_id
        )

    def agreed(self, value_of: Callable[[Progress], int]) -> int:
        """The highest value of ``value_of`` that a quorum of the voters has reached."""
        progress_by_id = self.progress_by_id
        return quorum.agreed(self.membership, lambda voter: value_of(progress_by_id[voter]))

    def note_own_round(self) -> None:
        """A leader agrees with itself at once."""
        own = self.progress_by_id.get(self.replica_id)
        if own is not None:
            own.acked_round = self.reads.round


def _memberships_in(reader: RaftLogReader) -> MembershipTrack:
    mark = reader.snapshot_mark()
    track = MembershipTrack(mark)
    index = mark.index + 1
    last_index = reader.last_index()
    while index <= last_index:
        entries = reader.entries(index, last_index + 1, SCAN_BYTES_MAX)
        for entry in entries:
            if entry.kind is EntryKind.CONFIG:
                track.append(entry.index, decode_membership(entry.payload))
        index += len(entries)
    return track
