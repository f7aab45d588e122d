"""What is told to the directors, when, and in which order."""

from regions.core.effects import SendLease, SendReport, Unanswered
from regions.core.ids import ReplicaId
from regions.core.inputs import Disconnected, LeaseGranted, LeaseRefused, Ticked, Welcomed
from regions.core.readings import GateReading, Readings
from tests.agent.builders import (
    D0,
    D1,
    D2,
    EAST,
    GROUP,
    HERE,
    LEASE_MS,
    NORTH,
    World,
    a_directive,
    a_target,
    a_token,
    a_world,
    plan,
)


def times(world: World, since_ms: int) -> list[int]:
    return [at - since_ms for at, _ in world.sent(SendReport, since_ms)]


def test_the_first_report_of_a_stream_carries_readings() -> None:
    world = a_world()
    world.connect(D0)
    world.run(2_000)

    world.give(Disconnected(D0))
    world.connect(D0)

    again = world.reports(D0, world.now_ms)[0]
    assert isinstance(again.readings, Readings)


def test_a_heartbeat_goes_to_every_director_every_500_ms_with_rising_counters() -> None:
    world = a_world()
    world.connect(D0, D1)
    world.run(1_000)
    began_ms = world.now_ms

    world.run(5_000)

    to_one = world.reports(D0, began_ms)
    assert 10 <= len(to_one) <= 11
    assert [each.counter for each in to_one] == [
        each.counter for each in world.reports(D1, began_ms)
    ]
    counters = [each.counter for each in world.reports(D0)]
    assert counters == sorted(set(counters))


def test_a_director_may_ask_for_a_slower_heartbeat() -> None:
    world = a_world()
    world.connect(D0)
    world.give(Welcomed(D0, D0, 2_000, LEASE_MS, 1_000))
    world.run(2_000)
    began_ms = world.now_ms

    world.run(10_000)

    assert len(world.reports(D0, began_ms)) == 5


def test_readings_that_did_not_change_are_not_sent_again() -> None:
    world = a_world(probe_ms=100_000)  # no probe ends while we look
    world.connect(D0)
    world.run(1_000)
    began_ms = world.now_ms

    world.run(3_000)

    assert [each.readings for each in world.reports(D0, began_ms)] == [None] * 6


def test_a_verdict_on_a_peer_is_told_at_once() -> None:
    world = a_world()
    world.connect(D0)
    plan(world, a_target(NORTH), a_target(EAST))
    world.run(3_000)
    world.failing.add(NORTH)

    def told() -> bool:
        last = world.reports(D0)[-1].readings
        return last is not None and any(each.passing is False for each in last.peers)

    def seen() -> bool:
        peers = world.agent.readings(now_ms=world.now_ms).peers
        return any(each.passing is False for each in peers)

    world.run(5_000, until=seen)
    seen_at_ms = world.now_ms
    world.run(5_000, until=told)

    assert world.now_ms - seen_at_ms <= 50


def test_each_further_failed_round_is_told_at_once_so_that_it_can_confirm() -> None:
    world = a_world()
    world.connect(D0)
    plan(world, a_target(NORTH), a_target(EAST))
    world.failing.add(NORTH)
    world.run(3_000)
    began_ms = world.now_ms

    world.run(1_000)

    rounds = [
        next(peer.round_count for peer in report.readings.peers if peer.region_id == NORTH)
        for report in world.reports(D0, began_ms)
        if report.readings is not None
    ]
    assert len(set(rounds)) >= 4


def test_many_changes_at_once_make_few_reports() -> None:
    world = a_world()
    world.connect(D0)
    targets = [a_target(NORTH, f"s{n}") for n in range(100)] + [a_target(EAST)]
    plan(world, *targets)
    world.failing.add(NORTH)
    world.run(3_000)
    began_ms = world.now_ms

    world.run(2_000)

    # At least 50 ms apart, whatever fails.
    assert len(world.reports(D0, began_ms)) <= 41


def test_an_opened_gate_is_told_at_once() -> None:
    world = a_world()
    world.connect(D0)
    world.run(1_000)

    world.give(a_directive(epoch=1))
    world.run(60)

    last = [each.readings for each in world.reports(D0) if each.readings is not None][-1]
    assert last.gates == (GateReading(GROUP, a_token(1), is_open=True, home=HERE),)


def test_an_agent_without_directors_reports_nothing_and_does_not_spin() -> None:
    world = a_world()
    world.run(1_000)
    world.connect(D0)
    world.run(1_000)
    world.give(Disconnected(D0))
    began_ms = world.now_ms
    inputs = 0

    while world.now_ms < began_ms + 10_000:
        wake_at_ms = world.agent.wake_at_ms()
        assert wake_at_ms is not None
        world.now_ms = max(world.now_ms, wake_at_ms)
        world.give(Ticked())
        inputs += 1

    assert times(world, began_ms + 1) == []
    assert inputs <= 60


def test_the_own_failure_is_told_at_once() -> None:
    world = a_world()
    world.connect(D0)
    world.run(2_000)
    world.failing.add(HERE)

    world.run(1_100)

    told = [
        at
        for at, report in world.sent(SendReport)
        if isinstance(report, SendReport)
        and report.readings is not None
        and report.readings.services[0].passing is False
    ]
    # Probes at 2000, 2250 and 2500 fail.
    assert told[0] <= world.now_ms - 1_100 + 500 + 50


# -- directors that do not answer ------------------------------------------------------------------


def an_owner_unanswered_by_its_leader() -> World:
    """An agent that waits for d0's answer for half a second and more, and was refused by d1."""
    world = a_world(grants=False)
    world.connect(D0, D1, D2)
    world.give(a_directive(epoch=1))
    world.run(800)
    first, second = world.leases()
    assert [first.director_id, second.director_id] == [D0, D1]
    world.give(LeaseRefused(GROUP, second.request_number, "NOT_LEADER"))
    return world


def newest(world: World, director_id: ReplicaId = D0) -> Unanswered | None:
    """Return what the next report says of missing answers."""
    began_ms = world.now_ms
    world.run(600)
    return world.reports(director_id, began_ms)[-1].unanswered


def test_a_leader_that_does_not_answer_is_told_for_how_long_and_who_does() -> None:
    world = an_owner_unanswered_by_its_leader()
    asked_at_ms = next(at for at, _ in world.sent(SendLease))
    began_ms = world.now_ms

    world.run(600)

    at_ms, _ = world.sent(SendReport, began_ms)[-1]
    to_leader = world.reports(D0, began_ms)[-1]
    assert to_leader.unanswered == Unanswered(at_ms - asked_at_ms, (D1,))
    assert world.reports(D1, began_ms)[-1].unanswered is None


def test_a_director_is_not_told_of_while_nobody_answers() -> None:
    world = a_world(grants=False)
    world.connect(D0, D1)
    world.give(a_directive(epoch=1))

    world.run(5_000)

    assert all(each.unanswered is None for each in world.reports(D0))


def test_who_answered_before_the_leader_was_asked_says_nothing_of_the_leader() -> None:
    world = a_world(grants=False)
    world.connect(D0, D1, leader=D1)
    world.give(a_directive(epoch=1))
    world.run(300)
    world.give(LeaseRefused(GROUP, world.leases()[-1].request_number, "NOT_LEADER"))
    assert [each.director_id for each in world.leases()] == [D1, D0]

    world.run(400)

    assert all(each.unanswered is None for each in world.reports(D0))


def test_a_late_answer_ends_the_wait() -> None:
    world = an_owner_unanswered_by_its_leader()
    assert newest(world) is not None

    world.give(LeaseRefused(GROUP, world.leases()[0].request_number, "HELD_BY_OTHER"))

    began_ms = world.now_ms
    world.run(200)
    assert all(each.unanswered is None for each in world.reports(D0, began_ms))


def test_a_grant_ends_the_wait_for_all() -> None:
    world = an_owner_unanswered_by_its_leader()
    ask = world.leases()[-1]
    assert ask.director_id == D2

    world.give(LeaseGranted(GROUP, a_token(1), ask.request_number, LEASE_MS))

    assert newest(world) is None


def test_a_new_stream_begins_without_a_wait() -> None:
    world = an_owner_unanswered_by_its_leader()
    world.give(Disconnected(D0))

    world.connect(D0)

    assert world.reports(D0)[-1].unanswered is None
