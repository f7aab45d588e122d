"""Raft messages to protobuf and back. What cannot be read is refused, never guessed."""

from collections.abc import Iterable

from director.raft.messages import (
    Entry,
    EntryKind,
    Membership,
    Message,
    MessageKind,
    ReplicaId,
    SnapshotMark,
)
from trafficdirector.peer.v1 import peer_pb2

_MESSAGE_NAME = {kind: kind.name for kind in MessageKind}
_MESSAGE_KIND = {kind.name: kind for kind in MessageKind}
_ENTRY_NAME = {kind: kind.name for kind in EntryKind}
_ENTRY_KIND = {kind.name: kind for kind in EntryKind}


class MalformedMessageError(ValueError):
    """A peer sent something that is no Raft message of this release."""


def encode_batch(messages: Iterable[Message]) -> peer_pb2.ExchangeRequest:
    """Put messages into one batch."""
    return peer_pb2.ExchangeRequest(messages=[encode_message(message) for message in messages])


def encode_message(message: Message) -> peer_pb2.RaftMessage:
    """Write one message."""
    snapshot = message.snapshot
    return peer_pb2.RaftMessage(
        kind=_MESSAGE_NAME[message.kind],
        sender=message.sender,
        recipient=message.recipient,
        term=message.term,
        index=message.index,
        log_term=message.log_term,
        commit=message.commit,
        entries=[
            peer_pb2.RaftEntry(
                index=entry.index,
                term=entry.term,
                kind=_ENTRY_NAME[entry.kind],
                payload=entry.payload,
            )
            for entry in message.entries
        ],
        reject=message.reject,
        reject_hint=message.reject_hint,
        snapshot=None if snapshot is None else encode_mark(snapshot),
        context=message.context,
        quorum_age_ms=message.quorum_age_ms,
        force=message.force,
        leader_commit=message.leader_commit,
        stamp=message.stamp,
    )


def encode_mark(mark: SnapshotMark) -> peer_pb2.RaftSnapshotMark:
    """Write a snapshot's place in the log."""
    membership = mark.membership
    return peer_pb2.RaftSnapshotMark(
        index=mark.index,
        term=mark.term,
        membership=peer_pb2.RaftMembership(
            voters=membership.voters,
            voters_outgoing=membership.voters_outgoing,
            learners=membership.learners,
        ),
    )


def decode_batch(batch: peer_pb2.ExchangeRequest) -> list[Message]:
    """Read the messages of a batch.

    Raises:
        MalformedMessageError: One of them cannot be read.
    """
    return [decode_message(message) for message in batch.messages]


def decode_message(message: peer_pb2.RaftMessage) -> Message:
    """Read one message.

    Raises:
        MalformedMessageError: Its kind, or that of an entry, is unknown, or its membership is
            contradictory.
    """
    try:
        return Message(
            kind=_MESSAGE_KIND[message.kind],
            sender=ReplicaId(message.sender),
            recipient=ReplicaId(message.recipient),
            term=message.term,
            index=message.index,
            log_term=message.log_term,
            commit=message.commit,
            entries=tuple(
                [
                    Entry(entry.index, entry.term, _ENTRY_KIND[entry.kind], entry.payload)
                    for entry in message.entries
                ]
            ),
            reject=message.reject,
            reject_hint=message.reject_hint,
            snapshot=_decode_mark(message.snapshot) if message.HasField("snapshot") else None,
            context=message.context,
            quorum_age_ms=message.quorum_age_ms,
            force=message.force,
            leader_commit=message.leader_commit,
            stamp=message.stamp,
        )
    except KeyError as error:
        raise MalformedMessageError(f"unknown kind {error} from {message.sender}") from error


def _decode_mark(mark: peer_pb2.RaftSnapshotMark) -> SnapshotMark:
    membership = mark.membership
    try:
        return SnapshotMark(
            index=mark.index,
            term=mark.term,
            membership=Membership(
                voters=_ids(membership.voters),
                voters_outgoing=_ids(membership.voters_outgoing),
                learners=_ids(membership.learners),
            ),
        )
    except ValueError as error:
        raise MalformedMessageError(str(error)) from error


def _ids(names: Iterable[str]) -> tuple[ReplicaId, ...]:
    return tuple(ReplicaId(name) for name in names)
