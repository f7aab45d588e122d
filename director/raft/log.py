"""One replica's view of its log: what is durable, what is not yet, committed and applied.

Entries wait here from the moment they are accepted until the driver has made them durable. Reads
see both as one log.
"""

from director.raft.messages import ENTRY_OVERHEAD_BYTES, Entry, SnapshotMark
from director.raft.storage import RaftLogReader, bounded


class ReplicaLog:
    """The log, durable part and waiting part together.

    Invariant: ``applied_index <= commit_index <= last_index``.
    """

    __slots__ = (
        "_handed_to",
        "_offset",
        "_pending_snapshot",
        "_reader",
        "_snapshot_handed",
        "_waiting",
        "applied_index",
        "commit_index",
    )

    def __init__(self, reader: RaftLogReader) -> None:
        """Take up the durable log where it ended."""
        mark = reader.snapshot_mark()
        self._reader = reader
        self._offset = reader.last_index() + 1
        self._waiting: list[Entry] = []
        """Entries from ``_offset`` on. Those below ``_handed_to`` are being written."""
        self._handed_to = self._offset
        self._pending_snapshot: SnapshotMark | None = None
        self._snapshot_handed = False
        # The snapshot may be newer than the last commit index that was written.
        self.commit_index = max(mark.index, reader.hard_state().commit)
        self.applied_index = mark.index
        assert self.commit_index <= self.last_index, "a committed entry is missing from the log"

    @property
    def last_index(self) -> int:
        """The highest index, durable or not."""
        return self._offset + len(self._waiting) - 1

    @property
    def last_term(self) -> int:
        """The term of the last entry; 0 for an empty log."""
        term = self.term_at(self.last_index)
        assert term is not None, "the term of the last entry is always known"
        return term

    @property
    def durable_index(self) -> int:
        """The highest index that is on this replica's own disk and still current."""
        return self._offset - 1

    @property
    def has_pending_snapshot(self) -> bool:
        """Whether a snapshot was accepted that is not installed yet."""
        return self._pending_snapshot is not None

    def mark(self) -> SnapshotMark:
        """The newest snapshot that can be sent to others."""
        return self._reader.snapshot_mark()

    def term_at(self, index: int) -> int | None:
        """The term of the entry at ``index``, or None where it is not known any more."""
        position = index - self._offset
        if position >= 0:
            return self._waiting[position].term if position < len(self._waiting) else None
        if self._pending_snapshot is not None:
            mark = self._pending_snapshot
            return mark.term if index == mark.index else None
        return self._reader.term_at(index)

    def can_read_from(self, index: int) -> bool:
        """Whether the entry at ``index``, if there is one, was not compacted away."""
        if self._pending_snapshot is not None:
            return index > self._pending_snapshot.index
        return index >= self._reader.first_index()

    def entries(self, low: int, high_exclusive: int, bytes_max: int) -> tuple[Entry, ...]:
        """Entries from ``low`` on, at most ``bytes_max`` bytes but at least one."""
        offset = self._offset
        if low >= offset:
            return bounded(
                self._waiting, bytes_max, start=low - offset, stop=high_exclusive - offset
            )
        durable = self._reader.entries(low, min(high_exclusive, offset), bytes_max)
        if high_exclusive <= offset or len(durable) < offset - low or not self._waiting:
            return durable
        bytes_left = bytes_max - sum(len(e.payload) + ENTRY_OVERHEAD_BYTES for e in durable)
        if len(self._waiting[0].payload) + ENTRY_OVERHEAD_BYTES > bytes_left:
            return durable
        return durable + bounded(self._waiting, bytes_left, stop=high_exclusive - offset)

    def append(self, entries: tuple[Entry, ...]) -> None:
        """Accept ``entries``, replacing what the log held from the first of them on."""
        first = entries[0].index
        if first != self.last_index + 1:
            self._truncate_from(first)
        self._waiting.extend(entries)

    def _truncate_from(self, index: int) -> None:
        assert self.commit_index < index <= self.last_index, (
            f"entry {index} would overwrite a log committed to {self.commit_index}"
        )
        if index >= self._offset:
            del self._waiting[index - self._offset :]
        else:
            self._waiting.clear()
            self._offset = index
        # What was handed out beyond here is on its way to the disk, and already obsolete.
        self._handed_to = min(self._handed_to, index)

    def held_count(self, entries: tuple[Entry, ...]) -> int:
        """How many of ``entries`` the log already holds, index and term alike."""
        if entries and entries[0].index > self.last_index:
            return 0
        for count, entry in enumerate(entries):
            if self.term_at(entry.index) != entry.term:
                return count
        return len(entries)

    def meeting_point(self, index: int, term: int) -> tuple[int, int]:
        """The highest index up to ``index`` whose term is at most ``term``, and that term.

        Two logs cannot agree above it: there this log's terms are higher than any the other can
        hold up to its own entry of ``term``. The term is 0 where it is not known any more.
        """
        while index > 0:
            own_term = self.term_at(index)
            if own_term is None:
                return index, 0
            if own_term <= term:
                return index, own_term
            index -= 1
        return 0, 0

    def commit_to(self, index: int) -> bool:
        """Note that everything up to ``index`` is committed. Whether that was news."""
        if index <= self.commit_index:
            return False
        # A leader knows that this replica acknowledged the entry. If it is gone, the disk lied.
        assert index <= self.last_index, (
            f"entry {index} is committed, but this log ends at {self.last_index}"
        )
        self.commit_index = index
        return True

    def restore(self, mark: SnapshotMark) -> None:
        """Replace the whole log by a snapshot the driver is to install."""
        assert mark.index > self.commit_index, "a snapshot never takes back a commit"
        self._pending_snapshot = mark
        self._snapshot_handed = False
        self._waiting.clear()
        self._offset = self._handed_to = mark.index + 1
        self.commit_index = mark.index

    def has_work(self) -> bool:
        """Whether there is something to write or to apply."""
        if self._pending_snapshot is not None and not self._snapshot_handed:
            return True
        return self._handed_to <= self.last_index or self._can_apply()

    def _can_apply(self) -> bool:
        return self._pending_snapshot is None and self.applied_index < self.commit_index

    def hand_out(self) -> tuple[SnapshotMark | None, tuple[Entry, ...]]:
        """What is to be made durable now, each thing once."""
        mark = None if self._snapshot_handed else self._pending_snapshot
        self._snapshot_handed = self._pending_snapshot is not None
        entries = tuple(self._waiting[self._handed_to - self._offset :])
        self._handed_to = self.last_index + 1
        return mark, entries

    def to_apply(self, bytes_max: int) -> tuple[Entry, ...]:
        """Committed entries that are not applied yet, in order."""
        if not self._can_apply():
            return ()
        return self.entries(self.applied_index + 1, self.commit_index + 1, bytes_max)

    def note_durable(self, installed: SnapshotMark | None) -> None:
        """Learn that everything handed out is on disk, ``installed`` included."""
        if installed is not None and installed is self._pending_snapshot:
            self._pending_snapshot = None
            self._snapshot_handed = False
            self.applied_index = installed.index
        del self._waiting[: self._handed_to - self._offset]
        self._offset = self._handed_to

    def note_applied(self, index: int) -> None:
        """Learn that the entries up to ``index`` are applied."""
        # A snapshot accepted meanwhile may already reach further.
        self.applied_index = max(self.applied_index, index)
        assert self.applied_index <= self.commit_index, "only committed entries are applied"
