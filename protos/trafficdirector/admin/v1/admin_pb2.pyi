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
    __slots__ = ("documents", "source_name", "expected_revision", "change")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_NAME_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    documents: str
    source_name: str
    expected_revision: int
    change: Change
    def __init__(self, documents: _Optional[str] = ..., source_name: _Optional[str] = ..., expected_revision: _Optional[int] = ..., change: _Optional[_Union[Change, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("revision", "index", "warnings")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    revision: int
    index: int
    warnings: _containers.RepeatedCompositeFieldContainer[Fault]
    def __init__(self, revision: _Optional[int] = ..., index: _Optional[int] = ..., warnings: _Optional[_Iterable[_Union[Fault, _Mapping]]] = ...) -> None: ...

class GetManifestRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetManifestResponse(_message.Message):
    __slots__ = ("documents", "revision")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    documents: str
    revision: int
    def __init__(self, documents: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ("service_id",)
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    def __init__(self, service_id: _Optional[str] = ...) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("fleet_id", "replica_id", "leader_id", "term", "config_revision", "applied_index", "view_age_ms", "voters_alive", "voter_count", "state_digest", "services", "regions", "watcher_count", "is_fresh", "is_leader", "generation")
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
    def __init__(self, fleet_id: _Optional[str] = ..., replica_id: _Optional[str] = ..., leader_id: _Optional[str] = ..., term: _Optional[int] = ..., config_revision: _Optional[int] = ..., applied_index: _Optional[int] = ..., view_age_ms: _Optional[int] = ..., voters_alive: _Optional[int] = ..., voter_count: _Optional[int] = ..., state_digest: _Optional[str] = ..., services: _Optional[_Iterable[_Union[ServiceStatus, _Mapping]]] = ..., regions: _Optional[_Iterable[_Union[RegionStatus, _Mapping]]] = ..., watcher_count: _Optional[int] = ..., is_fresh: bool = ..., is_leader: bool = ..., generation: _Optional[int] = ...) -> None: ...

class ServiceStatus(_message.Message):
    __slots__ = ("service_id", "mode", "owner_region_id", "serving_region_id", "generation", "epoch", "sites", "rto_ms", "rpo_ms", "predicted_rto_ms", "automation", "automation_note", "active_run_id")
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
    def __init__(self, service_id: _Optional[str] = ..., mode: _Optional[str] = ..., owner_region_id: _Optional[str] = ..., serving_region_id: _Optional[str] = ..., generation: _Optional[int] = ..., epoch: _Optional[int] = ..., sites: _Optional[_Iterable[_Union[SiteStatus, _Mapping]]] = ..., rto_ms: _Optional[int] = ..., rpo_ms: _Optional[int] = ..., predicted_rto_ms: _Optional[int] = ..., automation: _Optional[str] = ..., automation_note: _Optional[str] = ..., active_run_id: _Optional[str] = ...) -> None: ...

class SiteStatus(_message.Message):
    __slots__ = ("region_id", "priority", "verdict", "reason", "withheld", "override", "loss_bound_ms", "lag_ms", "ineligibility", "gate_open", "serving")
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
    def __init__(self, region_id: _Optional[str] = ..., priority: _Optional[int] = ..., verdict: _Optional[str] = ..., reason: _Optional[str] = ..., withheld: _Optional[str] = ..., override: _Optional[str] = ..., loss_bound_ms: _Optional[int] = ..., lag_ms: _Optional[int] = ..., ineligibility: _Optional[str] = ..., gate_open: bool = ..., serving: bool = ...) -> None: ...

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
    __slots__ = ("region_id", "drained", "change")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    DRAINED_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    drained: bool
    change: Change
    def __init__(self, region_id: _Optional[str] = ..., drained: bool = ..., change: _Optional[_Union[Change, _Mapping]] = ...) -> None: ...

class SetRegionDrainResponse(_message.Message):
    __slots__ = ("index",)
    INDEX_FIELD_NUMBER: _ClassVar[int]
    index: int
    def __init__(self, index: _Optional[int] = ...) -> None: ...

class SetOverrideRequest(_message.Message):
    __slots__ = ("service_id", "region_id", "override", "change")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    region_id: str
    override: str
    change: Change
    def __init__(self, service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., override: _Optional[str] = ..., change: _Optional[_Union[Change, _Mapping]] = ...) -> None: ...

class SetOverrideResponse(_message.Message):
    __slots__ = ("index",)
    INDEX_FIELD_NUMBER: _ClassVar[int]
    index: int
    def __init__(self, index: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("service_id", "target_region_id", "expected_epoch", "change", "failback")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_EPOCH_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    FAILBACK_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    target_region_id: str
    expected_epoch: int
    change: Change
    failback: bool
    def __init__(self, service_id: _Optional[str] = ..., target_region_id: _Optional[str] = ..., expected_epoch: _Optional[int] = ..., change: _Optional[_Union[Change, _Mapping]] = ..., failback: bool = ...) -> None: ...

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
