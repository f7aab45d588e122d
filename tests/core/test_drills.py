"""Drills in a whole world: each scenario there and back, under changing leaders, and cut short."""

from dataclasses import replace

import pytest

from director.core.commands import RunKind, StageName
from director.core.drill import (
    DRILL_MARGIN_MS,
    DrillCondition,
    DrillKind,
    DrillStage,
    DrillVerdict,
    LocalMoment,
    RegionState,
)
from director.core.drill_record import DRILLS_KEPT_MAX
from director.core.effects import Answer
from director.core.events import DrillAborted, DrillRenewed, Repeated
from director.core.ids import GroupId, RunId
from director.core.inputs import AbortAsked, DrainAsked, DrillAbortAsked, DrillAsked
from director.core.reasons import Reason
from director.core.timing import DEFAULT_TIMING
from director.routing.table import ServiceId, Verdict
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    D0,
    D2,
    EU,
    US,
    WEB,
    a_policy,
    a_service,
    a_topology,
    an_active_active,
)
from tests.core.drilling import a_drill_world, a_spec, drill_of, finished, run_to, run_to_run, told
from tests.core.world import World, a_settled_world

MAIL = ServiceId("mail")


@pytest.mark.parametrize("kind", DrillKind)
def test_every_scenario_moves_the_service_and_brings_it_home(kind: DrillKind) -> None:
    world = a_drill_world(a_spec(kind))
    asked_ms = world.now_ms

    run_to(world, DrillStage.RECOVERED)
    assert world.home() == US
    world.run_for(1_000)
    assert world.writer() == US

    drill = finished(world)

    assert (drill.verdict, drill.cause) == (DrillVerdict.PASSED, "")
    assert drill.state_diff == ()
    assert world.home() == EU
    assert world.writer() == EU
    away, back = (world.chief.director.state.run(each) for each in drill.run_ids)
    assert away is not None
    assert back is not None
    assert (away.source, away.target, back.source, back.target) == (EU, US, US, EU)
    assert (away.drill_id, back.drill_id) == (drill.drill_id, drill.drill_id)
    assert drill.measured_rto_ms is not None
    assert sum(each.ms for each in drill.phases) == drill.measured_rto_ms <= drill.rto_budget_ms
    assert drill.loss_bound_ms is not None
    assert drill.injected_at_ms is not None
    held_ms = drill.timeline[3].at_ms - drill.injected_at_ms
    assert drill.spec.for_ms <= held_ms <= drill.spec.for_ms + 200
    assert world.now_ms - asked_ms < drill.spec.for_ms + 6_000


def test_the_recovery_time_counts_from_the_injection() -> None:
    world = a_drill_world()
    drill = run_to(world, DrillStage.RECOVERED)
    [run] = world.runs()

    published_ms = sum(each.ms for each in run.ledger if each.phase != "verify")
    published_ms += run.suspected_at_ms

    assert drill.injected_at_ms is not None
    assert drill.measured_rto_ms == published_ms - drill.injected_at_ms
    assert run.suspected_at_ms > drill.injected_at_ms


def test_an_agent_that_is_silent_about_a_service_is_lost_by_the_rules_of_silence() -> None:
    world = a_drill_world(a_spec(DrillKind.AGENT_KILL))

    drill = run_to(world, DrillStage.RECOVERED)

    [run] = world.runs()
    assert run.reason == "eu-north1 is silent and its lease ran out"
    assert drill.injected_at_ms is not None
    # Dated from its last word, as the loss is bounded from there.
    assert 0 <= run.suspected_at_ms - drill.injected_at_ms < 600
    assert ("director:d0", "silent") in {(each.vantage, each.finding) for each in drill.evidence}


def test_only_the_named_service_is_touched() -> None:
    topology = a_topology(a_service(), a_service(MAIL), an_active_active())
    world = a_drill_world(topology=topology)
    other = GroupId("mail/0")
    before_ms = world.now_ms

    run_to(world, DrillStage.RECOVERED)
    while drill_of(world).is_active:
        world.run_for(100)
        assert EU in world.writers(other), "mail is written in its home all the time"
    finished(world)

    state = world.chief.director.state
    changed = {
        change.service_id
        for at_ms, event in world.chief.notes
        if at_ms >= before_ms
        for change in getattr(event, "changes", ())
    }
    assert changed == {CHAT}
    assert {run.service_id for run in state.runs} == {CHAT}
    assert world.home(other) == EU
    mail = state.group(other)
    assert mail is not None
    assert mail.epoch == 1


def test_an_active_active_service_loses_the_region_from_its_routes() -> None:
    topology = a_topology(an_active_active())
    world = a_drill_world(a_spec(service_id=WEB, region_id=EU), topology)

    run_to(world, DrillStage.RECOVERED)
    assert world.verdict(EU, WEB) is Verdict.DOWN
    drill = finished(world)

    assert (drill.verdict, drill.state_diff) == (DrillVerdict.PASSED, ())
    assert drill.run_ids == ()
    assert drill.measured_rto_ms is not None
    assert world.verdict(EU, WEB) is Verdict.UP


def test_silence_alone_takes_no_region_out_of_a_shared_service_and_that_passes() -> None:
    topology = a_topology(an_active_active())
    spec = a_spec(DrillKind.AGENT_KILL, service_id=WEB, region_id=EU)
    world = a_drill_world(spec, topology)

    run_to(world, DrillStage.RESTORING)
    assert world.verdict(EU, WEB) is Verdict.UNKNOWN
    drill = finished(world)

    assert (drill.verdict, drill.measured_rto_ms) == (DrillVerdict.PASSED, None)
    assert drill.state_diff == ()


def test_the_loss_of_a_standby_is_noticed_and_moves_nothing() -> None:
    world = a_drill_world(a_spec(region_id=US))

    drill = finished(world)

    assert (drill.verdict, drill.run_ids) == (DrillVerdict.PASSED, ())
    assert world.home() == EU


def test_a_share_of_errors_that_is_too_small_moves_nothing_and_passes() -> None:
    world = a_drill_world(a_spec(DrillKind.ERROR_RATE, share_per_mille=300))

    drill = finished(world)

    assert (drill.verdict, drill.measured_rto_ms) == (DrillVerdict.PASSED, None)
    assert world.runs() == ()


def test_a_move_that_was_expected_and_did_not_come_fails_the_drill() -> None:
    spec = a_spec(DrillKind.ERROR_RATE, share_per_mille=300, expect_rto_ms=10_000)

    drill = finished(a_drill_world(spec))

    assert (drill.verdict, drill.cause) == (DrillVerdict.FAILED, "NOT_RECOVERED")
    assert drill.state_diff == ()


@pytest.mark.parametrize(
    ("missed", "cause"), [({"expect_rto_ms": 500}, "RTO_MISSED"), ({"expect_rpo_ms": 5}, None)]
)
def test_a_budget_that_is_missed_fails_the_drill(missed: dict[str, int], cause: str | None) -> None:
    drill = finished(a_drill_world(replace(a_spec(), **missed)))  # type: ignore[arg-type]

    assert drill.state_diff == ()
    if cause is None:
        # A loss beyond what the drill may cost is not waited for.
        assert (drill.verdict, drill.cause) == (DrillVerdict.ABORTED, "LOSS_BOUND")
        assert drill.measured_rto_ms is None
    else:
        assert (drill.verdict, drill.cause) == (DrillVerdict.FAILED, cause)


def test_a_drill_consumes_no_cooldown() -> None:
    policy = a_policy(min_interval_ms=900_000)
    world = a_drill_world(topology=a_topology(policy=policy))
    finished(world)
    state = world.chief.director.state
    assert state.settled_at_ms == ()
    assert not any(each.penalty for each in state.flaps)

    # The real thing follows at once.
    world.kill_region(EU, with_replica=False)
    world.run_for(20_000)

    assert world.home() == US


# -- leaders ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [each for each in DrillStage if each is not DrillStage.ENDED])
def test_a_drill_goes_on_under_a_new_leader(stage: DrillStage) -> None:
    world = a_drill_world()
    run_to(world, stage)
    assert world.leader is not None

    world.kill_replica(world.leader)
    world.run_for(10_000, lambda: world.leader == D0)
    drill = finished(world)

    assert drill.state_diff == ()
    assert drill.verdict in (DrillVerdict.PASSED, DrillVerdict.FAILED)
    assert world.home() == EU
    assert world.writer() == EU


@pytest.mark.parametrize(
    "stage", [StageName.CONFIRMING, StageName.FENCING, StageName.PROMOTING, StageName.VERIFYING]
)
def test_a_leader_may_die_at_any_stage_of_the_drills_run(stage: StageName) -> None:
    world = a_drill_world()
    run_to_run(world, stage)
    assert world.leader is not None

    world.kill_replica(world.leader)
    world.run_for(10_000, lambda: world.leader == D0)
    drill = finished(world)

    assert drill.state_diff == ()
    assert world.home() == EU


def test_a_fleet_without_a_leader_ends_the_injection_by_itself() -> None:
    world = a_drill_world()
    run_to(world, DrillStage.INJECTING)
    world.run_for(1_500)
    assert all(agent.injections.wake_at_ms() for agent in world.agents.values())

    for replica in world.replicas.values():
        replica.is_alive = False
    world.run_for(5_100)

    assert not any(agent.injections.wake_at_ms() for agent in world.agents.values())


def test_an_agent_that_no_director_reaches_drops_the_injection() -> None:
    world = a_drill_world(a_spec(for_ms=40_000))
    run_to(world, DrillStage.RECOVERED)
    agent = world.agents[EU]
    assert agent.injections.is_mute(CHAT)

    agent.is_cut = True
    world.run_for(5_100)

    assert not agent.injections.is_mute(CHAT)
    assert world.agents[US].injections.wake_at_ms() is not None, "others hear on"


def test_a_replica_that_is_cut_off_from_the_log_renews_nothing() -> None:
    world = a_drill_world(a_spec(for_ms=60_000))
    run_to(world, DrillStage.RECOVERED)
    behind = world.replicas[D2]
    effects_before = len(behind.notes)
    behind.applied = 1_000_000  # it applies nothing any more

    world.run_for(3_000)

    assert len(behind.notes) == effects_before
    assert len(told(world, DrillRenewed)) > 3


def test_a_leader_that_finds_nobody_to_take_over_injects_nothing() -> None:
    world = a_settled_world()
    for region_id in (US, AP):
        world.agents[region_id].is_cut = True
    world.run_for(1_000)
    world.ask(DrillAsked(a_spec()), request_id="drill")
    run_to(world, DrillStage.GUARDING)
    assert world.leader is not None
    world.kill_replica(world.leader)
    world.run_for(10_000, lambda: world.leader == D0)
    run_to(world, DrillStage.RESTORING)
    for region_id in (US, AP):
        world.agents[region_id].is_cut = False

    drill = finished(world)

    assert (drill.verdict, drill.cause) == (DrillVerdict.ABORTED, "GUARD")
    assert drill.injected_at_ms is None
    assert world.runs() == ()


# -- cutting short ---------------------------------------------------------------------------------


def abort(world: World) -> int:
    world.ask(DrillAbortAsked(drill_of(world).drill_id), request_id="abort")
    return world.now_ms


def test_an_abort_before_the_service_moved_leaves_nothing_within_five_seconds() -> None:
    for after_ms in range(0, 3_400, 400):
        world = a_drill_world()
        run_to(world, DrillStage.INJECTING)
        world.run_for(after_ms)
        assert world.home() == EU

        asked_ms = abort(world)
        run_to(world, DrillStage.ENDED, within_ms=5_000)

        assert world.now_ms - asked_ms <= 5_000
        drill = finished(world)
        assert (drill.verdict, drill.cause) == (DrillVerdict.ABORTED, "ASKED")
        assert drill.state_diff == ()
        assert world.writer() == EU
        assert len(world.runs()) <= 1, "what was seen before begins no other run"


def test_an_aborted_drill_ends_once_the_owner_accepts_writes_again() -> None:
    world = a_drill_world(a_spec(DrillKind.AGENT_KILL))
    run_to(world, DrillStage.INJECTING)
    world.run_for(6_000, lambda: world.writer() is None)
    assert world.home() == EU, "its lease has just ended; nobody was promoted"

    abort(world)
    run_to(world, DrillStage.ENDED, within_ms=5_000)

    assert world.writer() == EU


def test_a_move_home_that_was_taken_back_is_not_tried_again_at_once() -> None:
    world = a_drill_world(a_spec(for_ms=6_000))
    run_to(world, DrillStage.RECOVERED)
    world.lag[CHAT, EU] = None
    run_to(world, DrillStage.RESTORING)
    world.run_for(30_000)
    assert [run.stage for run in world.runs()] == [StageName.SETTLED, StageName.ABORTED]

    del world.lag[CHAT, EU]
    drill = finished(world)

    taken_back, home = world.runs()[1:]
    assert home.started_at_ms - taken_back.stage_at_ms >= 60_000
    assert drill.state_diff == ()


def test_an_abort_after_the_service_moved_brings_it_home_at_once() -> None:
    world = a_drill_world(a_spec(for_ms=600_000))
    run_to(world, DrillStage.RECOVERED)

    asked_ms = abort(world)
    drill = finished(world)

    assert world.now_ms - asked_ms < 7_000
    assert (drill.verdict, drill.state_diff) == (DrillVerdict.ABORTED, ())
    assert world.home() == EU


def test_the_injection_is_off_with_the_abort_and_not_with_its_end() -> None:
    world = a_drill_world(a_spec(for_ms=600_000))
    run_to(world, DrillStage.RECOVERED)
    abort(world)

    world.run_for(100)

    assert drill_of(world).stage is DrillStage.RESTORING
    assert not any(agent.injections.wake_at_ms() for agent in world.agents.values())


def test_a_guard_that_trips_cuts_the_drill_short() -> None:
    lost = DrillCondition((RegionState(AP, Verdict.DOWN),))
    world = a_drill_world(a_spec(for_ms=60_000, abort_when=(lost,)))
    run_to(world, DrillStage.INJECTING)
    world.run_for(500)

    world.inside_out.add((CHAT, AP))
    world.run_for(10_000, lambda: bool(told(world, DrillAborted)))

    assert drill_of(world).abort_cause == "ABORT_WHEN"
    world.inside_out.clear()
    drill = finished(world)
    assert (drill.verdict, drill.state_diff) == (DrillVerdict.ABORTED, ())


def test_trouble_elsewhere_cuts_the_drill_short_also_when_nobody_named_it() -> None:
    world = a_drill_world(a_spec(for_ms=60_000))
    run_to(world, DrillStage.RECOVERED)

    world.inside_out.add((CHAT, AP))
    world.run_for(10_000, lambda: bool(told(world, DrillAborted)))

    assert drill_of(world).abort_cause == "DOWN_ELSEWHERE"
    world.inside_out.clear()
    assert finished(world).state_diff == ()


def test_a_move_that_takes_too_long_is_taken_back() -> None:
    timing = replace(DEFAULT_TIMING, switchover_deadline_ms=90_000)
    world = a_drill_world(a_spec(DrillKind.SWITCHOVER, for_ms=5_000), timing=timing)
    asked_ms = world.now_ms
    run_to_run(world, StageName.DRAINING)
    world.lag = {(CHAT, US): 60_000, (CHAT, AP): 60_000}

    drill = finished(world)

    assert (drill.verdict, drill.cause) == (DrillVerdict.ABORTED, "TIME_BOX")
    assert world.now_ms - asked_ms < 5_000 + DRILL_MARGIN_MS + 6_000
    assert [run.stage for run in world.runs()] == [StageName.ABORTED]
    assert drill.state_diff == ()


def test_what_cannot_be_put_back_is_listed_and_fails_the_drill() -> None:
    world = a_drill_world(a_spec(for_ms=5_000))
    run_to(world, DrillStage.INJECTING)
    world.ask(DrainAsked(AP, drained=True), request_id="drain")

    drill = finished(world)

    assert (drill.verdict, drill.cause) == (DrillVerdict.FAILED, "STATE_DIFF")
    assert drill.state_diff == ("drain ap-south1: none -> drained",)


def test_a_drill_ends_also_when_home_does_not_come_back() -> None:
    world = a_drill_world(a_spec(for_ms=6_000))
    run_to(world, DrillStage.RECOVERED)
    world.kill_region(EU, with_replica=False)

    drill = finished(world)

    assert drill.verdict is DrillVerdict.FAILED
    assert "home chat/0: eu-north1 -> us-east1" in drill.state_diff
    assert world.writer() == US


def test_an_operator_may_cancel_the_run_of_a_drill() -> None:
    world = a_drill_world()
    run_to_run(world, StageName.CONFIRMING)
    world.ask(AbortAsked(RunId("chat/1")), request_id="cancel")

    drill = finished(world)

    # The fault goes on, so the director begins another one.
    assert drill.state_diff == ()
    assert len(drill.run_ids) >= 2


def test_a_switchover_drill_whose_target_fails_is_taken_back() -> None:
    world = a_drill_world(a_spec(DrillKind.SWITCHOVER))
    run_to_run(world, StageName.DRAINING)
    world.inside_out.add((CHAT, US))
    world.lag[CHAT, US] = None
    world.run_for(3_000)
    world.inside_out.clear()
    del world.lag[CHAT, US]

    drill = finished(world)

    assert drill.state_diff == ()
    assert world.home() == EU


# -- asking ----------------------------------------------------------------------------------------


def answers(world: World) -> list[Answer]:
    return world.chief.answers


def test_a_dry_run_changes_nothing_and_says_what_would_be() -> None:
    world = a_settled_world()
    world.ask(DrillAsked(a_spec()), validate_only=True)
    world.run_for(1_000)

    [answer] = answers(world)
    assert answer.reason is None
    assert "chat would lose eu-north1 (Blackhole) for 20000 ms" in answer.message
    assert world.chief.director.state.drills == ()


def test_one_drill_runs_at_a_time() -> None:
    world = a_drill_world()
    run_to(world, DrillStage.INJECTING)
    world.ask(DrillAsked(a_spec()), request_id="second")

    [answer] = answers(world)
    assert answer.reason is Reason.DRILL_REFUSED
    assert dict(answer.metadata)["guard"] == "oneDrill"
    assert dict(answer.metadata)["drillId"] == "chat/1"


def test_the_same_request_is_one_drill() -> None:
    world = a_drill_world()
    world.run_for(200)
    world.ask(DrillAsked(a_spec()), request_id="drill")
    world.run_for(200)

    assert len(world.chief.director.state.drills) == 1


def test_a_request_that_is_sent_again_a_minute_later_is_still_the_same_drill() -> None:
    world = a_settled_world()
    ask = DrillAsked(a_spec(), LocalMoment("2026-11-20", 4, 479))
    world.ask(ask, request_id="drill")
    world.run_for(200)

    late = replace(
        ask, local=LocalMoment("2026-11-20", 4, 480), skip_cause="MISSED", skip_note="late"
    )
    world.ask(late, request_id="drill")

    assert answers(world) == [], "no refusal: the machine's event names the drill that began"
    found = [event for event in told(world, Repeated) if isinstance(event, Repeated)]
    assert [event.run_id for event in found] == ["chat/1"]


def test_an_abort_of_no_drill_is_refused() -> None:
    world = a_settled_world()
    world.ask(DrillAbortAsked(drill_id="chat/9"))  # type: ignore[arg-type]

    [answer] = answers(world)
    assert answer.reason is Reason.DRILL_NOT_FOUND


def test_a_move_by_hand_is_a_second_run_and_cuts_the_drill_short() -> None:
    topology = a_topology(a_service(), a_service(MAIL))
    world = a_drill_world(a_spec(for_ms=60_000), topology)
    run_to(world, DrillStage.RECOVERED)
    world.move(RunKind.SWITCHOVER, service_id=MAIL, request_id="mail")

    world.run_for(5_000, lambda: bool(told(world, DrillAborted)))

    assert drill_of(world).abort_cause == "SECOND_RUN"
    assert finished(world).state_diff == ()


def test_the_last_hundred_drills_are_kept() -> None:
    world = a_settled_world()
    for number in range(DRILLS_KEPT_MAX + 3):
        world.ask(
            DrillAsked(a_spec(), schedule_id="s", occurrence_ms=number + 1, skip_cause="MISSED"),
            request_id=f"r{number}",
        )
        world.run_for(100)

    state = world.chief.director.state
    assert len(state.drills) == DRILLS_KEPT_MAX
    assert state.drill_count == DRILLS_KEPT_MAX + 3
    assert state.drills[-1].group_id == CHAT_GROUP
