"""A route table made ready to answer: the one code path of directors, agents and clients.

Order, then filter. Orders are kept across tables (:mod:`director.routing.preference`); the filter
runs once per service and table (:mod:`director.routing.plan`), on first use. What is left for each
client is to walk its order to the first region that has a prepared answer.

Not thread-safe: it fills its caches as it answers. Each thread that routes compiles its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from director.routing.plan import Plan, plan, spread_answer, with_endpoints_by_session
from director.routing.preference import Geography, Order, Preferences, RoundTrips
from director.routing.table import (
    Answer,
    ClientPosition,
    Location,
    PositionSource,
    Query,
    Refusal,
    RefusalReason,
    Region,
    RegionId,
    Resolution,
    RouteTable,
    ServiceId,
    ServiceRoute,
    Strategy,
)


@dataclass(slots=True)
class _Service:
    """A service and its plans, by the jurisdiction of the subject that its rules name."""

    route: ServiceRoute
    subjects: frozenset[str]
    plan_by_subject: dict[str, Plan] = field(default_factory=dict)


class CompiledTable:
    """Answers queries from one route table.

    Compiling is cheap (well under a millisecond for 50 regions and 200 services): build a new one
    for each table, and pass the one before it so that everything still true is kept.
    """

    __slots__ = ("_number_by_id", "_region_by_id", "_services", "preferences", "table")

    def __init__(self, table: RouteTable, previous: "CompiledTable | None" = None) -> None:
        self.table = table
        if previous is None:
            geography = Geography.of(table.regions)
            self.preferences = Preferences(geography, RoundTrips(geography, table.round_trips))
        else:
            self.preferences = previous.preferences.adapted(table.regions, table.round_trips)
        self._region_by_id: Mapping[RegionId, Region] = {
            region.region_id: region
            for region in sorted(table.regions, key=lambda region: region.region_id)
        }
        self._number_by_id = {region_id: n for n, region_id in enumerate(self._region_by_id)}
        self._services = {
            service.service_id: _Service(
                service, frozenset(rule.subject_jurisdiction for rule in service.residency)
            )
            for service in table.services
        }

    def resolve(self, query: Query) -> Resolution:
        """Answer any query, or say why it has no answer.

        A position that names a region outside the fleet counts as no position.
        """
        found = self.plan_for(query.service_id, query.subject_jurisdiction)
        if found is None:
            return not_found(query.service_id)
        resolution = found.fixed
        if resolution is None:
            resolution = self._chosen(found, query)
        if query.session_id and isinstance(resolution, Answer):
            return with_endpoints_by_session(resolution, query.session_id)
        return resolution

    def resolve_place(
        self,
        service_id: ServiceId,
        place_key: int,
        location: Location,
        subject_jurisdiction: str = "",
        spread: int = 0,
    ) -> Resolution:
        """Answer for a place of a geo database: the fast path, without a session.

        Equal to ``resolve`` with that location and no session. ``place_key`` stands for
        ``location`` and no other, for as long as this table and its successors live.
        """
        entry = self._services.get(service_id)
        if entry is None:
            return not_found(service_id)
        found = entry.plan_by_subject.get(subject_jurisdiction)
        if found is None:
            found = self._planned(entry, subject_jurisdiction)
        if found.fixed is not None:
            return found.fixed
        strategy = found.service.strategy
        if strategy is Strategy.NEAREST:
            order = self.preferences.by_distance(place_key, location)
        elif strategy is Strategy.LEAST_LATENCY:
            order = self.preferences.by_round_trip(place_key, location)
        else:
            return self._spread(found, Query(service_id, spread=spread))
        answers = found.answers
        for number in order:
            answer = answers[number]
            if answer is not None:
                if found.overflow is None:
                    return answer
                return found.overflow.passed_on(answer, str(spread), order)
        raise AssertionError("a plan without a fixed resolution has answers (R1)")

    def plan_for(self, service_id: ServiceId, subject_jurisdiction: str) -> Plan | None:
        """Return the filtered service, or None if the table has no such service."""
        entry = self._services.get(service_id)
        if entry is None:
            return None
        found = entry.plan_by_subject.get(subject_jurisdiction)
        return found if found is not None else self._planned(entry, subject_jurisdiction)

    def _planned(self, entry: _Service, subject_jurisdiction: str) -> Plan:
        # Subjects that no rule names share one plan, so that callers cannot fill the memory with
        # jurisdictions they make up.
        subject = subject_jurisdiction if subject_jurisdiction in entry.subjects else ""
        found = entry.plan_by_subject.get(subject)
        if found is None:
            found = plan(
                entry.route,
                self._region_by_id,
                subject_jurisdiction=subject,
                revision=self.table.revision,
            )
            entry.plan_by_subject[subject] = found
        return found

    def home_number(self, position: ClientPosition) -> int | None:
        """Return the number of the region the client is in, or None if it is in none."""
        is_inside = position.location is None or position.source in (
            PositionSource.REGION,
            PositionSource.CALLER_REGION,
        )
        if position.region_id is None or not is_inside:
            return None
        return self._number_by_id.get(position.region_id)

    def order_for(self, position: ClientPosition, strategy: Strategy) -> Order | None:
        """Return the order of preference of all regions, or None without a position."""
        home = self.home_number(position)
        if home is not None:
            return self.preferences.in_region(home)
        location = position.location
        if location is None:
            return None
        key = (location.lat, location.lon)
        if strategy is Strategy.LEAST_LATENCY:
            return self.preferences.by_round_trip(key, location)
        return self.preferences.by_distance(key, location)

    def _chosen(self, found: Plan, query: Query) -> Answer:
        strategy = found.service.strategy
        order = None
        if strategy is not Strategy.WEIGHTED:
            order = self.order_for(query.position, strategy)
        if order is None:
            return self._spread(found, query)
        answer = next(answer for n in order if (answer := found.answers[n]) is not None)
        if found.overflow is None:
            return answer
        return found.overflow.passed_on(answer, _client(query), order)

    def _spread(self, found: Plan, query: Query) -> Answer:
        answer = spread_answer(found, query.session_id, query.spread)
        if found.overflow is None:
            return answer
        return found.overflow.passed_on(answer, _client(query), None)


def _client(query: Query) -> str:
    """Stand for the client, as well as it is known."""
    return query.session_id or query.client_key or str(query.spread)


def not_found(service_id: ServiceId) -> Refusal:
    """Refuse a service that the route table does not have."""
    return Refusal(
        service_id,
        RefusalReason.SERVICE_NOT_FOUND,
        f"no service {service_id!r}",
        (("service", service_id),),
    )
