"""A small deterministic world: director replicas on a log in memory, and scripted agents.

One process, one virtual clock, no chance but a seeded jitter. Leadership is given, not elected: a
test names the next leader and how long the election takes. Everything the replicas do goes through
``Director.receive`` alone.

After every lease that reaches an agent the world checks that no other region can still be acting.
"""

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import replace

from director.core.commands import ApplyManifest, Command, RunKind, StageName
from director.core.digest import digest
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
from director.core.events import Event, RunAborted, RunAdvanced, RunStarted, VerdictsRecorded
from director.core.ids import GroupId, ReplicaId
from director.core.inputs import (
    Ask,
    Asked,
    BarrierFailed,
    BarrierPassed,
    Committed,
    Input,
    LeadershipGained,
    LeadershipLost,
    LeaseAsked,
    MoveAsked,
    ProposalFailed,
    ReplicaReported,
    Reported,
    Ticked,
)
from director.core.observations import AgentReport, ReplicaReport
from director.core.reasons import Reason
from director.core.state import Run
from director.core.timing import DEFAULT_TIMING, Timing
from director.core.topology import Topology
from director.routing.table import RegionId, RouteTable, ServiceId, Verdict
from tests.core.builders import (
    CHAT,
    CHAT_GROUP,
    D0,
    D1,
    D2,
    DOMAINS,
    REGIONS,
    REPLICA_REGIONS,
    a_stamp,
    a_topology,
)
from tests.core.scripted_agent import PROBE_TIMEOUT_MS, Pair, ScriptedAgent

NETWORK_MS = 20
COMMIT_MS = 30
BARRIER_MS = 20
PUSH_MS = 10
REFUSED_MS = 5
# A hand-over: the order to stand, and the votes.
ROUND_MS = 100
# Time from a leader's end to the next one's office (architecture.md: the leader killed with it).
ELECTION_MS = 1_500


class Replica:
    """A director replica with its place in the log."""

    def __init__(self, world: "World", replica_id: ReplicaId) -> None:
        self.world = world
        self.replica_id = replica_id
        self.is_alive = True
        self.director = world.a_director(replica_id)
        self.applied = 0
        self.pushed_index = 0
        self.table: RouteTable | None = None
        self.timer_ms: int | None = None
        self.notes: list[tuple[int, Event]] = []
        self.answers: list[Answer] = []


class World:
    """Three replicas, one agent in each of four regions, and a clock."""

    def __init__(
        self,
        topology: Topology | None = None,
        *,
        timing: Timing = DEFAULT_TIMING,
        seed: int = 0,
        jitter_ms: int = 0,
        phase_ms: int = 137,
        leader: ReplicaId = D1,
        domains: dict[ReplicaId, str] | None = None,
    ) -> None:
        self.now_ms = 0
        self.timing = timing
        self.topology = a_topology() if topology is None else topology
        self.domains = DOMAINS if domains is None else domains
        self._rng = random.Random(seed)
        self._jitter_ms = jitter_ms
        # There and back, as an agent's echo of a replica's pulse would measure it.
        self.transit_ms_max = 2 * NETWORK_MS + jitter_ms
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._inserted = 0
        self.log: list[Command | None] = []
        self.term = 0
        self.leader: ReplicaId | None = None
        self.replica_ids = (D0, D1, D2)
        # How the world is. A probe fails on a pair that is out, or along a blocked path.
        self.outside_out: set[Pair] = set()
        self.inside_out: set[Pair] = set()
        self.refusing: set[RegionId] = set()
        self.blocked: set[tuple[RegionId, RegionId]] = set()
        self.lost_regions: set[RegionId] = set()
        self.lag: dict[Pair, int | None] = {}
        self.load: dict[Pair, int] = {}
        # How long reports of a region take, where it is not the usual time.
        self.report_ms: dict[RegionId, int] = {}
        # Replicas that hear nothing of a region's agent; the others do.
        self.unheard: set[tuple[RegionId, ReplicaId]] = set()
        self.writer_changes: list[tuple[int, RegionId]] = []
        self.replicas = {each: Replica(self, each) for each in self.replica_ids}
        self.agents = {
            region_id: ScriptedAgent(self, region_id, (phase_ms * number) % 500)
            for number, region_id in enumerate(REGIONS, start=1)
        }
        self.elect(leader)
        self.propose(ApplyManifest(a_stamp(), self.topology))
        for agent in self.agents.values():
            self.greet(agent)

    # -- time --------------------------------------------------------------------------------------

    def at(self, due_ms: int, event: Callable[[], None]) -> None:
        self._inserted += 1
        heapq.heappush(self._events, (max(due_ms, self.now_ms), self._inserted, event))

    def after(self, delay_ms: int, event: Callable[[], None]) -> None:
        self.at(self.now_ms + delay_ms, event)

    def jittered(self, delay_ms: int) -> int:
        return delay_ms + (self._rng.randint(0, self._jitter_ms) if self._jitter_ms else 0)

    def run_until(self, end_ms: int, until: Callable[[], bool] | None = None) -> bool:
        """Run to ``end_ms``, or to the first moment at which ``until`` holds."""
        while self._events and self._events[0][0] <= end_ms:
            if until is not None and until():
                return True
            self.now_ms, _, event = heapq.heappop(self._events)
            event()
        if until is not None and until():
            return True
        self.now_ms = end_ms
        return False

    def run_for(self, ms: int, until: Callable[[], bool] | None = None) -> bool:
        return self.run_until(self.now_ms + ms, until)

    # -- consensus ---------------------------------------------------------------------------------

    def a_director(self, replica_id: ReplicaId) -> Director:
        return Director(replica_id, self.domains[replica_id], self.timing, self.domains)

    def elect(self, replica_id: ReplicaId) -> None:
        """Make ``replica_id`` the leader now."""
        if self.leader is not None and self.replicas[self.leader].is_alive:
            self.give(self.leader, LeadershipLost(self.term))
        self.term += 1
        self.leader = replica_id
        self.propose(None)
        self.give(replica_id, LeadershipGained(self.term))

    def propose(self, command: Command | None) -> None:
        """Commit a command at once, and let the leader apply it before anything else."""
        self.log.append(command)
        assert self.leader is not None
        for replica_id in self.replica_ids:
            if replica_id == self.leader:
                self._catch_up(replica_id)
            else:
                self.after(NETWORK_MS, lambda each=replica_id: self._catch_up(each))  # type: ignore[misc]

    def _catch_up(self, replica_id: ReplicaId) -> None:
        replica = self.replicas[replica_id]
        while replica.is_alive and replica.applied < len(self.log):
            replica.applied += 1
            self.give(replica_id, Committed(replica.applied, self.log[replica.applied - 1]))

    def _commit(self, replica_id: ReplicaId, effect: Propose) -> None:
        if not self._leads(replica_id, effect.term):
            self.give(replica_id, ProposalFailed(effect.proposal_id, Reason.OUTCOME_UNKNOWN))
            return
        self.propose(effect.command)

    def _leads(self, replica_id: ReplicaId, term: int) -> bool:
        alive = self.replicas[replica_id].is_alive
        return alive and self.leader == replica_id and self.term == term

    # -- replicas ----------------------------------------------------------------------------------

    def give(self, replica_id: ReplicaId, given: Input) -> None:
        replica = self.replicas[replica_id]
        if not replica.is_alive:
            return
        effects = replica.director.receive(given, now_ms=self.now_ms, wall_ms=0)
        for effect in effects:
            self._carry_out(replica, effect)
        wake_ms = replica.director.wake_at_ms()
        if wake_ms is not None and wake_ms != replica.timer_ms:
            replica.timer_ms = wake_ms
            self.at(wake_ms, lambda: self._tick(replica, wake_ms))

    def _tick(self, replica: Replica, armed_ms: int) -> None:
        if replica.is_alive and replica.timer_ms == armed_ms:
            replica.timer_ms = None
            self.give(replica.replica_id, Ticked())

    def _carry_out(  # noqa: C901, PLR0912 - one line for each effect
        self, replica: Replica, effect: Effect
    ) -> None:
        match effect:
            case Propose():
                self.after(COMMIT_MS, lambda: self._commit(replica.replica_id, effect))
            case Barrier():
                self.after(BARRIER_MS, lambda: self._end_barrier(replica.replica_id, effect))
            case GrantLease() | RefuseLease():
                agent = self.agents[effect.region_id]
                self._to_agent(agent, lambda: agent.on_lease(effect))
            case DirectGroup():
                for agent in self.agents.values():
                    if effect.service_id in self.guarded(agent.region_id):
                        self._direct(agent, effect)
            case DirectInjection():
                for agent in self.agents.values():
                    self._inject(agent, effect)
            case DirectProbes():
                self._direct(self.agents[effect.region_id], effect)
            case Relay():
                self._relay(effect.reports)
            case HandOver():
                self.after(ROUND_MS, lambda: self._hand_over(replica.replica_id, effect))
            case Publish():
                self._publish(replica, effect.table)
            case Answer():
                replica.answers.append(effect)
            case Note():
                replica.notes.append((self.now_ms, effect.event))

    def _hand_over(self, replica_id: ReplicaId, effect: HandOver) -> None:
        if self.leader == replica_id and self.replicas[effect.to].is_alive:
            self.elect(effect.to)

    def _direct(self, agent: ScriptedAgent, effect: DirectGroup | DirectProbes) -> None:
        if isinstance(effect, DirectGroup):
            self._to_agent(agent, lambda: agent.on_group(effect))
        else:
            self._to_agent(agent, lambda: agent.on_probes(effect))

    def _inject(self, agent: ScriptedAgent, effect: DirectInjection) -> None:
        self._to_agent(agent, lambda: agent.on_injection(effect))

    def _end_barrier(self, replica_id: ReplicaId, barrier: Barrier) -> None:
        if self._leads(replica_id, barrier.term):
            self.give(replica_id, BarrierPassed(barrier.barrier_id, barrier.term))
        else:
            self.give(replica_id, BarrierFailed(barrier.barrier_id))

    def _relay(self, reports: Iterable[AgentReport]) -> None:
        leader = self.leader
        if leader is None or not self.replicas[leader].is_alive:
            return
        for report in reports:
            aged = replace(report, age_ms=report.age_ms + NETWORK_MS)
            self.after(NETWORK_MS, lambda each=aged: self.give(leader, Reported(each)))  # type: ignore[misc]

    def _publish(self, replica: Replica, table: RouteTable) -> None:
        replica.table = table

        def pushed() -> None:
            replica.pushed_index = max(replica.pushed_index, table.revision)
            self.tell_pushed(replica)

        self.after(PUSH_MS, pushed)

    def tell_pushed(self, replica: Replica) -> None:
        leader = self.leader
        if leader is None or not replica.is_alive:
            return
        report = ReplicaReport(
            replica.replica_id, self.domains[replica.replica_id], replica.pushed_index, 3
        )
        self.after(NETWORK_MS, lambda: self.give(leader, ReplicaReported(report)))

    def start_telling(self) -> None:
        def tell(replica: Replica) -> None:
            self.tell_pushed(replica)
            self.after(500, lambda: tell(replica))

        for replica in self.replicas.values():
            tell(replica)

    # -- agents ------------------------------------------------------------------------------------

    def guarded(self, region_id: RegionId) -> list[ServiceId]:
        return [
            service.service_id
            for service in self.topology.services
            if service.site(region_id) is not None
        ]

    def greet(self, agent: ScriptedAgent) -> None:
        """A new stream: every replica says what an agent has to know."""
        guarded = tuple(self.guarded(agent.region_id))
        for replica in self.replicas.values():
            if replica.is_alive:
                for effect in replica.director.directives_for(agent.region_id, guarded):
                    if isinstance(effect, DirectGroup | DirectProbes):
                        self._direct(agent, effect)

    def _to_agent(self, agent: ScriptedAgent, event: Callable[[], None]) -> None:
        boot = agent.boot

        def arrive() -> None:
            if not agent.is_alive or agent.is_cut or agent.boot != boot:
                return
            if self.now_ms < agent.thaws_ms:
                self.at(agent.thaws_ms, arrive)
                return
            event()

        self.after(NETWORK_MS, arrive)

    def deliver_report(
        self, agent: ScriptedAgent, replica_id: ReplicaId, report: AgentReport
    ) -> None:
        if agent.is_cut or (agent.region_id, replica_id) in self.unheard:
            return
        way_ms = self.jittered(self.report_ms.get(agent.region_id, NETWORK_MS))
        # As the echo of a pulse bounds it: the way down is in it too.
        heard = replace(report, heard_by=replica_id, transit_ms_max=NETWORK_MS + way_ms)
        self.after(way_ms, lambda: self.give(replica_id, Reported(heard)))

    def deliver_ask(self, agent: ScriptedAgent, asked: LeaseAsked) -> None:
        leader = self.leader
        if leader is None or (agent.region_id, leader) in self.unheard:
            return
        if not agent.is_cut:
            self.after(NETWORK_MS, lambda: self.give(leader, asked))

    def probe(self, observer: RegionId, pair: Pair) -> tuple[bool, int]:
        """Whether a probe passes, and how long it takes to fail."""
        region_id = pair[1]
        if observer == region_id:
            return pair not in self.inside_out, REFUSED_MS
        ok = pair not in self.outside_out and (observer, region_id) not in self.blocked
        ok = ok and region_id not in self.lost_regions
        return ok, REFUSED_MS if region_id in self.refusing else PROBE_TIMEOUT_MS

    def lag_ms(self, service_id: ServiceId, region_id: RegionId) -> int | None:
        # A copy whose source is gone goes on reporting the lag it last knew: it cannot tell.
        return self.lag.get((service_id, region_id), 100)

    def check_one_writer(self, writer: ScriptedAgent, group_id: GroupId) -> None:
        for agent in self.agents.values():
            gate = agent.gates.get(group_id)
            if agent is not writer and gate is not None:
                assert gate.until_ms <= self.now_ms, (
                    f"at {self.now_ms} {writer.region_id} opens {group_id} while "
                    f"{agent.region_id} may write under {gate.token} until {gate.until_ms}"
                )
        if not self.writer_changes or self.writer_changes[-1][1] != writer.region_id:
            self.writer_changes.append((self.now_ms, writer.region_id))

    # -- faults ------------------------------------------------------------------------------------

    def kill_region(
        self, region_id: RegionId, *, refusing: bool = False, with_replica: bool = True
    ) -> None:
        """End everything in a region. Refusing: its hosts answer that nobody listens."""
        self.lost_regions.add(region_id)
        if refusing:
            self.refusing.add(region_id)
        agent = self.agents[region_id]
        agent.kill()
        for gate in agent.gates.values():
            gate.until_ms = min(gate.until_ms, self.now_ms)  # the service is gone too
        for replica_id, place in REPLICA_REGIONS.items():
            if place == region_id and with_replica:
                self.kill_replica(replica_id)

    def revive_region(self, region_id: RegionId) -> None:
        self.lost_regions.discard(region_id)
        self.refusing.discard(region_id)
        for replica_id, place in REPLICA_REGIONS.items():
            if place == region_id and not self.replicas[replica_id].is_alive:
                self.replicas[replica_id] = Replica(self, replica_id)
                self._catch_up(replica_id)
        self.agents[region_id].restart()

    def kill_replica(self, replica_id: ReplicaId) -> None:
        self.replicas[replica_id].is_alive = False
        if self.leader == replica_id:
            heir = next(each for each in self.replica_ids if self.replicas[each].is_alive)
            self.after(ELECTION_MS, lambda: self.elect(heir))

    def freeze_agent(self, region_id: RegionId, for_ms: int) -> None:
        self.agents[region_id].thaws_ms = self.now_ms + for_ms

    def cut(self, region_id: RegionId) -> None:
        """Nothing passes between the region's agent and the directors; peers get no answer."""
        self.agents[region_id].is_cut = True
        for other in REGIONS:
            self.blocked |= {(other, region_id), (region_id, other)}

    def heal(self, region_id: RegionId) -> None:
        self.agents[region_id].is_cut = False
        self.blocked = {each for each in self.blocked if region_id not in each}
        self.greet(self.agents[region_id])

    # -- questions ---------------------------------------------------------------------------------

    def ask(self, ask: Ask, *, request_id: str = "r1", validate_only: bool = False) -> None:
        assert self.leader is not None
        self.give(self.leader, Asked(request_id, "maria", "test", ask, validate_only))

    def move(
        self,
        kind: RunKind,
        target: RegionId | None = None,
        *,
        service_id: ServiceId = CHAT,
        request_id: str = "r1",
    ) -> None:
        self.ask(MoveAsked(kind, service_id, target), request_id=request_id)

    @property
    def chief(self) -> Replica:
        assert self.leader is not None
        return self.replicas[self.leader]

    def home(self, group_id: GroupId = CHAT_GROUP) -> RegionId | None:
        group = self.chief.director.state.group(group_id)
        return None if group is None else group.home

    def runs(self) -> tuple[Run, ...]:
        return self.chief.director.state.runs

    def verdict(self, region_id: RegionId, service_id: ServiceId = CHAT) -> Verdict | None:
        record = self.chief.director.state.verdicts.get((service_id, region_id))
        return None if record is None else record.verdict

    def writer(self, group_id: GroupId = CHAT_GROUP) -> RegionId | None:
        """The region whose gate is open under the present token."""
        return next(iter(self.writers(group_id)), None)

    def writers(self, group_id: GroupId = CHAT_GROUP) -> list[RegionId]:
        """Every region whose gate may still be acting."""
        return [
            agent.region_id
            for agent in self.agents.values()
            if (gate := agent.gates.get(group_id)) is not None and self.now_ms < gate.until_ms
        ]

    def stages(self) -> list[StageName]:
        """The stages of the newest run, as the leader noted them."""
        found: list[StageName] = []
        for _, event in self.chief.notes:
            match event:
                case RunStarted(stage=stage):
                    found = [stage]
                case RunAdvanced(stage=stage):
                    found.append(stage)
                case RunAborted():
                    found.append(StageName.ABORTED)
                case _:
                    pass
        return found

    def verdicts_seen(self, region_id: RegionId, since_ms: int) -> list[Verdict]:
        return [
            change.verdict
            for at_ms, event in self.chief.notes
            if at_ms >= since_ms and isinstance(event, VerdictsRecorded)
            for change in event.changes
            if change.region_id == region_id
        ]

    def check_same_state(self) -> None:
        """Replicas that applied the same entries have the same state."""
        states = {
            replica.applied: digest(replica.director.state)
            for replica in self.replicas.values()
            if replica.is_alive
        }
        for replica in self.replicas.values():
            if replica.is_alive:
                assert digest(replica.director.state) == states[replica.applied]


def a_settled_world(topology: Topology | None = None, **changes: object) -> World:
    """A world in which the first owner writes and everything has been heard for ten seconds."""
    world = World(topology, **changes)  # type: ignore[arg-type]
    world.start_telling()
    world.run_until(10_000)
    assert all(group.home is not None for group in world.chief.director.state.groups), (
        "every group has its first owner after ten seconds"
    )
    return world
