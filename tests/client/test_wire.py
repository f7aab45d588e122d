"""Route tables, questions and answers survive the way over the wire, and bad ones are named."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from director.client.errors import InvalidRequestError, PositionError, StepMismatchError
from director.client.kept import Kept, decode_kept, encode_kept
from director.client.wire import (
    age_suffix,
    answer_from_proto,
    answer_to_proto,
    apply_delta,
    delta_between,
    query_from_request,
    table_from_proto,
    table_to_proto,
    varint,
)
from director.routing.compiled import CompiledTable
from director.routing.table import Answer, PositionSource, Query, RouteTable, ServiceId
from tests.support.route_tables import a_service, a_table, at_revision, route_tables
from trafficdirector.routing.v1 import routing_pb2 as pb


@given(route_tables())
def test_a_table_survives_encoding(table: RouteTable) -> None:
    encoded = table_to_proto(table).SerializeToString()

    decoded = table_from_proto(
        pb.Table.FromString(encoded), generation=table.generation, revision=table.revision
    )

    assert decoded == table


@given(route_tables(st.just(1)), route_tables(st.just(2)), st.sampled_from([None, True]))
def test_a_delta_turns_the_old_table_into_the_new_one(
    old: RouteTable, new: RouteTable, with_regions: bool | None
) -> None:
    delta = pb.Delta.FromString(
        delta_between(old, new, with_regions=with_regions).SerializeToString()
    )

    assert apply_delta(old, delta, generation=new.generation, revision=new.revision) == new


def test_a_delta_of_one_service_carries_only_that_service() -> None:
    old = a_table(a_service("chat"), a_service("embed"))
    new = a_table(a_service("chat", owner="eu-west1"), a_service("embed"), revision=2)

    delta = delta_between(old, new)

    assert [each.service_id for each in delta.services] == ["chat"]
    assert not delta.regions_changed


def test_a_delta_that_would_go_back_is_refused() -> None:
    newer = a_table(revision=7)

    with pytest.raises(StepMismatchError, match=r"1\.6 does not follow 1\.7"):
        apply_delta(newer, pb.Delta(), generation=1, revision=6)


def test_a_table_whose_services_are_not_sorted_is_refused() -> None:
    table = table_to_proto(a_table(a_service("chat"), a_service("embed")))
    table.services.reverse()

    with pytest.raises(ValueError, match="sorted"):
        table_from_proto(table, generation=1, revision=1)


@given(route_tables(), st.integers(0, 2**63))
def test_a_kept_table_survives_the_disk(table: RouteTable, wall_ms: int) -> None:
    kept = Kept(table, wall_ms)

    assert decode_kept(encode_kept(kept)) == kept


@given(st.binary(max_size=64))
def test_bytes_that_are_no_kept_table_are_refused_or_read_but_never_crash(payload: bytes) -> None:
    try:
        kept = decode_kept(payload)
    except ValueError:
        return
    assert isinstance(kept.table, RouteTable)


@given(st.integers(0, 2**64 - 1))
def test_varints_are_those_of_protobuf(number: int) -> None:
    expected = pb.ResolveResponse(revision=number).SerializeToString()[1:] or b"\x00"

    assert varint(number) == expected


@given(st.integers(0, 2**40), st.integers(0, 3))
def test_age_and_source_can_be_appended_to_an_encoded_answer(age_ms: int, source: int) -> None:
    resolution = CompiledTable(a_table(a_service("chat", owner="eu-west1"))).resolve(
        Query(ServiceId("chat"))
    )
    assert isinstance(resolution, Answer)
    encoded = answer_to_proto(resolution).SerializeToString()

    decoded = pb.ResolveResponse.FromString(encoded + age_suffix(age_ms, source))

    assert answer_from_proto(decoded) == resolution
    assert (decoded.view_age_ms, decoded.source) == (min(age_ms, 2**32 - 1), source)


@pytest.mark.parametrize(
    ("lat", "lon", "field"),
    [
        (math.nan, 0.0, "location.lat"),
        (90.1, 0.0, "location.lat"),
        (-math.inf, 0.0, "location.lat"),
        (0.0, math.nan, "location.lon"),
        (0.0, 180.5, "location.lon"),
    ],
)
def test_coordinates_that_are_no_place_name_the_field_and_the_range(
    lat: float, lon: float, field: str
) -> None:
    request = pb.ResolveRequest(service_id="chat", location=pb.Location(lat=lat, lon=lon))

    with pytest.raises(PositionError, match="from -") as raised:
        query_from_request(request, None)

    assert raised.value.field == field


def test_an_unknown_region_is_refused_with_the_known_ones() -> None:
    request = pb.ResolveRequest(service_id="chat", region_id="eu-west9")

    with pytest.raises(PositionError, match="'eu-west9'; there are: eu-north1, eu-west1"):
        query_from_request(request, None, region_ids=["eu-west1", "eu-north1"])


@pytest.mark.parametrize("address", ["1.2.3", "example.com", "1.2.3.4:80", "", "x" * 500])
def test_what_is_no_ip_address_is_refused(address: str) -> None:
    request = pb.ResolveRequest(service_id="chat", address=address)

    with pytest.raises(PositionError, match="is not an IP address"):
        query_from_request(request, None)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ResolveRequest(), "service_id"),
        (pb.ResolveRequest(service_id="x" * 64), "service_id"),
        (pb.ResolveRequest(service_id="chat", session_id="s" * 257), "session_id"),
        (
            pb.ResolveRequest(service_id="chat", subject_jurisdiction="j" * 64),
            "subject_jurisdiction",
        ),
    ],
)
def test_a_field_that_is_missing_or_too_long_is_named(
    request_: pb.ResolveRequest, field: str
) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        query_from_request(request_, None)

    assert raised.value.field == field


def test_without_a_position_the_callers_own_region_counts() -> None:
    own = a_table().regions[0].region_id

    query = query_from_request(pb.ResolveRequest(service_id="chat"), None, own)

    assert (query.position.region_id, query.position.source) == (
        own,
        PositionSource.CALLER_REGION,
    )


def test_the_same_table_later_differs_only_in_its_revision() -> None:
    table = a_table(a_service("chat"))

    delta = delta_between(table, at_revision(table, 9))

    assert apply_delta(table, delta, generation=1, revision=9) == at_revision(table, 9)
    assert not delta.services
