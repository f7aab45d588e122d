"""What every fault is: it strikes once, lasts, and is mended; and who it can hit."""

import random
from abc import ABC, abstractmethod
from typing import ClassVar

from tests.sim.cluster import Cluster
from tests.sim.region import Region
from tests.sim.replica import Replica

LEADER = "leader"
FOLLOWER = "follower"
ACTIVE = "active region"
TARGET = "target region"
OTHER = "other region"
AGENT = "agent"
ALL = "all"
DIRECTORS = (LEADER, FOLLOWER)
REGIONS = (ACTIVE, TARGET, OTHER)


class Fault(ABC):
    """One fault of one world. A new object is made for each time that it strikes.

    Attributes:
        name: Unique among faults, for people.
        numbers: What it is in the catalogue. Each is counted when it really happened.
        roles: Whom it can hit.
        role: Whom it is to hit; drawn from ``roles``.
        victim_id: The director it is to hit, whatever the role; "" leaves the choice to the fault.
        may_cost_quorum: It may hit although a minority of the directors is away already. For
            faults that soon pass by themselves, and for those that are about nothing else.
    """

    name: ClassVar[str] = ""
    numbers: ClassVar[tuple[int, ...]] = ()
    roles: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(
        cls, name: str = "", numbers: tuple[int, ...] = (), roles: tuple[str, ...] = ()
    ) -> None:
        """Take what is not said from the fault that this one is a variant of."""
        cls.name = name or cls.name
        cls.numbers = numbers or cls.numbers
        cls.roles = roles or cls.roles

    def __init__(self, role: str = "") -> None:
        self.role = role
        self.victim_id = ""
        self.may_cost_quorum = False
        self.is_over = False
        self._hurt: list[str] = []

    @abstractmethod
    def can_strike(self, cluster: Cluster) -> bool:
        """Whether there is somebody whom it can hit now."""

    @abstractmethod
    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        """Do it."""

    def mend(self, cluster: Cluster) -> None:
        """Undo what lasts. Only once; what ended by itself stays as it is."""
        self.is_over = True
        for replica_id in self._hurt:
            cluster.hurt[replica_id] -= 1
        self._hurt = []

    # -- for the faults ----------------------------------------------------------------------------

    def hit(self, cluster: Cluster, role: str) -> None:
        """Count it: it really happened."""
        for number in self.numbers:
            cluster.world.coverage.hit(number, role)
        cluster.world.trace.note(f"fault: {self.name} at {role}")

    def hurts(self, cluster: Cluster, replica: Replica) -> None:
        """A director is kept from its work until this fault is mended."""
        self._hurt.append(replica.replica_id)
        cluster.hurt[replica.replica_id] += 1

    def director(self, cluster: Cluster) -> Replica | None:
        """The director to hit: one in the role, if losing it leaves a quorum."""
        if self.victim_id:
            return self._victim(cluster)
        if not (self.may_cost_quorum or cluster.can_spare_director()):
            return None
        leader = cluster.leader()
        if self.role == LEADER:
            is_free = leader is not None and self._is_free(cluster, leader)
            return leader if is_free else None
        return next(
            (
                each
                for each in cluster.replicas.values()
                if each is not leader and self._is_free(cluster, each)
            ),
            None,
        )

    def _victim(self, cluster: Cluster) -> Replica | None:
        victim = cluster.replicas[self.victim_id]
        if not self._is_free(cluster, victim):
            return None
        return victim if self.may_cost_quorum or cluster.can_spare_director() else None

    @staticmethod
    def _is_free(cluster: Cluster, replica: Replica) -> bool:
        process = replica.process
        return process.is_up and not process.is_paused and not cluster.hurt[replica.replica_id]

    def region(self, cluster: Cluster) -> Region | None:
        """The region to hit, if there is one in the role."""
        name = region_in_role(cluster, self.role)
        return None if name is None else cluster.regions[name]


def region_in_role(cluster: Cluster, role: str) -> str | None:
    """Name the region in a role, by the newest state; None if there is none."""
    run, home = cluster.active_run(), cluster.busiest_home()
    source = home if run is None else run.source
    target = None if run is None else run.target
    if role == ACTIVE:
        return source
    if role == TARGET:
        return target
    return next((each for each in cluster.options.regions if each not in (source, target)), None)


def director_role(cluster: Cluster, replica: Replica) -> str:
    """The role of a director now."""
    return LEADER if cluster.leader() is replica else FOLLOWER
