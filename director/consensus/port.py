"""The consensus port: an ordered, durable, replicated log and nothing more.

Every engine keeps these promises, and ``tests/contract`` checks each of them against every
engine:

- Entries are delivered in index order, without gaps, once per index, on every replica; delivery
  resumes after a restart from the snapshot or the index asked for.
- An entry that ``propose`` returned is durable on a quorum.
- ``term`` never decreases along the log, and each term has at most one leader.
- A proposal refused with ``NotLeaderError`` was not appended. One that ends in
  ``OutcomeUnknownError`` commits at most once, perhaps later and under a later leader (Raft paper,
  section 5.4.2). So commands carry what they were decided on.
- A read served at or above the index that ``read_barrier`` returned sees every write that finished
  before the call.
- Leadership gained in a term is reported only after every entry of earlier terms was delivered.
- Whoever has applied ``Standing.contact_index`` sees all that was committed by
  ``Standing.quorum_contact_at_ms``. So a replica that is behind never dates its view as current.
- A snapshot replaces the log below it only once it was verified; the old state stays until then.
- Membership changes one at a time, and never in a way that loses the quorum.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

PAYLOAD_BYTES_MAX = 1_048_576
"""Longest payload of one entry; whoever has more splits it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A committed position of the log, as ``propose`` returns it."""

    index: int
    term: int


@dataclass(frozen=True, slots=True)
class CommittedEntry:
    """A committed entry. An empty payload is the engine's own; it still has its index."""

    index: int
    term: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class SnapshotDelivered:
    """The state up to and including ``index`` as the application encoded it."""

    index: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class LeadershipChanged:
    """Who leads, as far as this replica knows.

    Attributes:
        term: The leadership's number.
        leader_id: None while there is none known.
        is_leader: This replica leads ``term`` and has delivered all entries of earlier terms.
    """

    term: int
    leader_id: str | None
    is_leader: bool


Delivery: TypeAlias = CommittedEntry | SnapshotDelivered | LeadershipChanged


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the group.

    Attributes:
        match_index: Last index known to be held; 0 where this replica cannot know.
        is_active: Heard from within an election timeout, as the leader knows.
    """

    member_id: str
    is_voter: bool
    is_leader: bool
    match_index: int
    is_active: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Where this replica stands, for status pages and for labelling reads.

    Attributes:
        quorum_contact_at_ms: Boot-time instant at which this replica last had word from a quorum,
            its own or through the leader; None if never since its start. Word that was long on
            its way counts as of when it was certainly not sent yet, and time during which this
            replica stood still counts.
        contact_index: Everything that was committed by ``quorum_contact_at_ms`` lies at or below
            it. A replica that has applied less is behind: its view is older than the contact.
        failed: Why nothing can be written here: the engine stopped for good (a failed fsync), or
            waits for room on a full disk; "" while all is well.
        failed_reason: The same for programs, e.g. DISK_FULL; "" when there is no word for it.
    """

    member_id: str
    term: int
    leader_id: str | None
    is_leader: bool
    commit_index: int
    applied_index: int
    quorum_contact_at_ms: int | None
    contact_index: int
    failed: str = ""
    failed_reason: str = ""


class ConsensusError(Exception):
    """Base of what an engine can answer to a proposal.

    Attributes:
        metadata: The values involved; keys carry their unit.
    """

    def __init__(self, message: str, **metadata: str | int) -> None:
        super().__init__(message)
        self.metadata: Mapping[str, str] = {key: str(value) for key, value in metadata.items()}


class NotLeaderError(ConsensusError):
    """This replica does not lead the term. Nothing was appended."""


class OutcomeUnknownError(ConsensusError):
    """Leadership was lost while waiting. The entry may or may not commit; look before retrying."""


class OverloadedError(ConsensusError):
    """Too much is waiting to be committed. Nothing was appended; try again later."""


class PayloadTooLargeError(ConsensusError):
    """The payload is longer than ``PAYLOAD_BYTES_MAX``. Nothing was appended."""


class MembershipRefusedError(ConsensusError):
    """The change would lose the quorum, or another one is under way. Nothing changed."""


class EngineFailedError(ConsensusError):
    """The engine stopped for good, e.g. after a failed fsync. The process must be restarted."""


class Consensus(Protocol):
    """One replica's end of the log. Call it from one event loop."""

    @property
    def settle_ms(self) -> int:
        """How long after start a missing leader is normal rather than a fault."""
        ...

    async def start(self, *, applied_index: int = 0) -> None:
        """Open the log and take part. ``deliveries`` begins after ``applied_index``.

        Raises:
            EngineFailedError: The log is damaged or in use; the message names file and offset.
        """
        ...

    async def stop(self) -> None:
        """Leave in good order. Idempotent."""
        ...

    def deliveries(self) -> AsyncIterator[Delivery]:
        """Committed entries in order, snapshots that replace them, and changes of leadership.

        To be iterated by one consumer. It ends when the engine stops or fails; see ``standing``.
        """
        ...

    def standing(self) -> Standing:
        """Where this replica stands now. Cheap; never waits."""
        ...

    async def propose(self, payload: bytes, *, term: int) -> Entry:
        """Append ``payload`` and wait until it is committed.

        Raises:
            NotLeaderError: This replica does not lead ``term``. Nothing was appended.
            OutcomeUnknownError: Leadership was lost while waiting.
            OverloadedError: Too much is uncommitted. Nothing was appended.
            PayloadTooLargeError: Longer than ``PAYLOAD_BYTES_MAX``. Nothing was appended.
            EngineFailedError: The engine stopped for good.
        """
        ...

    async def read_barrier(self, *, term: int | None = None) -> int:
        """Return an index at or above which a read sees every write finished before this call.

        The confirming round begins after the call.

        Raises:
            NotLeaderError: No leader answered, or ``term`` is given and this replica does not
                lead it any more.
        """
        ...

    async def save_snapshot(self, index: int, payload: bytes) -> None:
        """Keep ``payload`` as the state at ``index`` (already delivered) and drop the log below.

        A margin of entries is kept, so that a replica slightly behind needs no snapshot.
        """
        ...

    def members(self) -> tuple[Member, ...]:
        """The members, sorted by id."""
        ...

    async def add_learner(self, member_id: str, address: str) -> None:
        """Add a member that receives the log and does not count.

        Raises:
            NotLeaderError, MembershipRefusedError, OutcomeUnknownError: See there.
        """
        ...

    async def promote(self, member_id: str) -> None:
        """Make a caught-up learner a voter.

        Raises:
            NotLeaderError, MembershipRefusedError, OutcomeUnknownError: See there.
        """
        ...

    async def remove(self, member_id: str) -> None:
        """Remove a member. A removed leader hands over and steps down.

        Raises:
            NotLeaderError, MembershipRefusedError, OutcomeUnknownError: See there.
        """
        ...

    async def transfer(self, member_id: str | None = None) -> None:
        """Hand leadership to a voter (None: the most caught up) and wait until it took over.

        Raises:
            NotLeaderError: This replica does not lead.
            MembershipRefusedError: Not a voter, or it did not catch up within an election timeout.
        """
        ...
