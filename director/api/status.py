"""The one screen of ``director status``, as a message."""

from director.client.watch import Source
from director.client.wire import UINT32_MAX
from director.core.status import RegionView, ServiceView, SiteView
from director.runtime.clock import boot_ms
from director.service.replica import Replica
from trafficdirector.admin.v1 import admin_pb2 as pb


def status_to_proto(replica: Replica, service_id: str) -> pb.GetStatusResponse:
    """Return the status as ``replica`` sees it, of one service or (``""``) of all."""
    state = replica.state
    standing = replica.consensus.standing()
    members = replica.consensus.members()
    voters = [each for each in members if each.is_voter]
    alive_count = sum(each.is_active or each.is_leader for each in voters)
    age_ms, source = replica.view.label()
    now_ms = boot_ms()
    return pb.GetStatusResponse(
        fleet_id=state.topology.fleet_id,
        replica_id=standing.member_id,
        leader_id=standing.leader_id or "",
        term=standing.term,
        config_revision=state.revision,
        applied_index=state.applied_index,
        view_age_ms=min(age_ms, UINT32_MAX),
        voters_alive=alive_count if standing.is_leader else 0,
        voter_count=len(voters),
        state_digest=replica.state_digest,
        services=[
            _service_to_proto(view)
            for view in replica.core.service_views(now_ms=now_ms)
            if service_id in ("", view.service_id)
        ],
        regions=[_region_to_proto(view) for view in replica.core.region_views(now_ms=now_ms)],
        watcher_count=replica.hub.watcher_count,
        is_fresh=source is Source.FRESH,
        is_leader=standing.is_leader,
        generation=state.generation,
    )


def _service_to_proto(view: ServiceView) -> pb.ServiceStatus:
    encoded = pb.ServiceStatus(
        service_id=view.service_id,
        mode=view.mode.value,
        owner_region_id=view.owner or "",
        serving_region_id=view.serving or "",
        generation=view.token.generation,
        epoch=view.token.epoch,
        sites=[_site_to_proto(site) for site in view.sites],
        rto_ms=view.rto_ms,
        predicted_rto_ms=view.predicted_rto_ms,
        automation=view.automation.value,
        automation_note=view.automation_note,
        active_run_id=view.active_run or "",
    )
    if view.rpo_ms is not None:
        encoded.rpo_ms = view.rpo_ms
    return encoded


def _site_to_proto(view: SiteView) -> pb.SiteStatus:
    encoded = pb.SiteStatus(
        region_id=view.region_id,
        priority=view.priority,
        verdict=view.verdict.value,
        reason=view.reason,
        withheld=view.withheld,
        override="" if view.override is None else view.override.value,
        ineligibility=view.ineligibility,
        gate_open=view.gate_open,
        serving=view.serving,
    )
    if view.loss_bound_ms is not None:
        encoded.loss_bound_ms = min(max(0, view.loss_bound_ms), UINT32_MAX)
    if view.lag_ms is not None:
        encoded.lag_ms = min(view.lag_ms, UINT32_MAX)
    return encoded


def _region_to_proto(view: RegionView) -> pb.RegionStatus:
    encoded = pb.RegionStatus(
        region_id=view.region_id,
        drained=view.drained,
        agent_count=view.agent_count,
        jurisdiction=view.jurisdiction,
    )
    if view.heard_age_ms is not None:
        encoded.heard_age_ms = min(max(0, view.heard_age_ms), UINT32_MAX)
    return encoded
