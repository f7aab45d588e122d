"""The gRPC server of a replica's API: its limits, the health service, reflection."""

from collections.abc import Sequence

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

# What is larger gets gRPC's own RESOURCE_EXHAUSTED, without a reason. What is smaller, and yet too
# large (director.api.handlers), gets ours before it is parsed (fault 40).
RECEIVE_BYTES_MAX = 16 << 20
_SEND_BYTES_MAX = 64 << 20  # a whole route table
_METADATA_BYTES_SOFT = 8 * 1_024
_METADATA_BYTES_HARD = 16 * 1_024

SERVER_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", RECEIVE_BYTES_MAX),
    ("grpc.max_send_message_length", _SEND_BYTES_MAX),
    ("grpc.max_metadata_size", _METADATA_BYTES_SOFT),
    ("grpc.absolute_max_metadata_size", _METADATA_BYTES_HARD),
    ("grpc.max_concurrent_streams", 4_096),
    # Two replicas on one port would split the clients between them without a word.
    ("grpc.so_reuseport", 0),
    # Clients ping every 5 s (director.client.channel); by default that is taken for abuse.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 4_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 4_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.server_handshake_timeout_ms", 5_000),
)


class ApiServer:
    """Serves some services at one address.

    Args:
        services: Their handlers.
        names: Their names, for health and reflection.
    """

    def __init__(self, services: Sequence[grpc.GenericRpcHandler], names: Sequence[str]) -> None:
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        self._server.add_generic_rpc_handlers(services)
        self._names = tuple(names)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (*names, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )

    async def start(self, address: str) -> int:
        """Listen at ``host:port`` and return the port.

        Raises:
            OSError: The address cannot be listened at; the message names it.
        """
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen at {address}: {error}") from error
        if port == 0:
            raise OSError(f"cannot listen at {address}: is something else listening there?")
        await self.set_serving(is_serving=False)
        await self._server.start()
        return port

    async def set_serving(self, *, is_serving: bool) -> None:
        """Tell the health service. It says whether resolves are answered, and nothing more."""
        status = (
            health_pb2.HealthCheckResponse.SERVING
            if is_serving
            else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for name in ("", *self._names):
            await self._health.set(name, status)

    async def stop(self, *, grace_ms: int) -> None:
        """Take no new calls, and end the present ones after ``grace_ms``."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_ms / 1_000)
