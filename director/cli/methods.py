"""The calls that commands make: name and answer of each, typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from trafficdirector.admin.v1 import admin_pb2 as admin
from trafficdirector.drill.v1 import drill_pb2 as drill
from trafficdirector.event.v1 import event_pb2 as event
from trafficdirector.routing.v1 import routing_pb2 as routing

if TYPE_CHECKING:
    from google.protobuf.message import Message

Answer = TypeVar("Answer", bound="Message")

_ADMIN = "trafficdirector.admin.v1"
_ROUTING = "trafficdirector.routing.v1"
_EVENT = "trafficdirector.event.v1"
_DRILL = "trafficdirector.drill.v1"


@dataclass(frozen=True, slots=True)
class Method(Generic[Answer]):
    """One RPC.

    Attributes:
        is_change: It changes something, so a lost answer does not mean that nothing happened.
        is_repeatable: Sent twice it has the effect of once, by a request id or by its nature.
        attempt_ms: How long one director gets before the next is asked; 0 is the usual time.
    """

    path: str
    answer: type[Answer]
    is_change: bool = False
    is_repeatable: bool = True
    attempt_ms: int = 0


def _fleet(name: str) -> str:
    return f"/{_ADMIN}.FleetService/{name}"


def _failover(name: str) -> str:
    return f"/{_ADMIN}.FailoverService/{name}"


def _cluster(name: str) -> str:
    return f"/{_ADMIN}.ClusterService/{name}"


def _event(name: str) -> str:
    return f"/{_EVENT}.EventService/{name}"


def _drill(name: str) -> str:
    return f"/{_DRILL}.DrillService/{name}"


def _routing(name: str) -> str:
    return f"/{_ROUTING}.RoutingService/{name}"


# Documents of a large fleet take seconds to read; half the usual deadline leaves time for another.
_READING_MS = 5_000
APPLY_MANIFEST = Method(
    _fleet("ApplyManifest"),
    admin.ApplyManifestResponse,
    is_change=True,
    attempt_ms=_READING_MS,
)
GET_MANIFEST = Method(_fleet("GetManifest"), admin.GetManifestResponse)
PLAN_MANIFEST = Method(_fleet("PlanManifest"), admin.PlanManifestResponse, attempt_ms=_READING_MS)
LIST_REVISIONS = Method(_fleet("ListRevisions"), admin.ListRevisionsResponse)
ROLLBACK_MANIFEST = Method(
    _fleet("RollbackManifest"),
    admin.RollbackManifestResponse,
    is_change=True,
    attempt_ms=_READING_MS,
)
EXPLAIN_BUDGET = Method(_fleet("ExplainBudget"), admin.ExplainBudgetResponse)
GET_STATUS = Method(_fleet("GetStatus"), admin.GetStatusResponse)
SET_REGION_DRAIN = Method(_fleet("SetRegionDrain"), admin.SetRegionDrainResponse, is_change=True)
SET_OVERRIDE = Method(_fleet("SetOverride"), admin.SetOverrideResponse, is_change=True)
SET_AUTOMATION = Method(_fleet("SetAutomation"), admin.SetAutomationResponse, is_change=True)

START_FAILOVER = Method(_failover("StartFailover"), admin.StartFailoverResponse, is_change=True)
START_SWITCHOVER = Method(
    _failover("StartSwitchover"), admin.StartSwitchoverResponse, is_change=True
)
GET_FAILOVER = Method(_failover("GetFailover"), admin.GetFailoverResponse)
LIST_FAILOVERS = Method(_failover("ListFailovers"), admin.ListFailoversResponse)
WATCH_FAILOVER = Method(_failover("WatchFailover"), admin.WatchFailoverResponse)
LIST_INTENTS = Method(_failover("ListIntents"), admin.ListIntentsResponse)
APPROVE_FAILOVER = Method(
    _failover("ApproveFailover"), admin.ApproveFailoverResponse, is_change=True
)
EXPLAIN_FAILOVER = Method(_failover("ExplainFailover"), admin.ExplainFailoverResponse)
CANCEL_FAILOVER = Method(_failover("CancelFailover"), admin.CancelFailoverResponse, is_change=True)

GET_CLUSTER = Method(_cluster("GetCluster"), admin.GetClusterResponse)
TRANSFER_LEADERSHIP = Method(
    _cluster("TransferLeadership"),
    admin.TransferLeadershipResponse,
    is_change=True,
    is_repeatable=False,
)
ADD_MEMBER = Method(
    _cluster("AddMember"), admin.AddMemberResponse, is_change=True, is_repeatable=False
)
PROMOTE_MEMBER = Method(
    _cluster("PromoteMember"), admin.PromoteMemberResponse, is_change=True, is_repeatable=False
)
REMOVE_MEMBER = Method(
    _cluster("RemoveMember"), admin.RemoveMemberResponse, is_change=True, is_repeatable=False
)

LIST_EVENTS = Method(_event("ListEvents"), event.ListEventsResponse)
WATCH_EVENTS = Method(_event("WatchEvents"), event.WatchEventsResponse)
GET_AUDIT_HEAD = Method(_event("GetAuditHead"), event.GetAuditHeadResponse)

PLAN_DRILL = Method(_drill("PlanDrill"), drill.PlanDrillResponse)
START_DRILL = Method(_drill("StartDrill"), drill.StartDrillResponse, is_change=True)
LIST_DRILLS = Method(_drill("ListDrills"), drill.ListDrillsResponse)
ABORT_DRILL = Method(_drill("AbortDrill"), drill.AbortDrillResponse, is_change=True)
WATCH_DRILL = Method(_drill("WatchDrill"), drill.WatchDrillResponse)
GET_DRILL = Method(_drill("GetDrill"), drill.GetDrillResponse)
GET_DRILL_REPORT = Method(_drill("GetDrillReport"), drill.GetDrillReportResponse)

RESOLVE = Method(_routing("Resolve"), routing.ResolveResponse)
EXPLAIN_RESOLVE = Method(_routing("ExplainResolve"), routing.ExplainResolveResponse)
