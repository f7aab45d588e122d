"""The port through which the algorithm reads its log, and an engine that keeps it in memory.

The node reads here and never writes: what is to be written leaves it through `Ready`.
"""

from collections.abc import Sequence
from typing import Protocol

from director.raft.messages import (
    ENTRY_OVERHEAD_BYTES,
    Entry,
    HardState,
    Membership,
    SnapshotMark,
)


class RaftLogReader(Protocol):
    """What the algorithm may ask of the durable log. Every answer comes without waiting.

    Promises:
      - ``first_index() == snapshot_mark().index + 1`` unless entries below the mark were kept
        as a margin, when it is lower. It never exceeds that.
      - ``last_index() >= snapshot_mark().index``, and ``last_index() == first_index() - 1`` when
        the log holds no entry.
      - Entries are gap-free from ``first_index()`` to ``last_index()``.
    """

    def hard_state(self) -> HardState:
        """The newest hard state written, or the default if there never was one."""
        ...

    def snapshot_mark(self) -> SnapshotMark:
        """The newest snapshot. Index 0 and the founding membership if there is none."""
        ...

    def first_index(self) -> int:
        """The lowest index whose entry can be read."""
        ...

    def last_index(self) -> int:
        """The highest index written."""
        ...

    def term_at(self, index: int) -> int | None:
        """The term of the entry at ``index``.

        Known from ``first_index() - 1`` (the entry the log was cut behind) to ``last_index()``;
        None outside.
        """
        ...

    def entries(self, low: int, high_exclusive: int, bytes_max: int) -> tuple[Entry, ...]:
        """Entries from ``low`` up to but excluding ``high_exclusive``.

        Stops before ``bytes_max`` payload bytes are exceeded, but returns at least one entry if
        the range is not empty.

        Raises:
            LogCompactedError: ``low`` lies below ``first_index()``.
        """
        ...


class LogCompactedError(LookupError):
    """The entry asked for was dropped; only a snapshot covers it."""

    def __init__(self, index: int, first_index: int) -> None:
        """Name the ``index`` asked for and the ``first_index`` that is left."""
        super().__init__(f"entry {index} was compacted away; the log starts at {first_index}")
        self.index = index
        self.first_index = first_index


class MemoryLog:
    """A log in memory that keeps the promises of `RaftLogReader`, for tests and simulation."""

    def __init__(self, membership: Membership) -> None:
        """Start an empty log whose founding membership is ``membership``."""
        self._hard_state = HardState()
        self._mark = SnapshotMark(index=0, term=0, membership=membership)
        # The index and term just before the first entry held: the mark, or below it if a margin
        # of entries was kept.
        self._cut_index = 0
        self._cut_term = 0
        self._entries: list[Entry] = []

    def hard_state(self) -> HardState:
        """See `RaftLogReader`."""
        return self._hard_state

    def snapshot_mark(self) -> SnapshotMark:
        """See `RaftLogReader`."""
        return self._mark

    def first_index(self) -> int:
        """See `RaftLogReader`."""
        return self._cut_index + 1

    def last_index(self) -> int:
        """See `RaftLogReader`."""
        return self._cut_index + len(self._entries)

    def term_at(self, index: int) -> int | None:
        """See `RaftLogReader`."""
        offset = index - self._cut_index
        if offset == 0:
            return self._cut_term
        if 0 < offset <= len(self._entries):
            return self._entries[offset - 1].term
        return None

    def entries(self, low: int, high_exclusive: int, bytes_max: int) -> tuple[Entry, ...]:
        """See `RaftLogReader`."""
        if low <= self._cut_index:
            raise LogCompactedError(low, self.first_index())
        before_first = self._cut_index + 1
        return bounded(
            self._entries,
            bytes_max,
            start=low - before_first,
            stop=max(0, high_exclusive - before_first),
        )

    def append(self, entries: Sequence[Entry]) -> None:
        """Write ``entries``, replacing whatever the log held from the first of them on.

        Raises:
            ValueError: they would leave a gap or reach below the first index.
        """
        if not entries:
            return
        first = entries[0].index
        if not self.first_index() <= first <= self.last_index() + 1:
            raise ValueError(
                f"entry {first} does not extend a log of {self.first_index()}..{self.last_index()}"
            )
        if [entry.index for entry in entries] != list(range(first, first + len(entries))):
            raise ValueError(f"the entries from {first} on have a gap")
        del self._entries[first - self._cut_index - 1 :]
        self._entries.extend(entries)

    def set_hard_state(self, hard_state: HardState) -> None:
        """Remember term, vote and commit."""
        self._hard_state = hard_state

    def install_snapshot(self, mark: SnapshotMark) -> None:
        """Replace everything by a snapshot received from the leader.

        Entries behind the mark are kept only if the log agrees with the mark at its index.
        """
        if self.term_at(mark.index) == mark.term and mark.index >= self._cut_index:
            self._entries = self._entries[mark.index - self._cut_index :]
        else:
            self._entries = []
        self._mark = mark
        self._cut_index, self._cut_term = mark.index, mark.term

    def record_snapshot(self, mark: SnapshotMark) -> None:
        """Remember a snapshot this replica took of its own state. Drops nothing.

        Raises:
            ValueError: the log does not hold the entry the mark names, or a newer mark exists.
        """
        if mark.index < self._mark.index:
            raise ValueError(f"snapshot {mark.index} is older than {self._mark.index}")
        if self.term_at(mark.index) != mark.term:
            raise ValueError(f"the log holds no entry {mark.index} of term {mark.term}")
        self._mark = mark

    def compact_to(self, index: int) -> None:
        """Drop the entries up to and including ``index``. Needs a snapshot that covers them.

        Raises:
            ValueError: no snapshot covers ``index``.
        """
        if index > self._mark.index:
            raise ValueError(f"no snapshot covers entry {index}; the newest ends at {self._mark}")
        if index <= self._cut_index:
            return
        cut_term = self.term_at(index)
        assert cut_term is not None, "the mark never lies beyond the log"
        del self._entries[: index - self._cut_index]
        self._cut_index, self._cut_term = index, cut_term


def bounded(
    entries: Sequence[Entry], bytes_max: int, *, start: int = 0, stop: int | None = None
) -> tuple[Entry, ...]:
    """Return what fits of ``entries[start:stop]`` into ``bytes_max`` bytes, but at least one.

    Takes the range apart from the list, so that a long log is not copied to send its head.
    """
    end = len(entries) if stop is None else min(stop, len(entries))
    size = 0
    for position in range(start, end):
        size += len(entries[position].payload) + ENTRY_OVERHEAD_BYTES
        if size > bytes_max and position > start:
            end = position
            break
    return tuple(entries[start:end])
