"""A replica carries out what the core says about its office, and goes on if nobody takes it."""

import asyncio

import pytest
import structlog
from structlog.testing import capture_logs

from director.core.commands import TokenShown
from director.core.effects import Effect, HandOver
from director.core.events import GenerationStarted
from director.core.failover import Bench
from director.core.ids import AgentId, FencingToken, ReplicaId
from director.core.inputs import Input, LeadershipGained
from director.core.state import State
from director.core.status import RegionView, ServiceView
from director.core.timing import DEFAULT_TIMING
from director.routing.table import RegionId, ServiceId
from director.service.event_log import log_event
from director.service.replica import Replica, ReplicaSettings
from tests.core.builders import CHAT_GROUP, US
from tests.support.memory_consensus import MemoryGroup


class HandsOver:
    """A core that gives every office of its own to one replica."""

    def __init__(self, to: str) -> None:
        self.state = State()
        self._to = ReplicaId(to)

    def receive(self, given: Input, *, now_ms: int, wall_ms: int = 0) -> tuple[Effect, ...]:
        is_gained = isinstance(given, LeadershipGained)
        return (HandOver(self._to, "it hears more"),) if is_gained else ()

    def wake_at_ms(self) -> int | None:
        return None

    def directives_for(
        self, region_id: RegionId, service_ids: tuple[ServiceId, ...]
    ) -> tuple[Effect, ...]:
        return ()

    def director_now_ms(self, *, now_ms: int) -> int:
        return now_ms

    def bench(self, *, now_ms: int) -> Bench:
        raise NotImplementedError(f"nobody asks at {now_ms}")

    def service_views(self, *, now_ms: int) -> tuple[ServiceView, ...]:
        return ()

    def region_views(self, *, now_ms: int) -> tuple[RegionView, ...]:
        return ()


@pytest.mark.parametrize(
    ("to", "leader", "event"),
    [("d2", "d2", "leadership_handed_over"), ("d9", "d0", "leadership_not_transferred")],
)
def test_the_office_goes_to_whom_the_core_names_or_stays(to: str, leader: str, event: str) -> None:
    async def story() -> str | None:
        group = MemoryGroup(("d0", "d1", "d2"))
        settings = ReplicaSettings("d0", "fd-d0", DEFAULT_TIMING)
        replica = Replica(settings, HandsOver(to), group.consensus("d0"))
        await replica.start()
        for other in ("d1", "d2"):
            await group.consensus(other).start()
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert not replica.stopped.done()
        leader_id = group.leader_id
        await replica.stop()
        return leader_id

    with capture_logs() as lines:
        found = asyncio.run(story())

    told = [line for line in lines if line["event"].startswith("leadership_") and "to" in line]
    assert (found, [(line["event"], line["to"]) for line in told]) == (leader, [(event, to)])


def test_a_new_generation_is_a_warning_that_names_who_showed_what() -> None:
    shown = TokenShown(CHAT_GROUP, US, AgentId("a1"), FencingToken(1, 7), US)
    with capture_logs() as lines:
        log_event(structlog.get_logger(), GenerationStarted(9, 2, (shown,), (CHAT_GROUP,)))

    (line,) = lines
    assert (line["event"], line["log_level"]) == ("generation_started", "warning")
    assert line["shown"] == ["us-east1/a1 chat/0 1.7"]
    assert (line["generation"], line["moved"], line["moved_count"]) == (2, ["chat/0"], 1)
