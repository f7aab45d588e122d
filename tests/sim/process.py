"""A process on a simulated machine: it can be killed, stopped, resumed and started again."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.sim.clock import NodeClock
from tests.sim.schedule import Schedule

if TYPE_CHECKING:
    from tests.sim.ways import Way

# What a resumed process needs for each thing that waited for it, in ms; drawn by the seed.
_CATCH_UP_MS = (0, 0, 1, 3)
# A starved process stands still for this long, then gets the CPU for a moment.
_STARVED_MS = (300, 900)
_SLICE_MS = 30


class Process:
    """Runs events in order, none while stopped, none of an earlier life.

    Attributes:
        incarnation: Rises with each kill: events of an earlier life are dropped.
        running: The incarnation while events run at once; -1 while it is down, stopped, starved,
            or still busy with what waited for it.
        turned_at_ms: When ``running`` last changed, in true time.
        ways: The network's ways from here, by where they lead. For the network only.
    """

    __slots__ = (
        "_backlog",
        "_is_draining",
        "_is_starved",
        "_schedule",
        "_starved_until_ms",
        "clock",
        "host",
        "incarnation",
        "is_paused",
        "is_up",
        "name",
        "running",
        "turned_at_ms",
        "ways",
    )

    def __init__(self, name: str, host: str, schedule: Schedule, clock: NodeClock) -> None:
        self.name = name
        self.host = host
        self.clock = clock
        self.is_up = False
        self.is_paused = False
        self.incarnation = 0
        self.running = -1
        self.turned_at_ms = 0
        self.ways: dict[Process, Way] = {}
        self._schedule = schedule
        self._backlog: deque[Callable[[], None]] = deque()
        self._is_draining = False
        self._is_starved = False
        self._starved_until_ms = 0

    def after(self, delay_ms: int, event: Callable[[], None]) -> None:
        """Run ``event`` when ``delay_ms`` of the machine's clock have passed."""
        self._schedule.put(self.clock.true_delay_ms(delay_ms), self, self.incarnation, event)

    def post(self, event: Callable[[], None], incarnation: int) -> None:
        """Run ``event`` now if the process lives and runs; later if it is stopped."""
        if self.running == incarnation:
            event()
        elif self.is_up and incarnation == self.incarnation:
            self._backlog.append(event)

    def start(self) -> None:
        assert not self.is_up, f"{self.name} runs already"
        self.is_up, self.is_paused = True, False
        self._look()

    def kill(self) -> None:
        self.is_up = self.is_paused = self._is_starved = False
        self.incarnation += 1
        self._starved_until_ms = 0
        self._backlog.clear()
        self._look()

    def pause(self) -> None:
        self.is_paused = self.is_up
        self._look()

    def resume(self) -> None:
        """Go on, with everything that waited in the order in which it came."""
        self.is_paused = False
        self._look()
        self._drain(self.incarnation)

    def starve(self, ms: int) -> None:
        """For ``ms`` of true time the process hardly gets the CPU: everything runs late."""
        was_starved = self._schedule.now_ms < self._starved_until_ms
        self._starved_until_ms = max(self._starved_until_ms, self._schedule.now_ms + ms)
        if self.is_up and not was_starved:
            self._lose_cpu(self.incarnation)

    def _lose_cpu(self, incarnation: int) -> None:
        if incarnation != self.incarnation or self._schedule.now_ms >= self._starved_until_ms:
            return
        self._is_starved = True
        self._look()
        wait_ms = self._schedule.rng.randint(*_STARVED_MS)
        self._schedule.after(wait_ms, lambda: self._get_cpu(incarnation))

    def _get_cpu(self, incarnation: int) -> None:
        if incarnation != self.incarnation:
            return
        self._is_starved = False
        self._look()
        self._drain(incarnation)
        self._schedule.after(_SLICE_MS, lambda: self._lose_cpu(incarnation))

    def _look(self) -> None:
        """Note whether events run at once."""
        is_free = self.is_up and not self.is_paused and not self._is_starved
        running = self.incarnation if is_free and not self._backlog else -1
        if running != self.running:
            self.running, self.turned_at_ms = running, self._schedule.now_ms

    def _drain(self, incarnation: int) -> None:
        is_held = self.is_paused or self._is_starved or self._is_draining
        if is_held or incarnation != self.incarnation:
            return
        if not self._backlog:
            return
        # The event stays at the head while it runs, so that what it causes queues up behind.
        self._is_draining = True
        try:
            self._backlog[0]()
        finally:
            self._is_draining = False
        if incarnation == self.incarnation:
            self._backlog.popleft()
            self._look()
        self._schedule.after(
            self._schedule.rng.choice(_CATCH_UP_MS), lambda: self._drain(incarnation)
        )
