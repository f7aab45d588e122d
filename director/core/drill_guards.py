"""All guards of a drill at once, with what only the leader sees: agents, lag, who could take over.

The target and the loss are worked out by the functions that a real failover uses, so that what a
guard lets pass would be let pass then.
"""

from dataclasses import dataclass, replace

from director.core.capacity import HEADROOM_PER_MILLE, drain_room, percent_words, target_room
from director.core.commands import RunKind, Stamp, StartRun
from director.core.drill import DrillGuard, DrillKind, DrillSpec, GuardAnswer, LocalMoment
from director.core.drill_rules import state_answers
from director.core.failover import Bench, Candidate, candidates
from director.core.load_view import loads_of, owner_load_rps
from director.core.moves import automation_limit
from director.core.safety import start_refusal
from director.core.state import Group, State
from director.core.topology import ServiceSpec
from director.routing.table import RegionId


@dataclass(frozen=True, slots=True)
class Prospect:
    """Who would take over now.

    Attributes:
        target: None if nobody may, or if nobody has to.
        found: Every other site, with what keeps it back.
    """

    service: ServiceSpec
    group: Group
    target: Candidate | None
    found: tuple[Candidate, ...]


def prospect(bench: Bench, spec: DrillSpec) -> Prospect | None:
    """Return who would take over; None if the region owns nothing, so that nobody has to."""
    service = bench.state.topology.service(spec.service_id)
    group = next((each for each in bench.state.groups if each.service_id == spec.service_id), None)
    if service is None or group is None or group.home != spec.scenario.region_id:
        return None
    is_automatic = spec.scenario.kind is not DrillKind.SWITCHOVER
    found = candidates(bench, service, group, suspected_ms=bench.now_ms, automatic=is_automatic)
    target = found[0] if found and found[0].ineligible is None else None
    return Prospect(service, group, target, found)


def run_for(prospect: Prospect, spec: DrillSpec, stamp: Stamp) -> StartRun | None:
    """Return the command that the move of the drill would begin with, or None without a target."""
    if prospect.target is None:
        return None
    is_planned = spec.scenario.kind is DrillKind.SWITCHOVER
    return StartRun(
        replace(stamp, request_id="", ask_digest=""),
        RunKind.SWITCHOVER if is_planned else RunKind.FAILOVER,
        prospect.group.group_id,
        prospect.target.region_id,
        prospect.group.epoch,
        automatic=not is_planned,
        suspected_at_ms=stamp.at_ms,
        loss_bound_ms=prospect.target.loss_bound_ms,
    )


def guard_answers(
    bench: Bench, spec: DrillSpec, local: LocalMoment | None, stamp: Stamp, *, is_scheduled: bool
) -> tuple[GuardAnswer, ...]:
    """Return what every guard says; ``spec`` names its region."""
    at_now = replace(bench.state, now_ms=max(bench.state.now_ms, stamp.at_ms))
    answers = state_answers(at_now, spec, local, is_scheduled=is_scheduled)
    if answers[0].guard is DrillGuard.SPEC:
        return answers
    return (*answers, *live_answers(bench, at_now, spec, stamp))


def live_answers(
    bench: Bench, state: State, spec: DrillSpec, stamp: Stamp
) -> tuple[GuardAnswer, ...]:
    """Return what the guards say that look at agents, leases and lag."""
    service = state.topology.service(spec.service_id)
    assert service is not None, "the spec was looked at before"
    ahead = prospect(bench, spec)
    answers = [
        _agents_answer(bench, spec, service),
        _capacity_answer(bench, state, spec, service, ahead),
    ]
    if ahead is not None:
        answers += [
            _candidate_answer(ahead),
            _lag_answer(ahead),
            _rules_answer(bench, state, ahead, spec, stamp),
        ]
    return tuple(answers)


def _agents_answer(bench: Bench, spec: DrillSpec, service: ServiceSpec) -> GuardAnswer:
    """Who is not heard now cannot be told to stop either, and would not be missed."""
    region_ids = [site.region_id for site in service.sites]
    heard = [each for each in region_ids if _is_heard(bench, each)]
    is_quorum = len(heard) * 2 > len(region_ids) and spec.scenario.region_id in heard
    unheard = ", ".join(each for each in region_ids if each not in heard)
    said = f"agents of {len(heard)} of {len(region_ids)} regions heard"
    if unheard:
        said += f"; not of {unheard}"
    values = (("heardCount", str(len(heard))), ("regionCount", str(len(region_ids))))
    return GuardAnswer(DrillGuard.AGENTS, is_quorum, said, values)


def _is_heard(bench: Bench, region_id: RegionId) -> bool:
    heard_ms = bench.court.log.last_heard_ms(region_id)
    return heard_ms is not None and bench.now_ms - heard_ms <= bench.court.timing.suspect_ms


def _candidate_answer(ahead: Prospect) -> GuardAnswer:
    if ahead.target is not None:
        said = f"{ahead.target.region_id} could take over now"
        target = ("targetRegionId", str(ahead.target.region_id))
        return GuardAnswer(DrillGuard.CANDIDATE, passed=True, message=said, values=(target,))
    reasons = "; ".join(f"{each.region_id}: {each.ineligible}" for each in ahead.found)
    said = f"no region could take over ({reasons or 'there is no other site'})"
    values = tuple((str(each.region_id), str(each.ineligible)) for each in ahead.found)
    return GuardAnswer(DrillGuard.CANDIDATE, passed=False, message=said, values=values)


def _lag_answer(ahead: Prospect) -> GuardAnswer:
    rpo_ms = ahead.service.rpo_ms
    best = ahead.target or next(iter(ahead.found), None)
    bound_ms = None if best is None else best.loss_bound_ms
    if rpo_ms is None:
        return GuardAnswer(DrillGuard.LAG, passed=True, message="no RPO is declared")
    if best is None or bound_ms is None:
        name = "nobody" if best is None else best.region_id
        said = f"how far {name} is behind is not known; RPO {rpo_ms} ms"
        return GuardAnswer(
            DrillGuard.LAG, passed=False, message=said, values=(("rpoMs", str(rpo_ms)),)
        )
    is_within = bound_ms <= rpo_ms
    said = f"{best.region_id} is {bound_ms} ms behind, RPO {rpo_ms} ms"
    values = (("lossBoundMs", str(bound_ms)), ("rpoMs", str(rpo_ms)))
    return GuardAnswer(DrillGuard.LAG, is_within, said, values)


def _rules_answer(
    bench: Bench, state: State, ahead: Prospect, spec: DrillSpec, stamp: Stamp
) -> GuardAnswer:
    """What would keep the director from acting in earnest keeps the drill from beginning."""
    command = run_for(ahead, spec, stamp)
    refusal = automation_limit(bench.court, ahead.service)
    if refusal is None and command is not None:
        refusal = start_refusal(state, command)
    if refusal is None:
        return GuardAnswer(DrillGuard.RULES, passed=True, message="no rule would hold it back")
    return GuardAnswer(
        DrillGuard.RULES,
        passed=False,
        message=refusal.message,
        values=(("reason", str(refusal.reason)), *refusal.metadata),
    )


def _capacity_answer(
    bench: Bench, state: State, spec: DrillSpec, service: ServiceSpec, ahead: Prospect | None
) -> GuardAnswer:
    """The rest carries everything; what was not reported or declared allows no statement (R2)."""
    log, now_ms = bench.court.log, bench.now_ms
    if ahead is None:
        loads = loads_of(log, (service,), now_ms=now_ms)
        found = drain_room(state, service, spec.scenario.region_id, loads)
    elif ahead.target is None:
        return GuardAnswer(DrillGuard.CAPACITY, passed=True, message="nobody to ask for room")
    else:
        load_rps = owner_load_rps(log, ahead.group, now_ms=now_ms)
        found = target_room(service, ahead.target.region_id, load_rps)
    headroom = found.headroom_per_mille
    if headroom is None:
        said = found.unknown or "nothing has to move"
        return GuardAnswer(DrillGuard.CAPACITY, passed=True, message=f"headroom: {said}")
    values = (
        ("displacedRps", str(found.displaced_rps)),
        ("freeRps", str(found.free_rps)),
        ("headroomPerMille", str(headroom)),
    )
    said = f"headroom {percent_words(headroom)}"
    if found.is_lacking:
        said += f"; {HEADROOM_PER_MILLE // 10} % are needed"
    return GuardAnswer(DrillGuard.CAPACITY, not found.is_lacking, said, values)
