"""Who the agent is and what it guards."""

from dataclasses import dataclass

from director.routing.table import RegionId, ServiceId
from regions.core.ids import AgentId
from regions.core.readings import ProbeTarget

# An answer of the gate may be used this long. A demotion is confirmed only after the last answer
# has run out, so this is what a switchover waits; a service asks again at each write, so the time
# only has to cover its write path.
GATE_ANSWER_MS = 250


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    """Who reports. ``boot_id`` is random per start of the process."""

    region_id: RegionId
    agent_id: AgentId
    boot_id: str


@dataclass(frozen=True, slots=True)
class GuardedService:
    """A service in the agent's own region.

    Attributes:
        probe: How the agent checks it; ``region_id`` is the agent's own.
        lag_every_ms: How often its replication lag is asked for; None means it has no lag probe,
            so its lag is unknown.
        gate_answer_ms: The longest that one answer of the gate may be used.
        load_every_ms: How often it is asked how much it takes; None: its load is unknown.
    """

    service_id: ServiceId
    probe: ProbeTarget
    lag_every_ms: int | None = None
    gate_answer_ms: int = GATE_ANSWER_MS
    load_every_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What does not change while the agent runs. Timings hold until a Welcome names others.

    Attributes:
        services: Sorted by id.
        heartbeat_ms: The agent reports at least this often.
        lease_renew_ms: How often a held lease is asked for again.
    """

    services: tuple[GuardedService, ...]
    measure_round_trips: bool = True
    heartbeat_ms: int = 500
    lease_renew_ms: int = 1_000
