"""From what several vantage points say to one verdict on one region of one service.

No single observer can take a region out, and silence alone never makes DOWN (C4). Nothing here
remembers: hysteresis is the agents' for single observers (rise, fall) and the planner's for the
verdict as a whole.
"""

from dataclasses import dataclass
from enum import StrEnum

from director.core.agent_view import Pair
from director.core.commands import Evidence
from director.core.ids import ReplicaId
from director.core.observation_log import ObservationLog
from director.core.timing import Timing
from director.core.topology import ServiceSpec, Topology
from director.routing.table import RegionId, Verdict

# Two directors in different failure domains must have lost the heartbeats before their silence
# supports a single accusing peer (architecture.md, section 2).
SILENT_DIRECTORS_MIN = 2

# What is kept of a region's agents as evidence: the gravest finding, and the youngest of those.
_PASS, _NOT_BELIEVED, _FAIL = 1, 2, 3
_FINDINGS = {_PASS: "pass", _NOT_BELIEVED: "not believed", _FAIL: "fail"}


class Cause(StrEnum):
    """Why a verdict is what it is."""

    HEALTHY = "HEALTHY"
    UNDECIDED = "UNDECIDED"
    NEVER_HEARD = "NEVER_HEARD"
    SILENT = "SILENT"
    SELF_FAIL = "SELF_FAIL"
    PEERS_FAIL = "PEERS_FAIL"
    PEER_FAIL_AND_SILENT = "PEER_FAIL_AND_SILENT"
    SOME_PEER_FAILS = "SOME_PEER_FAILS"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its reasons.

    Attributes:
        bad_for_ms: Age of the first bad sign; 0 when there is none.
        accusers: (region, rounds) of the peers that were counted against the region and whose last
            round failed, so that a later judgement can tell a fresh round from the same one.
    """

    verdict: Verdict
    cause: Cause
    evidence: tuple[Evidence, ...]
    bad_for_ms: int = 0
    accusers: tuple[tuple[RegionId, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Court:
    """What every judgement needs besides the pair.

    Attributes:
        domains: Failure domain of each director replica.
    """

    log: ObservationLog
    topology: Topology
    timing: Timing
    domains: dict[ReplicaId, str]
    own_id: ReplicaId


@dataclass(frozen=True, slots=True)
class _Silence:
    """How the region's heartbeats look from the replicas that are in touch with this one.

    Attributes:
        silent_elsewhere_count: As ``silent_domain_count``, without the region's own domain: a
            director that stands beside the region is no word from another place (C4).
    """

    evidence: tuple[Evidence, ...]
    silent_domain_count: int
    silent_elsewhere_count: int
    is_heard: bool
    was_ever_heard: bool
    for_ms: int


@dataclass(frozen=True, slots=True)
class _Accusation:
    """What the peers say. ``streaks_ms``: how long each accusing domain has seen it fail."""

    evidence: tuple[Evidence, ...]
    domain_count: int
    accusers: tuple[tuple[RegionId, int], ...]
    streaks_ms: tuple[int, ...]


def judge(  # noqa: PLR0911 - one per rule, in order of strength
    court: Court, service: ServiceSpec, region_id: RegionId, *, now_ms: int
) -> Judgement:
    """Judge one region of one service."""
    pair = (service.service_id, region_id)
    timing = court.timing
    own = court.log.self_reading(pair, now_ms=now_ms, fresh_ms=timing.suspect_ms)
    silence = _silence(court, pair, now_ms=now_ms)
    accusation = _accusation(court, service, pair, now_ms=now_ms)
    evidence = (_own_evidence(own), *silence.evidence, *accusation.evidence)
    streaks_ms = (*accusation.streaks_ms, *(() if silence.is_heard else (silence.for_ms,)))
    bad_for_ms = _bad_for_ms(sorted(streaks_ms), service)
    passing = None if own is None else own[0]

    def verdict(verdict: Verdict, cause: Cause) -> Judgement:
        is_good = verdict is Verdict.UP
        return Judgement(
            verdict, cause, evidence, 0 if is_good else bad_for_ms, accusation.accusers
        )

    if passing is False:
        return verdict(Verdict.DOWN, Cause.SELF_FAIL)
    if accusation.domain_count >= service.health.observers_agree:
        return verdict(Verdict.DOWN, Cause.PEERS_FAIL)
    if accusation.domain_count >= 1 and silence.silent_elsewhere_count >= SILENT_DIRECTORS_MIN:
        return verdict(Verdict.DOWN, Cause.PEER_FAIL_AND_SILENT)
    if not silence.is_heard:
        cause = Cause.SILENT if silence.was_ever_heard else Cause.NEVER_HEARD
        return verdict(Verdict.UNKNOWN, cause)
    if passing is None:
        return verdict(Verdict.UNKNOWN, Cause.UNDECIDED)
    if accusation.domain_count >= 1:
        return verdict(Verdict.DEGRADED, Cause.SOME_PEER_FAILS)
    return verdict(Verdict.UP, Cause.HEALTHY)


def silent_domain_count(court: Court, pair: Pair, *, now_ms: int) -> int:
    """At how many director failure domains the heartbeats of a service's region are missing."""
    return _silence(court, pair, now_ms=now_ms).silent_domain_count


def _own_evidence(own: tuple[bool | None, int] | None) -> Evidence:
    if own is None:
        return Evidence("self", "unheard", 0)
    finding = {True: "pass", False: "fail", None: "undecided"}[own[0]]
    return Evidence("self", finding, own[1])


def _silence(court: Court, pair: Pair, *, now_ms: int) -> _Silence:
    service_id, region_id = pair
    evidence = []
    silent_domains: set[str] = set()
    is_heard = False
    for replica_id in sorted(court.domains):
        if not _is_in_touch(court, replica_id, now_ms=now_ms):
            continue  # what it last told us is no word about now
        heard_ms = court.log.heard_at_ms(region_id, replica_id, service_id)
        if heard_ms is None:
            evidence.append(Evidence(f"director:{replica_id}", "unheard", 0))
            silent_domains.add(court.domains[replica_id])
            continue
        age_ms = now_ms - heard_ms
        is_silent = age_ms > court.timing.suspect_ms
        evidence.append(
            Evidence(f"director:{replica_id}", "silent" if is_silent else "pass", age_ms)
        )
        if is_silent:
            silent_domains.add(court.domains[replica_id])
        else:
            is_heard = True
    last_ms = court.log.last_heard_ms(region_id, service_id)
    region = court.topology.region(region_id)
    own_domain = "" if region is None else region.failure_domain
    return _Silence(
        tuple(evidence),
        len(silent_domains),
        len(silent_domains - {own_domain}),
        is_heard,
        last_ms is not None,
        0 if last_ms is None else now_ms - last_ms,
    )


def _is_in_touch(court: Court, replica_id: ReplicaId, *, now_ms: int) -> bool:
    if replica_id == court.own_id:
        return True
    view = court.log.replicas.get(replica_id)
    return view is not None and now_ms - view.seen_at_ms <= court.timing.staleness_bound_ms


def _accusation(court: Court, service: ServiceSpec, pair: Pair, *, now_ms: int) -> _Accusation:
    judged = court.topology.region(pair[1])
    own_domain = "" if judged is None else judged.failure_domain
    fresh_ms = court.timing.staleness_bound_ms + service.health.every_ms
    findings: dict[RegionId, tuple[int, int]] = {}
    fails_for_ms: dict[str, int] = {}
    accusers: dict[RegionId, int] = {}
    for word in court.log.peer_words(pair):
        passing, observer_id = word.reading.passing, word.observer[0]
        age_ms = now_ms - word.at_ms
        if age_ms > fresh_ms or passing is None:
            continue
        weight = _PASS if passing else _FAIL if word.is_believed else _NOT_BELIEVED
        findings[observer_id] = max(findings.get(observer_id, (0, 0)), (weight, -age_ms))
        region = None if weight is not _FAIL else court.topology.region(observer_id)
        if region is None or region.failure_domain == own_domain:
            continue
        domain = region.failure_domain
        streak_ms = word.reading.failing_for_ms + age_ms
        fails_for_ms[domain] = max(streak_ms, fails_for_ms.get(domain, 0))
        # A failing verdict outlives rounds that pass, until enough of them did. Such a round is no
        # fresh word against the region: the service is coming back.
        if word.reading.failing_for_ms > 0:
            accusers[observer_id] = max(accusers.get(observer_id, 0), word.reading.round_count)
    return _Accusation(
        tuple(
            Evidence(f"peer:{observer_id}", _FINDINGS[weight], -negative_age_ms)
            for observer_id, (weight, negative_age_ms) in sorted(findings.items())
        ),
        len(fails_for_ms),
        tuple(sorted(accusers.items())),
        tuple(fails_for_ms[domain] for domain in sorted(fails_for_ms)),
    )


def _bad_for_ms(streaks_ms: list[int], service: ServiceSpec) -> int:
    """How long ago the present trouble began, by the streaks of bad signs, shortest first.

    The earliest sign counts, but not one from long before the others: a path that has been broken
    for an hour says nothing of when the region failed. Observers of one fault begin to fail within
    one interval and one deadline of each other; twice that is allowed.
    """
    if not streaks_ms:
        return 0
    health = service.health
    apart_ms = 2 * (health.every_ms + health.probe_timeout_ms)
    # The trouble is as old as the youngest streak without which there would be no quorum.
    agreed = streaks_ms[-health.observers_agree :][0]
    return max(each for each in streaks_ms if each <= agreed + apart_ms)
