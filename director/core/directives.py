"""What agents must be told: who owns which group, and what to watch from outside."""

from dataclasses import replace

from director.core.commands import StageName
from director.core.drill import INJECTION_TTL_MS
from director.core.effects import DirectGroup, DirectInjection, DirectProbes
from director.core.ids import GroupId
from director.core.probes_plan import plan_probes
from director.core.state import Group, State
from director.core.topology import NO_TOPOLOGY, Topology
from director.routing.table import RegionId, ServiceId

# An injection that was decided so long ago is not told any more. Agents know a late word by
# themselves for a minute after the last one; and replicas' clocks may run some seconds apart.
_LATE_MS_MAX = 30_000


class Directives:
    """Facts of the replicated state in the agents' words. Keeps the probe plan in force."""

    def __init__(self, state: State) -> None:
        self._topology: Topology = NO_TOPOLOGY
        self._probes: dict[RegionId, DirectProbes] = {}
        self._new_probes(state)

    def current(
        self, state: State, region_id: RegionId, service_ids: tuple[ServiceId, ...]
    ) -> tuple[DirectGroup | DirectProbes, ...]:
        """Return what an agent that has just connected must be told."""
        fenced = _fenced(state)
        groups = tuple(
            _direct(state, group, fenced)
            for group in state.groups
            if group.service_id in service_ids
        )
        probes = self._probes.get(region_id)
        return groups if probes is None else (*groups, probes)

    def changes(
        self, before: State, after: State, *, late_ms: int = 0
    ) -> list[DirectGroup | DirectProbes | DirectInjection]:
        """Return what is new to connected agents.

        Args:
            before: What was replicated.
            after: What is.
            late_ms: How long ago ``after`` was decided, as far as this replica can tell.
        """
        return [
            *self._new_probes(after),
            *_changed_groups(before, after),
            *_injections(before, after, late_ms),
        ]

    def _new_probes(self, state: State) -> list[DirectProbes]:
        if state.topology is self._topology:
            return []
        self._topology = state.topology
        before, self._probes = self._probes, plan_probes(state.topology)
        gone = [DirectProbes(region_id, ()) for region_id in before.keys() - self._probes.keys()]
        changed = [
            plan for region_id, plan in self._probes.items() if before.get(region_id) != plan
        ]
        return sorted([*gone, *changed], key=lambda plan: plan.region_id)


def _changed_groups(before: State, after: State) -> list[DirectGroup]:
    # Most entries change neither; those that do change few of many.
    is_same_generation = before.generation == after.generation
    if is_same_generation and before.groups is after.groups and before.runs is after.runs:
        return []
    fenced_before, fenced = _fenced(before), _fenced(after)
    was = {group.group_id: group for group in before.groups}
    changed = []
    for group in after.groups:
        old, group_id = was.get(group.group_id), group.group_id
        is_same_demand = fenced_before.get(group_id) == fenced.get(group_id)
        if old is group and is_same_demand and is_same_generation:
            continue
        directive = _direct(after, group, fenced)
        if old is None or _direct(before, old, fenced_before) != directive:
            changed.append(directive)
    return changed


def _fenced(state: State) -> dict[GroupId, StageName]:
    """The groups whose home is being asked to stop, or soon will be."""
    asking = (StageName.DRAINING, StageName.FENCING)
    return {run.group_id: run.stage for run in state.runs if run.stage in asking}


def _direct(state: State, group: Group, fenced: dict[GroupId, StageName]) -> DirectGroup:
    return DirectGroup(
        group.group_id,
        group.service_id,
        group.home,
        state.token(group),
        demote=fenced.get(group.group_id) is StageName.FENCING,
        prepare=fenced.get(group.group_id) is StageName.DRAINING,
    )


def _injections(before: State, after: State, late_ms: int) -> list[DirectInjection]:
    """What a drill injects from now on, or that it is over.

    Only an entry of the log says it anew: a replica that is cut off from the others, or a fleet
    without a leader, says nothing, and agents forget it. Nor does one that catches up, by entries
    or by a snapshot, repeat what was said long ago: the drill may be over.
    """
    if before.drills is after.drills:
        return []
    was, now = _injection(before), _injection(after)
    if now is not None:
        is_new = now != was and after.applied_index == before.applied_index + 1
        return [now] if is_new and late_ms < _LATE_MS_MAX else []
    return [] if was is None else [replace(was, ttl_ms=0)]


def _injection(state: State) -> DirectInjection | None:
    drill = state.active_drill()
    if drill is None or not drill.is_broken or not drill.spec.is_injected:
        return None
    scenario = drill.spec.scenario
    return DirectInjection(
        drill.drill_id,
        drill.number,
        drill.renewal,
        drill.spec.service_id,
        scenario.region_id,
        scenario.kind,
        scenario.share_per_mille,
        scenario.delay_ms,
        INJECTION_TTL_MS,
    )
