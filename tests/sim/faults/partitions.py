"""Cuts: two ways and one way, whole and partial, standing and flapping (faults 5-10)."""

import random
from itertools import product
from typing import ClassVar

from tests.sim.cluster import Cluster
from tests.sim.faults.fault import (
    ACTIVE,
    ALL,
    DIRECTORS,
    FOLLOWER,
    LEADER,
    REGIONS,
    Fault,
    director_role,
)
from tests.sim.network import ALL_PLANES, Plane
from tests.sim.replica import Replica


class Cut(Fault):
    """Some links are cut under a name, which mends them."""

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self._cut_name = ""

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        if self._cut_name:
            cluster.world.network.mend(self._cut_name)

    def name_cut(self, cluster: Cluster) -> str:
        """Make a name that no other fault of this world has."""
        cluster.cut_count += 1
        self._cut_name = f"{self.name} {cluster.cut_count}"
        return self._cut_name


class SplitFleet(Cut, name="fleet split in two", numbers=(5,), roles=(ALL,)):
    """A symmetric partition along a random line; a quorum stays together on one side."""

    def can_strike(self, cluster: Cluster) -> bool:
        return not any(cluster.hurt.values())

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        replicas = list(cluster.replicas.values())
        alone = rng.sample(replicas, rng.randint(0, (len(replicas) - 1) // 2))
        near = {each.process.host for each in alone}
        near |= {each for each in cluster.options.regions if rng.random() < 0.4}
        for replica in alone:
            self.hurts(cluster, replica)
        cluster.cut(self.name_cut(cluster), near, ALL_PLANES, outward=True, inward=True)
        self.hit(cluster, ALL)


class IsolateDirector(Cut, name="director isolated", numbers=(5,), roles=DIRECTORS):
    """One director is cut off from everybody, both ways."""

    outward: ClassVar[bool] = True
    inward: ClassVar[bool] = True

    def can_strike(self, cluster: Cluster) -> bool:
        return self.director(cluster) is not None

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        replica = self.director(cluster)
        assert replica is not None, "it was asked whether it can"
        role = director_role(cluster, replica)
        self.hurts(cluster, replica)
        side = {replica.process.host}
        cut = self.name_cut(cluster)
        cluster.cut(cut, side, ALL_PLANES, outward=self.outward, inward=self.inward)
        self.hit(cluster, role)


class MuteDirector(IsolateDirector, name="director muted", numbers=(6,)):
    """Nothing that it says arrives."""

    inward: ClassVar[bool] = False


class DeafenDirector(IsolateDirector, name="director deafened", numbers=(6,)):
    """Nothing arrives at it."""

    outward: ClassVar[bool] = False


class IsolateRegion(Cut, name="region isolated", numbers=(5,), roles=REGIONS):
    """A region is cut off from everybody; inside, everything goes on."""

    planes: ClassVar[tuple[Plane, ...]] = ALL_PLANES
    outward: ClassVar[bool] = True
    inward: ClassVar[bool] = True

    def can_strike(self, cluster: Cluster) -> bool:
        return self.region(cluster) is not None

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        region = self.region(cluster)
        assert region is not None, "it was asked whether it can"
        side = {str(region.region_id)}
        cut = self.name_cut(cluster)
        cluster.cut(cut, side, self.planes, outward=self.outward, inward=self.inward)
        self.hit(cluster, self.role)


class MuteRegion(IsolateRegion, name="region muted", numbers=(6,)):
    """Nothing that it says arrives."""

    inward: ClassVar[bool] = False


class DeafenRegion(IsolateRegion, name="region deafened", numbers=(6,)):
    """Nothing arrives at it."""

    outward: ClassVar[bool] = False


class HideRegion(IsolateRegion, name="region unseen by peers", numbers=(27,)):
    """Its peers' probes fail, while its agent and the directors hear each other: gray."""

    planes: ClassVar[tuple[Plane, ...]] = (Plane.SERVICE,)


class MinorityWithRegion(
    Cut, name="minority with the active region", numbers=(9,), roles=(ACTIVE,)
):
    """A director, the leader if it can be, is isolated together with the active region."""

    def can_strike(self, cluster: Cluster) -> bool:
        return self.region(cluster) is not None and self._director(cluster) is not None

    def _director(self, cluster: Cluster) -> Replica | None:
        if not cluster.can_spare_director():
            return None
        leader = cluster.leader()
        return leader if leader is not None and self._is_free(cluster, leader) else None

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        region, replica = self.region(cluster), self._director(cluster)
        assert region is not None, "it was asked whether it can"
        assert replica is not None, "it was asked whether it can"
        self.hurts(cluster, replica)
        side = {str(region.region_id), replica.process.host}
        cluster.cut(self.name_cut(cluster), side, ALL_PLANES, outward=True, inward=True)
        self.hit(cluster, ACTIVE)


class CutTwoDirectors(Cut, name="two directors cut from each other", numbers=(7,), roles=DIRECTORS):
    """Two directors cannot hear each other; everybody else hears both."""

    def can_strike(self, cluster: Cluster) -> bool:
        # A director that has lost one more link may have no quorum left.
        return cluster.leader() is not None and not any(cluster.hurt.values())

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        leader = cluster.leader()
        assert leader is not None, "it was asked whether it can"
        others = [each for each in cluster.replicas.values() if each is not leader]
        pair = rng.sample(others, 2)
        if self.role == LEADER:
            pair[0] = leader
        self.hurts(cluster, pair[1])
        one, other = (each.process.host for each in pair)
        planes = (Plane.RAFT, Plane.RELAY)
        cluster.world.network.cut(self.name_cut(cluster), [(one, other), (other, one)], planes)
        self.hit(cluster, self.role)


class LeaderReachesOne(Cut, name="leader reaches one follower", numbers=(8,), roles=(LEADER,)):
    """The leader reaches one follower and hears nobody: it has to give up (CheckQuorum)."""

    def can_strike(self, cluster: Cluster) -> bool:
        return self.director(cluster) is not None

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        leader = self.director(cluster)
        assert leader is not None, "it was asked whether it can"
        self.hurts(cluster, leader)
        here = leader.process.host
        others = [each.process.host for each in cluster.replicas.values() if each is not leader]
        reached = rng.choice(others)
        # With five it may hear the one that it reaches, too: still no quorum.
        hears = len(others) > 2 and rng.random() < 0.5
        pairs = [(here, each) for each in others if each != reached]
        pairs += [(each, here) for each in others if each != reached or not hears]
        cluster.world.network.cut(self.name_cut(cluster), pairs, (Plane.RAFT, Plane.RELAY))
        self.hit(cluster, LEADER)


class FlapLink(Cut, name="link flaps", numbers=(10,), roles=(*DIRECTORS, *REGIONS)):
    """A link between two machines goes and comes, both ways, every 1 to 30 s."""

    _TIMES: ClassVar[int] = 6

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self._pairs: list[tuple[str, str]] = []

    def can_strike(self, cluster: Cluster) -> bool:
        return self._host(cluster) is not None

    def _host(self, cluster: Cluster) -> str | None:
        if self.role in DIRECTORS:
            replica = self.director(cluster)
            return None if replica is None else replica.process.host
        region = self.region(cluster)
        return None if region is None else str(region.region_id)

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        host = self._host(cluster)
        assert host is not None, "it was asked whether it can"
        if self.role in DIRECTORS:
            replica = self.director(cluster)
            assert replica is not None, "it was asked whether it can"
            self.hurts(cluster, replica)
        others = [each for each in cluster.hosts if each != host]
        count = rng.choice([1, 1, len(others)])
        near = {host}
        for other in rng.sample(others, count):
            self._pairs += [*product(near, {other}), *product({other}, near)]
        self.name_cut(cluster)
        self._flap(cluster, rng, rng.choice([1_000, 3_000, 8_000]), self._TIMES)
        self.hit(cluster, self.role)

    def _flap(self, cluster: Cluster, rng: random.Random, period_ms: int, left: int) -> None:
        if self.is_over or not left:
            return
        network = cluster.world.network
        if left % 2:
            network.mend(self._cut_name)
        else:
            network.cut(self._cut_name, self._pairs, ALL_PLANES)
        again_ms = rng.randint(period_ms // 2, period_ms * 2)
        cluster.world.schedule.after(
            again_ms, lambda: self._flap(cluster, rng, period_ms, left - 1)
        )


class CutAgentFromLeader(Cut, name="agent cut from the leader", numbers=(7,), roles=REGIONS):
    """An agent and the leader cannot hear each other; the followers relay what it says."""

    def can_strike(self, cluster: Cluster) -> bool:
        return self.region(cluster) is not None and cluster.leader() is not None

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        region, leader = self.region(cluster), cluster.leader()
        assert region is not None, "it was asked whether it can"
        assert leader is not None, "it was asked whether it can"
        pair = (str(region.region_id), leader.process.host)
        both = [pair, pair[::-1]][: rng.choice([1, 2, 2])]
        cluster.world.network.cut(self.name_cut(cluster), both, (Plane.AGENTS,))
        self.hit(cluster, self.role)


class LeaveBehind(Cut, name="follower left behind", numbers=(6,), roles=(FOLLOWER,)):
    """A follower hears no log for long. What it missed may be compacted when it is back (24)."""

    def can_strike(self, cluster: Cluster) -> bool:
        return self.director(cluster) is not None

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        replica = self.director(cluster)
        assert replica is not None, "it was asked whether it can"
        self.hurts(cluster, replica)
        here = replica.process.host
        others = [each.process.host for each in cluster.replicas.values() if each is not replica]
        pairs = [*product({here}, others), *product(others, {here})]
        cluster.world.network.cut(self.name_cut(cluster), pairs, (Plane.RAFT,))
        self.hit(cluster, FOLLOWER)


FAULTS: tuple[type[Fault], ...] = (
    SplitFleet,
    IsolateDirector,
    MuteDirector,
    DeafenDirector,
    IsolateRegion,
    MuteRegion,
    DeafenRegion,
    HideRegion,
    MinorityWithRegion,
    CutTwoDirectors,
    LeaderReachesOne,
    FlapLink,
    CutAgentFromLeader,
    LeaveBehind,
)
