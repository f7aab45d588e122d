"""AgentService: one stream per agent; reports and lease requests up, directives down."""

import asyncio
from collections.abc import AsyncIterator

import grpc

from director.api.errors import Context, check_parsed, to_status
from director.api.handlers import service, stream_stream
from director.core.ids import AgentId, ReplicaId
from director.core.observations import AgentReport
from director.core.reasons import Reason
from director.core.transit import transit_ms_max
from director.routing.table import RegionId
from director.runtime.caller import DENIALS, caller
from director.runtime.clock import boot_ms
from director.service.agent_wire import (
    lease_from_proto,
    readings_from_proto,
    says_lag,
    unanswered_from_proto,
)
from director.service.agents import AgentLink
from director.service.errors import (
    DirectorError,
    InvalidRequestError,
    MessageTooLargeError,
    NotFoundError,
    NotPermittedError,
)
from director.service.replica import Replica
from trafficdirector.agent.v1 import agent_pb2 as pb

NAME = "trafficdirector.agent.v1.AgentService"
NAME_CHARS_MAX = 63
SERVICES_MAX = 2_000
# An agent that guards hundreds of services and watches a thousand stays below this.
REPORT_BYTES_MAX = 64 * 1_024
# Who opens a stream and says nothing holds a place that another agent may need.
HELLO_DEADLINE_MS = 5_000


class AgentApi:
    """The handlers."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._replica_id = ReplicaId(replica.settings.replica_id)

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the service."""
        return service(NAME, {"Report": stream_stream(self.report, pb.ReportRequest)})

    async def report(self, requests: AsyncIterator[pb.ReportRequest], context: Context) -> None:
        """Serve one agent until it goes away, or until it breaks the protocol."""
        try:
            link = await self._greeted(requests)
            self._replica.connect_agent(link)
            try:
                await self._serve(link, requests, context)
            finally:
                self._replica.links.disconnect(link)
        except DirectorError as error:
            await context.abort_with_status(to_status(error))

    async def _serve(
        self, link: AgentLink, requests: AsyncIterator[pb.ReportRequest], context: Context
    ) -> None:
        """Read and write until either side ends. An error in what is read ends both."""
        down = asyncio.create_task(self._send(link, context), name="agent-down")
        down.add_done_callback(lambda _: link.close())
        up = asyncio.create_task(self._read(link, requests), name="agent-up")
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            results = await asyncio.gather(up, down, return_exceptions=True)
        for result in results:
            if isinstance(result, DirectorError):
                raise result

    async def _greeted(self, requests: AsyncIterator[pb.ReportRequest]) -> AgentLink:
        try:
            async with asyncio.timeout(HELLO_DEADLINE_MS / 1_000):
                first = await anext(aiter(requests))
        except (TimeoutError, StopAsyncIteration):
            raise InvalidRequestError(
                "hello", f"must be the first message, within {HELLO_DEADLINE_MS} ms"
            ) from None
        check_parsed(first)
        if first.WhichOneof("body") != "hello":
            raise InvalidRequestError("body", "the first message must be a hello")
        hello = first.hello
        for field, name in (
            ("hello.region_id", hello.region_id),
            ("hello.agent_id", hello.agent_id),
            ("hello.boot_id", hello.boot_id),
        ):
            if not 0 < len(name) <= NAME_CHARS_MAX:
                raise InvalidRequestError(
                    field, f"has {len(name)} characters; 1 to {NAME_CHARS_MAX} are needed"
                )
        if len(hello.service_ids) > SERVICES_MAX:
            raise InvalidRequestError(
                "hello.service_ids", f"has {len(hello.service_ids)}; at most {SERVICES_MAX}"
            )
        longest = max((len(each) for each in hello.service_ids), default=0)
        if longest > NAME_CHARS_MAX:
            raise InvalidRequestError(
                "hello.service_ids",
                f"has a name of {longest} characters; at most {NAME_CHARS_MAX}",
            )
        check_speaks_for(hello.region_id, hello.agent_id)
        self._check_region(hello.region_id)
        return AgentLink(
            RegionId(hello.region_id),
            AgentId(hello.agent_id),
            hello.boot_id,
            frozenset(hello.service_ids),
        )

    def _check_region(self, region_id: str) -> None:
        # Before the first manifest no region is known, and agents may be up already.
        declared = [each.region_id for each in self._replica.state.topology.regions]
        if declared and region_id not in declared:
            raise NotFoundError(
                Reason.REGION_NOT_FOUND,
                f"there is no region {region_id!r}; declared are: {', '.join(declared)}",
                regionId=region_id,
            )

    async def _read(self, link: AgentLink, requests: AsyncIterator[pb.ReportRequest]) -> None:
        async for request in requests:
            check_parsed(request)
            if request.ByteSize() > REPORT_BYTES_MAX:
                raise MessageTooLargeError(request.ByteSize(), REPORT_BYTES_MAX)
            match request.WhichOneof("body"):
                case "report":
                    self._hear(link, request.report)
                case "lease":
                    self._replica.receive(
                        lease_from_proto(request.lease, link.region_id, link.agent_id)
                    )
                case _:
                    raise InvalidRequestError("body", "is neither a report nor a lease request")

    def _hear(self, link: AgentLink, report: pb.Report) -> None:
        arrived_at_ms = boot_ms()
        transit = None
        if report.HasField("echo"):
            transit = transit_ms_max(
                report.echo.sent_at,
                report.echo.held_ms,
                arrived_at_ms=arrived_at_ms,
                opened_at_ms=link.opened_at_ms,
                clock_drift_per_mille=self._replica.settings.timing.clock_drift_per_mille,
            )
        has_readings = report.HasField("readings")
        readings = readings_from_proto(report.readings) if has_readings else None
        self._replica.heard(
            AgentReport(
                link.region_id,
                link.agent_id,
                link.boot_id,
                report.counter,
                readings,
                self._replica_id,
                transit_ms_max=transit,
                unanswered=unanswered_from_proto(report),
            )
        )
        if says_lag(readings):
            link.pulse()

    @staticmethod
    async def _send(link: AgentLink, context: Context) -> None:
        while responses := await link.take():
            for response in responses:
                await context.write(response)


def check_speaks_for(region_id: str, agent_id: str) -> None:
    """Refuse an agent that says it is another one, or in another region (fault 42).

    Raises:
        NotPermittedError: Its certificate names somebody else.
    """
    who = caller()
    if who is None or (who.region_id, who.name) == (region_id, agent_id):
        return
    message = f"{who.uri} cannot speak for agent {agent_id} of region {region_id}"
    DENIALS.note("REGION", who=who.uri, method=f"/{NAME}/Report", message=message)
    raise NotPermittedError(message, identity=who.uri, regionId=region_id, agentId=agent_id)
