"""Guards of drills: each refuses by its name, with the values it compared; all answer at once."""

from dataclasses import replace

import pytest

from director.core.automation_records import Pause
from director.core.commands import SetOverride, SetRegionDrained
from director.core.drill import (
    DRILL_FOR_MS_MAX,
    DrillCondition,
    DrillGuard,
    DrillKind,
    DrillScenario,
    DrillSpec,
    DrillWindow,
    GuardAnswer,
    LocalMoment,
    RegionState,
)
from director.core.drill_guards import guard_answers
from director.core.drill_rules import holds, is_blocked, is_within
from director.core.failover import Bench
from director.core.ids import PolicyId
from director.core.machine_drills import resolved
from director.core.state import State
from director.core.topology import Automation, ServiceSpec
from director.routing.table import Override, RegionId, ServiceId, Verdict
from tests.core.builders import (
    AP,
    CHAT,
    D0,
    EU,
    SA,
    US,
    WEB,
    a_policy,
    a_service,
    a_stamp,
    a_topology,
    an_active_active,
    an_owned_ledger,
    started,
)
from tests.core.drilling import a_spec
from tests.core.world import World, a_settled_world

TUESDAY_THREE = LocalMoment("2026-11-24", 1, 180)


@pytest.fixture(scope="module")
def calm() -> World:
    """A world in which everything is well; nobody changes it."""
    return a_settled_world(a_topology(a_service(), an_active_active()))


def asked(
    world: World,
    spec: DrillSpec | None = None,
    local: LocalMoment | None = None,
    *,
    is_scheduled: bool = False,
    state: State | None = None,
) -> dict[DrillGuard, GuardAnswer]:
    director = world.chief.director
    bench = director.bench(now_ms=world.now_ms)
    if state is not None:
        bench = replace(bench, state=state)
    stamp = a_stamp(director.director_now_ms(now_ms=world.now_ms))
    spec = resolved(bench.state, a_spec() if spec is None else spec)
    answers = guard_answers(bench, spec, local, stamp, is_scheduled=is_scheduled)
    assert len({each.guard for each in answers}) == len(answers)
    return {each.guard: each for each in answers}


def refused(answers: dict[DrillGuard, GuardAnswer]) -> list[DrillGuard]:
    return [each.guard for each in answers.values() if not each.passed]


def now(world: World) -> State:
    return world.chief.director.bench(now_ms=world.now_ms).state


def test_when_all_is_well_every_guard_passes_and_says_what_it_saw(calm: World) -> None:
    answers = asked(calm, a_spec(allowed_windows=(DrillWindow(1, 3, 120, 300),)), TUESDAY_THREE)

    assert refused(answers) == []
    assert answers[DrillGuard.WINDOW].message == "window open (Tue 03:00)"
    assert answers[DrillGuard.OWNER].message == "eu-north1 is healthy, owner eu-north1"
    assert answers[DrillGuard.CANDIDATE].values == (("targetRegionId", "us-east1"),)
    assert "RPO 10000 ms" in answers[DrillGuard.LAG].message
    assert set(DrillGuard) - set(answers) == {
        DrillGuard.SPEC,
        DrillGuard.BLOCKED_DATE,
        DrillGuard.SKIP_WHEN,
        DrillGuard.ABORT_WHEN,
    }


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (a_spec(service_id=ServiceId("mail")), "there is no service mail"),
        (a_spec(service_id=WEB), "name the region to lose"),
        (a_spec(region_id=SA), "has no site in sa-east1"),
        (a_spec(for_ms=0), "lasts from 1 to"),
        (a_spec(for_ms=DRILL_FOR_MS_MAX + 1), "lasts from 1 to"),
        (a_spec(DrillKind.ERROR_RATE, share_per_mille=0), "a share is from 1"),
        (a_spec(DrillKind.ERROR_RATE, share_per_mille=1_001), "a share is from 1"),
        (a_spec(DrillKind.LATENCY, delay_ms=0), "needs a delay"),
        (a_spec(DrillKind.SWITCHOVER, service_id=WEB, region_id=EU), "no owner to move"),
    ],
)
def test_a_drill_that_makes_no_sense_is_told_why(calm: World, spec: DrillSpec, said: str) -> None:
    answers = asked(calm, spec)

    assert list(answers) == [DrillGuard.SPEC]
    assert said in answers[DrillGuard.SPEC].message


# -- the calendar ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "weekday", "minute", "is_open"),
    [
        (DrillWindow(1, 3, 120, 300), 1, 120, True),
        (DrillWindow(1, 3, 120, 300), 3, 299, True),
        (DrillWindow(1, 3, 120, 300), 3, 300, False),
        (DrillWindow(1, 3, 120, 300), 2, 119, False),
        (DrillWindow(1, 3, 120, 300), 4, 200, False),
        (DrillWindow(5, 0, 0, 1_440), 6, 1_439, True),  # over the turn of the week
        (DrillWindow(5, 0, 0, 1_440), 1, 0, False),
        (DrillWindow(4, 4, 1_320, 120), 4, 1_400, True),  # into the next day
        (DrillWindow(4, 4, 1_320, 120), 5, 60, True),
        (DrillWindow(4, 4, 1_320, 120), 4, 60, False),
        (DrillWindow(6, 6, 1_320, 120), 0, 60, True),
        (DrillWindow(4, 4, 1_320, 120), 5, 120, False),
    ],
)
def test_windows_are_parts_of_the_week(
    window: DrillWindow, weekday: int, minute: int, is_open: bool
) -> None:
    assert is_within(window, LocalMoment("2026-11-24", weekday, minute)) is is_open


def test_a_closed_window_names_the_time_and_the_windows(calm: World) -> None:
    spec = a_spec(allowed_windows=(DrillWindow(1, 3, 120, 300), DrillWindow(5, 5, 0, 60)))

    answers = asked(calm, spec, LocalMoment("2026-11-24", 1, 301))

    assert refused(answers) == [DrillGuard.WINDOW]
    said = answers[DrillGuard.WINDOW].message
    assert said == "Tue 05:01 is outside Tue-Thu 02:00-05:00, Sat 00:00-01:00; ask then"


def test_a_blocked_date_is_one_day_or_a_day_of_every_year(calm: World) -> None:
    eve = LocalMoment("2026-12-24", 3, 180)
    assert is_blocked("2026-12-24", eve)
    assert is_blocked("12-24", eve)
    assert not is_blocked("2025-12-24", eve)
    assert not is_blocked("2-24", replace(eve, date="2026-12-25"))

    answers = asked(calm, a_spec(blocked_dates=("12-24",)), eve)

    assert refused(answers) == [DrillGuard.BLOCKED_DATE]
    assert "2026-12-24 is blocked (12-24)" in answers[DrillGuard.BLOCKED_DATE].message


# -- conditions ------------------------------------------------------------------------------------


def test_a_condition_holds_when_all_that_it_names_holds() -> None:
    ledger = an_owned_ledger()
    started(ledger)
    spec = DrillSpec(CHAT, DrillScenario(DrillKind.BLACKHOLE), 1_000)
    up = RegionState(EU, Verdict.UP)
    down = RegionState(US, Verdict.DOWN)

    assert holds(ledger.state, spec, DrillCondition(failover_in_progress=True))
    assert not holds(ledger.state, spec, DrillCondition(failover_in_progress=False))
    assert not holds(ledger.state, spec, DrillCondition((up, down)))
    assert not holds(ledger.state, spec, DrillCondition())


def test_what_would_abort_a_drill_keeps_it_from_starting(calm: World) -> None:
    condition = DrillCondition((RegionState(US, Verdict.UP),))

    answers = asked(calm, a_spec(abort_when=(condition,)))

    assert refused(answers) == [DrillGuard.ABORT_WHEN]
    assert answers[DrillGuard.ABORT_WHEN].message == "abortWhen holds: us-east1 is UP"


def test_skip_when_is_asked_of_scheduled_drills_only(calm: World) -> None:
    spec = a_spec(skip_when=(DrillCondition((RegionState(US, Verdict.UP),)),))

    assert refused(asked(calm, spec)) == []
    assert refused(asked(calm, spec, is_scheduled=True)) == [DrillGuard.SKIP_WHEN]


# -- what goes on ----------------------------------------------------------------------------------


def test_nobody_drills_while_automation_is_paused(calm: World) -> None:
    state = now(calm)
    pause = Pause(CHAT, until_ms=state.now_ms + 5_000)

    answers = asked(calm, state=replace(state, pauses=(pause,)))

    assert DrillGuard.AUTOMATION in refused(answers)
    assert "paused for another 5000 ms" in answers[DrillGuard.AUTOMATION].message


@pytest.mark.parametrize("mode", [Automation.APPROVE, Automation.OBSERVE])
def test_nobody_drills_what_the_director_would_not_do_by_itself(
    calm: World, mode: Automation
) -> None:
    state = now(calm)
    policy = a_policy(policy_id=PolicyId("default"), automation=mode)
    state = replace(state, topology=replace(state.topology, policies=(policy,)))

    answers = asked(calm, state=state)

    assert DrillGuard.AUTOMATION in refused(answers)


def test_a_drained_or_overridden_region_is_not_drilled() -> None:
    world = a_settled_world()
    world.propose(SetOverride(a_stamp(10_000), CHAT, EU, Override.FORCE_UP))
    answers = asked(world)
    assert refused(answers) == [DrillGuard.OWNER]
    assert "an operator set FORCE_UP on eu-north1" in answers[DrillGuard.OWNER].message

    world.propose(SetOverride(a_stamp(10_000), CHAT, EU, None))
    world.propose(SetRegionDrained(a_stamp(10_000), EU, drained=True))
    answers = asked(world, a_spec(region_id=EU))
    assert "eu-north1 is drained" in answers[DrillGuard.OWNER].message


def test_a_switchover_drill_is_of_the_owner(calm: World) -> None:
    answers = asked(calm, a_spec(DrillKind.SWITCHOVER, region_id=US))

    assert refused(answers) == [DrillGuard.OWNER]
    assert "eu-north1 owns chat, not us-east1" in answers[DrillGuard.OWNER].message


def test_a_run_anywhere_keeps_a_drill_from_starting() -> None:
    world = a_settled_world()
    world.kill_region(EU, with_replica=False)
    world.run_for(10_000, lambda: any(run.is_active for run in world.runs()))

    answers = asked(world, a_spec(region_id=US))

    assert DrillGuard.NO_FAILOVER in refused(answers)
    assert answers[DrillGuard.NO_FAILOVER].values[0] == ("failoverId", "chat/1")


def test_enough_healthy_regions_must_remain() -> None:
    world = a_settled_world(a_topology(policy=a_policy(serving_regions_min=3)))

    answers = asked(world)

    assert refused(answers) == [DrillGuard.SERVING]
    assert dict(answers[DrillGuard.SERVING].values) == {
        "servingCount": "2",
        "servingCountMin": "3",
    }


def test_a_copy_that_is_too_far_behind_is_no_candidate() -> None:
    world = a_settled_world()
    world.lag = {(CHAT, US): 60_000, (CHAT, AP): None}
    world.run_for(60_000)

    answers = asked(world)

    assert {DrillGuard.CANDIDATE, DrillGuard.LAG} <= set(refused(answers))
    assert "us-east1: RPO_EXCEEDED" in answers[DrillGuard.CANDIDATE].message


def test_a_cooldown_keeps_a_drill_from_starting(calm: World) -> None:
    state = now(calm)
    state = replace(state, settled_at_ms=((CHAT, state.now_ms - 1_000),))

    answers = asked(calm, state=state)

    assert refused(answers) == [DrillGuard.RULES]
    assert ("reason", "COOLDOWN") in answers[DrillGuard.RULES].values


def test_directors_in_one_place_are_too_few_to_rehearse_with() -> None:
    world = a_settled_world(domains=dict.fromkeys(("d0", "d1", "d2"), "one"))

    assert refused(asked(world)) == [DrillGuard.RULES]


def test_a_region_whose_agents_are_not_heard_is_not_drilled() -> None:
    world = a_settled_world()
    world.agents[EU].is_cut = True
    world.run_for(2_600)

    answers = asked(world)

    assert DrillGuard.AGENTS in refused(answers)
    assert "not of eu-north1" in answers[DrillGuard.AGENTS].message


def test_a_target_that_is_too_small_is_named() -> None:
    world = a_settled_world(a_topology(with_capacity(a_service(), 100)))
    assert refused(asked(world)) == []
    world.load = {(CHAT, EU): 95}
    world.run_for(1_000)

    answers = asked(world)

    assert refused(answers) == [DrillGuard.CAPACITY]
    assert dict(answers[DrillGuard.CAPACITY].values)["displacedRps"] == "95"


def with_capacity(service: ServiceSpec, rps: int) -> ServiceSpec:
    return replace(service, sites=tuple(replace(each, capacity_rps=rps) for each in service.sites))


def test_the_bench_of_a_follower_answers_too(calm: World) -> None:
    follower = calm.replicas[D0].director
    assert not follower.is_leader

    bench = follower.bench(now_ms=calm.now_ms)

    assert isinstance(bench, Bench)
    spec = resolved(bench.state, a_spec())
    assert spec.scenario.region_id == RegionId(EU)
    assert guard_answers(bench, spec, None, a_stamp(), is_scheduled=False)
