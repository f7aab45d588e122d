"""When the leader proposes a verdict, and when it does not."""

from director.core.commands import RecordVerdicts, VerdictChange
from director.core.lease import LeaseBook
from director.core.planner import VERDICTS_KEY, Planner
from director.core.timing import DEFAULT_TIMING
from director.routing.table import RegionId, ServiceId, Verdict
from tests.core.builders import (
    AP,
    EU,
    US,
    WEB,
    Ledger,
    Watch,
    a_ledger,
    a_peer_reading,
    a_service_reading,
    a_site,
    a_stamp,
    an_active_active,
    says,
)


class Leader:
    """A planner in office since 0 over one active-active service, and its observations."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.ledger = a_ledger(an_active_active()) if ledger is None else ledger
        self.watch = Watch(self.ledger.state.topology)
        leases = LeaseBook(DEFAULT_TIMING)
        leases.gained(1, now_ms=0)
        self.planner = Planner(leases)
        self.planner.gained(now_ms=0)

    def hear(
        self, region_id: RegionId, at_ms: int, *, accuses: bool | None = None, passing: bool = True
    ) -> None:
        peers = []
        if accuses is not None:
            peers.append(a_peer_reading(EU, not accuses, service_id=WEB, failing_for_ms=400))
        own = a_service_reading(passing, service_id=WEB, lag_ms=None)
        self.watch.hear(region_id, says(own, peers=peers), at_ms=at_ms)
        self.watch.replicas_report(at_ms)

    def plan(self, now_ms: int, *, busy: bool = False) -> tuple[VerdictChange, ...]:
        """Plan, commit what is proposed, and return the changes of verdict."""
        keys = frozenset({VERDICTS_KEY}) if busy else frozenset[str]()
        proposals = self.planner.plan(
            self.ledger.state, self.watch.court, a_stamp(now_ms), keys, now_ms=now_ms
        )
        changes: tuple[VerdictChange, ...] = ()
        for _, command in proposals:
            self.ledger.must(command)
            if isinstance(command, RecordVerdicts):
                changes += command.changes
        return changes

    def verdicts(self, now_ms: int) -> dict[RegionId, Verdict]:
        return {each.region_id: each.verdict for each in self.plan(now_ms)}


def a_leader() -> Leader:
    """Everybody was heard and recorded as UP at 1 000."""
    leader = Leader()
    for region_id in (AP, EU, US):
        leader.hear(region_id, 1_000)
    assert leader.verdicts(1_000) == {AP: Verdict.UP, EU: Verdict.UP, US: Verdict.UP}
    return leader


def beat(leader: Leader, now_ms: int, *, accused: bool) -> None:
    leader.hear(EU, now_ms)
    for region_id in (AP, US):
        leader.hear(region_id, now_ms, accuses=accused)


def test_nothing_is_proposed_while_nothing_changes() -> None:
    leader = a_leader()

    for now_ms in range(1_100, 20_000, 500):
        beat(leader, now_ms, accused=False)
        assert leader.plan(now_ms) == ()


def test_a_verdict_says_when_the_trouble_began() -> None:
    leader = a_leader()
    beat(leader, 2_000, accused=True)

    (change,) = leader.plan(2_000)

    assert (change.region_id, change.verdict, change.reason) == (EU, Verdict.DOWN, "PEERS_FAIL")
    assert change.suspected_at_ms == 1_600


def test_down_ends_after_five_seconds_of_good_evidence_without_a_break() -> None:
    leader = a_leader()
    beat(leader, 2_000, accused=True)
    leader.plan(2_000)

    outcomes = {}
    for now_ms in range(2_500, 12_001, 500):
        beat(leader, now_ms, accused=now_ms == 4_500)  # it fails once more on the way
        outcomes[now_ms] = leader.verdicts(now_ms)

    assert {at_ms: seen for at_ms, seen in outcomes.items() if seen} == {10_000: {EU: Verdict.UP}}


def test_missing_evidence_makes_nothing_better() -> None:
    leader = a_leader()
    beat(leader, 2_000, accused=True)
    leader.plan(2_000)

    for now_ms in range(2_500, 60_000, 500):
        leader.watch.replicas_report(now_ms)
        assert EU not in leader.verdicts(now_ms)


def test_an_accusation_that_only_grew_old_no_longer_degrades() -> None:
    leader = a_leader()
    leader.hear(US, 2_000, accuses=True)
    leader.hear(EU, 2_000)
    assert leader.verdicts(2_000) == {EU: Verdict.DEGRADED}

    # The accuser falls silent. Nothing arrives that would draw attention to the accused.
    seen: dict[RegionId, Verdict] = {}
    for now_ms in range(2_500, 7_000, 500):
        for region_id in (AP, EU):
            leader.hear(region_id, now_ms)
        seen.update(leader.verdicts(now_ms))

    assert seen[EU] is Verdict.UP


def test_a_proposal_under_way_keeps_the_attention_for_later() -> None:
    leader = a_leader()
    beat(leader, 2_000, accused=True)

    assert leader.plan(2_000, busy=True) == ()
    assert [each.verdict for each in leader.plan(2_100)] == [Verdict.DOWN]


def test_a_region_with_many_services_is_judged_in_commands_of_two_hundred() -> None:
    services = [
        an_active_active(ServiceId(f"s{number:03d}"), sites=(a_site(EU), a_site(US)))
        for number in range(250)
    ]
    leader = Leader(a_ledger(*services))
    own = tuple(
        a_service_reading(True, service_id=each.service_id, lag_ms=None) for each in services
    )
    leader.watch.hear(EU, says(*own), at_ms=1_000)

    assert [len(leader.plan(now_ms)) for now_ms in (1_000, 1_100, 1_200)] == [200, 50, 0]
