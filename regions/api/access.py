"""Who may call the agent: one row for each RPC, and deny for whatever has none.

Only with TLS: on loopback without it, only this machine can connect and nobody says who they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import grpc

from director.client.errors import RefusedError
from director.runtime.call_guard import Policy, Refused
from director.runtime.identity import Identity, Kind
from director.runtime.tls import TlsFiles
from regions.api.errors import to_status

_LOCAL = frozenset({Kind.CLIENT, Kind.AGENT, Kind.OPERATOR})
_ALL = frozenset(Kind)
_AGENT = "/trafficdirector.agent.v1.GateService"
_ROUTING = "/trafficdirector.routing.v1.RoutingService"

ACCESS: Mapping[str, frozenset[Kind]] = {
    f"{_AGENT}/CheckGate": _LOCAL,
    f"{_AGENT}/WatchGate": _LOCAL,
    f"{_ROUTING}/Resolve": _LOCAL,
    f"{_ROUTING}/BatchResolve": _LOCAL,
    f"{_ROUTING}/ExplainResolve": _LOCAL,
    "/grpc.health.v1.Health/Check": _ALL,
    "/grpc.health.v1.Health/Watch": _ALL,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": frozenset({Kind.OPERATOR}),
}


def decide(identity: Identity, method: str, *, region_id: str) -> str | None:
    """Return why ``identity`` may not call ``method`` of the agent of ``region_id``, or None."""
    kinds = ACCESS.get(method)
    if kinds is None:
        return f"{method} has no row in the table of rights, so nobody may call it"
    if identity.kind not in kinds:
        return f"{identity.uri} may not call {method.rpartition('.')[2]} of an agent"
    if identity.region_id not in ("", region_id):
        return f"{identity.uri} may not call the agent of {region_id}"
    return None


def guard_policy(tls: TlsFiles | None, region_id: str) -> Policy:
    """Return what the guard of the agent's API demands."""

    def denied(identity: Identity, method: str) -> str | None:
        return decide(identity, method, region_id=region_id)

    # A service beside the agent may wait for its gate as it likes; whoever is elsewhere may not.
    return Policy(tls, denied, status_of=_status_of, needs_deadline=tls is not None)


def _status_of(refused: Refused) -> grpc.Status:
    return to_status(RefusedError(refused.reason, refused.message, metadata=dict(refused.metadata)))
