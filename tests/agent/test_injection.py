"""What a drill has an agent behave like: one service, while it is renewed, and never looser."""

from dataclasses import replace

import pytest

from regions.core.effects import Note, SendReport
from regions.core.injection import AGENT_KILL, BLACKHOLE, ERROR_RATE, LATENCY, Injections
from regions.core.inputs import InjectionDirected, ProbeFinished
from regions.core.readings import ProbeTarget, Readings
from tests.agent.builders import (
    CHAT,
    D0,
    D1,
    EAST,
    HERE,
    LEASE_MS,
    NORTH,
    World,
    a_directive,
    a_service,
    a_target,
    a_world,
    plan,
)

TTL_MS = 5_000
MAIL = "mail"


def an_injection(kind: str = BLACKHOLE, renewal: int = 1, **changes: object) -> InjectionDirected:
    given = InjectionDirected(
        "chat/1",
        number=1,
        renewal=renewal,
        service_id=CHAT,
        region_id=HERE,
        kind=kind,
        share_per_mille=1_000,
        delay_ms=0,
        ttl_ms=TTL_MS,
    )
    return replace(given, **changes)  # type: ignore[arg-type]


def an_owner() -> World:
    """An agent whose gate is open, and that watches chat and mail elsewhere."""
    world = a_world(a_service(), a_service(MAIL))
    world.connect(D0, D1)
    targets = [
        a_target(region, name, f"{region}:1") for region in (NORTH, EAST) for name in (CHAT, MAIL)
    ]
    plan(world, *targets)
    world.give(a_directive())
    world.run(3_000)
    assert world.is_open()
    return world


def said(world: World) -> Readings:
    return world.agent.readings(now_ms=world.now_ms)


def notes(world: World, event: str) -> list[Note]:
    found = [each for _, each in world.sent(Note) if isinstance(each, Note)]
    return [each for each in found if each.event == event]


# -- silence ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [BLACKHOLE, AGENT_KILL])
def test_a_lost_agent_says_nothing_of_the_service_but_that_it_is_silent(kind: str) -> None:
    world = an_owner()
    at_ms = world.now_ms
    world.give(an_injection(kind))
    world.run(60)

    told = [each for each in world.reports(since_ms=at_ms) if each.readings is not None]
    assert told, "the directors learn of it at once"
    readings = told[-1].readings
    assert readings is not None
    assert readings.muted == (CHAT,)
    assert [each.service_id for each in readings.services] == [MAIL]
    assert {each.service_id for each in readings.peers} == {MAIL}
    assert readings.gates == ()


@pytest.mark.parametrize("kind", [BLACKHOLE, AGENT_KILL])
def test_a_lost_agent_asks_for_no_lease_so_that_its_gate_closes_at_the_leases_end(
    kind: str,
) -> None:
    world = an_owner()
    at_ms = world.now_ms
    last_ms = max(at for at, _ in world.sent(type(world.leases()[-1])))
    for second in range(6):
        world.give(an_injection(kind, renewal=second + 1))
        world.run(1_000)
        assert world.is_open() == (world.now_ms < last_ms + LEASE_MS * 9 // 10)

    assert world.leases(since_ms=at_ms) == []
    assert not world.is_open()
    world.give(an_injection(kind, renewal=7, ttl_ms=0))
    world.run(200)
    assert world.is_open(), "it asks again at once"


def test_a_lost_agent_still_obeys_whoever_takes_its_right_away() -> None:
    world = an_owner()
    world.give(an_injection())

    world.give(a_directive(demote=True))

    assert not world.is_open()
    assert world.kept.groups[0].demoted_through == world.kept.groups[0].token


def test_agents_elsewhere_are_not_silent() -> None:
    world = an_owner()
    world.give(an_injection(region_id=NORTH))

    assert said(world).muted == ()
    assert len(said(world).services) == 2


# -- probes ----------------------------------------------------------------------------------------


def test_a_black_hole_elsewhere_is_seen_by_probes_of_that_service_and_region_only() -> None:
    world = an_owner()
    world.give(an_injection(region_id=NORTH))
    world.run(3_000)

    passing = {(each.service_id, each.region_id): each.passing for each in said(world).peers}

    assert passing == {
        (CHAT, NORTH): False,
        (CHAT, EAST): True,
        (MAIL, NORTH): True,
        (MAIL, EAST): True,
    }
    world.give(an_injection(region_id=NORTH, renewal=2, ttl_ms=0))
    world.run(3_000)
    assert all(each.passing for each in said(world).peers)


def test_an_agent_that_is_killed_elsewhere_changes_no_probe() -> None:
    world = an_owner()
    world.give(an_injection(AGENT_KILL, region_id=NORTH))
    world.run(3_000)

    assert all(each.passing for each in said(world).peers)


def test_errors_are_seen_by_the_regions_own_agent_too_and_close_its_gate() -> None:
    world = an_owner()
    world.give(an_injection(ERROR_RATE))
    world.run(2_000)

    passing = {each.service_id: each.passing for each in said(world).services}
    assert passing == {CHAT: False, MAIL: True}
    world.run(2_900)
    assert not world.is_open(), "nothing proves that the service works (A6)"


@pytest.mark.parametrize(
    ("share_per_mille", "failed"), [(1_000, 1_000), (500, 500), (333, 333), (1, 1)]
)
def test_a_share_of_errors_is_exact_and_evenly_spread(share_per_mille: int, failed: int) -> None:
    injections = Injections(EAST)
    given = an_injection(ERROR_RATE, region_id=NORTH, share_per_mille=share_per_mille)
    injections.directed(given, now_ms=0)
    target = a_target()

    seen = [
        injections.probed(ProbeFinished(target.key, passed=True, started_at_ms=0), target, 1)
        for _ in range(1_000)
    ]

    assert None not in seen, "errors come at once"
    assert sum(each is not None and not each.passed for each in seen) == failed
    for tenth in range(0, 1_000, 100):
        part = seen[tenth : tenth + 100]
        in_tenth = sum(each is not None and not each.passed for each in part)
        assert abs(in_tenth - failed / 10) <= 1


@pytest.mark.parametrize(("delay_ms", "passed"), [(399, True), (400, True), (401, False)])
def test_a_delay_fails_a_probe_once_it_takes_longer_than_it_may(
    delay_ms: int, *, passed: bool
) -> None:
    injections = Injections(EAST)
    given = an_injection(LATENCY, region_id=NORTH, delay_ms=delay_ms)
    injections.directed(given, now_ms=0)
    target = a_target(timeout_ms=500)
    finished = ProbeFinished(target.key, passed=True, started_at_ms=1_000, rtt_us=900)

    seen = injections.probed(finished, target, 1_100)

    assert (seen is not None) is passed
    if seen is None:
        assert injections.take_ended(now_ms=1_499) == ()
        [seen] = injections.take_ended(now_ms=1_500)
    assert seen.passed is passed
    assert seen.rtt_us is None, "a round trip times the other services of the region as well"


def test_a_probe_that_failed_does_not_pass_for_an_injection() -> None:
    injections = Injections(EAST)
    injections.directed(an_injection(LATENCY, region_id=NORTH, delay_ms=1), now_ms=0)
    target: ProbeTarget = a_target(timeout_ms=500)

    seen = injections.probed(ProbeFinished(target.key, False, 0), target, 1)

    assert seen is not None
    assert not seen.passed


def test_silence_is_waited_for_as_long_as_it_would_be() -> None:
    world = an_owner()
    at_ms = world.now_ms
    world.give(an_injection(region_id=NORTH))

    def fails() -> bool:
        return any(each.passing is False for each in said(world).peers)

    world.run(5_000, fails)

    # Three probes, each to its deadline of half a second, with re-probes in between.
    assert 3 * 500 + 2 * 250 <= world.now_ms - at_ms <= 3 * 500 + 2 * 250 + 500


def test_what_was_held_back_is_told_when_the_drill_is_over() -> None:
    injections = Injections(EAST)
    injections.directed(an_injection(region_id=NORTH), now_ms=0)
    target = a_target(timeout_ms=500)
    assert injections.probed(ProbeFinished(target.key, True, 100), target, 101) is None
    assert injections.wake_at_ms() == 600

    injections.directed(an_injection(region_id=NORTH, renewal=2, ttl_ms=0), now_ms=200)

    [seen] = injections.take_ended(now_ms=200)
    assert seen.passed


# -- how long --------------------------------------------------------------------------------------


def test_what_is_not_renewed_is_forgotten() -> None:
    world = an_owner()
    world.give(an_injection())
    world.run(TTL_MS - 1)
    assert said(world).muted == (CHAT,)

    world.run(200)

    assert said(world).muted == ()
    assert [each.values[-1] for each in notes(world, "injection_ended")] == [
        ("reason", "NOT_RENEWED")
    ]
    world.run(500)
    assert world.is_open()
    reports = [each for each in world.reports() if each.readings is not None]
    assert reports[-1].readings is not None
    assert reports[-1].readings.muted == ()


def test_renewals_of_any_director_count_and_late_ones_do_not() -> None:
    world = an_owner()
    world.give(an_injection(renewal=5))
    world.run(3_000)
    for late in (an_injection(renewal=5), an_injection(renewal=4)):
        world.give(late)
    world.run(TTL_MS - 3_000 + 50)
    assert said(world).muted == ()

    world.give(an_injection(renewal=6))
    assert said(world).muted == (CHAT,)


def test_a_drill_that_is_over_does_not_begin_again() -> None:
    world = an_owner()
    world.give(an_injection(renewal=5))
    world.give(an_injection(renewal=5, ttl_ms=0))
    assert said(world).muted == ()

    world.give(an_injection(renewal=6))
    world.give(an_injection(number=0, renewal=99))

    assert said(world).muted == ()
    world.give(an_injection(number=2, renewal=1))
    world.give(an_injection(number=1, renewal=99, region_id=NORTH))
    world.give(an_injection(number=1, renewal=99, ttl_ms=0))
    assert said(world).muted == (CHAT,)


def test_a_director_that_was_restored_counts_its_drills_anew() -> None:
    world = an_owner()
    world.give(an_injection(number=9))
    world.give(an_injection(number=9, ttl_ms=0))
    world.run(61_000)

    world.give(an_injection(number=1))

    assert said(world).muted == (CHAT,)


def test_nothing_holds_longer_than_ten_seconds_whatever_is_said() -> None:
    world = an_owner()
    world.give(an_injection(ttl_ms=3_600_000))

    world.run(10_100)

    assert said(world).muted == ()


def test_beats_go_on_while_a_service_is_silent() -> None:
    world = an_owner()
    world.give(an_injection())
    at_ms = world.now_ms
    world.run(3_000)

    assert len(world.sent(SendReport, at_ms)) >= 2 * 3_000 // 500
