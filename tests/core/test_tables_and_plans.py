"""What is compiled from the state: routes, probe plans, predictions, digests, round trips."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import pytest

from director.core.automation_commands import (
    AutomationAction,
    IntentState,
    RecordIntent,
    SetAutomation,
)
from director.core.budget import PredictedRto, predicted_rto
from director.core.commands import (
    AdvanceRun,
    ApplyManifest,
    Command,
    RecordSpill,
    SetOverride,
    SetRegionDrained,
    StartDrill,
)
from director.core.digest import digest
from director.core.drill import DrillKind, DrillScenario, DrillSpec
from director.core.lease import LeaseBook
from director.core.loads import SpillSite
from director.core.observations import RoundTrip
from director.core.probes_plan import plan_probes
from director.core.round_trips import RoundTrips
from director.core.routes import Compiled, compile_table
from director.core.state import State
from director.core.status import service_view
from director.core.timing import DEFAULT_TIMING
from director.core.topology import HealthSpec, LinkSpec, ProbeSpec, RoutingSpec, WebhookSpec
from director.routing.table import Override, RegionId, ServiceId, Verdict
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    EU,
    REGIONS,
    SA,
    STAGES,
    US,
    WEB,
    Ledger,
    Watch,
    a_ledger,
    a_region,
    a_service,
    a_site,
    a_stamp,
    a_topology,
    a_verdict,
    an_active_active,
    an_owned_ledger,
    started,
)

# -- routes ----------------------------------------------------------------------------------------


def test_routes_carry_the_verdicts_overrides_drains_and_the_owner_with_its_token() -> None:
    ledger = an_owned_ledger(a_service(), an_active_active())
    ledger.must(a_verdict(Verdict.DOWN, EU, WEB))
    ledger.must(a_verdict(Verdict.DOWN, US, WEB))  # withheld by the velocity cap
    ledger.must(SetOverride(a_stamp(), WEB, AP, Override.FORCE_UP))
    ledger.must(SetRegionDrained(a_stamp(), SA, drained=True))

    table = compile_table(ledger.state, ())

    chat, web = table.services
    assert (table.revision, table.config_revision) == (ledger.state.changed_index, 1)
    assert [each.drained for each in table.regions] == [False, False, True, False]
    assert (chat.owner, chat.generation, chat.epoch) == (EU, 1, 1)
    assert [(each.region_id, each.verdict, each.withheld) for each in web.sites] == [
        (AP, Verdict.UNKNOWN, ""),
        (EU, Verdict.DOWN, ""),
        (US, Verdict.DOWN, "VELOCITY_CAP"),
    ]
    assert web.sites[0].override is Override.FORCE_UP
    assert (web.owner, web.generation, web.epoch) == (None, 0, 0)


def test_status_shows_the_sites_that_routing_may_use() -> None:
    ledger = an_owned_ledger(a_service(), an_active_active())
    ledger.must(SetRegionDrained(a_stamp(), US, drained=True))
    ledger.must(SetOverride(a_stamp(), CHAT, AP, Override.FORCE_DOWN))
    ledger.must(a_verdict(Verdict.DOWN, AP, WEB))
    leases = LeaseBook(DEFAULT_TIMING)
    bench = Watch(ledger.state.topology).bench(ledger.state, leases, 0)

    seen = {
        service.service_id: {
            site.region_id: site.serving for site in service_view(bench, service, None).sites
        }
        for service in ledger.state.topology.services
    }

    # Asia is forced down or DOWN, the United States are drained.
    assert ledger.state.verdicts[WEB, AP].withheld == ""
    assert seen == {
        CHAT: {AP: False, EU: True, US: False},
        WEB: {AP: False, EU: True, US: False},
    }

    ledger.must(a_verdict(Verdict.DOWN, EU, WEB))
    web = next(each for each in ledger.state.topology.services if each.service_id == WEB)
    view = service_view(replace(bench, state=ledger.state), web, None)
    assert ledger.state.verdicts[WEB, EU].withheld == "NEVER_LAST"
    assert {site.region_id: site.serving for site in view.sites} == {AP: False, EU: True, US: False}


def test_a_group_without_an_owner_has_no_token_in_the_routes() -> None:
    (route,) = compile_table(a_ledger().state, ()).services

    assert (route.owner, route.generation, route.epoch) == (None, 0, 0)


def test_a_measured_round_trip_wins_over_a_declared_one_and_strangers_are_left_out() -> None:
    topology = replace(a_topology(), links=(LinkSpec(EU, US, 90_000), LinkSpec(AP, EU, 120_000)))
    state = State(topology=topology)
    stranger = RegionId("stranger")

    table = compile_table(state, ((EU, US, 85_000), (EU, stranger, 1)))

    assert table.round_trips == (
        (AP, EU, 120_000),
        (EU, AP, 120_000),
        (EU, US, 85_000),
        (US, EU, 90_000),
    )


def test_a_table_compiled_from_the_one_before_is_the_table_compiled_afresh() -> None:
    ledger = an_owned_ledger(a_service(), an_active_active())
    before = Compiled(ledger.state, compile_table(ledger.state, ()))
    run_id = started(ledger)
    steps = [AdvanceRun(a_stamp(), run_id, was, then) for was, then in pairwise(STAGES)]
    commands: list[Command] = [
        a_verdict(Verdict.DOWN, EU, WEB),
        SetOverride(a_stamp(), WEB, EU, Override.FORCE_UP),
        SetRegionDrained(a_stamp(), AP, drained=True),
        *steps,
        SetOverride(a_stamp(), WEB, EU, None),
        a_verdict(Verdict.UP, EU, WEB),
        ApplyManifest(a_stamp(), a_topology(a_service(), an_active_active(sites=(a_site(US),)))),
    ]
    for command in commands:
        ledger.apply(command)
        table = compile_table(ledger.state, (), before)
        assert table == compile_table(ledger.state, ()), command
        before = Compiled(ledger.state, table)


# -- probe plans -----------------------------------------------------------------------------------


def test_every_site_is_watched_from_other_failure_domains() -> None:
    plan = plan_probes(a_topology())

    watchers = {
        region_id: sorted(
            observer
            for observer, directed in plan.items()
            if region_id in {each.region_id for each in directed.targets}
        )
        for region_id in (AP, EU, US)
    }
    assert watchers == {AP: [EU, SA, US], EU: [AP, SA, US], US: [AP, EU, SA]}


def test_two_regions_in_one_failure_domain_give_one_observer() -> None:
    regions = [
        a_region(each, failure_domain="fd-shared" if each in (SA, US) else f"fd-{each}")
        for each in REGIONS
    ]

    plan = plan_probes(a_topology(regions=regions))

    watching_eu = [
        observer
        for observer, directed in plan.items()
        if EU in {each.region_id for each in directed.targets}
    ]
    assert len(watching_eu) == 2
    assert AP in watching_eu


def test_a_large_fleet_shares_the_work_and_nobody_watches_with_more_than_five() -> None:
    names = [RegionId(f"r{number:02d}") for number in range(20)]
    services = [
        a_service(ServiceId(f"s{number:03d}"), sites=tuple(a_site(each) for each in names))
        for number in range(100)
    ]
    plan = plan_probes(a_topology(*services, regions=[a_region(each) for each in names]))

    observers = Counter(
        (target.service_id, target.region_id)
        for directed in plan.values()
        for target in directed.targets
    )
    assert set(observers.values()) == {5}
    loads = [len(directed.targets) for directed in plan.values()]
    # 100 services x 20 sites x 5 observers over 20 regions is 500 each.
    assert sum(loads) == 10_000
    assert max(loads) <= 1_000


@pytest.mark.parametrize(
    ("declared", "probed"),
    [
        ("", "eu-north1.example:8443"),
        (":9000", "eu-north1.example:9000"),
        ("10.0.0.1:80", "10.0.0.1:80"),
    ],
)
def test_a_probe_goes_to_the_endpoint_another_port_of_it_or_another_address(
    declared: str, probed: str
) -> None:
    health = HealthSpec(probe=ProbeSpec(address=declared))
    plan = plan_probes(a_topology(a_service(health=health)))

    addresses = {each.address for each in plan[US].targets if each.region_id == EU}

    assert addresses == {probed}


# -- predictions -----------------------------------------------------------------------------------


def test_the_predicted_recovery_is_the_sum_of_its_phases() -> None:
    # A probe begins up to 500 ms after the fault; three run into 500 ms deadlines with two pauses
    # of 250 ms: 2.5 s. One more round is 0.75 s. Of a lease of 4.181 s, 0.931 s are left.
    fenced = predicted_rto(DEFAULT_TIMING, HealthSpec(), hold_ms=0, fenced=True)
    assert fenced == PredictedRto(2_500, 750, 931, 700)
    assert fenced.total_ms == 4_881

    unfenced = predicted_rto(DEFAULT_TIMING, HealthSpec(), hold_ms=0, fenced=False)
    assert unfenced == PredictedRto(2_500, 0, 0, 700)


def test_with_a_long_interval_an_accusation_waits_for_another_region_to_pass() -> None:
    rare = HealthSpec(every_ms=10_000)

    assert predicted_rto(DEFAULT_TIMING, rare, hold_ms=0, fenced=True).detect_ms == 20_000


def test_a_long_hold_uses_up_what_is_left_of_the_lease() -> None:
    held = predicted_rto(DEFAULT_TIMING, HealthSpec(), hold_ms=5_000, fenced=True)

    assert held == PredictedRto(2_500, 5_750, 0, 700)


# -- digests ---------------------------------------------------------------------------------------

_SCRIPT = """
from tests.core.test_tables_and_plans import a_busy_state, digest
print(digest(a_busy_state()))
"""


def a_busy_state() -> State:
    """A state in which every field has something in it."""
    ledger = an_owned_ledger(a_service(), an_active_active())
    ledger.must(ApplyManifest(a_stamp(), a_topology(a_service(), an_active_active())))
    for region_id in (AP, EU, US):
        ledger.must(a_verdict(Verdict.DEGRADED, region_id, WEB))
    ledger.must(a_verdict(Verdict.DOWN, EU, WEB))
    ledger.must(SetOverride(a_stamp(), WEB, EU, Override.FORCE_UP))
    ledger.must(SetOverride(a_stamp(), WEB, US, Override.FORCE_UP, for_ms=60_000))
    ledger.must(SetRegionDrained(a_stamp(request_id="r1"), SA, drained=True))
    ledger.must(SetAutomation(a_stamp(), WEB, AutomationAction.PAUSE, 60_000))
    proposed = RecordIntent(a_stamp(), CHAT_GROUP, IntentState.OPEN, target=US, expected_epoch=1)
    ledger.must(proposed)
    run_id = started(ledger)
    for was, then in pairwise(STAGES):
        ledger.must(AdvanceRun(a_stamp(1_000), run_id, was, then))
    without_chat = a_topology(an_active_active(routing=RoutingSpec(spill_per_mille=850)))
    with_hook = replace(without_chat, webhooks=(WebhookSpec("ops", "https://ops.example", "OPS"),))
    ledger.must(ApplyManifest(a_stamp(), with_hook, source="documents", allow_removed=(CHAT,)))
    spill = (SpillSite(AP, 100, 900, is_full=True), SpillSite(US, 0, 100, is_full=False))
    ledger.must(RecordSpill(a_stamp(), WEB, spill, expected_index=0))
    spec = DrillSpec(WEB, DrillScenario(DrillKind.BLACKHOLE, EU), for_ms=60_000)
    ledger.must(StartDrill(a_stamp(), spec, "weekly", 1_000, skip_cause="MISSED"))
    return ledger.state


def test_equal_states_have_equal_digests_in_processes_with_other_hash_seeds() -> None:
    seen = {digest(a_busy_state())}
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        printed = subprocess.run(
            [sys.executable, "-c", _SCRIPT],
            cwd=Path(__file__).parents[2],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(printed.stdout.strip())

    assert len(seen) == 1


def test_every_field_of_the_state_counts_for_the_digest() -> None:
    state = a_busy_state()
    blank = State()
    seen = {digest(state)}

    for field in fields(State):
        name = field.name
        other = getattr(blank, name)
        if other == getattr(state, name):
            known = {"generation", "generation_due", "groups"}
            assert name in known, f"{name} is empty in the busy state"
            other = an_owned_ledger().state.groups if name == "groups" else 2
        seen.add(digest(replace(state, **{name: other})))

    assert len(seen) == 1 + len(fields(State))


def test_the_digest_does_not_depend_on_the_order_in_which_verdicts_came() -> None:
    forwards, backwards = a_ledger(), a_ledger()
    for ledger, order in ((forwards, (EU, US)), (backwards, (US, EU))):
        for region_id in order:
            ledger.must(a_verdict(Verdict.UP, region_id))
    same = {pair: forwards.state.verdicts[pair] for pair in reversed(list(forwards.state.verdicts))}

    assert digest(replace(forwards.state, verdicts=same)) == digest(forwards.state)
    assert digest(forwards.state) != digest(backwards.state), "they were committed at other indexes"


# -- round trips -----------------------------------------------------------------------------------


def test_round_trips_are_published_when_one_changed_by_more_than_a_quarter_and_not_often() -> None:
    trips = RoundTrips()
    assert not trips.is_due(now_ms=0)
    trips.observe(EU, (RoundTrip(US, 90_000),))
    assert trips.is_due(now_ms=0)
    assert trips.published(now_ms=0) == ((EU, US, 90_000),)

    trips.observe(EU, (RoundTrip(US, 112_500),))
    assert not trips.is_due(now_ms=60_000), "exactly a quarter is not more than a quarter"
    trips.observe(EU, (RoundTrip(US, 112_501),))
    assert not trips.is_due(now_ms=29_999)
    assert trips.is_due(now_ms=30_000)
    assert trips.published(now_ms=30_000) == ((EU, US, 112_501),)


def test_the_manifest_that_declares_nothing_has_an_empty_table() -> None:
    table = compile_table(Ledger().state, ())

    assert (table.revision, table.regions, table.services) == (0, (), ())
