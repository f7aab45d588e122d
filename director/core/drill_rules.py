"""Guards of a drill that the replicated state alone answers: asked on the leader and at apply time.

Each says its name, what it compared and what to do next. None of them loosens a rule: the failover
inside a drill is an ordinary one and obeys everything that another would have to.
"""

from collections.abc import Iterator

from director.core.automation import pause_of
from director.core.drill import (
    DRILL_FOR_MS_MAX,
    MINUTES_PER_DAY,
    DrillCondition,
    DrillGuard,
    DrillKind,
    DrillSpec,
    DrillStage,
    DrillWindow,
    GuardAnswer,
    LocalMoment,
)
from director.core.drill_record import Drill
from director.core.safety import is_healthy
from director.core.state import Run, State
from director.core.topology import Automation, ServiceSpec
from director.routing.table import RegionId, ServiceMode, Verdict

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def state_answers(
    state: State, spec: DrillSpec, local: LocalMoment | None, *, is_scheduled: bool
) -> tuple[GuardAnswer, ...]:
    """Return what every guard says; only the first if the drill makes no sense at all."""
    fault = _spec_fault(state, spec)
    if fault:
        return (GuardAnswer(DrillGuard.SPEC, passed=False, message=fault),)
    service = state.topology.service(spec.service_id)
    assert service is not None, "_spec_fault looked it up"
    return (
        *_calendar_answers(spec, local),
        *_condition_answers(state, spec, is_scheduled=is_scheduled),
        _failover_answer(state),
        _drill_answer(state),
        _automation_answer(state, service),
        _owner_answer(state, spec),
        _serving_answer(state, spec, service),
    )


def resolved_region(state: State, spec: DrillSpec) -> RegionId:
    """Return the region that is taken away: the one named, or the owner's."""
    if spec.scenario.region_id:
        return spec.scenario.region_id
    home = next((each.home for each in state.groups if each.service_id == spec.service_id), None)
    return home or RegionId("")


def _spec_fault(state: State, spec: DrillSpec) -> str:  # noqa: PLR0911 - one per fault
    service, scenario = state.topology.service(spec.service_id), spec.scenario
    if service is None:
        known = ", ".join(each.service_id for each in state.topology.services[:20]) or "none yet"
        return f"there is no service {spec.service_id}; there are: {known}"
    if not scenario.region_id:
        return f"{spec.service_id} has no single owner; name the region to lose"
    if service.site(scenario.region_id) is None:
        sites = ", ".join(site.region_id for site in service.sites)
        return f"{spec.service_id} has no site in {scenario.region_id}; it has {sites}"
    if not 0 < spec.for_ms <= DRILL_FOR_MS_MAX:
        return f"a drill lasts from 1 to {DRILL_FOR_MS_MAX} ms, not {spec.for_ms} ms"
    if not 0 < scenario.share_per_mille <= 1_000:  # noqa: PLR2004 - a share of the whole
        return f"a share is from 1 to 1000 per mille, not {scenario.share_per_mille}"
    if scenario.kind is DrillKind.LATENCY and scenario.delay_ms <= 0:
        return "a drill of latency needs a delay"
    is_owned = service.mode is ServiceMode.ACTIVE_PASSIVE
    if scenario.kind is DrillKind.SWITCHOVER and not is_owned:
        return f"{spec.service_id} is active-active: there is no owner to move"
    return ""


# -- the calendar ----------------------------------------------------------------------------------


def is_within(window: DrillWindow, local: LocalMoment) -> bool:
    """Whether a moment lies in a window of the week."""
    if window.from_minute < window.to_minute:
        in_time = window.from_minute <= local.minute < window.to_minute
        return in_time and _is_weekday(window, local.weekday)
    # Into the next day: its small hours belong to the day before.
    if local.minute >= window.from_minute:
        return _is_weekday(window, local.weekday)
    return local.minute < window.to_minute and _is_weekday(window, (local.weekday - 1) % len(_DAYS))


def _is_weekday(window: DrillWindow, weekday: int) -> bool:
    first, last = window.first_weekday, window.last_weekday
    if first <= last:
        return first <= weekday <= last
    return weekday >= first or weekday <= last


def is_blocked(date: str, local: LocalMoment) -> bool:
    """Whether a moment lies on a blocked date: ``2026-12-24``, or ``12-24`` of every year."""
    return local.date == date or local.date.endswith(f"-{date}")


def _calendar_answers(spec: DrillSpec, local: LocalMoment | None) -> Iterator[GuardAnswer]:
    if local is None:
        return
    clock = f"{_DAYS[local.weekday % 7]} {_clock(local.minute)}"
    if spec.allowed_windows:
        is_open = any(is_within(window, local) for window in spec.allowed_windows)
        windows = ", ".join(map(_shown_window, spec.allowed_windows))
        said = f"window open ({clock})" if is_open else f"{clock} is outside {windows}; ask then"
        values = (("localTime", clock), ("allowedWindows", windows))
        yield GuardAnswer(DrillGuard.WINDOW, is_open, said, values)
    if spec.blocked_dates:
        blocked = [each for each in spec.blocked_dates if is_blocked(each, local)]
        said = f"{local.date} is blocked ({blocked[0]})" if blocked else f"{local.date} is free"
        yield GuardAnswer(DrillGuard.BLOCKED_DATE, not blocked, said, (("date", local.date),))


def _clock(minute: int) -> str:
    return f"{minute % MINUTES_PER_DAY // 60:02}:{minute % 60:02}"


def _shown_window(window: DrillWindow) -> str:
    first, last = _DAYS[window.first_weekday % 7], _DAYS[window.last_weekday % 7]
    days = first if first == last else f"{first}-{last}"
    return f"{days} {_clock(window.from_minute)}-{_clock(window.to_minute)}"


# -- conditions ------------------------------------------------------------------------------------


def holds(state: State, spec: DrillSpec, condition: DrillCondition) -> bool:
    """Whether everything that the condition names is so."""
    if not condition.region_states and condition.failover_in_progress is None:
        return False
    for each in condition.region_states:
        record = state.verdicts.get((spec.service_id, each.region_id))
        if (Verdict.UNKNOWN if record is None else record.verdict) is not each.verdict:
            return False
    if condition.failover_in_progress is None:
        return True
    is_running = any(run.is_active and not run.drill_id for run in state.runs)
    return condition.failover_in_progress is is_running


def _shown_condition(condition: DrillCondition) -> str:
    parts = [f"{each.region_id} is {each.verdict}" for each in condition.region_states]
    if condition.failover_in_progress is not None:
        parts.append(f"failoverInProgress is {str(condition.failover_in_progress).lower()}")
    return " and ".join(parts)


def _condition_answers(
    state: State, spec: DrillSpec, *, is_scheduled: bool
) -> Iterator[GuardAnswer]:
    asked = [(DrillGuard.ABORT_WHEN, spec.abort_when)]
    if is_scheduled:
        asked.append((DrillGuard.SKIP_WHEN, spec.skip_when))
    for guard, conditions in asked:
        if conditions:
            true = [_shown_condition(each) for each in conditions if holds(state, spec, each)]
            said = f"{guard} holds: {true[0]}" if true else f"no {guard} condition holds"
            yield GuardAnswer(guard, not true, said)


# -- what goes on ----------------------------------------------------------------------------------


def _failover_answer(state: State) -> GuardAnswer:
    run = next((each for each in state.runs if each.is_active), None)
    if run is None:
        return GuardAnswer(DrillGuard.NO_FAILOVER, passed=True, message="no failover in progress")
    said = f"{run.run_id} ({run.source} to {run.target}) is {run.stage}; wait until it has settled"
    values = (("failoverId", str(run.run_id)), ("stage", str(run.stage)))
    return GuardAnswer(DrillGuard.NO_FAILOVER, passed=False, message=said, values=values)


def _drill_answer(state: State) -> GuardAnswer:
    drill = state.active_drill()
    if drill is None:
        return GuardAnswer(DrillGuard.ONE_DRILL, passed=True, message="no other drill")
    said = f"drill {drill.drill_id} is {drill.stage}; one runs at a time in the whole fleet"
    values = (("drillId", str(drill.drill_id)),)
    return GuardAnswer(DrillGuard.ONE_DRILL, passed=False, message=said, values=values)


def _automation_answer(state: State, service: ServiceSpec) -> GuardAnswer:
    policy = state.topology.policy(service.policy_id)
    pause = pause_of(state, service.service_id)
    said = f"automation {policy.automation}"
    if pause is not None:
        left_ms = pause.until_ms - state.now_ms
        said = f"automation is paused for another {left_ms} ms; `director resume` ends that"
    elif policy.automation is not Automation.AUTOMATIC:
        said = f"policy {policy.policy_id} says automation {policy.automation}; nobody would act"
    is_on = pause is None and policy.automation is Automation.AUTOMATIC
    return GuardAnswer(
        DrillGuard.AUTOMATION, is_on, said, (("automation", str(policy.automation)),)
    )


def _owner_answer(state: State, spec: DrillSpec) -> GuardAnswer:
    """The region must be as it is on a good day, or it could not be put back to that."""
    region_id = spec.scenario.region_id
    pair = (spec.service_id, region_id)
    record, override = state.verdicts.get(pair), state.overrides.get(pair)
    fault = ""
    if region_id in state.drained_regions:
        fault = f"{region_id} is drained; undrain it first"
    elif override is not None:
        fault = f"an operator set {override} on {region_id}; clear that first"
    elif record is None or record.verdict not in (Verdict.UP, Verdict.DEGRADED):
        verdict = "not judged yet" if record is None else record.verdict
        fault = f"{spec.service_id} is {verdict} in {region_id}; drill what is healthy"
    group = next((each for each in state.groups if each.service_id == spec.service_id), None)
    if not fault and group is not None and group.home is None:
        fault = f"{spec.service_id} has no owner yet"
    elif not fault and group is not None and group.home != region_id:
        kind = spec.scenario.kind
        if kind is DrillKind.SWITCHOVER:
            fault = f"{group.home} owns {spec.service_id}, not {region_id}"
    owner = "" if group is None else f", owner {group.home}"
    said = fault or f"{region_id} is healthy{owner}"
    return GuardAnswer(DrillGuard.OWNER, not fault, said, (("regionId", region_id),))


def _serving_answer(state: State, spec: DrillSpec, service: ServiceSpec) -> GuardAnswer:
    others = [
        site.region_id
        for site in service.sites
        if site.region_id != spec.scenario.region_id and is_healthy(state, service, site.region_id)
    ]
    least = max(1, state.topology.policy(service.policy_id).serving_regions_min)
    said = f"{len(others)} healthy regions remain ({', '.join(others) or 'none'})"
    if len(others) < least:
        said += f"; at least {least} must"
    values = (("servingCount", str(len(others))), ("servingCountMin", str(least)))
    return GuardAnswer(DrillGuard.SERVING, len(others) >= least, said, values)


# -- while it runs ---------------------------------------------------------------------------------


def trip(state: State, drill: Drill) -> tuple[str, str] | None:
    """Return why a drill must be cut short, as cause and note, or None while it may go on."""
    spec = drill.spec
    held = next((each for each in spec.abort_when if holds(state, spec, each)), None)
    if held is not None:
        return "ABORT_WHEN", f"abortWhen holds: {_shown_condition(held)}"
    if state.revision != drill.revision:
        return "DOCUMENTS_CHANGED", f"revision {state.revision} was applied meanwhile"
    if pause_of(state, spec.service_id) is not None:
        return "PAUSED", "automation was paused meanwhile"
    down = _down_elsewhere(state, drill)
    if down:
        return "DOWN_ELSEWHERE", f"{spec.service_id} is DOWN in {down}, which the drill spares"
    return _run_trip(state, drill)


def _down_elsewhere(state: State, drill: Drill) -> str:
    spec = drill.spec
    service = state.topology.service(spec.service_id)
    was = {each.subject: each.value for each in drill.baseline}
    for site in () if service is None else service.sites:
        record = state.verdicts.get((spec.service_id, site.region_id))
        is_down = record is not None and record.verdict is Verdict.DOWN
        before = was.get(f"verdict {spec.service_id} {site.region_id}")
        if is_down and site.region_id != spec.scenario.region_id and before != Verdict.DOWN:
            return site.region_id
    return ""


def _run_trip(state: State, drill: Drill) -> tuple[str, str] | None:
    for run in state.runs:
        if not run.is_active:
            continue
        if run.drill_id != drill.drill_id:
            return "SECOND_RUN", f"{run.run_id} ({run.source} to {run.target}) began meanwhile"
        is_lossy = run.loss_bound_ms is not None and drill.rpo_budget_ms is not None
        if run.automatic and is_lossy and (run.loss_bound_ms or 0) > (drill.rpo_budget_ms or 0):
            return (
                "LOSS_BOUND",
                f"{run.run_id} could lose {run.loss_bound_ms} ms of writes; {drill.rpo_budget_ms} "
                "ms are allowed",
            )
    return None


def time_left_ms(drill: Drill, at_ms: int) -> int:
    """How much of the drill's own time is left at an instant of director time."""
    began_ms = at_ms if drill.injected_at_ms is None else drill.injected_at_ms
    return began_ms + drill.spec.for_ms - at_ms


def away_run(state: State, drill: Drill) -> Run | None:
    """Return the run that took the service out of the region, newest first; or None."""
    for run_id in reversed(drill.run_ids):
        run = state.run(run_id)
        if run is not None and run.source == drill.spec.scenario.region_id:
            return run
    return None


def causes(state: State, service_id: str, source: RegionId, *, automatic: bool) -> Drill | None:
    """Return the drill that an automatic failover away from a region is the answer to, or None."""
    drill = state.active_drill()
    if drill is None or drill.stage is not DrillStage.INJECTING or not automatic:
        return None
    is_it = drill.spec.service_id == service_id and drill.spec.scenario.region_id == source
    return drill if is_it and drill.spec.is_injected else None
