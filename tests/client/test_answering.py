"""The servicer logic that directors and agents share: bytes out, errors with reasons."""

from collections import Counter

import pytest

from director.client.answering import _RECENT_MAX, Answerer
from director.client.errors import (
    InvalidRequestError,
    PositionError,
    RefusedError,
    TooManyError,
)
from director.geodb.reader import Place
from director.routing.table import Location, RegionId, RouteTable, Strategy, Verdict
from tests.support.route_tables import a_service, a_site, a_table
from trafficdirector.routing.v1 import routing_pb2 as pb

PARIS = Location(48.85, 2.35)


class Atlas:
    """A geo database of one place."""

    def lookup(self, address: str, /) -> Place | None:
        if address != "192.0.2.7":
            return None
        return Place(7, PARIS, 10, "FR", is_eu=True, city="Paris")


def answering(table: RouteTable) -> Answerer:
    answerer = Answerer(Atlas())
    answerer.adopt_table(table)
    return answerer


def resolved(answerer: Answerer, request: pb.ResolveRequest) -> pb.ResolveResponse:
    return pb.ResolveResponse.FromString(answerer.resolve_bytes(request, 120, 1))


def test_a_client_is_sent_to_the_nearest_region_with_the_age_of_the_view() -> None:
    answerer = answering(a_table(a_service("chat"), revision=9))

    response = resolved(answerer, pb.ResolveRequest(service_id="chat", address="192.0.2.7"))

    assert response == pb.ResolveResponse(
        service_id="chat",
        region_id="eu-west1",
        endpoints=[pb.Endpoint(address="eu-west1.internal:443", weight=1)],
        revision=9,
        ttl_ms=15_000,
        reason="NEAREST",
        view_age_ms=120,
        source=pb.SOURCE_FRESH,
    )


def test_coordinates_and_address_of_one_place_get_equal_answers() -> None:
    answerer = answering(a_table(a_service("chat")))

    by_address = resolved(answerer, pb.ResolveRequest(service_id="chat", address="192.0.2.7"))
    by_coordinates = resolved(
        answerer,
        pb.ResolveRequest(service_id="chat", location=pb.Location(lat=48.85, lon=2.35)),
    )

    assert by_address == by_coordinates


def test_a_new_table_is_answered_from_at_once() -> None:
    answerer = answering(a_table(a_service("chat")))
    request = pb.ResolveRequest(service_id="chat", address="192.0.2.7")
    assert resolved(answerer, request).region_id == "eu-west1"

    down = a_site("eu-west1", verdict=Verdict.DOWN)
    answerer.adopt_table(
        a_table(a_service("chat", a_site("eu-north1"), down, a_site("us-east1")), revision=2)
    )

    assert resolved(answerer, request).region_id == "eu-north1"


def test_clients_of_a_weighted_service_are_spread_even_from_one_address() -> None:
    answerer = answering(
        a_table(
            a_service("chat", a_site("eu-north1"), a_site("eu-west1"), strategy=Strategy.WEIGHTED)
        )
    )
    request = pb.ResolveRequest(service_id="chat", address="192.0.2.7")

    chosen = Counter(resolved(answerer, request).region_id for _ in range(400))

    # Two equal weights: 200 each, standard deviation 10.
    assert chosen.keys() == {"eu-north1", "eu-west1"}
    assert min(chosen.values()) > 140


def test_an_address_without_a_place_counts_as_no_position() -> None:
    answerer = answering(a_table(a_service("chat")))

    response = answerer.explain(
        pb.ExplainResolveRequest(
            request=pb.ResolveRequest(service_id="chat", address="192.0.2.99")
        ),
        5,
        1,
    )

    assert response.position.source == "NONE"


def test_an_unknown_service_is_refused_with_its_reason() -> None:
    answerer = answering(a_table(a_service("chat")))

    with pytest.raises(RefusedError, match="no service 'chta'") as raised:
        answerer.resolve_bytes(pb.ResolveRequest(service_id="chta"), 0, 1)

    assert raised.value.reason == "SERVICE_NOT_FOUND"


def test_a_view_older_than_the_caller_accepts_is_refused() -> None:
    answerer = answering(a_table(a_service("chat")))

    with pytest.raises(RefusedError) as raised:
        answerer.resolve_bytes(pb.ResolveRequest(service_id="chat", view_age_ms_max=100), 101, 1)

    assert raised.value.reason == "STALENESS_BOUND_EXCEEDED"
    assert raised.value.metadata == {"viewAgeMs": "101", "viewAgeMsMax": "100"}


def test_an_answer_as_old_as_the_caller_accepts_is_given() -> None:
    answerer = answering(a_table(a_service("chat")))

    assert answerer.resolve_bytes(pb.ResolveRequest(service_id="chat", view_age_ms_max=100), 100, 1)


def test_before_the_first_table_there_is_no_answer() -> None:
    with pytest.raises(RefusedError) as raised:
        Answerer().resolve_bytes(pb.ResolveRequest(service_id="chat"), 0, 1)

    assert raised.value.reason == "UNAVAILABLE"


def test_a_batch_answers_each_question_and_refuses_each_bad_one() -> None:
    answerer = answering(a_table(a_service("chat")))

    response = answerer.batch(
        pb.BatchResolveRequest(
            requests=[
                pb.ResolveRequest(service_id="chat", region_id="us-east1"),
                pb.ResolveRequest(service_id="nope"),
                pb.ResolveRequest(service_id="chat", address="not one"),
            ]
        ),
        3,
        1,
    )

    first, second, third = response.results
    assert (first.response.region_id, first.response.view_age_ms) == ("us-east1", 3)
    assert second.refusal.reason == "SERVICE_NOT_FOUND"
    assert third.refusal.reason == "POSITION_UNUSABLE"


def test_a_batch_has_one_to_a_thousand_questions() -> None:
    answerer = answering(a_table(a_service("chat")))
    question = pb.ResolveRequest(service_id="chat")

    with pytest.raises(InvalidRequestError, match="is empty"):
        answerer.batch(pb.BatchResolveRequest(), 0, 1)
    with pytest.raises(TooManyError, match="1001 questions") as raised:
        answerer.batch(pb.BatchResolveRequest(requests=[question] * 1_001), 0, 1)

    assert raised.value.reason == "QUOTA_EXCEEDED"
    assert len(answerer.batch(pb.BatchResolveRequest(requests=[question] * 1_000), 0, 1).results)


def test_an_explanation_names_every_region_of_the_fleet() -> None:
    answerer = answering(a_table(a_service("chat", a_site("eu-west1"), a_site("us-east1"))))

    response = answerer.explain(
        pb.ExplainResolveRequest(request=pb.ResolveRequest(service_id="chat", address="192.0.2.7")),
        8,
        1,
    )

    assert response.result.response.region_id == "eu-west1"
    assert (response.position.source, response.position.country) == ("ADDRESS", "FR")
    outcomes = {each.region_id: each.outcome for each in response.candidates}
    assert outcomes == {
        "eu-west1": "CHOSEN",
        "us-east1": "ELIGIBLE",
        "eu-north1": "NOT_LISTED",
        "ap-south1": "NOT_LISTED",
    }
    assert response.candidates[0].distance_km == 207


def test_the_callers_region_decides_when_the_request_has_no_position() -> None:
    answerer = Answerer(caller_region=RegionId("us-east1"))
    answerer.adopt_table(a_table(a_service("chat")))

    assert resolved(answerer, pb.ResolveRequest(service_id="chat")).region_id == "us-east1"


def test_a_region_outside_the_fleet_is_refused() -> None:
    answerer = answering(a_table(a_service("chat")))

    with pytest.raises(PositionError, match="mars1"):
        answerer.resolve_bytes(pb.ResolveRequest(service_id="chat", region_id="mars1"), 0, 1)


def test_a_client_that_asks_again_gets_the_same_answer_with_the_age_of_now() -> None:
    answerer = answering(a_table(a_service("chat")))
    request = pb.ResolveRequest(service_id="chat", address="192.0.2.7")
    first = resolved(answerer, request)

    again = pb.ResolveResponse.FromString(answerer.resolve_bytes(request, 4_500, 2))

    first.view_age_ms, first.source = 4_500, pb.SOURCE_STALE
    assert again == first


def test_clients_without_a_place_are_spread_however_often_they_ask() -> None:
    answerer = answering(a_table(a_service("chat")))
    request = pb.ResolveRequest(service_id="chat", address="192.0.2.99")

    chosen = {resolved(answerer, request).region_id for _ in range(200)}

    assert len(chosen) > 1


def test_what_is_remembered_of_clients_is_bounded() -> None:
    class Everywhere(Atlas):
        def lookup(self, address: str, /) -> Place | None:
            return super().lookup("192.0.2.7")

    answerer = Answerer(Everywhere())
    answerer.adopt_table(a_table(a_service("chat")))

    for number in range(_RECENT_MAX + 10):
        answerer.resolve_bytes(pb.ResolveRequest(service_id="chat", address=str(number)), 1, 1)

    assert len(answerer._recent) <= _RECENT_MAX
