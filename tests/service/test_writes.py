"""Operators' changes: each caller learns the outcome, the reason, or that it must look."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from director.consensus.port import Standing
from director.core.commands import StageName
from director.core.effects import Answer
from director.core.events import Rejected, Repeated, RunStarted
from director.core.ids import GroupId, RunId
from director.core.inputs import Asked, DrainAsked
from director.core.reasons import Reason
from director.routing.table import RegionId
from director.service.errors import (
    DirectorError,
    EngineStoppedError,
    InvalidRequestError,
    NoLeaderError,
    NotLeaderError,
    OutcomeUnknownError,
    OverloadedError,
    RefusedError,
)
from director.service.writes import WAITING_MAX, Change, Done, Writes

DRAIN = DrainAsked(RegionId("eu-west1"), drained=True)


def standing(
    *, leader_id: str | None = "d0", failed: str = "", failed_reason: str = ""
) -> Standing:
    return Standing("d0", 3, leader_id, leader_id == "d0", 9, 9, 0, 9, failed, failed_reason)


class Desk:
    """Writes with a core that answers as told."""

    def __init__(
        self, now: Standing | None = None, answer: Callable[["Desk", Asked], None] | None = None
    ) -> None:
        self.asked: list[Asked] = []
        self._answer = answer
        self.writes = Writes(
            self._submit,
            lambda: standing() if now is None else now,
            lambda replica_id: "127.0.0.1:7441" if replica_id == "d1" else "",
        )

    def _submit(self, asked: Asked) -> None:
        self.asked.append(asked)
        if self._answer is not None:
            self._answer(self, asked)


def outcome(desk: Desk, change: Change | None = None, *, deadline_ms: int = 1_000) -> Done:
    return asyncio.run(
        desk.writes.ask(DRAIN, Change() if change is None else change, deadline_ms=deadline_ms)
    )


def test_a_change_is_done_when_its_event_came() -> None:
    event = RunStarted(
        7,
        RunId("chat/1"),
        GroupId("chat/0"),
        RegionId("eu-west1"),
        RegionId("eu-north1"),
        StageName.DRAINING,
        "r-1",
    )
    desk = Desk(answer=lambda desk, _: desk.writes.note(event))

    done = outcome(desk, Change("r-1", "ana", "works"))

    assert done == Done(7, "r-1", event, run_id="chat/1")
    assert desk.asked == [Asked("r-1", "ana", "works", DRAIN)]


def test_a_request_id_is_made_up_for_who_gave_none() -> None:
    desk = Desk(
        answer=lambda desk, asked: desk.writes.answer(Answer(asked.request_id, None, "fine"))
    )

    assert outcome(desk).message == "fine"
    assert len(desk.asked[0].request_id) == 32


def test_a_refusal_of_the_machine_reaches_the_caller_with_its_values() -> None:
    rejected = Rejected(
        8, "SetRegionDrained", Reason.SAFETY_RULE, "the last one", (("regionsMin", "1"),), "r-1"
    )
    desk = Desk(answer=lambda desk, _: desk.writes.note(rejected))

    with pytest.raises(RefusedError, match="the last one") as raised:
        outcome(desk, Change("r-1"))

    assert raised.value.reason is Reason.SAFETY_RULE
    assert raised.value.metadata == {"regionsMin": "1"}


def test_a_repetition_gets_the_first_outcome() -> None:
    repeated = Repeated(9, 4, "r-1", run_id="chat/1")
    desk = Desk(answer=lambda desk, _: desk.writes.note(repeated))

    assert outcome(desk, Change("r-1")) == Done(4, "r-1", run_id="chat/1")


def test_a_repetition_of_something_refused_is_refused_for_the_same_reason() -> None:
    repeated = Repeated(9, 4, "r-1", rejected="RPO_EXCEEDED", message="too much")
    desk = Desk(answer=lambda desk, _: desk.writes.note(repeated))

    with pytest.raises(RefusedError, match="too much") as raised:
        outcome(desk, Change("r-1"))

    assert raised.value.reason is Reason.RPO_EXCEEDED


def test_two_callers_with_one_request_id_get_one_outcome() -> None:
    async def story() -> None:
        desk = Desk()
        both = [
            asyncio.create_task(desk.writes.ask(DRAIN, Change("r-1"), deadline_ms=1_000))
            for _ in range(2)
        ]
        await asyncio.sleep(0)
        desk.writes.note(Repeated(9, 4, "r-1"))
        first, second = await asyncio.gather(*both)
        assert first == second == Done(4, "r-1")

    asyncio.run(story())


def test_without_an_outcome_in_time_the_caller_is_told_to_ask_again_with_the_same_id() -> None:
    with pytest.raises(OutcomeUnknownError) as raised:
        outcome(Desk(), Change("r-1"), deadline_ms=1)

    assert raised.value.metadata["requestId"] == "r-1"


@pytest.mark.parametrize(
    ("now", "kind", "metadata"),
    [
        (
            standing(leader_id="d1"),
            NotLeaderError,
            {"leaderId": "d1", "leaderAddress": "127.0.0.1:7441"},
        ),
        (standing(leader_id="d2"), NotLeaderError, {"leaderId": "d2"}),
        (standing(leader_id=None), NoLeaderError, {"replicaId": "d0"}),
    ],
)
def test_who_asks_a_follower_learns_who_leads(
    now: Standing, kind: type[DirectorError], metadata: dict[str, str]
) -> None:
    desk = Desk(now)

    with pytest.raises(kind) as raised:
        outcome(desk)

    assert raised.value.metadata == metadata
    assert desk.asked == []


def test_a_replica_whose_disk_is_full_still_names_the_leader_elsewhere() -> None:
    full = standing(leader_id="d1", failed="no room", failed_reason="DISK_FULL")

    with pytest.raises(NotLeaderError) as caught:
        outcome(Desk(full))

    assert caught.value.metadata["leaderId"] == "d1"


@pytest.mark.parametrize(
    ("failed_reason", "reason"),
    [
        ("DISK_FULL", Reason.STORAGE_FULL),
        ("LOG_CORRUPT", Reason.STATE_CORRUPT),
        ("STORAGE_FAILED", Reason.UNAVAILABLE),
    ],
)
def test_a_replica_whose_log_stopped_says_why(failed_reason: str, reason: Reason) -> None:
    with pytest.raises(EngineStoppedError, match="it is so") as raised:
        outcome(Desk(standing(failed="it is so", failed_reason=failed_reason)))

    assert raised.value.reason is reason


def test_a_core_that_lost_its_office_meanwhile_is_no_leader() -> None:
    def answer(desk: Desk, asked: Asked) -> None:
        desk.writes.answer(Answer(asked.request_id, Reason.NOT_LEADER, "d0 does not lead"))

    with pytest.raises(NoLeaderError):
        outcome(Desk(answer=answer))


def test_a_loop_gone_wild_is_told_to_wait() -> None:
    async def story() -> None:
        desk = Desk()
        waiting: list[Awaitable[Done]] = [
            asyncio.create_task(desk.writes.ask(DRAIN, Change(f"r-{n}"), deadline_ms=60_000))
            for n in range(WAITING_MAX)
        ]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await desk.writes.ask(DRAIN, Change("one more"))
        for task in waiting:
            assert isinstance(task, asyncio.Task)
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(story())


def test_words_without_end_are_refused() -> None:
    with pytest.raises(InvalidRequestError) as raised:
        outcome(Desk(), Change(reason="x" * 1_025))

    assert raised.value.metadata == {"field": "change.reason", "charsMax": "1024"}


@pytest.mark.parametrize("hidden", ["\n", "\x1b[2J", "\x9b2J", "\u202e", "\u2028", "\x00"])
@pytest.mark.parametrize("field", ["request_id", "actor", "reason"])
def test_what_others_will_read_holds_nothing_that_plays_with_their_terminals(
    field: str, hidden: str
) -> None:
    desk = Desk()

    with pytest.raises(InvalidRequestError, match=f"change.{field}"):
        outcome(desk, replace(Change(), **{field: f"power{hidden}work"}))  # type: ignore[arg-type]

    assert desk.asked == []


def test_nobody_signs_as_the_director_itself() -> None:
    desk = Desk()

    with pytest.raises(InvalidRequestError, match=r"change\.actor"):
        outcome(desk, Change(actor=" Director"))

    assert desk.asked == []
