"""What is kept of the reports: order, replays, restarts, ages, and the lag of copies."""

from dataclasses import replace

from director.core.commands import ApplyManifest
from director.core.director import Director
from director.core.ids import AgentId, FencingToken
from director.core.inputs import Committed, Reported, Ticked
from director.core.lag_log import LagSample
from director.core.observation_log import AGENTS_PER_REGION_MAX, ObservationLog
from director.core.observations import Readings, RoundTrip
from director.core.round_trips import RoundTrips
from director.core.timing import DEFAULT_TIMING
from director.routing.table import RegionId, ServiceId
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    D0,
    D1,
    D2,
    DOMAINS,
    EU,
    US,
    WEB,
    Watch,
    a_gate,
    a_peer_reading,
    a_report,
    a_service,
    a_service_reading,
    a_stamp,
    a_topology,
    an_active_active,
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
    watch.log.sweep(now_ms=60_000 * 19)

    # Ten minutes back from the nineteenth minute: pods 9 to 19.
    assert len(watch.log.agents_in(US)) == 11
    assert len(list(watch.log.peer_words(PAIR))) == 11
    assert watch.log.agents_in(RegionId("nowhere")) == []


def test_readings_without_anything_said_are_the_default() -> None:
    assert says() == Readings()


def test_what_is_said_of_undeclared_services_leaves_nothing_behind() -> None:
    watch = Watch()
    stranger = ServiceId("stranger-0")
    for number in range(500):
        stranger = ServiceId(f"stranger-{number}")
        said = says(
            replace(a_service_reading(lag_ms=10), service_id=stranger),
            peers=[a_peer_reading(EU, False, service_id=stranger)],
        )
        assert not watch.hear(US, said, at_ms=number), "no news: nobody asks about it"

    assert watch.log.take_dirty() == set()
    assert watch.log.self_reading((stranger, US), now_ms=500, fresh_ms=2_000) is None
    assert watch.log.lag_samples((stranger, US)) == ()
    assert watch.log._observers == {}
    assert watch.log._lag._latest == {}
    assert len(watch.log.agents[(US, AgentId("agent"))].early_lags) == 1


def test_what_was_reported_before_the_documents_counts_as_soon_as_they_are_applied() -> None:
    log = ObservationLog()
    said = says(a_service_reading(False, lag_ms=40), peers=[a_peer_reading(EU, False)])
    log.observe(a_report(US, said), now_ms=1_000)
    assert log.self_reading((CHAT, US), now_ms=1_000, fresh_ms=2_000) is None
    assert log.last_heard_ms(US) == 1_000, "its beats count"

    log.know(a_topology())

    assert log.self_reading((CHAT, US), now_ms=1_000, fresh_ms=2_000) == (False, 0)
    assert [each.observer for each in log.peer_words(PAIR)] == [(US, "agent")]
    assert [each.lag_ms for each in log.lag_samples((CHAT, US))] == [40]
    assert log.take_dirty() == {PAIR, (CHAT, US)}


def test_a_service_that_is_no_longer_declared_is_forgotten() -> None:
    watch = Watch(a_topology(a_service(), an_active_active()))
    watch.hear(US, says(a_service_reading(lag_ms=40), peers=[a_peer_reading(EU, False)]))
    watch.log.keep_lag((CHAT, US), until_ms=10)

    watch.log.know(a_topology(an_active_active(WEB)))

    assert watch.log.take_dirty() == set()
    assert list(watch.log.peer_words(PAIR)) == []
    assert watch.log.lag_samples((CHAT, US)) == ()
    assert watch.log._observers == {}


def test_a_pair_that_nobody_watches_any_more_keeps_no_entry() -> None:
    watch = Watch()
    watched = says(peers=[a_peer_reading(EU, True), a_peer_reading(AP, True)])
    watch.hear(US, watched)
    watch.hear(US, says(peers=[a_peer_reading(AP, True)]))
    assert set(watch.log._observers) == {(CHAT, AP)}

    watch.log.observe(a_report(US, None, boot_id="next"), now_ms=1)

    assert watch.log._observers == {}, "a new boot has said nothing yet"


def test_a_region_that_is_full_takes_a_new_agent_only_for_one_that_fell_silent() -> None:
    watch = Watch()
    for number in range(AGENTS_PER_REGION_MAX):
        watch.hear(EU, PASSES, at_ms=number, agent_id=f"pod-{number}")

    watch.hear(EU, FAILS, at_ms=1_000, agent_id="one-more")
    assert len(watch.log.agents_in(EU)) == AGENTS_PER_REGION_MAX
    assert (EU, AgentId("one-more")) not in watch.log.agents
    watch.hear(US, PASSES, at_ms=1_000, agent_id="elsewhere")
    assert len(watch.log.agents_in(US)) == 1

    watch.hear(EU, FAILS, at_ms=2_001, agent_id="one-more")

    assert len(watch.log.agents_in(EU)) == AGENTS_PER_REGION_MAX
    assert (EU, AgentId("one-more")) in watch.log.agents
    assert (EU, AgentId("pod-0")) not in watch.log.agents, "unheard for longest"


def test_a_director_forgets_an_agent_by_the_passing_of_time_alone() -> None:
    director = Director(D0, DOMAINS[D0], DEFAULT_TIMING, DOMAINS)
    director.receive(Committed(1, ApplyManifest(a_stamp(), a_topology())), now_ms=0)
    director.receive(Reported(a_report(US, says(peers=[a_peer_reading(EU)]))), now_ms=100)
    counts = []
    for now_ms in (600_000, 620_000):
        director.receive(Ticked(), now_ms=now_ms)
        (count,) = (
            each.agent_count
            for each in director.region_views(now_ms=now_ms)
            if each.region_id == US
        )
        counts.append(count)

    assert counts == [1, 0]


def test_a_director_hears_what_was_reported_before_its_first_documents() -> None:
    director = Director(D0, DOMAINS[D0], DEFAULT_TIMING, DOMAINS)
    director.receive(Reported(a_report(US, says(a_service_reading(lag_ms=40)))), now_ms=100)
    director.receive(Committed(1, ApplyManifest(a_stamp(), a_topology())), now_ms=200)

    (view,) = director.service_views(now_ms=300)

    assert {each.region_id: each.lag_ms for each in view.sites}[US] == 40


def test_round_trips_to_regions_that_nobody_declared_are_bounded() -> None:
    round_trips = RoundTrips()
    for number in range(10_100):
        round_trips.observe(US, (RoundTrip(RegionId(f"r{number}"), 1_000),))
    round_trips.observe(US, (RoundTrip(RegionId("r1"), 2_000),))

    published = round_trips.published(now_ms=0)

    assert len(published) == 10_000
    assert (US, "r1", 2_000) in published
