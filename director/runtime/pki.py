"""A certificate authority for development: keys on disk, certificates by hand.

Not for production: nothing is revoked, and whoever reads the directory can be anybody. Its
certificates have the form that a production authority (SPIRE, a company's own) must give them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from director.runtime.certificates import Certificate, read_certificate
from director.runtime.clock import wall_ms
from director.runtime.identity import Identity

CA_CERT = "ca.pem"
CA_KEY = "ca-key.pem"
_TRUST_DOMAIN_FILE = "trust-domain"
CA_DAYS = 365
LEAF_DAYS = 30
# The clocks of a fleet differ a little: a certificate made now counts a minute ago as well.
_SKEW = timedelta(minutes=1)


class PkiError(Exception):
    """Nothing was made. The message says why."""


@dataclass(frozen=True, slots=True)
class Issued:
    """Where a certificate and its key are."""

    cert: Path
    key: Path


class Authority:
    """The authority in one directory."""

    def __init__(self, directory: Path) -> None:
        """Open it.

        Raises:
            PkiError: There is none in this directory, or it cannot be read.
        """
        self.directory = directory
        self.ca = directory / CA_CERT
        try:
            self.trust_domain = (directory / _TRUST_DOMAIN_FILE).read_text("utf-8").strip()
            self._cert = x509.load_pem_x509_certificate(self.ca.read_bytes())
            key = serialization.load_pem_private_key((directory / CA_KEY).read_bytes(), None)
        except OSError as error:
            raise PkiError(
                f"there is no authority in {directory} ({error.strerror}: {error.filename}); "
                "make one with `director pki init`"
            ) from None
        except ValueError as error:
            raise PkiError(f"the authority in {directory} cannot be read: {error}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise PkiError(f"{directory / CA_KEY} is not a key that `director pki init` makes")
        self._key = key

    @staticmethod
    def make(directory: Path, trust_domain: str, *, days: int = CA_DAYS) -> Authority:
        """Make a new authority in ``directory``, which is made if need be.

        Raises:
            PkiError: There is one already: what it signed would be worth nothing.
            OSError: The disk refuses.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = [name for name in (CA_CERT, CA_KEY) if (directory / name).exists()]
        if taken:
            raise PkiError(f"{directory / taken[0]} is there already; choose another directory")
        key = ec.generate_private_key(ec.SECP256R1())
        name = _common_name(f"{trust_domain} development authority")
        cert = (
            _dated(timedelta(days=days))
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(is_authority=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        _write(directory / CA_KEY, _key_pem(key), mode=0o600)
        _write(directory / CA_CERT, cert.public_bytes(serialization.Encoding.PEM), mode=0o644)
        _write(directory / _TRUST_DOMAIN_FILE, f"{trust_domain}\n".encode(), mode=0o644)
        return Authority(directory)

    def issue(
        self,
        identity: Identity,
        *,
        lifetime: timedelta = timedelta(days=LEAF_DAYS),
        is_renewal: bool = False,
    ) -> Issued:
        """Make a key and a certificate for ``identity`` in this directory.

        Args:
            identity: Whom it names.
            lifetime: From now on; never past the authority's own end.
            is_renewal: Replace the files that are there, key first, each whole.

        Raises:
            PkiError: They are there already, or are another's, or the authority has ended.
            OSError: The disk refuses.
        """
        stem = "-".join(filter(None, (identity.kind.value, identity.region_id, identity.name)))
        issued = Issued(self.directory / f"{stem}.pem", self.directory / f"{stem}-key.pem")
        self._check_free(issued, identity, is_renewal=is_renewal)
        key = ec.generate_private_key(ec.SECP256R1())
        cert = self.signed(key.public_key(), identity, lifetime=lifetime)
        _write(issued.key, _key_pem(key), mode=0o600, is_replacing=is_renewal)
        pem = cert.public_bytes(serialization.Encoding.PEM)
        _write(issued.cert, pem, mode=0o644, is_replacing=is_renewal)
        return issued

    def _check_free(self, issued: Issued, identity: Identity, *, is_renewal: bool) -> None:
        """Refuse to write over what is somebody else's: two identities may share a file name.

        Raises:
            PkiError: The files are there, and are not to be renewed or not of this identity.
        """
        there = [path for path in (issued.cert, issued.key) if path.exists()]
        if there and not is_renewal:
            raise PkiError(f"{there[0]} is there already; give --renew to replace it")
        for path in there:
            pem = path.read_bytes()
            found = read_certificate(pem, trust_domain=self.trust_domain)
            # A damaged certificate may be replaced; another's, or a key in its place, may not.
            is_other = b" PRIVATE KEY" in pem
            if path == issued.key:
                is_other = b" CERTIFICATE" in pem
            elif isinstance(found, Certificate):
                is_other = found.identity != identity
            if is_other:
                raise PkiError(f"{path} is not of {identity.uri}; take another name or directory")

    def signed(
        self, key: ec.EllipticCurvePublicKey, identity: Identity, *, lifetime: timedelta
    ) -> x509.Certificate:
        """Return a certificate that says that whoever has ``key`` is ``identity``.

        Raises:
            PkiError: The authority has ended.
        """
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(identity.uri)]
        names += [x509.DNSName(name) for name in identity.server_names]
        end = min(_now() + lifetime, self._cert.not_valid_after_utc)
        if end <= _now():
            raise PkiError(
                f"the authority in {self.directory} ended at "
                f"{self._cert.not_valid_after_utc.isoformat()}; make a new one"
            )
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if identity.server_names:  # nobody else may answer as a server
            uses.append(ExtendedKeyUsageOID.SERVER_AUTH)
        return (
            _dated(end - _now())
            .subject_name(_common_name(f"{identity.kind.value} {identity.name}"))
            .issuer_name(self._cert.subject)
            .public_key(key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(is_authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            # While two authorities of one name are trusted, this tells which of them signed.
            .add_extension(_signed_by(self._key.public_key()), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _now() -> datetime:
    return datetime.fromtimestamp(wall_ms() // 1_000, tz=UTC)


def _dated(lifetime: timedelta) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _SKEW)
        .not_valid_after(_now() + lifetime)
    )


def _common_name(text: str) -> x509.Name:
    # For people only. gRPC takes it for the name of a server that has no DNS name, which everybody
    # but a server lacks: two words can be no host's name, whatever the first holder is called.
    assert " " in text, "one word could be the DNS name of a director"
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _signed_by(key: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes, *, mode: int, is_replacing: bool = False) -> None:
    """Write a file whose mode is right from the first byte on."""
    target = path.with_name(f".{path.name}.{os.getpid()}") if is_replacing else path
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
    if is_replacing:
        target.replace(path)
