"""What the application is given, in order, as fast as it takes it.

Raft does not wait for the application: entries it has no room for stay in the log and are read
from there once it has. So nothing is dropped and nothing is buffered without bound.
"""

from director.consensus.embedded.app_channel import AppChannel
from director.consensus.embedded.framing import unframe_entry
from director.consensus.port import CommittedEntry, LeadershipChanged, SnapshotDelivered
from director.raft.messages import Entry, EntryKind
from director.raft.storage import RaftLogReader

# Read from the log at once while catching up.
_READ_BYTES_MAX = 1 << 20


def as_delivered(entry: Entry) -> CommittedEntry:
    """Return ``entry`` as the application sees it: what is the engine's own is empty."""
    payload: object = b""
    if entry.kind is EntryKind.NORMAL:
        payload = unframe_entry(entry.payload)
    return CommittedEntry(entry.index, entry.term, payload if isinstance(payload, bytes) else b"")


class Deliverer:
    """Keeps the application's place in the log.

    Invariant: ``delivered_index <= applied_index`` once Raft has caught up with a restart.

    Attributes:
        delivered_index: The last index the application was given.
        leadership: The last change of leadership it was given.
    """

    def __init__(self, channel: AppChannel, log: RaftLogReader, *, delivered_index: int) -> None:
        """Begin behind ``delivered_index``."""
        self.delivered_index = delivered_index
        self.leadership = LeadershipChanged(0, None, is_leader=False)
        self._channel = channel
        self._log = log
        self._applied_index = 0
        self._due_leadership: LeadershipChanged | None = None

    def committed(self, entries: tuple[Entry, ...]) -> None:
        """Deliver entries that Raft applies now, or leave them in the log for later."""
        self._applied_index = entries[-1].index
        if entries[0].index == self.delivered_index + 1 and self._channel.has_room():
            # What was just committed is at hand; one batch may overshoot the bound.
            self._deliver(entries)
        else:
            self.resume()

    def resume(self) -> None:
        """Deliver what was left in the log, as far as there is room."""
        while self.delivered_index < self._applied_index and self._channel.has_room():
            self._deliver(
                self._log.entries(
                    self.delivered_index + 1, self._applied_index + 1, _READ_BYTES_MAX
                )
            )
        self._deliver_leadership()

    def _deliver(self, entries: tuple[Entry, ...]) -> None:
        for entry in entries:
            self._channel.deliver(as_delivered(entry))
        self.delivered_index = entries[-1].index

    def snapshot(self, index: int, payload: bytes) -> None:
        """Deliver a snapshot that stands in place of everything up to ``index``."""
        self._applied_index = max(self._applied_index, index)
        if index <= self.delivered_index:
            return
        self._channel.deliver(SnapshotDelivered(index, payload))
        self.delivered_index = index

    def led(self, leadership: LeadershipChanged) -> None:
        """Report who leads, behind everything applied so far. Nothing if that is not new."""
        newest = self.leadership if self._due_leadership is None else self._due_leadership
        if leadership != newest:
            self._due_leadership = leadership
        self._deliver_leadership()

    def _deliver_leadership(self) -> None:
        due = self._due_leadership
        # Who gained office is told only behind all entries of earlier terms; that it was lost, at
        # once.
        if due is None or (due.is_leader and self.delivered_index < self._applied_index):
            return
        self._due_leadership = None
        if due != self.leadership:
            self.leadership = due
            self._channel.deliver(due)
