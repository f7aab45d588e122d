"""Records: what is encoded is decoded, and bytes that are none are never taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from director.raft.messages import Entry, EntryKind, HardState, ReplicaId
from director.storage import records
from director.storage.records import (
    HEADER_BYTES,
    OVERHEAD_BYTES,
    Kind,
    LogOwner,
    MalformedRecordError,
    Position,
    SegmentStart,
    SyncedMark,
    claimed_bytes,
    encode_record,
    read_record,
    synced_marks_behind,
)
from tests.storage.builders import a_mark

LINK = b"linkseed"
IDS = st.integers(0, 2**64 - 1)


@given(st.sampled_from(Kind), st.binary(max_size=300), st.binary(max_size=20))
def test_a_record_is_read_back_wherever_it_lies(kind: Kind, payload: bytes, before: bytes) -> None:
    content, link = encode_record(kind, payload, LINK)

    record = read_record(before + content + b"\0\0", len(before), LINK)

    assert record == (kind, payload, link, len(before) + len(content))
    assert len(content) == len(payload) + OVERHEAD_BYTES
    assert content[-1] != 0
    assert read_record(content, 0, b"another.") is None
    assert read_record(content[:-1], 0, LINK) is None


@given(st.binary(max_size=60))
def test_every_flipped_bit_of_a_record_is_found(payload: bytes) -> None:
    content, _ = encode_record(Kind.ENTRY, payload, LINK)
    for bit in range(len(content) * 8):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        assert read_record(bytes(flipped) + bytes(4096), 0, None) is None
        # A length is believed on its own, so its own checksum must find the flip.
        assert bit >= HEADER_BYTES * 8 or claimed_bytes(bytes(flipped), 0) is None


@given(st.binary(max_size=200), st.integers(0, 200))
def test_random_bytes_are_no_record(content: bytes, offset: int) -> None:
    assert read_record(content, offset, None) is None
    assert synced_marks_behind(content, offset) == []
    assert read_record(bytes(200), 0, None) is None


@given(IDS, IDS, st.sampled_from(EntryKind), st.binary(max_size=100))
def test_an_entry_is_what_was_encoded(
    index: int, term: int, kind: EntryKind, payload: bytes
) -> None:
    entry = Entry(index, term, kind, payload)

    assert records.decode_entry(records.encode_entry(entry)) == entry


@given(IDS, IDS, st.none() | st.text(min_size=1))
def test_a_hard_state_is_what_was_encoded(term: int, commit: int, vote: str | None) -> None:
    try:
        state = HardState(term, None if vote is None else ReplicaId(vote), commit)
        encoded = records.encode_hard_state(state)
    except UnicodeEncodeError:
        return  # a lone surrogate is no name
    assert records.decode_hard_state(encoded) == state


def test_marks_and_segment_starts_are_what_was_encoded() -> None:
    for resets in (True, False):
        mark = a_mark(7, 3)
        assert records.decode_mark(records.encode_mark(mark, resets=resets)) == (mark, resets)
    start = SegmentStart(
        number=9,
        seed=LINK,
        owner=LogOwner("fleet-é", ReplicaId("d0"), "00ff"),
        mark=a_mark(7, 3),
        hard_state=HardState(4, ReplicaId("d1"), 8),
    )
    assert records.decode_segment(records.encode_segment(start)) == start
    synced = SyncedMark(Position(4, 512), LINK)
    assert records.decode_synced(records.encode_synced(synced)) == synced


@given(st.binary(max_size=120))
def test_a_payload_that_makes_no_sense_is_called_malformed_or_read(payload: bytes) -> None:
    for decode in (
        records.decode_entry,
        records.decode_hard_state,
        records.decode_mark,
        records.decode_synced,
        records.decode_segment,
    ):
        try:
            decode(payload)
        except MalformedRecordError as error:
            assert str(error) != ""  # noqa: PT017 - either outcome is right


def test_an_entry_of_a_kind_unknown_here_is_malformed() -> None:
    payload = bytearray(records.encode_entry(Entry(5, 1, EntryKind.NORMAL, b"")))
    payload[16] = 99

    with pytest.raises(MalformedRecordError, match="kind 99, unknown to this release"):
        records.decode_entry(bytes(payload))


def test_synced_records_are_found_behind_damage() -> None:
    marks = [SyncedMark(Position(1, at), LINK) for at in (100, 200)]
    first, link = encode_record(Kind.SYNCED, records.encode_synced(marks[0]), LINK)
    entry, link = encode_record(
        Kind.ENTRY, records.encode_entry(Entry(1, 1, EntryKind.EMPTY, b"")), link
    )
    second, _ = encode_record(Kind.SYNCED, records.encode_synced(marks[1]), link)
    damaged = bytearray(first + entry + second)
    damaged[len(first) + 20] ^= 1

    assert synced_marks_behind(bytes(damaged), 0) == marks
    assert synced_marks_behind(bytes(damaged), len(first)) == marks[1:]
    damaged[-3] ^= 1
    assert synced_marks_behind(bytes(damaged), len(first)) == []
