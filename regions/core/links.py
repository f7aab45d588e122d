"""Which directors are connected, who leads, and what each was told."""

from dataclasses import dataclass

from regions.core.effects import PulseEcho
from regions.core.ids import ReplicaId
from regions.core.readings import ProbeTarget


@dataclass(slots=True)
class _Link:
    """One open stream.

    Attributes:
        version_sent: Version of the readings last sent on it; None before the first.
        pulse: The last pulse that came by it.
        pulse_at_ms: When that came.
    """

    version_sent: int | None = None
    targets: tuple[ProbeTarget, ...] | None = None
    pulse: int | None = None
    pulse_at_ms: int = 0


class Links:
    """The open streams."""

    def __init__(self) -> None:
        self._links: dict[ReplicaId, _Link] = {}
        # The ids of the links, sorted: asked for after every input.
        self._director_ids: tuple[ReplicaId, ...] = ()
        self.leader_id: ReplicaId | None = None

    def connected(self, director_id: ReplicaId) -> None:
        """A stream is open. Whatever was said on the one before is forgotten."""
        self._links[director_id] = _Link()
        self._director_ids = tuple(sorted(self._links))

    def disconnected(self, director_id: ReplicaId) -> None:
        """A stream is gone."""
        self._links.pop(director_id, None)
        self._director_ids = tuple(sorted(self._links))

    def director_ids(self) -> tuple[ReplicaId, ...]:
        """Return the connected directors, sorted."""
        return self._director_ids

    def asking_order(self) -> tuple[ReplicaId, ...]:
        """Return whom to ask for a lease: the leader as far as known, then the others."""
        return tuple(sorted(self._links, key=lambda each: (each != self.leader_id, each)))

    def is_told(self, director_id: ReplicaId, version: int) -> bool:
        """Tell whether this version of the readings was sent, and note that it is now."""
        link = self._links[director_id]
        was_told = link.version_sent == version
        link.version_sent = version
        return was_told

    def pulsed(self, director_id: ReplicaId, sent_at: int, *, now_ms: int) -> None:
        """Note a pulse. The one before it on the stream is answered no more."""
        link = self._links.get(director_id)
        if link is not None:
            link.pulse, link.pulse_at_ms = sent_at, now_ms

    def echo(self, director_id: ReplicaId, *, now_ms: int) -> PulseEcho | None:
        """Return the echo for a report made now; None if no pulse came by this stream."""
        link = self._links[director_id]
        return None if link.pulse is None else PulseEcho(link.pulse, now_ms - link.pulse_at_ms)

    def planned(self, director_id: ReplicaId, targets: tuple[ProbeTarget, ...]) -> None:
        """Note what a director wants probed."""
        if director_id in self._links:
            self._links[director_id].targets = targets

    def plan(self) -> tuple[ProbeTarget, ...] | None:
        """Return the leader's plan if it gave one; None otherwise.

        A follower that lags may repeat an old plan after the leader's new one.
        """
        link = self._links.get(self.leader_id) if self.leader_id is not None else None
        return None if link is None else link.targets
