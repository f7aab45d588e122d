"""What a service takes, as its agent reports it; and short answers of a gate before a planned move.

A demotion can be promised only once every answer given before has run out. So a home that is about
to be asked to stop begins to answer briefly, while its writes go on.
"""

from dataclasses import replace

from regions.core.effects import MeasureLoad
from regions.core.load import SAMPLE_AGE_MS_MAX
from regions.core.settings import GATE_ANSWER_MS, GuardedService
from tests.agent.builders import D0, D1, World, a_directive, a_service, a_token, a_world

FILE_ANSWER_MS = 1_000


def with_file() -> GuardedService:
    """A service that reads a role file, whose answers live longer."""
    return replace(a_service(), gate_answer_ms=FILE_ANSWER_MS)


def an_open_world(service: GuardedService) -> World:
    world = a_world(service)
    world.connect(D0, D1)
    world.give(a_directive())
    world.run(5_000, until=world.is_open)
    assert world.is_open()
    return world


def says_long(world: World) -> bool:
    readings = world.agent.readings(now_ms=world.now_ms)
    return readings.gates[0].has_long_answers


def promised_after(world: World) -> int:
    """Have the home demoted, and return how long the promise took."""
    asked_ms = world.now_ms
    world.give(a_directive(demote=True))
    world.run(
        5_000,
        until=lambda: (
            world.agent.readings(now_ms=world.now_ms).gates[0].demoted_through == a_token(1)
        ),
    )
    return world.now_ms - asked_ms


def test_a_gate_with_a_file_says_that_its_answers_last() -> None:
    assert says_long(an_open_world(with_file()))
    assert not says_long(an_open_world(a_service()))


def test_without_notice_a_demotion_waits_for_the_longest_answer() -> None:
    assert promised_after(an_open_world(with_file())) == FILE_ANSWER_MS


def test_a_home_that_was_told_before_promises_as_soon_as_short_answers_have_run_out() -> None:
    world = an_open_world(with_file())
    world.give(replace(a_directive(), prepare=True))
    assert world.gate is not None
    assert (world.gate.answer_ms, world.is_open()) == (GATE_ANSWER_MS, True)

    world.run(5_000, until=lambda: not says_long(world))

    assert world.is_open(), "writes go on meanwhile"
    assert promised_after(world) == GATE_ANSWER_MS


def test_long_answers_given_before_the_notice_are_waited_for_all_the_same() -> None:
    world = an_open_world(with_file())
    world.give(replace(a_directive(), prepare=True))
    world.run(300)
    assert says_long(world)

    # One given just before the notice is good for a second from then.
    assert promised_after(world) == FILE_ANSWER_MS - 300


def test_the_word_that_answers_are_short_now_is_reported_at_once() -> None:
    world = an_open_world(with_file())
    world.give(replace(a_directive(), prepare=True))
    told_ms = world.now_ms

    def is_told() -> bool:
        told = [each.readings for each in world.reports(since_ms=told_ms) if each.readings]
        return bool(told) and not told[-1].gates[0].has_long_answers

    world.run(5_000, until=is_told)

    assert world.now_ms - told_ms <= FILE_ANSWER_MS + 50


def test_a_move_that_was_taken_back_makes_answers_long_again() -> None:
    world = an_open_world(with_file())
    world.give(replace(a_directive(), prepare=True))
    world.run(2_000)
    assert not says_long(world)

    world.give(a_directive())

    assert world.gate is not None
    assert world.gate.answer_ms == FILE_ANSWER_MS
    assert says_long(world)


# -- load ------------------------------------------------------------------------------------------


def test_the_load_is_asked_for_as_often_as_configured_and_reported() -> None:
    world = a_world(replace(a_service(), load_every_ms=2_000), load_rps=120)
    world.connect(D0)
    since_ms = world.now_ms
    world.run(6_500)

    asked = [at - since_ms for at, _ in world.sent(MeasureLoad, since_ms)]
    assert len(asked) in (3, 4)
    assert world.agent.readings(now_ms=world.now_ms).services[0].load_rps == 120


def test_a_service_without_a_load_source_has_an_unknown_load() -> None:
    world = a_world(a_service(), load_rps=120)
    world.connect(D0)
    world.run(5_000)

    assert world.sent(MeasureLoad) == []
    assert world.agent.readings(now_ms=world.now_ms).services[0].load_rps is None


def test_a_load_that_nobody_confirms_is_dropped() -> None:
    world = a_world(replace(a_service(), load_every_ms=1_000), load_rps=120)
    world.connect(D0)
    world.run(1_500)
    world.load_rps = None
    world.run(SAMPLE_AGE_MS_MAX - 2_000)
    assert world.agent.readings(now_ms=world.now_ms).services[0].load_rps == 120

    world.run(4_000)

    assert world.agent.readings(now_ms=world.now_ms).services[0].load_rps is None
