"""One embedded replica, on the engine's own loop: the node, its log, its peers, its application.

Everything here runs on one thread. `engine` is the application's side of it.
"""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any

import structlog

from director.consensus.embedded import changes
from director.consensus.embedded.app_channel import AppChannel
from director.consensus.embedded.config import EmbeddedConfig
from director.consensus.embedded.delivery import Deliverer
from director.consensus.embedded.disk_thread import DiskThread
from director.consensus.embedded.driver import Driver
from director.consensus.embedded.framing import (
    AddressNoted,
    frame_command,
    frame_snapshot,
    joined_in_snapshot,
    unframe_entry,
    unframe_snapshot,
)
from director.consensus.embedded.link import Hello
from director.consensus.embedded.pacing import TickPacer
from director.consensus.embedded.roster import Roster
from director.consensus.embedded.snapshot_transfer import SnapshotTransfer
from director.consensus.embedded.transport import Transport
from director.consensus.embedded.waiting import Answer, Barriers, Proposals
from director.consensus.port import (
    EngineFailedError,
    LeadershipChanged,
    Member,
    NotLeaderError,
    OverloadedError,
    Standing,
)
from director.raft.config import RaftConfig
from director.raft.messages import (
    Entry,
    EntryKind,
    Membership,
    Message,
    MessageKind,
    ReplicaId,
    SnapshotMark,
    decode_membership,
)
from director.raft.node import Node, ReadState, Role
from director.runtime.clock import boot_ms
from director.runtime.kept_file import KeptFile
from director.storage.data_directory import DataDirectory
from director.storage.errors import DiskFullError
from director.storage.snapshots import SnapshotOffer

log = structlog.get_logger()

# How much of the past a stall may be caught up with: a heartbeat's worth of ticks.
_CATCH_UP_TICKS = 2
_HOUSEKEEPING_MS = 1_000
_HAND_OVER_MS = 1_000
_ROSTER_NAME = "peers"


class ReplicaCore:
    """One replica. To be made and used on the engine's loop only.

    Attributes:
        standing: Replaced whenever it changed; read from any thread.
        members: Likewise.
    """

    def __init__(
        self,
        config: EmbeddedConfig,
        directory: DataDirectory,
        channel: AppChannel,
        *,
        applied_index: int,
    ) -> None:
        """Put the replica together. Nothing moves before ``start``.

        Raises:
            ReasonedError, OSError: What is kept about the peers cannot be read.
            UnknownFrameError: The snapshot was written by a later release.
        """
        self.config = config
        self.loop = asyncio.get_running_loop()
        self._directory = directory
        self._channel = channel
        wal = directory.wal
        # Election jitter, and pauses before reconnecting: nothing here is a secret.
        rng = random.Random(secrets.randbits(64))  # noqa: S311
        self.roster = Roster(KeptFile(directory.path / _ROSTER_NAME), config.peers)
        self.node = Node(
            RaftConfig(
                ReplicaId(config.replica_id),
                election_ticks=config.election_ticks,
                heartbeat_ticks=config.heartbeat_ticks,
            ),
            wal,
            rng,
        )
        self._deliverer = Deliverer(channel, wal, delivered_index=applied_index)
        self.proposals = Proposals(self.node)
        self.barriers = Barriers(self.node)
        self._disk = DiskThread(self.loop, f"disk-{config.replica_id}")
        self.driver = Driver(self.node, wal, self._disk, self)
        hello = Hello(config.fleet_id, config.replica_id, directory.incarnation, config.advertised)
        self.transport = Transport(hello, self.roster, self, rng)
        self._snapshots = SnapshotTransfer(
            directory.snapshots,
            config.snapshot_bytes_per_s,
            installed_index=lambda: wal.snapshot_mark().index,
        )
        self._pacer = TickPacer(
            config.tick_ms, election_ticks=config.election_ticks, catch_up_max=_CATCH_UP_TICKS
        )
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._membership: Membership | None = None
        self._kept_leader: str | None = None
        self._seen_leadership: tuple[int, str | None, bool] | None = None
        self._applied_members: frozenset[str] = frozenset(self.node.membership.all_ids())
        self._housekeeping_at_ms = 0
        self._failure = ""
        self._failure_reason = ""
        self._no_room = ""
        self._has_stopped = False
        self.leadership_news = asyncio.Event()
        self.members: tuple[Member, ...] = ()
        self.standing = self._standing()

    async def start(self) -> None:
        """Listen, and begin to take part.

        Raises:
            ValueError, RuntimeError: The address cannot be listened on.
        """
        if self._directory.snapshot is not None:
            mark = self._directory.wal.snapshot_mark()
            address_by_id, payload = unframe_snapshot(self._directory.snapshot)
            joined_by_id = joined_in_snapshot(self._directory.snapshot)
            self.roster.note_replicated(address_by_id, joined_by_id)
            self._deliverer.snapshot(mark.index, payload)
            self._directory.snapshot = None
        await self.transport.start(
            self.config.listen, allow_insecure=self.config.allow_insecure, tls=self.config.tls
        )
        cut = self._directory.wal.cut
        log.info(
            "consensus_started",
            replica_id=self.config.replica_id,
            term=self.node.term,
            last_index=self.node.last_index,
            cut_bytes=cut.bytes,
            is_new=self._directory.is_new,
        )
        self._tick()
        self.driver.given(lambda: None)

    async def stop(self) -> None:
        """Hand over if this replica leads, then stop everything. Idempotent."""
        if self._has_stopped:
            return
        self._has_stopped = True
        if self.node.role is Role.LEADER and not self._failure:
            await changes.hand_over(self, within_ms=min(_HAND_OVER_MS, self.config.election_ms))
        self._end("the replica was stopped")
        await self.transport.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._close_directory()

    async def _close_directory(self) -> None:
        closed: asyncio.Future[BaseException | None] = self.loop.create_future()
        # On the disk's own thread, so behind a sync that is under way. One that hangs is left.
        self._disk.submit(self._directory.close, closed.set_result)
        self._disk.close()
        try:
            async with asyncio.timeout(_HAND_OVER_MS / 1000):
                error = await closed
        except TimeoutError:
            log.warning("storage_not_closed", replica_id=self.config.replica_id)
            return
        if error is not None and not self._failure:
            log.error("storage_not_closed", replica_id=self.config.replica_id, error=str(error))

    # What the application asks for.

    def take_requests(
        self,
        proposals: list[tuple[bytes, int, Answer]],
        barriers: list[tuple[int | None, Answer]],
    ) -> None:
        """Take in everything that was asked for since the last time."""

        def take() -> None:
            for payload, term, answer in proposals:
                if self.node.leads_term() != term:
                    answer(self.not_leader(term))
                else:
                    self.proposals.propose(frame_command(payload), answer)
            if barriers:
                self.barriers.ask(barriers)

        if self.driver.has_stopped:
            for _, _, answer in proposals:
                answer(self.stopped_error())
            for _, answer in barriers:
                answer(self.stopped_error())
            self._channel.flush()
        else:
            self.driver.given(take)

    def not_leader(self, term: int) -> NotLeaderError:
        """Say who leads instead, as far as is known."""
        return NotLeaderError(
            f"{self.config.replica_id} does not lead term {term}; "
            f"{self.node.leader_id or 'nobody known'} leads term {self.node.term}",
            term=self.node.term,
            leaderId=self.node.leader_id or "",
        )

    def stopped_error(self) -> EngineFailedError:
        """Say why nothing is taken in any more."""
        return EngineFailedError(self._failure or f"{self.config.replica_id} was stopped")

    async def save_snapshot(self, index: int, payload: bytes) -> None:
        """See the port."""
        wal = self._directory.wal
        if self.driver.has_stopped:
            raise self.stopped_error()
        assert index <= self._deliverer.delivered_index, "only a delivered state can be kept"
        if index <= wal.snapshot_mark().index:
            return
        term = wal.term_at(index)
        assert term is not None, "a delivered entry above the snapshot is in the log"
        mark = SnapshotMark(index, term, self.node.membership_at(index))
        try:
            is_saved = await self._snapshots.save(
                mark, frame_snapshot(self.roster.replicated, payload, self.roster.joined)
            )
        except DiskFullError as error:
            # The one before is kept, and so is the log above it. The next one may find room.
            raise OverloadedError(str(error), reason=error.reason) from error
        except Exception as error:
            self.failed(error)
            raise self.stopped_error() from error
        if is_saved and not self.driver.has_stopped:
            self.driver.given(lambda: self._compact(mark))

    def _compact(self, mark: SnapshotMark) -> None:
        wal = self._directory.wal
        if mark.index <= wal.snapshot_mark().index:
            return  # a newer one came from the leader meanwhile
        try:
            wal.record_snapshot(mark)
        except DiskFullError as error:
            # The snapshot is kept. Until the log names it, entries cannot be dropped.
            log.warning("log_not_compacted", index=mark.index, error=str(error))
            return
        cut_index = mark.index - self.config.snapshot_margin_count
        if cut_index >= wal.first_index():
            wal.compact_to(cut_index)
            self.node.compacted(cut_index)
        log.info("snapshot_saved", index=mark.index, first_index=wal.first_index())

    def resume_delivery(self) -> None:
        """The application took what it was given."""
        if self.driver.has_stopped:
            return
        self.driver.given(self._deliverer.resume)

    # What the driver needs done (DriverShell).

    def send(self, messages: Iterable[Message]) -> None:
        """See DriverShell."""
        for message in messages:
            if message.kind is MessageKind.SNAPSHOT:
                self._spawn(self._send_snapshot(message))
            else:
                self.transport.send((message,))

    async def _send_snapshot(self, message: Message) -> None:
        is_delivered = False
        try:
            link = self.transport.link(message.recipient)
            is_delivered = link is not None and await self._snapshots.send(link, message)
        finally:
            # However it ended: until it is told, Raft sends this peer nothing but heartbeats.
            self.driver.given(lambda: self.node.report_snapshot(message.recipient, is_delivered))

    def installed(self, mark: SnapshotMark) -> None:
        """See DriverShell."""
        framed = self._snapshots.take(mark)
        address_by_id, payload = unframe_snapshot(framed)
        self.roster.note_replicated(address_by_id, joined_in_snapshot(framed))
        self._deliverer.snapshot(mark.index, payload)
        self._note_members(mark.membership)

    def apply(self, committed: tuple[Entry, ...]) -> None:
        """See DriverShell."""
        for entry in committed:
            if entry.kind is EntryKind.CONFIG:
                self._note_members(decode_membership(entry.payload))
            elif entry.kind is EntryKind.NORMAL and entry.payload[:1] != b"\x00":
                noted = unframe_entry(entry.payload)
                assert isinstance(noted, AddressNoted), "the application's own begin with zero"
                # An address is noted right before its member is added.
                self.roster.note_replicated(
                    {noted.member_id: noted.address}, {noted.member_id: entry.index}
                )
                self._spawn(self._save_roster())
        self._deliverer.committed(committed)
        self.proposals.committed(committed)

    def _note_members(self, membership: Membership) -> None:
        members = frozenset(membership.all_ids())
        if self.roster.forget(sorted(self._applied_members - members)):
            self._spawn(self._save_roster())
        self._applied_members = members
        log.info(
            "membership_changed",
            voters=",".join(membership.voters),
            learners=",".join(membership.learners),
        )

    async def _save_roster(self) -> None:
        try:
            await self.roster.save()
        except OSError as error:
            # Addresses come again with the log; incarnations are written before they are believed.
            log.warning("peers_not_saved", error=error.strerror)

    def answer_reads(self, confirmed: tuple[ReadState, ...], lost: tuple[int, ...]) -> None:
        """See DriverShell."""
        self.barriers.answered(confirmed, lost)

    def settled(self) -> None:
        """See DriverShell."""
        self.proposals.check_office()
        self._note_leadership()
        if self.node.membership is not self._membership or self.node.leader_id != self._kept_leader:
            self._membership = self.node.membership
            self._kept_leader = self.node.leader_id
            self._keep_links()
        self.standing = self._standing()
        self._channel.flush()

    def failed(self, error: BaseException) -> None:
        """See DriverShell."""
        if self._failure:
            return
        self._failure = str(error) or type(error).__name__
        self._failure_reason = getattr(error, "reason", "")
        log.error(
            "consensus_failed",
            replica_id=self.config.replica_id,
            error=self._failure,
            error_type=type(error).__name__,
            exc_info=error if isinstance(error, AssertionError) else None,
        )
        self._end(self._failure)
        # The others must not go on counting on this replica; nothing is sent to them from here on.
        self._spawn(self.transport.stop())

    def out_of_room(self, error: DiskFullError | None) -> None:
        """See DriverShell."""
        self._no_room = "" if error is None else str(error)
        if error is None:
            log.info("disk_has_room_again", replica_id=self.config.replica_id)
        else:
            log.error("disk_full", replica_id=self.config.replica_id, error=str(error))

    def _end(self, reason: str) -> None:
        self.driver.stop()
        if self._timer is not None:
            self._timer.cancel()
        self.proposals.leave_office()
        self.barriers.give_up(EngineFailedError(reason))
        self._deliverer.led(LeadershipChanged(self.node.term, None, is_leader=False))
        self.standing = self._standing()
        self.leadership_news.set()
        self._channel.end()

    def _note_leadership(self) -> None:
        node = self.node
        is_leader = node.leads_term() is not None
        seen = (node.term, node.leader_id, is_leader)
        if seen == self._seen_leadership:
            return
        self._seen_leadership = seen
        before = self._deliverer.leadership
        news = LeadershipChanged(node.term, node.leader_id, is_leader)
        self._deliverer.led(news)
        if news != before:
            self.leadership_news.set()
            if is_leader or (before.is_leader and not is_leader):
                log.info(
                    "leadership_gained" if is_leader else "leadership_lost",
                    term=node.term,
                    leader_id=node.leader_id,
                    index=node.applied_index,
                )

    def _standing(self) -> Standing:
        node, ended = self.node, self.driver.has_stopped
        contact = node.quorum_contact
        return Standing(
            member_id=self.config.replica_id,
            term=node.term,
            leader_id=None if ended else node.leader_id,
            is_leader=self._deliverer.leadership.is_leader and not ended,
            commit_index=node.commit_index,
            applied_index=self._deliverer.delivered_index,
            quorum_contact_at_ms=None if contact is None else contact.at_ms,
            contact_index=0 if contact is None else contact.index,
            failed=self._failure or self._no_room,
            failed_reason=self._failure_reason if self._failure else self._full_reason(),
        )

    def _full_reason(self) -> str:
        return DiskFullError.reason if self._no_room else ""

    # What the transport asks (TransportShell).

    def knows(self, peer_id: str) -> bool:
        """See TransportShell."""
        return self.node.membership.is_member(ReplicaId(peer_id)) or peer_id == self.node.leader_id

    def hears_leader(self) -> bool:
        """See TransportShell."""
        contact = self.node.quorum_contact
        silence_ms = self.config.election_ticks * self._pacer.tick_ms
        return contact is not None and boot_ms() - contact.at_ms < silence_ms

    def received(self, messages: list[Message]) -> None:
        """See TransportShell. A snapshot is never announced here: its payload would be missing."""
        self.driver.step([m for m in messages if m.kind is not MessageKind.SNAPSHOT])

    def unreachable(self, peer_id: str) -> None:
        """See TransportShell."""
        # Not at once: this is called from within the driver's own sending.
        self.loop.call_soon(self._report_unreachable, peer_id)

    def _report_unreachable(self, peer_id: str) -> None:
        self.driver.given(lambda: self.node.report_unreachable(ReplicaId(peer_id)))

    async def receive_snapshot(
        self, message: Message, offer: SnapshotOffer, rest: AsyncIterator[bytes]
    ) -> bool:
        """See TransportShell."""
        if self.driver.has_stopped or message.term < self.node.term:
            return False
        if offer.mark.index > self.node.commit_index and not await self._snapshots.receive(
            message, offer, rest
        ):
            return False
        self.driver.step([message])
        return True

    # Time, and what is due with it.

    def _tick(self) -> None:
        now_ms = boot_ms()
        count = self._pacer.due(now_ms)
        if count:
            self.driver.tick(count)
            self.members = self._members()
            if now_ms >= self._housekeeping_at_ms:
                self._housekeeping_at_ms = now_ms + _HOUSEKEEPING_MS
                self._pacer.stretch(self.transport.worst_round_trip_ms())
                self._snapshots.forget_to(self.node.applied_index)
                self._keep_links()
        if not self.driver.has_stopped:
            self._timer = self.loop.call_later(
                max(1, self._pacer.wait_ms(boot_ms())) / 1000, self._tick
            )

    def _keep_links(self) -> None:
        wanted = set(self.node.membership.all_ids())
        if self.node.leader_id is not None:
            wanted.add(self.node.leader_id)
        self.transport.keep(sorted(wanted))

    def _members(self) -> tuple[Member, ...]:
        node = self.node
        membership = node.membership
        progress = {view.replica_id: view for view in node.progress()}
        members = []
        for member_id in membership.all_ids():
            view = progress.get(member_id)
            is_self = member_id == node.replica_id
            match_index = node.last_index if is_self else 0
            members.append(
                Member(
                    member_id=member_id,
                    is_voter=membership.is_voter(member_id),
                    is_leader=member_id == node.leader_id,
                    match_index=match_index if view is None else view.match_index,
                    is_active=is_self if view is None else view.is_active,
                )
            )
        return tuple(members)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
