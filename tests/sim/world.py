"""What every part of the simulated fleet shares."""

import random
from dataclasses import dataclass, field

from director.core.commands import Command
from tests.sim.catalogue import Coverage
from tests.sim.checkers.watch import Watch
from tests.sim.moments import Moments
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
    moments: Moments = field(default_factory=Moments)
    commands: dict[bytes, Command] = field(default_factory=dict)
    """Every entry that was decoded once: each replica would decode the same bytes again."""

    @property
    def rng(self) -> random.Random:
        """The one source of chance while the world runs."""
        return self.schedule.rng

    @property
    def now_ms(self) -> int:
        """True time, which no simulated process can see."""
        return self.schedule.now_ms
