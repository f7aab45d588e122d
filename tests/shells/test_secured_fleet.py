"""Three replicas under mutual TLS: what each party is kept from doing, and who did what."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from structlog.testing import capture_logs

from director.api import server as api_server
from director.app import Settings, SettingsError, start
from director.client.resolver import Question, Resolver, SyncResolver
from director.client.watch import RouteWatcher, Source
from director.runtime.caller import DENIALS
from director.runtime.clock import wall_ms
from director.runtime.identity import Identity
from director.runtime.tls import TlsFiles
from tests.shells.fleet import (
    FAST,
    Fleet,
    ScriptedAgent,
    a_fleet,
    eventually,
    free_ports,
    reason_of,
)
from tests.support.memory_consensus import MemoryGroup
from tests.support.pki import (
    CLIENT,
    ON_CALL,
    ONLOOKER,
    OPERATOR,
    FleetPki,
    a_director,
    an_agent,
    as_the_server_said,
)
from trafficdirector.admin.v1 import admin_pb2 as pb
from trafficdirector.agent.v1 import agent_pb2
from trafficdirector.peer.v1 import peer_pb2

pytestmark = pytest.mark.slow

REPORT = "/trafficdirector.agent.v1.AgentService/Report"
RELAY = "/trafficdirector.peer.v1.EvidenceService/Relay"


def run(story: Callable[[Fleet], Awaitable[None]], *, size: int = 1) -> None:
    async def whole() -> None:
        async with a_fleet(size=size, has_tls=True) as fleet:
            await story(fleet)

    asyncio.run(whole())


async def denied(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        async with asyncio.timeout(5):  # who is let in is not told so
            await call
    assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert reason_of(raised.value) == "PERMISSION_DENIED"
    return raised.value


async def called(fleet: Fleet, who: Identity, method: str, request: Any, answer: Any) -> Any:
    async with fleet.open("d0", who) as channel:
        return await channel.unary_unary(
            f"/trafficdirector.{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )(request, timeout=8)


async def sent(fleet: Fleet, who: Identity, method: str, *requests: Any) -> None:
    """Write to a stream of both directions and read until it ends."""

    async def attempt() -> None:
        async with fleet.open("d0", who) as channel:
            call: Any = channel.stream_stream(
                method, request_serializer=lambda message: message.SerializeToString()
            )()
            with contextlib.suppress(asyncio.InvalidStateError):  # ended already; how is below
                for request in requests:
                    await call.write(request)
            while await call.read() is not grpc.aio.EOF:
                pass

    await as_the_server_said(attempt)


def a_hello(region_id: str, agent_id: str) -> agent_pb2.ReportRequest:
    return agent_pb2.ReportRequest(
        hello=agent_pb2.Hello(region_id=region_id, agent_id=agent_id, boot_id="b")
    )


# -- agents -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("region_id", "agent_id"),
    [("us-east1", "eu-west1-agent"), ("eu-west1", "another"), ("us-east1", "us-east1-agent")],
)
def test_an_agent_speaks_for_itself_in_its_region_and_for_nobody_else(
    region_id: str, agent_id: str
) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        before = DENIALS.count_by_fault["REGION"]
        liar = an_agent("eu-west1")
        with capture_logs() as logs:
            error = await denied(sent(fleet, liar, REPORT, a_hello(region_id, agent_id)))

        assert liar.uri in (error.details() or "")
        assert DENIALS.count_by_fault["REGION"] == before + 1
        told = [each for each in logs if each["event"] == "call_denied"]
        assert [(each["fault"], each["identity"]) for each in told] == [("REGION", liar.uri)]
        assert all(region.agent_count == 0 for region in (await fleet.status()).regions)

    DENIALS._said_at_ms.clear()  # each such line is written once a minute
    run(story)


@pytest.mark.parametrize("who", [OPERATOR, CLIENT, a_director("d1")], ids=lambda who: who.kind)
def test_nobody_but_agents_reports(who: Identity) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        await denied(sent(fleet, who, REPORT, a_hello("eu-west1", "eu-west1-agent")))

    run(story)


@pytest.mark.parametrize(
    "who", [an_agent("eu-west1"), CLIENT, a_director("d1"), ONLOOKER], ids=lambda who: who.kind
)
def test_nobody_but_operators_with_the_role_changes_anything(who: Identity) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        for method, request, answer in (
            ("FleetService/ApplyManifest", pb.ApplyManifestRequest(), pb.ApplyManifestResponse),
            (
                "FleetService/SetRegionDrain",
                pb.SetRegionDrainRequest(
                    region_id="us-east1", drained=True, change=pb.Change(reason="mine now")
                ),
                pb.SetRegionDrainResponse,
            ),
            ("FailoverService/StartFailover", pb.StartFailoverRequest(), pb.StartFailoverResponse),
            ("ClusterService/RemoveMember", pb.RemoveMemberRequest(), pb.RemoveMemberResponse),
        ):
            await denied(called(fleet, who, f"admin.v1.{method}", request, answer))
        status = await fleet.status()
        assert not any(region.drained for region in status.regions)
        assert status.config_revision == 1

    run(story)


def test_a_report_stream_is_cut_when_the_agents_certificate_ends() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        assert fleet.pki is not None
        who = an_agent("eu-west1")
        fleet.pki._tls[who] = fleet.pki.short(who, 2)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            async with asyncio.timeout(10):
                await sent(fleet, who, REPORT, a_hello("eu-west1", "eu-west1-agent"))
        assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert reason_of(raised.value) == "UNAUTHENTICATED"

        async def is_gone() -> bool:
            regions = (await fleet.status()).regions
            return all(region.agent_count == 0 for region in regions)

        await eventually(is_gone)

    run(story)


# -- replicas -----------------------------------------------------------------------------------


@pytest.mark.parametrize("who", [a_director("d1"), OPERATOR, an_agent("eu-west1")])
def test_a_replica_relays_for_itself_only_and_others_not_at_all(who: Identity) -> None:
    async def story(fleet: Fleet) -> None:
        request = peer_pb2.RelayRequest(replica_id="d2", failure_domain="domain-d2", term=1)
        await denied(sent(fleet, who, RELAY, request))

    run(story, size=3)


# -- operators ----------------------------------------------------------------------------------


def test_accepting_a_loss_is_a_right_of_its_own() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        move = pb.StartFailoverRequest(
            service_id="chat", target_region_id="eu-north1", change=pb.Change(reason="try")
        )
        lossy = pb.StartFailoverRequest(accept_data_loss_ms=5_000)
        lossy.MergeFrom(move)
        method = "admin.v1.FailoverService/StartFailover"

        error = await denied(called(fleet, ON_CALL, method, lossy, pb.StartFailoverResponse))
        assert "op.dataloss" in (error.details() or "")
        for who, request in ((ON_CALL, move), (OPERATOR, lossy)):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await called(fleet, who, method, request, pb.StartFailoverResponse)
            # No agent is there, so a rule of the core says no: this far they got.
            assert raised.value.code() is grpc.StatusCode.FAILED_PRECONDITION

    run(story)


def test_the_actor_of_a_change_is_who_made_it_and_not_who_they_said(tmp_path: Path) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        agents = [ScriptedAgent(fleet, each) for each in ("eu-west1", "eu-north1")]
        for agent in agents:
            agent.start()
        try:

            async def is_owned() -> bool:
                chat = next(s for s in (await fleet.status()).services if s.service_id == "chat")
                return bool(chat.owner_region_id) and all(s.gate_open for s in chat.sites[1:])

            await eventually(is_owned)
            moved = await called(
                fleet,
                ON_CALL,
                "admin.v1.FailoverService/StartSwitchover",
                pb.StartSwitchoverRequest(
                    service_id="chat",
                    target_region_id="eu-north1",
                    change=pb.Change(reason="move it", actor="spiffe://test/operator/somebody"),
                ),
                pb.StartSwitchoverResponse,
            )
            found = await called(
                fleet,
                ONLOOKER,
                "admin.v1.FailoverService/GetFailover",
                pb.GetFailoverRequest(failover_id=moved.failover_id),
                pb.GetFailoverResponse,
            )
            assert found.failover.actor == ON_CALL.uri
        finally:
            for agent in agents:
                await agent.kill()

    run(story)


# -- clients ------------------------------------------------------------------------------------


def test_the_client_library_resolves_over_tls_and_goes_on_when_its_certificate_is_renewed() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        assert fleet.pki is not None
        tls = fleet.pki.tls(CLIENT)
        addresses = list(fleet.addresses.values())
        question = Question("embed", location=(50.4, 3.9))
        async with Resolver(addresses, tls=tls) as resolver:

            async def is_there() -> bool:
                return resolver.table is not None

            await eventually(is_there)
            assert (await resolver.ask(question)).answer.region_id == "eu-west1"
            before = resolver._channels.get(addresses[0])

            fleet.pki.authority.issue(CLIENT, is_renewal=True)
            assert tls.refresh(is_urgent=True)

            assert (await resolver.ask(question)).answer.region_id == "eu-west1"
            assert resolver._channels.get(addresses[0]) is not before
        with await asyncio.to_thread(SyncResolver, addresses, tls=tls) as sync:
            answer = await asyncio.to_thread(sync.resolve, question)
            assert answer.answer.region_id == "eu-west1"

    run(story)


def test_a_watch_goes_on_when_the_certificate_that_it_was_opened_with_ends() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        assert fleet.pki is not None
        tls = fleet.pki.short(CLIENT, 3)
        ends_ms = tls.certificate.not_after_ms
        async with RouteWatcher(list(fleet.addresses.values()), tls=tls) as watcher:
            await eventually(lambda: watcher.source() is Source.FRESH)
            fleet.pki.authority.issue(CLIENT, is_renewal=True)
            await eventually(lambda: wall_ms() > ends_ms + 500)
            # Its stream was cut; the next one showed the renewed certificate.
            await eventually(lambda: watcher.connected_to is not None)
            assert watcher.source() is Source.FRESH
            assert tls.generation == 2

    run(story)


# -- connections --------------------------------------------------------------------------------

WATCH = "/trafficdirector.routing.v1.RoutingService/WatchRoutes"


def changed(options: tuple[tuple[str, int], ...], **values: int) -> tuple[tuple[str, int], ...]:
    """The options with shorter times; each of them must be there already."""
    found = dict(options)
    for name, value in values.items():
        assert f"grpc.{name}" in found
        found[f"grpc.{name}"] = value
    return tuple(found.items())


async def watched_to_the_end(channel: Any) -> None:
    async with asyncio.timeout(8):
        async for _ in channel.unary_stream(WATCH)(b""):
            pass


def test_a_connection_under_tls_has_an_end_whatever_is_going_on_over_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short = changed(
        api_server.TLS_OPTIONS, max_connection_age_ms=500, max_connection_age_grace_ms=200
    )
    monkeypatch.setattr(api_server, "TLS_OPTIONS", short)

    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        channel: Any
        async with fleet.open("d0", CLIENT) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await watched_to_the_end(channel)
            assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
            # The next call goes over a new connection.
            assert await anext(aiter(channel.unary_stream(WATCH)(b"")))

    run(story)


def test_a_connection_over_which_nothing_goes_on_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    short = changed(api_server.SERVER_OPTIONS, max_connection_idle_ms=500)
    monkeypatch.setattr(api_server, "SERVER_OPTIONS", short)

    async def story(fleet: Fleet) -> None:
        channel: Any
        async with fleet.open("d0", OPERATOR) as channel:
            await channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5)
            assert channel.get_state() is grpc.ChannelConnectivity.READY
            async with asyncio.timeout(8):
                await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)

    run(story)


def test_one_connection_has_only_so_many_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    few = changed(api_server.SERVER_OPTIONS, max_concurrent_streams=2)
    monkeypatch.setattr(api_server, "SERVER_OPTIONS", few)

    async def story(fleet: Fleet) -> None:
        await fleet.apply()
        channel: Any
        async with fleet.open("d0", CLIENT) as channel:
            streams = [channel.unary_stream(WATCH)(b"") for _ in range(2)]
            for stream in streams:
                assert await stream.read()
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=1)
            assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            streams[0].cancel()
            await channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5)

    run(story)


# -- start --------------------------------------------------------------------------------------


def settings(tmp_path: Path, **changed: Any) -> Settings:
    port, peer_port = free_ports(2)
    plain = Settings(
        "d0", "test", tmp_path / "d0", f"0.0.0.0:{port}", f"127.0.0.1:{peer_port}", timing=FAST
    )
    return replace(plain, **changed)


def test_without_tls_only_loopback_is_listened_at_and_with_it_any_address(tmp_path: Path) -> None:
    pki = FleetPki(tmp_path / "pki")

    async def starts(given: Settings) -> bool:
        running = await start(given, consensus=MemoryGroup(["d0"]).consensus("d0"))
        await running.replica.stop()
        await running.server.stop(grace_ms=0)
        running.watcher.cancel()
        return True

    with pytest.raises(SettingsError, match="loopback-only until TLS is configured"):
        asyncio.run(starts(settings(tmp_path)))
    assert asyncio.run(starts(settings(tmp_path, allow_insecure=True)))
    assert asyncio.run(starts(settings(tmp_path, tls=pki.paths(a_director("d0")))))


def test_a_replica_refuses_files_that_are_not_its_own_or_not_safe(tmp_path: Path) -> None:
    pki = FleetPki(tmp_path / "pki")
    own = pki.paths(a_director("d0"))

    def refusal(**changed: Any) -> str:
        with pytest.raises(SettingsError) as raised:
            asyncio.run(start(settings(tmp_path, **changed)))
        return str(raised.value)

    assert "spiffe://test/director/d0 is needed" in refusal(tls=pki.paths(a_director("d1")))
    assert "spiffe://test/director/d0 is needed" in refusal(tls=pki.paths(OPERATOR))
    listen = "127.0.0.1:0"
    assert "--roles needs --tls-cert" in refusal(roles=pki.roles, listen=listen)
    pki.roles.write_text("operators: {spiffe://test/operator/bob: [root]}")
    assert "'root' is no role" in refusal(tls=own, roles=pki.roles)
    own.key.chmod(0o644)
    assert "chmod 0600" in refusal(tls=own)
    own.key.chmod(0o600)
    assert TlsFiles(own).identity == a_director("d0")
