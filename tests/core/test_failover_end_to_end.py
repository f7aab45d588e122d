"""Whole failovers in a small world: real replicas, scripted agents, default timing.

After every lease that reaches an agent the world checks that no other region can still be acting.
"""

import pytest

from director.core.commands import RunKind, StageName
from director.core.events import Rejected
from director.core.inputs import AbortAsked, DrainAsked, OverrideAsked
from director.core.reasons import Reason
from director.core.state import Phase
from director.core.topology import Automation
from director.routing.table import Override, RegionId, Verdict
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    D0,
    D1,
    D2,
    DOMAINS,
    EU,
    REGIONS,
    SA,
    STAGES,
    US,
    WEB,
    a_policy,
    a_service,
    a_topology,
    an_active_active,
)
from tests.core.world import World, a_settled_world


def until_writing(world: World, region_id: RegionId, limit_ms: int = 20_000) -> int:
    """Run until ``region_id`` writes, and return how long that took."""
    began_ms = world.now_ms
    found = world.run_for(limit_ms, lambda: world.writer() == region_id)
    assert found, f"{region_id} does not write after {limit_ms} ms: {world.runs()}"
    return world.now_ms - began_ms


def until_stage(world: World, stage: StageName) -> None:
    found = world.run_for(20_000, lambda: bool(world.runs()) and world.runs()[-1].stage is stage)
    assert found, world.runs()


def phase_notes(world: World) -> list[str]:
    return [each.note for each in world.runs()[-1].ledger]


def causes(world: World) -> list[str]:
    """What became of each run: its cause when it was taken back, its stage otherwise."""
    return [run.cause or run.stage for run in world.runs()]


def refusals(world: World) -> list[Reason]:
    """Why automation did not act, as the leader told people."""
    return [event.reason for _, event in world.chief.notes if isinstance(event, Rejected)]


def check_settled(world: World, owner: RegionId) -> None:
    """One owner that alone writes, routes that point at it, nothing under way, equal replicas."""
    state = world.chief.director.state
    group = state.group(CHAT_GROUP)
    assert group is not None
    assert (group.home, group.serving, world.writers()) == (owner, owner, [owner])
    assert state.active_run(CHAT_GROUP) is None
    table = world.chief.table
    assert table is not None
    route = next(each for each in table.services if each.service_id == CHAT)
    assert (route.owner, route.epoch) == (owner, group.epoch)
    world.check_same_state()


# -- the home is lost ------------------------------------------------------------------------------


def test_the_preferred_region_becomes_the_first_owner() -> None:
    world = a_settled_world()

    check_settled(world, EU)
    assert world.runs() == ()
    assert [world.verdict(each) for each in (EU, US, AP)] == [Verdict.UP] * 3


@pytest.mark.parametrize("moment_ms", [0, 391, 741])
@pytest.mark.parametrize("refusing", [True, False])
def test_a_killed_region_is_replaced_within_the_promised_time(
    moment_ms: int, refusing: bool
) -> None:
    world = a_settled_world()
    world.run_for(moment_ms)

    world.kill_region(EU, refusing=refusing)
    took_ms = until_writing(world, US)

    # The last lease was granted up to one second before the end, and ends for sure 4.2 s after its
    # grant: 3.2 to 4.2 s from the fault; commits, directives and a barrier add a fifth of a second.
    assert 3_200 <= took_ms <= 5_500
    world.run_for(3_000)
    assert world.stages() == list(STAGES)
    run = world.runs()[-1]
    assert (run.source, run.target, run.source_epoch, run.kind) == (EU, US, 1, RunKind.FAILOVER)
    assert [each.phase for each in run.ledger] == list(Phase)
    assert run.measured_rto_ms is not None
    # Measured from the first bad sign: the first failed probe, up to half a second after the fault,
    # or the last beat, up to half a second before it; and to the last watcher, a moment later.
    assert took_ms - 600 <= run.measured_rto_ms <= took_ms + 700
    check_settled(world, US)


@pytest.mark.parametrize("moment_ms", [0, 317, 761])
@pytest.mark.parametrize("refusing", [True, False])
def test_the_leader_lost_with_the_region_costs_an_election_and_a_whole_lease(
    moment_ms: int, refusing: bool
) -> None:
    world = a_settled_world(leader=D0)
    world.run_for(moment_ms)

    world.kill_region(EU, refusing=refusing)
    took_ms = until_writing(world, US)

    # 1.5 s of election; the new leader assumes a renewal at its election and waits 4.2 s.
    assert 5_000 <= took_ms <= 7_700
    world.run_for(3_000)
    assert causes(world) == [StageName.SETTLED]
    check_settled(world, US)


@pytest.mark.parametrize("stage", list(STAGES[:-1]))
def test_a_leader_lost_in_any_stage_leaves_a_run_that_the_next_one_finishes(
    stage: StageName,
) -> None:
    world = a_settled_world()
    world.kill_region(EU)
    until_stage(world, stage)

    world.kill_replica(D1)
    world.run_for(15_000)

    # D0 fell with its region and D1 after it: two of three replicas are gone. The world elects all
    # the same, because what is tested is the plan and not the quorum.
    assert world.leader == D2
    check_settled(world, US)
    assert causes(world) == [StageName.SETTLED]


def test_an_agent_that_ends_alone_is_unknown_and_its_group_moves_when_the_lease_has_ended() -> None:
    world = a_settled_world()
    began_ms = world.now_ms

    world.agents[EU].kill()
    took_ms = until_writing(world, US)

    assert 3_200 <= took_ms <= 5_500
    assert world.verdicts_seen(EU, began_ms) == [Verdict.UNKNOWN]
    world.run_for(3_000)
    assert "confirmed: SILENT" in phase_notes(world)
    check_settled(world, US)


def test_an_agent_that_is_back_before_its_lease_ends_was_never_gone() -> None:
    world = a_settled_world()

    world.agents[EU].kill()
    world.run_for(2_600)
    assert world.verdict(EU) is Verdict.UNKNOWN
    world.agents[EU].restart()
    world.run_for(20_000)

    assert world.runs() == ()
    check_settled(world, EU)
    assert world.verdict(EU) is Verdict.UP


def test_an_agent_that_is_back_while_its_silence_is_being_confirmed_keeps_its_group() -> None:
    world = a_settled_world()
    world.agents[EU].kill()
    until_stage(world, StageName.CONFIRMING)

    world.agents[EU].restart()
    world.run_for(20_000)

    assert causes(world) == ["EVIDENCE_RETRACTED"]
    check_settled(world, EU)


def test_a_service_that_fails_behind_a_beating_agent_moves_by_demotion_before_its_lease() -> None:
    world = a_settled_world()
    began_ms = world.now_ms

    world.outside_out = {(CHAT, EU)}
    world.refusing = {EU}
    took_ms = until_writing(world, US)

    # Three refused probes, one more round, and half a second for the last permit: the lease that
    # is renewed every second would never run out.
    assert took_ms <= 3_000
    world.run_for(3_000)
    assert world.verdicts_seen(EU, began_ms)[-1] is Verdict.DOWN
    assert "eu-north1 confirmed that it stopped" in phase_notes(world)
    check_settled(world, US)


def test_a_service_that_its_own_agent_sees_fail_moves_by_demotion() -> None:
    world = a_settled_world()

    world.inside_out = {(CHAT, EU)}
    took_ms = until_writing(world, US)

    assert took_ms <= 3_500
    world.run_for(3_000)
    assert "confirmed: SELF_FAIL" in phase_notes(world)
    check_settled(world, US)


def test_an_owner_that_is_cut_off_stops_before_anybody_else_begins() -> None:
    world = a_settled_world()
    world.cut(EU)

    until_writing(world, US)
    world.run_for(3_000)
    check_settled(world, US)

    # Healed, it learns of the new epoch and stays closed; nobody moves the group back.
    world.heal(EU)
    world.run_for(20_000)
    check_settled(world, US)
    assert causes(world) == [StageName.SETTLED]


# -- the home is not lost --------------------------------------------------------------------------


def test_one_accusing_peer_moves_nothing() -> None:
    world = a_settled_world()

    world.blocked = {(US, EU)}
    world.run_for(30_000)

    assert (world.runs(), world.verdict(EU)) == ((), Verdict.DEGRADED)
    check_settled(world, EU)


def test_an_observer_that_is_cut_off_itself_moves_nothing() -> None:
    world = a_settled_world()

    # It reaches nobody, and so accuses everyone; another path is really broken.
    world.blocked = {(AP, each) for each in REGIONS} | {(US, EU)}
    world.run_for(30_000)

    assert world.runs() == ()
    check_settled(world, EU)


def test_a_blip_that_is_taken_back_while_it_is_being_confirmed_makes_one_run_and_no_more() -> None:
    world = a_settled_world()
    world.outside_out = {(CHAT, EU)}
    until_stage(world, StageName.CONFIRMING)

    world.outside_out = set()
    world.run_for(30_000)

    # The verdict stays DOWN for five more seconds (hysteresis); nobody starts again on it.
    assert causes(world) == ["EVIDENCE_RETRACTED"]
    assert world.verdict(EU) is Verdict.UP
    check_settled(world, EU)


@pytest.mark.slow
def test_a_healthy_hour_with_jitter_and_pauses_of_two_seconds_moves_nothing() -> None:
    world = a_settled_world(jitter_ms=40, seed=7)

    for minute in range(60):
        world.freeze_agent(REGIONS[minute % len(REGIONS)], for_ms=2_000)
        world.run_for(60_000)

    assert world.runs() == ()
    seen = {verdict for region_id in REGIONS for verdict in world.verdicts_seen(region_id, 0)}
    assert Verdict.DOWN not in seen
    check_settled(world, EU)


# -- the second failure ----------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [StageName.CONFIRMING, StageName.FENCING, StageName.PROMOTING])
def test_a_target_lost_during_the_failover_gives_way_to_the_next(stage: StageName) -> None:
    world = a_settled_world()
    world.kill_region(EU, refusing=True)
    until_stage(world, stage)

    world.kill_region(US, refusing=True, with_replica=False)
    until_writing(world, AP, 40_000)
    world.run_for(3_000)

    assert causes(world) == ["TARGET_LOST", StageName.SETTLED]
    check_settled(world, AP)


def test_a_target_lost_while_a_cut_off_owner_still_holds_its_lease_makes_no_second_writer() -> None:
    # The run is taken back in FENCING, so Europe gets epoch 2; cut off, it acts under epoch 1 until
    # its lease ends. A run that began anew must wait for that lease, and not for one on epoch 2.
    world = a_settled_world()
    world.inside_out = {(CHAT, EU)}
    until_stage(world, StageName.FENCING)
    world.agents[EU].is_cut = True
    world.inside_out.add((CHAT, US))
    written_until_ms = world.agents[EU].gates[CHAT_GROUP].until_ms

    until_writing(world, AP)

    assert world.now_ms >= written_until_ms
    assert causes(world)[0] == "TARGET_LOST"


def test_a_target_that_never_opens_its_gate_is_given_up_for_the_next() -> None:
    world = a_settled_world()
    world.agents[US].opens_gate = False
    world.kill_region(EU)

    until_writing(world, AP, 60_000)
    world.run_for(3_000)

    assert causes(world)[0] == "TARGET_LOST"
    check_settled(world, AP)
    # The service has been without a writer since Europe was lost; the account says so.
    measured_ms = world.runs()[-1].measured_rto_ms
    assert measured_ms is not None
    assert measured_ms > 9_000


def test_the_same_region_lost_again_within_the_cooldown_is_held_and_said_so_once() -> None:
    world = a_settled_world()
    world.kill_region(EU)
    until_writing(world, US)
    world.run_for(5_000)

    world.kill_region(US, with_replica=False)
    world.run_for(30_000)

    assert causes(world) == [StageName.SETTLED]
    assert world.home() == US
    assert refusals(world).count(Reason.COOLDOWN) == 1


def test_a_failover_by_hand_long_after_the_fault_still_knows_the_loss() -> None:
    world = a_settled_world(a_topology(policy=a_policy(automation=Automation.APPROVE)))
    world.kill_region(EU)
    world.run_for(120_000)
    assert (world.runs(), refusals(world)) == ((), [Reason.AUTOMATION_OFF])

    world.move(RunKind.FAILOVER)
    until_writing(world, US)

    # Two minutes of samples from a copy without a source prove nothing; the last one from before
    # the fault does: the lease could run 4.2 s on, the sample was up to half a second old.
    bound_ms = world.runs()[-1].loss_bound_ms
    assert bound_ms is not None
    assert 3_000 <= bound_ms <= 5_500


# -- planned moves ---------------------------------------------------------------------------------


def test_a_switchover_demotes_first_and_loses_nothing() -> None:
    world = a_settled_world()

    world.move(RunKind.SWITCHOVER, US)
    took_ms = until_writing(world, US)
    world.run_for(3_000)

    assert took_ms <= 3_000
    assert world.stages() == [StageName.DRAINING, *STAGES[1:]]
    assert "eu-north1 confirmed that it stopped; us-east1 has every write" in phase_notes(world)
    check_settled(world, US)


def test_a_drained_home_moves_and_routes_point_at_it_until_it_has() -> None:
    world = a_settled_world()

    world.ask(DrainAsked(EU, drained=True))
    world.run_for(60)
    assert world.chief.director.state.drained_regions == (EU,)
    assert world.writers() == [EU]
    until_writing(world, US)
    world.run_for(3_000)

    assert [(run.kind, run.stage) for run in world.runs()] == [
        (RunKind.SWITCHOVER, StageName.SETTLED)
    ]
    check_settled(world, US)


def test_a_drain_that_cannot_be_followed_up_does_not_stop_the_writes_again_and_again() -> None:
    world = a_settled_world()
    for region_id in (US, AP):
        world.lag[CHAT, region_id] = 1_500  # close enough to begin
    world.ask(DrainAsked(EU, drained=True))
    until_stage(world, StageName.FENCING)
    for region_id in (US, AP):
        world.lag[CHAT, region_id] = 3_600_000  # and never complete
    until_stage(world, StageName.ABORTED)
    for region_id in (US, AP):
        world.lag[CHAT, region_id] = 1_500
    world.run_for(50_000)

    assert (causes(world), refusals(world)) == (["LAG"], [Reason.COOLDOWN])
    check_settled(world, EU)
    # A minute after it was taken back it is tried once more.
    world.run_for(20_000)
    assert causes(world) == ["LAG", StageName.SETTLED]


def test_a_switchover_whose_home_dies_becomes_a_failover() -> None:
    world = a_settled_world()
    world.move(RunKind.SWITCHOVER, US)
    until_stage(world, StageName.FENCING)

    world.kill_region(EU)
    until_writing(world, US)
    world.run_for(3_000)

    assert causes(world)[-1] == StageName.SETTLED
    check_settled(world, US)


def test_a_switchover_taken_back_by_its_operator_gives_the_home_its_writes_back() -> None:
    world = a_settled_world()
    world.move(RunKind.SWITCHOVER, US)
    until_stage(world, StageName.FENCING)

    world.ask(AbortAsked(world.runs()[-1].run_id), request_id="r2")
    world.run_for(5_000)

    assert causes(world) == ["CANCELLED"]
    check_settled(world, EU)


def test_a_home_forced_down_moves_although_it_is_well() -> None:
    world = a_settled_world()

    world.ask(OverrideAsked(CHAT, EU, Override.FORCE_DOWN))
    until_writing(world, US)
    world.run_for(3_000)

    check_settled(world, US)


def test_a_home_forced_up_stays_whatever_its_peers_say() -> None:
    world = a_settled_world()
    world.ask(OverrideAsked(CHAT, EU, Override.FORCE_UP))

    world.outside_out = {(CHAT, EU)}
    world.run_for(20_000)

    assert (world.verdict(EU), world.runs()) == (Verdict.DOWN, ())
    check_settled(world, EU)


def test_the_old_home_that_comes_back_is_well_and_gets_nothing_back() -> None:
    world = a_settled_world()
    world.kill_region(EU)
    until_writing(world, US)
    world.run_for(3_000)

    world.revive_region(EU)
    world.run_for(60_000)

    assert world.verdict(EU) is Verdict.UP
    assert causes(world) == [StageName.SETTLED]
    check_settled(world, US)


# -- what automation leaves alone ------------------------------------------------------------------


def test_directors_in_two_failure_domains_do_not_act_by_themselves() -> None:
    domains = {**DOMAINS, D2: DOMAINS[D1]}
    world = a_settled_world(domains=domains)

    world.kill_region(EU)
    world.run_for(20_000)

    assert (world.runs(), refusals(world)) == ((), [Reason.AUTOMATION_OFF])


def test_a_service_without_a_gate_is_moved_by_hand_only() -> None:
    world = a_settled_world(a_topology(a_service(gated=False)))

    world.kill_region(EU)
    world.run_for(20_000)
    assert (world.runs(), refusals(world)) == ((), [Reason.AUTOMATION_OFF])

    world.move(RunKind.FAILOVER)
    until_writing(world, US)


def test_no_region_within_the_rpo_means_no_automatic_failover() -> None:
    world = a_settled_world(a_topology(a_service(rpo_ms=3_000)))

    world.kill_region(EU)
    world.run_for(20_000)

    assert (world.runs(), refusals(world)) == ((), [Reason.NO_ELIGIBLE_REGION])


# -- active-active ---------------------------------------------------------------------------------


def test_a_lost_region_leaves_the_routes_of_an_active_active_service_within_seconds() -> None:
    world = a_settled_world(a_topology(an_active_active(), a_service()))
    world.kill_region(EU)
    began_ms = world.now_ms

    def is_out() -> bool:
        table = world.chief.table
        assert table is not None
        route = next(each for each in table.services if each.service_id == WEB)
        site = next(each for each in route.sites if each.region_id == EU)
        return site.verdict is Verdict.DOWN and not site.withheld

    assert world.run_for(10_000, is_out)
    # Up to half a second to the next probe, three deadlines of half a second, two re-probes.
    assert world.now_ms - began_ms <= 3_000


def test_a_second_region_lost_within_the_window_is_kept_in_service_until_the_window_ends() -> None:
    world = a_settled_world(a_topology(an_active_active()))
    world.outside_out = {(WEB, EU)}
    world.run_for(10_000)
    world.outside_out = {(WEB, EU), (WEB, US)}
    world.run_for(10_000)

    state = world.chief.director.state
    assert state.verdicts[WEB, EU].withheld == ""
    assert state.verdicts[WEB, US].withheld == "VELOCITY_CAP"
    world.run_for(60_000)
    assert world.chief.director.state.verdicts[WEB, US].withheld == ""


def test_every_region_failing_at_once_leaves_the_others_in_service() -> None:
    world = a_settled_world(a_topology(an_active_active()))

    world.inside_out = {(WEB, each) for each in (AP, EU, US)}
    world.run_for(200_000)

    verdicts = world.chief.director.state.verdicts
    withheld = sorted(verdicts[WEB, each].withheld for each in (AP, EU, US))
    # The first was taken out while others were well; with nobody well the rest stays (R4).
    assert withheld == ["", "NEVER_LAST", "NEVER_LAST"]


def test_a_region_that_only_holds_an_observer_owns_nothing() -> None:
    world = a_settled_world()

    assert world.agents[SA].gates == {}
    assert D0 in world.replicas
