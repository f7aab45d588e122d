"""DrillService: rehearsals, to plan, to run and to look at."""

import json
from collections.abc import AsyncIterator

import grpc

from director.api.changes import NAME_CHARS_MAX, change_from_proto, check_service
from director.api.drill_messages import drill_to_proto, plan_to_proto, schedule_to_proto, wanted
from director.api.errors import Context, server_stream, unary
from director.api.following import next_state
from director.api.handlers import service, unary_stream, unary_unary
from director.core.commands import Stamp
from director.core.drill_plan import plan_drill
from director.core.drill_record import Drill
from director.core.drill_view import report_content
from director.core.ids import DrillId
from director.core.inputs import DrillAbortAsked, DrillAsked
from director.core.machine_drills import not_found
from director.core.reasons import Reason
from director.runtime.clock import boot_ms, wall_ms
from director.service.drill_calendar import CalendarError, local_moment
from director.service.errors import (
    InvalidRequestError,
    NotFoundError,
    RefusedError,
)
from director.service.replica import Replica
from trafficdirector.drill.v1 import drill_pb2 as pb

NAME = "trafficdirector.drill.v1.DrillService"
LISTED_DEFAULT = 50
# Of a schedule's name, a slash and a number.
_DRILL_ID_CHARS_MAX = 96
_UTC = "UTC"


class DrillApi:
    """The handlers."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the service."""
        return service(
            NAME,
            {
                "PlanDrill": unary_unary(unary(self.plan), pb.PlanDrillRequest),
                "StartDrill": unary_unary(unary(self.start), pb.StartDrillRequest),
                "GetDrill": unary_unary(unary(self.get), pb.GetDrillRequest),
                "ListDrills": unary_unary(unary(self.list), pb.ListDrillsRequest),
                "AbortDrill": unary_unary(unary(self.abort), pb.AbortDrillRequest),
                "WatchDrill": unary_stream(server_stream(self.watch), pb.WatchDrillRequest),
                "GetDrillReport": unary_unary(unary(self.report), pb.GetDrillReportRequest),
            },
        )

    async def plan(self, request: pb.PlanDrillRequest) -> pb.PlanDrillResponse:
        """Say what a drill would do now. Only the leader hears every agent."""
        self._replica.writes.check_leads()
        ask = self._asked(request.rehearsal)
        bench = self._replica.core.bench(now_ms=boot_ms())
        planned = plan_drill(bench, ask, Stamp(bench.state.now_ms, wall_ms()))
        return plan_to_proto(self._replica.state, planned)

    async def start(self, request: pb.StartDrillRequest) -> pb.StartDrillResponse:
        """Begin a drill; it goes on by itself."""
        change = change_from_proto(request.change)
        self._replica.writes.check_leads()
        ask = self._asked(request.rehearsal)
        self._check_revision(request.expected_revision)
        done = await self._replica.writes.ask(ask, change)
        return pb.StartDrillResponse(
            drill_id=done.run_id or getattr(done.event, "drill_id", ""),
            message=done.message,
            index=done.index,
        )

    def _asked(self, rehearsal: pb.Rehearsal) -> DrillAsked:
        _check_name("rehearsal.name", rehearsal.name)
        spec, schedule = wanted(self._replica.state, rehearsal)
        timezone = _UTC if schedule is None else schedule.timezone
        try:
            local = local_moment(timezone, wall_ms())
        except CalendarError as error:
            raise InvalidRequestError("rehearsal.name", str(error)) from error
        return DrillAsked(spec, local, "" if schedule is None else schedule.schedule_id)

    def _check_revision(self, expected: int) -> None:
        revision = self._replica.state.revision
        if expected not in (0, revision):
            raise RefusedError(
                Reason.STALE_REVISION,
                f"revision {revision} is in force; the drill was asked for under {expected}",
                {"revision": str(revision), "expectedRevision": str(expected)},
            )

    async def get(self, request: pb.GetDrillRequest) -> pb.GetDrillResponse:
        """Return one drill."""
        drill = self._drill(request.drill_id)
        return pb.GetDrillResponse(drill=drill_to_proto(self._replica.state, drill))

    async def list(self, request: pb.ListDrillsRequest) -> pb.ListDrillsResponse:
        """Return the drills kept, newest first, and the schedules."""
        state, name, now_ms = self._replica.state, request.name, wall_ms()
        drills = [
            each
            for each in reversed(state.drills)
            if name in ("", each.spec.service_id, each.schedule_id)
        ]
        schedules = [
            each
            for each in state.topology.drill_schedules
            if name in ("", each.spec.service_id, each.schedule_id)
        ]
        # What was taken out of the documents may still have drills.
        if name and not drills and not schedules:
            check_service(state.topology, name)
        return pb.ListDrillsResponse(
            drills=[
                drill_to_proto(state, each) for each in drills[: request.limit or LISTED_DEFAULT]
            ],
            schedules=[schedule_to_proto(state, each, wall_ms=now_ms) for each in schedules],
        )

    async def abort(self, request: pb.AbortDrillRequest) -> pb.AbortDrillResponse:
        """End a drill early; everything that it changed is put back."""
        change = change_from_proto(request.change)
        _check_drill_id(request.drill_id)
        done = await self._replica.writes.ask(DrillAbortAsked(DrillId(request.drill_id)), change)
        return pb.AbortDrillResponse(message=done.message)

    async def report(self, request: pb.GetDrillReportRequest) -> pb.GetDrillReportResponse:
        """Return the content of a report, and the hash that stands in the replicated state."""
        drill = self._drill(request.drill_id)
        if drill.is_active:
            raise RefusedError(
                Reason.NOTHING_TO_DO,
                f"{drill.drill_id} is {drill.stage}; its report is made when it has ended",
                {"drillId": drill.drill_id, "stage": str(drill.stage)},
            )
        content = json.dumps(report_content(drill), sort_keys=True, separators=(",", ":"))
        return pb.GetDrillReportResponse(
            drill_id=drill.drill_id, content=content, report_hash=drill.report_hash
        )

    async def watch(
        self, request: pb.WatchDrillRequest, _context: Context
    ) -> AsyncIterator[pb.WatchDrillResponse]:
        """Send a drill and every change of it until it ends."""
        with self._replica.followed() as states:
            state, drill = self._replica.state, self._drill(request.drill_id)
            sent: pb.Drill | None = None
            while True:
                # Renewals of the injection, one a second, are no part of the message.
                encoded = drill_to_proto(state, drill)
                if encoded != sent:
                    yield pb.WatchDrillResponse(drill=encoded)
                    sent = encoded
                if not drill.is_active:
                    return
                state = await next_state(self._replica, states)
                drill = state.drill(drill.drill_id) or drill

    def _drill(self, drill_id: str) -> Drill:
        _check_drill_id(drill_id)
        drill = self._replica.state.drill(DrillId(drill_id))
        if drill is None:
            said = not_found(self._replica.state, drill_id)
            raise NotFoundError(Reason.DRILL_NOT_FOUND, said.message, drillId=drill_id)
        return drill


def _check_name(field: str, name: str) -> None:
    if not 0 < len(name) <= NAME_CHARS_MAX:
        raise InvalidRequestError(
            field, f"has {len(name)} characters; a name has 1 to {NAME_CHARS_MAX}"
        )


def _check_drill_id(drill_id: str) -> None:
    if not 0 < len(drill_id) <= _DRILL_ID_CHARS_MAX:
        raise InvalidRequestError(
            "drill_id",
            f"has {len(drill_id)} characters; a drill's name has 1 to {_DRILL_ID_CHARS_MAX}",
        )
