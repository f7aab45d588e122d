"""The director's timing: a tested set, and the relations that keep it right.

Timing belongs to the leader and to the agents. ``machine.apply`` never sees it: two replicas with
different settings must still make the same state of the same log.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take. All in milliseconds (architecture.md, section 2, default timing).

    Attributes:
        heartbeat_ms: An agent reports at least this often.
        suspect_ms: A vantage point suspects an agent after this much silence: four beats, so
            that three may be lost.
        staleness_bound_ms: The greatest age at which an observation still counts.
        relay_ms: A follower streams its evidence to the leader at least this often.
        lease_ms: What one lease grant is good for, counted by the holder from its request.
        lease_renew_ms: How often a holder asks again.
        lease_margin_ms: Added to the wait for an old lease (A4).
        clock_drift_per_mille: Greatest rate error between two clocks, rho of A4.
        recover_ms: How long good evidence must last before DOWN ends (two detection times).
        promote_deadline_ms: How long a target may take to open its gate before it is given up.
        publish_deadline_ms: How long to wait for replicas to say they pushed the new routes.
        verify_deadline_ms: How long to wait for the target's own passing probe after promotion.
        switchover_deadline_ms: How long a switchover waits for lag 0 before it aborts.
        settle_ms: After a start, how long missing agents are normal.
    """

    heartbeat_ms: int = 500
    suspect_ms: int = 2_000
    staleness_bound_ms: int = 2_000
    relay_ms: int = 500
    lease_ms: int = 4_000
    lease_renew_ms: int = 1_000
    lease_margin_ms: int = 100
    clock_drift_per_mille: int = 10
    recover_ms: int = 5_000
    promote_deadline_ms: int = 5_000
    publish_deadline_ms: int = 1_000
    verify_deadline_ms: int = 5_000
    switchover_deadline_ms: int = 15_000
    settle_ms: int = 5_000

    @property
    def lease_wait_ms(self) -> int:
        """How long after a grant the holder has provably stopped: TTL*(1+rho)/(1-rho) + margin."""
        rho = self.clock_drift_per_mille
        return -(-self.lease_ms * (1_000 + rho) // (1_000 - rho)) + self.lease_margin_ms

    def faults(self) -> Iterator[str]:
        """Say which relations between the values are broken."""
        if self.suspect_ms < 2 * self.heartbeat_ms:
            yield (
                f"suspect_ms ({self.suspect_ms}) must be at least twice heartbeat_ms "
                f"({self.heartbeat_ms}), or one late report makes a healthy region silent"
            )
        if self.lease_ms < 3 * self.lease_renew_ms:
            yield (
                f"lease_ms ({self.lease_ms}) must be at least three times lease_renew_ms "
                f"({self.lease_renew_ms}), or one lost renewal closes a healthy gate"
            )
        if self.lease_ms < self.suspect_ms:
            yield (
                f"lease_ms ({self.lease_ms}) must not be below suspect_ms ({self.suspect_ms}), "
                "or an owner loses its lease while still believed healthy"
            )


DEFAULT_TIMING = Timing()
