"""What the simulated world stands on: the order of events, processes, ways, calls and services."""

import random
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from director.routing.table import RegionId, ServiceId
from regions.core.readings import ProbeTarget
from tests.sim.clock import NodeClock
from tests.sim.cluster import Cluster
from tests.sim.network import ALL_PLANES, Connection, Late, Network, NetworkOptions, Plane
from tests.sim.options import Options
from tests.sim.process import Process
from tests.sim.region import Region
from tests.sim.schedule import Schedule
from tests.sim.service import Hosted

HERE, THERE = "here", "there"
WAY_MS = 10


class Wire:
    """Two processes on two machines, and a list of what came of it, with the time."""

    def __init__(self, **options: float) -> None:
        self.schedule = Schedule(0)
        both = {(HERE, THERE): WAY_MS, (THERE, HERE): WAY_MS}
        plain = NetworkOptions(both, jitter_ms=0, loss=0.0, keepalive_ms=1_000)
        self.network = Network(
            self.schedule,
            replace(plain, **options),  # type: ignore[arg-type]
            random.Random(0),
        )
        clock = NodeClock(self.schedule, 0, 0)
        self.here = Process("client", HERE, self.schedule, clock)
        self.there = Process("server", THERE, self.schedule, clock)
        self.here.start()
        self.there.start()
        self.seen: list[tuple[int, Any]] = []

    def note(self, what: object) -> None:
        self.seen.append((self.schedule.now_ms, what))

    def send(self, what: object, plane: Plane = Plane.RAFT) -> None:
        self.network.send(
            self.here, self.there, plane, lambda: self.note(what), lambda: self.note("lost")
        )

    def call(self, answer: object, within_ms: int = 100) -> None:
        self.network.call(
            self.here, self.there, Plane.SERVICE, lambda: answer, self.note, within_ms
        )


# -- the schedule ----------------------------------------------------------------------------------


def test_events_run_by_due_time_and_then_by_insertion_however_far_away_they_were() -> None:
    schedule, order = Schedule(0), []
    rng = random.Random(3)
    expected = []

    def insert(number: int, due_ms: int) -> None:
        expected.append((due_ms, number))
        schedule.after(due_ms - schedule.now_ms, lambda: order.append((due_ms, number)))

    for number in range(2_000):
        insert(number, rng.randint(0, 5_000))
    for number in range(2_000, 4_000):
        schedule.run_until(number - 2_000)
        insert(number, schedule.now_ms + rng.choice([0, 1, 1_022, 1_023, 1_024, 1_025, 3_000]))
    schedule.run_until(10_000)

    assert order == sorted(expected)
    assert schedule.event_count == 4_000


def test_what_an_event_adds_for_now_runs_in_the_same_instant_and_last() -> None:
    schedule, order = Schedule(0), []

    def first() -> None:
        order.append("a")
        schedule.after(0, lambda: order.append("c"))

    schedule.after(5, first)
    schedule.after(5, lambda: order.append("b"))

    schedule.run_until(5)

    assert order == ["a", "b", "c"]


# -- processes -------------------------------------------------------------------------------------


def test_a_starved_process_runs_everything_late_in_order_and_then_recovers() -> None:
    wire = Wire()
    for number in range(40):
        wire.here.after(100 * number, partial(wire.note, number))
    wire.here.starve(2_000)

    wire.schedule.run_until(6_000)

    assert [what for _, what in wire.seen] == list(range(40))
    late_ms = [at_ms - 100 * number for number, (at_ms, _) in enumerate(wire.seen)]
    assert max(late_ms[:20]) > 250
    assert set(late_ms[30:]) == {0}


def test_a_process_that_is_killed_while_it_starves_starts_anew_unstarved() -> None:
    wire = Wire()
    wire.here.starve(10_000)
    wire.here.after(5, lambda: wire.note("of the first life"))
    wire.schedule.run_until(10)
    wire.here.kill()
    wire.here.start()
    wire.here.after(5, lambda: wire.note("of the second"))

    wire.schedule.run_until(20_000)

    assert wire.seen == [(15, "of the second")]


# -- messages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("plane", ALL_PLANES)
def test_only_messages_of_raft_are_repeated_and_overtaken(plane: Plane) -> None:
    wire = Wire(duplicated=0.3, reordered=0.3)
    for number in range(200):
        wire.send(number, plane)
    wire.schedule.run_until(60_000)

    came = [what for _, what in wire.seen]
    assert set(came) == set(range(200)), "nothing is lost"
    if plane is not Plane.RAFT:
        assert came == list(range(200))
        return
    assert len(came) > 200
    assert list(dict.fromkeys(came)) != sorted(set(came))
    assert wire.seen[-1][0] > 1_000, "some copies are history when they come"
    assert wire.network.coverage.of_fault(11) > 50


def test_a_way_is_slow_or_lossy_in_one_direction_until_its_name_is_mended() -> None:
    wire = Wire()
    wire.network.slow("slow", [(HERE, THERE)], 70)
    assert wire.network.delay_ms(HERE, THERE) == WAY_MS + 70
    assert wire.network.delay_ms(THERE, HERE) == WAY_MS

    wire.network.lossy("lossy", [(THERE, HERE)], 0.9)
    assert max(wire.network.delay_ms(THERE, HERE) for _ in range(20)) >= WAY_MS + 200

    wire.network.mend("slow")
    assert wire.network.delay_ms(HERE, THERE) == WAY_MS
    wire.network.mend("lossy")
    assert {wire.network.delay_ms(THERE, HERE) for _ in range(20)} == {WAY_MS}


def test_faults_of_two_names_on_one_way_end_one_by_one() -> None:
    wire = Wire()
    wire.network.cut("a", [(HERE, THERE)], [Plane.RAFT])
    wire.network.cut("b", [(HERE, THERE)], ALL_PLANES)
    wire.network.slow("a", [(HERE, THERE)], 5)
    wire.network.mend("a")
    assert wire.network.is_cut(HERE, THERE, Plane.RAFT)
    assert wire.network.delay_ms(HERE, THERE) == WAY_MS

    wire.network.mend("b")
    assert not wire.network.is_cut(HERE, THERE, Plane.RAFT)

    wire.network.darken(THERE)
    assert wire.network.is_cut(THERE, HERE, Plane.AGENTS)
    wire.network.heal()
    assert not wire.network.is_cut(THERE, HERE, Plane.AGENTS)


# -- calls -----------------------------------------------------------------------------------------


def test_a_call_is_answered_after_both_ways_and_a_late_answer_is_not_waited_for() -> None:
    wire = Wire()
    wire.call("soon")
    wire.call(Late("later", 50))
    wire.call(Late("too late", 81))
    wire.schedule.run_until(1_000)

    assert wire.seen == [(20, "soon"), (70, "later"), (100, None)]


@pytest.mark.parametrize("is_mended", [False, True])
def test_a_call_to_a_stopped_process_ends_at_its_limit_or_with_what_it_says_in_time(
    is_mended: bool,
) -> None:
    wire = Wire()
    wire.there.pause()
    wire.call("yes")
    if is_mended:
        wire.schedule.run_until(40)
        wire.there.resume()
    wire.schedule.run_until(1_000)

    assert wire.seen == ([(50, "yes")] if is_mended else [(100, None)])


@pytest.mark.parametrize("cut_at_ms", [0, 15])
def test_a_call_whose_way_there_or_back_is_cut_ends_at_its_limit(cut_at_ms: int) -> None:
    wire = Wire()
    wire.call("yes")
    wire.schedule.run_until(cut_at_ms)
    pair = (HERE, THERE) if cut_at_ms == 0 else (THERE, HERE)
    wire.network.cut("cut", [pair], [Plane.SERVICE])
    wire.schedule.run_until(1_000)

    assert wire.seen == [(100, None)]


def test_a_call_to_a_process_that_ended_is_refused_at_once() -> None:
    wire = Wire()
    wire.there.kill()
    wire.call("yes")
    wire.schedule.run_until(1_000)

    assert wire.seen == [(20, None)]


def test_a_connection_keeps_the_order_and_is_given_up_when_it_stays_cut() -> None:
    wire = Wire()

    def accept(_: Connection) -> tuple[object, object]:
        return wire.note, lambda: wire.note("server told")

    connection = wire.network.connect(
        wire.here,
        wire.there,
        Plane.RELAY,
        wire.note,
        lambda: wire.note("client told"),
        accept,  # type: ignore[arg-type]
    )
    connection.to_server(1)
    connection.to_server(2)
    wire.schedule.run_until(100)
    wire.network.cut("cut", [(HERE, THERE)], ALL_PLANES)
    connection.to_server(3)
    wire.schedule.run_until(5_000)

    assert [what for _, what in wire.seen] == [1, 2, "client told"]


# -- regions ---------------------------------------------------------------------------------------


def a_region_of(*services: Hosted) -> tuple[Cluster, Region]:
    cluster = Cluster(Options.draw(1))
    name = cluster.options.regions[0]
    region = Region(cluster.world, name, cluster.clocks[name], {}, services)
    region.regions = {name: region}
    return cluster, region


def test_a_region_hosts_several_services_each_with_a_process_and_a_gate_of_its_own() -> None:
    chat, orders = Hosted(ServiceId("chat")), Hosted(ServiceId("orders"), is_guarded=False)
    cluster, region = a_region_of(orders, chat)
    for service in region.services.values():
        service.start()
    region.start()
    cluster.world.schedule.run_until(5_000)

    assert list(region.services) == ["chat", "orders"]
    assert region.service is region.services[ServiceId("orders")]
    assert region.gates.service_ids() == ("chat", "orders")
    readings = region.agent.readings(now_ms=region.process.clock.now_ms())
    assert [(each.service_id, each.passing) for each in readings.services] == [
        ("chat", True),
        ("orders", True),
    ]
    region.services[ServiceId("orders")].is_healthy = False
    cluster.world.schedule.run_until(10_000)
    readings = region.agent.readings(now_ms=region.process.clock.now_ms())
    assert [each.passing for each in readings.services] == [True, False]


def test_a_part_of_the_probes_of_a_slow_service_takes_ten_times_as_long() -> None:
    _, region = a_region_of(Hosted(ServiceId("chat")))
    region.service.start()
    region.service.slow_share = 0.3

    answers = [region.service.probed() for _ in range(1_000)]

    late = [each for each in answers if isinstance(each, Late)]
    assert 250 < len(late) < 350
    assert all(each.value is True and each.after_ms >= 200 for each in late)


def test_a_probe_of_a_service_that_the_region_does_not_host_fails() -> None:
    cluster, region = a_region_of(Hosted(ServiceId("chat")))
    region.start()
    target = ProbeTarget(ServiceId("nobody"), RegionId(region.region_id), "nobody:443")
    inputs: list[object] = []
    region.receive = inputs.append  # type: ignore[method-assign, assignment]

    region._probe(target)
    cluster.world.schedule.run_until(target.timeout_ms + 2)

    assert [getattr(each, "passed", None) for each in inputs][-1:] == [False]
