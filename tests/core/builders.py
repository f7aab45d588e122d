"""Unremarkable values for the tests of the core: a test names only what matters to it.

Four regions, each its own failure domain. Three of them also hold a director replica.
"""

from collections.abc import Iterable
from dataclasses import replace

from director.core import machine
from director.core.commands import (
    ApplyManifest,
    Command,
    GrantOwnership,
    RecordVerdicts,
    RunKind,
    StageName,
    Stamp,
    StartRun,
    VerdictChange,
)
from director.core.events import Event, Rejected, RunStarted
from director.core.failover import Bench
from director.core.health import Court
from director.core.ids import AgentId, FencingToken, GroupId, PolicyId, ReplicaId, RunId
from director.core.lease import LeaseBook
from director.core.observation_log import ObservationLog
from director.core.observations import (
    AgentReport,
    GateReading,
    PeerReading,
    Readings,
    ReplicaReport,
    ServiceReading,
    Unanswered,
)
from director.core.reasons import Reason
from director.core.state import Group, Run, State
from director.core.timing import DEFAULT_TIMING, Timing
from director.core.topology import (
    Policy,
    RegionSpec,
    ServiceSpec,
    SiteSpec,
    Topology,
)
from director.routing.table import (
    Endpoint,
    Location,
    RegionId,
    ServiceId,
    ServiceMode,
    Verdict,
)

EU, US, AP, SA = (RegionId(each) for each in ("eu-north1", "us-east1", "ap-south1", "sa-east1"))
REGIONS = (AP, EU, SA, US)
D0, D1, D2 = (ReplicaId(each) for each in ("d0", "d1", "d2"))
# Where each replica runs: its failure domain is the region's.
REPLICA_REGIONS = {D0: EU, D1: US, D2: AP}
CHAT = ServiceId("chat")
WEB = ServiceId("web")
CHAT_GROUP = GroupId("chat/0")

_PLACES = {EU: (60.6, 27.1), US: (38.9, -77.0), AP: (19.1, 72.9), SA: (-23.5, -46.6)}
_JURISDICTIONS = {EU: "EU", US: "US", AP: "IN", SA: "BR"}

DOMAINS = {replica_id: f"fd-{region}" for replica_id, region in REPLICA_REGIONS.items()}


def a_region(region_id: RegionId = EU, **changes: str) -> RegionSpec:
    place = Location(*_PLACES.get(region_id, (0.0, 0.0)))
    jurisdiction = _JURISDICTIONS.get(region_id, "XX")
    spec = RegionSpec(region_id, place, jurisdiction, failure_domain=f"fd-{region_id}")
    return RegionSpec(
        spec.region_id,
        spec.location,
        changes.get("jurisdiction", spec.jurisdiction),
        changes.get("failure_domain", spec.failure_domain),
    )


def a_site(region_id: RegionId, priority: int = 0) -> SiteSpec:
    return SiteSpec(region_id, priority, endpoints=(Endpoint(f"{region_id}.example:8443"),))


def a_service(service_id: ServiceId = CHAT, **changes: object) -> ServiceSpec:
    """An active-passive service that prefers Europe, then the United States, then Asia."""
    spec = ServiceSpec(
        service_id,
        ServiceMode.ACTIVE_PASSIVE,
        PolicyId("default"),
        rto_ms=20_000,
        rpo_ms=10_000,
        sites=(a_site(AP, 2), a_site(EU, 0), a_site(US, 1)),
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def an_active_active(service_id: ServiceId = WEB, **changes: object) -> ServiceSpec:
    """An active-active service in three regions."""
    spec = a_service(
        service_id,
        mode=ServiceMode.ACTIVE_ACTIVE,
        rpo_ms=None,
        sites=(a_site(AP), a_site(EU), a_site(US)),
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def a_policy(**changes: object) -> Policy:
    return replace(Policy(PolicyId("default")), **changes)  # type: ignore[arg-type]


def a_topology(
    *services: ServiceSpec,
    policy: Policy | None = None,
    regions: Iterable[RegionSpec] | None = None,
) -> Topology:
    chosen = services or (a_service(),)
    return Topology(
        fleet_id="test",
        regions=tuple(regions or (a_region(each) for each in REGIONS)),
        services=tuple(sorted(chosen, key=lambda each: each.service_id)),
        policies=() if policy is None else (policy,),
    )


def a_stamp(at_ms: int = 0, request_id: str = "", actor: str = "director") -> Stamp:
    return Stamp(at_ms, request_id=request_id, actor=actor, reason="a test")


class Ledger:
    """A state with the log that made it: commands in, events out."""

    def __init__(self, state: State | None = None) -> None:
        self.state = State() if state is None else state
        self.log: list[Command | None] = []

    def apply(self, command: Command | None) -> Event | None:
        self.state, event = machine.apply(self.state, self.state.applied_index + 1, command)
        self.log.append(command)
        return event

    def must(self, command: Command) -> Event:
        event = self.apply(command)
        assert event is not None
        assert not isinstance(event, Rejected), event
        return event

    def rejection(self, command: Command) -> Reason:
        before = self.state
        event = self.apply(command)
        assert isinstance(event, Rejected), event
        changed = replace(
            self.state,
            applied_index=before.applied_index,
            now_ms=before.now_ms,
            requests=before.requests,
            audit=before.audit,  # who tried what is kept
        )
        assert changed == before, "a rejected command changes nothing"
        return event.reason

    def group(self, group_id: GroupId = CHAT_GROUP) -> Group:
        group = self.state.group(group_id)
        assert group is not None
        return group

    def run(self, run_id: RunId | None = None) -> Run:
        run = self.state.runs[-1] if run_id is None else self.state.run(run_id)
        assert run is not None
        return run

    def token(self, group_id: GroupId = CHAT_GROUP) -> FencingToken:
        return self.state.token(self.group(group_id))


def a_ledger(*services: ServiceSpec, policy: Policy | None = None) -> Ledger:
    """A fleet whose manifest has just been applied; nobody owns anything yet."""
    ledger = Ledger()
    ledger.must(ApplyManifest(a_stamp(), a_topology(*services, policy=policy)))
    return ledger


def an_owned_ledger(
    *services: ServiceSpec, home: RegionId = EU, policy: Policy | None = None
) -> Ledger:
    """A fleet in which ``home`` owns every group at epoch 1."""
    ledger = a_ledger(*services, policy=policy)
    for group in ledger.state.groups:
        ledger.must(GrantOwnership(a_stamp(), group.group_id, home, 0))
    return ledger


def a_verdict(
    verdict: Verdict,
    region_id: RegionId = EU,
    service_id: ServiceId = CHAT,
    *,
    at_ms: int = 0,
    reason: str = "PEERS_FAIL",
) -> RecordVerdicts:
    change = VerdictChange(service_id, region_id, verdict, reason, suspected_at_ms=at_ms)
    return RecordVerdicts(a_stamp(at_ms), (change,))


def a_start(
    target: RegionId = US,
    *,
    epoch: int = 1,
    kind: RunKind = RunKind.FAILOVER,
    automatic: bool = True,
    at_ms: int = 0,
    loss_bound_ms: int | None = 5_000,
    accept_loss_ms: int | None = None,
    group_id: GroupId = CHAT_GROUP,
    request_id: str = "",
) -> StartRun:
    return StartRun(
        a_stamp(at_ms, request_id),
        kind,
        group_id,
        target,
        epoch,
        automatic,
        suspected_at_ms=at_ms,
        loss_bound_ms=loss_bound_ms,
        accept_loss_ms=accept_loss_ms,
    )


def started(ledger: Ledger, command: StartRun | None = None) -> RunId:
    """Start a run that nothing forbids, and return its id."""
    event = ledger.must(a_start(at_ms=ledger.state.now_ms) if command is None else command)
    assert isinstance(event, RunStarted)
    return event.run_id


STAGES = (
    StageName.CONFIRMING,
    StageName.FENCING,
    StageName.PROMOTING,
    StageName.PUBLISHING,
    StageName.VERIFYING,
    StageName.SETTLED,
)
"""The stages of an automatic failover, in order."""


# -- observations ----------------------------------------------------------------------------------


def a_report(
    region_id: RegionId = EU,
    readings: Readings | None = None,
    *,
    counter: int = 1,
    heard_by: ReplicaId = D0,
    age_ms: int = 0,
    boot_id: str = "boot-1",
    agent_id: str = "agent",
    transit_ms_max: int | None = 0,
    unanswered: Unanswered | None = None,
) -> AgentReport:
    return AgentReport(
        region_id,
        AgentId(agent_id),
        boot_id,
        counter,
        readings,
        heard_by,
        age_ms,
        transit_ms_max,
        unanswered,
    )


def says(
    *services: ServiceReading,
    peers: Iterable[PeerReading] = (),
    gates: Iterable[GateReading] = (),
) -> Readings:
    return Readings(services=services, peers=tuple(peers), gates=tuple(gates))


def a_service_reading(
    passing: bool | None = True,
    *,
    service_id: ServiceId = CHAT,
    lag_ms: int | None = 0,
    lag_age_ms: int = 0,
) -> ServiceReading:
    return ServiceReading(service_id, passing, lag_ms, lag_age_ms)


def says_lag(lag_ms: int | None, *, epoch: int = 1) -> Readings:
    """Readings of a copy that follows the home of ``epoch``, and is so far behind it."""
    return says(a_service_reading(lag_ms=lag_ms), gates=[a_gate(epoch, is_open=False)])


def a_peer_reading(
    region_id: RegionId,
    passing: bool | None = True,
    *,
    service_id: ServiceId = CHAT,
    rounds: int = 10,
    failing_for_ms: int | None = None,
    age_ms: int = 0,
) -> PeerReading:
    """A peer's word; one that fails began to a moment ago unless the test says otherwise."""
    if failing_for_ms is None:
        failing_for_ms = 0 if passing else 1
    return PeerReading(service_id, region_id, passing, rounds, failing_for_ms, age_ms)


def a_gate(
    epoch: int = 1, *, is_open: bool = True, demoted: int | None = None, group: GroupId = CHAT_GROUP
) -> GateReading:
    promised = None if demoted is None else FencingToken(1, demoted)
    return GateReading(group, FencingToken(1, epoch), is_open, promised)


class Watch:
    """The observations of replica ``d0``, taken in one by one at times the test chooses."""

    def __init__(self, topology: Topology | None = None, timing: Timing = DEFAULT_TIMING) -> None:
        self.topology = a_topology() if topology is None else topology
        self.log = ObservationLog(self.topology)
        self.timing = timing
        self.domains = dict(DOMAINS)
        self._counter = 0

    def hear(
        self,
        region_id: RegionId,
        readings: Readings | None = None,
        *,
        at_ms: int = 0,
        by: Iterable[ReplicaId] = (D0, D1, D2),
        agent_id: str = "agent",
        unanswered: Unanswered | None = None,
    ) -> bool:
        self._counter += 1
        news = False
        for replica_id in by:
            report = a_report(
                region_id,
                readings,
                counter=self._counter,
                heard_by=replica_id,
                agent_id=agent_id,
                unanswered=unanswered if replica_id == D0 else None,
            )
            is_direct = replica_id == D0
            news = self.log.observe(report, now_ms=at_ms, is_direct=is_direct) or news
        return news

    def replicas_report(
        self, at_ms: int, *, pushed_index: int = 0, who: Iterable[ReplicaId] = (D0, D1, D2)
    ) -> None:
        for replica_id in who:
            report = ReplicaReport(replica_id, DOMAINS[replica_id], pushed_index, 7)
            self.log.observe_replica(report, now_ms=at_ms)

    @property
    def court(self) -> Court:
        return Court(self.log, self.topology, self.timing, self.domains, D0)

    def bench(self, state: State, leases: LeaseBook, now_ms: int) -> Bench:
        return Bench(replace(state, now_ms=max(state.now_ms, now_ms)), self.court, leases, now_ms)
