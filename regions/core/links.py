"""Which directors are connected, who leads, what each was told, and who answers."""

from dataclasses import dataclass, field

from regions.core.effects import PulseEcho, Unanswered
from regions.core.ids import ReplicaId
from regions.core.readings import ProbeTarget

# Of more lease requests that wait only the oldest count.
_ASKED_MAX = 16


@dataclass(slots=True)
class _Link:
    """One open stream.

    Attributes:
        version_sent: Version of the readings last sent on it; None before the first.
        pulse: The last pulse that came by it.
        pulse_at_ms: When that came.
        asked_at_ms: When each lease request was sent that waits for its answer, by its number,
            oldest first.
        answered_at_ms: When a lease request was last answered by it; None if none was.
    """

    version_sent: int | None = None
    targets: tuple[ProbeTarget, ...] | None = None
    pulse: int | None = None
    pulse_at_ms: int = 0
    asked_at_ms: dict[int, int] = field(default_factory=dict)
    answered_at_ms: int | None = None


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

    def asked(self, director_id: ReplicaId, request_number: int, *, now_ms: int) -> None:
        """Note that a connected director was asked for a lease."""
        asked_at_ms = self._links[director_id].asked_at_ms
        if len(asked_at_ms) < _ASKED_MAX:
            asked_at_ms[request_number] = now_ms

    def answered(self, request_number: int, *, now_ms: int) -> None:
        """Note an answer. A stream keeps its order: what was asked before is answered no more."""
        for link in self._links.values():
            if request_number in link.asked_at_ms:
                link.asked_at_ms.clear()
                link.answered_at_ms = now_ms

    def forget_asked(self) -> None:
        """Somebody granted a lease: nobody waits for what others have to say to it."""
        for link in self._links.values():
            link.asked_at_ms.clear()

    def unanswered(self, director_id: ReplicaId, *, now_ms: int) -> Unanswered | None:
        """Return for how long a director has not answered; None if it has, or if nobody has.

        An agent that was stopped for a while has not yet read any answer, and accuses nobody.
        """
        since_ms = next(iter(self._links[director_id].asked_at_ms.values()), None)
        if since_ms is None:
            return None
        answered_by = tuple(
            each
            for each in self._director_ids
            if (at_ms := self._links[each].answered_at_ms) is not None and at_ms > since_ms
        )
        return Unanswered(now_ms - since_ms, answered_by) if answered_by else None

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
