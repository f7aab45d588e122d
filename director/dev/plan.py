"""Which processes make up the fleet, and on which ports."""

import socket
from dataclasses import dataclass

_PORTS_PER_FLEET = 60
# Below the range from which the kernel hands out ports to clients on Linux (32768 and up).
_PORT_MAX = 32_000
# More watchers than replicas, so that each replica has some and a lost one moves its own.
WATCHER_COUNT = 12


@dataclass(frozen=True, slots=True)
class ReplicaPlan:
    """One director replica, and the region whose loss takes it along."""

    replica_id: str
    region_id: str
    failure_domain: str
    api: str
    peer: str
    http: str


@dataclass(frozen=True, slots=True)
class RegionPlan:
    """One region: an agent and the sample services. ``embed`` is "" where embed has no site."""

    region_id: str
    agent_grpc: str
    agent_http: str
    chat: str
    embed: str


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """The whole fleet."""

    fleet_id: str
    port_base: int
    replicas: tuple[ReplicaPlan, ...]
    regions: tuple[RegionPlan, ...]

    def region(self, region_id: str) -> RegionPlan:
        """Return the region's plan; KeyError if there is none."""
        for each in self.regions:
            if each.region_id == region_id:
                return each
        raise KeyError(region_id)

    @property
    def api_addresses(self) -> tuple[str, ...]:
        """Where the directors answer, in order of their names."""
        return tuple(each.api for each in self.replicas)


_REPLICAS = (
    ("d0", "eu-west1", "eu-a"),
    ("d1", "eu-north1", "eu-b"),
    ("d2", "us-east1", "us-a"),
)
_REGIONS = ("eu-west1", "eu-north1", "us-east1", "ap-south1")
_REGIONS_WITHOUT_EMBED = ("eu-north1",)


def plan_fleet(port_base: int) -> FleetPlan:
    """Lay the sample fleet out from ``port_base`` on, within 60 ports."""
    replicas = tuple(
        ReplicaPlan(
            replica_id,
            region_id,
            failure_domain,
            api=f"127.0.0.1:{port_base + 3 * number}",
            peer=f"127.0.0.1:{port_base + 3 * number + 1}",
            http=f"127.0.0.1:{port_base + 3 * number + 2}",
        )
        for number, (replica_id, region_id, failure_domain) in enumerate(_REPLICAS)
    )
    regions = []
    for number, region_id in enumerate(_REGIONS):
        first = port_base + 20 + 10 * number
        embed = "" if region_id in _REGIONS_WITHOUT_EMBED else f"127.0.0.1:{first + 3}"
        regions.append(
            RegionPlan(
                region_id,
                agent_grpc=f"127.0.0.1:{first}",
                agent_http=f"127.0.0.1:{first + 1}",
                chat=f"127.0.0.1:{first + 2}",
                embed=embed,
            )
        )
    return FleetPlan("dev", port_base, replicas, tuple(regions))


def free_port_base(wanted: int) -> int:
    """Return the first base at or after ``wanted`` from which all 60 ports are free.

    Raises:
        OSError: There is none below 32000.
    """
    for base in range(wanted, _PORT_MAX - _PORTS_PER_FLEET, _PORTS_PER_FLEET):
        if all(_is_free(port) for port in _ports(base)):
            return base
    raise OSError(f"no {_PORTS_PER_FLEET} free ports in a row between {wanted} and {_PORT_MAX}")


def _ports(base: int) -> list[int]:
    plan = plan_fleet(base)
    addresses = [address for each in plan.replicas for address in (each.api, each.peer, each.http)]
    for region in plan.regions:
        addresses += [region.agent_grpc, region.agent_http, region.chat, region.embed]
    return [int(address.rsplit(":", 1)[1]) for address in addresses if address]


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
