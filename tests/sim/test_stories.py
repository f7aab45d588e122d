"""The hand-written scenarios: each fault of the catalogue, alone, with what is expected of it."""

from collections import Counter

import pytest

from tests.sim.catalogue import FAULTS
from tests.sim.options import Options
from tests.sim.scenarios import BY_FAULT
from tests.sim.scenarios.named import Named
from tests.sim.scenarios.partitions import DirectorGraph

SEEDS = 3
# Some stories hit a fault only by chance, or need more worlds than three for all their variants.
SEEDS_OF = {"PowerLoss": 8, "FarBehind": 6, "FlappingLink": 1, "SlowShare": 2, "BadNetwork": 3}
STORIES = sorted(
    {story for stories in BY_FAULT.values() for story in stories}, key=lambda each: each.__name__
)
FAULTS_OF = {
    story: tuple(number for number, stories in BY_FAULT.items() if story in stories)
    for story in STORIES
}


def played(story: type[Named], seed: int) -> Counter[tuple[int, str]]:
    """Play one seed; a failure names what plays it again."""
    try:
        return story(Options.draw(seed)).run().coverage
    except Exception as error:
        options = story.tamed(Options.draw(seed))
        pytest.fail(f"{story.__name__}(Options.draw({seed})): {error!r}\n  {options.describe()}")


def test_every_fault_of_the_catalogue_has_a_story() -> None:
    assert sorted(BY_FAULT) == sorted(FAULTS)


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES, ids=lambda each: each.__name__)
def test_what_the_catalogue_expects_comes_true(story: type[Named]) -> None:
    coverage: Counter[tuple[int, str]] = Counter()
    for seed in range(SEEDS_OF.get(story.__name__, SEEDS)):
        coverage += played(story, seed)

    hit = {number for (number, _), count in coverage.items() if count}
    assert hit >= set(FAULTS_OF[story]), "the fault never happened"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_every_graph_of_one_way_links_between_three_directors_has_its_leader(part: int) -> None:
    # 64 labelled graphs are the 16 shapes with every placement of the first leader.
    for number in range(part, DirectorGraph.GRAPHS, 4):
        played(DirectorGraph, number)


@pytest.mark.slow
@pytest.mark.parametrize("second", range(4))
@pytest.mark.parametrize("name", ["SecondFailure", "SecondFailureOfSwitchover"])
def test_a_second_failure_in_each_stage_leaves_one_owner(name: str, second: int) -> None:
    story = next(each for each in STORIES if each.__name__ == name)

    struck = Counter(
        detail for seed in range(5 * second, 5 * second + 5) for _, detail in played(story, seed)
    )

    assert sum(count for detail, count in struck.items() if ", " in detail) == 5
