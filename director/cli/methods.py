"""The calls that commands make: name and answer of each, typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from trafficdirector.admin.v1 import admin_pb2 as admin
from trafficdirector.routing.v1 import routing_pb2 as routing

if TYPE_CHECKING:
    from google.protobuf.message import Message

Answer = TypeVar("Answer", bound="Message")

_ADMIN = "trafficdirector.admin.v1"
_ROUTING = "trafficdirector.routing.v1"


@dataclass(frozen=True, slots=True)
class Method(Generic[Answer]):
    """One RPC.

    Attributes:
        is_change: It changes something, so a lost answer does not mean that nothing happened.
        is_repeatable: Sent twice it has the effect of once, by a request id or by its nature.
    """

    path: str
    answer: type[Answer]
    is_change: bool = False
    is_repeatable: bool = True


def _fleet(name: str) -> str:
    return f"/{_ADMIN}.FleetService/{name}"


def _failover(name: str) -> str:
    return f"/{_ADMIN}.FailoverService/{name}"


def _cluster(name: str) -> str:
    return f"/{_ADMIN}.ClusterService/{name}"


def _routing(name: str) -> str:
    return f"/{_ROUTING}.RoutingService/{name}"


APPLY_MANIFEST = Method(_fleet("ApplyManifest"), admin.ApplyManifestResponse, is_change=True)
GET_MANIFEST = Method(_fleet("GetManifest"), admin.GetManifestResponse)
GET_STATUS = Method(_fleet("GetStatus"), admin.GetStatusResponse)
SET_REGION_DRAIN = Method(_fleet("SetRegionDrain"), admin.SetRegionDrainResponse, is_change=True)
SET_OVERRIDE = Method(_fleet("SetOverride"), admin.SetOverrideResponse, is_change=True)

START_FAILOVER = Method(_failover("StartFailover"), admin.StartFailoverResponse, is_change=True)
START_SWITCHOVER = Method(
    _failover("StartSwitchover"), admin.StartSwitchoverResponse, is_change=True
)
GET_FAILOVER = Method(_failover("GetFailover"), admin.GetFailoverResponse)
LIST_FAILOVERS = Method(_failover("ListFailovers"), admin.ListFailoversResponse)
WATCH_FAILOVER = Method(_failover("WatchFailover"), admin.WatchFailoverResponse)
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

RESOLVE = Method(_routing("Resolve"), routing.ResolveResponse)
EXPLAIN_RESOLVE = Method(_routing("ExplainResolve"), routing.ExplainResolveResponse)
