"""A simple, scripted region agent: beats, probes, gate and promise, as the director sees them.

It does what an agent is documented to do and no more; the real one has its own tests. What it may
write, and when it must stop, is recorded for the checker of the world.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from director.core.effects import (
    DirectGroup,
    DirectInjection,
    DirectProbes,
    GrantLease,
    RefuseLease,
)
from director.core.ids import AgentId, FencingToken, GroupId
from director.core.inputs import LeaseAsked
from director.core.observations import (
    AgentReport,
    GateReading,
    PeerReading,
    Readings,
    ServiceReading,
)
from director.routing.table import RegionId, ServiceId
from regions.core.injection import Injections
from regions.core.inputs import InjectionDirected, ProbeFinished
from regions.core.readings import ProbeTarget

if TYPE_CHECKING:
    from regions.core.readings import Readings as AgentReadings
    from tests.core.world import World

FALL_COUNT = 3
PROBE_TIMEOUT_MS = 500
REPROBE_MS = 250
# The last permit a gate gave ends this much later (ADR 0004).
PERMIT_MS = 500
NO_TOKEN = FencingToken(0, 0)

Pair = tuple[ServiceId, RegionId]


@dataclass(slots=True)
class Track:
    """The anti-flap memory of one probed target."""

    every_ms: int
    passing: bool | None = None
    failures: int = 0
    rounds: int = 0
    failing_since_ms: int = 0
    last_ms: int = 0


@dataclass(slots=True)
class Gate:
    """One gate: what the agent knows of the group, and until when it may act."""

    service_id: ServiceId
    home: RegionId | None = None
    token: FencingToken = NO_TOKEN
    until_ms: int = 0
    promised: FencingToken | None = None
    asked_ms: dict[int, int] = field(default_factory=dict)
    was_open: bool = False
    demoting: bool = False


class ScriptedAgent:
    """The one agent of a region."""

    def __init__(self, world: World, region_id: RegionId, phase_ms: int) -> None:
        self.world = world
        self.region_id = region_id
        self.agent_id = AgentId("agent")
        self.boot = 1
        self.is_alive = True
        self.is_cut = False
        self.thaws_ms = 0
        self.phase_ms = phase_ms
        self.opens_gate = True
        self.counter = 0
        self.request = 0
        self.tracks: dict[Pair, Track] = {}
        self.gates: dict[GroupId, Gate] = {}
        self.injections = Injections(region_id)
        self._begin()

    # -- life --------------------------------------------------------------------------------------

    def _begin(self) -> None:
        boot = self.boot
        self.world.after(self.phase_ms, lambda: self._beat(boot))
        self.world.after(self.phase_ms, lambda: self._renew(boot))

    def kill(self) -> None:
        self.is_alive = False
        for gate in self.gates.values():
            # Whoever has a permit may go on to its end; nobody gives another.
            gate.until_ms = min(gate.until_ms, self.world.now_ms + PERMIT_MS)

    def restart(self) -> None:
        """Start again: promises and tokens are durable, leases and opinions are not."""
        self.boot += 1
        self.is_alive = True
        self.counter = 0
        self.tracks = {}
        self.injections = Injections(self.region_id)
        for gate in self.gates.values():
            gate.until_ms, gate.was_open, gate.asked_ms = 0, False, {}
        self.world.greet(self)
        self._begin()

    def _acts(self, boot: int) -> bool:
        return self.is_alive and boot == self.boot

    def _is_frozen(self) -> bool:
        return self.world.now_ms < self.thaws_ms

    # -- reports -----------------------------------------------------------------------------------

    def _beat(self, boot: int) -> None:
        if not self._acts(boot):
            return
        if not self._is_frozen():
            self.report()
        self.world.after(self.world.jittered(500), lambda: self._beat(boot))

    def report(self) -> None:
        self.counter += 1
        readings = self.readings()
        for replica_id in self.world.replica_ids:
            report = AgentReport(
                self.region_id,
                self.agent_id,
                f"boot-{self.boot}",
                self.counter,
                readings,
                heard_by=replica_id,
                transit_ms_max=self.world.transit_ms_max,
            )
            self.world.deliver_report(self, replica_id, report)

    def readings(self) -> Readings:
        now_ms = self.world.now_ms
        services = []
        for service_id in sorted(self.world.guarded(self.region_id)):
            track = self.tracks.get((service_id, self.region_id))
            passing = None if track is None else track.passing
            lag_ms = self.world.lag_ms(service_id, self.region_id)
            load_rps = self.world.load.get((service_id, self.region_id))
            services.append(ServiceReading(service_id, passing, lag_ms, 0, load_rps))
        peers = [
            PeerReading(
                *pair,
                track.passing,
                track.rounds,
                now_ms - track.failing_since_ms if track.failures else 0,
                now_ms - track.last_ms,
            )
            for pair, track in sorted(self.tracks.items())
            if pair[1] != self.region_id
        ]
        gates = [
            GateReading(group_id, gate.token, self.is_open(gate), gate.promised, gate.home)
            for group_id, gate in sorted(self.gates.items())
        ]
        readings = Readings(tuple(services), tuple(peers), (), tuple(gates))
        # The agent's own rules of what a drill bends; between the two processes there is one shape.
        return cast("Readings", self.injections.heard(cast("AgentReadings", readings)))

    def on_injection(self, directed: DirectInjection) -> None:
        given = InjectionDirected(
            directed.drill_id,
            directed.number,
            directed.renewal,
            directed.service_id,
            directed.region_id,
            directed.kind.value,
            directed.share_per_mille,
            directed.delay_ms,
            directed.ttl_ms,
        )
        if self.injections.directed(given, now_ms=self.world.now_ms):
            self._release()
            self.report()
        wake_ms = self.injections.wake_at_ms()
        if wake_ms is not None:
            self.world.at(wake_ms, self._forget_injection)

    def _forget_injection(self) -> None:
        if self.injections.expire(now_ms=self.world.now_ms) and self.is_alive:
            self._release()
            self.report()

    def _bent(self, pair: Pair, *, passed: bool, began_ms: int) -> bool | None:
        """Whether the probe passes as far as a drill lets the agent see it; None: not over yet."""
        target = ProbeTarget(pair[0], pair[1], "", timeout_ms=PROBE_TIMEOUT_MS)
        seen = ProbeFinished(target.key, passed, began_ms)
        bent = self.injections.probed(seen, target, self.world.now_ms)
        return None if bent is None else bent.passed

    # -- probes ------------------------------------------------------------------------------------

    def on_probes(self, directed: DirectProbes) -> None:
        wanted = {(each.service_id, each.region_id): each.every_ms for each in directed.targets}
        for service_id in self.world.guarded(self.region_id):
            wanted[service_id, self.region_id] = 500
        for pair in [each for each in self.tracks if each not in wanted]:
            del self.tracks[pair]
        for pair, every_ms in sorted(wanted.items()):
            if pair not in self.tracks:
                self.tracks[pair] = Track(every_ms, last_ms=self.world.now_ms)
                self._probe(pair, self.boot)

    def _probe(self, pair: Pair, boot: int) -> None:
        if not self._acts(boot) or pair not in self.tracks:
            return
        if self._is_frozen():
            self.world.at(self.thaws_ms, lambda: self._probe(pair, boot))
            return
        track = self.tracks[pair]
        passed, takes_ms = self.world.probe(self.region_id, pair)
        if passed:
            self._finish(pair, track, boot, passed=True, began_ms=self.world.now_ms)
            return
        began_ms = self.world.now_ms
        self.world.after(
            takes_ms, lambda: self._finish(pair, track, boot, passed=False, began_ms=began_ms)
        )

    def _finish(self, pair: Pair, track: Track, boot: int, *, passed: bool, began_ms: int) -> None:
        if not self._acts(boot):
            return
        seen = self._bent(pair, passed=passed, began_ms=began_ms)
        if seen is None:
            self.world.at(began_ms + PROBE_TIMEOUT_MS, self._release)
            return
        self._count(pair, track, boot, passed=seen, began_ms=began_ms)

    def _release(self) -> None:
        """Count the probes whose deadline is over as far as a drill lets the agent see."""
        for ended in self.injections.take_ended(now_ms=self.world.now_ms):
            pair = (ended.key.service_id, ended.key.region_id)
            if pair in self.tracks and self.is_alive:
                began_ms = ended.started_at_ms
                self._count(
                    pair, self.tracks[pair], self.boot, passed=ended.passed, began_ms=began_ms
                )

    def _count(self, pair: Pair, track: Track, boot: int, *, passed: bool, began_ms: int) -> None:
        before = track.passing
        track.rounds += 1
        track.last_ms = self.world.now_ms
        if passed:
            track.failures, track.passing = 0, True
        else:
            track.failing_since_ms = began_ms if track.failures == 0 else track.failing_since_ms
            track.failures += 1
            if track.failures >= FALL_COUNT:
                track.passing = False
        if track.passing is not before:
            self.report()  # evidence that changes goes out at once
        wait_ms = REPROBE_MS if track.failures else track.every_ms
        self.world.after(wait_ms, lambda: self._probe(pair, boot))

    # -- ownership ---------------------------------------------------------------------------------

    def is_open(self, gate: Gate) -> bool:
        return self.is_alive and self.world.now_ms < gate.until_ms

    def on_group(self, directed: DirectGroup) -> None:
        gate = self.gates.setdefault(directed.group_id, Gate(directed.service_id))
        if directed.token < gate.token:
            return  # a stale directive, from a replica that is behind
        is_new = directed.token > gate.token
        gate.home, gate.token = directed.home, directed.token
        if is_new and gate.home == self.region_id:
            gate.demoting = False
            gate.until_ms = 0
            self._ask(directed.group_id, gate)
        elif gate.home != self.region_id and self.is_open(gate):
            gate.until_ms = self.world.now_ms
            self._gate_changed(gate)
        if directed.demote and gate.home == self.region_id and not gate.demoting:
            self._demote(gate)

    def _demote(self, gate: Gate) -> None:
        gate.demoting = True
        token, boot = gate.token, self.boot
        gate.until_ms = min(gate.until_ms, self.world.now_ms + PERMIT_MS)
        self.world.after(PERMIT_MS, lambda: self._promise(gate, token, boot))

    def _promise(self, gate: Gate, token: FencingToken, boot: int) -> None:
        if self._acts(boot) and not self._is_frozen():
            gate.promised = token
            self.report()

    def _renew(self, boot: int) -> None:
        if not self._acts(boot):
            return
        if not self._is_frozen():
            for group_id, gate in sorted(self.gates.items()):
                self._note_closing(gate)
                self._ask(group_id, gate)
        self.world.after(1_000, lambda: self._renew(boot))

    def _ask(self, group_id: GroupId, gate: Gate) -> None:
        has_promised = gate.promised is not None and gate.promised >= gate.token
        if gate.home != self.region_id or has_promised or gate.demoting or not self.opens_gate:
            return
        if self.injections.is_mute(gate.service_id):
            return
        track = self.tracks.get((gate.service_id, self.region_id))
        self.request += 1
        gate.asked_ms[self.request] = self.world.now_ms
        asked = LeaseAsked(
            self.region_id,
            self.agent_id,
            group_id,
            gate.token,
            self.request,
            is_proven=track is not None and track.passing is True,
            is_holding=self.is_open(gate),
        )
        self.world.deliver_ask(self, asked)

    def on_lease(self, answer: GrantLease | RefuseLease) -> None:
        gate = self.gates[answer.group_id]
        asked_ms = gate.asked_ms.pop(answer.request_number, None)
        if asked_ms is None or isinstance(answer, RefuseLease):
            return
        if gate.demoting or answer.token != gate.token or gate.home != self.region_id:
            return
        until_ms = asked_ms + answer.ttl_ms * 9 // 10
        if until_ms <= self.world.now_ms or until_ms <= gate.until_ms:
            return
        gate.until_ms = until_ms
        self.world.check_one_writer(self, answer.group_id)
        self._gate_changed(gate)

    def _note_closing(self, gate: Gate) -> None:
        if gate.was_open and not self.is_open(gate):
            self._gate_changed(gate)

    def _gate_changed(self, gate: Gate) -> None:
        is_open = self.is_open(gate)
        if is_open != gate.was_open:
            gate.was_open = is_open
            self.report()
