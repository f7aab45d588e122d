"""What an agent tells the directors, and what it probes.

Field names equal those of ``director.core.observations`` and ``director.core.effects``: between
the two processes there are only protos, so each side has its own types of one shape.
"""

from dataclasses import dataclass
from enum import StrEnum

from director.routing.table import RegionId, ServiceId
from regions.core.ids import FencingToken, GroupId


@dataclass(frozen=True, slots=True)
class ServiceReading:
    """What the agent says of a service it guards.

    Attributes:
        passing: Anti-flap verdict; None while undecided, or while the agent doubts itself.
        lag_ms: Replication lag of this region's copy behind the home; None is unknown.
        lag_age_ms: Age of that sample when the report was made.
        load_rps: Requests per second that it takes in this region; None is unknown.
    """

    service_id: ServiceId
    passing: bool | None
    lag_ms: int | None = None
    lag_age_ms: int = 0
    load_rps: int | None = None


@dataclass(frozen=True, slots=True)
class PeerReading:
    """What the agent sees of a service in another region.

    Attributes:
        passing: Anti-flap verdict; None while undecided or withheld.
        round_count: Probes finished since the agent started; never goes down.
        failing_for_ms: Time since the first failure of the present streak; 0 when passing.
        age_ms: Age of the last probe when the report was made.
    """

    service_id: ServiceId
    region_id: RegionId
    passing: bool | None
    round_count: int
    failing_for_ms: int = 0
    age_ms: int = 0


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Smoothed round trip from the agent's region to another, in microseconds."""

    region_id: RegionId
    rtt_us: int


@dataclass(frozen=True, slots=True)
class GateReading:
    """The state of one gate.

    Attributes:
        token: Highest token the agent has durably seen for the group.
        is_open: Whether writes are being accepted under ``token``.
        demoted_through: The agent has promised, durably, never again to act under this token
            or a lower one, and no answer it gave before is still good; None if it never did.
        home: Owner under ``token``; None if nobody.
        has_long_answers: It is open, and some answer of it may be used for longer than usual.
    """

    group_id: GroupId
    token: FencingToken
    is_open: bool
    demoted_through: FencingToken | None = None
    home: RegionId | None = None
    has_long_answers: bool = False


@dataclass(frozen=True, slots=True)
class Readings:
    """Everything an agent reports besides being there. Tuples sorted by their ids.

    Attributes:
        muted: Services that a drill has the agent say nothing of.
    """

    services: tuple[ServiceReading, ...] = ()
    peers: tuple[PeerReading, ...] = ()
    round_trips: tuple[RoundTrip, ...] = ()
    gates: tuple[GateReading, ...] = ()
    muted: tuple[ServiceId, ...] = ()


class ProbeKind(StrEnum):
    """How a service is checked. EXEC only for the agent's own region."""

    HTTP = "Http"
    TCP = "Tcp"
    GRPC = "Grpc"
    EXEC = "Exec"


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """What one probe does.

    Attributes:
        path: HTTP path, or the gRPC health service name; unused otherwise.
        command: The program and its arguments, for EXEC only. No shell reads it.
    """

    kind: ProbeKind = ProbeKind.TCP
    path: str = ""
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class ProbeKey:
    """Names one target among all. ``region_id`` is the agent's own for a guarded service."""

    service_id: ServiceId
    region_id: RegionId
    address: str


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """One endpoint to watch, and when its verdict changes."""

    service_id: ServiceId
    region_id: RegionId
    address: str
    probe: ProbeSpec = ProbeSpec()
    every_ms: int = 500
    timeout_ms: int = 500
    rise_count: int = 3
    fall_count: int = 3
    forgive_count: int = 1

    @property
    def key(self) -> ProbeKey:
        """The name of this target."""
        return ProbeKey(self.service_id, self.region_id, self.address)
