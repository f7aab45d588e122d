"""Calls to a fleet of directors from a program: whichever replica answers, leader when needed."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

import grpc
import grpc.aio

from director.client.channel import Channels
from director.client.resolver import error_from_rpc, error_info
from director.runtime.tls import TlsFiles
from trafficdirector.admin.v1 import admin_pb2 as pb
from trafficdirector.admin.v1 import admin_pb2_grpc as rpc

_T = TypeVar("_T")
_CALL_SECONDS = 1.0
_ROUND_PAUSE_SECONDS = 0.1
_WATCH_PAUSE_SECONDS = 0.05
_RETRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class DirectorsError(Exception):
    """No director answered in time, or one refused; ``reason`` is machine-readable."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Directors:
    """Keeps one channel per replica and asks them in turn, beginning with the last that answered.

    Use it as an async context manager. ``tls``: what to show to them; None connects without TLS.
    """

    def __init__(self, addresses: Sequence[str], tls: TlsFiles | None = None) -> None:
        self._addresses = list(addresses)
        self._channels = Channels(tls)

    async def __aenter__(self) -> "Directors":
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._channels.close()

    def _channel(self, address: str) -> grpc.aio.Channel:
        return self._channels.get(address)

    async def call(self, ask: Callable[[grpc.aio.Channel], Any], *, within_ms: int = 10_000) -> Any:  # noqa: ANN401 - whatever the RPC returns
        """Ask one replica after the other until one answers; ``ask`` makes the call.

        Raises:
            DirectorsError: None did within ``within_ms``, or one refused for good.
        """
        said = ""
        try:
            async with asyncio.timeout(within_ms / 1_000):
                while True:
                    for address in tuple(self._addresses):
                        try:
                            answer = await ask(self._channel(address))
                        except grpc.aio.AioRpcError as error:
                            said = f"{address}: {error.details()}"
                            self._prefer(_leader_address(error))
                            if error.code() not in _RETRIED:
                                refusal = error_from_rpc(error)
                                reason = str(getattr(refusal, "reason", error.code().name))
                                raise DirectorsError(reason, str(refusal)) from None
                        else:
                            self._prefer(address)
                            return answer
                    await asyncio.sleep(_ROUND_PAUSE_SECONDS)
        except TimeoutError:
            raise DirectorsError(
                "UNAVAILABLE", f"no director answered within {within_ms} ms; last: {said}"
            ) from None

    def _prefer(self, address: str) -> None:
        if address in self._addresses:
            self._addresses.remove(address)
            self._addresses.insert(0, address)

    async def apply(self, documents: str, name: str) -> pb.ApplyManifestResponse:
        """Apply documents; the same documents under the same name are applied once."""
        digest = hashlib.sha256(documents.encode()).hexdigest()[:16]
        request = pb.ApplyManifestRequest(
            documents=documents,
            source_name=name,
            change=pb.Change(request_id=f"{name}-{digest}", actor="dev", reason="sample fleet"),
        )
        answer: pb.ApplyManifestResponse = await self.call(
            lambda channel: rpc.FleetServiceStub(channel).ApplyManifest(
                request, timeout=_CALL_SECONDS
            ),
            within_ms=20_000,
        )
        return answer

    async def status(self) -> pb.GetStatusResponse:
        """Status as the leader sees it, or as any replica does while there is none."""
        answer: pb.GetStatusResponse = await self.call(_ask_status)
        if answer.is_leader:
            return answer
        for address in self._addresses:
            try:
                other: pb.GetStatusResponse = await _ask_status(self._channel(address))
            except grpc.aio.AioRpcError:
                continue
            if other.is_leader:
                self._prefer(address)
                return other
        return answer

    async def statuses(self) -> dict[str, pb.GetStatusResponse | None]:
        """What each replica says of itself, by address; None where it does not answer."""
        addresses = sorted(self._addresses)
        answers = await asyncio.gather(*(self._status_of(each) for each in addresses))
        return dict(zip(addresses, answers, strict=True))

    async def _status_of(self, address: str) -> pb.GetStatusResponse | None:
        try:
            return await _ask_status(self._channel(address))
        except grpc.aio.AioRpcError:
            return None

    async def cluster(self) -> pb.GetClusterResponse:
        """Members and leader as one replica that answers sees them."""
        answer: pb.GetClusterResponse = await self.call(
            lambda channel: rpc.ClusterServiceStub(channel).GetCluster(
                pb.GetClusterRequest(), timeout=_CALL_SECONDS
            )
        )
        return answer

    async def transfer_leadership(self, replica_id: str) -> None:
        """Ask the leader to hand over to ``replica_id``."""
        request = pb.TransferLeadershipRequest(replica_id=replica_id)
        await self.call(
            lambda channel: rpc.ClusterServiceStub(channel).TransferLeadership(
                request, timeout=_CALL_SECONDS
            )
        )

    async def start_switchover(
        self, service_id: str, target: str, reason: str
    ) -> pb.StartSwitchoverResponse:
        """Begin a planned move."""
        request = pb.StartSwitchoverRequest(
            service_id=service_id,
            target_region_id=target,
            # The call may be sent again after a silence; the id makes that one move.
            change=pb.Change(request_id=uuid.uuid4().hex, actor="drill", reason=reason),
        )
        answer: pb.StartSwitchoverResponse = await self.call(
            lambda channel: rpc.FailoverServiceStub(channel).StartSwitchover(
                request, timeout=_CALL_SECONDS
            )
        )
        return answer

    async def failovers(self, service_id: str) -> list[pb.Failover]:
        """Runs of the service, newest first."""
        request = pb.ListFailoversRequest(service_id=service_id, limit=20)
        answer: pb.ListFailoversResponse = await self.call(
            lambda channel: rpc.FailoverServiceStub(channel).ListFailovers(
                request, timeout=_CALL_SECONDS
            )
        )
        return list(answer.failovers)

    async def watch(self, service_id: str, known: set[str]) -> AsyncIterator[pb.Failover]:
        """Yield the service's newest run that is not ``known``, again and again, without end.

        A run that aborted may be followed by another one. Callers see repetitions, and a run may
        appear to step back when a replica that lags behind answers.
        """
        while True:
            runs = await self.failovers(service_id)
            fresh = [each for each in runs if each.failover_id not in known]
            if fresh:
                yield fresh[0]
            await asyncio.sleep(_WATCH_PAUSE_SECONDS)


async def _ask_status(channel: grpc.aio.Channel) -> pb.GetStatusResponse:
    answer: pb.GetStatusResponse = await rpc.FleetServiceStub(channel).GetStatus(
        pb.GetStatusRequest(), timeout=_CALL_SECONDS
    )
    return answer


def _leader_address(error: grpc.aio.AioRpcError) -> str:
    info = error_info(error)
    return "" if info is None else str(dict(info.metadata).get("leaderAddress", ""))
