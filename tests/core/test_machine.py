"""What each command does to the state, and why it is rejected."""

from dataclasses import replace

import pytest

from director.core import machine
from director.core.commands import (
    ApplyManifest,
    GrantOwnership,
    RecordVerdicts,
    SetOverride,
    SetRegionDrained,
    VerdictChange,
)
from director.core.digest import digest
from director.core.events import (
    ManifestApplied,
    OwnershipGranted,
    Rejected,
    Repeated,
    VerdictsRecorded,
)
from director.core.ids import FencingToken, GroupId
from director.core.reasons import Reason
from director.core.safety import VELOCITY_WINDOW_MS, Rule
from director.core.state import REQUESTS_KEPT_MAX, Group, State
from director.core.topology import Topology
from director.routing.table import Override, RegionId, ServiceId, Verdict
from director.service.codec import decode_state, encode_state
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    EU,
    SA,
    US,
    WEB,
    Ledger,
    a_ledger,
    a_policy,
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

# -- entries and time ------------------------------------------------------------------------------


def test_an_entry_without_a_command_moves_only_the_index() -> None:
    state, event = machine.apply(State(), 1, None)

    assert (state, event) == (State(applied_index=1), None)


def test_director_time_never_goes_back() -> None:
    ledger = a_ledger()
    ledger.must(a_verdict(Verdict.UP, EU, at_ms=5_000))

    ledger.must(a_verdict(Verdict.UP, US, at_ms=3_000))

    assert ledger.state.now_ms == 5_000
    assert ledger.state.verdicts[CHAT, US].since_ms == 5_000


def test_an_entry_out_of_order_is_a_bug_and_not_a_user_error() -> None:
    with pytest.raises(AssertionError, match="in order"):
        machine.apply(State(), 2, None)


def test_what_is_kept_of_rules_and_reasons_is_plain_text_as_a_snapshot_gives_it_back() -> None:
    ledger = a_ledger(an_active_active(sites=(a_site(EU), a_site(US))))
    ledger.apply(SetRegionDrained(a_stamp(request_id="r1"), RegionId("nowhere"), drained=True))
    ledger.must(a_verdict(Verdict.DOWN, EU, WEB))
    ledger.must(a_verdict(Verdict.DOWN, US, WEB))

    state = ledger.state
    assert type(state.requests[-1].rejected) is str
    assert {type(record.withheld) for record in state.verdicts.values()} == {str}
    assert any(record.withheld for record in state.verdicts.values())
    assert digest(decode_state(encode_state(state))) == digest(state)


def test_a_repeated_request_gets_the_first_outcome_and_no_second_effect() -> None:
    ledger = a_ledger()
    first = ledger.must(SetRegionDrained(a_stamp(request_id="r1"), US, drained=True))

    again = ledger.apply(SetRegionDrained(a_stamp(request_id="r1"), US, drained=False))

    assert again == Repeated(ledger.state.applied_index, first.index, "r1")
    assert ledger.state.drained_regions == (US,)


def test_a_request_id_used_for_something_else_is_refused_and_says_where_it_was_used() -> None:
    ledger = a_ledger()
    drained = replace(a_stamp(request_id="r1"), ask_digest="drain us")
    first = ledger.must(SetRegionDrained(drained, US, drained=True))

    other = replace(a_stamp(request_id="r1"), ask_digest="undrain us")
    again = ledger.apply(SetRegionDrained(other, US, drained=False))

    assert isinstance(again, Rejected)
    assert again.reason is Reason.INVALID_REQUEST
    assert ("firstIndex", str(first.index)) in again.metadata
    assert ledger.state.drained_regions == (US,)


def test_a_repeated_request_that_was_rejected_is_rejected_with_the_same_reason() -> None:
    ledger = a_ledger()
    nowhere = RegionId("nowhere")
    ledger.apply(SetRegionDrained(a_stamp(request_id="r1"), nowhere, drained=True))

    again = ledger.apply(SetRegionDrained(a_stamp(request_id="r1"), nowhere, drained=True))

    assert isinstance(again, Repeated)
    assert again.rejected == Reason.REGION_NOT_FOUND
    assert "there is no region nowhere" in again.message


def test_a_repeated_failover_request_names_the_run_it_started() -> None:
    ledger = an_owned_ledger()
    run_id = started(ledger, a_start(automatic=False, request_id="r1"))

    again = ledger.apply(a_start(automatic=False, request_id="r1"))

    assert isinstance(again, Repeated)
    assert (again.run_id, len(ledger.state.runs)) == (run_id, 1)


def test_only_the_latest_requests_are_remembered() -> None:
    ledger = a_ledger()
    for number in range(REQUESTS_KEPT_MAX + 5):
        ledger.apply(SetRegionDrained(a_stamp(request_id=f"r{number}"), US, drained=False))

    assert len(ledger.state.requests) == REQUESTS_KEPT_MAX
    assert ledger.state.requests[0].request_id == "r5"


# -- the manifest ----------------------------------------------------------------------------------


def test_a_manifest_makes_one_group_for_each_active_passive_service() -> None:
    ledger = Ledger()

    event = ledger.must(ApplyManifest(a_stamp(), a_topology(a_service(), an_active_active())))

    assert event == ManifestApplied(1, 1)
    assert [group.group_id for group in ledger.state.groups] == [CHAT_GROUP]
    assert (ledger.group().epoch, ledger.group().home) == (0, None)


def test_a_manifest_made_for_another_revision_changes_nothing() -> None:
    ledger = a_ledger()

    stale = ApplyManifest(a_stamp(), a_topology(), expected_revision=7)

    assert ledger.rejection(stale) is Reason.STALE_REVISION


def test_documents_of_another_fleet_are_refused() -> None:
    ledger = a_ledger()

    foreign = replace(a_topology(), fleet_id="other")

    assert ledger.rejection(ApplyManifest(a_stamp(), foreign)) is Reason.INVALID_REQUEST


def test_a_manifest_may_not_take_the_owner_s_site_away() -> None:
    ledger = an_owned_ledger()
    without_home = a_topology(a_service(sites=(a_site(AP), a_site(US))))

    event = ledger.apply(ApplyManifest(a_stamp(), without_home))

    assert isinstance(event, Rejected)
    assert event.reason is Reason.SAFETY_RULE
    assert dict(event.metadata)["rule"] == Rule.OWNER_STAYS


@pytest.mark.parametrize("gone", [(a_site(AP), a_site(EU)), None])
def test_a_manifest_may_not_take_away_what_a_run_works_on(gone: tuple[object, ...] | None) -> None:
    ledger = an_owned_ledger()
    started(ledger)
    after = a_topology(a_service(sites=gone)) if gone else a_topology(an_active_active())

    assert ledger.rejection(ApplyManifest(a_stamp(), after)) is Reason.FAILOVER_IN_PROGRESS


def test_a_manifest_may_not_take_away_the_last_healthy_region() -> None:
    ledger = a_ledger(an_active_active())
    ledger.must(a_verdict(Verdict.DOWN, EU, WEB))
    # Of the two sites that would stay, Europe is out as DOWN and the United States are drained.
    ledger.must(SetRegionDrained(a_stamp(), US, drained=True))
    after = a_topology(an_active_active(sites=(a_site(EU), a_site(US))))

    event = ledger.apply(ApplyManifest(a_stamp(), after))

    assert isinstance(event, Rejected)
    assert dict(event.metadata)["rule"] == Rule.NEVER_LAST


def test_a_manifest_forgets_what_it_no_longer_declares() -> None:
    ledger = a_ledger(an_active_active())
    ledger.must(a_verdict(Verdict.UP, AP, WEB))
    ledger.must(SetOverride(a_stamp(), WEB, AP, Override.FORCE_UP))
    ledger.must(SetRegionDrained(a_stamp(), SA, drained=True))
    after = a_topology(an_active_active(sites=(a_site(EU), a_site(US))))
    after = replace(after, regions=tuple(each for each in after.regions if each.region_id != SA))

    ledger.must(ApplyManifest(a_stamp(), after))

    state = ledger.state
    assert (dict(state.verdicts), dict(state.overrides), state.drained_regions) == ({}, {}, ())


def test_a_service_that_comes_back_goes_on_from_its_epoch_without_a_home() -> None:
    ledger = an_owned_ledger()
    ledger.must(ApplyManifest(a_stamp(), a_topology(an_active_active()), allow_removed=(CHAT,)))
    assert ledger.state.retired_epochs == ((CHAT_GROUP, 1),)

    ledger.must(ApplyManifest(a_stamp(), a_topology(), allow_removed=(WEB,)))
    assert (ledger.group().epoch, ledger.group().home) == (1, None)
    event = ledger.must(GrantOwnership(a_stamp(), CHAT_GROUP, US, 1))

    # Epoch 1 was used once; it is never given again (A2).
    assert isinstance(event, OwnershipGranted)
    assert event.token == FencingToken(1, 2)


# -- first grants ----------------------------------------------------------------------------------


def test_a_first_grant_gives_epoch_1_and_routes_follow_at_once() -> None:
    ledger = a_ledger()

    event = ledger.must(GrantOwnership(a_stamp(), CHAT_GROUP, EU, 0))

    group = ledger.group()
    assert event == OwnershipGranted(2, CHAT_GROUP, EU, FencingToken(1, 1))
    assert (group.home, group.serving, group.epoch, ledger.state.changed_index) == (EU, EU, 1, 2)


@pytest.mark.parametrize(
    ("grant", "reason"),
    [
        (GrantOwnership(a_stamp(), CHAT_GROUP, US, 1), Reason.STALE_EPOCH),  # it has a home
        (GrantOwnership(a_stamp(), CHAT_GROUP, SA, 1), Reason.SERVICE_NOT_FOUND),  # no site there
        (GrantOwnership(a_stamp(), GroupId("no/0"), EU, 0), Reason.SERVICE_NOT_FOUND),
    ],
)
def test_a_first_grant_is_refused(grant: GrantOwnership, reason: Reason) -> None:
    assert an_owned_ledger().rejection(grant) is reason


# -- verdicts --------------------------------------------------------------------------------------


def test_a_verdict_is_recorded_with_its_time_and_index() -> None:
    ledger = a_ledger()

    event = ledger.must(a_verdict(Verdict.DOWN, EU, at_ms=700))

    assert isinstance(event, VerdictsRecorded)
    record = ledger.state.verdicts[CHAT, EU]
    assert (record.verdict, record.since_ms, record.index) == (Verdict.DOWN, 700, 2)


def test_verdicts_that_stand_already_and_sites_that_are_gone_change_nothing() -> None:
    ledger = a_ledger()
    ledger.must(a_verdict(Verdict.UP, EU))

    assert ledger.rejection(a_verdict(Verdict.UP, EU)) is Reason.NOTHING_TO_DO
    assert ledger.rejection(a_verdict(Verdict.DOWN, SA)) is Reason.NOTHING_TO_DO


def test_the_last_healthy_region_is_recorded_down_but_stays_in_service() -> None:
    ledger = a_ledger(an_active_active(sites=(a_site(EU), a_site(US))))
    ledger.must(a_verdict(Verdict.DOWN, EU, WEB))

    event = ledger.must(a_verdict(Verdict.DOWN, US, WEB))

    assert isinstance(event, VerdictsRecorded)
    assert event.withheld == ((WEB, US, Rule.NEVER_LAST),)
    assert ledger.state.verdicts[WEB, US].withheld == Rule.NEVER_LAST


def test_automation_takes_one_region_of_a_service_out_per_window() -> None:
    ledger = a_ledger(an_active_active())
    ledger.must(a_verdict(Verdict.DOWN, EU, WEB, at_ms=1_000))

    ledger.must(a_verdict(Verdict.DOWN, US, WEB, at_ms=2_000))
    assert ledger.state.verdicts[WEB, US].withheld == Rule.VELOCITY_CAP

    # One millisecond after the window the cap no longer holds it: one healthy region is left.
    ledger.must(a_verdict(Verdict.DOWN, US, WEB, at_ms=1_000 + VELOCITY_WINDOW_MS))
    assert ledger.state.verdicts[WEB, US].withheld == ""


def test_two_verdicts_in_one_command_cannot_both_slip_past_the_cap() -> None:
    ledger = a_ledger(an_active_active())
    changes = tuple(
        VerdictChange(WEB, region_id, Verdict.DOWN, "PEERS_FAIL", 0) for region_id in (AP, EU, US)
    )

    event = ledger.must(RecordVerdicts(a_stamp(), changes))

    assert isinstance(event, VerdictsRecorded)
    assert event.withheld == ((WEB, EU, Rule.VELOCITY_CAP), (WEB, US, Rule.NEVER_LAST))


def test_the_verdict_on_an_owner_is_never_withheld_because_routing_keeps_it_anyway() -> None:
    ledger = an_owned_ledger()
    for region_id in (AP, US, EU):
        ledger.must(a_verdict(Verdict.DOWN, region_id))

    assert {record.withheld for record in ledger.state.verdicts.values()} == {""}


# -- drains and overrides --------------------------------------------------------------------------


def test_two_drains_that_were_both_allowed_do_not_both_pass() -> None:
    ledger = a_ledger(an_active_active(sites=(a_site(EU), a_site(US))))
    first = SetRegionDrained(a_stamp(), EU, drained=True)
    second = SetRegionDrained(a_stamp(), US, drained=True)
    # Each alone would pass.
    assert not isinstance(machine.apply(ledger.state, 2, second)[1], Rejected)

    ledger.must(first)
    event = ledger.apply(second)

    assert isinstance(event, Rejected)
    assert event.reason is Reason.SAFETY_RULE
    assert dict(event.metadata) == {
        "rule": Rule.NEVER_LAST,
        "serviceId": WEB,
        "servingCount": "0",
        "servingCountMin": "1",
    }


def test_a_region_that_is_down_but_withheld_does_not_count_as_healthy_for_a_drain() -> None:
    ledger = a_ledger(an_active_active())
    ledger.must(a_verdict(Verdict.DOWN, EU, WEB))
    ledger.must(a_verdict(Verdict.DOWN, US, WEB))  # kept in service by the velocity cap

    drain = SetRegionDrained(a_stamp(), AP, drained=True)

    assert ledger.rejection(drain) is Reason.SAFETY_RULE


def test_a_policy_may_demand_more_regions_than_one() -> None:
    ledger = a_ledger(an_active_active(), policy=a_policy(serving_regions_min=2))
    ledger.must(SetRegionDrained(a_stamp(), AP, drained=True))

    assert ledger.rejection(SetRegionDrained(a_stamp(), EU, drained=True)) is Reason.SAFETY_RULE


def test_a_drain_ends_without_conditions_and_twice_is_as_good_as_once() -> None:
    ledger = a_ledger()
    ledger.must(SetRegionDrained(a_stamp(), US, drained=True))
    changed = ledger.state.changed_index

    ledger.must(SetRegionDrained(a_stamp(), US, drained=True))
    assert ledger.state.changed_index == changed
    ledger.must(SetRegionDrained(a_stamp(), US, drained=False))
    assert ledger.state.drained_regions == ()


def test_forcing_the_last_region_down_is_refused() -> None:
    ledger = a_ledger(an_active_active(sites=(a_site(EU), a_site(US))))
    ledger.must(SetOverride(a_stamp(), WEB, EU, Override.FORCE_DOWN))

    last = SetOverride(a_stamp(), WEB, US, Override.FORCE_DOWN)

    assert ledger.rejection(last) is Reason.SAFETY_RULE


def test_the_word_that_alone_keeps_the_last_region_in_service_cannot_be_taken_back() -> None:
    ledger = a_ledger(an_active_active(sites=(a_site(EU), a_site(US))))
    ledger.must(a_verdict(Verdict.DOWN, EU, WEB))
    ledger.must(SetOverride(a_stamp(), WEB, EU, Override.FORCE_UP))
    ledger.must(SetRegionDrained(a_stamp(), US, drained=True))

    clear = SetOverride(a_stamp(), WEB, EU, None)

    assert ledger.rejection(clear) is Reason.SAFETY_RULE
    ledger.must(SetRegionDrained(a_stamp(), US, drained=False))
    ledger.must(clear)


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        (SetOverride(a_stamp(), WEB, EU, Override.FORCE_UP), Reason.SERVICE_NOT_FOUND),
        (SetOverride(a_stamp(), CHAT, SA, Override.FORCE_UP), Reason.REGION_NOT_FOUND),
    ],
)
def test_an_override_names_a_site_that_exists(override: SetOverride, reason: Reason) -> None:
    assert a_ledger().rejection(override) is reason


def test_applying_never_changes_the_state_it_was_given() -> None:
    ledger = an_owned_ledger(a_service(), an_active_active())
    before, verdicts = ledger.state, dict(ledger.state.verdicts)

    machine.apply(before, before.applied_index + 1, a_verdict(Verdict.DOWN, EU, WEB))

    assert dict(before.verdicts) == verdicts
    assert before.topology == a_topology(a_service(), an_active_active())
    assert isinstance(before.topology, Topology)


def test_a_group_is_found_without_looking_at_each() -> None:
    looks = 0

    class Counted(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal looks
            looks += 1
            return str.__eq__(self, other)

        def __lt__(self, other: str) -> bool:
            nonlocal looks
            looks += 1
            return str.__lt__(self, other)

    names = [f"service-{number:04}/0" for number in range(2_000)]
    groups = tuple(Group(GroupId(Counted(each)), ServiceId(each[:-2])) for each in names)
    state = State(groups=groups)

    assert all(state.group(GroupId(each)) is not None for each in names[::100])
    assert looks < 20 * 20
    # Nothing is lost where somebody made a state in another order.
    backwards = State(groups=groups[::-1])
    assert all(backwards.group(GroupId(each)) is not None for each in names[::100])
    assert state.group(GroupId("nobody/0")) is None
