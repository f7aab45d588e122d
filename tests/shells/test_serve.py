"""A replica as a process of its own, with the real engine and a real disk."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from director.app import (
    EXIT_BAD_SETTINGS,
    EXIT_STORAGE,
    PeerAddresses,
    Settings,
    SettingsError,
    start,
)
from director.client.channel import open_channel
from tests.shells.fleet import MANIFEST, eventually, free_ports
from trafficdirector.admin.v1 import admin_pb2 as pb
from trafficdirector.routing.v1 import routing_pb2

pytestmark = [pytest.mark.slow, pytest.mark.integration]

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
from director.app import Settings, serve
listen, peer, directory = sys.argv[1:]
sys.exit(serve(Settings("d0", "test", Path(directory), listen, peer, election_ms=300)))
"""


@contextmanager
def a_replica(directory: Path, listen: str, peer: str) -> Iterator[subprocess.Popen[str]]:
    """Start one; it is killed at the end if it still runs."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, listen, peer, str(directory)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def refusal(directory: Path, listen: str, peer: str) -> tuple[int, str]:
    """Start one that is expected not to; return its exit code and what it said."""
    with a_replica(directory, listen, peer) as process:
        _, said = process.communicate(timeout=30)
        return process.returncode, said


async def call(address: str, method: str, request: Any, response: Any) -> Any:
    async with open_channel(address) as channel:
        multi: Any = channel.unary_unary(
            f"/trafficdirector.{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        return await multi(request, timeout=5)


def status(address: str) -> Any:
    return call(
        address, "admin.v1.FleetService/GetStatus", pb.GetStatusRequest(), pb.GetStatusResponse
    )


async def led(address: str) -> pb.GetStatusResponse:
    """Wait until the replica leads."""
    seen: list[pb.GetStatusResponse] = []

    async def leads() -> bool:
        try:
            seen.append(await status(address))
        except grpc.aio.AioRpcError:
            return False
        return seen[-1].is_leader and seen[-1].is_fresh

    await eventually(leads, within_s=20)
    return seen[-1]


def addresses() -> tuple[str, str]:
    listen, peer = free_ports(2)
    return f"127.0.0.1:{listen}", f"127.0.0.1:{peer}"


def test_a_replica_alone_keeps_everything_over_a_stop_and_over_a_kill(tmp_path: Path) -> None:
    listen, peer = addresses()

    async def apply() -> pb.GetStatusResponse:
        await led(listen)
        await call(
            listen,
            "admin.v1.FleetService/ApplyManifest",
            pb.ApplyManifestRequest(documents=MANIFEST),
            pb.ApplyManifestResponse,
        )
        answer: pb.GetStatusResponse = await status(listen)
        return answer

    async def look() -> tuple[pb.GetStatusResponse, routing_pb2.ResolveResponse]:
        seen = await led(listen)
        answer: routing_pb2.ResolveResponse = await call(
            listen,
            "routing.v1.RoutingService/Resolve",
            routing_pb2.ResolveRequest(service_id="embed", address="81.240.0.1"),
            routing_pb2.ResolveResponse,
        )
        return seen, answer

    with a_replica(tmp_path, listen, peer) as process:
        applied = asyncio.run(apply())
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0

    with a_replica(tmp_path, listen, peer) as process:
        restarted, answer = asyncio.run(look())
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    with a_replica(tmp_path, listen, peer):
        again, _ = asyncio.run(look())

    assert applied.config_revision == restarted.config_revision == again.config_revision == 1
    # An address of a Belgian provider: the shipped geo database is at work.
    assert (answer.region_id, answer.source) == ("eu-west1", routing_pb2.SOURCE_FRESH)


def test_a_second_process_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    listen, peer = addresses()
    with a_replica(tmp_path, listen, peer) as process:
        asyncio.run(led(listen))

        code, said = refusal(tmp_path, *addresses())

        assert code == EXIT_STORAGE
        assert f"in use by process {process.pid}" in said


def test_a_damaged_log_is_refused_and_named(tmp_path: Path) -> None:
    listen, peer = addresses()
    with a_replica(tmp_path, listen, peer) as process:
        asyncio.run(led(listen))
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    damaged = max(
        (path for path in tmp_path.rglob("*") if path.is_file() and "routes" not in path.name),
        key=lambda path: path.stat().st_size,
    )
    content = bytearray(damaged.read_bytes())
    content[len(content.rstrip(b"\0")) // 2] ^= 0x10
    damaged.write_bytes(content)

    code, said = refusal(tmp_path, listen, peer)

    assert code == EXIT_STORAGE
    assert damaged.name in said
    assert damaged.read_bytes() == bytes(content)


@pytest.mark.parametrize("listen", ["0.0.0.0:7440", "192.0.2.1:7440", "nonsense"])
def test_an_address_that_others_could_reach_is_refused(tmp_path: Path, listen: str) -> None:
    code, said = refusal(tmp_path, listen, "127.0.0.1:1")

    assert code == EXIT_BAD_SETTINGS
    assert listen in said
    assert not list(tmp_path.iterdir())


def test_an_address_already_taken_is_refused(tmp_path: Path) -> None:
    listen, peer = addresses()
    with a_replica(tmp_path / "one", listen, peer):
        asyncio.run(led(listen))

        code, said = refusal(tmp_path / "two", listen, addresses()[1])

    assert code == EXIT_BAD_SETTINGS
    assert f"cannot listen at {listen}" in said


def faults_of(**changed: Any) -> str:
    """Start a replica with these settings in this process, and return why it refused."""
    values = {"replica_id": "d0", "fleet_id": "test", "data_dir": Path("/nonexistent/d0")}
    listening = {"listen": "127.0.0.1:0", "peer_listen": "127.0.0.1:0"}
    with pytest.raises(SettingsError) as refused:
        asyncio.run(start(Settings(**{**values, **listening, **changed})))
    return str(refused.value)


@pytest.mark.parametrize("name", ["", "a b", "../d0", "D0", "\u00fc"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    assert f"--id: {name!r} is not a name" in faults_of(replica_id=name)
    assert f"--fleet: {name!r} is not a name" in faults_of(fleet_id=name)


def test_a_wrong_list_of_replicas_is_refused() -> None:
    listen, peer = addresses()
    twice = {"d1": PeerAddresses(peer, "127.0.0.1:7450")}
    no_port = {"d1": PeerAddresses("127.0.0.1:7451", "127.0.0.1")}

    assert f"d0 and d1 both have the address {peer}" in faults_of(
        listen=listen, peer_listen=peer, peers=twice
    )
    assert "--peer d1: '127.0.0.1' is not HOST:PORT" in faults_of(peers=no_port)
    assert "give each a port of its own" in faults_of(listen=listen, peer_listen=listen)


def test_a_peer_port_that_is_taken_is_named_with_its_flag() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        said = faults_of(peer_listen=address)

    assert f"--peer-listen: cannot listen at {address}: something listens there already" in said


def test_a_geo_database_that_is_not_there_is_refused() -> None:
    said = faults_of(geo_database=Path("/nonexistent.mmdb"))

    assert said == "--geo-database: there is no file /nonexistent.mmdb"


def test_a_data_directory_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")

    code, said = refusal(file / "d0", *addresses())

    assert code == EXIT_STORAGE
    assert f"the data directory {file / 'd0'} cannot be made: not a directory" in said
    assert "--data-dir" in said
