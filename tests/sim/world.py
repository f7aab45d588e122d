"""What every part of the simulated fleet shares."""

import random
from dataclasses import dataclass, field

from tests.sim.catalogue import Coverage
from tests.sim.checkers.watch import Watch
from tests.sim.network import Network
from tests.sim.options import Options
from tests.sim.schedule import Schedule, Trace


@dataclass(frozen=True, slots=True)
class World:
    """One seed's world."""

    options: Options
    schedule: Schedule
    trace: Trace
    network: Network
    watch: Watch
    coverage: Coverage = field(default_factory=Coverage)

    @property
    def rng(self) -> random.Random:
        """The one source of chance while the world runs."""
        return self.schedule.rng

    @property
    def now_ms(self) -> int:
        """True time, which no simulated process can see."""
        return self.schedule.now_ms
