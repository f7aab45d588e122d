"""Route tables, questions and answers as bytes: one encoding for directors, agents and clients.

Decoding checks what the network could have got wrong and raises ``ValueError``; nothing here
decides. An answer is encoded once per route table and its age appended to each copy: protobuf
messages may be concatenated (protobuf encoding guide, "Last One Wins").
"""

import ipaddress
from collections.abc import Iterable
from itertools import pairwise
from math import isfinite
from typing import Protocol

from director.client.errors import InvalidRequestError, PositionError, StepMismatchError
from director.routing.position import Located, client_position
from director.routing.table import (
    AllUnhealthy,
    Answer,
    ClientPosition,
    Endpoint,
    Location,
    Override,
    PositionSource,
    Query,
    Refusal,
    Region,
    RegionId,
    ResidencyRule,
    RouteTable,
    ServiceId,
    ServiceMode,
    ServiceRoute,
    Site,
    Strategy,
    Verdict,
)
from trafficdirector.routing.v1 import routing_pb2 as pb

# Longer than any DNS label (RFC 1035, section 2.3.4), so every declared name fits.
NAME_CHARS_MAX = 63
# A UUID is 36; room for a prefix, none for a payload.
SESSION_CHARS_MAX = 256
ADDRESS_CHARS_MAX = 64
BATCH_MAX = 1_000
SERVICES_WATCHED_MAX = 2_000
UINT32_MAX = 2**32 - 1

_LAT_MAX = 90.0
_LON_MAX = 180.0
# Field numbers 14 and 15 with wire type 0, as appended to every answer.
_AGE_TAG = 14 << 3
_SOURCE_TAG = 15 << 3
_VARINT_MORE = 0x80


class Place(Protocol):
    """Where an address is, as a geo database has it."""

    @property
    def place_key(self) -> int:
        """A number that stands for this location and no other."""
        ...

    @property
    def location(self) -> Location:
        """The point."""
        ...

    @property
    def accuracy_km(self) -> int | None:
        """Radius of uncertainty; None if not stated."""
        ...

    @property
    def country(self) -> str | None:
        """ISO country code; None if not known."""
        ...


class Places(Protocol):
    """A geo database. ``director.geodb`` has one."""

    def lookup(self, address: str, /) -> Place | None:
        """Return the place of an IP address; None if it has none."""
        ...


# ------------------------------------------------------------------------------------- questions


def checked_name(field: str, name: str) -> str:
    """Return ``name`` if it could be the name of anything.

    Raises:
        InvalidRequestError: It is empty or too long.
    """
    if not name:
        raise InvalidRequestError(field, "is required; it is empty")
    if len(name) > NAME_CHARS_MAX:
        raise InvalidRequestError(
            field, f"has {len(name)} characters; a name has at most {NAME_CHARS_MAX}"
        )
    return name


def checked_location(location: pb.Location) -> Location:
    """Return the point.

    Raises:
        PositionError: A coordinate is NaN, infinite or outside its range.
    """
    lat, lon = location.lat, location.lon
    if not (-_LAT_MAX <= lat <= _LAT_MAX):
        what = f"is {lat}" if isfinite(lat) else f"is {lat}, not a number"
        raise PositionError("location.lat", f"{what}; degrees north, from -90 to 90")
    if not (-_LON_MAX <= lon <= _LON_MAX):
        what = f"is {lon}" if isfinite(lon) else f"is {lon}, not a number"
        raise PositionError("location.lon", f"{what}; degrees east, from -180 to 180")
    return Location(lat, lon)


def checked_address(address: str) -> str:
    """Return the address.

    Raises:
        PositionError: It is not an IPv4 or IPv6 address.
    """
    if len(address) <= ADDRESS_CHARS_MAX:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            pass
        else:
            return address
    shown = address[:ADDRESS_CHARS_MAX]
    raise PositionError(
        "address", f"{shown!r} is not an IP address such as 192.0.2.7 or 2001:db8::7, without port"
    )


def _checked_region(region_id: str, region_ids: Iterable[str] | None) -> RegionId:
    checked_name("region_id", region_id)
    if region_ids is not None and region_id not in region_ids:
        known = ", ".join(sorted(region_ids)) or "none yet"
        raise PositionError("region_id", f"there is no region {region_id!r}; there are: {known}")
    return RegionId(region_id)


def query_from_request(
    request: pb.ResolveRequest,
    places: Places | None,
    caller_region: RegionId | None = None,
    *,
    region_ids: Iterable[str] | None = None,
    spread: int = 0,
) -> Query:
    """Return the question in ``request``.

    Args:
        request: As it came.
        places: Locates addresses; None: an address then says nothing.
        caller_region: Where the caller runs, if that is known; used when the request has no
            position of its own.
        region_ids: The regions there are; None leaves an unknown one to the route table.
        spread: Separates clients that have no session.

    Raises:
        InvalidRequestError: A field cannot be used; PositionError if it is the position.
    """
    service_id = ServiceId(checked_name("service_id", request.service_id))
    if len(request.subject_jurisdiction) > NAME_CHARS_MAX:
        raise InvalidRequestError(
            "subject_jurisdiction", f"has more than {NAME_CHARS_MAX} characters"
        )
    if len(request.session_id) > SESSION_CHARS_MAX:
        raise InvalidRequestError("session_id", f"has more than {SESSION_CHARS_MAX} characters")
    position = _position(request, places, caller_region, region_ids)
    return Query(
        service_id,
        position,
        request.subject_jurisdiction,
        request.session_id,
        spread=spread,
        client_key=request.address,
    )


def _position(
    request: pb.ResolveRequest,
    places: Places | None,
    caller_region: RegionId | None,
    region_ids: Iterable[str] | None,
) -> ClientPosition:
    match request.WhichOneof("position"):
        case "location":
            return client_position(coordinates=checked_location(request.location))
        case "region_id":
            return client_position(region_id=_checked_region(request.region_id, region_ids))
        case "address":
            place = None
            if places is not None:
                place = places.lookup(request.address)
            if place is None:
                # Only now: parsing costs more than finding what was found before.
                checked_address(request.address)
                return client_position(caller_region_id=caller_region)
            located = Located(place.location, place.accuracy_km, place.country)
            return client_position(address=located)
        case _:
            return client_position(caller_region_id=caller_region)


# --------------------------------------------------------------------------------------- answers


def answer_to_proto(answer: Answer) -> pb.ResolveResponse:
    """Return the answer without age and source."""
    return pb.ResolveResponse(
        service_id=answer.service_id,
        region_id=answer.region_id,
        endpoints=[_endpoint_to_proto(each) for each in answer.endpoints],
        revision=answer.revision,
        generation=answer.generation,
        epoch=answer.epoch,
        ttl_ms=answer.ttl_ms,
        fail_open=answer.fail_open,
        reason=str(answer.reason),
    )


def answer_from_proto(response: pb.ResolveResponse) -> Answer:
    """Return the answer that a director sent."""
    return Answer(
        ServiceId(response.service_id),
        RegionId(response.region_id),
        tuple(_endpoint_from_proto(each) for each in response.endpoints),
        fail_open=response.fail_open,
        reason=response.reason,
        generation=response.generation,
        epoch=response.epoch,
        revision=response.revision,
        ttl_ms=response.ttl_ms,
    )


def age_suffix(view_age_ms: int, source: int) -> bytes:
    """Return the bytes that append ``view_age_ms`` and ``source`` to an encoded answer.

    An age beyond what the field holds (49 days) is the greatest it holds.
    """
    return bytes((_AGE_TAG,)) + varint(min(view_age_ms, UINT32_MAX)) + bytes((_SOURCE_TAG, source))


def varint(number: int) -> bytes:
    """Encode a number that is not negative (protobuf encoding guide, "Base 128 Varints")."""
    assert number >= 0, "an age is not negative"
    out = bytearray()
    while number >= _VARINT_MORE:
        out.append(number & (_VARINT_MORE - 1) | _VARINT_MORE)
        number >>= 7
    out.append(number)
    return bytes(out)


def response_for(answer: Answer, view_age_ms: int, source: int) -> pb.ResolveResponse:
    """Return the whole answer as a message."""
    response = answer_to_proto(answer)
    response.view_age_ms = min(view_age_ms, UINT32_MAX)
    response.source = source  # type: ignore[assignment]
    return response


def refusal_to_proto(refusal: Refusal) -> pb.Refusal:
    """Return a refusal for a batch or an explanation."""
    return pb.Refusal(
        reason=str(refusal.reason), message=refusal.message, metadata=dict(refusal.metadata)
    )


def position_to_proto(position: ClientPosition) -> pb.Position:
    """Return how the position was found."""
    encoded = pb.Position(source=str(position.source), country=position.country or "")
    if position.location is not None:
        encoded.location.CopyFrom(_location_to_proto(position.location))
    if position.accuracy_km is not None:
        encoded.accuracy_km = position.accuracy_km
    if position.source in (PositionSource.REGION, PositionSource.CALLER_REGION):
        encoded.place = position.region_id or ""
    return encoded


# ---------------------------------------------------------------------------------------- tables


def table_to_proto(table: RouteTable) -> pb.Table:
    """Return the table; generation and revision travel beside it."""
    return pb.Table(
        config_revision=table.config_revision,
        regions=[_region_to_proto(each) for each in table.regions],
        round_trips=_round_trips_to_proto(table),
        services=[_service_to_proto(each) for each in table.services],
    )


def table_from_proto(table: pb.Table, *, generation: int, revision: int) -> RouteTable:
    """Return the table.

    Raises:
        ValueError: A word, a coordinate or the order of its parts is not as promised.
    """
    return RouteTable(
        generation=generation,
        revision=revision,
        config_revision=table.config_revision,
        regions=tuple(_region_from_proto(each) for each in table.regions),
        round_trips=_round_trips_from_proto(table.round_trips),
        services=_sorted_services(table.services),
    )


def delta_between(
    old: RouteTable, new: RouteTable, *, with_regions: bool | None = None
) -> pb.Delta:
    """Return what turns ``old`` into ``new``: ``apply_delta(old, delta, ...) == new``.

    Args:
        old: What the receiver has.
        new: What it is to have.
        with_regions: True sends regions and round trips even if they are equal here, because the
            receiver's may come from another replica, which measured for itself. None decides.
    """
    old_by_id = {service.service_id: service for service in old.services}
    new_ids = {service.service_id for service in new.services}
    changed = [each for each in new.services if old_by_id.get(each.service_id) != each]
    removed = [each.service_id for each in old.services if each.service_id not in new_ids]
    has_regions = with_regions or old.regions != new.regions or old.round_trips != new.round_trips
    return pb.Delta(
        config_revision=new.config_revision,
        services=[_service_to_proto(each) for each in changed],
        removed_service_ids=removed,
        regions_changed=has_regions,
        regions=[_region_to_proto(each) for each in new.regions] if has_regions else [],
        round_trips=_round_trips_to_proto(new) if has_regions else [],
    )


def apply_delta(old: RouteTable, delta: pb.Delta, *, generation: int, revision: int) -> RouteTable:
    """Return the table after ``delta``.

    Raises:
        StepMismatchError: It would go back to an older table (R7).
        ValueError: As ``table_from_proto``.
    """
    if (generation, revision) < (old.generation, old.revision):
        raise StepMismatchError(
            f"a step to {generation}.{revision} does not follow {old.generation}.{old.revision}"
        )
    by_id = {service.service_id: service for service in old.services}
    for service_id in delta.removed_service_ids:
        by_id.pop(ServiceId(service_id), None)
    for service in _sorted_services(delta.services):
        by_id[service.service_id] = service
    regions, round_trips = old.regions, old.round_trips
    if delta.regions_changed:
        regions = tuple(_region_from_proto(each) for each in delta.regions)
        round_trips = _round_trips_from_proto(delta.round_trips)
    return RouteTable(
        generation=generation,
        revision=revision,
        config_revision=delta.config_revision,
        regions=regions,
        round_trips=round_trips,
        services=tuple(by_id[service_id] for service_id in sorted(by_id)),
    )


def only_services(table: RouteTable, service_ids: frozenset[str]) -> RouteTable:
    """Return the table for a watcher that asked for these services only."""
    return RouteTable(
        generation=table.generation,
        revision=table.revision,
        config_revision=table.config_revision,
        regions=table.regions,
        round_trips=table.round_trips,
        services=tuple(each for each in table.services if each.service_id in service_ids),
    )


def _location_to_proto(location: Location) -> pb.Location:
    return pb.Location(lat=location.lat, lon=location.lon)


def _region_to_proto(region: Region) -> pb.Region:
    return pb.Region(
        region_id=region.region_id,
        location=_location_to_proto(region.location),
        jurisdiction=region.jurisdiction,
        failure_domain=region.failure_domain,
        drained=region.drained,
    )


def _region_from_proto(region: pb.Region) -> Region:
    return Region(
        region_id=RegionId(region.region_id),
        location=Location(region.location.lat, region.location.lon),
        jurisdiction=region.jurisdiction,
        failure_domain=region.failure_domain,
        drained=region.drained,
    )


def _round_trips_to_proto(table: RouteTable) -> list[pb.RoundTrip]:
    return [
        pb.RoundTrip(from_region_id=origin, to_region_id=target, rtt_us=rtt_us)
        for origin, target, rtt_us in table.round_trips
    ]


def _round_trips_from_proto(
    round_trips: Iterable[pb.RoundTrip],
) -> tuple[tuple[RegionId, RegionId, int], ...]:
    return tuple(
        (RegionId(each.from_region_id), RegionId(each.to_region_id), each.rtt_us)
        for each in round_trips
    )


def _endpoint_to_proto(endpoint: Endpoint) -> pb.Endpoint:
    return pb.Endpoint(
        address=endpoint.address,
        zone=endpoint.zone,
        labels=dict(endpoint.labels),
        weight=endpoint.weight,
    )


def _endpoint_from_proto(endpoint: pb.Endpoint) -> Endpoint:
    return Endpoint(
        address=endpoint.address,
        zone=endpoint.zone,
        labels=tuple(sorted(endpoint.labels.items())),  # a proto map has no order
        weight=endpoint.weight,
    )


def _service_to_proto(service: ServiceRoute) -> pb.ServiceRoute:
    return pb.ServiceRoute(
        service_id=service.service_id,
        mode=service.mode.value,
        strategy=service.strategy.value,
        ttl_ms=service.ttl_ms,
        panic_per_mille=service.panic_per_mille,
        all_unhealthy=service.all_unhealthy.value,
        sticky=service.sticky,
        residency=[
            pb.ResidencyRule(
                subject_jurisdiction=rule.subject_jurisdiction,
                allow_jurisdictions=rule.allow_jurisdictions,
            )
            for rule in service.residency
        ],
        sites=[_site_to_proto(site) for site in service.sites],
        owner_region_id=service.owner or "",
        generation=service.generation,
        epoch=service.epoch,
    )


def _site_to_proto(site: Site) -> pb.Site:
    return pb.Site(
        region_id=site.region_id,
        priority=site.priority,
        weight=site.weight,
        endpoints=[_endpoint_to_proto(each) for each in site.endpoints],
        verdict=site.verdict.value,
        override="" if site.override is None else site.override.value,
        drained=site.drained,
        withheld=site.withheld,
        spill_per_mille=site.spill_per_mille,
        load_per_mille=site.load_per_mille,
        is_full=site.is_full,
    )


def _sorted_services(services: Iterable[pb.ServiceRoute]) -> tuple[ServiceRoute, ...]:
    decoded = tuple(_service_from_proto(each) for each in services)
    if any(a.service_id >= b.service_id for a, b in pairwise(decoded)):
        raise ValueError("services must be sorted by name, each once")
    return decoded


def _service_from_proto(service: pb.ServiceRoute) -> ServiceRoute:
    return ServiceRoute(
        service_id=ServiceId(service.service_id),
        mode=ServiceMode(service.mode),
        strategy=Strategy(service.strategy),
        ttl_ms=service.ttl_ms,
        panic_per_mille=service.panic_per_mille,
        all_unhealthy=AllUnhealthy(service.all_unhealthy),
        sticky=service.sticky,
        residency=tuple(
            ResidencyRule(rule.subject_jurisdiction, tuple(rule.allow_jurisdictions))
            for rule in service.residency
        ),
        sites=tuple(_site_from_proto(site) for site in service.sites),
        owner=RegionId(service.owner_region_id) if service.owner_region_id else None,
        generation=service.generation,
        epoch=service.epoch,
    )


def _site_from_proto(site: pb.Site) -> Site:
    return Site(
        region_id=RegionId(site.region_id),
        priority=site.priority,
        weight=site.weight,
        endpoints=tuple(_endpoint_from_proto(each) for each in site.endpoints),
        verdict=Verdict(site.verdict),
        override=Override(site.override) if site.override else None,
        drained=site.drained,
        withheld=site.withheld,
        spill_per_mille=site.spill_per_mille,
        load_per_mille=site.load_per_mille,
        is_full=site.is_full,
    )
