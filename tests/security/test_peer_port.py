"""The port of the replicas under mutual TLS: they agree over it, and nobody else gets through."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from director.client.channel import open_channel
from director.consensus.embedded.config import EmbeddedConfig
from director.consensus.embedded.engine import EmbeddedConsensus
from director.consensus.embedded.link import EXCHANGE, INSTALL_SNAPSHOT, Hello
from director.consensus.port import ConsensusError
from director.runtime.clock import wall_ms
from director.runtime.identity import Identity
from tests.shells.fleet import eventually, free_ports
from tests.support.pki import (
    CLIENT,
    OPERATOR,
    FleetPki,
    a_director,
    an_agent,
    as_the_server_said,
)
from trafficdirector.peer.v1 import peer_pb2

IDS = ("d0", "d1", "d2")


class Engines:
    """Three replicas of the engine."""

    def __init__(self, directory: Path) -> None:
        self.pki = FleetPki(directory / "pki")
        ports = free_ports(len(IDS))
        self.addresses = {each: f"127.0.0.1:{port}" for each, port in zip(IDS, ports, strict=True)}
        self.directory = directory
        self.by_id: dict[str, EmbeddedConsensus] = {}

    def build(self, replica_id: str, pki: FleetPki | None = None) -> EmbeddedConsensus:
        return EmbeddedConsensus(
            EmbeddedConfig(
                replica_id=replica_id,
                fleet_id="test",
                data_dir=self.directory / replica_id,
                listen=self.addresses[replica_id],
                peers=self.addresses,
                tick_ms=10,
                heartbeat_ms=50,
                election_ms=500,
                segment_bytes=1 << 20,
                tls=(pki or self.pki).tls(a_director(replica_id)),
            )
        )

    async def start(self, replica_id: str, pki: FleetPki | None = None) -> None:
        self.by_id[replica_id] = self.build(replica_id, pki)
        await self.by_id[replica_id].start()

    def leader(self) -> EmbeddedConsensus | None:
        return next((each for each in self.by_id.values() if each.standing().is_leader), None)

    async def agreed(self) -> None:
        """Have the leader commit an entry, whoever it is by then."""
        async with asyncio.timeout(10):
            while True:
                leader = self.leader()
                if leader is not None:
                    try:
                        await leader.propose(b"x", term=leader.standing().term)
                    except ConsensusError:
                        pass
                    else:
                        return
                await asyncio.sleep(0.02)


@asynccontextmanager
async def engines(directory: Path, *, count: int = 3) -> AsyncIterator[Engines]:
    group = Engines(directory)
    try:
        for each in IDS[:count]:
            await group.start(each)
        yield group
    finally:
        for engine in group.by_id.values():
            await engine.stop()


def exchanged(group: Engines, who: Identity, says: str) -> Any:
    """Open the stream of a peer to d0 as ``who``, and say to be ``says``."""

    async def attempt() -> Any:
        shown = group.pki.tls(who)
        name = a_director("d0").server_name
        async with open_channel(group.addresses["d0"], shown, server_name=name) as channel:
            call = channel.stream_stream(
                EXCHANGE,
                request_serializer=peer_pb2.ExchangeRequest.SerializeToString,
                response_deserializer=peer_pb2.ExchangeResponse.FromString,
            )()
            await call.write(
                peer_pb2.ExchangeRequest(fleet_id="test", replica_id=says, incarnation="i")
            )
            return await call.read()

    return as_the_server_said(attempt)


def test_replicas_elect_and_commit_over_tls_and_one_that_restarts_finds_the_others(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with engines(tmp_path) as group:
            await group.agreed()
            leader = group.leader()
            assert leader is not None
            lost = leader.standing().member_id
            await leader.stop()
            del group.by_id[lost]
            await group.agreed()
            await group.start(lost)
            await eventually(lambda: group.by_id[lost].standing().leader_id is not None)

    asyncio.run(story())


def test_links_go_on_after_their_certificates_were_renewed_and_the_old_ones_ended(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        group = Engines(tmp_path)
        for each in IDS:
            group.pki._tls[a_director(each)] = group.pki.short(a_director(each), 4)
        try:
            for each in IDS:
                await group.start(each)
            await group.agreed()
            ends_ms = max(group.pki.tls(a_director(each)).certificate.not_after_ms for each in IDS)
            for each in IDS:
                group.pki.authority.issue(a_director(each), is_renewal=True)
                assert group.pki.tls(a_director(each)).refresh(is_urgent=True)
            await asyncio.sleep(max(0, ends_ms - wall_ms()) / 1_000 + 0.5)
            # Every stream was cut by now, and opened again with what was renewed.
            await group.agreed()
        finally:
            for engine in group.by_id.values():
                await engine.stop()

    asyncio.run(story())


@pytest.mark.parametrize(
    "who", [OPERATOR, CLIENT, an_agent("eu-west1")], ids=lambda who: str(who.kind)
)
def test_nobody_but_directors_gets_to_the_peer_port(tmp_path: Path, who: Identity) -> None:
    async def story() -> None:
        async with engines(tmp_path, count=1) as group:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await exchanged(group, who, "d1")
            assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED
            name = a_director("d0").server_name
            async with open_channel(
                group.addresses["d0"], group.pki.tls(who), server_name=name
            ) as channel:
                install: Any = channel.stream_unary(INSTALL_SNAPSHOT)
                with pytest.raises(grpc.aio.AioRpcError) as raised:
                    await install(iter([b""]), timeout=5)
            assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED

    asyncio.run(story())


def test_a_director_that_says_it_is_another_one_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with engines(tmp_path, count=1) as group:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await exchanged(group, a_director("d1"), "d2")
            assert raised.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            assert "speaks for d2" in (raised.value.details() or "")
            # Who says the truth gets an answer.
            answer = await exchanged(group, a_director("d1"), "d1")
            assert answer.replica_id == "d0"

    asyncio.run(story())


def test_a_director_that_sends_a_snapshot_in_the_name_of_another_one_is_refused(
    tmp_path: Path,
) -> None:
    async def sent(group: Engines, says: str) -> str:
        name = a_director("d0").server_name
        shown = group.pki.tls(a_director("d1"))
        async with open_channel(group.addresses["d0"], shown, server_name=name) as channel:
            call = channel.stream_unary(
                INSTALL_SNAPSHOT,
                request_serializer=peer_pb2.InstallSnapshotRequest.SerializeToString,
                response_deserializer=peer_pb2.InstallSnapshotResponse.FromString,
            )
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await call(
                    iter([peer_pb2.InstallSnapshotRequest(fleet_id="test")]),
                    timeout=5,
                    metadata=Hello("test", says, "i", "").metadata(),
                )
            return f"{raised.value.code().name} {raised.value.details()}"

    async def story() -> None:
        async with engines(tmp_path, count=1) as group:
            assert "speaks for d2" in await sent(group, "d2")
            # In its own name it gets as far as the snapshot, which there is none of.
            assert (await sent(group, "d1")).startswith("INVALID_ARGUMENT")

    asyncio.run(story())


def test_a_replica_of_a_foreign_authority_takes_no_part(tmp_path: Path) -> None:
    foreign = FleetPki(tmp_path / "foreign")

    async def story() -> None:
        async with engines(tmp_path, count=2) as group:
            await group.agreed()
            await group.start("d2", foreign)
            await asyncio.sleep(1.5)  # three election timeouts in which it could meddle
            assert group.by_id["d2"].standing().leader_id is None
            await group.agreed()

    asyncio.run(story())
