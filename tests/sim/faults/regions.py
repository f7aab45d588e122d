"""Services that fail while their agents are well (faults 27, 28, 32)."""

import random

from tests.sim.cluster import Cluster
from tests.sim.faults.fault import ALL, REGIONS, Fault
from tests.sim.faults.processes import services_of
from tests.sim.region import Region


class FailServices(Fault, name="services fail", numbers=(27,), roles=REGIONS):
    """The services of a region answer with errors; the agent is green."""

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self._region: Region | None = None

    def can_strike(self, cluster: Cluster) -> bool:
        region = self.region(cluster)
        return region is not None and all(each.is_healthy for each in services_of(region))

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        self._region = self.region(cluster)
        assert self._region is not None, "it was asked whether it can"
        for service in services_of(self._region):
            service.is_healthy = False
        self.hit(cluster, self.role)

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        if self._region is not None:
            for service in services_of(self._region):
                service.is_healthy = True


class SlowServices(Fault, name="services slow", numbers=(28,), roles=REGIONS):
    """30 % of the requests to a region's services are answered ten times slower."""

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self._region: Region | None = None

    def can_strike(self, cluster: Cluster) -> bool:
        return self.region(cluster) is not None

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        self._region = self.region(cluster)
        assert self._region is not None, "it was asked whether it can"
        for service in services_of(self._region):
            service.slow_share = 0.3
        self.hit(cluster, self.role)

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        if self._region is not None:
            for service in services_of(self._region):
                service.slow_share = 0.0


class FailEverywhere(Fault, name="all regions unhealthy", numbers=(32,), roles=(ALL,)):
    """The services of all regions fail at once: nobody is better, so nobody is chosen."""

    def can_strike(self, cluster: Cluster) -> bool:
        return True

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        for region in cluster.regions.values():
            for service in services_of(region):
                service.is_healthy = False
        self.hit(cluster, ALL)

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        for region in cluster.regions.values():
            for service in services_of(region):
                service.is_healthy = True


FAULTS: tuple[type[Fault], ...] = (FailServices, SlowServices)
FLEET_FAULTS: tuple[type[Fault], ...] = (FailEverywhere,)
