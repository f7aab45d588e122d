"""Links that lose and delay, and messages that come late or are not what they say (11, 13, 42)."""

import random
from dataclasses import replace
from itertools import product

from director.core.effects import GrantLease
from director.core.inputs import LeaseAsked, Reported
from director.core.observations import AgentReport
from director.core.timing import DEFAULT_TIMING
from director.routing.table import RegionId
from tests.sim.cluster import Cluster
from tests.sim.faults.fault import (
    ACTIVE,
    AGENT,
    ALL,
    DIRECTORS,
    REGIONS,
    Fault,
    region_in_role,
)
from tests.sim.faults.partitions import Cut
from tests.sim.moments import Moment
from tests.sim.wire import agent_input


class BadLinks(Cut, name="links lose and delay", numbers=(11,), roles=(ALL, *DIRECTORS, *REGIONS)):
    """1, 5 or 20 % of packets are sent again, or up to 500 ms are added, at a machine or at all."""

    def can_strike(self, cluster: Cluster) -> bool:
        return bool(self._hosts(cluster))

    def _hosts(self, cluster: Cluster) -> list[str]:
        if self.role == ALL:
            return list(cluster.hosts)
        if self.role in REGIONS:
            region = self.region(cluster)
            return [] if region is None else [str(region.region_id)]
        replica = self.director(cluster)
        return [] if replica is None else [replica.process.host]

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        near = self._hosts(cluster)
        pairs = [(here, there) for here, there in product(near, cluster.hosts) if here != there]
        if rng.random() < 0.6:
            pairs += [pair[::-1] for pair in pairs]
        name, network = self.name_cut(cluster), cluster.world.network
        if rng.random() < 0.5:
            network.lossy(name, pairs, rng.choice([0.01, 0.05, 0.2]))
        else:
            network.slow(name, pairs, rng.choice([50, 200, 500]))
        self.hit(cluster, self.role)


class OldWords(Fault, name="old messages delivered", numbers=(13,), roles=(AGENT,)):
    """What directors said to the agent of a region comes again when two epochs have passed.

    The directive and the lease of the day are kept. A campaign keeps
    this fault for several rounds, until they do.
    """

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self._said: list[tuple[str, str, object]] = []
        self._epoch = 0

    def can_strike(self, cluster: Cluster) -> bool:
        return cluster.home() is not None

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        home = region_in_role(cluster, ACTIVE)
        assert home is not None, "it was asked whether it can"
        replica = cluster.newest()
        self._epoch = _epoch(cluster)
        services = tuple(cluster.regions[home].services)
        for effect in replica.director.directives_for(RegionId(home), services):
            self._said.append((home, replica.replica_id, effect))

        def granted(replica_id: str, what: object) -> bool:
            assert isinstance(what, GrantLease), "only grants are told"
            self._said.append((what.region_id, replica_id, what))
            return len(self._said) < 20 and not self.is_over

        cluster.world.moments.await_next(Moment.LEASE_GRANTED, granted)
        self._wait(cluster)

    def _wait(self, cluster: Cluster) -> None:
        if self.is_over:
            return
        if self._said and _epoch(cluster) >= self._epoch + 2:
            self._deliver(cluster)
            self.hit(cluster, AGENT)
        else:
            cluster.world.schedule.after(500, lambda: self._wait(cluster))

    def _deliver(self, cluster: Cluster) -> None:
        said, self._said = self._said, []
        for region_id, replica_id, what in said:
            region = cluster.regions[region_id]
            given = agent_input(what, replica_id, DEFAULT_TIMING)  # type: ignore[arg-type]
            region.process.post(
                lambda region=region, given=given: region.receive(given),  # type: ignore[misc]
                region.process.incarnation,
            )


class FalseAgent(Fault, name="agent repeats and forges", numbers=(42,), roles=(AGENT,)):
    """Reports and requests of agents come a second time, seconds later, at any director.

    A request for a lease comes in the name of a region that does not own the service, too.
    """

    def can_strike(self, cluster: Cluster) -> bool:
        return cluster.leader() is not None and cluster.home() is not None

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        left = [20, 20]

        def reported(_: str, what: object) -> bool:
            assert isinstance(what, AgentReport), "only reports are told"
            left[0] -= 1
            if rng.random() < 0.2:
                self._repeat(cluster, rng, Reported(what))
            return left[0] > 0 and not self.is_over

        def asked(_: str, what: object) -> bool:
            assert isinstance(what, LeaseAsked), "only requests are told"
            left[1] -= 1
            other = rng.choice(cluster.options.regions)
            forged = replace(what, region_id=RegionId(other))
            self._repeat(cluster, rng, rng.choice([what, forged]))
            return left[1] > 0 and not self.is_over

        cluster.world.moments.await_next(Moment.AGENT_REPORTED, reported)
        cluster.world.moments.await_next(Moment.LEASE_ASKED, asked)

    def _repeat(self, cluster: Cluster, rng: random.Random, said: Reported | LeaseAsked) -> None:
        replica = rng.choice(list(cluster.replicas.values()))
        incarnation = replica.process.incarnation

        def arrive() -> None:
            replica.process.post(take, incarnation)
            self.hit(cluster, AGENT)

        def take() -> None:
            if isinstance(said, LeaseAsked):
                cluster.world.watch.lease_arrived(replica.replica_id, said)
            replica.receive(said)

        cluster.world.schedule.after(rng.choice([1, 500, 3_000, 8_000]), arrive)


FAULTS: tuple[type[Fault], ...] = (BadLinks, OldWords, FalseAgent)


def _epoch(cluster: Cluster) -> int:
    groups = cluster.newest().director.state.groups
    return groups[0].epoch if groups else 0
