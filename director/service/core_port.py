"""What the pump of a replica, and the API beside it, need of the pure director."""

from typing import Protocol

from director.core.effects import Effect
from director.core.failover import Bench
from director.core.inputs import Input
from director.core.state import State
from director.core.status import RegionView, ServiceView
from director.routing.table import RegionId, ServiceId


class Core(Protocol):
    """The pure director, as ``director.core.director.Director`` is one."""

    @property
    def state(self) -> State:
        """What is replicated, as of the last entry applied."""
        ...

    def receive(self, given: Input, *, now_ms: int, wall_ms: int = 0) -> tuple[Effect, ...]:
        """Take one input and return what is to be done, in order."""
        ...

    def wake_at_ms(self) -> int | None:
        """When ``Ticked`` is wanted; None for never."""
        ...

    def directives_for(
        self, region_id: RegionId, service_ids: tuple[ServiceId, ...]
    ) -> tuple[Effect, ...]:
        """Return what an agent that has just connected must be told."""
        ...

    def director_now_ms(self, *, now_ms: int) -> int:
        """Return director time at a local instant."""
        ...

    def service_views(self, *, now_ms: int) -> tuple[ServiceView, ...]:
        """Return every service as this replica sees it."""
        ...

    def region_views(self, *, now_ms: int) -> tuple[RegionView, ...]:
        """Return every region as this replica sees it."""
        ...

    def bench(self, *, now_ms: int) -> Bench:
        """Return what decisions are made with at a local instant."""
        ...
