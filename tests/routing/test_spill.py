"""A full region sends a share of its clients on to the next one with room.

Which client goes hangs on the client and the region alone; health and the panic threshold come
first, and nobody is ever left without an answer.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from director.client.answering import Answerer
from director.client.resolver import Question, _InProcess
from director.client.watch import Source
from director.client.wire import table_from_proto, table_to_proto
from director.routing.compiled import CompiledTable
from director.routing.explain import explain
from director.routing.table import (
    NOWHERE,
    AllUnhealthy,
    Answer,
    CandidateOutcome,
    ClientPosition,
    Query,
    RegionId,
    RouteTable,
    ServiceId,
    Strategy,
    Verdict,
)
from tests.routing.builders import PARIS, SERVICE, a_service, a_site, a_table, at, inside
from trafficdirector.routing.v1 import routing_pb2 as pb

CLIENTS = 4_000
# Binomial: a share of 0.25 over 4 000 clients is off by 0.03 once in a million times.
TOLERANCE = 0.035

FULL: dict[str, Any] = {"spill_per_mille": 250, "load_per_mille": 920, "is_full": True}


def full(name: str = "eu-west1", per_mille: int = 250, **changes: object) -> RouteTable:
    """Paris's nearest region is full; eu-north1 is the next one, then us-east1."""
    sites = {
        "ap-south1": a_site("ap-south1"),
        "eu-north1": a_site("eu-north1"),
        "eu-west1": a_site("eu-west1"),
        "us-east1": a_site("us-east1"),
    }
    sites[name] = a_site(name, **{**FULL, "spill_per_mille": per_mille})
    return a_table(a_service(*sites.values(), **changes))


def regions(table: RouteTable, position: ClientPosition | None = None) -> dict[str, str]:
    """Where each of many clients goes, by session."""
    compiled = CompiledTable(table)
    where = at(PARIS) if position is None else position
    found = {}
    for number in range(CLIENTS):
        session = f"session-{number}"
        resolution = compiled.resolve(Query(SERVICE, where, session_id=session))
        assert isinstance(resolution, Answer), resolution
        assert resolution.endpoints
        found[session] = str(resolution.region_id)
    return found


def share(found: dict[str, str], region: str) -> float:
    return sum(each == region for each in found.values()) / len(found)


def test_the_share_of_clients_goes_to_the_next_nearest_region() -> None:
    found = regions(full())

    assert share(found, "eu-north1") == pytest.approx(0.25, abs=TOLERANCE)
    assert share(found, "eu-west1") == pytest.approx(0.75, abs=TOLERANCE)


def test_a_region_that_is_full_itself_is_passed_over() -> None:
    table = a_table(
        a_service(
            a_site("ap-south1"),
            a_site("eu-north1", is_full=True),
            a_site("eu-west1", **FULL),
            a_site("us-east1"),
        )
    )

    found = regions(table)

    assert share(found, "eu-north1") == 0
    assert share(found, "us-east1") == pytest.approx(0.25, abs=TOLERANCE)


def test_where_nobody_has_room_nobody_is_sent_on() -> None:
    table = a_table(a_service(a_site("eu-north1", is_full=True), a_site("eu-west1", **FULL)))

    assert share(regions(table), "eu-west1") == 1


def test_a_larger_share_moves_further_clients_and_none_back() -> None:
    before, after = regions(full(per_mille=200)), regions(full(per_mille=350))

    moved = {session for session, region in before.items() if region == "eu-north1"}
    assert moved
    assert all(after[session] == "eu-north1" for session in moved)


def test_clients_of_other_regions_stay() -> None:
    found = regions(full(), inside("ap-south1"))

    assert share(found, "ap-south1") == 1


@given(st.integers(0, 900), st.text(max_size=20))
def test_a_client_keeps_its_region_while_nothing_changes(per_mille: int, session: str) -> None:
    table = full(per_mille=per_mille)
    query = Query(SERVICE, at(PARIS), session_id=session)

    first = CompiledTable(table).resolve(query)

    assert isinstance(first, Answer)
    assert CompiledTable(table).resolve(query) == first
    assert first.region_id in ("eu-west1", "eu-north1")


@pytest.mark.parametrize("strategy", [Strategy.WEIGHTED, Strategy.LEAST_LATENCY])
def test_every_strategy_spills(strategy: Strategy) -> None:
    found = regions(full(strategy=strategy), NOWHERE if strategy is Strategy.WEIGHTED else None)
    without = regions(full(per_mille=0, strategy=strategy), NOWHERE)

    sent_on = share(without, "eu-west1") if strategy is Strategy.WEIGHTED else 1.0
    assert share(found, "eu-west1") == pytest.approx(0.75 * sent_on, abs=TOLERANCE)


def test_the_only_region_of_its_priority_spills_to_the_next_priority() -> None:
    table = a_table(
        a_service(a_site("eu-west1", **FULL), a_site("us-east1", priority=1)),
    )

    found = regions(table)

    assert share(found, "us-east1") == pytest.approx(0.25, abs=TOLERANCE)


def test_health_comes_before_the_share() -> None:
    down = a_table(
        a_service(a_site("eu-west1", **FULL), a_site("us-east1", verdict=Verdict.DOWN)),
    )

    assert share(regions(down), "eu-west1") == 1


def test_under_the_panic_threshold_nobody_is_sent_on() -> None:
    sites = [a_site(name, verdict=Verdict.DOWN) for name in ("ap-south1", "eu-north1")]
    table = a_table(a_service(*sites, a_site("eu-west1", **FULL)))

    found = regions(table)

    assert share(found, "eu-west1") == 1


def test_a_closed_service_still_never_answers_with_nothing() -> None:
    table = full(all_unhealthy=AllUnhealthy.FAIL_CLOSED)

    assert share(regions(table), "eu-north1") > 0


def test_a_region_that_a_rule_keeps_in_service_takes_nobody_else() -> None:
    withheld = a_site("us-east1", verdict=Verdict.DOWN, withheld="NEVER_LAST")
    table = a_table(a_service(a_site("eu-west1", **FULL), withheld))

    assert share(regions(table), "us-east1") == 0


def test_the_answer_says_that_it_was_spilled_and_the_explanation_why() -> None:
    table = full()
    session = next(each for each, region in regions(table).items() if region == "eu-north1")

    found = explain(table, Query(SERVICE, at(PARIS), session_id=session))

    assert isinstance(found.resolution, Answer)
    assert (found.resolution.reason, found.resolution.fail_open) == ("SPILLED", False)
    by_region = {each.region_id: each for each in found.candidates}
    left = by_region[RegionId("eu-west1")]
    assert (left.outcome, left.reason) == (CandidateOutcome.ELIGIBLE, "SPILLS")
    assert "over spillAt (92 % of capacity), 250 per mille spill" in left.text
    assert by_region[RegionId("eu-north1")].outcome is CandidateOutcome.CHOSEN


def test_a_client_that_stays_learns_how_full_its_region_is() -> None:
    table = full()
    session = next(each for each, region in regions(table).items() if region == "eu-west1")

    found = explain(table, Query(SERVICE, at(PARIS), session_id=session))

    chosen = next(each for each in found.candidates if each.outcome is CandidateOutcome.CHOSEN)
    assert chosen.region_id == "eu-west1"
    assert "over spillAt (92 % of capacity), 250 per mille spill" in chosen.text


def test_the_route_table_carries_shares_to_every_client() -> None:
    table = full()

    carried = table_from_proto(table_to_proto(table), generation=1, revision=42)

    assert carried.services == table.services


def test_the_fast_path_by_address_spills_by_client_and_not_by_luck() -> None:
    class Places:
        def lookup(self, _address: str) -> "Places":
            return self

        place_key, location, accuracy_km, country = 1, PARIS, 10, "FR"

    answerer = Answerer(Places())
    answerer.adopt_table(full())
    seen: dict[str, set[str]] = {}
    for number in range(400):
        address = f"192.0.2.{number % 200}"
        request = pb.ResolveRequest(service_id=str(SERVICE), address=address)
        answer = pb.ResolveResponse.FromString(answerer.resolve_bytes(request, 0, 1))
        seen.setdefault(address, set()).add(answer.region_id)

    # The same client gets the same answer, and about a quarter of them are sent on.
    assert all(len(each) == 1 for each in seen.values())
    sent_on = sum(each == {"eu-north1"} for each in seen.values())
    assert 20 <= sent_on <= 85


def test_a_client_that_resolves_in_process_spills_by_address_and_not_by_luck() -> None:
    class Places:
        def lookup(self, _address: str) -> "Places":
            return self

        place_key, location, accuracy_km, country = 1, PARIS, 10, "FR"

    resolver = _InProcess(Places())
    compiled = CompiledTable(full())
    seen: dict[str, set[str]] = {}
    for number in range(400):
        question = Question(str(SERVICE), address=f"192.0.2.{number % 100}")
        found = resolver.resolve(compiled, question, 0, Source.FRESH)
        seen.setdefault(question.address, set()).add(found.answer.region_id)

    assert all(len(each) == 1 for each in seen.values())
    assert len(set.union(*seen.values())) == 2


def test_by_place_and_by_query_decide_alike() -> None:
    table = full()
    compiled = CompiledTable(table)
    for spread in range(50):
        by_place = compiled.resolve_place(ServiceId(SERVICE), 7, PARIS, spread=spread)
        assert by_place == compiled.resolve(Query(SERVICE, at(PARIS), spread=spread))
