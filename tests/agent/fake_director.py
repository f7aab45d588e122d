"""A director that says what a test tells it to, over the real protos."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TypeAlias

import grpc
import grpc.aio

from director.client.wire import table_to_proto
from director.routing.table import RouteTable
from trafficdirector.agent.v1 import agent_pb2 as pb
from trafficdirector.agent.v1 import agent_pb2_grpc as pb_grpc
from trafficdirector.routing.v1 import routing_pb2, routing_pb2_grpc

BEAT_S = 0.1
ReportContext: TypeAlias = "grpc.aio.ServicerContext[pb.ReportRequest, pb.ReportResponse]"
WatchContext: TypeAlias = (
    "grpc.aio.ServicerContext[routing_pb2.WatchRoutesRequest, routing_pb2.WatchRoutesResponse]"
)


class FakeDirector(pb_grpc.AgentServiceServicer, routing_pb2_grpc.RoutingServiceServicer):
    """Welcomes agents, records what they say, grants leases if ``grants``."""

    def __init__(
        self,
        replica_id: str = "d0",
        *,
        leader_id: str = "d0",
        table: RouteTable | None = None,
        grants: bool = True,
    ) -> None:
        self.replica_id = replica_id
        self.leader_id = leader_id
        self.table = table
        self.grants = grants
        self.lease_ms = 4_000
        self.opening: list[pb.ReportResponse] = []
        self.hellos: list[pb.Hello] = []
        self.reports: list[pb.Report] = []
        self.leases: list[pb.LeaseRequest] = []
        self.welcomes = True
        self.step_count = 0
        self._outboxes: list[asyncio.Queue[pb.ReportResponse | None]] = []
        self._server: grpc.aio.Server | None = None
        self.address = ""

    async def start(self, address: str = "127.0.0.1:0") -> str:
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        pb_grpc.add_AgentServiceServicer_to_server(self, self._server)
        routing_pb2_grpc.add_RoutingServiceServicer_to_server(self, self._server)
        port = self._server.add_insecure_port(address)
        await self._server.start()
        self.address = f"127.0.0.1:{port}"
        return self.address

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    @property
    def stream_count(self) -> int:
        return len(self._outboxes)

    def hang_up(self) -> None:
        """End every agent's stream, politely."""
        for outbox in self._outboxes:
            outbox.put_nowait(None)

    def say(self, response: pb.ReportResponse) -> None:
        """Say it to every connected agent, and to those that come later."""
        self.opening.append(response)
        for outbox in self._outboxes:
            outbox.put_nowait(response)

    def direct(self, epoch: int, home: str, *, demote: bool = False) -> None:
        self.say(
            pb.ReportResponse(
                group=pb.GroupDirective(
                    group_id="chat/0",
                    service_id="chat",
                    home_region_id=home,
                    token=pb.FencingToken(generation=1, epoch=epoch),
                    demote=demote,
                )
            )
        )

    def newest(self) -> pb.Readings | None:
        """Return the readings told last."""
        return next(
            (each.readings for each in reversed(self.reports) if each.HasField("readings")), None
        )

    async def Report(  # noqa: N802 - named by the proto
        self, request_iterator: AsyncIterator[pb.ReportRequest], context: ReportContext
    ) -> AsyncIterator[pb.ReportResponse]:
        first = await anext(request_iterator)
        if not first.HasField("hello"):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no hello")
        self.hellos.append(first.hello)
        if not self.welcomes:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not of this fleet")
        outbox: asyncio.Queue[pb.ReportResponse | None] = asyncio.Queue()
        outbox.put_nowait(
            pb.ReportResponse(
                welcome=pb.Welcome(
                    replica_id=self.replica_id,
                    leader_id=self.leader_id,
                    heartbeat_ms=100,
                    lease_ms=self.lease_ms,
                    lease_renew_ms=1_000,
                )
            )
        )
        for response in self.opening:
            outbox.put_nowait(response)
        self._outboxes.append(outbox)
        reader = asyncio.create_task(self._read(request_iterator, outbox))
        try:
            while (said := await outbox.get()) is not None:
                yield said
        finally:
            self._outboxes.remove(outbox)
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await reader

    async def _read(
        self,
        requests: AsyncIterator[pb.ReportRequest],
        outbox: "asyncio.Queue[pb.ReportResponse | None]",
    ) -> None:
        async for request in requests:
            if request.HasField("report"):
                self.reports.append(request.report)
                # Opaque to the agent: the number of the report that it answers will do.
                pulse = pb.Pulse(sent_at=len(self.reports))
                outbox.put_nowait(pb.ReportResponse(pulse=pulse))
                continue
            self.leases.append(request.lease)
            outbox.put_nowait(self._answer(request.lease))

    def _answer(self, lease: pb.LeaseRequest) -> pb.ReportResponse:
        if self.replica_id != self.leader_id:
            return pb.ReportResponse(
                refusal=pb.LeaseRefusal(
                    group_id=lease.group_id,
                    request_number=lease.request_number,
                    reason="NOT_LEADER",
                )
            )
        if not self.grants:
            return pb.ReportResponse(
                refusal=pb.LeaseRefusal(
                    group_id=lease.group_id,
                    request_number=lease.request_number,
                    reason="HELD_BY_OTHER",
                )
            )
        return pb.ReportResponse(
            grant=pb.LeaseGrant(
                group_id=lease.group_id,
                token=lease.token,
                request_number=lease.request_number,
                ttl_ms=self.lease_ms,
            )
        )

    async def WatchRoutes(  # noqa: N802 - named by the proto
        self,
        request: routing_pb2.WatchRoutesRequest,
        context: WatchContext,
    ) -> AsyncIterator[routing_pb2.WatchRoutesResponse]:
        sent: RouteTable | None = None
        while True:
            table = self.table
            if table is not None:
                step = routing_pb2.WatchRoutesResponse(
                    generation=table.generation, revision=table.revision, view_age_ms=3
                )
                if table is sent:
                    step.beat.SetInParent()
                else:
                    step.table.CopyFrom(table_to_proto(table))
                    sent = table
                self.step_count += 1
                yield step
            await asyncio.sleep(BEAT_S)
