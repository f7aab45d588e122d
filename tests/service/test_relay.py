"""What a follower tells the leader: what changed, everything after a reconnect, never a backlog."""

from dataclasses import replace

from director.core.ids import AgentId, ReplicaId
from director.core.observations import AgentReport, Readings, ServiceReading
from director.routing.table import RegionId, ServiceId
from director.service.agent_wire import relayed_from_proto, relayed_to_proto
from director.service.relay_buffer import FORGET_MS, REPORTS_MAX, RelayBuffer, relayed

PASSING = Readings(services=(ServiceReading(ServiceId("chat"), passing=True),))
FAILING = Readings(services=(ServiceReading(ServiceId("chat"), passing=False),))


def a_report(
    counter: int, readings: Readings | None = None, *, boot_id: str = "b1", agent: str = "a"
) -> AgentReport:
    return AgentReport(
        RegionId("eu-west1"), AgentId(agent), boot_id, counter, readings, ReplicaId("d1"), 10
    )


def taken(buffer: RelayBuffer, *, now_ms: int = 0) -> list[AgentReport]:
    """What the leader hears, which is the same with the wire in between and without it."""
    waited = buffer.take(now_ms=now_ms)
    told = [relayed(each, waited_ms=ms, heard_by=ReplicaId("d1")) for each, ms in waited]
    protos = [relayed_to_proto(each, waited_ms=ms) for each, ms in waited]
    assert [relayed_from_proto(each, "d1") for each in protos] == told
    return told


def test_readings_travel_once_and_beats_without_them() -> None:
    buffer = RelayBuffer()
    buffer.offer([a_report(1, PASSING)], now_ms=0)
    first = taken(buffer)
    buffer.offer([a_report(2)], now_ms=0)
    second = taken(buffer)

    assert first == [a_report(1, PASSING)]
    assert second == [a_report(2)]
    assert taken(buffer) == []


def test_a_new_stream_tells_everything_again() -> None:
    buffer = RelayBuffer()
    buffer.offer([a_report(1, PASSING), a_report(2)], now_ms=0)
    taken(buffer)

    buffer.restart()

    assert taken(buffer) == [a_report(1, PASSING), a_report(2)]


def test_readings_told_again_do_not_grow_younger_by_a_later_beat() -> None:
    buffer = RelayBuffer()
    buffer.offer([a_report(1, PASSING)], now_ms=0)
    buffer.offer([a_report(2)], now_ms=5_000)
    taken(buffer, now_ms=5_000)

    buffer.restart()

    full, beat = taken(buffer, now_ms=6_000)
    assert (full.readings, full.age_ms) == (PASSING, 6_010)
    assert (beat.readings, beat.age_ms) == (None, 1_010)


def test_the_time_on_the_way_travels_with_the_report_or_stays_unknown() -> None:
    buffer = RelayBuffer()
    buffer.offer([replace(a_report(1, PASSING), transit_ms_max=44)], now_ms=0)
    buffer.offer([replace(a_report(1, PASSING, agent="b"), transit_ms_max=0)], now_ms=0)
    buffer.offer([a_report(1, PASSING, agent="c")], now_ms=0)

    assert [each.transit_ms_max for each in taken(buffer)] == [44, 0, None]


def test_a_slow_leader_gets_the_newest_and_no_backlog() -> None:
    buffer = RelayBuffer()
    buffer.offer([a_report(n, PASSING) for n in range(1, 500)], now_ms=0)
    buffer.offer([a_report(500, FAILING)], now_ms=0)

    assert taken(buffer) == [a_report(500, FAILING)]


def test_time_spent_waiting_counts_towards_the_age() -> None:
    buffer = RelayBuffer()
    buffer.offer([a_report(1, PASSING)], now_ms=1_000)

    assert taken(buffer, now_ms=1_250)[0].age_ms == 260


def test_readings_of_an_earlier_boot_are_not_taken_for_the_new_ones() -> None:
    buffer = RelayBuffer()
    buffer.offer([a_report(9, PASSING)], now_ms=0)
    buffer.offer([a_report(1, boot_id="b2")], now_ms=0)

    assert taken(buffer) == [a_report(1, boot_id="b2")]


def test_one_message_has_a_bounded_number_of_reports_and_the_rest_follows() -> None:
    buffer = RelayBuffer()
    buffer.offer([a_report(1, agent=f"a{n}") for n in range(REPORTS_MAX + 5)], now_ms=0)

    assert len(taken(buffer)) == REPORTS_MAX
    assert buffer.has_more()
    assert len(taken(buffer)) == 5
    assert not buffer.has_more()


def test_an_agent_that_left_is_forgotten() -> None:
    buffer = RelayBuffer()
    buffer.offer([a_report(1, PASSING)], now_ms=0)
    taken(buffer)
    buffer.restart()

    assert taken(buffer, now_ms=FORGET_MS + 1) == []
