"""EvidenceService: a follower's observations on their way into the leader's core."""

from collections.abc import AsyncIterator

import grpc

from director.api.errors import Context, check_parsed, to_status
from director.api.handlers import service, stream_stream
from director.core.ids import ReplicaId
from director.core.inputs import ReplicaReported
from director.core.observations import ReplicaReport
from director.runtime.caller import DENIALS, caller
from director.service.agent_wire import relayed_from_proto
from director.service.errors import DirectorError, InvalidRequestError, NotPermittedError
from director.service.replica import Replica
from trafficdirector.peer.v1 import peer_pb2 as pb

NAME = "trafficdirector.peer.v1.EvidenceService"


class EvidenceApi:
    """The handlers."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._known_ids = frozenset(
            replica_id for replica_id, _ in replica.settings.api_address_by_id
        )

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the service."""
        return service(NAME, {"Relay": stream_stream(self.relay, pb.RelayRequest)})

    async def relay(self, requests: AsyncIterator[pb.RelayRequest], context: Context) -> None:
        """Take evidence in for as long as this replica leads the sender's term."""
        try:
            async for request in requests:
                check_parsed(request)
                self._check(request)
                self._replica.receive(
                    ReplicaReported(
                        ReplicaReport(
                            ReplicaId(request.replica_id),
                            request.failure_domain,
                            request.pushed_index,
                            request.watcher_count,
                        )
                    )
                )
                for report in request.reports:
                    self._replica.heard(relayed_from_proto(report, request.replica_id))
        except DirectorError as error:
            await context.abort_with_status(to_status(error))

    def _check(self, request: pb.RelayRequest) -> None:
        if not request.replica_id or (
            self._known_ids and request.replica_id not in self._known_ids
        ):
            raise InvalidRequestError(
                "replica_id", f"{request.replica_id!r} is not a replica of this fleet"
            )
        who = caller()
        if who is not None and who.name != request.replica_id:
            message = f"{who.uri} cannot speak for replica {request.replica_id}"
            DENIALS.note("REPLICA", who=who.uri, method=f"/{NAME}/Relay", message=message)
            raise NotPermittedError(message, identity=who.uri, replicaId=request.replica_id)
        self._replica.writes.check_leads()
        standing = self._replica.consensus.standing()
        if request.term > standing.term:
            raise InvalidRequestError(
                "term", f"is {request.term}; this replica leads term {standing.term}"
            )
