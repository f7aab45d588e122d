"""Measured round trips between regions: soft facts, smoothed by the agents, published sparingly.

They change a little all the time. Routes are published again for them only when one changed by a
quarter, and at most every half minute, so that a quiet fleet stays quiet.
"""

from director.core.observations import RoundTrip
from director.routing.table import RegionId
from director.routing.table import RoundTrip as Measured

_PUBLISH_EVERY_MS = 30_000
_CHANGE_PER_MILLE = 250
# A hundred regions, each measured from each other one; agents may name regions that do not exist.
_PAIRS_MAX = 10_000


class RoundTrips:
    """The latest measurements of this replica's agents. Mutable, but pure."""

    def __init__(self) -> None:
        self._latest: dict[tuple[RegionId, RegionId], int] = {}
        self._published: dict[tuple[RegionId, RegionId], int] = {}
        self._published_at_ms: int | None = None
        # Pairs whose latest differs enough from what was published. Never iterated.
        self._moved: set[tuple[RegionId, RegionId]] = set()

    def observe(self, region_id: RegionId, measured: tuple[RoundTrip, ...]) -> None:
        """Take in what the agents of a region measured."""
        for each in measured:
            pair = (region_id, each.region_id)
            known_us = self._latest.get(pair)
            # Smoothed as they are, most stay what they were.
            if known_us == each.rtt_us or (known_us is None and len(self._latest) >= _PAIRS_MAX):
                continue
            self._latest[pair] = each.rtt_us
            if self._has_changed(pair):
                self._moved.add(pair)
            else:
                self._moved.discard(pair)

    def is_due(self, *, now_ms: int) -> bool:
        """Whether routes should be published again for the round trips alone."""
        at_ms = self._published_at_ms
        if at_ms is not None and now_ms - at_ms < _PUBLISH_EVERY_MS:
            return False
        return bool(self._moved)

    def _has_changed(self, pair: tuple[RegionId, RegionId]) -> bool:
        before_us = self._published.get(pair)
        if before_us is None:
            return True
        return abs(self._latest[pair] - before_us) * 1_000 > before_us * _CHANGE_PER_MILLE

    def published(self, *, now_ms: int) -> tuple[Measured, ...]:
        """Return what routes are to use now, sorted, and remember it as published."""
        if self._moved:
            self._published = dict(self._latest)
            self._published_at_ms = now_ms
            self._moved.clear()
        return tuple((*pair, rtt_us) for pair, rtt_us in sorted(self._published.items()))
