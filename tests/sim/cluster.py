"""The simulated fleet: three director replicas and four regions, in one process."""

import random
from collections.abc import Iterable
from itertools import product

from director.core.ids import PolicyId
from director.core.inputs import Asked, ManifestAsked
from director.core.state import Run
from director.core.topology import (
    Policy,
    RegionSpec,
    ServiceSpec,
    SiteSpec,
    Topology,
)
from director.routing.table import Endpoint, Location, RegionId, ServiceMode
from tests.sim.checkers.watch import Watch
from tests.sim.clock import NodeClock
from tests.sim.network import Network, NetworkOptions, Plane
from tests.sim.options import DIRECTOR_REGIONS, REGIONS, Options
from tests.sim.region import SERVICE, Region
from tests.sim.replica import Replica
from tests.sim.schedule import Schedule, Trace
from tests.sim.world import World

_RELATIVE_DISTANCE = {
    ("eu-north1", "eu-west1"): 1,
    ("eu-west1", "us-east1"): 2,
    ("eu-north1", "us-east1"): 3,
    ("ap-south1", "eu-west1"): 4,
    ("ap-south1", "eu-north1"): 4,
    ("ap-south1", "us-east1"): 5,
}
_COOLDOWN_MS = 3_000


def director_host(region_id: str) -> str:
    """The machine of the director in a region, beside the region's own."""
    return f"{region_id}/director"


def network_options(options: Options) -> NetworkOptions:
    """Delays follow the map, a little different each way."""
    rng = random.Random(f"delays {options.seed}")
    delay_ms = {}
    for (one, other), distance in _RELATIVE_DISTANCE.items():
        for here, there in ((one, other), (other, one)):
            ms = 1 + options.base_delay_ms * distance // 2 + rng.randint(0, 5)
            for pair in product((here, director_host(here)), (there, director_host(there))):
                delay_ms[pair] = ms
    return NetworkOptions(delay_ms, options.jitter_ms, options.loss, options.keepalive_ms)


def topology(options: Options) -> Topology:
    """One active-passive service in all regions; the seed's first home comes first."""
    others = [each for each in REGIONS if each != options.first_home]
    random.Random(f"priorities {options.seed}").shuffle(others)
    priorities = {name: number for number, name in enumerate((options.first_home, *others))}
    sites = tuple(
        SiteSpec(
            RegionId(name),
            priority=priorities[name],
            endpoints=(Endpoint(f"chat.{name}:443"),),
        )
        for name in REGIONS
    )
    policy = Policy(PolicyId("tier0"), min_interval_ms=_COOLDOWN_MS)
    service = ServiceSpec(
        SERVICE, ServiceMode.ACTIVE_PASSIVE, policy.policy_id, 60_000, options.rpo_ms, sites
    )
    regions = tuple(
        RegionSpec(RegionId(name), Location(10.0 * number, 10.0), "EU", f"{name}-domain")
        for number, name in enumerate(REGIONS)
    )
    return Topology("sim", regions, (), (service,), (policy,))


class Cluster:
    """Everything that runs, and what the scenarios do to it."""

    def __init__(self, options: Options) -> None:
        schedule = Schedule(options.seed)
        network_rng = random.Random(f"network {options.seed}")
        self.options = options
        self.world = World(
            options,
            schedule,
            Trace(schedule),
            Network(schedule, network_options(options), network_rng),
            Watch(),
        )
        self.world.trace.count(options.describe())
        clocks = self._clocks()
        domains = {each: f"{region}-domain" for each, region in DIRECTOR_REGIONS.items()}
        self.replicas = {
            replica_id: Replica(
                self.world, replica_id, domains, director_host(region), clocks[region]
            )
            for replica_id, region in DIRECTOR_REGIONS.items()
        }
        self.hosts = (*REGIONS, *(director_host(each) for each in DIRECTOR_REGIONS.values()))
        for replica in self.replicas.values():
            replica.peers = self.replicas
            replica.raft.peers = {each: peer.raft for each, peer in self.replicas.items()}
        self.regions = {
            name: Region(self.world, name, clocks[name], self.replicas) for name in REGIONS
        }
        for region in self.regions.values():
            region.regions = region.service.regions = self.regions

    def _clocks(self) -> dict[str, NodeClock]:
        rng = random.Random(f"clocks {self.options.seed}")
        rate_max = self.options.clock_rate_ppm_max
        return {
            name: NodeClock(
                self.world.schedule, rng.randint(0, 10**9), rng.randint(-rate_max, rate_max)
            )
            for name in REGIONS
        }

    def start(self) -> None:
        for replica in self.replicas.values():
            replica.start()
        for region in self.regions.values():
            region.service.start()
            region.start()
        self.world.schedule.after(0, self._declare)

    def _declare(self) -> None:
        """Apply the documents, asking again until somebody took them."""
        if any(each.director.state.revision for each in self.replicas.values()):
            return
        leader = self.leader()
        if leader is not None:
            asked = Asked("manifest", "operator", "", ManifestAsked(topology(self.options), "sim"))
            leader.receive(asked)
        self.world.schedule.after(200, self._declare)

    # -- questions ---------------------------------------------------------------------------------

    def leader(self) -> Replica | None:
        """The leader of the highest term, which is the one that counts."""
        leading = [each for each in self.replicas.values() if each.leads]
        return max(leading, key=lambda each: each.raft.node.term, default=None)

    def newest(self) -> Replica:
        """The replica that applied most."""
        return max(
            self.replicas.values(), key=lambda each: (each.director.state.applied_index, each.leads)
        )

    def home(self) -> str | None:
        """Who owns the service, by the newest state anywhere."""
        groups = self.newest().director.state.groups
        return groups[0].home if groups else None

    def active_run(self) -> Run | None:
        """The run under way, by the newest state anywhere."""
        state = self.newest().director.state
        return next((run for run in state.runs if run.is_active), None)

    def director_in(self, region_id: str) -> Replica | None:
        """The replica of a region, if it has one."""
        host = director_host(region_id)
        return next((each for each in self.replicas.values() if each.process.host == host), None)

    def cut(
        self, name: str, side: set[str], planes: Iterable[Plane], *, outward: bool, inward: bool
    ) -> None:
        """Cut some machines off from all others, one way or both, under a name to mend it by."""
        near = [each for each in self.hosts if each in side]
        far = [each for each in self.hosts if each not in side]
        pairs = [*product(near, far)] if outward else []
        pairs += product(far, near) if inward else ()
        self.world.network.cut(name, pairs, planes)

    def heal(self) -> None:
        """End every fault: mend the network, start and resume whatever stands still."""
        self.world.network.heal()
        for replica in self.replicas.values():
            if not replica.process.is_up:
                replica.start()
            elif replica.process.is_paused:
                replica.process.resume()
        for region in self.regions.values():
            region.service.is_healthy = True
            for process, start in (
                (region.service.process, region.service.start),
                (region.process, region.start),
            ):
                if not process.is_up:
                    start()
                elif process.is_paused:
                    process.resume()
