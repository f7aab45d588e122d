"""Clocks that are wrong (faults 14 and 15)."""

from dataclasses import replace

from tests.sim.options import Options
from tests.sim.scenarios.named import Named

_HOUR_MS = 3_600_000
# What the choice of numbers allows, computed in ``RatesApart``.
_RATE_PPM_SAFE = 50_000


class WallClockJumps(Named):
    """Fault 14: wall clocks jump by hours, also back. Nobody decides by them: nothing changes.

    The same world is played with and without the jumps: the traces are equal.
    """

    def __init__(self, options: Options, *, jumps: bool = True) -> None:
        super().__init__(options)
        self._jumps = jumps

    def play(self) -> None:
        """Lose the active region while the wall clocks of all directors jump."""
        source = self.home
        for step in range(6):
            self._jump(step)
            self.advance(1_000)
        self.darken_region(source)
        for step in range(6):
            self._jump(step)
            self.advance(2_000)
        self.until_moved_from(source)
        if self._jumps:
            twin = WallClockJumps(self.options, jumps=False)
            twin.begin()
            twin.play()
            assert twin.world.trace.digest() == self.world.trace.digest(), (
                "what happens depends on the wall clock"
            )

    def _jump(self, step: int) -> None:
        if not self._jumps:
            return
        for number, replica in enumerate(self.cluster.replicas.values()):
            hours = (1, -1, 0, -24, 2, -2)[(step + number) % 6]
            replica.wall_offset_ms = hours * _HOUR_MS
            self.world.coverage.hit(14, "back" if hours < 0 else "ahead")


class RatesApart(Named):
    """Fault 15: clocks run 5 % apart in the worst direction; nobody acts twice.

    The holder stops at 0.9 of its lease, the director waits lease*(1+rho)/(1-rho) + 100 ms with
    rho = 1 %. Of a lease of 4 000 ms with rates off by r: 3 600/(1-r) must not exceed
    4 181/(1+r), which holds up to r = 7.4 %. So no checker has to be relaxed at 5 %.
    """

    RATE_PPM = _RATE_PPM_SAFE

    @staticmethod
    def tamed(options: Options) -> Options:
        """The rates are set below; the draw of the seed would blur them."""
        return replace(Named.tamed(options), clock_rate_ppm_max=0)

    def begin(self) -> None:
        """Have the owner's clock run slow and the others fast, or the other way about."""
        ppm = self.RATE_PPM if self.options.seed % 2 else -self.RATE_PPM
        first_home = self.options.first_home
        for name, clock in self.cluster.clocks.items():
            clock.set_rate_ppm(-ppm if name == first_home else ppm)
        self.world.coverage.hit(15, "owner slow" if ppm > 0 else "owner fast")
        super().begin()

    def play(self) -> None:
        """Cut the owner off while it goes on: only time fences it."""
        self.advance_calmly(10_000)
        source = self.home
        self.isolate("owner", {source})
        self.until_moved_from(source)
        self.advance(3_000)
        self.world.network.mend("owner")
        self.until_settled(45_000, "with clocks 5 % apart")
