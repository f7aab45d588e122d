"""Whole failovers in a small world: real replicas, scripted agents, default timing."""

import pytest

from director.core.commands import RunKind, StageName
from director.core.inputs import DrainAsked
from director.core.state import Phase
from director.routing.table import RegionId, Verdict
from tests.core.builders import (
    AP,
    CHAT,
    D0,
    D1,
    D2,
    EU,
    SA,
    STAGES,
    US,
    a_policy,
    a_topology,
)
from tests.core.world import World, a_settled_world


def until_writing(world: World, region_id: RegionId, limit_ms: int) -> int:
    """Run until ``region_id`` writes, and return how long that took."""
    began_ms = world.now_ms
    found = world.run_for(limit_ms, lambda: world.writer() == region_id)
    assert found, f"{region_id} does not write after {limit_ms} ms: {world.runs()}"
    return world.now_ms - began_ms


def test_the_preferred_region_becomes_the_first_owner() -> None:
    world = a_settled_world()

    assert (world.home(), world.writers()) == (EU, [EU])
    assert world.runs() == ()
    assert [world.verdict(each) for each in (EU, US, AP)] == [Verdict.UP] * 3


@pytest.mark.parametrize("moment_ms", [0, 217, 391, 523, 741, 940])
@pytest.mark.parametrize("refusing", [True, False])
def test_a_killed_region_is_replaced_within_the_promised_time(
    moment_ms: int, refusing: bool
) -> None:
    world = a_settled_world()
    world.run_for(moment_ms)

    world.kill_region(EU, refusing=refusing)
    took_ms = until_writing(world, US, 10_000)

    # The lease (4 s, with drift and margin 4.2 s) was renewed at most 1 s before the region ended;
    # a commit, a directive and a barrier come on top.
    assert 3_000 <= took_ms <= 5_500
    world.run_for(3_000)
    assert world.stages() == list(STAGES)
    run = world.runs()[-1]
    assert (run.source, run.target, run.source_epoch, run.kind) == (EU, US, 1, RunKind.FAILOVER)
    assert [each.phase for each in run.ledger] == list(Phase)
    assert run.measured_rto_ms is not None
    assert run.measured_rto_ms <= 6_000
    world.check_same_state()
