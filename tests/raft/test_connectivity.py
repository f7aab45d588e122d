"""Directed connectivity graphs (L1): whoever can lead, leads, and stays.

All graphs of three replicas here and a sample of those of five; ``make sim-graphs`` plays all.
"""

import pytest

from director.raft import election
from tests.raft.graphs.campaign import all_cases, labelled_cases, play_all
from tests.raft.graphs.shapes import SHAPE_COUNTS, labellings, shapes, two_way
from tests.raft.graphs.trial import Case, GraphViolationError, play
from tests.sim.bugs.bug import put_in
from tests.sim.bugs.raft_bugs import BUGS

SEEDS = 3
# Not a multiple of the 12 placements of a shape, so that a sample has all of them.
SAMPLE_STRIDE = 577
SAMPLE_PARTS = 2
# Prime to the 8 placements of a graph, for the same reason.
FEW = 7


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_graph_of_three_is_led_exactly_where_one_can_lead(seed: int) -> None:
    tally = play_all(labelled_cases(3, seed))

    assert tally.wrong == []
    # 64 graphs, nobody or one of three leading, equal and unequal logs.
    assert tally.cases == 64 * 4 * 2


@pytest.mark.parametrize("part", range(SAMPLE_PARTS))
def test_a_sample_of_the_graphs_of_five_is_led_exactly_where_one_can_lead(part: int) -> None:
    cases = all_cases(5)[part * SAMPLE_STRIDE // SAMPLE_PARTS :: SAMPLE_STRIDE]

    tally = play_all(cases)

    assert tally.wrong == []
    assert {ending for _, ending in tally.counts} >= {"led", "cannot be led"}


@pytest.mark.parametrize("count", sorted(SHAPE_COUNTS))
def test_there_are_as_many_shapes_as_there_are_known_to_be(count: int) -> None:
    assert len(shapes(count)) == SHAPE_COUNTS[count]


def test_every_graph_of_three_belongs_to_one_shape() -> None:
    graphs = [graph for shape in shapes(3) for graph in labellings(3, shape)]

    assert sorted(graphs) == list(range(64))


def test_two_way_links_are_those_that_work_in_both_directions() -> None:
    # a>b, a>c, b>a, b>c, c>a, c>b: all but b>a.
    assert two_way(3, 0b111011) == (frozenset({2}), frozenset({2}), frozenset({0, 1}))


def test_a_case_is_named_by_its_text() -> None:
    case = Case(5, 0x1E7, 2, True, 7)

    assert Case.parse(str(case)) == case
    assert play(case) == play(Case.parse(str(case)))


@pytest.mark.parametrize("text", ["3-0x0-a-equal", "3-0x40-a-equal-0", "3-0x1-z-equal-0", "x"])
def test_a_case_that_does_not_exist_is_turned_down(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Case.parse(text)


@pytest.mark.parametrize("setting", ["pre_vote", "check_quorum"])
def test_the_graphs_tell_when_a_safeguard_is_missing(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.raft import cluster  # noqa: PLC0415 - patched for one test

    right = cluster.a_config
    monkeypatch.setattr(
        cluster, "a_config", lambda *args, **kept: right(*args, **(kept | {setting: False}))
    )

    assert play_all(labelled_cases(3)[::FEW]).wrong


@pytest.mark.parametrize(
    "name", ["votes are given to logs that lack entries", "half the votes are taken for a majority"]
)
def test_the_graphs_tell_when_votes_are_wrong(name: str) -> None:
    with put_in(next(bug for bug in BUGS if bug.name == name)):
        tally = play_all(labelled_cases(3)[::FEW])

    assert tally.wrong


def test_the_graphs_tell_when_nobody_campaigns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(election, "can_campaign", lambda _state: False)

    with pytest.raises(GraphViolationError, match="nobody leads"):
        play(Case(3, 0b111111, None))
