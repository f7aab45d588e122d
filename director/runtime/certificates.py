"""Reads X.509 certificates: whom one names, and from when to when.

The TLS library has checked the chain by then. What it does not check is checked here: exactly one
URI among the names, no authority that signs for itself, dates that still hold on a connection
that was opened long ago.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

from director.runtime.identity import (
    Identity,
    IdentityFault,
    IdentityRefused,
    parse_identity,
)

_MS = 1_000
# Not all of them are a ValueError: a name of a form that nobody uses is one of its own.
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A leaf certificate that names somebody.

    Attributes:
        not_before_ms: Since the Unix epoch, inclusive.
        not_after_ms: Since the Unix epoch, inclusive.
        dns_names: As written.
    """

    identity: Identity
    not_before_ms: int
    not_after_ms: int
    dns_names: tuple[str, ...] = ()

    @property
    def half_life_at_ms(self) -> int:
        """When it should have been replaced."""
        return (self.not_before_ms + self.not_after_ms) // 2

    def out_of_date(self, *, now_ms: int) -> IdentityRefused | None:
        """Return why it does not count at ``now_ms`` of the wall clock, or None."""
        if now_ms > self.not_after_ms:
            return IdentityRefused(
                IdentityFault.EXPIRED,
                f"the certificate of {self.identity.uri} expired at {said_at(self.not_after_ms)}; "
                "renew it and connect again",
            )
        if now_ms < self.not_before_ms:
            return IdentityRefused(
                IdentityFault.NOT_YET_VALID,
                f"the certificate of {self.identity.uri} counts from "
                f"{said_at(self.not_before_ms)} on; look at the clocks",
            )
        return None


def read_certificate(pem: bytes, *, trust_domain: str) -> Certificate | IdentityRefused:
    """Return the first certificate in ``pem``, or why it names nobody of the trust domain.

    Dates are read and not judged: see ``Certificate.out_of_date``.
    """
    try:
        parsed = x509.load_pem_x509_certificate(pem)
        uris, dns_names = _names(parsed)
        is_authority = _is_authority(parsed)
    except _UNREADABLE as error:
        return IdentityRefused(
            IdentityFault.UNREADABLE, f"the certificate cannot be read: {type(error).__name__}"
        )
    if is_authority:
        return IdentityRefused(
            IdentityFault.AUTHORITY,
            "this is the certificate of an authority, which may sign others; use a leaf",
        )
    # SPIFFE X509-SVID, section 4: validators MUST reject more than one URI. gRPC does not (it
    # only leaves its own ``peer_spiffe_id`` out), so we do.
    if len(uris) != 1:
        return IdentityRefused(
            IdentityFault.URI_COUNT,
            f"the certificate has {len(uris)} URI names; exactly one is needed, the SPIFFE id",
        )
    identity = parse_identity(uris[0], trust_domain=trust_domain)
    if isinstance(identity, IdentityRefused):
        return identity
    return Certificate(
        identity,
        _ms(parsed.not_valid_before_utc),
        # The last second counts in full.
        _ms(parsed.not_valid_after_utc) + _MS - 1,
        dns_names,
    )


def spiffe_domain(pem: bytes) -> str:
    """Return the trust domain that a certificate claims; "" if it claims none.

    To look at a certificate only: whom one trusts is decided beforehand.
    """
    try:
        uris, _ = _names(x509.load_pem_x509_certificate(pem))
    except _UNREADABLE:
        return ""
    first = uris[0] if uris else ""
    return first.removeprefix("spiffe://").partition("/")[0]


def latest_end_ms(pem: bytes) -> int:
    """Return when the last certificate of a bundle ends, in milliseconds since the epoch.

    Raises:
        ValueError: There is none in it, or one cannot be read.
    """
    found = x509.load_pem_x509_certificates(pem)
    return max(_ms(each.not_valid_after_utc) for each in found)


def said_at(at_ms: int) -> str:
    """Return an instant of the wall clock as people and logs have it."""
    at = datetime.fromtimestamp(at_ms // _MS, tz=UTC)
    return at.isoformat().replace("+00:00", "Z")


def _names(parsed: x509.Certificate) -> tuple[list[str], tuple[str, ...]]:
    try:
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return [], ()
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return uris, tuple(names.get_values_for_type(x509.DNSName))


def _is_authority(parsed: x509.Certificate) -> bool:
    try:
        constraints = parsed.extensions.get_extension_for_class(x509.BasicConstraints).value
        if constraints.ca:
            return True
    except x509.ExtensionNotFound:
        pass
    try:
        usage = parsed.extensions.get_extension_for_oid(ExtensionOID.KEY_USAGE).value
    except x509.ExtensionNotFound:
        return False
    return isinstance(usage, x509.KeyUsage) and (usage.key_cert_sign or usage.crl_sign)


def _ms(at: datetime) -> int:
    return int(at.timestamp()) * _MS
