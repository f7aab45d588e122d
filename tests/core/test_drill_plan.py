"""A plan of a drill: who would take over, how fast, what would be left; and nothing changes."""

import pytest

from director.core.digest import digest
from director.core.drill import DrillKind, DrillSpec, DrillStage, DrillVerdict
from director.core.drill_plan import DrillPlan, plan_drill, would_move
from director.core.inputs import DrillAsked
from tests.core.builders import EU, US, a_service, a_stamp
from tests.core.drilling import a_drill_world, a_spec, finished
from tests.core.world import World, a_settled_world


def planned(world: World, spec: DrillSpec) -> DrillPlan:
    director = world.chief.director
    stamp = a_stamp(director.director_now_ms(now_ms=world.now_ms))
    return plan_drill(director.bench(now_ms=world.now_ms), DrillAsked(spec), stamp)


@pytest.mark.parametrize("kind", DrillKind)
def test_a_plan_says_what_the_drill_then_does(kind: DrillKind) -> None:
    world = a_settled_world()
    before = digest(world.chief.director.state)

    plan = planned(world, a_spec(kind))

    assert digest(world.chief.director.state) == before
    assert plan.would_run
    assert (plan.target, plan.left_over) == (US, ())
    assert plan.moments[-1].what == f"drill {DrillStage.ENDED}: {DrillVerdict.PASSED}"
    assert sum(each.ms for each in plan.phases) == plan.predicted_rto_ms
    assert "home chat/0: eu-north1 -> us-east1" in plan.touched
    drill = finished(a_drill_world(a_spec(kind)))
    assert drill.measured_rto_ms is not None
    assert drill.measured_rto_ms <= plan.predicted_rto_ms + 200, "a prediction is the worst case"


def test_a_plan_of_what_a_guard_refuses_names_them_all() -> None:
    world = a_settled_world()
    world.agents[EU].is_cut = True
    world.agents[US].is_cut = True
    world.run_for(2_600)

    plan = planned(world, a_spec())

    assert not plan.would_run
    assert len([each for each in plan.guards if not each.passed]) >= 2
    assert plan.moments == ()


def test_a_plan_of_too_little_moves_nothing() -> None:
    plan = planned(a_settled_world(), a_spec(DrillKind.LATENCY, delay_ms=100))

    assert (plan.phases, plan.predicted_rto_ms, plan.touched) == ((), 0, ())
    assert plan.moments[-1].what == "drill ended: PASSED"


@pytest.mark.parametrize(
    ("share_per_mille", "fall_count", "moves"),
    [(1_000, 3, True), (750, 3, True), (700, 3, True), (660, 3, False), (500, 2, False)],
)
def test_a_share_of_errors_moves_the_service_if_enough_come_in_a_row(
    share_per_mille: int, fall_count: int, moves: bool
) -> None:
    service = a_service()
    health = service.health.__class__(fall_count=fall_count)
    service = a_service(health=health)
    spec = a_spec(DrillKind.ERROR_RATE, share_per_mille=share_per_mille)

    assert would_move(spec, service) is moves
    rounds = [
        number * share_per_mille // 1_000 > (number - 1) * share_per_mille // 1_000
        for number in range(1, 2_001)
    ]
    streaks = "".join("x" if fails else " " for fails in rounds).split()
    assert (max(len(each) for each in streaks) >= fall_count) is moves
