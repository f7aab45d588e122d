"""Everything a director replica can ask its shell for."""

from dataclasses import dataclass
from typing import TypeAlias

from director.core.commands import Command
from director.core.drill import DrillKind
from director.core.events import Event
from director.core.ids import AgentId, DrillId, FencingToken, GroupId, ReplicaId
from director.core.observations import AgentReport
from director.core.reasons import Reason
from director.core.topology import ProbeSpec
from director.routing.table import RegionId, RouteTable, ServiceId


@dataclass(frozen=True, slots=True)
class Propose:
    """Append ``command`` to the log in ``term``. Failure comes back as ProposalFailed."""

    proposal_id: int
    term: int
    command: Command


@dataclass(frozen=True, slots=True)
class Barrier:
    """Run a read barrier in ``term`` and say whether it passed."""

    barrier_id: int
    term: int


@dataclass(frozen=True, slots=True)
class GrantLease:
    """Tell one agent that it may act for ``ttl_ms``, counted from when it sent its request."""

    region_id: RegionId
    agent_id: AgentId
    group_id: GroupId
    token: FencingToken
    request_number: int
    ttl_ms: int


@dataclass(frozen=True, slots=True)
class RefuseLease:
    """Tell one agent why it may not act."""

    region_id: RegionId
    agent_id: AgentId
    group_id: GroupId
    request_number: int
    reason: str


@dataclass(frozen=True, slots=True)
class DirectGroup:
    """Tell every connected agent that guards ``service_id`` who owns the group.

    A fact of the replicated state, sent by every replica and again on each new connection.
    ``demote`` asks the home to stop under ``token`` and to promise it. ``prepare`` says that this
    is near, so that answers of its gate are to be short: a demotion waits for the last one.
    """

    group_id: GroupId
    service_id: ServiceId
    home: RegionId | None
    token: FencingToken
    demote: bool
    prepare: bool = False


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """One endpoint that an agent watches in another region."""

    service_id: ServiceId
    region_id: RegionId
    address: str
    probe: ProbeSpec
    every_ms: int
    timeout_ms: int
    rise_count: int
    fall_count: int
    forgive_count: int = 1


@dataclass(frozen=True, slots=True)
class DirectProbes:
    """Tell the agents of one region what to probe elsewhere. Replaces the earlier plan."""

    region_id: RegionId
    targets: tuple[ProbeTarget, ...]


@dataclass(frozen=True, slots=True)
class DirectInjection:
    """Tell every connected agent to behave for a drill as if something were broken (C8).

    A fact of the replicated state, sent by every replica as the log says it anew. Agents forget it
    after ``ttl_ms``, and take one of a lower (number, renewal) for a late one. 0: it is over.
    """

    drill_id: DrillId
    number: int
    renewal: int
    service_id: ServiceId
    region_id: RegionId
    kind: DrillKind
    share_per_mille: int
    delay_ms: int
    ttl_ms: int


@dataclass(frozen=True, slots=True)
class Relay:
    """Send evidence to the leader (followers only)."""

    reports: tuple[AgentReport, ...]


@dataclass(frozen=True, slots=True)
class HandOver:
    """Give the office to another replica, if it takes it. ``reason`` is for people."""

    to: ReplicaId
    reason: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Routes changed: compile, keep on disk, push to watchers."""

    table: RouteTable


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer an operator's request that never reached the log, or a dry run.

    ``reason`` None means yes: it would be done (validate_only).
    """

    request_id: str
    reason: Reason | None
    message: str
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Something happened that people want to know: log it, and answer who waits for it."""

    event: Event


Effect: TypeAlias = (
    Propose
    | Barrier
    | GrantLease
    | RefuseLease
    | DirectGroup
    | DirectProbes
    | DirectInjection
    | Relay
    | HandOver
    | Publish
    | Answer
    | Note
)
