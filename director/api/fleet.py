"""FleetService: the documents, the status, drains and overrides."""

import grpc

from director.api.automation import AutomationApi
from director.api.changes import (
    change_from_proto,
    check_service,
    region_name,
    service_name,
    service_names,
)
from director.api.documents import DocumentReader, document_error, fault_to_proto
from director.api.errors import unary
from director.api.handlers import service, unary_unary
from director.api.manifests import Manifests, applied
from director.api.status import status_to_proto
from director.core.events import OverrideChanged
from director.core.inputs import DrainAsked, ManifestAsked, OverrideAsked
from director.core.safety import Rule
from director.routing.table import Override, RegionId, ServiceId
from director.service.errors import InvalidRequestError
from director.service.replica import Replica
from trafficdirector.admin.v1 import admin_pb2 as pb

NAME = "trafficdirector.admin.v1.FleetService"


class FleetApi:
    """The handlers."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._reader = DocumentReader(replica)
        self._manifests = Manifests(replica, self._reader)

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the service."""
        return service(
            NAME,
            {
                "ApplyManifest": unary_unary(unary(self.apply), pb.ApplyManifestRequest),
                "GetManifest": unary_unary(unary(self._manifests.get), pb.GetManifestRequest),
                "PlanManifest": unary_unary(unary(self._manifests.plan), pb.PlanManifestRequest),
                "ListRevisions": unary_unary(
                    unary(self._manifests.revisions), pb.ListRevisionsRequest
                ),
                "RollbackManifest": unary_unary(
                    unary(self._manifests.rollback), pb.RollbackManifestRequest
                ),
                "ExplainBudget": unary_unary(
                    unary(self._manifests.explain_budget), pb.ExplainBudgetRequest
                ),
                "GetStatus": unary_unary(unary(self.get_status), pb.GetStatusRequest),
                "SetRegionDrain": unary_unary(unary(self.set_drain), pb.SetRegionDrainRequest),
                "SetOverride": unary_unary(unary(self.set_override), pb.SetOverrideRequest),
                "SetAutomation": unary_unary(
                    unary(AutomationApi(self._replica).set), pb.SetAutomationRequest
                ),
            },
        )

    async def apply(self, request: pb.ApplyManifestRequest) -> pb.ApplyManifestResponse:
        """Replace the declared topology: all documents or none."""
        # Reading is work that only the leader's answer makes worth doing.
        self._replica.writes.check_leads()
        loaded = await self._reader.read(request.documents, request.source_name)
        if loaded.topology is None:
            raise document_error(loaded)
        done = await self._replica.writes.ask(
            ManifestAsked(
                loaded.topology,
                request.documents,
                request.expected_revision or None,
                request.expected_etag,
                allow_removed=service_names(request.allow_removed_service_ids),
            ),
            change_from_proto(request.change),
        )
        revision, word = applied(self._replica.state, done, request.documents)
        return pb.ApplyManifestResponse(
            revision=revision,
            index=done.index,
            etag=word,
            warnings=[fault_to_proto(fault) for fault in loaded.warnings],
        )

    async def get_status(self, request: pb.GetStatusRequest) -> pb.GetStatusResponse:
        """Return one screen."""
        topology = self._replica.state.topology
        if request.service_id:
            check_service(topology, request.service_id)
        return status_to_proto(self._replica, request.service_id)

    async def set_drain(self, request: pb.SetRegionDrainRequest) -> pb.SetRegionDrainResponse:
        """Start or end the drain of a region."""
        done = await self._replica.writes.ask(
            DrainAsked(
                RegionId(region_name(request.region_id)),
                request.drained,
                waives=Rule.CAPACITY if request.drained and request.force_capacity else "",
            ),
            change_from_proto(request.change, needs_reason=request.drained),
        )
        return pb.SetRegionDrainResponse(index=done.index, message=done.message)

    async def set_override(self, request: pb.SetOverrideRequest) -> pb.SetOverrideResponse:
        """Set or clear an operator's verdict."""
        override = None
        if request.override:
            if request.override not in Override.__members__:
                raise InvalidRequestError(
                    "override",
                    f"is {request.override!r}; FORCE_UP, FORCE_DOWN, or empty to clear",
                )
            override = Override(request.override)
            if not request.for_ms:
                raise InvalidRequestError("for_ms", "is required: an override needs an end")
        done = await self._replica.writes.ask(
            OverrideAsked(
                ServiceId(service_name(request.service_id)),
                RegionId(region_name(request.region_id)),
                override,
                0 if override is None else request.for_ms,
            ),
            change_from_proto(request.change, needs_reason=override is not None),
        )
        changed = done.event if isinstance(done.event, OverrideChanged) else None
        until_wall_ms = 0 if changed is None else changed.expires_wall_ms
        return pb.SetOverrideResponse(index=done.index, until_wall_ms=until_wall_ms)
