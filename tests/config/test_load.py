"""Documents in, a topology out; the topology out again as documents that mean the same."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from director.config.export import export_topology
from director.config.load import load_topology
from director.core.drill import (
    DrillCondition,
    DrillKind,
    DrillScenario,
    DrillSpec,
    DrillWindow,
    RegionState,
)
from director.core.ids import PolicyId
from director.core.topology import (
    Automation,
    HealthSpec,
    LinkSpec,
    Policy,
    ProbeKind,
    ProbeSpec,
    RegionSpec,
    RoutingSpec,
    ServiceSpec,
    SiteSpec,
    Topology,
)
from director.routing.table import (
    AllUnhealthy,
    Endpoint,
    Location,
    RegionId,
    ResidencyRule,
    ServiceId,
    ServiceMode,
    Strategy,
    Verdict,
)
from tests.config.sample import ALL, CHAT, DRILL, EMBED, FLEET, POLICY

EU_WEST = RegionId("eu-west1")
EU_NORTH = RegionId("eu-north1")
US_EAST = RegionId("us-east1")

CHAT_SPEC = ServiceSpec(
    service_id=ServiceId("chat"),
    mode=ServiceMode.ACTIVE_PASSIVE,
    policy_id=PolicyId("tier0"),
    rto_ms=60_000,
    rpo_ms=5_000,
    sites=(
        SiteSpec(EU_NORTH, priority=1, endpoints=(Endpoint("chat.eu-north1.internal:443"),)),
        SiteSpec(
            EU_WEST,
            capacity_rps=12_000,
            endpoints=(
                Endpoint("chat.eu-west1.internal:443", zone="b", labels=(("model", "v3"),)),
            ),
        ),
    ),
    routing=RoutingSpec(sticky=True),
    residency=(ResidencyRule("EU", ("EU",)),),
    health=HealthSpec(
        probe_timeout_ms=400,
        rise_count=2,
        probe=ProbeSpec(ProbeKind.HTTP, "/ready", ":8080"),
    ),
)

EMBED_SPEC = ServiceSpec(
    service_id=ServiceId("embed"),
    mode=ServiceMode.ACTIVE_ACTIVE,
    policy_id=PolicyId("default"),
    rto_ms=40_000,
    rpo_ms=None,
    sites=(
        SiteSpec(EU_WEST, endpoints=(Endpoint("10.0.0.1:443"),)),
        SiteSpec(US_EAST, weight=50, endpoints=(Endpoint("[fd00::1]:443", weight=2),)),
    ),
    gated=False,
)


def test_documents_become_a_topology_sorted_by_id_with_every_duration_in_milliseconds() -> None:
    loaded = load_topology([("all.yaml", ALL)])

    assert loaded.faults == ()
    assert loaded.topology == Topology(
        fleet_id="prod",
        regions=(
            RegionSpec(EU_NORTH, Location(60.57, 27.19), "EU", "eu-b"),
            RegionSpec(EU_WEST, Location(50.45, 3.82), "EU", "eu-a"),
            RegionSpec(US_EAST, Location(33.2, -80.01), "US", "us-a"),
        ),
        links=(LinkSpec(EU_WEST, US_EAST, 88_500),),
        services=(CHAT_SPEC, EMBED_SPEC),
        policies=(Policy(PolicyId("tier0")),),
    )


def test_the_order_of_documents_and_files_makes_no_difference() -> None:
    together = load_topology([("all.yaml", ALL)])

    apart = load_topology([("p", POLICY), ("e", EMBED), ("c", CHAT), ("f", FLEET)])

    assert apart.topology == together.topology


def test_a_drill_schedule_becomes_part_of_the_topology() -> None:
    loaded = load_topology([("all.yaml", f"{ALL}---\n{DRILL}")])

    assert loaded.faults == ()
    assert loaded.topology is not None
    [schedule] = loaded.topology.drill_schedules
    assert (schedule.schedule_id, schedule.cron) == ("chat-weekly", "30 3 * * 2")
    assert schedule.spec == DrillSpec(
        ServiceId("chat"),
        DrillScenario(DrillKind.BLACKHOLE, RegionId("eu-west1")),
        for_ms=600_000,
        expect_rto_ms=45_000,
        expect_rpo_ms=5_000,
        abort_when=(DrillCondition((RegionState(RegionId("eu-north1"), Verdict.DOWN),)),),
        skip_when=(DrillCondition(failover_in_progress=True),),
        allowed_windows=(DrillWindow(1, 3, 120, 300),),
    )


def test_every_kind_of_drill_schedule_comes_back_from_its_export() -> None:
    latency = DRILL.replace("how: Blackhole", "how: Latency, delay: 800ms").replace(
        "  expect: {rto: 45s, rpo: 5s}\n", ""
    )
    errors = DRILL.replace("how: Blackhole", 'how: ErrorRate, share: "25%"').replace(
        "allowedWindows:", 'blockedDates: ["12-24", "2026-12-31"]\n  allowedWindows:'
    )
    switchover = DRILL.replace("region: eu-west1, how: Blackhole", "how: Switchover")
    for number, text in enumerate((DRILL, latency, errors, switchover)):
        loaded = load_topology([("all.yaml", f"{ALL}---\n{text}")])
        assert (number, loaded.faults) == (number, ())
        assert loaded.topology is not None

        again = load_topology([("export.yaml", export_topology(loaded.topology))])

        assert again.topology == loaded.topology


@pytest.mark.parametrize(
    ("was", "is_now", "said"),
    [
        ("how: Blackhole", "how: Latency", "latency without a delay"),
        ("region: eu-west1, how", "how", "no region"),
        ("for: 10m", "for: 2h", "at most 60 minutes"),
        ("Europe/Brussels", "Europe/Bruxelles", "unknown time zone"),
        ("region: eu-west1", "region: us-east1", "chat is not in us-east1"),
    ],
)
def test_a_drill_schedule_that_could_not_run_is_a_fault(was: str, is_now: str, said: str) -> None:
    assert was in DRILL

    loaded = load_topology([("all.yaml", f"{ALL}---\n{DRILL.replace(was, is_now, 1)}")])

    assert [each.code for each in loaded.faults] == ["D121"]
    assert said in loaded.faults[0].message


def test_an_anchor_may_be_used_again() -> None:
    text = ALL.replace(
        'endpoints: [{address: "10.0.0.1:443"}]', 'endpoints: &one [{address: "10.0.0.1:443"}]'
    ).replace('endpoints: [{address: "[fd00::1]:443", weight: 2}]', "endpoints: *one")

    loaded = load_topology([("all.yaml", text)])

    assert loaded.topology is not None
    embed = loaded.topology.service(ServiceId("embed"))
    assert embed is not None
    assert embed.sites[0].endpoints == embed.sites[1].endpoints == (Endpoint("10.0.0.1:443"),)


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
WORDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,8}", fullmatch=True)
DURATIONS = st.integers(0, 100_000_000)
POSITIVE = st.integers(1, 100_000_000)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)
ENDPOINTS = st.builds(
    Endpoint,
    address=st.from_regex(r"[a-z][a-z0-9]{0,9}:[1-9][0-9]{0,3}", fullmatch=True),
    zone=TEXTS,
    labels=st.dictionaries(TEXTS, TEXTS, max_size=2).map(lambda each: tuple(sorted(each.items()))),
    weight=st.integers(1, 9),
)
REGIONS = st.builds(
    RegionSpec,
    region_id=NAMES.map(RegionId),
    location=st.builds(Location, st.floats(-90, 90), st.floats(-180, 180)),
    jurisdiction=WORDS,
    failure_domain=WORDS,
)
POLICIES = st.builds(
    Policy,
    policy_id=NAMES.map(PolicyId),
    automation=st.sampled_from(Automation),
    hold_ms=st.integers(0, 1_000),
    min_interval_ms=DURATIONS,
    concurrent_max=st.integers(1, 9),
    serving_regions_min=st.integers(1, 9),
    require_lag_within_rpo=st.booleans(),
    failback_soak_ms=DURATIONS,
    failback_automatic=st.booleans(),
    flap_half_life_ms=DURATIONS,
    flap_suppress=st.integers(1_001, 10**6),
    flap_reuse=st.integers(1, 1_000),
)
PROBES = st.one_of(
    st.builds(ProbeSpec, st.just(ProbeKind.HTTP), TEXTS.map("/{}".format), st.just(":1")),
    st.just(ProbeSpec(ProbeKind.TCP)),
    st.builds(ProbeSpec, st.just(ProbeKind.GRPC), TEXTS, st.integers(1, 65_535).map(":{}".format)),
)


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """Draw a topology with nothing wrong in it."""
    regions = draw(st.lists(REGIONS, min_size=1, max_size=4, unique_by=lambda r: r.region_id))
    policies = draw(st.lists(POLICIES, max_size=3, unique_by=lambda p: p.policy_id))
    service_ids = draw(st.lists(NAMES, max_size=3, unique=True))
    region_ids = sorted(each.region_id for each in regions)
    services = []
    for service_id in sorted(service_ids):
        is_passive = draw(st.booleans())
        sites = tuple(
            SiteSpec(
                region_id=region_id,
                priority=at if is_passive else draw(st.integers(0, 3)),
                weight=draw(st.integers(1, 1_000)),
                capacity_rps=draw(st.integers(0, 10**9)),
                endpoints=tuple(
                    draw(st.lists(ENDPOINTS, min_size=1, max_size=2, unique_by=lambda e: e.address))
                ),
            )
            for at, region_id in enumerate(region_ids)
        )
        services.append(
            ServiceSpec(
                service_id=ServiceId(service_id),
                mode=ServiceMode.ACTIVE_PASSIVE if is_passive else ServiceMode.ACTIVE_ACTIVE,
                policy_id=draw(
                    st.sampled_from([PolicyId("default"), *(each.policy_id for each in policies)])
                ),
                rto_ms=draw(st.integers(10**6, 10**8)),
                rpo_ms=draw(st.none() | DURATIONS),
                sites=sites,
                routing=RoutingSpec(
                    draw(st.sampled_from(Strategy)),
                    draw(POSITIVE),
                    draw(st.integers(0, 1_000)),
                    draw(st.sampled_from(AllUnhealthy)),
                    draw(st.booleans()),
                ),
                health=HealthSpec(
                    draw(st.integers(1, 10_000)),
                    draw(st.integers(1, 10_000)),
                    draw(st.integers(1, 9)),
                    draw(st.integers(1, 9)),
                    draw(st.integers(1, 9)),
                    draw(PROBES),
                    draw(st.integers(1, 9)),
                ),
                gated=draw(st.booleans()),
            )
        )
    return Topology(
        fleet_id=draw(NAMES),
        regions=tuple(sorted(regions, key=lambda each: each.region_id)),
        links=tuple(
            LinkSpec(one, other, draw(st.integers(1, 10**7))) for one, other in pairwise(region_ids)
        ),
        services=tuple(services),
        policies=tuple(sorted(policies, key=lambda each: each.policy_id)),
    )


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(topologies())
def test_an_exported_topology_loads_as_the_same_topology(topology: Topology) -> None:
    exported = export_topology(topology)

    loaded = load_topology([("export.yaml", exported)])

    assert loaded.errors == ()
    assert loaded.topology == topology
    assert export_topology(topology) == exported
