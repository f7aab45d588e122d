"""When a leader gives its office up: agents and another replica reach each other, and not this one.

Only the leader renews leases, and an agent gets an answer only from a replica that it reaches. A
leader that has its quorum but is cut off from the agents would keep its office while every gate
closes. What followers relay tells it so; where only its own words are lost, the agents do.
"""

from dataclasses import dataclass

from director.core.agent_view import AgentView
from director.core.effects import HandOver
from director.core.health import Court
from director.core.ids import ReplicaId
from director.core.state import Group, State
from director.routing.table import RegionId

# For how long others must hear more: two ticks, so that no order of arrival after a stall counts.
_LASTS_MS = 200
# On top of a beat and a relay, so that a word that is on its way in good time counts as fresh.
_RELAY_SLACK_MS = 200
# An agent that waits for this leader's word for so long, and gets one of others, does not hear it.
# More than two waits of an agent, 500 ms each; and so short that what is left of the lease, 2.6 s
# after the first request in vain, suffices for a beat, a hand-over, and being asked again.
_UNANSWERED_MS = 1_200
# A hand-over that came to nothing is not tried again at once, and not to the same replica soon.
_RETRY_MS = 5_000
_SAME_AGAIN_MS = 60_000


@dataclass(frozen=True, slots=True, order=True)
class _Hears:
    """How many agents a replica and they hear each other. Owners first: only they need leases."""

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
        sight = _Sight(court, homes, regions, now_ms)
        heard_ms = now_ms - timing.suspect_ms
        if homes and all(sight.is_reached(each, court.own_id, heard_ms) for each in homes):
            self._better_since_ms = None
            return None
        own = sight.hears(court.own_id, heard_ms)
        best = self._best_other(sight, now_ms=now_ms)
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
            f"regions, {court.own_id} of {own.home_count} and {own.region_count}"
            f"{sight.complaints()}",
        )

    def _homes_of(self, state: State) -> tuple[RegionId, ...]:
        if state.groups is not self._groups:
            self._groups = state.groups
            self._homes = tuple(
                sorted({group.home for group in state.groups if group.home is not None})
            )
        return self._homes

    def _best_other(self, sight: "_Sight", *, now_ms: int) -> tuple[_Hears, ReplicaId] | None:
        court, timing = sight.court, sight.court.timing
        fresh_ms = now_ms - timing.heartbeat_ms - timing.relay_ms - _RELAY_SLACK_MS
        found = [
            (sight.hears(replica_id, fresh_ms), replica_id)
            for replica_id, view in sorted(court.log.replicas.items())
            if replica_id != court.own_id
            and now_ms - view.seen_at_ms <= timing.staleness_bound_ms
            and not self._was_asked(replica_id, sight)
        ]
        # Of equals the first name.
        return max(found, key=lambda each: each[0], default=None)

    def _was_asked(self, replica_id: ReplicaId, sight: "_Sight") -> bool:
        at_ms = self._asked_at_ms.get(replica_id)
        if at_ms is None or sight.now_ms - at_ms >= _SAME_AGAIN_MS:
            return False
        # If it had taken over, this replica would have begun another office since. Still it does
        # not get it again soon if agents complain: what the others hear is not known, so that two
        # owners that each hear another replica would have it passed to and fro.
        return at_ms >= self._office_at_ms or bool(sight.complaints())


def _is_better(other: _Hears, own: _Hears) -> bool:
    """Whether the office should move: no matter of taste, but of leases that cannot be renewed."""
    if own.region_count == 0:
        return other.region_count > 0
    return other.home_count > own.home_count


@dataclass(frozen=True, slots=True)
class _Sight:
    """Who hears whom, at one instant."""

    court: Court
    homes: tuple[RegionId, ...]
    regions: tuple[RegionId, ...]
    now_ms: int

    def hears(self, replica_id: ReplicaId, since_ms: int) -> _Hears:
        """Count the regions that a replica reaches."""
        reached = [each for each in self.regions if self.is_reached(each, replica_id, since_ms)]
        return _Hears(sum(each in self.homes for each in reached), len(reached))

    def is_reached(self, region_id: RegionId, replica_id: ReplicaId, since_ms: int) -> bool:
        """Tell whether a replica heard the region, and no agent there says that it is not heard."""
        views = self.court.log.agents_in(region_id)
        is_heard = any(view.heard_at_ms.get(replica_id, since_ms - 1) >= since_ms for view in views)
        return is_heard and not any(self._is_unheard_by(view, replica_id) for view in views)

    def complaints(self) -> str:
        """Say where this leader's answers do not arrive, for people; "" if they do everywhere."""
        log, own_id = self.court.log, self.court.own_id
        deaf = [
            each
            for each in self.homes
            if any(self._is_unheard_by(view, own_id) for view in log.agents_in(each))
        ]
        return f"; its answers do not arrive in {', '.join(deaf)}" if deaf else ""

    def _is_unheard_by(self, view: AgentView, replica_id: ReplicaId) -> bool:
        """Tell whether an agent that waits for this leader's word does not hear a replica either.

        One agent holds at a time: that another one of the region has nothing to complain of is no
        help to it. While it does not wait, nothing is known of what it hears.
        """
        said = view.unanswered
        if said is None or said.for_ms < _UNANSWERED_MS or view.direct_at_ms is None:
            return False
        is_fresh = self.now_ms - view.direct_at_ms <= self.court.timing.suspect_ms
        return is_fresh and replica_id not in said.answered_by
