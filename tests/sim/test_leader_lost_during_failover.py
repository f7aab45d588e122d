"""The first simulator test: the leader is lost during a failover, and nobody ever doubles it.

Each seed is a world of its own; a failure names the line that plays it again.
"""

import pytest

from tests.sim.options import STAGES, Options
from tests.sim.scenarios.leader_lost import LeaderLostDuringFailover, Outcome, run_seed

SEEDS_PER_TEST = 10


def played(seed: int) -> Outcome:
    try:
        return run_seed(seed)
    except AssertionError as error:
        pytest.fail(
            f"{error}\n  {Options.draw(seed).describe()}\n"
            f"  play it again: python -m tests.sim --seeds {seed}-{seed} --verbose"
        )


@pytest.mark.slow
@pytest.mark.parametrize("first_seed", range(0, 50, SEEDS_PER_TEST))
def test_one_owner_per_epoch_although_the_leader_is_lost_during_a_failover(
    first_seed: int,
) -> None:
    outcomes = [played(seed) for seed in range(first_seed, first_seed + SEEDS_PER_TEST)]

    # The faults must have flown: a run in every stage, writes, takeovers, states to compare.
    assert {outcome.stage_hit for outcome in outcomes} >= {str(stage) for stage in STAGES}
    assert all(outcome.writes > 0 for outcome in outcomes)
    assert all(outcome.compared_states > 0 for outcome in outcomes)
    assert sum(outcome.handovers >= 2 for outcome in outcomes) > SEEDS_PER_TEST // 2
    assert sum(outcome.terms >= 2 for outcome in outcomes) > SEEDS_PER_TEST // 2


def test_one_seed_gives_one_trace_when_it_is_played_twice() -> None:
    outcome, again = run_seed(6), run_seed(6)

    assert outcome == again
    assert outcome.digest != run_seed(7).digest


def test_a_lost_quorum_stops_the_failover_until_it_is_back() -> None:
    seed = next(seed for seed in range(100) if Options.draw(seed).loses_quorum)
    scenario = LeaderLostDuringFailover(Options.draw(seed))

    outcome = scenario.run()

    assert any("is killed" in line for line in scenario.cluster.world.trace.last_lines)
    assert outcome.stage_hit
