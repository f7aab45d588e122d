"""What one replica knows of one agent, or of one other replica. Soft: never replicated."""

from dataclasses import dataclass, field
from typing import NamedTuple

from director.core.ids import AgentId, ReplicaId
from director.core.lag_log import LagSample
from director.core.observations import (
    PeerReading,
    Readings,
    ReplicaReport,
    ServiceReading,
    Unanswered,
)
from director.routing.table import RegionId, ServiceId

AgentKey = tuple[RegionId, AgentId]
Pair = tuple[ServiceId, RegionId]


@dataclass(eq=False, slots=True)
class AgentView:
    """One agent as this replica knows it.

    Attributes:
        counter: Counter of the report that ``readings`` came with.
        readings: All that it said last, also of what is not declared (yet).
        full_at_ms: When ``readings`` were sent, on the local clock.
        heard_at_ms: When each replica last heard the agent itself.
        last_heard_ms: When any of them did, which is the latest of those; 0 if none.
        direct_at_ms: When this replica last did; None if never.
        unanswered: What it said then of answers of this replica that do not arrive.
        services: The readings of declared services by their ids.
        peer_places: Where in ``readings.peers`` each declared pair is.
        early_lags: The last samples of services that are not declared (yet).
        accuses_everyone: Whether it sees every other region it watches fail, of at least two.
    """

    region_id: RegionId
    agent_id: AgentId
    boot_id: str
    counter: int = 0
    readings: Readings = field(default_factory=Readings)
    full_at_ms: int = 0
    heard_at_ms: dict[ReplicaId, int] = field(default_factory=dict)
    last_heard_ms: int = 0
    direct_at_ms: int | None = None
    unanswered: Unanswered | None = None
    counter_at: dict[ReplicaId, int] = field(default_factory=dict)
    retired_boots: tuple[str, ...] = ()
    services: dict[ServiceId, ServiceReading] = field(default_factory=dict)
    peer_places: dict[Pair, int] = field(default_factory=dict)
    early_lags: dict[ServiceId, LagSample] = field(default_factory=dict)
    accuses_everyone: bool = False

    def note_heard(self, replica_id: ReplicaId, at_ms: int) -> None:
        """Note that a replica heard the agent itself. What comes late takes nothing back."""
        if not self.heard_at_ms or at_ms > self.last_heard_ms:
            self.last_heard_ms = at_ms
        before_ms = self.heard_at_ms.get(replica_id)
        if before_ms is None or at_ms > before_ms:
            self.heard_at_ms[replica_id] = at_ms


class PeerWord(NamedTuple):
    """What one agent elsewhere last said of a pair, dated locally. Made by the thousand.

    Attributes:
        is_believed: False when the agent accuses everyone it watches.
    """

    observer: AgentKey
    reading: PeerReading
    at_ms: int
    is_believed: bool


@dataclass(slots=True)
class ReplicaView:
    """One director replica as this one knows it."""

    report: ReplicaReport
    seen_at_ms: int
