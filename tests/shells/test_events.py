"""The audit trail on a real fleet: listed, watched, exported, checked, and sent to webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc.aio
import pytest
from structlog.testing import capture_logs

from director.api.events import EventApi
from director.app import Running
from director.cli.audit_check import audit_findings, file_findings
from director.cli.audit_trail import read_all, record_from_proto
from director.cli.connection import Connection
from director.core import audit
from director.core.audit import NO_AUDIT, AuditLog, AuditRecord, appended, verify
from director.core.state import State
from tests.cli.running import run as run_command
from tests.shells.fleet import MANIFEST, Fleet, ScriptedAgent, a_fleet, eventually, reason_of
from tests.support.pki import OPERATOR
from tests.support.webhook_receiver import KEY, SECRET, a_receiver
from trafficdirector.admin.v1 import admin_pb2
from trafficdirector.event.v1 import event_pb2 as pb

pytestmark = pytest.mark.slow


with_and_without_tls = pytest.mark.parametrize("has_tls", [False, True], ids=["plain", "tls"])


def run(story: Callable[[Fleet], Awaitable[None]], *, size: int = 3, has_tls: bool = False) -> None:
    async def whole() -> None:
        async with a_fleet(size=size, has_tls=has_tls) as fleet:
            await story(fleet)

    asyncio.run(whole())


async def listed(fleet: Fleet, replica_id: str = "d0", **which: Any) -> pb.ListEventsResponse:
    response: pb.ListEventsResponse = await fleet.call(
        replica_id,
        "event.v1.EventService/ListEvents",
        pb.ListEventsRequest(**which),
        pb.ListEventsResponse,
    )
    return response


async def drained(
    fleet: Fleet,
    region: str,
    *,
    is_drained: bool = True,
    at: str = "d0",
    request_id: str = "",
) -> None:
    change = admin_pb2.Change(actor="alice", reason="power work", request_id=request_id)
    await fleet.call(
        at,
        "admin.v1.FleetService/SetRegionDrain",
        admin_pb2.SetRegionDrainRequest(region_id=region, drained=is_drained, change=change),
        admin_pb2.SetRegionDrainResponse,
    )


async def has_records(running: Running, count: int) -> None:
    await eventually(lambda: running.replica.state.audit.count == count)


async def has_delivered(running: Running, through: int) -> None:
    await eventually(lambda: running.replica.state.deliveries[0].through == through)


async def with_agents(fleet: Fleet) -> list[ScriptedAgent]:
    agents = [ScriptedAgent(fleet, each) for each in ("eu-west1", "eu-north1")]
    agents.append(ScriptedAgent(fleet, "us-east1", ["embed"]))
    for agent in agents:
        agent.start()

    async def is_owned() -> bool:
        return (await fleet.status()).services[0].owner_region_id == "eu-west1"

    await eventually(is_owned)
    return agents


# -- ListEvents, GetAuditHead ----------------------------------------------------------------------


@with_and_without_tls
def test_every_replica_shows_the_same_trail_and_its_chain_holds(has_tls: bool) -> None:
    # Under TLS nobody gives a name: it is the certificate's.
    who = OPERATOR.uri if has_tls else "alice"

    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        await drained(fleet, "us-east1")
        at_leader = await listed(fleet)

        assert [each.action for each in at_leader.events] == [
            "apply_manifest",
            "set_region_drained",
        ]
        last = at_leader.events[-1]
        assert (last.actor, last.reason, last.region_id, last.result, last.detail) == (
            who,
            "power work",
            "us-east1",
            "region_drain_set",
            "drained=true",
        )
        records = [record_from_proto(each) for each in at_leader.events]
        assert verify(records, "", at_leader.head.head) is None
        for replica_id in fleet.addresses:

            async def is_same(replica_id: str = replica_id) -> bool:
                return await listed(fleet, replica_id) == at_leader

            await eventually(is_same)
            head: pb.GetAuditHeadResponse = await fleet.call(
                replica_id,
                "event.v1.EventService/GetAuditHead",
                pb.GetAuditHeadRequest(),
                pb.GetAuditHeadResponse,
            )
            assert (head.head, head.replica_id) == (at_leader.head, replica_id)

    run(story, has_tls=has_tls)


def test_records_are_found_by_region_action_and_number() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        await drained(fleet, "us-east1")
        await drained(fleet, "us-east1", is_drained=False)
        await drained(fleet, "eu-north1")

        async def numbers(**which: Any) -> list[int]:
            return [each.number for each in (await listed(fleet, **which)).events]

        assert await numbers() == [1, 2, 3, 4]
        assert await numbers(limit=2) == [3, 4]
        assert await numbers(after_number=1, limit=2) == [2, 3]
        assert await numbers(after_number=0, limit=1) == [1]
        assert await numbers(region_id="us-east1") == [2, 3]
        assert await numbers(action="apply_") == [1]
        assert await numbers(service_id="chat") == []
        assert await numbers(after_number=99) == []
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await listed(fleet, service_id="x" * 64)
        assert reason_of(raised.value) == "INVALID_REQUEST"

    run(story, size=1)


def test_a_request_that_is_refused_is_in_the_leaders_log_with_who_asked() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        with capture_logs() as lines, pytest.raises(grpc.aio.AioRpcError):
            await drained(fleet, "mars")
        (line,) = [each for each in lines if each["event"] == "change_refused"]
        assert (line["actor"], line["change"], line["reason"]) == (
            "alice",
            "DrainAsked",
            "REGION_NOT_FOUND",
        )

    run(story, size=1)


# -- WatchEvents -----------------------------------------------------------------------------------


@contextmanager
def watching(
    fleet: Fleet, replica_id: str = "d0", **which: Any
) -> Iterator[asyncio.Queue[pb.WatchEventsResponse]]:
    queue: asyncio.Queue[pb.WatchEventsResponse] = asyncio.Queue()

    async def read() -> None:
        async with fleet.open(replica_id) as channel:
            multi: Any = channel.unary_stream(
                "/trafficdirector.event.v1.EventService/WatchEvents",
                request_serializer=pb.WatchEventsRequest.SerializeToString,
                response_deserializer=pb.WatchEventsResponse.FromString,
            )
            async for response in multi(pb.WatchEventsRequest(**which)):
                queue.put_nowait(response)

    task = asyncio.create_task(read())
    try:
        yield queue
    finally:
        task.cancel()


async def next_of(queue: asyncio.Queue[pb.WatchEventsResponse]) -> pb.WatchEventsResponse:
    async with asyncio.timeout(10):
        return await queue.get()


@with_and_without_tls
def test_a_watcher_resumes_after_its_number_and_gets_each_new_record(has_tls: bool) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        await drained(fleet, "us-east1")
        await eventually(lambda: fleet.running["d2"].replica.state.audit.count == 2)

        with watching(fleet, "d2", after_number=1) as queue:
            assert (await next_of(queue)).event.number == 2
            await drained(fleet, "us-east1", is_drained=False)
            newest = await next_of(queue)

        assert (newest.event.number, newest.event.detail) == (3, "drained=false")
        assert newest.lost_count == 0

    run(story, has_tls=has_tls)


def test_a_watcher_without_a_number_gets_only_what_is_new_and_what_it_asked_for() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        with watching(fleet, region_id="eu-north1") as queue:
            await eventually(lambda: fleet.running["d0"].replica.follower_count == 1)
            await drained(fleet, "us-east1")
            await drained(fleet, "us-east1", is_drained=False)
            await drained(fleet, "eu-north1")

            assert (await next_of(queue)).event.number == 4

    run(story, size=1)


def test_a_watcher_that_comes_too_late_is_told_how_many_records_are_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit, "AUDIT_KEPT_MAX", 2)

    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        for at in range(4):
            await drained(fleet, "us-east1", is_drained=at % 2 == 0)

        with watching(fleet, after_number=1) as queue:
            first, second = await next_of(queue), await next_of(queue)

        # 2 and 3 are gone, 4 and 5 are kept.
        assert (first.event.number, first.lost_count) == (4, 2)
        assert (second.event.number, second.lost_count) == (5, 0)

    run(story, size=1)


def test_a_watcher_that_does_not_read_is_cut_off() -> None:
    log = appended(NO_AUDIT, AuditRecord(0, 1, 1, 1, "alice", "", "start_run"))

    class Stuck:
        aborted: grpc.Status | None = None

        async def write(self, _: pb.WatchEventsResponse) -> None:
            await asyncio.Event().wait()

        async def abort_with_status(self, status: grpc.Status) -> None:
            self.aborted = status

    @contextmanager
    def followed() -> Iterator[asyncio.Queue[State]]:
        yield asyncio.Queue()

    replica: Any = SimpleNamespace(state=State(audit=log), followed=followed)
    context: Any = Stuck()
    api = EventApi(replica, write_deadline_ms=50)

    async def cut_off() -> None:
        async with asyncio.timeout(5):
            await api.watch(pb.WatchEventsRequest(after_number=0), context)

    asyncio.run(cut_off())

    assert context.aborted is not None
    assert context.aborted.code is grpc.StatusCode.UNAVAILABLE


# -- the command line ------------------------------------------------------------------------------


def changed_log(log: AuditLog) -> AuditLog:
    records = list(log.records)
    records[0] = replace(records[0], actor="mallory")
    return replace(log, records=tuple(records))


def test_the_trail_is_checked_at_every_director_and_in_an_exported_file(tmp_path: Path) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        await drained(fleet, "us-east1")
        for running in fleet.running.values():
            await has_records(running, 2)
        addresses = list(fleet.addresses.values())
        endpoints = [word for each in addresses for word in ("--endpoint", each)]
        connection = Connection(addresses, deadline_ms=5_000)
        try:
            found = await asyncio.to_thread(audit_findings, connection)
            assert [(each.subject, each.is_ok) for each in found] == [
                (each, True) for each in sorted(addresses)
            ]
            assert found[0].message.startswith("records 1 to 2 hold; head ")

            exported = await asyncio.to_thread(
                run_command, "get", "events", "-o", "jsonl", *endpoints
            )
            assert exported.exit_code == 0, exported.output
            file = tmp_path / "events.jsonl"
            file.write_text(exported.stdout, encoding="utf-8")
            found = await asyncio.to_thread(file_findings, file, connection)
            assert [each.is_ok for each in found] == [True, True], found
            assert "record 2 is the one that" in found[1].message

            file.write_text(exported.stdout.replace("alice", "mallory"), encoding="utf-8")
            (forged,) = await asyncio.to_thread(file_findings, file, connection)
            assert (forged.is_ok, forged.message) == (
                False,
                "record 2 is not what its hash was made of",
            )

            # One replica whose state was changed on its disk.
            director: Any = fleet.running["d1"].replica.core
            director._state = replace(director._state, audit=changed_log(director._state.audit))
            found = await asyncio.to_thread(audit_findings, connection)
            wrong = [each.subject for each in found if not each.is_ok]
            assert wrong == [fleet.addresses["d1"]]
        finally:
            connection.close()

    run(story)


def test_a_trail_longer_than_one_answer_is_read_in_full() -> None:
    log = NO_AUDIT
    for number in range(1_203):
        log = appended(log, AuditRecord(0, number, 1, 1, "alice", "", "start_run"))
    replica: Any = SimpleNamespace(state=State(audit=log))
    api = EventApi(replica)

    trail = read_all(lambda request: asyncio.run(api.list(request)))

    assert trail.records == log.records
    assert verify(trail.records, trail.before_hash, cast("str", trail.head)) is None


# -- ExplainFailover -------------------------------------------------------------------------------


def test_a_failover_is_explained_region_by_region_before_it_is_needed() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        agents = await with_agents(fleet)

        async def explained() -> admin_pb2.ExplainFailoverResponse:
            answer: admin_pb2.ExplainFailoverResponse = await fleet.call(
                "d0",
                "admin.v1.FailoverService/ExplainFailover",
                admin_pb2.ExplainFailoverRequest(service_id="chat"),
                admin_pb2.ExplainFailoverResponse,
            )
            return answer

        async def is_ready() -> bool:
            return [each.chosen for each in (await explained()).candidates] == [True]

        await eventually(is_ready)
        answer = await explained()
        assert (answer.owner_region_id, answer.automation, answer.is_leader) == (
            "eu-west1",
            "Automatic",
            True,
        )
        assert answer.held_reason == ""
        assert answer.candidates[0].text.startswith("priority 1")

        await agents[1].kill()

        async def is_silent() -> bool:
            return (await explained()).candidates[0].ineligibility == "SILENT"

        await eventually(is_silent)
        assert not (await explained()).candidates[0].chosen
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await fleet.call(
                "d0",
                "admin.v1.FailoverService/ExplainFailover",
                admin_pb2.ExplainFailoverRequest(service_id="nope"),
                admin_pb2.ExplainFailoverResponse,
            )
        assert reason_of(raised.value) == "SERVICE_NOT_FOUND"
        for agent in agents:
            await agent.kill()

    run(story)


# -- webhooks --------------------------------------------------------------------------------------


def with_webhook(url: str, events: str = "[set_region]") -> str:
    hook = f'{{name: ops, url: "{url}", secretEnv: OPS_SECRET, events: {events}}}'
    return MANIFEST.replace("spec:\n  regions:", f"spec:\n  webhooks: [{hook}]\n  regions:", 1)


def test_a_webhook_gets_every_record_once_signed_and_then_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPS_SECRET", SECRET)

    async def story(fleet: Fleet) -> None:
        with a_receiver() as receiver:
            failures = iter((500, 503))
            receiver.answer = lambda _: 204
            first: list[int] = []

            def answer(got: Any) -> int:
                # Asked twice for each request: the test looks at what was taken as well.
                return 500 if id(got) in first else 204

            def failing(got: Any) -> int:
                if next(failures, 0):
                    first.append(id(got))
                return answer(got)

            receiver.answer = failing
            await fleet.apply(documents=with_webhook(receiver.url))
            await drained(fleet, "us-east1")
            await drained(fleet, "us-east1", is_drained=False)
            await eventually(lambda: len(receiver.got) == 4)
            receiver.answer = answer

            assert [each.number for each in receiver.got] == [2, 2, 2, 3]
            assert [each.number for each in receiver.taken] == [2, 3]
            assert len({each.headers["webhook-id"] for each in receiver.got}) == 2
            assert all(each.is_signed_with(KEY) for each in receiver.got)
            assert receiver.got[-1].event["type"] == "io.trafficdirector.set_region_drained"

            # The mark is in the log of every replica, and then there is silence.
            for running in fleet.running.values():
                await has_delivered(running, 3)
            index = fleet.running["d0"].replica.state.applied_index
            await asyncio.sleep(2.5)
            assert fleet.running["d0"].replica.state.applied_index == index
            assert len(receiver.got) == 4

    run(story)


def test_a_new_leader_goes_on_where_the_mark_is_under_the_same_ids(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPS_SECRET", SECRET)

    async def story(fleet: Fleet) -> None:
        with a_receiver() as receiver:
            await fleet.apply(documents=with_webhook(receiver.url))
            await drained(fleet, "us-east1")
            await eventually(lambda: fleet.running["d1"].replica.state.deliveries[0].through == 2)
            receiver.answer = lambda _: 503
            await drained(fleet, "us-east1", is_drained=False)
            await eventually(lambda: len(receiver.got) >= 2)

            fleet.group.isolate("d0")
            await eventually(lambda: fleet.running["d1"].consensus.standing().is_leader)
            receiver.answer = lambda _: 200
            await eventually(lambda: fleet.running["d2"].replica.state.deliveries[0].through == 3)

            tried = [each for each in receiver.got if each.number == 3]
            assert len(tried) >= 2
            assert len({each.headers["webhook-id"] for each in tried}) == 1
            assert [each.number for each in receiver.got].count(2) == 1

            async def goes_on() -> bool:
                try:
                    await drained(fleet, "us-east1", at="d1", request_id="again")
                except grpc.aio.AioRpcError:
                    return False
                return True

            await eventually(goes_on)
            await eventually(lambda: receiver.got[-1].number == 4)

    run(story)


def test_a_missing_secret_holds_everything_back_and_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPS_SECRET", raising=False)

    async def story(fleet: Fleet) -> None:
        with a_receiver() as receiver, capture_logs() as lines:
            await fleet.apply(documents=with_webhook(receiver.url, "[]"))
            await eventually(
                lambda: [each for each in lines if each["event"] == "webhook_not_delivered"]
            )

            (line, *_) = [each for each in lines if each["event"] == "webhook_not_delivered"]
            assert (line["webhook"], line["reason"]) == ("ops", "OPS_SECRET is not set")
            assert receiver.got == []

    run(story, size=1)
