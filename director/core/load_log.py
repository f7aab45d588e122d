"""What regions were last said to take. Soft, and dated as all observations are."""

from collections.abc import Collection, Iterable

from director.core.agent_view import AgentView, Pair

# Load changes over minutes. A region that falls silent is known by its last word for as long as
# deciding where its load goes may take.
LOAD_AGE_MS_MAX = 60_000


class LoadLog:
    """The newest load of every pair of service and region, also of agents that fell silent."""

    def __init__(self) -> None:
        self._last: dict[Pair, tuple[int, int]] = {}

    def take(self, pair: Pair, load_rps: int | None, at_ms: int) -> None:
        """Note what was said at ``at_ms``. None says nothing and takes nothing back."""
        before = self._last.get(pair)
        if load_rps is not None and (before is None or at_ms >= before[0]):
            self._last[pair] = (at_ms, load_rps)

    def load_rps(
        self, pair: Pair, views: Iterable[AgentView], *, now_ms: int, age_ms_max: int
    ) -> int | None:
        """Return the newest load that is not older than ``age_ms_max``, or None.

        Args:
            pair: Service and region.
            views: The agents of the region. One that beats without new readings says the same.
            now_ms: Local time.
            age_ms_max: What is older counts as unknown.
        """
        newest = self._last.get(pair)
        for view in views:
            service = view.services.get(pair[0])
            if service is None or service.load_rps is None:
                continue
            if newest is None or view.last_heard_ms > newest[0]:
                newest = (view.last_heard_ms, service.load_rps)
        if newest is None or now_ms - newest[0] > age_ms_max:
            return None
        return newest[1]

    def forget_others(self, pairs: Collection[Pair]) -> None:
        """Forget what is not among ``pairs``."""
        for pair in [each for each in self._last if each not in pairs]:
            del self._last[pair]
