"""The first simulator test: the leader is lost during a failover, and nobody ever doubles it.

Each seed is a world of its own; a failure names the line that plays it again.
"""

from dataclasses import replace

import pytest

from tests.sim.options import STAGES, LeaderLoss, Options
from tests.sim.scenarios.leader_lost import LeaderLostDuringFailover, run_seed
from tests.sim.scenarios.story import Outcome

SEEDS_PER_TEST = 10


def played(seed: int) -> Outcome:
    try:
        return run_seed(seed)
    except Exception as error:
        pytest.fail(
            f"{error!r}\n  {Options.draw(seed).describe()}\n"
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


def test_nothing_commits_while_the_quorum_is_lost_and_the_failover_ends_when_it_is_back() -> None:
    drawn = Options.draw(2)
    options = replace(drawn, leader_loss=LeaderLoss.KILLED, leader_lost_ms=6_000, loses_quorum=True)

    outcome = LeaderLostDuringFailover(options).run()

    assert outcome.stage_hit == str(options.stage)
    assert outcome.frozen_ms > 4_000
    assert outcome.handovers >= 2
