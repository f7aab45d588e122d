"""TLS for the HTTP port: mutual, by the same files as gRPC, and following them when they change."""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING

from director.runtime.certificates import read_certificate
from director.runtime.clock import wall_ms
from director.runtime.identity import IdentityRefused

if TYPE_CHECKING:
    from director.runtime.tls import TlsFiles


def following_context(tls: TlsFiles) -> ssl.SSLContext:
    """Return a context that demands a certificate of the authorities of ``tls``.

    Each handshake looks whether the files have changed, as those of gRPC do; connections that are
    open stay as they are, for a minute at most (``http_server.TLS_LIFE_MS`` and ``IDLE_WAIT_S``).
    """
    newest = _context(tls)
    seen = tls.generation

    def follow(connection: ssl.SSLObject, _name: str | None, _entry: ssl.SSLContext) -> None:
        nonlocal newest, seen
        tls.refresh()
        generation = tls.generation
        if seen != generation:
            # The files may be changing again just now: what was good stays until others are.
            with contextlib.suppress(OSError):
                newest = _context(tls)
                seen = generation
        connection.context = newest

    entry = _context(tls)
    entry.sni_callback = follow  # called for a client that names no server as well
    return entry


def _context(tls: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls.paths.cert, tls.paths.key)
    context.load_verify_locations(tls.paths.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    # Who resumes a session shows no certificate: neither its dates nor the authorities of today
    # would be looked at, for as long as a ticket is renewed by the next.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    return context


def peer_fault(connection: ssl.SSLObject, *, trust_domain: str) -> str:
    """Return why the certificate that the other side showed does not count; "" if it does."""
    if connection.session_reused:  # TLS 1.2 knows sessions without tickets
        return "a session was resumed, and its certificate not looked at again"
    shown = connection.getpeercert(binary_form=True)
    if shown is None:
        return "no certificate was shown"
    found = read_certificate(
        ssl.DER_cert_to_PEM_cert(shown).encode("ascii"), trust_domain=trust_domain
    )
    if isinstance(found, IdentityRefused):
        return found.message
    expired = found.out_of_date(now_ms=wall_ms())
    return "" if expired is None else expired.message
