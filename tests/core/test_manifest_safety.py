"""Documents do not stop a service that serves, whoever applies them (R1, R2, C7).

Each refusal names the service and what to do on purpose.
"""

from dataclasses import replace

import pytest

from director.core.commands import (
    AdvanceRun,
    ApplyManifest,
    Command,
    GrantOwnership,
    RunKind,
    SetOverride,
    SetRegionDrained,
    StageName,
)
from director.core.events import Rejected
from director.core.reasons import Reason
from director.core.routes import compile_table
from director.core.safety import Rule
from director.core.topology import Topology
from director.routing.compiled import CompiledTable
from director.routing.table import (
    Answer,
    Override,
    Query,
    RegionId,
    ServiceId,
    ServiceMode,
    Verdict,
)
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    EU,
    US,
    WEB,
    Ledger,
    a_ledger,
    a_policy,
    a_region,
    a_service,
    a_site,
    a_stamp,
    a_start,
    a_topology,
    a_verdict,
    an_active_active,
    an_owned_ledger,
    started,
)


def refusal(ledger: Ledger, topology: Topology, *allowed: ServiceId) -> Rejected:
    before = ledger.state.topology
    event = ledger.apply(ApplyManifest(a_stamp(), topology, allow_removed=allowed))
    assert isinstance(event, Rejected), event
    assert ledger.state.topology == before
    return event


def rule(event: Rejected) -> str:
    assert event.reason is Reason.SAFETY_RULE, event
    return dict(event.metadata)["rule"]


def answers(ledger: Ledger, service_id: ServiceId) -> bool:
    """Whether clients of the service are sent anywhere."""
    resolution = CompiledTable(compile_table(ledger.state, ())).resolve(Query(service_id))
    return isinstance(resolution, Answer) and bool(resolution.endpoints)


def without(region_id: RegionId, *, also: RegionId | None = None) -> Topology:
    """The sample service without a region of it."""
    sites = tuple(each for each in a_service().sites if each.region_id not in (region_id, also))
    return a_topology(a_service(sites=sites))


def test_a_service_with_an_owner_is_not_dropped_by_leaving_its_document_out() -> None:
    ledger = an_owned_ledger(a_service(), an_active_active())

    event = refusal(ledger, a_topology(an_active_active()))

    assert rule(event) == Rule.SERVICE_STAYS
    assert "--remove-service chat" in event.message


def test_an_active_active_service_is_not_dropped_either_while_it_serves() -> None:
    event = refusal(a_ledger(a_service(), an_active_active()), a_topology(a_service()))

    assert (rule(event), dict(event.metadata)["serviceId"]) == (Rule.SERVICE_STAYS, WEB)


def test_a_service_goes_when_the_operator_names_it_and_only_that_one() -> None:
    ledger = an_owned_ledger(a_service(), an_active_active())
    nothing = replace(a_topology(), services=())

    assert dict(refusal(ledger, nothing, CHAT).metadata)["serviceId"] == WEB
    ledger.must(ApplyManifest(a_stamp(), nothing, allow_removed=(CHAT, WEB)))
    assert ledger.state.topology.services == ()


def test_a_service_that_nobody_owns_yet_may_go() -> None:
    ledger = a_ledger()

    ledger.must(ApplyManifest(a_stamp(), replace(a_topology(), services=())))


@pytest.mark.parametrize("to_passive", [True, False])
def test_the_mode_of_a_service_that_serves_stays(to_passive: bool) -> None:
    passive, active = a_service(), a_service(mode=ServiceMode.ACTIVE_ACTIVE)
    before, after = (active, passive) if to_passive else (passive, active)
    ledger = an_owned_ledger(before)

    event = refusal(ledger, a_topology(after))

    assert rule(event) == Rule.MODE_STAYS
    ledger.must(ApplyManifest(a_stamp(), a_topology(after), allow_removed=(CHAT,)))


def test_the_owners_region_may_not_be_left_out() -> None:
    event = refusal(an_owned_ledger(home=EU), without(EU))

    assert rule(event) == Rule.OWNER_STAYS
    assert "switch it over first" in event.message


def test_the_region_that_still_serves_during_a_move_may_not_be_left_out() -> None:
    ledger = an_owned_ledger(home=EU)
    run_id = started(ledger, a_start(US))
    for was, then in (
        (StageName.CONFIRMING, StageName.FENCING),
        (StageName.FENCING, StageName.PROMOTING),
    ):
        ledger.must(AdvanceRun(a_stamp(), run_id, was, then))
    # US owns by now, and routes still point at EU.
    assert (ledger.group().home, ledger.group().serving) == (US, EU)

    assert rule(refusal(ledger, without(EU))) == Rule.OWNER_STAYS
    assert answers(ledger, CHAT)


def test_documents_may_not_leave_fewer_healthy_regions_than_must_serve() -> None:
    ledger = an_owned_ledger(home=EU)
    ledger.must(a_verdict(Verdict.DOWN, EU))
    # AP and US are what is healthy; leaving both out leaves an owner that is DOWN.

    event = refusal(ledger, without(AP, also=US))

    assert rule(event) == Rule.NEVER_LAST
    assert dict(event.metadata)["serviceId"] == CHAT


def test_documents_may_not_leave_one_region_where_two_must_serve() -> None:
    policy = a_policy(serving_regions_min=2)
    ledger = a_ledger(an_active_active(), policy=policy)

    one_left = a_topology(an_active_active(sites=(a_site(EU),)), policy=policy)

    assert rule(refusal(ledger, one_left)) == Rule.NEVER_LAST
    two_left = a_topology(an_active_active(sites=(a_site(EU), a_site(US))), policy=policy)
    ledger.must(ApplyManifest(a_stamp(), two_left))


def test_a_region_kept_in_service_by_a_rule_may_not_be_left_out_when_it_is_the_last() -> None:
    ledger = a_ledger(an_active_active(sites=(a_site(EU), a_site(US))))
    ledger.must(SetOverride(a_stamp(), WEB, EU, Override.FORCE_DOWN))
    ledger.must(a_verdict(Verdict.DOWN, US, WEB))
    assert ledger.state.verdicts[WEB, US].withheld == Rule.NEVER_LAST

    event = refusal(ledger, a_topology(an_active_active(sites=(a_site(EU),))))

    assert rule(event) == Rule.NEVER_LAST
    assert answers(ledger, WEB)


def test_a_site_without_endpoints_or_in_no_region_is_refused_whatever_validated_it() -> None:
    ledger = an_owned_ledger(home=EU)
    bare = a_service(sites=(replace(a_site(EU), endpoints=()), a_site(US, 1)))

    assert refusal(ledger, a_topology(bare)).reason is Reason.INVALID_DOCUMENT
    elsewhere = a_topology(regions=(a_region(EU), a_region(US)))
    assert refusal(ledger, elsewhere).reason is Reason.INVALID_DOCUMENT
    assert answers(ledger, CHAT)


ORDERS = (("drain", "manifest"), ("manifest", "drain"))


@pytest.mark.parametrize("order", ORDERS)
def test_a_drain_and_documents_that_each_leave_one_region_do_not_leave_none(
    order: tuple[str, str],
) -> None:
    ledger = a_ledger(an_active_active(sites=(a_site(EU), a_site(US))))
    command: dict[str, Command] = {
        "drain": SetRegionDrained(a_stamp(), US, drained=True),
        "manifest": ApplyManifest(a_stamp(), a_topology(an_active_active(sites=(a_site(US),)))),
    }

    ledger.must(command[order[0]])

    assert ledger.rejection(command[order[1]]) is Reason.SAFETY_RULE
    assert answers(ledger, WEB)


def test_a_verdict_after_a_drain_and_documents_keeps_the_last_region_in_service() -> None:
    ledger = a_ledger(an_active_active())
    ledger.must(SetRegionDrained(a_stamp(), US, drained=True))
    smaller = an_active_active(sites=(a_site(EU), a_site(US)))
    ledger.must(ApplyManifest(a_stamp(), a_topology(smaller)))

    ledger.must(a_verdict(Verdict.DOWN, EU, WEB))

    assert ledger.state.verdicts[WEB, EU].withheld == Rule.NEVER_LAST
    assert answers(ledger, WEB)


def test_a_run_keeps_what_it_works_on_whatever_the_operator_allows() -> None:
    ledger = an_owned_ledger(home=EU)
    started(ledger, a_start(US, kind=RunKind.SWITCHOVER, automatic=False))

    nothing = replace(a_topology(), services=())
    assert refusal(ledger, nothing, CHAT).reason is Reason.FAILOVER_IN_PROGRESS


def test_a_service_that_was_taken_out_on_purpose_comes_back_without_an_owner() -> None:
    ledger = an_owned_ledger(home=EU)
    nothing = replace(a_topology(), services=())
    ledger.must(ApplyManifest(a_stamp(), nothing, allow_removed=(CHAT,)))

    ledger.must(ApplyManifest(a_stamp(), a_topology()))

    assert ledger.group().home is None
    ledger.must(GrantOwnership(a_stamp(), CHAT_GROUP, US, 1))
    assert answers(ledger, CHAT)


def test_sites_that_nobody_has_heard_of_do_not_stand_in_for_healthy_ones() -> None:
    service = an_active_active()
    first = replace(service, sites=tuple(a_site(each) for each in (AP, EU)))
    ledger = a_ledger(first)
    for region_id in (AP, EU):
        ledger.must(a_verdict(Verdict.UP, region_id, WEB))
    new = replace(service, sites=(a_site(US),))

    # A slip of the pen in the names of regions must not send every client to the unknown.
    event = refusal(ledger, a_topology(new))
    assert rule(event) == Rule.NEVER_LAST
    assert "nobody has heard of yet" in event.message

    # On purpose it goes in two steps.
    ledger.must(ApplyManifest(a_stamp(), a_topology(service)))
    ledger.must(ApplyManifest(a_stamp(), a_topology(new)))
