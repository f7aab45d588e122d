"""The one screen of ``director status``, as a message."""

from collections.abc import Iterator

from director.api.automation import intent_to_proto, pause_to_proto, term_to_proto
from director.api.drill_messages import last_drill
from director.client.watch import Source
from director.client.wire import UINT32_MAX
from director.core.drill_record import Drill
from director.core.state import State
from director.core.status import RegionView, ServiceView, SiteView
from director.runtime.clock import boot_ms, wall_ms
from director.runtime.release import release
from director.runtime.tls import TlsFiles, certificate_expiry_seconds
from director.service.replica import Replica
from trafficdirector.admin.v1 import admin_pb2 as pb

_MS_PER_S = 1_000


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
            _service_to_proto(view, state)
            for view in replica.core.service_views(now_ms=now_ms)
            if service_id in ("", view.service_id)
        ],
        regions=[_region_to_proto(view) for view in replica.core.region_views(now_ms=now_ms)],
        watcher_count=replica.hub.watcher_count,
        is_fresh=source is Source.FRESH,
        is_leader=standing.is_leader,
        generation=state.generation,
        version=release(),
        wall_ms=wall_ms(),
        certificates=list(_certificates(replica.settings.tls)),
        write_failure=standing.failed,
    )


def _certificates(tls: TlsFiles | None) -> Iterator[pb.CertificateEnd]:
    for purpose, at_s in certificate_expiry_seconds(tls).items():
        half_life_ms = 0
        if tls is not None and purpose == "leaf":
            half_life_ms = tls.certificate.half_life_at_ms
        yield pb.CertificateEnd(
            purpose=purpose, not_after_ms=at_s * _MS_PER_S, half_life_at_ms=half_life_ms
        )


def _service_to_proto(view: ServiceView, state: State) -> pb.ServiceStatus:
    encoded = pb.ServiceStatus(
        service_id=view.service_id,
        mode=view.mode.value,
        owner_region_id=view.owner or "",
        serving_region_id=view.serving or "",
        generation=view.token.generation,
        epoch=view.token.epoch,
        sites=[_site_to_proto(site, view.now_ms) for site in view.sites],
        rto_ms=view.rto_ms,
        predicted_rto_ms=view.predicted_rto_ms,
        automation=view.automation.value,
        automation_note=view.automation_note,
        active_run_id=view.active_run or "",
        lossy_run_id=view.lossy_run_id or "",
    )
    if view.pause is not None:
        encoded.pause.CopyFrom(pause_to_proto(view.pause, now_ms=view.now_ms))
    if view.intent is not None:
        encoded.intent.CopyFrom(intent_to_proto(view.intent, now_ms=view.now_ms))
    if view.damped_for_ms:
        encoded.damped_for_ms = min(view.damped_for_ms, UINT32_MAX)
    if view.rpo_ms is not None:
        encoded.rpo_ms = view.rpo_ms
    encoded.headroom_region_id = view.worst_loss or ""
    encoded.headroom_unknown = view.room.unknown
    headroom = view.room.headroom_per_mille
    if headroom is not None:
        encoded.headroom_per_mille = min(headroom, UINT32_MAX)
    drill = last_drill(state, view.service_id)
    if drill is not None:
        encoded.last_drill.CopyFrom(_drill_to_proto(drill))
    return encoded


def _drill_to_proto(drill: Drill) -> pb.LastDrill:
    age_ms = 0 if drill.is_active else max(0, wall_ms() - drill.ended_wall_ms)
    return pb.LastDrill(
        drill_id=drill.drill_id,
        verdict="" if drill.verdict is None else drill.verdict.value,
        stage=drill.stage.value,
        ended_age_ms=age_ms,
    )


def _site_to_proto(view: SiteView, now_ms: int) -> pb.SiteStatus:
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
        capacity_rps=view.capacity_rps,
        spill_per_mille=view.spill_per_mille,
    )
    if view.load_rps is not None:
        encoded.load_rps = min(view.load_rps, UINT32_MAX)
    if view.term is not None:
        encoded.override_term.CopyFrom(term_to_proto(view.term, now_ms=now_ms))
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
