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
        muted_at_ms: Since when a drill has it say nothing of a service, on the local clock.
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
    muted_at_ms: dict[ServiceId, int] = field(default_factory=dict)
    accuses_everyone: bool = False

    def note_heard(self, replica_id: ReplicaId, at_ms: int) -> None:
        """Note that a replica heard the agent itself. What comes late takes nothing back."""
        if not self.heard_at_ms or at_ms > self.last_heard_ms:
            self.last_heard_ms = at_ms
        before_ms = self.heard_at_ms.get(replica_id)
        if before_ms is None or at_ms > before_ms:
            self.heard_at_ms[replica_id] = at_ms

    def take_muted(self) -> set[ServiceId]:
        """Note what the agent says that it is silent about; return what is new of that.

        A drill's silence is dated like any other: from the last time that something was said.
        """
        muted = self.readings.muted
        if not muted and not self.muted_at_ms:
            return set()
        changed = set(muted) ^ set(self.muted_at_ms)
        self.muted_at_ms = {
            each: self.muted_at_ms.get(each, self.full_at_ms) for each in sorted(muted)
        }
        return changed

    def last_heard_of_ms(self, service_id: ServiceId) -> int:
        """When any replica last heard the agent speak, as far as a service is concerned."""
        muted_at_ms = self.muted_at_ms.get(service_id)
        return self.last_heard_ms if muted_at_ms is None else min(self.last_heard_ms, muted_at_ms)

    def heard_of_ms(self, service_id: ServiceId, replica_id: ReplicaId) -> int | None:
        """When one replica last did, itself; None if never."""
        heard_ms, muted_at_ms = self.heard_at_ms.get(replica_id), self.muted_at_ms.get(service_id)
        if heard_ms is None or muted_at_ms is None:
            return heard_ms
        return min(heard_ms, muted_at_ms)


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
