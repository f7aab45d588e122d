"""The campaign: worlds in which much fails at once hold every promise, and settle afterwards.

Each seed is a world of its own; a failure names the line that plays it again.
"""

from collections import Counter

import pytest

from tests.sim.__main__ import replay_line
from tests.sim.campaign_report import Summary, uncovered
from tests.sim.catalogue import FAULTS
from tests.sim.workers import Played, play, play_all

SEEDS_PER_TEST = 1


def played(seed: int) -> Played:
    result = play("campaign", seed)
    if result.error:
        pytest.fail(f"{result.error}\n  {result.options}\n  play it again: {replay_line(result)}")
    return result


# A world ends by itself when it takes too much of the processor (workers.CPU_S_MAX).
@pytest.mark.timeout(300)
@pytest.mark.slow
@pytest.mark.parametrize("first_seed", range(0, 24, SEEDS_PER_TEST))
def test_every_promise_holds_while_regions_leaders_and_links_fail(first_seed: int) -> None:
    summary = Summary("campaign")
    for seed in range(first_seed, first_seed + SEEDS_PER_TEST):
        summary.add(played(seed))

    # The faults must have flown, and ownership must have moved.
    assert summary.failovers + summary.switchovers + summary.aborted > SEEDS_PER_TEST
    assert summary.writes > 100 * SEEDS_PER_TEST
    assert len(summary.strikes) >= 4 * SEEDS_PER_TEST
    assert len({number for number, _ in summary.coverage}) >= 5


@pytest.mark.slow
def test_two_workers_tell_the_same_as_one_in_the_same_order() -> None:
    jobs = [("leader-lost", seed) for seed in range(7)]

    alone, together = list(play_all(iter(jobs), 1)), list(play_all(iter(jobs), 2))

    assert [each.seed for each in together] == list(range(7))
    assert alone == together


def test_what_was_never_hit_is_named() -> None:
    summary = Summary("campaign")

    missing = uncovered(summary)

    assert "a second failure while the run is promoting" in missing
    assert "fault 31 (a whole region is lost)" in missing
    assert "'director killed' while the run is promoting" in missing

    summary.strikes = Counter({("promoting", "region lost"): 1})
    summary.coverage = Counter({(31, "active region"): 1})
    missing = uncovered(summary)
    assert "a second failure while the run is promoting" not in missing
    assert "a second failure while the run is fencing" in missing
    assert "'region lost' while the run is promoting" not in missing
    assert "'director killed' while the run is promoting" in missing
    assert "fault 31 (a whole region is lost)" not in missing


def test_stories_are_to_play_the_whole_catalogue_and_one_story_its_own() -> None:
    assert len(uncovered(Summary("stories"))) == len(FAULTS)
    assert uncovered(Summary("split")) == ["fault 5 (symmetric partition)"]
    assert uncovered(Summary("split", coverage=Counter({(5, "1 machines apart"): 1}))) == []
