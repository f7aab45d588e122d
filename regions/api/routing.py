"""RoutingService from the agent's own copy of the route table: no director needed (R8).

WatchRoutes is not offered here: a client that follows the table follows a director, and keeps its
own copy as the agent does.
"""

from typing import TypeAlias

import grpc.aio

from director.client.answering import Answerer
from director.client.errors import ClientError
from regions.api.errors import to_status
from regions.api.view import View
from trafficdirector.routing.v1 import routing_pb2 as pb
from trafficdirector.routing.v1 import routing_pb2_grpc as pb_grpc

ResolveContext: TypeAlias = "grpc.aio.ServicerContext[pb.ResolveRequest, pb.ResolveResponse]"
BatchContext: TypeAlias = (
    "grpc.aio.ServicerContext[pb.BatchResolveRequest, pb.BatchResolveResponse]"
)
ExplainContext: TypeAlias = (
    "grpc.aio.ServicerContext[pb.ExplainResolveRequest, pb.ExplainResolveResponse]"
)


class RoutingServicer(pb_grpc.RoutingServiceServicer):
    """Answers from ``answerer``, labelled with the age of ``view``."""

    def __init__(self, answerer: Answerer, view: View) -> None:
        self._answerer = answerer
        self._view = view

    async def Resolve(  # noqa: N802 - named by the proto
        self, request: pb.ResolveRequest, context: ResolveContext
    ) -> pb.ResolveResponse:
        """Name the endpoint that one client should use now."""
        try:
            encoded = self._answerer.resolve_bytes(
                request, self._view.view_age_ms(), self._view.source()
            )
        except ClientError as error:
            await context.abort_with_status(to_status(error))
        return pb.ResolveResponse.FromString(encoded)

    async def BatchResolve(  # noqa: N802 - named by the proto
        self, request: pb.BatchResolveRequest, context: BatchContext
    ) -> pb.BatchResolveResponse:
        """Answer several questions from one view."""
        try:
            return self._answerer.batch(request, self._view.view_age_ms(), self._view.source())
        except ClientError as error:
            await context.abort_with_status(to_status(error))

    async def ExplainResolve(  # noqa: N802 - named by the proto
        self, request: pb.ExplainResolveRequest, context: ExplainContext
    ) -> pb.ExplainResolveResponse:
        """Answer like Resolve, and say why."""
        try:
            return self._answerer.explain(request, self._view.view_age_ms(), self._view.source())
        except ClientError as error:
            await context.abort_with_status(to_status(error))
