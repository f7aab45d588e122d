"""What `director check` looks at: every replica asked by itself, and what the leader knows."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from director.cli import methods
from director.cli.connection import Failure
from director.cli.status import asked
from director.runtime.clock import boot_ms, wall_ms
from trafficdirector.admin.v1 import admin_pb2 as admin
from trafficdirector.drill.v1 import drill_pb2 as drill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from director.cli.connection import Connection

# Replicas apply an entry some milliseconds apart; their digests are compared at equal index.
_LOOKS_MAX = 5
_LOOK_PAUSE_S = 0.15
# All that are kept.
_DRILLS_MAX = 100


@dataclass(frozen=True, slots=True)
class SeenReplica:
    """One member, as it answered for itself.

    Attributes:
        address: Of its API; "" when nobody knows it.
        status: Its answer; None when it gave none.
        said: Why there was no answer.
        clock_offset_ms: Its wall clock less that of this machine.
        answered_in_ms: How long the answer took; the offset is known to within that.
    """

    replica_id: str
    is_voter: bool
    address: str
    status: admin.GetStatusResponse | None = None
    said: str = ""
    clock_offset_ms: int = 0
    answered_in_ms: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the rules look at.

    Attributes:
        status: As the leader sees it, or a follower when no leader answers.
        replicas: Every member, sorted.
        documents: The documents in force; "" when there are none.
        exposed_ms_by_service: How long a lost owner may have written unseen, lag apart.
        wall_ms: Wall clock of this machine.
        drills: Those that are kept, in any order.
    """

    status: admin.GetStatusResponse
    replicas: tuple[SeenReplica, ...]
    documents: str
    exposed_ms_by_service: Mapping[str, int]
    wall_ms: int
    drills: tuple[drill.Drill, ...] = ()


def gather(connection: Connection) -> Facts:
    """Ask every replica.

    Raises:
        CliError: No director answered at all.
    """
    status = asked(connection)
    cluster = connection.call(methods.GET_CLUSTER, admin.GetClusterRequest())
    if cluster.leader_id and cluster.replica_id != cluster.leader_id:
        cluster = connection.call_leader(methods.GET_CLUSTER, admin.GetClusterRequest(), cluster)
    members = tuple(
        SeenReplica(each.replica_id, each.role == "voter", each.address) for each in cluster.members
    )
    manifest = connection.call(methods.GET_MANIFEST, admin.GetManifestRequest())
    request = drill.ListDrillsRequest(limit=_DRILLS_MAX)
    return Facts(
        status,
        _seen(connection, members),
        manifest.documents,
        _exposed(connection, status),
        wall_ms(),
        tuple(connection.call(methods.LIST_DRILLS, request).drills),
    )


def _seen(connection: Connection, members: tuple[SeenReplica, ...]) -> tuple[SeenReplica, ...]:
    """Ask each member, again until those that answer are equally far."""
    seen = tuple(_ask(connection, each) for each in members)
    for _ in range(_LOOKS_MAX - 1):
        indices = {each.status.applied_index for each in seen if each.status is not None}
        if len(indices) <= 1:
            break
        time.sleep(_LOOK_PAUSE_S)
        seen = tuple(_ask(connection, each) if each.status else each for each in seen)
    return seen


def _ask(connection: Connection, member: SeenReplica) -> SeenReplica:
    if not member.address:
        return replace(member, said="its address is not known")
    began_ms, began_wall_ms = boot_ms(), wall_ms()
    answer = connection.ask_one(member.address, methods.GET_STATUS, admin.GetStatusRequest())
    took_ms = boot_ms() - began_ms
    if isinstance(answer, Failure):
        return replace(member, status=None, said=answer.message)
    if answer.replica_id != member.replica_id:
        return replace(member, status=None, said=f"{answer.replica_id} answers there")
    offset_ms = answer.wall_ms - (began_wall_ms + took_ms // 2) if answer.wall_ms else 0
    return replace(member, status=answer, clock_offset_ms=offset_ms, answered_in_ms=took_ms)


def _exposed(connection: Connection, status: admin.GetStatusResponse) -> dict[str, int]:
    exposed = {}
    for service in status.services:
        if service.mode == "ActivePassive":
            request = admin.ExplainBudgetRequest(service_id=service.service_id)
            answer = connection.call(methods.EXPLAIN_BUDGET, request)
            exposed[service.service_id] = sum(each.spent_ms for each in answer.exposure)
    return exposed
