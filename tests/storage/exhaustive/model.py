"""What a data directory must say after a stop, told from what was asked of it. No files here."""

from __future__ import annotations

from dataclasses import dataclass, replace

from director.raft.messages import Entry, HardState, SnapshotMark
from tests.storage.builders import FOUNDING_MARK

_NO_HARD_STATE = HardState()


@dataclass(frozen=True)
class Model:
    """What the log says after some whole number of records."""

    hard_state: HardState = _NO_HARD_STATE
    mark: SnapshotMark = FOUNDING_MARK
    entries: tuple[Entry, ...] = ()
    """Those behind the mark."""

    @property
    def last_index(self) -> int:
        return self.entries[-1].index if self.entries else self.mark.index

    def term_at(self, index: int) -> int | None:
        """The term at ``index``, from the mark on; None beyond the end."""
        if index == self.mark.index:
            return self.mark.term
        at = index - self.mark.index - 1
        return self.entries[at].term if 0 <= at < len(self.entries) else None

    def with_entry(self, entry: Entry) -> Model:
        """Replace everything from the entry's index on by it."""
        return (
            replace(self, entries=(*self.entries[: entry.index - self.mark.index - 1], entry))
            if entry.index > self.mark.index
            else self
        )

    def with_mark(self, mark: SnapshotMark) -> Model:
        """Begin behind ``mark``; keep what is behind it if the log agrees with it there."""
        agrees = self.term_at(mark.index) == mark.term
        kept = tuple(entry for entry in self.entries if agrees and entry.index > mark.index)
        return Model(self.hard_state, mark, kept)

    def recovered(self) -> Model:
        """Apply the two repairs that recovery documents.

        A commit index beyond a torn end is lowered to it, and entries whose term's hard state
        was torn off bring that term with them.
        """
        state = self.hard_state
        last_term = self.term_at(self.last_index) or 0
        commit = max(min(state.commit, self.last_index), self.mark.index)
        state = replace(state, commit=commit)
        if last_term > state.term:
            state = HardState(term=last_term, vote=None, commit=commit)
        return replace(self, hard_state=state)


class History:
    """What a stop may leave: the last synced state or any after a later record.

    Snapshots are durable on their own, and an opened directory follows the newest of them.
    """

    def __init__(self) -> None:
        self.possible = [Model()]
        self.snapshots = [FOUNDING_MARK]
        """The newest durable one, and one that is being written."""
        self.written = 0
        """Everything in ``possible`` up to here was handed to the kernel."""

    @property
    def newest(self) -> Model:
        return self.possible[-1]

    def add(self, model: Model) -> None:
        """A record that is about to be written leads to ``model``."""
        self.possible.append(model)

    def wrote(self) -> None:
        """What was added is written: only a power failure can take it back."""
        self.written = len(self.possible) - 1

    def synced(self) -> None:
        """Nothing can take back what was added."""
        self.possible = [self.newest]
        self.written = 0

    def saving(self, mark: SnapshotMark) -> None:
        """A snapshot is about to be written."""
        self.snapshots.append(mark)

    def saved(self) -> None:
        """It is durable."""
        del self.snapshots[:-1]

    def after_stop(self, *, is_killed: bool) -> list[Model]:
        """Return what may be found. A killed process loses nothing it has written."""
        logs = self.possible[self.written :] if is_killed else self.possible
        return [_reconciled(log.recovered(), mark) for log in logs for mark in self.snapshots]


def _reconciled(log: Model, snapshot: SnapshotMark) -> Model:
    if snapshot.index <= log.mark.index:
        return log
    return log.with_mark(snapshot).recovered()
