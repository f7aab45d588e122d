"""A process on a simulated machine: it can be killed, stopped, resumed and started again."""

from collections import deque
from collections.abc import Callable

from tests.sim.clock import NodeClock
from tests.sim.schedule import Schedule

# What a resumed process needs for each thing that waited for it, in ms; drawn by the seed.
_CATCH_UP_MS = (0, 0, 1, 3)


class Process:
    """Runs events in order, none while stopped, none of an earlier life.

    Attributes:
        incarnation: Rises with each kill: events of an earlier life are dropped.
    """

    def __init__(self, name: str, host: str, schedule: Schedule, clock: NodeClock) -> None:
        self.name = name
        self.host = host
        self.clock = clock
        self.is_up = False
        self.is_paused = False
        self.incarnation = 0
        self._schedule = schedule
        self._backlog: deque[Callable[[], None]] = deque()
        self._is_draining = False

    def after(self, delay_ms: int, event: Callable[[], None]) -> None:
        """Run ``event`` when ``delay_ms`` of the machine's clock have passed."""
        incarnation = self.incarnation
        self._schedule.after(
            self.clock.true_delay_ms(delay_ms), lambda: self.post(event, incarnation)
        )

    def post(self, event: Callable[[], None], incarnation: int) -> None:
        """Run ``event`` now if the process lives and runs; later if it is stopped."""
        if not self.is_up or incarnation != self.incarnation:
            return
        if self.is_paused or self._backlog:
            self._backlog.append(event)
        else:
            event()

    def start(self) -> None:
        assert not self.is_up, f"{self.name} runs already"
        self.is_up, self.is_paused = True, False

    def kill(self) -> None:
        self.is_up = self.is_paused = False
        self.incarnation += 1
        self._backlog.clear()

    def pause(self) -> None:
        self.is_paused = self.is_up

    def resume(self) -> None:
        """Go on, with everything that waited in the order in which it came."""
        self.is_paused = False
        self._drain(self.incarnation)

    def _drain(self, incarnation: int) -> None:
        if self.is_paused or incarnation != self.incarnation or self._is_draining:
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
        self._schedule.after(
            self._schedule.rng.choice(_CATCH_UP_MS), lambda: self._drain(incarnation)
        )
