"""Which directors are connected, who leads, and what each was told."""

from dataclasses import dataclass

from regions.core.ids import ReplicaId
from regions.core.readings import ProbeTarget


@dataclass(slots=True)
class _Link:
    """One open stream.

    ``version_sent`` is the version of the readings last sent on it; None before the first.
    """

    version_sent: int | None = None
    targets: tuple[ProbeTarget, ...] | None = None


class Links:
    """The open streams."""

    def __init__(self) -> None:
        self._links: dict[ReplicaId, _Link] = {}
        self.leader_id: ReplicaId | None = None

    def connected(self, director_id: ReplicaId) -> None:
        """A stream is open. Whatever was said on the one before is forgotten."""
        self._links[director_id] = _Link()

    def disconnected(self, director_id: ReplicaId) -> None:
        """A stream is gone."""
        self._links.pop(director_id, None)

    def is_connected(self, director_id: ReplicaId) -> bool:
        """Tell whether there is a stream to this director."""
        return director_id in self._links

    def director_ids(self) -> tuple[ReplicaId, ...]:
        """Return the connected directors, sorted."""
        return tuple(sorted(self._links))

    def asking_order(self) -> tuple[ReplicaId, ...]:
        """Return whom to ask for a lease: the leader as far as known, then the others."""
        return tuple(sorted(self._links, key=lambda each: (each != self.leader_id, each)))

    def is_told(self, director_id: ReplicaId, version: int) -> bool:
        """Tell whether this version of the readings was sent, and note that it is now."""
        link = self._links[director_id]
        was_told = link.version_sent == version
        link.version_sent = version
        return was_told

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
