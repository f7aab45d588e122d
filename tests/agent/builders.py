"""An agent in a made-up world: time, probes and disk under the control of the test."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from director.routing.table import RegionId, ServiceId
from regions.core.agent import Agent
from regions.core.effects import (
    Effect,
    KeepTokens,
    KeptGroup,
    KeptTokens,
    MeasureLag,
    MeasureLoad,
    ProveWrite,
    SendLease,
    SendReport,
    SetGate,
    StartProbe,
)
from regions.core.ids import AgentId, FencingToken, GroupId, ReplicaId
from regions.core.inputs import (
    Connected,
    GroupDirected,
    Input,
    LagMeasured,
    LeaseGranted,
    LoadMeasured,
    ProbeFinished,
    ProbesDirected,
    Ticked,
    TokensKept,
    Welcomed,
    WriteProved,
)
from regions.core.readings import ProbeTarget
from regions.core.settings import AgentIdentity, AgentSettings, GuardedService

HERE = RegionId("eu-west1")
NORTH = RegionId("eu-north1")
EAST = RegionId("us-east1")
CHAT = ServiceId("chat")
GROUP = GroupId("chat/0")
D0, D1, D2 = ReplicaId("d0"), ReplicaId("d1"), ReplicaId("d2")
LEASE_MS = 4_000
# Boot time when the agent starts; not zero, so that a forgotten "since boot" shows.
START_MS = 1_000_000
NOTHING = KeptTokens()


def a_token(epoch: int, generation: int = 1) -> FencingToken:
    return FencingToken(generation, epoch)


def a_target(
    region_id: str = NORTH,
    service_id: str = CHAT,
    address: str = "10.0.0.1:443",
    **named: Any,
) -> ProbeTarget:
    return ProbeTarget(ServiceId(service_id), RegionId(region_id), address, **named)


def a_service(
    name: str = CHAT, *, lag_every_ms: int | None = None, every_ms: int = 500
) -> GuardedService:
    probe = a_target(HERE, name, "127.0.0.1:8080", every_ms=every_ms)
    return GuardedService(ServiceId(name), probe, lag_every_ms=lag_every_ms)


def a_directive(
    epoch: int = 1, home: RegionId | None = HERE, *, demote: bool = False, generation: int = 1
) -> GroupDirected:
    return GroupDirected(GROUP, CHAT, home, a_token(epoch, generation), demote)


def kept(
    epoch: int, home: RegionId | None = HERE, demoted_through: FencingToken | None = None
) -> KeptTokens:
    return KeptTokens((KeptGroup(GROUP, CHAT, a_token(epoch), home, demoted_through),))


@dataclass
class World:
    """Runs an agent. Probes take no time and pass unless their region is in ``failing``."""

    agent: Agent
    now_ms: int = START_MS
    failing: set[str] = field(default_factory=set)
    grants: bool = True
    disk_works: bool = True
    log: list[tuple[int, Effect]] = field(default_factory=list)
    kept: KeptTokens = NOTHING
    gate: SetGate | None = None
    lag_ms: int | None = 7
    load_rps: int | None = None
    probe_ms: int = 0
    _running: list[tuple[int, ProbeFinished]] = field(default_factory=list)

    def give(self, given: Input) -> tuple[Effect, ...]:
        """Give one input, and act out what it asks for."""
        effects = self.agent.receive(given, now_ms=self.now_ms)
        self.log += [(self.now_ms, effect) for effect in effects]
        for effect in effects:
            self._act(effect)
        return effects

    def connect(self, *director_ids: ReplicaId, leader: ReplicaId | None = D0) -> None:
        for director_id in director_ids:
            self.give(Connected(director_id))
            self.give(Welcomed(director_id, leader, 500, LEASE_MS, 1_000))

    def run(self, for_ms: int, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, waking the agent when it asked to be."""
        end_ms = self.now_ms + for_ms
        while not until():
            wake_at_ms = self.agent.wake_at_ms()
            ends = [at_ms for at_ms, _ in self._running]
            due = [at_ms for at_ms in (wake_at_ms, *ends) if at_ms is not None]
            next_ms = max(self.now_ms, min(due, default=end_ms))
            if next_ms >= end_ms:
                self.now_ms = end_ms
                return
            self.now_ms = next_ms
            over = [each for each in self._running if each[0] <= next_ms]
            self._running = [each for each in self._running if each[0] > next_ms]
            for _, finished in over:
                self.give(finished)
            if not over:
                self.give(Ticked())

    def pause(self, for_ms: int) -> None:
        """Stop the process, as SIGSTOP or a suspend does."""
        self.now_ms += for_ms

    def sent(self, kind: type[Effect], since_ms: int = 0) -> list[tuple[int, Effect]]:
        return [(at, each) for at, each in self.log if isinstance(each, kind) and at >= since_ms]

    def reports(self, director_id: ReplicaId = D0, since_ms: int = 0) -> list[SendReport]:
        return [
            each
            for _, each in self.sent(SendReport, since_ms)
            if isinstance(each, SendReport) and each.director_id == director_id
        ]

    def leases(self, since_ms: int = 0) -> list[SendLease]:
        return [each for _, each in self.sent(SendLease, since_ms) if isinstance(each, SendLease)]

    def is_open(self) -> bool:
        gate = self.gate
        return gate is not None and gate.is_open and self.now_ms < gate.deadline_at_ms

    def _act(self, effect: Effect) -> None:
        match effect:
            case StartProbe(target):
                passed = target.region_id not in self.failing
                finished = ProbeFinished(target.key, passed, self.now_ms, 900 if passed else None)
                if self.probe_ms:
                    self._running.append((self.now_ms + self.probe_ms, finished))
                else:
                    self.give(finished)
            case ProveWrite() if self.disk_works:
                self.give(WriteProved(True, self.now_ms))
            case KeepTokens(number, tokens) if self.disk_works:
                self.kept = tokens
                self.give(TokensKept(number))
            case MeasureLag(service_id):
                self.give(LagMeasured(service_id, self.lag_ms, self.now_ms))
            case MeasureLoad(service_id):
                self.give(LoadMeasured(service_id, self.load_rps, self.now_ms))
            case SendLease() if self.grants and effect.director_id == D0:
                self.give(
                    LeaseGranted(effect.group_id, effect.token, effect.request_number, LEASE_MS)
                )
            case SetGate():
                self.gate = effect
            case _:
                pass


def a_world(
    *services: GuardedService,
    tokens: KeptTokens = NOTHING,
    **named: object,
) -> World:
    """Build an agent that was just started."""
    identity = AgentIdentity(HERE, AgentId("a"), "boot-1")
    agent = Agent(AgentSettings(services or (a_service(),)), identity, tokens)
    world = World(agent, kept=tokens, **named)  # type: ignore[arg-type]
    world.give(Ticked())
    return world


def plan(world: World, *targets: ProbeTarget, director_id: ReplicaId = D0) -> None:
    world.give(ProbesDirected(director_id, targets))
