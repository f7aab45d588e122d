"""One replica's consensus engine in simulated time: the production pump on a simulated disk.

Node, Driver, Deliverer, Proposals, Barriers, Roster and framing are the production objects; the
disk is the production log too, in some worlds. Simulated here is what needs threads and sockets in
production: ticks, the disk's thread, the links between replicas and the hop to the application.
"""

import hashlib
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol

from director.consensus.embedded.delivery import Deliverer
from director.consensus.embedded.disk_thread import Done
from director.consensus.embedded.driver import Driver
from director.consensus.embedded.framing import (
    AddressNoted,
    frame_address,
    frame_command,
    frame_snapshot,
    joined_in_snapshot,
    unframe_entry,
    unframe_snapshot,
)
from director.consensus.embedded.pacing import TickPacer
from director.consensus.embedded.roster import Roster
from director.consensus.embedded.waiting import Answer, Barriers, Proposals, refused
from director.consensus.port import (
    ConsensusError,
    Delivery,
    EngineFailedError,
    LeadershipChanged,
    NotLeaderError,
)
from director.raft.config import RaftConfig
from director.raft.errors import ProposalRefusedError
from director.raft.membership import MembershipChange
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
from director.runtime.kept_file import CorruptFileError
from director.storage.errors import DiskFullError, StorageError
from director.storage.snapshots import SnapshotOffer
from tests.sim.disk import DurableLog, Snapshots
from tests.sim.disk_kinds import a_disk
from tests.sim.moments import Moment
from tests.sim.network import Plane
from tests.sim.process import Process
from tests.sim.world import World

TICK_MS = 50
# 1 to 2 seconds, and 100 ms.
ELECTION_TICKS = 20
HEARTBEAT_TICKS = 2
# Entries kept below a snapshot, so that a replica shortly behind needs none.
_MARGIN = 2
_GREET_MS = 1_000
_SNAPSHOT_CHUNKS = 3
# A snapshot whose outcome is not heard of within this is taken as lost.
_SNAPSHOT_MS_MAX = 5_000
_STORE_AGAIN_MS = 5
_MOMENTS = {
    MessageKind.VOTE: Moment.VOTE_ASKED,
    MessageKind.VOTE_REPLY: Moment.VOTE_GIVEN,
}


class Application(Protocol):
    """The director process around the engine."""

    def take(self, delivery: Delivery) -> None:
        """Take what the engine delivers, in order."""


class RaftDriver:
    """One replica's engine. It outlives its process: the disk is here.

    Attributes:
        node: Its Raft, as of the last start.
        log: Its log, likewise.
        disk: What the process finds again.
        peers: The engines of the whole fleet, by replica.
        failure: Why this life's engine stopped for good; "" while it runs.
        no_room: Why nothing can be written for now; "" while there is room.
        receiving_index: Of the snapshot that is arriving; 0 for none.
        installing_index: Of the one that Raft installs; 0 for none.
    """

    def __init__(
        self, world: World, replica_id: str, process: Process, membership: Membership
    ) -> None:
        self.node: Node
        self.log: DurableLog
        self.replica_id = ReplicaId(replica_id)
        self.peers: dict[str, RaftDriver] = {}
        self.process = process
        self.disk = a_disk(world, replica_id, process, membership)
        self.failure = ""
        self.no_room = ""
        self._world = world
        self._config = RaftConfig(
            self.replica_id, election_ticks=ELECTION_TICKS, heartbeat_ticks=HEARTBEAT_TICKS
        )
        self._application: Application
        self._snapshots: Snapshots
        self._roster: Roster
        self._driver: Driver
        self._deliverer: Deliverer
        self._proposals: Proposals
        self._barriers: Barriers
        self._ticks_ahead = 1
        self._tick_ms = TICK_MS
        self._starts = 0
        self._reads = 0
        self._greet_at_ms = 0
        self._reset()

    def _reset(self) -> None:
        """Forget what only the process knew."""
        self.failure = self.no_room = ""
        self._leaving: list[Delivery] = []
        self._answers: list[tuple[Answer, object]] = []
        self._asked: list[tuple[bytes, int, Answer]] = []
        self._readers: list[tuple[int | None, Answer]] = []
        self._is_crossing = False
        self._is_storing = False
        self._arrived: dict[tuple[int, int], bytes] = {}
        self.receiving_index = 0
        self.installing_index = 0
        self._links: dict[str, tuple[int, str]] = {}
        self._snapshots_sent = 0
        self._seen: tuple[int, str | None, bool] | None = None
        self._applied_members: frozenset[str] = frozenset()

    # -- life --------------------------------------------------------------------------------------

    def start(self, application: Application) -> str:
        """Open the disk and take part. Return why it cannot; "" if it does."""
        self._reset()
        if self.disk.is_hung:
            return "the disk does not answer"
        try:
            opened = self.disk.open()
            self._roster = Roster(opened.roster, {})  # type: ignore[arg-type] # read, write, path
        except (StorageError, CorruptFileError, OSError) as error:
            return str(error)
        self._starts += 1
        self._application = application
        self.log, self._snapshots = opened.log, opened.snapshots
        self._kept_roster = opened.roster
        seed = f"{self._world.options.seed}/{self.replica_id}/{self._starts}"
        self.node = node = Node(self._config, self.log, random.Random(seed))
        self._deliverer = Deliverer(self, self.log, delivered_index=0)  # type: ignore[arg-type] # its two methods are here
        self._proposals, self._barriers = Proposals(node), Barriers(node)
        self._driver = Driver(node, self.log, self, self, clock=self.process.clock.now_ms)
        self._applied_members = frozenset(node.membership.all_ids())
        self._world.watch.raft_started(self.replica_id, self.log.durable)
        if opened.snapshot is not None:
            address_by_id, payload = unframe_snapshot(opened.snapshot)
            self._roster.note_replicated(address_by_id, joined_in_snapshot(opened.snapshot))
            self._deliverer.snapshot(self.log.snapshot_mark().index, payload)
        self._ticks_ahead = 1
        self._tick_ms = self._stretched_ms()
        self.process.after(self._tick_ms, self._tick)
        self._driver.given(lambda: None)
        return ""

    def crash(self) -> None:
        """The process ended: what was not synced may be lost."""
        if self.receiving_index:
            self._world.coverage.hit(23, "receiving")
        if self.installing_index:
            self._world.coverage.hit(23, "installing")
        if self._starts:
            self._driver.stop()
        self._reset()
        self.disk.crash()

    @property
    def is_running(self) -> bool:
        """Whether the engine takes part."""
        return self.process.is_up and not self._driver.has_stopped

    @property
    def leader_id(self) -> ReplicaId | None:
        """Who leads, as far as this replica can say."""
        return None if self._driver.has_stopped else self.node.leader_id

    def _tick(self) -> None:
        # While a leader is heard ticks only count, and two may pass at once, as after a stall in
        # production. Whoever looks for a leader needs each by itself.
        passed = self._ticks_ahead
        self._ticks_ahead = 1 if self.node.leader_id is None else HEARTBEAT_TICKS
        self.process.after(self._tick_ms * self._ticks_ahead, self._tick)
        self._driver.tick(passed)
        if self._world.now_ms >= self._greet_at_ms and self.is_running:
            self._greet_at_ms = self._world.now_ms + _GREET_MS
            self._greet()

    def _stretched_ms(self) -> int:
        """The length of a tick, as production makes it of the round trips that it measured."""
        if not self._world.options.tcp_timers:
            return TICK_MS
        pacer = TickPacer(TICK_MS, election_ticks=ELECTION_TICKS, catch_up_max=HEARTBEAT_TICKS)
        network, here = self._world.network, self.process.host
        hosts = [each.process.host for each in self.peers.values()]
        pacer.stretch(max(network.round_trip_ms(here, there) for there in hosts))
        return pacer.tick_ms

    def submit(self, job: Callable[[], None], done: Done) -> None:
        """See Disk."""

        def synced(error: BaseException | None) -> None:
            if error is None:
                self._world.watch.persisted(self.replica_id, self.log.durable)
            done(error)

        self.disk.submit(job, synced)

    # -- what the application asks for -------------------------------------------------------------

    def propose(self, payload: bytes, term: int, answer: Answer) -> None:
        """Append in ``term``; ``answer`` gets the entry once it is committed, or an error."""
        self._asked.append((payload, term, answer))
        self._cross()

    def read_barrier(self, term: int | None, answer: Answer) -> None:
        """Confirm that ``term`` is led; ``answer`` gets the index to wait for, or an error."""
        self._readers.append((term, answer))
        self._cross()

    def _cross(self) -> None:
        if not self._is_crossing:
            self._is_crossing = True
            self.process.after(self._world.options.app_hop_ms, self._take_requests)

    def _take_requests(self) -> None:
        self._is_crossing = False
        asked, self._asked = self._asked, []
        readers, self._readers = self._readers, []
        if self._driver.has_stopped:
            for _, _, answer in asked:
                self._answers.append((answer, self.stopped_error()))
            for _, answer in readers:
                self._answers.append((answer, self.stopped_error()))
            self._flush()
            return

        def take() -> None:
            for payload, term, answer in asked:
                if self.node.leads_term() != term:
                    self._put(answer, NotLeaderError(f"{self.replica_id} does not lead {term}"))
                else:
                    self._proposals.propose(frame_command(payload), self._later(answer))
            if readers:
                self._barriers.ask([(term, self._read(answer)) for term, answer in readers])

        self._driver.given(take)
        if asked:
            self._world.moments.happened(Moment.APPENDED, self.replica_id)

    def _later(self, answer: Answer) -> Answer:
        return lambda outcome: self._put(answer, outcome)

    def _read(self, answer: Answer) -> Answer:
        self._reads += 1
        number = self._reads
        self._world.watch.read_asked(self.replica_id, number)

        def answered(outcome: object) -> None:
            if isinstance(outcome, int):
                self._world.watch.read_confirmed(self.replica_id, number, outcome)
            self._put(answer, outcome)

        return answered

    def _put(self, answer: Answer, outcome: object) -> None:
        self._answers.append((answer, outcome))

    def stopped_error(self) -> EngineFailedError:
        """Say why nothing is taken in any more."""
        return EngineFailedError(self.failure or f"{self.replica_id} was stopped")

    def save_snapshot(self, index: int, payload: bytes) -> None:
        """Keep the state at ``index`` and drop the log below, if nothing newer comes first."""
        if self._driver.has_stopped or index <= self.log.snapshot_mark().index:
            return
        if self._is_storing:
            self.process.after(_STORE_AGAIN_MS, lambda: self.save_snapshot(index, payload))
            return
        term = self.log.term_at(index)
        assert term is not None, "a delivered entry above the snapshot is in the log"
        mark = SnapshotMark(index, term, self.node.membership_at(index))
        framed = frame_snapshot(self._roster.replicated, payload, self._roster.joined)
        self._is_storing = True
        self.disk.after_sync(lambda: self._store(mark, framed))

    def _store(self, mark: SnapshotMark, framed: bytes) -> None:
        self._is_storing = False
        if self._driver.has_stopped or self.log.snapshot_mark().index >= mark.index:
            return
        try:
            self._snapshots.save(mark, framed)
        except DiskFullError as error:
            self._world.coverage.hit(16, "snapshot")
            self._world.trace.note(f"{self.replica_id} keeps no snapshot: {error}")
            return
        except (StorageError, OSError) as error:
            self.failed(error)
            return
        self._driver.given(lambda: self._compact(mark))

    def _compact(self, mark: SnapshotMark) -> None:
        if mark.index <= self.log.snapshot_mark().index:
            return
        try:
            self.log.record_snapshot(mark)
        except DiskFullError:
            return
        if mark.index - _MARGIN >= self.log.first_index():
            self.log.compact_to(mark.index - _MARGIN)
            self.node.compacted(mark.index - _MARGIN)

    # -- what an operator asks the leader for ------------------------------------------------------

    def note_address(self, member_id: str, answer: Answer) -> None:
        """Replicate where a member is reached, as is done before it is added."""
        framed = frame_address(AddressNoted(member_id, member_id))
        self._driver.given(lambda: self._proposals.propose(framed, self._later(answer)))

    def change(self, step: MembershipChange, answer: Answer) -> None:
        """Make one change of membership; ``answer`` gets its entry, or an error."""

        def propose() -> None:
            try:
                index, term = self.node.propose_membership(step)
            except ProposalRefusedError as error:
                self._put(answer, refused(error))
                return
            self._proposals.wait_for(index, term, self._later(answer))

        self._driver.given(propose)

    def transfer(self, to: str) -> ConsensusError | None:
        """Begin to hand leadership over. Return why not; None if it was begun."""
        refusal: list[ConsensusError] = []

        def begin() -> None:
            try:
                self.node.transfer_leadership(ReplicaId(to))
            except ProposalRefusedError as error:
                refusal.append(refused(error))

        self._driver.given(begin)
        return refusal[0] if refusal else None

    # -- the hop to the application ----------------------------------------------------------------

    def has_room(self) -> bool:
        """See AppChannel: here the application takes everything at once."""
        return True

    def deliver(self, delivery: Delivery) -> None:
        """See AppChannel."""
        self._leaving.append(delivery)

    def _flush(self) -> None:
        if not self._leaving and not self._answers:
            return
        leaving, self._leaving = self._leaving, []
        answers, self._answers = self._answers, []

        def arrive() -> None:
            life = self.process.incarnation
            for delivery in leaving:
                if self.process.incarnation == life:
                    self._application.take(delivery)
            give([each for each in answers if not isinstance(each[1], ConsensusError)])

        def give(outcomes: list[tuple[Answer, object]]) -> None:
            life = self.process.incarnation
            for answer, outcome in outcomes:
                if self.process.incarnation == life:
                    answer(outcome)

        hop_ms = self._world.options.app_hop_ms
        self.process.after(hop_ms, arrive)
        refusals = [each for each in answers if isinstance(each[1], ConsensusError)]
        if refusals:
            # The core asks again at once: without any time between, it would for ever.
            self.process.after(max(1, hop_ms), lambda: give(refusals))

    # -- what the pump needs done (DriverShell) ----------------------------------------------------

    def send(self, messages: Iterable[Message]) -> None:
        """See DriverShell."""
        by_recipient: dict[str, list[Message]] = {}
        for message in messages:
            self._world.watch.sent(self.replica_id, message)
            if message.kind is MessageKind.SNAPSHOT:
                self._send_snapshot(message)
            else:
                by_recipient.setdefault(message.recipient, []).append(message)
        for recipient, batch in by_recipient.items():
            to = self.peers.get(recipient)
            if to is not None:
                self._send_batch(to, batch)

    def installed(self, mark: SnapshotMark) -> None:
        """See DriverShell."""
        self.installing_index = 0
        framed = self._arrived.pop((mark.index, mark.term))
        for key in [key for key in self._arrived if key[0] <= mark.index]:
            del self._arrived[key]
        address_by_id, payload = unframe_snapshot(framed)
        self._roster.note_replicated(address_by_id, joined_in_snapshot(framed))
        self._deliverer.snapshot(mark.index, payload)
        self._note_members(mark.membership)
        self._world.trace.note(f"{self.replica_id} installs the snapshot of {mark.index}")
        self._world.coverage.hit(24, "installed")
        # Not from within the pump: who waits for it may end this process.
        self._world.schedule.after(
            0, lambda: self._world.moments.happened(Moment.SNAPSHOT_INSTALLED, self.replica_id)
        )

    def apply(self, committed: tuple[Entry, ...]) -> None:
        """See DriverShell."""
        seen = tuple([_as_seen(entry) for entry in committed])
        # A replica that joins counts from when its membership is appended: what came just before
        # may commit by a majority of that one.
        voters = self.node.membership_at(committed[0].index).voters
        newest = self.node.membership.voters
        self._world.watch.committed(self.replica_id, seen, voters, newest)
        for entry in committed:
            if entry.kind is EntryKind.CONFIG:
                self._note_members(decode_membership(entry.payload))
            elif entry.kind is EntryKind.NORMAL and entry.payload[:1] != b"\x00":
                noted = unframe_entry(entry.payload)
                assert isinstance(noted, AddressNoted), "the application's own begin with zero"
                joined = {noted.member_id: entry.index}
                self._roster.note_replicated({noted.member_id: noted.address}, joined)
                self._save_roster()
        self._deliverer.committed(committed)
        self._proposals.committed(committed)

    def _note_members(self, membership: Membership) -> None:
        members = frozenset(membership.all_ids())
        if self._roster.forget(sorted(self._applied_members - members)):
            self._save_roster()
        self._applied_members = members
        # Whoever is a member now, or is none any more, introduces itself again.
        self._links.clear()

    def _save_roster(self) -> bool:
        try:
            self._kept_roster.write(self._roster.encoded())
        except OSError:
            return False
        return True

    def answer_reads(self, confirmed: tuple[ReadState, ...], lost: tuple[int, ...]) -> None:
        """See DriverShell."""
        self._barriers.answered(confirmed, lost)

    def settled(self) -> None:
        """See DriverShell."""
        self._proposals.check_office()
        self._note_leadership()
        self._flush()

    def _note_leadership(self) -> None:
        node = self.node
        if node.role is Role.LEADER:
            self._world.watch.led(node.replica_id, node.term)
        seen = (node.term, node.leader_id, node.leads_term() is not None)
        if seen == self._seen:
            return
        before, self._seen = self._seen, seen
        if node.role is Role.LEADER and (before is None or before[:2] != seen[:2]):
            self._world.moments.happened(Moment.TERM_BEGUN, self.replica_id)
        self._deliverer.led(LeadershipChanged(*seen))

    def failed(self, error: BaseException) -> None:
        """See DriverShell. Whatever is not the disk's fault is a bug, and ends the run."""
        if not isinstance(error, StorageError | OSError):
            raise error
        if self.failure:
            return
        self.failure = str(error)
        self._world.trace.note(f"{self.replica_id} fails: {error}")
        self._driver.stop()
        self._proposals.leave_office()
        self._barriers.give_up(self.stopped_error())
        self._deliverer.led(LeadershipChanged(self.node.term, None, is_leader=False))
        self._flush()

    def out_of_room(self, error: DiskFullError | None) -> None:
        """See DriverShell."""
        self.no_room = "" if error is None else str(error)
        if error is not None:
            self._world.coverage.hit(16, "log")
        word = "has room again" if error is None else f"has no room: {error}"
        self._world.trace.note(f"{self.replica_id} {word}")

    # -- links between replicas --------------------------------------------------------------------

    def _send_batch(self, to: "RaftDriver", batch: list[Message]) -> None:
        def lost() -> None:
            self._unreachable(to.replica_id)

        def arrive() -> None:
            are_same = (self.disk.incarnation, to.disk.incarnation) == incarnations
            if is_linked and are_same and self._may_talk(to):
                to.receive(batch, sent_ms)
            else:
                self.process.post(lost, life)

        life, sent_ms = self.process.incarnation, self._world.now_ms
        # Without a link that both ends agreed to, nothing is sent; it may be agreed to later.
        is_linked = to.process.is_up and self._may_talk(to)
        # What was on its way from or to an earlier disk is of a connection that ended with it.
        incarnations = (self.disk.incarnation, to.disk.incarnation)
        self._world.network.send(self.process, to.process, Plane.RAFT, arrive, lost)

    def _greet(self) -> None:
        """Link up with every member, as production does whether or not there is a word to say."""
        lives = (self.process.incarnation, self.disk.incarnation)
        for member_id in self.node.membership.all_ids():
            to = self.peers.get(member_id)
            if to is not None and to is not self and to._links.get(self.replica_id) != lives:
                self._send_batch(to, [])

    def _may_talk(self, to: "RaftDriver") -> bool:
        """Whether either end takes the other for whom it was: as the hello of a link asks."""
        if to._driver.has_stopped:
            return False
        lives = (self.process.incarnation, self.disk.incarnation)
        if to._links.get(self.replica_id) != lives:
            if to.refusal_of(self) or (self.is_running and self._life_refusal(to)):
                return False
            to._links[self.replica_id] = lives
        # A replica that hears a leader knows who the members are.
        return to._knows(self) or not to._hears_leader()

    def refusal_of(self, peer: "RaftDriver") -> str:
        """Why a peer may not talk to this replica; "" if it may. The rule of Transport."""
        if not self._knows(peer) and self._hears_leader():
            return f"{peer.replica_id} is not a member; add it as a learner"
        return self._life_refusal(peer)

    def _life_refusal(self, peer: "RaftDriver") -> str:
        if self._roster.is_another_life(peer.replica_id, peer.disk.incarnation):
            self._world.coverage.hit(25, "refused")
            return f"replica {peer.replica_id} came back with an empty directory"
        if not self._knows(peer):
            return ""
        is_news = self._roster.learn_incarnation(peer.replica_id, peer.disk.incarnation)
        if is_news and not self._save_roster():
            return f"{self.replica_id} cannot write down its peers"
        return ""

    def _knows(self, peer: "RaftDriver") -> bool:
        node = self.node
        return node.membership.is_member(peer.replica_id) or peer.replica_id == node.leader_id

    def _hears_leader(self) -> bool:
        contact = self.node.quorum_contact
        silence_ms = ELECTION_TICKS * self._tick_ms
        return contact is not None and self.process.clock.now_ms() - contact.at_ms < silence_ms

    def receive(self, messages: list[Message], sent_ms: int) -> None:
        """Take in what a peer sent."""
        for message in messages:
            self._world.watch.heard(self.replica_id, message, sent_ms=sent_ms)
        self._driver.step(messages)
        for message in messages:
            moment = _MOMENTS.get(message.kind)
            if moment is not None:
                self._world.moments.happened(moment, self.replica_id, message)

    def _unreachable(self, peer: ReplicaId) -> None:
        self._driver.given(lambda: self.node.report_unreachable(peer))

    # -- snapshots between replicas ----------------------------------------------------------------

    def _send_snapshot(self, message: Message) -> None:
        to = self.peers.get(message.recipient)
        newest = None
        try:
            newest = self._snapshots.latest()
        except (StorageError, OSError) as error:
            self._world.trace.note(f"{self.replica_id} has no snapshot to send: {error}")
        told: list[bool] = []

        def tell(outcome: object) -> None:
            if not told:
                told.append(True)
                self._driver.given(
                    lambda: self.node.report_snapshot(message.recipient, outcome is True)
                )

        if to is None or newest is None:
            self.process.after(0, lambda: tell(False))
            return
        mark, framed = newest
        offer = SnapshotOffer(mark, len(framed), hashlib.sha256(framed).digest())
        announced = replace(message, snapshot=mark)
        life = self.process.incarnation

        def heard(outcome: bool) -> None:
            self._world.network.send(
                to.process,
                self.process,
                Plane.RAFT,
                lambda: tell(outcome) if self.process.incarnation == life else None,
                lambda: None,
            )

        self._world.network.send(
            self.process,
            to.process,
            Plane.RAFT,
            lambda: to.take_snapshot(self, announced, offer, framed, heard),
            lambda: tell(False),
        )
        self.process.after(_SNAPSHOT_MS_MAX, lambda: tell(False))

    def take_snapshot(
        self,
        sender: "RaftDriver",
        message: Message,
        offer: SnapshotOffer,
        framed: bytes,
        heard: Callable[[bool], None],
    ) -> None:
        """Take a snapshot in, a chunk at a time; Raft hears of it once it is kept."""
        is_stale = not sender._may_talk(self) or message.term < self.node.term
        if is_stale or self._is_storing:
            heard(False)
            return
        if offer.mark.index <= self.node.commit_index:
            self._driver.step([message])
            heard(True)
            return
        self._is_storing = True
        self.receiving_index = offer.mark.index
        size = -(-len(framed) // _SNAPSHOT_CHUNKS)
        chunks = [(at, framed[at : at + size]) for at in range(0, len(framed), size)]
        steps: list[Callable[[], Any]] = [lambda: self._snapshots.receive_begin(offer)]
        steps += [lambda at=at, chunk=chunk: self._receive(at, chunk) for at, chunk in chunks]  # type: ignore[misc]
        self._step_by_step(steps, message, heard)
        self._world.moments.happened(Moment.SNAPSHOT_ARRIVED, self.replica_id, message)

    def _receive(self, at: int, chunk: bytes) -> None:
        self._snapshots.receive_chunk(at, chunk)

    def _step_by_step(
        self, steps: list[Callable[[], Any]], message: Message, heard: Callable[[bool], None]
    ) -> None:
        try:
            if steps:
                steps[0]()
                self.disk.after_sync(lambda: self._step_by_step(steps[1:], message, heard))
                return
            mark, framed = self._snapshots.receive_finish()
        except (StorageError, OSError) as error:
            self._snapshots.receive_abort()
            self._is_storing, self.receiving_index = False, 0
            self._world.trace.note(f"{self.replica_id} refuses a snapshot: {error}")
            heard(False)
            return
        self._is_storing, self.receiving_index = False, 0
        self._arrived[mark.index, mark.term] = framed
        self.installing_index = mark.index if self.node.applied_index < mark.index else 0
        self._driver.step([message])
        heard(True)


def _as_seen(entry: Entry) -> Entry:
    """Return an entry without the engine's frame; what is the engine's own is empty."""
    if entry.kind is not EntryKind.NORMAL:
        return entry
    payload = unframe_entry(entry.payload)
    if isinstance(payload, bytes):
        return Entry(entry.index, entry.term, entry.kind, payload)
    return Entry(entry.index, entry.term, EntryKind.EMPTY, b"")
