"""When the gate opens, how long it stays open, and what closes it."""

from itertools import pairwise

from regions.core.effects import KeepTokens, ProveWrite, SendLease, SendReport, SetGate
from regions.core.inputs import (
    Disconnected,
    LeaseGranted,
    LeaseRefused,
    Stopping,
    Ticked,
    TokensKept,
    Welcomed,
    WriteProved,
)
from tests.agent.builders import (
    CHAT,
    D0,
    D1,
    D2,
    GROUP,
    HERE,
    LEASE_MS,
    NORTH,
    START_MS,
    World,
    a_directive,
    a_service,
    a_token,
    a_world,
    kept,
)


def an_owner() -> World:
    world = a_world()
    world.connect(D0, D1)
    world.give(a_directive(epoch=1))
    world.run(2_000)
    assert world.is_open()
    return world


def test_the_home_asks_with_proof_and_opens_until_nine_tenths_of_the_lease_after_asking() -> None:
    world = a_world(grants=False)
    world.connect(D0)
    world.give(a_directive(epoch=1))
    world.run(300)
    (ask,) = world.leases()
    assert ask == SendLease(D0, GROUP, a_token(1), 1, is_proven=True, is_holding=False)
    # Answers of a process before this one run out 250 ms after the start; not before does it ask.
    asked_at_ms = START_MS + 250

    world.give(LeaseGranted(GROUP, a_token(1), 1, LEASE_MS))

    assert world.gate == SetGate(GROUP, CHAT, True, a_token(1), asked_at_ms + 3_600, 250, "", HERE)


def test_a_held_lease_is_renewed_every_second_and_the_gate_stays_open() -> None:
    world = an_owner()
    began_ms = world.now_ms

    world.run(10_000, until=lambda: not world.is_open())

    assert world.is_open()
    asks = [at for at, _ in world.sent(SendLease, began_ms)]
    assert all(900 <= later - earlier <= 1_500 for earlier, later in pairwise(asks))
    assert len(asks) >= 7


def test_without_any_director_the_gate_closes_by_itself_and_never_opens_again() -> None:
    world = an_owner()
    assert world.gate is not None
    world.give(Disconnected(D0))
    world.give(Disconnected(D1))
    deadline_ms = world.gate.deadline_at_ms

    world.run(60_000, until=lambda: not world.is_open())
    closed_at_ms = world.now_ms
    world.give(Ticked())

    assert closed_at_ms == deadline_ms
    assert (world.gate.is_open, world.gate.reason) == (False, "LEASE_ENDED")
    world.run(60_000)
    assert not world.gate.is_open


def test_a_process_that_was_stopped_past_its_lease_finds_its_gate_closed() -> None:
    world = an_owner()
    world.grants = False

    world.pause(5_000)
    effects = world.give(Ticked())

    assert world.gate is not None
    assert not world.gate.is_open
    # Closing comes before anything is said to a director.
    kinds = [type(effect) for effect in effects]
    assert SendLease not in kinds[: kinds.index(SetGate)]


def test_no_lease_is_asked_for_while_the_service_fails() -> None:
    world = an_owner()
    world.failing.add(HERE)
    world.run(600)
    began_ms = world.now_ms

    world.run(10_000)

    assert world.leases(began_ms) == []
    assert not world.is_open()


def test_no_lease_is_asked_for_while_the_disk_hangs() -> None:
    world = an_owner()
    world.disk_works = False
    world.run(1_100)
    began_ms = world.now_ms

    world.run(10_000)

    assert world.leases(began_ms) == []
    assert not world.is_open()
    # One write hangs; a second one would hang behind it.
    assert len(world.sent(ProveWrite, began_ms - 1_100)) == 1


def test_a_write_that_failed_proves_nothing_and_is_tried_again() -> None:
    world = a_world(disk_works=False, tokens=kept(1))
    world.connect(D0)
    world.run(1_000)
    assert world.leases() == []

    world.disk_works = True
    world.give(WriteProved(False, world.now_ms))
    world.run(1_000)

    assert world.is_open()


def test_a_service_that_is_probed_seldom_is_probed_often_enough_while_it_is_home() -> None:
    world = a_world(a_service(every_ms=30_000))
    world.connect(D0)
    world.give(a_directive(epoch=1))
    world.run(2_000)

    world.run(20_000, until=lambda: not world.is_open())

    assert world.is_open()


def test_a_region_that_is_not_home_never_asks() -> None:
    world = a_world()
    world.connect(D0)
    world.give(a_directive(epoch=1, home=NORTH))

    world.run(30_000)

    assert world.leases() == []
    assert world.gate is not None
    assert world.gate.reason == "NOT_HOME"


def test_a_grant_nobody_asked_for_opens_nothing() -> None:
    world = a_world(grants=False)
    world.connect(D0)
    world.give(a_directive(epoch=1, home=NORTH))

    world.give(LeaseGranted(GROUP, a_token(1), 1, LEASE_MS))
    world.give(LeaseGranted(GROUP, a_token(2), 1, LEASE_MS))

    assert not world.is_open()


def test_a_grant_under_an_old_token_opens_nothing() -> None:
    world = a_world(grants=False)
    world.connect(D0)
    world.give(a_directive(epoch=1))
    world.run(300)
    (ask,) = world.leases()
    world.give(a_directive(epoch=2))

    world.give(LeaseGranted(GROUP, a_token(1), ask.request_number, LEASE_MS))
    world.give(LeaseGranted(GROUP, a_token(2), ask.request_number, LEASE_MS))

    assert not world.is_open()
    world.run(300)
    asked_again = world.leases()[-1]
    assert asked_again.token == a_token(2)
    world.give(LeaseGranted(GROUP, a_token(1), asked_again.request_number, LEASE_MS))
    assert not world.is_open()


def test_a_late_grant_counts_from_when_it_was_asked_for() -> None:
    world = a_world(grants=False)
    world.connect(D0)
    world.give(a_directive(epoch=1))
    world.run(300)
    (ask,) = world.leases()

    world.run(3_400)  # asked 3.45 s ago: 150 ms of 3.6 s are left
    world.give(LeaseGranted(GROUP, a_token(1), ask.request_number, LEASE_MS))

    assert world.gate is not None
    assert world.gate.deadline_at_ms == START_MS + 250 + 3_600
    world.run(150)
    assert not world.is_open()


def test_a_demotion_closes_at_once_and_is_promised_when_durable_and_quiet() -> None:
    world = an_owner()
    demoted_at_ms = world.now_ms

    effects = world.give(a_directive(epoch=1, demote=True))

    kinds = [type(effect) for effect in effects]
    assert kinds.index(SetGate) < kinds.index(KeepTokens)
    assert world.gate is not None
    assert (world.gate.is_open, world.gate.reason) == (False, "DEMOTED")
    # Durable at once, but the service may hold an answer for another 250 ms.
    assert world.kept == kept(1, demoted_through=a_token(1))
    assert world.agent.readings(now_ms=world.now_ms).gates[0].demoted_through is None
    world.run(300)
    promised = [
        (at_ms, report.readings.gates[0])
        for at_ms, report in world.sent(SendReport, demoted_at_ms)
        if isinstance(report, SendReport) and report.readings is not None
    ]
    assert promised[-1][0] == demoted_at_ms + 250
    assert promised[-1][1].demoted_through == a_token(1)
    assert not promised[-1][1].is_open


def test_a_demoted_home_does_not_ask_again_under_that_token_even_after_a_restart() -> None:
    world = an_owner()
    world.give(a_directive(epoch=1, demote=True))
    world.run(500)
    asked = len(world.leases())
    world.give(a_directive(epoch=1))  # a replica that lags repeats the grant without the demotion
    world.run(5_000)
    assert len(world.leases()) == asked

    again = a_world(tokens=world.kept)
    again.connect(D0)
    again.give(a_directive(epoch=1))
    again.run(5_000)

    assert again.leases() == []
    assert again.agent.readings(now_ms=again.now_ms).gates[0].demoted_through == a_token(1)


def test_a_demoted_home_that_gets_the_next_epoch_acts_again() -> None:
    world = an_owner()
    world.give(a_directive(epoch=1, demote=True))
    world.run(500)

    world.give(a_directive(epoch=2))
    world.run(1_000)

    assert world.is_open()
    assert world.gate is not None
    assert world.gate.token == a_token(2)


def test_a_token_that_is_not_durable_closes_but_does_not_open() -> None:
    world = an_owner()
    world.disk_works = False

    world.give(a_directive(epoch=2))
    world.run(5_000)

    assert not world.is_open()
    assert [lease.token for lease in world.leases() if lease.token == a_token(2)] == []
    # The token that is reported is the durable one.
    assert world.agent.readings(now_ms=world.now_ms).gates[0].token == a_token(1)
    world.disk_works = True
    world.give(WriteProved(True, world.now_ms))
    world.give(TokensKept(2))
    world.run(1_000)
    assert world.is_open()


def test_a_restarted_home_starts_closed_and_asks_without_claiming_to_hold() -> None:
    world = a_world(tokens=kept(3), grants=False)
    assert world.gate is not None
    assert not world.gate.is_open

    world.connect(D0)
    world.run(300)

    (ask,) = world.leases()
    assert (ask.token, ask.is_holding) == (a_token(3), False)


def test_a_follower_that_refuses_is_passed_over_at_once() -> None:
    world = a_world(grants=False)
    world.connect(D0, D1, D2, leader=None)
    world.give(a_directive(epoch=1))
    world.run(300)
    first = world.leases()[-1]

    world.give(LeaseRefused(GROUP, first.request_number, "NOT_LEADER"))
    second = world.leases()[-1]
    world.give(LeaseRefused(GROUP, second.request_number, "NOT_LEADER"))
    third = world.leases()[-1]

    assert [first.director_id, second.director_id, third.director_id] == [D0, D1, D2]


def test_a_new_leader_is_asked_at_once_while_the_old_one_is_silent() -> None:
    world = a_world(grants=False)
    world.connect(D0, D1)
    world.give(a_directive(epoch=1))
    world.run(300)

    world.give(Welcomed(D1, D1, 500, LEASE_MS, 1_000))

    assert [lease.director_id for lease in world.leases()] == [D0, D1]


def test_a_leader_that_was_asked_before_its_office_began_is_asked_again_when_it_says_so() -> None:
    world = a_world(grants=False)
    world.connect(D0, D1)
    world.give(a_directive(epoch=1))
    world.run(300)
    # It is elected, and says so; it does not yet have what the leader before it committed.
    world.give(Welcomed(D1, D1, 500, LEASE_MS, 1_000))
    world.give(LeaseRefused(GROUP, world.leases()[-1].request_number, "NOT_LEADER"))
    world.run(20)

    world.give(Welcomed(D1, D1, 500, LEASE_MS, 1_000))

    assert [lease.director_id for lease in world.leases()] == [D0, D1, D0, D1]


def test_a_director_that_does_not_answer_is_passed_over_after_half_a_second() -> None:
    world = a_world(grants=False)
    world.connect(D0, D1)
    world.give(a_directive(epoch=1))

    world.run(800)

    assert [(at - START_MS, each.director_id) for at, each in _asks(world)] == [
        (250, D0),
        (750, D1),
    ]


def test_a_refusal_is_asked_again_after_a_while_not_at_once() -> None:
    world = a_world(grants=False)
    world.connect(D0)
    world.give(a_directive(epoch=1))
    world.run(300)

    world.give(LeaseRefused(GROUP, 1, "HELD_BY_OTHER"))
    refused_at_ms = world.now_ms
    world.run(500)

    assert [at - refused_at_ms for at, _ in _asks(world)][1:] == [250]


def test_stopping_closes_the_gate_and_asks_for_nothing_more() -> None:
    world = an_owner()

    world.give(Stopping())
    asked = len(world.leases())
    world.run(5_000)

    assert not world.is_open()
    assert len(world.leases()) == asked


def test_a_lower_generation_or_epoch_is_refused() -> None:
    world = an_owner()
    world.give(a_directive(epoch=1, generation=2))
    world.run(1_000)

    world.give(a_directive(epoch=9, home=NORTH, generation=1))
    world.give(a_directive(epoch=1, home=NORTH, generation=1, demote=True))

    assert world.is_open()
    assert world.gate is not None
    assert world.gate.token == a_token(1, generation=2)


def _asks(world: World) -> list[tuple[int, SendLease]]:
    return [(at, each) for at, each in world.sent(SendLease) if isinstance(each, SendLease)]
