"""Identities and certificates of test fleets, made on the fly."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from director.runtime.identity import Identity, Kind
from director.runtime.pki import CA_CERT, CA_KEY, Authority
from director.runtime.tls import TlsFiles, TlsPaths

_T = TypeVar("_T")
TRUST_DOMAIN = "test"
OPERATOR = Identity(TRUST_DOMAIN, Kind.OPERATOR, "root")
"""May do everything in the roles file of a test fleet."""
ON_CALL = Identity(TRUST_DOMAIN, Kind.OPERATOR, "on-call")
"""May move services, and lose nothing by it."""
ONLOOKER = Identity(TRUST_DOMAIN, Kind.OPERATOR, "onlooker")
"""Is in no roles file."""
CLIENT = Identity(TRUST_DOMAIN, Kind.CLIENT, "app")


def a_director(replica_id: str) -> Identity:
    return Identity(TRUST_DOMAIN, Kind.DIRECTOR, replica_id)


def an_agent(region_id: str) -> Identity:
    return Identity(TRUST_DOMAIN, Kind.AGENT, f"{region_id}-agent", region_id)


class FleetPki:
    """An authority in a directory, with a certificate for whoever is asked for."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority.make(directory, TRUST_DOMAIN)
        self.roles = directory / "roles.yaml"
        self.roles.write_text(
            f"operators:\n  {OPERATOR.uri}: [admin, dataloss]\n  {ON_CALL.uri}: [failover]\n"
        )
        self._paths: dict[Identity, TlsPaths] = {}
        self._tls: dict[Identity, TlsFiles] = {}

    def paths(self, who: Identity) -> TlsPaths:
        """Where the certificate of ``who`` is, made at need."""
        if who not in self._paths:
            issued = self.authority.issue(who)
            self._paths[who] = TlsPaths(
                issued.cert, issued.key, self.authority.ca, self.authority.trust_domain
            )
        return self._paths[who]

    def tls(self, who: Identity) -> TlsFiles:
        """Its files, read."""
        if who not in self._tls:
            self._tls[who] = TlsFiles(self.paths(who))
        return self._tls[who]

    def short(self, who: Identity, seconds: float) -> TlsFiles:
        """The files of a certificate that ends ``seconds`` from now."""
        issued = self.authority.issue(who, lifetime=timedelta(seconds=seconds), is_renewal=True)
        domain = self.authority.trust_domain
        return TlsFiles(TlsPaths(issued.cert, issued.key, self.authority.ca, domain))


async def as_the_server_said(attempt: Callable[[], Awaitable[_T]]) -> _T:
    """Repeat a stream until its end is the server's word and not this side's own.

    A write that comes after the server ended the stream makes gRPC forget how it ended (INTERNAL).
    """
    for _ in range(20):
        try:
            return await attempt()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.INTERNAL:
                raise
    raise AssertionError("the server's word was lost each time")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both PEM."""

    cert: bytes
    key: bytes


def forged(
    signer: Path,
    uris: Sequence[str],
    *,
    is_authority: bool = False,
    signs: bool = False,
    dns_names: Sequence[str] = (),
    san_der: bytes = b"",
    begins_in: timedelta = timedelta(minutes=-5),
    ends_in: timedelta = timedelta(hours=1),
) -> Pair:
    """A certificate such as no careful authority gives, signed by the one in ``signer``.

    ``san_der``: its names as they are encoded, in place of ``uris`` and ``dns_names``.
    """
    ca = x509.load_pem_x509_certificate((signer / CA_CERT).read_bytes())
    ca_key: Any = serialization.load_pem_private_key((signer / CA_KEY).read_bytes(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(each) for each in uris]
    names += [x509.DNSName(each) for each in dns_names]
    now = datetime.now(UTC)  # noqa: TID251 - certificates are about the wall clock
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "forged")]))
        .issuer_name(ca.subject)
        .serial_number(x509.random_serial_number())
        .public_key(key.public_key())
        .not_valid_before(now + begins_in)
        .not_valid_after(now + ends_in)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=signs or is_authority,
                crl_sign=False,
                **usage,
            ),
            critical=True,
        )
    )
    signer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    builder = builder.add_extension(signer_id, critical=False)
    if san_der:
        oid = x509.SubjectAlternativeName.oid
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, san_der), critical=False)
    elif names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Pair(
        builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
