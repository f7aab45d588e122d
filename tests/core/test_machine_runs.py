"""How runs start, go through their stages and are taken back, as the machine applies them."""

from dataclasses import replace
from itertools import pairwise

import pytest

from director.core.commands import (
    AbortRun,
    AdvanceRun,
    GrantOwnership,
    RunKind,
    SetOverride,
    SetRegionDrained,
    StageName,
    StartRun,
)
from director.core.events import (
    RunAborted,
    RunAdvanced,
    RunStarted,
)
from director.core.ids import FencingToken, GroupId, RunId
from director.core.reasons import Reason
from director.core.state import RUNS_KEPT_MAX, Phase, Spent
from director.core.topology import Automation
from director.routing.table import Override, RegionId, Verdict
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    EU,
    SA,
    STAGES,
    US,
    Ledger,
    a_ledger,
    a_policy,
    a_service,
    a_stamp,
    a_start,
    a_verdict,
    an_owned_ledger,
    started,
)


def advance(ledger: Ledger, run_id: RunId, stage: StageName, at_ms: int = 0) -> RunAdvanced:
    expected = ledger.run(run_id).stage
    event = ledger.must(AdvanceRun(a_stamp(at_ms), run_id, expected, stage, "because"))
    assert isinstance(event, RunAdvanced)
    return event


def advance_to(ledger: Ledger, run_id: RunId, last: StageName) -> None:
    for stage in STAGES[STAGES.index(ledger.run(run_id).stage) + 1 :]:
        advance(ledger, run_id, stage)
        if stage is last:
            return


# -- starting runs ---------------------------------------------------------------------------------


def test_an_automatic_failover_begins_by_confirming_and_a_manual_one_by_fencing() -> None:
    stages = {}
    for automatic in (True, False):
        ledger = an_owned_ledger()
        started(ledger, a_start(automatic=automatic))
        stages[automatic] = ledger.run().stage

    assert stages == {True: StageName.CONFIRMING, False: StageName.FENCING}


def test_a_planned_move_begins_by_draining() -> None:
    ledger = an_owned_ledger()

    event = ledger.must(a_start(kind=RunKind.SWITCHOVER, automatic=False))

    assert isinstance(event, RunStarted)
    assert (event.run_id, event.stage) == ("chat/1", StageName.DRAINING)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (a_start(group_id=GroupId("no/0")), Reason.SERVICE_NOT_FOUND),
        (a_start(epoch=7), Reason.STALE_EPOCH),
        (a_start(EU), Reason.NOTHING_TO_DO),
        (a_start(SA), Reason.REGION_NOT_FOUND),
        (a_start(loss_bound_ms=None), Reason.RPO_EXCEEDED),
        (a_start(loss_bound_ms=10_001), Reason.RPO_EXCEEDED),
        # Automation accepts no loss, whatever its command says.
        (a_start(loss_bound_ms=None, accept_loss_ms=60_000), Reason.RPO_EXCEEDED),
    ],
)
def test_a_run_is_refused(command: StartRun, reason: Reason) -> None:
    assert an_owned_ledger().rejection(command) is reason


@pytest.mark.parametrize("bound_ms", [None, 30_000])
def test_an_operator_may_accept_a_loss_by_naming_it(bound_ms: int | None) -> None:
    ledger = an_owned_ledger()

    ledger.must(a_start(automatic=False, loss_bound_ms=bound_ms, accept_loss_ms=30_000))

    assert ledger.run().accept_loss_ms == 30_000


def test_a_service_without_an_rpo_or_a_policy_that_does_not_ask_needs_no_bound() -> None:
    for ledger in (
        an_owned_ledger(a_service(rpo_ms=None)),
        an_owned_ledger(policy=a_policy(require_lag_within_rpo=False)),
    ):
        ledger.must(a_start(loss_bound_ms=None))


def test_a_group_that_nobody_owns_cannot_move() -> None:
    assert a_ledger().rejection(a_start(epoch=0)) is Reason.NO_OWNER


def test_a_target_that_is_out_is_refused_for_its_reason() -> None:
    down, drained, forced = an_owned_ledger(), an_owned_ledger(), an_owned_ledger()
    down.must(a_verdict(Verdict.DOWN, US))
    drained.must(SetRegionDrained(a_stamp(), US, drained=True))
    forced.must(SetOverride(a_stamp(), CHAT, US, Override.FORCE_DOWN))

    reasons = [each.rejection(a_start()) for each in (down, drained, forced)]

    assert reasons == [Reason.TARGET_INELIGIBLE] * 3


def test_one_run_per_group_at_a_time() -> None:
    ledger = an_owned_ledger()
    started(ledger)

    assert ledger.rejection(a_start(AP, automatic=False)) is Reason.FAILOVER_IN_PROGRESS


@pytest.mark.parametrize("automation", [Automation.APPROVE, Automation.OBSERVE])
def test_automation_that_was_not_granted_starts_nothing(automation: Automation) -> None:
    ledger = an_owned_ledger(policy=a_policy(automation=automation))

    assert ledger.rejection(a_start()) is Reason.AUTOMATION_OFF
    ledger.must(a_start(automatic=False))


def test_automatic_failovers_of_one_service_keep_their_distance() -> None:
    ledger = an_owned_ledger(policy=a_policy(min_interval_ms=900_000))
    advance_to(ledger, started(ledger), StageName.SETTLED)
    settled_ms = ledger.state.now_ms

    soon = a_start(EU, epoch=2, at_ms=settled_ms + 899_999)
    assert ledger.rejection(soon) is Reason.COOLDOWN
    ledger.must(a_start(EU, epoch=2, at_ms=settled_ms + 900_000))


def test_a_failover_by_hand_neither_waits_for_the_cooldown_nor_starts_one() -> None:
    ledger = an_owned_ledger()
    advance_to(ledger, started(ledger, a_start(automatic=False)), StageName.SETTLED)

    ledger.must(a_start(EU, epoch=2))

    assert ledger.state.settled_at_ms == ()


def test_a_lost_region_moves_all_its_services_but_two_regions_do_not_move_at_once() -> None:
    other, third = (a_service(each) for each in ("orders", "users"))  # type: ignore[arg-type]
    ledger = a_ledger(a_service(), other, third)
    for group_id, home in ((CHAT_GROUP, EU), (GroupId("orders/0"), EU), (GroupId("users/0"), US)):
        ledger.must(GrantOwnership(a_stamp(), group_id, home, 0))
    started(ledger)

    ledger.must(a_start(group_id=GroupId("orders/0")))
    elsewhere = a_start(AP, group_id=GroupId("users/0"))

    assert ledger.rejection(elsewhere) is Reason.SAFETY_RULE


# -- stages ----------------------------------------------------------------------------------------


def test_a_run_goes_through_its_stages_and_accounts_for_its_time() -> None:
    ledger = an_owned_ledger()
    run_id = started(ledger, replace(a_start(at_ms=2_000), suspected_at_ms=500))
    for number, stage in enumerate(STAGES[1:], start=1):
        advance(ledger, run_id, stage, at_ms=2_000 + 100 * number)

    run = ledger.run(run_id)
    assert run.ledger == (
        Spent(Phase.DETECT, 1_500, "a test"),
        *(Spent(phase, 100, "because") for phase in list(Phase)[1:]),
    )
    # Suspected at 500, published at 2 400: what comes after is not recovery.
    assert (run.stage, run.measured_rto_ms) == (StageName.SETTLED, 1_900)
    assert ledger.state.settled_at_ms == ((CHAT, 2_500),)


def test_each_phase_keeps_what_ended_it_and_detection_why_the_run_began() -> None:
    ledger = an_owned_ledger()
    begun = a_start(at_ms=2_000)
    run_id = started(ledger, replace(begun, stamp=replace(begun.stamp, reason="SILENT")))
    for (was, then), said in zip(pairwise(STAGES), "abcde", strict=True):
        ledger.must(AdvanceRun(a_stamp(2_100), run_id, was, then, said))

    run = ledger.run(run_id)
    assert [(each.phase, each.note) for each in run.ledger] == list(
        zip(Phase, ("SILENT", *"abcde"), strict=True)
    )
    assert run.notes == ()


def test_a_run_taken_back_says_why_beside_its_ledger() -> None:
    ledger = an_owned_ledger()
    run_id = started(ledger)
    ledger.must(AbortRun(a_stamp(), run_id, StageName.CONFIRMING, "EVIDENCE_LOST", "a beat came"))

    assert ledger.run(run_id).notes == ("a beat came",)


def test_the_grant_raises_the_epoch_and_routes_follow_only_when_published() -> None:
    ledger = an_owned_ledger()
    run_id = started(ledger)
    advance_to(ledger, run_id, StageName.FENCING)
    changed = ledger.state.changed_index

    event = advance(ledger, run_id, StageName.PROMOTING)
    assert event.token == FencingToken(1, 2)
    assert (ledger.group().home, ledger.group().serving) == (US, EU)
    advance(ledger, run_id, StageName.PUBLISHING)
    assert (ledger.group().home, ledger.group().serving) == (US, US)
    assert ledger.state.changed_index > changed
    published = ledger.state.changed_index
    advance_to(ledger, run_id, StageName.SETTLED)
    assert ledger.state.changed_index == published, "nothing that routes depend on changed since"


def test_a_step_decided_in_another_stage_changes_nothing() -> None:
    ledger = an_owned_ledger()
    run_id = started(ledger)
    late = AdvanceRun(a_stamp(), run_id, StageName.FENCING, StageName.PROMOTING)
    leap = AdvanceRun(a_stamp(), run_id, StageName.CONFIRMING, StageName.PROMOTING)
    unknown = AdvanceRun(a_stamp(), RunId("no/1"), StageName.FENCING, StageName.PROMOTING)

    reasons = [ledger.rejection(each) for each in (late, leap, unknown)]

    assert reasons == [Reason.STALE_STAGE, Reason.STALE_STAGE, Reason.FAILOVER_NOT_FOUND]


@pytest.mark.parametrize("how", ["verdict", "override"])
def test_the_grant_looks_once_more_whether_the_target_is_down(how: str) -> None:
    ledger = an_owned_ledger()
    run_id = started(ledger)
    advance(ledger, run_id, StageName.FENCING)
    if how == "verdict":
        ledger.must(a_verdict(Verdict.DOWN, US))
    else:
        ledger.must(SetOverride(a_stamp(), CHAT, US, Override.FORCE_DOWN))

    grant = AdvanceRun(a_stamp(), run_id, StageName.FENCING, StageName.PROMOTING)

    assert ledger.rejection(grant) is Reason.TARGET_INELIGIBLE


# -- taking back -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "owner", "epoch"),
    [
        (StageName.CONFIRMING, EU, 1),  # nothing had happened yet
        (StageName.FENCING, EU, 2),  # it may have promised to stop under epoch 1
        (StageName.PROMOTING, US, 2),  # the target owns, whether it served or not
    ],
)
def test_a_run_taken_back_leaves_exactly_one_owner(
    stage: StageName, owner: RegionId, epoch: int
) -> None:
    ledger = an_owned_ledger()
    run_id = started(ledger)
    if stage is not StageName.CONFIRMING:
        advance_to(ledger, run_id, stage)

    event = ledger.must(AbortRun(a_stamp(), run_id, stage, "CANCELLED"))

    assert isinstance(event, RunAborted)
    group = ledger.group()
    assert (group.home, group.serving, group.epoch) == (owner, owner, epoch)
    assert ledger.state.active_run(CHAT_GROUP) is None
    assert ledger.run(run_id).cause == "CANCELLED"


def test_a_run_that_was_published_cannot_be_taken_back() -> None:
    ledger = an_owned_ledger()
    run_id = started(ledger)
    advance_to(ledger, run_id, StageName.PUBLISHING)

    abort = AbortRun(a_stamp(), run_id, StageName.PUBLISHING, "CANCELLED")

    assert ledger.rejection(abort) is Reason.STALE_STAGE


def test_a_run_taken_back_does_not_count_for_the_cooldown() -> None:
    ledger = an_owned_ledger()
    ledger.must(AbortRun(a_stamp(), started(ledger), StageName.CONFIRMING, "RETRACTED"))

    assert started(ledger) == "chat/2"


def test_finished_runs_are_kept_up_to_a_limit_and_running_ones_always() -> None:
    other = a_service("orders")  # type: ignore[arg-type]
    ledger = an_owned_ledger(a_service(), other)
    running = started(ledger, a_start(group_id=GroupId("orders/0")))
    for _ in range(RUNS_KEPT_MAX + 3):
        ledger.must(AbortRun(a_stamp(), started(ledger), StageName.CONFIRMING, "RETRACTED"))

    assert len(ledger.state.runs) == RUNS_KEPT_MAX + 1
    assert ledger.state.runs[0].run_id == running
    assert ledger.state.run_count == RUNS_KEPT_MAX + 4


def test_a_run_of_the_director_goes_no_further_once_its_loss_is_beyond_the_rpo() -> None:
    ledger = an_owned_ledger(a_service(rpo_ms=6_000))
    run_id = started(ledger, a_start(loss_bound_ms=5_000))

    def fence(loss_bound_ms: int) -> AdvanceRun:
        stages = (StageName.CONFIRMING, StageName.FENCING)
        return AdvanceRun(a_stamp(), run_id, *stages, loss_bound_ms=loss_bound_ms)

    assert ledger.rejection(fence(6_001)) is Reason.RPO_EXCEEDED
    ledger.must(fence(6_000))

    assert ledger.run(run_id).loss_bound_ms == 6_000
    advance(ledger, run_id, StageName.PROMOTING)
    assert ledger.run(run_id).loss_bound_ms == 6_000, "a stage that says nothing keeps it"
