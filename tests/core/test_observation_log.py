"""What is kept of the reports: order, replays, restarts, ages, and the lag of copies."""

from director.core.ids import FencingToken
from director.core.lag_log import LagSample
from director.core.observations import Readings
from director.routing.table import RegionId
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    D0,
    D1,
    D2,
    EU,
    US,
    Watch,
    a_gate,
    a_peer_reading,
    a_report,
    a_service_reading,
    says,
)

PAIR = (CHAT, EU)
PASSES, FAILS = says(a_service_reading(True)), says(a_service_reading(False))


def passing(watch: Watch, now_ms: int = 0) -> bool | None:
    reading = watch.log.self_reading(PAIR, now_ms=now_ms, fresh_ms=2_000)
    return None if reading is None else reading[0]


def test_a_replayed_report_changes_nothing() -> None:
    watch = Watch()
    watch.log.observe(a_report(EU, PASSES, counter=1), now_ms=0)
    watch.log.observe(a_report(EU, FAILS, counter=2), now_ms=100)

    watch.log.observe(a_report(EU, PASSES, counter=1), now_ms=5_000)

    assert passing(watch) is False
    assert watch.log.heard_at_ms(EU, D0) == 100


def test_a_delayed_report_of_an_earlier_boot_is_not_taken_for_a_later_one() -> None:
    watch = Watch()
    watch.log.observe(a_report(EU, FAILS, counter=9, boot_id="one"), now_ms=0)
    watch.log.observe(a_report(EU, PASSES, counter=1, boot_id="two"), now_ms=100)

    watch.log.observe(a_report(EU, FAILS, counter=10, boot_id="one"), now_ms=200)

    assert passing(watch) is True
    assert watch.log.heard_at_ms(EU, D0) == 100


def test_a_new_boot_begins_with_nothing_said() -> None:
    watch = Watch()
    watch.log.observe(a_report(EU, FAILS, counter=9, boot_id="one"), now_ms=0)

    watch.log.observe(a_report(EU, None, counter=1, boot_id="two"), now_ms=100)

    assert passing(watch) is None


def test_a_beat_without_readings_keeps_the_last_ones_fresh() -> None:
    watch = Watch()
    watch.log.observe(a_report(EU, PASSES, counter=1), now_ms=0)
    watch.log.observe(a_report(EU, None, counter=2), now_ms=3_000)

    assert passing(watch, now_ms=4_000) is True
    assert passing(watch, now_ms=5_001) is None


def test_readings_that_come_by_a_relay_count_although_a_later_beat_was_faster() -> None:
    watch = Watch()
    watch.log.observe(a_report(EU, PASSES, counter=1), now_ms=0)
    watch.log.observe(a_report(EU, None, counter=3), now_ms=1_000)

    # Report 2 reached only the other replica, 400 ms ago.
    relayed = a_report(EU, FAILS, counter=2, heard_by=D1, age_ms=400)
    assert watch.log.observe(relayed, now_ms=1_100)

    assert passing(watch, now_ms=1_100) is False
    assert watch.log.heard_at_ms(EU, D1) == 700


def test_each_replica_s_hearing_is_dated_by_the_age_it_came_with() -> None:
    watch = Watch()
    watch.log.observe(a_report(EU, PASSES, counter=5, heard_by=D1, age_ms=300), now_ms=1_000)
    watch.log.observe(a_report(EU, PASSES, counter=5, heard_by=D2, age_ms=50), now_ms=1_000)

    assert watch.log.heard_at_ms(EU, D0) is None
    assert watch.log.heard_at_ms(EU, D1) == 700
    assert watch.log.last_heard_ms(EU) == 950


def test_only_what_changed_for_the_worse_or_the_better_is_news() -> None:
    watch = Watch()

    assert not watch.hear(EU, PASSES), "good first words can wait for the next tick"
    assert not watch.hear(EU, PASSES)
    assert watch.hear(EU, FAILS)
    assert watch.hear(EU, PASSES)
    assert watch.hear(US, FAILS), "bad first words cannot"
    assert watch.hear(EU, says(a_service_reading(True), gates=[a_gate()]))
    assert watch.log.take_dirty() == {PAIR, (CHAT, US)}
    assert watch.log.take_dirty() == set()


def test_a_changed_peer_reading_marks_the_pair_it_is_about() -> None:
    watch = Watch()
    watch.hear(US, says(peers=[a_peer_reading(EU, True), a_peer_reading(AP, True)]))
    watch.log.take_dirty()

    assert watch.hear(US, says(peers=[a_peer_reading(EU, False), a_peer_reading(AP, True)]))
    assert watch.log.take_dirty() == {PAIR}


def test_an_observer_that_becomes_believable_brings_its_other_accusations_up_again() -> None:
    watch = Watch()
    all_fail = says(peers=[a_peer_reading(EU, False), a_peer_reading(AP, False)])
    watch.hear(US, all_fail)
    watch.log.take_dirty()
    assert not next(watch.log.peer_words(PAIR)).is_believed

    watch.hear(US, says(peers=[a_peer_reading(EU, False), a_peer_reading(AP, True)]))

    assert watch.log.take_dirty() == {PAIR, (CHAT, AP)}
    assert next(watch.log.peer_words(PAIR)).is_believed


def test_a_target_that_is_no_longer_watched_is_no_longer_spoken_of() -> None:
    watch = Watch()
    watch.hear(US, says(peers=[a_peer_reading(EU, False), a_peer_reading(AP, True)]))
    watch.hear(US, says(peers=[a_peer_reading(AP, True)]))

    assert list(watch.log.peer_words(PAIR)) == []


def test_a_region_does_not_speak_of_itself_as_a_peer() -> None:
    watch = Watch()
    watch.hear(EU, says(peers=[a_peer_reading(EU, False), a_peer_reading(AP, True)]))

    assert list(watch.log.peer_words(PAIR)) == []


def test_a_gate_is_open_only_under_exactly_the_token_asked_about() -> None:
    watch = Watch()
    watch.hear(EU, says(gates=[a_gate(3)]))

    is_open = [
        watch.log.is_gate_open(EU, CHAT_GROUP, FencingToken(1, epoch)) for epoch in (2, 3, 4)
    ]

    assert is_open == [False, True, False]


def test_lag_samples_are_dated_by_their_own_age_and_kept_in_order() -> None:
    watch = Watch()
    watch.hear(US, says(a_service_reading(lag_ms=100, lag_age_ms=300)), at_ms=1_000)
    watch.hear(US, says(a_service_reading(lag_ms=100, lag_age_ms=900)), at_ms=1_500)
    watch.hear(US, says(a_service_reading(lag_ms=None)), at_ms=2_000)
    watch.hear(US, says(a_service_reading(lag_ms=0, lag_age_ms=0)), at_ms=2_500)

    assert watch.log.lag_samples((CHAT, US)) == (LagSample(700, 100), LagSample(2_500, 0))
    assert watch.log.lag_samples((CHAT, US))[0].covered_through_ms == 600


def test_the_best_sample_from_before_a_suspicion_is_kept_however_long_the_decision_takes() -> None:
    watch = Watch()
    for second in range(20):
        watch.hear(US, says(a_service_reading(lag_ms=50)), at_ms=1_000 * second)
    watch.log.keep_lag((CHAT, US), until_ms=10_500)

    for second in range(20, 2_000):
        watch.hear(US, says(a_service_reading(lag_ms=50)), at_ms=1_000 * second)

    samples = watch.log.lag_samples((CHAT, US))
    assert samples[0] == LagSample(10_000, 50)
    assert samples[1].at_ms > 1_900_000


def test_pods_that_were_replaced_long_ago_are_forgotten() -> None:
    watch = Watch()
    watched = says(peers=[a_peer_reading(EU, True)])
    for number in range(20):
        watch.hear(US, watched, at_ms=60_000 * number, agent_id=f"pod-{number}")

    # Ten minutes back from the nineteenth minute: pods 9 to 19.
    assert len(watch.log.agents_in(US)) == 11
    assert len(list(watch.log.peer_words(PAIR))) == 11
    assert watch.log.agents_in(RegionId("nowhere")) == []


def test_readings_without_anything_said_are_the_default() -> None:
    assert says() == Readings()
