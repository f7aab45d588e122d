"""Many seeds of a hostile world: safety throughout, recovery once the faults stop."""

import pytest

from tests.raft.network import World

SEEDS_PER_TEST = 10
SEEDS = 300
STEPS = 2_000


def run_seed(seed: int, steps: int) -> World:
    world = World(seed)
    world.run(steps)
    world.recover()
    world.checker.see_logs([replica.log for replica in world.replicas.values()])
    return world


@pytest.mark.slow
@pytest.mark.parametrize("first_seed", range(0, SEEDS, SEEDS_PER_TEST))
def test_nothing_committed_is_ever_lost_or_changed_whatever_the_world_does(
    first_seed: int,
) -> None:
    for seed in range(first_seed, first_seed + SEEDS_PER_TEST):
        try:
            run_seed(seed, STEPS)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def test_the_world_is_hostile_enough_to_mean_something() -> None:
    # Otherwise a simulator that does nothing would pass.
    worlds = [run_seed(seed, 1_500) for seed in range(10_000, 10_012)]

    assert sum(len(world.checker.applied) for world in worlds) > 500
    assert sum(len(world.checker.leader_by_term) for world in worlds) > 40
    assert sum(world.checker.reads_checked for world in worlds) > 50
    assert sum(world.checker.contacts_checked for world in worlds) > 5_000
    assert sum(world.joined_count - len(world.founding.voters) for world in worlds) > 5


def test_one_seed_always_tells_the_same_story() -> None:
    one, other = run_seed(7, 500), run_seed(7, 500)

    assert one.checker.digest_by_index == other.checker.digest_by_index
    assert one.checker.leader_by_term == other.checker.leader_by_term
