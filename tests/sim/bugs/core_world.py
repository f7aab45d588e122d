"""Directors that see only a part of the truth, and an oracle that knows all of it.

Paths between regions are broken, agents die, followers are lost, copies fall behind. The oracle is
told what is broken and nothing of how the directors judge: it says when a region may be called
DOWN (C4), who may take over at which loss (D3), and when nothing may move at all (C3).
"""

import random
from dataclasses import replace
from itertools import permutations

from director.core.events import RegionDrainSet, RunStarted, VerdictsRecorded
from director.core.ids import ReplicaId
from director.core.inputs import DrainAsked, Reported
from director.core.observations import AgentReport
from director.core.state import Run
from director.routing.table import RegionId, Verdict
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    D0,
    D1,
    D2,
    DOMAINS,
    EU,
    REGIONS,
    US,
    a_region,
    a_topology,
)
from tests.core.scripted_agent import ScriptedAgent
from tests.core.world import World, a_settled_world
from tests.sim.bugs.bug import Arena

TROUBLE_MS = 12_000
CALM_MS = 10_000
CONVERGE_MS = 35_000
_BLINDING_MS = 4_000
_SITES = (AP, EU, US)
_DIRECTORS = (D0, D1, D2)


def judged(*, shares: bool = False) -> Arena:
    """Partial views, judged against the truth.

    Args:
        shares: Two regions share a failure domain in every world, not only in half of them.
    """
    return Arena("core: partial views", lambda seed: CoreWorld(seed, shares=shares).play(), 20)


def replayed() -> Arena:
    """Reports that arrive again long after they were true (fault 42)."""
    return Arena("core: replays", _play_replay, 10)


class CoreWorld:
    """One world, its trouble, and the oracle."""

    def __init__(self, seed: int, *, shares: bool = False) -> None:
        self.rng = random.Random(f"core {seed}")
        rng = self.rng
        shared = rng.sample(REGIONS, 2) if rng.random() < 0.5 or shares else []
        self.domain = {each: "fd-shared" if each in shared else f"fd-{each}" for each in REGIONS}
        regions = tuple(a_region(each, failure_domain=self.domain[each]) for each in REGIONS)
        self.world = World(a_topology(regions=regions), seed=seed)
        # Copies of which nobody ever knew how far they are behind.
        self.unknown = {each for each in (AP, US) if rng.random() < 0.25}
        self.world.lag = {(CHAT, each): None for each in self.unknown}
        self.world.start_telling()
        self.world.run_until(10_000)
        self.own_failed: set[RegionId] = set()
        self.dead_agents: set[RegionId] = set()
        self.drawn_ms = 0
        self.home_cut_ms: int | None = None
        self.home_until_ms = 0
        self.home = EU
        self.seen: dict[ReplicaId, int] = {}
        self.has_healed = False

    def play(self) -> None:
        self.draw()
        self._watch(TROUBLE_MS)
        self.heal()
        self._watch(CONVERGE_MS)
        before = self.world.runs()
        assert not any(run.is_active for run in before), f"still under way: {before[-1]}"
        self._watch(CALM_MS)
        assert self.world.runs() == before, f"nothing is wrong, and {self.world.runs()[-1]} began"

    # -- trouble -----------------------------------------------------------------------------------

    def draw(self) -> None:
        rng, world = self.rng, self.world
        share = rng.choice((0.0, 0.15, 0.3, 0.45))
        world.blocked = {pair for pair in permutations(REGIONS, 2) if rng.random() < share}
        if rng.random() < 0.3:
            blind = rng.choice(REGIONS)
            world.blocked |= {(blind, other) for other in REGIONS if other != blind}
        if rng.random() < 0.3:
            blind = rng.choice(REGIONS)
            world.unheard = {(blind, each) for each in rng.sample(_DIRECTORS, rng.randint(1, 3))}
        for replica_id in (D0, D2):
            if rng.random() < 0.3:
                world.kill_replica(replica_id)
        for region_id in _SITES:
            lag_ms = rng.choice((100, 100, 100, None, 30_000))
            world.lag[CHAT, region_id] = None if region_id in self.unknown else lag_ms
        self.drawn_ms = world.now_ms
        self._watch(rng.choice((0, 8_000, 40_000)))
        self._draw_loss()

    def _draw_loss(self) -> None:
        rng, world = self.rng, self.world
        match rng.choice(("none", "cut", "cut", "agent", "service", "elsewhere", "drains")):
            case "cut":
                self.home_cut_ms = world.now_ms
                self.home_until_ms = world.agents[self.home].gates[CHAT_GROUP].until_ms
                world.cut(self.home)
            case "agent":
                self._kill_agent(self.home)
            case "service":
                self._fail(self.home)
            case "elsewhere":
                elsewhere = rng.choice((AP, US))
                rng.choice((self._kill_agent, self._fail))(elsewhere)
            case "drains":
                for number, region_id in enumerate(rng.sample(_SITES, rng.randint(1, 3))):
                    world.ask(DrainAsked(region_id, drained=True), request_id=f"drain {number}")
            case _:
                pass

    def _kill_agent(self, region_id: RegionId) -> None:
        self.dead_agents.add(region_id)
        self.world.agents[region_id].kill()

    def _fail(self, region_id: RegionId) -> None:
        self.own_failed.add(region_id)
        self.world.inside_out.add((CHAT, region_id))
        self.world.outside_out.add((CHAT, region_id))

    def heal(self) -> None:
        self._watch(0)
        self.has_healed = True
        world = self.world
        for region_id in REGIONS:
            world.heal(region_id)
        world.blocked, world.unheard = set(), set()
        world.inside_out, world.outside_out = set(), set()
        world.lag = {}
        for region_id in sorted(self.dead_agents):
            world.agents[region_id].restart()
        for region_id in _SITES:
            request_id = f"undrain {region_id}"
            world.ask(DrainAsked(region_id, drained=False), request_id=request_id)

    # -- the oracle --------------------------------------------------------------------------------

    def _watch(self, ms: int) -> None:
        end_ms = self.world.now_ms + ms
        while True:
            self._look()
            if self.world.now_ms >= end_ms:
                return
            self.world.run_until(min(end_ms, self.world.now_ms + 250))

    def _look(self) -> None:
        for replica_id, replica in self.world.replicas.items():
            notes = replica.notes[self.seen.get(replica_id, 0) :]
            self.seen[replica_id] = len(replica.notes)
            for _, event in notes:
                match event:
                    case VerdictsRecorded() if not self.has_healed:
                        for change in event.changes:
                            if change.verdict is Verdict.DOWN:
                                self.check_down(change.region_id)
                    case RunStarted():
                        run = self.world.chief.director.state.run(event.run_id)
                        if run is not None:
                            self.check_run(run)
                    case RegionDrainSet():
                        self.check_drains()
                    case _:
                        pass

    def _fails_from(self, observer: RegionId, region_id: RegionId) -> bool:
        return not self.world.probe(observer, (CHAT, region_id))[0] or (
            self.world.agents[region_id].is_cut or self.world.agents[observer].is_cut
        )

    def accusing_domains(self, region_id: RegionId) -> set[str]:
        """Failure domains of other regions that really see it fail, and see others pass."""
        found = set()
        began_ms = self.drawn_ms if self.home_cut_ms is None else self.home_cut_ms
        for observer in REGIONS:
            tracks = self.world.agents[observer].tracks
            others = [pair[1] for pair in tracks if pair[1] != observer]
            # Who looks at one other region only cannot tell whose fault it is.
            is_blind = len(others) >= 2 and all(self._fails_from(observer, at) for at in others)
            # Its probes do not all fail for the first time at the same moment.
            is_blind = is_blind and self.world.now_ms - began_ms >= _BLINDING_MS
            if observer == region_id or is_blind:
                continue
            if self.domain[observer] == self.domain[region_id]:
                continue
            if self._fails_from(observer, region_id):
                found.add(self.domain[observer])
        return found

    def silent_count(self, region_id: RegionId, *, elsewhere: bool = False) -> int:
        """How many living directors, or those in other domains, hear nothing of the region."""
        is_mute = region_id in self.dead_agents or self.world.agents[region_id].is_cut
        return sum(
            self.world.replicas[each].is_alive
            and (is_mute or (region_id, each) in self.world.unheard)
            and not (elsewhere and DOMAINS[each] == self.domain[region_id])
            for each in _DIRECTORS
        )

    def may_be_down(self, region_id: RegionId) -> bool:
        domains = self.accusing_domains(region_id)
        is_silent = self.silent_count(region_id, elsewhere=True) >= 2
        return region_id in self.own_failed or len(domains) >= 2 or (bool(domains) and is_silent)

    def check_down(self, region_id: RegionId) -> None:
        """C4: two other regions, or the service itself, or one region and silence."""
        assert self.may_be_down(region_id), (
            f"{region_id} is called DOWN; only {sorted(self.accusing_domains(region_id))} see it "
            f"fail, and {self.silent_count(region_id)} directors do not hear it"
        )

    def check_run(self, run: Run) -> None:
        """C3: nothing moves but for a loss, a drain, or an operator's word."""
        drained = self.world.chief.director.state.drained_regions
        has_word = run.automatic or run.request_id or run.source in drained
        assert has_word, f"{run.source} is well, and {run.run_id} moves it: {run.reason}"
        if run.automatic and not self.has_healed:
            self.check_lost(run)
            self.check_loss(run)

    def check_lost(self, run: Run) -> None:
        """C4: a home that is well, and heard, stays where it is."""
        is_lost = self.may_be_down(run.source) or self.silent_count(run.source) >= 2
        assert is_lost, f"{run.source} is well, and {run.run_id} moves it: {run.reason}"

    def check_loss(self, run: Run) -> None:
        """D3: the loss is known, and no less than what can really be lost."""
        lag_ms, bound_ms = self.world.lag.get((CHAT, run.target)), run.loss_bound_ms
        assert run.rpo_ms is not None, "the service declares an RPO"
        assert run.target not in self.unknown, (
            f"{run.target} takes over, and nobody ever knew how far it is behind"
        )
        if self.home_cut_ms is None or run.source != self.home:
            return
        # What a copy had once it has for good, however far it fell behind later.
        covered_ms = self.drawn_ms - 100
        if lag_ms is not None:
            covered_ms = max(covered_ms, self.home_cut_ms - lag_ms)
        real_ms = self.home_until_ms - covered_ms
        assert bound_ms is not None, "automation moves nothing at an unknown loss"
        assert real_ms <= bound_ms <= run.rpo_ms, (
            f"{run.target} can lose {real_ms} ms; it was said to be {bound_ms} ms"
        )

    def check_drains(self) -> None:
        """R2: whoever asked what at the same time, somebody serves."""
        state = self.world.chief.director.state
        left = [each for each in _SITES if each not in state.drained_regions]
        assert left, f"all regions of {CHAT} are drained"


def _play_replay(seed: int) -> None:
    rng = random.Random(f"replay {seed}")
    world = a_settled_world(seed=seed)
    taken: list[tuple[ReplicaId, AgentReport]] = []
    deliver = world.deliver_report

    def tap(agent: ScriptedAgent, replica_id: ReplicaId, report: AgentReport) -> None:
        fails = report.readings is not None and any(
            each.passing is False for each in report.readings.services
        )
        if fails and agent.region_id == US:
            heard = replace(report, heard_by=replica_id, transit_ms_max=40)
            taken.append((replica_id, heard))
        deliver(agent, replica_id, report)

    world.deliver_report = tap  # type: ignore[method-assign]
    world.inside_out = {(CHAT, US)}
    world.run_for(4_000)
    assert taken, "an agent says that its service fails"
    world.inside_out = set()
    if rng.random() < 0.5:
        world.agents[US].kill()
        world.run_for(500)
        world.agents[US].restart()
    world.run_for(20_000)
    since_ms = world.now_ms
    for replica_id, report in rng.sample(taken, min(len(taken), 6)):
        world.give(replica_id, Reported(report))
        world.run_for(rng.choice((0, 100, 400)))
    world.run_for(2_000)
    seen = world.verdicts_seen(US, since_ms)
    assert Verdict.DOWN not in seen, f"{US} is called DOWN on reports of {since_ms} ms ago"
