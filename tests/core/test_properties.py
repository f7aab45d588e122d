"""What holds for every sequence of commands, and from every point at which a leader can be lost."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from director.core import machine
from director.core.automation import WHOLE_FLEET
from director.core.automation_commands import (
    AutomationAction,
    IntentState,
    RecordIntent,
    SetAutomation,
)
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
from director.core.digest import digest
from director.core.ids import GroupId, RunId
from director.core.inputs import ApproveAsked, SnapshotInstalled
from director.core.safety import is_serving
from director.core.state import State
from director.core.topology import Automation, Topology
from director.routing.table import Override, RegionId, ServiceId, Verdict
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    D1,
    D2,
    EU,
    US,
    WEB,
    a_policy,
    a_service,
    a_stamp,
    a_topology,
    an_active_active,
)
from tests.core.world import Replica, World, a_settled_world

_TOPOLOGIES = tuple(
    a_topology(*services, policy=a_policy(serving_regions_min=least, min_interval_ms=5_000))
    for services in (
        (a_service(), an_active_active()),
        (a_service(),),
        (an_active_active(),),
    )
    for least in (1, 2)
)
_REGIONS = st.sampled_from((AP, EU, US))
_SERVICES = st.sampled_from((CHAT, WEB))
_STAGES = st.sampled_from(tuple(StageName))
_VERDICTS = st.sampled_from(tuple(Verdict))
_REQUESTS = st.sampled_from(("", "", "", "r1", "r2", "r3"))
_FAR = st.integers(0, 3)


class Machine(RuleBasedStateMachine):
    """Random commands, many of them out of date, applied on two replicas."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State()
        self.mirror = State()
        self.epochs: dict[GroupId, int] = {}
        self.homes: dict[GroupId, tuple[int, RegionId | None]] = {}
        self.clock_ms = 0

    def commit(self, command: Command | None) -> None:
        before = self.state
        index = before.applied_index + 1
        self.state, event = machine.apply(before, index, command)
        self.mirror, mirrored = machine.apply(self.mirror, index, command)
        assert event == mirrored
        assert self.state.applied_index == index
        assert self.state.now_ms >= before.now_ms
        assert self.state.changed_index in (before.changed_index, index)
        self.check_serving(before, command)
        self.check_epochs()

    def check_serving(self, before: State, command: Command | None) -> None:
        """R2: nothing but verdicts on owners takes a service below its least serving regions."""
        for service in self.state.topology.services:
            if before.topology.service(service.service_id) is None:
                continue
            if service.service_id == CHAT and isinstance(command, RecordVerdicts):
                continue  # routing keeps an owner whatever the verdict (R4)
            least = self.state.topology.policy(service.policy_id).serving_regions_min
            now = sum(is_serving(self.state, service, site.region_id) for site in service.sites)
            was_spec = before.topology.service(service.service_id)
            assert was_spec is not None
            was = sum(is_serving(before, was_spec, site.region_id) for site in was_spec.sites)
            assert now >= min(was, least), f"{service.service_id} had {was}, has {now}: {command}"

    def check_epochs(self) -> None:
        """A2: epochs only rise, also over a removal; a home changes only with its epoch."""
        retired = dict(self.state.retired_epochs)
        for group_id in (CHAT_GROUP,):
            group = self.state.group(group_id)
            epoch = retired.get(group_id, 0) if group is None else group.epoch
            assert epoch >= self.epochs.get(group_id, 0)
            self.epochs[group_id] = epoch
            if group is None or group.home is None:
                self.homes.pop(group_id, None)
                continue
            known = self.homes.get(group_id)
            if known is not None and known[0] == epoch:
                assert known[1] == group.home
            self.homes[group_id] = (epoch, group.home)

    def stamp(self, request_id: str = "", back_ms: int = 0) -> Stamp:
        return a_stamp(max(0, self.clock_ms - back_ms), request_id)

    @rule(ms=st.integers(0, 40_000))
    def time_passes(self, ms: int) -> None:
        self.clock_ms += ms

    @rule()
    def no_command(self) -> None:
        self.commit(None)

    @rule(topology=st.sampled_from(_TOPOLOGIES), request=_REQUESTS, expects=st.booleans())
    def apply_manifest(self, topology: Topology, request: str, expects: bool) -> None:
        revision = self.state.revision if expects else None
        self.commit(ApplyManifest(self.stamp(request), topology, "", revision))

    @rule(changes=st.lists(st.tuples(_SERVICES, _REGIONS, _VERDICTS), min_size=1, max_size=4))
    def record(self, changes: list[tuple[ServiceId, RegionId, Verdict]]) -> None:
        made = tuple(VerdictChange(*each, "RANDOM", self.clock_ms) for each in changes)
        self.commit(RecordVerdicts(self.stamp(), made))

    @rule(home=_REGIONS, off=_FAR)
    def grant(self, home: RegionId, off: int) -> None:
        epoch = self.epochs.get(CHAT_GROUP, 0) - off
        self.commit(GrantOwnership(self.stamp(), CHAT_GROUP, home, epoch))

    @rule(
        to=_REGIONS,
        kind=st.sampled_from(tuple(RunKind)),
        automatic=st.booleans(),
        off=_FAR,
        bound_ms=st.sampled_from((None, 0, 9_999, 20_000)),
    )
    def start(
        self, to: RegionId, kind: RunKind, automatic: bool, off: int, bound_ms: int | None
    ) -> None:
        epoch = self.epochs.get(CHAT_GROUP, 0) - off
        self.commit(
            StartRun(
                self.stamp(),
                kind,
                CHAT_GROUP,
                to,
                epoch,
                automatic=automatic and kind is RunKind.FAILOVER,
                suspected_at_ms=self.clock_ms,
                loss_bound_ms=bound_ms,
            )
        )

    def _run_id(self) -> RunId:
        return self.state.runs[-1].run_id if self.state.runs else RunId("chat/0")

    @rule(back_ms=st.integers(0, 1_000))
    def advance(self, back_ms: int) -> None:
        """The step that really follows: otherwise no run would ever get anywhere."""
        run = self.state.run(self._run_id())
        if run is not None and run.is_active:
            following = {
                StageName.DRAINING: StageName.FENCING,
                StageName.CONFIRMING: StageName.FENCING,
                StageName.FENCING: StageName.PROMOTING,
                StageName.PROMOTING: StageName.PUBLISHING,
                StageName.PUBLISHING: StageName.VERIFYING,
                StageName.VERIFYING: StageName.SETTLED,
            }[run.stage]
            self.commit(AdvanceRun(self.stamp("", back_ms), run.run_id, run.stage, following))

    @rule(expected=_STAGES, stage=_STAGES)
    def advance_out_of_date(self, expected: StageName, stage: StageName) -> None:
        self.commit(AdvanceRun(self.stamp(), self._run_id(), expected, stage))

    @rule(expected=_STAGES, request=_REQUESTS)
    def abort(self, expected: StageName, request: str) -> None:
        self.commit(AbortRun(self.stamp(request), self._run_id(), expected, "RANDOM"))

    @rule(region_id=_REGIONS, drained=st.booleans(), request=_REQUESTS)
    def drain(self, region_id: RegionId, drained: bool, request: str) -> None:
        self.commit(SetRegionDrained(self.stamp(request), region_id, drained))

    @rule(
        service_id=_SERVICES,
        region_id=_REGIONS,
        override=st.sampled_from((None, *Override)),
        request=_REQUESTS,
    )
    def force(
        self, service_id: ServiceId, region_id: RegionId, override: Override | None, request: str
    ) -> None:
        self.commit(
            SetOverride(self.stamp(request), service_id, region_id, override, for_ms=60_000)
        )

    @rule(
        service_id=st.sampled_from((CHAT, WEB, WHOLE_FLEET)),
        action=st.sampled_from(AutomationAction),
        for_ms=st.sampled_from((0, 1_000, 60_000)),
        request=_REQUESTS,
    )
    def set_automation(
        self, service_id: ServiceId, action: AutomationAction, for_ms: int, request: str
    ) -> None:
        self.commit(SetAutomation(self.stamp(request), service_id, action, for_ms))

    @rule(to=_REGIONS, epochs_back=_FAR, kind=st.sampled_from(RunKind))
    def propose(self, to: RegionId, epochs_back: int, kind: RunKind) -> None:
        group = self.state.group(CHAT_GROUP)
        epoch = 0 if group is None else max(0, group.epoch - epochs_back)
        self.commit(
            RecordIntent(
                self.stamp(),
                CHAT_GROUP,
                IntentState.OPEN,
                kind=kind,
                target=to,
                expected_epoch=epoch,
            )
        )

    @rule(ended=st.sampled_from(IntentState), number=_FAR)
    def end_proposal(self, ended: IntentState, number: int) -> None:
        if ended is not IntentState.OPEN:
            name = f"chat/p{number}"
            self.commit(RecordIntent(self.stamp(), CHAT_GROUP, ended, name, outcome="over"))

    @invariant()
    def one_proposal_per_incident_and_none_beside_a_run(self) -> None:
        standing = [each.group_id for each in self.state.intents if each.is_standing]
        assert len(standing) == len(set(standing))
        for each in self.state.intents:
            assert (each.outcome == "") == each.is_standing
            if each.is_standing:
                assert self.state.active_run(each.group_id) is None

    @invariant()
    def an_override_and_its_term_go_together(self) -> None:
        assert set(self.state.overrides) == set(self.state.override_terms)

    @invariant()
    def one_run_at_a_time(self) -> None:
        active = [run.group_id for run in self.state.runs if run.is_active]
        assert len(active) == len(set(active))

    @invariant()
    def routes_point_at_a_region_that_owned(self) -> None:
        for group in self.state.groups:
            assert (group.home is None) == (group.serving is None)
            run = self.state.active_run(group.group_id)
            if run is None:
                assert group.serving == group.home
            elif run.stage in (StageName.PUBLISHING, StageName.VERIFYING):
                assert group.serving == group.home == run.target
            else:
                assert group.serving == run.source

    @invariant()
    def both_replicas_agree(self) -> None:
        assert digest(self.state) == digest(self.mirror)


Machine.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestMachine = Machine.TestCase


# -- interruption ----------------------------------------------------------------------------------


def _lost(world: World) -> None:
    world.kill_region(EU, with_replica=False)


def _gray(world: World) -> None:
    world.outside_out = {(CHAT, EU)}


def _planned(world: World) -> None:
    world.move(RunKind.SWITCHOVER, US)


def _entries_of(trouble: Callable[[World], None]) -> int:
    """How many entries a move writes that nobody interrupts."""
    world = a_settled_world()
    before = len(world.log)
    trouble(world)
    world.run_for(12_000)
    assert [run.stage for run in world.runs()] == [StageName.SETTLED]
    return len(world.log) - before


def _run_to_entry(world: World, count: int) -> None:
    found = world.run_for(12_000, lambda: len(world.log) >= count)
    assert found, f"entry {count} was never written"


def _is_fencing(world: World) -> bool:
    return bool(world.runs()) and world.runs()[-1].stage is StageName.FENCING


@pytest.mark.parametrize("trouble", [_lost, _gray, _planned])
def test_a_new_leader_finishes_or_undoes_a_move_from_wherever_the_last_one_left_it(
    trouble: Callable[[World], None],
) -> None:
    for written in range(_entries_of(trouble) + 1):
        world = a_settled_world()
        before = len(world.log)
        trouble(world)
        _run_to_entry(world, before + written)

        world.elect(D2)
        world.run_for(45_000)

        state = world.chief.director.state
        group = state.group(CHAT_GROUP)
        assert group is not None
        assert state.active_run(CHAT_GROUP) is None, f"after {written} entries: {state.runs[-1]}"
        assert world.writers() == [group.home], f"after {written} entries: {state.runs}"
        assert group.serving == group.home
        if trouble is not _planned:
            assert group.home == US
        world.check_same_state()


def test_a_new_leader_finishes_an_approved_move_from_wherever_the_last_one_left_it() -> None:
    def approved() -> World:
        world = a_settled_world(a_topology(policy=a_policy(automation=Automation.APPROVE)))
        _lost(world)
        world.run_for(20_000, lambda: bool(world.chief.director.state.intents))
        world.ask(ApproveAsked(CHAT))
        return world

    uninterrupted = approved()
    before = len(uninterrupted.log)
    uninterrupted.run_for(12_000)

    for written in range(len(uninterrupted.log) - before + 1):
        world = approved()
        _run_to_entry(world, before + written)
        world.elect(D2)
        world.ask(ApproveAsked(CHAT))  # what was asked before it was written is asked again
        world.run_for(45_000)

        assert world.writers() == [US], f"after {written} entries"
        assert [run.stage for run in world.runs()] == [StageName.SETTLED]
        assert [each.state for each in world.chief.director.state.intents] == [IntentState.APPROVED]
        world.check_same_state()


def test_a_replica_that_joins_by_a_snapshot_goes_on_with_the_run_in_it() -> None:
    world = a_settled_world()
    _lost(world)
    world.run_for(
        12_000, lambda: bool(world.runs()) and world.runs()[-1].stage is StageName.FENCING
    )
    fresh = Replica(world, D2)
    world.replicas[D2] = fresh
    world.give(D2, SnapshotInstalled(world.replicas[D1].director.state))
    fresh.applied = fresh.director.state.applied_index

    world.elect(D2)
    world.run_for(20_000)

    assert world.writers() == [US]
    assert [run.stage for run in world.runs()] == [StageName.SETTLED]
    assert replace(world.chief.director.state) == world.replicas[D1].director.state
