"""A damaged log and a full disk, on real processes: one replica is out, nobody else notices."""

import asyncio
import base64
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import grpc.aio
import pytest

from director.app import EXIT_STORAGE
from director.client.channel import open_channel
from director.client.resolver import error_info
from tests.shells.fleet import MANIFEST, free_ports
from trafficdirector.admin.v1 import admin_pb2 as pb
from trafficdirector.admin.v1 import admin_pb2_grpc as rpc
from trafficdirector.routing.v1 import routing_pb2, routing_pb2_grpc

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(180)]

_T = TypeVar("_T")
PATIENCE_SECONDS = 60.0
NAMES = ("d0", "d1", "d2")
# Room for the log's first segment and its spare, and for little more.
DISK_MIB = 40
# Each entry holds the documents as text; noise, which does not compress, fills the log quickly.
PADDING = "# " + base64.b64encode(random.Random(1).randbytes(700_000)).decode() + "\n"


class Group:
    """Three replicas as processes, each with a directory that may lie anywhere."""

    def __init__(self, directories: dict[str, Path]) -> None:
        ports = free_ports(2 * len(NAMES))
        self.directories = directories
        self.api = {each: f"127.0.0.1:{ports.pop()}" for each in NAMES}
        self.peer = {each: f"127.0.0.1:{ports.pop()}" for each in NAMES}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def log(self, name: str) -> Path:
        return self.directories["logs"] / f"{name}.log"

    def start(self, name: str) -> None:
        arguments = ["serve", "--id", name, "--fleet", "test", "--log-json", "--election", "1s"]
        arguments += ["--data-dir", str(self.directories[name])]
        arguments += ["--listen", self.api[name], "--peer-listen", self.peer[name]]
        for other in NAMES:
            if other != name:
                arguments += ["--peer", f"{other}={self.peer[other]},{self.api[other]},{other}"]
        child = [sys.executable, "-m", "director.dev.child", str(os.getpid()), "director"]
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*child, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def stop(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGTERM)
        assert self.processes[name].wait(20) == 0

    def kill(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()

    async def status(self, name: str) -> pb.GetStatusResponse:
        async with open_channel(self.api[name]) as channel:
            stub = rpc.FleetServiceStub(channel)
            answer: pb.GetStatusResponse = await stub.GetStatus(pb.GetStatusRequest(), timeout=3)
            return answer

    async def leader(self) -> str:
        async def look() -> str | None:
            for name in NAMES:
                try:
                    seen = await self.status(name)
                except grpc.aio.AioRpcError:
                    continue
                if seen.is_leader and seen.is_fresh:
                    return name
            return None

        return await until(look)

    async def apply(self, documents: str) -> int:
        """Apply at whoever leads; return the revision."""

        async def attempt() -> int | None:
            async with open_channel(self.api[await self.leader()]) as channel:
                stub = rpc.FleetServiceStub(channel)
                try:
                    answer: pb.ApplyManifestResponse = await stub.ApplyManifest(
                        pb.ApplyManifestRequest(documents=documents), timeout=20
                    )
                except grpc.aio.AioRpcError as error:
                    if error.code() in {
                        grpc.StatusCode.UNAVAILABLE,
                        grpc.StatusCode.ABORTED,
                        grpc.StatusCode.DEADLINE_EXCEEDED,
                    }:
                        return None
                    raise
                return answer.revision

        return await until(attempt)

    async def has_revision(self, name: str, revision: int) -> None:
        async def look() -> bool | None:
            try:
                return (await self.status(name)).config_revision >= revision or None
            except grpc.aio.AioRpcError:
                return None

        await until(look)

    async def resolves(self, name: str) -> str:
        async with open_channel(self.api[name]) as channel:
            stub = routing_pb2_grpc.RoutingServiceStub(channel)
            answer: routing_pb2.ResolveResponse = await stub.Resolve(
                routing_pb2.ResolveRequest(service_id="embed"), timeout=5
            )
            return answer.region_id

    async def refusal(self, name: str) -> str:
        """Ask this replica for a change, and return the reason it gives."""
        async with open_channel(self.api[name]) as channel:
            stub = rpc.FleetServiceStub(channel)
            request = pb.SetRegionDrainRequest(
                region_id="us-east1", drained=True, change=pb.Change(reason="x")
            )
            try:
                await stub.SetRegionDrain(request, timeout=15)
            except grpc.aio.AioRpcError as error:
                info = error_info(error)
                return "" if info is None else info.reason
            return ""


async def until(look: Callable[[], Awaitable[_T | None]]) -> _T:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await look()
            if found is not None:
                return found
            await asyncio.sleep(0.1)


@contextmanager
def a_group(**elsewhere: Path) -> Iterator[Group]:
    with tempfile.TemporaryDirectory(prefix="td-") as folder:
        directories = {each: Path(folder) / each for each in (*NAMES, "logs")}
        directories["logs"].mkdir()
        group = Group({**directories, **elsewhere})
        try:
            for name in NAMES:
                group.start(name)
            yield group
        finally:
            group.kill()


def test_a_replica_with_a_damaged_log_refuses_and_the_others_go_on() -> None:
    async def story(group: Group) -> None:
        revision = await group.apply(MANIFEST)
        for name in NAMES:
            await group.has_revision(name, revision)
        group.stop("d2")
        segment = min((group.directories["d2"] / "log").glob("*.wal"))
        content = bytearray(segment.read_bytes())
        content[len(content.rstrip(b"\0")) // 2] ^= 0x10
        segment.write_bytes(content)

        group.start("d2")

        assert await asyncio.to_thread(group.processes["d2"].wait, 30) == EXIT_STORAGE
        said = group.log("d2").read_text()
        assert segment.name in said
        assert "is damaged at byte" in said
        assert segment.read_bytes() == bytes(content)
        assert await group.apply(MANIFEST + "# again\n") == revision + 1
        assert [await group.resolves(each) for each in ("d0", "d1")]

    with a_group() as group:
        asyncio.run(story(group))


@contextmanager
def a_small_disk() -> Iterator[Path]:
    """Mount a file system of DISK_MIB, or skip where that is not permitted."""
    with tempfile.TemporaryDirectory(prefix="td-disk-") as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", folder],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode != 0:
            pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def test_a_replica_with_a_full_disk_stops_writing_answers_reads_and_comes_back() -> None:
    async def story(group: Group, disk: Path) -> None:
        revision = await group.apply(MANIFEST)
        for name in NAMES:
            await group.has_revision(name, revision)
        ballast = disk / "ballast"
        fill(ballast, disk)
        for _ in range(60):
            if "disk_full" in group.log("d2").read_text():
                break
            revision = await group.apply(PADDING + MANIFEST)
        else:
            pytest.fail("the disk did not fill up")

        # It leads no more, and says who does; the others go on.
        assert await group.refusal("d2") == "NOT_LEADER"
        assert await group.resolves("d2")
        revision = await group.apply(MANIFEST + "# without d2\n")

        ballast.unlink()
        await group.has_revision("d2", revision)
        assert (await group.status("d2")).config_revision == revision

    with a_small_disk() as disk, a_group(d2=disk / "d2") as group:
        asyncio.run(story(group, disk))


def fill(ballast: Path, disk: Path) -> None:
    """Leave a few pages free."""
    free = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(4_096, free.f_bavail * free.f_frsize - 65_536))
