"""The gRPC server of a replica's API: its limits, its guard, the health service, reflection."""

from collections.abc import Iterable, Sequence

import grpc
import grpc.aio
from google.protobuf import descriptor_pool
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from director.api.access import Roles, decide, decide_request, missing_rows
from director.api.errors import to_status
from director.core.reasons import Reason
from director.runtime.call_guard import CallGuard, Policy, Refused
from director.runtime.identity import Identity
from director.runtime.tls import TlsFiles
from director.service.errors import RefusedError

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
    ("grpc.enable_channelz", 0),
    # Clients ping every 5 s (director.client.channel); by default that is taken for abuse.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 4_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 4_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.server_handshake_timeout_ms", 5_000),
    # Nobody of ours is idle: agents, watchers and peers have streams open.
    ("grpc.max_connection_idle_ms", 15 * 60_000),
)
# With TLS a connection ends now and then, so that authorities that were taken out of the trusted
# ones stop to count: what was checked in a handshake is checked again. gRPC spreads it by a tenth.
TLS_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_connection_age_ms", 60 * 60_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
)


class MissingRightsError(Exception):
    """An RPC has no row in the table of rights: nobody could call it, which nobody intended."""


class ApiServer:
    """Serves some services at one address.

    Args:
        services: Their handlers.
        names: Their names, for health and reflection.
        tls: What to show and whom to trust; None serves without TLS, to everybody.
        roles: What operators may do, with TLS.

    Raises:
        MissingRightsError: One of their RPCs has no row in ``director.api.access``.
    """

    def __init__(
        self,
        services: Sequence[grpc.GenericRpcHandler],
        names: Sequence[str],
        *,
        tls: TlsFiles | None = None,
        roles: Roles | None = None,
    ) -> None:
        missing = missing_rows(methods_of((*names, health.SERVICE_NAME, reflection.SERVICE_NAME)))
        if missing:
            raise MissingRightsError(
                f"director/api/access.py has no row for {', '.join(missing)}; say who may call it"
            )
        self._tls = tls
        options = SERVER_OPTIONS if tls is None else (*SERVER_OPTIONS, *TLS_OPTIONS)
        guard = CallGuard(guard_policy(tls, roles or Roles()))
        self._server = grpc.aio.server(options=options, interceptors=[guard])
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
            port = self._add_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen at {address}: {error}") from error
        if port == 0:
            raise OSError(f"cannot listen at {address}: is something else listening there?")
        await self.set_serving(is_serving=False)
        await self._server.start()
        return port

    def _add_port(self, address: str) -> int:
        if self._tls is None:
            return self._server.add_insecure_port(address)
        return self._server.add_secure_port(address, self._tls.server_credentials())

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


def guard_policy(tls: TlsFiles | None, roles: Roles) -> Policy:
    """Return what the guard of the API demands."""

    def denied(identity: Identity, method: str) -> str | None:
        found = decide(identity, method, roles)
        return None if found is None else found.message

    def denied_request(identity: Identity, method: str, request: object) -> str | None:
        found = decide_request(identity, method, request, roles)
        return None if found is None else found.message

    return Policy(tls, denied, denied_request, _status_of)


def _status_of(refused: Refused) -> grpc.Status:
    return to_status(RefusedError(Reason(refused.reason), refused.message, refused.metadata))


def methods_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return every RPC of the named services, as ``/package.Service/Method``."""
    pool = descriptor_pool.Default()
    return tuple(
        f"/{name}/{method.name}"
        for name in names
        for method in pool.FindServiceByName(name).methods
    )
