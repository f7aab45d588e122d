"""Handlers of FleetService that look at documents: plan, revisions, rollback, budgets."""

from functools import partial

from director.api.changes import change_from_proto, check_service, service_name, service_names
from director.api.documents import DocumentReader, document_error, fault_to_proto
from director.api.plan import Planned, plan_to_proto
from director.client.wire import UINT32_MAX
from director.config.compare import document_changes, documents_in
from director.config.export import export_topology
from director.config.load import Loaded
from director.core.budget_lines import BudgetLine, explain_budget
from director.core.commands import ApplyManifest, Stamp
from director.core.events import ManifestApplied
from director.core.impact import impact
from director.core.impact_traffic import PlaceShare
from director.core.inputs import ManifestAsked
from director.core.machine_manifest import with_manifest
from director.core.reasons import Reason
from director.core.revisions import Revision, etag
from director.core.state import State
from director.geodb.places import client_places
from director.routing.table import RoundTrip, RouteTable, ServiceId
from director.runtime.clock import boot_ms
from director.service.errors import InvalidRequestError, NotFoundError, RefusedError
from director.service.replica import Replica
from director.service.writes import Change, Done
from trafficdirector.admin.v1 import admin_pb2 as pb


class Manifests:
    """What can be asked about documents, those in force and those that might be."""

    def __init__(self, replica: Replica, reader: DocumentReader) -> None:
        self._replica = replica
        self._reader = reader

    async def get(self, request: pb.GetManifestRequest) -> pb.GetManifestResponse:
        """Return the documents in force, or those of an earlier revision, as applied."""
        state = self._replica.state
        if request.revision and request.revision != state.revision:
            kept = _kept(state, request.revision)
            return pb.GetManifestResponse(
                documents=kept.source, revision=kept.revision, etag=kept.etag
            )
        return pb.GetManifestResponse(
            documents=_in_force(state), revision=state.revision, etag=state.etag
        )

    async def revisions(self, request: pb.ListRevisionsRequest) -> pb.ListRevisionsResponse:
        """Return the manifests applied, newest first."""
        state = self._replica.state
        newest_first = state.revisions[::-1]
        return pb.ListRevisionsResponse(
            revisions=map(_revision_to_proto, newest_first[: request.limit or None]),
            revision=state.revision,
        )

    async def plan(self, request: pb.PlanManifestRequest) -> pb.PlanManifestResponse:
        """Say what documents would do, by the leader's rules and state."""
        # Only the leader's rules count, so nobody else need read the documents.
        self._replica.writes.check_leads()
        state = self._replica.state
        documents, name = request.documents, request.source_name
        if request.revision:
            if documents:
                raise InvalidRequestError("revision", "is given beside documents; give one of them")
            documents = _kept(state, request.revision).source
            name = name or f"revision {request.revision}"
        loaded = await self._reader.read(documents, name)
        if loaded.topology is None:
            raise document_error(loaded)
        asked = ManifestAsked(
            loaded.topology,
            documents,
            restores=request.revision,
            allow_removed=service_names(request.allow_removed_service_ids),
        )
        refusal = await self._refusal(asked)
        planned = await self._reader.alone(partial(self._planned, state, asked, loaded))
        return plan_to_proto(state, planned, refusal)

    async def _refusal(self, asked: ManifestAsked) -> RefusedError | None:
        """Return what the machine's rules say against it, or None."""
        try:
            await self._replica.writes.ask(asked, Change(validate_only=True))
        except RefusedError as refused:
            return refused
        return None

    def _planned(self, state: State, asked: ManifestAsked, loaded: Loaded) -> Planned:
        """Compare the state with what it would be; of unchanging values, so in any thread."""
        command = ApplyManifest(Stamp(state.now_ms), asked.topology, asked.source)
        after = with_manifest(state, state.applied_index + 1, command)
        table = self._replica.hub.table
        places = [PlaceShare(each.location, each.people_thousands) for each in client_places()]
        return Planned(
            document_changes(documents_in(_in_force(state)), loaded.documents),
            impact(
                state,
                after,
                places,
                timing=self._replica.settings.timing,
                measured=() if table is None else _measured(table, state),
            ),
            loaded.warnings,
        )

    async def rollback(self, request: pb.RollbackManifestRequest) -> pb.RollbackManifestResponse:
        """Put the documents of an earlier revision in force, as a new revision."""
        self._replica.writes.check_leads()
        state = self._replica.state
        if request.revision == state.revision:
            raise RefusedError(
                Reason.NOTHING_TO_DO, f"revision {request.revision} is in force already", {}
            )
        source = _kept(state, request.revision).source
        # Read anew: a later release may know faults that the one that applied it did not.
        loaded = await self._reader.read(source, f"revision {request.revision}")
        if loaded.topology is None:
            raise document_error(loaded)
        done = await self._replica.writes.ask(
            ManifestAsked(
                loaded.topology,
                source,
                request.expected_revision or None,
                request.expected_etag,
                restores=request.revision,
                allow_removed=service_names(request.allow_removed_service_ids),
            ),
            change_from_proto(request.change),
        )
        revision, word = applied(self._replica.state, done, source)
        return pb.RollbackManifestResponse(
            revision=revision,
            index=done.index,
            etag=word,
            warnings=map(fault_to_proto, loaded.warnings),
        )

    async def explain_budget(self, request: pb.ExplainBudgetRequest) -> pb.ExplainBudgetResponse:
        """Say where a service's recovery time goes, and how much it could lose."""
        state, settings = self._replica.state, self._replica.settings
        check_service(state.topology, service_name(request.service_id))
        service = state.topology.service(ServiceId(request.service_id))
        assert service is not None, "check_service found it"
        explained = explain_budget(
            state.topology, service, settings.timing, election_ms=settings.election_ms
        )
        answer = pb.ExplainBudgetResponse(
            service_id=service.service_id,
            rto_ms=service.rto_ms,
            recovery=map(_line_to_proto, explained.recovery),
            predicted_rto_ms=explained.total_ms,
            on_top=map(_line_to_proto, explained.on_top),
            rpo_ms=service.rpo_ms,
            exposure=map(_line_to_proto, explained.exposure),
            standbys=self._standbys(service.service_id) if explained.exposure else (),
        )
        measured = [
            run.measured_rto_ms
            for run in state.runs
            if run.service_id == service.service_id and run.measured_rto_ms is not None
        ]
        if measured:
            answer.measured_rto_ms = measured[-1]
        return answer

    def _standbys(self, service_id: ServiceId) -> list[pb.StandbyLoss]:
        views = self._replica.core.service_views(now_ms=boot_ms())
        view = next((each for each in views if each.service_id == service_id), None)
        if view is None:
            return []
        return [
            pb.StandbyLoss(
                region_id=site.region_id,
                lag_ms=None if site.lag_ms is None else min(site.lag_ms, UINT32_MAX),
                loss_bound_ms=None
                if site.loss_bound_ms is None
                else min(max(0, site.loss_bound_ms), UINT32_MAX),
            )
            for site in view.sites
            if site.region_id != view.owner
        ]


def _measured(table: RouteTable, state: State) -> tuple[RoundTrip, ...]:
    """Return the round trips of ``table`` that the documents in force do not declare.

    Those that they do are to give way to what other documents declare.
    """
    declared = {
        (*pair, link.rtt_us)
        for link in state.topology.links
        for pair in ((link.region_a, link.region_b), (link.region_b, link.region_a))
    }
    return tuple(each for each in table.round_trips if each not in declared)


def applied(state: State, done: Done, source: str) -> tuple[int, str]:
    """Return number and etag of what ``done`` put in force, or would put in force."""
    if not done.index:
        revision = state.revision + 1
        return revision, etag(revision, source)
    if isinstance(done.event, ManifestApplied):
        return done.event.revision, etag(done.event.revision, source)
    # A repetition: it was applied then, and others may have been since.
    kept = next((each for each in state.revisions if each.index == done.index), None)
    return (state.revision, state.etag) if kept is None else (kept.revision, kept.etag)


def _in_force(state: State) -> str:
    if not state.manifest_source and state.revision:
        return export_topology(state.topology)
    return state.manifest_source


def _kept(state: State, revision: int) -> Revision:
    """Return a revision with its text.

    Raises:
        NotFoundError: There never was one, or its text is no longer kept.
    """
    found = next((each for each in state.revisions if each.revision == revision), None)
    if found is not None and found.source:
        return found
    numbers = [each.revision for each in state.revisions if each.source]
    kept = f"{numbers[0]} to {numbers[-1]} are" if len(numbers) > 1 else f"{numbers or 'none'} is"
    what = "is no longer kept" if 0 < revision <= state.revision else "was never applied"
    raise NotFoundError(
        Reason.REVISION_NOT_FOUND,
        f"revision {revision} {what}; {kept} kept",
        revision=revision,
        revisionInForce=state.revision,
    )


def _revision_to_proto(revision: Revision) -> pb.ManifestRevision:
    return pb.ManifestRevision(
        revision=revision.revision,
        index=revision.index,
        applied_wall_ms=revision.wall_ms,
        actor=revision.actor,
        reason=revision.reason,
        summary=revision.summary,
        etag=revision.etag,
        document_bytes=len(revision.source.encode()),
        restores=revision.restores,
    )


def _line_to_proto(line: BudgetLine) -> pb.BudgetLine:
    return pb.BudgetLine(
        phase=line.phase, spent_ms=line.ms, formula=line.formula, source=line.source
    )
