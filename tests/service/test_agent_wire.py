"""Reports and directives survive the way between agents, followers and the leader."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from director.core.drill import DrillKind
from director.core.effects import DirectInjection, RefuseLease
from director.core.ids import AgentId, DrillId, FencingToken, GroupId, ReplicaId
from director.core.observations import (
    GateReading,
    PeerReading,
    Readings,
    RoundTrip,
    ServiceReading,
    Unanswered,
)
from director.routing.table import RegionId, ServiceId
from director.service.agent_wire import (
    DIRECTORS_MAX,
    READINGS_MAX,
    readings_from_proto,
    readings_to_proto,
    unanswered_from_proto,
)
from director.service.agents import AgentLink, AgentLinks
from director.service.errors import InvalidRequestError
from trafficdirector.agent.v1 import agent_pb2 as pb

_NAMES = st.sampled_from(["a", "b", "c", "d"])
_UINT32 = st.integers(0, 2**32 - 1)
_UINT64 = st.integers(0, 2**64 - 1)
_TOKENS = st.builds(FencingToken, _UINT64, _UINT64)


def _sorted(strategy: st.SearchStrategy[object], key: str) -> st.SearchStrategy[object]:
    return st.lists(strategy, max_size=4, unique_by=lambda each: getattr(each, key)).map(
        lambda listed: tuple(sorted(listed, key=lambda each: getattr(each, key)))
    )


_READINGS = st.builds(
    Readings,
    services=_sorted(
        st.builds(
            ServiceReading,
            _NAMES.map(ServiceId),
            st.none() | st.booleans(),
            st.none() | _UINT32,
            _UINT32,
        ),
        "service_id",
    ),
    peers=_sorted(
        st.builds(
            PeerReading,
            _NAMES.map(ServiceId),
            st.just(RegionId("r")),
            st.none() | st.booleans(),
            _UINT64,
            _UINT32,
            _UINT32,
        ),
        "service_id",
    ),
    round_trips=_sorted(st.builds(RoundTrip, _NAMES.map(RegionId), _UINT32), "region_id"),
    gates=_sorted(
        st.builds(GateReading, _NAMES.map(GroupId), _TOKENS, st.booleans(), st.none() | _TOKENS),
        "group_id",
    ),
    muted=st.lists(_NAMES.map(ServiceId), max_size=4, unique=True).map(
        lambda each: tuple(sorted(each))
    ),
)


@given(_READINGS)
def test_readings_survive_the_wire(readings: Readings) -> None:
    encoded = readings_to_proto(readings).SerializeToString()

    assert readings_from_proto(pb.Readings.FromString(encoded)) == readings


def test_readings_in_any_order_with_repetitions_are_put_in_order_and_the_last_counts() -> None:
    readings = readings_from_proto(
        pb.Readings(
            services=[
                pb.ServiceReading(service_id="b", passing=True),
                pb.ServiceReading(service_id="a"),
                pb.ServiceReading(service_id="b", passing=False),
            ]
        )
    )

    assert readings.services == (
        ServiceReading(ServiceId("a"), None),
        ServiceReading(ServiceId("b"), passing=False),
    )


def test_too_many_readings_are_refused() -> None:
    many = pb.Readings(gates=[pb.GateReading()] * (READINGS_MAX + 1))

    with pytest.raises(InvalidRequestError, match="at most"):
        readings_from_proto(many)


def test_a_report_says_whose_answers_arrive_instead() -> None:
    said = pb.Unanswered(for_ms=1_250, answered_by=["d1", "d2"])

    unanswered = unanswered_from_proto(pb.Report(unanswered=said))

    assert unanswered == Unanswered(1_250, (ReplicaId("d1"), ReplicaId("d2")))
    assert unanswered_from_proto(pb.Report(counter=1)) is None


def test_a_report_that_names_more_directors_than_there_can_be_is_refused() -> None:
    said = pb.Unanswered(answered_by=["d"] * (DIRECTORS_MAX + 1))

    with pytest.raises(InvalidRequestError, match="at most"):
        unanswered_from_proto(pb.Report(unanswered=said))


def a_link(boot_id: str = "b1") -> AgentLink:
    return AgentLink(RegionId("eu"), AgentId("a"), boot_id, frozenset({"chat"}))


def test_a_newer_stream_of_an_agent_replaces_the_half_open_one() -> None:
    links = AgentLinks()
    former, newer = a_link(), a_link()
    links.connect(former)

    links.connect(newer)
    links.disconnect(former)

    assert (former.is_closed, newer.is_closed, len(links)) == (True, False, 1)


def test_what_waits_for_a_slow_agent_is_replaced_by_what_is_newer() -> None:
    links = AgentLinks()
    link = a_link()
    links.connect(link)

    for number in range(100):
        links.answer_lease(
            RefuseLease(RegionId("eu"), AgentId("a"), GroupId("chat/0"), number, "FENCING")
        )

    assert [each.refusal.request_number for each in link.outbox.values()] == [99]


def test_a_lease_for_an_agent_that_left_is_dropped() -> None:
    links = AgentLinks()

    links.answer_lease(RefuseLease(RegionId("eu"), AgentId("a"), GroupId("chat/0"), 1, "FENCING"))

    assert len(links) == 0


def test_every_agent_is_told_what_a_drill_injects_and_only_the_last_word_waits() -> None:
    links = AgentLinks()
    connected = [
        AgentLink(RegionId(region), AgentId("a"), "boot", frozenset()) for region in ("eu", "us")
    ]
    for link in connected:
        links.connect(link)
    effect = DirectInjection(
        DrillId("chat/1"), 1, 4, ServiceId("chat"), RegionId("eu"), DrillKind.ERROR_RATE, 250, 0,
        5_000,
    )  # fmt: skip

    links.direct(effect)
    links.direct(replace(effect, renewal=5, ttl_ms=0))

    for link in connected:
        [response] = link.outbox.values()
        assert response.injection == pb.Injection(
            drill_id="chat/1",
            number=1,
            renewal=5,
            service_id="chat",
            region_id="eu",
            kind="ErrorRate",
            share_per_mille=250,
        )
