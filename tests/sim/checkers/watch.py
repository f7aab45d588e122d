"""All checkers in one hand: the simulator tells what happens, each looks at its own promise."""

from collections.abc import Callable
from dataclasses import dataclass, field

from director.core.events import Event
from director.core.state import State
from director.routing.table import RouteTable
from tests.sim.checkers.monotonic_tokens import MonotonicTokens
from tests.sim.checkers.one_leader_per_term import OneLeaderPerTerm
from tests.sim.checkers.one_owner import OneOwner
from tests.sim.checkers.route_never_empty import RouteNeverEmpty
from tests.sim.checkers.same_state import SameState
from tests.sim.checkers.write_intervals import WriteIntervals

Token = tuple[int, int]


@dataclass(slots=True)
class Watch:
    """What is seen, passed on to whom it concerns. Each checker raises AssertionError."""

    one_owner: OneOwner = field(default_factory=OneOwner)
    tokens: MonotonicTokens = field(default_factory=MonotonicTokens)
    same_state: SameState = field(default_factory=SameState)
    leaders: OneLeaderPerTerm = field(default_factory=OneLeaderPerTerm)
    routes: RouteNeverEmpty = field(default_factory=RouteNeverEmpty)
    writes: WriteIntervals = field(default_factory=WriteIntervals)
    on_applied: list[Callable[[str, State], None]] = field(default_factory=list)

    def led(self, replica_id: str, term: int) -> None:
        self.leaders.led(replica_id, term)

    def applied(self, replica_id: str, state: State) -> None:
        self.same_state.applied(replica_id, state)
        self.tokens.applied(replica_id, state)
        for each in self.on_applied:
            each(replica_id, state)

    def noted(self, replica_id: str, event: Event) -> None:
        self.tokens.noted(replica_id, event)

    def replica_started(self, replica_id: str) -> None:
        """It replays its log from where its snapshot ends; what it said before is said again."""
        self.tokens.replica_started(replica_id)
        self.routes.replica_started(replica_id)

    def published(self, replica_id: str, table: RouteTable) -> None:
        self.routes.published(replica_id, table)

    def permitted(self, region_id: str, token: Token, *, now_ms: int, until_ms: int) -> None:
        self.one_owner.permitted(region_id, token, now_ms=now_ms, until_ms=until_ms)
        self.tokens.used(region_id, token)

    def acknowledged(self, region_id: str, token: Token, *, now_ms: int) -> None:
        self.one_owner.acknowledged(region_id, token, now_ms=now_ms)
        self.writes.acknowledged(region_id, token, now_ms=now_ms)
        self.tokens.used(region_id, token)
