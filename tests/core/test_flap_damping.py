"""Flap damping (C2): what a move costs, how it fades, and when the director stays put."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from director.core.automation import damped_for_ms, flap_of
from director.core.automation_commands import AutomationAction, SetAutomation
from director.core.automation_records import Flap
from director.core.commands import StageName
from director.core.flap_damping import (
    MOVE_PENALTY,
    SUPPRESSED_MS_MAX,
    after_move,
    decayed,
    penalty_of,
    reusable_in_ms,
)
from director.core.inputs import AutomationAsked
from director.core.reasons import Reason
from director.core.safety import start_refusal
from director.core.topology import Policy
from director.routing.table import RegionId
from tests.core.builders import (
    AP,
    CHAT,
    EU,
    STAGES,
    US,
    Ledger,
    a_policy,
    a_stamp,
    a_start,
    a_topology,
    an_owned_ledger,
    started,
)
from tests.core.test_machine_runs import advance_to
from tests.core.world import a_settled_world

QUARTER_MS = 900_000
PENALTIES = st.integers(0, 1_000_000)
TIMES = st.integers(0, 10 * QUARTER_MS)
HALF_LIVES = st.integers(1, 4 * QUARTER_MS)


def a_damped_policy(**changes: object) -> Policy:
    return a_policy(min_interval_ms=0, **changes)


def moved(policy: Policy, *at_ms: int) -> Flap:
    flap = Flap(CHAT)
    for each in at_ms:
        flap = after_move(flap, policy, now_ms=each)
    return flap


def move_automatically(ledger: Ledger, target: RegionId, at_ms: int) -> None:
    epoch = ledger.group().epoch
    run_id = started(ledger, a_start(target, epoch=epoch, at_ms=at_ms))
    advance_to(ledger, run_id, StageName.SETTLED)


@pytest.mark.parametrize(
    ("elapsed_ms", "left"),
    [(0, 2_000), (QUARTER_MS, 1_000), (2 * QUARTER_MS, 500), (QUARTER_MS // 2, 1_414)],
)
def test_a_penalty_halves_with_each_half_life(elapsed_ms: int, left: int) -> None:
    assert decayed(2_000, elapsed_ms, QUARTER_MS) == left


@given(PENALTIES, TIMES, HALF_LIVES)
def test_the_decay_is_at_most_one_below_and_a_hundred_thousandth_above_the_exact_value(
    penalty: int, elapsed_ms: int, half_life_ms: int
) -> None:
    left = decayed(penalty, elapsed_ms, half_life_ms)

    exact = penalty * 2.0 ** -float(Fraction(elapsed_ms, half_life_ms))
    assert exact - 1 <= left <= exact * 1.000_011 + 1e-6


@given(PENALTIES, TIMES, st.integers(0, QUARTER_MS), HALF_LIVES)
def test_a_penalty_never_rises_by_waiting(
    penalty: int, elapsed_ms: int, more_ms: int, half_life_ms: int
) -> None:
    assert decayed(penalty, elapsed_ms + more_ms, half_life_ms) <= decayed(
        penalty, elapsed_ms, half_life_ms
    )


def test_two_moves_within_the_same_minute_are_allowed_and_the_third_is_the_last() -> None:
    policy = a_damped_policy()

    assert not moved(policy, 0, 30_000).suppressed
    # 1 000 x (1 + 2^(-1/30) + 2^(-1/15)) is about 2 932: above 2 000.
    assert moved(policy, 0, 30_000, 60_000).suppressed


def test_a_move_every_fifteen_minutes_is_never_damped() -> None:
    policy = a_damped_policy()

    flap = moved(policy, *(number * QUARTER_MS for number in range(50)))

    # 1 000 + 500 + 250 + ... stays below 2 000.
    assert not flap.suppressed
    assert flap.penalty <= 2_000


def test_suppression_lasts_until_the_penalty_is_below_reuse_and_not_only_below_suppress() -> None:
    policy = a_damped_policy()
    flap = moved(policy, 0, 0, 0)
    # 3 000 falls to 2 000 after nine minutes, to 750 after thirty: two half-lives exactly.
    below_suppress_ms = 600_000

    assert penalty_of(flap, policy, now_ms=below_suppress_ms) < policy.flap_suppress
    assert reusable_in_ms(flap, policy, now_ms=below_suppress_ms) > 0
    left_ms = reusable_in_ms(flap, policy, now_ms=0)
    assert left_ms == pytest.approx(2 * QUARTER_MS, abs=2_000)
    assert penalty_of(flap, policy, now_ms=left_ms) < policy.flap_reuse
    assert penalty_of(flap, policy, now_ms=left_ms - 1) >= policy.flap_reuse
    assert reusable_in_ms(flap, policy, now_ms=left_ms) == 0


@given(st.lists(st.integers(0, 60_000), max_size=80), st.integers(60_000, 4 * QUARTER_MS))
def test_however_many_moves_nobody_is_damped_for_more_than_an_hour(
    gaps: list[int], half_life_ms: int
) -> None:
    policy = a_damped_policy(flap_half_life_ms=half_life_ms)
    flap, now_ms = Flap(CHAT), 0
    for gap in gaps:
        now_ms += gap
        flap = after_move(flap, policy, now_ms=now_ms)

    left_ms = reusable_in_ms(flap, policy, now_ms=now_ms)

    assert left_ms <= SUPPRESSED_MS_MAX
    assert (left_ms == 0) == (not flap.suppressed)


def test_the_penalty_has_a_ceiling_from_which_an_hour_leads_below_reuse() -> None:
    # 750 x 2^(60/15)
    assert moved(a_damped_policy(), *([0] * 100)).penalty == 12_000


def test_a_move_while_damped_keeps_it_damped() -> None:
    policy = a_damped_policy()
    flap = moved(policy, 0, 0, 0)
    at_ms = 1_700_000  # the penalty is about 810; with one more move it stays below 2 000

    again = after_move(flap, policy, now_ms=at_ms)

    assert again.penalty < policy.flap_suppress
    assert again.suppressed
    assert reusable_in_ms(again, policy, now_ms=at_ms) > reusable_in_ms(flap, policy, now_ms=at_ms)


def test_a_half_life_of_zero_damps_nothing() -> None:
    policy = a_damped_policy(flap_half_life_ms=0)

    flap = moved(policy, *range(20))

    assert not flap.suppressed
    assert reusable_in_ms(flap, policy, now_ms=20) == 0


def test_a_service_that_was_moved_too_often_stays_until_it_was_quiet_or_acknowledged() -> None:
    ledger = an_owned_ledger(policy=a_damped_policy())
    for number, target in enumerate((US, EU, US)):
        move_automatically(ledger, target, 60_000 * number)
    now_ms = ledger.state.now_ms
    policy = ledger.state.topology.policy(ledger.state.topology.services[0].policy_id)
    left_ms = damped_for_ms(ledger.state, CHAT, policy)
    assert left_ms > QUARTER_MS

    refused = a_start(EU, epoch=4, at_ms=now_ms + left_ms - 1)
    assert ledger.rejection(refused) is Reason.FLAP_DAMPED
    refusal = start_refusal(ledger.state, refused)
    assert refusal is not None
    assert ("retryAfterMs", "1") in refusal.metadata
    assert "director acknowledge chat" in refusal.message

    ledger.must(SetAutomation(a_stamp(now_ms), CHAT, AutomationAction.ACKNOWLEDGE))
    ledger.must(a_start(EU, epoch=4, at_ms=now_ms))


def test_damping_ends_by_itself() -> None:
    ledger = an_owned_ledger(policy=a_damped_policy())
    for number, target in enumerate((US, EU, US)):
        move_automatically(ledger, target, 60_000 * number)
    policy = ledger.state.topology.policy(ledger.state.topology.services[0].policy_id)
    free_ms = ledger.state.now_ms + damped_for_ms(ledger.state, CHAT, policy)

    ledger.must(a_start(EU, epoch=4, at_ms=free_ms))


def test_an_operators_move_is_neither_damped_nor_counted() -> None:
    ledger = an_owned_ledger(policy=a_damped_policy())
    for number, target in enumerate((US, EU, US)):
        move_automatically(ledger, target, 60_000 * number)
    before = flap_of(ledger.state, CHAT)

    by_hand = a_start(AP, epoch=4, at_ms=ledger.state.now_ms, automatic=False)
    run_id = started(ledger, by_hand)
    advance_to(ledger, run_id, StageName.SETTLED)

    after = flap_of(ledger.state, CHAT)
    assert (after.penalty, after.at_ms) == (before.penalty, before.at_ms)


def test_a_move_that_was_taken_back_costs_nothing_and_one_that_settled_does() -> None:
    ledger = an_owned_ledger(policy=a_damped_policy())
    run_id = started(ledger, a_start(US))
    for stage in STAGES[1:]:
        assert flap_of(ledger.state, CHAT).penalty == 0
        advance_to(ledger, run_id, stage)

    assert flap_of(ledger.state, CHAT).penalty == MOVE_PENALTY


def test_a_service_that_flaps_between_regions_is_damped_and_moves_again_when_acknowledged() -> None:
    world = a_settled_world(a_topology(policy=a_damped_policy()))
    for lost, heir in ((EU, US), (US, EU), (EU, US)):
        world.kill_region(lost, with_replica=False)
        assert world.run_for(20_000, lambda heir=heir: world.writer() == heir)  # type: ignore[misc]
        world.revive_region(lost)
        world.run_for(10_000)

    world.kill_region(US, with_replica=False)
    world.run_for(30_000)
    assert len(world.runs()) == 3
    view = world.chief.director.service_views(now_ms=world.now_ms)[0]
    assert view.damped_for_ms > QUARTER_MS
    assert "director acknowledge chat" in view.automation_note

    world.ask(AutomationAsked(CHAT, AutomationAction.ACKNOWLEDGE))

    assert world.run_for(20_000, lambda: world.writer() == EU)
    world.check_same_state()
