"""What a failover would come to now, as a message."""

from collections.abc import Callable

from director.client.wire import UINT32_MAX
from director.core.explain import CandidateView, at, explain_failover
from director.core.state import Run
from director.runtime.clock import boot_ms
from director.service.replica import Replica
from trafficdirector.admin.v1 import admin_pb2 as pb


def explanation_to_proto(
    replica: Replica, service_id: str, run_to_proto: Callable[[Run], pb.Failover]
) -> pb.ExplainFailoverResponse:
    """Explain a declared service as ``replica`` sees it."""
    now_ms = boot_ms()
    view = next(
        each for each in replica.core.service_views(now_ms=now_ms) if each.service_id == service_id
    )
    state = at(replica.state, replica.core.director_now_ms(now_ms=now_ms))
    explained = explain_failover(state, view)
    held = explained.held
    response = pb.ExplainFailoverResponse(
        service_id=view.service_id,
        mode=view.mode.value,
        owner_region_id=view.owner or "",
        candidates=[_candidate_to_proto(each) for each in explained.candidates],
        automation=view.automation.value,
        automation_note=view.automation_note,
        held_reason="" if held is None else held.reason.value,
        held_message="" if held is None else held.message,
        rto_ms=view.rto_ms,
        predicted_rto_ms=view.predicted_rto_ms,
        replica_id=replica.settings.replica_id,
        is_leader=replica.consensus.standing().is_leader,
    )
    if view.rpo_ms is not None:
        response.rpo_ms = view.rpo_ms
    if explained.last_run is not None:
        response.last_run.CopyFrom(run_to_proto(explained.last_run))
    return response


def _candidate_to_proto(view: CandidateView) -> pb.FailoverCandidate:
    encoded = pb.FailoverCandidate(
        region_id=view.region_id,
        priority=view.priority,
        chosen=view.chosen,
        ineligibility=view.reason,
        text=view.text,
        verdict=view.verdict.value,
    )
    if view.loss_bound_ms is not None:
        encoded.loss_bound_ms = min(max(0, view.loss_bound_ms), UINT32_MAX)
    if view.lag_ms is not None:
        encoded.lag_ms = min(view.lag_ms, UINT32_MAX)
    return encoded
