"""What an operator may ask for, what it becomes, and which hint a refusal carries."""

from dataclasses import replace

import pytest

from director.core.automation import OVERRIDE_MS_MAX
from director.core.commands import (
    AbortRun,
    ApplyManifest,
    RunKind,
    SetOverride,
    SetRegionDrained,
    StageName,
    StartRun,
)
from director.core.failover import Bench
from director.core.ids import AgentId, RunId
from director.core.inputs import (
    AbortAsked,
    Ask,
    DrainAsked,
    LeaseAsked,
    ManifestAsked,
    MoveAsked,
    OverrideAsked,
)
from director.core.lease import LeaseBook
from director.core.reasons import Reason
from director.core.requests import Already, Decision, ask_digest, decide, preview
from director.core.safety import Refusal
from director.core.timing import DEFAULT_TIMING
from director.core.topology import Automation
from director.routing.table import Override, RegionId, Verdict
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    EU,
    SA,
    US,
    WEB,
    Ledger,
    Watch,
    a_ledger,
    a_policy,
    a_service,
    a_stamp,
    a_topology,
    a_verdict,
    an_active_active,
    an_owned_ledger,
    says_lag,
    started,
)

NOW_MS = 20_000
STAMP = replace(a_stamp(NOW_MS, "r1", "maria"), reason="maintenance")


def ask(ledger: Ledger, wanted: Ask, lag_ms: dict[RegionId, int | None] | None = None) -> Decision:
    """Decide with every region well, copies 100 ms behind unless said otherwise."""
    return decide(a_bench(ledger, lag_ms), wanted, STAMP)


def previewed(ledger: Ledger, wanted: Ask, lag_ms: dict[RegionId, int | None] | None = None) -> str:
    """Say what a dry run answers, on the same ground."""
    decision = ask(ledger, wanted, lag_ms)
    assert not isinstance(decision, Refusal | Already), decision
    return preview(a_bench(ledger, lag_ms), decision)


def a_bench(ledger: Ledger, lag_ms: dict[RegionId, int | None] | None) -> Bench:
    """Every region is well, copies are 100 ms behind unless said otherwise."""
    watch = Watch(ledger.state.topology)
    watch.replicas_report(NOW_MS)
    for at_ms in (NOW_MS - 2_000, NOW_MS):
        for region_id in (AP, EU, US):
            lag = 100 if lag_ms is None else lag_ms.get(region_id, 100)
            watch.hear(region_id, says_lag(lag), at_ms=at_ms)
    leases = LeaseBook(DEFAULT_TIMING)
    leases.gained(1, now_ms=0)
    if ledger.state.group(CHAT_GROUP) is not None:
        # Europe renewed its lease one second ago; it ends for sure at 23 181.
        token = ledger.token()
        leases.ask(LeaseAsked(EU, AgentId("agent"), CHAT_GROUP, token, 1, True, True))
        leases.passed(1, 1, ledger.state, now_ms=NOW_MS - 1_000)
    return watch.bench(ledger.state, leases, NOW_MS)


def reason(decision: Decision) -> Reason:
    assert isinstance(decision, Refusal), decision
    return decision.reason


def a_move(
    kind: RunKind = RunKind.FAILOVER,
    target: RegionId | None = US,
    *,
    epoch: int | None = None,
    accept_loss_ms: int | None = None,
) -> MoveAsked:
    return MoveAsked(kind, CHAT, target, epoch, accept_loss_ms)


# -- moves -----------------------------------------------------------------------------------------


def test_a_failover_to_a_named_region_becomes_a_run_decided_on_the_present_epoch() -> None:
    decision = ask(an_owned_ledger(), a_move())

    assert decision == StartRun(
        STAMP,
        RunKind.FAILOVER,
        CHAT_GROUP,
        US,
        expected_epoch=1,
        automatic=False,
        suspected_at_ms=NOW_MS,
        loss_bound_ms=100,  # nothing is wrong with the home, so the copy is what it says it is
        covered_at_ms=NOW_MS - 100,
    )


def test_a_failover_of_a_lost_home_counts_its_recovery_from_the_first_bad_sign() -> None:
    ledger = an_owned_ledger()
    ledger.must(a_verdict(Verdict.DOWN, EU, at_ms=18_500))

    decision = ask(ledger, a_move())

    assert isinstance(decision, StartRun)
    # The last sample from before 18 500 covers up to 17 900; the lease ends at 23 181.
    assert (decision.suspected_at_ms, decision.loss_bound_ms) == (18_500, 23_181 - 17_900)


def test_a_dry_run_names_the_region_the_loss_the_time_and_who_is_refused() -> None:
    ledger = an_owned_ledger()
    ledger.must(SetRegionDrained(a_stamp(), AP, drained=True))

    # The lease of Europe ends for sure 3 181 ms from now; routes take 700 ms.
    assert previewed(ledger, a_move(target=None)) == (
        "chat would move from eu-north1 to us-east1; loses at most 100 ms of writes "
        "(RPO 10000 ms); takes about 3881 ms (RTO 20000 ms); refused: ap-south1: DRAINED"
    )
    # A home that is well promises in a report (500 ms); then the copy catches up (100 ms).
    assert previewed(ledger, a_move(RunKind.SWITCHOVER, None)) == (
        "chat would move from eu-north1 to us-east1; loses nothing; takes about 1300 ms "
        "(RTO 20000 ms); refused: ap-south1: DRAINED"
    )


def test_a_dry_run_counts_a_loss_as_a_reason_only_where_something_is_lost() -> None:
    lag_ms: dict[RegionId, int | None] = {AP: 60_000}
    failover = previewed(an_owned_ledger(), a_move(), lag_ms)
    planned = previewed(an_owned_ledger(), a_move(RunKind.SWITCHOVER), lag_ms)

    assert failover.endswith("; refused: ap-south1: RPO_EXCEEDED")
    assert planned.endswith("; refused: none")


def test_a_dry_run_does_not_promise_a_loss_or_a_time_that_is_not_known() -> None:
    lag_ms: dict[RegionId, int | None] = {US: None}
    failover = previewed(an_owned_ledger(), a_move(accept_loss_ms=1), lag_ms)
    planned = previewed(an_owned_ledger(), a_move(RunKind.SWITCHOVER), lag_ms)

    assert "; loses an unknown span of writes (RPO 10000 ms); " in failover
    assert "; takes an unknown time (RTO 20000 ms); " in planned


def test_a_target_left_open_is_the_best_candidate() -> None:
    ledger = an_owned_ledger()
    assert isinstance(decision := ask(ledger, a_move(target=None)), StartRun)
    assert decision.target == US

    ledger.must(SetRegionDrained(a_stamp(), US, drained=True))
    assert isinstance(decision := ask(ledger, a_move(target=None)), StartRun)
    assert decision.target == AP


def test_a_loss_beyond_the_rpo_is_refused_with_the_closest_region_that_is_allowed() -> None:
    refusal = ask(an_owned_ledger(), a_move(), lag_ms={US: 60_000})

    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.RPO_EXCEEDED
    assert refusal.message == (
        "us-east1 could lose 60000 ms of writes; the RPO of chat is 10000 ms; closest allowed: "
        "--to ap-south1 (loss bound 100 ms)"
    )
    assert dict(refusal.metadata)["closestRegionId"] == AP


def test_a_loss_beyond_the_rpo_everywhere_is_refused_with_the_way_to_accept_it() -> None:
    lag_ms: dict[RegionId, int | None] = {US: 60_000, AP: None}
    refusal = ask(an_owned_ledger(), a_move(), lag_ms)

    assert isinstance(refusal, Refusal)
    assert refusal.message.endswith("--accept-data-loss names the loss you accept")
    accepted = ask(an_owned_ledger(), a_move(accept_loss_ms=60_000), lag_ms)
    assert isinstance(accepted, StartRun)
    assert accepted.accept_loss_ms == 60_000


def test_a_lag_that_is_not_known_is_refused_as_a_loss_without_a_bound() -> None:
    refusal = ask(an_owned_ledger(), a_move(), lag_ms={US: None})

    assert isinstance(refusal, Refusal)
    assert "the loss has no bound" in refusal.message


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (MoveAsked(RunKind.FAILOVER, WEB, US), Reason.SERVICE_NOT_FOUND),
        (a_move(target=SA), Reason.REGION_NOT_FOUND),
        (a_move(target=EU), Reason.NOTHING_TO_DO),
        (a_move(epoch=7), Reason.STALE_EPOCH),
    ],
)
def test_a_move_that_makes_no_sense_is_refused(wanted: MoveAsked, expected: Reason) -> None:
    assert reason(ask(an_owned_ledger(), wanted)) is expected


def test_a_target_that_cannot_serve_is_refused_with_why() -> None:
    ledger = an_owned_ledger()
    ledger.must(a_verdict(Verdict.DOWN, US))

    refusal = ask(ledger, a_move())

    assert isinstance(refusal, Refusal)
    assert dict(refusal.metadata) == {"regionId": US, "ineligibility": "DOWN"}


def test_nobody_who_can_serve_is_refused_with_a_reason_for_each() -> None:
    ledger = an_owned_ledger()
    ledger.must(a_verdict(Verdict.DOWN, US))
    ledger.must(SetRegionDrained(a_stamp(), AP, drained=True))

    refusal = ask(ledger, a_move(target=None))

    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NO_ELIGIBLE_REGION
    assert dict(refusal.metadata) == {US: "DOWN", AP: "DRAINED"}


def test_a_switchover_needs_a_home_that_is_well() -> None:
    ledger = an_owned_ledger()
    ledger.must(a_verdict(Verdict.UNKNOWN, EU, reason="SILENT"))

    refusal = ask(ledger, a_move(RunKind.SWITCHOVER))

    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.TARGET_INELIGIBLE
    assert "use `director failover chat` instead" in refusal.message


def test_a_switchover_does_not_mind_the_lag_because_it_waits_for_it() -> None:
    decision = ask(an_owned_ledger(), a_move(RunKind.SWITCHOVER), lag_ms={US: 60_000})

    assert isinstance(decision, StartRun)


def test_what_nobody_owns_yet_and_what_everybody_serves_does_not_move() -> None:
    assert reason(ask(a_ledger(), a_move())) is Reason.NO_OWNER
    ledger = an_owned_ledger(a_service(), an_active_active())
    web = MoveAsked(RunKind.FAILOVER, WEB, US)

    assert reason(ask(ledger, web)) is Reason.NOTHING_TO_DO


def test_a_person_may_move_what_automation_may_not() -> None:
    ledger = an_owned_ledger(a_service(gated=False), policy=a_policy(automation=Automation.OBSERVE))

    assert isinstance(ask(ledger, a_move()), StartRun)


# -- other requests --------------------------------------------------------------------------------


def test_a_run_is_cancelled_in_the_stage_it_is_in() -> None:
    ledger = an_owned_ledger()
    run_id = started(ledger)

    decision = ask(ledger, AbortAsked(run_id))

    assert decision == AbortRun(STAMP, run_id, StageName.CONFIRMING, "CANCELLED", "maintenance")


def test_a_run_that_has_ended_or_never_was_cannot_be_cancelled() -> None:
    ledger = an_owned_ledger()
    run_id = started(ledger)
    ledger.must(AbortRun(a_stamp(), run_id, StageName.CONFIRMING, "RETRACTED"))

    assert reason(ask(ledger, AbortAsked(run_id))) is Reason.STALE_STAGE
    assert reason(ask(ledger, AbortAsked(RunId("chat/9")))) is Reason.FAILOVER_NOT_FOUND


def test_a_drain_is_checked_before_it_is_written() -> None:
    ledger = an_owned_ledger(a_service(sites=a_service().sites[1:]))
    assert ask(ledger, DrainAsked(EU, drained=True)) == SetRegionDrained(STAMP, EU, drained=True)

    ledger.must(a_verdict(Verdict.DOWN, US))
    assert reason(ask(ledger, DrainAsked(EU, drained=True))) is Reason.SAFETY_RULE
    nowhere = DrainAsked(RegionId("nowhere"), drained=True)
    assert reason(ask(ledger, nowhere)) is Reason.REGION_NOT_FOUND


def test_a_region_that_is_as_asked_needs_no_entry() -> None:
    ledger = an_owned_ledger()
    assert ask(ledger, DrainAsked(US, drained=False)) == Already(f"{US} is in service already")

    ledger.must(SetRegionDrained(a_stamp(), US, drained=True))
    assert ask(ledger, DrainAsked(US, drained=True)) == Already(f"{US} is drained already")
    assert ask(ledger, DrainAsked(US, drained=False)) == SetRegionDrained(STAMP, US, drained=False)


def test_an_override_is_checked_before_it_is_written() -> None:
    ledger = an_owned_ledger()
    up = OverrideAsked(CHAT, US, Override.FORCE_UP)

    assert ask(ledger, up) == SetOverride(STAMP, CHAT, US, Override.FORCE_UP, OVERRIDE_MS_MAX)
    assert reason(ask(ledger, OverrideAsked(WEB, US, None))) is Reason.SERVICE_NOT_FOUND
    assert reason(ask(ledger, OverrideAsked(CHAT, SA, None))) is Reason.REGION_NOT_FOUND


def test_a_manifest_is_checked_before_it_is_written() -> None:
    ledger = an_owned_ledger()
    topology = a_topology()

    decision = ask(ledger, ManifestAsked(topology, "documents", 1))
    assert decision == ApplyManifest(STAMP, topology, "documents", 1)
    assert reason(ask(ledger, ManifestAsked(topology, "", 9))) is Reason.STALE_REVISION


def test_the_same_question_has_the_same_digest_and_another_one_has_not() -> None:
    drain = DrainAsked(US, drained=True)

    assert ask_digest(drain) == ask_digest(DrainAsked(US, drained=True))
    assert ask_digest(drain) != ask_digest(DrainAsked(US, drained=False))
    assert ask_digest(drain) != ask_digest(DrainAsked(EU, drained=True))
