"""Draws transactions: drains, overrides, documents, verdicts, grants and runs, sound or not."""

import random
from dataclasses import dataclass, replace

from director.core.commands import (
    AbortRun,
    AdvanceRun,
    ApplyManifest,
    Command,
    GrantOwnership,
    RecordSpill,
    RecordVerdicts,
    RunKind,
    SetOverride,
    SetRegionDrained,
    StageName,
    Stamp,
    StartRun,
    VerdictChange,
)
from director.core.ids import PolicyId
from director.core.loads import RegionLoad, SpillSite
from director.core.state import State
from director.core.topology import (
    Policy,
    RegionSpec,
    RoutingSpec,
    ServiceSpec,
    SiteSpec,
    Topology,
)
from director.routing.table import (
    Endpoint,
    Location,
    Override,
    RegionId,
    ServiceId,
    ServiceMode,
    Strategy,
    Verdict,
)

REGIONS = tuple(RegionId(each) for each in ("ap", "eu", "sa", "us"))
SERVICES = tuple(ServiceId(each) for each in ("chat", "embed", "web"))
_CAPACITIES = (0, 50, 100, 100, 200, 400)
_LOADS = (None, 0, 20, 40, 60, 90, 150)
_VERDICTS = (Verdict.UP, Verdict.UP, Verdict.UP, Verdict.DEGRADED, Verdict.DOWN, Verdict.UNKNOWN)
_NEXT = {
    StageName.DRAINING: StageName.FENCING,
    StageName.CONFIRMING: StageName.FENCING,
    StageName.FENCING: StageName.PROMOTING,
    StageName.PROMOTING: StageName.PUBLISHING,
    StageName.PUBLISHING: StageName.VERIFYING,
    StageName.VERIFYING: StageName.SETTLED,
}


@dataclass
class Draw:
    """Draws one transaction after another for a state that it is shown.

    Attributes:
        has_terms: Overrides end by themselves.
    """

    rng: random.Random
    has_terms: bool = False
    now_ms: int = 0

    def command(self, state: State) -> Command:
        """Return something that somebody might ask of ``state`` now."""
        self.now_ms += self.rng.choice((0, 50, 500, 5_000, 20_000, 70_000))
        if not state.revision:
            return ApplyManifest(self._stamp(), self._topology())
        running = [run for run in state.runs if run.is_active]
        if running and self.rng.random() < 0.3:
            return self._step(state)
        draws = (
            (20, self._verdicts),
            (14, self._drain),
            (12, self._override),
            (10, self._documents),
            (8, self._grant),
            (8, self._start),
            (3, self._spill),
        )
        weights = [weight for weight, _ in draws]
        (chosen,) = self.rng.choices([draw for _, draw in draws], weights)
        return chosen(state)

    def _stamp(self) -> Stamp:
        return Stamp(self.now_ms, actor="maria", reason="a transaction")

    # -- what is asked -----------------------------------------------------------------------------

    def _verdicts(self, state: State) -> Command:
        count = self.rng.choice((1, 1, 1, 2, 4))
        changes = []
        for _ in range(count):
            service = self.rng.choice(SERVICES)
            verdict = self.rng.choice(_VERDICTS)
            region = self.rng.choice(REGIONS)
            changes.append(VerdictChange(service, region, verdict, "DRAWN", self.now_ms))
        return RecordVerdicts(self._stamp(), tuple(changes))

    def _drain(self, state: State) -> Command:
        # More regions come back than go, or everything would soon be drained that can be.
        drained = self.rng.random() < 0.5
        if not drained and state.drained_regions:
            region = self.rng.choice(state.drained_regions)
        else:
            region = self.rng.choice(REGIONS)
        waives = "CAPACITY" if self.rng.random() < 0.1 else ""
        loads = self._loads() if drained else ()
        return SetRegionDrained(self._stamp(), region, drained, loads, waives)

    def _override(self, state: State) -> Command:
        over = [
            (pair, term.expires_at_ms)
            for pair, term in sorted(state.override_terms.items())
            if term.expires_at_ms <= self.now_ms
        ]
        if over and self.rng.random() < 0.5:
            pair, ended_at_ms = self.rng.choice(over)
            return SetOverride(self._stamp(), *pair, None, lapsed_at_ms=ended_at_ms)
        forced = self.rng.choice((None, None, Override.FORCE_UP, Override.FORCE_DOWN))
        pair = (self.rng.choice(SERVICES), self.rng.choice(REGIONS))
        if forced is None and state.overrides:
            pair = self.rng.choice(sorted(state.overrides))
        for_ms = 30_000 if forced and self.has_terms else 0
        return SetOverride(self._stamp(), *pair, forced, for_ms)

    def _documents(self, state: State) -> Command:
        topology = self._topology()
        if self.rng.random() < 0.6:
            topology = self._edited(state.topology)
        allowed = tuple(each for each in SERVICES if self.rng.random() < 0.15)
        return ApplyManifest(self._stamp(), topology, allow_removed=allowed, loads=self._loads())

    def _grant(self, state: State) -> Command:
        if not state.groups:
            return self._drain(state)
        group = self.rng.choice(state.groups)
        return GrantOwnership(self._stamp(), group.group_id, self.rng.choice(REGIONS), group.epoch)

    def _start(self, state: State) -> Command:
        if not state.groups:
            return self._verdicts(state)
        group = self.rng.choice(state.groups)
        kind = self.rng.choice((RunKind.FAILOVER, RunKind.SWITCHOVER, RunKind.SWITCHOVER))
        return StartRun(
            self._stamp(),
            kind,
            group.group_id,
            self.rng.choice(REGIONS),
            group.epoch,
            automatic=False,
            suspected_at_ms=self.now_ms,
            loss_bound_ms=0,
            load_rps=self.rng.choice(_LOADS),
            waives="CAPACITY" if self.rng.random() < 0.1 else "",
        )

    def _step(self, state: State) -> Command:
        run = self.rng.choice([run for run in state.runs if run.is_active])
        if self.rng.random() < 0.2:
            return AbortRun(self._stamp(), run.run_id, run.stage, "CANCELLED")
        return AdvanceRun(self._stamp(), run.run_id, run.stage, _NEXT[run.stage])

    def _spill(self, state: State) -> Command:
        service = self.rng.choice(SERVICES)
        spec = state.topology.service(service)
        regions = REGIONS if spec is None else tuple(site.region_id for site in spec.sites)
        sites = []
        for region_id in regions:
            share = self.rng.choice((0, 0, 100, 900))
            is_full = share > 0 or self.rng.random() < 0.3
            sites.append(SpillSite(region_id, share, 900, is_full))
        held = [each.index for pair, each in state.spills.items() if pair[0] == service]
        return RecordSpill(self._stamp(), service, tuple(sites), max(held, default=0))

    # -- what it is made of ------------------------------------------------------------------------

    def _loads(self) -> tuple[RegionLoad, ...]:
        # Often everybody reports; what is missing otherwise allows no statement.
        unheard = self.rng.choice((None, 40))
        found = []
        for service in SERVICES:
            for region in REGIONS:
                drawn = self.rng.choice(_LOADS)
                rps = unheard if drawn is None else drawn
                if rps is not None:
                    found.append(RegionLoad(service, region, rps))
        return tuple(found)

    def _topology(self) -> Topology:
        regions = [each for each in REGIONS if self.rng.random() < 0.95]
        services = [self._service(each) for each in SERVICES if self.rng.random() < 0.9]
        return Topology(
            "model",
            tuple(RegionSpec(each, Location(0.0, 0.0), "XX", f"fd-{each}") for each in regions),
            services=tuple(services),
            policies=(self._policy(),),
        )

    def _policy(self) -> Policy:
        least = self.rng.choice((0, 1, 1, 2))
        return Policy(PolicyId("default"), serving_regions_min=least)

    def _service(self, service_id: ServiceId) -> ServiceSpec:
        is_passive = self.rng.random() < (0.9 if service_id == "chat" else 0.1)
        chosen = [each for each in REGIONS if self.rng.random() < 0.85]
        sites = tuple(self._site(service_id, each) for each in chosen or REGIONS[:1])
        spill = None if is_passive else self.rng.choice((None, None, 850))
        return ServiceSpec(
            service_id,
            ServiceMode.ACTIVE_PASSIVE if is_passive else ServiceMode.ACTIVE_ACTIVE,
            PolicyId("default"),
            rto_ms=60_000,
            rpo_ms=None,
            sites=sites,
            routing=RoutingSpec(self.rng.choice(tuple(Strategy)), spill_per_mille=spill),
        )

    def _site(self, service_id: ServiceId, region_id: RegionId) -> SiteSpec:
        endpoints: tuple[Endpoint, ...] = (Endpoint(f"{service_id}.{region_id}:443"),)
        if self.rng.random() < 0.01:
            endpoints = ()
        return SiteSpec(
            region_id,
            self.rng.choice((0, 0, 0, 1)),
            self.rng.choice((100, 100, 50, 0)),
            self.rng.choice(_CAPACITIES),
            endpoints,
        )

    def _edited(self, topology: Topology) -> Topology:
        """Change one thing: a service, or the least number of regions that must serve."""
        if not topology.services or self.rng.random() < 0.1:
            return replace(topology, policies=(self._policy(),))
        service = self.rng.choice(topology.services)
        others = [each for each in topology.services if each is not service]
        if self.rng.random() < 0.2:
            return replace(topology, services=tuple(others))
        sites = list(service.sites)
        at = self.rng.randrange(len(sites))
        if len(sites) > 1 and self.rng.random() < 0.5:
            del sites[at]
        else:
            sites[at] = self._site(service.service_id, sites[at].region_id)
        mode = service.mode
        if self.rng.random() < 0.1:
            mode = self.rng.choice(tuple(ServiceMode))
        edited = replace(service, sites=tuple(sites), mode=mode)
        services = sorted([*others, edited], key=lambda each: each.service_id)
        return replace(topology, services=tuple(services))
