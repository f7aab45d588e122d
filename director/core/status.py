"""What `director status` shows, as values, from this replica's state and observations."""

from dataclasses import dataclass

from director.core.automation import damped_for_ms, flap_of, pause_of, standing_intent
from director.core.automation_records import Intent, OverrideTerm, Pause
from director.core.budget import predicted_rto
from director.core.capacity import NO_STATEMENT, Room, worst_loss_room
from director.core.failover import Bench, Candidate, candidates
from director.core.ids import FencingToken, RunId
from director.core.load_view import loads_of
from director.core.moves import automation_limit
from director.core.safety import Refusal, is_serving
from director.core.state import Group
from director.core.topology import Automation, ServiceSpec
from director.routing.table import Override, RegionId, ServiceId, ServiceMode, Verdict


@dataclass(frozen=True, slots=True)
class SiteView:
    """One region of one service.

    Attributes:
        ineligibility: Why it may not be promoted; "" for the owner and for who may.
        serving: Routing may send clients there; of an active-passive service, once it is home.
    """

    region_id: RegionId
    priority: int
    verdict: Verdict
    reason: str
    withheld: str
    override: Override | None
    loss_bound_ms: int | None
    lag_ms: int | None
    ineligibility: str
    gate_open: bool
    serving: bool
    term: OverrideTerm | None = None  # of the override
    load_rps: int | None = None
    capacity_rps: int = 0
    spill_per_mille: int = 0


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service. ``automation_note`` says why automation is less than declared, or ""."""

    service_id: ServiceId
    mode: ServiceMode
    owner: RegionId | None
    serving: RegionId | None
    token: FencingToken
    sites: tuple[SiteView, ...]
    rto_ms: int
    rpo_ms: int | None
    predicted_rto_ms: int
    automation: Automation
    automation_note: str
    active_run: RunId | None
    candidates: tuple[Candidate, ...] = ()  # as for an automatic failover now, best first
    now_ms: int = 0  # director time at which it was so
    pause: Pause | None = None
    intent: Intent | None = None  # while its trouble goes on
    damped_for_ms: int = 0
    lossy_run_id: RunId | None = None
    worst_loss: RegionId | None = None  # the region whose loss leaves the least room
    room: Room = NO_STATEMENT


@dataclass(frozen=True, slots=True)
class RegionView:
    """One region. ``heard_age_ms`` is None when no agent was ever heard."""

    region_id: RegionId
    jurisdiction: str
    drained: bool
    agent_count: int
    heard_age_ms: int | None


def service_view(bench: Bench, service: ServiceSpec, held: Refusal | None) -> ServiceView:
    """Describe one service as this replica sees it."""
    state = bench.state
    group = next((state.group(group_id) for group_id in service.group_ids), None)
    found: tuple[Candidate, ...] = ()
    if group is not None:
        found = candidates(
            bench, service, group, suspected_ms=_suspected_ms(bench, group), automatic=True
        )
    by_region = {each.region_id: each for each in found}
    policy = state.topology.policy(service.policy_id)
    limit = automation_limit(bench.court, service) if group is not None else None
    is_reduced = limit is not None and policy.automation is Automation.AUTOMATIC
    run = None if group is None else state.active_run(group.group_id)
    predicted = predicted_rto(
        bench.court.timing, service.health, hold_ms=policy.hold_ms, fenced=group is not None
    )
    note = next((each.message for each in (limit, held) if each is not None), "")
    loads = loads_of(bench.court.log, (service,), now_ms=bench.now_ms)
    worst_loss, left = worst_loss_room(state, service, loads)
    return ServiceView(
        service.service_id,
        service.mode,
        None if group is None else group.home,
        None if group is None else group.serving,
        FencingToken(state.generation, 0) if group is None else state.token(group),
        tuple(
            _site_view(bench, service, group, site.region_id, by_region.get(site.region_id))
            for site in service.sites
        ),
        service.rto_ms,
        service.rpo_ms,
        predicted.total_ms,
        Automation.APPROVE if is_reduced else policy.automation,
        note,
        None if run is None else run.run_id,
        candidates=found,
        now_ms=state.now_ms,
        pause=pause_of(state, service.service_id),
        intent=None if group is None else standing_intent(state, group.group_id),
        damped_for_ms=damped_for_ms(state, service.service_id, policy),
        lossy_run_id=flap_of(state, service.service_id).lossy_run_id,
        worst_loss=worst_loss,
        room=left,
    )


def _suspected_ms(bench: Bench, group: Group) -> int:
    record = None
    if group.home is not None:
        record = bench.state.verdicts.get((group.service_id, group.home))
    if record is None or record.verdict in (Verdict.UP, Verdict.DEGRADED):
        return bench.now_ms
    return bench.now_ms - max(0, bench.state.now_ms - record.suspected_at_ms)


def _site_view(
    bench: Bench,
    service: ServiceSpec,
    group: Group | None,
    region_id: RegionId,
    candidate: Candidate | None,
) -> SiteView:
    state = bench.state
    spec = service.site(region_id)
    assert spec is not None, "the caller iterates over the service's own sites"
    pair = (service.service_id, region_id)
    record = state.verdicts.get(pair)
    spill = state.spills.get(pair)
    is_open = group is not None and bench.court.log.is_gate_open(
        region_id,
        group.group_id,
        state.token(group),
        # No lease outlives this, so what a lost agent said last holds no longer.
        since_ms=bench.now_ms - bench.court.timing.lease_wait_ms,
    )
    return SiteView(
        region_id,
        spec.priority,
        Verdict.UNKNOWN if record is None else record.verdict,
        "NEVER_JUDGED" if record is None else record.reason,
        "" if record is None else record.withheld,
        state.overrides.get(pair),
        None if candidate is None else candidate.loss_bound_ms,
        None if candidate is None else candidate.lag_ms,
        "" if candidate is None or candidate.ineligible is None else str(candidate.ineligible),
        is_open,
        is_serving(state, service, region_id),
        state.override_terms.get(pair),
        bench.court.log.load_rps(pair, now_ms=bench.now_ms),
        spec.capacity_rps,
        0 if spill is None else spill.per_mille,
    )


def region_views(bench: Bench) -> tuple[RegionView, ...]:
    """Describe every region as this replica sees it."""
    views = []
    for region in bench.state.topology.regions:
        heard_ms = bench.court.log.last_heard_ms(region.region_id)
        views.append(
            RegionView(
                region.region_id,
                region.jurisdiction,
                region.region_id in bench.state.drained_regions,
                len(bench.court.log.agents_in(region.region_id)),
                None if heard_ms is None else bench.now_ms - heard_ms,
            )
        )
    return tuple(views)
