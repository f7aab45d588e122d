"""Where the recovery time goes: predicted from the timing, before it is measured.

The same function answers the lint of documents (D103) and `director status`.
"""

from dataclasses import dataclass

from director.core.timing import Timing
from director.core.topology import HealthSpec

# Commits, directives and pushes on the way: three commits and two messages between regions. The
# design allows 0.7 s for promote and publish together (architecture.md, default timing).
PROMOTE_AND_PUBLISH_MS = 700
# A probe that failed is repeated this soon (regions/core/probe_plan.py).
REPROBE_MS = 250


@dataclass(frozen=True, slots=True)
class PredictedRto:
    """Worst expected recovery of one region's loss, leader changes apart.

    Attributes:
        detect_ms: Fault to agreed verdict: a whole interval passes before the first probe fails,
            each of ``fall_count`` probes runs into its deadline, with re-probes in between. An
            accusation also waits until its observer saw another region pass: one interval more.
        confirm_ms: One more round.
        fence_ms: What is left of the lease by then, at most.
        promote_publish_ms: See ``PROMOTE_AND_PUBLISH_MS``.
    """

    detect_ms: int
    confirm_ms: int
    fence_ms: int
    promote_publish_ms: int

    @property
    def total_ms(self) -> int:
        """The sum of the phases."""
        return self.detect_ms + self.confirm_ms + self.fence_ms + self.promote_publish_ms


def predicted_rto(
    timing: Timing, health: HealthSpec, *, hold_ms: int, fenced: bool
) -> PredictedRto:
    """Predict the recovery time for watchers after the loss of a region.

    ``RTO = max(detection + confirmation + hold, lease) + promote + publish``: the wait for the
    lease overlaps detection (detection-math.md, failover time). Clients that poll add the ttl.

    Args:
        timing: The directors' timing.
        health: How the service is probed.
        hold_ms: What the policy waits on top.
        fenced: Whether a lease has to run out (active-passive).
    """
    round_ms = health.probe_timeout_ms + REPROBE_MS
    fall_ms = health.fall_count * round_ms - REPROBE_MS
    detect_ms = health.every_ms + max(fall_ms, health.every_ms)
    detect_ms = max(detect_ms, timing.suspect_ms)
    confirm_ms = (round_ms if fenced else 0) + hold_ms
    lease_left_ms = timing.lease_wait_ms - detect_ms - confirm_ms if fenced else 0
    return PredictedRto(detect_ms, confirm_ms, max(0, lease_left_ms), PROMOTE_AND_PUBLISH_MS)


def asynchronous_exposure_ms(timing: Timing) -> int:
    """Bound the writes that only the home has, as a span of time, when copies are asynchronous.

    An owner out of sight may accept writes until its lease has provably ended (invariant D3); the
    replication lag at the last sample comes on top. So an RPO that is not longer refuses every
    automatic failover (D122 of the documents).
    """
    return timing.lease_wait_ms


def replication_exposure_ms(*, budget_ms: int, rtt_us: int) -> int:
    """Bound the same for copies that are kept within ``budget_ms``: budget and a round trip (D104).

    The oldest write that is acknowledged and not replicated is as old as the budget allows; the
    acknowledgement of its copy is a round trip away.
    """
    return budget_ms + -(-rtt_us // 1_000)
