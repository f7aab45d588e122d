"""What the leader's work costs. Figures are printed (``pytest -s``) and never asserted."""

import time

from director.core.commands import ApplyManifest
from director.core.director import Director
from director.core.effects import DirectProbes, Propose
from director.core.ids import AgentId
from director.core.inputs import (
    Committed,
    Input,
    LeadershipGained,
    ReplicaReported,
    Reported,
    Ticked,
)
from director.core.observations import (
    AgentReport,
    PeerReading,
    Readings,
    ReplicaReport,
    ServiceReading,
)
from director.core.timing import DEFAULT_TIMING
from director.core.topology import Topology
from director.routing.table import RegionId, ServiceId, ServiceMode
from tests.core.builders import D0, DOMAINS, a_region, a_service, a_site, a_stamp


class Fleet:
    """A leader with as many regions, services and agents as asked for; what it proposes commits."""

    def __init__(self, region_count: int, service_count: int, agents_per_region: int) -> None:
        self.regions = [RegionId(f"r{number:02d}") for number in range(region_count)]
        self.agents = [AgentId(f"pod-{number}") for number in range(agents_per_region)]
        modes = (ServiceMode.ACTIVE_ACTIVE, ServiceMode.ACTIVE_PASSIVE)
        sites = tuple(a_site(each, number) for number, each in enumerate(self.regions))
        self.services = [
            a_service(ServiceId(f"s{number:03d}"), mode=modes[number % 2], sites=sites)
            for number in range(service_count)
        ]
        self.director = Director(D0, DOMAINS[D0], DEFAULT_TIMING, DOMAINS)
        self.now_ms, self.index, self.counter = 1_000, 0, 0
        regions = tuple(a_region(each) for each in self.regions)
        topology = Topology("cost", regions, services=tuple(self.services))
        self.commit(ApplyManifest(a_stamp(), topology))
        self.give(LeadershipGained(1))

    def commit(self, command: ApplyManifest) -> None:
        self.index += 1
        self.give(Committed(self.index, command))

    def give(self, given: Input) -> None:
        effects = list(self.director.receive(given, now_ms=self.now_ms))
        while effects:
            effect = effects.pop(0)
            if isinstance(effect, Propose):
                self.index += 1
                committed = Committed(self.index, effect.command)
                effects += self.director.receive(committed, now_ms=self.now_ms)

    def readings(self, region_id: RegionId) -> Readings:
        targets = [
            target
            for directed in self.director.directives_for(region_id, ())
            if isinstance(directed, DirectProbes)
            for target in directed.targets
        ]
        rounds = self.counter
        return Readings(
            tuple(ServiceReading(each.service_id, True, 100, 50) for each in self.services),
            tuple(PeerReading(each.service_id, each.region_id, True, rounds) for each in targets),
        )

    def beat(self) -> float:
        """Every agent reports to every replica; returns microseconds for each report."""
        self.now_ms += 500
        self.counter += 1
        made = {region_id: self.readings(region_id) for region_id in self.regions}
        began = time.process_time()
        for replica_id, domain in DOMAINS.items():
            self.give(ReplicaReported(ReplicaReport(replica_id, domain, self.index, 0)))
        for region_id in self.regions:
            for agent_id in self.agents:
                for replica_id in DOMAINS:
                    report = AgentReport(
                        region_id,
                        agent_id,
                        "boot",
                        self.counter,
                        made[region_id],
                        replica_id,
                        transit_ms_max=20,
                    )
                    self.give(Reported(report))
        spent = time.process_time() - began
        return spent * 1e6 / (len(self.regions) * len(self.agents) * len(DOMAINS))

    def tick(self) -> float:
        """One tick; returns milliseconds."""
        self.now_ms += 100
        began = time.process_time()
        self.give(Ticked())
        return (time.process_time() - began) * 1e3


def show(name: str, fleet: Fleet) -> None:
    first_us = fleet.beat()
    ticks_ms = [fleet.tick() for _ in range(4)]
    later_us = [fleet.beat() for _ in range(2)]
    ticks_ms += [fleet.tick() for _ in range(20)]
    print(  # noqa: T201 - the figures are the purpose
        f"\n{name}: first report {first_us:.1f} us, later ones {min(later_us):.1f} us each; "
        f"tick {sorted(ticks_ms)[len(ticks_ms) // 2]:.2f} ms, worst {max(ticks_ms):.2f} ms"
    )
    state = fleet.director.state
    assert all(group.home is not None for group in state.groups)
    assert len(state.verdicts) == len(fleet.regions) * len(fleet.services)


def test_a_thousand_agents_in_four_regions() -> None:
    show("1 000 agents, 4 regions, 10 services", Fleet(4, 10, 250))


def test_fifty_regions_with_two_hundred_services() -> None:
    show("50 agents, 50 regions, 200 services", Fleet(50, 200, 1))
