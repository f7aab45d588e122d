"""Faults that a review of the failover rules found, each told as the story that showed it.

D2: a lag sample was dated by its arrival, so that a stalled report seemed to cover more than it
does. D3: one promise was enough although another agent might hold an older leader's lease. D4: a
home whose gate never opens was left alone. D5: a long hold ended its own run. D6: a silent agent
was given up before its lease had ended. D10: a drain moved a service that cannot be fenced.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from director.core.commands import RunKind, StageName
from director.core.effects import Barrier, GrantLease
from director.core.failover import Ineligible, candidates, covered_through_ms, loss_bound_ms
from director.core.ids import AgentId, FencingToken
from director.core.inputs import DrainAsked, LeaseAsked
from director.core.lease import LeaseBook, LeaseEffect
from director.core.observation_log import ObservationLog
from director.core.state import State
from director.core.timing import DEFAULT_TIMING
from director.routing.table import RegionId, ServiceId
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    D0,
    D1,
    EU,
    SA,
    US,
    Watch,
    a_gate,
    a_policy,
    a_report,
    a_service,
    a_service_reading,
    a_topology,
    an_owned_ledger,
    says,
)
from tests.core.world import World, a_settled_world

PAIR = (CHAT, US)
STALL_MS = 1_500

# -- D2: when a lag sample was taken ---------------------------------------------------------------


class CopyingWorld(World):
    """A world whose copy in the United States follows, or stays as it was at an instant."""

    def __init__(self) -> None:
        super().__init__()
        self.stuck_at_ms: int | None = None
        self.last_write_ms = 0

    def lag_ms(self, service_id: ServiceId, region_id: RegionId) -> int | None:
        if region_id == US and self.stuck_at_ms is not None:
            return self.now_ms - self.stuck_at_ms
        return super().lag_ms(service_id, region_id)

    @property
    def copied_through_ms(self) -> int:
        """Every write up to here is in the copy, in truth."""
        lag_ms = self.lag_ms(CHAT, US)
        assert lag_ms is not None
        return self.now_ms - lag_ms

    def runs_until(self, within_ms: int, until: Callable[[], bool]) -> bool:
        """Run on, noting at every event whether Europe may still acknowledge a write."""

        def look() -> bool:
            gate = self.agents[EU].gates[CHAT_GROUP]
            if self.agents[EU].is_open(gate):
                self.last_write_ms = self.now_ms
            return until()

        return self.run_for(within_ms, look)


def a_stalled_world() -> CopyingWorld:
    """The reports of the target take long to every director; nothing is lost, all are in order."""
    world = CopyingWorld()
    world.start_telling()
    world.run_until(12_000)
    world.report_ms[US] = STALL_MS
    world.run_for(6_000)
    return world


def test_a_planned_move_loses_nothing_when_the_target_s_reports_are_stalled() -> None:
    world = a_stalled_world()
    # From here on the copy gets nothing, and the reports that are on their way do not know it.
    world.stuck_at_ms = world.now_ms
    world.run_for(700)
    world.move(RunKind.SWITCHOVER, US)

    def is_over() -> bool:
        return bool(world.runs()) and world.runs()[-1].stage in (
            StageName.ABORTED,
            StageName.SETTLED,
        )

    assert world.runs_until(40_000, is_over)

    assert (world.runs()[-1].stage, world.runs()[-1].cause) == (StageName.ABORTED, "LAG")
    assert world.home() == EU
    assert world.run_for(10_000, lambda: world.writer() == EU), "the home goes on writing"


def test_a_planned_move_waits_for_a_stalled_copy_to_catch_up_and_then_loses_nothing() -> None:
    world = a_stalled_world()
    world.stuck_at_ms = world.now_ms
    world.run_for(700)
    world.move(RunKind.SWITCHOVER, US)
    world.runs_until(5_000, lambda: False)
    assert world.home() == EU, "it waits"

    world.stuck_at_ms = None
    assert world.runs_until(10_000, lambda: world.home() == US)

    assert world.copied_through_ms >= world.last_write_ms
    assert world.run_for(5_000, lambda: world.writer() == US)


def test_a_planned_move_on_a_healthy_network_is_not_held_up() -> None:
    world = CopyingWorld()
    world.start_telling()
    world.run_until(12_000)
    asked_ms = world.now_ms
    world.move(RunKind.SWITCHOVER, US)

    assert world.runs_until(5_000, lambda: world.home() == US)

    assert world.now_ms - asked_ms < 2_000
    assert world.copied_through_ms >= world.last_write_ms


def hear_lag(
    log: ObservationLog,
    *,
    now_ms: int,
    transit_ms: int | None,
    counter: int = 1,
    age_ms: int = 0,
    lag_age_ms: int = 200,
    is_direct: bool = True,
) -> None:
    """Hear that the copy in the United States was 100 ms behind, ``lag_age_ms`` before."""
    reading = a_service_reading(lag_ms=100, lag_age_ms=lag_age_ms)
    report = a_report(
        US,
        says(reading, gates=[a_gate(is_open=False)]),
        counter=counter,
        heard_by=D0 if is_direct else D1,
        age_ms=age_ms,
        transit_ms_max=transit_ms,
    )
    log.observe(report, now_ms=now_ms, is_direct=is_direct)


def test_a_sample_covers_no_more_than_if_it_had_been_on_its_way_for_as_long_as_it_can() -> None:
    log = Watch().log
    hear_lag(log, now_ms=10_000, transit_ms=1_540)

    (sample,) = log.lag_samples(PAIR)

    # 10 000 less 1 540 on its way, less 200 of age, less 100 of lag.
    assert sample.covered_through_ms == 8_160


def test_a_sample_counts_as_before_a_suspicion_only_if_it_surely_was() -> None:
    log = Watch().log
    hear_lag(log, now_ms=10_000, transit_ms=1_540)

    samples = log.lag_samples(PAIR)

    # It may have been on its way for no time at all: then it was taken at 9 800.
    assert covered_through_ms(samples, 9_799) is None
    assert covered_through_ms(samples, 9_800) == 8_160


def test_lag_of_an_unknown_moment_stays_unknown_and_the_target_is_not_admitted() -> None:
    ledger = an_owned_ledger()
    watch = Watch()
    leases = LeaseBook(DEFAULT_TIMING)
    leases.gained(1, now_ms=0)
    hear_lag(watch.log, now_ms=30_000, transit_ms=None)

    bench = watch.bench(ledger.state, leases, 30_000)
    found = candidates(bench, a_service(), ledger.group(), suspected_ms=30_000, automatic=True)

    assert watch.log.lag_samples(PAIR) == ()
    assert loss_bound_ms(bench, a_service(), ledger.group(), US, 30_000) is None
    by_region = {each.region_id: each.ineligible for each in found}
    assert by_region[US] is Ineligible.LAG_UNKNOWN


def test_the_loss_bound_grows_by_the_time_a_report_may_have_been_on_its_way() -> None:
    ledger = an_owned_ledger()
    bounds = []
    for transit_ms in (0, 900):
        watch = Watch()
        leases = LeaseBook(DEFAULT_TIMING)
        leases.gained(1, now_ms=0)
        hear_lag(watch.log, now_ms=30_000, transit_ms=transit_ms)
        bench = watch.bench(ledger.state, leases, 30_000)
        bounds.append(loss_bound_ms(bench, a_service(), ledger.group(), US, 30_000))

    assert bounds == [300, 1_200]


def test_a_replayed_report_is_no_new_sample() -> None:
    log = Watch().log
    hear_lag(log, now_ms=10_000, transit_ms=20)
    hear_lag(log, now_ms=15_000, transit_ms=20)

    assert [each.at_ms for each in log.lag_samples(PAIR)] == [9_800]


def test_a_report_of_an_earlier_boot_is_no_new_sample() -> None:
    log = Watch().log
    reading = says(a_service_reading(lag_ms=100))
    for boot_id, counter, now_ms in (("b1", 1, 1_000), ("b2", 1, 2_000), ("b1", 2, 9_000)):
        report = a_report(US, reading, boot_id=boot_id, counter=counter)
        log.observe(report, now_ms=now_ms)

    assert [each.at_ms for each in log.lag_samples(PAIR)] == [1_000, 2_000]


def test_what_another_replica_relays_is_allowed_a_way_that_nobody_measured() -> None:
    log = Watch().log
    hear_lag(log, now_ms=10_000, transit_ms=40, age_ms=60, is_direct=False)

    (sample,) = log.lag_samples(PAIR)

    assert not sample.is_direct
    # 40 to the other replica, 60 held there, 2 000 for the relay, 200 of age and 100 of lag.
    assert sample.covered_through_ms == 10_000 - 40 - 60 - 2_000 - 200 - 100


def test_what_another_replica_relays_does_not_count_while_the_agent_is_heard_here() -> None:
    log = Watch().log
    hear_lag(log, now_ms=10_000, transit_ms=40)
    hear_lag(log, now_ms=12_000, transit_ms=0, counter=2, lag_age_ms=0, is_direct=False)
    assert len(log.lag_samples(PAIR)) == 1

    hear_lag(log, now_ms=12_001, transit_ms=0, counter=3, lag_age_ms=0, is_direct=False)
    assert len(log.lag_samples(PAIR)) == 2


def test_a_sample_heard_here_is_taken_though_its_readings_came_by_a_relay_before() -> None:
    log = Watch().log
    hear_lag(log, now_ms=10_000, transit_ms=None, is_direct=False)
    hear_lag(log, now_ms=10_300, transit_ms=350)

    assert [each.covered_through_ms for each in log.lag_samples(PAIR)] == [9_650]


def test_a_planned_move_does_not_rely_on_what_another_replica_relays() -> None:
    world = a_settled_world()
    leader = world.leader
    assert leader is not None
    world.unheard.add((US, leader))
    world.run_for(10_000)
    assert world.chief.director.service_views(now_ms=world.now_ms), "the fleet is otherwise well"

    world.move(RunKind.SWITCHOVER, US)
    world.run_for(20_000)

    assert (world.runs()[-1].stage, world.runs()[-1].cause) == (StageName.ABORTED, "LAG")
    # Writing never stopped: it was given up before the fence.
    assert world.stages() == [StageName.DRAINING, StageName.ABORTED]
    assert world.writer() == EU


def test_a_planned_move_that_loses_sight_of_its_target_after_the_fence_is_taken_back() -> None:
    world = a_settled_world()
    leader = world.leader
    assert leader is not None
    world.move(RunKind.SWITCHOVER, US)
    assert world.run_for(
        5_000, lambda: bool(world.runs()) and world.runs()[-1].stage is StageName.FENCING
    )
    world.unheard.add((US, leader))
    world.run_for(25_000)

    assert (world.runs()[-1].stage, world.runs()[-1].cause) == (StageName.ABORTED, "LAG")
    assert (world.home(), world.writer()) == (EU, EU)


# -- D3: who may still hold a lease ----------------------------------------------------------------

TOKEN = FencingToken(1, 1)
X, Y = AgentId("x"), AgentId("y")


def ask(
    book: LeaseBook, state: State, agent_id: AgentId, *, is_holding: bool, now_ms: int
) -> tuple[LeaseEffect, ...]:
    asked = LeaseAsked(EU, agent_id, CHAT_GROUP, TOKEN, 1, True, is_holding)
    effects = book.ask(asked)
    barrier = next(each for each in effects if isinstance(each, Barrier))
    return book.passed(barrier.barrier_id, barrier.term, state, now_ms=now_ms)


def test_after_two_leader_changes_one_agent_s_promise_does_not_speak_for_the_other() -> None:
    state = an_owned_ledger().state
    second = LeaseBook(DEFAULT_TIMING)
    second.gained(2, now_ms=0)
    # The second leader grants to Y once the first one's leases have ended.
    (to_y,) = ask(second, state, Y, is_holding=False, now_ms=4_181)
    assert isinstance(to_y, GrantLease)
    second.lost()
    third = LeaseBook(DEFAULT_TIMING)
    third.gained(3, now_ms=4_300)
    # A late word of X, who held under the first leader, gets to the third.
    (to_x,) = ask(third, state, X, is_holding=True, now_ms=4_400)
    assert isinstance(to_x, GrantLease)

    watch = Watch()
    watch.hear(EU, says(gates=[a_gate(is_open=False, demoted=1)]), at_ms=4_700, agent_id=X)
    watch.hear(EU, says(gates=[a_gate(is_open=True)]), at_ms=4_700, agent_id=Y)

    # Y may act on the second leader's lease until 4 181 + 4 000 at the latest.
    for now_ms in (4_700, 8_180, 8_480):
        assert not third.is_demoted(CHAT_GROUP, TOKEN, watch.log, now_ms=now_ms)
    assert third.is_demoted(CHAT_GROUP, TOKEN, watch.log, now_ms=4_300 + 4_181)


# -- D4: a home that cannot open its gate ----------------------------------------------------------


def test_a_home_that_beats_and_passes_but_never_renews_is_moved_after_its_lease() -> None:
    world = a_settled_world()
    assert world.writer() == EU
    world.agents[EU].opens_gate = False  # its disk takes no more proof, so it asks no more (A6)
    stopped_ms = world.now_ms

    assert world.run_for(30_000, lambda: world.writer() == US)

    taken_ms = world.now_ms - stopped_ms
    # A renewal of up to 1 s ago is good for 4 181 ms; then a promotion's 5 s; then the run.
    wait_ms = DEFAULT_TIMING.lease_wait_ms + DEFAULT_TIMING.promote_deadline_ms
    assert wait_ms - 1_100 <= taken_ms <= wait_ms + 2_000
    assert [each.target for each in world.runs()] == [US]


def test_a_target_that_never_opens_its_gate_is_left_for_the_next_and_not_tried_again_soon() -> None:
    world = a_settled_world()
    world.agents[US].opens_gate = False
    world.kill_region(EU, with_replica=False)

    assert world.run_for(60_000, lambda: world.writer() == AP)

    assert [(each.target, each.stage is StageName.ABORTED) for each in world.runs()] == [
        (US, True),
        (AP, False),
    ]
    world.run_for(60_000)
    assert [each.target for each in world.runs()].count(US) == 1
    assert world.home() == AP


def test_targets_that_keep_their_gates_shut_are_not_tried_again_within_a_minute() -> None:
    world = a_settled_world()
    world.agents[US].opens_gate = False
    world.agents[AP].opens_gate = False
    world.kill_region(EU, with_replica=False)
    assert world.run_for(40_000, lambda: len(world.runs()) == 2)
    assert world.run_for(10_000, lambda: world.runs()[-1].stage is StageName.ABORTED)
    aborted_ms = world.now_ms

    world.run_for(40_000)
    assert [each.target for each in world.runs()] == [US, AP]

    world.agents[US].opens_gate = True
    assert world.run_for(60_000, lambda: world.writer() == US)
    assert [each.target for each in world.runs()] == [US, AP, US]
    assert world.now_ms - aborted_ms >= 40_000


# -- D5: a policy that holds long ------------------------------------------------------------------


@pytest.mark.parametrize("hold_ms", [10_000, 15_000, 30_000])
def test_a_hold_of_ten_seconds_or_more_delays_the_failover_and_does_not_end_it(
    hold_ms: int,
) -> None:
    world = a_settled_world(a_topology(policy=a_policy(hold_ms=hold_ms)))
    world.kill_region(EU, with_replica=False)
    lost_ms = world.now_ms

    assert world.run_for(hold_ms + 15_000, lambda: world.writer() == US)

    assert world.now_ms - lost_ms >= hold_ms
    assert len(world.runs()) == 1


# -- D6: an agent that pauses ----------------------------------------------------------------------


@pytest.mark.parametrize("pause_ms", [2_600, 3_000])
def test_an_agent_that_is_back_before_its_lease_ended_keeps_its_service(pause_ms: int) -> None:
    world = a_settled_world()
    world.run_for(2_000)
    world.blocked.add((SA, EU))  # one peer cannot reach the home for a moment
    world.freeze_agent(EU, pause_ms)
    assert world.run_for(pause_ms, lambda: bool(world.runs())), "together that is a suspicion"
    world.blocked.clear()  # the peer sees it pass again, while the run is being confirmed
    world.run_for(30_000)

    assert [(each.stage, each.cause) for each in world.runs()] == [
        (StageName.ABORTED, "EVIDENCE_RETRACTED")
    ]
    assert (world.home(), world.writer()) == (EU, EU)


# -- D10: a service that cannot be fenced ----------------------------------------------------------


def test_a_drain_does_not_move_a_service_that_does_not_ask_the_gate() -> None:
    world = a_settled_world(a_topology(replace(a_service(), gated=False)))
    world.ask(DrainAsked(EU, True))
    world.run_for(20_000)

    assert world.chief.director.state.drained_regions, "the drain itself stands"
    assert world.runs() == ()
    assert world.home() == EU
