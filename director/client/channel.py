"""Channels to directors, with the settings every client of ours needs."""

import grpc
import grpc.aio

# A whole table of 2 000 services with 64 endpoints each stays below this.
TABLE_BYTES_MAX = 64 << 20

CHANNEL_OPTIONS: tuple[tuple[str, int | str], ...] = (
    # A peer that went silent is noticed within 8 s even while nothing is being sent (fault 12).
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", TABLE_BYTES_MAX),
    # gRPC's own wait of up to two minutes after a refused connection outlasts any failover; callers
    # here have their own backoff with jitter.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Despite its name this is how long one attempt to connect may take: a far director needs
    # several round trips of 300 ms.
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Otherwise channels of one process share that wait.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)


def open_channel(address: str) -> grpc.aio.Channel:
    """Open a channel to ``host:port``. It connects on first use; close it."""
    return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
