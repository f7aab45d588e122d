"""What agents must be told: who owns which group, and what to watch from outside."""

from director.core.commands import StageName
from director.core.effects import DirectGroup, DirectProbes
from director.core.ids import GroupId
from director.core.probes_plan import plan_probes
from director.core.state import Group, Run, State
from director.core.topology import NO_TOPOLOGY, Topology
from director.routing.table import RegionId, ServiceId


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

    def changes(self, before: State, after: State) -> list[DirectGroup | DirectProbes]:
        """Return what is new to connected agents."""
        return [*self._new_probes(after), *_changed_groups(before, after)]

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
        is_same_demand = (group_id in fenced_before) == (group_id in fenced)
        if old is group and is_same_demand and is_same_generation:
            continue
        directive = _direct(after, group, fenced)
        if old is None or _direct(before, old, fenced_before) != directive:
            changed.append(directive)
    return changed


def _fenced(state: State) -> dict[GroupId, Run]:
    """The groups whose home is being asked to stop."""
    return {run.group_id: run for run in state.runs if run.stage is StageName.FENCING}


def _direct(state: State, group: Group, fenced: dict[GroupId, Run]) -> DirectGroup:
    return DirectGroup(
        group.group_id,
        group.service_id,
        group.home,
        state.token(group),
        demote=group.group_id in fenced,
    )
