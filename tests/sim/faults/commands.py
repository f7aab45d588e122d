"""What operators do while things fail (faults 36, 37, 43)."""

import random
from dataclasses import replace

from director.core.commands import RunKind
from director.core.inputs import Ask, DrainAsked, ManifestAsked, MoveAsked, OverrideAsked
from director.core.topology import Topology
from director.routing.table import Override, RegionId
from tests.sim.cluster import Cluster
from tests.sim.faults.fault import ALL, Fault
from tests.sim.operator import Operator, Request
from tests.sim.region import SERVICE


class Commands(Fault):
    """Somebody asks for changes. What was drained or forced is released when this is mended."""

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self.sent: list[Request] = []

    def can_strike(self, cluster: Cluster) -> bool:
        return cluster.home() is not None and cluster.newest().director.state.revision > 0

    def send(self, cluster: Cluster, operator: Operator, ask: Ask, command_id: str = "") -> None:
        """Ask, and go on."""
        cluster.command_count += 1
        self.sent.append(operator.send(ask, command_id or f"ask-{cluster.command_count}"))

    def mend(self, cluster: Cluster) -> None:
        super().mend(cluster)
        operator = Operator(cluster, "night shift")
        for ask in _releases(self.sent):
            self.send(cluster, operator, ask)


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
            cluster.world.schedule.after(
                rng.choice([0, 1, 20, 300]),
                lambda operator=operator, ask=ask: self.send(cluster, operator, ask),  # type: ignore[misc]
            )
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
                cluster.world.schedule.after(
                    wait_ms,
                    lambda operator=operator: self.send(cluster, operator, ask, command_id),  # type: ignore[misc]
                )
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
            poison, revision = _without_owner(cluster.topology, str(cluster.home())), None
        ask = ManifestAsked(poison, f"poison {cluster.command_count}", revision)
        before = cluster.newest().director.state.revision
        self.send(cluster, Operator(cluster, "tired"), ask)
        self.hit(cluster, ALL)
        cluster.world.schedule.after(12_000, lambda: self._look(before))

    def _look(self, before: int) -> None:
        answer = self.sent[0].answer
        assert answer is None or answer.reason is not None, (
            f"documents without the owner's site, or not for revision {before}, were applied"
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
