from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Event(_message.Message):
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

class AuditHead(_message.Message):
    __slots__ = ("count", "head", "first_number", "first_before_hash")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    FIRST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    FIRST_BEFORE_HASH_FIELD_NUMBER: _ClassVar[int]
    count: int
    head: str
    first_number: int
    first_before_hash: str
    def __init__(self, count: _Optional[int] = ..., head: _Optional[str] = ..., first_number: _Optional[int] = ..., first_before_hash: _Optional[str] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ("service_id", "region_id", "action", "after_number", "limit")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    AFTER_NUMBER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    region_id: str
    action: str
    after_number: int
    limit: int
    def __init__(self, service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., action: _Optional[str] = ..., after_number: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ("events", "head")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    head: AuditHead
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., head: _Optional[_Union[AuditHead, _Mapping]] = ...) -> None: ...

class WatchEventsRequest(_message.Message):
    __slots__ = ("service_id", "region_id", "action", "after_number")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    AFTER_NUMBER_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    region_id: str
    action: str
    after_number: int
    def __init__(self, service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., action: _Optional[str] = ..., after_number: _Optional[int] = ...) -> None: ...

class WatchEventsResponse(_message.Message):
    __slots__ = ("event", "lost_count")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    LOST_COUNT_FIELD_NUMBER: _ClassVar[int]
    event: Event
    lost_count: int
    def __init__(self, event: _Optional[_Union[Event, _Mapping]] = ..., lost_count: _Optional[int] = ...) -> None: ...

class GetAuditHeadRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetAuditHeadResponse(_message.Message):
    __slots__ = ("head", "replica_id", "applied_index")
    HEAD_FIELD_NUMBER: _ClassVar[int]
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    APPLIED_INDEX_FIELD_NUMBER: _ClassVar[int]
    head: AuditHead
    replica_id: str
    applied_index: int
    def __init__(self, head: _Optional[_Union[AuditHead, _Mapping]] = ..., replica_id: _Optional[str] = ..., applied_index: _Optional[int] = ...) -> None: ...
