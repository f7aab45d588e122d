"""When a leader gives its office up: agents reach another replica, and not this one.

Only the leader renews leases, and an agent gets an answer only from a replica that it reaches. A
leader that has its quorum but is cut off from the agents would keep its office while every gate
closes. What followers relay tells it so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from director.core.effects import HandOver
from director.core.health import Court
from director.core.ids import ReplicaId
from director.core.state import Group, State
from director.routing.table import RegionId

# For how long others must hear more: two ticks, so that no order of arrival after a stall counts.
_LASTS_MS = 200
# On top of a beat and a relay, so that a word that is on its way in good time counts as fresh.
_RELAY_SLACK_MS = 200
# A hand-over that came to nothing is not tried again at once, and not to the same replica soon.
_RETRY_MS = 5_000
_SAME_AGAIN_MS = 60_000


@dataclass(frozen=True, slots=True, order=True)
class _Hears:
    """How much a replica hears of agents. Owners come first: only they need leases."""

    home_count: int
    region_count: int


class Succession:
    """The leader's view of who would lead better. Mutable, but pure."""

    def __init__(self) -> None:
        self._office_at_ms = 0
        self._better_since_ms: int | None = None
        self._asked_at_ms: dict[ReplicaId, int] = {}
        self._groups: tuple[Group, ...] = ()
        self._homes: tuple[RegionId, ...] = ()

    def gained(self, *, now_ms: int) -> None:
        """Begin an office."""
        self._office_at_ms = now_ms
        self._better_since_ms = None

    def look(self, court: Court, state: State, *, now_ms: int) -> HandOver | None:
        """Return to whom the office is to be given, if it must not stay here."""
        timing = court.timing
        # After a start missing agents are normal; and so no two replicas pass it to and fro.
        if now_ms - self._office_at_ms < timing.settle_ms:
            return None
        homes = self._homes_of(state)
        regions = tuple(each.region_id for each in state.topology.regions)
        heard_ms = now_ms - timing.suspect_ms
        if homes and _is_every_heard(court, homes, court.own_id, since_ms=heard_ms):
            self._better_since_ms = None
            return None
        own = _hears(court, (homes, regions), court.own_id, since_ms=heard_ms)
        best = self._best_other(court, (homes, regions), now_ms=now_ms)
        if best is None or not _is_better(best[0], own):
            self._better_since_ms = None
            return None
        if self._better_since_ms is None:
            self._better_since_ms = now_ms
        last_ms = max(self._asked_at_ms.values(), default=None)
        is_early = last_ms is not None and now_ms - last_ms < _RETRY_MS
        if is_early or now_ms - self._better_since_ms < _LASTS_MS:
            return None
        hears, replica_id = best
        self._asked_at_ms[replica_id] = now_ms
        return HandOver(
            replica_id,
            f"{replica_id} hears agents of {hears.home_count} owners and {hears.region_count} "
            f"regions, {court.own_id} of {own.home_count} and {own.region_count}",
        )

    def _homes_of(self, state: State) -> tuple[RegionId, ...]:
        if state.groups is not self._groups:
            self._groups = state.groups
            self._homes = tuple(
                sorted({group.home for group in state.groups if group.home is not None})
            )
        return self._homes

    def _best_other(
        self,
        court: Court,
        places: tuple[Sequence[RegionId], Sequence[RegionId]],
        *,
        now_ms: int,
    ) -> tuple[_Hears, ReplicaId] | None:
        timing = court.timing
        fresh_ms = now_ms - timing.heartbeat_ms - timing.relay_ms - _RELAY_SLACK_MS
        found = [
            (_hears(court, places, replica_id, since_ms=fresh_ms), replica_id)
            for replica_id, view in sorted(court.log.replicas.items())
            if replica_id != court.own_id
            and now_ms - view.seen_at_ms <= timing.staleness_bound_ms
            and not self._was_asked(replica_id, now_ms=now_ms)
        ]
        # Of equals the first name.
        return max(found, key=lambda each: each[0], default=None)

    def _was_asked(self, replica_id: ReplicaId, *, now_ms: int) -> bool:
        # If it had taken over, this replica would have begun another office since.
        at_ms = self._asked_at_ms.get(replica_id)
        has_failed = at_ms is not None and at_ms >= self._office_at_ms
        return at_ms is not None and has_failed and now_ms - at_ms < _SAME_AGAIN_MS


def _is_better(other: _Hears, own: _Hears) -> bool:
    """Whether the office should move: no matter of taste, but of leases that cannot be renewed."""
    if own.region_count == 0:
        return other.region_count > 0
    return other.home_count > own.home_count


def _hears(
    court: Court,
    places: tuple[Sequence[RegionId], Sequence[RegionId]],
    replica_id: ReplicaId,
    *,
    since_ms: int,
) -> _Hears:
    homes, regions = places
    heard = [each for each in regions if _is_heard(court, each, replica_id, since_ms=since_ms)]
    return _Hears(sum(each in homes for each in heard), len(heard))


def _is_every_heard(
    court: Court, regions: Sequence[RegionId], replica_id: ReplicaId, *, since_ms: int
) -> bool:
    return all(_is_heard(court, each, replica_id, since_ms=since_ms) for each in regions)


def _is_heard(court: Court, region_id: RegionId, replica_id: ReplicaId, *, since_ms: int) -> bool:
    return any(
        view.heard_at_ms.get(replica_id, since_ms - 1) >= since_ms
        for view in court.log.agents_in(region_id)
    )
