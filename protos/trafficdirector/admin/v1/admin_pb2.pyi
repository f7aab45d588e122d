from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Change(_message.Message):
    __slots__ = ("request_id", "actor", "reason", "validate_only")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    actor: str
    reason: str
    validate_only: bool
    def __init__(self, request_id: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class ApplyManifestRequest(_message.Message):
    __slots__ = ("documents", "source_name", "expected_revision", "change", "expected_etag", "allow_removed_service_ids")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_NAME_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_ETAG_FIELD_NUMBER: _ClassVar[int]
    ALLOW_REMOVED_SERVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    documents: str
    source_name: str
    expected_revision: int
    change: Change
    expected_etag: str
    allow_removed_service_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, documents: _Optional[str] = ..., source_name: _Optional[str] = ..., expected_revision: _Optional[int] = ..., change: _Optional[_Union[Change, _Mapping]] = ..., expected_etag: _Optional[str] = ..., allow_removed_service_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Fault(_message.Message):
    __slots__ = ("file", "line", "path", "message", "code", "hint", "severity")
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    file: str
    line: int
    path: str
    message: str
    code: str
    hint: str
    severity: str
    def __init__(self, file: _Optional[str] = ..., line: _Optional[int] = ..., path: _Optional[str] = ..., message: _Optional[str] = ..., code: _Optional[str] = ..., hint: _Optional[str] = ..., severity: _Optional[str] = ...) -> None: ...

class ApplyManifestResponse(_message.Message):
    __slots__ = ("revision", "index", "warnings", "etag")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    revision: int
    index: int
    warnings: _containers.RepeatedCompositeFieldContainer[Fault]
    etag: str
    def __init__(self, revision: _Optional[int] = ..., index: _Optional[int] = ..., warnings: _Optional[_Iterable[_Union[Fault, _Mapping]]] = ..., etag: _Optional[str] = ...) -> None: ...

class GetManifestRequest(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class GetManifestResponse(_message.Message):
    __slots__ = ("documents", "revision", "etag")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    documents: str
    revision: int
    etag: str
    def __init__(self, documents: _Optional[str] = ..., revision: _Optional[int] = ..., etag: _Optional[str] = ...) -> None: ...

class PlanManifestRequest(_message.Message):
    __slots__ = ("documents", "source_name", "revision", "allow_removed_service_ids")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ALLOW_REMOVED_SERVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    documents: str
    source_name: str
    revision: int
    allow_removed_service_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, documents: _Optional[str] = ..., source_name: _Optional[str] = ..., revision: _Optional[int] = ..., allow_removed_service_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class FieldChange(_message.Message):
    __slots__ = ("path", "before", "after")
    PATH_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    path: str
    before: str
    after: str
    def __init__(self, path: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ...) -> None: ...

class DocumentChange(_message.Message):
    __slots__ = ("kind", "name", "how", "fields", "field_count")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    FIELD_COUNT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    how: str
    fields: _containers.RepeatedCompositeFieldContainer[FieldChange]
    field_count: int
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., how: _Optional[str] = ..., fields: _Optional[_Iterable[_Union[FieldChange, _Mapping]]] = ..., field_count: _Optional[int] = ...) -> None: ...

class RouteMove(_message.Message):
    __slots__ = ("source_region_id", "target_region_id", "share_per_mille", "refusal")
    SOURCE_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    SHARE_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    source_region_id: str
    target_region_id: str
    share_per_mille: int
    refusal: str
    def __init__(self, source_region_id: _Optional[str] = ..., target_region_id: _Optional[str] = ..., share_per_mille: _Optional[int] = ..., refusal: _Optional[str] = ...) -> None: ...

class TrafficMoved(_message.Message):
    __slots__ = ("service_id", "subject_jurisdiction", "moved_per_mille", "moves", "move_count")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_JURISDICTION_FIELD_NUMBER: _ClassVar[int]
    MOVED_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    MOVES_FIELD_NUMBER: _ClassVar[int]
    MOVE_COUNT_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    subject_jurisdiction: str
    moved_per_mille: int
    moves: _containers.RepeatedCompositeFieldContainer[RouteMove]
    move_count: int
    def __init__(self, service_id: _Optional[str] = ..., subject_jurisdiction: _Optional[str] = ..., moved_per_mille: _Optional[int] = ..., moves: _Optional[_Iterable[_Union[RouteMove, _Mapping]]] = ..., move_count: _Optional[int] = ...) -> None: ...

class ServiceBudget(_message.Message):
    __slots__ = ("rto_ms", "predicted_rto_ms", "rpo_ms", "exposed_ms")
    RTO_MS_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_RTO_MS_FIELD_NUMBER: _ClassVar[int]
    RPO_MS_FIELD_NUMBER: _ClassVar[int]
    EXPOSED_MS_FIELD_NUMBER: _ClassVar[int]
    rto_ms: int
    predicted_rto_ms: int
    rpo_ms: int
    exposed_ms: int
    def __init__(self, rto_ms: _Optional[int] = ..., predicted_rto_ms: _Optional[int] = ..., rpo_ms: _Optional[int] = ..., exposed_ms: _Optional[int] = ...) -> None: ...

class BudgetChange(_message.Message):
    __slots__ = ("service_id", "before", "after")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    before: ServiceBudget
    after: ServiceBudget
    def __init__(self, service_id: _Optional[str] = ..., before: _Optional[_Union[ServiceBudget, _Mapping]] = ..., after: _Optional[_Union[ServiceBudget, _Mapping]] = ...) -> None: ...

class SubjectLoss(_message.Message):
    __slots__ = ("service_id", "subject_jurisdiction")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_JURISDICTION_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    subject_jurisdiction: str
    def __init__(self, service_id: _Optional[str] = ..., subject_jurisdiction: _Optional[str] = ...) -> None: ...

class LossOutcome(_message.Message):
    __slots__ = ("lost_service_ids", "lost_subjects", "moved_service_ids", "capacity_left_per_mille", "capacity_service_id", "lost_service_count", "moved_service_count", "lost_subject_count")
    LOST_SERVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    LOST_SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    MOVED_SERVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_LEFT_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    LOST_SERVICE_COUNT_FIELD_NUMBER: _ClassVar[int]
    MOVED_SERVICE_COUNT_FIELD_NUMBER: _ClassVar[int]
    LOST_SUBJECT_COUNT_FIELD_NUMBER: _ClassVar[int]
    lost_service_ids: _containers.RepeatedScalarFieldContainer[str]
    lost_subjects: _containers.RepeatedCompositeFieldContainer[SubjectLoss]
    moved_service_ids: _containers.RepeatedScalarFieldContainer[str]
    capacity_left_per_mille: int
    capacity_service_id: str
    lost_service_count: int
    moved_service_count: int
    lost_subject_count: int
    def __init__(self, lost_service_ids: _Optional[_Iterable[str]] = ..., lost_subjects: _Optional[_Iterable[_Union[SubjectLoss, _Mapping]]] = ..., moved_service_ids: _Optional[_Iterable[str]] = ..., capacity_left_per_mille: _Optional[int] = ..., capacity_service_id: _Optional[str] = ..., lost_service_count: _Optional[int] = ..., moved_service_count: _Optional[int] = ..., lost_subject_count: _Optional[int] = ...) -> None: ...

class RegionLoss(_message.Message):
    __slots__ = ("region_id", "before", "after")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    before: LossOutcome
    after: LossOutcome
    def __init__(self, region_id: _Optional[str] = ..., before: _Optional[_Union[LossOutcome, _Mapping]] = ..., after: _Optional[_Union[LossOutcome, _Mapping]] = ...) -> None: ...

class PlanRisk(_message.Message):
    __slots__ = ("severity", "reason", "message")
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    severity: str
    reason: str
    message: str
    def __init__(self, severity: _Optional[str] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class PlanManifestResponse(_message.Message):
    __slots__ = ("revision", "etag", "changes", "traffic", "place_count", "budgets", "losses", "worst_before_region_id", "worst_after_region_id", "risks", "warnings")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    TRAFFIC_FIELD_NUMBER: _ClassVar[int]
    PLACE_COUNT_FIELD_NUMBER: _ClassVar[int]
    BUDGETS_FIELD_NUMBER: _ClassVar[int]
    LOSSES_FIELD_NUMBER: _ClassVar[int]
    WORST_BEFORE_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    WORST_AFTER_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    RISKS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    revision: int
    etag: str
    changes: _containers.RepeatedCompositeFieldContainer[DocumentChange]
    traffic: _containers.RepeatedCompositeFieldContainer[TrafficMoved]
    place_count: int
    budgets: _containers.RepeatedCompositeFieldContainer[BudgetChange]
    losses: _containers.RepeatedCompositeFieldContainer[RegionLoss]
    worst_before_region_id: str
    worst_after_region_id: str
    risks: _containers.RepeatedCompositeFieldContainer[PlanRisk]
    warnings: _containers.RepeatedCompositeFieldContainer[Fault]
    def __init__(self, revision: _Optional[int] = ..., etag: _Optional[str] = ..., changes: _Optional[_Iterable[_Union[DocumentChange, _Mapping]]] = ..., traffic: _Optional[_Iterable[_Union[TrafficMoved, _Mapping]]] = ..., place_count: _Optional[int] = ..., budgets: _Optional[_Iterable[_Union[BudgetChange, _Mapping]]] = ..., losses: _Optional[_Iterable[_Union[RegionLoss, _Mapping]]] = ..., worst_before_region_id: _Optional[str] = ..., worst_after_region_id: _Optional[str] = ..., risks: _Optional[_Iterable[_Union[PlanRisk, _Mapping]]] = ..., warnings: _Optional[_Iterable[_Union[Fault, _Mapping]]] = ...) -> None: ...

class ListRevisionsRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class ManifestRevision(_message.Message):
    __slots__ = ("revision", "index", "applied_wall_ms", "actor", "reason", "summary", "etag", "document_bytes", "restores")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    APPLIED_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    RESTORES_FIELD_NUMBER: _ClassVar[int]
    revision: int
    index: int
    applied_wall_ms: int
    actor: str
    reason: str
    summary: str
    etag: str
    document_bytes: int
    restores: int
    def __init__(self, revision: _Optional[int] = ..., index: _Optional[int] = ..., applied_wall_ms: _Optional[int] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., summary: _Optional[str] = ..., etag: _Optional[str] = ..., document_bytes: _Optional[int] = ..., restores: _Optional[int] = ...) -> None: ...

class ListRevisionsResponse(_message.Message):
    __slots__ = ("revisions", "revision")
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revisions: _containers.RepeatedCompositeFieldContainer[ManifestRevision]
    revision: int
    def __init__(self, revisions: _Optional[_Iterable[_Union[ManifestRevision, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...

class RollbackManifestRequest(_message.Message):
    __slots__ = ("revision", "expected_revision", "expected_etag", "change", "allow_removed_service_ids")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_ETAG_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    ALLOW_REMOVED_SERVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    revision: int
    expected_revision: int
    expected_etag: str
    change: Change
    allow_removed_service_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, revision: _Optional[int] = ..., expected_revision: _Optional[int] = ..., expected_etag: _Optional[str] = ..., change: _Optional[_Union[Change, _Mapping]] = ..., allow_removed_service_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class RollbackManifestResponse(_message.Message):
    __slots__ = ("revision", "index", "etag", "warnings")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    revision: int
    index: int
    etag: str
    warnings: _containers.RepeatedCompositeFieldContainer[Fault]
    def __init__(self, revision: _Optional[int] = ..., index: _Optional[int] = ..., etag: _Optional[str] = ..., warnings: _Optional[_Iterable[_Union[Fault, _Mapping]]] = ...) -> None: ...

class ExplainBudgetRequest(_message.Message):
    __slots__ = ("service_id",)
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    def __init__(self, service_id: _Optional[str] = ...) -> None: ...

class BudgetLine(_message.Message):
    __slots__ = ("phase", "spent_ms", "formula", "source")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    SPENT_MS_FIELD_NUMBER: _ClassVar[int]
    FORMULA_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    phase: str
    spent_ms: int
    formula: str
    source: str
    def __init__(self, phase: _Optional[str] = ..., spent_ms: _Optional[int] = ..., formula: _Optional[str] = ..., source: _Optional[str] = ...) -> None: ...

class StandbyLoss(_message.Message):
    __slots__ = ("region_id", "lag_ms", "loss_bound_ms")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    LAG_MS_FIELD_NUMBER: _ClassVar[int]
    LOSS_BOUND_MS_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    lag_ms: int
    loss_bound_ms: int
    def __init__(self, region_id: _Optional[str] = ..., lag_ms: _Optional[int] = ..., loss_bound_ms: _Optional[int] = ...) -> None: ...

class ExplainBudgetResponse(_message.Message):
    __slots__ = ("service_id", "rto_ms", "recovery", "predicted_rto_ms", "on_top", "rpo_ms", "exposure", "standbys", "measured_rto_ms")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    RTO_MS_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_RTO_MS_FIELD_NUMBER: _ClassVar[int]
    ON_TOP_FIELD_NUMBER: _ClassVar[int]
    RPO_MS_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_FIELD_NUMBER: _ClassVar[int]
    STANDBYS_FIELD_NUMBER: _ClassVar[int]
    MEASURED_RTO_MS_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    rto_ms: int
    recovery: _containers.RepeatedCompositeFieldContainer[BudgetLine]
    predicted_rto_ms: int
    on_top: _containers.RepeatedCompositeFieldContainer[BudgetLine]
    rpo_ms: int
    exposure: _containers.RepeatedCompositeFieldContainer[BudgetLine]
    standbys: _containers.RepeatedCompositeFieldContainer[StandbyLoss]
    measured_rto_ms: int
    def __init__(self, service_id: _Optional[str] = ..., rto_ms: _Optional[int] = ..., recovery: _Optional[_Iterable[_Union[BudgetLine, _Mapping]]] = ..., predicted_rto_ms: _Optional[int] = ..., on_top: _Optional[_Iterable[_Union[BudgetLine, _Mapping]]] = ..., rpo_ms: _Optional[int] = ..., exposure: _Optional[_Iterable[_Union[BudgetLine, _Mapping]]] = ..., standbys: _Optional[_Iterable[_Union[StandbyLoss, _Mapping]]] = ..., measured_rto_ms: _Optional[int] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ("service_id",)
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    def __init__(self, service_id: _Optional[str] = ...) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("fleet_id", "replica_id", "leader_id", "term", "config_revision", "applied_index", "view_age_ms", "voters_alive", "voter_count", "state_digest", "services", "regions", "watcher_count", "is_fresh", "is_leader", "generation", "version", "wall_ms", "certificates", "write_failure")
    FLEET_ID_FIELD_NUMBER: _ClassVar[int]
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    LEADER_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    CONFIG_REVISION_FIELD_NUMBER: _ClassVar[int]
    APPLIED_INDEX_FIELD_NUMBER: _ClassVar[int]
    VIEW_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    VOTERS_ALIVE_FIELD_NUMBER: _ClassVar[int]
    VOTER_COUNT_FIELD_NUMBER: _ClassVar[int]
    STATE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    WATCHER_COUNT_FIELD_NUMBER: _ClassVar[int]
    IS_FRESH_FIELD_NUMBER: _ClassVar[int]
    IS_LEADER_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WALL_MS_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    WRITE_FAILURE_FIELD_NUMBER: _ClassVar[int]
    fleet_id: str
    replica_id: str
    leader_id: str
    term: int
    config_revision: int
    applied_index: int
    view_age_ms: int
    voters_alive: int
    voter_count: int
    state_digest: str
    services: _containers.RepeatedCompositeFieldContainer[ServiceStatus]
    regions: _containers.RepeatedCompositeFieldContainer[RegionStatus]
    watcher_count: int
    is_fresh: bool
    is_leader: bool
    generation: int
    version: str
    wall_ms: int
    certificates: _containers.RepeatedCompositeFieldContainer[CertificateEnd]
    write_failure: str
    def __init__(self, fleet_id: _Optional[str] = ..., replica_id: _Optional[str] = ..., leader_id: _Optional[str] = ..., term: _Optional[int] = ..., config_revision: _Optional[int] = ..., applied_index: _Optional[int] = ..., view_age_ms: _Optional[int] = ..., voters_alive: _Optional[int] = ..., voter_count: _Optional[int] = ..., state_digest: _Optional[str] = ..., services: _Optional[_Iterable[_Union[ServiceStatus, _Mapping]]] = ..., regions: _Optional[_Iterable[_Union[RegionStatus, _Mapping]]] = ..., watcher_count: _Optional[int] = ..., is_fresh: bool = ..., is_leader: bool = ..., generation: _Optional[int] = ..., version: _Optional[str] = ..., wall_ms: _Optional[int] = ..., certificates: _Optional[_Iterable[_Union[CertificateEnd, _Mapping]]] = ..., write_failure: _Optional[str] = ...) -> None: ...

class CertificateEnd(_message.Message):
    __slots__ = ("purpose", "not_after_ms", "half_life_at_ms")
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    NOT_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    HALF_LIFE_AT_MS_FIELD_NUMBER: _ClassVar[int]
    purpose: str
    not_after_ms: int
    half_life_at_ms: int
    def __init__(self, purpose: _Optional[str] = ..., not_after_ms: _Optional[int] = ..., half_life_at_ms: _Optional[int] = ...) -> None: ...

class ServiceStatus(_message.Message):
    __slots__ = ("service_id", "mode", "owner_region_id", "serving_region_id", "generation", "epoch", "sites", "rto_ms", "rpo_ms", "predicted_rto_ms", "automation", "automation_note", "active_run_id", "pause", "intent", "damped_for_ms", "lossy_run_id", "headroom_per_mille", "headroom_region_id", "headroom_unknown", "last_drill")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    OWNER_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    SERVING_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SITES_FIELD_NUMBER: _ClassVar[int]
    RTO_MS_FIELD_NUMBER: _ClassVar[int]
    RPO_MS_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_RTO_MS_FIELD_NUMBER: _ClassVar[int]
    AUTOMATION_FIELD_NUMBER: _ClassVar[int]
    AUTOMATION_NOTE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    DAMPED_FOR_MS_FIELD_NUMBER: _ClassVar[int]
    LOSSY_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    HEADROOM_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    HEADROOM_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    HEADROOM_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    LAST_DRILL_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    mode: str
    owner_region_id: str
    serving_region_id: str
    generation: int
    epoch: int
    sites: _containers.RepeatedCompositeFieldContainer[SiteStatus]
    rto_ms: int
    rpo_ms: int
    predicted_rto_ms: int
    automation: str
    automation_note: str
    active_run_id: str
    pause: AutomationPause
    intent: Intent
    damped_for_ms: int
    lossy_run_id: str
    headroom_per_mille: int
    headroom_region_id: str
    headroom_unknown: str
    last_drill: LastDrill
    def __init__(self, service_id: _Optional[str] = ..., mode: _Optional[str] = ..., owner_region_id: _Optional[str] = ..., serving_region_id: _Optional[str] = ..., generation: _Optional[int] = ..., epoch: _Optional[int] = ..., sites: _Optional[_Iterable[_Union[SiteStatus, _Mapping]]] = ..., rto_ms: _Optional[int] = ..., rpo_ms: _Optional[int] = ..., predicted_rto_ms: _Optional[int] = ..., automation: _Optional[str] = ..., automation_note: _Optional[str] = ..., active_run_id: _Optional[str] = ..., pause: _Optional[_Union[AutomationPause, _Mapping]] = ..., intent: _Optional[_Union[Intent, _Mapping]] = ..., damped_for_ms: _Optional[int] = ..., lossy_run_id: _Optional[str] = ..., headroom_per_mille: _Optional[int] = ..., headroom_region_id: _Optional[str] = ..., headroom_unknown: _Optional[str] = ..., last_drill: _Optional[_Union[LastDrill, _Mapping]] = ...) -> None: ...

class LastDrill(_message.Message):
    __slots__ = ("drill_id", "verdict", "stage", "ended_age_ms")
    DRILL_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ENDED_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    drill_id: str
    verdict: str
    stage: str
    ended_age_ms: int
    def __init__(self, drill_id: _Optional[str] = ..., verdict: _Optional[str] = ..., stage: _Optional[str] = ..., ended_age_ms: _Optional[int] = ...) -> None: ...

class SiteStatus(_message.Message):
    __slots__ = ("region_id", "priority", "verdict", "reason", "withheld", "override", "loss_bound_ms", "lag_ms", "ineligibility", "gate_open", "serving", "override_term", "load_rps", "capacity_rps", "spill_per_mille")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    LOSS_BOUND_MS_FIELD_NUMBER: _ClassVar[int]
    LAG_MS_FIELD_NUMBER: _ClassVar[int]
    INELIGIBILITY_FIELD_NUMBER: _ClassVar[int]
    GATE_OPEN_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_TERM_FIELD_NUMBER: _ClassVar[int]
    LOAD_RPS_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_RPS_FIELD_NUMBER: _ClassVar[int]
    SPILL_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    priority: int
    verdict: str
    reason: str
    withheld: str
    override: str
    loss_bound_ms: int
    lag_ms: int
    ineligibility: str
    gate_open: bool
    serving: bool
    override_term: OverrideTerm
    load_rps: int
    capacity_rps: int
    spill_per_mille: int
    def __init__(self, region_id: _Optional[str] = ..., priority: _Optional[int] = ..., verdict: _Optional[str] = ..., reason: _Optional[str] = ..., withheld: _Optional[str] = ..., override: _Optional[str] = ..., loss_bound_ms: _Optional[int] = ..., lag_ms: _Optional[int] = ..., ineligibility: _Optional[str] = ..., gate_open: bool = ..., serving: bool = ..., override_term: _Optional[_Union[OverrideTerm, _Mapping]] = ..., load_rps: _Optional[int] = ..., capacity_rps: _Optional[int] = ..., spill_per_mille: _Optional[int] = ...) -> None: ...

class AutomationPause(_message.Message):
    __slots__ = ("service_id", "left_ms", "until_wall_ms", "actor", "reason")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    LEFT_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    left_ms: int
    until_wall_ms: int
    actor: str
    reason: str
    def __init__(self, service_id: _Optional[str] = ..., left_ms: _Optional[int] = ..., until_wall_ms: _Optional[int] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class OverrideTerm(_message.Message):
    __slots__ = ("actor", "reason", "left_ms", "until_wall_ms")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LEFT_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    actor: str
    reason: str
    left_ms: int
    until_wall_ms: int
    def __init__(self, actor: _Optional[str] = ..., reason: _Optional[str] = ..., left_ms: _Optional[int] = ..., until_wall_ms: _Optional[int] = ...) -> None: ...

class RegionStatus(_message.Message):
    __slots__ = ("region_id", "drained", "agent_count", "heard_age_ms", "jurisdiction")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    DRAINED_FIELD_NUMBER: _ClassVar[int]
    AGENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    HEARD_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    JURISDICTION_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    drained: bool
    agent_count: int
    heard_age_ms: int
    jurisdiction: str
    def __init__(self, region_id: _Optional[str] = ..., drained: bool = ..., agent_count: _Optional[int] = ..., heard_age_ms: _Optional[int] = ..., jurisdiction: _Optional[str] = ...) -> None: ...

class SetRegionDrainRequest(_message.Message):
    __slots__ = ("region_id", "drained", "change", "force_capacity")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    DRAINED_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    FORCE_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    drained: bool
    change: Change
    force_capacity: bool
    def __init__(self, region_id: _Optional[str] = ..., drained: bool = ..., change: _Optional[_Union[Change, _Mapping]] = ..., force_capacity: bool = ...) -> None: ...

class SetRegionDrainResponse(_message.Message):
    __slots__ = ("index", "message")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    index: int
    message: str
    def __init__(self, index: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class SetOverrideRequest(_message.Message):
    __slots__ = ("service_id", "region_id", "override", "change", "for_ms")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    FOR_MS_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    region_id: str
    override: str
    change: Change
    for_ms: int
    def __init__(self, service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., override: _Optional[str] = ..., change: _Optional[_Union[Change, _Mapping]] = ..., for_ms: _Optional[int] = ...) -> None: ...

class SetOverrideResponse(_message.Message):
    __slots__ = ("index", "until_wall_ms")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    UNTIL_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    index: int
    until_wall_ms: int
    def __init__(self, index: _Optional[int] = ..., until_wall_ms: _Optional[int] = ...) -> None: ...

class SetAutomationRequest(_message.Message):
    __slots__ = ("service_id", "action", "for_ms", "change")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    FOR_MS_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    action: str
    for_ms: int
    change: Change
    def __init__(self, service_id: _Optional[str] = ..., action: _Optional[str] = ..., for_ms: _Optional[int] = ..., change: _Optional[_Union[Change, _Mapping]] = ...) -> None: ...

class SetAutomationResponse(_message.Message):
    __slots__ = ("index", "until_wall_ms", "message")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    UNTIL_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    index: int
    until_wall_ms: int
    message: str
    def __init__(self, index: _Optional[int] = ..., until_wall_ms: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class StartFailoverRequest(_message.Message):
    __slots__ = ("service_id", "target_region_id", "expected_epoch", "accept_data_loss_ms", "change")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_EPOCH_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_DATA_LOSS_MS_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    target_region_id: str
    expected_epoch: int
    accept_data_loss_ms: int
    change: Change
    def __init__(self, service_id: _Optional[str] = ..., target_region_id: _Optional[str] = ..., expected_epoch: _Optional[int] = ..., accept_data_loss_ms: _Optional[int] = ..., change: _Optional[_Union[Change, _Mapping]] = ...) -> None: ...

class StartFailoverResponse(_message.Message):
    __slots__ = ("failover_id", "message")
    FAILOVER_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    failover_id: str
    message: str
    def __init__(self, failover_id: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class StartSwitchoverRequest(_message.Message):
    __slots__ = ("service_id", "target_region_id", "expected_epoch", "change", "failback", "force_capacity")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_EPOCH_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    FAILBACK_FIELD_NUMBER: _ClassVar[int]
    FORCE_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    target_region_id: str
    expected_epoch: int
    change: Change
    failback: bool
    force_capacity: bool
    def __init__(self, service_id: _Optional[str] = ..., target_region_id: _Optional[str] = ..., expected_epoch: _Optional[int] = ..., change: _Optional[_Union[Change, _Mapping]] = ..., failback: bool = ..., force_capacity: bool = ...) -> None: ...

class StartSwitchoverResponse(_message.Message):
    __slots__ = ("failover_id", "message")
    FAILOVER_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    failover_id: str
    message: str
    def __init__(self, failover_id: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class PhaseTime(_message.Message):
    __slots__ = ("phase", "spent_ms", "note")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    SPENT_MS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    phase: str
    spent_ms: int
    note: str
    def __init__(self, phase: _Optional[str] = ..., spent_ms: _Optional[int] = ..., note: _Optional[str] = ...) -> None: ...

class Evidence(_message.Message):
    __slots__ = ("vantage", "finding", "age_ms")
    VANTAGE_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    vantage: str
    finding: str
    age_ms: int
    def __init__(self, vantage: _Optional[str] = ..., finding: _Optional[str] = ..., age_ms: _Optional[int] = ...) -> None: ...

class Failover(_message.Message):
    __slots__ = ("failover_id", "kind", "service_id", "source_region_id", "target_region_id", "stage", "automatic", "source_epoch", "ledger", "measured_rto_ms", "rto_ms", "loss_bound_ms", "cause", "actor", "reason", "started_wall_ms", "evidence", "notes", "rpo_ms")
    FAILOVER_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    AUTOMATIC_FIELD_NUMBER: _ClassVar[int]
    SOURCE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    MEASURED_RTO_MS_FIELD_NUMBER: _ClassVar[int]
    RTO_MS_FIELD_NUMBER: _ClassVar[int]
    LOSS_BOUND_MS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STARTED_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    RPO_MS_FIELD_NUMBER: _ClassVar[int]
    failover_id: str
    kind: str
    service_id: str
    source_region_id: str
    target_region_id: str
    stage: str
    automatic: bool
    source_epoch: int
    ledger: _containers.RepeatedCompositeFieldContainer[PhaseTime]
    measured_rto_ms: int
    rto_ms: int
    loss_bound_ms: int
    cause: str
    actor: str
    reason: str
    started_wall_ms: int
    evidence: _containers.RepeatedCompositeFieldContainer[Evidence]
    notes: _containers.RepeatedScalarFieldContainer[str]
    rpo_ms: int
    def __init__(self, failover_id: _Optional[str] = ..., kind: _Optional[str] = ..., service_id: _Optional[str] = ..., source_region_id: _Optional[str] = ..., target_region_id: _Optional[str] = ..., stage: _Optional[str] = ..., automatic: bool = ..., source_epoch: _Optional[int] = ..., ledger: _Optional[_Iterable[_Union[PhaseTime, _Mapping]]] = ..., measured_rto_ms: _Optional[int] = ..., rto_ms: _Optional[int] = ..., loss_bound_ms: _Optional[int] = ..., cause: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., started_wall_ms: _Optional[int] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ..., notes: _Optional[_Iterable[str]] = ..., rpo_ms: _Optional[int] = ...) -> None: ...

class GetFailoverRequest(_message.Message):
    __slots__ = ("failover_id",)
    FAILOVER_ID_FIELD_NUMBER: _ClassVar[int]
    failover_id: str
    def __init__(self, failover_id: _Optional[str] = ...) -> None: ...

class GetFailoverResponse(_message.Message):
    __slots__ = ("failover",)
    FAILOVER_FIELD_NUMBER: _ClassVar[int]
    failover: Failover
    def __init__(self, failover: _Optional[_Union[Failover, _Mapping]] = ...) -> None: ...

class ListFailoversRequest(_message.Message):
    __slots__ = ("service_id", "limit")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    limit: int
    def __init__(self, service_id: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ListFailoversResponse(_message.Message):
    __slots__ = ("failovers",)
    FAILOVERS_FIELD_NUMBER: _ClassVar[int]
    failovers: _containers.RepeatedCompositeFieldContainer[Failover]
    def __init__(self, failovers: _Optional[_Iterable[_Union[Failover, _Mapping]]] = ...) -> None: ...

class WatchFailoverRequest(_message.Message):
    __slots__ = ("failover_id", "service_id")
    FAILOVER_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    failover_id: str
    service_id: str
    def __init__(self, failover_id: _Optional[str] = ..., service_id: _Optional[str] = ...) -> None: ...

class WatchFailoverResponse(_message.Message):
    __slots__ = ("failover",)
    FAILOVER_FIELD_NUMBER: _ClassVar[int]
    failover: Failover
    def __init__(self, failover: _Optional[_Union[Failover, _Mapping]] = ...) -> None: ...

class Intent(_message.Message):
    __slots__ = ("intent_id", "service_id", "kind", "source_region_id", "target_region_id", "epoch", "mode", "state", "limit", "reason", "loss_bound_ms", "evidence", "opened_wall_ms", "approvable_for_ms", "outcome", "failover_id")
    INTENT_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LOSS_BOUND_MS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    OPENED_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    APPROVABLE_FOR_MS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    FAILOVER_ID_FIELD_NUMBER: _ClassVar[int]
    intent_id: str
    service_id: str
    kind: str
    source_region_id: str
    target_region_id: str
    epoch: int
    mode: str
    state: str
    limit: str
    reason: str
    loss_bound_ms: int
    evidence: _containers.RepeatedCompositeFieldContainer[Evidence]
    opened_wall_ms: int
    approvable_for_ms: int
    outcome: str
    failover_id: str
    def __init__(self, intent_id: _Optional[str] = ..., service_id: _Optional[str] = ..., kind: _Optional[str] = ..., source_region_id: _Optional[str] = ..., target_region_id: _Optional[str] = ..., epoch: _Optional[int] = ..., mode: _Optional[str] = ..., state: _Optional[str] = ..., limit: _Optional[str] = ..., reason: _Optional[str] = ..., loss_bound_ms: _Optional[int] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ..., opened_wall_ms: _Optional[int] = ..., approvable_for_ms: _Optional[int] = ..., outcome: _Optional[str] = ..., failover_id: _Optional[str] = ...) -> None: ...

class ListIntentsRequest(_message.Message):
    __slots__ = ("service_id", "limit")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    limit: int
    def __init__(self, service_id: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ListIntentsResponse(_message.Message):
    __slots__ = ("intents",)
    INTENTS_FIELD_NUMBER: _ClassVar[int]
    intents: _containers.RepeatedCompositeFieldContainer[Intent]
    def __init__(self, intents: _Optional[_Iterable[_Union[Intent, _Mapping]]] = ...) -> None: ...

class ApproveFailoverRequest(_message.Message):
    __slots__ = ("service_id", "expected_epoch", "change", "intent_id")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_EPOCH_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    INTENT_ID_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    expected_epoch: int
    change: Change
    intent_id: str
    def __init__(self, service_id: _Optional[str] = ..., expected_epoch: _Optional[int] = ..., change: _Optional[_Union[Change, _Mapping]] = ..., intent_id: _Optional[str] = ...) -> None: ...

class ApproveFailoverResponse(_message.Message):
    __slots__ = ("failover_id", "message")
    FAILOVER_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    failover_id: str
    message: str
    def __init__(self, failover_id: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class CancelFailoverRequest(_message.Message):
    __slots__ = ("failover_id", "change")
    FAILOVER_ID_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    failover_id: str
    change: Change
    def __init__(self, failover_id: _Optional[str] = ..., change: _Optional[_Union[Change, _Mapping]] = ...) -> None: ...

class CancelFailoverResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExplainFailoverRequest(_message.Message):
    __slots__ = ("service_id",)
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    def __init__(self, service_id: _Optional[str] = ...) -> None: ...

class FailoverCandidate(_message.Message):
    __slots__ = ("region_id", "priority", "chosen", "ineligibility", "text", "loss_bound_ms", "lag_ms", "verdict")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    INELIGIBILITY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LOSS_BOUND_MS_FIELD_NUMBER: _ClassVar[int]
    LAG_MS_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    priority: int
    chosen: bool
    ineligibility: str
    text: str
    loss_bound_ms: int
    lag_ms: int
    verdict: str
    def __init__(self, region_id: _Optional[str] = ..., priority: _Optional[int] = ..., chosen: bool = ..., ineligibility: _Optional[str] = ..., text: _Optional[str] = ..., loss_bound_ms: _Optional[int] = ..., lag_ms: _Optional[int] = ..., verdict: _Optional[str] = ...) -> None: ...

class ExplainFailoverResponse(_message.Message):
    __slots__ = ("service_id", "mode", "owner_region_id", "candidates", "automation", "automation_note", "held_reason", "held_message", "rto_ms", "predicted_rto_ms", "rpo_ms", "last_run", "replica_id", "is_leader")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    OWNER_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    AUTOMATION_FIELD_NUMBER: _ClassVar[int]
    AUTOMATION_NOTE_FIELD_NUMBER: _ClassVar[int]
    HELD_REASON_FIELD_NUMBER: _ClassVar[int]
    HELD_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RTO_MS_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_RTO_MS_FIELD_NUMBER: _ClassVar[int]
    RPO_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_RUN_FIELD_NUMBER: _ClassVar[int]
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    IS_LEADER_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    mode: str
    owner_region_id: str
    candidates: _containers.RepeatedCompositeFieldContainer[FailoverCandidate]
    automation: str
    automation_note: str
    held_reason: str
    held_message: str
    rto_ms: int
    predicted_rto_ms: int
    rpo_ms: int
    last_run: Failover
    replica_id: str
    is_leader: bool
    def __init__(self, service_id: _Optional[str] = ..., mode: _Optional[str] = ..., owner_region_id: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[FailoverCandidate, _Mapping]]] = ..., automation: _Optional[str] = ..., automation_note: _Optional[str] = ..., held_reason: _Optional[str] = ..., held_message: _Optional[str] = ..., rto_ms: _Optional[int] = ..., predicted_rto_ms: _Optional[int] = ..., rpo_ms: _Optional[int] = ..., last_run: _Optional[_Union[Failover, _Mapping]] = ..., replica_id: _Optional[str] = ..., is_leader: bool = ...) -> None: ...

class GetClusterRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Member(_message.Message):
    __slots__ = ("replica_id", "role", "is_leader", "match_index", "is_active", "address")
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    IS_LEADER_FIELD_NUMBER: _ClassVar[int]
    MATCH_INDEX_FIELD_NUMBER: _ClassVar[int]
    IS_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    role: str
    is_leader: bool
    match_index: int
    is_active: bool
    address: str
    def __init__(self, replica_id: _Optional[str] = ..., role: _Optional[str] = ..., is_leader: bool = ..., match_index: _Optional[int] = ..., is_active: bool = ..., address: _Optional[str] = ...) -> None: ...

class GetClusterResponse(_message.Message):
    __slots__ = ("replica_id", "leader_id", "term", "commit_index", "applied_index", "members", "quorum_contact_age_ms")
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    LEADER_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    COMMIT_INDEX_FIELD_NUMBER: _ClassVar[int]
    APPLIED_INDEX_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    QUORUM_CONTACT_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    leader_id: str
    term: int
    commit_index: int
    applied_index: int
    members: _containers.RepeatedCompositeFieldContainer[Member]
    quorum_contact_age_ms: int
    def __init__(self, replica_id: _Optional[str] = ..., leader_id: _Optional[str] = ..., term: _Optional[int] = ..., commit_index: _Optional[int] = ..., applied_index: _Optional[int] = ..., members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ..., quorum_contact_age_ms: _Optional[int] = ...) -> None: ...

class TransferLeadershipRequest(_message.Message):
    __slots__ = ("replica_id",)
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    def __init__(self, replica_id: _Optional[str] = ...) -> None: ...

class TransferLeadershipResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AddMemberRequest(_message.Message):
    __slots__ = ("replica_id", "peer_address")
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    PEER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    peer_address: str
    def __init__(self, replica_id: _Optional[str] = ..., peer_address: _Optional[str] = ...) -> None: ...

class AddMemberResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PromoteMemberRequest(_message.Message):
    __slots__ = ("replica_id",)
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    def __init__(self, replica_id: _Optional[str] = ...) -> None: ...

class PromoteMemberResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RemoveMemberRequest(_message.Message):
    __slots__ = ("replica_id",)
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    def __init__(self, replica_id: _Optional[str] = ...) -> None: ...

class RemoveMemberResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
