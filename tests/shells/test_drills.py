"""DrillService on a real fleet of replicas: asked, watched, aborted, reported, and by the calendar.

The agents here are scripted and know nothing of injections, so that what is drilled is a planned
move; what injections do is rehearsed with real agents in ``tests/integration/test_drills.py``.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import grpc
import grpc.aio
import pytest

from director.core.drill_view import content_hash
from director.service.drill_schedules import DrillSchedules
from tests.shells.fleet import FAST, MANIFEST, Fleet, ScriptedAgent, a_fleet, eventually, reason_of
from trafficdirector.admin.v1 import admin_pb2 as admin
from trafficdirector.drill.v1 import drill_pb2 as pb

pytestmark = pytest.mark.slow

# FAST, but with silence that a busy machine does not fake.
CALM = replace(FAST, suspect_ms=3_000, staleness_bound_ms=3_000, lease_ms=4_500)
# No wall clock comes near it while these tests are read: the fleet's own calendar never starts it.
SCHEDULE = """
---
apiVersion: trafficdirector/v1
kind: DrillSchedule
metadata: {name: chat-leap}
spec:
  service: chat
  cron: "30 3 29 2 *"
  timezone: Europe/Brussels
  scenario: {lose: {region: eu-west1, how: Switchover}, for: 200ms}
  expect: {rto: 20s}
  allowedWindows: ["Mon-Sun 03:00-05:00"]
"""
DUE_MS = int(datetime(2040, 2, 29, 2, 30, tzinfo=UTC).timestamp()) * 1_000
MINUTE_MS = 60_000


@asynccontextmanager
async def a_ready_fleet() -> AsyncIterator[Fleet]:
    """Three replicas with documents in force, three agents, and chat owned by eu-west1."""
    async with a_fleet(timing=CALM) as fleet:
        await fleet.apply(documents=MANIFEST + SCHEDULE)
        agents = [ScriptedAgent(fleet, each) for each in ("eu-west1", "eu-north1", "us-east1")]
        replica = fleet.running["d0"].replica
        try:
            # On a busy machine any region may be heard first; the first that is owns chat.
            agents[0].start()
            await eventually(lambda: any(each.home == "eu-west1" for each in replica.state.groups))
            for agent in agents[1:]:
                agent.start()

            async def would_run() -> bool:
                try:
                    return (await planned(fleet)).would_run
                except grpc.aio.AioRpcError:
                    return False

            await eventually(would_run)
            yield fleet
        finally:
            for agent in agents:
                await agent.kill()


def run(story: Callable[[Fleet], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with a_ready_fleet() as fleet:
            await story(fleet)

    asyncio.run(whole())


async def asked(fleet: Fleet, name: str, request: Any, *, at: str = "d0") -> Any:
    return await fleet.call(
        at, f"drill.v1.DrillService/{name}", request, getattr(pb, f"{name}Response")
    )


async def refusal(call: Awaitable[Any]) -> tuple[str, str]:
    """The reason and the words of a refused call."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return reason_of(raised.value), raised.value.details() or ""


def a_rehearsal(**fields: Any) -> pb.Rehearsal:
    return pb.Rehearsal(**{"name": "chat", "how": "Switchover", "for_ms": 200, **fields})


async def planned(fleet: Fleet, **fields: Any) -> pb.PlanDrillResponse:
    request = pb.PlanDrillRequest(rehearsal=a_rehearsal(**fields))
    response: pb.PlanDrillResponse = await asked(fleet, "PlanDrill", request)
    return response


async def started(fleet: Fleet, request_id: str = "", **fields: Any) -> str:
    request = pb.StartDrillRequest(
        rehearsal=a_rehearsal(**fields),
        change=admin.Change(request_id=request_id, actor="ana", reason="to see"),
    )
    return str((await asked(fleet, "StartDrill", request)).drill_id)


async def watched(fleet: Fleet, drill_id: str, *, at: str = "d1") -> list[pb.Drill]:
    """Follow a drill to its end at one replica."""
    async with fleet.open(at) as channel:
        call = channel.unary_stream(
            "/trafficdirector.drill.v1.DrillService/WatchDrill",
            request_serializer=pb.WatchDrillRequest.SerializeToString,
            response_deserializer=pb.WatchDrillResponse.FromString,
        )(pb.WatchDrillRequest(drill_id=drill_id), timeout=30)
        return [step.drill async for step in call]


async def checked_report(fleet: Fleet, drill_id: str) -> dict[str, Any]:
    """Return a report whose hash is that of its content, on every replica the same."""
    hashes: set[str] = set()
    content: dict[str, Any] = {}
    for each in fleet.addresses:

        async def has_it(replica_id: str = each) -> bool:
            return fleet.running[replica_id].replica.state.drill(drill_id) is not None  # type: ignore[arg-type]

        await eventually(has_it)
        request = pb.GetDrillReportRequest(drill_id=drill_id)
        answer = await asked(fleet, "GetDrillReport", request, at=each)
        content = json.loads(answer.content)
        assert content_hash(content) == answer.report_hash
        hashes.add(answer.report_hash)
    assert len(hashes) == 1
    return content


def test_a_drill_runs_to_its_verdict_and_its_report_is_the_one_that_was_recorded() -> None:
    async def story(fleet: Fleet) -> None:
        plan = await planned(fleet)
        assert (plan.region_id, plan.target_region_id) == ("eu-west1", "eu-north1")
        assert plan.left_over == []
        assert any(each.startswith("home chat/0: eu-west1 -> eu-north1") for each in plan.touched)

        drill_id = await started(fleet)
        seen = await watched(fleet, drill_id)

        stages = [each.stage for each in seen]
        assert stages[-1] == "ended"
        assert stages.index("injecting") < stages.index("recovered") < stages.index("restoring")
        last = seen[-1]
        assert (last.verdict, last.cause, list(last.state_diff)) == ("PASSED", "", [])
        assert (last.actor, last.reason) == ("ana", "to see")
        assert last.measured_rto_ms == sum(each.spent_ms for each in last.phases) > 0
        assert all(each.passed for each in last.guards)
        status = await fleet.status()
        (chat,) = (each for each in status.services if each.service_id == "chat")
        assert chat.owner_region_id == "eu-west1", "it is back home"
        assert (chat.last_drill.drill_id, chat.last_drill.verdict) == (drill_id, "PASSED")

        content = await checked_report(fleet, drill_id)
        assert (content["drill_id"], content["verdict"]) == (drill_id, "PASSED")
        assert content["configuration"]["service"]["service_id"] == "chat"

    run(story)


def test_a_drill_that_is_aborted_puts_everything_back_and_says_who_aborted_it() -> None:
    async def story(fleet: Fleet) -> None:
        drill_id = await started(fleet, for_ms=60_000)
        second = await refusal(started(fleet))
        early = await refusal(
            asked(fleet, "GetDrillReport", pb.GetDrillReportRequest(drill_id=drill_id))
        )
        request = pb.AbortDrillRequest(
            drill_id=drill_id, change=admin.Change(actor="ben", reason="an incident")
        )
        dry = pb.AbortDrillRequest(drill_id=drill_id, change=admin.Change(validate_only=True))

        await asked(fleet, "AbortDrill", dry)
        assert (await asked(fleet, "GetDrill", pb.GetDrillRequest(drill_id=drill_id))).drill.stage
        await asked(fleet, "AbortDrill", request)
        last = (await watched(fleet, drill_id))[-1]

        assert second[0] == "DRILL_REFUSED"
        assert drill_id in second[1]
        assert early[0] == "NOTHING_TO_DO"
        assert (last.verdict, last.cause) == ("ABORTED", "ASKED")
        assert last.abort_note == "ben: an incident"
        assert list(last.state_diff) == []
        assert (await refusal(asked(fleet, "AbortDrill", request)))[0] == "NOTHING_TO_DO"
        await checked_report(fleet, drill_id)

    run(story)


def test_one_request_id_is_one_drill_and_a_dry_run_or_an_old_revision_is_none() -> None:
    async def story(fleet: Fleet) -> None:
        stale = pb.StartDrillRequest(rehearsal=a_rehearsal(), expected_revision=7)
        dry = pb.StartDrillRequest(
            rehearsal=a_rehearsal(), change=admin.Change(validate_only=True), expected_revision=1
        )

        assert (await refusal(asked(fleet, "StartDrill", stale)))[0] == "STALE_REVISION"
        told = await asked(fleet, "StartDrill", dry)
        assert told.drill_id == ""
        assert "chat would lose eu-west1 (Switchover)" in told.message
        names = {await started(fleet, "once") for _ in range(3)}

        assert names == {"chat/1"}
        await watched(fleet, "chat/1")
        listed = await asked(fleet, "ListDrills", pb.ListDrillsRequest(name="chat"), at="d2")
        assert [each.drill_id for each in listed.drills] == ["chat/1"]
        (schedule,) = listed.schedules
        assert (schedule.schedule_id, schedule.fault) == ("chat-leap", "")
        assert datetime.fromtimestamp(schedule.next_due_ms / 1_000, tz=UTC).hour == 2

    run(story)


def test_what_cannot_be_drilled_is_refused_with_what_would_be_right() -> None:
    async def story(fleet: Fleet) -> None:
        async def start(at: str = "d0", **fields: Any) -> tuple[str, str]:
            request = pb.StartDrillRequest(rehearsal=a_rehearsal(**fields))
            return await refusal(asked(fleet, "StartDrill", request, at=at))

        elsewhere = await start(at="d1")
        unknown = await start(name="chta")
        changed = await start(name="chat-leap")
        how = await start(how="Earthquake")
        region = await start(region_id="us-east1")
        plan = pb.PlanDrillRequest(rehearsal=a_rehearsal())
        follower = await refusal(asked(fleet, "PlanDrill", plan, at="d2"))
        missing = await refusal(
            asked(fleet, "GetDrill", pb.GetDrillRequest(drill_id="chat/9"), at="d1")
        )
        absent = await refusal(asked(fleet, "ListDrills", pb.ListDrillsRequest(name="chta")))

        assert (elsewhere[0], follower[0]) == ("NOT_LEADER", "NOT_LEADER")
        assert unknown[0] == "SERVICE_NOT_FOUND"
        assert "there are: chat-leap, chat, embed" in unknown[1]
        assert changed[0] == "INVALID_REQUEST"
        assert "change its document" in changed[1]
        assert how[0] == "INVALID_REQUEST"
        assert "Blackhole, AgentKill" in how[1]
        assert region[0] == "DRILL_REFUSED"
        assert "it has eu-north1, eu-west1" in region[1]
        assert missing[0] == "DRILL_NOT_FOUND"
        assert absent[0] == "SERVICE_NOT_FOUND"
        assert fleet.running["d0"].replica.state.drills == ()

    run(story)


class Calendars:
    """The calendar of every replica, by a wall clock that the test sets."""

    def __init__(self, fleet: Fleet) -> None:
        self.wall_ms = DUE_MS - MINUTE_MS
        self._each = [self._calendar(fleet, name) for name in fleet.addresses]

    def _calendar(self, fleet: Fleet, replica_id: str) -> DrillSchedules:
        replica = fleet.running[replica_id].replica
        return DrillSchedules(
            replica.writes,
            replica.consensus.standing,
            lambda: replica.state,
            wall=lambda: self.wall_ms,
        )

    async def look(self, now_ms: int) -> None:
        self.wall_ms = now_ms
        for each in self._each:
            await each.look()


def test_a_scheduled_drill_runs_once_although_the_leader_changes_and_the_clock_steps() -> None:
    async def story(fleet: Fleet) -> None:
        calendars = Calendars(fleet)

        def drills(replica_id: str = "d1") -> tuple[Any, ...]:
            return fleet.running[replica_id].replica.state.drills

        # The last of the years that the real clock has not seen begins the waiting.
        await calendars.look(DUE_MS - MINUTE_MS)
        await eventually(lambda: len(drills()) == 1)
        (missed,) = drills()
        assert (missed.verdict, missed.cause) == ("SKIPPED", "MISSED"), "the leap day of 2036"

        await calendars.look(DUE_MS)
        await eventually(lambda: len(drills()) == 2)
        fleet.group.elect("d1")
        await eventually(lambda: fleet.running["d1"].replica.consensus.standing().is_leader)
        for now_ms in (DUE_MS + MINUTE_MS, DUE_MS - MINUTE_MS, DUE_MS, DUE_MS + 5 * MINUTE_MS):
            await calendars.look(now_ms)
        last = (await watched(fleet, "chat-leap/2", at="d2"))[-1]

        assert [each.drill_id for each in drills()] == ["chat-leap/1", "chat-leap/2"]
        assert (last.verdict, last.actor) == ("PASSED", "schedule:chat-leap")
        assert last.occurrence_ms == DUE_MS
        assert "due by 30 3 29 2 * Europe/Brussels" in last.reason
        content = await checked_report(fleet, "chat-leap/2")
        assert content["occurrence_ms"] == DUE_MS

    run(story)


def test_a_scheduled_drill_that_a_guard_refuses_is_recorded_and_one_by_hand_is_not() -> None:
    async def story(fleet: Fleet) -> None:
        calendars = Calendars(fleet)
        await calendars.look(DUE_MS - MINUTE_MS)  # what the years since would have had
        paused = admin.SetAutomationRequest(
            action="pause", for_ms=60_000, change=admin.Change(reason="an incident")
        )
        await fleet.call(
            "d0", "admin.v1.FleetService/SetAutomation", paused, admin.SetAutomationResponse
        )

        await calendars.look(DUE_MS)
        by_hand = await refusal(started(fleet))

        listed = await asked(fleet, "ListDrills", pb.ListDrillsRequest(name="chat-leap"))
        newest = listed.drills[0]
        assert (newest.verdict, newest.cause) == ("SKIPPED", "automation")
        assert "paused" in newest.timeline[-1].note
        assert listed.schedules[0].last_drill.drill_id == newest.drill_id
        assert by_hand[0] == "DRILL_REFUSED"
        assert len(listed.drills) == 2

    run(story)


def test_every_replica_looks_at_the_calendar_so_that_whoever_leads_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: set[int] = set()

    async def look(self: DrillSchedules) -> None:
        looked.add(id(self))

    monkeypatch.setattr(DrillSchedules, "look", look)

    async def story() -> None:
        async with a_fleet(timing=CALM):
            await eventually(lambda: len(looked) == 3)

    asyncio.run(story())
