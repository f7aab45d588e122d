"""Moving a service back home: by hand, and by a policy that is patient (C3)."""

from dataclasses import replace

import pytest

from director.core.automation import flap_of
from director.core.automation_commands import AutomationAction, IntentState, SetAutomation
from director.core.commands import (
    AbortRun,
    AdvanceRun,
    ApplyManifest,
    RunKind,
    SetOverride,
    SetRegionDrained,
    StageName,
    StartRun,
)
from director.core.drill import DrillKind
from director.core.inputs import (
    ApproveAsked,
    AutomationAsked,
    DrainAsked,
    DrillAsked,
    MoveAsked,
)
from director.core.reasons import Reason
from director.core.topology import Automation, Policy
from director.routing.table import Override, RegionId, ServiceId, Verdict
from tests.core.builders import (
    AP,
    CHAT,
    D0,
    D1,
    D2,
    EU,
    US,
    Ledger,
    a_policy,
    a_service,
    a_stamp,
    a_start,
    a_topology,
    a_verdict,
    an_owned_ledger,
    started,
)
from tests.core.drilling import a_spec, finished
from tests.core.world import World, a_settled_world

SOAK_MS = 60_000


def a_homing_policy(**changes: object) -> Policy:
    return a_policy(
        **{
            "failback_automatic": True,
            "failback_soak_ms": SOAK_MS,
            "min_interval_ms": 0,
            **changes,
        }
    )


def a_failback(*, epoch: int = 1, at_ms: int = SOAK_MS, automatic: bool = True) -> StartRun:
    return a_start(
        EU,
        kind=RunKind.FAILBACK,
        epoch=epoch,
        at_ms=at_ms,
        automatic=automatic,
        loss_bound_ms=0,
    )


def away(policy: Policy | None = None) -> Ledger:
    """The United States own the service, Europe is UP: both since 0."""
    ledger = an_owned_ledger(home=US, policy=policy or a_homing_policy())
    ledger.must(a_verdict(Verdict.UP, EU))
    return ledger


def finish(ledger: Ledger, *, until: StageName = StageName.SETTLED) -> None:
    """Carry the newest run on, at the time it began."""
    following = {
        StageName.DRAINING: StageName.FENCING,
        StageName.CONFIRMING: StageName.FENCING,
        StageName.FENCING: StageName.PROMOTING,
        StageName.PROMOTING: StageName.PUBLISHING,
        StageName.PUBLISHING: StageName.VERIFYING,
        StageName.VERIFYING: StageName.SETTLED,
    }
    run = ledger.run()
    while run.stage is not until:
        stage = following[run.stage]
        ledger.must(AdvanceRun(a_stamp(), run.run_id, run.stage, stage))
        run = ledger.run()


# -- by policy, at apply time ----------------------------------------------------------------------


def test_a_failback_by_policy_begins_after_the_soak_and_not_a_moment_sooner() -> None:
    ledger = away()

    assert ledger.rejection(a_failback(at_ms=SOAK_MS - 1)) is Reason.FAILBACK_NOT_READY
    ledger.must(a_failback())
    assert ledger.run().stage is StageName.DRAINING


def test_the_soak_begins_anew_when_the_region_was_not_up() -> None:
    ledger = away()
    ledger.must(a_verdict(Verdict.DEGRADED, EU, at_ms=30_000))
    assert ledger.rejection(a_failback(at_ms=200_000)) is Reason.FAILBACK_NOT_READY
    ledger.must(a_verdict(Verdict.UP, EU, at_ms=200_000))

    assert ledger.rejection(a_failback(at_ms=200_000 + SOAK_MS - 1)) is Reason.FAILBACK_NOT_READY
    ledger.must(a_failback(at_ms=200_000 + SOAK_MS))


def test_the_soak_counts_from_the_last_move_too() -> None:
    ledger = away()
    started(ledger, a_start(AP, automatic=False, at_ms=50_000, kind=RunKind.SWITCHOVER))
    finish(ledger)

    assert ledger.rejection(a_failback(epoch=2)) is Reason.FAILBACK_NOT_READY
    ledger.must(a_failback(epoch=2, at_ms=50_000 + SOAK_MS))


def test_there_is_no_failback_by_itself_unless_policy_says_so() -> None:
    ledger = away(a_policy(failback_soak_ms=0))

    assert ledger.rejection(a_failback()) is Reason.AUTOMATION_OFF
    ledger.must(a_failback(automatic=False))


@pytest.mark.parametrize("loss_bound_ms", [None, 1])
def test_never_by_itself_after_a_failover_that_may_have_lost_writes(
    loss_bound_ms: int | None,
) -> None:
    policy = a_homing_policy(require_lag_within_rpo=False)
    ledger = an_owned_ledger(policy=policy)
    ledger.must(a_verdict(Verdict.UP, EU))
    run_id = started(ledger, a_start(US, loss_bound_ms=loss_bound_ms))
    finish(ledger)

    assert flap_of(ledger.state, CHAT).lossy_run_id == run_id
    assert ledger.rejection(a_failback(epoch=2, at_ms=10 * SOAK_MS)) is Reason.FAILBACK_NOT_READY


def test_by_itself_after_a_failover_that_lost_nothing() -> None:
    ledger = an_owned_ledger(policy=a_homing_policy())
    ledger.must(a_verdict(Verdict.UP, EU))
    started(ledger, a_start(US, loss_bound_ms=0))
    finish(ledger)

    ledger.must(a_failback(epoch=2, at_ms=SOAK_MS))


def test_a_loss_that_grew_during_the_run_counts() -> None:
    ledger = an_owned_ledger(policy=a_homing_policy())
    run_id = started(ledger, a_start(US, loss_bound_ms=0))
    finish(ledger, until=StageName.FENCING)
    granted = AdvanceRun(
        a_stamp(), run_id, StageName.FENCING, StageName.PROMOTING, loss_bound_ms=700
    )
    ledger.must(granted)

    assert flap_of(ledger.state, CHAT).lossy_run_id == run_id


def a_lossy_ledger() -> Ledger:
    ledger = an_owned_ledger(policy=a_homing_policy())
    ledger.must(a_verdict(Verdict.UP, EU))
    started(ledger, a_start(US, loss_bound_ms=5_000))
    finish(ledger)
    return ledger


def test_a_loss_rests_once_it_is_acknowledged() -> None:
    ledger = a_lossy_ledger()

    ledger.must(SetAutomation(a_stamp(), CHAT, AutomationAction.ACKNOWLEDGE))

    ledger.must(a_failback(epoch=2))


def test_a_loss_rests_once_an_operator_has_moved_the_service() -> None:
    ledger = a_lossy_ledger()
    by_hand = a_start(
        AP, epoch=2, automatic=False, kind=RunKind.SWITCHOVER, request_id="look-and-move"
    )
    started(ledger, by_hand)
    finish(ledger)

    ledger.must(a_failback(epoch=3))


def test_a_loss_does_not_rest_because_the_director_empties_a_region() -> None:
    ledger = a_lossy_ledger()
    started(ledger, a_start(AP, epoch=2, automatic=False, kind=RunKind.SWITCHOVER))
    finish(ledger)

    assert ledger.rejection(a_failback(epoch=3)) is Reason.FAILBACK_NOT_READY


def test_a_drill_neither_hides_a_loss_nor_leaves_one_behind() -> None:
    lossy, clean = a_homing_world(), a_homing_world()
    lossy.kill_region(EU, with_replica=False)
    assert lossy.run_for(20_000, lambda: lossy.writer() == US)
    lossy.revive_region(EU)
    lossy.run_for(30_000)
    for world, kind in ((lossy, DrillKind.SWITCHOVER), (clean, DrillKind.BLACKHOLE)):
        world.ask(DrillAsked(a_spec(kind)), request_id="drill")
        drill = finished(world)
        assert len(drill.run_ids) == 2, "away and back"

    assert flap_of(lossy.chief.director.state, CHAT).lossy_run_id == "chat/1"
    assert flap_of(clean.chief.director.state, CHAT).lossy_run_id is None


def test_a_drill_that_lasts_longer_than_the_soak_brings_the_service_home_itself() -> None:
    world = a_homing_world(failback_soak_ms=10_000)
    world.ask(DrillAsked(a_spec(DrillKind.SWITCHOVER, for_ms=40_000)), request_id="drill")

    drill = finished(world)

    assert drill.abort_cause == ""
    assert kinds(world) == [(RunKind.SWITCHOVER, False)] * 2


@pytest.mark.parametrize("soak_ms", [0, SOAK_MS])
def test_a_failback_that_was_taken_back_is_not_begun_again_at_once(soak_ms: int) -> None:
    ledger = away(a_homing_policy(failback_soak_ms=soak_ms))
    run_id = started(ledger, a_failback())
    ledger.must(AbortRun(a_stamp(SOAK_MS), run_id, StageName.DRAINING, "CANCELLED", "not now"))

    again = a_failback(at_ms=2 * SOAK_MS - 1)
    assert ledger.rejection(again) is Reason.FAILBACK_NOT_READY
    ledger.must(a_failback(at_ms=2 * SOAK_MS))


def test_a_loss_outlives_the_run_that_caused_it() -> None:
    ledger = a_lossy_ledger()
    # However many moves of others push it out of what is kept.
    ledger.state = replace(ledger.state, runs=())

    assert ledger.rejection(a_failback(epoch=2)) is Reason.FAILBACK_NOT_READY


def test_nothing_goes_back_while_paused_drained_overridden_or_too_soon_after_a_move() -> None:
    paused, drained, forced = away(), away(), away()
    soon = an_owned_ledger(home=US, policy=a_homing_policy(min_interval_ms=900_000))
    paused.must(SetAutomation(a_stamp(), CHAT, AutomationAction.PAUSE, 3_600_000))
    drained.must(SetRegionDrained(a_stamp(), EU, drained=True))
    forced.must(SetOverride(a_stamp(), CHAT, EU, Override.FORCE_UP))
    soon.must(a_verdict(Verdict.UP, EU))
    started(soon, a_start(AP, loss_bound_ms=0))
    finish(soon)

    reasons = [each.rejection(a_failback()) for each in (paused, drained, forced)]
    reasons.append(soon.rejection(a_failback(epoch=2)))

    assert reasons == [
        Reason.AUTOMATION_PAUSED,
        Reason.TARGET_INELIGIBLE,
        Reason.FAILBACK_NOT_READY,
        Reason.COOLDOWN,
    ]


def test_nothing_goes_home_that_finds_no_room_there() -> None:
    sites = tuple(replace(each, capacity_rps=1_000) for each in a_service().sites)
    ledger = an_owned_ledger(a_service(sites=sites), home=US, policy=a_homing_policy())
    ledger.must(a_verdict(Verdict.UP, EU))

    assert ledger.rejection(replace(a_failback(), load_rps=2_000)) is Reason.SAFETY_RULE
    ledger.must(replace(a_failback(), load_rps=100))


def test_a_failback_goes_to_a_preferred_region_only_by_whomever() -> None:
    ledger = away()
    elsewhere = replace(a_failback(automatic=False), target=AP)

    assert ledger.rejection(elsewhere) is Reason.TARGET_INELIGIBLE


# -- in a world ------------------------------------------------------------------------------------


def a_homing_world(**changes: object) -> World:
    return a_settled_world(a_topology(policy=a_homing_policy(**changes)))


def drain_and_undrain(world: World, region_id: RegionId = EU) -> None:
    """Move the service away, losing nothing, and have its home back."""
    world.ask(DrainAsked(region_id, drained=True), request_id="drain")
    assert world.run_for(20_000, lambda: world.writer() == US)
    world.run_for(5_000)
    world.ask(DrainAsked(region_id, drained=False), request_id="undrain")
    world.run_for(100)


def kinds(world: World) -> list[tuple[RunKind, bool]]:
    return [(run.kind, run.automatic) for run in world.runs()]


def test_after_a_drain_the_service_goes_home_by_itself_once_home_has_soaked() -> None:
    world = a_homing_world()
    drain_and_undrain(world)
    world.run_for(SOAK_MS - 5_000)
    assert world.writer() == US
    note = world.chief.director.service_views(now_ms=world.now_ms)[0].automation_note
    assert "of 60000 ms" in note

    assert world.run_for(20_000, lambda: world.writer() == EU)

    assert kinds(world) == [(RunKind.SWITCHOVER, False), (RunKind.FAILBACK, True)]
    world.run_for(60_000)
    assert len(world.runs()) == 2, "it stays"
    world.check_same_state()


def test_a_region_that_fails_for_a_moment_soaks_anew() -> None:
    world = a_homing_world()
    drain_and_undrain(world)
    world.run_for(SOAK_MS // 2)
    world.inside_out.add((CHAT, EU))
    world.run_for(5_000)
    world.inside_out.clear()
    world.run_for(SOAK_MS - 1_000)

    assert len(world.runs()) == 1
    assert world.run_for(30_000, lambda: world.writer() == EU)


def test_a_copy_that_follows_late_holds_the_failback() -> None:
    world = a_homing_world()
    drain_and_undrain(world)
    world.lag[CHAT, EU] = 2_000  # within the RPO of 10 s, and more than a heartbeat
    world.run_for(2 * SOAK_MS)
    assert len(world.runs()) == 1

    world.lag[CHAT, EU] = 50

    assert world.run_for(10_000, lambda: world.writer() == EU)


def test_a_new_leader_lets_home_soak_anew_and_then_goes_on() -> None:
    world = a_homing_world()
    drain_and_undrain(world)
    world.run_for(SOAK_MS - 5_000)
    world.elect(D0)
    world.run_for(SOAK_MS - 5_000)
    assert len(world.runs()) == 1

    assert world.run_for(20_000, lambda: world.writer() == EU)


def test_a_leader_that_was_away_for_a_moment_lets_home_soak_anew_too() -> None:
    world = a_homing_world()
    drain_and_undrain(world)
    world.run_for(SOAK_MS - 5_000)
    before = world.leader
    assert before is not None
    world.elect(D0)
    world.run_for(500)
    world.elect(before)
    world.run_for(SOAK_MS - 5_000)

    assert len(world.runs()) == 1
    assert world.run_for(20_000, lambda: world.writer() == EU)


def test_after_a_lossy_failover_a_person_speaks_first() -> None:
    world = a_homing_world()
    world.kill_region(EU, with_replica=False)
    assert world.run_for(20_000, lambda: world.writer() == US)
    world.revive_region(EU)
    world.run_for(3 * SOAK_MS)
    assert kinds(world) == [(RunKind.FAILOVER, True)]
    view = world.chief.director.service_views(now_ms=world.now_ms)[0]
    assert view.lossy_run_id == "chat/1"
    assert "director acknowledge chat" in view.automation_note

    world.ask(AutomationAsked(CHAT, AutomationAction.ACKNOWLEDGE))

    assert world.run_for(20_000, lambda: world.writer() == EU)


def test_under_approve_a_failback_is_proposed_and_made_when_approved() -> None:
    world = a_homing_world(automation=Automation.APPROVE)
    drain_and_undrain(world)
    world.run_for(2 * SOAK_MS)
    (intent,) = world.chief.director.state.intents
    assert (intent.kind, intent.target, intent.state) == (
        RunKind.FAILBACK,
        EU,
        IntentState.OPEN,
    )
    assert world.writer() == US

    world.ask(ApproveAsked(CHAT))

    assert world.run_for(20_000, lambda: world.writer() == EU)


def test_a_region_that_was_drained_for_a_moment_soaks_anew() -> None:
    world = a_homing_world()
    drain_and_undrain(world)
    world.run_for(SOAK_MS - 10_000)
    world.ask(DrainAsked(EU, drained=True), request_id="drain again")
    world.run_for(1_000)
    world.ask(DrainAsked(EU, drained=False), request_id="undrain again")
    world.run_for(SOAK_MS - 2_000)

    assert len(world.runs()) == 1
    assert world.run_for(20_000, lambda: world.writer() == EU)


def test_each_region_soaks_for_itself() -> None:
    world = a_homing_world()
    for region_id in (US, EU):
        world.ask(DrainAsked(region_id, drained=True), request_id=f"drain {region_id}")
        world.run_for(10_000)
    assert world.writer() == AP
    world.ask(DrainAsked(US, drained=False), request_id="undrain us")
    world.run_for(SOAK_MS - 5_000)
    world.ask(DrainAsked(EU, drained=False), request_id="undrain eu")
    world.run_for(SOAK_MS - 2_000)

    assert len(world.runs()) == 1
    assert world.run_for(20_000, lambda: world.writer() == EU)


def test_too_few_failure_domains_leave_the_way_home_to_people_too() -> None:
    domains = {D0: "one", D1: "one", D2: "two"}
    world = a_settled_world(a_topology(policy=a_homing_policy()), domains=domains)
    drain_and_undrain(world)
    world.run_for(2 * SOAK_MS)

    (intent,) = world.chief.director.state.intents
    assert intent.kind is RunKind.FAILBACK
    assert "2 failure domains" in intent.limit
    assert kinds(world) == [(RunKind.SWITCHOVER, False)]


def test_by_hand_home_is_found_and_the_soak_is_only_a_warning() -> None:
    world = a_settled_world()
    drain_and_undrain(world)
    world.ask(MoveAsked(RunKind.FAILBACK, CHAT, None), request_id="dry", validate_only=True)
    world.run_for(100)
    said = world.chief.answers[-1].message
    assert "would move from us-east1 to eu-north1" in said
    assert "of its soak left" in said

    world.move(RunKind.FAILBACK)

    assert world.run_for(20_000, lambda: world.writer() == EU)


def test_by_hand_a_copy_that_is_far_behind_is_refused_at_once() -> None:
    world = a_settled_world()
    drain_and_undrain(world)
    world.lag[CHAT, EU] = 9_000
    world.run_for(2_000)

    world.move(RunKind.FAILBACK)

    assert world.chief.answers[-1].reason is Reason.FAILBACK_NOT_READY


def test_by_hand_there_is_nothing_to_go_back_to_from_home() -> None:
    world = a_settled_world()

    world.move(RunKind.FAILBACK)
    world.ask(MoveAsked(RunKind.FAILBACK, CHAT, US), request_id="r2")

    assert [each.reason for each in world.chief.answers] == [
        Reason.NOTHING_TO_DO,
        Reason.TARGET_INELIGIBLE,
    ]


def test_by_hand_a_home_that_is_out_is_named() -> None:
    world = a_settled_world()
    world.ask(DrainAsked(EU, drained=True), request_id="drain")
    assert world.run_for(20_000, lambda: world.writer() == US)
    world.run_for(5_000)

    world.move(RunKind.FAILBACK)

    answer = world.chief.answers[-1]
    assert answer.reason is Reason.TARGET_INELIGIBLE
    assert "belongs in eu-north1" in answer.message


def test_a_service_without_a_lag_needs_none_to_go_home() -> None:
    service = a_service(rpo_ms=None)
    world = a_settled_world(a_topology(service, policy=a_homing_policy()))
    world.lag = {(CHAT, region_id): None for region_id in (AP, EU, US)}
    drain_and_undrain(world)

    assert world.run_for(2 * SOAK_MS, lambda: world.writer() == EU)


def test_a_changed_soak_counts_at_once() -> None:
    world = a_homing_world(failback_soak_ms=3_600_000)
    drain_and_undrain(world)
    world.run_for(SOAK_MS)
    assert len(world.runs()) == 1

    world.propose(ApplyManifest(a_stamp(), a_topology(policy=a_homing_policy())))

    assert world.run_for(30_000, lambda: world.writer() == EU)


def test_what_nobody_looked_at_has_not_soaked() -> None:
    """While policy says Manual no leader watches, and the region may have been drained."""
    world = a_homing_world()
    drain_and_undrain(world)
    world.run_for(SOAK_MS - 20_000)
    world.propose(ApplyManifest(a_stamp(), a_topology(policy=a_policy())))
    world.ask(DrainAsked(EU, drained=True), request_id="drain again")
    world.run_for(SOAK_MS)
    world.ask(DrainAsked(EU, drained=False), request_id="undrain again")
    world.run_for(1_000)
    world.propose(ApplyManifest(a_stamp(), a_topology(policy=a_homing_policy())))
    world.run_for(SOAK_MS - 1_000)

    assert len(world.runs()) == 1
    assert world.run_for(20_000, lambda: world.writer() == EU)


def test_a_failback_under_way_does_not_hold_the_failover_of_another_service() -> None:
    voice = a_service(ServiceId("voice"))
    ledger = an_owned_ledger(a_service(), voice, home=US, policy=a_homing_policy())
    ledger.must(a_verdict(Verdict.UP, EU))
    # Of the same region it would be the same loss.
    ledger.must(a_start(AP, group_id=voice.group_ids[0], automatic=False))
    finish(ledger)
    ledger.must(a_failback())

    ledger.must(a_start(EU, group_id=voice.group_ids[0], epoch=2, at_ms=SOAK_MS))


def test_nothing_goes_home_by_itself_while_a_region_loses_its_services() -> None:
    voice = a_service(ServiceId("voice"))
    ledger = an_owned_ledger(a_service(), voice, home=US, policy=a_homing_policy())
    ledger.must(a_verdict(Verdict.UP, EU))
    ledger.must(a_start(AP, group_id=voice.group_ids[0], automatic=False))
    finish(ledger)
    ledger.must(a_start(EU, group_id=voice.group_ids[0], epoch=2))

    assert ledger.rejection(a_failback()) is Reason.SAFETY_RULE
