"""The four kinds of document, as people write them.

Key names are the documents' (camelCase aliases); values with units are whole numbers already. What
relations must hold between values and documents is checked in :mod:`director.config.lint`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr
from pydantic.alias_generators import to_camel

from director.config.quantities import (
    Address,
    BlockedDate,
    Cron,
    DurationMs,
    Latitude,
    Longitude,
    Name,
    PartsPerMillion,
    PerMille,
    PositiveDurationMs,
    RoundTripUs,
    SizeBytes,
    Token,
    Window,
)
from director.config.webhook_values import ActionPrefix, EnvironmentVariable, WebhookUrl
from director.core.drill import DrillKind
from director.core.topology import Automation, ProbeKind
from director.routing.table import AllUnhealthy, ServiceMode, Strategy

API_VERSION = "trafficdirector/v1"

ShortText = Annotated[StrictStr, Field(max_length=253)]
Count = Annotated[StrictInt, Field(ge=1, le=1_000)]
Port = Annotated[StrictInt, Field(ge=1, le=65_535)]
Weight = Annotated[StrictInt, Field(ge=0, le=1_000_000)]
Penalty = Annotated[StrictInt, Field(ge=1, le=1_000_000)]


class Part(BaseModel):
    """Base of everything in a document: frozen, and an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class FailbackMode(StrEnum):
    """Who moves a service back home."""

    MANUAL = "Manual"
    AUTOMATIC = "Automatic"


class Warmth(StrEnum):
    """How ready a standby is, hence how much of the RTO its activation may use."""

    HOT = "Hot"
    WARM = "Warm"
    COLD = "Cold"


class Metadata(Part):
    """The name, and labels that nobody but people and their tools reads."""

    name: Name
    labels: dict[StrictStr, ShortText] = Field(default={}, max_length=64)


class Place(Part):
    """Degrees, WGS 84."""

    lat: Latitude
    lon: Longitude


class FleetRegion(Part):
    """A place that can serve on its own."""

    name: Name
    location: Place
    jurisdiction: Token
    failure_domain: Token


class Link(Part):
    """A round trip between two regions; a measured one wins."""

    between: tuple[StrictStr, StrictStr]
    rtt: RoundTripUs


class Webhook(Part):
    """Where the audit trail is sent as it grows."""

    name: Name
    url: WebhookUrl
    secret_env: EnvironmentVariable
    events: Annotated[tuple[ActionPrefix, ...], Field(max_length=32)] = ()


class FleetSpec(Part):
    """All regions, once; and who is told of what happens."""

    regions: tuple[FleetRegion, ...]
    links: tuple[Link, ...] = ()
    webhooks: Annotated[tuple[Webhook, ...], Field(max_length=8)] = ()


class Fleet(Part):
    """The regions of the fleet; exactly one such document."""

    api_version: Literal["trafficdirector/v1"]
    kind: Literal["Fleet"]
    metadata: Metadata
    spec: FleetSpec


class Objectives(Part):
    """What the service promises. Without ``rpo`` the loss is not bounded."""

    rto: PositiveDurationMs
    rpo: DurationMs | None = None
    availability: PartsPerMillion | None = None


class Capacity(Part):
    """Requests per second that a region can take; 0 means not declared."""

    rps: Annotated[StrictInt, Field(ge=0, le=1_000_000_000)] = 0


class ServiceEndpoint(Part):
    """Where clients connect."""

    address: Address
    zone: ShortText = ""
    labels: dict[StrictStr, ShortText] = Field(default={}, max_length=64)
    weight: Weight = 1


class ServiceRegion(Part):
    """One region of the service."""

    name: StrictStr
    priority: Annotated[StrictInt, Field(ge=0, le=1_000)] = 0
    weight: Weight = 100
    capacity: Capacity = Capacity()
    warmth: Warmth = Warmth.HOT
    endpoints: tuple[ServiceEndpoint, ...] = ()


class Stickiness(Part):
    """Sessions stay in their region while it is usable."""

    key: Literal["session"] = "session"
    hash: Literal["Rendezvous"] = "Rendezvous"


class Routing(Part):
    """How clients are routed."""

    strategy: Strategy = Strategy.NEAREST
    ttl: PositiveDurationMs = 15_000
    spill_at: PerMille | None = None
    panic_below: PerMille = 400
    all_unhealthy: AllUnhealthy = AllUnhealthy.FAIL_OPEN
    stickiness: Stickiness | None = None


class Subjects(Part):
    """Whose data a residency rule is about."""

    subject_jurisdiction: Token


class Allowed(Part):
    """Which jurisdictions may serve them."""

    jurisdiction: Annotated[tuple[Token, ...], Field(min_length=1, max_length=64)]


class Residency(Part):
    """A hard limit on where data of some subjects may go."""

    when: Subjects
    allow: Allowed
    otherwise: Literal["Refuse"] = "Refuse"


class Probe(Part):
    """How peer regions check an endpoint; ``port`` replaces the endpoint's own."""

    type: ProbeKind = ProbeKind.TCP
    path: ShortText = ""
    port: Port | None = None


class Detector(Part):
    """Thresholds of suspicion. Read for compatibility; the tested timing set decides."""

    type: Literal["PhiAccrual"] = "PhiAccrual"
    suspect: Annotated[float, Field(gt=0, le=100)] = 5.0
    down: Annotated[float, Field(gt=0, le=100)] = 8.0


class Observers(Part):
    """How many vantage points must say so."""

    agree: Annotated[StrictInt, Field(ge=1, le=16)] = 2


class Health(Part):
    """How a service is judged."""

    every: PositiveDurationMs = 500
    timeout: PositiveDurationMs = 500
    rise: Count = 3
    fall: Count = 3
    forgive: Count = 1
    detector: Detector | None = None
    observers: Observers = Observers()
    probe: Probe = Probe()


class Sessions(Part):
    """What an acknowledgement of a session write promises."""

    contract: Literal["Async", "Bounded", "Sync"] = "Async"
    budget: PositiveDurationMs | None = None
    copies: Annotated[StrictInt, Field(ge=0, le=16)] = 1
    to: tuple[StrictStr, ...] = ()
    groups: Annotated[StrictInt, Field(ge=1, le=4_096)] = 64
    max_size: SizeBytes = 256 << 10


class ServiceSpecification(Part):
    """One service. ``gate``: it asks the agent's gate before it writes."""

    mode: ServiceMode
    policy_ref: StrictStr | None = None
    objectives: Objectives
    regions: tuple[ServiceRegion, ...]
    routing: Routing = Routing()
    residency: Annotated[tuple[Residency, ...], Field(max_length=256)] = ()
    health: Health = Health()
    gate: StrictBool = True
    sessions: Sessions | None = None


class Service(Part):
    """One service, owned by its team."""

    api_version: Literal["trafficdirector/v1"]
    kind: Literal["Service"]
    metadata: Metadata
    spec: ServiceSpecification


class FlapDamping(Part):
    """Each automatic move counts 1 000; the sum halves with each half-life. 0s: no damping."""

    half_life: DurationMs = 900_000
    suppress: Penalty = 2_000
    reuse: Penalty = 750


class Guards(Part):
    """What keeps automation from making things worse."""

    min_interval: DurationMs = 900_000
    flap_damping: FlapDamping = FlapDamping()
    max_concurrent: Count = 1
    min_serving_regions: Count = 1
    require_lag_within_rpo: StrictBool = Field(default=True, alias="requireLagWithinRPO")


class Failback(Part):
    """How a service returns home: by hand, or by itself once all was well for ``soak_for``."""

    mode: FailbackMode = FailbackMode.MANUAL
    soak_for: DurationMs = 1_800_000


class FailoverPolicySpec(Part):
    """Rules of failover."""

    automation: Automation = Automation.AUTOMATIC
    hold: DurationMs = 0
    guards: Guards = Guards()
    failback: Failback = Failback()


class FailoverPolicy(Part):
    """Rules of failover, shared by services."""

    api_version: Literal["trafficdirector/v1"]
    kind: Literal["FailoverPolicy"]
    metadata: Metadata
    spec: FailoverPolicySpec = FailoverPolicySpec()


class Loss(Part):
    """What the drill takes away; ``region`` is not needed for a switchover."""

    region: StrictStr | None = None
    how: DrillKind
    share: Annotated[PerMille, Field(ge=1)] = 1_000
    delay: DurationMs = 0


class Scenario(Part):
    """What happens, and for how long."""

    lose: Loss
    for_: PositiveDurationMs = Field(alias="for")


class Expectation(Part):
    """What the drill must keep to; what is not said is the service's objective."""

    rto: PositiveDurationMs | None = None
    rpo: DurationMs | None = None


class Condition(Part):
    """Holds when everything that is named in it holds."""

    region_state: dict[StrictStr, Literal["Up", "Degraded", "Down", "Unknown"]] | None = None
    failover_in_progress: StrictBool | None = None


class DrillScheduleSpec(Part):
    """When to rehearse what."""

    service: StrictStr
    cron: Cron
    timezone: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_+/-]{1,64}$")] = "UTC"
    scenario: Scenario
    expect: Expectation = Expectation()
    abort_when: Annotated[tuple[Condition, ...], Field(max_length=32)] = ()
    skip_when: Annotated[tuple[Condition, ...], Field(max_length=32)] = ()
    allowed_windows: Annotated[tuple[Window, ...], Field(max_length=32)] = ()
    blocked_dates: Annotated[tuple[BlockedDate, ...], Field(max_length=366)] = ()


class DrillSchedule(Part):
    """A rehearsal on a calendar."""

    api_version: Literal["trafficdirector/v1"]
    kind: Literal["DrillSchedule"]
    metadata: Metadata
    spec: DrillScheduleSpec


AnyDocument: TypeAlias = Fleet | Service | FailoverPolicy | DrillSchedule

MODEL_BY_KIND: dict[str, type[Fleet | Service | FailoverPolicy | DrillSchedule]] = {
    "Fleet": Fleet,
    "Service": Service,
    "FailoverPolicy": FailoverPolicy,
    "DrillSchedule": DrillSchedule,
}
