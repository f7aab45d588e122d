"""FleetService: the documents, the status, drains and overrides."""

import asyncio

import grpc

from director.api.changes import change_from_proto, check_service, region_name, service_name
from director.api.errors import unary
from director.api.handlers import service, unary_unary
from director.api.status import status_to_proto
from director.config.export import export_topology
from director.config.faults import Fault
from director.config.load import Loaded, load_topology
from director.core.inputs import DrainAsked, ManifestAsked, OverrideAsked
from director.routing.table import Override, RegionId, ServiceId
from director.service.errors import (
    InvalidDocumentError,
    InvalidRequestError,
    OverloadedError,
)
from director.service.replica import Replica
from trafficdirector.admin.v1 import admin_pb2 as pb

NAME = "trafficdirector.admin.v1.FleetService"
DOCUMENT_BYTES_MAX = 1 << 20
SOURCE_NAME_CHARS_MAX = 256
# Enough to see what is wrong; the rest is counted.
FAULTS_SHOWN_MAX = 20
# Reading documents takes the processor for seconds at worst; one at a time leaves it to resolves.
_READING_MAX = 1
_READING_WAIT_MS = 5_000


class FleetApi:
    """The handlers."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._reading = asyncio.Semaphore(_READING_MAX)

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the service."""
        return service(
            NAME,
            {
                "ApplyManifest": unary_unary(unary(self.apply), pb.ApplyManifestRequest),
                "GetManifest": unary_unary(unary(self.get_manifest), pb.GetManifestRequest),
                "GetStatus": unary_unary(unary(self.get_status), pb.GetStatusRequest),
                "SetRegionDrain": unary_unary(unary(self.set_drain), pb.SetRegionDrainRequest),
                "SetOverride": unary_unary(unary(self.set_override), pb.SetOverrideRequest),
            },
        )

    async def apply(self, request: pb.ApplyManifestRequest) -> pb.ApplyManifestResponse:
        """Replace the declared topology: all documents or none."""
        # Reading is work that only the leader's answer makes worth doing.
        self._replica.writes.check_leads()
        loaded = await self._loaded(request)
        if loaded.topology is None:
            raise _document_error(loaded)
        done = await self._replica.writes.ask(
            ManifestAsked(loaded.topology, request.documents, request.expected_revision or None),
            change_from_proto(request.change),
        )
        revision = self._replica.state.revision
        if request.change.validate_only:
            revision += 1
        return pb.ApplyManifestResponse(
            revision=revision,
            index=done.index,
            warnings=[_fault_to_proto(fault) for fault in loaded.warnings],
        )

    async def _loaded(self, request: pb.ApplyManifestRequest) -> Loaded:
        size = len(request.documents.encode())
        if size > DOCUMENT_BYTES_MAX:
            raise InvalidRequestError(
                "documents",
                f"has {size} bytes; at most {DOCUMENT_BYTES_MAX}",
                documentBytes=size,
                documentBytesMax=DOCUMENT_BYTES_MAX,
            )
        if len(request.source_name) > SOURCE_NAME_CHARS_MAX:
            raise InvalidRequestError(
                "source_name", f"has more than {SOURCE_NAME_CHARS_MAX} characters"
            )
        try:
            async with asyncio.timeout(_READING_WAIT_MS / 1_000):
                await self._reading.acquire()
        except TimeoutError:
            raise OverloadedError("other documents are being read; try again") from None
        try:
            peers = self._replica.settings
            return await asyncio.to_thread(
                load_topology,
                [(request.source_name or "<request>", request.documents)],
                timing=peers.timing,
                replica_domains=peers.failure_domains or None,
            )
        finally:
            self._reading.release()

    async def get_manifest(self, _request: pb.GetManifestRequest) -> pb.GetManifestResponse:
        """Return the documents as applied."""
        state = self._replica.state
        documents = state.manifest_source
        if not documents and state.revision:
            documents = export_topology(state.topology)
        return pb.GetManifestResponse(documents=documents, revision=state.revision)

    async def get_status(self, request: pb.GetStatusRequest) -> pb.GetStatusResponse:
        """Return one screen."""
        topology = self._replica.state.topology
        if request.service_id:
            check_service(topology, request.service_id)
        return status_to_proto(self._replica, request.service_id)

    async def set_drain(self, request: pb.SetRegionDrainRequest) -> pb.SetRegionDrainResponse:
        """Start or end the drain of a region."""
        done = await self._replica.writes.ask(
            DrainAsked(RegionId(region_name(request.region_id)), request.drained),
            change_from_proto(request.change, needs_reason=request.drained),
        )
        return pb.SetRegionDrainResponse(index=done.index)

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
        done = await self._replica.writes.ask(
            OverrideAsked(
                ServiceId(service_name(request.service_id)),
                RegionId(region_name(request.region_id)),
                override,
            ),
            change_from_proto(request.change, needs_reason=override is not None),
        )
        return pb.SetOverrideResponse(index=done.index)


def _document_error(loaded: Loaded) -> InvalidDocumentError:
    faults = loaded.errors
    lines = [str(fault) for fault in faults[:FAULTS_SHOWN_MAX]]
    if len(faults) > FAULTS_SHOWN_MAX:
        lines.append(f"and {len(faults) - FAULTS_SHOWN_MAX} more")
    return InvalidDocumentError(
        "\n".join(lines), faultCount=len(faults), codes=",".join(sorted({f.code for f in faults}))
    )


def _fault_to_proto(fault: Fault) -> pb.Fault:
    return pb.Fault(
        file=fault.file,
        line=fault.line,
        path=fault.path,
        message=fault.message,
        code=fault.code,
        hint=fault.hint,
        severity=fault.severity.value,
    )
