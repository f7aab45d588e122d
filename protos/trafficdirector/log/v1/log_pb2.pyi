from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LogEntry(_message.Message):
    __slots__ = ("version", "apply_manifest", "record_verdicts", "grant_ownership", "start_run", "advance_run", "abort_run", "set_region_drained", "set_override", "start_generation")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    APPLY_MANIFEST_FIELD_NUMBER: _ClassVar[int]
    RECORD_VERDICTS_FIELD_NUMBER: _ClassVar[int]
    GRANT_OWNERSHIP_FIELD_NUMBER: _ClassVar[int]
    START_RUN_FIELD_NUMBER: _ClassVar[int]
    ADVANCE_RUN_FIELD_NUMBER: _ClassVar[int]
    ABORT_RUN_FIELD_NUMBER: _ClassVar[int]
    SET_REGION_DRAINED_FIELD_NUMBER: _ClassVar[int]
    SET_OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    START_GENERATION_FIELD_NUMBER: _ClassVar[int]
    version: int
    apply_manifest: ApplyManifest
    record_verdicts: RecordVerdicts
    grant_ownership: GrantOwnership
    start_run: StartRun
    advance_run: AdvanceRun
    abort_run: AbortRun
    set_region_drained: SetRegionDrained
    set_override: SetOverride
    start_generation: StartGeneration
    def __init__(self, version: _Optional[int] = ..., apply_manifest: _Optional[_Union[ApplyManifest, _Mapping]] = ..., record_verdicts: _Optional[_Union[RecordVerdicts, _Mapping]] = ..., grant_ownership: _Optional[_Union[GrantOwnership, _Mapping]] = ..., start_run: _Optional[_Union[StartRun, _Mapping]] = ..., advance_run: _Optional[_Union[AdvanceRun, _Mapping]] = ..., abort_run: _Optional[_Union[AbortRun, _Mapping]] = ..., set_region_drained: _Optional[_Union[SetRegionDrained, _Mapping]] = ..., set_override: _Optional[_Union[SetOverride, _Mapping]] = ..., start_generation: _Optional[_Union[StartGeneration, _Mapping]] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ("version", "state")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    version: int
    state: State
    def __init__(self, version: _Optional[int] = ..., state: _Optional[_Union[State, _Mapping]] = ...) -> None: ...

class Stamp(_message.Message):
    __slots__ = ("at_ms", "wall_ms", "request_id", "actor", "reason", "ask_digest")
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    WALL_MS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ASK_DIGEST_FIELD_NUMBER: _ClassVar[int]
    at_ms: int
    wall_ms: int
    request_id: str
    actor: str
    reason: str
    ask_digest: str
    def __init__(self, at_ms: _Optional[int] = ..., wall_ms: _Optional[int] = ..., request_id: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., ask_digest: _Optional[str] = ...) -> None: ...

class Evidence(_message.Message):
    __slots__ = ("vantage", "finding", "age_ms")
    VANTAGE_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    vantage: str
    finding: str
    age_ms: int
    def __init__(self, vantage: _Optional[str] = ..., finding: _Optional[str] = ..., age_ms: _Optional[int] = ...) -> None: ...

class VerdictChange(_message.Message):
    __slots__ = ("service_id", "region_id", "verdict", "reason", "suspected_at_ms", "evidence")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SUSPECTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    region_id: str
    verdict: str
    reason: str
    suspected_at_ms: int
    evidence: _containers.RepeatedCompositeFieldContainer[Evidence]
    def __init__(self, service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., verdict: _Optional[str] = ..., reason: _Optional[str] = ..., suspected_at_ms: _Optional[int] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ...) -> None: ...

class ApplyManifest(_message.Message):
    __slots__ = ("stamp", "topology", "source", "expected_revision")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    TOPOLOGY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    topology: Topology
    source: str
    expected_revision: int
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., topology: _Optional[_Union[Topology, _Mapping]] = ..., source: _Optional[str] = ..., expected_revision: _Optional[int] = ...) -> None: ...

class RecordVerdicts(_message.Message):
    __slots__ = ("stamp", "changes")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    changes: _containers.RepeatedCompositeFieldContainer[VerdictChange]
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., changes: _Optional[_Iterable[_Union[VerdictChange, _Mapping]]] = ...) -> None: ...

class GrantOwnership(_message.Message):
    __slots__ = ("stamp", "group_id", "home", "expected_epoch")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    HOME_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_EPOCH_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    group_id: str
    home: str
    expected_epoch: int
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., group_id: _Optional[str] = ..., home: _Optional[str] = ..., expected_epoch: _Optional[int] = ...) -> None: ...

class StartRun(_message.Message):
    __slots__ = ("stamp", "kind", "group_id", "target", "expected_epoch", "automatic", "suspected_at_ms", "loss_bound_ms", "accept_loss_ms", "evidence", "covered_at_ms")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_EPOCH_FIELD_NUMBER: _ClassVar[int]
    AUTOMATIC_FIELD_NUMBER: _ClassVar[int]
    SUSPECTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    LOSS_BOUND_MS_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_LOSS_MS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    COVERED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    kind: str
    group_id: str
    target: str
    expected_epoch: int
    automatic: bool
    suspected_at_ms: int
    loss_bound_ms: int
    accept_loss_ms: int
    evidence: _containers.RepeatedCompositeFieldContainer[Evidence]
    covered_at_ms: int
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., kind: _Optional[str] = ..., group_id: _Optional[str] = ..., target: _Optional[str] = ..., expected_epoch: _Optional[int] = ..., automatic: bool = ..., suspected_at_ms: _Optional[int] = ..., loss_bound_ms: _Optional[int] = ..., accept_loss_ms: _Optional[int] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ..., covered_at_ms: _Optional[int] = ...) -> None: ...

class AdvanceRun(_message.Message):
    __slots__ = ("stamp", "run_id", "expected_stage", "stage", "note", "loss_bound_ms")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_STAGE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    LOSS_BOUND_MS_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    run_id: str
    expected_stage: str
    stage: str
    note: str
    loss_bound_ms: int
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., run_id: _Optional[str] = ..., expected_stage: _Optional[str] = ..., stage: _Optional[str] = ..., note: _Optional[str] = ..., loss_bound_ms: _Optional[int] = ...) -> None: ...

class AbortRun(_message.Message):
    __slots__ = ("stamp", "run_id", "expected_stage", "cause", "note")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_STAGE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    run_id: str
    expected_stage: str
    cause: str
    note: str
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., run_id: _Optional[str] = ..., expected_stage: _Optional[str] = ..., cause: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class SetRegionDrained(_message.Message):
    __slots__ = ("stamp", "region_id", "drained")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    DRAINED_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    region_id: str
    drained: bool
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., region_id: _Optional[str] = ..., drained: bool = ...) -> None: ...

class SetOverride(_message.Message):
    __slots__ = ("stamp", "service_id", "region_id", "override")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    service_id: str
    region_id: str
    override: str
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., override: _Optional[str] = ...) -> None: ...

class FencingToken(_message.Message):
    __slots__ = ("generation", "epoch")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    generation: int
    epoch: int
    def __init__(self, generation: _Optional[int] = ..., epoch: _Optional[int] = ...) -> None: ...

class TokenShown(_message.Message):
    __slots__ = ("group_id", "region_id", "agent_id", "token", "home")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    HOME_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    region_id: str
    agent_id: str
    token: FencingToken
    home: str
    def __init__(self, group_id: _Optional[str] = ..., region_id: _Optional[str] = ..., agent_id: _Optional[str] = ..., token: _Optional[_Union[FencingToken, _Mapping]] = ..., home: _Optional[str] = ...) -> None: ...

class StartGeneration(_message.Message):
    __slots__ = ("stamp", "generation", "expected_generation", "shown")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    SHOWN_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    generation: int
    expected_generation: int
    shown: _containers.RepeatedCompositeFieldContainer[TokenShown]
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., generation: _Optional[int] = ..., expected_generation: _Optional[int] = ..., shown: _Optional[_Iterable[_Union[TokenShown, _Mapping]]] = ...) -> None: ...

class Topology(_message.Message):
    __slots__ = ("fleet_id", "regions", "links", "services", "policies")
    FLEET_ID_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    fleet_id: str
    regions: _containers.RepeatedCompositeFieldContainer[RegionSpec]
    links: _containers.RepeatedCompositeFieldContainer[LinkSpec]
    services: _containers.RepeatedCompositeFieldContainer[ServiceSpec]
    policies: _containers.RepeatedCompositeFieldContainer[Policy]
    def __init__(self, fleet_id: _Optional[str] = ..., regions: _Optional[_Iterable[_Union[RegionSpec, _Mapping]]] = ..., links: _Optional[_Iterable[_Union[LinkSpec, _Mapping]]] = ..., services: _Optional[_Iterable[_Union[ServiceSpec, _Mapping]]] = ..., policies: _Optional[_Iterable[_Union[Policy, _Mapping]]] = ...) -> None: ...

class Location(_message.Message):
    __slots__ = ("lat", "lon")
    LAT_FIELD_NUMBER: _ClassVar[int]
    LON_FIELD_NUMBER: _ClassVar[int]
    lat: float
    lon: float
    def __init__(self, lat: _Optional[float] = ..., lon: _Optional[float] = ...) -> None: ...

class RegionSpec(_message.Message):
    __slots__ = ("region_id", "location", "jurisdiction", "failure_domain")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    JURISDICTION_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    location: Location
    jurisdiction: str
    failure_domain: str
    def __init__(self, region_id: _Optional[str] = ..., location: _Optional[_Union[Location, _Mapping]] = ..., jurisdiction: _Optional[str] = ..., failure_domain: _Optional[str] = ...) -> None: ...

class LinkSpec(_message.Message):
    __slots__ = ("region_a", "region_b", "rtt_us")
    REGION_A_FIELD_NUMBER: _ClassVar[int]
    REGION_B_FIELD_NUMBER: _ClassVar[int]
    RTT_US_FIELD_NUMBER: _ClassVar[int]
    region_a: str
    region_b: str
    rtt_us: int
    def __init__(self, region_a: _Optional[str] = ..., region_b: _Optional[str] = ..., rtt_us: _Optional[int] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("policy_id", "automation", "hold_ms", "min_interval_ms", "concurrent_max", "serving_regions_min", "require_lag_within_rpo", "failback_soak_ms")
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    AUTOMATION_FIELD_NUMBER: _ClassVar[int]
    HOLD_MS_FIELD_NUMBER: _ClassVar[int]
    MIN_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    CONCURRENT_MAX_FIELD_NUMBER: _ClassVar[int]
    SERVING_REGIONS_MIN_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_LAG_WITHIN_RPO_FIELD_NUMBER: _ClassVar[int]
    FAILBACK_SOAK_MS_FIELD_NUMBER: _ClassVar[int]
    policy_id: str
    automation: str
    hold_ms: int
    min_interval_ms: int
    concurrent_max: int
    serving_regions_min: int
    require_lag_within_rpo: bool
    failback_soak_ms: int
    def __init__(self, policy_id: _Optional[str] = ..., automation: _Optional[str] = ..., hold_ms: _Optional[int] = ..., min_interval_ms: _Optional[int] = ..., concurrent_max: _Optional[int] = ..., serving_regions_min: _Optional[int] = ..., require_lag_within_rpo: bool = ..., failback_soak_ms: _Optional[int] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Endpoint(_message.Message):
    __slots__ = ("address", "zone", "labels", "weight")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    address: str
    zone: str
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    weight: int
    def __init__(self, address: _Optional[str] = ..., zone: _Optional[str] = ..., labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ..., weight: _Optional[int] = ...) -> None: ...

class SiteSpec(_message.Message):
    __slots__ = ("region_id", "priority", "weight", "capacity_rps", "endpoints")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_RPS_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    priority: int
    weight: int
    capacity_rps: int
    endpoints: _containers.RepeatedCompositeFieldContainer[Endpoint]
    def __init__(self, region_id: _Optional[str] = ..., priority: _Optional[int] = ..., weight: _Optional[int] = ..., capacity_rps: _Optional[int] = ..., endpoints: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ...) -> None: ...

class ProbeSpec(_message.Message):
    __slots__ = ("kind", "path", "address")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    path: str
    address: str
    def __init__(self, kind: _Optional[str] = ..., path: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class HealthSpec(_message.Message):
    __slots__ = ("every_ms", "probe_timeout_ms", "rise_count", "fall_count", "observers_agree", "probe")
    EVERY_MS_FIELD_NUMBER: _ClassVar[int]
    PROBE_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    RISE_COUNT_FIELD_NUMBER: _ClassVar[int]
    FALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    OBSERVERS_AGREE_FIELD_NUMBER: _ClassVar[int]
    PROBE_FIELD_NUMBER: _ClassVar[int]
    every_ms: int
    probe_timeout_ms: int
    rise_count: int
    fall_count: int
    observers_agree: int
    probe: ProbeSpec
    def __init__(self, every_ms: _Optional[int] = ..., probe_timeout_ms: _Optional[int] = ..., rise_count: _Optional[int] = ..., fall_count: _Optional[int] = ..., observers_agree: _Optional[int] = ..., probe: _Optional[_Union[ProbeSpec, _Mapping]] = ...) -> None: ...

class RoutingSpec(_message.Message):
    __slots__ = ("strategy", "ttl_ms", "panic_per_mille", "all_unhealthy", "sticky")
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    PANIC_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    ALL_UNHEALTHY_FIELD_NUMBER: _ClassVar[int]
    STICKY_FIELD_NUMBER: _ClassVar[int]
    strategy: str
    ttl_ms: int
    panic_per_mille: int
    all_unhealthy: str
    sticky: bool
    def __init__(self, strategy: _Optional[str] = ..., ttl_ms: _Optional[int] = ..., panic_per_mille: _Optional[int] = ..., all_unhealthy: _Optional[str] = ..., sticky: bool = ...) -> None: ...

class ResidencyRule(_message.Message):
    __slots__ = ("subject_jurisdiction", "allow_jurisdictions", "otherwise")
    SUBJECT_JURISDICTION_FIELD_NUMBER: _ClassVar[int]
    ALLOW_JURISDICTIONS_FIELD_NUMBER: _ClassVar[int]
    OTHERWISE_FIELD_NUMBER: _ClassVar[int]
    subject_jurisdiction: str
    allow_jurisdictions: _containers.RepeatedScalarFieldContainer[str]
    otherwise: str
    def __init__(self, subject_jurisdiction: _Optional[str] = ..., allow_jurisdictions: _Optional[_Iterable[str]] = ..., otherwise: _Optional[str] = ...) -> None: ...

class ServiceSpec(_message.Message):
    __slots__ = ("service_id", "mode", "policy_id", "rto_ms", "rpo_ms", "sites", "routing", "residency", "health", "gated")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    RTO_MS_FIELD_NUMBER: _ClassVar[int]
    RPO_MS_FIELD_NUMBER: _ClassVar[int]
    SITES_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    RESIDENCY_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    GATED_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    mode: str
    policy_id: str
    rto_ms: int
    rpo_ms: int
    sites: _containers.RepeatedCompositeFieldContainer[SiteSpec]
    routing: RoutingSpec
    residency: _containers.RepeatedCompositeFieldContainer[ResidencyRule]
    health: HealthSpec
    gated: bool
    def __init__(self, service_id: _Optional[str] = ..., mode: _Optional[str] = ..., policy_id: _Optional[str] = ..., rto_ms: _Optional[int] = ..., rpo_ms: _Optional[int] = ..., sites: _Optional[_Iterable[_Union[SiteSpec, _Mapping]]] = ..., routing: _Optional[_Union[RoutingSpec, _Mapping]] = ..., residency: _Optional[_Iterable[_Union[ResidencyRule, _Mapping]]] = ..., health: _Optional[_Union[HealthSpec, _Mapping]] = ..., gated: bool = ...) -> None: ...

class VerdictRecord(_message.Message):
    __slots__ = ("verdict", "since_ms", "index", "reason", "withheld", "suspected_at_ms", "evidence")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    SUSPECTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    verdict: str
    since_ms: int
    index: int
    reason: str
    withheld: str
    suspected_at_ms: int
    evidence: _containers.RepeatedCompositeFieldContainer[Evidence]
    def __init__(self, verdict: _Optional[str] = ..., since_ms: _Optional[int] = ..., index: _Optional[int] = ..., reason: _Optional[str] = ..., withheld: _Optional[str] = ..., suspected_at_ms: _Optional[int] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ("group_id", "service_id", "epoch", "home", "serving", "granted_index", "granted_at_ms")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HOME_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    GRANTED_INDEX_FIELD_NUMBER: _ClassVar[int]
    GRANTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    service_id: str
    epoch: int
    home: str
    serving: str
    granted_index: int
    granted_at_ms: int
    def __init__(self, group_id: _Optional[str] = ..., service_id: _Optional[str] = ..., epoch: _Optional[int] = ..., home: _Optional[str] = ..., serving: _Optional[str] = ..., granted_index: _Optional[int] = ..., granted_at_ms: _Optional[int] = ...) -> None: ...

class Spent(_message.Message):
    __slots__ = ("phase", "ms", "note")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    MS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    phase: str
    ms: int
    note: str
    def __init__(self, phase: _Optional[str] = ..., ms: _Optional[int] = ..., note: _Optional[str] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("run_id", "kind", "group_id", "service_id", "source", "target", "source_epoch", "stage", "automatic", "started_at_ms", "suspected_at_ms", "stage_at_ms", "rto_ms", "rpo_ms", "loss_bound_ms", "accept_loss_ms", "ledger", "measured_rto_ms", "cause", "actor", "reason", "request_id", "started_wall_ms", "ended_wall_ms", "index", "evidence", "notes", "covered_at_ms")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    SOURCE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    AUTOMATIC_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    SUSPECTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    STAGE_AT_MS_FIELD_NUMBER: _ClassVar[int]
    RTO_MS_FIELD_NUMBER: _ClassVar[int]
    RPO_MS_FIELD_NUMBER: _ClassVar[int]
    LOSS_BOUND_MS_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_LOSS_MS_FIELD_NUMBER: _ClassVar[int]
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    MEASURED_RTO_MS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    ENDED_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    COVERED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    kind: str
    group_id: str
    service_id: str
    source: str
    target: str
    source_epoch: int
    stage: str
    automatic: bool
    started_at_ms: int
    suspected_at_ms: int
    stage_at_ms: int
    rto_ms: int
    rpo_ms: int
    loss_bound_ms: int
    accept_loss_ms: int
    ledger: _containers.RepeatedCompositeFieldContainer[Spent]
    measured_rto_ms: int
    cause: str
    actor: str
    reason: str
    request_id: str
    started_wall_ms: int
    ended_wall_ms: int
    index: int
    evidence: _containers.RepeatedCompositeFieldContainer[Evidence]
    notes: _containers.RepeatedScalarFieldContainer[str]
    covered_at_ms: int
    def __init__(self, run_id: _Optional[str] = ..., kind: _Optional[str] = ..., group_id: _Optional[str] = ..., service_id: _Optional[str] = ..., source: _Optional[str] = ..., target: _Optional[str] = ..., source_epoch: _Optional[int] = ..., stage: _Optional[str] = ..., automatic: bool = ..., started_at_ms: _Optional[int] = ..., suspected_at_ms: _Optional[int] = ..., stage_at_ms: _Optional[int] = ..., rto_ms: _Optional[int] = ..., rpo_ms: _Optional[int] = ..., loss_bound_ms: _Optional[int] = ..., accept_loss_ms: _Optional[int] = ..., ledger: _Optional[_Iterable[_Union[Spent, _Mapping]]] = ..., measured_rto_ms: _Optional[int] = ..., cause: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ..., started_wall_ms: _Optional[int] = ..., ended_wall_ms: _Optional[int] = ..., index: _Optional[int] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ..., notes: _Optional[_Iterable[str]] = ..., covered_at_ms: _Optional[int] = ...) -> None: ...

class RequestOutcome(_message.Message):
    __slots__ = ("request_id", "index", "run_id", "rejected", "message", "ask_digest")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ASK_DIGEST_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    index: int
    run_id: str
    rejected: str
    message: str
    ask_digest: str
    def __init__(self, request_id: _Optional[str] = ..., index: _Optional[int] = ..., run_id: _Optional[str] = ..., rejected: _Optional[str] = ..., message: _Optional[str] = ..., ask_digest: _Optional[str] = ...) -> None: ...

class Removal(_message.Message):
    __slots__ = ("service_id", "region_id", "at_ms")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    region_id: str
    at_ms: int
    def __init__(self, service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., at_ms: _Optional[int] = ...) -> None: ...

class VerdictEntry(_message.Message):
    __slots__ = ("service_id", "region_id", "record")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    region_id: str
    record: VerdictRecord
    def __init__(self, service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., record: _Optional[_Union[VerdictRecord, _Mapping]] = ...) -> None: ...

class OverrideEntry(_message.Message):
    __slots__ = ("service_id", "region_id", "override")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    region_id: str
    override: str
    def __init__(self, service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., override: _Optional[str] = ...) -> None: ...

class ServiceTime(_message.Message):
    __slots__ = ("service_id", "at_ms")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    at_ms: int
    def __init__(self, service_id: _Optional[str] = ..., at_ms: _Optional[int] = ...) -> None: ...

class GroupEpoch(_message.Message):
    __slots__ = ("group_id", "epoch")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    epoch: int
    def __init__(self, group_id: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class State(_message.Message):
    __slots__ = ("generation", "applied_index", "now_ms", "revision", "changed_index", "topology", "manifest_source", "verdicts", "overrides", "drained_regions", "groups", "runs", "run_count", "settled_at_ms", "removals", "requests", "retired_epochs", "generation_due")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    APPLIED_INDEX_FIELD_NUMBER: _ClassVar[int]
    NOW_MS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CHANGED_INDEX_FIELD_NUMBER: _ClassVar[int]
    TOPOLOGY_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_SOURCE_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    DRAINED_REGIONS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    RUN_COUNT_FIELD_NUMBER: _ClassVar[int]
    SETTLED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    REMOVALS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    RETIRED_EPOCHS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_DUE_FIELD_NUMBER: _ClassVar[int]
    generation: int
    applied_index: int
    now_ms: int
    revision: int
    changed_index: int
    topology: Topology
    manifest_source: str
    verdicts: _containers.RepeatedCompositeFieldContainer[VerdictEntry]
    overrides: _containers.RepeatedCompositeFieldContainer[OverrideEntry]
    drained_regions: _containers.RepeatedScalarFieldContainer[str]
    groups: _containers.RepeatedCompositeFieldContainer[Group]
    runs: _containers.RepeatedCompositeFieldContainer[Run]
    run_count: int
    settled_at_ms: _containers.RepeatedCompositeFieldContainer[ServiceTime]
    removals: _containers.RepeatedCompositeFieldContainer[Removal]
    requests: _containers.RepeatedCompositeFieldContainer[RequestOutcome]
    retired_epochs: _containers.RepeatedCompositeFieldContainer[GroupEpoch]
    generation_due: int
    def __init__(self, generation: _Optional[int] = ..., applied_index: _Optional[int] = ..., now_ms: _Optional[int] = ..., revision: _Optional[int] = ..., changed_index: _Optional[int] = ..., topology: _Optional[_Union[Topology, _Mapping]] = ..., manifest_source: _Optional[str] = ..., verdicts: _Optional[_Iterable[_Union[VerdictEntry, _Mapping]]] = ..., overrides: _Optional[_Iterable[_Union[OverrideEntry, _Mapping]]] = ..., drained_regions: _Optional[_Iterable[str]] = ..., groups: _Optional[_Iterable[_Union[Group, _Mapping]]] = ..., runs: _Optional[_Iterable[_Union[Run, _Mapping]]] = ..., run_count: _Optional[int] = ..., settled_at_ms: _Optional[_Iterable[_Union[ServiceTime, _Mapping]]] = ..., removals: _Optional[_Iterable[_Union[Removal, _Mapping]]] = ..., requests: _Optional[_Iterable[_Union[RequestOutcome, _Mapping]]] = ..., retired_epochs: _Optional[_Iterable[_Union[GroupEpoch, _Mapping]]] = ..., generation_due: _Optional[int] = ...) -> None: ...
