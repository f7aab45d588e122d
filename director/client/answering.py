"""Answers requests from one route table: the servicer logic shared by directors and agents.

The hot path costs a decision, a lookup of bytes and one concatenation. Everything here is
synchronous and belongs to one event loop.
"""

from collections.abc import Iterator
from itertools import count

from director.client.errors import (
    ClientError,
    InvalidRequestError,
    RefusedError,
    TooManyError,
)
from director.client.tally import FAIL_OPEN, OK, Tallies, Tally
from director.client.wire import (
    ADDRESS_CHARS_MAX,
    BATCH_MAX,
    NAME_CHARS_MAX,
    UINT32_MAX,
    Places,
    age_suffix,
    answer_to_proto,
    position_to_proto,
    query_from_request,
    refusal_to_proto,
    response_for,
)
from director.routing.compiled import CompiledTable
from director.routing.explain import explain
from director.routing.table import (
    Answer,
    Query,
    Refusal,
    RegionId,
    Resolution,
    RouteTable,
    ServiceId,
    Strategy,
)
from trafficdirector.routing.v1 import routing_pb2 as pb

# Ages are small and repeat; each suffix is four to eight bytes.
_SUFFIX_AGES = 4_096
# Clients ask again when their answer's ttl is over. About 16 MiB when full.
_RECENT_MAX = 65_536


class _Ready:
    """An encoded answer, all but its age, and what counts it."""

    __slots__ = ("encoded", "tally")

    def __init__(self, encoded: bytes, tally: Tally) -> None:
        self.encoded = encoded
        self.tally = tally


class Answerer:
    """Answers from the newest table it was given.

    Attributes:
        tallies: How often each service was answered with which region, or refused.

    Args:
        places: Locates client addresses; None if there is no geo database.
        caller_region: Region of the callers, used for requests without a position.
    """

    def __init__(
        self, places: Places | None = None, *, caller_region: RegionId | None = None
    ) -> None:
        self._places = places
        self._caller_region = caller_region
        self._spread = count(1)
        self._suffixes: dict[tuple[int, int], bytes] = {}
        self._encoded: dict[tuple[str, str, str], _Ready] = {}
        # Answers of the present table by (service, address, subject's jurisdiction).
        self._recent: dict[tuple[str, str, str], _Ready] = {}
        self._spread_ids: frozenset[str] = frozenset()
        self._region_ids: frozenset[str] = frozenset()
        self._service_ids: frozenset[str] = frozenset()
        self.tallies = Tallies()
        self.compiled: CompiledTable | None = None

    def adopt(self, compiled: CompiledTable) -> None:
        """Answer from ``compiled`` from now on."""
        self.compiled = compiled
        self._encoded = {}
        self._recent = {}
        table = compiled.table
        self._region_ids = frozenset(region.region_id for region in table.regions)
        self._service_ids = frozenset(each.service_id for each in table.services)
        # The fast path has no chance in it, and would send everyone to the same region.
        self._spread_ids = frozenset(
            each.service_id
            for each in table.services
            if each.strategy is Strategy.WEIGHTED
            or any(site.spill_per_mille for site in each.sites)
        )

    def adopt_table(self, table: RouteTable) -> CompiledTable:
        """Compile ``table``, keeping what still holds of the one before, and adopt it."""
        compiled = CompiledTable(table, self.compiled)
        self.adopt(compiled)
        return compiled

    def resolve_bytes(self, request: pb.ResolveRequest, view_age_ms: int, source: int) -> bytes:
        """Return the encoded ResolveResponse.

        Raises:
            InvalidRequestError: A field cannot be used.
            RefusedError: No region may serve this client, or the view is too old for the caller.
        """
        suffix = self._suffixes.get((view_age_ms, source))
        if suffix is None:
            suffix = self._suffix(view_age_ms, source)
        try:
            if request.view_age_ms_max:
                check_age(request, view_age_ms)
            if request.session_id:
                return self._for_session(request) + suffix
            asked = (request.service_id, request.address, request.subject_jurisdiction)
            ready = self._recent.get(asked)
            if ready is None:
                ready = self._decided(request, asked)
        except ClientError as error:
            self._count_refusal(request.service_id, error.reason)
            raise
        ready.tally.count += 1
        return ready.encoded + suffix

    def _count_refusal(self, service_id: str, reason: str) -> None:
        # Anybody can ask for any name: those that are not declared are counted as one.
        known = service_id if service_id in self._service_ids else ""
        self.tallies.of(known, "", reason.lower()).count += 1

    def _tally(self, answer: Answer) -> Tally:
        outcome = FAIL_OPEN if answer.fail_open else OK
        return self.tallies.of(answer.service_id, answer.region_id, outcome)

    def _decided(self, request: pb.ResolveRequest, asked: tuple[str, str, str]) -> _Ready:
        """Decide for a client without a session, and remember it if its place alone decided."""
        placed = self._by_place(request)
        resolution = self._by_query(request) if placed is None else placed
        if isinstance(resolution, Refusal):
            raise refused(resolution)
        key = (resolution.service_id, resolution.region_id, resolution.reason)
        ready = self._encoded.get(key)
        if ready is None:
            encoded = answer_to_proto(resolution).SerializeToString()
            ready = self._encoded[key] = _Ready(encoded, self._tally(resolution))
        if placed is not None:
            if len(self._recent) >= _RECENT_MAX:
                self._recent.clear()
            self._recent[asked] = ready
        return ready

    def _for_session(self, request: pb.ResolveRequest) -> bytes:
        """Decide for a session: the order of the endpoints is its own."""
        resolution = self._resolution(request)
        if isinstance(resolution, Refusal):
            raise refused(resolution)
        self._tally(resolution).count += 1
        return answer_to_proto(resolution).SerializeToString()

    def resolve(self, request: pb.ResolveRequest) -> Resolution:
        """Return the answer or the refusal.

        Raises:
            InvalidRequestError: A field cannot be used.
        """
        return self._resolution(request)

    def batch(
        self, request: pb.BatchResolveRequest, view_age_ms: int, source: int
    ) -> pb.BatchResolveResponse:
        """Answer every question from the same table.

        A question that cannot be used gets a refusal of its own; the others their answers.

        Raises:
            InvalidRequestError: There is no question.
            TooManyError: There are more than ``BATCH_MAX``.
        """
        asked = len(request.requests)
        if asked == 0:
            raise InvalidRequestError("requests", f"is empty; ask 1 to {BATCH_MAX} questions")
        if asked > BATCH_MAX:
            raise TooManyError("requests", f"has {asked} questions; at most {BATCH_MAX} at once")
        return pb.BatchResolveResponse(results=self._results(request, view_age_ms, source))

    def _results(
        self, request: pb.BatchResolveRequest, view_age_ms: int, source: int
    ) -> Iterator[pb.BatchResolveResult]:
        for each in request.requests:
            try:
                check_age(each, view_age_ms)
                resolution = self._resolution(each)
            except (InvalidRequestError, RefusedError) as error:
                self._count_refusal(each.service_id, error.reason)
                yield pb.BatchResolveResult(
                    refusal=pb.Refusal(
                        reason=error.reason, message=str(error), metadata=error.metadata
                    )
                )
                continue
            if isinstance(resolution, Answer):
                self._tally(resolution).count += 1
            else:
                self._count_refusal(each.service_id, resolution.reason)
            yield result_to_proto(resolution, view_age_ms, source)

    def explain(
        self, request: pb.ExplainResolveRequest, view_age_ms: int, source: int
    ) -> pb.ExplainResolveResponse:
        """Answer like ``resolve`` and account for every region.

        Raises:
            InvalidRequestError: A field cannot be used.
        """
        compiled = self._table()
        query = self._query(request.request)
        explanation = explain(compiled, query)
        verdict_by_region = {
            site.region_id: site.verdict.value
            for service in compiled.table.services
            if service.service_id == query.service_id
            for site in service.sites
        }
        response = pb.ExplainResolveResponse(
            result=result_to_proto(explanation.resolution, view_age_ms, source),
            position=position_to_proto(query.position),
            revision=compiled.table.revision,
            view_age_ms=min(view_age_ms, UINT32_MAX),
        )
        for candidate in explanation.candidates:
            encoded = response.candidates.add(
                region_id=candidate.region_id,
                outcome=candidate.outcome.value,
                reason=str(candidate.reason),
                text=candidate.text,
                verdict=verdict_by_region.get(candidate.region_id, ""),
            )
            if candidate.distance_km is not None:
                encoded.distance_km = candidate.distance_km
            if candidate.rtt_ms is not None:
                encoded.rtt_us = round(candidate.rtt_ms * 1_000)
            if candidate.priority is not None:
                encoded.priority = candidate.priority
        return response

    def _resolution(self, request: pb.ResolveRequest) -> Resolution:
        placed = self._by_place(request)
        return self._by_query(request) if placed is None else placed

    def _by_place(self, request: pb.ResolveRequest) -> Resolution | None:
        """Decide by the place of the client's address, the fast path; None where more decides.

        That is a session, chance, a position of another kind, or an address without a place. A
        name or address that is too long is left to the checks of the other path.
        """
        compiled = self._table()
        service_id, address = request.service_id, request.address
        subject = request.subject_jurisdiction
        if (
            self._places is None
            or not address
            or request.session_id
            or service_id in self._spread_ids
            or not 0 < len(service_id) <= NAME_CHARS_MAX
            or len(address) > ADDRESS_CHARS_MAX
            or len(subject) > NAME_CHARS_MAX
        ):
            return None
        place = self._places.lookup(address)
        if place is None:
            return None
        return compiled.resolve_place(
            ServiceId(service_id), place.place_key, place.location, subject
        )

    def _by_query(self, request: pb.ResolveRequest) -> Resolution:
        return self._table().resolve(self._query(request))

    def _query(self, request: pb.ResolveRequest) -> Query:
        return query_from_request(
            request,
            self._places,
            self._caller_region,
            region_ids=self._region_ids,
            spread=next(self._spread),
        )

    def _table(self) -> CompiledTable:
        if self.compiled is None:
            raise RefusedError("UNAVAILABLE", "there is no route table yet; try another endpoint")
        return self.compiled

    def _suffix(self, view_age_ms: int, source: int) -> bytes:
        suffix = age_suffix(view_age_ms, source)
        if view_age_ms < _SUFFIX_AGES:
            self._suffixes[view_age_ms, source] = suffix
        return suffix


def check_age(request: pb.ResolveRequest, view_age_ms: int) -> None:
    """Refuse to answer a caller for whom the view is too old.

    Raises:
        RefusedError: With STALENESS_BOUND_EXCEEDED.
    """
    oldest_ms = request.view_age_ms_max
    if oldest_ms and view_age_ms > oldest_ms:
        raise RefusedError(
            "STALENESS_BOUND_EXCEEDED",
            f"this view is {view_age_ms} ms old; the caller accepts {oldest_ms} ms",
            metadata={"viewAgeMs": str(view_age_ms), "viewAgeMsMax": str(oldest_ms)},
        )


def refused(refusal: Refusal) -> RefusedError:
    """Return the refusal as an error."""
    return RefusedError(str(refusal.reason), refusal.message, metadata=dict(refusal.metadata))


def result_to_proto(resolution: Resolution, view_age_ms: int, source: int) -> pb.BatchResolveResult:
    """Return an answer or a refusal as one result."""
    if isinstance(resolution, Answer):
        return pb.BatchResolveResult(response=response_for(resolution, view_age_ms, source))
    return pb.BatchResolveResult(refusal=refusal_to_proto(resolution))
