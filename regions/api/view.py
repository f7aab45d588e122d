"""What the agent's server answers from: the gates, the route table and the geo database."""

from collections.abc import Callable
from typing import Protocol

from director.client.wire import Place, Places
from director.routing.table import ServiceId
from regions.core.gate_answer import GateAnswer


class View(Protocol):
    """Where the table comes from; ``director.client.watch.RouteWatcher`` is one."""

    def view_age_ms(self) -> int:
        """How old the view may be."""
        ...

    def source(self) -> int:
        """Whether the view is confirmed and recent, as in the proto."""
        ...


class Gatekeeper(Protocol):
    """Who knows the gates; ``regions.actuators.gate.Gates`` does."""

    def check(self, service_id: ServiceId) -> GateAnswer | None:
        """Answer now; None if the service is not guarded here."""
        ...

    def service_ids(self) -> tuple[ServiceId, ...]:
        """Return the guarded services, sorted."""
        ...

    def lease_left_ms(self, service_id: ServiceId) -> int:
        """Return how long the gate stays open without another lease; 0 while it is closed."""
        ...

    def answer_ms(self, service_id: ServiceId) -> int | None:
        """Return how long one answer may be used, or None while the gate was never set."""
        ...

    async def changed(self, service_id: ServiceId, *, within_ms: int) -> None:
        """Return after the next change of this gate, or after ``within_ms``."""
        ...


class LatePlaces:
    """A geo database that may come later, or never: until then no address has a place.

    Unpacking the one that ships takes a moment on the very first start, and neither the gate nor
    the probes are to wait for it.
    """

    def __init__(self) -> None:
        self._lookup: Callable[[str], Place | None] | None = None

    def adopt(self, places: Places) -> None:
        """Answer from ``places`` from now on."""
        self._lookup = places.lookup

    def lookup(self, address: str, /) -> Place | None:
        """Return the place of an IP address; None if it has none, or there is no database."""
        return None if self._lookup is None else self._lookup(address)
