"""What a schema cannot say of failover policies: how their thresholds relate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from director.config.model import FailbackMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.config.declared import Declared
    from director.config.faults import Fault, Path
    from director.config.model import FailoverPolicy

# Shorter, and a service goes to and fro with the region that it went away from.
_SOAK_MS_MIN = 60_000


def lint_policy(here: Declared, policy: FailoverPolicy) -> Iterator[Fault]:
    """Yield what is wrong with the thresholds of ``policy``."""
    damping, failback = policy.spec.guards.flap_damping, policy.spec.failback
    if damping.reuse >= damping.suppress:
        path: Path = ("spec", "guards", "flapDamping", "reuse")
        message = (
            f"reuse {damping.reuse} is not below suppress {damping.suppress}, so a service would "
            "be damped and free at the same time"
        )
        yield here.fault(path, message, "D131", "the defaults are 750 and 2000")
    if failback.mode is FailbackMode.AUTOMATIC and failback.soak_for < _SOAK_MS_MIN:
        path = ("spec", "failback", "soakFor")
        message = (
            f"an automatic failback after {failback.soak_for} ms follows every wink of the region; "
            f"at least {_SOAK_MS_MIN} ms, or it is refused by flap damping soon"
        )
        yield here.warning(path, message, "D132", "30m")
