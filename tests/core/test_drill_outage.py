"""What a drill must never be: an outage that goes on, or a hand that undoes what others did."""

from dataclasses import replace

import pytest

from director.core.commands import RunKind, SetRegionDrained
from director.core.drill import DRILL_MARGIN_MS, DrillKind, DrillStage, DrillVerdict
from director.core.drill_record import ViewLine
from director.core.drill_run import recover_ms
from director.core.drill_view import state_diff
from director.core.effects import DirectInjection
from director.core.failover import Bench
from director.core.inputs import Committed, DrainAsked, DrillAbortAsked, SnapshotInstalled
from director.core.reasons import Reason
from director.routing.table import Verdict
from tests.core.builders import AP, CHAT, D2, EU, US, a_stamp, a_verdict
from tests.core.drilling import a_drill_world, a_spec, drill_of, finished, run_to
from tests.core.test_drill_machine import a_healthy_ledger, a_start_of, a_step, drill, drilling
from tests.core.world import World


def closed_ms(world: World) -> int:
    """How long nobody may write while the drill injects, to a tenth of a second."""
    spent_ms = 0
    while drill_of(world).stage is DrillStage.INJECTING:
        world.run_for(100)
        spent_ms += 0 if world.writer() else 100
    return spent_ms


def test_a_drill_ends_once_nobody_is_left_to_take_over() -> None:
    world = a_drill_world(a_spec(for_ms=600_000))
    run_to(world, DrillStage.INJECTING)
    for region_id in (US, AP):
        world.agents[region_id].is_cut = True

    assert closed_ms(world) < 10_000
    assert drill_of(world).abort_cause == "NOBODY_LEFT"

    for region_id in (US, AP):
        world.agents[region_id].is_cut = False
    assert finished(world).state_diff == ()


def test_a_drill_that_nobody_answers_ends_soon_after_the_time_allowed_and_not_at_its_own() -> None:
    spec = a_spec(DrillKind.ERROR_RATE, share_per_mille=300, expect_rto_ms=10_000, for_ms=600_000)
    world = a_drill_world(spec)

    drill = finished(world)

    assert (drill.verdict, drill.cause) == (DrillVerdict.FAILED, "NOT_RECOVERED")
    assert drill.injected_at_ms is not None
    assert drill.ended_at_ms - drill.injected_at_ms < 10_000 + DRILL_MARGIN_MS + 2_000


def test_errors_that_stop_all_writes_without_a_move_are_not_drawn_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("director.core.drill_run._may_write", lambda _: False)
    world = a_drill_world(a_spec(DrillKind.ERROR_RATE, share_per_mille=300, for_ms=600_000))
    drill = run_to(world, DrillStage.INJECTING)

    run_to(world, DrillStage.RESTORING, within_ms=drill.rto_budget_ms + DRILL_MARGIN_MS + 1_000)

    assert drill_of(world).cause == "NOT_RECOVERED"


def test_a_move_by_hand_of_the_drilled_service_is_not_undone() -> None:
    world = a_drill_world(a_spec(for_ms=600_000))
    run_to(world, DrillStage.RECOVERED)
    world.move(RunKind.SWITCHOVER, target=AP, request_id="by-hand")
    world.run_for(60_000)

    assert drill_of(world).abort_cause == "SECOND_RUN"
    assert world.home() == AP
    drill = finished(world)
    assert "home chat/0: eu-north1 -> ap-south1" in drill.state_diff
    assert world.home() == AP


def test_a_real_loss_of_the_new_owner_is_answered_during_a_drill() -> None:
    world = a_drill_world(a_spec(for_ms=600_000))
    run_to(world, DrillStage.RECOVERED)
    world.run_for(1_000)  # copies were measured against the new owner
    assert world.home() == US
    world.kill_region(US, with_replica=False)

    assert world.run_for(20_000, lambda: world.writer() in (EU, AP))
    assert drill_of(world).abort_cause in ("SECOND_RUN", "DOWN_ELSEWHERE")


@pytest.mark.parametrize("after_ms", [300, 1_500, 3_000])
def test_a_region_that_dies_in_earnest_while_it_is_drilled_is_left(after_ms: int) -> None:
    world = a_drill_world(a_spec(for_ms=5_000))
    run_to(world, DrillStage.INJECTING)
    world.run_for(after_ms)
    world.kill_region(EU, with_replica=False)
    world.run_for(25_000)

    assert world.writer() == US


def test_a_region_that_was_drained_since_the_guards_were_asked_is_not_lost_on_purpose() -> None:
    ledger = a_healthy_ledger()
    ledger.must(a_start_of())
    ledger.must(SetRegionDrained(a_stamp(), EU, drained=True))

    assert ledger.rejection(a_step(ledger, DrillStage.INJECTING, 1_000)) is Reason.DRILL_REFUSED
    assert drill(ledger).stage is DrillStage.GUARDING


def test_nothing_is_renewed_once_the_time_is_over_whatever_a_leader_says() -> None:
    ledger = drilling()
    end_ms = 1_000 + drill(ledger).spec.for_ms + DRILL_MARGIN_MS
    ledger.must(a_step(ledger, DrillStage.INJECTING, end_ms))

    reason = ledger.rejection(a_step(ledger, DrillStage.INJECTING, end_ms + 1))

    assert reason is Reason.DRILL_REFUSED


def test_a_failure_after_the_injection_proves_its_recovery_like_any_other() -> None:
    world = a_drill_world(a_spec(for_ms=6_000))
    run_to(world, DrillStage.RESTORING)
    bench: Bench = world.chief.director.bench(now_ms=world.now_ms)
    pair = (CHAT, EU)
    record = bench.state.verdicts[pair]
    began_ms = drill_of(world).stage_at_ms
    usual_ms = bench.court.timing.recover_ms

    assert recover_ms(bench, pair, record) < usual_ms
    later = replace(record, suspected_at_ms=began_ms + 10_000)
    assert recover_ms(bench, pair, later) == usual_ms


def test_a_replica_that_catches_up_does_not_repeat_an_old_drill_to_its_agents() -> None:
    world = a_drill_world(a_spec(for_ms=30_000))
    run_to(world, DrillStage.INJECTING)
    behind = world.replicas[D2]
    applied, behind.applied = behind.applied, 1_000_000  # it applies nothing any more
    finished_at_ms = run_to(world, DrillStage.ENDED).ended_at_ms
    world.run_for(61_000)  # agents forget that they were told of the end
    said: list[DirectInjection] = []

    for index in range(applied + 1, len(world.log) + 1):
        given = Committed(index, world.log[index - 1])
        effects = behind.director.receive(given, now_ms=world.now_ms, wall_ms=0)
        said += [each for each in effects if isinstance(each, DirectInjection)]

    assert behind.director.state.drills[-1].ended_at_ms == finished_at_ms
    assert [each.ttl_ms for each in said] == [0], "only that it is over"


def test_a_snapshot_tells_nobody_to_break_anything() -> None:
    world = a_drill_world(a_spec(for_ms=30_000))
    run_to(world, DrillStage.INJECTING)
    state = world.chief.director.state
    fresh = world.a_director(D2)

    effects = fresh.receive(SnapshotInstalled(state), now_ms=world.now_ms, wall_ms=0)

    assert not any(isinstance(each, DirectInjection) for each in effects)


def test_what_people_changed_is_listed_and_not_waited_for() -> None:
    world = a_drill_world(a_spec(for_ms=60_000))
    run_to(world, DrillStage.RECOVERED)
    world.ask(DrainAsked(AP, drained=True), request_id="drain")
    world.ask(DrillAbortAsked(drill_of(world).drill_id), request_id="abort")

    drill = run_to(world, DrillStage.ENDED, within_ms=7_000)

    assert (drill.verdict, drill.cause) == (DrillVerdict.FAILED, "STATE_DIFF")
    assert drill.state_diff == ("drain ap-south1: none -> drained",)
    assert world.writer() == EU


@pytest.mark.parametrize("before", ["UNKNOWN", "DOWN", "nothing", None])
def test_a_region_that_got_well_meanwhile_is_no_difference(before: str | None) -> None:
    ledger = drilling()
    name = f"verdict {CHAT} {US}"
    found = [each for each in drill(ledger).baseline if each.subject != name]
    if before is not None:
        found.append(ViewLine(name, before))

    assert state_diff(ledger.state, replace(drill(ledger), baseline=tuple(found))) == ()

    ledger.must(a_verdict(Verdict.UNKNOWN, EU))
    [line] = state_diff(ledger.state, replace(drill(ledger), baseline=tuple(found)))
    assert line == f"verdict {CHAT} {EU}: UP -> UNKNOWN"
