"""The route table and the questions asked of it: what directors, agents and clients share.

A route table is the part of the replicated state that routing needs, compiled on the director and
carried as one value to every front, agent and client. It holds facts only. What they mean for one
client is decided by :class:`director.routing.compiled.CompiledTable`, the same code everywhere.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Literal, NewType, TypeAlias

RegionId = NewType("RegionId", str)
ServiceId = NewType("ServiceId", str)

RoundTrip: TypeAlias = tuple[RegionId, RegionId, int]
"""A measured round trip: from this region, to that region, in microseconds. Directed."""

_MAX_LAT = 90.0
_MAX_LON = 180.0


class ServiceMode(StrEnum):
    """Whether several regions serve at once, or one owner at a time."""

    ACTIVE_ACTIVE = "ActiveActive"
    ACTIVE_PASSIVE = "ActivePassive"


class Strategy(StrEnum):
    """How an active-active service chooses among the usable sites of one priority."""

    NEAREST = "Nearest"
    WEIGHTED = "Weighted"
    LEAST_LATENCY = "LeastLatency"


class Verdict(StrEnum):
    """What the evidence says of a site. Missing evidence is UNKNOWN, never DOWN (C4)."""

    UP = "UP"
    DEGRADED = "DEGRADED"
    DOWN = "DOWN"
    UNKNOWN = "UNKNOWN"


class AllUnhealthy(StrEnum):
    """What to answer when health leaves nothing: the last known good, or a refusal."""

    FAIL_OPEN = "FailOpen"
    FAIL_CLOSED = "FailClosed"


class Override(StrEnum):
    """An operator's word on a site. It outranks every verdict."""

    FORCE_UP = "FORCE_UP"
    FORCE_DOWN = "FORCE_DOWN"


@dataclass(frozen=True, slots=True)
class Location:
    """A point on Earth in degrees, WGS 84.

    Raises:
        ValueError: A coordinate is NaN, infinite or outside its range.
    """

    lat: float
    lon: float

    def __post_init__(self) -> None:
        if not (isfinite(self.lat) and isfinite(self.lon)):
            raise ValueError(f"coordinates must be finite numbers, not {self.lat}, {self.lon}")
        if abs(self.lat) > _MAX_LAT:
            raise ValueError(f"latitude {self.lat} is outside -90 to 90 degrees")
        if abs(self.lon) > _MAX_LON:
            raise ValueError(f"longitude {self.lon} is outside -180 to 180 degrees")


@dataclass(frozen=True, slots=True)
class Region:
    """A region of the fleet. Draining it drains every site in it."""

    region_id: RegionId
    location: Location
    jurisdiction: str
    failure_domain: str
    drained: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that clients may be sent to."""

    address: str
    zone: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Site:
    """One service in one region.

    ``drained`` is the service's own drain here, besides the region's. ``withheld`` names the
    safety rule that keeps a site in service although its verdict is DOWN; empty if none does.
    ``spill_per_mille`` is the share of its clients that a full region sends on, ``load_per_mille``
    its load against its capacity when that was decided; ``is_full`` says that it takes none of the
    others'. All three are zero while no region of the service sends clients on.
    """

    region_id: RegionId
    priority: int
    weight: int
    endpoints: tuple[Endpoint, ...]
    verdict: Verdict
    override: Override | None = None
    drained: bool = False
    withheld: str = ""
    spill_per_mille: int = 0
    load_per_mille: int = 0
    is_full: bool = False


@dataclass(frozen=True, slots=True)
class ResidencyRule:
    """Subjects of one jurisdiction may be served only by regions under the allowed ones."""

    subject_jurisdiction: str
    allow_jurisdictions: tuple[str, ...]
    otherwise: Literal["Refuse"] = "Refuse"


@dataclass(frozen=True, slots=True)
class ServiceRoute:
    """Everything routing knows of one service.

    ``panic_per_mille`` is the share of healthy sites below which health is ignored. ``owner`` is
    the region that serves an active-passive service now; ``(generation, epoch)`` is its fencing
    token. Both are zero, and the owner None, for a service that nobody owns.
    """

    service_id: ServiceId
    mode: ServiceMode
    strategy: Strategy
    ttl_ms: int
    panic_per_mille: int
    all_unhealthy: AllUnhealthy
    sticky: bool
    residency: tuple[ResidencyRule, ...]
    sites: tuple[Site, ...]
    owner: RegionId | None = None
    generation: int = 0
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class RouteTable:
    """All that is needed to answer any resolve, at one revision.

    ``regions`` and ``services`` are sorted by id, each id once. ``revision`` is the log index of
    the state the table was compiled from, ``config_revision`` the revision of the manifest in it.
    """

    generation: int
    revision: int
    config_revision: int
    regions: tuple[Region, ...]
    round_trips: tuple[RoundTrip, ...]
    services: tuple[ServiceRoute, ...]


class PositionSource(StrEnum):
    """Where the client's position came from, best first."""

    COORDINATES = "COORDINATES"
    REGION = "REGION"
    ADDRESS = "ADDRESS"
    CALLER_REGION = "CALLER_REGION"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class ClientPosition:
    """Where the client is, as far as is known, and how well."""

    location: Location | None = None
    region_id: RegionId | None = None
    source: PositionSource = PositionSource.NONE
    accuracy_km: int | None = None
    country: str | None = None


NOWHERE = ClientPosition()
"""The position of a client about which nothing is known."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question: where should this client go for this service?

    ``spread`` separates clients that carry no session id: the caller passes a counter or a random
    number, because routing has no source of chance. Equal queries get equal answers.
    ``client_key`` stands for a client without a session, such as its address; empty if nothing
    does. It decides only who is sent on by a full region.
    """

    service_id: ServiceId
    position: ClientPosition = NOWHERE
    subject_jurisdiction: str = ""
    session_id: str = ""
    spread: int = 0
    client_key: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A region and its endpoints, at least one (R1).

    ``fail_open`` says that health did not choose: the region is the last known good. ``reason``
    is a machine-readable code.
    """

    service_id: ServiceId
    region_id: RegionId
    endpoints: tuple[Endpoint, ...]
    fail_open: bool
    reason: str
    generation: int
    epoch: int
    revision: int
    ttl_ms: int


class RefusalReason(StrEnum):
    """Why a question has no answer."""

    SERVICE_NOT_FOUND = "SERVICE_NOT_FOUND"
    RESIDENCY = "RESIDENCY"
    ALL_UNHEALTHY = "ALL_UNHEALTHY"
    NO_OWNER = "NO_OWNER"
    NO_SITES = "NO_SITES"


@dataclass(frozen=True, slots=True)
class Refusal:
    """No region may serve this client, and why."""

    service_id: ServiceId
    reason: RefusalReason
    message: str
    metadata: tuple[tuple[str, str], ...] = ()


Resolution: TypeAlias = Answer | Refusal


class CandidateOutcome(StrEnum):
    """What became of a region in one decision."""

    CHOSEN = "CHOSEN"
    ELIGIBLE = "ELIGIBLE"
    REJECTED = "REJECTED"
    NOT_LISTED = "NOT_LISTED"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One region of the fleet in one decision: ``reason`` for programs, ``text`` for people.

    ``distance_km`` is None without a client location. ``rtt_ms`` is the round trip, measured or
    expected, that ordered the region; None where distance did, or nothing. ``priority`` is None
    where the service has no endpoint.
    """

    region_id: RegionId
    outcome: CandidateOutcome
    reason: str
    text: str
    distance_km: int | None = None
    rtt_ms: float | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A resolution with every region of the fleet, in order of preference, and its reason."""

    resolution: Resolution
    candidates: tuple[Candidate, ...]
