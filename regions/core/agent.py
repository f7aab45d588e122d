"""The whole agent as one object: input in, effects out.

A shell feeds it what happens, carries out what it asks for in order, and calls it again no later
than ``wake_at_ms``. It is deterministic: equal inputs at equal times give equal effects.
"""

from typing import assert_never

from director.routing.table import RegionId, ServiceId
from regions.core.anti_flap import NO_TRACK
from regions.core.autonomy import Autonomy, touches_gates
from regions.core.effects import (
    Effect,
    KeptGroup,
    KeptTokens,
    MeasureLag,
    MeasureLoad,
    Note,
    ProveWrite,
    StartProbe,
)
from regions.core.fence import Fence
from regions.core.ids import ReplicaId
from regions.core.injection import Injections
from regions.core.inputs import (
    Connected,
    Disconnected,
    GroupDirected,
    InjectionDirected,
    Input,
    LagMeasured,
    LeaseGranted,
    LeaseRefused,
    LoadMeasured,
    ProbeFinished,
    ProbesDirected,
    Pulsed,
    Stopping,
    Ticked,
    TokensKept,
    Welcomed,
    WriteProved,
)
from regions.core.lag import LagPlan
from regions.core.links import Links
from regions.core.load import LoadPlan
from regions.core.local_health import LocalHealth
from regions.core.probe_plan import ProbePlan
from regions.core.proof import Proof
from regions.core.readings import (
    PeerReading,
    ProbeTarget,
    Readings,
    ServiceReading,
)
from regions.core.report import Reporter
from regions.core.round_trips import RoundTrips
from regions.core.settings import AgentIdentity, AgentSettings, GuardedService

# A verdict on a guarded service that nothing has confirmed for this long is no verdict.
SELF_EVIDENCE_AGE_MS = 5_000


class Agent:
    """Guards services in one region.

    Args:
        settings: What it guards.
        identity: Who it is.
        kept: What KeepTokens last made durable; empty on the very first start.
    """

    def __init__(self, settings: AgentSettings, identity: AgentIdentity, kept: KeptTokens) -> None:
        self.identity = identity
        self._settings = settings
        self._guarded = {each.service_id: each for each in settings.services}
        self._links = Links()
        self._fence = Fence(identity.region_id, kept)
        self._proof = Proof()
        self._injections = Injections(identity.region_id)
        self._autonomy = Autonomy(
            self._fence, self._links, self._proof, settings.lease_renew_ms, self._injections
        )
        self._own = ProbePlan()
        self._peers = ProbePlan()
        self._lags = LagPlan(settings.services)
        self._loads = LoadPlan(settings.services)
        self._round_trips = RoundTrips()
        self._health = LocalHealth()
        self._reporter = Reporter(self._links, settings.heartbeat_ms)
        self._gates_told = self._autonomy.readings()
        self._wake_at_ms: int | None = 0
        self._now_ms: int | None = None
        self._gates_at_ms: int | None = 0
        self._started_at_ms = 0

    def receive(self, given: Input, *, now_ms: int) -> tuple[Effect, ...]:
        """Take one input and return what to do about it, in order."""
        effects: list[Effect] = []
        if self._now_ms is None:
            effects += self._started(now_ms)
        else:
            self._health.woke(due_at_ms=self._wake_at_ms, now_ms=now_ms)
        # Boot time does not go back; an input stamped before another one does.
        now_ms = self._now_ms = max(now_ms, self._now_ms or 0)
        if isinstance(given, Pulsed) and not self._is_due(now_ms):
            # A third of all inputs, and it makes nothing due.
            self._links.pulsed(given.director_id, given.sent_at, now_ms=now_ms)
            return ()
        effects += self._taken(given, now_ms)
        effects += self._due(now_ms, gates=touches_gates(given, self.identity.region_id))
        self._wake_at_ms = self._next_wake_at_ms(now_ms)
        return tuple(effects)

    def wake_at_ms(self) -> int | None:
        """Return when to send Ticked at the latest, or None if there is nothing to wait for."""
        return self._wake_at_ms

    def readings(self, *, now_ms: int) -> Readings:
        """Return what a report made now says."""
        readings = Readings(
            services=tuple(self._own_reading(each, now_ms) for each in self._settings.services),
            peers=tuple(self._peer_reading(pair, now_ms) for pair in self._peers.pairs()),
            round_trips=self._round_trips.readings(),
            gates=self._autonomy.readings(),
        )
        return self._injections.heard(readings)

    def _started(self, now_ms: int) -> list[Effect]:
        self._started_at_ms = now_ms
        self._own.replace(
            [each.probe for each in self._settings.services], now_ms=now_ms, spread=False
        )
        self._lags.start(now_ms=now_ms)
        self._loads.start(now_ms=now_ms)
        effects: list[Effect] = []
        for group_id in self._fence.group_ids():
            group = self._fence.latest(group_id)
            own = self._guarded.get(group.service_id)
            if own is not None:
                effects += self._guard(group, own)
                # An answer of the process before may still name an earlier home.
                self._lags.follow_anew(own.service_id, not_before_ms=now_ms + own.gate_answer_ms)
        self._pace(now_ms)
        return effects

    def _guard(self, group: KeptGroup, service: GuardedService) -> tuple[Effect, ...]:
        return self._autonomy.guard(
            group, answer_ms=service.gate_answer_ms, started_at_ms=self._started_at_ms
        )

    def _taken(self, given: Input, now_ms: int) -> tuple[Effect, ...]:  # noqa: PLR0911 - one each
        match given:
            case Connected() | Disconnected() | Welcomed() | Pulsed() | ProbesDirected():
                return self._heard(given, now_ms)
            case GroupDirected():
                return self._directed(given, now_ms)
            case InjectionDirected():
                return self._bent(self._injections.directed(given, now_ms=now_ms))
            case LeaseGranted():
                return self._autonomy.granted(given, now_ms=now_ms)
            case LeaseRefused():
                return self._autonomy.refused(given, now_ms=now_ms)
            case ProbeFinished() | LagMeasured() | LoadMeasured() | WriteProved():
                return self._seen(given, now_ms)
            case TokensKept() | Stopping() | Ticked():
                return self._noticed(given, now_ms)
            case _:
                assert_never(given)

    def _noticed(self, given: TokensKept | Stopping | Ticked, now_ms: int) -> tuple[Effect, ...]:
        if isinstance(given, Stopping):
            return self._autonomy.stop(now_ms=now_ms)
        if isinstance(given, TokensKept):
            self._fence.kept(given.write_number)
        return ()

    def _heard(
        self, given: Connected | Disconnected | Welcomed | Pulsed | ProbesDirected, now_ms: int
    ) -> tuple[Effect, ...]:
        match given:
            case Connected(director_id):
                self._links.connected(director_id)
                readings = self.readings(now_ms=now_ms)
                return (self._reporter.greet(director_id, readings, now_ms=now_ms),)
            case Disconnected(director_id):
                self._links.disconnected(director_id)
            case Welcomed():
                self._welcomed(given, now_ms)
            case Pulsed():
                self._links.pulsed(given.director_id, given.sent_at, now_ms=now_ms)
            case ProbesDirected():
                self._links.planned(given.director_id, given.targets)
                self._replan(given.director_id, given.targets, now_ms)
            case _:
                assert_never(given)
        return ()

    def _welcomed(self, given: Welcomed, now_ms: int) -> None:
        self._reporter.heartbeat_ms = given.heartbeat_ms
        self._autonomy.lease_renew_ms = given.lease_renew_ms
        self._pace(now_ms)
        # A replica that sees no leader does not know better than one that names it.
        if given.leader_id is None:
            return
        if given.leader_id == self._links.leader_id:
            if given.leader_id == given.director_id:
                # Elected a moment ago it still answered NOT_LEADER; now it is in office.
                self._autonomy.leader_changed(now_ms=now_ms)
            return
        self._links.leader_id = given.leader_id
        self._autonomy.leader_changed(now_ms=now_ms)
        plan = self._links.plan()
        if plan is not None:
            self._replan(given.leader_id, plan, now_ms)

    def _replan(
        self, director_id: ReplicaId, targets: tuple[ProbeTarget, ...], now_ms: int
    ) -> None:
        if director_id != self._links.leader_id and self._links.plan() is not None:
            return
        others = [each for each in targets if each.region_id != self.identity.region_id]
        self._peers.replace(others, now_ms=now_ms, spread=True)
        self._health.looked(self._peers.failing_by_region().items())
        self._reporter.changed(urgently=False)

    def _directed(self, given: GroupDirected, now_ms: int) -> tuple[Effect, ...]:
        service = self._guarded.get(given.service_id)
        if service is None:
            return ()
        if given.demote and given.home != self.identity.region_id:
            # A planned move waits for a sample of this copy from after its home stopped.
            self._lags.hurry(given.service_id, now_ms=now_ms)
        former_home = self._fence.latest_home(given.group_id)
        is_near = given.prepare or given.demote
        keep = self._fence.directed(given)
        if keep is None:
            return self._autonomy.prepare(given.group_id, is_near=is_near, now_ms=now_ms)
        group = self._fence.latest(given.group_id)
        if group.home != former_home:
            not_before_ms = now_ms + service.gate_answer_ms
            self._lags.follow_anew(given.service_id, not_before_ms=not_before_ms)
        effects: list[Effect] = []
        # Doors close before anything is written: the disk may take long.
        if self._autonomy.is_guarding(given.group_id):
            effects += self._autonomy.moved(given.group_id, now_ms=now_ms)
        else:
            effects += self._guard(group, service)
        effects += self._autonomy.prepare(given.group_id, is_near=is_near, now_ms=now_ms)
        values: tuple[tuple[str, str | int], ...] = (
            ("group_id", group.group_id),
            ("token", str(group.token)),
            ("home", group.home or ""),
        )
        effects += (keep, Note("demotion_directed" if given.demote else "group_directed", values))
        effects += self._proved_writes(service.service_id)
        self._pace(now_ms)
        return tuple(effects)

    def _seen(
        self, given: ProbeFinished | LagMeasured | LoadMeasured | WriteProved, now_ms: int
    ) -> tuple[Effect, ...]:
        match given:
            case ProbeFinished():
                watched = self._own.target(given.key) or self._peers.target(given.key)
                target = None if watched is None else self._round_trips.with_way(watched)
                seen = self._injections.probed(given, target, now_ms)
                return () if seen is None else self._probed(seen, now_ms)
            case LagMeasured():
                self._lags.measured(given, now_ms=now_ms)
                is_urgent = self._lags.is_hurried(given.service_id, now_ms=now_ms)
                self._reporter.changed(urgently=is_urgent)
            case LoadMeasured():
                if self._loads.measured(given, now_ms=now_ms):
                    self._reporter.changed(urgently=False)
            case WriteProved():
                self._proof.wrote(succeeded=given.succeeded, started_at_ms=given.started_at_ms)
            case _:
                assert_never(given)
        return ()

    def _probed(self, given: ProbeFinished, now_ms: int) -> tuple[Effect, ...]:
        if given.key.region_id == self.identity.region_id:
            return self._probed_own(given, now_ms)
        self._probed_peer(given, now_ms)
        return ()

    def _probed_own(self, given: ProbeFinished, now_ms: int) -> tuple[Effect, ...]:
        counts = not self._health.is_starved(now_ms=now_ms)
        before = self._own.finished(given, counts=counts, now_ms=now_ms)
        if before is None:
            return ()
        if given.passed:
            self._proof.passed(given.key.service_id, started_at_ms=given.started_at_ms)
        passing = self._own.track(given.key).passing
        is_changed = passing != before.passing
        self._reporter.changed(urgently=is_changed or passing is False)
        if not is_changed:
            return ()
        verdict = "passing" if passing else "failing"
        values = (("service_id", given.key.service_id), ("verdict", verdict))
        return (Note("service_verdict_changed", values),)

    def _probed_peer(self, given: ProbeFinished, now_ms: int) -> None:
        counts = not self._health.is_starved(now_ms=now_ms)
        before = self._peers.finished(given, counts=counts, now_ms=now_ms)
        if before is None:
            return
        track = self._peers.track(given.key)
        if track.is_failing != before.is_failing or before == NO_TRACK:
            self._health.looked(self._peers.failing_by_region().items())
        if given.rtt_us is not None and self._settings.measure_round_trips:
            self._round_trips.measured(given.key.region_id, given.rtt_us)
        # Each further failure is a fresh round that a director may wait for to confirm.
        is_news = track.passing != before.passing or track.passing is False
        self._reporter.changed(urgently=is_news)

    def _is_due(self, now_ms: int) -> bool:
        return self._wake_at_ms is not None and now_ms >= self._wake_at_ms

    def _bent(self, notes: tuple[Note, ...]) -> tuple[Note, ...]:
        if notes:
            self._reporter.changed(urgently=True)
        return notes

    def _due(self, now_ms: int, *, gates: bool) -> list[Effect]:
        effects: list[Effect] = list(self._bent(self._injections.expire(now_ms=now_ms)))
        for ended in self._injections.take_ended(now_ms=now_ms):
            effects += self._probed(ended, now_ms)
        gates = gates or bool(effects)  # who is silent no more may ask for leases again
        for target in self._own.take_due(now_ms=now_ms):
            effects.append(StartProbe(target))
            effects += self._proved_writes(target.service_id)
        for target in self._peers.take_due(now_ms=now_ms):
            effects.append(StartProbe(self._round_trips.with_way(target)))
        for service_id in self._lags.take_due(now_ms=now_ms):
            effects.append(MeasureLag(service_id))
        effects += map(MeasureLoad, self._loads.take_due(now_ms=now_ms))
        if gates or (self._gates_at_ms is not None and now_ms >= self._gates_at_ms):
            effects += self._autonomy.run(now_ms=now_ms)
            self._gates_at_ms = self._autonomy.wake_at_ms(now_ms=now_ms)
            gates_now = self._autonomy.readings()
            if gates_now != self._gates_told:
                self._gates_told = gates_now
                self._reporter.changed(urgently=True)
        doubted = self._health.news(now_ms=now_ms)
        if doubted:
            self._reporter.changed(urgently=True)
        effects += doubted
        if self._reporter.is_due(now_ms=now_ms):
            effects += self._reporter.send(lambda: self.readings(now_ms=now_ms), now_ms=now_ms)
        return effects

    def _proved_writes(self, service_id: ServiceId) -> tuple[Effect, ...]:
        if self._autonomy.wants_proof(service_id) and self._proof.maybe_begin_write():
            return (ProveWrite(),)
        return ()

    def _pace(self, now_ms: int) -> None:
        """Probe what must be proved twice per renewal, however seldom it is probed otherwise."""
        for service in self._settings.services:
            every_ms = service.probe.every_ms
            if self._autonomy.wants_proof(service.service_id):
                every_ms = min(every_ms, max(1, self._autonomy.lease_renew_ms // 2))
            self._own.hurry(service.probe.key, every_ms=every_ms, now_ms=now_ms)

    def _own_reading(self, service: GuardedService, now_ms: int) -> ServiceReading:
        passing = self._own.track(service.probe.key).passing
        last_at_ms = self._own.track(service.probe.key).last_at_ms
        is_old = last_at_ms is None or now_ms - last_at_ms > max(
            SELF_EVIDENCE_AGE_MS, 2 * service.probe.every_ms
        )
        if is_old or (passing is False and self._health.is_starved(now_ms=now_ms)):
            passing = None
        lag_ms, lag_age_ms = self._lags.reading(service.service_id, now_ms=now_ms)
        load_rps = self._loads.load_rps(service.service_id, now_ms=now_ms)
        return ServiceReading(service.service_id, passing, lag_ms, lag_age_ms, load_rps)

    def _peer_reading(self, pair: tuple[ServiceId, RegionId], now_ms: int) -> PeerReading:
        reading = self._peers.reading(pair, now_ms=now_ms)
        if reading.passing is not False or not self._health.doubt(now_ms=now_ms):
            return reading
        return PeerReading(*pair, None, reading.round_count, 0, reading.age_ms)

    def _next_wake_at_ms(self, now_ms: int) -> int | None:
        # Asked after every input, so it is written out: a generator costs more than all it asks.
        first_at_ms = self._gates_at_ms
        for at_ms in (
            self._own.wake_at_ms(),
            self._peers.wake_at_ms(),
            self._lags.wake_at_ms(),
            self._loads.wake_at_ms(),
            self._reporter.wake_at_ms(),
            self._health.wake_at_ms(now_ms=now_ms),
            self._injections.wake_at_ms(),
        ):
            if at_ms is not None and (first_at_ms is None or at_ms < first_at_ms):
                first_at_ms = at_ms
        return first_at_ms
