"""When a full region sends clients on, how many, and what the machine makes of the decision.

The loads here answer to the shares, as clients do: what a region sends on, the others take.
"""

import random
from dataclasses import replace

import pytest

from director.core.commands import ApplyManifest, RecordSpill, SetRegionDrained
from director.core.events import SpillRecorded
from director.core.loads import SpillRecord, SpillSite
from director.core.reasons import Reason
from director.core.routes import Compiled, compile_table
from director.core.spill import SPILL_EVERY_MS
from director.core.spill_plan import SpillWatch, next_spill
from director.core.topology import RoutingSpec, ServiceSpec
from director.routing.table import RegionId, ServiceMode, Verdict
from director.service.codec import decode_command, decode_state, encode_command, encode_state
from tests.core.builders import (
    AP,
    EU,
    US,
    WEB,
    Ledger,
    Watch,
    a_ledger,
    a_report,
    a_service_reading,
    a_site,
    a_stamp,
    a_topology,
    a_verdict,
    an_active_active,
    says,
)

CAPACITY = 1_000
SPILL_AT = 850


def a_spilling(**changes: object) -> ServiceSpec:
    sites = tuple(replace(a_site(each), capacity_rps=CAPACITY) for each in (AP, EU, US))
    routing = RoutingSpec(ttl_ms=5_000, spill_per_mille=SPILL_AT)
    return replace(an_active_active(sites=sites, routing=routing), **changes)  # type: ignore[arg-type]


class Traffic:
    """Clients that follow the shares at once, in a fleet whose leader looks every ten seconds."""

    def __init__(self, ledger: Ledger, **demand: int) -> None:
        self.ledger = ledger
        self.demand = {globals()[name]: rps for name, rps in demand.items()}
        self.at_ms = 0
        self.writes = 0

    def load(self, region_id: RegionId) -> int | None:
        spills = self.ledger.state.spills
        if not self.demand.get(region_id):
            return None
        kept = {
            each: rps * (1_000 - _share(spills.get((WEB, each)))) // 1_000
            for each, rps in self.demand.items()
        }
        given = sum(self.demand.values()) - sum(kept.values())
        takers = [
            each for each in self.demand if (found := spills.get((WEB, each))) and not found.is_full
        ]
        return kept[region_id] + (given // len(takers) if region_id in takers else 0)

    def look(self, count: int = 1) -> None:
        """Let the leader look ``count`` times, as far apart as it may decide."""
        for _ in range(count):
            self.at_ms += SPILL_EVERY_MS
            service = self.ledger.state.topology.services[0]
            found = next_spill(self.ledger.state, service, self.load, a_stamp(self.at_ms))
            if found is not None:
                self.ledger.must(found)
                self.writes += 1

    @property
    def shares(self) -> dict[RegionId, int]:
        spills = self.ledger.state.spills
        return {pair[1]: each.per_mille for pair, each in spills.items() if each.per_mille}


def _share(record: SpillRecord | None) -> int:
    return 0 if record is None else record.per_mille


def test_a_region_below_its_threshold_sends_nobody_and_writes_nothing() -> None:
    traffic = Traffic(a_ledger(a_spilling()), AP=300, EU=849, US=300)

    traffic.look(20)

    assert (traffic.shares, traffic.writes) == ({}, 0)


def test_a_region_at_its_threshold_sends_enough_to_be_a_little_below() -> None:
    traffic = Traffic(a_ledger(a_spilling()), AP=300, EU=920, US=300)

    traffic.look()

    # 920 of 1 000 are to become 800: 131 per mille.
    assert traffic.shares == {EU: 131}
    load = traffic.load(EU)
    assert load is not None
    assert load <= 800


def test_a_share_that_is_about_right_stays_and_nothing_is_written() -> None:
    traffic = Traffic(a_ledger(a_spilling()), AP=300, EU=920, US=300)
    traffic.look()

    for demand in (930, 910, 925, 900, 935):
        traffic.demand[EU] = demand
        traffic.look(3)

    assert traffic.writes == 1


def test_sending_ends_only_when_all_its_clients_would_leave_it_well_below() -> None:
    traffic = Traffic(a_ledger(a_spilling()), AP=300, EU=920, US=300)
    traffic.look()

    traffic.demand[EU] = 770
    traffic.look(3)
    assert EU in traffic.shares
    traffic.demand[EU] = 740
    traffic.look(3)
    assert traffic.shares == {}
    assert traffic.ledger.state.spills == {}


def test_a_demand_around_the_threshold_does_not_flap() -> None:
    traffic = Traffic(a_ledger(a_spilling()), AP=300, EU=840, US=300)

    for number in range(60):
        traffic.demand[EU] = 840 + 20 * (number % 2)
        traffic.look()

    assert traffic.writes <= 1


def test_no_more_is_sent_than_the_others_have_room_for() -> None:
    traffic = Traffic(a_ledger(a_spilling()), AP=650, EU=1_500, US=900)

    traffic.look(20)

    # AP may be filled up to 800 of 1 000; US is full.
    assert traffic.shares == {EU: 100}
    assert traffic.ledger.state.spills[WEB, US].is_full
    load = traffic.load(AP)
    assert load is not None
    assert load <= 800


def test_where_every_region_is_full_nobody_sends() -> None:
    traffic = Traffic(a_ledger(a_spilling()), AP=900, EU=1_500, US=900)

    traffic.look(20)

    assert (traffic.shares, traffic.writes) == ({}, 0)


def test_a_flood_is_sent_on_step_by_step_and_settles() -> None:
    sites = tuple(
        replace(a_site(each), capacity_rps=CAPACITY if each == EU else 10_000)
        for each in (AP, EU, US)
    )
    traffic = Traffic(a_ledger(a_spilling(sites=sites)), AP=100, EU=4_000, US=100)

    traffic.look()
    assert traffic.shares == {EU: 300}
    traffic.look(20)

    # 800 of 4 000 stay.
    assert traffic.shares[EU] == pytest.approx(800, abs=50)
    assert traffic.writes <= 4


@pytest.mark.parametrize("missing", ["load", "capacity"])
def test_without_a_load_or_a_capacity_a_region_neither_sends_nor_takes(missing: str) -> None:
    service = a_spilling()
    if missing == "capacity":
        sites = tuple(
            replace(site, capacity_rps=CAPACITY if site.region_id == US else 0)
            for site in service.sites
        )
        service = replace(service, sites=sites)
        traffic = Traffic(a_ledger(service), AP=100, EU=2_000, US=2_000)
    else:
        traffic = Traffic(a_ledger(service), EU=2_000)

    traffic.look(5)

    assert traffic.writes == 0


class Preferring(Traffic):
    """Clients that go to the next region in the order of where they come from, not to any."""

    def __init__(
        self,
        ledger: Ledger,
        orders: dict[RegionId, list[RegionId]],
        priorities: dict[RegionId, int],
        demand: dict[RegionId, int],
    ) -> None:
        super().__init__(ledger)
        self.orders, self.priorities, self.demand = orders, priorities, demand

    def load(self, region_id: RegionId) -> int | None:
        return self.loads()[region_id]

    def loads(self) -> dict[RegionId, int]:
        spills = self.ledger.state.spills
        taking = [
            each for each in self.demand if (found := spills.get((WEB, each))) and not found.is_full
        ]
        first = min((self.priorities[each] for each in taking), default=0)
        taking = [each for each in taking if self.priorities[each] == first]
        loads = dict.fromkeys(self.demand, 0)
        for region_id, rps in self.demand.items():
            sent = rps * _share(spills.get((WEB, region_id))) // 1_000
            loads[region_id] += rps - sent
            if sent:
                loads[next(each for each in self.orders[region_id] if each in taking)] += sent
        return loads


def preferring(seed: int) -> tuple[Preferring, dict[RegionId, int]]:
    """Return traffic of a drawn fleet, and the capacities of its regions."""
    rng = random.Random(seed)
    regions = (AP, EU, US)
    capacities = {each: rng.choice((100, 500, 1_000, 5_000)) for each in regions}
    priorities = {each: rng.choice((0, 0, 1)) for each in regions}
    demand = {
        each: capacities[each] * rng.choice((5, 30, 60, 80, 90, 120, 200)) // 100
        for each in regions
    }
    orders = {each: rng.sample(regions, 3) for each in regions}
    sites = tuple(
        replace(a_site(each), capacity_rps=capacities[each], priority=priorities[each])
        for each in regions
    )
    ledger = a_ledger(a_spilling(sites=sites))
    return Preferring(ledger, orders, priorities, demand), capacities


def test_no_region_is_filled_by_others_whichever_of_them_their_clients_prefer() -> None:
    # A small region may be the next for every client, or the only one of the first priority.
    for seed in range(150):
        traffic, capacities = preferring(seed)

        for _ in range(12):
            traffic.look()
            for region_id, rps in traffic.loads().items():
                own = traffic.demand[region_id]
                least = capacities[region_id] * SPILL_AT // 1_000
                assert rps <= max(own, least + 2), (seed, region_id, traffic.shares)
        writes = traffic.writes
        traffic.look(12)
        assert traffic.writes == writes, f"seed {seed} does not settle: {traffic.shares}"


def test_a_region_that_is_full_by_what_it_takes_is_sent_less_and_not_nothing() -> None:
    traffic = Traffic(a_ledger(a_spilling()), AP=600, EU=1_200)
    traffic.look()
    assert traffic.shares == {EU: 166}

    traffic.demand[AP] = 660
    traffic.look()

    assert traffic.shares == {EU: 115}
    load = traffic.load(AP)
    assert load is not None
    assert load <= 800


def test_a_region_that_is_drained_or_down_takes_nobody() -> None:
    ledger = a_ledger(a_spilling())
    ledger.must(SetRegionDrained(a_stamp(), AP, drained=True))
    traffic = Traffic(ledger, AP=0, EU=920, US=300)
    traffic.demand[AP] = 1
    traffic.look()
    assert ledger.state.spills[WEB, AP].is_full

    ledger.must(a_verdict(Verdict.DOWN, US, WEB, at_ms=traffic.at_ms))
    traffic.look(3)
    assert traffic.shares == {}


def test_a_decision_waits_until_polling_clients_have_followed_the_last() -> None:
    slow = a_spilling(routing=RoutingSpec(ttl_ms=60_000, spill_per_mille=SPILL_AT))
    traffic = Traffic(a_ledger(slow), AP=300, EU=920, US=300)
    traffic.look()
    traffic.demand[EU] = 100

    traffic.look(5)
    assert EU in traffic.shares
    traffic.look(2)
    assert traffic.shares == {}


# -- the machine -----------------------------------------------------------------------------------


def a_spill(
    *shares: tuple[RegionId, int, bool], at_ms: int = 0, expected_index: int = 0
) -> RecordSpill:
    sites = tuple(SpillSite(region, share, 900, full) for region, share, full in shares)
    return RecordSpill(a_stamp(at_ms), WEB, sites, expected_index)


USUAL = ((AP, 0, False), (EU, 120, True), (US, 0, False))


def test_a_decision_is_put_in_force_and_routes_say_so() -> None:
    ledger = a_ledger(a_spilling())
    before = Compiled(ledger.state, compile_table(ledger.state, ()))

    event = ledger.must(a_spill(*USUAL))

    assert event == SpillRecorded(2, WEB, ((EU, 120),))
    table = compile_table(ledger.state, (), before)
    assert table == compile_table(ledger.state, ())
    site = next(each for each in table.services[0].sites if each.region_id == EU)
    assert (site.spill_per_mille, site.load_per_mille, site.is_full) == (120, 900, True)


def test_changes_come_no_faster_than_clients_can_follow() -> None:
    ledger = a_ledger(a_spilling())
    ledger.must(a_spill(*USUAL))

    early = a_spill(at_ms=SPILL_EVERY_MS - 1, expected_index=2)
    assert ledger.rejection(early) is Reason.COOLDOWN
    ledger.must(a_spill(at_ms=SPILL_EVERY_MS, expected_index=2))


def test_a_decision_made_on_an_earlier_one_changes_nothing() -> None:
    ledger = a_ledger(a_spilling())
    ledger.must(a_spill(*USUAL))

    late = a_spill(*USUAL, at_ms=2 * SPILL_EVERY_MS)
    assert ledger.rejection(late) is Reason.STALE_STAGE


@pytest.mark.parametrize(
    ("shares", "reason"),
    [
        (((AP, 0, True), (EU, 120, True)), Reason.SAFETY_RULE),
        (((EU, 120, False), (US, 0, False)), Reason.INVALID_REQUEST),
        (((EU, 1_000, True), (US, 0, False)), Reason.INVALID_REQUEST),
        (((US, 0, False), (EU, 120, True)), Reason.INVALID_REQUEST),
        (((EU, 120, True), (RegionId("mars"), 0, False)), Reason.INVALID_REQUEST),
        ((), Reason.NOTHING_TO_DO),
    ],
)
def test_a_decision_that_does_not_fit_changes_nothing(
    shares: tuple[tuple[RegionId, int, bool], ...], reason: Reason
) -> None:
    assert a_ledger(a_spilling()).rejection(a_spill(*shares)) is reason


@pytest.mark.parametrize(
    "service",
    [
        an_active_active(),
        a_spilling(mode=ServiceMode.ACTIVE_PASSIVE),
    ],
    ids=["without spillAt", "active-passive"],
)
def test_a_service_that_may_not_spill_does_not(service: ServiceSpec) -> None:
    assert a_ledger(service).rejection(a_spill(*USUAL)) is Reason.NOTHING_TO_DO


def test_documents_that_take_spill_at_away_end_it() -> None:
    ledger = a_ledger(a_spilling())
    ledger.must(a_spill(*USUAL))

    ledger.must(ApplyManifest(a_stamp(), a_topology(an_active_active())))

    assert ledger.state.spills == {}


def test_decisions_survive_the_log_and_a_snapshot() -> None:
    ledger = a_ledger(a_spilling())
    ledger.must(a_spill(*USUAL))

    assert decode_command(encode_command(a_spill(*USUAL)), index=1) == a_spill(*USUAL)
    assert decode_state(encode_state(ledger.state)) == ledger.state


# -- the leader ------------------------------------------------------------------------------------


def heard(watch: Watch, now_ms: int, **rps: int) -> None:
    for number, (name, load) in enumerate(rps.items()):
        reading = replace(a_service_reading(service_id=WEB), load_rps=load)
        report = a_report(globals()[name], says(reading), counter=now_ms + number + 1)
        watch.log.observe(report, now_ms=now_ms)


def test_a_new_leader_first_hears_everybody_and_then_looks_once_a_second() -> None:
    ledger = a_ledger(a_spilling())
    watch = Watch(ledger.state.topology)
    spills = SpillWatch()
    spills.gained(now_ms=0)
    settle_ms = watch.timing.settle_ms

    def due(now_ms: int) -> list[str]:
        heard(watch, now_ms, AP=100, EU=990, US=100)
        found = spills.due(ledger.state, watch.court, a_stamp(now_ms), frozenset(), now_ms=now_ms)
        return [key for key, _ in found]

    assert due(settle_ms - 1) == []
    assert due(settle_ms) == ["spill:web"]
    assert due(settle_ms + 999) == []
    assert due(settle_ms + 1_000) == ["spill:web"]


def test_a_decision_under_way_is_not_proposed_again() -> None:
    ledger = a_ledger(a_spilling())
    watch = Watch(ledger.state.topology)
    heard(watch, 60_000, AP=100, EU=990, US=100)
    spills = SpillWatch()

    busy = frozenset({"spill:web"})
    assert spills.due(ledger.state, watch.court, a_stamp(0), busy, now_ms=60_000) == []
