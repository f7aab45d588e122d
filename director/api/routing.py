"""RoutingService: answers from memory. No quorum, no leader, no disk."""

from collections.abc import Callable

import grpc

from director.api.changes import NAME_CHARS_MAX
from director.api.errors import Context, check_parsed, to_status, unary
from director.api.handlers import service, unary_stream, unary_unary
from director.client.answering import Answerer
from director.client.errors import ClientError
from director.client.watch import Source
from director.client.wire import SERVICES_WATCHED_MAX
from director.runtime.clock import elapsed_ns
from director.runtime.metrics import Buckets
from director.service.errors import DirectorError, InvalidRequestError
from director.service.watch import RouteHub, Subscription
from trafficdirector.routing.v1 import routing_pb2 as pb

NAME = "trafficdirector.routing.v1.RoutingService"
# An answer from memory takes some microseconds; a decision for a new place some hundred.
TIME_BOUNDS_S = (2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2)


class RoutingApi:
    """The handlers.

    Args:
        answerer: Has the newest table.
        hub: Feeds watchers.
        label: Age and source of the view now.

    Attributes:
        times: How long each Resolve took, from the parsed request to the encoded answer.
    """

    def __init__(
        self, answerer: Answerer, hub: RouteHub, label: Callable[[], tuple[int, Source]]
    ) -> None:
        self._answerer = answerer
        self._hub = hub
        self._label = label
        self.times = Buckets(TIME_BOUNDS_S)

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the service."""
        return service(
            NAME,
            {
                "Resolve": unary_unary(self.resolve, pb.ResolveRequest, is_encoded=True),
                "BatchResolve": unary_unary(unary(self.batch), pb.BatchResolveRequest),
                "ExplainResolve": unary_unary(unary(self.explain), pb.ExplainResolveRequest),
                "WatchRoutes": unary_stream(self.watch, pb.WatchRoutesRequest, is_encoded=True),
            },
        )

    async def resolve(self, request: pb.ResolveRequest, context: Context) -> bytes:
        """Return an encoded answer: the hot path, so without any wrapper."""
        began_ns = elapsed_ns()
        try:
            if type(request) is not pb.ResolveRequest:
                check_parsed(request)
            age_ms, source = self._label()
            encoded = self._answerer.resolve_bytes(request, age_ms, source)
        except (ClientError, DirectorError) as error:
            await context.abort_with_status(to_status(error))
        self.times.take(elapsed_ns() - began_ns)
        return encoded

    async def batch(self, request: pb.BatchResolveRequest) -> pb.BatchResolveResponse:
        """Answer up to 1 000 questions from one view."""
        age_ms, source = self._label()
        return self._answerer.batch(request, age_ms, source)

    async def explain(self, request: pb.ExplainResolveRequest) -> pb.ExplainResolveResponse:
        """Answer with the reasons."""
        age_ms, source = self._label()
        return self._answerer.explain(request, age_ms, source)

    async def watch(self, request: pb.WatchRoutesRequest, context: Context) -> None:
        """Send the table and its changes."""
        try:
            check_parsed(request)
            if len(request.service_ids) > SERVICES_WATCHED_MAX:
                raise InvalidRequestError(
                    "service_ids",
                    f"has {len(request.service_ids)} names; at most {SERVICES_WATCHED_MAX}; "
                    "leave it empty to watch all",
                )
            longest = max((len(each) for each in request.service_ids), default=0)
            if longest > NAME_CHARS_MAX:
                raise InvalidRequestError(
                    "service_ids",
                    f"has a name of {longest} characters; a name has at most {NAME_CHARS_MAX}",
                )
            await self._hub.serve(
                Subscription(
                    frozenset(request.service_ids),
                    (request.from_generation, request.from_revision),
                ),
                context.write,
            )
        except (ClientError, DirectorError) as error:
            await context.abort_with_status(to_status(error))
