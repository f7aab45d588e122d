"""The route table that local resolves are answered from, and how old it is."""

from collections.abc import Callable
from typing import Protocol

from director.client.wire import Place, Places


class View(Protocol):
    """Where the table comes from; ``director.client.watch.RouteWatcher`` is one."""

    def view_age_ms(self) -> int:
        """How old the view may be."""
        ...

    def source(self) -> int:
        """Whether the view is confirmed and recent, as in the proto."""
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
