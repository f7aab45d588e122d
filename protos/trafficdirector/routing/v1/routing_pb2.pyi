from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Source(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_UNSPECIFIED: _ClassVar[Source]
    SOURCE_FRESH: _ClassVar[Source]
    SOURCE_STALE: _ClassVar[Source]
    SOURCE_KEPT: _ClassVar[Source]
SOURCE_UNSPECIFIED: Source
SOURCE_FRESH: Source
SOURCE_STALE: Source
SOURCE_KEPT: Source

class Location(_message.Message):
    __slots__ = ("lat", "lon")
    LAT_FIELD_NUMBER: _ClassVar[int]
    LON_FIELD_NUMBER: _ClassVar[int]
    lat: float
    lon: float
    def __init__(self, lat: _Optional[float] = ..., lon: _Optional[float] = ...) -> None: ...

class ResolveRequest(_message.Message):
    __slots__ = ("service_id", "location", "region_id", "address", "subject_jurisdiction", "session_id", "view_age_ms_max")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_JURISDICTION_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    VIEW_AGE_MS_MAX_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    location: Location
    region_id: str
    address: str
    subject_jurisdiction: str
    session_id: str
    view_age_ms_max: int
    def __init__(self, service_id: _Optional[str] = ..., location: _Optional[_Union[Location, _Mapping]] = ..., region_id: _Optional[str] = ..., address: _Optional[str] = ..., subject_jurisdiction: _Optional[str] = ..., session_id: _Optional[str] = ..., view_age_ms_max: _Optional[int] = ...) -> None: ...

class Endpoint(_message.Message):
    __slots__ = ("address", "zone", "labels", "weight")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    address: str
    zone: str
    labels: _containers.ScalarMap[str, str]
    weight: int
    def __init__(self, address: _Optional[str] = ..., zone: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., weight: _Optional[int] = ...) -> None: ...

class ResolveResponse(_message.Message):
    __slots__ = ("service_id", "region_id", "endpoints", "revision", "generation", "epoch", "ttl_ms", "fail_open", "reason", "view_age_ms", "source")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    FAIL_OPEN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VIEW_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    region_id: str
    endpoints: _containers.RepeatedCompositeFieldContainer[Endpoint]
    revision: int
    generation: int
    epoch: int
    ttl_ms: int
    fail_open: bool
    reason: str
    view_age_ms: int
    source: Source
    def __init__(self, service_id: _Optional[str] = ..., region_id: _Optional[str] = ..., endpoints: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ..., revision: _Optional[int] = ..., generation: _Optional[int] = ..., epoch: _Optional[int] = ..., ttl_ms: _Optional[int] = ..., fail_open: bool = ..., reason: _Optional[str] = ..., view_age_ms: _Optional[int] = ..., source: _Optional[_Union[Source, str]] = ...) -> None: ...

class BatchResolveRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[ResolveRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[ResolveRequest, _Mapping]]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("reason", "message", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class BatchResolveResult(_message.Message):
    __slots__ = ("response", "refusal")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    response: ResolveResponse
    refusal: Refusal
    def __init__(self, response: _Optional[_Union[ResolveResponse, _Mapping]] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ...) -> None: ...

class BatchResolveResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchResolveResult]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchResolveResult, _Mapping]]] = ...) -> None: ...

class ExplainResolveRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: ResolveRequest
    def __init__(self, request: _Optional[_Union[ResolveRequest, _Mapping]] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("region_id", "outcome", "reason", "text", "distance_km", "rtt_us", "priority", "verdict")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_KM_FIELD_NUMBER: _ClassVar[int]
    RTT_US_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    outcome: str
    reason: str
    text: str
    distance_km: int
    rtt_us: int
    priority: int
    verdict: str
    def __init__(self, region_id: _Optional[str] = ..., outcome: _Optional[str] = ..., reason: _Optional[str] = ..., text: _Optional[str] = ..., distance_km: _Optional[int] = ..., rtt_us: _Optional[int] = ..., priority: _Optional[int] = ..., verdict: _Optional[str] = ...) -> None: ...

class Position(_message.Message):
    __slots__ = ("source", "location", "accuracy_km", "country", "place")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_KM_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    source: str
    location: Location
    accuracy_km: int
    country: str
    place: str
    def __init__(self, source: _Optional[str] = ..., location: _Optional[_Union[Location, _Mapping]] = ..., accuracy_km: _Optional[int] = ..., country: _Optional[str] = ..., place: _Optional[str] = ...) -> None: ...

class ExplainResolveResponse(_message.Message):
    __slots__ = ("result", "candidates", "position", "revision", "view_age_ms")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    VIEW_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    result: BatchResolveResult
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    position: Position
    revision: int
    view_age_ms: int
    def __init__(self, result: _Optional[_Union[BatchResolveResult, _Mapping]] = ..., candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., position: _Optional[_Union[Position, _Mapping]] = ..., revision: _Optional[int] = ..., view_age_ms: _Optional[int] = ...) -> None: ...

class WatchRoutesRequest(_message.Message):
    __slots__ = ("service_ids", "from_revision", "from_generation", "watcher_id")
    SERVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    FROM_REVISION_FIELD_NUMBER: _ClassVar[int]
    FROM_GENERATION_FIELD_NUMBER: _ClassVar[int]
    WATCHER_ID_FIELD_NUMBER: _ClassVar[int]
    service_ids: _containers.RepeatedScalarFieldContainer[str]
    from_revision: int
    from_generation: int
    watcher_id: str
    def __init__(self, service_ids: _Optional[_Iterable[str]] = ..., from_revision: _Optional[int] = ..., from_generation: _Optional[int] = ..., watcher_id: _Optional[str] = ...) -> None: ...

class WatchRoutesResponse(_message.Message):
    __slots__ = ("generation", "revision", "view_age_ms", "table", "delta", "beat")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    VIEW_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    BEAT_FIELD_NUMBER: _ClassVar[int]
    generation: int
    revision: int
    view_age_ms: int
    table: Table
    delta: Delta
    beat: Beat
    def __init__(self, generation: _Optional[int] = ..., revision: _Optional[int] = ..., view_age_ms: _Optional[int] = ..., table: _Optional[_Union[Table, _Mapping]] = ..., delta: _Optional[_Union[Delta, _Mapping]] = ..., beat: _Optional[_Union[Beat, _Mapping]] = ...) -> None: ...

class Beat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Table(_message.Message):
    __slots__ = ("config_revision", "regions", "round_trips", "services")
    CONFIG_REVISION_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    ROUND_TRIPS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    config_revision: int
    regions: _containers.RepeatedCompositeFieldContainer[Region]
    round_trips: _containers.RepeatedCompositeFieldContainer[RoundTrip]
    services: _containers.RepeatedCompositeFieldContainer[ServiceRoute]
    def __init__(self, config_revision: _Optional[int] = ..., regions: _Optional[_Iterable[_Union[Region, _Mapping]]] = ..., round_trips: _Optional[_Iterable[_Union[RoundTrip, _Mapping]]] = ..., services: _Optional[_Iterable[_Union[ServiceRoute, _Mapping]]] = ...) -> None: ...

class Delta(_message.Message):
    __slots__ = ("config_revision", "services", "removed_service_ids", "regions_changed", "regions", "round_trips")
    CONFIG_REVISION_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    REMOVED_SERVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    REGIONS_CHANGED_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    ROUND_TRIPS_FIELD_NUMBER: _ClassVar[int]
    config_revision: int
    services: _containers.RepeatedCompositeFieldContainer[ServiceRoute]
    removed_service_ids: _containers.RepeatedScalarFieldContainer[str]
    regions_changed: bool
    regions: _containers.RepeatedCompositeFieldContainer[Region]
    round_trips: _containers.RepeatedCompositeFieldContainer[RoundTrip]
    def __init__(self, config_revision: _Optional[int] = ..., services: _Optional[_Iterable[_Union[ServiceRoute, _Mapping]]] = ..., removed_service_ids: _Optional[_Iterable[str]] = ..., regions_changed: bool = ..., regions: _Optional[_Iterable[_Union[Region, _Mapping]]] = ..., round_trips: _Optional[_Iterable[_Union[RoundTrip, _Mapping]]] = ...) -> None: ...

class Region(_message.Message):
    __slots__ = ("region_id", "location", "jurisdiction", "failure_domain", "drained")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    JURISDICTION_FIELD_NUMBER: _ClassVar[int]
    FAILURE_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    DRAINED_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    location: Location
    jurisdiction: str
    failure_domain: str
    drained: bool
    def __init__(self, region_id: _Optional[str] = ..., location: _Optional[_Union[Location, _Mapping]] = ..., jurisdiction: _Optional[str] = ..., failure_domain: _Optional[str] = ..., drained: bool = ...) -> None: ...

class RoundTrip(_message.Message):
    __slots__ = ("from_region_id", "to_region_id", "rtt_us")
    FROM_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    TO_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    RTT_US_FIELD_NUMBER: _ClassVar[int]
    from_region_id: str
    to_region_id: str
    rtt_us: int
    def __init__(self, from_region_id: _Optional[str] = ..., to_region_id: _Optional[str] = ..., rtt_us: _Optional[int] = ...) -> None: ...

class ServiceRoute(_message.Message):
    __slots__ = ("service_id", "mode", "strategy", "ttl_ms", "panic_per_mille", "all_unhealthy", "sticky", "residency", "sites", "owner_region_id", "generation", "epoch")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    PANIC_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    ALL_UNHEALTHY_FIELD_NUMBER: _ClassVar[int]
    STICKY_FIELD_NUMBER: _ClassVar[int]
    RESIDENCY_FIELD_NUMBER: _ClassVar[int]
    SITES_FIELD_NUMBER: _ClassVar[int]
    OWNER_REGION_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    mode: str
    strategy: str
    ttl_ms: int
    panic_per_mille: int
    all_unhealthy: str
    sticky: bool
    residency: _containers.RepeatedCompositeFieldContainer[ResidencyRule]
    sites: _containers.RepeatedCompositeFieldContainer[Site]
    owner_region_id: str
    generation: int
    epoch: int
    def __init__(self, service_id: _Optional[str] = ..., mode: _Optional[str] = ..., strategy: _Optional[str] = ..., ttl_ms: _Optional[int] = ..., panic_per_mille: _Optional[int] = ..., all_unhealthy: _Optional[str] = ..., sticky: bool = ..., residency: _Optional[_Iterable[_Union[ResidencyRule, _Mapping]]] = ..., sites: _Optional[_Iterable[_Union[Site, _Mapping]]] = ..., owner_region_id: _Optional[str] = ..., generation: _Optional[int] = ..., epoch: _Optional[int] = ...) -> None: ...

class ResidencyRule(_message.Message):
    __slots__ = ("subject_jurisdiction", "allow_jurisdictions")
    SUBJECT_JURISDICTION_FIELD_NUMBER: _ClassVar[int]
    ALLOW_JURISDICTIONS_FIELD_NUMBER: _ClassVar[int]
    subject_jurisdiction: str
    allow_jurisdictions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, subject_jurisdiction: _Optional[str] = ..., allow_jurisdictions: _Optional[_Iterable[str]] = ...) -> None: ...

class Site(_message.Message):
    __slots__ = ("region_id", "priority", "weight", "endpoints", "verdict", "override", "drained", "withheld", "spill_per_mille", "load_per_mille", "is_full")
    REGION_ID_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    DRAINED_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    SPILL_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    LOAD_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    IS_FULL_FIELD_NUMBER: _ClassVar[int]
    region_id: str
    priority: int
    weight: int
    endpoints: _containers.RepeatedCompositeFieldContainer[Endpoint]
    verdict: str
    override: str
    drained: bool
    withheld: str
    spill_per_mille: int
    load_per_mille: int
    is_full: bool
    def __init__(self, region_id: _Optional[str] = ..., priority: _Optional[int] = ..., weight: _Optional[int] = ..., endpoints: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ..., verdict: _Optional[str] = ..., override: _Optional[str] = ..., drained: bool = ..., withheld: _Optional[str] = ..., spill_per_mille: _Optional[int] = ..., load_per_mille: _Optional[int] = ..., is_full: bool = ...) -> None: ...
