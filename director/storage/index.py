"""Where each entry of the log lies on disk, and the newest entries themselves.

Twenty-odd bytes per entry for what must be known of all of them; whole entries only for
the newest, which are the ones that are sent and applied. No files here.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

from director.raft.messages import ENTRY_OVERHEAD_BYTES

if TYPE_CHECKING:
    from director.raft.messages import Entry


class Location(NamedTuple):
    """Where a record lies."""

    segment: int
    offset: int
    size: int
    """In bytes, framing included."""


class LogIndex:
    """The entries ``first_index..last_index``, without gaps.

    Invariant: ``cut_index + 1 == first_index``; the recent entries are a suffix.
    """

    def __init__(self, recent_bytes_max: int) -> None:
        self.cut_index = 0
        # None while recovery has not yet learned the term before the first entry.
        self.cut_term: int | None = 0
        self._terms = array("Q")
        self._segments = array("Q")
        self._offsets = array("Q")
        self._sizes = array("I")
        self._recent: list[Entry] = []
        self._recent_bytes = 0
        self._recent_bytes_max = recent_bytes_max

    @property
    def first_index(self) -> int:
        """The lowest index held."""
        return self.cut_index + 1

    @property
    def last_index(self) -> int:
        """The highest index held; ``cut_index`` if none is."""
        return self.cut_index + len(self._terms)

    @property
    def recent_first_index(self) -> int:
        """The lowest index whose entry is in memory."""
        return self.last_index + 1 - len(self._recent)

    @property
    def recent_bytes(self) -> int:
        """What the entries in memory are counted as."""
        return self._recent_bytes

    def term_at(self, index: int) -> int | None:
        """Return the term at ``index``, known from ``cut_index`` to ``last_index``."""
        at = index - self.cut_index - 1
        if at == -1:
            return self.cut_term
        return self._terms[at] if 0 <= at < len(self._terms) else None

    def location(self, index: int) -> Location:
        """Return where the entry at ``index`` lies. It must be held."""
        at = index - self.cut_index - 1
        return Location(self._segments[at], self._offsets[at], self._sizes[at])

    def recent(self, low: int, high_exclusive: int) -> list[Entry]:
        """Return entries from memory. ``low`` is not below ``recent_first_index``."""
        start = self.recent_first_index
        return self._recent[low - start : high_exclusive - start]

    def append(self, entry: Entry, location: Location) -> None:
        """Take the entry behind the last one."""
        assert entry.index == self.last_index + 1, "entries have no gaps"
        self._terms.append(entry.term)
        self._segments.append(location.segment)
        self._offsets.append(location.offset)
        self._sizes.append(location.size)
        self._recent.append(entry)
        self._recent_bytes += _cost(entry)
        if self._recent_bytes > self._recent_bytes_max:
            self._forget_oldest()

    def truncate_from(self, index: int) -> None:
        """Drop ``index`` and everything behind it."""
        keep = max(0, index - self.recent_first_index)
        self._recent_bytes -= sum(map(_cost, self._recent[keep:]))
        del self._recent[keep:]
        at = index - self.cut_index - 1
        for column in (self._terms, self._segments, self._offsets, self._sizes):
            del column[at:]

    def cut_to(self, index: int) -> None:
        """Drop everything up to and including ``index``, which must be held."""
        term = self.term_at(index)
        assert term is not None, "a log is cut behind an entry it knows"
        drop = index - self.cut_index
        forget = max(0, index + 1 - self.recent_first_index)
        self._forget(forget)
        for column in (self._terms, self._segments, self._offsets, self._sizes):
            del column[:drop]
        self.cut_index, self.cut_term = index, term

    def reset(self, index: int, term: int | None) -> None:
        """Drop everything; the next entry is the one behind ``index``."""
        self.truncate_from(self.first_index)
        self.cut_index, self.cut_term = index, term

    def reset_cut_term(self, term: int) -> None:
        """Say what the term before the first entry was, once recovery has found out."""
        assert self.cut_term is None, "a known term does not change"
        self.cut_term = term

    def _forget_oldest(self) -> None:
        # An eighth at once, so that the list is not shifted for every entry.
        target = self._recent_bytes_max - self._recent_bytes_max // 8
        count, size = 0, self._recent_bytes
        while size > target and count < len(self._recent):
            size -= _cost(self._recent[count])
            count += 1
        self._forget(count)

    def _forget(self, count: int) -> None:
        self._recent_bytes -= sum(map(_cost, self._recent[:count]))
        del self._recent[:count]


def _cost(entry: Entry) -> int:
    return len(entry.payload) + ENTRY_OVERHEAD_BYTES
