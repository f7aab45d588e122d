"""What documents would do before they are applied: to clients, budgets, and a region's loss."""

from dataclasses import replace
from math import asin, cos, radians, sin, sqrt
from random import Random

import pytest

from director.core.budget import asynchronous_exposure_ms, predicted_rto
from director.core.commands import ApplyManifest, SetRegionDrained
from director.core.impact import Impact, impact, loss_of
from director.core.impact_traffic import PlaceShare
from director.core.machine_manifest import with_manifest
from director.core.state import State
from director.core.timing import DEFAULT_TIMING
from director.core.topology import ServiceSpec, SiteSpec, Topology
from director.routing.table import Location, RegionId, ResidencyRule, ServiceId, Verdict
from tests.core.builders import (
    AP,
    CHAT,
    EU,
    SA,
    US,
    WEB,
    a_ledger,
    a_policy,
    a_region,
    a_service,
    a_site,
    a_stamp,
    a_topology,
    a_verdict,
    an_active_active,
    an_owned_ledger,
)

HELSINKI = PlaceShare(Location(60.17, 24.94), 5)
BOSTON = PlaceShare(Location(42.36, -71.06), 3)
MUMBAI = PlaceShare(Location(19.08, 72.88), 2)
PLACES = (HELSINKI, BOSTON, MUMBAI)


def would(state: State, topology: Topology) -> Impact:
    """Return the impact of ``topology`` on ``state``."""
    after = with_manifest(state, state.applied_index + 1, ApplyManifest(a_stamp(), topology))
    return impact(state, after, PLACES, timing=DEFAULT_TIMING)


def web_in(
    *regions: RegionId, name: str = WEB, residency: tuple[ResidencyRule, ...] = ()
) -> ServiceSpec:
    sites = tuple(a_site(each) for each in sorted(regions))
    return an_active_active(ServiceId(name), sites=sites, residency=residency)


def test_the_same_documents_move_nobody_and_change_no_budget() -> None:
    ledger = an_owned_ledger(a_service(), an_active_active())

    found = would(ledger.state, ledger.state.topology)

    assert found.traffic.moved == ()
    assert all(each.before == each.after for each in found.budgets)
    assert all(each.before == each.after for each in found.losses)
    assert found.worst_before == found.worst_after


def test_clients_of_a_region_that_goes_are_counted_by_where_they_would_go() -> None:
    ledger = a_ledger(web_in(AP, EU, US))

    found = would(ledger.state, a_topology(web_in(AP, US)))

    [moved] = found.traffic.moved
    assert (moved.service_id, moved.subject) == (WEB, "")
    # Helsinki is half of the clients; it is nearer to Mumbai than to Washington.
    assert moved.moved_per_mille == 500
    assert [(each.source, each.target, each.share_per_mille) for each in moved.moves] == [
        (EU, AP, 500)
    ]


def test_clients_that_would_be_refused_are_told_apart_from_those_that_move() -> None:
    ledger = a_ledger(web_in(EU, US))
    rule = ResidencyRule("EU", ("US",))

    [moved] = would(ledger.state, a_topology(web_in(EU, residency=(rule,)))).traffic.moved[-1:]

    assert moved.subject == "EU"
    assert {(each.source, each.target, each.refusal) for each in moved.moves} == {
        (EU, None, "RESIDENCY"),
        (US, None, "RESIDENCY"),
    }
    assert moved.moved_per_mille == 1_000


def test_subjects_that_no_rule_names_are_not_moved_by_a_rule() -> None:
    ledger = a_ledger(web_in(EU, US))

    found = would(
        ledger.state, a_topology(web_in(EU, US, residency=(ResidencyRule("EU", ("EU",)),)))
    )

    assert [each.subject for each in found.traffic.moved] == ["EU"]


def test_clients_of_a_new_service_come_from_nowhere_and_of_a_removed_one_go_there() -> None:
    ledger = a_ledger(web_in(EU))

    added = would(ledger.state, a_topology(web_in(EU), web_in(US, name="new")))
    removed = would(ledger.state, a_topology(web_in(US, name="new")))

    assert [(each.service_id, each.moves[0].source) for each in added.traffic.moved] == [
        ("new", None)
    ]
    gone = next(each for each in removed.traffic.moved if each.service_id == WEB)
    assert (gone.moves[0].target, gone.moves[0].refusal) == (None, "SERVICE_NOT_FOUND")


def test_an_active_passive_service_moves_nobody_while_its_owner_stays() -> None:
    ledger = an_owned_ledger(a_service())
    reordered = a_service(sites=(a_site(AP, 0), a_site(EU, 1), a_site(US, 2)))

    assert would(ledger.state, a_topology(reordered)).traffic.moved == ()


def test_a_verdict_that_keeps_clients_away_is_taken_into_account() -> None:
    ledger = a_ledger(web_in(AP, EU, US))
    ledger.must(a_verdict(Verdict.DOWN, EU, WEB))

    # Nobody is in Europe now, so nobody is moved when it goes.
    assert would(ledger.state, a_topology(web_in(AP, US))).traffic.moved == ()


def _km(one: Location, other: Location) -> float:
    lat_one, lat_other = radians(one.lat), radians(other.lat)
    h = sin((lat_other - lat_one) / 2) ** 2
    h += cos(lat_one) * cos(lat_other) * sin(radians(other.lon - one.lon) / 2) ** 2
    return asin(min(1.0, sqrt(h)))


@pytest.mark.parametrize("seed", range(20))
def test_the_share_of_clients_moved_is_that_of_a_plain_search_for_the_nearest(seed: int) -> None:
    draw = Random(seed)
    regions = tuple(
        replace(
            a_region(RegionId(f"r{at}")),
            location=Location(draw.uniform(-60, 70), draw.uniform(-180, 180)),
        )
        for at in range(6)
    )
    before, after = (
        sorted(draw.sample([each.region_id for each in regions], draw.randint(1, 6)))
        for _ in range(2)
    )
    places = [
        PlaceShare(Location(draw.uniform(-60, 70), draw.uniform(-180, 180)), draw.randint(1, 9))
        for _ in range(40)
    ]
    topologies = [a_topology(web_in(*each), regions=regions) for each in (before, after)]
    ledger = a_ledger()
    ledger.state = State()
    ledger.must(ApplyManifest(a_stamp(), topologies[0]))
    then = with_manifest(ledger.state, 2, ApplyManifest(a_stamp(), topologies[1]))

    found = impact(ledger.state, then, places, timing=DEFAULT_TIMING)

    by_id = {each.region_id: each.location for each in regions}

    def nearest(place: PlaceShare, among: list[RegionId]) -> RegionId:
        return min(among, key=lambda each: (_km(place.location, by_id[each]), each))

    moved = sum(each.weight for each in places if nearest(each, before) != nearest(each, after))
    whole = sum(each.weight for each in places)
    shown = found.traffic.moved[0].moved_per_mille if found.traffic.moved else 0
    assert shown == -(-moved * 1_000 // whole)


def test_budgets_are_those_of_the_functions_that_predict_at_run_time() -> None:
    service = a_service(rpo_ms=5_000)
    ledger = an_owned_ledger(service)
    held = a_topology(service, policy=a_policy(hold_ms=17_000))

    [change] = would(ledger.state, held).budgets

    assert change.before is not None
    assert change.after is not None
    expected = predicted_rto(DEFAULT_TIMING, service.health, hold_ms=0, fenced=True).total_ms
    longer = predicted_rto(DEFAULT_TIMING, service.health, hold_ms=17_000, fenced=True).total_ms
    assert (change.before.predicted_rto_ms, change.after.predicted_rto_ms) == (expected, longer)
    assert change.before.is_rto_met
    assert not change.after.is_rto_met
    assert change.before.exposed_ms == asynchronous_exposure_ms(DEFAULT_TIMING)


def test_an_rpo_within_the_lease_is_not_met_and_one_that_is_not_declared_is() -> None:
    exposed_ms = asynchronous_exposure_ms(DEFAULT_TIMING)
    ledger = an_owned_ledger(a_service(rpo_ms=exposed_ms + 1))

    for rpo_ms, is_met in ((exposed_ms, False), (exposed_ms + 1, True), (None, True)):
        [change] = would(ledger.state, a_topology(a_service(rpo_ms=rpo_ms))).budgets
        assert change.after is not None
        assert change.after.is_rpo_met is is_met


def test_the_loss_of_a_region_names_what_is_lost_and_what_would_fail_over() -> None:
    state = an_owned_ledger(a_service(), web_in(EU)).state

    europe, states = loss_of(state, EU), loss_of(state, US)

    assert (europe.lost, europe.moved) == ((WEB,), (CHAT,))
    assert (states.lost, states.moved) == ((), ())


def test_a_region_that_is_down_or_drained_takes_nothing_over() -> None:
    ledger = an_owned_ledger(a_service(sites=(a_site(EU), a_site(US, 1))))
    assert loss_of(ledger.state, EU).lost == ()

    ledger.must(a_verdict(Verdict.DOWN, US))

    assert loss_of(ledger.state, EU).lost == (CHAT,)
    drained = an_owned_ledger(a_service(sites=(a_site(EU), a_site(US, 1))))
    drained.must(SetRegionDrained(a_stamp(), US, drained=True))
    assert loss_of(drained.state, EU).lost == (CHAT,)


def test_subjects_that_residency_leaves_no_region_are_named() -> None:
    rule = ResidencyRule("EU", ("EU",))

    lost = loss_of(a_ledger(web_in(EU, US, residency=(rule,))).state, EU)

    assert (lost.lost, lost.lost_subjects) == ((), ((WEB, "EU"),))


def sized(region_id: RegionId, rps: int, priority: int = 0) -> SiteSpec:
    return replace(a_site(region_id, priority), capacity_rps=rps)


def test_the_capacity_left_is_that_of_the_service_that_keeps_the_least() -> None:
    web = an_active_active(sites=(sized(EU, 600), sized(US, 400)))
    chat = a_service(sites=(sized(AP, 500, 2), sized(EU, 1_000), sized(US, 300, 1)))
    state = an_owned_ledger(chat, web).state

    europe, states = loss_of(state, EU), loss_of(state, US)

    # Of chat one region serves: the largest of the others carries half of what Europe does.
    assert (europe.capacity_left_per_mille, europe.capacity_service) == (400, WEB)
    assert (states.capacity_left_per_mille, states.capacity_service) == (600, WEB)
    alone = an_owned_ledger(chat).state
    assert loss_of(alone, EU).capacity_left_per_mille == 500
    assert loss_of(alone, US).capacity_left_per_mille is None


def test_capacity_that_is_not_declared_makes_no_statement() -> None:
    web = an_active_active(sites=(sized(EU, 600), a_site(US)))

    assert loss_of(a_ledger(web).state, EU).capacity_left_per_mille is None


def test_the_worst_loss_is_the_one_that_leaves_the_most_with_nothing() -> None:
    web = an_active_active(sites=(sized(EU, 100), sized(SA, 100), sized(US, 800)))
    ledger = a_ledger(web)

    found = would(ledger.state, a_topology(web, web_in(SA, name="only")))

    assert (found.worst_before, found.worst_after) == (US, SA)


def test_a_plan_is_made_also_of_documents_that_a_rule_refuses() -> None:
    ledger = an_owned_ledger(a_service())

    # The owner's site may not be taken away; what it would mean is shown all the same.
    found = would(ledger.state, a_topology(a_service(sites=(a_site(AP, 2), a_site(US, 1)))))

    assert [each.service_id for each in found.traffic.moved] == [CHAT]
