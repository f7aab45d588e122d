"""One simulated director replica: the real Director on a real Raft node, with its streams.

It does what ``director.service.replica`` and the engine do around the two pure objects.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, assert_never

from director.consensus.port import (
    CommittedEntry,
    ConsensusError,
    Delivery,
    EngineFailedError,
    LeadershipChanged,
    NotLeaderError,
    OverloadedError,
    SnapshotDelivered,
)
from director.core import inputs
from director.core.commands import Command
from director.core.director import Director
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
from director.core.observations import ReplicaReport
from director.core.reasons import Reason
from director.core.timing import DEFAULT_TIMING
from director.raft.messages import Membership
from director.raft.messages import ReplicaId as RaftId
from director.service.agent_wire import says_lag
from director.service.codec import decode_command, decode_state, encode_command, encode_state
from director.service.relay_buffer import RelayBuffer, relayed
from regions.core.effects import SendLease, SendReport
from tests.sim.clock import NodeClock
from tests.sim.disk import SimulatedDisk
from tests.sim.moments import Moment
from tests.sim.network import Connection, Plane
from tests.sim.process import Process
from tests.sim.raft_driver import RaftDriver
from tests.sim.wire import (
    FromAgent,
    FromDirector,
    Hello,
    Pulse,
    Welcome,
    lease_asked,
    report_heard,
)
from tests.sim.world import World

_PUSH_MS_MAX = 20
_RELAY_AGAIN_MS_MAX = 500
# A union is built anew each time it is written.
_APPLIES = (inputs.Committed, inputs.SnapshotInstalled)


@dataclass(eq=False, slots=True)
class _Link:
    """One agent's stream, at the director's end."""

    connection: Connection
    opened_at_ms: int
    hello: Hello | None = None


@dataclass(slots=True)
class _Office:
    """What this life of the replica knows of leadership and of what waits for the log."""

    term: int = 0
    leader_id: str | None = None
    is_leader: bool = False
    confirmed: list[tuple[int, Barrier]] = field(default_factory=list)


class Replica:
    """A director process and its disk.

    Attributes:
        refused: Why the last start was refused by storage; "" if it was not. Until it is started
            again, or its disk is wiped, the replica stays down.
    """

    def __init__(
        self,
        world: World,
        replica_id: str,
        domain_by_id: dict[str, str],
        host: str,
        clock: NodeClock,
    ) -> None:
        self.replica_id = replica_id
        self.process = Process(f"director {replica_id}", host, world.schedule, clock)
        voters = tuple(RaftId(each) for each in sorted(domain_by_id))
        self.raft = RaftDriver(world, replica_id, self.process, Membership(voters=voters))
        self.peers: dict[str, Replica] = {}
        self.refused = ""
        self.director: Director
        self.answers: dict[str, Answer] = {}
        self.wall_offset_ms = 0
        self._world = world
        self._domain_by_id = domain_by_id
        self._office = _Office()
        self._links: dict[tuple[str, str], _Link] = {}
        self._timer_at_ms: int | None = None
        self._pushed_index = 0
        self._is_pushing = False
        self._since_snapshot = 0
        self._buffer = RelayBuffer()
        self._relay: Connection | None = None
        self._relay_to: tuple[int, str] | None = None
        self._relay_not_before_ms = 0

    # -- life --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, or start again with what the disk kept."""
        world = self._world
        self.process.start()
        self.refused = ""
        self.director = Director(
            ReplicaId(self.replica_id),
            self._domain_by_id[self.replica_id],
            DEFAULT_TIMING,
            {ReplicaId(each): domain for each, domain in self._domain_by_id.items()},
        )
        world.watch.replica_started(self.replica_id)
        self._office = _Office()
        self._links = {}
        self._timer_at_ms = None
        self._pushed_index, self._is_pushing, self._since_snapshot = 0, False, 0
        self._buffer = RelayBuffer()
        self._relay, self._relay_to, self._relay_not_before_ms = None, None, 0
        refused = self.raft.start(self)
        if refused:
            self.kill()
            self.refused = refused
            world.trace.note(f"{self.replica_id} cannot start: {refused}")
            return
        kept = self.raft.log.snapshot_mark()
        world.trace.note(f"{self.replica_id} starts behind {kept.index}")
        self.process.after(DEFAULT_TIMING.relay_ms, self._beat)

    def kill(self) -> None:
        """End at once, wherever it is in its work."""
        self._world.trace.note(f"{self.replica_id} is killed")
        self.process.kill()
        self._world.network.ended(self.process)
        self.raft.crash()

    @property
    def leads(self) -> bool:
        """Whether it leads, and has applied everything from before its term."""
        return self.raft.is_running and self.raft.node.leads_term() is not None

    @property
    def disk(self) -> SimulatedDisk:
        """What it finds again after a kill."""
        return self.raft.disk

    @property
    def failed(self) -> str:
        """Why its engine stopped for good; "" while it runs. It takes no part until restarted."""
        return self.raft.failure

    def revive(self) -> None:
        """Do what a supervisor does: resume it, start it, or restart it if its engine failed."""
        if self.process.is_paused:
            self.process.resume()
        if self.failed:
            self.kill()
        if not self.process.is_up:
            self.start()

    # -- the core ----------------------------------------------------------------------------------

    def receive(self, given: Input) -> None:
        clock = self.process.clock
        effects = self.director.receive(
            given, now_ms=clock.now_ms(), wall_ms=clock.now_ms() + self.wall_offset_ms
        )
        if isinstance(given, _APPLIES):
            self._world.watch.applied(self.replica_id, self.director.state)
        for effect in effects:
            self._carry_out(effect)
        self._arm()

    def _arm(self) -> None:
        wake_at_ms = self.director.wake_at_ms()
        if wake_at_ms is None or wake_at_ms == self._timer_at_ms:
            return
        self._timer_at_ms = wake_at_ms
        self.process.after(wake_at_ms - self.process.clock.now_ms(), lambda: self._wake(wake_at_ms))

    def _wake(self, at_ms: int) -> None:
        if self._timer_at_ms == at_ms:
            self._timer_at_ms = None
            self.receive(inputs.Ticked())

    def _soon(self, given: Input) -> None:
        """Give it to the core behind what the engine's thread handed over before."""
        self.process.after(self._world.options.app_hop_ms, lambda: self.receive(given))

    def _carry_out(self, effect: Effect) -> None:  # noqa: C901, PLR0912 - one case per effect
        match effect:
            case Propose():
                self._propose(effect)
            case Barrier():
                self._confirm(effect)
            case GrantLease() | RefuseLease():
                self._answer_lease(effect)
            case DirectGroup() | DirectProbes() | DirectInjection():
                for link in self._links.values():
                    self._direct(effect, link)
            case Relay():
                offered_ms = self.process.clock.now_ms()
                self._buffer.offer(effect.reports, now_ms=offered_ms)
                self._nudge()
            case Publish():
                self._world.watch.published(self.replica_id, effect.table)
                self._push()
            case HandOver():
                hop_ms = self._world.options.app_hop_ms
                self.process.after(hop_ms, lambda: self._hand_over(effect))
            case Answer():
                self.answers[effect.request_id] = effect
            case Note():
                self._world.trace.note(f"{self.replica_id}: {effect.event}"[:300])
                self._world.watch.noted(self.replica_id, effect.event)
            case _:
                assert_never(effect)

    # -- the log -----------------------------------------------------------------------------------

    def _propose(self, effect: Propose) -> None:
        def answer(outcome: Any) -> None:
            if isinstance(outcome, ConsensusError):
                reason = _reason_of(outcome)
                self.receive(inputs.ProposalFailed(effect.proposal_id, reason))

        self.raft.propose(encode_command(effect.command), effect.term, answer)

    def _hand_over(self, effect: HandOver) -> None:
        self._world.trace.note(f"{self.replica_id} hands over to {effect.to}: {effect.reason}")
        self.raft.transfer(effect.to)

    def _confirm(self, effect: Barrier) -> None:
        def answer(outcome: Any) -> None:
            if isinstance(outcome, ConsensusError):
                self.receive(inputs.BarrierFailed(effect.barrier_id))
            else:
                self._office.confirmed.append((outcome, effect))
                self._pass_barriers()

        self.raft.read_barrier(effect.term, answer)

    def take(self, delivery: Delivery) -> None:
        """See Application."""
        match delivery:
            case CommittedEntry():
                command = None
                if delivery.payload:
                    command = self._decoded(delivery)
                self.receive(inputs.Committed(delivery.index, command))
                self._applied()
            case SnapshotDelivered():
                self.receive(inputs.SnapshotInstalled(decode_state(delivery.payload)))
                self._applied()
            case LeadershipChanged():
                self._change_office(delivery.term, delivery.leader_id, delivery.is_leader)

    def _decoded(self, delivery: CommittedEntry) -> Command:
        known = self._world.commands.get(delivery.payload)
        if known is None:
            known = decode_command(delivery.payload, index=delivery.index)
            self._world.commands[delivery.payload] = known
        return known

    def _applied(self) -> None:
        self._pass_barriers()
        if not self._is_pushing:
            self._pushed()
        self._since_snapshot += 1
        if self._since_snapshot >= self._world.options.snapshot_entries:
            self._since_snapshot = 0
            state = self.director.state
            self.process.after(
                self._world.options.app_hop_ms,
                lambda: self.raft.save_snapshot(state.applied_index, encode_state(state)),
            )

    def _pass_barriers(self) -> None:
        if not self._office.confirmed:
            return
        index = self.director.state.applied_index
        due = [barrier for needed, barrier in self._office.confirmed if needed <= index]
        self._office.confirmed = [each for each in self._office.confirmed if each[0] > index]
        for barrier in due:
            self.receive(inputs.BarrierPassed(barrier.barrier_id, barrier.term))

    def _change_office(self, term: int, leader_id: str | None, is_leader: bool) -> None:
        office = self._office
        if office.is_leader and not (is_leader and term == office.term):
            office.is_leader = False
            self._world.trace.note(f"{self.replica_id} loses term {office.term}")
            self.receive(inputs.LeadershipLost(office.term))
        office.term, office.leader_id = term, leader_id
        if is_leader and not office.is_leader:
            office.is_leader = True
            self._world.trace.note(f"{self.replica_id} leads term {term}")
            self.receive(inputs.LeadershipGained(term))
            self._tell_pushed()
        self._nudge()
        for link in self._links.values():
            self._say(link, Welcome(self.replica_id, leader_id))

    # -- agents ------------------------------------------------------------------------------------

    def accept_agent(
        self, connection: Connection
    ) -> tuple[Callable[[Any], None], Callable[[], None]]:
        """Take an agent's stream in; the hello that begins it says whose it is."""
        link = _Link(connection, self.process.clock.now_ms())
        return (lambda said: self._heard(link, said)), (lambda: self._left(link))

    def _heard(self, link: _Link, said: FromAgent) -> None:
        match said:
            case Hello():
                self._welcome(link, said)
            case SendReport():
                assert link.hello is not None, "a stream begins with a hello"
                report = report_heard(
                    said,
                    link.hello,
                    ReplicaId(self.replica_id),
                    arrived_at_ms=self.process.clock.now_ms(),
                    opened_at_ms=link.opened_at_ms,
                )
                self.receive(inputs.Reported(report))
                self._world.moments.happened(Moment.AGENT_REPORTED, self.replica_id, report)
                if says_lag(report.readings):
                    self._say(link, Pulse(self.process.clock.now_ms()))
            case SendLease():
                assert link.hello is not None, "a stream begins with a hello"
                asked = lease_asked(said, link.hello)
                self._world.watch.lease_arrived(self.replica_id, asked)
                self.receive(asked)
                self._world.moments.happened(Moment.LEASE_ASKED, self.replica_id, asked)

    def _welcome(self, link: _Link, hello: Hello) -> None:
        link.hello = hello
        key = (hello.region_id, hello.agent_id)
        former = self._links.get(key)
        if former is not None:
            former.connection.close()
        self._links[key] = link
        self._say(link, Welcome(self.replica_id, self.raft.leader_id))
        for effect in self.director.directives_for(hello.region_id, hello.service_ids):
            if isinstance(effect, DirectGroup | DirectProbes):
                self._direct(effect, link)
        self._say(link, Pulse(self.process.clock.now_ms()))

    def _left(self, link: _Link) -> None:
        if link.hello is None:
            return
        key = (link.hello.region_id, link.hello.agent_id)
        if self._links.get(key) is link:
            del self._links[key]

    def _direct(self, effect: DirectGroup | DirectProbes | DirectInjection, link: _Link) -> None:
        assert link.hello is not None, "a link is kept from its hello on"
        match effect:
            case DirectGroup() if effect.service_id not in link.hello.service_ids:
                return
            case DirectProbes() if effect.region_id != link.hello.region_id:
                return
            case _:
                self._say(link, effect)

    def _answer_lease(self, effect: GrantLease | RefuseLease) -> None:
        self._world.watch.lease_answered(self.replica_id, effect)
        link = self._links.get((effect.region_id, effect.agent_id))
        if link is not None:
            self._say(link, effect)
            if isinstance(effect, GrantLease):
                self._world.moments.happened(Moment.LEASE_GRANTED, self.replica_id, effect)

    @staticmethod
    def _say(link: _Link, said: FromDirector) -> None:
        link.connection.to_client(said)

    # -- watchers ----------------------------------------------------------------------------------

    def _push(self) -> None:
        if not self._is_pushing:
            self._is_pushing = True
            self.process.after(self._world.rng.randint(1, _PUSH_MS_MAX), self._all_sent)

    def _all_sent(self) -> None:
        self._is_pushing = False
        self._pushed()

    def _pushed(self) -> None:
        if self._pushed_index < self.director.state.applied_index:
            self._pushed_index = self.director.state.applied_index
            self.process.after(0, self._tell_pushed)

    def _own_report(self) -> ReplicaReport:
        return ReplicaReport(
            ReplicaId(self.replica_id), self._domain_by_id[self.replica_id], self._pushed_index, 1
        )

    def _tell_pushed(self) -> None:
        if self._office.is_leader:
            self.receive(inputs.ReplicaReported(self._own_report()))
        else:
            self._nudge()

    # -- evidence for the leader ---

    def _beat(self) -> None:
        self.process.after(DEFAULT_TIMING.relay_ms, self._beat)
        self._tell_pushed()

    def _nudge(self) -> None:
        self.process.after(0, self._relay_now)

    def _relay_now(self) -> None:
        node = self.raft.node
        leader_id = self.raft.leader_id
        to = None if leader_id in (None, self.replica_id) else (node.term, str(leader_id))
        if to != self._relay_to and self._relay is not None:
            self._relay.close()
            self._relay = None
        self._relay_to = to
        if to is None or self.process.clock.now_ms() < self._relay_not_before_ms:
            return
        if self._relay is None:
            self._relay = self._open_relay(self.peers[to[1]])
        reports = self._buffer.take(now_ms=self.process.clock.now_ms())
        self._relay.to_server((to[0], self._own_report(), reports))

    def _open_relay(self, leader: "Replica") -> Connection:
        self._buffer.restart()
        connection = self._world.network.connect(
            self.process,
            leader.process,
            Plane.RELAY,
            lambda _: None,
            lambda: self._relay_broken(connection),
            leader.accept_relay,
        )
        return connection

    def _relay_broken(self, connection: Connection) -> None:
        if self._relay is connection:
            self._relay = None
            again_ms = self._world.rng.randint(1, _RELAY_AGAIN_MS_MAX)
            self._relay_not_before_ms = self.process.clock.now_ms() + again_ms
            self.process.after(again_ms, self._relay_now)

    def accept_relay(
        self, connection: Connection
    ) -> tuple[Callable[[Any], None], Callable[[], None]]:
        """Take a follower's stream in, for as long as this replica leads."""

        def take(said: Any) -> None:
            term, own, reports = said
            if not self._office.is_leader or term > self.raft.node.term:
                connection.close()
                return
            self.receive(inputs.ReplicaReported(own))
            for report, waited_ms in reports:
                told = relayed(report, waited_ms=waited_ms, heard_by=own.replica_id)
                self.receive(inputs.Reported(told))

        return take, lambda: None


def _reason_of(error: ConsensusError) -> Reason:
    """Return what an engine's refusal means to the core, as the service says it."""
    match error:
        case NotLeaderError():
            return Reason.NO_LEADER
        case OverloadedError():
            return Reason.QUOTA_EXCEEDED
        case EngineFailedError():
            return Reason.UNAVAILABLE
        case _:
            return Reason.OUTCOME_UNKNOWN
