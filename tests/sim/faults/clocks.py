"""Clocks that people would notice, and no decision may (fault 14). Rates are an option (15)."""

import random

from tests.sim.cluster import Cluster
from tests.sim.faults.fault import DIRECTORS, Fault, director_role
from tests.sim.replica import Replica


class StepWallClock(Fault, name="wall clock stepped", numbers=(14,), roles=DIRECTORS):
    """The wall clock of a director jumps by up to an hour, back or forth, and stays wrong."""

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self._replica: Replica | None = None

    def can_strike(self, cluster: Cluster) -> bool:
        return self._director(cluster) is not None

    def _director(self, cluster: Cluster) -> Replica | None:
        return next(
            (
                each
                for each in cluster.replicas.values()
                if each.process.is_up and director_role(cluster, each) == self.role
            ),
            None,
        )

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        self._replica = self._director(cluster)
        assert self._replica is not None, "it was asked whether it can"
        self._replica.wall_offset_ms = rng.choice([-3_600_000, 3_600_000, -1_000, 1_000])
        self.hit(cluster, self.role)

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        if self._replica is not None:
            self._replica.wall_offset_ms = 0


FAULTS: tuple[type[Fault], ...] = (StepWallClock,)
