from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LogEntry(_message.Message):
    __slots__ = ("version", "apply_manifest", "record_verdicts", "grant_ownership", "start_run", "advance_run", "abort_run", "set_region_drained", "set_override", "start_generation", "set_automation", "record_intent", "record_spill", "record_deliveries", "start_drill", "advance_drill", "abort_drill")
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
    SET_AUTOMATION_FIELD_NUMBER: _ClassVar[int]
    RECORD_INTENT_FIELD_NUMBER: _ClassVar[int]
    RECORD_SPILL_FIELD_NUMBER: _ClassVar[int]
    RECORD_DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    START_DRILL_FIELD_NUMBER: _ClassVar[int]
    ADVANCE_DRILL_FIELD_NUMBER: _ClassVar[int]
    ABORT_DRILL_FIELD_NUMBER: _ClassVar[int]
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
    set_automation: SetAutomation
    record_intent: RecordIntent
    record_spill: RecordSpill
    record_deliveries: RecordDeliveries
    start_drill: StartDrill
    advance_drill: AdvanceDrill
    abort_drill: AbortDrill
    def __init__(self, version: _Optional[int] = ..., apply_manifest: _Optional[_Union[ApplyManifest, _Mapping]] = ..., record_verdicts: _Optional[_Union[RecordVerdicts, _Mapping]] = ..., grant_ownership: _Optional[_Union[GrantOwnership, _Mapping]] = ..., start_run: _Optional[_Union[StartRun, _Mapping]] = ..., advance_run: _Optional[_Union[AdvanceRun, _Mapping]] = ..., abort_run: _Optional[_Union[AbortRun, _Mapping]] = ..., set_region_drained: _Optional[_Union[SetRegionDrained, _Mapping]] = ..., set_override: _Optional[_Union[SetOverride, _Mapping]] = ..., start_generation: _Optional[_Union[StartGeneration, _Mapping]] = ..., set_automation: _Optional[_Union[SetAutomation, _Mapping]] = ..., record_intent: _Optional[_Union[RecordIntent, _Mapping]] = ..., record_spill: _Optional[_Union[RecordSpill, _Mapping]] = ..., record_deliveries: _Optional[_Union[RecordDeliveries, _Mapping]] = ..., start_drill: _Optional[_Union[StartDrill, _Mapping]] = ..., advance_drill: _Optional[_Union[AdvanceDrill, _Mapping]] = ..., abort_drill: _Optional[_Union[AbortDrill, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("stamp", "topology", "source", "expected_revision", "expected_etag", "restores", "allow_removed", "loads")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    TOPOLOGY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_ETAG_FIELD_NUMBER: _ClassVar[int]
    RESTORES_FIELD_NUMBER: _ClassVar[int]
    ALLOW_REMOVED_FIELD_NUMBER: _ClassVar[int]
    LOADS_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    topology: Topology
    source: str
    expected_revision: int
    expected_etag: str
    restores: int
    allow_removed: _containers.RepeatedScalarFieldContainer[str]
    loads: _containers.RepeatedCompositeFieldContainer[RegionLoad]
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., topology: _Optional[_Union[Topology, _Mapping]] = ..., source: _Optional[str] = ..., expected_revision: _Optional[int] = ..., expected_etag: _Optional[str] = ..., restores: _Optional[int] = ..., allow_removed: _Optional[_Iterable[str]] = ..., loads: _Optional[_Iterable[_Union[RegionLoad, _Mapping]]] = ...) -> None: ...

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
    __slots__ = ("stamp", "kind", "group_id", "target", "expected_epoch", "automatic", "suspected_at_ms", "loss_bound_ms", "accept_loss_ms", "evidence", "covered_at_ms", "load_rps", "waives", "intent_id", "drill_id")
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
    LOAD_RPS_FIELD_NUMBER: _ClassVar[int]
    WAIVES_FIELD_NUMBER: _ClassVar[int]
    INTENT_ID_FIELD_NUMBER: _ClassVar[int]
    DRILL_ID_FIELD_NUMBER: _ClassVar[int]
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
    load_rps: int
    waives: str
    intent_id: str
    drill_id: str
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., kind: _Optional[str] = ..., group_id: _Optional[str] = ..., target: _Optional[str] = ..., expected_epoch: _Optional[int] = ..., automatic: bool = ..., suspected_at_ms: _Optional[int] = ..., loss_bound_ms: _Optional[int] = ..., accept_loss_ms: _Optional[int] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ..., covered_at_ms: _Optional[int] = ..., load_rps: _Optional[int] = ..., waives: _Optional[str] = ..., intent_id: _Optional[str] = ..., drill_id: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("stamp", "region_id", "drained", "loads", "waives")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    DRAINED_FIELD_NUMBER: _ClassVar[int]
    LOADS_FIELD_NUMBER: _ClassVar[int]
    WAIVES_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    region_id: str
    drained: bool
    loads: _containers.RepeatedCompositeFieldContainer[RegionLoad]
    waives: str
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., region_id: _Optional[str] = ..., drained: bool = ..., loads: _Optional[_Iterable[_Union[RegionLoad, _Mapping]]] = ..., waives: _Optional[str] = ...) -> None: ...

class RegionLoad(_message.Message):
    __slots__ = ("service_id", "region_id", "rps")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    RPS_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    region_id: str
    rps: int
    def __init__(self, service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., rps: _Optional[int] = ...) -> None: ...

class SpillSite(_message.Message):
    __slots__ = ("region_id", "per_mille", "load_per_mille", "is_full")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    LOAD_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    IS_FULL_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    per_mille: int
    load_per_mille: int
    is_full: bool
    def __init__(self, region_id: _Optional[str] = ..., per_mille: _Optional[int] = ..., load_per_mille: _Optional[int] = ..., is_full: bool = ...) -> None: ...

class RecordSpill(_message.Message):
    __slots__ = ("stamp", "service_id", "sites", "expected_index")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    SITES_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_INDEX_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    service_id: str
    sites: _containers.RepeatedCompositeFieldContainer[SpillSite]
    expected_index: int
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., service_id: _Optional[str] = ..., sites: _Optional[_Iterable[_Union[SpillSite, _Mapping]]] = ..., expected_index: _Optional[int] = ...) -> None: ...

class SetOverride(_message.Message):
    __slots__ = ("stamp", "service_id", "region_id", "override", "for_ms", "lapsed_at_ms")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    FOR_MS_FIELD_NUMBER: _ClassVar[int]
    LAPSED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    service_id: str
    region_id: str
    override: str
    for_ms: int
    lapsed_at_ms: int
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., override: _Optional[str] = ..., for_ms: _Optional[int] = ..., lapsed_at_ms: _Optional[int] = ...) -> None: ...

class SetAutomation(_message.Message):
    __slots__ = ("stamp", "service_id", "action", "for_ms")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    FOR_MS_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    service_id: str
    action: str
    for_ms: int
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., service_id: _Optional[str] = ..., action: _Optional[str] = ..., for_ms: _Optional[int] = ...) -> None: ...

class RecordIntent(_message.Message):
    __slots__ = ("stamp", "group_id", "state", "intent_id", "outcome", "kind", "target", "expected_epoch", "limit", "suspected_at_ms", "loss_bound_ms", "evidence")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    INTENT_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_EPOCH_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SUSPECTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    LOSS_BOUND_MS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    group_id: str
    state: str
    intent_id: str
    outcome: str
    kind: str
    target: str
    expected_epoch: int
    limit: str
    suspected_at_ms: int
    loss_bound_ms: int
    evidence: _containers.RepeatedCompositeFieldContainer[Evidence]
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., group_id: _Optional[str] = ..., state: _Optional[str] = ..., intent_id: _Optional[str] = ..., outcome: _Optional[str] = ..., kind: _Optional[str] = ..., target: _Optional[str] = ..., expected_epoch: _Optional[int] = ..., limit: _Optional[str] = ..., suspected_at_ms: _Optional[int] = ..., loss_bound_ms: _Optional[int] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ...) -> None: ...

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

class Delivery(_message.Message):
    __slots__ = ("webhook", "through", "lost_count")
    WEBHOOK_FIELD_NUMBER: _ClassVar[int]
    THROUGH_FIELD_NUMBER: _ClassVar[int]
    LOST_COUNT_FIELD_NUMBER: _ClassVar[int]
    webhook: str
    through: int
    lost_count: int
    def __init__(self, webhook: _Optional[str] = ..., through: _Optional[int] = ..., lost_count: _Optional[int] = ...) -> None: ...

class RecordDeliveries(_message.Message):
    __slots__ = ("stamp", "deliveries")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ...) -> None: ...

class AuditRecord(_message.Message):
    __slots__ = ("number", "index", "at_ms", "wall_ms", "actor", "reason", "action", "service_id", "region_id", "run_id", "request_id", "request_hash", "evidence", "result", "refusal", "detail", "before_hash", "hash")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    WALL_MS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_HASH_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    BEFORE_HASH_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    number: int
    index: int
    at_ms: int
    wall_ms: int
    actor: str
    reason: str
    action: str
    service_id: str
    region_id: str
    run_id: str
    request_id: str
    request_hash: str
    evidence: str
    result: str
    refusal: str
    detail: str
    before_hash: str
    hash: str
    def __init__(self, number: _Optional[int] = ..., index: _Optional[int] = ..., at_ms: _Optional[int] = ..., wall_ms: _Optional[int] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., action: _Optional[str] = ..., service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., run_id: _Optional[str] = ..., request_id: _Optional[str] = ..., request_hash: _Optional[str] = ..., evidence: _Optional[str] = ..., result: _Optional[str] = ..., refusal: _Optional[str] = ..., detail: _Optional[str] = ..., before_hash: _Optional[str] = ..., hash: _Optional[str] = ...) -> None: ...

class AuditLog(_message.Message):
    __slots__ = ("count", "head", "first_before_hash", "records")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    FIRST_BEFORE_HASH_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    count: int
    head: str
    first_before_hash: str
    records: _containers.RepeatedCompositeFieldContainer[AuditRecord]
    def __init__(self, count: _Optional[int] = ..., head: _Optional[str] = ..., first_before_hash: _Optional[str] = ..., records: _Optional[_Iterable[_Union[AuditRecord, _Mapping]]] = ...) -> None: ...

class WebhookSpec(_message.Message):
    __slots__ = ("name", "url", "secret_env", "events")
    NAME_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    SECRET_ENV_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    url: str
    secret_env: str
    events: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., url: _Optional[str] = ..., secret_env: _Optional[str] = ..., events: _Optional[_Iterable[str]] = ...) -> None: ...

class Topology(_message.Message):
    __slots__ = ("fleet_id", "regions", "links", "services", "policies", "webhooks", "drill_schedules")
    FLEET_ID_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    WEBHOOKS_FIELD_NUMBER: _ClassVar[int]
    DRILL_SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    fleet_id: str
    regions: _containers.RepeatedCompositeFieldContainer[RegionSpec]
    links: _containers.RepeatedCompositeFieldContainer[LinkSpec]
    services: _containers.RepeatedCompositeFieldContainer[ServiceSpec]
    policies: _containers.RepeatedCompositeFieldContainer[Policy]
    webhooks: _containers.RepeatedCompositeFieldContainer[WebhookSpec]
    drill_schedules: _containers.RepeatedCompositeFieldContainer[DrillSchedule]
    def __init__(self, fleet_id: _Optional[str] = ..., regions: _Optional[_Iterable[_Union[RegionSpec, _Mapping]]] = ..., links: _Optional[_Iterable[_Union[LinkSpec, _Mapping]]] = ..., services: _Optional[_Iterable[_Union[ServiceSpec, _Mapping]]] = ..., policies: _Optional[_Iterable[_Union[Policy, _Mapping]]] = ..., webhooks: _Optional[_Iterable[_Union[WebhookSpec, _Mapping]]] = ..., drill_schedules: _Optional[_Iterable[_Union[DrillSchedule, _Mapping]]] = ...) -> None: ...

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
    __slots__ = ("policy_id", "automation", "hold_ms", "min_interval_ms", "concurrent_max", "serving_regions_min", "require_lag_within_rpo", "failback_soak_ms", "failback_automatic", "flap_half_life_ms", "flap_suppress", "flap_reuse")
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    AUTOMATION_FIELD_NUMBER: _ClassVar[int]
    HOLD_MS_FIELD_NUMBER: _ClassVar[int]
    MIN_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    CONCURRENT_MAX_FIELD_NUMBER: _ClassVar[int]
    SERVING_REGIONS_MIN_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_LAG_WITHIN_RPO_FIELD_NUMBER: _ClassVar[int]
    FAILBACK_SOAK_MS_FIELD_NUMBER: _ClassVar[int]
    FAILBACK_AUTOMATIC_FIELD_NUMBER: _ClassVar[int]
    FLAP_HALF_LIFE_MS_FIELD_NUMBER: _ClassVar[int]
    FLAP_SUPPRESS_FIELD_NUMBER: _ClassVar[int]
    FLAP_REUSE_FIELD_NUMBER: _ClassVar[int]
    policy_id: str
    automation: str
    hold_ms: int
    min_interval_ms: int
    concurrent_max: int
    serving_regions_min: int
    require_lag_within_rpo: bool
    failback_soak_ms: int
    failback_automatic: bool
    flap_half_life_ms: int
    flap_suppress: int
    flap_reuse: int
    def __init__(self, policy_id: _Optional[str] = ..., automation: _Optional[str] = ..., hold_ms: _Optional[int] = ..., min_interval_ms: _Optional[int] = ..., concurrent_max: _Optional[int] = ..., serving_regions_min: _Optional[int] = ..., require_lag_within_rpo: bool = ..., failback_soak_ms: _Optional[int] = ..., failback_automatic: bool = ..., flap_half_life_ms: _Optional[int] = ..., flap_suppress: _Optional[int] = ..., flap_reuse: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("every_ms", "probe_timeout_ms", "rise_count", "fall_count", "observers_agree", "probe", "forgive_count")
    EVERY_MS_FIELD_NUMBER: _ClassVar[int]
    PROBE_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    RISE_COUNT_FIELD_NUMBER: _ClassVar[int]
    FALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    OBSERVERS_AGREE_FIELD_NUMBER: _ClassVar[int]
    PROBE_FIELD_NUMBER: _ClassVar[int]
    FORGIVE_COUNT_FIELD_NUMBER: _ClassVar[int]
    every_ms: int
    probe_timeout_ms: int
    rise_count: int
    fall_count: int
    observers_agree: int
    probe: ProbeSpec
    forgive_count: int
    def __init__(self, every_ms: _Optional[int] = ..., probe_timeout_ms: _Optional[int] = ..., rise_count: _Optional[int] = ..., fall_count: _Optional[int] = ..., observers_agree: _Optional[int] = ..., probe: _Optional[_Union[ProbeSpec, _Mapping]] = ..., forgive_count: _Optional[int] = ...) -> None: ...

class RoutingSpec(_message.Message):
    __slots__ = ("strategy", "ttl_ms", "panic_per_mille", "all_unhealthy", "sticky", "spill_per_mille")
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    PANIC_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    ALL_UNHEALTHY_FIELD_NUMBER: _ClassVar[int]
    STICKY_FIELD_NUMBER: _ClassVar[int]
    SPILL_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    strategy: str
    ttl_ms: int
    panic_per_mille: int
    all_unhealthy: str
    sticky: bool
    spill_per_mille: int
    def __init__(self, strategy: _Optional[str] = ..., ttl_ms: _Optional[int] = ..., panic_per_mille: _Optional[int] = ..., all_unhealthy: _Optional[str] = ..., sticky: bool = ..., spill_per_mille: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("run_id", "kind", "group_id", "service_id", "source", "target", "source_epoch", "stage", "automatic", "started_at_ms", "suspected_at_ms", "stage_at_ms", "rto_ms", "rpo_ms", "loss_bound_ms", "accept_loss_ms", "ledger", "measured_rto_ms", "cause", "actor", "reason", "request_id", "started_wall_ms", "ended_wall_ms", "index", "evidence", "notes", "covered_at_ms", "drill_id")
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
    DRILL_ID_FIELD_NUMBER: _ClassVar[int]
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
    drill_id: str
    def __init__(self, run_id: _Optional[str] = ..., kind: _Optional[str] = ..., group_id: _Optional[str] = ..., service_id: _Optional[str] = ..., source: _Optional[str] = ..., target: _Optional[str] = ..., source_epoch: _Optional[int] = ..., stage: _Optional[str] = ..., automatic: bool = ..., started_at_ms: _Optional[int] = ..., suspected_at_ms: _Optional[int] = ..., stage_at_ms: _Optional[int] = ..., rto_ms: _Optional[int] = ..., rpo_ms: _Optional[int] = ..., loss_bound_ms: _Optional[int] = ..., accept_loss_ms: _Optional[int] = ..., ledger: _Optional[_Iterable[_Union[Spent, _Mapping]]] = ..., measured_rto_ms: _Optional[int] = ..., cause: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ..., started_wall_ms: _Optional[int] = ..., ended_wall_ms: _Optional[int] = ..., index: _Optional[int] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ..., notes: _Optional[_Iterable[str]] = ..., covered_at_ms: _Optional[int] = ..., drill_id: _Optional[str] = ...) -> None: ...

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

class Pause(_message.Message):
    __slots__ = ("service_id", "until_ms", "until_wall_ms", "began_at_ms", "began_wall_ms", "actor", "reason")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    BEGAN_AT_MS_FIELD_NUMBER: _ClassVar[int]
    BEGAN_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    until_ms: int
    until_wall_ms: int
    began_at_ms: int
    began_wall_ms: int
    actor: str
    reason: str
    def __init__(self, service_id: _Optional[str] = ..., until_ms: _Optional[int] = ..., until_wall_ms: _Optional[int] = ..., began_at_ms: _Optional[int] = ..., began_wall_ms: _Optional[int] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class OverrideTerm(_message.Message):
    __slots__ = ("actor", "reason", "expires_at_ms", "expires_wall_ms")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    actor: str
    reason: str
    expires_at_ms: int
    expires_wall_ms: int
    def __init__(self, actor: _Optional[str] = ..., reason: _Optional[str] = ..., expires_at_ms: _Optional[int] = ..., expires_wall_ms: _Optional[int] = ...) -> None: ...

class OverrideTermEntry(_message.Message):
    __slots__ = ("service_id", "region_id", "term")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    region_id: str
    term: OverrideTerm
    def __init__(self, service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., term: _Optional[_Union[OverrideTerm, _Mapping]] = ...) -> None: ...

class Intent(_message.Message):
    __slots__ = ("intent_id", "number", "group_id", "service_id", "kind", "source", "target", "epoch", "mode", "state", "limit", "reason", "suspected_at_ms", "loss_bound_ms", "evidence", "opened_at_ms", "opened_wall_ms", "expires_at_ms", "closed_at_ms", "closed_wall_ms", "outcome", "run_id")
    INTENT_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SUSPECTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    LOSS_BOUND_MS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    OPENED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    OPENED_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    CLOSED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    CLOSED_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    intent_id: str
    number: int
    group_id: str
    service_id: str
    kind: str
    source: str
    target: str
    epoch: int
    mode: str
    state: str
    limit: str
    reason: str
    suspected_at_ms: int
    loss_bound_ms: int
    evidence: _containers.RepeatedCompositeFieldContainer[Evidence]
    opened_at_ms: int
    opened_wall_ms: int
    expires_at_ms: int
    closed_at_ms: int
    closed_wall_ms: int
    outcome: str
    run_id: str
    def __init__(self, intent_id: _Optional[str] = ..., number: _Optional[int] = ..., group_id: _Optional[str] = ..., service_id: _Optional[str] = ..., kind: _Optional[str] = ..., source: _Optional[str] = ..., target: _Optional[str] = ..., epoch: _Optional[int] = ..., mode: _Optional[str] = ..., state: _Optional[str] = ..., limit: _Optional[str] = ..., reason: _Optional[str] = ..., suspected_at_ms: _Optional[int] = ..., loss_bound_ms: _Optional[int] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ..., opened_at_ms: _Optional[int] = ..., opened_wall_ms: _Optional[int] = ..., expires_at_ms: _Optional[int] = ..., closed_at_ms: _Optional[int] = ..., closed_wall_ms: _Optional[int] = ..., outcome: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class Flap(_message.Message):
    __slots__ = ("service_id", "penalty", "at_ms", "suppressed", "lossy_run_id")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    PENALTY_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    SUPPRESSED_FIELD_NUMBER: _ClassVar[int]
    LOSSY_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    penalty: int
    at_ms: int
    suppressed: bool
    lossy_run_id: str
    def __init__(self, service_id: _Optional[str] = ..., penalty: _Optional[int] = ..., at_ms: _Optional[int] = ..., suppressed: bool = ..., lossy_run_id: _Optional[str] = ...) -> None: ...

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

class Revision(_message.Message):
    __slots__ = ("revision", "index", "wall_ms", "actor", "reason", "summary", "etag", "source", "restores")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    WALL_MS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    RESTORES_FIELD_NUMBER: _ClassVar[int]
    revision: int
    index: int
    wall_ms: int
    actor: str
    reason: str
    summary: str
    etag: str
    source: str
    restores: int
    def __init__(self, revision: _Optional[int] = ..., index: _Optional[int] = ..., wall_ms: _Optional[int] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., summary: _Optional[str] = ..., etag: _Optional[str] = ..., source: _Optional[str] = ..., restores: _Optional[int] = ...) -> None: ...

class SpillRecord(_message.Message):
    __slots__ = ("per_mille", "load_per_mille", "is_full", "since_ms", "index")
    PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    LOAD_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    IS_FULL_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    per_mille: int
    load_per_mille: int
    is_full: bool
    since_ms: int
    index: int
    def __init__(self, per_mille: _Optional[int] = ..., load_per_mille: _Optional[int] = ..., is_full: bool = ..., since_ms: _Optional[int] = ..., index: _Optional[int] = ...) -> None: ...

class SpillEntry(_message.Message):
    __slots__ = ("service_id", "region_id", "record")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    region_id: str
    record: SpillRecord
    def __init__(self, service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., record: _Optional[_Union[SpillRecord, _Mapping]] = ...) -> None: ...

class DrillScenario(_message.Message):
    __slots__ = ("kind", "region_id", "share_per_mille", "delay_ms")
    KIND_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    SHARE_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    region_id: str
    share_per_mille: int
    delay_ms: int
    def __init__(self, kind: _Optional[str] = ..., region_id: _Optional[str] = ..., share_per_mille: _Optional[int] = ..., delay_ms: _Optional[int] = ...) -> None: ...

class RegionState(_message.Message):
    __slots__ = ("region_id", "verdict")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    verdict: str
    def __init__(self, region_id: _Optional[str] = ..., verdict: _Optional[str] = ...) -> None: ...

class DrillCondition(_message.Message):
    __slots__ = ("region_states", "failover_in_progress")
    REGION_STATES_FIELD_NUMBER: _ClassVar[int]
    FAILOVER_IN_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    region_states: _containers.RepeatedCompositeFieldContainer[RegionState]
    failover_in_progress: bool
    def __init__(self, region_states: _Optional[_Iterable[_Union[RegionState, _Mapping]]] = ..., failover_in_progress: bool = ...) -> None: ...

class DrillWindow(_message.Message):
    __slots__ = ("first_weekday", "last_weekday", "from_minute", "to_minute")
    FIRST_WEEKDAY_FIELD_NUMBER: _ClassVar[int]
    LAST_WEEKDAY_FIELD_NUMBER: _ClassVar[int]
    FROM_MINUTE_FIELD_NUMBER: _ClassVar[int]
    TO_MINUTE_FIELD_NUMBER: _ClassVar[int]
    first_weekday: int
    last_weekday: int
    from_minute: int
    to_minute: int
    def __init__(self, first_weekday: _Optional[int] = ..., last_weekday: _Optional[int] = ..., from_minute: _Optional[int] = ..., to_minute: _Optional[int] = ...) -> None: ...

class LocalMoment(_message.Message):
    __slots__ = ("date", "weekday", "minute")
    DATE_FIELD_NUMBER: _ClassVar[int]
    WEEKDAY_FIELD_NUMBER: _ClassVar[int]
    MINUTE_FIELD_NUMBER: _ClassVar[int]
    date: str
    weekday: int
    minute: int
    def __init__(self, date: _Optional[str] = ..., weekday: _Optional[int] = ..., minute: _Optional[int] = ...) -> None: ...

class DrillSpec(_message.Message):
    __slots__ = ("service_id", "scenario", "for_ms", "expect_rto_ms", "expect_rpo_ms", "abort_when", "skip_when", "allowed_windows", "blocked_dates")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    FOR_MS_FIELD_NUMBER: _ClassVar[int]
    EXPECT_RTO_MS_FIELD_NUMBER: _ClassVar[int]
    EXPECT_RPO_MS_FIELD_NUMBER: _ClassVar[int]
    ABORT_WHEN_FIELD_NUMBER: _ClassVar[int]
    SKIP_WHEN_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_WINDOWS_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_DATES_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    scenario: DrillScenario
    for_ms: int
    expect_rto_ms: int
    expect_rpo_ms: int
    abort_when: _containers.RepeatedCompositeFieldContainer[DrillCondition]
    skip_when: _containers.RepeatedCompositeFieldContainer[DrillCondition]
    allowed_windows: _containers.RepeatedCompositeFieldContainer[DrillWindow]
    blocked_dates: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, service_id: _Optional[str] = ..., scenario: _Optional[_Union[DrillScenario, _Mapping]] = ..., for_ms: _Optional[int] = ..., expect_rto_ms: _Optional[int] = ..., expect_rpo_ms: _Optional[int] = ..., abort_when: _Optional[_Iterable[_Union[DrillCondition, _Mapping]]] = ..., skip_when: _Optional[_Iterable[_Union[DrillCondition, _Mapping]]] = ..., allowed_windows: _Optional[_Iterable[_Union[DrillWindow, _Mapping]]] = ..., blocked_dates: _Optional[_Iterable[str]] = ...) -> None: ...

class DrillSchedule(_message.Message):
    __slots__ = ("schedule_id", "cron", "timezone", "spec")
    SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    CRON_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    schedule_id: str
    cron: str
    timezone: str
    spec: DrillSpec
    def __init__(self, schedule_id: _Optional[str] = ..., cron: _Optional[str] = ..., timezone: _Optional[str] = ..., spec: _Optional[_Union[DrillSpec, _Mapping]] = ...) -> None: ...

class GuardValue(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class GuardAnswer(_message.Message):
    __slots__ = ("guard", "passed", "message", "values")
    GUARD_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    guard: str
    passed: bool
    message: str
    values: _containers.RepeatedCompositeFieldContainer[GuardValue]
    def __init__(self, guard: _Optional[str] = ..., passed: bool = ..., message: _Optional[str] = ..., values: _Optional[_Iterable[_Union[GuardValue, _Mapping]]] = ...) -> None: ...

class StartDrill(_message.Message):
    __slots__ = ("stamp", "spec", "schedule_id", "occurrence_ms", "local", "guards", "skip_cause", "skip_note")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRENCE_MS_FIELD_NUMBER: _ClassVar[int]
    LOCAL_FIELD_NUMBER: _ClassVar[int]
    GUARDS_FIELD_NUMBER: _ClassVar[int]
    SKIP_CAUSE_FIELD_NUMBER: _ClassVar[int]
    SKIP_NOTE_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    spec: DrillSpec
    schedule_id: str
    occurrence_ms: int
    local: LocalMoment
    guards: _containers.RepeatedCompositeFieldContainer[GuardAnswer]
    skip_cause: str
    skip_note: str
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., spec: _Optional[_Union[DrillSpec, _Mapping]] = ..., schedule_id: _Optional[str] = ..., occurrence_ms: _Optional[int] = ..., local: _Optional[_Union[LocalMoment, _Mapping]] = ..., guards: _Optional[_Iterable[_Union[GuardAnswer, _Mapping]]] = ..., skip_cause: _Optional[str] = ..., skip_note: _Optional[str] = ...) -> None: ...

class AdvanceDrill(_message.Message):
    __slots__ = ("stamp", "drill_id", "expected_stage", "stage", "note", "cause")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    DRILL_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_STAGE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    drill_id: str
    expected_stage: str
    stage: str
    note: str
    cause: str
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., drill_id: _Optional[str] = ..., expected_stage: _Optional[str] = ..., stage: _Optional[str] = ..., note: _Optional[str] = ..., cause: _Optional[str] = ...) -> None: ...

class AbortDrill(_message.Message):
    __slots__ = ("stamp", "drill_id", "cause", "note")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    DRILL_ID_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    stamp: Stamp
    drill_id: str
    cause: str
    note: str
    def __init__(self, stamp: _Optional[_Union[Stamp, _Mapping]] = ..., drill_id: _Optional[str] = ..., cause: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class ViewLine(_message.Message):
    __slots__ = ("subject", "value")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    subject: str
    value: str
    def __init__(self, subject: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class DrillMoment(_message.Message):
    __slots__ = ("stage", "at_ms", "note", "wall_ms")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    WALL_MS_FIELD_NUMBER: _ClassVar[int]
    stage: str
    at_ms: int
    note: str
    wall_ms: int
    def __init__(self, stage: _Optional[str] = ..., at_ms: _Optional[int] = ..., note: _Optional[str] = ..., wall_ms: _Optional[int] = ...) -> None: ...

class DrillPhase(_message.Message):
    __slots__ = ("phase", "ms", "note")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    MS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    phase: str
    ms: int
    note: str
    def __init__(self, phase: _Optional[str] = ..., ms: _Optional[int] = ..., note: _Optional[str] = ...) -> None: ...

class Drill(_message.Message):
    __slots__ = ("drill_id", "number", "spec", "stage", "actor", "reason", "request_id", "schedule_id", "occurrence_ms", "group_id", "home", "started_at_ms", "started_wall_ms", "ended_at_ms", "ended_wall_ms", "stage_at_ms", "injected_at_ms", "renewal", "renewed_at_ms", "baseline", "guards", "run_ids", "timeline", "abort_cause", "abort_note", "verdict", "cause", "measured_rto_ms", "loss_bound_ms", "phases", "evidence", "revision", "state_diff", "report_hash", "index", "rto_budget_ms", "rpo_budget_ms", "configuration")
    DRILL_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRENCE_MS_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    HOME_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    STARTED_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ENDED_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    STAGE_AT_MS_FIELD_NUMBER: _ClassVar[int]
    INJECTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    RENEWAL_FIELD_NUMBER: _ClassVar[int]
    RENEWED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    GUARDS_FIELD_NUMBER: _ClassVar[int]
    RUN_IDS_FIELD_NUMBER: _ClassVar[int]
    TIMELINE_FIELD_NUMBER: _ClassVar[int]
    ABORT_CAUSE_FIELD_NUMBER: _ClassVar[int]
    ABORT_NOTE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    MEASURED_RTO_MS_FIELD_NUMBER: _ClassVar[int]
    LOSS_BOUND_MS_FIELD_NUMBER: _ClassVar[int]
    PHASES_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    STATE_DIFF_FIELD_NUMBER: _ClassVar[int]
    REPORT_HASH_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RTO_BUDGET_MS_FIELD_NUMBER: _ClassVar[int]
    RPO_BUDGET_MS_FIELD_NUMBER: _ClassVar[int]
    CONFIGURATION_FIELD_NUMBER: _ClassVar[int]
    drill_id: str
    number: int
    spec: DrillSpec
    stage: str
    actor: str
    reason: str
    request_id: str
    schedule_id: str
    occurrence_ms: int
    group_id: str
    home: str
    started_at_ms: int
    started_wall_ms: int
    ended_at_ms: int
    ended_wall_ms: int
    stage_at_ms: int
    injected_at_ms: int
    renewal: int
    renewed_at_ms: int
    baseline: _containers.RepeatedCompositeFieldContainer[ViewLine]
    guards: _containers.RepeatedCompositeFieldContainer[GuardAnswer]
    run_ids: _containers.RepeatedScalarFieldContainer[str]
    timeline: _containers.RepeatedCompositeFieldContainer[DrillMoment]
    abort_cause: str
    abort_note: str
    verdict: str
    cause: str
    measured_rto_ms: int
    loss_bound_ms: int
    phases: _containers.RepeatedCompositeFieldContainer[DrillPhase]
    evidence: _containers.RepeatedCompositeFieldContainer[Evidence]
    revision: int
    state_diff: _containers.RepeatedScalarFieldContainer[str]
    report_hash: str
    index: int
    rto_budget_ms: int
    rpo_budget_ms: int
    configuration: str
    def __init__(self, drill_id: _Optional[str] = ..., number: _Optional[int] = ..., spec: _Optional[_Union[DrillSpec, _Mapping]] = ..., stage: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ..., schedule_id: _Optional[str] = ..., occurrence_ms: _Optional[int] = ..., group_id: _Optional[str] = ..., home: _Optional[str] = ..., started_at_ms: _Optional[int] = ..., started_wall_ms: _Optional[int] = ..., ended_at_ms: _Optional[int] = ..., ended_wall_ms: _Optional[int] = ..., stage_at_ms: _Optional[int] = ..., injected_at_ms: _Optional[int] = ..., renewal: _Optional[int] = ..., renewed_at_ms: _Optional[int] = ..., baseline: _Optional[_Iterable[_Union[ViewLine, _Mapping]]] = ..., guards: _Optional[_Iterable[_Union[GuardAnswer, _Mapping]]] = ..., run_ids: _Optional[_Iterable[str]] = ..., timeline: _Optional[_Iterable[_Union[DrillMoment, _Mapping]]] = ..., abort_cause: _Optional[str] = ..., abort_note: _Optional[str] = ..., verdict: _Optional[str] = ..., cause: _Optional[str] = ..., measured_rto_ms: _Optional[int] = ..., loss_bound_ms: _Optional[int] = ..., phases: _Optional[_Iterable[_Union[DrillPhase, _Mapping]]] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ..., revision: _Optional[int] = ..., state_diff: _Optional[_Iterable[str]] = ..., report_hash: _Optional[str] = ..., index: _Optional[int] = ..., rto_budget_ms: _Optional[int] = ..., rpo_budget_ms: _Optional[int] = ..., configuration: _Optional[str] = ...) -> None: ...

class Occurrence(_message.Message):
    __slots__ = ("schedule_id", "at_ms")
    SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    schedule_id: str
    at_ms: int
    def __init__(self, schedule_id: _Optional[str] = ..., at_ms: _Optional[int] = ...) -> None: ...

class State(_message.Message):
    __slots__ = ("generation", "applied_index", "now_ms", "revision", "changed_index", "topology", "manifest_source", "verdicts", "overrides", "drained_regions", "groups", "runs", "run_count", "settled_at_ms", "removals", "requests", "retired_epochs", "generation_due", "pauses", "override_terms", "intents", "flaps", "revisions", "spills", "audit", "deliveries", "drills", "drill_count", "occurrences")
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
    PAUSES_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_TERMS_FIELD_NUMBER: _ClassVar[int]
    INTENTS_FIELD_NUMBER: _ClassVar[int]
    FLAPS_FIELD_NUMBER: _ClassVar[int]
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    SPILLS_FIELD_NUMBER: _ClassVar[int]
    AUDIT_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    DRILLS_FIELD_NUMBER: _ClassVar[int]
    DRILL_COUNT_FIELD_NUMBER: _ClassVar[int]
    OCCURRENCES_FIELD_NUMBER: _ClassVar[int]
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
    pauses: _containers.RepeatedCompositeFieldContainer[Pause]
    override_terms: _containers.RepeatedCompositeFieldContainer[OverrideTermEntry]
    intents: _containers.RepeatedCompositeFieldContainer[Intent]
    flaps: _containers.RepeatedCompositeFieldContainer[Flap]
    revisions: _containers.RepeatedCompositeFieldContainer[Revision]
    spills: _containers.RepeatedCompositeFieldContainer[SpillEntry]
    audit: AuditLog
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    drills: _containers.RepeatedCompositeFieldContainer[Drill]
    drill_count: int
    occurrences: _containers.RepeatedCompositeFieldContainer[Occurrence]
    def __init__(self, generation: _Optional[int] = ..., applied_index: _Optional[int] = ..., now_ms: _Optional[int] = ..., revision: _Optional[int] = ..., changed_index: _Optional[int] = ..., topology: _Optional[_Union[Topology, _Mapping]] = ..., manifest_source: _Optional[str] = ..., verdicts: _Optional[_Iterable[_Union[VerdictEntry, _Mapping]]] = ..., overrides: _Optional[_Iterable[_Union[OverrideEntry, _Mapping]]] = ..., drained_regions: _Optional[_Iterable[str]] = ..., groups: _Optional[_Iterable[_Union[Group, _Mapping]]] = ..., runs: _Optional[_Iterable[_Union[Run, _Mapping]]] = ..., run_count: _Optional[int] = ..., settled_at_ms: _Optional[_Iterable[_Union[ServiceTime, _Mapping]]] = ..., removals: _Optional[_Iterable[_Union[Removal, _Mapping]]] = ..., requests: _Optional[_Iterable[_Union[RequestOutcome, _Mapping]]] = ..., retired_epochs: _Optional[_Iterable[_Union[GroupEpoch, _Mapping]]] = ..., generation_due: _Optional[int] = ..., pauses: _Optional[_Iterable[_Union[Pause, _Mapping]]] = ..., override_terms: _Optional[_Iterable[_Union[OverrideTermEntry, _Mapping]]] = ..., intents: _Optional[_Iterable[_Union[Intent, _Mapping]]] = ..., flaps: _Optional[_Iterable[_Union[Flap, _Mapping]]] = ..., revisions: _Optional[_Iterable[_Union[Revision, _Mapping]]] = ..., spills: _Optional[_Iterable[_Union[SpillEntry, _Mapping]]] = ..., audit: _Optional[_Union[AuditLog, _Mapping]] = ..., deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ..., drills: _Optional[_Iterable[_Union[Drill, _Mapping]]] = ..., drill_count: _Optional[int] = ..., occurrences: _Optional[_Iterable[_Union[Occurrence, _Mapping]]] = ...) -> None: ...
