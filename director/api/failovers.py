"""FailoverService: moves of services, by hand and to look at."""

from collections.abc import AsyncIterator

import grpc

from director.api.automation import AutomationApi
from director.api.changes import change_from_proto, check_service, epoch_from_proto, service_name
from director.api.errors import Context, server_stream, unary
from director.api.explanation import explanation_to_proto
from director.api.following import next_state
from director.api.handlers import service, unary_stream, unary_unary
from director.core.commands import RunKind
from director.core.ids import RunId
from director.core.inputs import AbortAsked, MoveAsked
from director.core.reasons import Reason
from director.core.safety import Rule
from director.core.state import Run, State
from director.routing.table import RegionId, ServiceId
from director.service.errors import InvalidRequestError, NotFoundError
from director.service.replica import Replica
from director.service.writes import Done
from trafficdirector.admin.v1 import admin_pb2 as pb

NAME = "trafficdirector.admin.v1.FailoverService"
LISTED_DEFAULT = 50


class FailoverApi:
    """The handlers."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._automation = AutomationApi(replica)

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the service."""
        return service(
            NAME,
            {
                "StartFailover": unary_unary(unary(self.start_failover), pb.StartFailoverRequest),
                "StartSwitchover": unary_unary(
                    unary(self.start_switchover), pb.StartSwitchoverRequest
                ),
                "GetFailover": unary_unary(unary(self.get), pb.GetFailoverRequest),
                "ListFailovers": unary_unary(unary(self.list), pb.ListFailoversRequest),
                "ListIntents": unary_unary(unary(self._automation.intents), pb.ListIntentsRequest),
                "ApproveFailover": unary_unary(
                    unary(self._automation.approve), pb.ApproveFailoverRequest
                ),
                "CancelFailover": unary_unary(unary(self.cancel), pb.CancelFailoverRequest),
                "ExplainFailover": unary_unary(unary(self.explain), pb.ExplainFailoverRequest),
                "WatchFailover": unary_stream(server_stream(self.watch), pb.WatchFailoverRequest),
            },
        )

    async def start_failover(self, request: pb.StartFailoverRequest) -> pb.StartFailoverResponse:
        """Move a service whose owner is gone or not wanted."""
        accepted = request.HasField("accept_data_loss_ms")
        done = await self._move(
            MoveAsked(
                RunKind.FAILOVER,
                ServiceId(service_name(request.service_id)),
                RegionId(request.target_region_id) if request.target_region_id else None,
                expected_epoch=epoch_from_proto(request.expected_epoch),
                accept_loss_ms=request.accept_data_loss_ms if accepted else None,
            ),
            request.change,
        )
        return pb.StartFailoverResponse(failover_id=done.run_id, message=done.message)

    async def start_switchover(
        self, request: pb.StartSwitchoverRequest
    ) -> pb.StartSwitchoverResponse:
        """Move a service while both regions are healthy."""
        done = await self._move(
            MoveAsked(
                RunKind.FAILBACK if request.failback else RunKind.SWITCHOVER,
                ServiceId(service_name(request.service_id)),
                RegionId(request.target_region_id) if request.target_region_id else None,
                expected_epoch=epoch_from_proto(request.expected_epoch),
                waives=Rule.CAPACITY if request.force_capacity else "",
            ),
            request.change,
        )
        return pb.StartSwitchoverResponse(failover_id=done.run_id, message=done.message)

    async def _move(self, move: MoveAsked, change: pb.Change) -> Done:
        return await self._replica.writes.ask(move, change_from_proto(change, needs_reason=True))

    async def get(self, request: pb.GetFailoverRequest) -> pb.GetFailoverResponse:
        """Return one run."""
        return pb.GetFailoverResponse(failover=run_to_proto(self._run(request.failover_id)))

    async def list(self, request: pb.ListFailoversRequest) -> pb.ListFailoversResponse:
        """Return the runs kept, newest first."""
        state = self._replica.state
        runs = [
            run
            for run in reversed(state.runs)
            if not request.service_id or run.service_id == request.service_id
        ]
        # A service that was removed may still have runs.
        if request.service_id and not runs:
            check_service(state.topology, request.service_id)
        limit = request.limit or LISTED_DEFAULT
        return pb.ListFailoversResponse(failovers=[run_to_proto(run) for run in runs[:limit]])

    async def cancel(self, request: pb.CancelFailoverRequest) -> pb.CancelFailoverResponse:
        """Abort a run that has not granted a new owner yet."""
        await self._replica.writes.ask(
            AbortAsked(RunId(request.failover_id)), change_from_proto(request.change)
        )
        return pb.CancelFailoverResponse()

    async def explain(self, request: pb.ExplainFailoverRequest) -> pb.ExplainFailoverResponse:
        """Say what would happen if the owner were lost now."""
        service_id = service_name(request.service_id)
        check_service(self._replica.state.topology, service_id)
        return explanation_to_proto(self._replica, service_id, run_to_proto)

    async def watch(
        self, request: pb.WatchFailoverRequest, _context: Context
    ) -> AsyncIterator[pb.WatchFailoverResponse]:
        """Send a run and every change of it until it ends."""
        if bool(request.failover_id) == bool(request.service_id):
            raise InvalidRequestError("failover_id", "give it, or service_id, and not both")
        with self._replica.followed() as states:
            if request.failover_id:
                run: Run | None = self._run(request.failover_id)
            else:
                run = _active(self._replica.state, request.service_id)
                if run is None:
                    # A service that was removed may still have a run; any other never has one.
                    check_service(self._replica.state.topology, request.service_id)
            after_count = self._replica.state.run_count
            sent: Run | None = None
            while True:
                if run is not None and run != sent:
                    yield pb.WatchFailoverResponse(failover=run_to_proto(run))
                    sent = run
                if run is not None and not run.is_active:
                    return
                state = await next_state(self._replica, states)
                if run is not None:
                    run = state.run(run.run_id) or run
                else:
                    run = _newest_after(state, request.service_id, after_count)

    def _run(self, run_id: str) -> Run:
        run = self._replica.state.run(RunId(run_id))
        if run is None:
            raise NotFoundError(
                Reason.FAILOVER_NOT_FOUND, f"there is no failover {run_id!r}", failoverId=run_id
            )
        return run


def _active(state: State, service_id: str) -> Run | None:
    return next((run for run in state.runs if run.service_id == service_id and run.is_active), None)


def _newest_after(state: State, service_id: str, run_count: int) -> Run | None:
    """Return the newest run of a service among those begun after ``run_count`` others."""
    newer = state.runs[-(state.run_count - run_count) :] if state.run_count > run_count else ()
    return next((run for run in reversed(newer) if run.service_id == service_id), None)


def run_to_proto(run: Run) -> pb.Failover:
    """Return a run as a message."""
    encoded = pb.Failover(
        failover_id=run.run_id,
        kind=run.kind.value,
        service_id=run.service_id,
        source_region_id=run.source,
        target_region_id=run.target,
        stage=run.stage.value,
        automatic=run.automatic,
        source_epoch=run.source_epoch,
        ledger=[
            pb.PhaseTime(phase=each.phase.value, spent_ms=each.ms, note=each.note)
            for each in run.ledger
        ],
        rto_ms=run.rto_ms,
        cause=run.cause,
        actor=run.actor,
        reason=run.reason,
        started_wall_ms=run.started_wall_ms,
        evidence=[
            pb.Evidence(vantage=each.vantage, finding=each.finding, age_ms=each.age_ms)
            for each in run.evidence
        ],
        notes=run.notes,
    )
    if run.measured_rto_ms is not None:
        encoded.measured_rto_ms = run.measured_rto_ms
    if run.loss_bound_ms is not None:
        encoded.loss_bound_ms = run.loss_bound_ms
    if run.rpo_ms is not None:
        encoded.rpo_ms = run.rpo_ms
    return encoded
