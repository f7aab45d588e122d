"""Drills in simulated fleets: every kind, the leader killed in every stage, and some aborted."""

import pytest

from director.core.drill import DrillKind
from tests.sim.options import Options
from tests.sim.scenarios.drills import STAGES, Drill

WORLDS = len(DrillKind) * len(STAGES)
PARTS = 10


def test_a_drill_goes_on_although_its_leader_is_killed() -> None:
    # A black hole, and the leader killed while it is injected.
    story = Drill(Options.draw(10))

    story.run()

    assert story.killed is not None


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_every_kind_of_drill_survives_the_loss_of_the_leader_in_every_stage(part: int) -> None:
    for seed in range(part, WORLDS, PARTS):
        try:
            Drill(Options.draw(seed)).run()
        except Exception as error:
            pytest.fail(f"Drill(Options.draw({seed})): {error!r}")
