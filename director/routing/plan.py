"""What one service answers to one kind of subject, as far as the client's place does not matter.

The filter and the priorities are settled here, once per route table; only the choice among the
sites of one priority is left for each client. Active-passive services have nothing left to choose:
writes go to the owner, whatever its health, until ownership moves (R4).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from director.routing.eligibility import (
    BARRED,
    Basis,
    Pool,
    SiteStanding,
    Standing,
    health,
    pool,
    residency_refusal,
    standings,
    unhealthy_refusal,
)
from director.routing.overflow import Overflow, Tier, sending, takers
from director.routing.rendezvous import ranked
from director.routing.table import (
    AllUnhealthy,
    Answer,
    Refusal,
    RefusalReason,
    Region,
    RegionId,
    Resolution,
    ServiceMode,
    ServiceRoute,
    Site,
    Strategy,
)


class AnswerReason(StrEnum):
    """Why this region was answered with."""

    NEAREST = "NEAREST"
    LEAST_LATENCY = "LEAST_LATENCY"
    WEIGHTED = "WEIGHTED"
    STICKY = "STICKY"
    NO_POSITION = "NO_POSITION"
    ONLY_SITE = "ONLY_SITE"
    OWNER = "OWNER"
    OWNER_DOWN = "OWNER_DOWN"
    WITHHELD = "WITHHELD"
    PANIC = "PANIC"
    ONLY_DRAINED = "ONLY_DRAINED"
    SPILLED = "SPILLED"


REASON_BY_STRATEGY: Mapping[Strategy, AnswerReason] = {
    Strategy.NEAREST: AnswerReason.NEAREST,
    Strategy.WEIGHTED: AnswerReason.WEIGHTED,
    Strategy.LEAST_LATENCY: AnswerReason.LEAST_LATENCY,
}
# These say what the pool was; the way one site was chosen from it is the lesser reason.
_OVERRIDING = frozenset({AnswerReason.WITHHELD, AnswerReason.PANIC, AnswerReason.ONLY_DRAINED})


@dataclass(frozen=True, slots=True)
class Plan:
    """A service, filtered. Either ``fixed`` is set, or ``answers`` has some.

    That is two or more, unless ``overflow`` says that the only one sends clients on.

    ``answers`` holds the prepared answer of each region by number, and None for the regions that
    may not answer now. ``shares`` and ``spread_by_id`` are the same regions with their weights and
    answers, for clients whose region is chosen by hash.
    """

    service: ServiceRoute
    judged: tuple[SiteStanding, ...]
    pool: Pool | None
    tier: tuple[Site, ...]
    fixed: Resolution | None
    answers: tuple[Answer | None, ...] = ()
    shares: tuple[tuple[str, int], ...] = ()
    spread_by_id: Mapping[str, Answer] = field(default_factory=dict)
    overflow: Overflow | None = None


def plan(
    service: ServiceRoute,
    region_by_id: Mapping[RegionId, Region],
    *,
    subject_jurisdiction: str,
    revision: int,
) -> Plan:
    """Filter ``service`` for one kind of subject. ``region_by_id`` is sorted by id."""
    judged = standings(service, region_by_id, subject_jurisdiction)
    if service.mode is ServiceMode.ACTIVE_PASSIVE:
        return Plan(service, judged, None, (), _owner_resolution(service, judged, revision))
    usable = pool(service, judged)
    if isinstance(usable, Refusal):
        return Plan(service, judged, None, (), usable)
    tier = usable.first_tier
    standing_by_id = {each.site.region_id: each.standing for each in judged}
    is_alone = len(tier) == 1
    by_id = {
        site.region_id: _prepared(
            service,
            site,
            _tier_reason(service, usable, standing_by_id[site.region_id], is_alone=is_alone),
            revision,
        )
        for site in tier
    }
    overflow = _overflow(service, usable, standing_by_id, tuple(region_by_id), revision)
    if is_alone and overflow is None:
        return Plan(service, judged, usable, tier, by_id[tier[0].region_id])
    answers = tuple(by_id.get(region_id) for region_id in region_by_id)
    return Plan(
        service,
        judged,
        usable,
        tier,
        None,
        answers,
        tuple((str(site.region_id), site.weight) for site in tier),
        {region_id: _when_spread(service, answer) for region_id, answer in by_id.items()},
        overflow,
    )


def _overflow(
    service: ServiceRoute,
    usable: Pool,
    standing_by_id: Mapping[RegionId, Standing],
    region_ids: tuple[RegionId, ...],
    revision: int,
) -> Overflow | None:
    """Return who sends clients on and who takes them; None while nobody does, or could."""
    share_by_id = sending(usable)
    taking = takers(usable, standing_by_id) if share_by_id else ()
    if not taking:
        return None
    by_id = {
        site.region_id: _prepared(service, site, AnswerReason.SPILLED, revision) for site in taking
    }
    tier = Tier(
        tuple(by_id.get(region_id) for region_id in region_ids),
        tuple((str(site.region_id), site.weight) for site in taking),
        {str(region_id): answer for region_id, answer in by_id.items()},
    )
    return Overflow(share_by_id, tier)


def _when_spread(service: ServiceRoute, answer: Answer) -> Answer:
    """Return the answer for a client chosen by hash: under Nearest, one without a position."""
    if answer.reason in _OVERRIDING or service.strategy is Strategy.WEIGHTED:
        return answer
    return replace(answer, reason=AnswerReason.NO_POSITION)


def _tier_reason(
    service: ServiceRoute, usable: Pool, standing: Standing, *, is_alone: bool
) -> AnswerReason:
    if usable.basis is Basis.PANIC:
        return AnswerReason.PANIC
    if usable.basis is Basis.ONLY_DRAINED:
        return AnswerReason.ONLY_DRAINED
    if standing is Standing.WITHHELD:
        return AnswerReason.WITHHELD
    return AnswerReason.ONLY_SITE if is_alone else REASON_BY_STRATEGY[service.strategy]


def _owner_resolution(
    service: ServiceRoute, judged: tuple[SiteStanding, ...], revision: int
) -> Resolution:
    """Answer with the owner. It is the only region whose writes count, so nothing replaces it."""
    if not service.sites:
        return Refusal(
            service.service_id,
            RefusalReason.NO_SITES,
            f"{service.service_id} has no endpoint in any region",
            (("service", service.service_id),),
        )
    owner = next((each for each in judged if each.site.region_id == service.owner), None)
    if owner is None or owner.standing in (Standing.NO_ENDPOINTS, Standing.REGION_NOT_FOUND):
        who = f"its owner {service.owner} has no endpoint" if service.owner else "it has no owner"
        return Refusal(
            service.service_id,
            RefusalReason.NO_OWNER,
            f"{service.service_id} cannot be served: {who}",
            (("service", service.service_id), ("owner", service.owner or "")),
        )
    if owner.standing is Standing.RESIDENCY:
        return residency_refusal(service, (owner,))
    if owner.standing in BARRED:
        return unhealthy_refusal(service, (owner,))
    # A drained owner serves until ownership has moved; that is what the drain waits for. So only
    # its health is left to ask.
    believed = health(owner.site)
    if believed.standing is Standing.DOWN and service.all_unhealthy is AllUnhealthy.FAIL_CLOSED:
        return unhealthy_refusal(service, (believed,))
    reason = {
        Standing.DOWN: AnswerReason.OWNER_DOWN,
        Standing.WITHHELD: AnswerReason.WITHHELD,
    }.get(believed.standing, AnswerReason.OWNER)
    return _prepared(service, owner.site, reason, revision)


def _prepared(service: ServiceRoute, site: Site, reason: AnswerReason, revision: int) -> Answer:
    assert site.endpoints, "an answer has at least one endpoint (R1)"
    return Answer(
        service.service_id,
        site.region_id,
        site.endpoints,
        fail_open=reason in _OVERRIDING or reason is AnswerReason.OWNER_DOWN,
        reason=reason,
        generation=service.generation,
        epoch=service.epoch,
        revision=revision,
        ttl_ms=service.ttl_ms,
    )


def spread_answer(chosen: Plan, session_id: str, spread: int) -> Answer:
    """Choose by weighted rendezvous: for Weighted services, and clients without a position.

    A session of a sticky Weighted service is thereby pinned to a region, and moves only if that
    region leaves. Under Nearest and LeastLatency a session keeps its region for as long as it
    keeps its place and health does not change (R5): hashing it over all regions would send half
    of Paris to Singapore. There, the session decides the endpoint inside the region.
    """
    service = chosen.service
    is_by_session = service.sticky and bool(session_id)
    key = session_id if is_by_session else f"{spread}/{session_id}"
    answer = chosen.spread_by_id[ranked(f"{service.service_id}/{key}", chosen.shares)[0]]
    if is_by_session and answer.reason not in _OVERRIDING:
        return replace(answer, reason=AnswerReason.STICKY)
    return answer


def with_endpoints_by_session(answer: Answer, session_id: str) -> Answer:
    """Order the endpoints so that a session meets the same one first, by weight."""
    if len(answer.endpoints) == 1:
        return answer
    numbers = ranked(
        session_id,
        (
            (f"{endpoint.address}#{number}", endpoint.weight)
            for number, endpoint in enumerate(answer.endpoints)
        ),
    )
    return replace(
        answer,
        endpoints=tuple(answer.endpoints[int(name.rpartition("#")[2])] for name in numbers),
    )
