"""The pump around one Raft node. The order here is part of Raft's safety and is written once.

Persist term, vote and entries; then send; then apply; then advance. Messages that promise nothing
of the own disk leave before. One batch is under way at a time, and whatever arrives meanwhile
makes up the next one: that is group commit, one ``fdatasync`` for all of it.

Nothing leaves while a batch is on its way to the disk, heartbeats included. So a leader whose disk
hangs is silent, and loses office by check-quorum like one that is cut off.

A full disk refuses a batch whole. The replica then leaves office and promises nothing, and goes on
from where it stopped as soon as there is room.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from director.consensus.embedded.disk_thread import Done
from director.raft.messages import Entry, HardState, Message, SnapshotMark
from director.raft.node import Node, ReadState, Ready
from director.runtime.clock import boot_ms
from director.storage.errors import DiskFullError


class DriverLog(Protocol):
    """What the pump writes. ``director.storage.wal.Wal`` keeps these promises."""

    def append_batch(self, hard_state: HardState | None, entries: Sequence[Entry]) -> None:
        """Write a batch; not durable yet. DiskFullError: nothing was written."""
        ...

    def install_snapshot(self, mark: SnapshotMark) -> None:
        """Begin behind a snapshot. DiskFullError: nothing was written; it may be done again."""
        ...

    def sync(self) -> None:
        """Return when everything written is durable."""
        ...


class Disk(Protocol):
    """Where jobs wait for the disk, one after another. ``DiskThread`` is one."""

    def submit(self, job: Callable[[], None], done: Done) -> None:
        """Run ``job``, then ``done`` on the engine's loop with what it raised, or None."""
        ...


class DriverShell(Protocol):
    """What the pump needs done around it, in the order in which it asks."""

    def send(self, messages: tuple[Message, ...]) -> None:
        """Pass messages to their recipients, or lose them. Never waits."""
        ...

    def installed(self, mark: SnapshotMark) -> None:
        """Take over the state of a snapshot that now stands in place of the log below it."""
        ...

    def apply(self, committed: tuple[Entry, ...]) -> None:
        """Take committed entries, in order, each once."""
        ...

    def answer_reads(self, confirmed: tuple[ReadState, ...], lost: tuple[int, ...]) -> None:
        """Take what became of reads."""
        ...

    def settled(self) -> None:
        """Look at the node: whatever could be done for now is done."""
        ...

    def failed(self, error: BaseException) -> None:
        """The log must not be used any more. Nothing is sent or acknowledged from here on."""
        ...

    def out_of_room(self, error: DiskFullError | None) -> None:
        """The disk is full: nothing is written until there is room. None: there is room again."""
        ...


class Driver:
    """Moves one node. To be used from the engine's loop only."""

    def __init__(
        self,
        node: Node,
        wal: DriverLog,
        disk: Disk,
        shell: DriverShell,
        *,
        clock: Callable[[], int] = boot_ms,
    ) -> None:
        """Stand still until the first input.

        Args:
            node: What to move.
            wal: Its log.
            disk: Where the log is synced.
            shell: What is done around it.
            clock: Milliseconds, counted while this process is stopped as well.
        """
        self._node = node
        self._wal = wal
        self._disk = disk
        self._shell = shell
        self._clock = clock
        self._outstanding: Ready | None = None
        self._unwritten: HardState | None = None
        """A commit index not written yet. It is found again, so it waits for the next batch."""
        self._without_room: Ready | None = None
        """The outstanding work, if the disk had no room for it."""
        self.has_stopped = False

    def step(self, messages: list[Message]) -> None:
        """Take messages in."""
        node = self._node

        def take() -> None:
            for message in messages:
                node.step(message)

        self.given(take)

    def tick(self, count: int) -> None:
        """Let ticks pass."""

        def pass_ticks() -> None:
            if self._without_room is not None:
                # What waited promises nothing that is durable, and would only pile up. Whoever
                # waits for a read is told, for the disk may be full for long.
                lost = self._node.drop_unsent()
                if lost:
                    self._shell.answer_reads((), lost)
                self._persist(self._without_room)
            elif self._unwritten is not None and self._outstanding is None:
                self._write_commit()
            for _ in range(count):
                self._node.tick()

        self.given(pass_ticks)

    def given(self, change: Callable[[], None]) -> None:
        """Let ``change`` do something to the node, then do all there is to do."""
        if self.has_stopped:
            return
        try:
            # First: what comes in may have waited as long as this process stood still.
            self._node.note_time(self._clock())
            change()
            self._pump()
        except Exception as error:
            self._fail(error)

    def stop(self) -> None:
        """Do nothing any more. What is on its way to the disk is not waited for."""
        self.has_stopped = True

    def _pump(self) -> None:
        node = self._node
        while self._outstanding is None and node.has_ready():
            ready = node.ready()
            if ready.messages_now:
                self._shell.send(ready.messages_now)
            if ready.must_sync:
                self._outstanding = ready
                self._persist(ready)
            else:
                self._unwritten = ready.hard_state or self._unwritten
                self._finish(ready)
        self._shell.settled()

    def _persist(self, ready: Ready) -> None:
        try:
            if ready.snapshot is not None:
                self._wal.install_snapshot(ready.snapshot)
            self._write(ready.hard_state, ready.entries)
        except DiskFullError as error:
            if self._without_room is None:
                self._without_room = ready
                # Whoever has room should lead; this replica could commit nothing.
                self._node.leave_office()
                self._shell.out_of_room(error)
            return
        if self._without_room is not None:
            self._without_room = None
            self._shell.out_of_room(None)
        self._disk.submit(self._wal.sync, self._synced)

    def _write_commit(self) -> None:
        """Write a commit index that nothing else is waiting for."""
        try:
            self._write(None, ())
        except DiskFullError:
            return  # it is found again, and the next batch tells of the full disk

    def _write(self, hard_state: HardState | None, entries: tuple[Entry, ...]) -> None:
        self._wal.append_batch(hard_state or self._unwritten, entries)
        self._unwritten = None

    def _synced(self, error: BaseException | None) -> None:
        ready, self._outstanding = self._outstanding, None
        if self.has_stopped:
            return
        if error is not None:
            self._fail(error)
            return
        assert ready is not None, "one sync is asked for at a time"
        durable = ready
        self.given(lambda: self._finish(durable))

    def _finish(self, ready: Ready) -> None:
        shell = self._shell
        if ready.messages_after_persist:
            shell.send(ready.messages_after_persist)
        if ready.snapshot is not None:
            shell.installed(ready.snapshot)
        if ready.committed:
            shell.apply(ready.committed)
        if ready.read_states or ready.reads_lost:
            shell.answer_reads(ready.read_states, ready.reads_lost)
        self._node.advance(ready)

    def _fail(self, error: BaseException) -> None:
        self.has_stopped = True
        self._shell.failed(error)
