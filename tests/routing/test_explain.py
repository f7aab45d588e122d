"""Explain: every region of the fleet, with the very values the decision used."""

from typing import Any

from director.routing.explain import explain
from director.routing.table import (
    Candidate,
    CandidateOutcome,
    Query,
    RegionId,
    ResidencyRule,
    RouteTable,
    ServiceMode,
    Strategy,
    Verdict,
)
from tests.routing.builders import PARIS, SERVICE, a_service, a_site, a_table, at, inside

EU_ONLY = (ResidencyRule("EU", ("EU",)),)
OUTCOME = CandidateOutcome


def explained(table: RouteTable, **query: Any) -> dict[str, Candidate]:
    position = query.pop("position", at(PARIS))
    explanation = explain(table, Query(SERVICE, position, **query))
    return {candidate.region_id: candidate for candidate in explanation.candidates}


def test_the_transcript_of_the_interface_document() -> None:
    service = a_service(
        a_site("eu-west1", priority=0),
        a_site("eu-north1", priority=1),
        a_site("us-east1", priority=2),
        mode=ServiceMode.ACTIVE_PASSIVE,
        owner=RegionId("eu-west1"),
        residency=EU_ONLY,
    )
    explanation = explain(a_table(service), Query(SERVICE, at(PARIS), "EU"))
    rows = [(c.region_id, c.outcome, c.reason, c.text) for c in explanation.candidates]
    assert rows == [
        ("eu-west1", OUTCOME.CHOSEN, "OWNER", "priority 0, healthy, 207 km"),
        ("eu-north1", OUTCOME.ELIGIBLE, "NOT_OWNER", "priority 1, healthy, standby, 2 039 km"),
        (
            "us-east1",
            OUTCOME.REJECTED,
            "RESIDENCY",
            "residency rule 1: EU subjects stay in EU",
        ),
        ("ap-south1", OUTCOME.NOT_LISTED, "NOT_LISTED", "service has no endpoint here"),
    ]


def test_every_way_to_lose_has_its_own_reason() -> None:
    service = a_service(
        a_site("eu-west1", Verdict.DOWN),
        a_site("eu-north1", weight=0),
        a_site("us-east1"),
        a_site("ap-south1", priority=1),
    )
    found = explained(a_table(service))
    assert {name: (c.outcome, c.reason) for name, c in found.items()} == {
        "eu-west1": (OUTCOME.REJECTED, "DOWN"),
        "eu-north1": (OUTCOME.ELIGIBLE, "WEIGHT_ZERO"),
        "us-east1": (OUTCOME.CHOSEN, "ONLY_SITE"),
        "ap-south1": (OUTCOME.ELIGIBLE, "LOWER_PRIORITY"),
    }


def test_a_region_that_is_merely_further_is_eligible() -> None:
    found = explained(a_table(a_service(a_site("eu-west1"), a_site("us-east1"))))
    assert found["us-east1"].reason == "NOT_NEAREST"
    assert found["us-east1"].distance_km == 6_778


def test_in_a_panic_the_regions_that_are_down_are_not_called_rejected() -> None:
    sites = (a_site("eu-west1", Verdict.DOWN), a_site("us-east1", Verdict.DOWN))
    found = explained(a_table(a_service(*sites)))
    assert (found["eu-west1"].reason, found["us-east1"].outcome) == ("PANIC", OUTCOME.ELIGIBLE)
    assert "health ignored" in found["eu-west1"].text


def test_round_trips_are_shown_where_they_decided_and_say_if_they_were_measured() -> None:
    service = a_service(a_site("eu-north1"), a_site("us-east1"))
    trips = ((RegionId("eu-west1"), RegionId("us-east1"), 80_500),)
    found = explained(a_table(service, round_trips=trips), position=inside("eu-west1"))
    assert found["us-east1"].rtt_ms == 80.5
    assert found["us-east1"].text.endswith("80.5 ms measured")
    assert found["eu-north1"].text.endswith("ms expected")


def test_distance_alone_shows_no_round_trip() -> None:
    found = explained(a_table(a_service(a_site("eu-west1"))))
    assert found["eu-west1"].rtt_ms is None


def test_without_a_position_there_is_no_distance() -> None:
    service = a_service(a_site("eu-west1"), a_site("us-east1"), strategy=Strategy.WEIGHTED)
    found = explained(a_table(service), position=inside("mars"))
    assert {c.distance_km for c in found.values()} == {None}
    assert sorted(c.reason for c in found.values()) == [
        "NOT_LISTED",
        "NOT_LISTED",
        "NOT_SELECTED",
        "WEIGHTED",
    ]


def test_an_unknown_service_is_listed_nowhere() -> None:
    found = explained(a_table())
    assert {c.outcome for c in found.values()} == {OUTCOME.NOT_LISTED}
    assert len(found) == 4
