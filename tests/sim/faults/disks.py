"""Disks of directors that are full, fail, or are slow (faults 16-18)."""

import random

from tests.sim.cluster import Cluster
from tests.sim.faults.fault import DIRECTORS, Fault, director_role
from tests.sim.rejoin import Rejoin
from tests.sim.replica import Replica


class _DiskFault(Fault):
    """Something is wrong with one director's disk, until it is mended and the director restarted.

    A log that failed once is not believed again, so a restart is what ends it (D9).
    """

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self._replica: Replica | None = None

    def can_strike(self, cluster: Cluster) -> bool:
        return self.director(cluster) is not None

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        replica = self._replica = self.director(cluster)
        assert replica is not None, "it was asked whether it can"
        role = director_role(cluster, replica)
        self.hurts(cluster, replica)
        self.spoil(replica, rng)
        self.hit(cluster, role)

    def spoil(self, replica: Replica, rng: random.Random) -> None:
        """Do it to the disk."""
        raise NotImplementedError

    def hit(self, cluster: Cluster, role: str) -> None:
        """Only say so: the disk counts what it did to somebody who wrote."""
        cluster.world.trace.note(f"fault: {self.name} at {role}")

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        if self._replica is not None:
            self._replica.disk.mend()
            self._replica.revive()


class FullDisk(_DiskFault, name="disk full", numbers=(16,), roles=DIRECTORS):
    """No room is left."""

    def spoil(self, replica: Replica, rng: random.Random) -> None:
        replica.disk.fill()


class FailingSync(_DiskFault, name="sync fails", numbers=(17,), roles=DIRECTORS):
    """One sync fails, or all."""

    def spoil(self, replica: Replica, rng: random.Random) -> None:
        if rng.random() < 0.5:
            replica.disk.fail_next_sync()
        else:
            replica.disk.fail_syncs()


class SlowDisk(_DiskFault, name="disk slow", numbers=(18,), roles=DIRECTORS):
    """Each sync takes 200 ms longer, or none ends for 5 s, or none ends at all."""

    def spoil(self, replica: Replica, rng: random.Random) -> None:
        match rng.choice(["slow", "stall", "hang"]):
            case "slow":
                replica.disk.slow(200)
            case "stall":
                replica.disk.stall(5_000)
            case _:
                replica.disk.hang()


class FlippedBit(_DiskFault, name="bit flipped", numbers=(20,), roles=DIRECTORS):
    """A bit of what a stopped director kept changes. If it was needed, the start is refused.

    A director with nothing good left is taken out by an operator, and in again with an empty disk.
    Until then nobody talks to it, and its vote is missing.
    """

    def can_strike(self, cluster: Cluster) -> bool:
        return super().can_strike(cluster) and not any(cluster.hurt.values())

    def spoil(self, replica: Replica, rng: random.Random) -> None:
        replica.kill()
        replica.disk.flip_bit(rng)
        replica.start()

    def mend(self, cluster: Cluster) -> None:
        replica = self._replica
        if replica is not None and replica.refused:
            replica.disk.wipe()
            self.rejoin(cluster, replica)
        super().mend(cluster)

    @staticmethod
    def rejoin(cluster: Cluster, replica: Replica) -> None:
        """Have an operator take the replica out and in again."""
        rejoin = Rejoin(cluster.world, cluster.replicas, replica.replica_id)
        cluster.rejoins.append(rejoin.begin())


class WipedDirectory(FlippedBit, name="directory wiped", numbers=(25,)):
    """A director comes back with an empty disk, under the name that it had."""

    def spoil(self, replica: Replica, rng: random.Random) -> None:
        replica.kill()
        replica.disk.wipe()

    def mend(self, cluster: Cluster) -> None:
        if self._replica is not None:
            self.rejoin(cluster, self._replica)
        super().mend(cluster)


FAULTS: tuple[type[Fault], ...] = (FullDisk, FailingSync, SlowDisk, FlippedBit, WipedDirectory)
AT_MOMENTS: tuple[type[Fault], ...] = (FullDisk, FailingSync, SlowDisk)
