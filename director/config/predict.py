"""The predicted recovery time of a declared service, by the same function as at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from director.core.budget import predicted_rto
from director.routing.table import ServiceMode

if TYPE_CHECKING:
    from director.core.timing import Timing
    from director.core.topology import Policy, ServiceSpec


def predicted_ms(service: ServiceSpec, policy: Policy, timing: Timing) -> int:
    """Return the predicted time from loss to watchers moved, in milliseconds."""
    return predicted_rto(
        timing,
        service.health,
        hold_ms=policy.hold_ms,
        fenced=service.mode is ServiceMode.ACTIVE_PASSIVE,
    ).total_ms
