"""What documents would do: who moves, what budgets become, what the loss of a region would mean.

It compares two states: the one in force and the same with the documents in force. Whether they may
be applied is not said here: the rules of ``machine_manifest`` do that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from director.core.budget import asynchronous_exposure_ms, predicted_rto
from director.core.impact_traffic import PlaceShare, Traffic, traffic_moved
from director.core.routes import compile_table
from director.core.safety import is_healthy
from director.core.state import State
from director.core.timing import Timing
from director.core.topology import ServiceSpec, SiteSpec, Topology
from director.routing.table import RegionId, RoundTrip, ServiceId, ServiceMode

_PER_MILLE = 1_000


@dataclass(frozen=True, slots=True)
class ServiceBudget:
    """The promises of one service beside what they would come to.

    Attributes:
        predicted_rto_ms: By the function that predicts at run time (``budget.predicted_rto``).
        exposed_ms: Span of writes that only the owner may have when it is lost, lag apart; None
            for an active-active service, which has no owner.
        rpo_ms: None when none is declared.
    """

    rto_ms: int
    predicted_rto_ms: int
    rpo_ms: int | None
    exposed_ms: int | None

    @property
    def is_rto_met(self) -> bool:
        """Whether the prediction is within the objective."""
        return self.predicted_rto_ms <= self.rto_ms

    @property
    def is_rpo_met(self) -> bool:
        """Whether an automatic failover could be within the RPO at all."""
        return self.rpo_ms is None or self.exposed_ms is None or self.exposed_ms < self.rpo_ms


@dataclass(frozen=True, slots=True)
class BudgetChange:
    """A service's budget before and after; None where the service does not exist."""

    service_id: ServiceId
    before: ServiceBudget | None
    after: ServiceBudget | None


@dataclass(frozen=True, slots=True)
class LossOutcome:
    """What the loss of one region would mean.

    Attributes:
        lost: Services that no healthy region would be left for.
        lost_subjects: Services and jurisdictions whose subjects residency would leave no region.
        moved: Active-passive services whose owner is there: they would fail over.
        capacity_left_per_mille: Of the service that keeps the least: its declared capacity in the
            regions left, as a share of what it has now. None when no capacity is declared.
        capacity_service: Which service that is; None likewise.
    """

    lost: tuple[ServiceId, ...]
    lost_subjects: tuple[tuple[ServiceId, str], ...]
    moved: tuple[ServiceId, ...]
    capacity_left_per_mille: int | None
    capacity_service: ServiceId | None

    @property
    def badness(self) -> tuple[int, int, int]:
        """Orders outcomes: by what is lost, then by the capacity left, then by what has to move."""
        left = self.capacity_left_per_mille
        hit = len(self.lost) + len(self.lost_subjects)
        return hit, -(_PER_MILLE if left is None else left), len(self.moved)


@dataclass(frozen=True, slots=True)
class RegionLoss:
    """The loss of one region before and after; None where the fleet does not have it."""

    region_id: RegionId
    before: LossOutcome | None
    after: LossOutcome | None


@dataclass(frozen=True, slots=True)
class Impact:
    """Everything the documents would change, apart from the documents themselves.

    Attributes:
        traffic: Clients that would be routed elsewhere.
        budgets: Every service, by name.
        losses: Every region, by name.
        worst_before: The region whose loss would be worst now; None without regions.
        worst_after: Likewise, with the documents in force.
    """

    traffic: Traffic
    budgets: tuple[BudgetChange, ...]
    losses: tuple[RegionLoss, ...]
    worst_before: RegionId | None
    worst_after: RegionId | None


def impact(
    before: State,
    after: State,
    places: Sequence[PlaceShare],
    *,
    timing: Timing,
    measured: tuple[RoundTrip, ...] = (),
) -> Impact:
    """Compare ``before`` with ``after``.

    Args:
        before: What is replicated.
        after: The same with other documents in force.
        places: Where clients are; at least one, those with most weight first.
        timing: The directors' timing.
        measured: Round trips between regions, as routing has them now.
    """
    losses = _losses(before, after)
    return Impact(
        traffic_moved(compile_table(before, measured), compile_table(after, measured), places),
        _budgets(before.topology, after.topology, timing),
        losses,
        _worst([(each.region_id, each.before) for each in losses]),
        _worst([(each.region_id, each.after) for each in losses]),
    )


# -- budgets ---------------------------------------------------------------------------------------


def service_budget(topology: Topology, service: ServiceSpec, timing: Timing) -> ServiceBudget:
    """Return what ``service`` promises and what is predicted."""
    is_passive = service.mode is ServiceMode.ACTIVE_PASSIVE
    predicted = predicted_rto(
        timing,
        service.health,
        hold_ms=topology.policy(service.policy_id).hold_ms,
        fenced=is_passive,
    )
    return ServiceBudget(
        service.rto_ms,
        predicted.total_ms,
        service.rpo_ms,
        asynchronous_exposure_ms(timing) if is_passive else None,
    )


def _budgets(before: Topology, after: Topology, timing: Timing) -> tuple[BudgetChange, ...]:
    was, now = (
        {each.service_id: service_budget(topology, each, timing) for each in topology.services}
        for topology in (before, after)
    )
    return tuple(
        BudgetChange(service_id, was.get(service_id), now.get(service_id))
        for service_id in sorted(was.keys() | now.keys())
    )


# -- the loss of one region ------------------------------------------------------------------------


def _losses(before: State, after: State) -> tuple[RegionLoss, ...]:
    was, now = (_losses_in(state) for state in (before, after))
    return tuple(
        RegionLoss(region_id, was.get(region_id), now.get(region_id))
        for region_id in sorted(was.keys() | now.keys())
    )


def _losses_in(state: State) -> Mapping[RegionId, LossOutcome]:
    standings = tuple(_Standing.of(state, each) for each in state.topology.services)
    return {
        each.region_id: _loss_of(state, standings, each.region_id)
        for each in state.topology.regions
    }


def _worst(outcomes: Sequence[tuple[RegionId, LossOutcome | None]]) -> RegionId | None:
    worst: tuple[RegionId, LossOutcome] | None = None
    for region_id, outcome in outcomes:
        if outcome is not None and (worst is None or outcome.badness > worst[1].badness):
            worst = region_id, outcome
    return None if worst is None else worst[0]


def loss_of(state: State, region_id: RegionId) -> LossOutcome:
    """Say what the loss of ``region_id`` would mean now, by committed verdicts and declarations.

    How far the copies are behind is not replicated and therefore not part of the answer.
    """
    standings = tuple(_Standing.of(state, each) for each in state.topology.services)
    return _loss_of(state, standings, region_id)


@dataclass(frozen=True, slots=True)
class _Standing:
    """A service as it stands: looked up once for the loss of every region."""

    service: ServiceSpec
    region_ids: frozenset[RegionId]
    healthy: tuple[SiteSpec, ...]
    owner: RegionId | None

    @classmethod
    def of(cls, state: State, service: ServiceSpec) -> "_Standing":
        groups = (state.group(group_id) for group_id in service.group_ids)
        return cls(
            service,
            frozenset(each.region_id for each in service.sites),
            tuple(each for each in service.sites if is_healthy(state, service, each.region_id)),
            next((group.home for group in groups if group is not None), None),
        )


def _loss_of(state: State, standings: tuple[_Standing, ...], region_id: RegionId) -> LossOutcome:
    lost: list[ServiceId] = []
    lost_subjects: list[tuple[ServiceId, str]] = []
    moved: list[ServiceId] = []
    least: tuple[int, ServiceId] | None = None
    for each in standings:
        service = each.service
        if region_id not in each.region_ids:
            continue
        left = [site for site in each.healthy if site.region_id != region_id]
        if not left:
            lost.append(service.service_id)
        elif service.residency:
            subjects = _subjects_lost(state, service, left)
            lost_subjects += [(service.service_id, subject) for subject in subjects]
        if each.owner == region_id:
            moved.append(service.service_id)
        share = _capacity_left(each, region_id, left)
        if share is not None and (least is None or share < least[0]):
            least = share, service.service_id
    return LossOutcome(
        tuple(lost),
        tuple(lost_subjects),
        tuple(moved),
        None if least is None else least[0],
        None if least is None else least[1],
    )


def _subjects_lost(state: State, service: ServiceSpec, left: list[SiteSpec]) -> list[str]:
    jurisdictions = {
        region.jurisdiction
        for site in left
        if (region := state.topology.region(site.region_id)) is not None
    }
    return [
        rule.subject_jurisdiction
        for rule in service.residency
        if jurisdictions.isdisjoint(rule.allow_jurisdictions)
    ]


def _capacity_left(standing: _Standing, region_id: RegionId, left: list[SiteSpec]) -> int | None:
    """Return the capacity left per mille; None when a site that counts declares none.

    Of an active-passive service one region serves: the largest of the others takes its place.
    """
    now, then = list(standing.healthy), left
    if standing.service.mode is ServiceMode.ACTIVE_PASSIVE:
        if standing.owner != region_id:
            return None  # it serves on as before
        now = [site for site in standing.service.sites if site.region_id == region_id]
        then = sorted(left, key=lambda site: (-site.capacity_rps, site.region_id))[:1]
    whole = sum(site.capacity_rps for site in now)
    if not whole or any(not site.capacity_rps for site in (*now, *then)):
        return None
    return sum(site.capacity_rps for site in then) * _PER_MILLE // whole
