"""The replicated log of one replica, on disk: append, sync, read, compact.

Segments are append-only; a suffix is replaced by writing the overriding entries. Nothing is
durable before ``sync`` returns, and one ``sync`` covers everything appended before it was
called: that is group commit. How damage is told from a torn tail is in ``recovery.py``.

Threads: one thread appends and reads; another may call ``sync`` meanwhile.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from director.raft.messages import ENTRY_OVERHEAD_BYTES, HardState
from director.raft.storage import LogCompactedError, bounded
from director.storage import synced_file
from director.storage.errors import CorruptLogError, StorageFailedError, disk_full, is_disk_full
from director.storage.index import Location, LogIndex
from director.storage.records import (
    ENTRY_FIELDS_BYTES,
    OVERHEAD_BYTES,
    PAYLOAD_BYTES_MAX,
    Kind,
    MalformedRecordError,
    Position,
    SegmentStart,
    SyncedMark,
    decode_entry,
    encode_entry,
    encode_hard_state,
    encode_mark,
    encode_record,
    encode_segment,
    encode_synced,
    first_link,
    read_record,
)
from director.storage.recovery import Recovered, recover, was_written_to
from director.storage.segments import Spare, segment_path
from director.storage.synced_file import SyncedFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from director.raft.messages import Entry, SnapshotMark
    from director.runtime.files import FileSystem, OpenFile
    from director.storage.records import LogOwner

ENTRY_PAYLOAD_BYTES_MAX = PAYLOAD_BYTES_MAX - ENTRY_FIELDS_BYTES


@dataclass(frozen=True, slots=True)
class WalOptions:
    """Sizes. The defaults are for production; tests make segments small."""

    segment_bytes: int = 16 << 20
    """When a segment is full. A larger batch gets a larger segment."""
    recent_bytes_max: int = 64 << 20
    """How much of the newest entries is kept in memory; older ones are read from disk."""


class Cut(NamedTuple):
    """What was removed at the start: the torn end of what was never synced."""

    bytes: int
    segments: int


class Wal:
    """The log. Keeps the promises of ``director.raft.storage.RaftLogReader``.

    After a failed write or sync every call but ``close`` raises StorageFailedError.
    """

    def __init__(
        self, files: FileSystem, directory: Path, owner: LogOwner, options: WalOptions
    ) -> None:
        """Use ``create`` or ``open``."""
        self._files = files
        self._directory = directory
        self._owner = owner
        self._options = options
        self._spare = Spare(files, directory, options.segment_bytes)
        # Guards what both threads touch: the end of the log, the segments, what is synced.
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._failure: str | None = None
        self._segments: dict[int, OpenFile] = {}
        self._end = Position(0, 0)
        self._link = b""
        self._capacity = 0
        self._synced = SyncedMark(Position(0, 0), b"")
        self._synced_written = self._synced
        self._needed_segment = 0
        self._index = LogIndex(options.recent_bytes_max)
        self._hard_state = HardState()
        self._mark: SnapshotMark
        self._synced_file: SyncedFile
        self.cut = Cut(0, 0)

    @classmethod
    def create(
        cls,
        files: FileSystem,
        directory: Path,
        owner: LogOwner,
        founding: SnapshotMark,
        *,
        options: WalOptions | None = None,
    ) -> Wal:
        """Begin an empty log behind ``founding``. It is durable on return.

        Anything in the directory is removed: it is left from a creation that did not finish.
        The caller knows that none did (see ``data_directory.py``).

        Raises:
            CorruptLogError: There is a log that was written to. Votes may be in it, so whoever
                thinks that there is none is wrong: the note of it was lost or is an old one.
            DiskFullError: There is no room for the first segment.
            OSError: The disk failed.
        """
        files.make_directory(directory)
        if was_written_to(files, directory):
            raise CorruptLogError(
                directory, 0, "a log is to be founded here, and one that was written to is here"
            )
        for name in files.names(directory):
            files.remove(directory / name)
        wal = cls(files, directory, owner, options or WalOptions())
        wal._mark = founding
        wal._index.reset(founding.index, founding.term)
        wal._hard_state = HardState(term=founding.term, commit=founding.index)
        wal._link = first_link(owner)
        wal._synced_file, _ = SyncedFile.open(files, directory)
        try:
            wal._begin_segment(0)
            wal._segments[1].zero(wal._end.offset, wal._capacity - wal._end.offset)
            wal.sync()
            wal._synced_file.datasync()
            files.sync_directory(directory.parent)
        except BaseException:
            wal._close_files()
            raise
        return wal

    @classmethod
    def open(
        cls,
        files: FileSystem,
        directory: Path,
        owner: LogOwner,
        *,
        options: WalOptions | None = None,
    ) -> Wal:
        """Open a log, cut its torn end and make what is left durable.

        Raises:
            CorruptLogError: The log is damaged; no file was changed.
            WrongDirectoryError: It is another replica's.
            OSError: It could not be read, or the disk failed while the end was cut.
        """
        options = options or WalOptions()
        if not files.exists(directory):
            raise CorruptLogError(directory, 0, "the log is missing, though one was created here")
        mark = None
        if files.exists(directory / synced_file.NAME):
            _, mark = synced_file.newest_mark(files.read(directory / synced_file.NAME))
        recovered = recover(
            files, directory, owner, synced=mark, recent_bytes_max=options.recent_bytes_max
        )
        wal = cls(files, directory, owner, options)
        wal._synced_file, _ = SyncedFile.open(files, directory)
        try:
            wal._resume(recovered)
        except BaseException:
            wal._close_files()
            raise
        return wal

    def hard_state(self) -> HardState:
        """See RaftLogReader."""
        self._check_usable()
        return self._hard_state

    def snapshot_mark(self) -> SnapshotMark:
        """See RaftLogReader."""
        self._check_usable()
        return self._mark

    def first_index(self) -> int:
        """See RaftLogReader."""
        self._check_usable()
        return self._index.first_index

    def last_index(self) -> int:
        """See RaftLogReader."""
        self._check_usable()
        return self._index.last_index

    def term_at(self, index: int) -> int | None:
        """See RaftLogReader."""
        self._check_usable()
        return self._index.term_at(index)

    def entries(self, low: int, high_exclusive: int, bytes_max: int) -> tuple[Entry, ...]:
        """See RaftLogReader. Entries no longer in memory are read from disk and checked.

        Raises:
            LogCompactedError: ``low`` lies below ``first_index()``.
            CorruptLogError: What the disk returned is not the entry. The log is unusable now.
        """
        self._check_usable()
        index = self._index
        if low < index.first_index:
            raise LogCompactedError(low, index.first_index)
        high = min(high_exclusive, index.last_index + 1)
        recent_low = index.recent_first_index
        if low >= recent_low:
            return bounded(index.recent(low, high), bytes_max)
        found: list[Entry] = []
        size = 0
        for at in range(low, min(high, recent_low)):
            entry = self._read_entry(at)
            size += len(entry.payload) + ENTRY_OVERHEAD_BYTES
            found.append(entry)
            if size > bytes_max:
                return bounded(found, bytes_max)
        if high > recent_low:
            found += index.recent(recent_low, high)
        return bounded(found, bytes_max)

    @property
    def is_failed(self) -> bool:
        """Whether a write or sync failed, so that this log must not be used any more."""
        return self._failure is not None

    def append_batch(self, hard_state: HardState | None, entries: Sequence[Entry]) -> None:
        """Write a hard state and entries as one batch. Not durable before ``sync``.

        Entries from an index that exists replace everything from there on. A snapshot that
        comes with them is installed first.

        Raises:
            ValueError: The entries leave a gap, reach below the first index, or one is larger
                than ``ENTRY_PAYLOAD_BYTES_MAX``. Nothing was written.
            DiskFullError: There is no room. Nothing was written; it may be tried again.
            StorageFailedError: The write failed, or an earlier one did.
        """
        self._check_usable()
        records: list[tuple[Kind, bytes]] = []
        if entries:
            self._check_entries(entries)
        last_index = entries[-1].index if entries else self._index.last_index
        if hard_state is not None:
            hard_state = self._merged(hard_state, last_index)
            if hard_state != self._hard_state:
                records.append((Kind.HARD_STATE, encode_hard_state(hard_state)))
        records += [(Kind.ENTRY, encode_entry(entry)) for entry in entries]
        if not records:
            return
        locations = self._write_batch(records)
        if entries:
            if entries[0].index <= self._index.last_index:
                self._index.truncate_from(entries[0].index)
            for entry, location in zip(entries, locations[-len(entries) :], strict=True):
                self._index.append(entry, location)
        if hard_state is not None:
            self._hard_state = hard_state

    def record_snapshot(self, mark: SnapshotMark) -> None:
        """Remember a snapshot of this replica's own state, already durable. Drops nothing.

        Raises:
            ValueError: The log does not hold the entry the mark names, or a newer mark exists.
            DiskFullError: See ``append_batch``.
            StorageFailedError: See ``append_batch``.
        """
        self._check_usable()
        self._check_mark(mark)
        if self._index.term_at(mark.index) != mark.term:
            raise ValueError(f"the log holds no entry {mark.index} of term {mark.term}")
        self._write_mark(mark, resets=False)

    def install_snapshot(self, mark: SnapshotMark) -> None:
        """Begin behind a snapshot received from the leader, already durable.

        Entries behind the mark are kept only if the log agrees with the mark at its index.

        Raises:
            ValueError: A newer mark exists.
            DiskFullError: See ``append_batch``.
            StorageFailedError: See ``append_batch``.
        """
        self._check_usable()
        self._check_mark(mark)
        agrees = self._index.term_at(mark.index) == mark.term
        self._write_mark(mark, resets=not agrees)
        if agrees:
            self._cut_index_to(mark.index)
        else:
            self._index.reset(mark.index, mark.term)
            self._needed_segment = self._end.segment

    def compact_to(self, index: int) -> None:
        """Drop the entries up to and including ``index``.

        Segments none of whose entries are left are removed by the next ``sync``; after a
        restart, entries of the others may be there again. The caller leaves a margin below
        the snapshot for followers that are a little behind.

        Raises:
            ValueError: No snapshot covers ``index``.
            StorageFailedError: An earlier write or sync failed.
        """
        self._check_usable()
        if index > self._mark.index:
            raise ValueError(
                f"no snapshot covers entry {index}; the newest ends at {self._mark.index}"
            )
        self._cut_index_to(index)

    def sync(self) -> None:
        """Return when everything appended before the call is durable. From any one thread.

        Raises:
            StorageFailedError: The sync failed, or anything did before. It is never retried.
        """
        with self._sync_lock:
            self._check_usable()
            with self._lock:
                mark = SyncedMark(self._end, self._link)
                synced = self._synced.position.segment
                unsynced = [file for number, file in self._segments.items() if number >= synced]
                needed = self._needed_segment
            if mark == self._synced:
                return
            try:
                for file in unsynced:
                    file.datasync()
                if mark.position.segment != synced:
                    self._files.sync_directory(self._directory)
                self._synced_file.write(mark)
                with self._lock:
                    self._synced = mark
                self._remove_segments_below(min(needed, mark.position.segment))
                self._spare.prepare(mark.position.offset)
            except OSError as error:
                raise self._fail("sync", error) from error

    def close(self) -> None:
        """Make everything durable if that is still possible, and close the files.

        Raises:
            StorageFailedError: The last sync failed.
        """
        if not self._segments:
            return
        try:
            if self._failure is None:
                self.sync()
                self._synced_file.datasync()
        except OSError as error:
            raise self._fail("sync", error) from error
        finally:
            self._close_files()

    def _resume(self, recovered: Recovered) -> None:
        """Cut the torn end, continue behind it, and make durable what was only in the cache."""
        for number in reversed(recovered.torn_segments):
            self._files.remove(segment_path(self._directory, number))
        for number in recovered.segments:
            self._segments[number] = self._files.open(segment_path(self._directory, number))
        file = self._segments[recovered.end.segment]
        if recovered.torn_bytes:
            # Durable before anything is written there: what is cut must not show up again.
            file.truncate(recovered.end.offset)
            file.datasync()
        self._index = recovered.index
        self._hard_state = recovered.hard_state
        self._mark = recovered.mark
        self._end, self._link = recovered.end, recovered.link
        self._needed_segment = recovered.segments[0]
        self.cut = Cut(recovered.torn_bytes, len(recovered.torn_segments))
        try:
            file.preallocate(self._options.segment_bytes)
        except OSError as error:
            # A full disk must not keep a replica from starting: reads go on, appends will say so.
            if not is_disk_full(error):
                raise
        self._capacity = file.size()
        if recovered.hard_state_repaired:
            self._write_batch([(Kind.HARD_STATE, encode_hard_state(recovered.hard_state))])
        # What a killed process wrote and never synced is read above as if it were durable.
        # Nothing may be answered from it before it is. ``_synced`` is below every segment here,
        # so all of them are synced, and the directory.
        self._rewrite_from(recovered.synced)
        self.sync()

    def _rewrite_from(self, synced: Position) -> None:
        """Write again what is not known to be durable.

        After a failed sync the kernel may hold what it could not write as clean: it is read as if
        all were well, and a sync alone would write nothing of it, and succeed.
        """
        for number in sorted(self._segments):
            if number < synced.segment:
                continue
            file = self._segments[number]
            start = synced.offset if number == synced.segment else 0
            end = self._end.offset if number == self._end.segment else file.size()
            if end > start:
                file.write_at(start, file.read_at(start, end - start))

    def _write_batch(self, records: list[tuple[Kind, bytes]]) -> list[Location]:
        """Write records behind a SYNCED record, in one write; return where they lie."""
        with self._lock:
            synced = self._synced
        if synced != self._synced_written and synced.link:
            records = [(Kind.SYNCED, encode_synced(synced)), *records]
        self._make_room(sum(len(payload) + OVERHEAD_BYTES for _, payload in records))
        self._synced_written = synced
        return self._write(records, self._segments[self._end.segment], self._end)

    def _make_room(self, needed_bytes: int) -> None:
        end = self._end
        if end.offset + needed_bytes <= self._capacity:
            return
        if self._synced.position.segment == end.segment:
            self._begin_segment(needed_bytes)
            return
        # At most one segment may be unsynced besides the current one, or a power failure could
        # leave a gap between segments. So this one grows until the sync under way is done.
        capacity = end.offset + needed_bytes
        try:
            self._segments[end.segment].preallocate(capacity)
        except OSError as error:
            if is_disk_full(error):
                raise disk_full(self._directory, needed_bytes) from error
            raise self._fail("preallocate", error) from error
        self._capacity = capacity

    def _begin_segment(self, needed_bytes: int) -> None:
        """Begin the next segment with all that the log needs when older ones are gone."""
        number = self._end.segment + 1
        payload = encode_segment(
            SegmentStart(number, self._link, self._owner, self._mark, self._hard_state)
        )
        needed_bytes += len(payload) + OVERHEAD_BYTES
        try:
            file, self._capacity = self._spare.take(number, needed_bytes)
        except OSError as error:
            raise self._fail("create", error) from error
        self._write([(Kind.SEGMENT, payload)], file, Position(number, 0))

    def _write(
        self, records: list[tuple[Kind, bytes]], file: OpenFile, start: Position
    ) -> list[Location]:
        (number, offset), link = start, self._link
        contents: list[bytes] = []
        locations: list[Location] = []
        for kind, payload in records:
            content, link = encode_record(kind, payload, link)
            contents.append(content)
            locations.append(Location(number, offset, len(content)))
            offset += len(content)
        try:
            file.write_at(start.offset, b"".join(contents))
        except OSError as error:
            raise self._fail("write", error) from error
        # At once and not before: a sync must never see half a batch, or a segment without
        # its first record, as the end of the log.
        with self._lock:
            self._segments[number] = file
            self._end, self._link = Position(number, offset), link
        return locations

    def _write_mark(self, mark: SnapshotMark, *, resets: bool) -> None:
        self._write_batch([(Kind.SNAPSHOT_MARK, encode_mark(mark, resets=resets))])
        self._mark = mark
        # As recovery would: what a snapshot covers is committed, in a term that has begun.
        state = self._hard_state
        if mark.term > state.term:
            state = HardState(term=mark.term)
        self._hard_state = replace(state, commit=max(state.commit, mark.index))

    def _cut_index_to(self, index: int) -> None:
        if index > self._index.cut_index:
            # The entry cut off last stays on disk: its term is needed after a restart.
            self._needed_segment = self._index.location(index).segment
            self._index.cut_to(index)

    def _remove_segments_below(self, number: int) -> None:
        with self._lock:
            unneeded = sorted(old for old in self._segments if old < number)
        for old in unneeded:
            self._files.remove(segment_path(self._directory, old))
            # One at a time and oldest first, so that a power failure leaves no gap.
            self._files.sync_directory(self._directory)
            with self._lock:
                file = self._segments.pop(old)
            file.close()

    def _read_entry(self, index: int) -> Entry:
        location = self._index.location(index)
        try:
            content = self._segments[location.segment].read_at(location.offset, location.size)
        except OSError as error:
            raise self._fail("read", error) from error
        record = read_record(content, 0, None)
        entry = None
        if record is not None and record.kind is Kind.ENTRY:
            try:
                entry = decode_entry(record.payload)
            except MalformedRecordError:
                entry = None
        if entry is None or (entry.index, entry.term) != (index, self._index.term_at(index)):
            path = segment_path(self._directory, location.segment)
            corrupt = CorruptLogError(path, location.offset, f"entry {index} cannot be read back")
            self._failure = str(corrupt)
            raise corrupt
        return entry

    def _check_entries(self, entries: Sequence[Entry]) -> None:
        first, index = entries[0].index, self._index
        if not index.first_index <= first <= index.last_index + 1:
            raise ValueError(
                f"entry {first} does not extend a log of {index.first_index}..{index.last_index}"
            )
        assert first > self._hard_state.commit, "a committed entry is never replaced"
        for expected, entry in enumerate(entries, first):
            if entry.index != expected:
                raise ValueError(f"entry {entry.index} is where {expected} belongs")
            if len(entry.payload) > ENTRY_PAYLOAD_BYTES_MAX:
                raise ValueError(
                    f"entry {entry.index} has {len(entry.payload)} bytes; "
                    f"{ENTRY_PAYLOAD_BYTES_MAX} is the most"
                )

    def _check_mark(self, mark: SnapshotMark) -> None:
        if mark.index < self._mark.index:
            raise ValueError(f"snapshot {mark.index} is older than {self._mark.index}")

    def _merged(self, given: HardState, last_index: int) -> HardState:
        """Check a hard state against the one before; its commit never goes back."""
        kept = self._hard_state
        assert given.term >= kept.term, "terms never go back"
        assert given.term > kept.term or kept.vote in (None, given.vote), "one vote in a term"
        assert given.commit <= last_index, "what is committed here is written here, or installed"
        return replace(given, commit=max(given.commit, kept.commit))

    def _check_usable(self) -> None:
        if self._failure is not None:
            raise StorageFailedError(self._failure, path=str(self._directory))

    def _fail(self, action: str, error: OSError) -> StorageFailedError:
        self._failure = (
            f"{action} failed on {self._directory}: {error.strerror or error}; this replica "
            f"cannot trust its log any more and must restart"
        )
        return StorageFailedError(
            self._failure, path=str(self._directory), action=action, errno=error.errno or 0
        )

    def _close_files(self) -> None:
        for file in self._segments.values():
            file.close()
        self._segments.clear()
        self._spare.close()
        self._synced_file.close()
