"""A barrier is passed to the core only once all that was committed before it is applied here.

The engine confirms an index as soon as a quorum does; what lies below it may still wait to be
delivered, and a core that has not seen it would grant what was just revoked (A4, C5).
"""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, cast

from director.consensus.port import CommittedEntry, NotLeaderError, Standing
from director.core import inputs
from director.core.effects import Barrier
from director.core.state import State
from director.core.timing import DEFAULT_TIMING
from director.service.replica import Replica, ReplicaSettings


@dataclass
class RecordingCore:
    """Applies whatever is committed, and remembers what it was told."""

    state: State = field(default_factory=State)
    told: list[inputs.Input] = field(default_factory=list)

    def receive(self, given: inputs.Input, *, now_ms: int, wall_ms: int = 0) -> tuple[()]:
        self.told.append(given)
        if isinstance(given, inputs.Committed):
            self.state = replace(self.state, applied_index=given.index)
        return ()

    def wake_at_ms(self) -> int | None:
        return None

    @property
    def outcomes(self) -> list[tuple[str, int]]:
        """Each barrier's outcome, with the index that was applied when it came."""
        found, index = [], 0
        for given in self.told:
            match given:
                case inputs.Committed():
                    index = given.index
                case inputs.BarrierPassed() | inputs.BarrierFailed():
                    found.append((type(given).__name__, index))
                case _:
                    pass
        return found


@dataclass
class Confirming:
    """An engine that confirms every barrier at one index, or refuses it."""

    index: int | None

    def standing(self) -> Standing:
        return Standing("d0", 1, "d0", True, 9, 0, None, 0)

    async def read_barrier(self, *, term: int | None = None) -> int:
        if self.index is None:
            raise NotLeaderError("d0 does not lead")
        return self.index


def outcomes(confirmed_index: int | None, applied_count: int) -> list[tuple[str, int]]:
    async def story() -> list[tuple[str, int]]:
        core = RecordingCore()
        settings = ReplicaSettings("d0", "domain", DEFAULT_TIMING)
        replica = Replica(settings, cast("Any", core), cast("Any", Confirming(confirmed_index)))
        await replica._pass_barrier(Barrier(1, 7))
        for index in range(1, applied_count + 1):
            replica._take(CommittedEntry(index, 1, b""))
        return core.outcomes

    return asyncio.run(story())


def test_a_barrier_waits_until_everything_below_its_index_is_applied() -> None:
    assert outcomes(3, applied_count=2) == []
    assert outcomes(3, applied_count=5) == [("BarrierPassed", 3)]


def test_a_barrier_whose_index_is_applied_passes_at_once() -> None:
    assert outcomes(0, applied_count=2) == [("BarrierPassed", 0)]


def test_a_refused_barrier_fails_at_once() -> None:
    assert outcomes(None, applied_count=2) == [("BarrierFailed", 0)]
