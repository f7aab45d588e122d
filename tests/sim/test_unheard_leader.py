"""A leader that keeps its quorum and loses the agents is no reason for a gate to stay closed."""

import pytest

from tests.sim.options import Options
from tests.sim.scenarios.unheard_leader import MuteLeader, UnheardLeader


@pytest.mark.slow
@pytest.mark.parametrize("first_seed", [0, 10])
def test_the_owner_goes_on_writing_although_agents_do_not_reach_the_leader(first_seed: int) -> None:
    stories = [UnheardLeader(Options.draw(seed)) for seed in range(first_seed, first_seed + 10)]

    outcomes = [story.run() for story in stories]

    # The fault must have cost the old leader its office, and nobody a failover.
    assert all(outcome.terms >= 2 for outcome in outcomes)
    assert all(outcome.failovers == 0 for outcome in outcomes)


@pytest.mark.slow
def test_no_gate_closes_for_longer_than_a_second_although_the_leader_is_not_heard() -> None:
    stories = [MuteLeader(Options.draw(seed)) for seed in range(20)]

    outcomes = [story.run() for story in stories]

    assert max(story.closed_ms for story in stories) <= 1_000
    assert all(outcome.failovers == 0 for outcome in outcomes)
