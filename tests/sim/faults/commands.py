"""What operators do while things fail (faults 36, 37, 43)."""

import random
from dataclasses import replace

from director.core.commands import RunKind
from director.core.inputs import Ask, DrainAsked, ManifestAsked, MoveAsked, OverrideAsked
from director.core.topology import Topology
from director.routing.table import Override, RegionId
from tests.sim.cluster import Cluster
from tests.sim.faults.fault import ALL, Fault
from tests.sim.operator import DEADLINE_MS, Operator, Request
from tests.sim.region import SERVICE

_LOOK_EVERY_MS = 100
# Whoever releases what was drained goes on asking until there is a quorum again.
_RELEASED_WITHIN_MS = 60_000


class Commands(Fault):
    """Somebody asks for changes.

    What was drained or forced is released when this is mended, but not before everybody who asks
    has his answer: a release that overtakes its drain releases nothing.
    """

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self.sent: list[Request] = []
        self._unsent = 0
        self._is_released = False

    def is_done(self, now_ms: int) -> bool:
        """Whether all was asked and answered, or given up; once mended, the releases too."""
        return not self._is_asking(now_ms) and self._is_released is self.is_over

    def _is_asking(self, now_ms: int) -> bool:
        asking = any(each.answer is None and now_ms < each.end_ms for each in self.sent)
        return asking or self._unsent > 0

    def can_strike(self, cluster: Cluster) -> bool:
        return cluster.home() is not None and cluster.newest().director.state.revision > 0

    def send(
        self,
        cluster: Cluster,
        operator: Operator,
        ask: Ask,
        command_id: str = "",
        *,
        within_ms: int = DEADLINE_MS,
    ) -> None:
        """Ask, and go on."""
        cluster.command_count += 1
        command_id = command_id or f"ask-{cluster.command_count}"
        self.sent.append(operator.send(ask, command_id, within_ms=within_ms))

    def send_later(
        self, cluster: Cluster, wait_ms: int, operator: Operator, ask: Ask, command_id: str = ""
    ) -> None:
        """Ask in a moment."""
        self._unsent += 1

        def ask_now() -> None:
            self._unsent -= 1
            self.send(cluster, operator, ask, command_id)

        cluster.world.schedule.after(wait_ms, ask_now)

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        self._release(cluster)

    def _release(self, cluster: Cluster) -> None:
        if self._is_asking(cluster.world.now_ms):
            cluster.world.schedule.after(_LOOK_EVERY_MS, lambda: self._release(cluster))
            return
        self._is_released = True
        operator = Operator(cluster, "night shift")
        for ask in _releases(self.sent):
            self.send(cluster, operator, ask, within_ms=_RELEASED_WITHIN_MS)


class AllAtOnce(Commands, name="move, drain and documents at once", numbers=(36,), roles=(ALL,)):
    """A switchover, a drain and new documents meet whatever run there is."""

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        regions = [RegionId(each) for each in cluster.options.regions]
        asks: list[Ask] = [
            MoveAsked(RunKind.SWITCHOVER, SERVICE, rng.choice([None, *regions])),
            DrainAsked(rng.choice(regions), drained=True),
            DrainAsked(rng.choice(regions), drained=True),
            ManifestAsked(_reworked(cluster.topology, rng), f"round {cluster.command_count}"),
            OverrideAsked(SERVICE, rng.choice(regions), Override.FORCE_DOWN),
        ]
        rng.shuffle(asks)
        for number, ask in enumerate(asks):
            operator = Operator(cluster, f"operator {number}")
            self.send_later(cluster, rng.choice([0, 1, 20, 300]), operator, ask)
        self.hit(cluster, ALL)


class TwiceAsked(Commands, name="a command twice", numbers=(37,), roles=(ALL,)):
    """One switchover with one id, asked at two directors at once, and again a second later."""

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        cluster.command_count += 1
        ask = MoveAsked(RunKind.SWITCHOVER, SERVICE, None)
        command_id = f"twice-{cluster.command_count}"
        for name in ("one", "other"):
            operator = Operator(cluster, name)
            for wait_ms in (0, rng.choice([1, 100, 1_000])):
                self.send_later(cluster, wait_ms, operator, ask, command_id)
        self.hit(cluster, ALL)
        cluster.world.schedule.after(20_000, lambda: self._count_runs(cluster, command_id))

    @staticmethod
    def _count_runs(cluster: Cluster, command_id: str) -> None:
        runs = cluster.newest().director.state.runs
        count = sum(each.request_id == command_id for each in runs)
        assert count <= 1, f"{command_id} began {count} runs"


class PoisonedDocuments(Commands, name="poisoned documents", numbers=(43,), roles=(ALL,)):
    """Documents that take away the owner's site, or were written for another revision."""

    def strike(self, cluster: Cluster, rng: random.Random) -> None:
        cluster.command_count += 1
        poison: Topology = cluster.topology
        revision: int | None = 0
        if rng.random() < 0.7:
            # Whether they are refused is up to who owns what when they come (owner_declared).
            poison, revision = _without_owner(cluster.topology, str(cluster.home())), None
        ask = ManifestAsked(poison, f"poison {cluster.command_count}", revision)
        before = cluster.newest().director.state.revision
        self.send(cluster, Operator(cluster, "tired"), ask)
        self.hit(cluster, ALL)
        if revision is not None:
            cluster.world.schedule.after(12_000, lambda: self._look(before))

    def _look(self, before: int) -> None:
        answer = self.sent[0].answer
        assert answer is None or answer.reason is not None, (
            f"documents that were not for revision {before} were applied"
        )


def _without_owner(topology: Topology, home: str) -> Topology:
    services = tuple(
        replace(each, sites=tuple(site for site in each.sites if site.region_id != home))
        for each in topology.services
    )
    return replace(topology, services=services)


def _reworked(topology: Topology, rng: random.Random) -> Topology:
    """The same fleet with other weights: a change that is always welcome."""
    services = tuple(
        replace(
            each,
            sites=tuple(replace(site, weight=rng.randint(1, 200)) for site in each.sites),
        )
        for each in topology.services
    )
    return replace(topology, services=services)


def _releases(sent: list[Request]) -> list[Ask]:
    """What ends the drains and overrides that may have been made."""
    asks: list[Ask] = []
    for request in sent:
        match request.asked.ask:
            case DrainAsked(region_id, drained=True):
                asks.append(DrainAsked(region_id, drained=False))
            case OverrideAsked(service_id, region_id, override) if override is not None:
                asks.append(OverrideAsked(service_id, region_id, None))
            case _:
                pass
    return asks


FAULTS: tuple[type[Fault], ...] = (AllAtOnce, TwiceAsked, PoisonedDocuments)
