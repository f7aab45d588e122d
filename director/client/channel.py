"""Channels to directors, with the settings every client of ours needs."""

from __future__ import annotations

import asyncio

import grpc
import grpc.aio

from director.runtime.identity import Kind, role_name
from director.runtime.tls import TlsFiles

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


# What is on its way over a channel that is replaced has this long to end.
_REPLACED_GRACE_S = 5.0


def channel_options(
    tls: TlsFiles | None, server_name: str | None
) -> tuple[tuple[str, int | str], ...]:
    """Return the settings of a channel; with TLS also by which name the server is known.

    Args:
        tls: None without TLS.
        server_name: DNS name that its certificate must have; None: that of any director.
    """
    if tls is None:
        return CHANNEL_OPTIONS
    # Addresses change and may be shared; who answers is what matters, not where.
    name = server_name or role_name(Kind.DIRECTOR, tls.trust_domain)
    return (*CHANNEL_OPTIONS, ("grpc.ssl_target_name_override", name))


def open_channel(
    address: str, tls: TlsFiles | None = None, *, server_name: str | None = None
) -> grpc.aio.Channel:
    """Open a channel to ``host:port``. It connects on first use; close it.

    Args:
        address: Where.
        tls: What to show and whom to trust; None connects without TLS.
        server_name: DNS name that the server's certificate must have; None: that of any director.
    """
    options = channel_options(tls, server_name)
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options)
    return grpc.aio.secure_channel(address, tls.channel_credentials(), options=options)


def open_sync_channel(
    address: str, tls: TlsFiles | None = None, *, server_name: str | None = None
) -> grpc.Channel:
    """Open a channel for code without an event loop; as ``open_channel``."""
    options = channel_options(tls, server_name)
    if tls is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, tls.channel_credentials(), options=options)


class Channels:
    """One channel for each address, replaced when the own certificate was. Close it.

    A channel keeps the certificate that it was made with, and is worth nothing once that expires.
    """

    def __init__(self, tls: TlsFiles | None = None) -> None:
        self._tls = tls
        self._by_address: dict[str, grpc.aio.Channel] = {}
        self._generation = 0 if tls is None else tls.generation
        self._closing: set[asyncio.Task[None]] = set()

    def get(self, address: str) -> grpc.aio.Channel:
        """Return the channel to ``host:port``; it connects on first use."""
        if self._tls is not None:
            self._tls.refresh()
            if self._tls.generation != self._generation:
                self._generation = self._tls.generation
                self._replace()
        channel = self._by_address.get(address)
        if channel is None:
            channel = self._by_address[address] = open_channel(address, self._tls)
        return channel

    async def close(self) -> None:
        """Close them all."""
        channels, self._by_address = self._by_address, {}
        for channel in channels.values():
            await channel.close()
        await asyncio.gather(*self._closing)

    def _replace(self) -> None:
        channels, self._by_address = self._by_address, {}
        for channel in channels.values():
            closing = asyncio.ensure_future(channel.close(_REPLACED_GRACE_S))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
