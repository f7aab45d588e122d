"""An agent process end to end, against small directors that speak the real protos."""

import asyncio
import contextlib
import json
from functools import partial
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from director.runtime.clock import boot_ms
from director.runtime.directory_lock import DirectoryInUseError
from regions.actuators.role_file import kernel_boot_id
from regions.actuators.token_file import TokenFile
from regions.app.process import AgentProcess
from regions.core.effects import KeptGroup
from regions.core.ids import FencingToken
from tests.agent.fake_director import FakeDirector
from tests.http.asking import get
from tests.regions.agents import a_config, channel, http_get, loaded, running
from tests.regions.backends import OK, a_free_address, a_table, answering, eventually
from trafficdirector.agent.v1 import agent_pb2 as pb
from trafficdirector.agent.v1 import agent_pb2_grpc as pb_grpc
from trafficdirector.routing.v1 import routing_pb2, routing_pb2_grpc

HERE = "eu-west1"
CONNECTED = "director_agent_directors_connected"


async def until_open(port: int, *, open_: bool = True) -> pb.CheckGateResponse:
    async with asyncio.timeout(15), channel(port) as opened:
        stub = pb_grpc.GateServiceStub(opened)
        async for change in stub.WatchGate(pb.WatchGateRequest(service_id="chat")):
            gate: pb.CheckGateResponse = change.gate
            if gate.may_write == open_:
                return gate
    raise AssertionError("the watch ended")


def test_an_agent_reports_to_every_director_and_opens_its_gate_on_a_lease(tmp_path: Path) -> None:
    async def story() -> None:
        leader, follower = FakeDirector("d0"), FakeDirector("d1")
        addresses = [await leader.start(), await follower.start()]
        async with answering(OK) as backend, running(a_config(tmp_path, backend, addresses)) as at:
            await eventually(lambda: bool(leader.hellos and follower.hellos))
            assert leader.hellos[0] == follower.hellos[0]
            assert leader.hellos[0].region_id == HERE
            assert list(leader.hellos[0].service_ids) == ["chat"]
            for director in (leader, follower):
                director.direct(3, HERE)

            answer = await until_open(at.grpc)

            assert answer.token == pb.FencingToken(generation=1, epoch=3)
            assert answer.home_region_id == HERE
            assert 0 < answer.deadline_boottime_ms - boot_ms() <= 250
            status, gate = await http_get(at.http, "/gate/chat")
            assert (status, gate["may_write"], gate["token"]["epoch"]) == (200, True, 3)
            assert (await http_get(at.http, "/active?service=chat"))[0] == 200
            async with asyncio.timeout(10):
                while (scraped := await metrics_of(at.http)).get(CONNECTED) != 2:
                    await asyncio.sleep(0.02)
            assert scraped["director_agent_gate_open"] == 1
            assert 0 < scraped["director_agent_lease_remaining_seconds"] <= 4
            assert scraped["director_agent_report_age_seconds"] < 5
            assert scraped["director_agent_probe_results_total"] > 0
            assert {lease.is_holding for lease in leader.leases[:1]} == {False}
            assert all(lease.is_proven for lease in leader.leases)
            for director in (leader, follower):
                await eventually(partial(_told_open, director))
                counters = [each.counter for each in director.reports]
                assert counters == sorted(set(counters))
                assert director.reports[0].HasField("readings")
        await leader.stop()
        await follower.stop()

    asyncio.run(story())


async def metrics_of(port: int) -> dict[str, float]:
    """Return what the agent's metrics say, by name; of several series the last."""
    _, _, text = await get(f"127.0.0.1:{port}", "/metrics")
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def _told_open(director: FakeDirector) -> bool:
    readings = director.newest()
    return (
        readings is not None
        and bool(readings.gates)
        and readings.gates[0].is_open
        and readings.services[0].passing
    )


def test_a_demotion_shuts_the_gate_and_is_promised_in_a_report(tmp_path: Path) -> None:
    async def story() -> None:
        director = FakeDirector()
        address = await director.start()
        async with answering(OK) as backend, running(a_config(tmp_path, backend, [address])) as at:
            director.direct(3, HERE)
            await until_open(at.grpc)

            director.direct(3, HERE, demote=True)

            answer = await until_open(at.grpc, open_=False)
            assert answer.reason == "DEMOTED"
            token = pb.FencingToken(generation=1, epoch=3)
            await eventually(
                lambda: (
                    (readings := director.newest()) is not None
                    and readings.gates[0].demoted_through == token
                )
            )
            kept = TokenFile(tmp_path / "agent" / "tokens", region_id=HERE, agent_id="agent").read()
            assert kept.groups[0].demoted_through == FencingToken(1, 3)
            status, gate = await http_get(at.http, "/gate/chat")
            assert (status, gate["reason"]) == (423, "DEMOTED")
        await director.stop()

    asyncio.run(story())


def test_with_all_directors_gone_the_gate_closes_when_the_lease_ends(tmp_path: Path) -> None:
    async def story() -> None:
        director = FakeDirector()
        director.lease_ms = 2_000
        address = await director.start()
        async with answering(OK) as backend, running(a_config(tmp_path, backend, [address])) as at:
            director.direct(3, HERE)
            await until_open(at.grpc)

            await director.stop()

            stopped_at_ms = boot_ms()
            answer = await until_open(at.grpc, open_=False)
            assert answer.reason == "LEASE_ENDED"
            assert boot_ms() - stopped_at_ms <= 1_800 + 1_000
            # Health and readiness do not depend on a director.
            async with channel(at.grpc) as opened:
                stub = health_pb2_grpc.HealthStub(opened)
                health = await stub.Check(health_pb2.HealthCheckRequest())
            assert health.status == health_pb2.HealthCheckResponse.SERVING
            assert (await http_get(at.http, "/readyz"))[0] == 200

    asyncio.run(story())


def test_an_agent_that_no_director_has_spoken_to_is_ready_closed_and_routes_nobody(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with answering(OK) as backend, running(a_config(tmp_path, backend)) as at:
            assert (await http_get(at.http, "/readyz"))[0] == 200
            assert (await http_get(at.http, "/gate/chat"))[0] == 423
            status, refused = await http_get(at.http, "/resolve?service=chat")
            assert (status, refused["reason"]) == (503, "UNAVAILABLE")

    asyncio.run(story())


def test_an_agent_that_lost_its_director_comes_back_to_it_by_itself(tmp_path: Path) -> None:
    async def story() -> None:
        director = FakeDirector()
        address = await director.start()
        async with answering(OK) as backend, running(a_config(tmp_path, backend, [address])):
            await eventually(lambda: director.stream_count == 1)
            boot_id = director.hellos[0].boot_id
            director.hang_up()
            await eventually(lambda: len(director.hellos) == 2)
            await director.stop()

            again = FakeDirector()
            await again.start(address)
            await eventually(lambda: bool(again.reports))

            assert again.hellos[0].boot_id == boot_id
            assert again.reports[0].HasField("readings")
            assert again.reports[0].counter > director.reports[-1].counter
            await again.stop()

    asyncio.run(story())


def test_a_second_address_of_one_replica_makes_no_second_stream(tmp_path: Path) -> None:
    async def story() -> None:
        director, twin = FakeDirector("d0"), FakeDirector("d0")
        addresses = [await director.start(), a_free_address()]
        async with answering(OK) as backend, running(a_config(tmp_path, backend, addresses)):
            await eventually(lambda: bool(director.reports))
            await twin.start(addresses[1])

            await eventually(lambda: len(twin.hellos) >= 2)

            assert twin.reports == []
            assert director.stream_count == 1
        await director.stop()
        await twin.stop()

    asyncio.run(story())


def test_a_director_that_refuses_the_agent_is_asked_again_with_pauses(tmp_path: Path) -> None:
    async def story() -> None:
        director = FakeDirector()
        director.welcomes = False
        address = await director.start()
        async with answering(OK) as backend, running(a_config(tmp_path, backend, [address])):
            await eventually(lambda: len(director.hellos) >= 3)
            assert director.reports == []
        await director.stop()

    asyncio.run(story())


def test_probes_of_other_regions_are_reported_with_their_round_trip(tmp_path: Path) -> None:
    async def story() -> None:
        director = FakeDirector()
        address = await director.start()
        async with contextlib.AsyncExitStack() as stack:
            backend = await stack.enter_async_context(answering(OK))
            peer = await stack.enter_async_context(answering(OK))
            await stack.enter_async_context(running(a_config(tmp_path, backend, [address])))
            director.say(
                pb.ReportResponse(
                    probes=pb.ProbePlan(
                        targets=[
                            pb.ProbeTarget(
                                service_id="chat",
                                region_id="us-east1",
                                address=peer,
                                kind="Http",
                                path="/healthz",
                                every_ms=100,
                                timeout_ms=1_000,
                                rise_count=2,
                                fall_count=2,
                            )
                        ]
                    )
                )
            )
            await eventually(lambda: _sees(director, passing=True))
            readings = director.newest()
            assert readings is not None
            assert readings.round_trips[0].region_id == "us-east1"
            assert readings.round_trips[0].rtt_us > 0

            await stack.aclose()
        await director.stop()

    asyncio.run(story())


def _sees(director: FakeDirector, *, passing: bool) -> bool:
    readings = director.newest()
    return (
        readings is not None
        and bool(readings.peers)
        and readings.peers[0].HasField("passing")
        and readings.peers[0].passing == passing
    )


def test_the_role_file_follows_the_gate(tmp_path: Path) -> None:
    role = tmp_path / "role.json"

    def read() -> dict[str, object]:
        found: dict[str, object] = json.loads(role.read_text())
        return found

    async def story() -> None:
        director = FakeDirector()
        address = await director.start()
        more = f"    role_file: {role}"
        async with answering(OK) as backend:
            async with running(a_config(tmp_path, backend, [address], more=more)) as at:
                await eventually(role.exists)
                assert read()["role"] == "standby"
                director.direct(3, HERE)
                await until_open(at.grpc)
                await eventually(lambda: read()["role"] == "active")
                assert read()["token"] == "1.3"  # noqa: S105 - a fencing token
                assert read()["boot_id"] == kernel_boot_id()
                first = int(str(read()["deadline_boottime_ms"]))
                assert first - boot_ms() <= 1_000
                # Rewritten before it runs out, for as long as the lease is renewed.
                await eventually(lambda: int(str(read()["deadline_boottime_ms"])) > first + 1_000)
                assert read()["role"] == "active"
            assert read()["role"] == "standby"
        await director.stop()

    asyncio.run(story())


async def resolve(port: int) -> routing_pb2.ResolveResponse:
    async with channel(port) as opened:
        stub = routing_pb2_grpc.RoutingServiceStub(opened)
        answer: routing_pb2.ResolveResponse = await stub.Resolve(
            routing_pb2.ResolveRequest(service_id="chat")
        )
        return answer


def test_routes_are_answered_locally_and_survive_the_directors_and_the_agent(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        director = FakeDirector(table=a_table(revision=5))
        address = await director.start()
        async with answering(OK) as backend:
            text = a_config(tmp_path, backend, [address])
            async with running(text) as at:
                await eventually((tmp_path / "agent" / "routes").exists)
                fresh = await resolve(at.grpc)
                assert (fresh.region_id, fresh.revision) == (HERE, 5)
                assert fresh.source == routing_pb2.SOURCE_FRESH
                assert fresh.view_age_ms < 2_000
            await director.stop()

            async with running(text) as at:  # no director anywhere
                kept = await resolve(at.grpc)
                status, answer = await http_get(
                    at.http, "/resolve?service=chat&from=48.85,2.35&subject-jurisdiction=EU"
                )
                async with channel(at.grpc) as opened:
                    stub = routing_pb2_grpc.RoutingServiceStub(opened)
                    explained = await stub.ExplainResolve(
                        routing_pb2.ExplainResolveRequest(
                            request=routing_pb2.ResolveRequest(service_id="chat")
                        )
                    )
                    batch = await stub.BatchResolve(
                        routing_pb2.BatchResolveRequest(
                            requests=[
                                routing_pb2.ResolveRequest(service_id="chat"),
                                routing_pb2.ResolveRequest(service_id="nope"),
                            ]
                        )
                    )

        assert (kept.region_id, kept.endpoints[0].address) == (HERE, "10.0.1.1:443")
        assert (kept.revision, kept.epoch, kept.source) == (5, 3, routing_pb2.SOURCE_KEPT)
        assert (status, answer["region_id"], answer["source"]) == (200, HERE, "SOURCE_KEPT")
        chosen = [each.region_id for each in explained.candidates if each.outcome == "CHOSEN"]
        assert chosen == [HERE]
        assert batch.results[0].response.region_id == HERE
        assert batch.results[1].refusal.reason == "SERVICE_NOT_FOUND"

    asyncio.run(story())


def test_an_older_table_of_another_director_is_not_taken(tmp_path: Path) -> None:
    async def story() -> None:
        director = FakeDirector(table=a_table(revision=9))
        address = await director.start()
        async with answering(OK) as backend:
            text = a_config(tmp_path, backend, [address])
            async with running(text) as at:
                await eventually((tmp_path / "agent" / "routes").exists)
            await director.stop()
            behind = FakeDirector(table=a_table(revision=4, owner="eu-north1"))
            await behind.start(address)

            async with running(text) as at:
                await eventually(lambda: behind.step_count >= 3)
                answer = await resolve(at.grpc)
            await behind.stop()

        assert (answer.revision, answer.region_id) == (9, HERE)

    asyncio.run(story())


def test_an_agent_without_any_table_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        async with answering(OK) as backend, running(a_config(tmp_path, backend)) as at:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await resolve(at.grpc)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            status, answer = await http_get(at.http, "/resolve?service=chat")
            assert (status, answer["reason"]) == (503, "UNAVAILABLE")

    asyncio.run(story())


def test_a_gate_that_is_not_guarded_is_not_found(tmp_path: Path) -> None:
    async def story() -> None:
        async with answering(OK) as backend, running(a_config(tmp_path, backend)) as at:
            async with channel(at.grpc) as opened:
                stub = pb_grpc.GateServiceStub(opened)
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await stub.CheckGate(pb.CheckGateRequest(service_id="pay"))
                assert refused.value.code() is grpc.StatusCode.NOT_FOUND
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await stub.CheckGate(pb.CheckGateRequest(service_id="x" * (2 << 20)))
                assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            status, answer = await http_get(at.http, "/gate/pay")
            assert (status, answer["reason"]) == (404, "SERVICE_NOT_FOUND")

    asyncio.run(story())


def test_two_agents_cannot_share_a_data_directory(tmp_path: Path) -> None:
    async def story() -> None:
        async with answering(OK) as backend:
            text = a_config(tmp_path, backend)
            async with running(text):
                with pytest.raises(DirectoryInUseError):
                    await AgentProcess(loaded(text)).start()
            # Let go of when the first has stopped.
            async with running(text):
                pass

    asyncio.run(story())


def test_the_lag_of_the_service_is_reported(tmp_path: Path) -> None:
    async def story() -> None:
        director = FakeDirector()
        address = await director.start()
        lag = b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"lag_ms": 70}'
        async with answering(OK) as backend, answering(lag) as source:
            more = f'    lag: {{type: Http, address: "{source}", path: /lag, every: 100ms}}'
            async with running(a_config(tmp_path, backend, [address], more=more)):
                await eventually(
                    lambda: (
                        (readings := director.newest()) is not None
                        and readings.services[0].lag_ms == 70
                    )
                )
        await director.stop()

    asyncio.run(story())


def test_pulses_go_back_with_the_reports_and_not_on_another_stream(tmp_path: Path) -> None:
    async def story() -> None:
        director = FakeDirector()
        address = await director.start()
        async with answering(OK) as backend, running(a_config(tmp_path, backend, [address])):
            await eventually(lambda: any(each.HasField("echo") for each in director.reports))
            count = len(director.reports)
            echoed = [each.echo for each in director.reports if each.HasField("echo")]
            director.hang_up()
            await eventually(lambda: len(director.hellos) == 2)
            await eventually(lambda: len(director.reports) > count + 3)

            assert echoed[0].sent_at >= 1
            # The heartbeat here is 100 ms, and so that is how long a pulse is held.
            assert all(each.held_ms <= 5_000 for each in echoed)
            assert not director.reports[0].HasField("echo")
            greeting = next(each for each in director.reports[1:] if not each.HasField("echo"))
            assert greeting.HasField("readings"), "the first report of the second stream"
        await director.stop()

    asyncio.run(story())


def test_what_is_kept_after_a_directive_names_the_owner(tmp_path: Path) -> None:
    async def story() -> None:
        director = FakeDirector()
        address = await director.start()
        tokens = TokenFile(tmp_path / "agent" / "tokens", region_id=HERE, agent_id="agent")
        async with answering(OK) as backend, running(a_config(tmp_path, backend, [address])):
            director.direct(4, "eu-north1")
            await eventually(lambda: bool(tokens.read().groups))
            (group,) = tokens.read().groups
        await director.stop()
        assert isinstance(group, KeptGroup)
        assert (group.token, group.home) == (FencingToken(1, 4), "eu-north1")

    asyncio.run(story())
