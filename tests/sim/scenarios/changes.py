"""What operators ask for, at bad moments, twice, or in error (faults 36, 37, 43)."""

from dataclasses import replace

from director.core.commands import RunKind, StageName
from director.core.inputs import DrainAsked, ManifestAsked, MoveAsked
from director.core.reasons import Reason
from director.core.state import State
from director.core.topology import ServiceSpec, Topology
from director.routing.table import RegionId, Verdict
from tests.sim.operator import Operator, Request
from tests.sim.region import SERVICE
from tests.sim.scenarios.named import Named

# What a change that meets another one may be told.
_EXPECTED = (
    None,
    Reason.SAFETY_RULE,
    Reason.FAILOVER_IN_PROGRESS,
    Reason.STALE_REVISION,
    Reason.TARGET_INELIGIBLE,
    Reason.NOTHING_TO_DO,
    Reason.STALE_STAGE,
    Reason.STALE_EPOCH,
)


class EverythingAtOnce(Named):
    """Fault 36: failover, drains and configuration at the same instant: one after the other.

    The rule that never lets the last region go is looked at when each is applied (R2, C5).
    """

    def play(self) -> None:
        """Ask for all of it at the moment at which a failover reaches a stage."""
        self._asked: list[Request] = []
        self._stage = list(_STAGES)[self.options.seed % len(_STAGES)]
        self._others = [Operator(self.cluster, f"operator {n}") for n in range(4)]
        source = self.home
        self.world.watch.on_applied.append(self._see_applied)
        self.darken_region(source)
        self.until(lambda: bool(self._asked), 30_000, f"a failover that is {self._stage}")
        self.until(lambda: all(each.answer for each in self._asked), 15_000, "answers")
        for request in self._asked:
            assert request.answer is not None
            assert request.answer.reason in _EXPECTED, request.answer.message
        self.advance(15_000)
        assert self._serving_count(self.state) >= 1
        # What was drained by hand stays so; to be settled nobody's owner may be.
        for number, name in enumerate(self.state.drained_regions):
            answer = self.operator.undrain(f"undrain {number}", name)
            assert answer is not None
            assert answer.is_done, answer.message

    def _see_applied(self, _: str, state: State) -> None:
        if state.revision:
            assert self._serving_count(state) >= 1, "drains took the last region"
        run = next((each for each in state.runs if each.is_active), None)
        if not self._asked and run is not None and run.stage is self._stage:
            self.world.coverage.hit(36, str(self._stage))
            self._ask_everything(state, run.target)

    @staticmethod
    def _serving_count(state: State) -> int:
        """Regions that are neither drained nor DOWN: counted here, not with the rule's own code."""
        service = state.topology.services[0]
        return sum(
            site.region_id not in state.drained_regions
            and (
                (service.service_id, site.region_id) not in state.verdicts
                or state.verdicts[service.service_id, site.region_id].verdict is not Verdict.DOWN
            )
            for site in service.sites
        )

    def _ask_everything(self, state: State, target: RegionId) -> None:
        one, other, third, fourth = self._others
        sites = [site.region_id for site in state.topology.services[0].sites]
        spare = next(each for each in sites if each not in (target, self.home))
        self._asked = [
            one.send(DrainAsked(target, drained=True), "drain the target"),
            other.send(DrainAsked(spare, drained=True), "drain another"),
            third.send(ManifestAsked(_reweighted(state.topology), "reweighted"), "reweigh"),
            fourth.send(MoveAsked(RunKind.SWITCHOVER, SERVICE, spare), "move it elsewhere"),
        ]


_STAGES = (
    StageName.CONFIRMING,
    StageName.FENCING,
    StageName.PROMOTING,
    StageName.PUBLISHING,
    StageName.VERIFYING,
)


class LastTwoDrained(Named):
    """Fault 36, R2: two operators drain the last two regions at the same instant: one may."""

    def play(self) -> None:
        """Drain all but two one after the other, then the last two at once, by two operators."""
        names = sorted(self.cluster.regions)
        keep = self.rng.sample(names, 2)
        for number, name in enumerate(each for each in names if each not in keep):
            answer = self.operator.drain(f"drain {number}", name)
            assert answer is not None
            assert answer.is_done, answer.message
        # The second drain may take the target of the first one's move away; a planned move that was
        # taken back is not tried again for a minute.
        self.until(lambda: self.home in keep, 90_000, "the owner leaves its drained region")
        operators = [Operator(self.cluster, f"operator {name}") for name in keep]
        asked = [
            each.send(DrainAsked(RegionId(name), drained=True), f"drain {name}")
            for each, name in zip(operators, keep, strict=True)
        ]
        self.until(lambda: all(each.answer for each in asked), 10_000, "two answers")
        reasons = [None if each.answer is None else each.answer.reason for each in asked]
        self.world.coverage.hit(36, "two drains")
        assert sorted(map(str, reasons)) == ["None", "SAFETY_RULE"], f"{reasons}"
        for number, name in enumerate(self.state.drained_regions):
            self.operator.undrain(f"undrain {number}", name)


class AskedTwice(Named):
    """Fault 37: the same command arrives twice, at the old and the new leader: one effect (C1)."""

    def play(self) -> None:
        """Ask for the same move three ways; count the runs."""
        target = next(name for name in sorted(self.cluster.regions) if name != self.home)
        move = MoveAsked(RunKind.SWITCHOVER, SERVICE, RegionId(target))
        # Two clients of one person, at the same instant.
        twins = [Operator(self.cluster, "operator") for _ in range(2)]
        asked = [each.send(move, "move once") for each in twins]
        self.until(lambda: all(each.answer for each in asked), 15_000, "both are answered")
        self.world.coverage.hit(37, "twice at once")
        indexes = {each.answer.index for each in asked if each.answer is not None}
        assert len(indexes) == 1, f"one command was carried out at {indexes}"
        self.until_settled(30_000, "after the move")
        assert len(self.moves()) == 1
        # Long after: the first outcome stands.
        again = self.operator.ask(move, "move once")
        assert again is not None
        assert (again.is_done, again.index) == (True, indexes.pop())
        self.world.coverage.hit(37, "again later")
        self._at_two_leaders()

    def _at_two_leaders(self) -> None:
        """The leader takes it in and is cut off; the next one is asked for the same."""
        deposed, source = self.leader, self.home
        target = next(name for name in sorted(self.cluster.regions) if name != source)
        move = MoveAsked(RunKind.SWITCHOVER, SERVICE, RegionId(target))
        self.isolate("deposed", {deposed.process.host})
        Operator(self.cluster, "operator").send(move, "move again", at=deposed)
        self.until(lambda: self.cluster.leader() is not deposed, 10_000, "another leader")
        self.until(lambda: self.home == source and self.is_serving(), 20_000, "calm")
        answer = self.operator.ask(move, "move again", within_ms=15_000)
        assert answer is not None
        assert answer.is_done, answer.message
        self.world.network.mend("deposed")
        self.until_settled(40_000, "after the deposed leader is back")
        self.world.coverage.hit(37, "at two directors")
        assert [run.request_id for run in self.moves()].count("move again") == 1
        assert self.home == target


class PoisonedConfiguration(Named):
    """Fault 43: documents that would break what runs are refused; the old ones stay in force (C7).

    Wrong types, doubles and cycles do not get this far: director.config refuses them.
    """

    def play(self) -> None:
        """Apply one poisoned topology after the other; every answer is a refusal with a reason."""
        topology, revision = self.state.topology, self.state.revision
        for name, poisoned, reason in self._poisons(topology):
            answer = self.operator.ask(ManifestAsked(poisoned, name), name)
            assert answer is not None
            assert answer.reason is reason, f"{name}: {answer}"
            self.world.coverage.hit(43, name)
            assert (self.state.topology, self.state.revision) == (topology, revision)
        stale = self.operator.ask(
            ManifestAsked(topology, "stale", expected_revision=revision + 7), "stale"
        )
        assert stale is not None
        assert stale.reason is Reason.STALE_REVISION
        self.world.coverage.hit(43, "decided on another revision")
        self.advance_calmly(2_000)
        self._drain_all()

    def _poisons(self, topology: Topology) -> list[tuple[str, Topology, Reason]]:
        service = topology.services[0]
        home = self.home
        without_home = [site for site in service.sites if site.region_id != home]
        return [
            ("another fleet", replace(topology, fleet_id="other"), Reason.INVALID_REQUEST),
            (
                "the owner's site is gone",
                _with_service(topology, replace(service, sites=tuple(without_home))),
                Reason.SAFETY_RULE,
            ),
            (
                "no site at all",
                _with_service(topology, replace(service, sites=())),
                Reason.SAFETY_RULE,
            ),
        ]

    def _drain_all(self) -> None:
        refused = 0
        for name in sorted(self.cluster.regions):
            answer = self.operator.drain(f"drain {name}", name)
            assert answer is not None
            refused += answer.reason is Reason.SAFETY_RULE
            self.advance(1_000)
        self.world.coverage.hit(43, "drains all")
        assert refused == 1, "the last region may not be drained"
        for number, name in enumerate(self.state.drained_regions):
            self.operator.undrain(f"undrain {number}", name)


def _with_service(topology: Topology, service: ServiceSpec) -> Topology:
    others = tuple(each for each in topology.services if each.service_id != service.service_id)
    services = sorted((*others, service), key=lambda each: each.service_id)
    return replace(topology, services=tuple(services))


def _reweighted(topology: Topology) -> Topology:
    service = topology.services[0]
    sites = tuple(replace(site, weight=50) for site in service.sites)
    return _with_service(topology, replace(service, sites=sites))
