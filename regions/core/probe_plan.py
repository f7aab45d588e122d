"""Which probe is due when.

A target is probed every ``every_ms``; sooner after a failure or while its verdict is undecided,
because then each result counts more. One probe per target runs at a time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from director.routing.table import RegionId, ServiceId
from regions.core.anti_flap import NO_TRACK, ProbeTrack, failed, passed
from regions.core.inputs import ProbeFinished
from regions.core.readings import PeerReading, ProbeKey, ProbeTarget

# After a failure (architecture.md 2): three failures of a refused connection take half a second,
# of a silent one two.
REPROBE_MS = 250


@dataclass(slots=True)
class _Watched:
    """A target, its evidence, and whether a probe of it runs."""

    target: ProbeTarget
    every_ms: int
    due_at_ms: int
    track: ProbeTrack = NO_TRACK
    is_running: bool = False


class ProbePlan:
    """The targets and their evidence."""

    def __init__(self) -> None:
        self._watched: dict[ProbeKey, _Watched] = {}
        # Entries may be out of date; the one whose time equals due_at_ms counts.
        self._due: list[tuple[int, ProbeKey]] = []
        self._keys_by_pair: dict[tuple[ServiceId, RegionId], tuple[ProbeKey, ...]] = {}
        # Never goes down, not even when a target is dropped and comes back.
        self._rounds_by_pair: dict[tuple[ServiceId, RegionId], int] = {}
        # When a probe of any service there last passed; of the watched regions only.
        self._passed_at_by_region: dict[RegionId, int | None] = {}

    def replace(
        self, targets: Iterable[ProbeTarget], *, now_ms: int, spread: bool
    ) -> tuple[ProbeKey, ...]:
        """Watch exactly ``targets``; keep the evidence on those watched before.

        Args:
            targets: What to watch; a later one of the same key wins.
            now_ms: Boot time.
            spread: First probes of new targets are spread over their interval, so that many
                targets do not make a burst. Otherwise they are due at once.

        Returns:
            The keys that are new.
        """
        wanted = {target.key: target for target in targets}
        fresh = tuple(sorted(key for key in wanted if key not in self._watched))
        place_by_key = {key: place for place, key in enumerate(fresh)}
        watched: dict[ProbeKey, _Watched] = {}
        for key in sorted(wanted):
            target = wanted[key]
            known = self._watched.get(key)
            if known is not None:
                watched[key] = known
                known.target, known.every_ms = target, target.every_ms
                continue
            delay_ms = target.every_ms * place_by_key[key] // len(fresh) if spread else 0
            watched[key] = _Watched(target, target.every_ms, now_ms + delay_ms)
        self._watched = watched
        self._due = [(each.due_at_ms, key) for key, each in watched.items() if not each.is_running]
        heapify(self._due)
        keys_by_pair: dict[tuple[ServiceId, RegionId], list[ProbeKey]] = {}
        for key in watched:
            keys_by_pair.setdefault((key.service_id, key.region_id), []).append(key)
        self._keys_by_pair = {pair: tuple(keys) for pair, keys in keys_by_pair.items()}
        self._passed_at_by_region = {
            key.region_id: self._passed_at_by_region.get(key.region_id) for key in watched
        }
        return fresh

    def hurry(self, key: ProbeKey, *, every_ms: int, now_ms: int) -> None:
        """Probe ``key`` at least every ``every_ms``, whatever its target says."""
        watched = self._watched[key]
        watched.every_ms = min(watched.target.every_ms, every_ms)
        if not watched.is_running and watched.due_at_ms > now_ms + watched.every_ms:
            self._put(key, watched, now_ms + watched.every_ms)

    def take_due(self, *, now_ms: int) -> tuple[ProbeTarget, ...]:
        """Return the targets to probe now, and mark them as running."""
        if not self._due or self._due[0][0] > now_ms:
            return ()
        due: list[ProbeTarget] = []
        while self._due and self._due[0][0] <= now_ms:
            at_ms, key = heappop(self._due)
            watched = self._watched.get(key)
            if watched is None or watched.is_running or watched.due_at_ms != at_ms:
                continue
            watched.is_running = True
            due.append(watched.target)
        return tuple(due)

    def finished(self, given: ProbeFinished, *, counts: bool, now_ms: int) -> ProbeTrack | None:
        """Fold a result in.

        Args:
            given: The result.
            counts: False drops a failure: the observer doubts itself (fault 29).
            now_ms: Boot time.

        Returns:
            The evidence before it, or None if the target is not watched (any more).
        """
        watched = self._watched.get(given.key)
        if watched is None or not watched.is_running:
            return None
        before, target = watched.track, watched.target
        watched.is_running = False
        if given.passed:
            watched.track = passed(
                before,
                rise_count=target.rise_count,
                forgive_count=target.forgive_count,
                now_ms=now_ms,
            )
            self._passed_at_by_region[given.key.region_id] = now_ms
        elif counts:
            watched.track = failed(
                before,
                fall_count=target.fall_count,
                started_at_ms=given.started_at_ms,
                now_ms=now_ms,
            )
        if given.passed or counts:
            pair = (given.key.service_id, given.key.region_id)
            self._rounds_by_pair[pair] = self._rounds_by_pair.get(pair, 0) + 1
        if given.passed and watched.track.passing:
            next_at_ms = given.started_at_ms + watched.every_ms
        else:
            next_at_ms = now_ms + min(REPROBE_MS, watched.every_ms)
        self._put(given.key, watched, max(next_at_ms, now_ms))
        return before

    def target(self, key: ProbeKey) -> ProbeTarget | None:
        """Return the target as it is watched now, or None."""
        watched = self._watched.get(key)
        return None if watched is None else watched.target

    def track(self, key: ProbeKey) -> ProbeTrack:
        """Return the evidence on a target; none if it is not watched."""
        watched = self._watched.get(key)
        return NO_TRACK if watched is None else watched.track

    def pairs(self) -> tuple[tuple[ServiceId, RegionId], ...]:
        """Return what is watched, sorted by (service, region)."""
        return tuple(self._keys_by_pair)

    def passing(self, pair: tuple[ServiceId, RegionId]) -> bool | None:
        """Return the verdict on a service in a region: any endpoint may carry it.

        False only when every endpoint fails; None while that is not known.
        """
        verdicts = [self._watched[key].track.passing for key in self._keys_by_pair[pair]]
        if any(verdicts):
            return True
        return None if None in verdicts else False

    def failing_by_region(self) -> dict[RegionId, bool]:
        """Return of each watched region whether all that is watched there fails."""
        failing: dict[RegionId, bool] = {}
        for pair in self.pairs():
            failing[pair[1]] = failing.get(pair[1], True) and self.is_failing(pair)
        return failing

    def is_failing(self, pair: tuple[ServiceId, RegionId]) -> bool:
        """Tell whether the last probe of every endpoint failed."""
        return all(self._watched[key].track.is_failing for key in self._keys_by_pair[pair])

    def reading(self, pair: tuple[ServiceId, RegionId], *, now_ms: int) -> PeerReading:
        """Return what to report of a service in a region.

        A failure counts only if another region passed since it began (C4): an observer that goes
        blind sees one region fail before the next.
        """
        tracks = [self._watched[key].track for key in self._keys_by_pair[pair]]
        passing = self.passing(pair)
        # It fails as a whole only since the last of its endpoints began to.
        since_ms = [each.failing_since_ms for each in tracks]
        failing_for_ms = 0
        if not passing and None not in since_ms:
            began_at_ms = max(each for each in since_ms if each is not None)
            failing_for_ms = now_ms - began_at_ms
            if passing is False and not self._saw_another(pair[1], began_at_ms):
                passing, failing_for_ms = None, 0
        ended_at_ms = [each.last_at_ms for each in tracks if each.last_at_ms is not None]
        age_ms = now_ms - max(ended_at_ms, default=now_ms)
        rounds = self._rounds_by_pair.get(pair, 0)
        return PeerReading(*pair, passing, rounds, failing_for_ms, age_ms)

    def _saw_another(self, region_id: RegionId, since_ms: int) -> bool:
        """Tell whether another region passed a probe since then; with one region, nobody can."""
        others = [at_ms for each, at_ms in self._passed_at_by_region.items() if each != region_id]
        return not others or any(at_ms is not None and at_ms > since_ms for at_ms in others)

    def wake_at_ms(self) -> int | None:
        """Return when the next probe is due, or None."""
        return self._due[0][0] if self._due else None

    def _put(self, key: ProbeKey, watched: _Watched, at_ms: int) -> None:
        watched.due_at_ms = at_ms
        heappush(self._due, (at_ms, key))
