"""A state restored from the past: agents remember what it forgot; a generation starts (A2)."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from director.consensus.port import PAYLOAD_BYTES_MAX
from director.core.commands import (
    AdvanceRun,
    ApplyManifest,
    GrantOwnership,
    RecordVerdicts,
    RunKind,
    StageName,
    StartGeneration,
    TokenShown,
)
from director.core.directives import Directives
from director.core.effects import (
    Answer,
    Barrier,
    DirectGroup,
    Effect,
    GrantLease,
    Note,
    Propose,
    Publish,
    RefuseLease,
)
from director.core.events import GenerationStarted, Rejected
from director.core.ids import AgentId, FencingToken, GroupId
from director.core.inputs import (
    Asked,
    BarrierPassed,
    LeadershipGained,
    LeaseAsked,
    MoveAsked,
    Reported,
    SnapshotInstalled,
    Ticked,
)
from director.core.machine_generation import GENERATION_JUMP_MAX
from director.core.observations import GateReading
from director.core.reasons import Reason
from director.core.routes import Compiled, compile_table
from director.core.state import State
from director.core.timing import DEFAULT_TIMING
from director.core.tokens_shown import TokensShown
from director.routing.table import RegionId
from director.service.codec import decode_command, encode_command
from tests.core import builders
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    EU,
    REGIONS,
    SA,
    STAGES,
    US,
    Ledger,
    a_ledger,
    a_region,
    a_report,
    a_service_reading,
    a_stamp,
    a_topology,
    an_owned_ledger,
    says,
    started,
)
from tests.core.test_director import Shell, only
from tests.core.world import Replica, World, a_settled_world

LEASE_WAIT_MS = DEFAULT_TIMING.lease_wait_ms
AGENT = AgentId("agent")


def shown(
    epoch: int,
    *,
    generation: int = 1,
    region: RegionId = US,
    group: GroupId = CHAT_GROUP,
    home: RegionId | None = None,
) -> TokenShown:
    return TokenShown(group, region, AGENT, FencingToken(generation, epoch), home)


def a_gate(epoch: int, *, generation: int = 1, promised: int | None = None) -> GateReading:
    promise = None if promised is None else FencingToken(generation, promised)
    return GateReading(
        CHAT_GROUP, FencingToken(generation, epoch), is_open=False, demoted_through=promise
    )


def a_start(*tokens: TokenShown, generation: int = 2, expected: int = 1) -> StartGeneration:
    return StartGeneration(a_stamp(), generation, expected, tokens)


# -- the command -----------------------------------------------------------------------------------


def test_a_new_generation_keeps_homes_and_epochs_and_raises_every_token() -> None:
    ledger = an_owned_ledger()
    before = ledger.state

    event = ledger.must(a_start(shown(7)))

    assert event == GenerationStarted(ledger.state.applied_index, 2, (shown(7),))
    assert ledger.state.groups == before.groups
    assert ledger.token() == FencingToken(2, 1) > FencingToken(1, 7)
    assert ledger.state.changed_index == ledger.state.applied_index


def test_tokens_that_were_granted_by_the_time_of_the_entry_start_no_generation() -> None:
    ledger = an_owned_ledger()

    assert ledger.rejection(a_start(shown(1))) is Reason.NOTHING_TO_DO


def test_only_the_tokens_that_prove_something_are_told() -> None:
    ledger = an_owned_ledger()

    event = ledger.must(a_start(shown(1, region=EU), shown(7), generation=2))

    assert isinstance(event, GenerationStarted)
    assert event.shown == (shown(7),)


def test_of_two_new_generations_decided_at_once_the_second_changes_nothing() -> None:
    ledger = an_owned_ledger()
    ledger.must(a_start(shown(7)))

    assert ledger.rejection(a_start(shown(9))) is Reason.STALE_EPOCH


@pytest.mark.parametrize("generation", [3, 5, GENERATION_JUMP_MAX + 3])
def test_a_generation_is_above_all_that_were_shown_and_not_far_above(generation: int) -> None:
    ledger = an_owned_ledger()

    reason = ledger.rejection(a_start(shown(1, generation=5), generation=generation))

    assert reason is Reason.INVALID_REQUEST


def test_a_group_that_this_state_never_knew_counts_as_well() -> None:
    ledger = a_ledger()

    ledger.must(a_start(shown(3, group=GroupId("gone/0"))))

    assert ledger.state.generation == 2


def test_a_group_whose_service_was_removed_is_still_known() -> None:
    ledger = an_owned_ledger()
    nothing = replace(a_topology(), services=())
    ledger.must(ApplyManifest(a_stamp(), nothing, allow_removed=(CHAT,)))

    assert ledger.rejection(a_start(shown(1))) is Reason.NOTHING_TO_DO


def test_the_command_survives_the_log() -> None:
    command = a_start(shown(7), shown(9, region=EU))

    assert decode_command(encode_command(command), index=1) == command


# -- what follows from it --------------------------------------------------------------------------


def test_agents_are_directed_under_the_new_token_and_nothing_else_changes() -> None:
    ledger = an_owned_ledger()
    before = ledger.state
    ledger.must(a_start(shown(7)))

    told = Directives(before).changes(before, ledger.state)

    assert told == [DirectGroup(CHAT_GROUP, CHAT, EU, FencingToken(2, 1), demote=False)]


def test_routes_of_a_new_generation_are_all_new_to_whoever_follows_them() -> None:
    ledger = an_owned_ledger()
    old = compile_table(ledger.state, ())
    before = Compiled(ledger.state, old)
    ledger.must(a_start(shown(7)))

    new = compile_table(ledger.state, (), before)

    assert (new.generation, new.revision) > (old.generation, old.revision)
    assert [(each.generation, each.epoch) for each in new.services] == [(2, 1)]


def advanced_to(stage: StageName) -> Ledger:
    """A ledger whose failover from Europe to the United States is in ``stage``."""
    ledger = an_owned_ledger()
    run_id = started(ledger)
    for before, after in pairwise(STAGES[: STAGES.index(stage) + 1]):
        ledger.must(AdvanceRun(a_stamp(), run_id, before, after))
    return ledger


@pytest.mark.parametrize("stage", [StageName.CONFIRMING, StageName.FENCING])
def test_a_run_that_had_granted_nothing_ends_because_its_ground_lies_in_the_past(
    stage: StageName,
) -> None:
    ledger = advanced_to(stage)

    ledger.must(replace(a_start(shown(7)), stamp=replace(a_stamp(), wall_ms=77)))

    assert (ledger.run().stage, ledger.run().cause) == (StageName.ABORTED, "STATE_RESTORED")
    assert ledger.run().ended_wall_ms == 77
    assert (ledger.group().home, ledger.token()) == (EU, FencingToken(2, 1))


@pytest.mark.parametrize("stage", [StageName.PROMOTING, StageName.VERIFYING])
def test_a_run_that_had_granted_goes_on_under_the_new_token(stage: StageName) -> None:
    ledger = advanced_to(stage)

    ledger.must(a_start(shown(7)))

    assert ledger.run().stage is stage
    assert (ledger.group().home, ledger.token()) == (US, FencingToken(2, 2))


def test_a_run_of_a_group_that_has_another_owner_ends_whatever_its_stage() -> None:
    ledger = advanced_to(StageName.PUBLISHING)

    ledger.must(a_start(*(shown(7, region=each, home=AP) for each in (US, SA))))

    assert ledger.run().stage is StageName.ABORTED
    assert (ledger.group().home, ledger.group().serving) == (AP, AP)


# -- who owns --------------------------------------------------------------------------------------


def owner_after(*words: TokenShown) -> tuple[RegionId | None, RegionId | None, FencingToken]:
    """Let Europe own by the state, agents show ``words``, and say who owns then."""
    ledger = an_owned_ledger()
    event = ledger.must(a_start(*words))
    assert isinstance(event, GenerationStarted)
    group = ledger.group()
    assert event.moved == (() if group.home == EU else (CHAT_GROUP,))
    return group.home, group.serving, ledger.token()


def test_the_owner_that_two_regions_name_under_the_highest_token_goes_on_owning() -> None:
    found = owner_after(
        shown(3, region=EU, home=AP), shown(4, region=AP, home=US), shown(4, region=SA, home=US)
    )

    assert found == (US, US, FencingToken(2, 4))


def test_another_home_gets_another_epoch_although_a_later_generation_showed_a_lower_one() -> None:
    """A plan that was decided for the home before compares epochs (A9)."""
    ledger = an_owned_ledger()
    stale = builders.a_start(US, epoch=ledger.group().epoch)

    ledger.must(
        a_start(*(shown(1, generation=2, region=each, home=AP) for each in (US, SA)), generation=3)
    )

    assert (ledger.group().home, ledger.token()) == (AP, FencingToken(3, 2))
    assert ledger.rejection(stale) is Reason.STALE_EPOCH


def test_a_region_that_says_of_itself_alone_that_it_owns_gets_nothing() -> None:
    assert owner_after(shown(7, region=US, home=US))[0] == EU


def test_the_owner_of_the_state_is_believed_against_itself() -> None:
    assert owner_after(shown(7, region=EU, home=US))[0] == US


def test_agents_that_disagree_about_one_token_move_nothing() -> None:
    assert owner_after(shown(7, home=US), shown(7, region=AP, home=AP))[0] == EU


def test_a_region_without_a_site_of_the_service_cannot_have_owned_it() -> None:
    assert owner_after(shown(7, home=SA), shown(7, region=AP, home=SA))[0] == EU


def test_agents_of_one_failure_domain_count_as_one() -> None:
    regions = (
        a_region(AP, failure_domain="one"),
        a_region(EU),
        a_region(US, failure_domain="one"),
    )
    ledger = Ledger()
    ledger.must(ApplyManifest(a_stamp(), a_topology(regions=regions)))
    ledger.must(GrantOwnership(a_stamp(), CHAT_GROUP, EU, 0))

    ledger.must(a_start(shown(7, region=US, home=US), shown(7, region=AP, home=US)))

    assert ledger.group().home == EU


# -- what agents show ------------------------------------------------------------------------------


def test_a_token_that_a_replica_learns_of_late_proves_nothing() -> None:
    tokens, ledger = TokensShown(), a_ledger()
    tokens.take(ledger.state, EU, AGENT, (a_gate(1),))
    assert tokens.ahead_of(ledger.state, now_ms=0) == (shown(1, region=EU),)

    ledger.must(GrantOwnership(a_stamp(), CHAT_GROUP, EU, 0))

    assert tokens.ahead_of(ledger.state, now_ms=0) == ()
    assert remedy_of(tokens, ledger) is None


def remedy_of(tokens: TokensShown, ledger: Ledger) -> StartGeneration | None:
    return tokens.remedy(ledger.state, a_stamp(), is_complete=True, now_ms=0)


def test_a_promise_shows_a_token_too() -> None:
    tokens, ledger = TokensShown(), an_owned_ledger()

    tokens.take(ledger.state, EU, AGENT, (a_gate(1, promised=4),))

    assert tokens.ahead_of(ledger.state, now_ms=0) == (shown(4, region=EU),)


def test_the_remedy_is_above_the_highest_generation_shown() -> None:
    tokens, ledger = TokensShown(), an_owned_ledger()
    tokens.take(ledger.state, EU, AGENT, (a_gate(2, generation=4),))
    tokens.take(ledger.state, US, AGENT, (a_gate(9),))

    remedy = remedy_of(tokens, ledger)

    assert remedy == a_start(shown(2, generation=4, region=EU), shown(9, region=US), generation=5)
    ledger.must(remedy)
    assert remedy_of(tokens, ledger) is None


def test_while_regions_are_missing_their_agents_are_waited_for_and_not_for_ever() -> None:
    tokens, ledger = TokensShown(), an_owned_ledger()
    tokens.take(ledger.state, US, AGENT, (a_gate(9),))

    found = [
        tokens.remedy(ledger.state, a_stamp(), is_complete=False, now_ms=now_ms) is not None
        for now_ms in (7_000, 11_999, 12_000)
    ]

    assert found == [False, False, True]


def test_a_token_from_far_beyond_is_refused_and_said_once() -> None:
    tokens, ledger = TokensShown(), an_owned_ledger()
    absurd = a_gate(1, generation=2**63)

    tokens.take(ledger.state, EU, AGENT, (absurd,))
    news = tokens.news(applied_index=9)
    tokens.take(ledger.state, EU, AGENT, (absurd,))

    assert tokens.ahead_of(ledger.state, now_ms=0) == ()
    assert [type(each.event) for each in news] == [Rejected]
    assert tokens.news(applied_index=9) == []


def test_an_epoch_from_far_beyond_is_refused_too_for_the_log_could_not_hold_it() -> None:
    tokens, ledger = TokensShown(), an_owned_ledger()

    tokens.take(ledger.state, EU, AGENT, (a_gate(2**63),))

    assert tokens.ahead_of(ledger.state, now_ms=0) == ()
    assert [type(each.event) for each in tokens.news(applied_index=9)] == [Rejected]


def test_however_much_agents_show_and_however_they_name_it_the_command_fits_into_an_entry() -> None:
    tokens, ledger = TokensShown(), an_owned_ledger()
    rng = random.Random(1)
    for region in REGIONS:
        invented = tuple(
            GateReading(
                GroupId(f"{rng.getrandbits(400):0100x}/{number:05}"),
                FencingToken(1, 1),
                is_open=False,
                home=RegionId(f"{rng.getrandbits(400):0100x}"),
            )
            for number in range(2_000)
        )
        endless = GateReading(GroupId("x" * 2_000_000), FencingToken(1, 1), is_open=False)
        tokens.take(ledger.state, region, AgentId("a" * 200), (endless, *invented))

    remedy = remedy_of(tokens, ledger)

    assert remedy is not None
    assert len(remedy.shown) > 1_000
    assert len(encode_command(remedy)) < PAYLOAD_BYTES_MAX
    ledger.must(remedy)
    assert not tokens.holds_back(ledger.state, now_ms=0)


def test_the_owner_that_one_agent_of_a_region_did_not_know_is_taken_from_another() -> None:
    tokens, ledger = TokensShown(), an_owned_ledger()
    knowing = replace(a_gate(7), home=US)

    tokens.take(ledger.state, AP, AgentId("old"), (a_gate(7),))
    tokens.take(ledger.state, AP, AGENT, (knowing,))

    assert tokens.ahead_of(ledger.state, now_ms=0) == (shown(7, region=AP, home=US),)


def test_each_time_anew_missing_agents_are_waited_for() -> None:
    tokens, ledger = TokensShown(), an_owned_ledger()
    tokens.take(ledger.state, US, AGENT, (a_gate(9),))
    assert not is_remedied(tokens, ledger, now_ms=0)
    assert is_remedied(tokens, ledger, now_ms=5_000)
    ledger.must(a_start(shown(9)))
    assert not tokens.holds_back(ledger.state, now_ms=5_000)

    tokens.take(ledger.state, AP, AGENT, (a_gate(9, generation=2),))

    assert tokens.holds_back(ledger.state, now_ms=100_000)
    assert not is_remedied(tokens, ledger, now_ms=100_000)
    assert is_remedied(tokens, ledger, now_ms=105_000)


def is_remedied(tokens: TokensShown, ledger: Ledger, *, now_ms: int) -> bool:
    return tokens.remedy(ledger.state, a_stamp(), is_complete=False, now_ms=now_ms) is not None


def test_a_region_that_shows_ever_higher_tokens_counts_once_a_minute() -> None:
    tokens, ledger = TokensShown(), an_owned_ledger()
    tokens.take(ledger.state, EU, AGENT, (a_gate(2),))
    event = ledger.must(remedy_of(tokens, ledger) or a_start())
    assert isinstance(event, GenerationStarted)
    tokens.counted(event.shown, now_ms=0)

    tokens.take(ledger.state, EU, AGENT, (a_gate(2, generation=8),))

    assert tokens.ahead_of(ledger.state, now_ms=59_999) == ()
    assert tokens.ahead_of(ledger.state, now_ms=60_000) == (shown(2, generation=8, region=EU),)


def test_a_region_that_invents_groups_does_not_hide_what_another_shows() -> None:
    tokens, ledger = TokensShown(), an_owned_ledger()
    invented = tuple(
        GateReading(GroupId(f"none/{number:05}"), FencingToken(1, 1), is_open=False)
        for number in range(5_000)
    )

    tokens.take(ledger.state, AP, AGENT, invented)
    tokens.take(ledger.state, US, AGENT, (a_gate(9),))

    found = tokens.ahead_of(ledger.state, now_ms=0)
    assert len(found) == 2_001
    assert shown(9) in found


# -- one leader ------------------------------------------------------------------------------------


def a_leader_from_the_past() -> Shell:
    """A leader whose state says that Europe owns at epoch 1; everybody says that all is well."""
    shell = Shell(state=an_owned_ledger().state)
    shell.hear(*REGIONS)
    shell.give(LeadershipGained(4))
    return shell


def hear_gate(shell: Shell, region: RegionId, gate: GateReading) -> list[Effect]:
    readings = says(a_service_reading(True), gates=(gate,))
    shell.counter += 1
    report = a_report(region, readings, counter=shell.counter)
    return list(shell.give(Reported(report)))


def ask_lease(shell: Shell, region: RegionId, token: FencingToken) -> list[Effect]:
    asked = LeaseAsked(region, AGENT, CHAT_GROUP, token, 1, is_proven=True, is_holding=False)
    effects = list(shell.give(asked))
    for barrier in only(effects, Barrier):
        effects += shell.give(BarrierPassed(barrier.barrier_id, barrier.term))
    return effects


def test_a_leader_that_is_shown_an_unknown_token_starts_a_generation_at_once() -> None:
    shell = a_leader_from_the_past()

    proposed = only(hear_gate(shell, US, a_gate(7)), Propose)

    commands = [each.command for each in proposed if isinstance(each.command, StartGeneration)]
    assert [(each.generation, each.expected_generation, each.shown) for each in commands] == [
        (2, 1, (shown(7),))
    ]


def test_it_is_proposed_once_and_noted_published_and_directed_when_it_is_written() -> None:
    shell = a_leader_from_the_past()
    first = only(hear_gate(shell, US, a_gate(7)), Propose)
    again = only(shell.give(Ticked(), at_ms=shell.now_ms + 200), Propose)
    assert not [each for each in again if isinstance(each.command, StartGeneration)]

    effects = [
        effect
        for each in first
        if isinstance(each.command, StartGeneration)
        for effect in shell.commit(each.command)
    ]

    notes = [each.event for each in only(effects, Note)]
    assert GenerationStarted(shell.index, 2, (shown(7),)) in notes
    assert [each.token for each in only(effects, DirectGroup)] == [FencingToken(2, 1)]
    assert [each.table.generation for each in only(effects, Publish)] == [2]


def test_until_the_generation_is_written_nobody_is_granted_a_lease() -> None:
    shell = a_leader_from_the_past()
    shell.give(Ticked(), at_ms=shell.now_ms + LEASE_WAIT_MS)
    hear_gate(shell, US, a_gate(7))

    effects = ask_lease(shell, EU, FencingToken(1, 1))

    assert only(effects, GrantLease) == []
    assert [each.reason for each in only(effects, RefuseLease)] == ["GENERATION_DUE"]


def test_until_the_generation_is_written_no_run_starts_and_nothing_is_granted() -> None:
    shell = Shell(state=a_ledger().state)
    shell.give(LeadershipGained(4))
    shell.hear(*REGIONS)
    hear_gate(shell, SA, a_gate(7))

    effects = list(shell.give(Ticked(), at_ms=shell.now_ms + 20_000))
    shell.give(LeadershipGained(4))

    kinds = {type(each.command) for each in only(effects, Propose)}
    assert GrantOwnership not in kinds


def test_until_the_generation_is_written_an_operator_moves_nothing() -> None:
    shell = a_leader_from_the_past()
    hear_gate(shell, US, a_gate(7))
    shell.hear(EU, AP)

    effects = shell.give(
        Asked("r1", "maria", "", MoveAsked(RunKind.FAILOVER, CHAT, AP, None, 60_000))
    )

    assert [each.reason for each in only(effects, Answer)] == [Reason.FENCED]


def test_after_it_the_home_waits_until_nobody_can_act_on_what_was_forgotten() -> None:
    shell = a_leader_from_the_past()
    began_ms = shell.now_ms
    shell.commit_all(hear_gate(shell, US, a_gate(7)))
    token = FencingToken(2, 1)

    early = ask_lease(shell, EU, token)
    shell.give(Ticked(), at_ms=began_ms + LEASE_WAIT_MS)
    late = ask_lease(shell, EU, token)

    assert [each.reason for each in only(early, RefuseLease)] == ["SETTLING"]
    assert [each.token for each in only(late, GrantLease)] == [token]


def test_until_the_generation_is_written_leases_wait_also_while_regions_are_missing() -> None:
    shell = Shell(state=an_owned_ledger().state)
    shell.give(LeadershipGained(4))
    shell.give(Ticked(), at_ms=shell.now_ms + LEASE_WAIT_MS)

    proposed = only(hear_gate(shell, US, a_gate(7)), Propose)
    effects = ask_lease(shell, EU, FencingToken(1, 1))

    assert StartGeneration not in [type(each.command) for each in proposed]
    assert [each.reason for each in only(effects, RefuseLease)] == ["GENERATION_DUE"]


def test_a_follower_keeps_what_it_was_shown_for_the_day_it_leads() -> None:
    shell = Shell(state=an_owned_ledger().state)
    shell.hear(*REGIONS)
    hear_gate(shell, US, a_gate(7))

    proposed = only(shell.give(LeadershipGained(4)), Propose)

    assert [type(each.command) for each in proposed] == [StartGeneration, RecordVerdicts]


# -- a whole fleet ---------------------------------------------------------------------------------


def restore(world: World, entries: int, state: State | None = None) -> None:
    """Put every replica back to an old copy of the log. The agents know nothing of it.

    Args:
        world: The world.
        entries: How much of the log there is.
        state: Begin behind the last entry with this, as after an installed snapshot.
    """
    del world.log[entries:]
    for replica in world.replicas.values():
        replica.is_alive = False
    world.leader = None
    world.replicas = {each: Replica(world, each) for each in world.replica_ids}
    if state is not None:
        for replica in world.replicas.values():
            replica.applied = entries
            world.give(replica.replica_id, SnapshotInstalled(state))
    world.elect(world.replica_ids[2])
    for agent in world.agents.values():
        world.greet(agent)
    world.start_telling()


def tokens_acted_on(world: World, ms: int) -> list[tuple[RegionId, FencingToken]]:
    """Run on, and return under which tokens gates were open, in the order they first were."""
    seen: list[tuple[RegionId, FencingToken]] = []
    for _ in range(ms // 50):
        world.run_for(50)
        for agent in world.agents.values():
            gate = agent.gates.get(CHAT_GROUP)
            if gate is not None and agent.is_open(gate):
                pair = (agent.region_id, gate.token)
                if pair not in seen:
                    seen.append(pair)
    return seen


@pytest.mark.parametrize("away_ms", [0, 2_000, 30_000])
def test_restored_from_before_two_moves_nobody_acts_under_an_old_token(away_ms: int) -> None:
    world = a_settled_world()
    copied = len(world.log)
    for target in (US, AP):
        world.move(RunKind.SWITCHOVER, target, request_id=f"to {target}")
        assert world.run_for(30_000, lambda to=target: world.writer() == to)  # type: ignore[misc]
        world.run_for(10_000)
    newest = world.agents[AP].gates[CHAT_GROUP].token
    assert newest == FencingToken(1, 3)
    for replica in world.replicas.values():
        replica.is_alive = False
    acted = tokens_acted_on(world, away_ms)

    restore(world, copied)
    acted += tokens_acted_on(world, 20_000)

    assert world.chief.director.state.generation == 2
    assert world.writer() == AP, "who owned when the directors were lost"
    fresh = [pair for pair in acted if pair != (AP, newest)]
    assert fresh == [(AP, FencingToken(2, 3))]
    world.check_same_state()


def test_with_nobody_left_who_knows_better_the_owner_of_the_copy_acts_under_a_new_token() -> None:
    world = a_settled_world()
    copied = len(world.log)
    world.move(RunKind.SWITCHOVER, US)
    assert world.run_for(30_000, lambda: world.writer() == US)
    world.run_for(10_000)
    for region in (EU, AP, SA):
        world.agents[region].gates.clear()

    restore(world, copied)
    acted = tokens_acted_on(world, 20_000)

    assert acted == [(US, FencingToken(1, 2)), (EU, FencingToken(2, 1))]


def a_restored_world(generation_due: int) -> World:
    """A world restored, by the tool, to before its service moved to the United States."""
    world = a_settled_world()
    copied = len(world.log)
    world.move(RunKind.SWITCHOVER, US)
    assert world.run_for(30_000, lambda: world.writer() == US)
    world.run_for(10_000)
    ledger = Ledger()
    for command in world.log[:copied]:
        ledger.apply(command)
    state = replace(ledger.state, generation_due=generation_due)
    restore(world, copied, state)
    return world


def test_restored_by_the_tool_the_owner_that_the_agents_know_goes_on() -> None:
    world = a_restored_world(2)

    acted = tokens_acted_on(world, 20_000)

    assert world.chief.director.state.generation == 2
    assert [pair for pair in acted if pair[1].generation > 1] == [(US, FencingToken(2, 2))]
    assert {region for region, _ in acted} == {US}
    assert world.chief.director.state.generation_due == 0


def test_restored_by_the_tool_nobody_acts_before_the_generation_that_was_asked_for() -> None:
    world = a_restored_world(9)
    for agent in world.agents.values():
        agent.gates.clear()

    acted = tokens_acted_on(world, 20_000)

    assert [pair for pair in acted if pair[0] == EU] == [(EU, FencingToken(9, 1))]
    assert world.chief.director.state.generation == 9


def test_a_generation_that_is_due_starts_without_proof_and_not_below_the_one_asked_for() -> None:
    state = replace(an_owned_ledger().state, generation_due=5)

    assert Ledger(state).rejection(a_start(generation=4)) is Reason.INVALID_REQUEST
    ledger = Ledger(state)
    assert ledger.must(a_start(generation=5)) == GenerationStarted(state.applied_index + 1, 5, ())
    assert (ledger.state.generation, ledger.state.generation_due) == (5, 0)


def test_a_fleet_that_lost_nothing_stays_in_its_generation() -> None:
    world = a_settled_world()
    world.move(RunKind.SWITCHOVER, US)
    world.run_for(20_000)

    restore(world, len(world.log))
    world.run_for(20_000)

    assert world.chief.director.state.generation == 1
    assert world.writer() == US


def test_directors_that_lost_everything_start_above_what_the_agents_remember() -> None:
    world = a_settled_world()
    world.move(RunKind.SWITCHOVER, US)
    world.run_for(20_000)

    restore(world, 0)
    world.run_for(1_000)
    world.propose(ApplyManifest(a_stamp(), world.topology))
    world.run_for(20_000)

    state = world.chief.director.state
    assert (state.generation, world.writer()) == (2, US)
