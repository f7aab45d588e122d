"""Proposals at rest and at the end: nothing is written twice, and nothing stands that is over."""

from dataclasses import replace

import pytest

from director.core.automation import INTENTS_KEPT_MAX, OVERRIDE_MS_MAX, standing_intent
from director.core.automation_commands import IntentState, RecordIntent
from director.core.automation_records import Intent
from director.core.commands import (
    ApplyManifest,
    RunKind,
    SetOverride,
    StartGeneration,
    TokenShown,
)
from director.core.events import IntentRecorded
from director.core.ids import AgentId, FencingToken
from director.core.inputs import ApproveAsked, DrainAsked, OverrideAsked
from director.core.intents import ending
from director.core.lease import LeaseBook
from director.core.reasons import Reason
from director.core.timing import DEFAULT_TIMING
from director.core.topology import Automation, Topology
from director.routing.table import Override, ServiceId, Verdict
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    D0,
    EU,
    SA,
    US,
    Watch,
    a_policy,
    a_service,
    a_stamp,
    a_start,
    a_topology,
    a_verdict,
    an_owned_ledger,
)
from tests.core.world import World, a_settled_world


def with_policy(automation: Automation, **changes: object) -> Topology:
    return a_topology(policy=a_policy(automation=automation, **changes))


def intents(world: World) -> tuple[Intent, ...]:
    return world.chief.director.state.intents


def recorded(world: World) -> list[IntentRecorded]:
    notes = [each for replica in world.replicas.values() for _, each in replica.notes]
    return [each for each in dict.fromkeys(notes) if isinstance(each, IntentRecorded)]


def until_proposed(world: World) -> Intent:
    assert world.run_for(20_000, lambda: bool(intents(world))), "nothing is proposed"
    return intents(world)[-1]


def lose_home(world: World) -> None:
    world.kill_region(EU, with_replica=False)


def an_intent_command(service_id: ServiceId = CHAT, at_ms: int = 0) -> RecordIntent:
    group_id = a_service(service_id).group_ids[0]
    return RecordIntent(
        a_stamp(at_ms), group_id, IntentState.OPEN, target=US, expected_epoch=1, limit="Approve"
    )


# -- at rest ---------------------------------------------------------------------------------------


def test_more_incidents_at_once_than_are_kept_are_each_proposed_once() -> None:
    """One that was pushed out while it stands would be proposed again, pushing out another."""
    names = [ServiceId(f"s{number:03}") for number in range(INTENTS_KEPT_MAX + 30)]
    ledger = an_owned_ledger(
        *(a_service(each) for each in names), policy=a_policy(automation=Automation.APPROVE)
    )
    for name in names:
        ledger.must(an_intent_command(name))

    standing = [standing_intent(ledger.state, each.group_id) for each in ledger.state.groups]

    assert None not in standing
    assert ledger.rejection(an_intent_command(names[0])) is Reason.NOTHING_TO_DO


def test_of_proposals_that_ended_only_so_many_are_kept_whatever_stands() -> None:
    names = [ServiceId(f"s{number:03}") for number in range(INTENTS_KEPT_MAX + 30)]
    ledger = an_owned_ledger(
        *(a_service(each) for each in names), policy=a_policy(automation=Automation.APPROVE)
    )
    for name in names:
        ledger.must(an_intent_command(name))
    for each in ledger.state.intents[:-1]:
        over = RecordIntent(
            a_stamp(), each.group_id, IntentState.WITHDRAWN, each.intent_id, outcome="over"
        )
        ledger.must(over)
    ledger.must(an_intent_command(names[0]))

    assert len(ledger.state.intents) == INTENTS_KEPT_MAX
    assert sum(each.is_standing for each in ledger.state.intents) == 2
    assert ledger.state.intents[-1].number == len(names) + 1


def test_a_new_leader_does_not_take_back_what_it_has_not_seen_end() -> None:
    """The gate of a home that looks well stays closed; a new leader cannot say so at once."""
    world = a_settled_world(with_policy(Automation.APPROVE))
    world.agents[EU].opens_gate = False
    assert world.run_for(60_000, lambda: bool(intents(world))), "nothing is proposed"

    world.elect(D0)
    world.run_for(60_000)

    assert [each.state for each in recorded(world)] == [IntentState.OPEN]
    world.agents[EU].opens_gate = True
    assert world.run_for(60_000, lambda: intents(world)[-1].state is IntentState.WITHDRAWN)
    assert "eu-north1 serves again" in intents(world)[-1].outcome


# -- what is over ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [(Automation.OBSERVE, Automation.APPROVE), (Automation.APPROVE, Automation.OBSERVE)],
)
def test_a_changed_mode_is_a_new_proposal_in_that_mode(
    before: Automation, after: Automation
) -> None:
    world = a_settled_world(with_policy(before))
    lose_home(world)
    until_proposed(world)
    world.propose(ApplyManifest(a_stamp(), with_policy(after)))
    world.run_for(5_000)

    assert [each.state for each in intents(world)] == [IntentState.WITHDRAWN, IntentState.OPEN]
    assert intents(world)[-1].mode is after
    assert f"automation {after}" in intents(world)[0].outcome
    world.ask(ApproveAsked(CHAT))
    assert world.run_for(20_000, lambda: world.writer() == US) == (after is Automation.APPROVE)


def test_a_target_that_is_lost_as_well_is_replaced_by_the_next() -> None:
    world = a_settled_world(with_policy(Automation.APPROVE))
    lose_home(world)
    assert until_proposed(world).target == US

    world.kill_region(US, with_replica=False)
    assert world.run_for(30_000, lambda: intents(world)[-1].target == AP)

    assert [each.state for each in intents(world)] == [IntentState.WITHDRAWN, IntentState.OPEN]
    assert "over after" not in intents(world)[0].outcome, "the trouble goes on"
    # Both are of the same epoch, so the epoch does not tell them apart.
    world.ask(ApproveAsked(CHAT, 1, "chat/p1"), request_id="stale")
    world.ask(ApproveAsked(CHAT, 1, "web/p2"), request_id="none")
    reasons = [each.reason for each in world.chief.answers]
    assert reasons == [Reason.NOTHING_TO_APPROVE, Reason.NOTHING_TO_APPROVE]
    world.ask(ApproveAsked(CHAT, 1, "chat/p2"))
    assert world.run_for(20_000, lambda: world.writer() == AP)


def test_a_proposal_ends_with_the_ownership_that_it_was_about() -> None:
    """A restored state may learn of another owner; what it proposed is about one that was."""
    ledger = an_owned_ledger(policy=a_policy(automation=Automation.APPROVE))
    ledger.must(a_verdict(Verdict.DOWN, EU))
    ledger.must(an_intent_command())
    words = tuple(
        TokenShown(CHAT_GROUP, each, AgentId("agent"), FencingToken(1, 5), AP) for each in (AP, SA)
    )
    ledger.must(StartGeneration(a_stamp(), 2, 1, words))
    assert ledger.group().home == AP
    found = standing_intent(ledger.state, CHAT_GROUP)
    assert found is not None

    watch = Watch()
    bench = watch.bench(ledger.state, LeaseBook(DEFAULT_TIMING), 1_000)
    ended = ending(bench, a_service(), found, None, a_stamp(1_000))

    assert ended is not None
    assert ended.state is IntentState.WITHDRAWN
    ledger.must(ended)


def test_a_proposal_ends_when_documents_take_its_target_or_its_service_away() -> None:
    voice = a_service(ServiceId("voice"))
    policy = a_policy(automation=Automation.APPROVE)
    ledger = an_owned_ledger(a_service(), voice, policy=policy)
    ledger.must(an_intent_command())
    ledger.must(an_intent_command(voice.service_id))
    without_us = replace(
        a_service(), sites=tuple(each for each in a_service().sites if each.region_id != US)
    )

    topology = a_topology(without_us, policy=policy)
    ledger.must(ApplyManifest(a_stamp(), topology, allow_removed=(voice.service_id,)))

    assert [each.state for each in ledger.state.intents] == [IntentState.WITHDRAWN] * 2
    assert all("documents took" in each.outcome for each in ledger.state.intents)


def test_a_proposal_ends_when_an_operator_says_how_the_home_is() -> None:
    world = a_settled_world(with_policy(Automation.APPROVE))
    lose_home(world)
    until_proposed(world)
    world.ask(OverrideAsked(CHAT, EU, Override.FORCE_UP, 60_000))
    world.run_for(1_000)

    assert intents(world)[-1].state is IntentState.WITHDRAWN
    assert "override" in intents(world)[-1].outcome


def a_world_with_a_failback_proposed() -> World:
    policy = a_policy(
        automation=Automation.APPROVE,
        failback_automatic=True,
        failback_soak_ms=10_000,
        min_interval_ms=0,
    )
    world = a_settled_world(a_topology(policy=policy))
    world.ask(DrainAsked(EU, drained=True), request_id="drain")
    assert world.run_for(20_000, lambda: world.writer() == US)
    world.run_for(5_000)
    world.ask(DrainAsked(EU, drained=False), request_id="undrain")
    assert world.run_for(30_000, lambda: bool(intents(world)))
    assert intents(world)[-1].kind is RunKind.FAILBACK
    return world


def test_a_way_home_is_not_proposed_any_more_once_the_owner_itself_is_lost() -> None:
    world = a_world_with_a_failback_proposed()
    world.kill_region(US, with_replica=False)
    world.run_for(20_000)

    assert [each.kind for each in intents(world)] == [RunKind.FAILBACK, RunKind.FAILOVER]
    assert "us-east1 is in trouble itself" in intents(world)[0].outcome


@pytest.mark.parametrize("said", ["policy says failback Manual", "eu-north1 is not UP"])
def test_a_way_home_is_not_proposed_any_more_when(said: str) -> None:
    world = a_world_with_a_failback_proposed()
    if "UP" in said:
        world.ask(OverrideAsked(CHAT, EU, Override.FORCE_UP, 60_000), request_id="up")
    else:
        world.propose(ApplyManifest(a_stamp(), with_policy(Automation.APPROVE)))
    world.run_for(20_000)

    (intent,) = intents(world)
    assert intent.state is IntentState.WITHDRAWN
    assert said in intent.outcome


# -- what is not proposed --------------------------------------------------------------------------


def test_nothing_is_proposed_while_a_run_moves_the_group() -> None:
    ledger = an_owned_ledger(policy=a_policy(automation=Automation.APPROVE))
    ledger.must(a_start(automatic=False))

    assert ledger.rejection(an_intent_command()) is Reason.NOTHING_TO_DO


def test_a_move_home_that_finds_no_room_there_is_not_proposed() -> None:
    sites = tuple(
        replace(each, capacity_rps=1_000 if each.region_id == EU else 9_000)
        for each in a_service().sites
    )
    policy = a_policy(
        automation=Automation.APPROVE,
        failback_automatic=True,
        failback_soak_ms=10_000,
        min_interval_ms=0,
    )
    world = a_settled_world(a_topology(a_service(sites=sites), policy=policy))
    world.ask(DrainAsked(EU, drained=True), request_id="drain")
    assert world.run_for(20_000, lambda: world.writer() == US)
    world.load[CHAT, US] = 2_000
    world.run_for(5_000)
    world.ask(DrainAsked(EU, drained=False), request_id="undrain")
    world.run_for(40_000)

    assert intents(world) == ()
    world.load[CHAT, US] = 100
    assert world.run_for(20_000, lambda: bool(intents(world)))
    assert intents(world)[-1].kind is RunKind.FAILBACK


# -- overrides of before ---------------------------------------------------------------------------


def test_an_override_of_a_release_without_terms_is_held_as_it_was_meant() -> None:
    """Who read it from a snapshot and who from the log must not come to different answers."""
    ledger = an_owned_ledger()
    ledger.must(SetOverride(a_stamp(), CHAT, US, Override.FORCE_DOWN))

    assert ledger.state.overrides
    assert not ledger.state.override_terms


def test_an_override_that_is_asked_for_without_an_end_gets_the_longest_there_is() -> None:
    world = a_settled_world()
    world.ask(OverrideAsked(CHAT, US, Override.FORCE_DOWN))
    world.run_for(500)

    (term,) = world.chief.director.state.override_terms.values()
    assert 0 < term.expires_at_ms - OVERRIDE_MS_MAX <= world.now_ms
