"""How far the director acts by itself: pauses, overrides with an end, and moves left to people."""

from dataclasses import replace

import pytest

from director.core.automation import (
    INTENT_EXPIRES_MS,
    INTENTS_KEPT_MAX,
    OVERRIDE_MS_MAX,
    PAUSE_MS_MAX,
    WHOLE_FLEET,
    pause_of,
)
from director.core.automation_commands import (
    AutomationAction,
    IntentState,
    RecordIntent,
    SetAutomation,
)
from director.core.automation_records import Flap, Intent, OverrideTerm
from director.core.commands import ApplyManifest, RunKind, SetOverride, Stamp, StartRun
from director.core.events import IntentRecorded
from director.core.flap_damping import after_move
from director.core.inputs import ApproveAsked, AutomationAsked, OverrideAsked
from director.core.lapses import lapsed
from director.core.reasons import Reason
from director.core.topology import Automation, Policy, Topology
from director.routing.table import Override, RegionId, ServiceId, Verdict
from director.service.codec import decode_command, decode_state, encode_command, encode_state
from director.service.record_mapping import RecordMapping
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    D0,
    D1,
    D2,
    EU,
    US,
    WEB,
    Ledger,
    a_policy,
    a_service,
    a_stamp,
    a_start,
    a_topology,
    a_verdict,
    an_active_active,
    an_owned_ledger,
    started,
)
from tests.core.world import World, a_settled_world
from trafficdirector.log.v1 import log_pb2

HALF_AN_HOUR_MS = 1_800_000


def a_person(at_ms: int = 0, reason: str = "network work") -> Stamp:
    return Stamp(at_ms, wall_ms=1_000_000 + at_ms, actor="maria", reason=reason)


def a_pause(
    service_id: ServiceId = CHAT, for_ms: int = HALF_AN_HOUR_MS, *, at_ms: int = 0
) -> SetAutomation:
    return SetAutomation(a_person(at_ms), service_id, AutomationAction.PAUSE, for_ms)


def a_resume(service_id: ServiceId = CHAT, *, at_ms: int = 0) -> SetAutomation:
    return SetAutomation(a_person(at_ms), service_id, AutomationAction.RESUME)


def with_policy(automation: Automation, **changes: object) -> Topology:
    return a_topology(policy=a_policy(automation=automation, **changes))


def intents(world: World) -> tuple[Intent, ...]:
    return world.chief.director.state.intents


def lose(world: World, region_id: RegionId = EU) -> None:
    """Lose a service of a region; its replica stays."""
    world.kill_region(region_id, with_replica=False)


def until_proposed(world: World) -> Intent:
    found = world.run_for(20_000, lambda: bool(intents(world)))
    assert found, "nothing is proposed"
    return intents(world)[-1]


def answers(world: World) -> list[Reason | None]:
    return [each.reason for each in world.chief.answers]


# -- pauses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("service_id", [CHAT, WHOLE_FLEET])
def test_nothing_starts_by_itself_while_paused_and_everything_by_hand(
    service_id: ServiceId,
) -> None:
    ledger = an_owned_ledger()
    ledger.must(a_pause(service_id))

    assert ledger.rejection(a_start()) is Reason.AUTOMATION_PAUSED
    ledger.must(a_start(automatic=False))


def test_a_pause_of_one_service_leaves_the_others_alone() -> None:
    ledger = an_owned_ledger(a_service(), a_service(ServiceId("voice")))
    ledger.must(a_pause(ServiceId("voice")))

    ledger.must(a_start())


def test_a_pause_ends_by_itself_at_its_instant() -> None:
    ledger = an_owned_ledger()
    ledger.must(a_pause(for_ms=60_000, at_ms=5_000))

    assert ledger.rejection(a_start(at_ms=64_999)) is Reason.AUTOMATION_PAUSED
    ledger.must(a_start(at_ms=65_000))


def test_a_run_that_goes_on_is_not_stopped_by_a_pause() -> None:
    ledger = an_owned_ledger()
    run_id = started(ledger)
    ledger.must(a_pause())

    assert ledger.run(run_id).is_active


def test_resuming_ends_a_pause_and_a_new_pause_replaces_the_old_one() -> None:
    ledger = an_owned_ledger()
    ledger.must(a_pause(for_ms=60_000))
    ledger.must(a_pause(for_ms=3_000))
    assert [each.until_ms for each in ledger.state.pauses] == [3_000]

    ledger.must(a_resume())

    assert ledger.state.pauses == ()
    ledger.must(a_start())


def test_resuming_the_fleet_leaves_a_service_paused_that_was_paused_by_itself() -> None:
    ledger = an_owned_ledger()
    ledger.must(a_pause())
    ledger.must(a_pause(WHOLE_FLEET))
    ledger.must(a_resume(WHOLE_FLEET))

    assert ledger.rejection(a_start()) is Reason.AUTOMATION_PAUSED


@pytest.mark.parametrize("for_ms", [0, -1, PAUSE_MS_MAX + 1])
def test_a_pause_has_an_end_within_a_day(for_ms: int) -> None:
    ledger = an_owned_ledger()

    assert ledger.rejection(a_pause(for_ms=for_ms)) is Reason.INVALID_REQUEST
    ledger.must(a_pause(for_ms=PAUSE_MS_MAX))


def test_a_pause_names_its_reason_and_a_service_that_there_is() -> None:
    ledger = an_owned_ledger()
    without = replace(a_pause(), stamp=a_person(reason=" "))

    assert ledger.rejection(without) is Reason.INVALID_REQUEST
    assert ledger.rejection(a_pause(ServiceId("none"))) is Reason.SERVICE_NOT_FOUND
    assert ledger.rejection(a_resume(ServiceId("none"))) is Reason.SERVICE_NOT_FOUND


def test_people_see_who_paused_what_why_and_until_when() -> None:
    ledger = an_owned_ledger()
    ledger.must(a_pause(at_ms=5_000))

    pause = pause_of(ledger.state, CHAT)

    assert pause is not None
    assert (pause.actor, pause.reason) == ("maria", "network work")
    assert pause.until_ms == 5_000 + HALF_AN_HOUR_MS
    assert pause.until_wall_ms == 1_005_000 + HALF_AN_HOUR_MS


def test_a_home_lost_during_a_pause_is_failed_over_when_the_pause_ends() -> None:
    world = a_settled_world()
    world.ask(AutomationAsked(CHAT, AutomationAction.PAUSE, 60_000))
    world.run_for(1_000)
    lose(world)
    world.run_for(40_000)
    assert world.runs() == ()
    view = world.chief.director.service_views(now_ms=world.now_ms)[0]
    assert view.pause is not None
    assert "paused" in view.automation_note

    assert world.run_for(40_000, lambda: world.writer() == US)
    world.check_same_state()


def test_a_new_leader_keeps_the_pause() -> None:
    world = a_settled_world()
    world.ask(AutomationAsked(CHAT, AutomationAction.PAUSE, 60_000))
    world.run_for(1_000)
    world.elect(D0)
    lose(world)

    world.run_for(40_000)

    assert world.runs() == ()


def test_ending_a_pause_that_there_is_not_writes_nothing() -> None:
    world = a_settled_world()
    before = world.chief.director.state.applied_index

    world.ask(AutomationAsked(CHAT, AutomationAction.RESUME))
    world.ask(AutomationAsked(CHAT, AutomationAction.ACKNOWLEDGE), request_id="r2")
    world.run_for(500)

    assert answers(world) == [None, None]
    assert world.chief.director.state.applied_index == before


# -- overrides with an end -------------------------------------------------------------------------


def a_force_down(at_ms: int = 0, for_ms: int = HALF_AN_HOUR_MS) -> SetOverride:
    return SetOverride(a_person(at_ms), CHAT, US, Override.FORCE_DOWN, for_ms)


def a_lapse(at_ms: int, lapsed_at_ms: int) -> SetOverride:
    return SetOverride(a_stamp(at_ms), CHAT, US, None, lapsed_at_ms=lapsed_at_ms)


def test_an_override_keeps_who_set_it_why_and_until_when() -> None:
    ledger = an_owned_ledger()
    ledger.must(a_force_down(at_ms=5_000))

    assert ledger.state.override_terms == {
        (CHAT, US): OverrideTerm(
            "maria", "network work", 5_000 + HALF_AN_HOUR_MS, 1_005_000 + HALF_AN_HOUR_MS
        )
    }


def test_an_override_needs_a_reason_and_an_end_within_a_week() -> None:
    ledger = an_owned_ledger()
    without = replace(a_force_down(), stamp=a_person(reason=""))

    assert ledger.rejection(without) is Reason.INVALID_REQUEST
    assert ledger.rejection(a_force_down(for_ms=OVERRIDE_MS_MAX + 1)) is Reason.INVALID_REQUEST
    assert ledger.rejection(a_force_down(for_ms=-1)) is Reason.INVALID_REQUEST


def test_the_director_clears_an_override_only_after_its_end_and_only_that_one() -> None:
    ledger = an_owned_ledger()
    ledger.must(a_force_down(for_ms=60_000))

    assert ledger.rejection(a_lapse(59_999, 60_000)) is Reason.NOTHING_TO_DO
    ledger.must(a_force_down(at_ms=59_999, for_ms=60_000))  # it is needed for longer
    assert ledger.rejection(a_lapse(60_000, 60_000)) is Reason.NOTHING_TO_DO
    ledger.must(a_lapse(119_999, 119_999))
    assert not ledger.state.overrides
    assert not ledger.state.override_terms


def test_clearing_an_override_by_hand_forgets_its_term() -> None:
    ledger = an_owned_ledger()
    ledger.must(a_force_down())
    ledger.must(SetOverride(a_stamp(), CHAT, US, None))

    assert not ledger.state.override_terms


def test_an_override_ends_by_itself_under_a_new_leader_too() -> None:
    world = a_settled_world()
    world.ask(OverrideAsked(CHAT, US, Override.FORCE_DOWN, 30_000))
    world.run_for(1_000)
    assert world.chief.director.state.overrides == {(CHAT, US): Override.FORCE_DOWN}
    world.elect(D2)

    world.run_for(28_000)
    assert world.chief.director.state.overrides
    world.run_for(3_000)

    assert not world.chief.director.state.overrides
    world.check_same_state()


def test_the_leader_asks_to_clear_an_override_once_its_end_has_come() -> None:
    ledger = an_owned_ledger()
    ledger.must(a_force_down(for_ms=60_000))

    def asked(at_ms: int, *busy: str) -> list[str]:
        return [key for key, _ in lapsed(ledger.state, a_stamp(at_ms), busy)]

    assert asked(59_999) == []
    assert asked(60_000) == ["override chat us-east1"]
    assert asked(60_000, "override chat us-east1") == []


def test_an_override_that_alone_keeps_a_service_served_outlives_its_end() -> None:
    service = an_active_active()
    ledger = an_owned_ledger(service)
    for region_id in (AP, EU, US):
        ledger.must(a_verdict(Verdict.UP, region_id, WEB))
    up = SetOverride(a_person(), WEB, EU, Override.FORCE_UP, 30_000)
    ledger.must(up)
    for number, region_id in enumerate((EU, AP, US)):
        ledger.must(a_verdict(Verdict.DOWN, region_id, WEB, at_ms=70_000 * number))

    lapse = SetOverride(a_stamp(150_000), WEB, EU, None, lapsed_at_ms=30_000)
    assert lapsed(ledger.state, a_stamp(150_000), ()) == []

    assert ledger.rejection(lapse) is Reason.SAFETY_RULE


def test_overrides_that_end_together_take_regions_out_one_a_minute() -> None:
    # It is the director that clears them, so the cap on automation holds (R3).
    ledger = an_owned_ledger(an_active_active())
    for region_id in (AP, EU):
        ledger.must(SetOverride(a_person(), WEB, region_id, Override.FORCE_UP, 200_000))
    ledger.must(a_verdict(Verdict.DOWN, AP, WEB, at_ms=0))
    ledger.must(a_verdict(Verdict.DOWN, EU, WEB, at_ms=70_000))
    end_ms = 200_000

    found = lapsed(ledger.state, a_stamp(end_ms), ())
    assert [command.region_id for _, command in found] == [AP, EU]
    ledger.must(found[0][1])
    assert ledger.rejection(found[1][1]) is Reason.SAFETY_RULE
    assert lapsed(ledger.state, a_stamp(end_ms + 59_999), ()) == []

    # Nothing else need happen meanwhile: time alone lets the next one end.
    ((_, last),) = lapsed(ledger.state, a_stamp(end_ms + 60_000), ())
    ledger.must(last)
    assert not ledger.state.overrides


def test_a_manifest_forgets_pauses_and_terms_of_what_is_gone() -> None:
    ledger = an_owned_ledger(a_service(), an_active_active())
    ledger.must(a_pause(WEB))
    ledger.must(a_pause(WHOLE_FLEET))
    ledger.must(SetOverride(a_person(), WEB, EU, Override.FORCE_UP, 30_000))

    ledger.must(ApplyManifest(a_stamp(), a_topology(a_service()), allow_removed=(WEB,)))

    assert [each.service_id for each in ledger.state.pauses] == [WHOLE_FLEET]
    assert not ledger.state.override_terms


# -- moves left to people --------------------------------------------------------------------------


def an_intent_command(at_ms: int = 0, *, epoch: int = 1, target: RegionId = US) -> RecordIntent:
    return RecordIntent(
        replace(a_stamp(at_ms), reason="eu-north1 is DOWN: PEERS_FAIL"),
        CHAT_GROUP,
        IntentState.OPEN,
        target=target,
        expected_epoch=epoch,
        limit="policy default says automation Approve",
        loss_bound_ms=5_000,
    )


def an_approving_ledger(automation: Automation = Automation.APPROVE) -> Ledger:
    ledger = an_owned_ledger(policy=a_policy(automation=automation))
    ledger.must(an_intent_command())
    return ledger


def an_approval(**changes: object) -> StartRun:
    given: dict[str, object] = {"intent_id": "chat/p1", **changes}
    return replace(a_start(automatic=False), **given)  # type: ignore[arg-type]


def test_a_proposal_is_approved_by_the_run_that_carries_it_out() -> None:
    ledger = an_approving_ledger()

    ledger.must(an_approval())

    (intent,) = ledger.state.intents
    assert intent.state is IntentState.APPROVED
    assert intent.run_id == "chat/1"
    assert not ledger.run().automatic


@pytest.mark.parametrize(
    "changes",
    [{"target": AP}, {"kind": RunKind.SWITCHOVER}, {"intent_id": "chat/p9"}],
)
def test_only_exactly_what_was_proposed_can_be_approved(changes: dict[str, object]) -> None:
    ledger = an_approving_ledger()

    assert ledger.rejection(an_approval(**changes)) is Reason.NOTHING_TO_APPROVE
    assert ledger.state.intents[0].state is IntentState.OPEN


def test_a_proposal_expires_and_cannot_be_approved_any_more() -> None:
    ledger = an_approving_ledger()
    late = a_stamp(INTENT_EXPIRES_MS)
    expired = RecordIntent(late, CHAT_GROUP, IntentState.EXPIRED, "chat/p1")
    early = replace(expired, stamp=a_stamp(INTENT_EXPIRES_MS - 1))

    assert ledger.rejection(early) is Reason.NOTHING_TO_DO
    assert ledger.rejection(an_approval(stamp=late)) is Reason.NOTHING_TO_APPROVE
    ledger.must(expired)
    assert ledger.state.intents[0].state is IntentState.EXPIRED
    assert ledger.state.intents[0].outcome == ""


def test_what_observe_only_notes_cannot_be_approved() -> None:
    ledger = an_approving_ledger(Automation.OBSERVE)

    assert ledger.state.intents[0].expires_at_ms == 0
    assert ledger.rejection(an_approval()) is Reason.NOTHING_TO_APPROVE


def test_there_is_one_proposal_per_incident() -> None:
    ledger = an_approving_ledger()

    assert ledger.rejection(an_intent_command()) is Reason.NOTHING_TO_DO
    ledger.must(
        RecordIntent(a_stamp(), CHAT_GROUP, IntentState.WITHDRAWN, "chat/p1", outcome="over")
    )
    ledger.must(an_intent_command())
    assert [each.intent_id for each in ledger.state.intents] == ["chat/p1", "chat/p2"]


def test_a_proposal_made_at_an_old_epoch_or_without_an_owner_changes_nothing() -> None:
    ledger = an_owned_ledger(policy=a_policy(automation=Automation.APPROVE))

    assert ledger.rejection(an_intent_command(epoch=2)) is Reason.STALE_EPOCH
    assert ledger.rejection(an_intent_command(target=EU)) is Reason.TARGET_INELIGIBLE


def test_a_move_by_hand_takes_the_place_of_a_proposal() -> None:
    ledger = an_approving_ledger()

    ledger.must(a_start(AP, automatic=False))

    (intent,) = ledger.state.intents
    assert (intent.state, intent.run_id) == (IntentState.WITHDRAWN, "chat/1")


def test_only_the_last_hundred_proposals_are_kept_and_their_names_go_on() -> None:
    ledger = an_approving_ledger()
    for number in range(1, INTENTS_KEPT_MAX + 5):
        name = f"chat/p{number}"
        ledger.must(RecordIntent(a_stamp(), CHAT_GROUP, IntentState.WITHDRAWN, name, outcome="x"))
        ledger.must(an_intent_command())

    assert len(ledger.state.intents) == INTENTS_KEPT_MAX
    assert ledger.state.intents[-1].intent_id == f"chat/p{INTENTS_KEPT_MAX + 5}"


def test_what_automation_keeps_survives_the_log_and_a_snapshot() -> None:
    ledger = an_approving_ledger()
    ledger.must(a_pause(WHOLE_FLEET))
    ledger.must(a_force_down())
    ledger.must(a_start(AP, automatic=False))

    assert decode_state(encode_state(ledger.state)) == ledger.state
    for index, command in enumerate(ledger.log, start=1):
        assert command is not None
        assert decode_command(encode_command(command), index=index) == command


def test_under_approve_the_director_proposes_once_and_moves_when_told_to() -> None:
    world = a_settled_world(with_policy(Automation.APPROVE))
    lose(world)
    intent = until_proposed(world)
    assert (intent.kind, intent.source, intent.target) == (RunKind.FAILOVER, EU, US)
    assert (intent.mode, intent.state) == (Automation.APPROVE, IntentState.OPEN)
    assert intent.evidence
    assert intent.loss_bound_ms is not None
    world.run_for(20_000)
    assert world.runs() == ()
    assert len(intents(world)) == 1

    world.ask(ApproveAsked(CHAT))
    assert world.run_for(10_000, lambda: world.writer() == US)

    (run,) = world.runs()
    assert (run.actor, run.automatic, run.kind) == ("maria", False, RunKind.FAILOVER)
    assert intents(world)[-1].state is IntentState.APPROVED
    world.check_same_state()


def test_an_approval_counts_for_the_epoch_that_it_names() -> None:
    world = a_settled_world(with_policy(Automation.APPROVE))
    lose(world)
    until_proposed(world)

    world.ask(ApproveAsked(CHAT, expected_epoch=7))
    world.ask(ApproveAsked(CHAT, expected_epoch=1), request_id="r2", validate_only=True)
    world.run_for(500)

    assert answers(world) == [Reason.STALE_EPOCH, None]
    assert "would move from eu-north1 to us-east1" in world.chief.answers[-1].message
    assert world.runs() == ()


def test_a_proposal_is_withdrawn_when_the_trouble_is_over() -> None:
    world = a_settled_world(with_policy(Automation.APPROVE))
    lose(world)
    until_proposed(world)
    world.run_for(10_000)
    world.revive_region(EU)

    assert world.run_for(30_000, lambda: intents(world)[-1].state is IntentState.WITHDRAWN)
    assert "eu-north1 serves again; over after" in intents(world)[-1].outcome
    world.ask(ApproveAsked(CHAT))
    world.run_for(500)
    assert answers(world) == [Reason.NOTHING_TO_APPROVE]
    assert world.runs() == ()


def test_nothing_is_approved_where_nothing_is_proposed() -> None:
    world = a_settled_world()

    world.ask(ApproveAsked(CHAT))
    world.ask(ApproveAsked(ServiceId("none")), request_id="r2")

    assert answers(world) == [Reason.NOTHING_TO_APPROVE, Reason.SERVICE_NOT_FOUND]


def test_a_proposal_that_nobody_approves_expires_and_is_not_made_again() -> None:
    world = a_settled_world(with_policy(Automation.APPROVE))
    lose(world)
    until_proposed(world)
    world.run_for(INTENT_EXPIRES_MS + 1_000)

    assert [each.state for each in intents(world)] == [IntentState.EXPIRED]
    world.revive_region(EU)
    assert world.run_for(30_000, lambda: intents(world)[-1].state is IntentState.WITHDRAWN)


def test_a_new_leader_neither_repeats_nor_forgets_a_proposal() -> None:
    world = a_settled_world(with_policy(Automation.APPROVE))
    lose(world)
    until_proposed(world)

    world.elect(D0)
    world.run_for(20_000)
    assert len(intents(world)) == 1
    world.ask(ApproveAsked(CHAT))

    assert world.run_for(20_000, lambda: world.writer() == US)


def test_observe_notes_what_would_have_been_done_and_how_it_ended() -> None:
    world = a_settled_world(with_policy(Automation.OBSERVE))
    lose(world)
    intent = until_proposed(world)
    assert (intent.mode, intent.target) == (Automation.OBSERVE, US)

    world.ask(ApproveAsked(CHAT))
    world.run_for(20_000)
    assert answers(world) == [Reason.NOTHING_TO_APPROVE]
    assert "automation Observe" in world.chief.answers[-1].message
    world.revive_region(EU)
    assert world.run_for(30_000, lambda: not intents(world)[-1].is_standing)

    assert world.runs() == ()
    assert "over after" in intents(world)[-1].outcome


def test_too_few_failure_domains_leave_moves_to_people() -> None:
    domains = {D0: "one", D1: "one", D2: "two"}
    world = a_settled_world(domains=domains)
    lose(world)

    intent = until_proposed(world)

    assert "2 failure domains" in intent.limit
    assert intent.mode is Automation.APPROVE
    world.ask(ApproveAsked(CHAT))
    assert world.run_for(20_000, lambda: world.writer() == US)


def test_a_region_that_winks_is_one_incident() -> None:
    world = a_settled_world(with_policy(Automation.APPROVE))
    lose(world)
    until_proposed(world)
    for _ in range(4):
        world.revive_region(EU)
        world.run_for(3_000)  # shorter than good evidence has to last
        lose(world)
        world.run_for(5_000)

    recorded = [each for _, each in world.chief.notes if isinstance(each, IntentRecorded)]
    assert len(recorded) == 1


def test_a_guard_that_would_hold_the_move_proposes_nothing() -> None:
    world = a_settled_world(with_policy(Automation.APPROVE))
    world.ask(AutomationAsked(CHAT, AutomationAction.PAUSE, 60_000))
    world.run_for(1_000)
    lose(world)

    world.run_for(30_000)

    assert intents(world) == ()


def test_when_the_policy_becomes_automatic_the_run_replaces_the_proposal() -> None:
    world = a_settled_world(with_policy(Automation.APPROVE))
    lose(world)
    until_proposed(world)
    world.propose(ApplyManifest(a_stamp(), with_policy(Automation.AUTOMATIC)))

    assert world.run_for(20_000, lambda: world.writer() == US)

    (intent,) = intents(world)
    assert intent.state is IntentState.WITHDRAWN
    assert intent.run_id == world.runs()[0].run_id
    assert world.runs()[0].automatic


def test_a_log_of_before_is_read_as_it_was_meant() -> None:
    old = log_pb2.Policy(policy_id="tier0", automation="Automatic", min_interval_ms=900_000)

    policy = RecordMapping(Policy, log_pb2.Policy).decode(old)

    assert not policy.failback_automatic
    assert not after_move(after_move(Flap(CHAT), policy, now_ms=0), policy, now_ms=0).suppressed
