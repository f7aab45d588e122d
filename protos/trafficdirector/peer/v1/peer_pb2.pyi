from trafficdirector.agent.v1 import agent_pb2 as _agent_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RaftEntry(_message.Message):
    __slots__ = ("index", "term", "kind", "payload")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    index: int
    term: int
    kind: str
    payload: bytes
    def __init__(self, index: _Optional[int] = ..., term: _Optional[int] = ..., kind: _Optional[str] = ..., payload: _Optional[bytes] = ...) -> None: ...

class RaftMembership(_message.Message):
    __slots__ = ("voters", "voters_outgoing", "learners")
    VOTERS_FIELD_NUMBER: _ClassVar[int]
    VOTERS_OUTGOING_FIELD_NUMBER: _ClassVar[int]
    LEARNERS_FIELD_NUMBER: _ClassVar[int]
    voters: _containers.RepeatedScalarFieldContainer[str]
    voters_outgoing: _containers.RepeatedScalarFieldContainer[str]
    learners: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, voters: _Optional[_Iterable[str]] = ..., voters_outgoing: _Optional[_Iterable[str]] = ..., learners: _Optional[_Iterable[str]] = ...) -> None: ...

class RaftSnapshotMark(_message.Message):
    __slots__ = ("index", "term", "membership")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIP_FIELD_NUMBER: _ClassVar[int]
    index: int
    term: int
    membership: RaftMembership
    def __init__(self, index: _Optional[int] = ..., term: _Optional[int] = ..., membership: _Optional[_Union[RaftMembership, _Mapping]] = ...) -> None: ...

class RaftMessage(_message.Message):
    __slots__ = ("kind", "sender", "recipient", "term", "index", "log_term", "commit", "entries", "reject", "reject_hint", "snapshot", "context", "quorum_age_ms", "force", "leader_commit", "stamp")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    LOG_TERM_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    REJECT_FIELD_NUMBER: _ClassVar[int]
    REJECT_HINT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    QUORUM_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    LEADER_COMMIT_FIELD_NUMBER: _ClassVar[int]
    STAMP_FIELD_NUMBER: _ClassVar[int]
    kind: str
    sender: str
    recipient: str
    term: int
    index: int
    log_term: int
    commit: int
    entries: _containers.RepeatedCompositeFieldContainer[RaftEntry]
    reject: bool
    reject_hint: int
    snapshot: RaftSnapshotMark
    context: int
    quorum_age_ms: int
    force: bool
    leader_commit: int
    stamp: int
    def __init__(self, kind: _Optional[str] = ..., sender: _Optional[str] = ..., recipient: _Optional[str] = ..., term: _Optional[int] = ..., index: _Optional[int] = ..., log_term: _Optional[int] = ..., commit: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[RaftEntry, _Mapping]]] = ..., reject: bool = ..., reject_hint: _Optional[int] = ..., snapshot: _Optional[_Union[RaftSnapshotMark, _Mapping]] = ..., context: _Optional[int] = ..., quorum_age_ms: _Optional[int] = ..., force: bool = ..., leader_commit: _Optional[int] = ..., stamp: _Optional[int] = ...) -> None: ...

class ExchangeRequest(_message.Message):
    __slots__ = ("fleet_id", "replica_id", "incarnation", "messages")
    FLEET_ID_FIELD_NUMBER: _ClassVar[int]
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    fleet_id: str
    replica_id: str
    incarnation: str
    messages: _containers.RepeatedCompositeFieldContainer[RaftMessage]
    def __init__(self, fleet_id: _Optional[str] = ..., replica_id: _Optional[str] = ..., incarnation: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[RaftMessage, _Mapping]]] = ...) -> None: ...

class ExchangeResponse(_message.Message):
    __slots__ = ("replica_id",)
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    def __init__(self, replica_id: _Optional[str] = ...) -> None: ...

class InstallSnapshotRequest(_message.Message):
    __slots__ = ("message", "fleet_id", "total_bytes", "sha256", "chunk")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FLEET_ID_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    message: RaftMessage
    fleet_id: str
    total_bytes: int
    sha256: bytes
    chunk: bytes
    def __init__(self, message: _Optional[_Union[RaftMessage, _Mapping]] = ..., fleet_id: _Optional[str] = ..., total_bytes: _Optional[int] = ..., sha256: _Optional[bytes] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class InstallSnapshotResponse(_message.Message):
    __slots__ = ("installed",)
    INSTALLED_FIELD_NUMBER: _ClassVar[int]
    installed: bool
    def __init__(self, installed: bool = ...) -> None: ...

class RelayRequest(_message.Message):
    __slots__ = ("replica_id", "failure_domain", "term", "pushed_index", "watcher_count", "reports")
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    PUSHED_INDEX_FIELD_NUMBER: _ClassVar[int]
    WATCHER_COUNT_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    failure_domain: str
    term: int
    pushed_index: int
    watcher_count: int
    reports: _containers.RepeatedCompositeFieldContainer[RelayedReport]
    def __init__(self, replica_id: _Optional[str] = ..., failure_domain: _Optional[str] = ..., term: _Optional[int] = ..., pushed_index: _Optional[int] = ..., watcher_count: _Optional[int] = ..., reports: _Optional[_Iterable[_Union[RelayedReport, _Mapping]]] = ...) -> None: ...

class RelayedReport(_message.Message):
    __slots__ = ("region_id", "agent_id", "boot_id", "counter", "age_ms", "readings", "transit_ms_max")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    READINGS_FIELD_NUMBER: _ClassVar[int]
    TRANSIT_MS_MAX_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    agent_id: str
    boot_id: str
    counter: int
    age_ms: int
    readings: _agent_pb2.Readings
    transit_ms_max: int
    def __init__(self, region_id: _Optional[str] = ..., agent_id: _Optional[str] = ..., boot_id: _Optional[str] = ..., counter: _Optional[int] = ..., age_ms: _Optional[int] = ..., readings: _Optional[_Union[_agent_pb2.Readings, _Mapping]] = ..., transit_ms_max: _Optional[int] = ...) -> None: ...

class RelayResponse(_message.Message):
    __slots__ = ("term",)
    TERM_FIELD_NUMBER: _ClassVar[int]
    term: int
    def __init__(self, term: _Optional[int] = ...) -> None: ...
