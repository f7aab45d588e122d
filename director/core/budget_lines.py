"""Explains the budgets of a service: each phase with its formula, its values and where they stand.

The amounts come from ``budget``: this module only says in words what was computed there.
"""

from dataclasses import dataclass

from director.core.budget import (
    PROMOTE_AND_PUBLISH_MS,
    REPROBE_MS,
    PredictedRto,
    asynchronous_exposure_ms,
    predicted_rto,
)
from director.core.timing import Timing
from director.core.topology import Policy, ServiceSpec, Topology
from director.routing.table import ServiceMode


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """A part of a budget.

    Attributes:
        phase: Such as "detect".
        ms: How long; 0 when it is free.
        formula: How it is computed, with the values.
        source: Where the values are declared.
    """

    phase: str
    ms: int
    formula: str
    source: str


@dataclass(frozen=True, slots=True)
class BudgetExplained:
    """Where the budgets of a service go.

    Attributes:
        recovery: The phases for clients that watch, one after the other; their sum is the total.
        on_top: What a worse case adds: clients that poll, a leader lost with the region.
        exposure: What could be lost; empty for an active-active service, which has no owner.
    """

    recovery: tuple[BudgetLine, ...]
    on_top: tuple[BudgetLine, ...]
    exposure: tuple[BudgetLine, ...]

    @property
    def total_ms(self) -> int:
        """The predicted recovery time, as ``director status`` shows it."""
        return sum(each.ms for each in self.recovery)


def explain_budget(
    topology: Topology, service: ServiceSpec, timing: Timing, *, election_ms: int
) -> BudgetExplained:
    """Explain the budgets of ``service``.

    Args:
        topology: Where its policy is.
        service: Which.
        timing: The directors' timing.
        election_ms: A director campaigns after a silence of once to twice this.
    """
    policy = topology.policy(service.policy_id)
    is_passive = service.mode is ServiceMode.ACTIVE_PASSIVE
    predicted = predicted_rto(timing, service.health, hold_ms=policy.hold_ms, fenced=is_passive)
    return BudgetExplained(
        _recovery(service, policy, timing, predicted),
        _on_top(service, election_ms),
        _exposure(service, timing) if is_passive else (),
    )


def _recovery(
    service: ServiceSpec, policy: Policy, timing: Timing, predicted: PredictedRto
) -> tuple[BudgetLine, ...]:
    is_passive = service.mode is ServiceMode.ACTIVE_PASSIVE
    spent_ms = predicted.detect_ms + predicted.confirm_ms
    lines = [
        BudgetLine("detect", predicted.detect_ms, _detection(service, timing), "health"),
        BudgetLine(
            "confirm",
            predicted.confirm_ms - policy.hold_ms,
            f"one more round: timeout {service.health.probe_timeout_ms} ms + re-probe after "
            f"{REPROBE_MS} ms"
            if is_passive
            else "not needed: no owner is fenced",
            "health.timeout",
        ),
        BudgetLine(
            "hold",
            policy.hold_ms,
            f"policy {policy.policy_id} waits {policy.hold_ms} ms",
            f"FailoverPolicy {policy.policy_id}: hold",
        ),
    ]
    if is_passive:
        lines.append(
            BudgetLine(
                "lease",
                predicted.fence_ms,
                f"{timing.lease_wait_ms} ms from the last grant, of which {spent_ms} ms have "
                "passed while it was detected; 0 when detection takes longer",
                f"timing: lease {timing.lease_ms} ms, clocks apart by at most "
                f"{timing.clock_drift_per_mille} per mille, margin {timing.lease_margin_ms} ms",
            )
        )
    lines.append(
        BudgetLine(
            "promote and publish",
            predicted.promote_publish_ms,
            f"three commits and two messages between regions: {PROMOTE_AND_PUBLISH_MS} ms",
            "measured (docs/performance.md)",
        )
    )
    return tuple(lines)


def _detection(service: ServiceSpec, timing: Timing) -> str:
    health = service.health
    text = (
        f"every {health.every_ms} ms + {health.fall_count} probes of {health.probe_timeout_ms} ms "
        f"with {REPROBE_MS} ms between them"
    )
    if health.fall_count * (health.probe_timeout_ms + REPROBE_MS) - REPROBE_MS < health.every_ms:
        text = f"every {health.every_ms} ms, twice: the observer has to see another region pass"
    return f"{text}; at least {timing.suspect_ms} ms, after which silence is suspected"


def _on_top(service: ServiceSpec, election_ms: int) -> tuple[BudgetLine, ...]:
    return (
        BudgetLine(
            "clients that poll",
            service.routing.ttl_ms,
            f"they may keep an answer for {service.routing.ttl_ms} ms; clients that watch do not",
            "routing.ttl",
        ),
        BudgetLine(
            "leader lost too",
            2 * election_ms,
            f"a director campaigns after a silence of {election_ms} to {2 * election_ms} ms; the "
            "new leader counts every lease from its own election, so all phases begin then",
            "director serve --election",
        ),
    )


def _exposure(service: ServiceSpec, timing: Timing) -> tuple[BudgetLine, ...]:
    exposed_ms = asynchronous_exposure_ms(timing)
    source = f"timing: lease {timing.lease_ms} ms"
    if service.gated:
        lease = f"an owner out of sight may accept writes for {exposed_ms} ms, until its lease ends"
    else:
        # Nothing ends its writes, so the lease bounds them only in so far as it obeys by itself.
        lease = (
            f"the service does not ask the gate: {exposed_ms} ms holds only if it stops by itself"
        )
        source = f"{source}; gate: false"
    return (
        BudgetLine("owner out of sight", exposed_ms, lease, source),
        BudgetLine(
            "copy behind",
            0,
            "plus the lag of the copy when it was last sampled, as the standbys report it",
            "the agents' lag source",
        ),
    )
