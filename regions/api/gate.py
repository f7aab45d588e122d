"""GateService: may this service write now, and with which token?"""

from collections.abc import AsyncIterator
from typing import TypeAlias

import grpc.aio

from director.client.errors import RefusedError
from director.routing.table import ServiceId
from regions.api.errors import to_status
from regions.api.view import Gatekeeper
from regions.core.gate_answer import GateAnswer
from trafficdirector.agent.v1 import agent_pb2 as pb
from trafficdirector.agent.v1 import agent_pb2_grpc as pb_grpc

CheckContext: TypeAlias = "grpc.aio.ServicerContext[pb.CheckGateRequest, pb.CheckGateResponse]"
WatchContext: TypeAlias = "grpc.aio.ServicerContext[pb.WatchGateRequest, pb.WatchGateResponse]"

# A closed gate that does not change is said again this often, so that a watcher knows it is heard.
CLOSED_EVERY_MS = 5_000


class GateServicer(pb_grpc.GateServiceServicer):
    """Answers from the gates in memory."""

    def __init__(self, gates: Gatekeeper) -> None:
        self._gates = gates

    async def CheckGate(  # noqa: N802 - named by the proto
        self, request: pb.CheckGateRequest, context: CheckContext
    ) -> pb.CheckGateResponse:
        """Answer once, by the clock of now."""
        answer = self._gates.check(ServiceId(request.service_id))
        if answer is None:
            await context.abort_with_status(to_status(not_guarded(request.service_id)))
        return to_proto(answer)

    async def WatchGate(  # noqa: N802 - named by the proto
        self, request: pb.WatchGateRequest, context: WatchContext
    ) -> AsyncIterator[pb.WatchGateResponse]:
        """Answer now, at each change, and twice within the life of each open answer."""
        service_id = ServiceId(request.service_id)
        while True:
            answer = self._gates.check(service_id)
            if answer is None:
                await context.abort_with_status(to_status(not_guarded(service_id)))
            yield pb.WatchGateResponse(gate=to_proto(answer))
            within_ms = CLOSED_EVERY_MS
            if answer.may_write:
                within_ms = max(1, (self._gates.answer_ms(service_id) or CLOSED_EVERY_MS) // 2)
            await self._gates.changed(service_id, within_ms=within_ms)


def not_guarded(service_id: str) -> RefusedError:
    """Say that there is no such gate here."""
    return RefusedError(
        "SERVICE_NOT_FOUND",
        f"this agent guards no service {service_id[:63]!r}",
        metadata={"service": service_id[:63]},
    )


def to_proto(answer: GateAnswer) -> pb.CheckGateResponse:
    """Return the answer as a message."""
    token = None
    if answer.token is not None:
        token = pb.FencingToken(generation=answer.token.generation, epoch=answer.token.epoch)
    return pb.CheckGateResponse(
        may_write=answer.may_write,
        token=token,
        deadline_boottime_ms=answer.deadline_boottime_ms,
        reason=answer.reason,
        home_region_id=answer.home or "",
    )
