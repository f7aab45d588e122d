"""Refuses to listen where others could connect, as long as there is no TLS."""

from __future__ import annotations

import ipaddress

_PORT_MAX = 65_535


class NotLoopbackError(ValueError):
    """The address could be reached from another machine."""


def ensure_loopback(address: str) -> str:
    """Return ``address`` as ``ip:port`` (or ``unix:path``), known to be loopback.

    Listen on what is returned, not on what was given: a name may resolve differently later.
    ``localhost`` becomes ``127.0.0.1``. No other name is looked up.

    Raises:
        NotLoopbackError: It is a well-formed address, but not of this machine alone.
        ValueError: It is not ``host:port``.
    """
    if address.startswith("unix:"):
        return address
    host, colon, port = address.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > _PORT_MAX:
        raise ValueError(f"{address!r} is not host:port, such as 127.0.0.1:7440 or [::1]:7440")
    if host == "localhost":
        return f"127.0.0.1:{int(port)}"
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        ip = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise NotLoopbackError(_refusal(address)) from None
    if (ip.version == 6) != bracketed:  # noqa: PLR2004
        raise ValueError(f"{address!r} is not host:port; IPv6 needs brackets, such as [::1]:7440")
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    if not (mapped or ip).is_loopback:
        raise NotLoopbackError(_refusal(address))
    if mapped is not None:
        return f"[::ffff:{mapped}]:{int(port)}"  # Python 3.13 spells these differently from 3.11
    return f"[{ip}]:{int(port)}" if bracketed else f"{ip}:{int(port)}"


def _refusal(address: str) -> str:
    return f"{address} is not loopback; listeners are loopback-only until TLS is configured"
