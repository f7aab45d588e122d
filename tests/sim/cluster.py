"""The simulated fleet: director replicas, regions with their agents and services, one process."""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import combinations, product

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
from director.routing.table import Endpoint, Location, RegionId, ServiceId, ServiceMode
from tests.sim.checkers.watch import Watch
from tests.sim.clock import NodeClock
from tests.sim.network import Network, NetworkOptions, Plane
from tests.sim.options import Options, ServicePlan
from tests.sim.process import Process
from tests.sim.region import SERVICE, Region
from tests.sim.rejoin import Rejoin
from tests.sim.replica import Replica
from tests.sim.round_trips import round_trips_ms
from tests.sim.schedule import Schedule, Trace
from tests.sim.service import Hosted
from tests.sim.world import World

_RELATIVE_DISTANCE = {
    ("eu-north1", "eu-west1"): 1,
    ("eu-west1", "us-east1"): 2,
    ("eu-north1", "us-east1"): 3,
    ("ap-south1", "eu-west1"): 4,
    ("ap-south1", "eu-north1"): 4,
    ("ap-south1", "us-east1"): 5,
}
_RTO_MS = 60_000


def director_host(region_id: str) -> str:
    """The machine of the director in a region, beside the region's own."""
    return f"{region_id}/director"


def network_options(options: Options) -> NetworkOptions:
    """Delays follow the map, a little different each way."""
    rng = random.Random(f"delays {options.seed}")
    delay_ms = {}
    for one, other in combinations(options.regions, 2):
        for here, there in ((one, other), (other, one)):
            ms = _one_way_ms(options, here, there) + rng.randint(0, 5)
            for pair in product((here, director_host(here)), (there, director_host(there))):
                delay_ms[pair] = ms
    return NetworkOptions(
        delay_ms,
        options.jitter_ms,
        options.loss,
        options.keepalive_ms,
        duplicated=options.duplicated,
        reordered=options.reordered,
        jitter_share=options.jitter_share,
        tcp_timers=options.tcp_timers,
    )


def _one_way_ms(options: Options, here: str, there: str) -> int:
    if options.is_measured:
        return max(1, round(round_trips_ms()[here, there] / 2))
    distance = _RELATIVE_DISTANCE[min(here, there), max(here, there)]
    return 1 + options.base_delay_ms * distance // 2


def topology(options: Options) -> Topology:
    """What is declared: every service in all regions; where a service begins comes first."""
    rng = random.Random(f"priorities {options.seed}")
    # Worlds play many failovers of one service in minutes; damping would end the game at the third.
    policy = Policy(PolicyId("tier0"), min_interval_ms=options.cooldown_ms, flap_half_life_ms=0)
    first = ServicePlan(SERVICE, True, options.first_home, options.rpo_ms)
    regions = tuple(
        RegionSpec(RegionId(name), _place(number), "EU", f"{name}-domain")
        for number, name in enumerate(options.regions)
    )
    plans = sorted((first, *options.services), key=lambda each: each.service_id)
    order_by_id = {
        plan.service_id: _order(plan, options, rng) for plan in plans if not plan.follows_first
    }
    services = tuple(
        _service(
            plan,
            order_by_id[SERVICE if plan.follows_first else plan.service_id],
            options.regions,
            policy,
        )
        for plan in plans
    )
    return Topology("sim", regions, (), services, (policy,))


def _place(number: int) -> Location:
    return Location(10.0 * (number % 9), 10.0 + 10.0 * (number // 9))


def _order(plan: ServicePlan, options: Options, rng: random.Random) -> list[str]:
    """The regions as the service prefers them."""
    others = [each for each in options.regions if each != plan.first_home]
    rng.shuffle(others)
    return [plan.first_home, *others]


def _service(
    plan: ServicePlan, order: list[str], regions: tuple[str, ...], policy: Policy
) -> ServiceSpec:
    preferred = order[: plan.site_count or None]
    sites = tuple(
        SiteSpec(
            RegionId(name),
            priority=order.index(name) if plan.is_active_passive else 0,
            endpoints=(Endpoint(f"{plan.service_id}.{name}:443"),),
        )
        for name in regions
        if name in preferred
    )
    mode = ServiceMode.ACTIVE_PASSIVE if plan.is_active_passive else ServiceMode.ACTIVE_ACTIVE
    rpo_ms = plan.rpo_ms if plan.is_active_passive else None
    service_id = ServiceId(plan.service_id)
    return ServiceSpec(service_id, mode, policy.policy_id, _RTO_MS, rpo_ms, sites)


class Cluster:
    """Everything that runs, and what the scenarios do to it."""

    def __init__(self, options: Options, declared: Topology | None = None) -> None:
        """Build the world of ``options``; ``declared`` replaces the documents drawn from them."""
        schedule = Schedule(options.seed)
        network_rng = random.Random(f"network {options.seed}")
        self.options = options
        self.topology = topology(options) if declared is None else declared
        self.world = World(
            options,
            schedule,
            Trace(schedule),
            Network(schedule, network_options(options), network_rng),
            Watch(clock=lambda: schedule.now_ms),
        )
        self.world.network.coverage = self.world.coverage
        self.world.trace.count(options.describe())
        self.hurt: Counter[str] = Counter()
        """By how many faults each director is kept from its work."""
        self.cut_count = 0
        """Cuts that faults made; each needs a name of its own."""
        self.command_count = 0
        """Commands that operators sent; each needs an id of its own."""
        self.rejoins: list[Rejoin] = []
        """Directors that operators take out and in again."""
        self.clocks = self._clocks()
        domains = {each: f"{region}-domain" for each, region in options.directors}
        self.world.watch.know(domains)
        self.replicas = {
            replica_id: Replica(
                self.world, replica_id, domains, director_host(region), self.clocks[region]
            )
            for replica_id, region in options.directors
        }
        self.hosts = (
            *options.regions,
            *(director_host(each) for _, each in options.directors),
        )
        for replica in self.replicas.values():
            replica.peers = self.replicas
            replica.raft.peers = {each: peer.raft for each, peer in self.replicas.items()}
        self.regions = {
            name: Region(self.world, name, self.clocks[name], self.replicas, self._hosted(name))
            for name in options.regions
        }
        for region in self.regions.values():
            region.regions = region.service.regions = self.regions

    def _hosted(self, region_id: str) -> tuple[Hosted, ...]:
        """The first service, and those beside it that have a site there."""
        drawn = {each.service_id: each for each in topology(self.options).services}
        beside = (
            Hosted(ServiceId(each.service_id), is_guarded=each.is_active_passive)
            for each in self.options.services
            if drawn[ServiceId(each.service_id)].site(RegionId(region_id)) is not None
        )
        return (Hosted(SERVICE), *beside)

    def _clocks(self) -> dict[str, NodeClock]:
        rng = random.Random(f"clocks {self.options.seed}")
        rate_max = self.options.clock_rate_ppm_max
        if rate_max:
            self.world.coverage.hit(15, "all machines")
        return {
            name: NodeClock(
                self.world.schedule, rng.randint(0, 10**9), rng.randint(-rate_max, rate_max)
            )
            for name in self.options.regions
        }

    def start(self) -> None:
        for replica in self.replicas.values():
            replica.start()
        for region in self.regions.values():
            for service in region.services.values():
                service.start()
            region.start()
        self.world.schedule.after(0, self._declare)

    def _declare(self) -> None:
        """Apply the documents, asking again until somebody took them."""
        if any(each.director.state.revision for each in self.replicas.values()):
            return
        leader = self.leader()
        if leader is not None:
            asked = Asked("manifest", "operator", "", ManifestAsked(self.topology, "sim"))
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

    def home(self, service_id: str = SERVICE) -> str | None:
        """Who owns a service, by the newest state anywhere."""
        groups = self.newest().director.state.groups
        return next((each.home for each in groups if each.service_id == service_id), None)

    def busiest_home(self) -> str | None:
        """Who owns most services, by the newest state anywhere; of equals, the first one's."""
        homes = [each.home for each in self.newest().director.state.groups if each.home is not None]
        first = self.home()
        return max(
            sorted(set(homes)), key=lambda each: (homes.count(each), each == first), default=None
        )

    def active_run(self, service_id: str = SERVICE) -> Run | None:
        """A service's run under way, by the newest state anywhere."""
        runs = self.newest().director.state.runs
        return next(
            (each for each in runs if each.is_active and each.service_id == service_id), None
        )

    def can_spare_director(self) -> bool:
        """Whether one more director may be kept from its work, and a quorum is left."""
        hurt_count = sum(count > 0 for count in self.hurt.values())
        return hurt_count < (len(self.replicas) - 1) // 2

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
        self.hurt.clear()
        for replica in self.replicas.values():
            replica.disk.mend()
            replica.revive()
        for region in self.regions.values():
            for service in region.services.values():
                service.is_healthy, service.slow_share = True, 0.0
                _raise(service.process, service.start)
            _raise(region.process, region.start)


def _raise(process: Process, start: Callable[[], None]) -> None:
    if not process.is_up:
        start()
    elif process.is_paused:
        process.resume()
