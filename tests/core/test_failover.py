"""Who may take over, in which order, and how many writes could be lost."""

from itertools import pairwise

import pytest

from director.core.commands import (
    AbortRun,
    AdvanceRun,
    SetOverride,
    SetRegionDrained,
    StageName,
)
from director.core.failover import (
    Bench,
    Candidate,
    Ineligible,
    candidates,
    first_suspicion_ms,
    is_idle,
    loss_bound_ms,
)
from director.core.ids import AgentId, FencingToken
from director.core.inputs import LeaseAsked
from director.core.lease import LeaseBook
from director.core.timing import DEFAULT_TIMING
from director.core.topology import ServiceSpec
from director.routing.table import Override, RegionId, ResidencyRule, Verdict
from tests.core.builders import (
    AP,
    CHAT_GROUP,
    EU,
    STAGES,
    US,
    Ledger,
    Watch,
    a_gate,
    a_policy,
    a_service,
    a_service_reading,
    a_stamp,
    a_start,
    a_verdict,
    an_owned_ledger,
    says,
    says_lag,
    started,
)

NOW_MS = 20_000
# Suspected 2 s ago; the home's last lease was granted 2.5 s ago and ends for sure 4 181 ms after.
SUSPECTED_MS = NOW_MS - 2_000
GRANTED_MS = NOW_MS - 2_500
HOME_ENDS_MS = GRANTED_MS + 4_181


class Scene:
    """A leader that granted Europe's lease, and copies that report their lag."""

    def __init__(
        self,
        service: ServiceSpec | None = None,
        ledger: Ledger | None = None,
        last_us_lag_ms: int | None = None,
        *,
        followed_epoch: int = 1,
    ) -> None:
        self.followed_epoch = followed_epoch
        self.service = a_service() if service is None else service
        self.ledger = an_owned_ledger(self.service) if ledger is None else ledger
        self.watch = Watch(self.ledger.state.topology)
        self.leases = LeaseBook(DEFAULT_TIMING)
        self.leases.gained(1, now_ms=0)
        self.grant_lease(GRANTED_MS)
        for region_id in (EU, US, AP):
            self.report(region_id, lag_ms=100, at_ms=SUSPECTED_MS - 500)
        if last_us_lag_ms is not None:
            self.report(US, lag_ms=last_us_lag_ms, at_ms=SUSPECTED_MS - 100)
        for region_id in (US, AP):
            self.report(region_id, lag_ms=100, at_ms=NOW_MS - 100)

    def grant_lease(self, at_ms: int, region_id: RegionId = EU) -> None:
        token = self.ledger.token()
        asked = LeaseAsked(region_id, AgentId("agent"), CHAT_GROUP, token, 1, True, True)
        (barrier,) = self.leases.ask(asked)
        self.leases.passed(barrier.barrier_id, 1, self.ledger.state, now_ms=at_ms)  # type: ignore[union-attr]

    def report(self, region_id: RegionId, *, lag_ms: int | None, at_ms: int) -> None:
        self.watch.hear(region_id, says_lag(lag_ms, epoch=self.followed_epoch), at_ms=at_ms)

    @property
    def bench(self) -> Bench:
        return self.watch.bench(self.ledger.state, self.leases, NOW_MS)

    def bound_ms(self, region_id: RegionId = US, suspected_ms: int = SUSPECTED_MS) -> int | None:
        return loss_bound_ms(self.bench, self.service, self.ledger.group(), region_id, suspected_ms)

    def found(self, *, automatic: bool = True) -> tuple[Candidate, ...]:
        return candidates(
            self.bench,
            self.service,
            self.ledger.group(),
            suspected_ms=SUSPECTED_MS,
            automatic=automatic,
        )

    def reasons(self, *, automatic: bool = True) -> dict[RegionId, Ineligible | None]:
        return {each.region_id: each.ineligible for each in self.found(automatic=automatic)}


# -- how much could be lost ------------------------------------------------------------------------


def test_a_copy_measured_against_an_earlier_home_has_lost_nobody_knows_how_much() -> None:
    """A copy that does not follow the home may hold writes that were undone when it took over."""
    ledger = an_owned_ledger()
    run_id = started(ledger)
    for before, after in pairwise(STAGES):
        ledger.must(AdvanceRun(a_stamp(), run_id, before, after))
    assert (ledger.group().home, ledger.group().epoch) == (US, 2)
    scene = Scene(ledger=ledger)
    scene.grant_lease(GRANTED_MS, US)

    assert scene.bound_ms(AP) is None
    assert scene.reasons()[AP] is Ineligible.LAG_UNKNOWN

    following = Scene(ledger=ledger, followed_epoch=2)
    following.grant_lease(GRANTED_MS, US)

    assert following.bound_ms(AP) == HOME_ENDS_MS - 17_400


def test_a_home_that_was_left_in_place_is_followed_as_before() -> None:
    ledger = an_owned_ledger()
    run_id = started(ledger)
    ledger.must(AdvanceRun(a_stamp(), run_id, StageName.CONFIRMING, StageName.FENCING))
    ledger.must(AbortRun(a_stamp(), run_id, StageName.FENCING, "TARGET_LOST"))
    assert (ledger.group().home, ledger.group().epoch) == (EU, 2)

    # Its copies were measured under epoch 1, and it is the same home.
    assert Scene(ledger=ledger).bound_ms() == HOME_ENDS_MS - 17_400


def test_the_loss_is_bounded_by_the_end_of_the_lease_and_the_last_sample_before_suspicion() -> None:
    # The copy had everything up to 100 ms before its sample at 17 500; the home may write until
    # 21 681. The sample of 100 ms ago proves nothing: the copy cannot tell that it is cut off.
    assert HOME_ENDS_MS == 21_681
    assert Scene().bound_ms() == 21_681 - 17_400


def test_nothing_wrong_with_the_home_bounds_the_loss_by_the_present() -> None:
    # The last sample is 100 ms old and was 100 ms behind.
    assert Scene().bound_ms(suspected_ms=NOW_MS) == 200


def test_a_promise_to_stop_ends_the_wait_and_the_loss() -> None:
    scene = Scene()
    scene.watch.hear(EU, says(gates=[a_gate(is_open=False, demoted=1)]), at_ms=SUSPECTED_MS - 400)

    # What the home acknowledged came before its promise, which is here by now.
    assert scene.bound_ms() == NOW_MS - 17_400


def test_without_a_sample_from_before_the_suspicion_the_loss_is_unknown() -> None:
    assert Scene().bound_ms(suspected_ms=SUSPECTED_MS - 501) is None


def test_the_sample_that_covers_most_counts_and_not_the_newest() -> None:
    assert Scene(last_us_lag_ms=5_000).bound_ms() == HOME_ENDS_MS - 17_400
    assert Scene(last_us_lag_ms=50).bound_ms() == HOME_ENDS_MS - 17_850


def test_a_replica_that_does_not_lead_shows_a_whole_lease_and_not_a_loss_of_nothing() -> None:
    scene = Scene()
    scene.leases.lost()

    assert scene.bound_ms() == SUSPECTED_MS + 4_181 - 17_400


def test_a_target_that_never_opened_its_gate_leaves_the_loss_with_its_predecessor() -> None:
    # Europe was suspected at 18 000. The United States got epoch 2, never served, and are given up.
    scene = Scene()
    run_id = started(scene.ledger, a_start(at_ms=18_000, loss_bound_ms=0))
    for before, after in (
        (StageName.CONFIRMING, StageName.FENCING),
        (StageName.FENCING, StageName.PROMOTING),
    ):
        scene.ledger.must(AdvanceRun(a_stamp(18_100), run_id, before, after))
    scene.leases.note_epoch(
        CHAT_GROUP, FencingToken(1, 2), has_older_stopped=True, now_ms=HOME_ENDS_MS
    )
    scene.ledger.must(AbortRun(a_stamp(19_000), run_id, StageName.PROMOTING, "TARGET_LOST"))
    group = scene.ledger.group()
    assert group.home == US

    assert first_suspicion_ms(scene.bench, group, 19_500) == 18_000
    # Until Europe had provably stopped it may have written what Asia has only up to 17 400.
    assert scene.bound_ms(AP) == HOME_ENDS_MS - 17_400


def test_a_target_that_served_after_all_is_suspected_on_its_own_account() -> None:
    scene = Scene()
    run_id = started(scene.ledger, a_start(at_ms=18_000, loss_bound_ms=0))
    for before, after in (
        (StageName.CONFIRMING, StageName.FENCING),
        (StageName.FENCING, StageName.PROMOTING),
    ):
        scene.ledger.must(AdvanceRun(a_stamp(18_100), run_id, before, after))
    scene.ledger.must(AbortRun(a_stamp(19_000), run_id, StageName.PROMOTING, "TARGET_LOST"))
    scene.watch.hear(US, says(gates=[a_gate(2)]), at_ms=NOW_MS)

    assert first_suspicion_ms(scene.bench, scene.ledger.group(), 19_500) == 19_500


# -- who may ---------------------------------------------------------------------------------------


def test_candidates_come_by_priority_then_loss_then_name() -> None:
    service = a_service(
        sites=tuple(
            site.__class__(site.region_id, 0, endpoints=site.endpoints)
            for site in a_service().sites
        )
    )

    assert [each.region_id for each in Scene(service).found()] == [AP, US]
    assert [each.region_id for each in Scene(service, last_us_lag_ms=0).found()] == [US, AP]
    assert [each.region_id for each in Scene().found()] == [US, AP]


def test_whoever_may_not_comes_last_whatever_its_priority() -> None:
    scene = Scene()
    scene.ledger.must(SetRegionDrained(a_stamp(), US, drained=True))

    assert [each.region_id for each in scene.found()] == [AP, US]


@pytest.mark.parametrize(
    ("region_id", "reason"),
    [(US, Ineligible.DRAINED), (AP, None)],
)
def test_a_drained_region_takes_nothing_over(region_id: RegionId, reason: Ineligible) -> None:
    scene = Scene()
    scene.ledger.must(SetRegionDrained(a_stamp(), US, drained=True))

    assert scene.reasons()[region_id] is reason


def test_a_region_that_is_down_takes_nothing_over_unless_an_operator_forces_it_up() -> None:
    scene = Scene()
    scene.ledger.must(a_verdict(Verdict.DOWN, US))
    assert scene.reasons()[US] is Ineligible.DOWN

    scene.ledger.must(SetOverride(a_stamp(), scene.service.service_id, US, Override.FORCE_UP))
    assert scene.reasons()[US] is None


def test_a_region_forced_down_takes_nothing_over() -> None:
    scene = Scene()
    scene.ledger.must(SetOverride(a_stamp(), scene.service.service_id, US, Override.FORCE_DOWN))

    assert scene.reasons()[US] is Ineligible.OVERRIDE_DOWN


def test_a_region_that_never_reported_is_refused_rather_than_assumed_in_sync() -> None:
    scene = Scene()
    scene.watch = Watch(scene.ledger.state.topology)

    assert scene.reasons() == {US: Ineligible.NEVER_REPORTED, AP: Ineligible.NEVER_REPORTED}


def test_a_silent_region_cannot_open_a_gate() -> None:
    scene = Scene()
    scene.watch = Watch(scene.ledger.state.topology)
    scene.report(US, lag_ms=0, at_ms=NOW_MS - 2_001)
    scene.report(AP, lag_ms=0, at_ms=NOW_MS - 2_000)

    assert scene.reasons()[US] is Ineligible.SILENT
    assert scene.reasons()[AP] is not Ineligible.SILENT


def test_a_region_that_does_not_pass_its_own_probe_takes_nothing_over() -> None:
    scene = Scene()
    scene.watch.hear(US, says(a_service_reading(None, lag_ms=0)), at_ms=NOW_MS)

    assert scene.reasons()[US] is Ineligible.NOT_PASSING


def test_unknown_lag_is_infinite_and_blocks() -> None:
    scene = Scene()
    scene.watch = Watch(scene.ledger.state.topology)
    scene.report(US, lag_ms=None, at_ms=NOW_MS)

    assert scene.reasons()[US] is Ineligible.LAG_UNKNOWN


def test_a_loss_beyond_the_rpo_blocks_and_the_rpo_itself_does_not() -> None:
    bound_ms = HOME_ENDS_MS - 17_400

    assert Scene(a_service(rpo_ms=bound_ms)).reasons()[US] is None
    assert Scene(a_service(rpo_ms=bound_ms - 1)).reasons()[US] is Ineligible.RPO_EXCEEDED


def test_without_an_rpo_or_its_guard_the_lag_does_not_matter() -> None:
    no_guard = an_owned_ledger(policy=a_policy(require_lag_within_rpo=False))
    for scene in (Scene(a_service(rpo_ms=None)), Scene(ledger=no_guard)):
        scene.watch = Watch(scene.ledger.state.topology)
        scene.report(US, lag_ms=None, at_ms=NOW_MS)

        assert scene.reasons()[US] is None


def test_automation_does_not_take_data_out_of_the_jurisdiction_that_may_serve_it() -> None:
    rule = ResidencyRule("EU", ("EU", "IN"))
    scene = Scene(a_service(residency=(rule,)))

    assert scene.reasons() == {US: Ineligible.RESIDENCY, AP: None}
    assert scene.reasons(automatic=False) == {US: None, AP: None}


# -- an owner that does not serve ------------------------------------------------------------------


def test_an_owner_without_lease_and_gate_is_idle_after_a_promotion_s_time() -> None:
    scene = Scene()
    group = scene.ledger.group()
    ends_ms = HOME_ENDS_MS + DEFAULT_TIMING.promote_deadline_ms

    early = scene.watch.bench(scene.ledger.state, scene.leases, ends_ms - 1)
    late = scene.watch.bench(scene.ledger.state, scene.leases, ends_ms)
    assert (is_idle(early, group, EU), is_idle(late, group, EU)) == (False, True)
    scene.watch.hear(EU, says(gates=[a_gate()]), at_ms=ends_ms)
    assert not is_idle(late, group, EU)
