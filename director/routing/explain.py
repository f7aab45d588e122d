"""Why a query is answered as it is: every region of the fleet, with the reason it lost or won.

Nothing is decided here. The resolution, the standings, the pool and the order are those of
:class:`director.routing.compiled.CompiledTable`, and distances and round trips are the values that
ordered the regions.
"""

from dataclasses import dataclass

from director.routing.compiled import CompiledTable
from director.routing.eligibility import BARRED, DRAINED, SiteStanding, Standing
from director.routing.plan import AnswerReason, Plan
from director.routing.table import (
    Answer,
    Candidate,
    CandidateOutcome,
    Explanation,
    Query,
    RegionId,
    Resolution,
    RouteTable,
    ServiceMode,
    Site,
    Strategy,
    Verdict,
)

_LOST_BY_STRATEGY = {
    Strategy.NEAREST: ("NOT_NEAREST", "further away"),
    Strategy.LEAST_LATENCY: ("NOT_FASTEST", "longer round trip"),
    Strategy.WEIGHTED: ("NOT_SELECTED", "not selected by weight"),
}


@dataclass(frozen=True, slots=True)
class _View:
    """What the order was made of, by region number."""

    rank: tuple[int, ...]
    distances_km: tuple[float, ...] | None
    rtts_ms: tuple[float, ...] | None
    measured: frozenset[int]


def explain(table: RouteTable | CompiledTable, query: Query) -> Explanation:
    """Resolve ``query`` and account for every region, in order of preference."""
    compiled = table if isinstance(table, CompiledTable) else CompiledTable(table)
    resolution = compiled.resolve(query)
    found = compiled.plan_for(query.service_id, query.subject_jurisdiction)
    strategy = found.service.strategy if found is not None else Strategy.NEAREST
    view = _view(compiled, query, strategy)
    judged_by_id = {} if found is None else {each.site.region_id: each for each in found.judged}
    listed = [
        _candidate(region_id, judged_by_id.get(region_id), found, resolution)
        for region_id in compiled.preferences.geography.region_ids
    ]
    numbered = sorted(
        ((_with_place(candidate, n, view), n) for n, candidate in enumerate(listed)),
        key=lambda pair: (
            pair[0].priority is None,
            pair[0].priority or 0,
            view.rank[pair[1]],
        ),
    )
    return Explanation(resolution, tuple(candidate for candidate, _ in numbered))


def _view(compiled: CompiledTable, query: Query, strategy: Strategy) -> _View:
    preferences = compiled.preferences
    count = len(preferences.geography.region_ids)
    order = compiled.order_for(query.position, strategy)
    if order is None:
        return _View(tuple(range(count)), None, None, frozenset())
    rank = [0] * count
    for place, number in enumerate(order):
        rank[number] = place
    home = compiled.home_number(query.position)
    if home is not None:
        location = preferences.geography.locations[home]
        rtts: list[float] | None = preferences.region_rtts_ms(home)
        measured = frozenset(preferences.round_trips.from_region(home))
    else:
        assert query.position.location is not None, "an order needs a place"
        location = query.position.location
        by_rtt = strategy is Strategy.LEAST_LATENCY
        rtts = preferences.rtts_ms(location) if by_rtt else None
        measured = frozenset()
    distances = tuple(preferences.geography.distances_km(location))
    return _View(tuple(rank), distances, None if rtts is None else tuple(rtts), measured)


def _candidate(
    region_id: RegionId,
    judged: SiteStanding | None,
    found: Plan | None,
    resolution: Resolution,
) -> Candidate:
    if found is None or judged is None:
        text = "no such service" if found is None else "service has no endpoint here"
        return Candidate(region_id, CandidateOutcome.NOT_LISTED, "NOT_LISTED", text)
    priority = judged.site.priority
    if isinstance(resolution, Answer) and resolution.region_id == region_id:
        text = _described(judged) + (", health ignored" if resolution.fail_open else "")
        return Candidate(
            region_id, CandidateOutcome.CHOSEN, resolution.reason, text, priority=priority
        )
    outcome, reason, text = _lost(judged, found, resolution)
    return Candidate(region_id, outcome, reason, text, priority=priority)


def _lost(
    judged: SiteStanding, found: Plan, resolution: Resolution
) -> tuple[CandidateOutcome, str, str]:
    """Say why a listed region was not chosen."""
    site, standing = judged.site, judged.standing
    is_in_pool = found.pool is not None and site in found.pool.sites
    is_out = standing in BARRED or standing in DRAINED or standing is Standing.DOWN
    if is_out and not is_in_pool:
        return CandidateOutcome.REJECTED, standing, judged.detail
    described = _described(judged)
    eligible = CandidateOutcome.ELIGIBLE
    spilled = _lost_to_spill(site, found, resolution)
    if spilled:
        return eligible, spilled[0], f"{described}, {spilled[1]}"
    if found.service.mode is ServiceMode.ACTIVE_PASSIVE:
        return eligible, "NOT_OWNER", f"{described}, standby"
    if not is_in_pool:
        return eligible, "WEIGHT_ZERO", f"{described}, weight 0: only if nothing else is left"
    if site not in found.tier:
        return eligible, "LOWER_PRIORITY", f"{described}, a lower number is usable"
    reason, phrase = _LOST_BY_STRATEGY[found.service.strategy]
    return eligible, reason, f"{described}, {phrase}"


def _lost_to_spill(site: Site, found: Plan, resolution: Resolution) -> tuple[str, str] | None:
    """Say why a region was passed over for a client that a full one sent on, or None."""
    if found.overflow is None or not isinstance(resolution, Answer):
        return None
    if resolution.reason != AnswerReason.SPILLED:
        return None
    if site.region_id in found.overflow.share_by_id:
        return "SPILLS", "sends this client on where it comes first"
    return ("FULL", "full: takes no clients of others") if site.is_full else None


def _described(judged: SiteStanding) -> str:
    verdict = {
        Verdict.UP: "healthy",
        Verdict.DEGRADED: "degraded",
        Verdict.DOWN: "DOWN",
        Verdict.UNKNOWN: "health unknown",
    }[judged.site.verdict]
    said = judged.detail if judged.detail not in ("", "DOWN") else verdict
    described = f"priority {judged.site.priority}, {said}"
    site = judged.site
    if not site.spill_per_mille:
        return described
    return (
        f"{described}, over spillAt ({site.load_per_mille // 10} % of capacity), "
        f"{site.spill_per_mille} per mille spill"
    )


def _with_place(candidate: Candidate, number: int, view: _View) -> Candidate:
    """Add how far the region is, in the values that ordered it."""
    if view.distances_km is None:
        return candidate
    distance = round(view.distances_km[number])
    text = candidate.text
    is_listed = candidate.outcome is not CandidateOutcome.NOT_LISTED
    rtt_ms = None if view.rtts_ms is None else round(view.rtts_ms[number], 3)
    if is_listed and candidate.outcome is not CandidateOutcome.REJECTED:
        text += ", " + f"{distance:,} km".replace(",", " ")
        if rtt_ms is not None:
            kind = "measured" if number in view.measured else "expected"
            text += f", {rtt_ms:.1f} ms {kind}"
    return Candidate(
        candidate.region_id,
        candidate.outcome,
        candidate.reason,
        text,
        distance_km=distance,
        rtt_ms=rtt_ms,
        priority=candidate.priority,
    )
