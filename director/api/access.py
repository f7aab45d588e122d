"""Who may call what: one row for each RPC, and deny for whatever has none.

Every RPC that a replica serves needs a row in ``ACCESS``; a replica with an RPC that has none does
not start (``missing_rows``). A row for an RPC that is served nowhere is a mistake as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from google.protobuf.message import Message

from director.runtime.identity import Identity, Kind

_ADMIN = "/trafficdirector.admin.v1"
_FLEET = f"{_ADMIN}.FleetService"
_FAILOVER = f"{_ADMIN}.FailoverService"
_CLUSTER = f"{_ADMIN}.ClusterService"
_DRILL = "/trafficdirector.drill.v1.DrillService"
_EVENT = "/trafficdirector.event.v1.EventService"
_ROUTING = "/trafficdirector.routing.v1.RoutingService"


class Permission(StrEnum):
    """What an identity may do."""

    HEALTH = "health"
    ROUTE_WATCH = "router.watch"
    AGENT_REPORT = "agent.report"
    PEER = "peer.raft"
    READ = "op.read"
    DRAIN = "op.drain"
    FAILOVER = "op.failover"
    DATALOSS = "op.dataloss"
    ADMIN = "admin.member"


class Role(StrEnum):
    """What the roles file gives an operator."""

    READ = "read"
    DRAIN = "drain"
    FAILOVER = "failover"
    DATALOSS = "dataloss"
    ADMIN = "admin"


# The table. READ looks; DRAIN takes traffic away from a region that could serve; FAILOVER moves
# services, runs drills, and pauses or approves what moves them; DATALOSS accepts a loss of writes;
# ADMIN changes the documents and the members.
ACCESS: Mapping[str, Permission] = {
    f"{_ROUTING}/Resolve": Permission.ROUTE_WATCH,
    f"{_ROUTING}/BatchResolve": Permission.ROUTE_WATCH,
    f"{_ROUTING}/WatchRoutes": Permission.ROUTE_WATCH,
    f"{_ROUTING}/ExplainResolve": Permission.ROUTE_WATCH,
    "/trafficdirector.agent.v1.AgentService/Report": Permission.AGENT_REPORT,
    "/trafficdirector.peer.v1.EvidenceService/Relay": Permission.PEER,
    f"{_FLEET}/ApplyManifest": Permission.ADMIN,
    f"{_FLEET}/GetManifest": Permission.READ,
    f"{_FLEET}/PlanManifest": Permission.READ,
    f"{_FLEET}/ListRevisions": Permission.READ,
    f"{_FLEET}/RollbackManifest": Permission.ADMIN,
    f"{_FLEET}/ExplainBudget": Permission.READ,
    f"{_FLEET}/GetStatus": Permission.READ,
    f"{_FLEET}/SetAutomation": Permission.FAILOVER,
    f"{_FLEET}/SetRegionDrain": Permission.DRAIN,
    f"{_FLEET}/SetOverride": Permission.FAILOVER,
    f"{_FAILOVER}/StartFailover": Permission.FAILOVER,
    f"{_FAILOVER}/StartSwitchover": Permission.FAILOVER,
    f"{_FAILOVER}/CancelFailover": Permission.FAILOVER,
    f"{_FAILOVER}/ApproveFailover": Permission.FAILOVER,
    f"{_FAILOVER}/ListIntents": Permission.READ,
    f"{_FAILOVER}/ExplainFailover": Permission.READ,
    f"{_FAILOVER}/GetFailover": Permission.READ,
    f"{_FAILOVER}/ListFailovers": Permission.READ,
    f"{_FAILOVER}/WatchFailover": Permission.READ,
    f"{_EVENT}/ListEvents": Permission.READ,
    f"{_EVENT}/WatchEvents": Permission.READ,
    f"{_EVENT}/GetAuditHead": Permission.READ,
    f"{_DRILL}/PlanDrill": Permission.READ,
    f"{_DRILL}/StartDrill": Permission.FAILOVER,
    f"{_DRILL}/AbortDrill": Permission.FAILOVER,
    f"{_DRILL}/GetDrill": Permission.READ,
    f"{_DRILL}/ListDrills": Permission.READ,
    f"{_DRILL}/WatchDrill": Permission.READ,
    f"{_DRILL}/GetDrillReport": Permission.READ,
    f"{_CLUSTER}/GetCluster": Permission.READ,
    f"{_CLUSTER}/TransferLeadership": Permission.ADMIN,
    f"{_CLUSTER}/AddMember": Permission.ADMIN,
    f"{_CLUSTER}/PromoteMember": Permission.ADMIN,
    f"{_CLUSTER}/RemoveMember": Permission.ADMIN,
    "/grpc.health.v1.Health/Check": Permission.HEALTH,
    "/grpc.health.v1.Health/Watch": Permission.HEALTH,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Permission.READ,
}


def _failover_needs(request: Any) -> Permission:  # noqa: ANN401 - a message of the method
    accepts = request.HasField("accept_data_loss_ms")
    return Permission.DATALOSS if accepts else Permission.FAILOVER


# Where the row is not the whole answer: what this very request needs, beside its row.
ACCESS_BY_REQUEST: Mapping[str, Callable[[Any], Permission]] = {
    f"{_FAILOVER}/StartFailover": _failover_needs,
}

_BY_KIND: Mapping[Kind, frozenset[Permission]] = {
    Kind.AGENT: frozenset({Permission.HEALTH, Permission.ROUTE_WATCH, Permission.AGENT_REPORT}),
    Kind.DIRECTOR: frozenset({Permission.HEALTH, Permission.ROUTE_WATCH, Permission.PEER}),
    Kind.CLIENT: frozenset({Permission.HEALTH, Permission.ROUTE_WATCH}),
    # Whoever is on call can look, whatever the roles file says.
    Kind.OPERATOR: frozenset({Permission.HEALTH, Permission.ROUTE_WATCH, Permission.READ}),
}
_BY_ROLE: Mapping[Role, frozenset[Permission]] = {
    Role.READ: frozenset(),
    Role.DRAIN: frozenset({Permission.DRAIN}),
    Role.FAILOVER: frozenset({Permission.DRAIN, Permission.FAILOVER}),
    Role.DATALOSS: frozenset({Permission.DRAIN, Permission.FAILOVER, Permission.DATALOSS}),
    # Losing writes on purpose is a right of its own, which an administrator may give to himself
    # only by changing the file in sight of everybody who reviews it.
    Role.ADMIN: frozenset({Permission.DRAIN, Permission.FAILOVER, Permission.ADMIN}),
}


@dataclass(frozen=True, slots=True)
class Roles:
    """What the roles file says.

    Attributes:
        by_uri: Roles by SPIFFE id of an operator.
    """

    by_uri: Mapping[str, frozenset[Role]] = field(default_factory=dict)

    @staticmethod
    def of(names_by_uri: Mapping[str, Iterable[str]]) -> Roles:
        """Return roles by their names, as ``director.config.roles`` reads them."""
        return Roles(
            {uri: frozenset(Role(each) for each in names) for uri, names in names_by_uri.items()}
        )

    def permissions(self, identity: Identity) -> frozenset[Permission]:
        """Return all that an identity may do. Roles count for operators only."""
        held = _BY_KIND[identity.kind]
        if identity.kind is Kind.OPERATOR:
            for role in self.by_uri.get(identity.uri, frozenset()):
                held |= _BY_ROLE[role]
        return held


@dataclass(frozen=True, slots=True)
class Denied:
    """A call that is not allowed.

    Attributes:
        needed: The permission that is missing; None when the method has no row.
    """

    message: str
    needed: Permission | None = None


def decide(identity: Identity, method: str, roles: Roles) -> Denied | None:
    """Return why ``identity`` may not call ``method`` (``/package.Service/Method``), or None."""
    needed = ACCESS.get(method)
    if needed is None:
        return Denied(f"{method} has no row in the table of rights, so nobody may call it")
    return _lacking(identity, method, needed, roles)


def decide_request(identity: Identity, method: str, request: object, roles: Roles) -> Denied | None:
    """Return why ``identity`` may not send this very request, or None."""
    more = ACCESS_BY_REQUEST.get(method)
    # What could not be parsed is refused by the handler.
    if more is None or not isinstance(request, Message):
        return None
    return _lacking(identity, method, more(request), roles)


def _lacking(identity: Identity, method: str, needed: Permission, roles: Roles) -> Denied | None:
    if needed in roles.permissions(identity):
        return None
    hint = "; ask for the role in the roles file" if identity.kind is Kind.OPERATOR else ""
    return Denied(f"{identity.uri} lacks {needed} for {method.rpartition('.')[2]}{hint}", needed)


def missing_rows(methods: Iterable[str]) -> tuple[str, ...]:
    """Return the methods that have no row, sorted; none of them could ever be called."""
    return tuple(sorted(method for method in methods if method not in ACCESS))
