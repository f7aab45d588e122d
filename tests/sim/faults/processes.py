"""Processes and machines that end, stop, or are starved of time (faults 1-4, 21, 29-31, 33)."""

import random
from typing import ClassVar

from tests.sim.cluster import Cluster
from tests.sim.faults.fault import (
    AGENT,
    ALL,
    DIRECTORS,
    REGIONS,
    Fault,
    director_role,
)
from tests.sim.process import Process
from tests.sim.region import Region
from tests.sim.replica import Replica
from tests.sim.service import Service


class KillDirector(Fault, name="director killed", numbers=(1,), roles=DIRECTORS):
    """kill -9; what was not synced is lost. It starts again when the fault is mended."""

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self._replica: Replica | None = None

    def can_strike(self, cluster: Cluster) -> bool:
        return self.director(cluster) is not None

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        replica = self.director(cluster)
        assert replica is not None, "it was asked whether it can"
        role = director_role(cluster, replica)
        self._replica = replica
        self.hurts(cluster, replica)
        replica.kill()
        self.hit(cluster, role)

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        if self._replica is not None and not self._replica.process.is_up:
            self._replica.start()


class PauseDirector(Fault, name="director paused", numbers=(3,), roles=DIRECTORS):
    """SIGSTOP, then SIGCONT when mended. The machine answers for it; its clock goes on."""

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self._paused: _Paused | None = None

    def can_strike(self, cluster: Cluster) -> bool:
        return self.director(cluster) is not None

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        replica = self.director(cluster)
        assert replica is not None, "it was asked whether it can"
        role = director_role(cluster, replica)
        self.hurts(cluster, replica)
        self._paused = _Paused(cluster, replica.process)
        self.hit(cluster, role)

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        if self._paused is not None:
            self._paused.go_on()


class SuspendDirector(PauseDirector, name="director suspended", numbers=(4,)):
    """Its virtual machine is suspended: nothing answers, and on resume its clock has jumped."""

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        super().strike(cluster, rng)
        assert self._paused is not None, "it struck"
        cluster.world.network.darken(self._paused.process.host)

    def mend(self, cluster: Cluster) -> None:
        if self._paused is not None:
            cluster.world.network.lighten(self._paused.process.host)
        super().mend(cluster)


class KillAllDirectors(Fault, name="all directors killed", numbers=(2, 33), roles=(ALL,)):
    """All at once; those of them that are up. They start again when mended, one after the other."""

    def can_strike(self, cluster: Cluster) -> bool:
        return not any(cluster.hurt.values())

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        for replica in cluster.replicas.values():
            self.hurts(cluster, replica)
            if replica.process.is_up:
                replica.kill()
        self.hit(cluster, ALL)

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        for replica in cluster.replicas.values():
            if not replica.process.is_up:
                replica.start()


class LoseQuorum(Fault, name="quorum lost", numbers=(33,), roles=(ALL,)):
    """A majority of the directors ends; those that are left may do nothing (A8)."""

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self._killed: list[Replica] = []

    def can_strike(self, cluster: Cluster) -> bool:
        return not any(cluster.hurt.values())

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        replicas = list(cluster.replicas.values())
        self._killed = rng.sample(replicas, len(replicas) // 2 + 1)
        for replica in self._killed:
            self.hurts(cluster, replica)
            if replica.process.is_up:
                replica.kill()
        self.hit(cluster, ALL)

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        for replica in self._killed:
            if not replica.process.is_up:
                replica.start()


class KillAgents(Fault, name="agents of a region killed", numbers=(30,), roles=REGIONS):
    """The agents of a region end, the service does not."""

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self._region: Region | None = None

    def can_strike(self, cluster: Cluster) -> bool:
        region = self.region(cluster)
        return region is not None and region.process.is_up

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        self._region = self.region(cluster)
        assert self._region is not None, "it was asked whether it can"
        self._region.kill()
        self.hit(cluster, self.role)

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        if self._region is not None and not self._region.process.is_up:
            self._region.start()


class RestartAgent(KillAgents, name="agent restarted", numbers=(1,)):
    """An agent ends and starts again at once."""

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        super().strike(cluster, rng)
        cluster.world.coverage.hit(1, AGENT)
        cluster.world.schedule.after(rng.choice([1, 100, 1_000]), lambda: self._again(cluster))

    def _again(self, cluster: Cluster) -> None:
        if not self.is_over:
            self.mend(cluster)


class KillService(Fault, name="services of a region killed", numbers=(1,), roles=REGIONS):
    """The services of a region end; the agent is there to say so."""

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self._region: Region | None = None

    def can_strike(self, cluster: Cluster) -> bool:
        region = self.region(cluster)
        return region is not None and any(each.process.is_up for each in services_of(region))

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        self._region = self.region(cluster)
        assert self._region is not None, "it was asked whether it can"
        for service in services_of(self._region):
            service.process.kill()
        self.hit(cluster, self.role)

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        if self._region is not None:
            start_services(self._region)


class PauseRegion(Fault, name="region paused", numbers=(3,), roles=REGIONS):
    """All processes of a region are stopped, for a short time or beyond the lease, and go on."""

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self._paused: list[_Paused] = []

    def can_strike(self, cluster: Cluster) -> bool:
        region = self.region(cluster)
        return region is not None and region.process.is_up and not region.process.is_paused

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        region = self.region(cluster)
        assert region is not None, "it was asked whether it can"
        self._paused = [_Paused(cluster, each) for each in self._processes(region)]
        self.hit(cluster, self.role)

    def _processes(self, region: Region) -> list[Process]:
        services = [each.process for each in services_of(region)]
        return [region.process, *(each for each in services if each.is_up)]

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        for paused in self._paused:
            paused.go_on()


class PauseAgent(PauseRegion, name="agent paused", numbers=(3,)):
    """The agent alone is stopped: it is a slow observer, and its gate answers nobody."""

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        super().strike(cluster, rng)
        cluster.world.coverage.hit(3, AGENT)

    def _processes(self, region: Region) -> list[Process]:
        return [region.process]


class SuspendRegion(PauseRegion, name="region suspended", numbers=(4,)):
    """The machine of a region is suspended: nothing answers; on resume its clock has jumped."""

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self._host = ""

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        super().strike(cluster, rng)
        self._host = self._paused[0].process.host
        cluster.world.network.darken(self._host)

    def mend(self, cluster: Cluster) -> None:
        if self._host:
            cluster.world.network.lighten(self._host)
        super().mend(cluster)


class StarveAgent(Fault, name="agent starved", numbers=(29,), roles=REGIONS):
    """A slow observer: its agent gets the processor only now and then."""

    def can_strike(self, cluster: Cluster) -> bool:
        region = self.region(cluster)
        return region is not None and region.process.is_up

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        region = self.region(cluster)
        assert region is not None, "it was asked whether it can"
        region.starve(rng.choice([2_000, 5_000, 10_000]))
        self.hit(cluster, self.role)


class LoseRegion(Fault, name="region lost", numbers=(31,), roles=REGIONS):
    """A whole region is lost: agent, services, and its director if a quorum is left without."""

    _is_dark: ClassVar[bool] = False

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self._region: Region | None = None
        self._replica: Replica | None = None

    def can_strike(self, cluster: Cluster) -> bool:
        region = self.region(cluster)
        return region is not None and region.process.is_up

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        region = self._region = self.region(cluster)
        assert region is not None, "it was asked whether it can"
        if self._is_dark:
            cluster.world.network.darken(region.region_id)
        region.kill()
        for service in services_of(region):
            service.process.kill()
        replica = cluster.director_in(region.region_id)
        if replica is not None and self._is_free(cluster, replica) and rng.random() < 0.7:
            self._take(cluster, replica)
        self.hit(cluster, self.role)

    def _take(self, cluster: Cluster, replica: Replica) -> None:
        if not cluster.can_spare_director():
            return
        self._replica = replica
        self.hurts(cluster, replica)
        if self._is_dark:
            cluster.world.network.darken(replica.process.host)
        replica.kill()

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        if self._region is None:
            return
        cluster.world.network.lighten(self._region.region_id)
        if not self._region.process.is_up:
            self._region.start()
        start_services(self._region)
        if self._replica is not None:
            cluster.world.network.lighten(self._replica.process.host)
            if not self._replica.process.is_up:
                self._replica.start()


class DarkenRegion(LoseRegion, name="region dark"):
    """The same without a word: nothing answers for what is gone."""

    _is_dark: ClassVar[bool] = True


class _Paused:
    """A stopped process, to go on unless it ended meanwhile."""

    def __init__(self, cluster: Cluster, process: Process) -> None:
        self.process = process
        self._incarnation = process.incarnation
        process.pause()
        cluster.world.network.watch_blocked()

    def go_on(self) -> None:
        process = self.process
        if process.is_paused and process.incarnation == self._incarnation:
            process.resume()


def services_of(region: Region) -> list[Service]:
    """All services of a region, in order of their ids."""
    return [region.services[each] for each in sorted(region.services)]


def start_services(region: Region) -> None:
    """Start those that are not up."""
    for service in services_of(region):
        if not service.process.is_up:
            service.start()


FAULTS: tuple[type[Fault], ...] = (
    KillDirector,
    PauseDirector,
    SuspendDirector,
    KillAgents,
    RestartAgent,
    KillService,
    PauseRegion,
    PauseAgent,
    SuspendRegion,
    StarveAgent,
    LoseRegion,
    DarkenRegion,
)
QUORUM_FAULTS: tuple[type[Fault], ...] = (KillAllDirectors, LoseQuorum)
