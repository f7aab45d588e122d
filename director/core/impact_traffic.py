"""Who would be routed elsewhere: two route tables asked the same questions by a sample of clients.

Routing itself answers, so that whatever it takes into account is taken into account here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from director.routing.compiled import CompiledTable
from director.routing.table import (
    Answer,
    Location,
    RegionId,
    Resolution,
    RouteTable,
    ServiceId,
    ServiceRoute,
)

_PER_MILLE = 1_000
# Each is two answers of a few microseconds: a quarter of a second in all. Beyond, fewer places are
# asked, so that a plan of a whole fleet does not keep routing waiting.
QUESTIONS_MAX = 51_200
PLACES_MIN = 16


@dataclass(frozen=True, slots=True)
class PlaceShare:
    """Clients around one place. ``weight`` is their share among all places given, above 0."""

    location: Location
    weight: int


@dataclass(frozen=True, slots=True)
class RouteMove:
    """Clients that would be sent elsewhere.

    Attributes:
        source: Where they are sent now; None when they are refused, or the service is new.
        target: Where they would be sent; None likewise, or when the service is removed.
        share_per_mille: Of all clients of the service; rounded up, so that none is nothing.
        refusal: Why they would be refused; "" when they would not be.
    """

    source: RegionId | None
    target: RegionId | None
    share_per_mille: int
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class TrafficMoved:
    """What changes for the clients of one service.

    Attributes:
        subject: Jurisdiction of the data's subjects that a residency rule names; "" for others.
        moved_per_mille: Of all clients, those that are sent elsewhere, or refused, or not any more.
    """

    service_id: ServiceId
    subject: str
    moved_per_mille: int
    moves: tuple[RouteMove, ...]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Who would be routed elsewhere.

    Attributes:
        moved: Services, and kinds of subject, of which any client would be; by name.
        place_count: How many places were asked.
    """

    moved: tuple[TrafficMoved, ...]
    place_count: int


def traffic_moved(before: RouteTable, after: RouteTable, places: Sequence[PlaceShare]) -> Traffic:
    """Ask both tables for every place, of every service that they do not treat alike.

    Args:
        before: What routes are made of now.
        after: What they would be made of.
        places: At least one; those with most weight first. When very many services change, only
            the first ones are asked for.
    """
    assert places, "without a place nobody asks"
    was = {each.service_id: each for each in before.services}
    now = {each.service_id: each for each in after.services}
    same_map = (before.regions, before.round_trips) == (after.regions, after.round_trips)
    asked = [
        (service_id, subject)
        for service_id in sorted(was.keys() | now.keys())
        if not same_map or was.get(service_id) != now.get(service_id)
        for subject in _subjects((was.get(service_id), now.get(service_id)))
    ]
    count = max(PLACES_MIN, QUESTIONS_MAX // max(1, len(asked)))
    asking = _Asking(CompiledTable(before), CompiledTable(after), places[:count])
    found = (asking.moved(service_id, subject) for service_id, subject in asked)
    return Traffic(tuple(each for each in found if each is not None), min(count, len(places)))


def _subjects(routes: tuple[ServiceRoute | None, ServiceRoute | None]) -> tuple[str, ...]:
    named = {
        rule.subject_jurisdiction
        for route in routes
        if route is not None
        for rule in route.residency
    }
    return ("", *sorted(named))


@dataclass(frozen=True, slots=True)
class _Asking:
    before: CompiledTable
    after: CompiledTable
    places: Sequence[PlaceShare]

    def moved(self, service_id: ServiceId, subject: str) -> TrafficMoved | None:
        weights: dict[tuple[str, str, str], int] = {}
        whole = 0
        for number, place in enumerate(self.places):
            # The number spreads clients over the regions of a service that goes by weight.
            client = (service_id, number, place.location, subject, number)
            source, _ = _region(self.before.resolve_place(*client))
            target, refusal = _region(self.after.resolve_place(*client))
            whole += place.weight
            if source != target:
                key = (source, target, refusal)
                weights[key] = weights.get(key, 0) + place.weight
        if not weights:
            return None
        moves = tuple(
            RouteMove(
                RegionId(source) if source else None,
                RegionId(target) if target else None,
                _share(weight, whole),
                refusal,
            )
            for (source, target, refusal), weight in sorted(
                weights.items(), key=lambda each: (-each[1], each[0])
            )
        )
        return TrafficMoved(service_id, subject, _share(sum(weights.values()), whole), moves)


def _share(weight: int, whole: int) -> int:
    return -(-weight * _PER_MILLE // whole)


def _region(resolution: Resolution) -> tuple[str, str]:
    """Return the region, and why there is none: exactly one of them is empty."""
    if isinstance(resolution, Answer):
        return resolution.region_id, ""
    return "", str(resolution.reason)
