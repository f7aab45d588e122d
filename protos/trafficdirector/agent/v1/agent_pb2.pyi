from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FencingToken(_message.Message):
    __slots__ = ("generation", "epoch")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    generation: int
    epoch: int
    def __init__(self, generation: _Optional[int] = ..., epoch: _Optional[int] = ...) -> None: ...

class ReportRequest(_message.Message):
    __slots__ = ("hello", "report", "lease")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    report: Report
    lease: LeaseRequest
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., report: _Optional[_Union[Report, _Mapping]] = ..., lease: _Optional[_Union[LeaseRequest, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("region_id", "agent_id", "boot_id", "service_ids", "version")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    agent_id: str
    boot_id: str
    service_ids: _containers.RepeatedScalarFieldContainer[str]
    version: str
    def __init__(self, region_id: _Optional[str] = ..., agent_id: _Optional[str] = ..., boot_id: _Optional[str] = ..., service_ids: _Optional[_Iterable[str]] = ..., version: _Optional[str] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("counter", "readings", "echo", "unanswered")
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    READINGS_FIELD_NUMBER: _ClassVar[int]
    ECHO_FIELD_NUMBER: _ClassVar[int]
    UNANSWERED_FIELD_NUMBER: _ClassVar[int]
    counter: int
    readings: Readings
    echo: PulseEcho
    unanswered: Unanswered
    def __init__(self, counter: _Optional[int] = ..., readings: _Optional[_Union[Readings, _Mapping]] = ..., echo: _Optional[_Union[PulseEcho, _Mapping]] = ..., unanswered: _Optional[_Union[Unanswered, _Mapping]] = ...) -> None: ...

class Unanswered(_message.Message):
    __slots__ = ("for_ms", "answered_by")
    FOR_MS_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_BY_FIELD_NUMBER: _ClassVar[int]
    for_ms: int
    answered_by: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, for_ms: _Optional[int] = ..., answered_by: _Optional[_Iterable[str]] = ...) -> None: ...

class PulseEcho(_message.Message):
    __slots__ = ("sent_at", "held_ms")
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    HELD_MS_FIELD_NUMBER: _ClassVar[int]
    sent_at: int
    held_ms: int
    def __init__(self, sent_at: _Optional[int] = ..., held_ms: _Optional[int] = ...) -> None: ...

class Readings(_message.Message):
    __slots__ = ("services", "peers", "round_trips", "gates", "muted_service_ids")
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    ROUND_TRIPS_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    MUTED_SERVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedCompositeFieldContainer[ServiceReading]
    peers: _containers.RepeatedCompositeFieldContainer[PeerReading]
    round_trips: _containers.RepeatedCompositeFieldContainer[RegionRoundTrip]
    gates: _containers.RepeatedCompositeFieldContainer[GateReading]
    muted_service_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, services: _Optional[_Iterable[_Union[ServiceReading, _Mapping]]] = ..., peers: _Optional[_Iterable[_Union[PeerReading, _Mapping]]] = ..., round_trips: _Optional[_Iterable[_Union[RegionRoundTrip, _Mapping]]] = ..., gates: _Optional[_Iterable[_Union[GateReading, _Mapping]]] = ..., muted_service_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ServiceReading(_message.Message):
    __slots__ = ("service_id", "passing", "lag_ms", "lag_age_ms", "load_rps")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    PASSING_FIELD_NUMBER: _ClassVar[int]
    LAG_MS_FIELD_NUMBER: _ClassVar[int]
    LAG_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    LOAD_RPS_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    passing: bool
    lag_ms: int
    lag_age_ms: int
    load_rps: int
    def __init__(self, service_id: _Optional[str] = ..., passing: bool = ..., lag_ms: _Optional[int] = ..., lag_age_ms: _Optional[int] = ..., load_rps: _Optional[int] = ...) -> None: ...

class PeerReading(_message.Message):
    __slots__ = ("service_id", "region_id", "passing", "round_count", "failing_for_ms", "age_ms")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    PASSING_FIELD_NUMBER: _ClassVar[int]
    ROUND_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILING_FOR_MS_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    region_id: str
    passing: bool
    round_count: int
    failing_for_ms: int
    age_ms: int
    def __init__(self, service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., passing: bool = ..., round_count: _Optional[int] = ..., failing_for_ms: _Optional[int] = ..., age_ms: _Optional[int] = ...) -> None: ...

class RegionRoundTrip(_message.Message):
    __slots__ = ("region_id", "rtt_us")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    RTT_US_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    rtt_us: int
    def __init__(self, region_id: _Optional[str] = ..., rtt_us: _Optional[int] = ...) -> None: ...

class GateReading(_message.Message):
    __slots__ = ("group_id", "token", "is_open", "demoted_through", "home_region_id", "has_long_answers")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    IS_OPEN_FIELD_NUMBER: _ClassVar[int]
    DEMOTED_THROUGH_FIELD_NUMBER: _ClassVar[int]
    HOME_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    HAS_LONG_ANSWERS_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    token: FencingToken
    is_open: bool
    demoted_through: FencingToken
    home_region_id: str
    has_long_answers: bool
    def __init__(self, group_id: _Optional[str] = ..., token: _Optional[_Union[FencingToken, _Mapping]] = ..., is_open: bool = ..., demoted_through: _Optional[_Union[FencingToken, _Mapping]] = ..., home_region_id: _Optional[str] = ..., has_long_answers: bool = ...) -> None: ...

class LeaseRequest(_message.Message):
    __slots__ = ("group_id", "token", "request_number", "is_proven", "is_holding")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    IS_PROVEN_FIELD_NUMBER: _ClassVar[int]
    IS_HOLDING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    token: FencingToken
    request_number: int
    is_proven: bool
    is_holding: bool
    def __init__(self, group_id: _Optional[str] = ..., token: _Optional[_Union[FencingToken, _Mapping]] = ..., request_number: _Optional[int] = ..., is_proven: bool = ..., is_holding: bool = ...) -> None: ...

class ReportResponse(_message.Message):
    __slots__ = ("welcome", "group", "probes", "grant", "refusal", "pulse", "injection")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    PROBES_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    PULSE_FIELD_NUMBER: _ClassVar[int]
    INJECTION_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    group: GroupDirective
    probes: ProbePlan
    grant: LeaseGrant
    refusal: LeaseRefusal
    pulse: Pulse
    injection: Injection
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., group: _Optional[_Union[GroupDirective, _Mapping]] = ..., probes: _Optional[_Union[ProbePlan, _Mapping]] = ..., grant: _Optional[_Union[LeaseGrant, _Mapping]] = ..., refusal: _Optional[_Union[LeaseRefusal, _Mapping]] = ..., pulse: _Optional[_Union[Pulse, _Mapping]] = ..., injection: _Optional[_Union[Injection, _Mapping]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("replica_id", "leader_id", "heartbeat_ms", "lease_ms", "lease_renew_ms")
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    LEADER_ID_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    LEASE_RENEW_MS_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    leader_id: str
    heartbeat_ms: int
    lease_ms: int
    lease_renew_ms: int
    def __init__(self, replica_id: _Optional[str] = ..., leader_id: _Optional[str] = ..., heartbeat_ms: _Optional[int] = ..., lease_ms: _Optional[int] = ..., lease_renew_ms: _Optional[int] = ...) -> None: ...

class Pulse(_message.Message):
    __slots__ = ("sent_at",)
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    sent_at: int
    def __init__(self, sent_at: _Optional[int] = ...) -> None: ...

class GroupDirective(_message.Message):
    __slots__ = ("group_id", "service_id", "home_region_id", "token", "demote", "prepare")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    HOME_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    DEMOTE_FIELD_NUMBER: _ClassVar[int]
    PREPARE_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    service_id: str
    home_region_id: str
    token: FencingToken
    demote: bool
    prepare: bool
    def __init__(self, group_id: _Optional[str] = ..., service_id: _Optional[str] = ..., home_region_id: _Optional[str] = ..., token: _Optional[_Union[FencingToken, _Mapping]] = ..., demote: bool = ..., prepare: bool = ...) -> None: ...

class ProbePlan(_message.Message):
    __slots__ = ("targets",)
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    targets: _containers.RepeatedCompositeFieldContainer[ProbeTarget]
    def __init__(self, targets: _Optional[_Iterable[_Union[ProbeTarget, _Mapping]]] = ...) -> None: ...

class ProbeTarget(_message.Message):
    __slots__ = ("service_id", "region_id", "address", "kind", "path", "every_ms", "timeout_ms", "rise_count", "fall_count", "forgive_count")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    EVERY_MS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    RISE_COUNT_FIELD_NUMBER: _ClassVar[int]
    FALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    FORGIVE_COUNT_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    region_id: str
    address: str
    kind: str
    path: str
    every_ms: int
    timeout_ms: int
    rise_count: int
    fall_count: int
    forgive_count: int
    def __init__(self, service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., address: _Optional[str] = ..., kind: _Optional[str] = ..., path: _Optional[str] = ..., every_ms: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., rise_count: _Optional[int] = ..., fall_count: _Optional[int] = ..., forgive_count: _Optional[int] = ...) -> None: ...

class Injection(_message.Message):
    __slots__ = ("drill_id", "number", "renewal", "service_id", "region_id", "kind", "share_per_mille", "delay_ms", "ttl_ms")
    DRILL_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    RENEWAL_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SHARE_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    drill_id: str
    number: int
    renewal: int
    service_id: str
    region_id: str
    kind: str
    share_per_mille: int
    delay_ms: int
    ttl_ms: int
    def __init__(self, drill_id: _Optional[str] = ..., number: _Optional[int] = ..., renewal: _Optional[int] = ..., service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., kind: _Optional[str] = ..., share_per_mille: _Optional[int] = ..., delay_ms: _Optional[int] = ..., ttl_ms: _Optional[int] = ...) -> None: ...

class LeaseGrant(_message.Message):
    __slots__ = ("group_id", "token", "request_number", "ttl_ms")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    token: FencingToken
    request_number: int
    ttl_ms: int
    def __init__(self, group_id: _Optional[str] = ..., token: _Optional[_Union[FencingToken, _Mapping]] = ..., request_number: _Optional[int] = ..., ttl_ms: _Optional[int] = ...) -> None: ...

class LeaseRefusal(_message.Message):
    __slots__ = ("group_id", "request_number", "reason")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    request_number: int
    reason: str
    def __init__(self, group_id: _Optional[str] = ..., request_number: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class CheckGateRequest(_message.Message):
    __slots__ = ("service_id",)
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    def __init__(self, service_id: _Optional[str] = ...) -> None: ...

class CheckGateResponse(_message.Message):
    __slots__ = ("may_write", "token", "deadline_boottime_ms", "reason", "home_region_id")
    MAY_WRITE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_BOOTTIME_MS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    HOME_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    may_write: bool
    token: FencingToken
    deadline_boottime_ms: int
    reason: str
    home_region_id: str
    def __init__(self, may_write: bool = ..., token: _Optional[_Union[FencingToken, _Mapping]] = ..., deadline_boottime_ms: _Optional[int] = ..., reason: _Optional[str] = ..., home_region_id: _Optional[str] = ...) -> None: ...

class WatchGateRequest(_message.Message):
    __slots__ = ("service_id",)
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    def __init__(self, service_id: _Optional[str] = ...) -> None: ...

class WatchGateResponse(_message.Message):
    __slots__ = ("gate",)
    GATE_FIELD_NUMBER: _ClassVar[int]
    gate: CheckGateResponse
    def __init__(self, gate: _Optional[_Union[CheckGateResponse, _Mapping]] = ...) -> None: ...
