"""gRPC probe: the standard health service says SERVING (grpc.health.v1)."""

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from regions.probes.attempts import soonest
from regions.probes.outcome import ProbeOutcome
from regions.probes.tcp import connect, host_and_port

_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", 4_096),
    ("grpc.enable_http_proxy", 0),
    # Each probe makes a connection of its own, and gives up with it.
    ("grpc.use_local_subchannel_pool", 1),
)


async def probe_grpc(address: str, service: str, *, timeout_ms: int) -> ProbeOutcome:
    """Ask the health service about ``service``; "" asks about the whole process.

    Raises:
        OSError: The port was refused or is not reachable.
        ValueError: The address is not ``host:port``.
    """
    host_and_port(address)
    # The channel does not tell how long connecting took, and a port that refuses is told apart
    # from a health service that does not answer.
    _, writer, rtt_us = await connect(address)
    writer.transport.abort()
    channel = await soonest(lambda: _ready_channel(address), _close)
    try:
        answer = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service=service), timeout=timeout_ms / 1_000
        )
    except grpc.aio.AioRpcError as error:
        return ProbeOutcome(passed=False, detail=error.code().name, rtt_us=rtt_us)
    finally:
        await _close(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    if answer.status == serving:
        return ProbeOutcome(passed=True, rtt_us=rtt_us)
    name = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return ProbeOutcome(passed=False, detail=name, rtt_us=rtt_us)


async def _ready_channel(address: str) -> grpc.aio.Channel:
    channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
    try:
        await channel.channel_ready()
    except BaseException:
        await channel.close()
        raise
    return channel


async def _close(channel: grpc.aio.Channel) -> None:
    await channel.close()
