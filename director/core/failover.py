"""Who may take over, why the others may not, and how much could be lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from director.core.capacity import target_room
from director.core.commands import StageName
from director.core.health import Court
from director.core.ids import FencingToken, GroupId
from director.core.lag_log import LagSample
from director.core.lease import LeaseBook
from director.core.load_view import owner_load_rps
from director.core.state import Group, Run, State
from director.core.topology import ServiceSpec, SiteSpec
from director.routing.table import Override, RegionId, Verdict


class Ineligible(StrEnum):
    """Why a region may not be promoted."""

    OWNER = "OWNER"
    DRAINED = "DRAINED"
    OVERRIDE_DOWN = "OVERRIDE_DOWN"
    DOWN = "DOWN"
    NEVER_REPORTED = "NEVER_REPORTED"
    SILENT = "SILENT"
    NOT_PASSING = "NOT_PASSING"
    RESIDENCY = "RESIDENCY"
    LAG_UNKNOWN = "LAG_UNKNOWN"
    RPO_EXCEEDED = "RPO_EXCEEDED"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One site of an active-passive service, as a possible next home.

    Attributes:
        loss_bound_ms: Bound on the writes lost by promoting it, as a span; None is unknown.
        ineligible: Why not; None when it may be promoted.
        covered_ms: Local instant up to which its copy surely has every write; None is unknown.
        is_too_small: Its capacity is known to be less than the load needs. Chosen last.
    """

    region_id: RegionId
    priority: int
    loss_bound_ms: int | None
    lag_ms: int | None
    ineligible: Ineligible | None
    covered_ms: int | None = None
    is_too_small: bool = False


@dataclass(frozen=True, slots=True)
class Bench:
    """What candidates are judged with: the leader's observations and leases."""

    state: State
    court: Court
    leases: LeaseBook
    now_ms: int


def loss_bound_ms(
    bench: Bench, service: ServiceSpec, group: Group, region_id: RegionId, suspected_ms: int
) -> int | None:
    """Bound the writes lost by promoting ``region_id``, as a span of time; None is unknown.

    The home may acknowledge until its lease has provably ended, whatever we hear of it. The copy
    has everything up to ``covered_through_ms`` of its best sample. So the loss is at most the span
    between the two (invariant D3). Samples after ``suspected_ms`` do not count: a copy that no
    longer hears the home may report a small lag and be wrong. Nor do samples against an earlier
    home: the copy may hold writes that were lost when that one was replaced (D4, D8).

    Args:
        bench: The leader's view.
        service: The service.
        group: Its session group.
        region_id: The candidate.
        suspected_ms: Local instant of the first bad sign of the home; now, if there is none.
    """
    covered_ms = copy_covers_ms(bench, service, group, region_id, suspected_ms)
    return _loss_ms(bench, group, covered_ms, suspected_ms)


def _loss_ms(bench: Bench, group: Group, covered_ms: int | None, suspected_ms: int) -> int | None:
    """See ``loss_bound_ms``, for a copy that has every write up to ``covered_ms``."""
    if covered_ms is None:
        return None
    token = bench.state.token(group)
    if bench.leases.is_demoted(group.group_id, token, bench.court.log, now_ms=bench.now_ms):
        # It promised; what it acknowledged came before the promise, and so before now.
        return max(0, bench.now_ms - covered_ms)
    home_ends_ms = bench.leases.stopped_at_ms(group.group_id, token)
    if not bench.leases.is_in_office:
        # Only the leader knows when it granted last; a follower's view shows a whole lease.
        home_ends_ms = suspected_ms + bench.court.timing.lease_wait_ms
    if suspected_ms >= bench.now_ms:
        home_ends_ms = bench.now_ms  # nothing is wrong with the home; it will be asked to stop
    return max(0, home_ends_ms - covered_ms)


def copy_covers_ms(
    bench: Bench, service: ServiceSpec, group: Group, region_id: RegionId, suspected_ms: int
) -> int | None:
    """Local instant up to which a copy surely has every write of the present home; None: unknown.

    See ``loss_bound_ms``.
    """
    samples = bench.court.log.lag_samples((service.service_id, region_id))
    writer = last_writer(bench, group)
    following = tuple(each for each in samples if each.follows(group.group_id, writer))
    return covered_through_ms(following, suspected_ms)


def last_writer(bench: Bench, group: Group) -> FencingToken:
    """Return the first token of the last owner that may have written, without a break.

    Copies that were measured under it, or later, follow that owner.
    """
    epoch = group.epoch
    for run in _runs_without_a_write(bench, group):
        epoch = run.source_epoch
    return FencingToken(bench.state.generation, epoch)


def first_suspicion_ms(bench: Bench, group: Group, at_ms: int) -> int:
    """When the last owner that may have written was first suspected, in director time.

    Recovery has been going on since that one was suspected.

    Args:
        bench: The leader's view.
        group: The group.
        at_ms: Director time at which the present home was first suspected.
    """
    home = group.home
    for run in _runs_without_a_write(bench, group):
        if run.target == home:
            at_ms = min(at_ms, run.suspected_at_ms)
        home = run.source
    return at_ms


def _runs_without_a_write(bench: Bench, group: Group) -> Iterator[Run]:
    """The aborted runs, newest first, after which the owner before it is still the last writer.

    Either the source kept the group, under the next epoch; or the target owned it but was given up
    before it opened its gate, so that what may be lost is what its predecessor wrote.
    """
    home, epoch = group.home, group.epoch
    has_served = _has_served(bench, group, home, epoch)
    for run in reversed(bench.state.runs):
        if run.group_id != group.group_id or run.stage is not StageName.ABORTED:
            continue
        if epoch != run.source_epoch + 1 or home not in (run.source, run.target):
            continue
        if home == run.target and has_served:
            return
        yield run
        is_kept, home, epoch = home == run.source, run.source, run.source_epoch
        has_served = (is_kept and has_served) or _has_served(bench, group, home, epoch)


def _has_served(bench: Bench, group: Group, home: RegionId | None, epoch: int) -> bool:
    token = FencingToken(bench.state.generation, epoch)
    return home is not None and (
        bench.leases.was_granted(group.group_id, token)
        or bench.court.log.is_gate_open(home, group.group_id, token)
    )


def covered_through_ms(samples: tuple[LagSample, ...], until_ms: int) -> int | None:
    """The latest instant up to which the copy has everything, by samples surely not after another.

    Args:
        samples: What is known of the copy.
        until_ms: A sample that may have been taken after this does not count.
    """
    return max(
        (sample.covered_through_ms for sample in samples if sample.at_ms <= until_ms), default=None
    )


def candidates(
    bench: Bench, service: ServiceSpec, group: Group, *, suspected_ms: int, automatic: bool
) -> tuple[Candidate, ...]:
    """Every site but the home's, best first: eligible, with room, by priority, loss and name."""
    found = []
    load_rps = owner_load_rps(bench.court.log, group, now_ms=bench.now_ms)
    for site in service.sites:
        if site.region_id == group.home:
            continue
        covered_ms = copy_covers_ms(bench, service, group, site.region_id, suspected_ms)
        bound_ms = _loss_ms(bench, group, covered_ms, suspected_ms)
        samples = bench.court.log.lag_samples((service.service_id, site.region_id))
        reason = standing(bench, service, site) or _data_reason(bench, service, bound_ms)
        if reason is None and automatic:
            reason = _residency_reason(bench.state, service, group, site.region_id)
        found.append(
            Candidate(
                site.region_id,
                site.priority,
                bound_ms,
                samples[-1].lag_ms if samples else None,
                reason,
                covered_ms,
                target_room(service, site.region_id, load_rps).is_lacking,
            )
        )
    # Unknown loss sorts last among equals; every key ends with the name (determinism, rule 6).
    return tuple(
        sorted(
            found,
            key=lambda each: (
                each.ineligible is not None,
                each.is_too_small,
                each.priority,
                each.loss_bound_ms is None,
                each.loss_bound_ms or 0,
                each.region_id,
            ),
        )
    )


def standing(  # noqa: PLR0911 - one per reason, most permanent first
    bench: Bench, service: ServiceSpec, site: SiteSpec
) -> Ineligible | None:
    """Say why a region cannot serve now, data apart, or None if it can."""
    pair = (service.service_id, site.region_id)
    override = bench.state.overrides.get(pair)
    if site.region_id in bench.state.drained_regions:
        return Ineligible.DRAINED
    if override is Override.FORCE_DOWN:
        return Ineligible.OVERRIDE_DOWN
    record = bench.state.verdicts.get(pair)
    if record is not None and record.verdict is Verdict.DOWN and override is None:
        return Ineligible.DOWN
    heard_ms = bench.court.log.last_heard_ms(site.region_id, service.service_id)
    if heard_ms is None:
        return Ineligible.NEVER_REPORTED
    # Whatever an operator says of its health: without an agent nobody can open its gate.
    if bench.now_ms - heard_ms > bench.court.timing.suspect_ms:
        return Ineligible.SILENT
    own = bench.court.log.self_reading(
        pair, now_ms=bench.now_ms, fresh_ms=bench.court.timing.suspect_ms
    )
    if own is None or own[0] is not True:
        return Ineligible.NOT_PASSING
    return None


def _data_reason(bench: Bench, service: ServiceSpec, bound_ms: int | None) -> Ineligible | None:
    policy = bench.state.topology.policy(service.policy_id)
    if service.rpo_ms is None or not policy.require_lag_within_rpo:
        return None
    if bound_ms is None:
        return Ineligible.LAG_UNKNOWN
    return Ineligible.RPO_EXCEEDED if bound_ms > service.rpo_ms else None


def _residency_reason(
    state: State, service: ServiceSpec, group: Group, region_id: RegionId
) -> Ineligible | None:
    """Automation does not move data out of a jurisdiction whose subjects the home may serve."""
    home = None if group.home is None else state.topology.region(group.home)
    region = state.topology.region(region_id)
    for rule in service.residency:
        home_allowed = home is not None and home.jurisdiction in rule.allow_jurisdictions
        if home_allowed and (region is None or region.jurisdiction not in rule.allow_jurisdictions):
            return Ineligible.RESIDENCY
    return None


def has_long_answers(bench: Bench, group_id: GroupId, region_id: RegionId) -> bool:
    """Whether a home that was asked to stop could promise it only after answers had run out."""
    return any(gate.has_long_answers for _, gate in bench.court.log.gates(region_id, group_id))


def is_idle(bench: Bench, group: Group, home: RegionId) -> bool:
    """Whether the home has had neither a lease nor an open gate for longer than a promotion takes.

    It beats and passes its probe, and yet nobody can write: its agent cannot prove its work (A6),
    or guards something else. Its lease has provably ended, so moving on cannot make two writers.
    """
    if not bench.leases.is_in_office:
        return False
    token = bench.state.token(group)
    ended_ms = bench.leases.stopped_at_ms(group.group_id, token)
    if bench.now_ms < ended_ms + bench.court.timing.promote_deadline_ms:
        return False
    return not bench.court.log.is_gate_open(home, group.group_id, token)
