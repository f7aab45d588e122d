"""When a copy's lag is measured and told, and how long a report of it can have been on its way."""

from itertools import pairwise

from regions.core.effects import MeasureLag, PulseEcho
from regions.core.inputs import Connected, Disconnected, Pulsed
from regions.core.settings import GATE_ANSWER_MS
from tests.agent.builders import (
    CHAT,
    D0,
    D1,
    EAST,
    HERE,
    NORTH,
    World,
    a_directive,
    a_service,
    a_world,
    kept,
)


def measured(world: World, since_ms: int) -> list[int]:
    return [at - since_ms for at, _ in world.sent(MeasureLag, since_ms)]


def told_lag(world: World) -> int | None:
    """What the agent would report of its copy now."""
    readings = world.agent.readings(now_ms=world.now_ms)
    return readings.services[0].lag_ms


def a_standby() -> World:
    """A copy of a service whose home is in the north."""
    world = a_world(a_service(lag_every_ms=500), tokens=kept(1, NORTH))
    world.connect(D0)
    world.run(5_010)
    return world


# -- homes ----------------------------------------------------------------------------------------


def test_after_a_restart_nothing_is_measured_while_an_earlier_answer_of_the_gate_may_hold() -> None:
    world = a_world(a_service(lag_every_ms=500), tokens=kept(2, NORTH))
    began_ms = world.now_ms
    world.run(2_000)

    assert measured(world, began_ms)[0] >= GATE_ANSWER_MS


# -- pulses ----------------------------------------------------------------------------------------


def test_a_report_gives_the_last_pulse_back_and_says_how_long_it_was_held() -> None:
    world = a_world()
    world.connect(D0)
    world.give(Pulsed(D0, 77_000))
    world.run(100)
    world.give(Pulsed(D0, 77_123))
    came_ms = world.now_ms

    world.run(1_500)

    reports = [(at, each) for at, each in world.log if each in world.reports(D0, came_ms)]
    assert reports
    for at, report in reports:
        assert report.echo == PulseEcho(77_123, at - came_ms)


def test_without_a_pulse_nothing_is_given_back() -> None:
    world = a_world()
    world.connect(D0)
    world.run(2_000)

    assert {each.echo for each in world.reports(D0)} == {None}


def test_each_director_gets_its_own_pulse_back() -> None:
    world = a_world()
    world.connect(D0, D1)
    world.give(Pulsed(D0, 5))
    world.give(Pulsed(D1, 9_000_000))
    began_ms = world.now_ms
    world.run(1_000)

    echoes = {
        director_id: {
            each.echo.sent_at for each in world.reports(director_id, began_ms + 1) if each.echo
        }
        for director_id in (D0, D1)
    }
    assert echoes == {D0: {5}, D1: {9_000_000}}


def test_a_pulse_of_an_earlier_stream_is_not_given_back_on_a_new_one() -> None:
    world = a_world()
    world.connect(D0)
    world.give(Pulsed(D0, 77_000))
    world.give(Disconnected(D0))
    world.give(Connected(D0))
    began_ms = world.now_ms

    world.run(2_000)

    assert {each.echo for each in world.reports(D0, began_ms)} == {None}


def test_a_pulse_that_comes_after_its_stream_ended_is_forgotten() -> None:
    world = a_world()
    world.connect(D0, D1)
    world.give(Disconnected(D0))
    world.give(Pulsed(D0, 77_000))
    world.connect(D0)
    began_ms = world.now_ms

    world.run(2_000)

    assert {each.echo for each in world.reports(D0, began_ms)} == {None}


def test_a_pulse_alone_makes_no_report() -> None:
    world = a_world(probe_ms=100_000)
    world.connect(D0)
    world.run(510)
    began_ms = world.now_ms
    for number in range(40):
        world.give(Pulsed(D0, number))
        world.run(10)

    assert len(world.reports(D0, began_ms)) <= 1


# -- a home that is told to stop -------------------------------------------------------------------


def test_a_standby_measures_at_once_and_often_when_its_home_is_told_to_stop() -> None:
    world = a_standby()
    assert len(measured(world, world.now_ms - 5_000)) == 10
    told_ms = world.now_ms

    world.give(a_directive(1, NORTH, demote=True))
    world.run(2_000)

    assert measured(world, told_ms) == list(range(0, 2_000, 100))


def test_what_is_measured_then_is_told_at_once() -> None:
    world = a_standby()
    told_ms = world.now_ms

    world.give(a_directive(1, NORTH, demote=True))
    world.run(1_000)

    told = [at for at, each in world.log if at >= told_ms and each in world.reports(D0, told_ms)]
    assert len(told) >= 9
    assert max(after - before for before, after in pairwise(told)) <= 110


def test_after_two_seconds_it_measures_as_before() -> None:
    world = a_standby()
    world.give(a_directive(1, NORTH, demote=True))
    world.run(2_500)
    later_ms = world.now_ms

    world.run(5_000)

    assert len(measured(world, later_ms)) == 10


def test_the_home_itself_does_not_hurry_nor_does_anybody_when_nobody_has_to_stop() -> None:
    for directive, home in (
        (a_directive(1, HERE, demote=True), HERE),
        (a_directive(2, EAST), NORTH),
    ):
        world = a_world(a_service(lag_every_ms=500), tokens=kept(1, home))
        world.connect(D0)
        world.run(5_010)
        told_ms = world.now_ms

        world.give(directive)
        world.run(2_000)

        assert len(measured(world, told_ms)) == 4


def test_a_service_without_a_lag_probe_has_nothing_to_hurry() -> None:
    world = a_world(a_service(CHAT), tokens=kept(1, NORTH))
    world.connect(D0)
    told_ms = world.now_ms
    world.give(a_directive(1, NORTH, demote=True))
    world.run(2_000)

    assert measured(world, told_ms) == []


def test_what_was_measured_against_an_earlier_home_is_forgotten() -> None:
    world = a_standby()
    told_ms = world.now_ms
    assert told_lag(world) is not None

    world.give(a_directive(2, EAST))
    world.run(100)
    assert told_lag(world) is None

    # The service may believe the gate's earlier answer for as long as that one is good.
    world.run(1_000)
    assert told_lag(world) is not None
    assert measured(world, told_ms)[0] >= GATE_ANSWER_MS
