"""What a failover would come to if the owner were lost now, as the planner itself would see it."""

from dataclasses import replace

from director.core.commands import RunKind, SetRegionDrained
from director.core.explain import CandidateView, at, explain_failover
from director.core.lease import LeaseBook
from director.core.reasons import Reason
from director.core.safety import Refusal
from director.core.state import State
from director.core.status import ServiceView, service_view
from director.core.timing import DEFAULT_TIMING
from director.routing.table import Verdict
from tests.core.builders import (
    AP,
    CHAT,
    EU,
    US,
    Ledger,
    Watch,
    a_stamp,
    a_start,
    a_verdict,
    an_active_active,
    an_owned_ledger,
    says_lag,
    started,
)

NOW_MS = 10_000


def seen(ledger: Ledger, lag_ms: int | None = 100, held: Refusal | None = None) -> ServiceView:
    watch = Watch(ledger.state.topology)
    watch.hear(EU, says_lag(None), at_ms=NOW_MS)
    watch.hear(US, says_lag(lag_ms), at_ms=NOW_MS)
    watch.hear(AP, says_lag(lag_ms), at_ms=NOW_MS)
    leases = LeaseBook(DEFAULT_TIMING)
    leases.gained(1, now_ms=0)
    bench = watch.bench(ledger.state, leases, NOW_MS)
    return service_view(bench, ledger.state.topology.services[0], held)


def test_candidates_come_in_the_order_of_choice_and_the_first_fit_one_is_chosen() -> None:
    ledger = an_owned_ledger()

    explained = explain_failover(ledger.state, seen(ledger))

    assert [(each.region_id, each.chosen) for each in explained.candidates] == [
        (US, True),
        (AP, False),
    ]
    assert explained.candidates[0].text.startswith("priority 1, could lose ")
    assert explained.held is None
    assert explained.last_run is None


def test_a_region_that_may_not_take_over_says_why() -> None:
    ledger = an_owned_ledger()
    ledger.must(SetRegionDrained(a_stamp(), US, drained=True))
    ledger.must(a_verdict(Verdict.DOWN, AP))

    explained = explain_failover(ledger.state, seen(ledger))

    assert {each.region_id: (each.reason, each.text) for each in explained.candidates} == {
        US: ("DRAINED", "drained by an operator"),
        AP: ("DOWN", "DOWN: PEERS_FAIL"),
    }
    assert not any(each.chosen for each in explained.candidates)


def test_a_copy_that_is_too_far_behind_says_how_far() -> None:
    ledger = an_owned_ledger()

    explained = explain_failover(ledger.state, seen(ledger, lag_ms=60_000))

    candidate = explained.candidates[0]
    assert isinstance(candidate, CandidateView)
    assert candidate.reason == "RPO_EXCEEDED"
    assert candidate.text.endswith("the RPO is 10000 ms")


def test_what_would_hold_the_director_back_now_is_asked_of_the_rules() -> None:
    ledger = an_owned_ledger()
    state = replace(ledger.state, settled_at_ms=((CHAT, 1_000),), now_ms=2_000)

    held = explain_failover(state, seen(ledger)).held

    assert held is not None
    assert held.reason is Reason.COOLDOWN
    # The interval is over: director time goes on between entries.
    assert explain_failover(at(state, 1_000 + 900_000), seen(ledger)).held is None


def test_a_run_that_goes_on_holds_the_next_and_is_the_last_one_shown() -> None:
    ledger = an_owned_ledger()
    run_id = started(ledger, a_start(US, kind=RunKind.FAILOVER))

    explained = explain_failover(ledger.state, seen(ledger))

    assert explained.held is not None
    assert explained.held.reason is Reason.FAILOVER_IN_PROGRESS
    assert explained.last_run is not None
    assert explained.last_run.run_id == run_id


def test_a_service_that_is_active_everywhere_has_no_candidates() -> None:
    ledger = an_owned_ledger(an_active_active())

    explained = explain_failover(ledger.state, seen(ledger))

    assert explained.candidates == ()
    assert explained.held is None


def test_time_never_goes_back() -> None:
    assert at(State(now_ms=5), 3).now_ms == 5
