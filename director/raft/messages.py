"""What replicas say to each other, and what they keep: values only, no behaviour.

Everything here is immutable, so that one message may sit in several queues at once.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

ReplicaId = NewType("ReplicaId", str)
"""The name of one replica for its whole life. A wiped replica returns under another name."""

MEMBERSHIP_FORMAT_VERSION = 1

# What an entry costs beyond its payload when sizes are bounded: index, term, kind, framing.
ENTRY_OVERHEAD_BYTES = 32


class EntryKind(StrEnum):
    """What an entry of the log means to Raft itself."""

    NORMAL = "normal"
    """A command of the layer above. Opaque here."""
    CONFIG = "config"
    """A new membership, as `encode_membership` wrote it."""
    EMPTY = "empty"
    """The first entry of a leader's own term. It carries nothing and must be skipped."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One position of the replicated log. Indexes start at 1 and have no gaps."""

    index: int
    term: int
    kind: EntryKind
    payload: bytes


@dataclass(frozen=True, slots=True)
class HardState:
    """What a replica must remember through a crash before it answers anyone (A7)."""

    term: int = 0
    vote: ReplicaId | None = None
    """Who got this replica's vote in ``term``. None if nobody did yet."""
    commit: int = 0
    """The highest index known to be committed. It may lag behind the truth, never lead it."""


@dataclass(frozen=True, slots=True)
class Membership:
    """Who takes part. Ids are kept sorted, so that equal memberships compare equal."""

    voters: tuple[ReplicaId, ...]
    voters_outgoing: tuple[ReplicaId, ...] = ()
    """The voters before a joint change; while any are left, both majorities are needed."""
    learners: tuple[ReplicaId, ...] = ()
    """Replicas that receive the log and have no vote."""

    def __post_init__(self) -> None:
        """Sort the ids and refuse an id that is listed twice or both votes and learns."""
        for field in ("voters", "voters_outgoing", "learners"):
            ids = getattr(self, field)
            if len(set(ids)) != len(ids):
                raise ValueError(f"{field} lists a replica twice: {ids}")
            object.__setattr__(self, field, tuple(sorted(ids)))
        both = set(self.learners) & set(self.voters)
        if both:
            raise ValueError(f"a replica cannot vote and learn at once: {sorted(both)}")

    def is_voter(self, replica_id: ReplicaId) -> bool:
        """Whether ``replica_id`` counts towards a quorum, in either half of a joint change."""
        return replica_id in self.voters or replica_id in self.voters_outgoing

    def is_member(self, replica_id: ReplicaId) -> bool:
        """Whether ``replica_id`` receives the log at all."""
        return self.is_voter(replica_id) or replica_id in self.learners

    def all_ids(self) -> tuple[ReplicaId, ...]:
        """Every replica that receives the log, sorted."""
        return tuple(sorted({*self.voters, *self.voters_outgoing, *self.learners}))


def encode_membership(membership: Membership) -> bytes:
    """Write ``membership`` as the payload of a CONFIG entry. Equal values give equal bytes."""
    fields = {
        "version": MEMBERSHIP_FORMAT_VERSION,
        "voters": membership.voters,
        "voters_outgoing": membership.voters_outgoing,
        "learners": membership.learners,
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode("ascii")


def decode_membership(payload: bytes) -> Membership:
    """Read what `encode_membership` wrote.

    Raises:
        ValueError: the bytes are no membership, or one of a version unknown here.
    """
    try:
        fields = json.loads(payload)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"not a membership: {payload[:40]!r}") from error
    if not isinstance(fields, dict):
        raise ValueError(f"not a membership: {payload[:40]!r}")  # noqa: TRY004 - one error type
    if fields.get("version") != MEMBERSHIP_FORMAT_VERSION:
        raise ValueError(f"unknown membership format {fields.get('version')!r}")
    return Membership(
        voters=_ids(fields, "voters"),
        voters_outgoing=_ids(fields, "voters_outgoing"),
        learners=_ids(fields, "learners"),
    )


def _ids(fields: dict[str, object], name: str) -> tuple[ReplicaId, ...]:
    ids = fields.get(name)
    if not isinstance(ids, list):
        raise ValueError(f"membership field {name} is not a list")  # noqa: TRY004
    if not all(isinstance(item, str) and item for item in ids):
        raise ValueError(f"membership field {name} holds something that is no replica id")
    return tuple(ReplicaId(item) for item in ids)


@dataclass(frozen=True, slots=True)
class SnapshotMark:
    """Up to where a snapshot reaches. Its payload travels beside it and never through Raft."""

    index: int
    """The last entry the snapshot includes. 0 for a log that never had a snapshot."""
    term: int
    membership: Membership
    """The membership as of ``index``."""


class MessageKind(StrEnum):
    """What one replica wants from another."""

    APPEND = "append"
    APPEND_REPLY = "append-reply"
    VOTE = "vote"
    VOTE_REPLY = "vote-reply"
    PRE_VOTE = "pre-vote"
    """Would you vote for me? Asked without raising anyone's term (thesis 9.6)."""
    PRE_VOTE_REPLY = "pre-vote-reply"
    HEARTBEAT = "heartbeat"
    HEARTBEAT_REPLY = "heartbeat-reply"
    SNAPSHOT = "snapshot"
    """The log you need is gone: install this. The driver sends the payload beside it."""
    TIMEOUT_NOW = "timeout-now"
    """Leadership transfer: campaign at once (thesis 3.10)."""
    READ_INDEX = "read-index"
    """A follower asks the leader for an index its own reads may be served at."""
    READ_INDEX_REPLY = "read-index-reply"


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Fields that a kind does not use keep their defaults."""

    kind: MessageKind
    sender: ReplicaId
    recipient: ReplicaId
    term: int
    index: int = 0
    """APPEND: the entry before ``entries``. APPEND_REPLY: the last entry that now matches, or the
    one refused. VOTE, PRE_VOTE: the candidate's last entry. READ_INDEX_REPLY: the index to wait
    for."""
    log_term: int = 0
    """The term of the entry at ``index``; in a refused APPEND_REPLY, at ``reject_hint``."""
    commit: int = 0
    """How far the recipient may commit."""
    entries: tuple[Entry, ...] = ()
    reject: bool = False
    reject_hint: int = 0
    """The highest index at which the logs may still agree, as far as the refuser can tell."""
    snapshot: SnapshotMark | None = None
    context: int = 0
    """HEARTBEAT and its reply: the read round, 0 for none. READ_INDEX and its reply: whose read."""
    quorum_age_ms: int = 0
    """From a leader: milliseconds since it last was in touch with a quorum."""
    force: bool = False
    """VOTE: the leader asked for this election, so its lease does not forbid the vote."""
    leader_commit: int = 0
    """From a leader: everything that was committed before this message lies at or below it, held
    by the recipient or not."""
    stamp: int = 0
    """In a reply to a leader: when the replier wrote it, in numbers only the replier can read. From
    a leader: the newest it had from the recipient, which therefore knows that the message is not
    older than that. 0 for none."""
