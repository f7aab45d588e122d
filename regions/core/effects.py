"""Everything an agent can ask its shell for."""

from dataclasses import dataclass
from typing import TypeAlias

from director.routing.table import RegionId, ServiceId
from regions.core.ids import FencingToken, GroupId, ReplicaId
from regions.core.readings import ProbeTarget, Readings


@dataclass(frozen=True, slots=True)
class PulseEcho:
    """The last pulse of a stream goes back, so that its sender can bound the report's way.

    Attributes:
        sent_at: As it came; the sender's clock, which says nothing here.
        held_ms: From when it came to when the report was made.
    """

    sent_at: int
    held_ms: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A director was asked for a lease and says nothing, while others answer.

    Attributes:
        for_ms: Since the oldest request that still waits for a word of it.
        answered_by: The directors that answered a request since then, sorted.
    """

    for_ms: int
    answered_by: tuple[ReplicaId, ...]


@dataclass(frozen=True, slots=True)
class SendReport:
    """Send a report. ``readings`` None: unchanged since the one before on this stream.

    ``counter`` rises with every report of one boot; reports made at one instant share it. ``echo``
    None: no pulse came on this stream yet. ``unanswered`` None: no answer of this director is
    missing, or nobody answers.
    """

    director_id: ReplicaId
    counter: int
    readings: Readings | None
    echo: PulseEcho | None = None
    unanswered: Unanswered | None = None


@dataclass(frozen=True, slots=True)
class SendLease:
    """Ask a director for the right to act.

    Sent only when work was proved (A6), so ``is_proven`` is always true.
    """

    director_id: ReplicaId
    group_id: GroupId
    token: FencingToken
    request_number: int
    is_proven: bool
    is_holding: bool


@dataclass(frozen=True, slots=True)
class StartProbe:
    """Probe once; answer with one ProbeFinished, also when it takes longer than allowed."""

    target: ProbeTarget


@dataclass(frozen=True, slots=True)
class MeasureLag:
    """Ask for the replication lag once; answer with one LagMeasured."""

    service_id: ServiceId


@dataclass(frozen=True, slots=True)
class MeasureLoad:
    """Ask how much the service takes once; answer with one LoadMeasured."""

    service_id: ServiceId


@dataclass(frozen=True, slots=True)
class ProveWrite:
    """Write a little and make it durable; answer with one WriteProved when it ends."""


@dataclass(frozen=True, slots=True)
class KeptGroup:
    """What the agent must find again after a restart, about one group.

    Attributes:
        token: Highest token seen. Whatever carries a lower one is refused.
        home: Owner under ``token``; None if nobody owns it.
        demoted_through: Promised never to act under this token or a lower one; None: no promise.
    """

    group_id: GroupId
    service_id: ServiceId
    token: FencingToken
    home: RegionId | None
    demoted_through: FencingToken | None = None


@dataclass(frozen=True, slots=True)
class KeptTokens:
    """Everything durable about tokens, sorted by group."""

    groups: tuple[KeptGroup, ...] = ()


@dataclass(frozen=True, slots=True)
class KeepTokens:
    """Make this durable, then answer with TokensKept. Until then it does not count."""

    write_number: int
    tokens: KeptTokens


@dataclass(frozen=True, slots=True)
class SetGate:
    """Set the gate of a service. It is open only before ``deadline_at_ms`` of boot time.

    Attributes:
        token: To pass on with each write while open; the highest known otherwise.
        answer_ms: One answer of the gate may not be used longer than this, nor past the deadline.
        reason: Why it is closed; "" when open.
        home: Owner of the group as far as known.
    """

    group_id: GroupId
    service_id: ServiceId
    is_open: bool
    token: FencingToken
    deadline_at_ms: int
    answer_ms: int
    reason: str
    home: RegionId | None


@dataclass(frozen=True, slots=True)
class Note:
    """Something changed that people want to know: log it. ``values`` are name and value."""

    event: str
    values: tuple[tuple[str, str | int], ...] = ()


Effect: TypeAlias = (
    SendReport
    | SendLease
    | StartProbe
    | MeasureLag
    | MeasureLoad
    | ProveWrite
    | KeepTokens
    | SetGate
    | Note
)
