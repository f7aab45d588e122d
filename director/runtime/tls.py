"""The certificate, key and authorities of this process, read anew when the files change.

A server takes a changed certificate for its next connection and leaves the present ones alone; a
client takes it for its next channel. A new file that cannot be used is told, and the old one stays.
TLS is 1.2 at least, which is gRPC's own floor, and always mutual.
"""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import load_pem_x509_certificate

from director.runtime.certificates import Certificate, latest_end_ms, read_certificate, said_at
from director.runtime.clock import boot_ms, wall_ms
from director.runtime.identity import Identity, IdentityRefused, Kind, check_trust_domain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# More often there is nothing to see: a file that changed is noticed within this.
_LOOK_EVERY_MS = 1_000

log = structlog.get_logger()


class TlsError(ValueError):
    """The files cannot be used. The message names the file and what to do; never its content."""


@dataclass(frozen=True, slots=True)
class TlsPaths:
    """Where the files are.

    Attributes:
        cert: PEM, the own certificate first.
        key: PEM, without a passphrase, of mode 0600 and this user's own.
        ca: PEM, all authorities that are trusted; the old and the new one during a change.
        trust_domain: Of every identity that counts.
    """

    cert: Path
    key: Path
    ca: Path
    trust_domain: str


@dataclass(frozen=True, slots=True)
class _Loaded:
    """One consistent reading of the three files."""

    stamp: tuple[tuple[int, int, int], ...]
    cert_pem: bytes
    key_pem: bytes
    ca_pem: bytes
    certificate: Certificate
    ca_end_ms: int


class TlsFiles:
    """What this process shows and trusts. Any thread may ask.

    Raises:
        TlsError: A file is missing, open to others, or not what it should be.
    """

    def __init__(self, paths: TlsPaths) -> None:
        try:
            check_trust_domain(paths.trust_domain)
        except ValueError as error:
            raise TlsError(f"--trust-domain: {error}") from None
        self.paths = paths
        self._lock = threading.Lock()
        self._loaded = _load(paths)
        self._looked_at_ms = boot_ms()
        self._complaint = ""
        self.generation = 1
        """Rises by one with each change of the files that was taken."""

    @property
    def trust_domain(self) -> str:
        """Of every identity that counts."""
        return self.paths.trust_domain

    @property
    def identity(self) -> Identity:
        """Who this process is."""
        return self._loaded.certificate.identity

    @property
    def certificate(self) -> Certificate:
        """Of this process, as last read."""
        return self._loaded.certificate

    @property
    def ca_end_ms(self) -> int:
        """When the last of the trusted authorities ends, in milliseconds since the epoch."""
        return self._loaded.ca_end_ms

    def refresh(self, *, is_urgent: bool = False) -> bool:
        """Look whether the files changed, and take them if they can be used.

        Args:
            is_urgent: Look now, even if the last look was a moment ago.

        Returns:
            Whether something new was taken.
        """
        with self._lock:
            now_ms = boot_ms()
            if not is_urgent and now_ms - self._looked_at_ms < _LOOK_EVERY_MS:
                return False
            self._looked_at_ms = now_ms
            try:
                loaded = self._changed()
            except (TlsError, OSError) as error:
                reason = _why(error) if isinstance(error, OSError) else str(error)
                if reason != self._complaint:
                    self._complaint = reason
                    log.warning("certificate_refused", reason=reason)
                return False
            if loaded is None:
                return False
            self._complaint = ""
            self._loaded = loaded
            self.generation += 1
        log.info(
            "certificate_reloaded",
            identity=loaded.certificate.identity.uri,
            not_after=said_at(loaded.certificate.not_after_ms),
        )
        return True

    def _changed(self) -> _Loaded | None:
        """Return the files if they are others than those in use.

        Key and certificate are two files, and one changes first: until both did, they do not
        belong together, and the old ones stay.
        """
        if _stamp(self.paths) == self._loaded.stamp:
            return None
        loaded = _load(self.paths)
        if loaded.certificate.identity != self.identity:
            raise TlsError(
                f"{self.paths.cert} is of {loaded.certificate.identity.uri}; this process is "
                f"{self.identity.uri} until it is started again"
            )
        return loaded

    def server_credentials(self) -> grpc.ServerCredentials:
        """Return credentials that demand a certificate, and follow the files."""
        seen = self.generation

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal seen
            self.refresh()
            if seen == self.generation:
                return None  # as it was
            seen = self.generation
            return self._server_configuration()

        return grpc.dynamic_ssl_server_credentials(
            self._server_configuration(),
            fetch,  # type: ignore[arg-type]  # None means unchanged, which the stub leaves out
            require_client_authentication=True,
        )

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return credentials for one channel, by the files as they are now."""
        self.refresh()
        loaded = self._loaded
        return grpc.ssl_channel_credentials(loaded.ca_pem, loaded.key_pem, loaded.cert_pem)

    def _server_configuration(self) -> grpc.ServerCertificateConfiguration:
        loaded = self._loaded
        return grpc.ssl_server_certificate_configuration(
            [(loaded.key_pem, loaded.cert_pem)], root_certificates=loaded.ca_pem
        )


def open_tls(paths: TlsPaths | None, kind: Kind, name: str, region_id: str = "") -> TlsFiles | None:
    """Return the files of one server of the fleet, checked; None without paths.

    Raises:
        TlsError: They cannot be used, or are somebody else's, or lack the names that clients check.
    """
    if paths is None:
        return None
    tls = TlsFiles(paths)
    wanted = Identity(paths.trust_domain, kind, name, region_id)
    if tls.identity != wanted:
        raise TlsError(f"{paths.cert} is of {tls.identity.uri}; {wanted.uri} is needed here")
    missing = [each for each in wanted.server_names if each not in tls.certificate.dns_names]
    if missing:
        raise TlsError(
            f"{paths.cert} lacks the DNS names {', '.join(missing)}, by which clients know whom "
            "they talk to; have it issued with them"
        )
    return tls


def certificate_expiry_seconds(tls: TlsFiles | None) -> Mapping[str, int]:
    """Return when what is used ends, in seconds since the epoch, by purpose; {} without TLS.

    For ``director_certificate_expiry_timestamp_seconds{purpose}``: ``leaf`` is the certificate of
    this process, ``ca`` the last of the authorities that it trusts.
    """
    if tls is None:
        return {}
    tls.refresh()
    return {"leaf": tls.certificate.not_after_ms // 1_000, "ca": tls.ca_end_ms // 1_000}


class HalfLifeAlarm:
    """Warns once per certificate that is past the half of its life and was not replaced."""

    def __init__(self, tls: TlsFiles) -> None:
        self._tls = tls
        self._warned_at_generation = 0

    def look(self) -> bool:
        """Look; whether it warned just now."""
        self._tls.refresh()
        certificate = self._tls.certificate
        is_due = wall_ms() >= certificate.half_life_at_ms
        if not is_due or self._warned_at_generation == self._tls.generation:
            return False
        self._warned_at_generation = self._tls.generation
        log.warning(
            "certificate_half_life",
            identity=certificate.identity.uri,
            not_after=said_at(certificate.not_after_ms),
        )
        return True


def _load(paths: TlsPaths) -> _Loaded:
    try:
        stamp = _stamp(paths)
        key_pem = _read_key(paths.key)
        cert_pem, ca_pem = (path.read_bytes() for path in (paths.cert, paths.ca))
    except OSError as error:
        raise TlsError(_why(error)) from None
    certificate = read_certificate(cert_pem, trust_domain=paths.trust_domain)
    if isinstance(certificate, IdentityRefused):
        raise TlsError(f"{paths.cert}: {certificate.message}")
    expired = certificate.out_of_date(now_ms=wall_ms())
    if expired is not None:
        raise TlsError(f"{paths.cert}: {expired.message}")
    _check_pair(paths, cert_pem, key_pem)
    try:
        ca_end_ms = latest_end_ms(ca_pem)
    except ValueError:
        raise TlsError(f"{paths.ca} has no certificate of an authority in PEM") from None
    return _Loaded(stamp, cert_pem, key_pem, ca_pem, certificate, ca_end_ms)


def _read_key(path: Path) -> bytes:
    # What is looked at is what is read, even if another file takes its name meanwhile.
    with path.open("rb") as file:
        _check_key_file(path, os.fstat(file.fileno()))
        return file.read()


def _check_key_file(path: Path, found: os.stat_result) -> None:
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise TlsError(
            f"{path} can be read by others (mode {stat.S_IMODE(found.st_mode):04o}); "
            f"run: chmod 0600 {path}"
        )
    if found.st_uid != os.geteuid():
        raise TlsError(
            f"{path} belongs to user {found.st_uid}, and this process runs as {os.geteuid()}; "
            "give the key to this user"
        )


def _check_pair(paths: TlsPaths, cert_pem: bytes, key_pem: bytes) -> None:
    try:
        key = serialization.load_pem_private_key(key_pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise TlsError(f"{paths.key} is not a private key in PEM without a passphrase") from None
    der, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    try:
        of_cert = load_pem_x509_certificate(cert_pem).public_key().public_bytes(der, form)
    except (ValueError, UnsupportedAlgorithm):
        raise TlsError(f"{paths.cert} is for a key of a kind that is not known here") from None
    if key.public_key().public_bytes(der, form) != of_cert:
        raise TlsError(f"{paths.key} does not belong to {paths.cert}")


def _stamp(paths: TlsPaths) -> tuple[tuple[int, int, int], ...]:
    found = (path.stat() for path in (paths.cert, paths.key, paths.ca))
    return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)


def _why(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}"
