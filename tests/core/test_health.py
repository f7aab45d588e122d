"""The verdict on one region of one service, rule by rule."""

import pytest

from director.core.commands import Evidence
from director.core.health import Cause, Judgement, judge, silent_domain_count
from director.routing.table import RegionId, Verdict
from tests.core.builders import (
    AP,
    CHAT,
    D1,
    D2,
    EU,
    REGIONS,
    SA,
    US,
    Watch,
    a_peer_reading,
    a_region,
    a_report,
    a_service,
    a_service_reading,
    a_topology,
    says,
)

NOW_MS = 10_000


def a_watch(**domains: str) -> Watch:
    """Every agent was heard just now; Europe passes its own probe."""
    regions = [
        a_region(each, failure_domain=domains.get(each[:2], f"fd-{each}")) for each in REGIONS
    ]
    watch = Watch(a_topology(regions=regions))
    watch.replicas_report(NOW_MS)
    watch.hear(EU, says(a_service_reading(True)), at_ms=NOW_MS)
    return watch


def accuse(
    watch: Watch,
    *observers: RegionId,
    at_ms: int = NOW_MS,
    age_ms: int = 0,
    failing_for_ms: int = 700,
) -> None:
    """These regions see Europe fail and another region pass."""
    for observer in observers:
        witness = next(each for each in (US, AP) if each != observer)
        watch.hear(
            observer,
            says(
                peers=[
                    a_peer_reading(EU, False, failing_for_ms=failing_for_ms, age_ms=age_ms),
                    a_peer_reading(witness, True),
                ]
            ),
            at_ms=at_ms,
        )


def verdict(watch: Watch, now_ms: int = NOW_MS, region_id: RegionId = EU) -> tuple[Verdict, Cause]:
    judgement = judgement_of(watch, now_ms, region_id)
    return judgement.verdict, judgement.cause


def judgement_of(watch: Watch, now_ms: int = NOW_MS, region_id: RegionId = EU) -> Judgement:
    return judge(watch.court, watch.topology.services[0], region_id, now_ms=now_ms)


def test_a_region_that_passes_and_is_not_accused_is_up() -> None:
    assert verdict(a_watch()) == (Verdict.UP, Cause.HEALTHY)


def test_the_region_s_own_agent_is_believed_when_it_says_that_its_service_failed() -> None:
    watch = a_watch()
    watch.hear(EU, says(a_service_reading(False)), at_ms=NOW_MS)

    assert verdict(watch) == (Verdict.DOWN, Cause.SELF_FAIL)


def test_one_of_several_agents_that_passes_keeps_the_region_in_service() -> None:
    watch = a_watch()
    watch.hear(EU, says(a_service_reading(False)), at_ms=NOW_MS, agent_id="sidecar-2")

    assert verdict(watch) == (Verdict.UP, Cause.HEALTHY)


def test_peers_in_two_failure_domains_make_it_down_even_while_its_agent_is_content() -> None:
    watch = a_watch()
    accuse(watch, US, AP)

    assert verdict(watch) == (Verdict.DOWN, Cause.PEERS_FAIL)


def test_one_accusing_peer_alone_only_degrades() -> None:
    watch = a_watch()
    accuse(watch, US)

    assert verdict(watch) == (Verdict.DEGRADED, Cause.SOME_PEER_FAILS)


def test_two_peers_in_one_failure_domain_are_one_voice() -> None:
    watch = a_watch(us="fd-americas", sa="fd-americas")
    accuse(watch, US, SA)

    assert verdict(watch) == (Verdict.DEGRADED, Cause.SOME_PEER_FAILS)


def test_a_peer_in_the_judged_region_s_own_failure_domain_has_no_voice() -> None:
    watch = a_watch(us="fd-shared", eu="fd-shared")
    accuse(watch, US, AP)

    assert verdict(watch) == (Verdict.DEGRADED, Cause.SOME_PEER_FAILS)


def test_a_service_may_ask_for_more_observers_than_two() -> None:
    watch = Watch(a_topology(a_service(health=a_service().health.__class__(observers_agree=3))))
    watch.replicas_report(NOW_MS)
    watch.hear(EU, says(a_service_reading(True)), at_ms=NOW_MS)
    accuse(watch, US, AP)
    assert verdict(watch) == (Verdict.DEGRADED, Cause.SOME_PEER_FAILS)

    accuse(watch, SA)
    assert verdict(watch) == (Verdict.DOWN, Cause.PEERS_FAIL)


def test_an_observer_that_accuses_everyone_is_not_believed() -> None:
    watch = a_watch()
    accuse(watch, US)
    watch.hear(AP, says(peers=[a_peer_reading(EU, False), a_peer_reading(US, False)]), at_ms=NOW_MS)

    judgement = judgement_of(watch)

    assert (judgement.verdict, judgement.cause) == (Verdict.DEGRADED, Cause.SOME_PEER_FAILS)
    assert Evidence("peer:ap-south1", "not believed", 0) in judgement.evidence


def test_an_observer_of_a_single_region_is_believed_for_want_of_another() -> None:
    watch = a_watch()
    accuse(watch, US)
    watch.hear(AP, says(peers=[a_peer_reading(EU, False)]), at_ms=NOW_MS)

    assert verdict(watch) == (Verdict.DOWN, Cause.PEERS_FAIL)


def test_an_accusation_counts_until_its_age_passes_the_bound() -> None:
    watch = a_watch()
    accuse(watch, US, AP, at_ms=NOW_MS, age_ms=400)
    watch.hear(EU, None, at_ms=NOW_MS + 2_100)

    # The bound is 2 000 ms plus one probe interval of 500 ms; the words were 400 ms old already.
    assert verdict(watch, NOW_MS + 2_100) == (Verdict.DOWN, Cause.PEERS_FAIL)
    assert verdict(watch, NOW_MS + 2_101) == (Verdict.UP, Cause.HEALTHY)


def test_a_peer_that_has_not_made_up_its_mind_says_nothing() -> None:
    watch = a_watch()
    accuse(watch, US)
    watch.hear(AP, says(peers=[a_peer_reading(EU, None)]), at_ms=NOW_MS)

    assert verdict(watch) == (Verdict.DEGRADED, Cause.SOME_PEER_FAILS)


def test_silence_alone_is_never_down() -> None:
    watch = a_watch()
    later_ms = NOW_MS + 2_001
    watch.replicas_report(later_ms)

    assert verdict(watch, later_ms) == (Verdict.UNKNOWN, Cause.SILENT)
    watch.replicas_report(later_ms + 3_600_000)
    assert verdict(watch, later_ms + 3_600_000) == (Verdict.UNKNOWN, Cause.SILENT)


def test_silence_begins_after_four_beats_and_not_before() -> None:
    watch = a_watch()
    watch.replicas_report(NOW_MS + 2_000)

    assert verdict(watch, NOW_MS + 2_000) == (Verdict.UP, Cause.HEALTHY)


def test_one_accusing_peer_and_silence_at_two_directors_is_down() -> None:
    watch = a_watch()
    later_ms = NOW_MS + 2_500
    watch.replicas_report(later_ms)
    accuse(watch, US, at_ms=later_ms)
    assert verdict(watch, later_ms) == (Verdict.DOWN, Cause.PEER_FAIL_AND_SILENT)

    # Heard by two of three directors, it is not silent enough for a single accuser.
    watch.hear(EU, says(a_service_reading(True)), at_ms=later_ms, by=[D1, D2])
    assert verdict(watch, later_ms) == (Verdict.DEGRADED, Cause.SOME_PEER_FAILS)


def test_a_director_beside_the_region_is_no_word_from_another_place() -> None:
    watch = a_watch()
    later_ms = NOW_MS + 2_500
    watch.replicas_report(later_ms)
    watch.hear(EU, says(a_service_reading(True)), at_ms=later_ms, by=[D1])
    accuse(watch, US, at_ms=later_ms)

    # Of two directors that miss its heartbeats, one stands in its own failure domain (C4).
    assert silent_domain_count(watch.court, (CHAT, EU), now_ms=later_ms) == 2
    assert verdict(watch, later_ms) == (Verdict.DEGRADED, Cause.SOME_PEER_FAILS)


def test_a_director_out_of_touch_is_no_vantage_point() -> None:
    watch = a_watch()
    later_ms = NOW_MS + 2_500
    accuse(watch, US, at_ms=later_ms)

    # The other two said nothing themselves for 2.5 s: what they last heard is no word about now.
    assert silent_domain_count(watch.court, (CHAT, EU), now_ms=later_ms) == 1
    assert verdict(watch, later_ms) == (Verdict.UNKNOWN, Cause.SILENT)


def test_a_region_that_no_director_ever_heard_is_unknown() -> None:
    watch = a_watch()

    assert verdict(watch, region_id=US) == (Verdict.UNKNOWN, Cause.NEVER_HEARD)


def test_a_region_that_beats_but_is_undecided_is_unknown() -> None:
    watch = a_watch()
    watch.hear(US, says(a_service_reading(None)), at_ms=NOW_MS)

    assert verdict(watch, region_id=US) == (Verdict.UNKNOWN, Cause.UNDECIDED)


def test_an_agent_that_restarts_was_not_silent() -> None:
    watch = a_watch()
    accuse(watch, US)
    # The first report of the new boot has reached one director only.
    first = a_report(EU, says(a_service_reading(True)), boot_id="boot-2", heard_by=D1)
    watch.log.observe(first, now_ms=NOW_MS)

    assert silent_domain_count(watch.court, (CHAT, EU), now_ms=NOW_MS) == 0
    assert verdict(watch) == (Verdict.DEGRADED, Cause.SOME_PEER_FAILS)


def test_a_judgement_names_its_evidence_and_the_rounds_of_its_accusers() -> None:
    watch = a_watch()
    accuse(watch, US, AP, age_ms=100)

    judgement = judgement_of(watch, NOW_MS + 50)

    assert judgement == Judgement(
        Verdict.DOWN,
        Cause.PEERS_FAIL,
        evidence=(
            Evidence("self", "pass", 50),
            Evidence("director:d0", "pass", 50),
            Evidence("director:d1", "pass", 50),
            Evidence("director:d2", "pass", 50),
            Evidence("peer:ap-south1", "fail", 150),
            Evidence("peer:us-east1", "fail", 150),
        ),
        bad_for_ms=850,  # failing for 700 ms when the probe ended, 150 ms ago
        accusers=((AP, 10), (US, 10)),
    )


def test_many_agents_of_one_region_are_one_line_of_evidence() -> None:
    watch = a_watch()
    for number in range(50):
        watch.hear(
            US, says(peers=[a_peer_reading(EU, True)]), at_ms=NOW_MS, agent_id=f"pod-{number}"
        )

    vantages = [each.vantage for each in judgement_of(watch).evidence]

    assert vantages.count("peer:us-east1") == 1


@pytest.mark.parametrize(
    ("streaks_ms", "bad_for_ms"),
    [
        ({US: 800, AP: 600}, 800),  # one fault, first seen by the United States
        # A path broken for an hour makes no quorum; the second accuser does, and dates it.
        ({US: 3_600_000, AP: 600}, 600),
        ({US: 3_600_000, AP: 600, SA: 900}, 900),
    ],
)
def test_trouble_is_as_old_as_the_quorum_and_not_as_a_path_that_broke_long_ago(
    streaks_ms: dict[RegionId, int], bad_for_ms: int
) -> None:
    watch = a_watch()
    for observer, streak_ms in streaks_ms.items():
        accuse(watch, observer, failing_for_ms=streak_ms)

    assert judgement_of(watch).bad_for_ms == bad_for_ms
