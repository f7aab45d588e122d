"""One simulated region: the real Agent with the real gates, and the services beside it."""

from collections.abc import Callable
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
    MeasureLoad,
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
    LoadMeasured,
    ProbeFinished,
    Ticked,
    TokensKept,
    WriteProved,
)
from regions.core.readings import ProbeTarget
from regions.core.settings import AgentIdentity, AgentSettings, GuardedService
from tests.sim.calls import Probed
from tests.sim.clock import NodeClock
from tests.sim.network import Connection, Plane
from tests.sim.process import Process
from tests.sim.replica import Replica
from tests.sim.service import Hosted, Service
from tests.sim.wire import FromDirector, Hello, ReadingsMap, Welcome, agent_input
from tests.sim.world import World

SERVICE = ServiceId("chat")
_SLEEP_MS_MAX = 1_000
_LAG_WITHIN_MS = 1_000
_LAG_EVERY_MS = 500
_WELCOME_WAIT_MS = 5_000
_GOOD_STREAM_MS = 2_000


@dataclass(slots=True)
class _Stream:
    """What this agent has of one director."""

    replica: Replica
    backoff: Backoff
    connection: Connection | None = None
    is_welcomed: bool = False
    began_ms: int = 0


def _nobody_asks(_: SetGate) -> None:
    """Take a change of a gate that nobody watches."""


class Region:
    """The agent's process, its disk, and the services beside it.

    Attributes:
        services: By their ids, sorted; each is a process of its own.
        service: The first of those it was given.
        on_gate: Called with every change of a gate.
    """

    def __init__(
        self,
        world: World,
        region_id: str,
        clock: NodeClock,
        replicas: dict[str, Replica],
        services: tuple[Hosted, ...] = (Hosted(SERVICE),),
    ) -> None:
        self.region_id = RegionId(region_id)
        self.process = Process(f"agent {region_id}", region_id, world.schedule, clock)
        self.services = {
            each.service_id: Service(world, region_id, clock, each)
            for each in sorted(services, key=lambda each: each.service_id)
        }
        self.service = self.services[services[0].service_id]
        self.agent: Agent
        self.gates: Gates
        self.on_gate: Callable[[SetGate], None] = _nobody_asks
        self._regions: dict[str, Region] = {}
        self._readings = ReadingsMap()
        self._service_ids = tuple(self.services)
        self._world = world
        self._replicas = replicas
        self._streams: dict[str, _Stream] = {}
        self._kept = KeptTokens()
        self._newest_keep: KeepTokens | None = None
        self._keeping: KeepTokens | None = None
        self._starts = 0
        self._timer_at_ms: int | None = None

    @property
    def regions(self) -> "dict[str, Region]":
        """All regions by their ids, this one included."""
        return self._regions

    @regions.setter
    def regions(self, regions: "dict[str, Region]") -> None:
        self._regions = regions
        for service in self.services.values():
            service.regions = regions

    # -- life --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the agent with the tokens that its disk kept."""
        self.process.start()
        self._starts += 1
        self._world.trace.note(f"agent {self.region_id} starts")
        self._newest_keep = self._keeping = None
        self._timer_at_ms = None
        self._world.watch.agent_started(self.region_id)
        self._check_kept()
        identity = AgentIdentity(
            self.region_id, AgentsOwnId(f"{self.region_id}-a"), f"boot-{self._starts}"
        )
        guarded = tuple(self._guarded(service_id) for service_id in self._service_ids)
        self.agent = Agent(AgentSettings(guarded), identity, self._kept)
        self.gates = Gates(self._service_ids, self.process.clock.now_ms)
        self.receive(Ticked())
        for replica_id, replica in self._replicas.items():
            backoff = Backoff(self._world.rng, base_ms=100, cap_ms=5_000)
            self._streams[replica_id] = _Stream(replica, backoff)
            self._open(replica_id)

    def _guarded(self, service_id: ServiceId) -> GuardedService:
        probe = ProbeTarget(service_id, self.region_id, f"{service_id}.{self.region_id}:443")
        return GuardedService(
            service_id,
            probe,
            lag_every_ms=_LAG_EVERY_MS if self.services[service_id].is_guarded else None,
            gate_answer_ms=self._world.options.gate_answer_ms,
        )

    def kill(self) -> None:
        """End the agent at once. What was being written may have become durable, or not."""
        self._world.trace.note(f"agent {self.region_id} is killed")
        self.process.kill()
        self._world.network.ended(self.process)
        if self._keeping is not None and self._world.rng.random() < 0.5:
            self._kept = self._keeping.tokens

    def starve(self, ms: int) -> None:
        """Have the agent's machine give it hardly any CPU for ``ms`` (fault 29)."""
        self._world.trace.note(f"agent {self.region_id} is starved for {ms} ms")
        self.process.starve(ms)

    # -- the gates ---------------------------------------------------------------------------------

    def check(self, service_id: ServiceId = SERVICE) -> GateAnswer:
        """Ask a gate, as its service does."""
        answer = self.gates.check(service_id)
        assert answer is not None, "the service is guarded"
        if answer.may_write:
            assert answer.token is not None, "an open gate names its token"
            self._world.watch.permitted(
                self.region_id,
                (answer.token.generation, answer.token.epoch),
                now_ms=self._world.now_ms,
                until_ms=self.process.clock.true_at_ms(answer.deadline_boottime_ms),
                service_id=service_id,
            )
        return answer

    # -- the core ----------------------------------------------------------------------------------

    def receive(self, given: Input) -> None:
        for effect in self.agent.receive(given, now_ms=self.process.clock.now_ms()):
            self._carry_out(effect)
        self._arm()

    def _arm(self) -> None:
        wake_at_ms = self.agent.wake_at_ms()
        if wake_at_ms is None or wake_at_ms == self._timer_at_ms:
            return
        now_ms = self.process.clock.now_ms()
        wake_at_ms = min(now_ms + _SLEEP_MS_MAX, max(now_ms, wake_at_ms))
        armed_ms = self._timer_at_ms
        if armed_ms is not None and now_ms < armed_ms <= wake_at_ms:
            return  # it wakes early enough, and arms anew
        self._timer_at_ms = wake_at_ms
        self.process.after(wake_at_ms - now_ms, self._wake)

    def _wake(self) -> None:
        # Of a timer that was set anew for earlier, the later event comes too.
        armed_ms = self._timer_at_ms
        if armed_ms is not None and self.process.clock.now_ms() >= armed_ms:
            self._timer_at_ms = None
            self.receive(Ticked())

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case SendReport() | SendLease():
                if isinstance(effect, SendLease):
                    self._world.watch.lease_asked(self.region_id, effect)
                stream = self._streams[effect.director_id]
                if stream.connection is not None:
                    stream.connection.to_server(effect)
            case StartProbe(target):
                self._probe(target)
            case MeasureLag() | MeasureLoad():
                self._measure(effect)
            case SetGate():
                self.gates.put(effect)
                self.on_gate(effect)
            case KeepTokens():
                self._newest_keep = effect
                self._keep_newest()
            case ProveWrite():
                self.process.after(self._disk_ms(), self._proving())
            case Note():
                self._world.trace.note(f"agent {self.region_id}: {effect.event} {effect.values}")
            case _:
                assert_never(effect)

    def _proving(self) -> Callable[[], None]:
        """Begin to write durably; what is returned is to run when the disk has done it."""
        started_at_ms, true_ms = self.process.clock.now_ms(), self._world.now_ms

        def proved() -> None:
            self._world.watch.proven.wrote(self.region_id, started_ms=true_ms)
            self.receive(WriteProved(succeeded=True, started_at_ms=started_at_ms))

        return proved

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
            promised = group.demoted_through
            self._world.watch.kept(
                self.region_id,
                (group.token.generation, group.token.epoch),
                service_id=group.service_id,
                home=group.home,
                demoted_through=None if promised is None else (promised.generation, promised.epoch),
            )

    # -- probes ------------------------------------------------------------------------------------

    def _probe(self, target: ProbeTarget) -> None:
        clock = self.process.clock
        started_at_ms = clock.now_ms()
        service = self._regions[target.region_id].services.get(target.service_id)

        true_ms = self._world.now_ms

        def ended(found: Probed | None) -> None:
            passed = found is not None and found.value is True
            if passed and target.region_id == self.region_id:
                self._world.watch.proven.passed(
                    self.region_id, started_ms=true_ms, service_id=target.service_id
                )
            rtt_us = None if found is None or not passed else 1_000 * found.rtt_ms
            self.receive(ProbeFinished(target.key, passed, started_at_ms, rtt_us))

        if service is None:
            # Nobody listens at that address.
            self.process.after(target.timeout_ms, lambda: ended(None))
            return
        self._world.network.probe(
            self.process, service.process, service.probed, ended, target.timeout_ms
        )

    def _measure(self, effect: MeasureLag | MeasureLoad) -> None:
        service_id = effect.service_id
        started_at_ms = self.process.clock.now_ms()
        if isinstance(effect, MeasureLoad):
            # No service of the simulated worlds says how much it takes.
            self.receive(LoadMeasured(service_id, None, started_at_ms))
            return
        service = self.services[service_id]
        self._world.network.call(
            self.process,
            service.process,
            Plane.SERVICE,
            service.lag_ms,
            lambda lag_ms: self.receive(LagMeasured(service_id, lag_ms, started_at_ms)),
            _LAG_WITHIN_MS,
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
        boot_id = self.agent.identity.boot_id
        connection.to_server(
            Hello(self.region_id, agent_id, boot_id, self._service_ids, self._readings)
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
