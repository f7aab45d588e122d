"""Everything that can happen to an agent. Instants are boot time of its own machine."""

from dataclasses import dataclass
from typing import TypeAlias

from director.routing.table import RegionId, ServiceId
from regions.core.ids import FencingToken, GroupId, ReplicaId
from regions.core.readings import ProbeKey, ProbeTarget


@dataclass(frozen=True, slots=True)
class Connected:
    """A stream to this director is open and its name is known."""

    director_id: ReplicaId


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The stream to this director is gone."""

    director_id: ReplicaId


@dataclass(frozen=True, slots=True)
class Welcomed:
    """A director said who leads, and how fast things go. Sent again when the leader changes."""

    director_id: ReplicaId
    leader_id: ReplicaId | None
    heartbeat_ms: int
    lease_ms: int
    lease_renew_ms: int


@dataclass(frozen=True, slots=True)
class Pulsed:
    """A director wants this stamp back with the next report on the stream it came by."""

    director_id: ReplicaId
    sent_at: int


@dataclass(frozen=True, slots=True)
class GroupDirected:
    """A director said who owns a group. Believed only if the token is not a lower one.

    ``prepare`` says that the home is about to be asked to stop.
    """

    group_id: GroupId
    service_id: ServiceId
    home: RegionId | None
    token: FencingToken
    demote: bool
    prepare: bool = False


@dataclass(frozen=True, slots=True)
class ProbesDirected:
    """A director said what to probe elsewhere. Replaces what it said before."""

    director_id: ReplicaId
    targets: tuple[ProbeTarget, ...]


@dataclass(frozen=True, slots=True)
class InjectionDirected:
    """A director said what a drill has this agent behave like; ``ttl_ms`` 0: nothing any more.

    Attributes:
        number: Of the drill; one of a lower number is over.
        renewal: Rises each time it is said anew, whoever says it.
    """

    drill_id: str
    number: int
    renewal: int
    service_id: ServiceId
    region_id: RegionId
    kind: str
    share_per_mille: int
    delay_ms: int
    ttl_ms: int


@dataclass(frozen=True, slots=True)
class LeaseGranted:
    """The leader allows the home to act for ``ttl_ms`` from when the request was sent."""

    group_id: GroupId
    token: FencingToken
    request_number: int
    ttl_ms: int


@dataclass(frozen=True, slots=True)
class LeaseRefused:
    """A director does not allow it. NOT_LEADER means: ask another."""

    group_id: GroupId
    request_number: int
    reason: str


@dataclass(frozen=True, slots=True)
class ProbeFinished:
    """A probe asked for by StartProbe came to an end.

    Attributes:
        rtt_us: What it took to connect, in microseconds; None if it never did, or does not tell.
    """

    key: ProbeKey
    passed: bool
    started_at_ms: int
    rtt_us: int | None = None


@dataclass(frozen=True, slots=True)
class LagMeasured:
    """A lag probe ended. ``lag_ms`` None: it could not tell."""

    service_id: ServiceId
    lag_ms: int | None
    started_at_ms: int


@dataclass(frozen=True, slots=True)
class LoadMeasured:
    """A load probe ended. ``load_rps`` None: it could not tell."""

    service_id: ServiceId
    load_rps: int | None
    started_at_ms: int


@dataclass(frozen=True, slots=True)
class TokensKept:
    """Everything up to this KeepTokens is durable."""

    write_number: int


@dataclass(frozen=True, slots=True)
class WriteProved:
    """The write asked for by ProveWrite ended."""

    succeeded: bool
    started_at_ms: int


@dataclass(frozen=True, slots=True)
class Stopping:
    """The process is about to end: no gate may stay open."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """The timer set by ``wake_at_ms`` ran out."""


Input: TypeAlias = (
    Connected
    | Disconnected
    | Welcomed
    | Pulsed
    | GroupDirected
    | ProbesDirected
    | InjectionDirected
    | LeaseGranted
    | LeaseRefused
    | ProbeFinished
    | LagMeasured
    | LoadMeasured
    | TokensKept
    | WriteProved
    | Stopping
    | Ticked
)
