"""Groups of replicas to test a promise on: one face over the real engine and over the fake.

Replicas of the embedded engine run in this process on real sockets and real files. Between each
two of them stands a proxy, so that a test can cut a replica off without a word, as a network does.
"""

import asyncio
import random
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

from director.consensus.embedded.config import EmbeddedConfig
from director.consensus.embedded.engine import EmbeddedConsensus
from director.consensus.port import (
    CommittedEntry,
    Consensus,
    ConsensusError,
    Delivery,
    LeadershipChanged,
    SnapshotDelivered,
)
from director.runtime.files import FileSystem
from tests.support.memory_consensus import MemoryGroup

WAIT_S = 20.0
POLL_S = 0.005


async def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until ``condition`` holds. It must come to hold by itself, whatever it takes."""
    try:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"{what} did not come about") from None


class Group(Protocol):
    """What a contract test may do to a group."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Members that were started, sorted."""
        ...

    def consensus(self, member_id: str) -> Consensus:
        """This member's end of the log, as of its last start."""
        ...

    def delivered(self, member_id: str) -> list[Delivery]:
        """What this member was delivered since its last start."""
        ...

    async def halt(self, member_id: str) -> None:
        """Stop a member. Its disk stays."""
        ...

    async def restart(self, member_id: str, *, applied_index: int = 0) -> None:
        """Start a halted member again."""
        ...

    async def join(self, member_id: str) -> str:
        """Start a new member that is in no group yet. Returns its address."""
        ...

    def isolate(self, member_id: str) -> None:
        """Cut a member off, silently, in both directions."""
        ...

    def heal(self) -> None:
        """Connect everyone again."""
        ...


def entries(group: Group, member_id: str) -> list[CommittedEntry]:
    """The entries a member was delivered."""
    return [d for d in group.delivered(member_id) if isinstance(d, CommittedEntry)]


def payloads(group: Group, member_id: str) -> list[bytes]:
    """The application's payloads a member was delivered, in order."""
    return [entry.payload for entry in entries(group, member_id) if entry.payload]


def leaderships(group: Group, member_id: str) -> list[LeadershipChanged]:
    """The changes of leadership a member was told."""
    return [d for d in group.delivered(member_id) if isinstance(d, LeadershipChanged)]


def last_index(group: Group, member_id: str) -> int:
    """Up to where a member was delivered."""
    indexes = [
        d.index
        for d in group.delivered(member_id)
        if isinstance(d, CommittedEntry | SnapshotDelivered)
    ]
    return max(indexes, default=0)


async def leader_of(group: Group, *, among: tuple[str, ...] | None = None) -> str:
    """Wait for a leader (of those named) that was told so, and return it."""
    found: list[str] = []

    def is_found() -> bool:
        found[:] = [
            member_id
            for member_id in among or group.ids
            if group.consensus(member_id).standing().is_leader
            and leaderships(group, member_id)
            and leaderships(group, member_id)[-1].is_leader
        ]
        return bool(found)

    await eventually(is_found, "a leader")
    return max(found, key=lambda member_id: group.consensus(member_id).standing().term)


async def propose(group: Group, payload: bytes, *, among: tuple[str, ...] | None = None) -> int:
    """Propose through whoever leads until it is committed. Returns the index."""
    while True:
        leader = group.consensus(await leader_of(group, among=among))
        with suppress(ConsensusError):
            return (await leader.propose(payload, term=leader.standing().term)).index


class _Collected:
    """Takes a member's deliveries as they come."""

    def __init__(self, consensus: Consensus) -> None:
        self.consensus = consensus
        self.deliveries: list[Delivery] = []
        self._task = asyncio.create_task(self._collect())

    async def _collect(self) -> None:
        async for delivery in self.consensus.deliveries():
            self.deliveries.append(delivery)

    async def stop(self) -> None:
        await self.consensus.stop()
        async with asyncio.timeout(WAIT_S):
            await self._task


class MemoryHarness:
    """The fake."""

    def __init__(self, count: int, *, margin_count: int, proposals_max: int) -> None:
        ids = tuple(f"d{number}" for number in range(count))
        self.group = MemoryGroup(ids, margin_count=margin_count, uncommitted_max=proposals_max)
        self._member: dict[str, _Collected] = {}

    async def start(self) -> None:
        for member_id in self.group.voters:
            await self.restart(member_id)

    async def stop(self) -> None:
        for member in self._member.values():
            await member.stop()

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(sorted(self._member))

    def consensus(self, member_id: str) -> Consensus:
        return self._member[member_id].consensus

    def delivered(self, member_id: str) -> list[Delivery]:
        return self._member[member_id].deliveries

    async def halt(self, member_id: str) -> None:
        self.group.crash(member_id)
        await self._member.pop(member_id).stop()

    async def restart(self, member_id: str, *, applied_index: int = 0) -> None:
        consensus = self.group.restart(member_id)
        await consensus.start(applied_index=applied_index)
        self._member[member_id] = _Collected(consensus)

    async def join(self, member_id: str) -> str:
        self.group.join(member_id)
        await self.restart(member_id)
        return "127.0.0.1:1"

    def isolate(self, member_id: str) -> None:
        self.group.isolate(member_id, unaware=True)

    def heal(self) -> None:
        self.group.heal()


class Proxy:
    """Carries bytes from one replica to another's port, unless cut. A cut is silent."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self._target_port = target_port
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        self._open.clear()

    def heal(self) -> None:
        self._open.set()

    async def stop(self) -> None:
        assert self._server is not None, "started"
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection has a task"
        self._tasks.add(task)
        ends = [writer]
        try:
            await self._open.wait()
            there_reader, there_writer = await asyncio.open_connection(
                "127.0.0.1", self._target_port
            )
            ends.append(there_writer)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, there_writer))
                both.create_task(self._pump(there_reader, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            return  # either end went away, and with it the other
        finally:
            for end in ends:
                end.close()
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError


def free_port() -> int:
    """Return a port nobody listens on now, and that no outgoing connection will be given.

    The system draws those from 32768 up, so a port it offers may be gone when it is needed.
    """
    draw = random.SystemRandom()
    while True:
        port = draw.randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class EmbeddedHarness:
    """The embedded engine: replicas in this process, with proxies between them."""

    def __init__(
        self,
        directory: Path,
        count: int,
        *,
        margin_count: int = 10_000,
        proposals_max: int = 4_096,
        delivery_bytes_max: int = 1 << 20,
        files: Mapping[str, FileSystem] | None = None,
    ) -> None:
        self.directory = directory
        self.founders = tuple(f"d{number}" for number in range(count))
        self.port_by_id = {member_id: free_port() for member_id in self.founders}
        self.proxies: dict[tuple[str, str], Proxy] = {}
        self.is_direct = False
        # Long enough that a busy machine seldom makes a replica late, short enough for a story.
        self.election_ms = 500
        self._options = {
            "snapshot_margin_count": margin_count,
            "proposals_max": proposals_max,
            "delivery_bytes_max": delivery_bytes_max,
        }
        self._files = files or {}
        self._member: dict[str, _Collected] = {}

    async def start(self) -> None:
        for member_id in self.founders:
            await self._connect(member_id)
        for member_id in self.founders:
            await self.restart(member_id)

    async def stop(self) -> None:
        await asyncio.gather(*(member.stop() for member in self._member.values()))
        for proxy in self.proxies.values():
            await proxy.stop()

    async def _connect(self, member_id: str) -> None:
        for other in self.port_by_id:
            for pair in ((member_id, other), (other, member_id)):
                if pair[0] != pair[1] and pair not in self.proxies:
                    proxy = Proxy(self.port_by_id[pair[1]])
                    await proxy.start()
                    self.proxies[pair] = proxy

    def _port(self, member_id: str, other: str) -> int:
        if self.is_direct:
            return self.port_by_id[other]
        return self.proxies[member_id, other].port

    def config(self, member_id: str, *, fleet_id: str = "test-fleet") -> EmbeddedConfig:
        """How a member is started: everyone else is reached through a proxy."""
        peers = {
            other: f"127.0.0.1:{self._port(member_id, other)}"
            for other in self.founders
            if other != member_id
        }
        listen = f"127.0.0.1:{self.port_by_id[member_id]}"
        joins = member_id not in self.founders
        if not joins:
            peers[member_id] = listen
        return EmbeddedConfig(
            replica_id=member_id,
            fleet_id=fleet_id,
            data_dir=self.directory / member_id,
            listen=listen,
            peers=peers,
            join=joins,
            tick_ms=10,
            heartbeat_ms=self.election_ms // 10,
            election_ms=self.election_ms,
            segment_bytes=1 << 20,
            snapshot_margin_count=self._options["snapshot_margin_count"],
            proposals_max=self._options["proposals_max"],
            delivery_bytes_max=self._options["delivery_bytes_max"],
        )

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(sorted(self._member))

    def consensus(self, member_id: str) -> Consensus:
        return self._member[member_id].consensus

    def delivered(self, member_id: str) -> list[Delivery]:
        return self._member[member_id].deliveries

    async def halt(self, member_id: str) -> None:
        await self._member.pop(member_id).stop()

    async def restart(self, member_id: str, *, applied_index: int = 0) -> None:
        consensus = EmbeddedConsensus(self.config(member_id), self._files.get(member_id))
        await consensus.start(applied_index=applied_index)
        self._member[member_id] = _Collected(consensus)

    async def join(self, member_id: str) -> str:
        self.port_by_id[member_id] = free_port()
        await self._connect(member_id)
        await self.restart(member_id)
        # Everyone is told the same address, so a joined member is not behind a proxy.
        return f"127.0.0.1:{self.port_by_id[member_id]}"

    def isolate(self, member_id: str) -> None:
        for pair, proxy in self.proxies.items():
            if member_id in pair:
                proxy.cut()

    def heal(self) -> None:
        for proxy in self.proxies.values():
            proxy.heal()


@asynccontextmanager
async def embedded_group(
    count: int = 3, *, margin_count: int = 10_000, proposals_max: int = 4_096
) -> AsyncIterator[Group]:
    """Run a group of the embedded engine."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        harness = EmbeddedHarness(
            Path(directory), count, margin_count=margin_count, proposals_max=proposals_max
        )
        try:
            await harness.start()
            yield harness
        finally:
            await harness.stop()


@asynccontextmanager
async def memory_group(
    count: int = 3, *, margin_count: int = 10_000, proposals_max: int = 4_096
) -> AsyncIterator[Group]:
    """Run a group of the fake."""
    harness = MemoryHarness(count, margin_count=margin_count, proposals_max=proposals_max)
    await harness.start()
    try:
        yield harness
    finally:
        await harness.stop()
