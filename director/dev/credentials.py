"""Certificates of a sample fleet: made on the fly, beside its data, worth nothing elsewhere."""

from __future__ import annotations

from pathlib import Path

from director.dev.plan import FleetPlan
from director.runtime.identity import Identity, Kind
from director.runtime.pki import CA_CERT, Authority
from director.runtime.tls import TlsFiles, TlsPaths

TRUST_DOMAIN = "dev"
OPERATOR = Identity(TRUST_DOMAIN, Kind.OPERATOR, "dev")
# The clients of `director dev`: who writes, resolves and watches.
CLIENT = Identity(TRUST_DOMAIN, Kind.CLIENT, "traffic")


class Credentials:
    """An authority of the fleet's own, and everybody's certificate.

    Attributes:
        roles: File that lets the operator do everything.

    Raises:
        PkiError: The directory has an authority that cannot be used.
        OSError: The disk refuses.
    """

    def __init__(self, plan: FleetPlan, directory: Path) -> None:
        is_kept = (directory / CA_CERT).exists()
        authority = Authority(directory) if is_kept else Authority.make(directory, TRUST_DOMAIN)
        everybody = [OPERATOR, CLIENT]
        everybody += [director_identity(each.replica_id) for each in plan.replicas]
        for region in plan.regions:
            everybody += [agent_identity(region.region_id), sample_identity(region.region_id)]
        self._paths: dict[Identity, TlsPaths] = {}
        for identity in everybody:
            # Kept ones may have expired since the fleet last ran.
            issued = authority.issue(identity, is_renewal=True)
            self._paths[identity] = TlsPaths(issued.cert, issued.key, authority.ca, TRUST_DOMAIN)
        self.roles = directory / "roles.yaml"
        self.roles.write_text(f"operators:\n  {OPERATOR.uri}: [admin, dataloss]\n", "utf-8")

    def paths(self, identity: Identity) -> TlsPaths:
        """Return where somebody's files are."""
        return self._paths[identity]

    def flags(self, identity: Identity) -> list[str]:
        """Return the flags that name somebody's files."""
        paths = self._paths[identity]
        flags = ["--tls-cert", str(paths.cert), "--tls-key", str(paths.key)]
        return [*flags, "--tls-ca", str(paths.ca), "--trust-domain", paths.trust_domain]

    def opened(self, identity: Identity) -> TlsFiles:
        """Return somebody's files, read."""
        return TlsFiles(self._paths[identity])


def director_identity(replica_id: str) -> Identity:
    """Return who a replica of a sample fleet is."""
    return Identity(TRUST_DOMAIN, Kind.DIRECTOR, replica_id)


def agent_identity(region_id: str) -> Identity:
    """Return who the agent of a region of a sample fleet is."""
    return Identity(TRUST_DOMAIN, Kind.AGENT, f"{region_id}-agent", region_id)


def sample_identity(region_id: str) -> Identity:
    """Return who the sample services of a region are, when they ask for their gate."""
    return Identity(TRUST_DOMAIN, Kind.CLIENT, f"{region_id}-sample")
