"""Applies a manifest: what happens to ownership, verdicts and drains when the topology changes."""

from dataclasses import replace
from types import MappingProxyType

from director.core.commands import ApplyManifest
from director.core.deliveries import deliveries_after
from director.core.drill_occurrences import occurrences_after
from director.core.events import Event, ManifestApplied
from director.core.ids import GroupId
from director.core.machine_automation import after_manifest
from director.core.manifest_safety import manifest_safety_refusal
from director.core.reasons import Reason
from director.core.refusals import reject
from director.core.revisions import Revision, etag, kept
from director.core.safety import Refusal, Rule
from director.core.spill import spills_after
from director.core.state import Group, State
from director.core.topology import Topology
from director.core.topology_changes import summary


def apply_manifest(state: State, index: int, command: ApplyManifest) -> tuple[State, Event]:
    """Replace the topology, all or nothing."""
    refusal = manifest_refusal(state, command)
    if refusal is not None:
        return reject(state, index, command, refusal)
    state = with_manifest(state, index, command)
    return state, ManifestApplied(index, state.revision, command.stamp.request_id)


def with_manifest(state: State, index: int, command: ApplyManifest) -> State:
    """Return ``state`` with the manifest in force, whatever the rules say of it.

    For ``apply_manifest``, and for a plan, which shows what would be also when it is refused.
    """
    groups, retired = _groups_after(state, command.topology)
    revision = state.revision + 1
    latest = Revision(
        revision,
        index,
        command.stamp.wall_ms,
        command.stamp.actor,
        command.stamp.reason,
        summary(state.topology, command.topology),
        etag(revision, command.source),
        command.source,
        command.restores,
    )
    state = after_manifest(state, command.topology, command.stamp)
    return replace(
        _with_topology(state, command.topology),
        revision=revision,
        changed_index=index,
        manifest_source=command.source,
        groups=groups,
        retired_epochs=retired,
        revisions=kept(state.revisions, latest),
        occurrences=occurrences_after(state, command.topology, wall_ms=command.stamp.wall_ms),
    )


def _with_topology(state: State, topology: Topology) -> State:
    """Put the topology in force and forget what was known of regions and sites that are gone."""
    pairs = {
        (service.service_id, site.region_id)
        for service in topology.services
        for site in service.sites
    }
    regions = {region.region_id for region in topology.regions}
    return replace(
        state,
        topology=topology,
        verdicts=MappingProxyType(
            {pair: record for pair, record in state.verdicts.items() if pair in pairs}
        ),
        overrides=MappingProxyType(
            {pair: override for pair, override in state.overrides.items() if pair in pairs}
        ),
        drained_regions=tuple(each for each in state.drained_regions if each in regions),
        spills=spills_after(state, topology),
        deliveries=deliveries_after(state, topology),
    )


def manifest_refusal(state: State, command: ApplyManifest) -> Refusal | None:
    """Say why the manifest may not be applied now, or None if it may (C7)."""
    expected = command.expected_revision
    if expected is not None and expected != state.revision:
        return Refusal(
            Reason.STALE_REVISION,
            f"revision {state.revision} is in force; the request was made for {expected}",
            (("revision", str(state.revision)), ("expectedRevision", str(expected))),
        )
    if command.expected_etag not in ("", state.etag):
        return Refusal(
            Reason.STALE_REVISION,
            f"revision {state.revision} with etag {state.etag or 'none'} is in force; the request "
            f"was made for etag {command.expected_etag}",
            (("etag", state.etag), ("expectedEtag", command.expected_etag)),
        )
    before, after = state.topology, command.topology
    if state.revision and before.fleet_id != after.fleet_id:
        return Refusal(
            Reason.INVALID_REQUEST,
            f"this is fleet {before.fleet_id}; the documents are of fleet {after.fleet_id}",
        )
    for group in state.groups:
        refusal = _group_refusal(state, after, group)
        if refusal is not None:
            return refusal
    return manifest_safety_refusal(state, _with_topology(state, after), command)


def _group_refusal(state: State, after: Topology, group: Group) -> Refusal | None:
    service = after.service(group.service_id)
    run = state.active_run(group.group_id)
    stays = service is not None and group.group_id in service.group_ids
    if run is not None:
        kept = service is not None and stays
        if not kept or service is None or service.site(run.target) is None:
            return Refusal(
                Reason.FAILOVER_IN_PROGRESS,
                f"{run.run_id} is {run.stage}; the documents take away what it works on",
                (("failoverId", run.run_id),),
            )
    if service is None or not stays or group.home is None or service.site(group.home) is not None:
        return None
    return Refusal(
        Reason.SAFETY_RULE,
        f"{group.home} owns {group.service_id} and has no site in the documents; switch it over "
        "first",
        (("rule", Rule.OWNER_STAYS), ("regionId", group.home)),
    )


def _groups_after(
    state: State, topology: Topology
) -> tuple[tuple[Group, ...], tuple[tuple[GroupId, int], ...]]:
    """Keep the groups that stay, make the new ones, and remember the epochs of the others (A2)."""
    before = {group.group_id: group for group in state.groups}
    retired = dict(state.retired_epochs)
    groups = []
    for service in topology.services:
        for group_id in service.group_ids:
            group = before.pop(group_id, None)
            if group is None:
                group = Group(group_id, service.service_id, epoch=retired.pop(group_id, 0))
            groups.append(group)
    retired.update({group_id: group.epoch for group_id, group in before.items() if group.epoch})
    return (
        tuple(sorted(groups, key=lambda group: group.group_id)),
        tuple(sorted(retired.items())),
    )
