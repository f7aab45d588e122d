"""Random commands, many out of date, against the replicated state machine and its snapshots.

Everything that is promised of the state whatever is committed is checked here by rules of our own:
only the data is the product's.
"""

import random
from dataclasses import replace

from director.core import machine
from director.core.commands import (
    AbortRun,
    AdvanceRun,
    ApplyManifest,
    Command,
    GrantOwnership,
    RecordVerdicts,
    RunKind,
    SetOverride,
    SetRegionDrained,
    StageName,
    Stamp,
    StartRun,
    VerdictChange,
)
from director.core.events import Event, RunStarted
from director.core.ids import GroupId, RunId
from director.core.routes import compile_table
from director.core.state import Run, State
from director.core.topology import ServiceSpec
from director.routing.table import Override, RegionId, ServiceId, ServiceMode, Verdict
from director.service.codec import decode_state, encode_state
from tests.core.builders import (
    AP,
    CHAT,
    EU,
    US,
    WEB,
    a_policy,
    a_service,
    a_site,
    a_stamp,
    a_topology,
    an_active_active,
)
from tests.sim.bugs.bug import Arena

VOICE = ServiceId("voice")
STEPS = 150
COOLDOWN_MS = 20_000
WINDOW_MS = 60_000
_TOPOLOGIES = tuple(
    a_topology(*services, policy=a_policy(serving_regions_min=least, min_interval_ms=COOLDOWN_MS))
    for services in (
        (a_service(), a_service(VOICE), an_active_active()),
        (a_service(), a_service(VOICE), an_active_active()),
        (a_service(), a_service(VOICE), an_active_active(sites=(a_site(AP), a_site(US)))),
        (a_service(VOICE), an_active_active()),
        (a_service(),),
    )
    for least in (1, 2)
)
_FOLLOWING = {
    StageName.DRAINING: StageName.FENCING,
    StageName.CONFIRMING: StageName.FENCING,
    StageName.FENCING: StageName.PROMOTING,
    StageName.PROMOTING: StageName.PUBLISHING,
    StageName.PUBLISHING: StageName.VERIFYING,
    StageName.VERIFYING: StageName.SETTLED,
}
_ROUTES_MOVED = (StageName.PUBLISHING, StageName.VERIFYING)


def committed() -> Arena:
    """Commands as they might be committed, wise or not."""
    return Arena("machine: commands", lambda seed: MachineWorld(seed).play(), 60)


class MachineWorld:
    """One log, the state it makes, and what must be true of it after every entry."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"machine {seed}")
        self.clock_ms = 0
        self.state = State()
        self.mirror = State()
        # Either the state itself goes through snapshots, or a replica beside it does.
        self.restores = self.rng.random() < 0.5
        self.epochs: dict[GroupId, int] = {}
        self.homes: dict[GroupId, tuple[int, RegionId]] = {}
        self.settled_at_ms: dict[ServiceId, int] = {}
        self.removed_at_ms: dict[tuple[ServiceId, RegionId], int] = {}
        self.requests_seen: set[str] = set()

    def play(self) -> None:
        self.commit(ApplyManifest(self.stamp(), _TOPOLOGIES[0]))
        for number in range(STEPS):
            self.clock_ms += self.rng.choice((0, 10, 1_000, 7_000))
            self.commit(self.draw())
            if number % 10 == 0:
                self.snapshot()

    def snapshot(self) -> None:
        restored = decode_state(encode_state(self.state))
        if self.restores:
            self.state = restored
        else:
            self.check_mirror()
            self.mirror = restored
            self.check_mirror()

    def commit(self, command: Command | None) -> None:
        before, index = self.state, self.state.applied_index + 1
        self.state, event = machine.apply(before, index, command)
        self.mirror, _ = machine.apply(
            replace(self.mirror, applied_index=index - 1), index, command
        )
        if command is not None:
            self.check_requests(before, command)
            self.check_started(before, command, event)
            self.check_step(before, command)
        assert self.state.now_ms >= before.now_ms, (
            f"director time went from {before.now_ms} back to {self.state.now_ms}"
        )
        self.check_serving(before, command)
        self.check_velocity(before)
        self.check_epochs()
        self.check_runs(before)
        self.check_routes()

    # -- what is drawn -----------------------------------------------------------------------------

    def stamp(self, request_id: str = "") -> Stamp:
        return a_stamp(max(0, self.clock_ms - self.rng.choice((0, 0, 500))), request_id)

    def draw(self) -> Command | None:  # noqa: PLR0911 - one for each kind
        rng = self.rng
        request = rng.choice(("", "", "", *(f"r{number}" for number in range(40))))
        region = rng.choice((AP, EU, US))
        service_id = rng.choice((CHAT, VOICE, WEB))
        kind = rng.choices(
            ("none", "manifest", "verdicts", "grant", "start", "advance", "stale", "abort",
             "drain", "override"),
            (1, 2, 8, 4, 16, 16, 3, 2, 4, 3),
        )[0]  # fmt: skip
        match kind:
            case "manifest":
                return ApplyManifest(
                    self.stamp(request),
                    rng.choice(_TOPOLOGIES),
                    allow_removed=(CHAT, VOICE, WEB),  # or a service that is owned never goes
                )
            case "verdicts":
                return self._draw_verdicts()
            case "grant":
                return self._draw_grant(region)
            case "start":
                return self._draw_start(region, request)
            case "advance":
                return self._draw_advance()
            case "stale":
                run_id = self._a_run_id()
                stage, expected = rng.choice(list(StageName)), rng.choice(list(StageName))
                return AdvanceRun(self.stamp(), run_id, expected, stage)
            case "abort":
                stage = rng.choice(list(_FOLLOWING))
                return AbortRun(self.stamp(request), self._a_run_id(), stage, "RANDOM")
            case "drain":
                return SetRegionDrained(self.stamp(request), region, rng.random() < 0.6)
            case "override":
                override = rng.choice((None, None, *Override))
                return SetOverride(self.stamp(request), service_id, region, override)
            case _:
                return None

    def _draw_verdicts(self) -> Command:
        rng = self.rng
        changes = tuple(
            VerdictChange(
                rng.choice((CHAT, VOICE, WEB)),
                rng.choice((AP, EU, US)),
                rng.choice((Verdict.DOWN, Verdict.DOWN, Verdict.UP, Verdict.UP, Verdict.UNKNOWN)),
                "RANDOM",
                self.clock_ms,
            )
            for _ in range(rng.randint(1, 3))
        )
        return RecordVerdicts(self.stamp(), changes)

    def _a_group_id(self) -> GroupId:
        return self.rng.choice((GroupId("chat/0"), GroupId("voice/0")))

    def _an_epoch(self, group_id: GroupId) -> int:
        return self.epochs.get(group_id, 0) - self.rng.choice((0, 0, 0, 1))

    def _draw_grant(self, home: RegionId) -> Command:
        group_id = self._a_group_id()
        return GrantOwnership(self.stamp(), group_id, home, self._an_epoch(group_id))

    def _draw_start(self, target: RegionId, request: str) -> Command:
        rng, group_id = self.rng, self._a_group_id()
        kind = rng.choice((RunKind.FAILOVER, RunKind.FAILOVER, RunKind.SWITCHOVER))
        return StartRun(
            self.stamp(request),
            kind,
            group_id,
            target,
            self._an_epoch(group_id),
            automatic=kind is RunKind.FAILOVER and rng.random() < 0.8,
            suspected_at_ms=self.clock_ms,
            loss_bound_ms=rng.choice((None, 0, 9_999, 20_000)),
        )

    def _draw_advance(self) -> Command | None:
        active = [run for run in self.state.runs if run.is_active]
        if not active:
            return None
        run = self.rng.choice(active)
        return AdvanceRun(self.stamp(), run.run_id, run.stage, _FOLLOWING[run.stage])

    def _a_run_id(self) -> RunId:
        runs = self.state.runs
        return self.rng.choice(runs[-3:]).run_id if runs else RunId("chat/0")

    # -- what is checked ---------------------------------------------------------------------------

    def check_mirror(self) -> None:
        """A7: a replica that went through a snapshot has the same state."""
        assert self.mirror == self.state, (
            f"a replica that began from a snapshot differs at {self.state.applied_index}"
        )

    def check_requests(self, before: State, command: Command) -> None:
        """Fault 37: one request id, one effect."""
        request_id = command.stamp.request_id
        if request_id and request_id in self.requests_seen:
            same = replace(self.state, applied_index=before.applied_index, now_ms=before.now_ms)
            assert same == before, f"request {request_id} was carried out twice"
        if request_id:
            self.requests_seen.add(request_id)

    def check_serving(self, before: State, command: Command | None) -> None:
        """R2: nothing but verdicts on owners leaves a service with too few regions."""
        for service in self.state.topology.services:
            was_spec = before.topology.service(service.service_id)
            is_owned = service.mode is ServiceMode.ACTIVE_PASSIVE
            if was_spec is None or (is_owned and isinstance(command, RecordVerdicts)):
                continue
            least = self.state.topology.policy(service.policy_id).serving_regions_min
            now, was = _serving(self.state, service), _serving(before, was_spec)
            if isinstance(command, ApplyManifest):
                # A region that is kept although it is DOWN may be taken away by documents.
                now, was = _well(self.state, service, now), _well(before, was_spec, was)
            assert len(now) >= min(len(was), least), (
                f"{service.service_id} was served in {was}, and now in {now}: {command}"
            )

    def check_velocity(self, before: State) -> None:
        """R3: at most one region of a service is taken out by automation within a window."""
        for service in self.state.topology.services:
            service_id = service.service_id
            if before.topology.service(service_id) is None:
                self.removed_at_ms = {
                    pair: at for pair, at in self.removed_at_ms.items() if pair[0] != service_id
                }
            if service.mode is ServiceMode.ACTIVE_PASSIVE:
                continue
            for site in service.sites:
                pair = (service_id, site.region_id)
                if _is_out(self.state, pair) and not _is_out(before, pair):
                    self._removed(pair)

    def _removed(self, pair: tuple[ServiceId, RegionId]) -> None:
        now_ms = self.state.now_ms
        for other, at_ms in self.removed_at_ms.items():
            assert other == pair or other[0] != pair[0] or now_ms - at_ms >= WINDOW_MS, (
                f"{pair[1]} was taken out {now_ms - at_ms} ms after {other[1]}"
            )
        self.removed_at_ms[pair] = now_ms

    def check_epochs(self) -> None:
        """A2: epochs only rise, over removals too. A1: a home changes only with its epoch."""
        retired = dict(self.state.retired_epochs)
        for group_id in (GroupId("chat/0"), GroupId("voice/0")):
            group = self.state.group(group_id)
            epoch = retired.get(group_id, 0) if group is None else group.epoch
            known = self.epochs.get(group_id, 0)
            assert epoch >= known, f"{group_id} went from epoch {known} back to {epoch}"
            self.epochs[group_id] = epoch
            if group is None or group.home is None:
                continue
            before = self.homes.get(group_id, (0, group.home))
            assert before[0] != epoch or before[1] == group.home, (
                f"{group_id}: epoch {epoch} was given to {before[1]} and {group.home}"
            )
            self.homes[group_id] = (epoch, group.home)

    def check_started(self, before: State, command: Command, event: Event | None) -> None:
        """C1, D3: a run began; was it allowed to?"""
        if not isinstance(event, RunStarted) or not isinstance(command, StartRun):
            return
        run = self.state.run(event.run_id)
        assert run is not None, "a run that began is there"
        standing = before.verdicts.get((run.service_id, run.target))
        override = before.overrides.get((run.service_id, run.target))
        is_down = standing is not None and standing.verdict is Verdict.DOWN
        assert override is Override.FORCE_UP or not is_down, f"{run.target} is DOWN, and takes over"
        assert run.target not in before.drained_regions, f"{run.target} is drained, and takes over"
        assert command.expected_epoch == run.source_epoch, "it was decided at another epoch"
        if command.kind is RunKind.FAILOVER and command.accept_loss_ms is None:
            self._check_loss(run)
        if command.automatic:
            self._check_automation(run)

    def _check_loss(self, run: Run) -> None:
        bound_ms, rpo_ms = run.loss_bound_ms, run.rpo_ms
        assert rpo_ms is None or (bound_ms is not None and bound_ms <= rpo_ms), (
            f"{run.target} takes over with a loss of up to {bound_ms} ms, the RPO is {rpo_ms} ms"
        )

    def _check_automation(self, run: Run) -> None:
        settled_ms = self.settled_at_ms.get(run.service_id)
        passed_ms = None if settled_ms is None else self.state.now_ms - settled_ms
        assert passed_ms is None or passed_ms >= COOLDOWN_MS, (
            f"{run.service_id} fails over again after {passed_ms} ms"
        )
        sources = {each.source for each in self.state.runs if each.is_active and each.automatic}
        assert len(sources) == 1, f"automation moves away from {sorted(sources)} at once"

    def check_step(self, before: State, command: Command) -> None:
        """A9: a step that was decided at another stage changes nothing."""
        if not isinstance(command, AdvanceRun | AbortRun):
            return
        was, now = before.run(command.run_id), self.state.run(command.run_id)
        if was is not None and now is not None and now != was:
            assert was.stage is command.expected_stage, (
                f"{was.run_id} was {was.stage}; a step decided at {command.expected_stage} made it "
                f"{now.stage}"
            )

    def check_runs(self, before: State) -> None:
        """C1: one run of a group at a time; A9: none grants what it was not decided on."""
        active = [run.group_id for run in self.state.runs if run.is_active]
        assert len(active) == len(set(active)), f"two runs of one group: {active}"
        for run in self.state.runs:
            was = before.run(run.run_id)
            if was is None or was.stage is run.stage:
                continue
            if run.stage is StageName.SETTLED and run.automatic:
                self.settled_at_ms[run.service_id] = self.state.now_ms
            if run.stage is StageName.PROMOTING:
                group = before.group(run.group_id)
                assert group is not None, "a group outlives its runs"
                assert (group.home, group.epoch) == (run.source, run.source_epoch), (
                    f"{run.run_id} grants over {group.home} at {group.epoch}"
                )
        gone = [each for each in self.settled_at_ms if self.state.topology.service(each) is None]
        for service_id in gone:
            del self.settled_at_ms[service_id]

    def check_routes(self) -> None:
        """R1: routes lead somewhere, and not to a region that was not promoted yet."""
        table = compile_table(self.state, ())
        for route in table.services:
            group = self.state.group(GroupId(f"{route.service_id}/0"))
            if route.mode is not ServiceMode.ACTIVE_PASSIVE or group is None:
                continue
            run = self.state.active_run(group.group_id)
            wanted = group.home
            if run is not None:
                wanted = run.target if run.stage in _ROUTES_MOVED else run.source
            stage = "no run" if run is None else run.stage
            assert route.owner == wanted, f"routes lead to {route.owner} at {stage}, not {wanted}"


def _is_out(state: State, pair: tuple[ServiceId, RegionId]) -> bool:
    record = state.verdicts.get(pair)
    return record is not None and record.verdict is Verdict.DOWN and not record.withheld


def _serving(state: State, service: ServiceSpec) -> list[str]:
    found = []
    for site in service.sites:
        pair = (service.service_id, site.region_id)
        override = state.overrides.get(pair)
        is_well = override is Override.FORCE_UP or (override is None and not _is_out(state, pair))
        if is_well and site.region_id not in state.drained_regions:
            found.append(str(site.region_id))
    return found


def _well(state: State, service: ServiceSpec, serving: list[str]) -> list[str]:
    found = []
    for region_id in serving:
        pair = (service.service_id, RegionId(region_id))
        record = state.verdicts.get(pair)
        is_forced = state.overrides.get(pair) is Override.FORCE_UP
        if is_forced or record is None or record.verdict is not Verdict.DOWN:
            found.append(region_id)
    return found
