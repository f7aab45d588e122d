"""The gRPC server of the agent: gate, local resolves, health and reflection."""

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from director.runtime.call_guard import CallGuard
from director.runtime.loopback import ensure_loopback
from director.runtime.tls import TlsFiles
from regions.api.access import guard_policy
from regions.api.gate import GateServicer
from regions.api.routing import RoutingServicer
from trafficdirector.agent.v1 import agent_pb2, agent_pb2_grpc
from trafficdirector.routing.v1 import routing_pb2, routing_pb2_grpc

# A batch of 1 000 questions is about 100 KiB.
MESSAGE_BYTES_MAX = 1 << 20
STREAMS_MAX = 256
GRACE_MS = 500

_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_metadata_size", 8 << 10),
    ("grpc.absolute_max_metadata_size", 16 << 10),
    ("grpc.max_concurrent_streams", STREAMS_MAX),
    # Clients ping every five seconds; gRPC's default hangs up on that (fault 12).
    ("grpc.http2.min_ping_interval_without_data_ms", 2_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.server_handshake_timeout_ms", 5_000),
    # Two agents on one port would answer for each other.
    ("grpc.so_reuseport", 0),
    ("grpc.enable_channelz", 0),
)


class PortInUseError(OSError):
    """The address cannot be listened on."""


class AgentServer:
    """Serves until stopped; without TLS on loopback only.

    Its health is SERVING as long as it runs: it never depends on a director.

    Args:
        gate: Answers for the gates.
        routing: Answers resolves.
        region_id: Of this agent.
        tls: What to show and whom to trust; None serves without TLS.
    """

    def __init__(
        self,
        gate: GateServicer,
        routing: RoutingServicer,
        *,
        region_id: str = "",
        tls: TlsFiles | None = None,
    ) -> None:
        self._tls = tls
        guard = CallGuard(guard_policy(tls, region_id))
        self._server = grpc.aio.server(options=_OPTIONS, interceptors=[guard])
        self._health = health.aio.HealthServicer()
        agent_pb2_grpc.add_GateServiceServicer_to_server(gate, self._server)
        routing_pb2_grpc.add_RoutingServiceServicer_to_server(routing, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = (
            agent_pb2.DESCRIPTOR.services_by_name["GateService"].full_name,
            routing_pb2.DESCRIPTOR.services_by_name["RoutingService"].full_name,
        )
        reflection.enable_server_reflection(
            (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )

    async def start(self, address: str) -> int:
        """Listen and return the port.

        Raises:
            NotLoopbackError: The address could be reached from elsewhere, and there is no TLS.
            ValueError: It is not ``host:port``.
            PortInUseError: It cannot be bound.
        """
        bound = ensure_loopback(address) if self._tls is None else address
        try:
            port = self._add_port(bound)
        except RuntimeError as error:
            raise PortInUseError(f"cannot listen on {bound}: {error}") from None
        await self._server.start()
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return port

    def _add_port(self, address: str) -> int:
        if self._tls is None:
            return self._server.add_insecure_port(address)
        return self._server.add_secure_port(address, self._tls.server_credentials())

    async def stop(self) -> None:
        """Say that it is going, then stop."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(GRACE_MS / 1_000)
