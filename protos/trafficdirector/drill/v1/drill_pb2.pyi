from trafficdirector.admin.v1 import admin_pb2 as _admin_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Rehearsal(_message.Message):
    __slots__ = ("name", "region_id", "how", "share_per_mille", "delay_ms", "for_ms", "expect_rto_ms", "expect_rpo_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    SHARE_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    FOR_MS_FIELD_NUMBER: _ClassVar[int]
    EXPECT_RTO_MS_FIELD_NUMBER: _ClassVar[int]
    EXPECT_RPO_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    region_id: str
    how: str
    share_per_mille: int
    delay_ms: int
    for_ms: int
    expect_rto_ms: int
    expect_rpo_ms: int
    def __init__(self, name: _Optional[str] = ..., region_id: _Optional[str] = ..., how: _Optional[str] = ..., share_per_mille: _Optional[int] = ..., delay_ms: _Optional[int] = ..., for_ms: _Optional[int] = ..., expect_rto_ms: _Optional[int] = ..., expect_rpo_ms: _Optional[int] = ...) -> None: ...

class GuardAnswer(_message.Message):
    __slots__ = ("guard", "passed", "message", "values")
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    GUARD_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    guard: str
    passed: bool
    message: str
    values: _containers.ScalarMap[str, str]
    def __init__(self, guard: _Optional[str] = ..., passed: bool = ..., message: _Optional[str] = ..., values: _Optional[_Mapping[str, str]] = ...) -> None: ...

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

class Drill(_message.Message):
    __slots__ = ("drill_id", "service_id", "region_id", "how", "share_per_mille", "delay_ms", "for_ms", "stage", "verdict", "cause", "actor", "reason", "schedule_id", "occurrence_ms", "home_region_id", "started_wall_ms", "ended_wall_ms", "guards", "timeline", "phases", "measured_rto_ms", "loss_bound_ms", "rto_budget_ms", "rpo_budget_ms", "rto_ms", "evidence", "failover_ids", "revision", "state_diff", "abort_cause", "abort_note", "injected_at_ms", "report_hash")
    DRILL_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    SHARE_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    FOR_MS_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRENCE_MS_FIELD_NUMBER: _ClassVar[int]
    HOME_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    ENDED_WALL_MS_FIELD_NUMBER: _ClassVar[int]
    GUARDS_FIELD_NUMBER: _ClassVar[int]
    TIMELINE_FIELD_NUMBER: _ClassVar[int]
    PHASES_FIELD_NUMBER: _ClassVar[int]
    MEASURED_RTO_MS_FIELD_NUMBER: _ClassVar[int]
    LOSS_BOUND_MS_FIELD_NUMBER: _ClassVar[int]
    RTO_BUDGET_MS_FIELD_NUMBER: _ClassVar[int]
    RPO_BUDGET_MS_FIELD_NUMBER: _ClassVar[int]
    RTO_MS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    FAILOVER_IDS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    STATE_DIFF_FIELD_NUMBER: _ClassVar[int]
    ABORT_CAUSE_FIELD_NUMBER: _ClassVar[int]
    ABORT_NOTE_FIELD_NUMBER: _ClassVar[int]
    INJECTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    REPORT_HASH_FIELD_NUMBER: _ClassVar[int]
    drill_id: str
    service_id: str
    region_id: str
    how: str
    share_per_mille: int
    delay_ms: int
    for_ms: int
    stage: str
    verdict: str
    cause: str
    actor: str
    reason: str
    schedule_id: str
    occurrence_ms: int
    home_region_id: str
    started_wall_ms: int
    ended_wall_ms: int
    guards: _containers.RepeatedCompositeFieldContainer[GuardAnswer]
    timeline: _containers.RepeatedCompositeFieldContainer[DrillMoment]
    phases: _containers.RepeatedCompositeFieldContainer[_admin_pb2.PhaseTime]
    measured_rto_ms: int
    loss_bound_ms: int
    rto_budget_ms: int
    rpo_budget_ms: int
    rto_ms: int
    evidence: _containers.RepeatedCompositeFieldContainer[_admin_pb2.Evidence]
    failover_ids: _containers.RepeatedScalarFieldContainer[str]
    revision: int
    state_diff: _containers.RepeatedScalarFieldContainer[str]
    abort_cause: str
    abort_note: str
    injected_at_ms: int
    report_hash: str
    def __init__(self, drill_id: _Optional[str] = ..., service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., how: _Optional[str] = ..., share_per_mille: _Optional[int] = ..., delay_ms: _Optional[int] = ..., for_ms: _Optional[int] = ..., stage: _Optional[str] = ..., verdict: _Optional[str] = ..., cause: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., schedule_id: _Optional[str] = ..., occurrence_ms: _Optional[int] = ..., home_region_id: _Optional[str] = ..., started_wall_ms: _Optional[int] = ..., ended_wall_ms: _Optional[int] = ..., guards: _Optional[_Iterable[_Union[GuardAnswer, _Mapping]]] = ..., timeline: _Optional[_Iterable[_Union[DrillMoment, _Mapping]]] = ..., phases: _Optional[_Iterable[_Union[_admin_pb2.PhaseTime, _Mapping]]] = ..., measured_rto_ms: _Optional[int] = ..., loss_bound_ms: _Optional[int] = ..., rto_budget_ms: _Optional[int] = ..., rpo_budget_ms: _Optional[int] = ..., rto_ms: _Optional[int] = ..., evidence: _Optional[_Iterable[_Union[_admin_pb2.Evidence, _Mapping]]] = ..., failover_ids: _Optional[_Iterable[str]] = ..., revision: _Optional[int] = ..., state_diff: _Optional[_Iterable[str]] = ..., abort_cause: _Optional[str] = ..., abort_note: _Optional[str] = ..., injected_at_ms: _Optional[int] = ..., report_hash: _Optional[str] = ...) -> None: ...

class ScheduleStatus(_message.Message):
    __slots__ = ("schedule_id", "service_id", "cron", "timezone", "region_id", "how", "for_ms", "next_due_ms", "fault", "last_drill")
    SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    CRON_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    FOR_MS_FIELD_NUMBER: _ClassVar[int]
    NEXT_DUE_MS_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    LAST_DRILL_FIELD_NUMBER: _ClassVar[int]
    schedule_id: str
    service_id: str
    cron: str
    timezone: str
    region_id: str
    how: str
    for_ms: int
    next_due_ms: int
    fault: str
    last_drill: Drill
    def __init__(self, schedule_id: _Optional[str] = ..., service_id: _Optional[str] = ..., cron: _Optional[str] = ..., timezone: _Optional[str] = ..., region_id: _Optional[str] = ..., how: _Optional[str] = ..., for_ms: _Optional[int] = ..., next_due_ms: _Optional[int] = ..., fault: _Optional[str] = ..., last_drill: _Optional[_Union[Drill, _Mapping]] = ...) -> None: ...

class PlanDrillRequest(_message.Message):
    __slots__ = ("rehearsal",)
    REHEARSAL_FIELD_NUMBER: _ClassVar[int]
    rehearsal: Rehearsal
    def __init__(self, rehearsal: _Optional[_Union[Rehearsal, _Mapping]] = ...) -> None: ...

class PlannedMoment(_message.Message):
    __slots__ = ("after_ms", "what")
    AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    after_ms: int
    what: str
    def __init__(self, after_ms: _Optional[int] = ..., what: _Optional[str] = ...) -> None: ...

class PlanDrillResponse(_message.Message):
    __slots__ = ("service_id", "region_id", "how", "for_ms", "guards", "would_run", "target_region_id", "phases", "predicted_rto_ms", "rto_budget_ms", "loss_bound_ms", "rpo_budget_ms", "touched", "moments", "left_over")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    FOR_MS_FIELD_NUMBER: _ClassVar[int]
    GUARDS_FIELD_NUMBER: _ClassVar[int]
    WOULD_RUN_FIELD_NUMBER: _ClassVar[int]
    TARGET_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    PHASES_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_RTO_MS_FIELD_NUMBER: _ClassVar[int]
    RTO_BUDGET_MS_FIELD_NUMBER: _ClassVar[int]
    LOSS_BOUND_MS_FIELD_NUMBER: _ClassVar[int]
    RPO_BUDGET_MS_FIELD_NUMBER: _ClassVar[int]
    TOUCHED_FIELD_NUMBER: _ClassVar[int]
    MOMENTS_FIELD_NUMBER: _ClassVar[int]
    LEFT_OVER_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    region_id: str
    how: str
    for_ms: int
    guards: _containers.RepeatedCompositeFieldContainer[GuardAnswer]
    would_run: bool
    target_region_id: str
    phases: _containers.RepeatedCompositeFieldContainer[_admin_pb2.PhaseTime]
    predicted_rto_ms: int
    rto_budget_ms: int
    loss_bound_ms: int
    rpo_budget_ms: int
    touched: _containers.RepeatedScalarFieldContainer[str]
    moments: _containers.RepeatedCompositeFieldContainer[PlannedMoment]
    left_over: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., how: _Optional[str] = ..., for_ms: _Optional[int] = ..., guards: _Optional[_Iterable[_Union[GuardAnswer, _Mapping]]] = ..., would_run: bool = ..., target_region_id: _Optional[str] = ..., phases: _Optional[_Iterable[_Union[_admin_pb2.PhaseTime, _Mapping]]] = ..., predicted_rto_ms: _Optional[int] = ..., rto_budget_ms: _Optional[int] = ..., loss_bound_ms: _Optional[int] = ..., rpo_budget_ms: _Optional[int] = ..., touched: _Optional[_Iterable[str]] = ..., moments: _Optional[_Iterable[_Union[PlannedMoment, _Mapping]]] = ..., left_over: _Optional[_Iterable[str]] = ...) -> None: ...

class StartDrillRequest(_message.Message):
    __slots__ = ("rehearsal", "expected_revision", "change")
    REHEARSAL_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    rehearsal: Rehearsal
    expected_revision: int
    change: _admin_pb2.Change
    def __init__(self, rehearsal: _Optional[_Union[Rehearsal, _Mapping]] = ..., expected_revision: _Optional[int] = ..., change: _Optional[_Union[_admin_pb2.Change, _Mapping]] = ...) -> None: ...

class StartDrillResponse(_message.Message):
    __slots__ = ("drill_id", "message", "index")
    DRILL_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    drill_id: str
    message: str
    index: int
    def __init__(self, drill_id: _Optional[str] = ..., message: _Optional[str] = ..., index: _Optional[int] = ...) -> None: ...

class GetDrillRequest(_message.Message):
    __slots__ = ("drill_id",)
    DRILL_ID_FIELD_NUMBER: _ClassVar[int]
    drill_id: str
    def __init__(self, drill_id: _Optional[str] = ...) -> None: ...

class GetDrillResponse(_message.Message):
    __slots__ = ("drill",)
    DRILL_FIELD_NUMBER: _ClassVar[int]
    drill: Drill
    def __init__(self, drill: _Optional[_Union[Drill, _Mapping]] = ...) -> None: ...

class ListDrillsRequest(_message.Message):
    __slots__ = ("name", "limit")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    name: str
    limit: int
    def __init__(self, name: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ListDrillsResponse(_message.Message):
    __slots__ = ("drills", "schedules")
    DRILLS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    drills: _containers.RepeatedCompositeFieldContainer[Drill]
    schedules: _containers.RepeatedCompositeFieldContainer[ScheduleStatus]
    def __init__(self, drills: _Optional[_Iterable[_Union[Drill, _Mapping]]] = ..., schedules: _Optional[_Iterable[_Union[ScheduleStatus, _Mapping]]] = ...) -> None: ...

class AbortDrillRequest(_message.Message):
    __slots__ = ("drill_id", "change")
    DRILL_ID_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    drill_id: str
    change: _admin_pb2.Change
    def __init__(self, drill_id: _Optional[str] = ..., change: _Optional[_Union[_admin_pb2.Change, _Mapping]] = ...) -> None: ...

class AbortDrillResponse(_message.Message):
    __slots__ = ("message",)
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    message: str
    def __init__(self, message: _Optional[str] = ...) -> None: ...

class WatchDrillRequest(_message.Message):
    __slots__ = ("drill_id",)
    DRILL_ID_FIELD_NUMBER: _ClassVar[int]
    drill_id: str
    def __init__(self, drill_id: _Optional[str] = ...) -> None: ...

class WatchDrillResponse(_message.Message):
    __slots__ = ("drill",)
    DRILL_FIELD_NUMBER: _ClassVar[int]
    drill: Drill
    def __init__(self, drill: _Optional[_Union[Drill, _Mapping]] = ...) -> None: ...

class GetDrillReportRequest(_message.Message):
    __slots__ = ("drill_id",)
    DRILL_ID_FIELD_NUMBER: _ClassVar[int]
    drill_id: str
    def __init__(self, drill_id: _Optional[str] = ...) -> None: ...

class GetDrillReportResponse(_message.Message):
    __slots__ = ("drill_id", "content", "report_hash")
    DRILL_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    REPORT_HASH_FIELD_NUMBER: _ClassVar[int]
    drill_id: str
    content: str
    report_hash: str
    def __init__(self, drill_id: _Optional[str] = ..., content: _Optional[str] = ..., report_hash: _Optional[str] = ...) -> None: ...
