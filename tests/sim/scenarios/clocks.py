"""Clocks that are wrong (faults 14 and 15)."""

from dataclasses import replace

from tests.sim.checkers.excused import excuse
from tests.sim.checkers.fenced import Fenced
from tests.sim.checkers.write_intervals import Token, WriteIntervals
from tests.sim.options import Options
from tests.sim.scenarios.named import Named

_HOUR_MS = 3_600_000
# What the choice of numbers allows, computed in ``RatesApart``.
_RATE_PPM_SAFE = 50_000
# Of a slow owner the lease lasts a second longer than a fast director waits for it.
_RATE_PPM_BEYOND = 200_000


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
        """The rates are set below; the owner shares no clock with a director."""
        free = set(options.regions) - {region for _, region in options.directors}
        first_home = min(free) if free else options.first_home
        return replace(Named.tamed(options), clock_rate_ppm_max=0, first_home=first_home)

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
        self.until_settled(45_000, f"with clocks {self.RATE_PPM / 10_000:g} % off")


class RatesBeyondRho(RatesApart):
    """Fault 15 beyond what is allowed for: A3 still holds, and what rests on A4 does not.

    The owner's clock is 20 % slow and all others 20 % fast (or the other way about, by the seed):
    its lease lasts longer than anybody waits for it. So the promises that are counted in time are
    excused: that permits do not overlap (A1, A5) and have ended before the next grant (A4), the age
    of a proof (A6), the time for which a leader may stand alone (A8), and the bound of a loss (D3).
    Everything about tokens is not: an agent that knows a token acts under no smaller one, no epoch
    is granted twice, and nobody goes back. With a slow owner both must write at once, or the fault
    was none.
    """

    RATE_PPM = _RATE_PPM_BEYOND

    def begin(self) -> None:
        """Relax what time alone keeps; tokens are looked at as ever, and more closely."""
        watch = self.world.watch
        self._excused = excuse(watch, "one_owner", "revoked", "proven", "minority", "lost_writes")
        self._writes = watch.writes = _TwoWriters(watch.fenced)
        super().begin()

    def play(self) -> None:
        """Cut the owner off, see both write, and see the old one stop when it hears of the new."""
        super().play()
        owner_is_slow = bool(self.options.seed % 2)
        assert bool(self._writes.late_count) is owner_is_slow, (
            f"{self._writes.late_count} late writes of an owner that is "
            f"{'slow' if owner_is_slow else 'fast'}"
        )
        assert bool(self._excused["revoked"].said) is owner_is_slow
        late_count = self._writes.late_count
        self.advance(10_000)
        assert self._writes.late_count == late_count, "the old owner knows better, and writes"


class _TwoWriters(WriteIntervals):
    """Lets an old owner write for as long as it cannot know that there is a new one (A3).

    Attributes:
        late_count: Writes that were acknowledged under a token that was not the newest any more.
    """

    def __init__(self, fenced: Fenced) -> None:
        super().__init__()
        self._fenced = fenced
        self.late_count = 0

    def acknowledged(
        self, region_id: str, token: Token, *, now_ms: int, service_id: str = "chat"
    ) -> None:
        """Take the acknowledgement of one write."""
        if token >= self.last_of(service_id)[0]:
            super().acknowledged(region_id, token, now_ms=now_ms, service_id=service_id)
            return
        known = self._fenced.known_token(region_id, service_id)
        assert known <= token, f"{region_id} knows {known} and writes under {token} at {now_ms} ms"
        self.late_count += 1
