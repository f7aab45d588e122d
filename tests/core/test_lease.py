"""When a lease is granted, to whom, and from when on nobody can be acting any more."""

from director.core.commands import AbortRun, AdvanceRun, StageName
from director.core.effects import Barrier, GrantLease, RefuseLease
from director.core.ids import AgentId, FencingToken
from director.core.inputs import LeaseAsked
from director.core.lease import LeaseBook, LeaseEffect
from director.core.state import State
from director.core.timing import DEFAULT_TIMING, Timing
from director.routing.table import RegionId
from tests.core.builders import (
    CHAT_GROUP,
    EU,
    US,
    Watch,
    a_gate,
    a_ledger,
    a_stamp,
    an_owned_ledger,
    says,
    started,
)

TERM = 3
# 4 s stretched by two clocks that are 1 % off, rounded up, and 100 ms on top.
WAIT_MS = 4_181


def asks(
    region_id: RegionId = EU,
    epoch: int = 1,
    *,
    agent_id: str = "agent",
    number: int = 1,
    is_proven: bool = True,
    is_holding: bool = False,
) -> LeaseAsked:
    token = FencingToken(1, epoch)
    return LeaseAsked(
        region_id, AgentId(agent_id), CHAT_GROUP, token, number, is_proven, is_holding
    )


def a_book(*, now_ms: int = 0) -> LeaseBook:
    book = LeaseBook(DEFAULT_TIMING)
    book.gained(TERM, now_ms=now_ms)
    return book


def a_fresh_book() -> LeaseBook:
    """A book in whose office epoch 1 was granted."""
    book = a_book()
    book.note_epoch(CHAT_GROUP, FencingToken(1, 1), has_older_stopped=True, now_ms=0)
    return book


def answer(book: LeaseBook, asked: LeaseAsked, state: State, *, now_ms: int = 0) -> str:
    """Ask, pass the barrier, and return "granted" or the reason."""
    (barrier,) = book.ask(asked)
    assert isinstance(barrier, Barrier)
    (effect,) = book.passed(barrier.barrier_id, barrier.term, state, now_ms=now_ms)
    return said(effect)


def said(effect: LeaseEffect) -> str:
    if isinstance(effect, GrantLease):
        return "granted"
    assert isinstance(effect, RefuseLease)
    return effect.reason


def test_the_wait_for_an_old_lease_covers_the_drift_of_two_clocks() -> None:
    assert DEFAULT_TIMING.lease_wait_ms == WAIT_MS
    # A perfect pair of clocks needs the length and the margin alone.
    assert Timing(clock_drift_per_mille=0).lease_wait_ms == 4_100


def test_the_default_timing_keeps_its_own_rules_and_a_bad_one_names_what_it_breaks() -> None:
    assert list(DEFAULT_TIMING.faults()) == []
    bad = Timing(suspect_ms=900, lease_ms=800, lease_renew_ms=400)

    assert [fault.split(" ")[0] for fault in bad.faults()] == ["suspect_ms", "lease_ms", "lease_ms"]


def test_a_grant_comes_only_after_a_barrier_and_carries_the_request_number() -> None:
    book, state = a_fresh_book(), an_owned_ledger().state

    effects = book.ask(asks(number=42))
    assert effects == (Barrier(1, TERM),)
    granted = book.passed(1, TERM, state, now_ms=10)

    expected = GrantLease(EU, AgentId("agent"), CHAT_GROUP, FencingToken(1, 1), 42, 4_000)
    assert granted == (expected,)


def test_a_request_that_arrives_during_a_barrier_waits_for_the_next() -> None:
    book, state = a_fresh_book(), an_owned_ledger().state
    book.ask(asks(number=1))

    assert book.ask(asks(number=2)) == (), "the barrier under way began before this request"
    first = book.passed(1, TERM, state, now_ms=10)

    assert [said(each) for each in first[:1]] == ["granted"]
    assert first[1:] == (Barrier(2, TERM),)
    (second,) = book.passed(2, TERM, state, now_ms=20)
    assert isinstance(second, GrantLease)
    assert second.request_number == 2


def test_a_barrier_of_another_term_or_an_older_one_grants_nothing() -> None:
    book, state = a_fresh_book(), an_owned_ledger().state
    book.ask(asks())

    assert book.passed(1, TERM + 1, state, now_ms=0) == ()
    assert book.passed(0, TERM, state, now_ms=0) == ()


def test_a_barrier_that_fails_refuses_whoever_waited_for_it_and_nobody_else() -> None:
    book = a_fresh_book()
    book.ask(asks(number=1))
    book.ask(asks(number=2))

    refused, following = book.failed(1)

    assert isinstance(refused, RefuseLease)
    assert (refused.request_number, refused.reason) == (1, "NOT_CONFIRMED")
    assert following == Barrier(2, TERM)
    assert book.failed(1) == ()


def test_without_an_office_nobody_is_granted_anything() -> None:
    book, state = a_fresh_book(), an_owned_ledger().state
    book.ask(asks())

    book.lost()

    assert not book.is_in_office
    assert book.passed(1, TERM, state, now_ms=0) == ()
    assert [said(each) for each in book.ask(asks())] == ["NOT_LEADER"]


def test_each_request_that_is_not_the_owner_s_is_refused_for_its_reason() -> None:
    state = an_owned_ledger().state

    assert answer(a_fresh_book(), asks(US), state) == "NOT_HOME"
    assert answer(a_fresh_book(), asks(epoch=2), state) == "STALE_TOKEN"
    assert answer(a_fresh_book(), asks(is_proven=False), state) == "NOT_PROVEN"
    assert answer(a_fresh_book(), asks(), State()) == "NO_GROUP"
    assert answer(a_fresh_book(), asks(), a_ledger().state) == "NOT_HOME"


def test_a_home_that_is_being_fenced_gets_no_further_lease() -> None:
    ledger = an_owned_ledger()
    run_id = started(ledger)
    assert answer(a_fresh_book(), asks(), ledger.state) == "granted"  # it may still be confirmed

    step = AdvanceRun(a_stamp(), run_id, StageName.CONFIRMING, StageName.FENCING)
    ledger.must(step)

    assert answer(a_fresh_book(), asks(), ledger.state) == "FENCING"


def test_one_agent_holds_at_a_time() -> None:
    book, state = a_fresh_book(), an_owned_ledger().state
    assert answer(book, asks(agent_id="a"), state, now_ms=1_000) == "granted"

    assert answer(book, asks(agent_id="b"), state, now_ms=1_000 + WAIT_MS - 1) == "HELD_BY_OTHER"
    assert answer(book, asks(agent_id="b"), state, now_ms=1_000 + WAIT_MS) == "granted"


def test_a_new_leader_renews_a_holder_at_once_and_lets_others_wait() -> None:
    state = an_owned_ledger().state

    assert answer(a_book(), asks(is_holding=True), state, now_ms=10) == "granted"
    assert answer(a_book(), asks(), state, now_ms=WAIT_MS - 1) == "SETTLING"
    assert answer(a_book(), asks(), state, now_ms=WAIT_MS) == "granted"


def test_a_new_leader_assumes_a_renewal_at_the_moment_of_its_office() -> None:
    book = a_book(now_ms=50_000)

    assert book.stopped_at_ms(CHAT_GROUP, FencingToken(1, 1)) == 50_000 + WAIT_MS


def test_a_holder_stops_one_wait_after_its_last_grant() -> None:
    book, state = a_fresh_book(), an_owned_ledger().state
    answer(book, asks(), state, now_ms=9_000)

    assert book.stopped_at_ms(CHAT_GROUP, FencingToken(1, 1)) == 9_000 + WAIT_MS
    assert book.was_granted(CHAT_GROUP, FencingToken(1, 1))


def test_an_epoch_of_this_office_that_nobody_asked_for_needs_no_wait() -> None:
    book = a_book()
    book.note_epoch(CHAT_GROUP, FencingToken(1, 2), has_older_stopped=True, now_ms=700)

    assert book.stopped_at_ms(CHAT_GROUP, FencingToken(1, 2)) == 700
    assert not book.was_granted(CHAT_GROUP, FencingToken(1, 2))


def test_an_epoch_given_back_while_fencing_still_waits_for_the_lease_of_the_one_before() -> None:
    # The source was granted at 9 000 under epoch 1. Its run is taken back at 9 500, so it owns
    # epoch 2; cut off as it is, it may act under epoch 1 until 13 181 (A4).
    ledger = an_owned_ledger()
    book = a_fresh_book()
    answer(book, asks(), ledger.state, now_ms=9_000)
    run_id = started(ledger)
    ledger.must(AdvanceRun(a_stamp(), run_id, StageName.CONFIRMING, StageName.FENCING))
    ledger.must(AbortRun(a_stamp(), run_id, StageName.FENCING, "TARGET_LOST"))

    book.note_epoch(CHAT_GROUP, ledger.token(), has_older_stopped=False, now_ms=9_500)

    assert ledger.token() == FencingToken(1, 2)
    assert book.stopped_at_ms(CHAT_GROUP, ledger.token()) == 9_000 + WAIT_MS
    # The agent that held goes on at once; another of its region could act beside it.
    assert answer(book, asks(epoch=2, agent_id="b"), ledger.state, now_ms=9_600) == "SETTLING"
    assert answer(book, asks(epoch=2), ledger.state, now_ms=9_600) == "granted"
    assert book.stopped_at_ms(CHAT_GROUP, ledger.token()) == 9_600 + WAIT_MS


def test_an_epoch_given_back_by_a_young_office_waits_for_an_older_leader_s_lease() -> None:
    book, state = a_book(now_ms=1_000), an_owned_ledger().state
    book.note_epoch(CHAT_GROUP, FencingToken(1, 1), has_older_stopped=False, now_ms=1_200)

    assert book.stopped_at_ms(CHAT_GROUP, FencingToken(1, 1)) == 1_000 + WAIT_MS
    assert answer(book, asks(), state, now_ms=1_300) == "SETTLING"
    assert answer(book, asks(), state, now_ms=1_000 + WAIT_MS) == "granted"


def test_only_the_promise_of_the_one_agent_that_holds_ends_the_wait() -> None:
    book, state, watch = a_fresh_book(), an_owned_ledger().state, Watch()
    token = FencingToken(1, 1)
    promise = says(gates=[a_gate(is_open=False, demoted=1)])
    watch.hear(EU, promise, agent_id="b")
    answer(book, asks(agent_id="a"), state)

    assert not book.is_demoted(CHAT_GROUP, token, watch.log, now_ms=0), "b never held"
    watch.hear(EU, says(gates=[a_gate(is_open=False)]), agent_id="a")
    assert not book.is_demoted(CHAT_GROUP, token, watch.log, now_ms=0), "closed is not promised"
    watch.hear(EU, promise, agent_id="a")
    assert book.is_demoted(CHAT_GROUP, token, watch.log, now_ms=0)


def test_a_new_leader_does_not_know_who_holds_so_no_promise_is_enough() -> None:
    watch = Watch()
    watch.hear(EU, says(gates=[a_gate(is_open=False, demoted=1)]))

    assert not a_book().is_demoted(CHAT_GROUP, FencingToken(1, 1), watch.log, now_ms=0)


def test_a_holder_by_its_own_word_alone_is_not_the_only_one_until_older_leases_have_ended() -> None:
    book, watch = a_book(), Watch()
    token = FencingToken(1, 1)
    answer(book, asks(is_holding=True), an_owned_ledger().state, now_ms=10)
    watch.hear(EU, says(gates=[a_gate(is_open=False, demoted=1)]))

    assert not book.is_demoted(CHAT_GROUP, token, watch.log, now_ms=WAIT_MS - 1)
    assert book.is_demoted(CHAT_GROUP, token, watch.log, now_ms=WAIT_MS)


def test_a_promise_about_an_older_epoch_says_nothing_of_the_present_one() -> None:
    book, ledger, watch = a_book(), an_owned_ledger(), Watch()
    ledger.must(AdvanceRun(a_stamp(), started(ledger), StageName.CONFIRMING, StageName.FENCING))
    ledger.must(AbortRun(a_stamp(), ledger.run().run_id, StageName.FENCING, "LAG"))
    book.note_epoch(CHAT_GROUP, FencingToken(1, 2), has_older_stopped=True, now_ms=0)
    assert answer(book, asks(epoch=2), ledger.state) == "granted"
    watch.hear(EU, says(gates=[a_gate(2, demoted=1)]))

    assert not book.is_demoted(CHAT_GROUP, FencingToken(1, 2), watch.log, now_ms=0)
