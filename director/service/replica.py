"""The pump of one replica: deliveries, reports and time into the core; its effects out.

The core decides; this carries out, and has no rule of its own. All of it runs in one event loop. If
the core finds a mistake of ours (an assertion) or an entry it cannot read, the replica stops: a
wrong answer is worse than none.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from structlog.typing import FilteringBoundLogger

from director.client.kept import Kept, KeptTable
from director.consensus.port import (
    CommittedEntry,
    Consensus,
    ConsensusError,
    Delivery,
    LeadershipChanged,
    SnapshotDelivered,
)
from director.core import inputs
from director.core.digest import digest
from director.core.effects import (
    Answer,
    Barrier,
    DirectGroup,
    DirectInjection,
    DirectProbes,
    Effect,
    GrantLease,
    HandOver,
    Note,
    Propose,
    Publish,
    RefuseLease,
    Relay,
)
from director.core.ids import ReplicaId
from director.core.inputs import Input
from director.core.observations import AgentReport, ReplicaReport
from director.core.state import State
from director.core.timing import Timing
from director.routing.table import RouteTable, ServiceId
from director.runtime.clock import boot_ms, wall_ms
from director.runtime.tls import TlsFiles
from director.service import errors
from director.service.agent_wire import welcome
from director.service.agents import AgentLink, AgentLinks
from director.service.codec import decode_command, decode_state, encode_command, encode_state
from director.service.core_port import Core
from director.service.engine_errors import as_director_error
from director.service.errors import CommandTooLargeError
from director.service.event_log import log_event
from director.service.hand_over import hand_over
from director.service.reads import REFRESH_MS, ViewAge
from director.service.relay import EvidenceRelay, OwnReport, Recipient
from director.service.watch import RouteHub
from director.service.writes import Writes
from trafficdirector.agent.v1 import agent_pb2

# A follower that writes a line per stage is never this far behind.
STATES_QUEUED_MAX = 256
# Operators who follow a failover. Each is given every entry applied.
FOLLOWERS_MAX = 1_000
# Enough to see which name is wrong; an agent may guard thousands.
_NAMES_LOGGED_MAX = 20
# Entries applied in a row before others get their turn: about a millisecond of work.
REPLAY_SLICE = 32

log: FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ReplicaSettings:
    """What a replica needs to know of itself and its peers.

    Attributes:
        api_address_by_id: API addresses of all replicas, this one included.
        failure_domains: Of all replicas, this one included; empty when not known.
        snapshot_entries: A snapshot is taken after this many entries ...
        snapshot_bytes: ... or this many bytes of them.
        election_ms: A follower campaigns after a silence of once to twice this; to tell people.
        tls: What to show to the leader; None connects without TLS.
    """

    replica_id: str
    failure_domain: str
    timing: Timing
    api_address_by_id: tuple[tuple[str, str], ...] = ()
    failure_domains: tuple[str, ...] = ()
    snapshot_entries: int = 4_096
    snapshot_bytes: int = 8 << 20
    election_ms: int = 1_000
    tls: TlsFiles | None = None

    def api_address_of(self, replica_id: str) -> str:
        """Return where a replica's API listens; "" if that is not known."""
        return dict(self.api_address_by_id).get(replica_id, "")


@dataclass(slots=True)
class _Progress:
    """What was delivered, since when the log grows, and which barriers wait for an index."""

    term: int = 0
    is_leading: bool = False
    entries_since_snapshot: int = 0
    bytes_since_snapshot: int = 0
    pushed_index: int = 0
    confirmed: list[tuple[int, Barrier]] = field(default_factory=list)


class Replica:
    """One director replica in operation.

    Attributes:
        hub: Watchers of routes.
        links: Connected agents.
        has_table: Set as soon as there is a route table to answer from.
        writes: Operators' changes.
        view: How current answers are.
        stopped: Done when the replica can go on no longer: with the error, or with None when the
            engine ended because it was told to.
    """

    def __init__(
        self,
        settings: ReplicaSettings,
        core: Core,
        consensus: Consensus,
        *,
        kept: KeptTable | None = None,
        on_table: Callable[[RouteTable], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._core = core
        self._consensus = consensus
        self._kept = kept
        self._on_table = on_table
        self._progress = _Progress()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_ms: int | None = None
        self._pending_table: RouteTable | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._snapshot: asyncio.Task[None] | None = None
        self._followers: list[asyncio.Queue[State]] = []
        self._digested: tuple[State, str] | None = None
        self._loop = asyncio.get_running_loop()
        self.stopped: asyncio.Future[BaseException | None] = self._loop.create_future()
        self.has_table = asyncio.Event()
        self.view = ViewAge(consensus.standing, settings.timing.staleness_bound_ms)
        self.links = AgentLinks()
        self.writes = Writes(self.receive, consensus.standing, settings.api_address_of)
        self.hub = RouteHub(self.view.age_ms, on_all_sent=self._pushed)
        self.relay = EvidenceRelay(
            settings.replica_id,
            settings.failure_domain,
            relay_ms=settings.timing.relay_ms,
            recipient=self._recipient,
            own=lambda: OwnReport(self._progress.pushed_index, self.hub.watcher_count),
            tls=settings.tls,
        )

    # ------------------------------------------------------------------------- start and stop

    async def start(self) -> None:
        """Serve what the disk kept, then take part in consensus.

        Raises:
            EngineFailedError: The log cannot be opened; the message says why.
        """
        if self._kept is not None:
            kept = await asyncio.to_thread(self._kept.load)
            if kept is not None:
                self.view.kept_wall_ms = kept.kept_wall_ms
                self._publish(kept.table)
        await self._consensus.start()
        self._spawn(self._deliver(), "deliveries")
        self._spawn(self.relay.run(), "relay")
        self._spawn(self._measure(), "view-age")
        self._arm()

    async def stop(self) -> None:
        """Stop taking part. The log stays as it is. Idempotent."""
        self.hub.close()
        self.links.close()
        if self._timer is not None:
            self._timer.cancel()
        tasks = [each for each in (*self._tasks, self._snapshot) if each is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._keeper is not None:
            await self._keeper
        await self._consensus.stop()

    # ------------------------------------------------------------------------------- questions

    @property
    def state(self) -> State:
        """What is replicated, as of the last entry applied here."""
        return self._core.state

    @property
    def state_digest(self) -> str:
        """A digest of the state, to compare replicas at equal applied index."""
        state = self.state
        if self._digested is None or self._digested[0] is not state:
            self._digested = (state, digest(state))
        return self._digested[1]

    @property
    def core(self) -> Core:
        """The pure director, for read-only views."""
        return self._core

    @property
    def consensus(self) -> Consensus:
        """The engine's end of the log."""
        return self._consensus

    @property
    def settings(self) -> ReplicaSettings:
        """What it was started with."""
        return self._settings

    @property
    def pushed_index(self) -> int:
        """Every watcher here was sent the routes of this log index."""
        return self._progress.pushed_index

    @contextmanager
    def followed(self) -> Iterator[asyncio.Queue[State]]:
        """Return a queue of every state from now on, one per entry applied.

        A follower that falls ``STATES_QUEUED_MAX`` behind misses the oldest.

        Raises:
            OverloadedError: Too many follow already.
        """
        if len(self._followers) >= FOLLOWERS_MAX:
            raise errors.OverloadedError(
                f"{FOLLOWERS_MAX} follow failovers here; ask another replica",
                followerCountMax=FOLLOWERS_MAX,
            )
        queue: asyncio.Queue[State] = asyncio.Queue(STATES_QUEUED_MAX)
        self._followers.append(queue)
        try:
            yield queue
        finally:
            self._followers.remove(queue)

    @property
    def follower_count(self) -> int:
        """How many follow the state."""
        return len(self._followers)

    # --------------------------------------------------------------------------------- inputs

    def receive(self, given: Input) -> None:
        """Give ``given`` to the core and carry out what it asks for."""
        if self.stopped.done():
            return
        try:
            effects = self._core.receive(given, now_ms=boot_ms(), wall_ms=wall_ms())
            for effect in effects:
                self._carry_out(effect)
            self._arm()
        except Exception as error:
            self._fail(error)

    def heard(self, report: AgentReport) -> None:
        """Take in an agent's report, direct or relayed."""
        self.receive(inputs.Reported(report))

    def connect_agent(self, link: AgentLink) -> None:
        """Take an agent's stream in and tell it what it must know.

        Raises:
            OverloadedError: Too many agents.
        """
        self.links.connect(link)
        self._warn_of_unknown(link)
        link.put(("welcome", ""), self._welcome())
        for effect in self._core.directives_for(
            link.region_id, tuple(ServiceId(each) for each in sorted(link.service_ids))
        ):
            if isinstance(effect, DirectGroup | DirectProbes):
                self.links.direct(effect, only=lambda each: each is link)
        link.pulse()

    def _warn_of_unknown(self, link: AgentLink) -> None:
        """Say that an agent guards what no manifest declares: nothing it reports of it counts."""
        topology = self.state.topology
        unknown = sorted(link.service_ids - {each.service_id for each in topology.services})
        if topology.regions and unknown:
            log.warning(
                "agent_guards_unknown_service",
                region_id=link.region_id,
                agent_id=link.agent_id,
                service_ids=unknown[:_NAMES_LOGGED_MAX],
                unknown_count=len(unknown),
            )

    # -------------------------------------------------------------------------------- effects

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Propose():
                self._spawn(self._propose(effect), "propose")
            case Barrier():
                self._spawn(self._pass_barrier(effect), "barrier")
            case GrantLease() | RefuseLease():
                self.links.answer_lease(effect)
            case DirectGroup() | DirectProbes() | DirectInjection():
                self.links.direct(effect)
            case Relay():
                self.relay.offer(effect.reports)
            case HandOver():
                self._spawn(hand_over(self._consensus, effect), "hand-over")
            case Publish():
                self._publish_soon(effect.table)
            case Answer():
                self.writes.answer(effect)
            case Note():
                log_event(log, effect.event)
                self.writes.note(effect.event)

    async def _propose(self, effect: Propose) -> None:
        request_id = effect.command.stamp.request_id
        try:
            payload = encode_command(effect.command)
            await self._consensus.propose(payload, term=effect.term)
        except (ConsensusError, CommandTooLargeError) as error:
            said = as_director_error(error)
            if request_id:
                self.writes.fail(request_id, said)
            self.receive(inputs.ProposalFailed(effect.proposal_id, said.reason))

    async def _pass_barrier(self, effect: Barrier) -> None:
        try:
            index = await self._consensus.read_barrier(term=effect.term)
        except ConsensusError:
            self.receive(inputs.BarrierFailed(effect.barrier_id))
        else:
            self._progress.confirmed.append((index, effect))
            self._pass_confirmed()

    def _pass_confirmed(self) -> None:
        """Pass every barrier whose index is applied: below it the core may not know the newest."""
        index, confirmed = self.state.applied_index, self._progress.confirmed
        self._progress.confirmed = [each for each in confirmed if each[0] > index]
        for _, barrier in [each for each in confirmed if each[0] <= index]:
            self.receive(inputs.BarrierPassed(barrier.barrier_id, barrier.term))

    def _publish_soon(self, table: RouteTable) -> None:
        # A replay applies thousands of entries in a row; only the last of their tables is served.
        if self._pending_table is None:
            self._loop.call_soon(self._publish_pending)
        self._pending_table = table

    def _publish_pending(self) -> None:
        table, self._pending_table = self._pending_table, None
        if table is not None and self._publish(table):
            self._keep()

    def _publish(self, table: RouteTable) -> bool:
        newest = self.hub.table
        if newest is not None and (table.generation, table.revision) < (
            newest.generation,
            newest.revision,
        ):
            return False  # still replaying what led to the table that the disk kept (R7)
        self._on_table(table)
        self.has_table.set()
        return self.hub.publish(table)

    def _keep(self) -> None:
        if self._kept is not None and (self._keeper is None or self._keeper.done()):
            self._keeper = asyncio.create_task(self._keep_newest(self._kept), name="table-keeper")

    async def _keep_newest(self, kept: KeptTable) -> None:
        written: RouteTable | None = None
        while (table := self.hub.table) is not None and table is not written:
            await asyncio.to_thread(kept.save, Kept(table, wall_ms()))
            written = table

    def _pushed(self) -> None:
        """Every watcher has the newest table: say so, for the PUBLISHING stage of a run."""
        if self._pending_table is None and self._progress.pushed_index < self.state.applied_index:
            self._progress.pushed_index = self.state.applied_index
            # Not from here: the core may be at work on the input that published the table.
            self._loop.call_soon(self._tell_pushed)

    def _tell_pushed(self) -> None:
        if self._progress.is_leading:
            self.receive(
                inputs.ReplicaReported(
                    ReplicaReport(
                        ReplicaId(self._settings.replica_id),
                        self._settings.failure_domain,
                        self._progress.pushed_index,
                        self.hub.watcher_count,
                    )
                )
            )
        else:
            self.relay.nudge()

    # ------------------------------------------------------------------------------ consensus

    async def _deliver(self) -> None:
        try:
            taken_count = 0
            async for delivery in self._consensus.deliveries():
                self._take(delivery)
                taken_count += 1
                if taken_count % REPLAY_SLICE == 0:
                    # A long replay must not keep resolves waiting.
                    await asyncio.sleep(0)
        except Exception as error:
            self._fail(error)
            return
        failed = self._consensus.standing().failed
        if self._progress.is_leading:
            self._lose_office()
        if failed:
            # Reads go on from memory, labelled by their age; nothing can be written here any more.
            log.error("consensus_failed", reason=failed)

    def _take(self, delivery: Delivery) -> None:
        match delivery:
            case CommittedEntry():
                command = None
                if delivery.payload:
                    command = decode_command(delivery.payload, index=delivery.index)
                self.receive(inputs.Committed(delivery.index, command))
                self._applied(len(delivery.payload))
            case SnapshotDelivered():
                self.receive(inputs.SnapshotInstalled(decode_state(delivery.payload)))
                self._applied(0)
            case LeadershipChanged():
                self._change_office(delivery)

    def _applied(self, payload_bytes: int) -> None:
        progress = self._progress
        self._pass_confirmed()
        progress.entries_since_snapshot += 1
        progress.bytes_since_snapshot += payload_bytes
        for queue in self._followers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(self.state)
        if self.hub.is_all_sent:
            self._pushed()
        is_due = (
            progress.entries_since_snapshot >= self._settings.snapshot_entries
            or progress.bytes_since_snapshot >= self._settings.snapshot_bytes
        )
        if is_due and (self._snapshot is None or self._snapshot.done()):
            progress.entries_since_snapshot = progress.bytes_since_snapshot = 0
            self._snapshot = asyncio.create_task(self._save_snapshot(self.state), name="snapshot")

    async def _save_snapshot(self, state: State) -> None:
        # The state is immutable, so another thread may encode it while entries go on.
        payload = await asyncio.to_thread(encode_state, state)
        try:
            await self._consensus.save_snapshot(state.applied_index, payload)
        except ConsensusError as error:
            log.warning("snapshot_not_saved", index=state.applied_index, reason=str(error))
        else:
            log.info("snapshot_saved", index=state.applied_index, snapshot_bytes=len(payload))

    def _change_office(self, change: LeadershipChanged) -> None:
        progress = self._progress
        log.info(
            "leadership_changed",
            term=change.term,
            leader_id=change.leader_id or "",
            is_leader=change.is_leader,
        )
        if progress.is_leading and not (change.is_leader and change.term == progress.term):
            self._lose_office()
        if change.is_leader and not progress.is_leading:
            progress.is_leading = True
            progress.term = change.term
            self.receive(inputs.LeadershipGained(change.term))
            self._loop.call_soon(self._tell_pushed)
        progress.term = change.term
        self.relay.nudge()
        self.links.send_to_all(("welcome", ""), self._welcome())

    def _lose_office(self) -> None:
        self._progress.is_leading = False
        self.receive(inputs.LeadershipLost(self._progress.term))

    def _recipient(self) -> Recipient | None:
        standing = self._consensus.standing()
        leader_id = standing.leader_id
        if leader_id is None or leader_id == standing.member_id:
            return None
        address = self._settings.api_address_of(leader_id)
        return Recipient(standing.term, leader_id, address) if address else None

    def _welcome(self) -> agent_pb2.ReportResponse:
        standing = self._consensus.standing()
        return welcome(self._settings.replica_id, standing.leader_id, self._settings.timing)

    # ----------------------------------------------------------------------------------- time

    def _arm(self) -> None:
        wake_at_ms = self._core.wake_at_ms()
        if wake_at_ms == self._timer_at_ms:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at_ms = wake_at_ms
        if wake_at_ms is not None:
            delay_ms = max(0, wake_at_ms - boot_ms())
            self._timer = self._loop.call_later(delay_ms / 1_000, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._timer_at_ms = None
        self.receive(inputs.Ticked())

    async def _measure(self) -> None:
        beats = max(1, self._settings.timing.relay_ms // REFRESH_MS)
        count = 0
        while True:
            table = self.hub.table
            self.view.refresh(
                applied_index=self.state.applied_index,
                table_revision=0 if table is None else table.revision,
            )
            if table is None and self.view.confirmed_at_ms is not None:
                # Nothing was ever declared. That is known, and it is an answer too.
                self._publish(RouteTable(self.state.generation, 0, 0, (), (), ()))
            count += 1
            if count % beats == 0 and self._progress.is_leading:
                self._tell_pushed()
            await asyncio.sleep(REFRESH_MS / 1_000)

    # ------------------------------------------------------------------------------- plumbing

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self.stopped.done():
            log.error("replica_failed", exc_info=error)
            self.stopped.set_result(error)
