"""One simulated region: the real Agent with the real gate, and a guarded service that obeys it."""

from dataclasses import dataclass
from typing import assert_never

from director.core.ids import AgentId
from director.core.timing import DEFAULT_TIMING
from director.routing.table import RegionId, ServiceId
from director.runtime.backoff import Backoff
from regions.actuators.gate import Gates
from regions.core.agent import Agent
from regions.core.effects import (
    Effect,
    KeepTokens,
    KeptTokens,
    MeasureLag,
    Note,
    ProveWrite,
    SendLease,
    SendReport,
    SetGate,
    StartProbe,
)
from regions.core.gate_answer import GateAnswer
from regions.core.ids import AgentId as AgentsOwnId
from regions.core.ids import ReplicaId
from regions.core.inputs import (
    Connected,
    Disconnected,
    Input,
    LagMeasured,
    ProbeFinished,
    Ticked,
    TokensKept,
    WriteProved,
)
from regions.core.readings import ProbeTarget
from regions.core.settings import AgentIdentity, AgentSettings, GuardedService
from tests.sim.clock import NodeClock
from tests.sim.network import Connection, Plane
from tests.sim.process import Process
from tests.sim.replica import Replica
from tests.sim.wire import FromDirector, Hello, Welcome, agent_input
from tests.sim.world import World

SERVICE = ServiceId("chat")
_SLEEP_MS_MAX = 1_000
_LOCAL_MS_MAX = 2
_COPY_EVERY_MS = 250
_COPY_WITHIN_MS = 1_000
_LAG_EVERY_MS = 500
_WELCOME_WAIT_MS = 5_000
_GOOD_STREAM_MS = 2_000


class Service:
    """The guarded service: it acknowledges a write only if its permit is good at that instant."""

    def __init__(self, world: World, region_id: str, clock: NodeClock) -> None:
        self.region_id = region_id
        self.process = Process(f"service {region_id}", region_id, world.schedule, clock)
        self.is_healthy = True
        self.length = 0
        self.regions: dict[str, Region] = {}
        self._world = world
        self._permit: GateAnswer | None = None
        self._copied_from = ""
        self._caught_up_at_ms: int | None = None

    def start(self) -> None:
        self.process.start()
        self._permit = None
        self._copied_from, self._caught_up_at_ms = "", None
        options = self._world.options
        self.process.after(self._world.rng.randint(0, options.write_every_ms), self._write)
        self.process.after(self._world.rng.randint(0, _COPY_EVERY_MS), self._copy)

    # -- writing -----------------------------------------------------------------------------------

    def _write(self) -> None:
        """Begin a write if the permit in hand is good, and have the permit renewed."""
        self.process.after(self._world.options.write_every_ms, self._write)
        gate = self.regions[self.region_id]
        local_ms = self._world.rng.randint(0, _LOCAL_MS_MAX)
        incarnation = self.process.incarnation

        def asked() -> None:
            answer = gate.check()
            self.process.post(lambda: self._permitted(answer), incarnation)

        agent = gate.process
        self._world.schedule.after(local_ms, lambda: agent.post(asked, agent.incarnation))
        if self.is_healthy and self._is_permitted():
            permit = self._permit
            slow = self._world.rng.random() < 0.03
            disk_ms = self._world.rng.randint(1, 400 if slow else 15)
            self.process.after(disk_ms, lambda: self._written(permit))

    def _permitted(self, answer: GateAnswer) -> None:
        self._permit = answer

    def _is_permitted(self) -> bool:
        permit, now_ms = self._permit, self.process.clock.now_ms()
        return permit is not None and permit.may_write and now_ms < permit.deadline_boottime_ms

    def _written(self, begun: GateAnswer | None) -> None:
        """The record is durable: look at the permit again, then acknowledge (A5)."""
        permit = self._permit
        assert begun is not None, "a write begins with a permit"
        if not self._is_permitted() or permit is None or permit.token != begun.token:
            return
        assert permit.token is not None, "a permit to write names its token"
        self.length += 1
        token = (permit.token.generation, permit.token.epoch)
        self._world.trace.count(f"{self.region_id} acknowledges under {token}")
        self._world.watch.acknowledged(self.region_id, token, now_ms=self._world.now_ms)

    # -- copying -----------------------------------------------------------------------------------

    def _copy(self) -> None:
        self.process.after(_COPY_EVERY_MS, self._copy)
        home = "" if self._permit is None or self._permit.home is None else self._permit.home
        if home in ("", self.region_id):
            return
        if home != self._copied_from:
            self._copied_from, self._caught_up_at_ms = home, None
        asked_at_ms = self.process.clock.now_ms()
        source = self.regions[home].service

        def copied(length: int | None) -> None:
            if length is not None and home == self._copied_from:
                self.length = length
                self._caught_up_at_ms = asked_at_ms

        self._world.network.call(
            self.process,
            source.process,
            Plane.SERVICE,
            lambda: source.length,
            copied,
            _COPY_WITHIN_MS,
        )

    def lag_ms(self) -> int | None:
        """How long ago this copy was last known to equal the home; 0 in the home itself."""
        if self._permit is not None and self._permit.home == self.region_id:
            return 0
        if self._caught_up_at_ms is None:
            return None
        return self.process.clock.now_ms() - self._caught_up_at_ms


@dataclass(slots=True)
class _Stream:
    """What this agent has of one director."""

    replica: Replica
    backoff: Backoff
    connection: Connection | None = None
    is_welcomed: bool = False
    began_ms: int = 0


class Region:
    """The agent's process, its disk, and the service beside it."""

    def __init__(
        self, world: World, region_id: str, clock: NodeClock, replicas: dict[str, Replica]
    ) -> None:
        self.region_id = RegionId(region_id)
        self.process = Process(f"agent {region_id}", region_id, world.schedule, clock)
        self.service = Service(world, region_id, clock)
        self.agent: Agent
        self.gates: Gates
        self.regions: dict[str, Region] = {}
        self._world = world
        self._replicas = replicas
        self._streams: dict[str, _Stream] = {}
        self._kept = KeptTokens()
        self._newest_keep: KeepTokens | None = None
        self._keeping: KeepTokens | None = None
        self._starts = 0
        self._timer_at_ms: int | None = None

    # -- life --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the agent with the tokens that its disk kept."""
        self.process.start()
        self._starts += 1
        self._world.trace.note(f"agent {self.region_id} starts")
        self._newest_keep = self._keeping = None
        self._timer_at_ms = None
        self._check_kept()
        identity = AgentIdentity(
            self.region_id, AgentsOwnId(f"{self.region_id}-a"), f"boot-{self._starts}"
        )
        probe = ProbeTarget(SERVICE, self.region_id, f"chat.{self.region_id}:443")
        guarded = GuardedService(
            SERVICE,
            probe,
            lag_every_ms=_LAG_EVERY_MS,
            gate_answer_ms=self._world.options.gate_answer_ms,
        )
        self.agent = Agent(AgentSettings((guarded,)), identity, self._kept)
        self.gates = Gates((SERVICE,), self.process.clock.now_ms)
        self.receive(Ticked())
        for replica_id, replica in self._replicas.items():
            backoff = Backoff(self._world.rng, base_ms=100, cap_ms=5_000)
            self._streams[replica_id] = _Stream(replica, backoff)
            self._open(replica_id)

    def kill(self) -> None:
        """End the agent at once. What was being written may have become durable, or not."""
        self._world.trace.note(f"agent {self.region_id} is killed")
        self.process.kill()
        self._world.network.ended(self.process)
        if self._keeping is not None and self._world.rng.random() < 0.5:
            self._kept = self._keeping.tokens

    # -- the gate ----------------------------------------------------------------------------------

    def check(self) -> GateAnswer:
        """Ask the gate, as the service does."""
        answer = self.gates.check(SERVICE)
        assert answer is not None, "the service is guarded"
        if answer.may_write:
            assert answer.token is not None, "an open gate names its token"
            self._world.watch.permitted(
                self.region_id,
                (answer.token.generation, answer.token.epoch),
                now_ms=self._world.now_ms,
                until_ms=self.process.clock.true_at_ms(answer.deadline_boottime_ms),
            )
        return answer

    # -- the core ----------------------------------------------------------------------------------

    def receive(self, given: Input) -> None:
        for effect in self.agent.receive(given, now_ms=self.process.clock.now_ms()):
            self._carry_out(effect)
        self._arm()

    def _arm(self) -> None:
        now_ms = self.process.clock.now_ms()
        wake_at_ms = self.agent.wake_at_ms()
        if wake_at_ms is None:
            return
        wake_at_ms = min(now_ms + _SLEEP_MS_MAX, max(now_ms, wake_at_ms))
        if self._timer_at_ms is not None and now_ms < self._timer_at_ms <= wake_at_ms:
            return  # it wakes early enough, and arms anew
        self._timer_at_ms = wake_at_ms
        self.process.after(wake_at_ms - now_ms, lambda: self._wake(wake_at_ms))

    def _wake(self, at_ms: int) -> None:
        if self._timer_at_ms == at_ms:
            self._timer_at_ms = None
            self.receive(Ticked())

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case SetGate():
                self.gates.put(effect)
            case SendReport() | SendLease():
                stream = self._streams[effect.director_id]
                if stream.connection is not None:
                    stream.connection.to_server(effect)
            case KeepTokens():
                self._newest_keep = effect
                self._keep_newest()
            case ProveWrite():
                started_at_ms = self.process.clock.now_ms()
                self.process.after(
                    self._disk_ms(),
                    lambda: self.receive(WriteProved(succeeded=True, started_at_ms=started_at_ms)),
                )
            case StartProbe(target):
                self._probe(target)
            case MeasureLag():
                self._measure_lag()
            case Note():
                self._world.trace.note(f"agent {self.region_id}: {effect.event} {effect.values}")
            case _:
                assert_never(effect)

    def _disk_ms(self) -> int:
        return self._world.rng.randint(1, 2 * self._world.options.sync_ms)

    # -- the disk ----------------------------------------------------------------------------------

    def _keep_newest(self) -> None:
        """Write the newest tokens, one write at a time."""
        if self._keeping is None and self._newest_keep is not None:
            self._keeping, self._newest_keep = self._newest_keep, None
            self.process.after(self._disk_ms(), self._kept_now)

    def _kept_now(self) -> None:
        kept, self._keeping = self._keeping, None
        assert kept is not None, "one write is under way"
        self._kept = kept.tokens
        self._check_kept()
        self.receive(TokensKept(kept.write_number))
        self._keep_newest()

    def _check_kept(self) -> None:
        for group in self._kept.groups:
            token = (group.token.generation, group.token.epoch)
            self._world.watch.tokens.kept(self.region_id, token)

    # -- probes ------------------------------------------------------------------------------------

    def _probe(self, target: ProbeTarget) -> None:
        clock = self.process.clock
        started_at_ms = clock.now_ms()
        service = self.regions[target.region_id].service

        def ended(is_healthy: bool | None) -> None:
            passed = is_healthy is True
            rtt_us = 1_000 * (clock.now_ms() - started_at_ms) if passed else None
            self.receive(ProbeFinished(target.key, passed, started_at_ms, rtt_us))

        self._world.network.call(
            self.process,
            service.process,
            Plane.SERVICE,
            lambda: service.is_healthy,
            ended,
            target.timeout_ms,
        )

    def _measure_lag(self) -> None:
        started_at_ms = self.process.clock.now_ms()
        self._world.network.call(
            self.process,
            self.service.process,
            Plane.SERVICE,
            self.service.lag_ms,
            lambda lag_ms: self.receive(LagMeasured(SERVICE, lag_ms, started_at_ms)),
            _COPY_WITHIN_MS,
        )

    # -- the directors ---

    def _open(self, replica_id: str) -> None:
        stream = self._streams[replica_id]
        stream.is_welcomed = False
        stream.began_ms = self.process.clock.now_ms()
        connection = self._world.network.connect(
            self.process,
            stream.replica.process,
            Plane.AGENTS,
            lambda said: self._told(replica_id, connection, said),
            lambda: self._broken(replica_id, connection),
            stream.replica.accept_agent,
        )
        stream.connection = connection
        agent_id = AgentId(self.agent.identity.agent_id)
        connection.to_server(
            Hello(self.region_id, agent_id, self.agent.identity.boot_id, (SERVICE,))
        )
        self.process.after(_WELCOME_WAIT_MS, lambda: self._unwelcomed(replica_id, connection))

    def _unwelcomed(self, replica_id: str, connection: Connection) -> None:
        stream = self._streams[replica_id]
        if stream.connection is connection and not stream.is_welcomed:
            connection.close()
            self._broken(replica_id, connection)

    def _told(self, replica_id: str, connection: Connection, said: FromDirector) -> None:
        stream = self._streams[replica_id]
        if stream.connection is not connection:
            return
        if not stream.is_welcomed:
            assert isinstance(said, Welcome), "a director begins with a welcome"
            stream.is_welcomed = True
            self.receive(Connected(ReplicaId(replica_id)))
        self.receive(agent_input(said, replica_id, DEFAULT_TIMING))

    def _broken(self, replica_id: str, connection: Connection) -> None:
        stream = self._streams[replica_id]
        if stream.connection is not connection:
            return
        stream.connection = None
        if self.process.clock.now_ms() - stream.began_ms >= _GOOD_STREAM_MS:
            stream.backoff.reset()
        if stream.is_welcomed:
            self.receive(Disconnected(ReplicaId(replica_id)))
        self.process.after(stream.backoff.next_delay_ms(), lambda: self._open(replica_id))
