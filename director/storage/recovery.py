"""Reads a log after a stop of any kind, and tells a torn tail from damage.

What was being written when the machine stopped may be missing in part; it was never
acknowledged and is cut. Everything else that is wrong is damage and refused, because
cutting it would take back acknowledged entries or votes. The rule, for the first place
where no healthy record continues the chain:

1. If it lies below what is known to have been synced, it is damage. Known is the highest of
   the side file's mark (exact unless the machine lost power) and of any SYNCED record, before
   or behind the place: each batch begins with one.
2. Otherwise it is a tear only if it looks like one: lost bytes read as zeros. So the record
   there either ends in zeros (its last byte is never zero) or has a whole sector of zeros in
   it. If all of it is there and its checksum is wrong, it is damage.

So every flipped bit in a record that was synced is refused by rule 1, with one exception:
the very last batches before a power failure that also took the side file's newest marks
with it. There rule 2 still refuses, unless the damaged record holds a zero sector of its own.

This module reads. Nothing is changed before the verdict is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from director.raft.messages import HardState, SnapshotMark
from director.storage.errors import CorruptLogError, WrongDirectoryError
from director.storage.index import Location, LogIndex
from director.storage.records import (
    HEADER_BYTES,
    Kind,
    MalformedRecordError,
    Position,
    Record,
    SegmentStart,
    SyncedMark,
    claimed_bytes,
    decode_entry,
    decode_hard_state,
    decode_mark,
    decode_segment,
    decode_synced,
    first_link,
    read_record,
    synced_marks_behind,
)
from director.storage.segments import segment_numbers, segment_path

if TYPE_CHECKING:
    from pathlib import Path

    from director.runtime.files import FileSystem
    from director.storage.records import LogOwner

# The unit in which a disk writes all or nothing. Disks with larger ones tear in multiples.
_SECTOR_BYTES = 512


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a log says, and what must be removed before it is continued."""

    index: LogIndex
    hard_state: HardState
    hard_state_repaired: bool
    """The hard state differs from the newest record of it and must be written again."""
    mark: SnapshotMark
    end: Position
    """Where the next record goes."""
    link: bytes
    segments: tuple[int, ...]
    torn_segments: tuple[int, ...]
    """Segments behind ``end`` that were begun and never synced."""
    torn_bytes: int
    """How many bytes behind ``end`` in its segment are not zeros."""
    synced: Position
    """The log is known to be durable up to here. What follows may be in the cache alone."""


class _Tail(NamedTuple):
    content: bytes
    offset: int


def was_written_to(files: FileSystem, directory: Path) -> bool:
    """Tell whether there is more of a log here than a creation that did not finish leaves."""
    numbers = segment_numbers(files, directory)
    if numbers != [1]:
        return bool(numbers)
    content = files.read(segment_path(directory, 1))
    record = read_record(content, 0, None)
    return record is not None and bool(content[record.end :].strip(b"\0"))


def recover(
    files: FileSystem,
    directory: Path,
    owner: LogOwner,
    *,
    synced: SyncedMark | None,
    recent_bytes_max: int,
) -> Recovered:
    """Read the log in ``directory``.

    Args:
        files: Where the log is.
        directory: The log's own directory.
        owner: Whose log it must be.
        synced: The side file's mark. None if it has none to be believed.
        recent_bytes_max: How much the index may keep in memory.

    Raises:
        CorruptLogError: The log is damaged.
        WrongDirectoryError: It is another replica's.
    """
    numbers = segment_numbers(files, directory)
    if not numbers:
        raise CorruptLogError(directory, 0, "it holds no log, though one was created here")
    for expected, number in enumerate(numbers, numbers[0]):
        if number != expected:
            path = segment_path(directory, expected)
            raise CorruptLogError(path, 0, f"segment {expected} is missing")
    replay = _Replay(directory, owner, synced, recent_bytes_max)
    tail = _Tail(b"", 0)
    for number in numbers:
        content = files.read(segment_path(directory, number))
        offset = replay.begin(number, content)
        if offset is None:
            break
        tail = _Tail(content, replay.read(content, offset))
    if not replay.segments:
        path = segment_path(directory, numbers[0])
        raise CorruptLogError(path, 0, "the first record of the log is not healthy")
    torn = tuple(numbers[len(replay.segments) :])
    known = _check_end(files, directory, replay, tail, torn)
    return replay.settle(known, tail, torn)


def _check_end(
    files: FileSystem, directory: Path, replay: _Replay, tail: _Tail, torn: tuple[int, ...]
) -> Position | None:
    """Refuse an end that is damage. Return the highest position known to be synced."""
    marks = synced_marks_behind(tail.content, tail.offset)
    is_tear = looks_torn(tail.content, tail.offset)
    damaged = replay.end
    for number in torn:
        content = files.read(segment_path(directory, number))
        marks += synced_marks_behind(content, 0)
        if number == torn[0] and not tail.content[tail.offset :].strip(b"\0"):
            # The segment before ends cleanly, so this one is where the damage is.
            damaged = Position(number, 0)
            is_tear = is_tear and (
                read_record(content, 0, None) is not None or looks_torn(content, 0)
            )
    known = max((mark.position for mark in (*marks, replay.synced) if mark), default=None)
    path = segment_path(directory, damaged.segment)
    if known is not None and known > replay.end:
        raise CorruptLogError(
            path,
            damaged.offset,
            f"no healthy record here, though the log was synced up to byte {known.offset} "
            f"of segment {known.segment}",
        )
    if not is_tear:
        raise CorruptLogError(
            path, damaged.offset, "the record here was written to its end and its checksum is wrong"
        )
    replay.check_synced_link()
    return known


def looks_torn(content: bytes, offset: int) -> bool:
    """Tell whether lost bytes, which read as zeros, explain why no record is at ``offset``."""
    end = len(content.rstrip(b"\0"))
    if end - offset < HEADER_BYTES:
        return True
    size = claimed_bytes(content, offset)
    if size is not None:
        if offset + size > end:
            return True
        end = offset + size
    at = offset
    while at < end:
        sector_end = min(end, (at // _SECTOR_BYTES + 1) * _SECTOR_BYTES)
        if not content[at:sector_end].strip(b"\0"):
            return True
        at = sector_end
    return False


class _Replay:
    """Follows the records in order and keeps what they amount to."""

    def __init__(
        self, directory: Path, owner: LogOwner, synced: SyncedMark | None, recent_bytes_max: int
    ) -> None:
        self.segments: list[int] = []
        self.end = Position(0, 0)
        self.synced = synced
        self._directory = directory
        self._owner = owner
        self._link = b""
        self._index = LogIndex(recent_bytes_max)
        # Where the first segment left over begins is not known until an entry says so.
        self._index.reset(0, None)
        self._hard_state = HardState()
        self._hard_state_end = Position(0, 0)
        self._mark: SnapshotMark | None = None
        self._synced_link_seen: bytes | None = None
        self._synced_through = Position(0, 0)

    def begin(self, number: int, content: bytes) -> int | None:
        """Take the first record of a segment. None if it does not continue the log."""
        record = read_record(content, 0, None)
        if record is None or record.kind is not Kind.SEGMENT:
            return None
        start = self._segment_start(number, record)
        if self.segments or number == 1:
            expected = self._link if self.segments else first_link(self._owner)
            if start.seed != expected:
                return None
        if read_record(content, 0, start.seed) is None:
            return None
        self.segments.append(number)
        self._mark = start.mark
        self._hard_state = start.hard_state
        self._hard_state_end = Position(number, record.end)
        if number == 1:
            self._index.reset(start.mark.index, start.mark.term)
        self._advance(record)
        return record.end

    def read(self, content: bytes, offset: int) -> int:
        """Take records up to the first place where none continues the chain; return it."""
        while (record := read_record(content, offset, self._link)) is not None:
            try:
                self._take(record, offset)
            except MalformedRecordError as error:
                raise self._corrupt(offset, str(error)) from error
            self._advance(record)
            offset = record.end
        return offset

    def check_synced_link(self) -> None:
        """Refuse a log that is healthy in itself but is not the one that was synced."""
        mark = self.synced
        # A power failure may leave a mark in a segment that compaction has removed since.
        if mark is None or mark.position.segment < self.segments[0]:
            return
        if self._synced_link_seen != mark.link:
            raise CorruptLogError(
                segment_path(self._directory, mark.position.segment),
                mark.position.offset,
                "the log differs from the one that was synced; it may be an older copy",
            )

    def settle(self, known: Position | None, tail: _Tail, torn: tuple[int, ...]) -> Recovered:
        """Check what can only be checked at the end, and return the result."""
        index, mark = self._index, self._mark
        assert mark is not None, "every segment names one"
        if index.last_index == index.cut_index and index.cut_term is None:
            index.reset(mark.index, mark.term)
        if index.first_index > mark.index + 1 or index.last_index < mark.index:
            raise self._corrupt(
                self.end.offset,
                f"entries {index.first_index}..{index.last_index} do not join on to the "
                f"snapshot at {mark.index}",
            )
        if index.cut_term is None:
            if index.cut_index == mark.index:
                index.reset_cut_term(mark.term)
            else:
                # The term before the first entry went with an older segment, so the first
                # entry takes its place. The snapshot covers it.
                index.cut_to(index.first_index)
        hard_state = self._settled_hard_state(mark, known)
        return Recovered(
            index=index,
            hard_state=hard_state,
            hard_state_repaired=hard_state != self._hard_state,
            mark=mark,
            end=self.end,
            link=self._link,
            segments=tuple(self.segments),
            torn_segments=torn,
            torn_bytes=len(tail.content[tail.offset :].rstrip(b"\0")),
            synced=max(known or Position(0, 0), self._synced_through),
        )

    def _settled_hard_state(self, mark: SnapshotMark, known: Position | None) -> HardState:
        state, last = self._hard_state, self._index.last_index
        if state.commit > last:
            # Written in one batch with the entries it speaks of, and they were torn off.
            if known is not None and self._hard_state_end <= known:
                raise self._corrupt(
                    self.end.offset, f"entries up to {state.commit} are committed, {last} is last"
                )
            state = replace(state, commit=last)
        # What a snapshot covers is committed, whether or not that was written down.
        state = replace(state, commit=max(state.commit, mark.index))
        # A torn batch can leave entries of a term whose hard state is lost. No vote was given
        # in that term: it would have been synced before.
        last_term = self._index.term_at(last) or 0
        if last_term > state.term:
            state = replace(state, term=last_term, vote=None)
        return state

    def _segment_start(self, number: int, record: Record) -> SegmentStart:
        path = segment_path(self._directory, number)
        try:
            start = decode_segment(record.payload)
        except MalformedRecordError as error:
            raise CorruptLogError(path, 0, str(error)) from error
        if start.owner != self._owner:
            raise WrongDirectoryError(
                f"{path} belongs to replica {start.owner.replica_id} of fleet "
                f"{start.owner.fleet_id}, incarnation {start.owner.incarnation}; this is "
                f"{self._owner.replica_id} of {self._owner.fleet_id}, {self._owner.incarnation}",
                path=str(path),
            )
        if start.number != number:
            raise CorruptLogError(path, 0, f"this is segment {start.number} under another name")
        return start

    def _advance(self, record: Record) -> None:
        self._link = record.link
        self.end = Position(self.segments[-1], record.end)
        if self.synced is not None and self.end == self.synced.position:
            self._synced_link_seen = record.link

    def _take(self, record: Record, offset: int) -> None:
        match record.kind:
            case Kind.ENTRY:
                self._take_entry(record, offset)
            case Kind.HARD_STATE:
                state = decode_hard_state(record.payload)
                if state.term < self._hard_state.term:
                    raise MalformedRecordError(f"term {state.term} follows a higher one")
                self._hard_state = state
                self._hard_state_end = Position(self.segments[-1], record.end)
            case Kind.SNAPSHOT_MARK:
                self._take_mark(record)
            case Kind.SEGMENT:
                raise MalformedRecordError("a segment begins inside another")
            case Kind.SYNCED:
                self._synced_through = decode_synced(record.payload).position

    def _take_entry(self, record: Record, offset: int) -> None:
        entry = decode_entry(record.payload)
        index = self._index
        if self._mark is None or entry.index <= self._mark.index:
            raise MalformedRecordError(f"entry {entry.index} lies below the snapshot")
        is_empty = index.last_index == index.cut_index
        if index.cut_term is None and (is_empty or entry.index < index.first_index):
            index.reset(entry.index - 1, None)
        elif index.first_index <= entry.index <= index.last_index:
            index.truncate_from(entry.index)
        elif entry.index != index.last_index + 1:
            raise MalformedRecordError(f"entry {entry.index} follows {index.last_index}")
        if entry.term < (index.term_at(entry.index - 1) or 0):
            raise MalformedRecordError(f"entry {entry.index} has a lower term than the one before")
        index.append(entry, Location(self.segments[-1], offset, record.end - offset))

    def _take_mark(self, record: Record) -> None:
        mark, resets = decode_mark(record.payload)
        if self._mark is not None and mark.index < self._mark.index:
            raise MalformedRecordError(f"snapshot {mark.index} follows {self._mark.index}")
        if resets:
            self._index.reset(mark.index, mark.term)
        elif self._index.term_at(mark.index) not in (None, mark.term):
            raise MalformedRecordError(f"snapshot {mark.index} has another term than the entry")
        self._mark = mark

    def _corrupt(self, offset: int, what: str) -> CorruptLogError:
        return CorruptLogError(segment_path(self._directory, self.segments[-1]), offset, what)
