"""Does the rest carry the load? What is asked before a drain, a planned move and a manifest.

The machine asks again when the command is applied, so that of two drains which each would fit alone
only the first goes through (R2).
"""

from dataclasses import replace

import pytest

from director.core.capacity import Room, drain_room, move_capacity_refusal, worst_loss_room
from director.core.commands import ApplyManifest, RunKind, SetRegionDrained, StartRun
from director.core.events import Rejected
from director.core.failover import Bench, candidates
from director.core.inputs import DrainAsked, MoveAsked
from director.core.lease import LeaseBook
from director.core.load_log import LOAD_AGE_MS_MAX
from director.core.loads import RegionLoad
from director.core.reasons import Reason
from director.core.requests import decide, preview
from director.core.safety import Refusal, Rule
from director.core.state import State
from director.core.timing import DEFAULT_TIMING
from director.core.topology import RoutingSpec, ServiceSpec, SiteSpec
from director.routing.table import RegionId, ServiceId
from director.service.codec import decode_command, decode_state, encode_command, encode_state
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    EU,
    US,
    WEB,
    Ledger,
    Watch,
    a_ledger,
    a_report,
    a_service,
    a_service_reading,
    a_stamp,
    a_start,
    a_topology,
    an_active_active,
    an_owned_ledger,
    says,
    says_lag,
)

NOW_MS = 20_000
STAMP = a_stamp(NOW_MS, "r1", "maria")


def sized(service: ServiceSpec, **rps: int) -> ServiceSpec:
    """Give regions capacities: ``EU=100``; the others declare none."""
    size_by_region = {globals()[name]: each for name, each in rps.items()}
    sites = tuple(
        replace(site, capacity_rps=size_by_region.get(site.region_id, 0)) for site in service.sites
    )
    return replace(service, sites=sites)


def loads(service_id: ServiceId = WEB, **rps: int) -> tuple[RegionLoad, ...]:
    return tuple(RegionLoad(service_id, globals()[name], each) for name, each in rps.items())


def a_drain(
    region_id: RegionId, with_loads: tuple[RegionLoad, ...] = (), *, waives: str = ""
) -> SetRegionDrained:
    return SetRegionDrained(a_stamp(), region_id, True, with_loads, waives)


def rule_of(ledger: Ledger, command: SetRegionDrained | StartRun | ApplyManifest) -> str:
    """Have the command refused by a safety rule, and return its name."""
    event = ledger.apply(command)
    assert isinstance(event, Rejected), event
    assert event.reason is Reason.SAFETY_RULE, event
    return dict(event.metadata)["rule"]


# -- drains ----------------------------------------------------------------------------------------


def test_a_drain_is_refused_when_the_rest_has_no_room_for_the_load() -> None:
    ledger = a_ledger(sized(an_active_active(), AP=100, EU=100, US=100))

    # 60 must move, and AP and US have 20 each.
    assert rule_of(ledger, a_drain(EU, loads(AP=80, EU=60, US=80))) == Rule.CAPACITY
    assert ledger.state.drained_regions == ()


def test_a_drain_needs_a_tenth_more_room_than_the_load_it_moves() -> None:
    ledger = a_ledger(sized(an_active_active(), AP=100, EU=100, US=100))

    assert rule_of(ledger, a_drain(EU, loads(AP=73, EU=50, US=73))) == Rule.CAPACITY
    ledger.must(a_drain(EU, loads(AP=72, EU=50, US=73)))


def test_of_two_drains_that_would_each_fit_alone_only_the_first_goes_through() -> None:
    ledger = a_ledger(sized(an_active_active(), AP=100, EU=100, US=100))
    # Both were decided before either was applied, on the same loads.
    observed = loads(AP=40, EU=40, US=40)

    ledger.must(a_drain(EU, observed))

    # What EU carried has to fit into AP as well by now: 80 of 60.
    assert rule_of(ledger, a_drain(US, observed)) == Rule.CAPACITY
    assert ledger.state.drained_regions == (EU,)


def test_without_a_load_or_a_capacity_there_is_no_statement_and_no_refusal() -> None:
    undeclared = a_ledger(sized(an_active_active(), EU=100, US=1))
    undeclared.must(a_drain(EU, loads(AP=90, EU=90, US=90)))

    unheard = a_ledger(sized(an_active_active(), AP=1, EU=100, US=1))
    unheard.must(a_drain(EU, loads(AP=1, US=1)))


def test_a_region_that_takes_no_load_may_always_be_drained() -> None:
    ledger = a_ledger(sized(an_active_active(), AP=10, EU=100, US=10))

    ledger.must(a_drain(EU, loads(AP=10, EU=0, US=10)))


def test_a_load_over_the_capacity_of_the_rest_needs_room_too() -> None:
    ledger = a_ledger(sized(an_active_active(), AP=100, EU=100, US=100))

    # AP is 30 over; with the 30 of EU that is 60 for the 50 that US has free.
    assert rule_of(ledger, a_drain(EU, loads(AP=130, EU=30, US=50))) == Rule.CAPACITY


def test_only_the_regions_that_clients_would_be_sent_to_count_as_room() -> None:
    service = sized(an_active_active(), AP=1_000, EU=100, US=100)
    sites = tuple(
        replace(site, priority=1) if site.region_id == AP else site for site in service.sites
    )
    reserve = replace(service, sites=sites)
    observed = loads(AP=0, EU=60, US=60)

    # AP has the room, but routing keeps to the first priority while US is healthy.
    assert rule_of(a_ledger(reserve), a_drain(EU, observed)) == Rule.CAPACITY

    spilling = replace(reserve, routing=RoutingSpec(spill_per_mille=900))
    a_ledger(spilling).must(a_drain(EU, observed))


def test_the_drain_of_an_owner_needs_one_standby_that_is_large_enough() -> None:
    small = an_owned_ledger(sized(a_service(), AP=50, EU=200, US=99))
    assert rule_of(small, a_drain(EU, loads(CHAT, EU=91))) == Rule.CAPACITY

    small.must(a_drain(EU, loads(CHAT, EU=90)))


def test_the_drain_of_a_standby_displaces_nothing() -> None:
    ledger = an_owned_ledger(sized(a_service(), AP=1, EU=200, US=200))

    ledger.must(a_drain(US, loads(CHAT, EU=190, US=0)))


def test_the_only_large_standby_of_a_drained_owner_may_not_be_drained_either() -> None:
    ledger = an_owned_ledger(sized(a_service(), AP=10, EU=200, US=200))
    observed = loads(CHAT, EU=150)
    ledger.must(a_drain(EU, observed))

    assert rule_of(ledger, a_drain(US, observed)) == Rule.CAPACITY


def test_a_new_site_does_not_hide_that_documents_take_too_much_away() -> None:
    service = sized(an_active_active(), AP=100, EU=400, US=1)
    ledger = a_ledger(replace(service, sites=without(service, US)))
    # Nobody reports a load of US: it is not a site yet.
    observed = loads(AP=50, EU=300)

    swapped = replace(service, sites=without(service, EU))
    documents = ApplyManifest(a_stamp(), a_topology(swapped), loads=observed)

    assert rule_of(ledger, documents) == Rule.CAPACITY


def without(service: ServiceSpec, region_id: RegionId) -> tuple[SiteSpec, ...]:
    return tuple(site for site in service.sites if site.region_id != region_id)


# -- waiving ---------------------------------------------------------------------------------------


def test_an_operator_may_waive_the_room_and_the_event_says_so() -> None:
    ledger = a_ledger(sized(an_active_active(), AP=10, EU=100, US=10))

    event = ledger.must(a_drain(EU, loads(AP=9, EU=90, US=9), waives=Rule.CAPACITY))

    assert getattr(event, "waived", "") == Rule.CAPACITY
    assert ledger.state.drained_regions == (EU,)


@pytest.mark.parametrize("rule", [Rule.NEVER_LAST, "CAPACITIES"])
def test_no_other_rule_can_be_waived(rule: str) -> None:
    ledger = a_ledger(an_active_active())

    assert ledger.rejection(a_drain(EU, waives=rule)) is Reason.INVALID_REQUEST


def test_a_waiver_needs_a_reason() -> None:
    ledger = a_ledger(an_active_active())
    silent = replace(a_drain(EU, waives=Rule.CAPACITY), stamp=replace(a_stamp(), reason=" "))

    assert ledger.rejection(silent) is Reason.INVALID_REQUEST


def test_a_waiver_of_the_room_does_not_take_the_last_region_away() -> None:
    ledger = a_ledger(an_active_active())
    for region_id in (AP, US):
        ledger.must(a_drain(region_id, waives=Rule.CAPACITY))

    assert rule_of(ledger, a_drain(EU, waives=Rule.CAPACITY)) == Rule.NEVER_LAST


# -- moves -----------------------------------------------------------------------------------------


def a_move(kind: RunKind, load_rps: int | None, *, waives: str = "") -> StartRun:
    return replace(a_start(US, kind=kind, automatic=False), load_rps=load_rps, waives=waives)


def test_a_planned_move_to_a_region_that_is_too_small_is_refused() -> None:
    ledger = an_owned_ledger(sized(a_service(), EU=200, US=100))

    assert rule_of(ledger, a_move(RunKind.SWITCHOVER, 91)) == Rule.CAPACITY
    ledger.must(a_move(RunKind.SWITCHOVER, 90))


def test_a_failback_is_asked_as_a_switchover_is() -> None:
    state = an_owned_ledger(sized(a_service(), EU=200, US=100)).state

    assert move_capacity_refusal(state, a_move(RunKind.FAILBACK, 91)) is not None
    assert move_capacity_refusal(state, a_move(RunKind.FAILBACK, 90)) is None


def test_a_planned_move_may_be_forced_by_name() -> None:
    ledger = an_owned_ledger(sized(a_service(), EU=200, US=100))

    ledger.must(a_move(RunKind.SWITCHOVER, 190, waives=Rule.CAPACITY))


def test_a_failover_is_never_refused_for_room_because_the_lost_region_serves_nobody() -> None:
    ledger = an_owned_ledger(sized(a_service(), EU=200, US=100))

    ledger.must(a_move(RunKind.FAILOVER, 190))


def test_the_move_after_a_drain_is_not_asked_again() -> None:
    ledger = an_owned_ledger(sized(a_service(), AP=10, EU=200, US=100))
    ledger.must(a_drain(EU, loads(CHAT, EU=190), waives=Rule.CAPACITY))

    ledger.must(a_move(RunKind.SWITCHOVER, 190))


def a_bench(ledger: Ledger, watch: Watch) -> Bench:
    leases = LeaseBook(DEFAULT_TIMING)
    leases.gained(1, now_ms=0)
    return Bench(ledger.state, watch.court, leases, NOW_MS)


def heard(topology_of: State, load_by_region: dict[RegionId, int]) -> Watch:
    """Every region was just heard, and those named said what chat takes there."""
    watch = Watch(topology_of.topology)
    for number, region_id in enumerate((AP, EU, US)):
        reading = replace(a_service_reading(), load_rps=load_by_region.get(region_id))
        gates = says_lag(0).gates
        report = a_report(region_id, says(reading, gates=gates), counter=number + 1)
        watch.log.observe(report, now_ms=NOW_MS)
    return watch


def test_a_target_with_room_comes_before_a_preferred_one_without() -> None:
    # US is preferred to AP by priority, and half as large as it had to be.
    ledger = an_owned_ledger(sized(a_service(), AP=500, EU=200, US=100))
    bench = a_bench(ledger, heard(ledger.state, {EU: 190}))

    found = candidates(
        bench,
        ledger.state.topology.services[0],
        ledger.group(),
        suspected_ms=NOW_MS,
        automatic=True,
    )

    assert [(each.region_id, each.is_too_small) for each in found] == [(AP, False), (US, True)]


def test_a_target_without_room_is_better_than_none() -> None:
    ledger = an_owned_ledger(sized(a_service(), AP=10, EU=200, US=100))
    bench = a_bench(ledger, heard(ledger.state, {EU: 190}))

    found = candidates(
        bench,
        ledger.state.topology.services[0],
        ledger.group(),
        suspected_ms=NOW_MS,
        automatic=True,
    )

    assert [(each.region_id, each.ineligible) for each in found] == [(US, None), (AP, None)]


# -- asking the leader -----------------------------------------------------------------------------


def test_a_drain_asked_of_the_leader_carries_what_it_observed() -> None:
    ledger = an_owned_ledger(sized(a_service(), AP=10, EU=200, US=300))
    bench = a_bench(ledger, heard(ledger.state, {EU: 190, US: 3}))

    decided = decide(bench, DrainAsked(EU, drained=True), STAMP)

    assert isinstance(decided, SetRegionDrained)
    assert decided.loads == (RegionLoad(CHAT, EU, 190), RegionLoad(CHAT, US, 3))
    assert preview(bench, decided) == (
        "eu-north1 would be drained; chat: headroom 157 % (300 free for 190 rps)"
    )


def test_a_drain_without_a_statement_says_what_is_missing() -> None:
    ledger = an_owned_ledger(sized(a_service(), EU=200))
    bench = a_bench(ledger, heard(ledger.state, {EU: 190}))
    decided = decide(bench, DrainAsked(EU, drained=True), STAMP)

    assert isinstance(decided, SetRegionDrained)
    assert "no capacity is declared for chat in ap-south1, us-east1" in preview(bench, decided)


def test_the_leader_refuses_a_drain_and_a_move_without_room_at_once() -> None:
    ledger = an_owned_ledger(sized(a_service(), AP=10, EU=200, US=100))
    bench = a_bench(ledger, heard(ledger.state, {EU: 190}))

    for asked in (DrainAsked(EU, drained=True), MoveAsked(RunKind.SWITCHOVER, CHAT, US)):
        refused = decide(bench, asked, STAMP)
        assert isinstance(refused, Refusal)
        assert dict(refused.metadata)["rule"] == Rule.CAPACITY
        assert "--force-capacity" in refused.message
        forced = replace(asked, waives=Rule.CAPACITY)
        assert not isinstance(decide(bench, forced, STAMP), Refusal)


def test_the_headroom_is_what_the_worst_loss_leaves() -> None:
    service = sized(an_active_active(), AP=100, EU=100, US=100)
    ledger = a_ledger(service)

    region_id, room = worst_loss_room(ledger.state, service, loads(AP=10, EU=80, US=10))

    assert (region_id, room) == (EU, Room(displaced_rps=80, free_rps=180))
    assert room.headroom_per_mille == 2_250
    assert drain_room(ledger.state, service, AP, loads(AP=10, EU=80, US=10)) == Room(10, 110)


# -- loads -----------------------------------------------------------------------------------------


def test_a_load_holds_while_the_agent_beats_and_a_minute_longer() -> None:
    watch = Watch()
    said = says(replace(a_service_reading(), load_rps=70))
    watch.log.observe(a_report(EU, said), now_ms=0)
    watch.log.observe(a_report(EU, None, counter=2), now_ms=100_000)

    last_ms = 100_000 + LOAD_AGE_MS_MAX
    assert watch.log.load_rps((CHAT, EU), now_ms=last_ms) == 70
    assert watch.log.load_rps((CHAT, EU), now_ms=last_ms + 1) is None


def test_a_load_that_is_no_longer_told_is_known_for_a_minute() -> None:
    watch = Watch()
    watch.log.observe(a_report(EU, says(replace(a_service_reading(), load_rps=70))), now_ms=0)
    watch.log.observe(a_report(EU, says(a_service_reading()), counter=2), now_ms=1_000)

    assert watch.log.load_rps((CHAT, EU), now_ms=LOAD_AGE_MS_MAX) == 70
    assert watch.log.load_rps((CHAT, EU), now_ms=LOAD_AGE_MS_MAX + 1) is None


def test_the_newest_of_several_agents_is_believed() -> None:
    watch = Watch()
    for number, (agent, rps) in enumerate((("a", 10), ("b", 30), ("a", 20))):
        said = says(replace(a_service_reading(), load_rps=rps))
        report = a_report(EU, said, agent_id=agent, counter=number + 1)
        watch.log.observe(report, now_ms=1_000 * number)

    assert watch.log.load_rps((CHAT, EU), now_ms=3_000) == 20


# -- manifests -------------------------------------------------------------------------------------


def test_documents_may_not_take_a_region_away_whose_load_finds_no_room() -> None:
    service = sized(an_active_active(), AP=100, EU=100, US=100)
    ledger = a_ledger(service)
    smaller = replace(service, sites=service.sites[:-1])
    observed = loads(AP=80, EU=80, US=60)

    after = a_topology(smaller)
    assert rule_of(ledger, ApplyManifest(a_stamp(), after, loads=observed)) == Rule.CAPACITY
    ledger.must(ApplyManifest(a_stamp(), after, loads=loads(AP=10, EU=10, US=60)))


def test_documents_that_take_nothing_away_are_not_refused_because_a_service_is_too_full() -> None:
    service = sized(an_active_active(), AP=100, EU=100, US=100)
    ledger = a_ledger(service)
    full = loads(AP=150, EU=150, US=150)

    larger = sized(an_active_active(), AP=100, EU=100, US=120)
    ledger.must(ApplyManifest(a_stamp(), a_topology(larger), loads=full))

    assert rule_of(ledger, ApplyManifest(a_stamp(), a_topology(service), loads=full)) == (
        Rule.CAPACITY
    )


# -- the log ---------------------------------------------------------------------------------------


def test_what_a_decision_rested_on_survives_the_log() -> None:
    drain = a_drain(EU, loads(EU=3), waives=Rule.CAPACITY)
    move = a_move(RunKind.SWITCHOVER, 12, waives=Rule.CAPACITY)
    topology = a_topology(an_active_active(routing=RoutingSpec(spill_per_mille=850)))
    manifest = ApplyManifest(a_stamp(), topology, allow_removed=(CHAT,), loads=loads(EU=3))

    for command in (drain, move, manifest):
        assert decode_command(encode_command(command), index=1) == command
    ledger = Ledger()
    ledger.must(manifest)
    assert decode_state(encode_state(ledger.state)) == ledger.state
    assert CHAT_GROUP not in [group.group_id for group in ledger.state.groups]
