"""Three replicas and agents, end to end but for the disk: what operators and clients see."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from structlog.testing import capture_logs

from director.client.resolver import error_info
from director.core.inputs import Committed
from director.service.codec import encode_state
from director.service.errors import UnknownEntryError
from tests.shells.fleet import (
    MANIFEST,
    Fleet,
    ScriptedAgent,
    a_fleet,
    eventually,
    reason_of,
)
from tests.support.pki import OPERATOR, an_agent
from trafficdirector.admin.v1 import admin_pb2 as pb
from trafficdirector.agent.v1 import agent_pb2
from trafficdirector.peer.v1 import peer_pb2
from trafficdirector.routing.v1 import routing_pb2

pytestmark = pytest.mark.slow


# The important stories are told of a fleet under mutual TLS as well.
with_and_without_tls = pytest.mark.parametrize("has_tls", [False, True], ids=["plain", "tls"])


def run(story: Callable[[Fleet], Awaitable[None]], *, size: int = 3, has_tls: bool = False) -> None:
    async def whole() -> None:
        async with a_fleet(size=size, has_tls=has_tls) as fleet:
            await story(fleet)

    asyncio.run(whole())


async def refused(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value


EMBED_FROM_MONS = routing_pb2.ResolveRequest(
    service_id="embed", location=routing_pb2.Location(lat=50.4, lon=3.9)
)


@with_and_without_tls
def test_documents_applied_at_the_leader_are_answered_from_at_every_replica(has_tls: bool) -> None:
    async def story(fleet: Fleet) -> None:
        applied = await fleet.apply()
        assert applied.revision == 1

        for replica_id in fleet.addresses:

            async def answers(replica_id: str = replica_id) -> bool:
                try:
                    return (
                        await fleet.resolve(replica_id, EMBED_FROM_MONS)
                    ).region_id == "eu-west1"
                except grpc.aio.AioRpcError:
                    return False

            await eventually(answers)
            manifest = await fleet.call(
                replica_id,
                "admin.v1.FleetService/GetManifest",
                pb.GetManifestRequest(),
                pb.GetManifestResponse,
            )
            assert manifest == pb.GetManifestResponse(
                documents=MANIFEST, revision=1, etag=applied.etag
            )

    run(story, has_tls=has_tls)


@with_and_without_tls
def test_a_follower_refuses_a_change_and_names_the_leader_with_its_address(has_tls: bool) -> None:
    async def story(fleet: Fleet) -> None:
        error = await refused(fleet.apply("d2"))

        assert error.code() is grpc.StatusCode.UNAVAILABLE
        info = error_info(error)
        assert info is not None
        assert (info.reason, info.domain) == ("NOT_LEADER", "trafficdirector")
        assert dict(info.metadata) == {"leaderId": "d0", "leaderAddress": fleet.addresses["d0"]}

    run(story, has_tls=has_tls)


def test_before_any_documents_every_service_is_unknown_and_the_replica_is_ready() -> None:
    async def story(fleet: Fleet) -> None:
        async def is_not_found() -> bool:
            error = await refused(fleet.resolve("d1", EMBED_FROM_MONS))
            return reason_of(error) == "SERVICE_NOT_FOUND"

        await eventually(is_not_found)

    run(story)


def test_faulty_documents_change_nothing_and_every_fault_is_named() -> None:
    async def story(fleet: Fleet) -> None:
        documents = MANIFEST.replace("name: us-east1, endpoints", "name: us-esat1, endpoints")
        error = await refused(
            fleet.call(
                "d0",
                "admin.v1.FleetService/ApplyManifest",
                pb.ApplyManifestRequest(documents=documents, source_name="typo.yaml"),
                pb.ApplyManifestResponse,
            )
        )

        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert reason_of(error) == "INVALID_DOCUMENT"
        assert "typo.yaml:" in (error.details() or "")
        assert "us-east1" in (error.details() or "")
        assert (await fleet.status()).config_revision == 0

    run(story)


def test_the_same_request_id_has_one_effect() -> None:
    async def story(fleet: Fleet) -> None:
        request = pb.ApplyManifestRequest(
            documents=MANIFEST, change=pb.Change(request_id="apply-1")
        )

        answers = [
            await fleet.call(
                "d0", "admin.v1.FleetService/ApplyManifest", request, pb.ApplyManifestResponse
            )
            for _ in range(2)
        ]

        assert answers[0].index == answers[1].index
        assert (await fleet.status()).config_revision == 1

    run(story)


def test_documents_decided_on_an_old_revision_are_refused() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()

        error = await refused(
            fleet.call(
                "d0",
                "admin.v1.FleetService/ApplyManifest",
                pb.ApplyManifestRequest(documents=MANIFEST, expected_revision=7),
                pb.ApplyManifestResponse,
            )
        )

        assert (error.code(), reason_of(error)) == (
            grpc.StatusCode.ABORTED,
            "STALE_REVISION",
        )

    run(story)


def test_a_dry_run_of_documents_changes_nothing() -> None:
    async def story(fleet: Fleet) -> None:
        answer = await fleet.call(
            "d0",
            "admin.v1.FleetService/ApplyManifest",
            pb.ApplyManifestRequest(documents=MANIFEST, change=pb.Change(validate_only=True)),
            pb.ApplyManifestResponse,
        )

        assert (answer.index, answer.revision) == (0, 1)
        assert (await fleet.status()).config_revision == 0

    run(story)


def test_a_drain_needs_a_reason_and_moves_clients_elsewhere() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()

        def drain(reason: str) -> Awaitable[Any]:
            return fleet.call(
                "d0",
                "admin.v1.FleetService/SetRegionDrain",
                pb.SetRegionDrainRequest(
                    region_id="eu-west1", drained=True, change=pb.Change(reason=reason)
                ),
                pb.SetRegionDrainResponse,
            )

        error = await refused(drain(""))
        assert (reason_of(error), error.code()) == (
            "INVALID_REQUEST",
            grpc.StatusCode.INVALID_ARGUMENT,
        )

        await drain("power works")

        async def moved() -> bool:
            return (await fleet.resolve("d1", EMBED_FROM_MONS)).region_id == "eu-north1"

        await eventually(moved)

    run(story)


@with_and_without_tls
def test_an_agent_is_granted_ownership_and_a_lease_and_clients_follow(has_tls: bool) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        agents = [ScriptedAgent(fleet, each) for each in ("eu-west1", "eu-north1", "us-east1")]
        for agent in agents:
            agent.start()
        home = agents[0]
        try:
            await eventually(lambda: home.token is not None)
            assert home.token is not None
            assert (home.token.generation, home.token.epoch) == (1, 1)
            assert agents[1].token is None
            assert home.plans, "the agents of a region learn whom to probe elsewhere"

            async def is_told() -> bool:
                sites = next(
                    each.sites
                    for each in (await fleet.status()).services
                    if each.service_id == "chat"
                )
                return [each.gate_open for each in sites] == [False, True]

            await eventually(is_told)
            status = await fleet.status()
            assert (status.is_leader, status.voters_alive, status.voter_count) == (True, 3, 3)
            assert status.services[0].owner_region_id == "eu-west1"
            answer = await fleet.resolve("d2", routing_pb2.ResolveRequest(service_id="chat"))
            assert (answer.region_id, answer.generation, answer.epoch) == ("eu-west1", 1, 1)
            assert answer.source == routing_pb2.SOURCE_FRESH
        finally:
            for agent in agents:
                await agent.kill()

    run(story, has_tls=has_tls)


@with_and_without_tls
def test_a_switchover_by_hand_streams_its_stages_until_it_settles(has_tls: bool) -> None:
    async def story(fleet: Fleet) -> None:
        # A busy machine may seem silent for FAST's short bounds; that is not the story.
        await fleet.apply(
            documents=MANIFEST.replace("automation: Automatic", "automation: Observe")
        )
        agents = [ScriptedAgent(fleet, each) for each in ("eu-west1", "eu-north1", "us-east1")]
        for agent in agents:
            agent.start()
        try:
            await eventually(lambda: agents[0].token is not None)
            await asyncio.sleep(FRESH_S)
            watch = asyncio.create_task(watched(fleet, "d1", "chat"))
            await eventually(lambda: fleet.running["d1"].replica.follower_count)
            started = await fleet.call(
                "d0",
                "admin.v1.FailoverService/StartSwitchover",
                pb.StartSwitchoverRequest(
                    service_id="chat",
                    target_region_id="eu-north1",
                    change=pb.Change(reason="move it", actor="ana"),
                ),
                pb.StartSwitchoverResponse,
            )

            runs = await watch

            stages = [each.stage for each in runs]
            assert stages[-1] == "settled", runs[-1]
            assert stages.index("fencing") < stages.index("promoting")
            # What a caller says of itself counts only where nobody has to prove who they are.
            actor = OPERATOR.uri if has_tls else "ana"
            assert (runs[-1].kind, runs[-1].actor) == ("switchover", actor)
            assert runs[-1].measured_rto_ms > 0
            answer = await fleet.resolve("d2", routing_pb2.ResolveRequest(service_id="chat"))
            assert (answer.region_id, answer.epoch) == ("eu-north1", 2)
            listed = await fleet.call(
                "d2",
                "admin.v1.FailoverService/ListFailovers",
                pb.ListFailoversRequest(),
                pb.ListFailoversResponse,
            )
            assert [each.failover_id for each in listed.failovers] == [started.failover_id]
        finally:
            for agent in agents:
                await agent.kill()

    run(story, has_tls=has_tls)


FRESH_S = 0.5  # one staleness bound of FAST: the evidence of a new leader has arrived


async def watched(fleet: Fleet, replica_id: str, service_id: str) -> list[pb.Failover]:
    """Follow the next run of a service at one replica until it is over."""
    async with fleet.open(replica_id) as channel:
        call = channel.unary_stream(
            "/trafficdirector.admin.v1.FailoverService/WatchFailover",
            request_serializer=pb.WatchFailoverRequest.SerializeToString,
            response_deserializer=pb.WatchFailoverResponse.FromString,
        )(pb.WatchFailoverRequest(service_id=service_id), timeout=20)
        return [step.failover async for step in call]


def test_a_move_to_an_ineligible_region_is_refused_with_a_reason() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()

        error = await refused(
            fleet.call(
                "d0",
                "admin.v1.FailoverService/StartFailover",
                pb.StartFailoverRequest(
                    service_id="chat",
                    target_region_id="us-east1",
                    change=pb.Change(reason="try it"),
                ),
                pb.StartFailoverResponse,
            )
        )

        assert error.code() in (
            grpc.StatusCode.FAILED_PRECONDITION,
            grpc.StatusCode.NOT_FOUND,
        )
        assert reason_of(error)

    run(story)


def test_an_unknown_run_service_or_region_is_not_found() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        change = pb.Change(reason="why not")

        for method, request, response, reason in (
            (
                "FailoverService/GetFailover",
                pb.GetFailoverRequest(failover_id="chat/99"),
                pb.GetFailoverResponse,
                "FAILOVER_NOT_FOUND",
            ),
            (
                "FleetService/GetStatus",
                pb.GetStatusRequest(service_id="chta"),
                pb.GetStatusResponse,
                "SERVICE_NOT_FOUND",
            ),
            (
                "FleetService/SetRegionDrain",
                pb.SetRegionDrainRequest(region_id="mars1", drained=True, change=change),
                pb.SetRegionDrainResponse,
                "REGION_NOT_FOUND",
            ),
            (
                "FailoverService/StartFailover",
                pb.StartFailoverRequest(service_id="chta", change=change),
                pb.StartFailoverResponse,
                "SERVICE_NOT_FOUND",
            ),
        ):
            error = await refused(fleet.call("d0", f"admin.v1.{method}", request, response))
            assert (error.code(), reason_of(error)) == (grpc.StatusCode.NOT_FOUND, reason)

    run(story)


def test_a_move_decided_on_an_old_epoch_is_refused() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        agents = [ScriptedAgent(fleet, each) for each in ("eu-west1", "eu-north1")]
        for agent in agents:
            agent.start()
        try:
            await eventually(lambda: agents[0].token is not None)
            error = await refused(
                fleet.call(
                    "d0",
                    "admin.v1.FailoverService/StartSwitchover",
                    pb.StartSwitchoverRequest(
                        service_id="chat",
                        target_region_id="eu-north1",
                        expected_epoch=9,
                        change=pb.Change(reason="late"),
                    ),
                    pb.StartSwitchoverResponse,
                )
            )
            assert (error.code(), reason_of(error)) == (
                grpc.StatusCode.ABORTED,
                "STALE_EPOCH",
            )
        finally:
            for agent in agents:
                await agent.kill()

    run(story)


@with_and_without_tls
def test_the_minority_side_of_a_partition_answers_stale_and_says_so(has_tls: bool) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()

        async def is_fresh() -> bool:
            try:
                answer = await fleet.resolve("d2", EMBED_FROM_MONS)
            except grpc.aio.AioRpcError:
                return False
            return answer.source == routing_pb2.SOURCE_FRESH

        await eventually(is_fresh)

        fleet.group.isolate("d2")

        async def is_stale() -> bool:
            answer = await fleet.resolve("d2", EMBED_FROM_MONS)
            return answer.source == routing_pb2.SOURCE_STALE and answer.view_age_ms > 400

        await eventually(is_stale)
        impatient = routing_pb2.ResolveRequest(service_id="embed", view_age_ms_max=400)
        error = await refused(fleet.resolve("d2", impatient))
        assert reason_of(error) == "STALENESS_BOUND_EXCEEDED"
        assert not (await fleet.status("d2")).is_fresh
        error = await refused(fleet.apply("d2"))
        assert reason_of(error) in ("NO_LEADER", "NOT_LEADER")

        fleet.group.heal()
        await eventually(is_fresh)

    run(story, has_tls=has_tls)


def test_a_replica_restarted_without_a_quorum_answers_from_its_disk_and_says_so() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        kept = fleet.directory / "d2" / "routes.kept"
        await eventually(kept.exists)
        running = fleet.running.pop("d2")
        await running.replica.stop()
        await running.server.stop(grace_ms=0)
        running.watcher.cancel()
        await fleet.channels.pop("d2").close() if "d2" in fleet.channels else None

        fleet.group.isolate("d0", "d1", "d2")
        fleet.group.restart("d2")
        await fleet.start("d2")

        answer = await fleet.resolve("d2", EMBED_FROM_MONS)
        assert (answer.region_id, answer.source) == ("eu-west1", routing_pb2.SOURCE_KEPT)

        fleet.group.heal()

        async def is_fresh() -> bool:
            return (await fleet.resolve("d2", EMBED_FROM_MONS)).source == routing_pb2.SOURCE_FRESH

        await eventually(is_fresh)

    run(story)


@with_and_without_tls
def test_a_new_leader_takes_over_and_goes_on_from_the_same_state(has_tls: bool) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        agents = [ScriptedAgent(fleet, each) for each in ("eu-west1", "eu-north1")]
        for agent in agents:
            agent.start()
        try:
            await eventually(lambda: agents[0].token is not None)

            fleet.group.crash("d0")

            async def leads() -> bool:
                return (await fleet.status("d1")).is_leader

            await eventually(leads)
            status = await fleet.status("d1")
            assert status.services[0].epoch == 1
            # The home keeps its lease with the new leader.
            await eventually(lambda: agents[0].token is not None)
        finally:
            for agent in agents:
                await agent.kill()

    run(story, has_tls=has_tls)


def hello(**changed: str) -> agent_pb2.ReportRequest:
    words = {"region_id": "eu-west1", "agent_id": "eu-west1-agent", "boot_id": "b", **changed}
    return agent_pb2.ReportRequest(hello=agent_pb2.Hello(**words))


@pytest.mark.parametrize(
    ("first", "code", "reason"),
    [
        (hello(region_id=""), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
        (hello(agent_id="x" * 64), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
        (hello(boot_id=""), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
        (hello(region_id="mars1"), grpc.StatusCode.NOT_FOUND, "REGION_NOT_FOUND"),
        (
            agent_pb2.ReportRequest(report=agent_pb2.Report(counter=1)),
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_REQUEST",
        ),
    ],
)
def test_an_agent_that_does_not_say_properly_who_it_is_is_refused(
    first: agent_pb2.ReportRequest, code: grpc.StatusCode, reason: str
) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        error = await refused(reported(fleet, [first]))
        assert (error.code(), reason_of(error)) == (code, reason)

    run(story, size=1)


async def reported(fleet: Fleet, requests: list[agent_pb2.ReportRequest]) -> None:
    """Send ``requests`` as an agent and read until the stream ends."""
    async with fleet.open("d0", an_agent("eu-west1")) as channel:
        call = channel.stream_stream(
            "/trafficdirector.agent.v1.AgentService/Report",
            request_serializer=agent_pb2.ReportRequest.SerializeToString,
            response_deserializer=agent_pb2.ReportResponse.FromString,
        )()
        # The replica may end the stream while this end is still writing; how it ended is below.
        with contextlib.suppress(grpc.aio.InternalError, asyncio.InvalidStateError):
            for request in requests:
                await call.write(request)
        while await call.read() is not grpc.aio.EOF:
            pass
        if await call.code() is not grpc.StatusCode.OK:
            raise grpc.aio.AioRpcError(
                await call.code(),
                await call.initial_metadata(),
                await call.trailing_metadata(),
                await call.details(),
            )


@with_and_without_tls
def test_a_report_larger_than_64_kib_ends_the_stream(has_tls: bool) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        large = agent_pb2.ReportRequest(
            report=agent_pb2.Report(
                counter=1,
                readings=agent_pb2.Readings(
                    services=[
                        agent_pb2.ServiceReading(service_id=f"service-{n:020}")
                        for n in range(3_000)
                    ]
                ),
            )
        )
        error = await refused(reported(fleet, [hello(), large]))
        assert (error.code(), reason_of(error)) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "QUOTA_EXCEEDED",
        )
        info = error_info(error)
        assert info is not None
        assert dict(info.metadata) == {"bytes": str(large.ByteSize()), "bytesMax": "65536"}

    run(story, size=1, has_tls=has_tls)


@with_and_without_tls
def test_a_message_of_10_mib_is_refused_and_the_replica_goes_on(has_tls: bool) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        large = pb.ApplyManifestRequest(documents="x" * (10 << 20))
        error = await refused(
            fleet.call("d0", "admin.v1.FleetService/ApplyManifest", large, pb.ApplyManifestResponse)
        )
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        info = error_info(error)
        assert info is not None
        assert info.reason == "QUOTA_EXCEEDED"
        assert dict(info.metadata) == {"bytes": str(large.ByteSize()), "bytesMax": str(2 << 20)}
        huge = pb.ApplyManifestRequest(documents="x" * (17 << 20))
        error = await refused(
            fleet.call("d0", "admin.v1.FleetService/ApplyManifest", huge, pb.ApplyManifestResponse)
        )
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "larger than max" in (error.details() or "")
        assert (await fleet.resolve("d0", EMBED_FROM_MONS)).region_id == "eu-west1"

    run(story, size=1, has_tls=has_tls)


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        (
            routing_pb2.ResolveRequest(
                service_id="embed", location=routing_pb2.Location(lat=float("nan"), lon=1)
            ),
            grpc.StatusCode.INVALID_ARGUMENT,
            "POSITION_UNUSABLE",
        ),
        (
            routing_pb2.ResolveRequest(service_id="embed", region_id="mars1"),
            grpc.StatusCode.INVALID_ARGUMENT,
            "POSITION_UNUSABLE",
        ),
        (
            routing_pb2.ResolveRequest(service_id="nope"),
            grpc.StatusCode.NOT_FOUND,
            "SERVICE_NOT_FOUND",
        ),
        (
            routing_pb2.ResolveRequest(service_id="chat"),
            grpc.StatusCode.FAILED_PRECONDITION,
            "NO_OWNER",
        ),
    ],
)
def test_a_bad_question_gets_a_clear_error_with_a_reason(
    request_: routing_pb2.ResolveRequest, code: grpc.StatusCode, reason: str
) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        error = await refused(fleet.resolve("d0", request_))
        assert (error.code(), reason_of(error)) == (code, reason)

    run(story, size=1)


def test_health_reflection_and_members_answer() -> None:
    async def story(fleet: Fleet) -> None:
        from grpc_health.v1 import health_pb2  # noqa: PLC0415

        await fleet.apply()
        async with fleet.open("d0") as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )

            async def is_serving() -> bool:
                answer = await check(health_pb2.HealthCheckRequest(), timeout=5)
                return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

            await eventually(is_serving)
        cluster = await fleet.call(
            "d1",
            "admin.v1.ClusterService/GetCluster",
            pb.GetClusterRequest(),
            pb.GetClusterResponse,
        )
        assert [(each.replica_id, each.role) for each in cluster.members] == [
            ("d0", "voter"),
            ("d1", "voter"),
            ("d2", "voter"),
        ]
        assert cluster.leader_id == "d0"

    run(story)


@with_and_without_tls
def test_leadership_can_be_handed_over(has_tls: bool) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.call(
            "d0",
            "admin.v1.ClusterService/TransferLeadership",
            pb.TransferLeadershipRequest(replica_id="d2"),
            pb.TransferLeadershipResponse,
        )

        async def leads() -> bool:
            return (await fleet.status("d2")).is_leader

        await eventually(leads)
        await fleet.apply("d2")

    run(story, has_tls=has_tls)


def test_reads_go_on_when_the_log_stopped_for_good_and_writes_say_why() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()

        fleet.group.fail("d0", "no space left on device")

        async def is_stale() -> bool:
            answer = await fleet.resolve("d0", EMBED_FROM_MONS)
            return answer.source == routing_pb2.SOURCE_STALE

        await eventually(is_stale)
        error = await refused(fleet.apply("d0"))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert "no space left on device" in (error.details() or "")

        async def another_leads() -> bool:
            return (await fleet.status("d1")).is_leader

        await eventually(another_leads)

    run(story)


def test_a_replica_that_finds_a_mistake_of_ours_stops_rather_than_answers_wrongly() -> None:
    async def story(fleet: Fleet) -> None:
        replica = fleet.running["d0"].replica

        # Entry 99 cannot follow: had it been delivered, the log would have a hole.
        replica.receive(Committed(99, None))

        assert isinstance(await replica.stopped, AssertionError)

    run(story, size=1)


def test_an_entry_that_cannot_be_read_stops_the_replica() -> None:
    async def story(fleet: Fleet) -> None:
        replica = fleet.running["d0"].replica
        consensus = replica.consensus

        await consensus.propose(b"\x09 of a later release", term=consensus.standing().term)

        assert isinstance(await replica.stopped, UnknownEntryError)

    run(story, size=1)


def test_a_snapshot_is_saved_and_a_restart_begins_with_it() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        running = fleet.running["d0"]
        state = running.replica.state
        await running.consensus.save_snapshot(state.applied_index, encode_state(state))
        await running.replica.stop()
        await running.server.stop(grace_ms=0)
        running.watcher.cancel()

        fleet.group.restart("d0")
        await fleet.start("d0")

        restarted = fleet.running["d0"].replica
        await eventually(lambda: restarted.state.revision == 1)
        assert restarted.state.topology == state.topology

    run(story, size=1)


@with_and_without_tls
def test_what_only_a_follower_hears_reaches_the_leader(has_tls: bool) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        agent = ScriptedAgent(fleet, "us-east1", ("embed",))
        agent.start_at("d2")
        try:

            async def is_judged() -> bool:
                status = await fleet.status("d0")
                embed = next(each for each in status.services if each.service_id == "embed")
                verdicts = {each.region_id: each.verdict for each in embed.sites}
                return verdicts["us-east1"] == "UP"

            await eventually(is_judged)
            regions = {each.region_id: each for each in (await fleet.status("d0")).regions}
            assert regions["us-east1"].agent_count == 1
            assert regions["eu-west1"].agent_count == 0
        finally:
            await agent.kill()

    run(story, has_tls=has_tls)


def test_evidence_from_a_stranger_or_at_a_follower_is_refused() -> None:
    async def story(fleet: Fleet) -> None:
        for replica_id, sender, reason in (
            ("d0", "d9", "INVALID_REQUEST"),
            ("d1", "d2", "NOT_LEADER"),
        ):
            async with fleet.open(replica_id) as channel:
                call = channel.stream_stream(
                    "/trafficdirector.peer.v1.EvidenceService/Relay",
                    request_serializer=peer_pb2.RelayRequest.SerializeToString,
                    response_deserializer=peer_pb2.RelayResponse.FromString,
                )()
                await call.write(peer_pb2.RelayRequest(replica_id=sender, term=1))
                error = await refused(anext(aiter(call)))
                assert reason_of(error) == reason

    run(story)


@pytest.mark.parametrize(
    "method",
    [
        "routing.v1.RoutingService/Resolve",
        "routing.v1.RoutingService/ExplainResolve",
        "admin.v1.FleetService/ApplyManifest",
        "admin.v1.FleetService/GetStatus",
    ],
)
def test_bytes_that_are_no_message_are_an_invalid_request(method: str) -> None:
    async def story(fleet: Fleet) -> None:
        async with fleet.open("d0") as channel:
            call: Any = channel.unary_unary(f"/trafficdirector.{method}")
            error = await refused(call(b"\xff\xff\xff\xff", timeout=8))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert reason_of(error) == "INVALID_REQUEST"

    run(story, size=1)


def test_runs_of_an_unknown_service_are_not_an_empty_list() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        error = await refused(
            fleet.call(
                "d0",
                "admin.v1.FailoverService/ListFailovers",
                pb.ListFailoversRequest(service_id="nope"),
                pb.ListFailoversResponse,
            )
        )
        assert reason_of(error) == "SERVICE_NOT_FOUND"
        assert "there are: chat, embed" in (error.details() or "")

    run(story, size=1)


@pytest.mark.parametrize(
    ("method", "reason", "said"),
    [
        ("RemoveMember", "INVALID_REQUEST", "'d9' is no member; members are: d0, d1, d2"),
        ("PromoteMember", "INVALID_REQUEST", "'d9' is no member; members are: d0, d1, d2"),
    ],
)
def test_a_change_of_an_unknown_member_names_the_members(
    method: str, reason: str, said: str
) -> None:
    async def story(fleet: Fleet) -> None:
        request = getattr(pb, f"{method}Request")(replica_id="d9")
        error = await refused(
            fleet.call(
                "d0", f"admin.v1.ClusterService/{method}", request, getattr(pb, f"{method}Response")
            )
        )
        assert reason_of(error) == reason
        assert said in (error.details() or "")

    run(story)


def test_an_agent_that_sends_no_message_is_an_invalid_request() -> None:
    async def story(fleet: Fleet) -> None:
        async with fleet.open("d0") as channel:
            call: Any = channel.stream_stream("/trafficdirector.agent.v1.AgentService/Report")()
            await call.write(b"\xff\xff\xff\xff")
            error = await refused(call.read())
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert reason_of(error) == "INVALID_REQUEST"

    run(story, size=1)


async def first_of(
    fleet: Fleet, method: str, request: Any, *, timeout_s: float = 5
) -> grpc.aio.AioRpcError:
    """Return how a stream of answers that has none ends."""
    async with fleet.open("d0") as channel:
        call: Any = channel.unary_stream(
            f"/trafficdirector.{method}",
            request_serializer=lambda message: message.SerializeToString(),
        )
        return await refused(call(request, timeout=timeout_s).read())


def test_following_a_service_that_does_not_exist_is_refused_at_once() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        error = await first_of(
            fleet,
            "admin.v1.FailoverService/WatchFailover",
            pb.WatchFailoverRequest(service_id="nope"),
        )
        assert reason_of(error) == "SERVICE_NOT_FOUND"
        assert "there are: chat, embed" in (error.details() or "")

    run(story, size=1)


def test_followers_of_failovers_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("director.service.replica.FOLLOWERS_MAX", 0)

    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        error = await first_of(
            fleet,
            "admin.v1.FailoverService/WatchFailover",
            pb.WatchFailoverRequest(service_id="chat"),
        )
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason_of(error) == "QUOTA_EXCEEDED"

    run(story, size=1)


def test_watching_a_name_that_can_be_none_is_an_invalid_request() -> None:
    async def story(fleet: Fleet) -> None:
        error = await first_of(
            fleet,
            "routing.v1.RoutingService/WatchRoutes",
            routing_pb2.WatchRoutesRequest(service_ids=["chat", "x" * 64]),
        )
        assert reason_of(error) == "INVALID_REQUEST"
        assert "a name of 64 characters" in (error.details() or "")

    run(story, size=1)


def test_an_agent_that_guards_what_nobody_declared_is_logged_once() -> None:
    async def story(fleet: Fleet) -> None:
        with capture_logs() as logs:
            early = ScriptedAgent(fleet, "eu-west1", ["chat", "early"])
            early.start()
            await eventually(lambda: len(fleet.running["d0"].replica.links) == 1)
            assert not [each for each in logs if each["event"] == "agent_guards_unknown_service"]
            await fleet.apply()

            wrong = ScriptedAgent(fleet, "eu-north1", ["chat", "nope"])
            wrong.start()
            await eventually(lambda: len(fleet.running["d0"].replica.links) == 2)
            warned = [each for each in logs if each["event"] == "agent_guards_unknown_service"]
            assert [
                (each["log_level"], each["region_id"], each["service_ids"]) for each in warned
            ] == [("warning", "eu-north1", ["nope"])]
        await early.kill()
        await wrong.kill()

    run(story, size=1)
