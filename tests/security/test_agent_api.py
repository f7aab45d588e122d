"""The agent's own API under mutual TLS: who may ask for its gate, and where it listens without."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from director.client.channel import open_channel
from director.runtime.identity import Identity, Kind, region_name
from director.runtime.tls import TlsError, TlsPaths
from regions.app.process import AgentProcess
from regions.config import AgentConfig, load_config
from regions.sample.gate_client import GateClient
from tests.shells.fleet import eventually
from tests.support.pki import CLIENT, OPERATOR, FleetPki, a_director, an_agent, forged
from trafficdirector.agent.v1 import agent_pb2

OWN = an_agent("eu-west1")


def a_config(
    directory: Path, tls: TlsPaths | None, *, listen: str = "127.0.0.1:0", **more: Any
) -> str:
    plain = ", plain: true" if more.get("plain") else ""
    lines = [
        "region: eu-west1",
        "id: eu-west1-agent",
        'directors: ["127.0.0.1:9"]',
        f"data_dir: {directory / 'agent'}",
        f'listen: {{grpc: "{listen}", http: "127.0.0.1:0"{plain}}}',
        "geo_database: none",
        'services: [{name: chat, probe: {type: Tcp, address: "127.0.0.1:9"}}]',
    ]
    if tls is not None:
        lines += [
            f"tls: {{cert: {tls.cert}, key: {tls.key}, ca: {tls.ca}, trust_domain: test}}",
        ]
    return "\n".join(lines)


def loaded(text: str) -> AgentConfig:
    config, faults = load_config(text, "agent.yaml")
    assert config is not None, faults
    return config


def run(text: str, story: Callable[[int], Awaitable[None]]) -> None:
    async def whole() -> None:
        process = AgentProcess(loaded(text))
        ports = await process.start()
        try:
            async with asyncio.timeout(12):
                await story(ports.grpc)
        finally:
            await process.stop()

    asyncio.run(whole())


async def gate(channel: grpc.aio.Channel) -> agent_pb2.CheckGateResponse:
    async with channel:
        answer: agent_pb2.CheckGateResponse = await channel.unary_unary(
            "/trafficdirector.agent.v1.GateService/CheckGate",
            request_serializer=agent_pb2.CheckGateRequest.SerializeToString,
            response_deserializer=agent_pb2.CheckGateResponse.FromString,
        )(agent_pb2.CheckGateRequest(service_id="chat"), timeout=5)
        return answer


async def code_of(call: Awaitable[Any]) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    code: grpc.StatusCode = raised.value.code()
    return code


def test_services_and_operators_may_ask_for_the_gate_and_directors_and_strangers_may_not(
    tmp_path: Path,
) -> None:
    pki = FleetPki(tmp_path / "pki")
    name = region_name(Kind.AGENT, "eu-west1", "test")

    async def story(port: int) -> None:
        def opened(who: Identity) -> grpc.aio.Channel:
            return open_channel(f"127.0.0.1:{port}", pki.tls(who), server_name=name)

        for who in (CLIENT, OPERATOR, OWN):
            assert not (await gate(opened(who))).may_write
        for who in (a_director("d0"), an_agent("us-east1")):
            assert await code_of(gate(opened(who))) is grpc.StatusCode.PERMISSION_DENIED

        def shown(uris: list[str]) -> grpc.aio.Channel:
            pair = forged(pki.authority.directory, uris)
            credentials = grpc.ssl_channel_credentials(
                pki.authority.ca.read_bytes(), pair.key, pair.cert
            )
            options = (
                ("grpc.ssl_target_name_override", name),
                ("grpc.use_local_subchannel_pool", 1),
            )
            return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=options)

        both = shown([CLIENT.uri, OPERATOR.uri])
        assert await code_of(gate(both)) is grpc.StatusCode.UNAUTHENTICATED
        assert (await gate(shown([CLIENT.uri]))).reason
        nobody = open_channel(f"127.0.0.1:{port}")
        assert await code_of(gate(nobody)) is grpc.StatusCode.UNAVAILABLE
        other_region = region_name(Kind.AGENT, "us-east1", "test")
        elsewhere = open_channel(f"127.0.0.1:{port}", pki.tls(CLIENT), server_name=other_region)
        assert await code_of(gate(elsewhere)) is grpc.StatusCode.UNAVAILABLE

    run(a_config(tmp_path, pki.paths(OWN)), story)


def test_a_service_beside_the_agent_follows_its_gate_over_tls(tmp_path: Path) -> None:
    pki = FleetPki(tmp_path / "pki")

    async def story(port: int) -> None:
        client = GateClient(f"127.0.0.1:{port}", "chat", pki.tls(CLIENT), "eu-west1")
        client.start()
        try:
            await eventually(lambda: client.permit.reason not in ("", "NO_AGENT"))
        finally:
            client.stop()

    run(a_config(tmp_path, pki.paths(OWN)), story)


def test_the_api_may_stay_plain_on_loopback_though_directors_are_spoken_to_over_tls(
    tmp_path: Path,
) -> None:
    pki = FleetPki(tmp_path / "pki")

    async def story(port: int) -> None:
        assert not (await gate(open_channel(f"127.0.0.1:{port}"))).may_write

    run(a_config(tmp_path, pki.paths(OWN), plain=True), story)


def test_another_address_than_loopback_needs_tls_for_the_api_and_plain_never_has_one(
    tmp_path: Path,
) -> None:
    pki = FleetPki(tmp_path / "pki")
    own = pki.paths(OWN)

    def fault(text: str) -> str:
        config, faults = load_config(text, "agent.yaml")
        assert config is None
        return str(faults[0])

    said = fault(a_config(tmp_path, None, listen="0.0.0.0:7450"))
    assert "agent.yaml:5: listen.grpc: 0.0.0.0:7450 is not loopback" in said
    assert "not loopback" in fault(a_config(tmp_path, own, listen="0.0.0.0:7450", plain=True))
    config = loaded(a_config(tmp_path, own, listen="0.0.0.0:7450"))
    assert config.listen.grpc == "0.0.0.0:7450"
    assert config.tls_paths() == own


def test_an_agent_refuses_a_certificate_of_another_region_or_kind(tmp_path: Path) -> None:
    pki = FleetPki(tmp_path / "pki")

    async def story(_port: int) -> None:
        raise AssertionError("it started")

    for who in (an_agent("us-east1"), a_director("d0"), CLIENT):
        with pytest.raises(TlsError, match="agent/eu-west1-agent is needed here"):
            run(a_config(tmp_path, pki.paths(who)), story)
