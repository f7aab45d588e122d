"""The answer of a gate, as every way of asking gives it."""

from dataclasses import dataclass

from director.routing.table import RegionId, ServiceId
from regions.core.ids import FencingToken


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """May the service write?

    Attributes:
        may_write: Yes, strictly before ``deadline_boottime_ms``. Whoever uses the answer compares
            that with CLOCK_BOOTTIME after its last blocking call and before it acknowledges.
        token: To pass on with every write; None when closed.
        reason: Why closed; "" when open.
        home: Region that owns the group as far as known.
    """

    service_id: ServiceId
    may_write: bool
    token: FencingToken | None
    deadline_boottime_ms: int
    reason: str
    home: RegionId | None
