"""L2: when a failover is possible, a new owner serves within the service's RTO."""

from dataclasses import dataclass

from director.core.state import State

Token = tuple[int, int]


@dataclass(slots=True)
class _Waiting:
    region_id: str
    since_ms: int
    lost_ms: int


class Rto:
    """Told by a scenario when a region is really lost and whether anybody could take over.

    Attributes:
        times_ms: From the loss to the first write of the next owner, for summaries.
    """

    def __init__(self) -> None:
        self.times_ms: list[int] = []
        self._budget_ms: dict[str, int] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._is_possible = True

    def changed(self, before: State, after: State, *, now_ms: int) -> None:
        """An entry was applied: learn the budgets, and look at the time."""
        if after.topology is not before.topology:
            self._budget_ms = {
                str(each.service_id): each.rto_ms for each in after.topology.services
            }
        self.look(now_ms=now_ms)

    def region_lost(
        self, service_id: str, region_id: str, *, now_ms: int, budget_ms: int | None = None
    ) -> None:
        """The owner is lost for good at this instant. ``budget_ms``: None is the declared RTO."""
        if budget_ms is not None:
            self._budget_ms[service_id] = budget_ms
        assert service_id in self._budget_ms, f"no RTO is known of {service_id}"
        self._waiting[service_id] = _Waiting(region_id, now_ms, now_ms)

    def failover_possible(self, *, is_possible: bool, now_ms: int) -> None:
        """Whether, from now on, a quorum and a good target are there. The time begins anew."""
        self._is_possible = is_possible
        for waiting in self._waiting.values():
            waiting.since_ms = now_ms

    def calm(self) -> None:
        """The lost regions are back: nothing is to be expected any more."""
        self._waiting = {}
        self._is_possible = True

    def acknowledged(self, region_id: str, *, now_ms: int, service_id: str = "chat") -> None:
        """A write was acknowledged."""
        if not self._waiting:
            return
        waiting = self._waiting.get(service_id)
        if waiting is not None and waiting.region_id != region_id:
            self.look(now_ms=now_ms)
            self.times_ms.append(now_ms - waiting.lost_ms)
            del self._waiting[service_id]

    def look(self, *, now_ms: int) -> None:
        """Raise AssertionError if somebody has waited for longer than allowed."""
        if not self._waiting or not self._is_possible:
            return
        for service_id, waiting in self._waiting.items():
            budget_ms = self._budget_ms[service_id]
            assert now_ms - waiting.since_ms <= budget_ms, (
                f"{service_id}: {waiting.region_id} was lost at {waiting.lost_ms} ms, a failover "
                f"was possible since {waiting.since_ms} ms, and at {now_ms} ms nobody else serves "
                f"(RTO {budget_ms} ms)"
            )
