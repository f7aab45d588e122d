"""What holds for every table and every query: R1, R5, residency, and one code path for explain."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from director.routing.compiled import CompiledTable
from director.routing.explain import explain
from director.routing.table import (
    AllUnhealthy,
    Answer,
    CandidateOutcome,
    ClientPosition,
    Location,
    Override,
    PositionSource,
    Query,
    Refusal,
    RefusalReason,
    RegionId,
    ResidencyRule,
    RouteTable,
    ServiceMode,
    Site,
    Strategy,
    Verdict,
)
from tests.routing.builders import PLACES, SERVICE, a_fleet, a_service, a_site, a_table

LOCATIONS = st.builds(
    Location,
    st.floats(-90, 90, allow_nan=False),
    st.floats(-180, 180, allow_nan=False),
)
REGION_IDS = st.sampled_from(sorted(PLACES)).map(RegionId)
POSITIONS = st.one_of(
    st.just(ClientPosition()),
    LOCATIONS.map(lambda place: ClientPosition(place, None, PositionSource.COORDINATES)),
    REGION_IDS.map(lambda name: ClientPosition(None, name, PositionSource.REGION)),
)
SUBJECTS = st.sampled_from(["", "EU", "US", "XX"])
QUERIES = st.builds(
    Query,
    st.just(SERVICE),
    POSITIONS,
    SUBJECTS,
    st.sampled_from(["", "s1", "s2", "a longer session"]),
    st.integers(0, 5),
)


@st.composite
def sites(draw: st.DrawFn) -> tuple[Site, ...]:
    names = draw(st.lists(st.sampled_from(sorted(PLACES)), unique=True))
    return tuple(
        a_site(
            name,
            draw(st.sampled_from(Verdict)),
            priority=draw(st.integers(0, 2)),
            weight=draw(st.sampled_from([0, 1, 100])),
            override=draw(st.sampled_from([None, None, None, *Override])),
            drained=draw(st.booleans()),
            withheld=draw(st.sampled_from(["", "", "min_serving"])),
            **({"endpoints": ()} if draw(st.integers(0, 9)) == 0 else {}),
        )
        for name in names
    )


@st.composite
def tables(draw: st.DrawFn) -> RouteTable:
    listed = draw(sites())
    service = a_service(
        *listed,
        mode=draw(st.sampled_from(ServiceMode)),
        strategy=draw(st.sampled_from(Strategy)),
        panic_per_mille=draw(st.sampled_from([0, 400, 1000])),
        all_unhealthy=draw(st.sampled_from(AllUnhealthy)),
        sticky=draw(st.booleans()),
        residency=draw(
            st.sampled_from([(), (ResidencyRule("EU", ("EU",)),), (ResidencyRule("US", ()),)])
        ),
        owner=draw(st.one_of(st.none(), REGION_IDS)),
    )
    trips = draw(st.lists(st.tuples(REGION_IDS, REGION_IDS, st.integers(100, 400_000)), max_size=6))
    drained = draw(st.sampled_from(sorted(PLACES)))
    fleet = a_fleet(**{drained: {"drained": draw(st.booleans())}})
    return a_table(service, regions=fleet, round_trips=tuple(trips))


@given(table=tables(), query=QUERIES)
@settings(max_examples=300, deadline=None)
def test_an_answer_is_never_empty_forbidden_or_forced_down(table: RouteTable, query: Query) -> None:
    resolution = CompiledTable(table).resolve(query)
    (service,) = table.services
    if isinstance(resolution, Refusal):
        assert resolution.message
        return
    assert resolution.endpoints
    site = next(site for site in service.sites if site.region_id == resolution.region_id)
    assert set(resolution.endpoints) == set(site.endpoints)
    assert site.override is not Override.FORCE_DOWN
    region = next(region for region in table.regions if region.region_id == site.region_id)
    for rule in service.residency:
        if rule.subject_jurisdiction == query.subject_jurisdiction:
            assert region.jurisdiction in rule.allow_jurisdictions
    if service.mode is ServiceMode.ACTIVE_PASSIVE:
        assert resolution.region_id == service.owner
    if site.verdict is Verdict.DOWN and site.override is not Override.FORCE_UP:
        assert resolution.fail_open
        assert service.all_unhealthy is AllUnhealthy.FAIL_OPEN or site.withheld


@given(table=tables(), query=QUERIES)
@settings(max_examples=300, deadline=None)
def test_a_service_that_fails_open_is_refused_only_for_what_health_cannot_mend(
    table: RouteTable, query: Query
) -> None:
    resolution = CompiledTable(table).resolve(query)
    (service,) = table.services
    is_open = service.all_unhealthy is AllUnhealthy.FAIL_OPEN
    if isinstance(resolution, Refusal) and is_open and service.mode is ServiceMode.ACTIVE_ACTIVE:
        forced = [site.override is Override.FORCE_DOWN for site in service.sites]
        assert resolution.reason is not RefusalReason.ALL_UNHEALTHY or any(forced)


@given(table=tables(), query=QUERIES)
@settings(max_examples=300, deadline=None)
def test_explain_agrees_with_resolve_and_names_every_region_once(
    table: RouteTable, query: Query
) -> None:
    explanation = explain(table, query)
    resolution = CompiledTable(table).resolve(query)
    assert explanation.resolution == resolution
    named = [candidate.region_id for candidate in explanation.candidates]
    assert sorted(named) == sorted(PLACES)
    chosen = [
        candidate.region_id
        for candidate in explanation.candidates
        if candidate.outcome is CandidateOutcome.CHOSEN
    ]
    assert chosen == ([resolution.region_id] if isinstance(resolution, Answer) else [])
    assert all(candidate.text and candidate.reason for candidate in explanation.candidates)


@given(table=tables(), location=LOCATIONS, subject=SUBJECTS, spread=st.integers(0, 9))
@settings(max_examples=300, deadline=None)
def test_the_fast_path_answers_as_the_general_one(
    table: RouteTable, location: Location, subject: str, spread: int
) -> None:
    compiled = CompiledTable(table)
    position = ClientPosition(location, None, PositionSource.ADDRESS)
    general = compiled.resolve(Query(SERVICE, position, subject, "", spread))
    for _ in range(2):
        assert compiled.resolve_place(SERVICE, 1, location, subject, spread) == general


@given(before=tables(), after=tables(), query=QUERIES)
@settings(max_examples=300, deadline=None)
def test_a_table_compiled_after_another_answers_as_one_compiled_alone(
    before: RouteTable, after: RouteTable, query: Query
) -> None:
    previous = CompiledTable(before)
    previous.resolve(query)
    assert CompiledTable(after, previous).resolve(query) == CompiledTable(after).resolve(query)


@given(table=tables(), query=QUERIES)
@settings(max_examples=200, deadline=None)
def test_with_health_unchanged_the_answer_is_unchanged_but_for_its_revision(
    table: RouteTable, query: Query
) -> None:
    compiled = CompiledTable(table)
    first = compiled.resolve(query)
    later = CompiledTable(replace(table, revision=table.revision + 5), compiled).resolve(query)
    if isinstance(first, Answer):
        assert later == replace(first, revision=table.revision + 5)
    else:
        assert later == first
