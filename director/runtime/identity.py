"""Who is at the other end: the SPIFFE identity in a certificate, and nothing else.

Never the common name, metadata or the address. Pure: text and values in, an identity or a typed
refusal out; ``director.runtime.certificates`` reads them out of a certificate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_SCHEME = "spiffe://"
# Those of a host name, so that the trust domain can stand in a DNS name too.
_TRUST_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_AGENT_STEPS = 4
_NAMED_STEPS = 2
# SPIFFE allows 2048 bytes; ours have two names of 63 characters and a trust domain.
URI_CHARS_MAX = 256


class Kind(StrEnum):
    """What sort of party an identity is."""

    AGENT = "agent"
    DIRECTOR = "director"
    OPERATOR = "operator"
    CLIENT = "client"


class IdentityFault(StrEnum):
    """Why a certificate names nobody."""

    NO_CERTIFICATE = "NO_CERTIFICATE"
    UNREADABLE = "UNREADABLE"
    URI_COUNT = "URI_COUNT"
    AUTHORITY = "AUTHORITY"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    NOT_SPIFFE = "NOT_SPIFFE"
    TRUST_DOMAIN = "TRUST_DOMAIN"
    PATH = "PATH"


@dataclass(frozen=True, slots=True)
class IdentityRefused:
    """A certificate that names nobody here, and what to do about it."""

    fault: IdentityFault
    message: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody.

    Attributes:
        name: Of the agent, director, operator or client.
        region_id: Of an agent; "" for everybody else.
    """

    trust_domain: str
    kind: Kind
    name: str
    region_id: str = ""

    @property
    def uri(self) -> str:
        """The SPIFFE id, as it stands in certificates, logs and the audit trail."""
        base = f"{_SCHEME}{self.trust_domain}"
        if self.kind is Kind.AGENT:
            return f"{base}/region/{self.region_id}/agent/{self.name}"
        return f"{base}/{self.kind}/{self.name}"

    @property
    def server_name(self) -> str:
        """The DNS name by which a client knows exactly this server."""
        if self.kind is Kind.AGENT:
            return f"{self.name}.{self.region_id}.agent.{self.trust_domain}"
        return f"{self.name}.{self.kind}.{self.trust_domain}"

    @property
    def server_names(self) -> tuple[str, ...]:
        """The DNS names of its certificate; none for who serves nothing.

        A client that does not care which director answers asks for ``director.<trust domain>``: no
        agent's certificate has it, so an agent cannot pass itself off as a director.
        """
        if self.kind not in (Kind.AGENT, Kind.DIRECTOR):
            return ()
        names = [role_name(self.kind, self.trust_domain), self.server_name]
        if self.kind is Kind.AGENT:
            names.insert(1, region_name(self.kind, self.region_id, self.trust_domain))
        return tuple(names)


def role_name(kind: Kind, trust_domain: str) -> str:
    """Return the DNS name that every server of this kind has."""
    return f"{kind}.{trust_domain}"


def region_name(kind: Kind, region_id: str, trust_domain: str) -> str:
    """Return the DNS name that every server of this kind has in one region."""
    return f"{region_id}.{kind}.{trust_domain}"


def check_trust_domain(text: str) -> str:
    """Return the trust domain, if it can be one.

    Raises:
        ValueError: It cannot stand in a SPIFFE id and in a host name.
    """
    if not _TRUST_DOMAIN.fullmatch(text):
        raise ValueError(
            f"{text[:70]!r} is not a trust domain: lower-case letters, digits, '-' and '.', "
            "such as prod.example"
        )
    return text


def parse_identity(uri: str, *, trust_domain: str) -> Identity | IdentityRefused:
    """Return whom a SPIFFE id names, or why it names nobody of this trust domain."""
    if not uri.startswith(_SCHEME) or len(uri) > URI_CHARS_MAX:
        return IdentityRefused(
            IdentityFault.NOT_SPIFFE,
            f"{uri[:URI_CHARS_MAX]!r} is not a SPIFFE id, such as spiffe://prod/operator/alice",
        )
    domain, _, path = uri.removeprefix(_SCHEME).partition("/")
    if domain != trust_domain:
        return IdentityRefused(
            IdentityFault.TRUST_DOMAIN,
            f"{uri!r} is not of the trust domain {trust_domain!r}",
        )
    steps = path.split("/")
    if all(_NAME.fullmatch(step) for step in steps):
        match steps:
            case ["region", region_id, "agent", name] if len(steps) == _AGENT_STEPS:
                return Identity(domain, Kind.AGENT, name, region_id)
            case ["director" | "operator" | "client" as kind, name] if len(steps) == _NAMED_STEPS:
                return Identity(domain, Kind(kind), name)
            case _:
                pass
    return IdentityRefused(
        IdentityFault.PATH,
        f"{uri!r} names nobody; a path is /region/REGION/agent/NAME, /director/NAME, "
        "/operator/NAME or /client/NAME",
    )
