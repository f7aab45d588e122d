"""The latest word from each agent and each replica. Soft: never replicated, rebuilt at once.

All instants here are local boot time of the replica that holds them. What comes from another
machine carries an age instead, and is dated on arrival. Where it matters that a thing is not older
than it seems, the time on the way is bounded as well (``director.core.transit``).
"""

from dataclasses import dataclass

from director.core.ids import AgentId, FencingToken, GroupId, ReplicaId
from director.routing.table import RegionId, ServiceId


@dataclass(frozen=True, slots=True)
class ServiceReading:
    """What an agent says of a service it guards in its own region.

    Attributes:
        passing: The agent's own anti-flap verdict; None while it has not made up its mind.
        lag_ms: Replication lag of this region's copy behind the home; None is unknown.
        lag_age_ms: Age of that sample when the report was sent.
        load_rps: Requests per second that the service takes in this region; None is unknown.
    """

    service_id: ServiceId
    passing: bool | None
    lag_ms: int | None = None
    lag_age_ms: int = 0
    load_rps: int | None = None


@dataclass(frozen=True, slots=True)
class PeerReading:
    """What an agent sees of a service in another region.

    Attributes:
        passing: Anti-flap verdict of this observer; None while undecided.
        round_count: Probe rounds completed since the agent started: a higher number is a
            fresh round.
        failing_for_ms: Time since the first failure of the present streak; 0 when passing.
        age_ms: Age of the last round when the report was sent.
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
            or a lower one; None if it never promised.
        home: Owner under ``token``, as the agent knows it; None if nobody, or not known.
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


@dataclass(frozen=True, slots=True)
class Unanswered:
    """What an agent says of a director that it asks for a lease in vain, to that director alone.

    Attributes:
        for_ms: Since the oldest request that still waits for a word of it.
        answered_by: The directors that answered a request since then.
    """

    for_ms: int
    answered_by: tuple[ReplicaId, ...]


@dataclass(frozen=True, slots=True)
class AgentReport:
    """One report as it arrived at one replica, or relayed by another replica.

    Attributes:
        boot_id: Random per start of the agent process.
        counter: Rises with every report of one boot; orders reports and refuses replays.
        readings: None means unchanged since the previous report of this boot.
        heard_by: The replica that received it from the agent itself.
        age_ms: How long ago ``heard_by`` received it; 0 when it is this replica.
        transit_ms_max: The most time it was on its way from the agent to ``heard_by``; None is
            unknown.
        unanswered: Answers of ``heard_by`` do not arrive; None if none is missing. Not relayed.
    """

    region_id: RegionId
    agent_id: AgentId
    boot_id: str
    counter: int
    readings: Readings | None
    heard_by: ReplicaId
    age_ms: int = 0
    transit_ms_max: int | None = None
    unanswered: Unanswered | None = None


@dataclass(frozen=True, slots=True)
class ReplicaReport:
    """What a follower tells the leader of itself.

    Attributes:
        failure_domain: Where the replica runs.
        pushed_index: Every watcher of this replica was sent the routes of this log index.
        watcher_count: How many watchers it has.
    """

    replica_id: ReplicaId
    failure_domain: str
    pushed_index: int
    watcher_count: int
