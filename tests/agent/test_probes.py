"""When probes are due, and what their results are worth."""

from director.routing.table import RegionId
from regions.core.effects import MeasureLag, Note, StartProbe
from regions.core.inputs import ProbeFinished, ProbesDirected, Ticked, Welcomed
from regions.core.probe_plan import ProbePlan
from regions.core.readings import (
    PeerReading,
    ProbeKind,
    ProbeSpec,
    RoundTrip,
    ServiceReading,
)
from regions.core.round_trips import WAY_MS_MAX, RoundTrips
from tests.agent.builders import (
    CHAT,
    D0,
    D1,
    EAST,
    HERE,
    LEASE_MS,
    NORTH,
    START_MS,
    World,
    a_service,
    a_target,
    a_world,
    plan,
)


def starts(world: World, region_id: str, since_ms: int = 0) -> list[int]:
    return [
        at
        for at, each in world.sent(StartProbe, since_ms)
        if isinstance(each, StartProbe) and each.target.region_id == region_id
    ]


def peer(world: World, region_id: str) -> PeerReading:
    readings = world.agent.readings(now_ms=world.now_ms)
    return next(each for each in readings.peers if each.region_id == region_id)


def finished(target_region: str, *, passed: bool, at_ms: int) -> ProbeFinished:
    return ProbeFinished(a_target(target_region).key, passed, at_ms)


def test_a_guarded_service_is_probed_at_once_quickly_until_decided_and_then_at_its_interval() -> (
    None
):
    world = a_world()

    world.run(2_100)

    assert [at - START_MS for at in starts(world, HERE)] == [0, 250, 500, 1_000, 1_500, 2_000]


def test_a_failure_is_followed_by_a_probe_250_ms_later_until_it_passes_again() -> None:
    world = a_world()
    world.run(1_100)
    world.failing.add(HERE)
    world.run(1_000)  # fails at 1500, 1750, 2000
    world.failing.clear()

    world.run(1_500)

    tail = [at - START_MS for at in starts(world, HERE, START_MS + 1_400)]
    # Still DOWN after two passes: asked again soon, until rise_count passes are in.
    assert tail == [1_500, 1_750, 2_000, 2_250, 2_500, 2_750, 3_250]


def test_a_refusing_service_is_failing_after_three_probes_in_half_a_second() -> None:
    world = a_world()
    world.run(1_100)
    world.failing.add(HERE)

    world.run(5_000, until=lambda: reading(world).passing is False)

    assert world.now_ms - START_MS == 1_500 + 2 * 250


def reading(world: World) -> ServiceReading:
    return world.agent.readings(now_ms=world.now_ms).services[0]


def test_one_lost_probe_changes_no_verdict() -> None:
    world = a_world()
    world.run(1_100)
    world.failing.add(HERE)
    world.run(500)
    world.failing.clear()

    world.run(2_000)

    verdicts = [each for _, each in world.log if isinstance(each, Note)]
    assert verdicts == [
        Note("service_verdict_changed", (("service_id", CHAT), ("verdict", "passing")))
    ]


def test_new_targets_are_spread_over_their_interval() -> None:
    world = a_world()
    world.connect(D0)
    targets = [a_target(NORTH, address=f"10.0.0.{n}:443") for n in range(5)]

    plan(world, *targets)
    began_ms = world.now_ms
    world.run(499)

    firsts = sorted(starts(world, NORTH))[:5]
    assert firsts[0] == began_ms
    assert began_ms + 400 in starts(world, NORTH)


def test_evidence_on_a_target_survives_a_new_plan_that_still_has_it() -> None:
    world = a_world()
    world.connect(D0)
    plan(world, a_target(NORTH))
    world.run(3_000)
    rounds = peer(world, NORTH).round_count

    plan(world, a_target(NORTH), a_target(EAST))

    assert peer(world, NORTH).passing is True
    assert peer(world, NORTH).round_count >= rounds
    assert peer(world, EAST).passing is None


def test_round_counts_never_go_down_when_a_target_leaves_and_comes_back() -> None:
    world = a_world()
    world.connect(D0)
    plan(world, a_target(NORTH))
    world.run(3_000)
    before = peer(world, NORTH).round_count

    plan(world)
    world.run(1_000)
    plan(world, a_target(NORTH))

    assert before > 0
    assert peer(world, NORTH).round_count >= before


def test_a_region_passes_while_any_of_its_endpoints_does() -> None:
    probes = ProbePlan()
    good, bad = a_target(NORTH, address="a:1"), a_target(NORTH, address="b:1")
    probes.replace([good, bad], now_ms=0, spread=False)
    for now_ms in (0, 300, 600, 900):
        for target in probes.take_due(now_ms=now_ms):
            given = ProbeFinished(target.key, target == good, now_ms)
            probes.finished(given, counts=True, now_ms=now_ms)

    assert probes.track(bad.key).passing is False
    assert probes.reading((CHAT, NORTH), now_ms=1_000).passing is True


def test_a_failing_peer_says_since_when_from_the_start_of_the_first_failed_probe() -> None:
    world = a_world(probe_ms=100)
    world.connect(D0)
    plan(world, a_target(NORTH), a_target(EAST))
    world.run(3_000)
    world.failing.add(NORTH)

    world.run(5_000, until=lambda: peer(world, NORTH).passing is False)

    # Three probes of 100 ms, each 250 ms after the one before ended.
    assert peer(world, NORTH).failing_for_ms == 3 * 100 + 2 * 250
    assert peer(world, NORTH).age_ms == 0


def test_the_result_of_a_probe_that_is_no_longer_wanted_is_dropped() -> None:
    world = a_world(probe_ms=100)
    world.connect(D0)
    plan(world, a_target(NORTH))
    world.run(50)

    plan(world)
    world.run(1_000)

    assert world.agent.readings(now_ms=world.now_ms).peers == ()


def test_the_agent_does_not_probe_its_own_region_as_a_peer() -> None:
    world = a_world()
    world.connect(D0)

    plan(world, a_target(HERE, address="10.0.0.9:1"), a_target(NORTH))

    peers = world.agent.readings(now_ms=world.now_ms).peers
    assert [each.region_id for each in peers] == [NORTH]


def test_a_follower_that_lags_does_not_replace_the_plan_of_the_leader() -> None:
    world = a_world()
    world.connect(D0, D1, leader=D0)
    plan(world, a_target(NORTH), director_id=D0)

    plan(world, a_target(EAST), director_id=D1)
    before = [each.region_id for each in world.agent.readings(now_ms=world.now_ms).peers]
    world.give(Welcomed(D1, D1, 500, LEASE_MS, 1_000))
    after = [each.region_id for each in world.agent.readings(now_ms=world.now_ms).peers]

    assert (before, after) == ([NORTH], [EAST])


def test_an_agent_that_sees_all_other_regions_fail_accuses_none() -> None:
    world = a_world()
    world.connect(D0)
    plan(world, a_target(NORTH), a_target(EAST))
    world.run(3_000)

    world.failing.update({NORTH, EAST})
    world.run(5_000)

    assert peer(world, NORTH).passing is None
    assert peer(world, EAST).passing is None
    world.failing.discard(EAST)
    world.run(3_000)
    assert (peer(world, NORTH).passing, peer(world, EAST).passing) == (False, True)


def test_an_accusation_waits_until_another_region_was_seen_to_pass_since_it_began() -> None:
    world = a_world()
    world.connect(D0)
    plan(world, a_target(NORTH), a_target(EAST, every_ms=10_000))
    world.run(10_100)  # EAST is looked at again in ten seconds

    world.failing.update({NORTH, EAST})  # it is the observer that went blind
    world.run(4_000)

    assert (peer(world, NORTH).passing, peer(world, NORTH).failing_for_ms) == (None, 0)
    assert peer(world, EAST).passing is True
    world.failing.discard(EAST)
    world.run(10_000)
    assert (peer(world, NORTH).passing, peer(world, EAST).passing) == (False, True)


def test_the_only_witness_of_the_only_other_region_is_heard() -> None:
    world = a_world()
    world.connect(D0)
    plan(world, a_target(NORTH))
    world.run(3_000)

    world.failing.add(NORTH)
    world.run(3_000)

    assert peer(world, NORTH).passing is False


def test_failures_seen_by_a_starved_agent_do_not_count() -> None:
    world = a_world()
    world.connect(D0)
    plan(world, a_target(NORTH), a_target(EAST))
    world.run(3_000)
    world.failing.update({NORTH, HERE})

    for _ in range(6):  # wakes 400 ms late each time
        wake_at_ms = world.agent.wake_at_ms()
        assert wake_at_ms is not None
        world.now_ms = wake_at_ms + 400
        world.give(Ticked())

    assert peer(world, NORTH).passing is True
    assert reading(world).passing is True
    assert Note("accusations_withheld", (("reason", "STARVED"),)) in [each for _, each in world.log]
    world.run(5_000)
    assert peer(world, NORTH).passing is False
    assert reading(world).passing is False


def test_a_starved_agent_withholds_what_it_accused_others_of() -> None:
    world = a_world()
    world.connect(D0)
    plan(world, a_target(NORTH), a_target(EAST))
    world.failing.add(NORTH)
    world.run(3_000)
    assert peer(world, NORTH).passing is False

    world.pause(2_000)
    world.give(Ticked())

    assert peer(world, NORTH).passing is None
    assert peer(world, EAST).passing is True


def test_lag_is_sampled_and_grows_old_when_the_probe_can_no_longer_tell() -> None:
    world = a_world(a_service(lag_every_ms=500))
    world.run(1_100)
    assert (reading(world).lag_ms, reading(world).lag_age_ms) == (7, 100)

    world.lag_ms = None
    world.run(2_000)

    # The last sample stays true: what it left out happened since.
    assert (reading(world).lag_ms, reading(world).lag_age_ms) == (7, 2_100)
    world.run(3_600_000 - 2_100 + 1)
    assert reading(world).lag_ms is None


def test_a_service_without_a_lag_probe_has_unknown_lag_not_zero() -> None:
    world = a_world()

    world.run(3_000)

    assert reading(world).lag_ms is None
    assert world.sent(MeasureLag) == []


def test_round_trips_follow_the_least_of_the_last_connects() -> None:
    trips = RoundTrips()
    for rtt_us in (80_000, 81_000, 400_000, 82_000):
        trips.measured(NORTH, rtt_us)

    assert trips.readings() == (RoundTrip(NORTH, 80_000),)


def test_a_round_trip_that_moves_a_little_is_not_reported_anew() -> None:
    trips = RoundTrips()
    trips.measured(NORTH, 80_000)
    for _ in range(6):
        trips.measured(NORTH, 84_000)
    assert trips.readings() == (RoundTrip(NORTH, 80_000),)

    for _ in range(60):
        trips.measured(NORTH, 160_000)

    (trip,) = trips.readings()
    assert 140_000 < trip.rtt_us <= 160_000


def test_round_trips_are_measured_only_when_wanted_and_named_by_region() -> None:
    world = a_world()
    world.connect(D0)
    world.give(ProbesDirected(D0, (a_target(NORTH),)))
    world.run(2_000)

    assert world.agent.readings(now_ms=world.now_ms).round_trips == (RoundTrip(NORTH, 900),)


def test_the_way_to_a_far_region_is_added_to_the_deadline_of_its_probes() -> None:
    # 340 ms there and back: a service that answers at once would often be late by 500 ms.
    world = a_world()
    world.connect(D0)
    web = a_target(EAST, probe=ProbeSpec(ProbeKind.HTTP, "/healthz"))
    world.give(ProbesDirected(D0, (web, a_target(NORTH))))
    world.run(1_000)
    for _ in range(40):
        for region_id in (EAST, NORTH):
            world.agent._round_trips.measured(RegionId(region_id), 340_000)
    since_ms = world.now_ms + 1

    world.run(600)

    first: dict[str, int] = {}
    for _, each in world.sent(StartProbe, since_ms):
        if isinstance(each, StartProbe):
            first.setdefault(each.target.region_id, each.target.timeout_ms)
    # What is reported follows the truth slowly. HTTP goes there and back twice: to connect, and
    # to ask.
    assert first[HERE] == 500
    assert 700 <= first[NORTH] <= 840
    assert 900 <= first[EAST] <= 1_180


def test_a_service_that_takes_ever_longer_to_connect_does_not_move_its_deadline_with_it() -> None:
    trips = RoundTrips()
    for rtt_us in range(100_000, 60_000_000, 100_000):
        trips.measured(RegionId(EAST), rtt_us)

    assert trips.way_ms(RegionId(EAST)) == WAY_MS_MAX == 600
