"""Replicas in one process, on real sockets, over the in-memory consensus; and a scripted agent."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import grpc.aio

from director.app import PeerAddresses, Running, Settings, start
from director.client.channel import open_channel
from director.client.resolver import error_info
from director.core.timing import Timing
from director.runtime.identity import Identity
from tests.support.memory_consensus import MemoryGroup
from tests.support.pki import OPERATOR, FleetPki, a_director, an_agent
from trafficdirector.admin.v1 import admin_pb2
from trafficdirector.agent.v1 import agent_pb2
from trafficdirector.routing.v1 import routing_pb2

# The relations of the default timing at about a tenth of its length.
FAST = Timing(
    heartbeat_ms=50,
    suspect_ms=400,
    staleness_bound_ms=400,
    relay_ms=50,
    lease_ms=600,
    lease_renew_ms=100,
    lease_margin_ms=10,
    recover_ms=200,
    promote_deadline_ms=3_000,
    publish_deadline_ms=1_000,
    verify_deadline_ms=3_000,
    switchover_deadline_ms=5_000,
    settle_ms=200,
)

MANIFEST = """
apiVersion: trafficdirector/v1
kind: Fleet
metadata: {name: test}
spec:
  regions:
    - {name: eu-north1, location: {lat: 60.57, lon: 27.19},  jurisdiction: EU, failureDomain: eu-b}
    - {name: eu-west1,  location: {lat: 50.45, lon: 3.82},   jurisdiction: EU, failureDomain: eu-a}
    - {name: us-east1,  location: {lat: 33.20, lon: -80.01}, jurisdiction: US, failureDomain: us-a}
---
apiVersion: trafficdirector/v1
kind: Service
metadata: {name: chat}
spec:
  mode: ActivePassive
  policyRef: calm
  objectives: {rto: 60s}
  regions:
    - {name: eu-west1, priority: 0, endpoints: [{address: "127.0.0.1:9001"}]}
    - {name: eu-north1, priority: 1, endpoints: [{address: "127.0.0.1:9002"}]}
---
apiVersion: trafficdirector/v1
kind: Service
metadata: {name: embed}
spec:
  mode: ActiveActive
  policyRef: calm
  objectives: {rto: 60s}
  regions:
    - {name: eu-west1, endpoints: [{address: "127.0.0.1:9011"}]}
    - {name: eu-north1, endpoints: [{address: "127.0.0.1:9012"}]}
    - {name: us-east1, endpoints: [{address: "127.0.0.1:9013"}]}
---
apiVersion: trafficdirector/v1
kind: FailoverPolicy
metadata: {name: calm}
spec: {automation: Automatic}
"""


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens at just now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@dataclass
class Fleet:
    """Replicas that run."""

    group: MemoryGroup
    directory: Path
    addresses: dict[str, str]
    running: dict[str, Running] = field(default_factory=dict)
    channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)
    pki: FleetPki | None = None
    timing: Timing = FAST

    def open(self, replica_id: str, who: Identity = OPERATOR) -> grpc.aio.Channel:
        """Open a channel to one replica; with TLS as ``who``. Close it."""
        tls = None if self.pki is None else self.pki.tls(who)
        return open_channel(self.addresses[replica_id], tls)

    async def start(self, replica_id: str) -> None:
        """Start one replica, or start it again on its directory."""
        peers = {
            # Nothing listens there: the group is in memory.
            each: PeerAddresses(f"127.0.0.1:{number}", address, f"domain-{each}")
            for number, (each, address) in enumerate(self.addresses.items(), start=1)
        }
        settings = Settings(
            replica_id,
            "test",
            self.directory / replica_id,
            self.addresses[replica_id],
            "127.0.0.1:1",
            f"domain-{replica_id}",
            peers,
            self.timing,
            http_listen="127.0.0.1:0",
            tls=None if self.pki is None else self.pki.paths(a_director(replica_id)),
            roles=None if self.pki is None else self.pki.roles,
        )
        self.running[replica_id] = await start(settings, consensus=self.group.consensus(replica_id))

    async def stop(self) -> None:
        for channel in self.channels.values():
            await channel.close()
        for running in self.running.values():
            await running.replica.stop()
            await running.server.stop(grace_ms=0)
            if running.http is not None:
                await running.http.stop()
            running.watcher.cancel()

    async def call(  # the method's full name and its two messages
        self, replica_id: str, method: str, request: Any, response: Any
    ) -> Any:
        """Call one method of one replica."""
        channel = self.channels.get(replica_id)
        if channel is None:
            channel = self.channels[replica_id] = self.open(replica_id)
        multi: Any = channel.unary_unary(
            f"/trafficdirector.{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        return await multi(request, timeout=8)

    async def resolve(
        self, replica_id: str, request: routing_pb2.ResolveRequest
    ) -> routing_pb2.ResolveResponse:
        """Resolve at one replica."""
        response: routing_pb2.ResolveResponse = await self.call(
            replica_id, "routing.v1.RoutingService/Resolve", request, routing_pb2.ResolveResponse
        )
        return response

    async def apply(
        self, replica_id: str = "d0", *, documents: str = MANIFEST
    ) -> admin_pb2.ApplyManifestResponse:
        """Apply the manifest above, or another."""
        response: admin_pb2.ApplyManifestResponse = await self.call(
            replica_id,
            "admin.v1.FleetService/ApplyManifest",
            admin_pb2.ApplyManifestRequest(documents=documents, source_name="test.yaml"),
            admin_pb2.ApplyManifestResponse,
        )
        return response

    async def status(self, replica_id: str = "d0") -> admin_pb2.GetStatusResponse:
        """Ask one replica for its status."""
        response: admin_pb2.GetStatusResponse = await self.call(
            replica_id,
            "admin.v1.FleetService/GetStatus",
            admin_pb2.GetStatusRequest(),
            admin_pb2.GetStatusResponse,
        )
        return response


@asynccontextmanager
async def a_fleet(
    *, size: int = 3, has_tls: bool = False, timing: Timing = FAST
) -> AsyncIterator[Fleet]:
    """Start replicas d0, d1, ...; d0 leads. ``has_tls``: all of it over mutual TLS."""
    replica_ids = [f"d{number}" for number in range(size)]
    ports = free_ports(size)
    with TemporaryDirectory() as directory:
        fleet = Fleet(
            MemoryGroup(replica_ids),
            Path(directory),
            {each: f"127.0.0.1:{port}" for each, port in zip(replica_ids, ports, strict=True)},
            pki=FleetPki(Path(directory) / "pki") if has_tls else None,
            timing=timing,
        )
        try:
            for each in replica_ids:
                await fleet.start(each)
            yield fleet
        finally:
            await fleet.stop()


class ScriptedAgent:
    """An agent reduced to what directors see of one: beats, obedience, leases.

    Attributes:
        is_passing: What it says of every service it guards.
        load_rps: The same of what each of them takes; None says nothing.
        token: Of the lease it holds; None without one.
        directives: What it was told, newest by group.
    """

    def __init__(
        self, fleet: Fleet, region_id: str, service_ids: Sequence[str] = ("chat", "embed")
    ) -> None:
        self.region_id = region_id
        self.service_ids = list(service_ids)
        self.is_passing = True
        self.load_rps: int | None = None
        self.directives: dict[str, agent_pb2.GroupDirective] = {}
        self.plans: list[agent_pb2.ProbePlan] = []
        self.refusals: list[str] = []
        self.token: agent_pb2.FencingToken | None = None
        self._demoted: agent_pb2.FencingToken | None = None
        self._counter = 0
        self._fleet = fleet
        self._identity = an_agent(region_id)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Connect to every replica, and stay connected."""
        for replica_id in self._fleet.addresses:
            self.start_at(replica_id)

    def start_at(self, replica_id: str) -> None:
        """Connect to one replica only."""
        self._tasks.append(asyncio.create_task(self._stay(replica_id)))

    async def kill(self) -> None:
        """Fall silent."""
        left = set(self._tasks)
        while left:
            # Once is not enough: a call that fails at that moment swallows the cancellation.
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=0.5)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.token = None

    async def _stay(self, replica_id: str) -> None:
        while True:
            try:
                async with self._fleet.open(replica_id, self._identity) as channel:
                    await self._stream(channel)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.02)

    async def _stream(self, channel: grpc.aio.Channel) -> None:
        call = channel.stream_stream(
            "/trafficdirector.agent.v1.AgentService/Report",
            request_serializer=agent_pb2.ReportRequest.SerializeToString,
            response_deserializer=agent_pb2.ReportResponse.FromString,
        )()
        beats = asyncio.create_task(self._beat(call))
        try:
            async for response in call:
                self._take(response)
        finally:
            beats.cancel()
            call.cancel()

    async def _beat(self, call: Any) -> None:
        await call.write(
            agent_pb2.ReportRequest(
                hello=agent_pb2.Hello(
                    region_id=self.region_id,
                    agent_id=f"{self.region_id}-agent",
                    boot_id="boot-1",
                    service_ids=self.service_ids,
                )
            )
        )
        while True:
            self._counter += 1
            await call.write(
                agent_pb2.ReportRequest(
                    report=agent_pb2.Report(counter=self._counter, readings=self._readings())
                )
            )
            for group_id, directive in self.directives.items():
                if directive.home_region_id == self.region_id and not directive.demote:
                    await call.write(
                        agent_pb2.ReportRequest(
                            lease=agent_pb2.LeaseRequest(
                                group_id=group_id,
                                token=directive.token,
                                request_number=self._counter,
                                is_proven=True,
                                is_holding=self.token is not None,
                            )
                        )
                    )
            await asyncio.sleep(0.05)

    def _readings(self) -> agent_pb2.Readings:
        readings = agent_pb2.Readings(
            services=[
                agent_pb2.ServiceReading(
                    service_id=each, passing=self.is_passing, load_rps=self.load_rps
                )
                for each in self.service_ids
            ]
        )
        for group_id, directive in self.directives.items():
            gate = readings.gates.add(
                group_id=group_id, token=directive.token, is_open=self.token is not None
            )
            if self._demoted is not None:
                gate.demoted_through.CopyFrom(self._demoted)
        return readings

    def _take(self, response: agent_pb2.ReportResponse) -> None:
        match response.WhichOneof("body"):
            case "group":
                directive = response.group
                known = self.directives.get(directive.group_id)
                if known is not None and _order(known.token) > _order(directive.token):
                    return
                self.directives[directive.group_id] = directive
                if directive.home_region_id != self.region_id:
                    self.token = None
                elif directive.demote:
                    self.token, self._demoted = None, directive.token
            case "grant":
                self.token = response.grant.token
            case "refusal":
                self.refusals.append(response.refusal.reason)
            case "probes":
                self.plans.append(response.probes)
            case _:
                pass


def _order(token: agent_pb2.FencingToken) -> tuple[int, int]:
    return token.generation, token.epoch


async def eventually(is_true: Callable[[], Any], *, within_s: float = 15) -> None:
    """Wait until ``is_true()``, or what it awaits, is."""
    async with asyncio.timeout(within_s):
        while True:
            found = is_true()
            if isinstance(found, Coroutine):
                found = await found
            if found:
                return
            await asyncio.sleep(0.01)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The machine-readable reason of a failed call."""
    info = error_info(error)
    assert info is not None, f"{error.code()} without a reason: {error.details()}"
    return str(info.reason)
