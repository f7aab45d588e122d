"""Faults aimed at elections, where a forgotten vote or a wrong count would show (1, 7, 21, 23).

Chance alone hardly ever makes a voter forget between two requests of one term, or gives the log
the shape of figure 8 of the Raft paper; these make such cases often.
"""

import random
from typing import ClassVar

from tests.sim.cluster import Cluster
from tests.sim.faults.fault import ALL, FOLLOWER, LEADER, Fault
from tests.sim.faults.partitions import Cut
from tests.sim.moments import Moment
from tests.sim.network import Plane
from tests.sim.replica import Replica


class _Electoral(Cut):
    """Kills and starts directors at moments of elections."""

    def can_strike(self, cluster: Cluster) -> bool:
        return cluster.leader() is not None and not any(cluster.hurt.values())

    def blink(self, cluster: Cluster, replica: Replica, at_ms: int, away_ms: int) -> None:
        """Kill a director ``at_ms`` from now, and start it ``away_ms`` later."""

        def strike() -> None:
            if replica.process.is_up and not self.is_over:
                replica.kill()
                self.hit(cluster, FOLLOWER if cluster.leader() else LEADER)
                cluster.world.schedule.after(away_ms, again)

        def again() -> None:
            if not replica.process.is_up and not self.is_over:
                replica.start()

        cluster.world.schedule.after(at_ms, strike)

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        for replica in cluster.replicas.values():
            if not replica.process.is_up:
                replica.start()


class ForgetfulVoter(_Electoral, name="voter killed as it votes", numbers=(1,), roles=(ALL,)):
    """The leader starts anew among followers that cannot hear each other, and is asked by all.

    It is killed at each request for its vote, before or after its answer, and is soon back. If it
    forgot whom it chose, two of the others lead one term.
    """

    _TIMES: ClassVar[int] = 4

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        voter = cluster.leader()
        assert voter is not None, "it was asked whether it can"
        hosts = [each.process.host for each in cluster.replicas.values() if each is not voter]
        pairs = [(here, there) for here in hosts for there in hosts if here != there]
        network = cluster.world.network
        network.cut(self.name_cut(cluster), pairs, (Plane.RAFT, Plane.RELAY))
        for replica in cluster.replicas.values():
            self.hurts(cluster, replica)
        left = [self._TIMES]

        def asked(who: str, _: object) -> bool:
            if who == voter.replica_id:
                left[0] -= 1
                self.blink(cluster, voter, rng.choice([0, 1, 3, 10, 30, 120]), rng.choice([1, 30]))
            return left[0] > 0 and not self.is_over

        self.blink(cluster, voter, 0, rng.choice([1, 300, 1_500]))
        cluster.world.moments.await_next(Moment.VOTE_ASKED, asked)


class RivalLeaders(_Electoral, name="leaders killed as they begin", numbers=(1,), roles=(LEADER,)):
    """Each new leader is killed about when its first entries leave; logs come to differ."""

    _TIMES: ClassVar[int] = 5

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        leader = cluster.leader()
        assert leader is not None, "it was asked whether it can"
        for replica in cluster.replicas.values():
            self.hurts(cluster, replica)
        left = [self._TIMES]
        moment = rng.choice([Moment.TERM_BEGUN, Moment.APPENDED, Moment.VOTE_GIVEN])

        def began(who: str, _: object) -> bool:
            if rng.random() < 0.7:
                left[0] -= 1
                # From before the entry is durable at home to when some have heard of it.
                at_ms = rng.choice([0, 1, 5, 20, 60, 150])
                away_ms = rng.choice([50, 400, 1_500, 3_000])
                self.blink(cluster, cluster.replicas[who], at_ms, away_ms)
            return left[0] > 0 and not self.is_over

        self.blink(cluster, leader, 0, rng.choice([50, 400, 1_500]))
        cluster.world.moments.await_next(moment, began)


class CrashAtInstall(_Electoral, name="crash at a snapshot", numbers=(23,), roles=(FOLLOWER,)):
    """A follower is killed while it installs a snapshot.

    It is left behind first, so that it needs one; whether one comes, and so whether this fault
    happens, depends on how much is decided meanwhile.
    """

    def can_strike(self, cluster: Cluster) -> bool:
        return self.director(cluster) is not None

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        behind = self.director(cluster)
        assert behind is not None, "it was asked whether it can"
        self.hurts(cluster, behind)
        behind.kill()

        def arrived(who: str, _: object) -> bool:
            if who != behind.replica_id:
                return not self.is_over
            wait_ms = rng.randint(0, 2 * cluster.options.sync_ms)
            self.blink(cluster, behind, wait_ms, rng.choice([1, 300]))
            return False

        def back() -> None:
            if not behind.process.is_up:
                behind.start()

        cluster.world.moments.await_next(Moment.SNAPSHOT_ARRIVED, arrived)
        cluster.world.schedule.after(rng.choice([3_000, 6_000, 9_000]), back)


FAULTS: tuple[type[Fault], ...] = (ForgetfulVoter, RivalLeaders, CrashAtInstall)
