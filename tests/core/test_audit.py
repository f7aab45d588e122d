"""The audit trail: what is recorded, how it is chained, and that no change goes unseen."""

from dataclasses import fields, replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from director.core import audit
from director.core.audit import (
    AUDIT_KEPT_MAX,
    NO_AUDIT,
    TEXT_CHARS_MAX,
    AuditFault,
    AuditLog,
    AuditRecord,
    after,
    appended,
    record_hash,
    verify,
)
from director.core.commands import (
    AdvanceRun,
    ApplyManifest,
    Delivery,
    Evidence,
    RecordDeliveries,
    RecordVerdicts,
    SetOverride,
    SetRegionDrained,
    StageName,
    Stamp,
)
from director.core.digest import digest
from director.core.events import DeliveriesRecorded, Rejected, Repeated
from director.core.reasons import Reason
from director.core.state import State
from director.core.topology import Topology, WebhookSpec
from director.routing.table import Override, RegionId, Verdict
from director.service.codec import decode_state, encode_state
from tests.core.builders import (
    AP,
    CHAT,
    EU,
    US,
    WEB,
    Ledger,
    a_ledger,
    a_stamp,
    a_start,
    a_topology,
    a_verdict,
    an_active_active,
    an_owned_ledger,
    started,
)
from trafficdirector.log.v1 import log_pb2


def by_alice(request_id: str = "r1", *, at_ms: int = 0, reason: str = "power work") -> Stamp:
    return Stamp(at_ms, 1_700_000_000_000, request_id, "alice", reason, f"digest of {request_id}")


def records(ledger: Ledger) -> tuple[AuditRecord, ...]:
    return ledger.state.audit.records


def latest(ledger: Ledger) -> AuditRecord:
    return records(ledger)[-1]


def a_record(number: int = 0, **fields_: Any) -> AuditRecord:
    return replace(AuditRecord(number, 7, 1, 2, "alice", "why", "start_run"), **fields_)


def a_chain(count: int) -> AuditLog:
    log = NO_AUDIT
    for number in range(count):
        log = appended(log, a_record(detail=f"change {number}"))
    return log


# -- what is recorded ------------------------------------------------------------------------------


def test_a_persons_change_is_recorded_with_who_why_and_what_became_of_it() -> None:
    ledger = an_owned_ledger()
    stamp = by_alice(at_ms=50)

    ledger.must(SetRegionDrained(stamp, AP, drained=True))

    record = latest(ledger)
    assert record == AuditRecord(
        number=ledger.state.audit.count,
        index=ledger.state.applied_index,
        at_ms=50,
        wall_ms=1_700_000_000_000,
        actor="alice",
        reason="power work",
        action="set_region_drained",
        region_id=AP,
        request_id="r1",
        request_hash="digest of r1",
        result="region_drain_set",
        detail="drained=true",
        before_hash=records(ledger)[-2].hash,
        hash=record_hash(record),
    )


def test_a_refused_request_is_recorded_with_the_reason() -> None:
    ledger = a_ledger()

    event = ledger.apply(SetRegionDrained(by_alice(), RegionId("mars"), drained=True))

    assert isinstance(event, Rejected)
    assert latest(ledger).result == "rejected"
    assert latest(ledger).refusal == Reason.REGION_NOT_FOUND.value
    assert latest(ledger).detail == event.message
    assert latest(ledger).actor == "alice"


def test_an_id_used_for_something_else_is_recorded_as_refused() -> None:
    ledger = an_owned_ledger()
    ledger.must(SetRegionDrained(by_alice(), AP, drained=True))
    other = replace(by_alice(), ask_digest="something else")

    ledger.apply(SetRegionDrained(other, US, drained=True))

    assert (latest(ledger).refusal, latest(ledger).request_hash) == (
        "INVALID_REQUEST",
        "something else",
    )


def test_a_repetition_is_not_recorded_again() -> None:
    ledger = an_owned_ledger()
    ledger.must(SetRegionDrained(by_alice(), AP, drained=True))
    before = ledger.state.audit

    event = ledger.apply(SetRegionDrained(by_alice(), AP, drained=True))

    assert isinstance(event, Repeated)
    assert ledger.state.audit is before


def test_what_the_director_decides_is_recorded_with_its_evidence() -> None:
    ledger = an_owned_ledger()
    change = replace(
        a_verdict(Verdict.DOWN).changes[0],
        evidence=(Evidence("peer:us-east1", "fail", 120), Evidence("self", "silent", 900)),
    )

    ledger.must(RecordVerdicts(a_stamp(), (change,)))

    record = latest(ledger)
    assert (record.actor, record.action, record.result) == (
        "director",
        "record_verdicts",
        "verdicts_recorded",
    )
    assert (record.service_id, record.region_id) == (CHAT, EU)
    assert record.evidence == "peer:us-east1 fail 120 ms old, self silent 900 ms old"
    assert record.detail == "chat in eu-north1 DOWN (PEERS_FAIL)"


def test_each_stage_of_a_run_names_its_service_target_and_run() -> None:
    ledger = an_owned_ledger()
    run_id = started(ledger, a_start(US))
    ledger.must(AdvanceRun(a_stamp(), run_id, StageName.CONFIRMING, StageName.FENCING, "confirmed"))

    begun, moved = records(ledger)[-2:]
    assert (begun.action, begun.service_id, begun.region_id, begun.run_id) == (
        "start_run",
        CHAT,
        US,
        run_id,
    )
    assert (moved.action, moved.service_id, moved.region_id, moved.run_id) == (
        "advance_run",
        CHAT,
        US,
        run_id,
    )
    assert "stage=fencing" in moved.detail
    assert "note=confirmed" in moved.detail


def test_a_verdict_on_several_services_names_none_of_them_as_its_subject() -> None:
    ledger = an_owned_ledger(a_topology().services[0], an_active_active())
    one, other = a_verdict(Verdict.DOWN, AP), a_verdict(Verdict.DOWN, AP, WEB)

    ledger.must(RecordVerdicts(a_stamp(), (*one.changes, *other.changes)))

    assert (latest(ledger).service_id, latest(ledger).region_id) == ("", AP)
    assert latest(ledger).detail.startswith("chat in ap-south1 DOWN (PEERS_FAIL), web in ap-south1")


def test_a_plan_of_the_director_that_was_overtaken_is_not_recorded() -> None:
    ledger = an_owned_ledger()
    before = ledger.state.audit

    event = ledger.apply(a_start(US, epoch=7))

    assert isinstance(event, Rejected)
    assert ledger.state.audit is before


def test_documents_are_summed_up_and_never_copied_into_the_trail() -> None:
    ledger = a_ledger()

    ledger.must(
        ApplyManifest(
            by_alice(), a_topology(an_active_active()), "secret: hunter2", allow_removed=(CHAT,)
        )
    )

    assert latest(ledger).detail.startswith("revision=2 ")
    assert "hunter2" not in repr(latest(ledger))


def test_a_move_says_from_where_to_where_and_what_could_be_lost() -> None:
    ledger = an_owned_ledger()
    started(ledger, a_start(US, loss_bound_ms=300))

    assert latest(ledger).detail == (
        "source=eu-north1 target=us-east1 stage=confirming kind=failover loss_bound_ms=300"
    )


def test_long_words_are_cut_so_that_nobody_fills_the_snapshots() -> None:
    ledger = an_owned_ledger()
    stamp = replace(by_alice(reason="because " * 200), actor="a" * 1_000)

    ledger.must(SetOverride(stamp, CHAT, AP, Override.FORCE_DOWN))

    assert len(latest(ledger).reason) == TEXT_CHARS_MAX
    assert latest(ledger).reason.endswith("...")
    assert len(latest(ledger).actor) == TEXT_CHARS_MAX


# -- the chain -------------------------------------------------------------------------------------


def test_the_hash_is_of_netstrings_so_that_any_language_can_check_it() -> None:
    record = AuditRecord(
        1, 2, 3, 4, "ä", "why", "start_run", "chat", "eu", "chat/1", "r", "d", "e", "x", "", "z"
    )

    by_hand = (
        b"0:,1:1,1:2,1:3,1:4,2:\xc3\xa4,3:why,9:start_run,4:chat,2:eu,6:chat/1,1:r,1:d,1:e,1:x,0:,"
        b"1:z,"
    )
    assert record_hash(record) == sha256(by_hand).hexdigest()


def test_a_chain_of_real_changes_holds() -> None:
    ledger = an_owned_ledger()
    started(ledger)
    ledger.must(SetRegionDrained(by_alice(), AP, drained=True))
    log = ledger.state.audit

    assert log.count == len(log.records) == 4
    assert verify(log.records, log.first_before_hash, log.head) is None


_TEXT_FIELDS = [each.name for each in fields(AuditRecord) if each.type is str]
_NUMBER_FIELDS = [each.name for each in fields(AuditRecord) if each.type is int]


@pytest.mark.parametrize("name", _TEXT_FIELDS + _NUMBER_FIELDS)
def test_any_field_that_is_changed_breaks_the_chain_there(name: str) -> None:
    log = a_chain(4)
    was = getattr(log.records[1], name)
    changed = replace(log.records[1], **{name: was + ("x" if isinstance(was, str) else 1)})

    fault = verify((log.records[0], changed, *log.records[2:]), "", log.head)

    assert fault is not None
    assert fault.number in (2, 3)


def test_a_record_that_is_changed_with_its_own_hash_breaks_the_next() -> None:
    log = a_chain(3)
    forged = replace(log.records[1], actor="mallory")
    forged = replace(forged, hash=record_hash(forged))

    assert verify((log.records[0], forged, log.records[2]), "", log.head) == AuditFault(
        3, "record 3 does not go on from the one before it"
    )


def test_a_last_record_that_is_forged_with_its_hash_is_not_the_head() -> None:
    log = a_chain(2)
    forged = replace(log.records[1], actor="mallory")
    forged = replace(forged, hash=record_hash(forged))

    fault = verify((log.records[0], forged), "", log.head)

    assert fault == AuditFault(0, "the last record is not the head of the chain")


def test_records_that_are_dropped_swapped_or_cut_off_are_noticed() -> None:
    log = a_chain(5)
    kept = log.records

    assert verify(kept[:2] + kept[3:], "", log.head) is not None
    assert verify((kept[0], kept[2], kept[1], *kept[3:]), "", log.head) is not None
    assert verify(kept[:-1], "", log.head) is not None
    assert verify(kept[1:], "", log.head) is not None
    assert verify((), "", log.head) is not None


def test_a_number_that_is_left_out_is_noticed_even_if_every_hash_is_made_for_it() -> None:
    first = a_chain(1).records[0]
    odd = replace(a_record(3), before_hash=first.hash)
    odd = replace(odd, hash=record_hash(odd))

    assert verify((first, odd), "", odd.hash) == AuditFault(3, "record 3 stands where 2 should")


def test_an_empty_chain_holds() -> None:
    assert verify((), "", "") is None


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 6))
def test_what_is_dropped_stays_covered_by_the_hash_the_rest_goes_on_from(
    actors: list[str], kept_max: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "AUDIT_KEPT_MAX", kept_max)
        log = NO_AUDIT
        for actor in actors:
            log = appended(log, a_record(actor=actor))

    assert log.count == len(actors)
    assert len(log.records) == min(len(actors), kept_max)
    assert verify(log.records, log.first_before_hash, log.head) is None


def test_only_so_many_are_kept_however_many_there_are() -> None:
    log = a_chain(AUDIT_KEPT_MAX + 3)

    assert (log.count, len(log.records), log.records[0].number) == (
        AUDIT_KEPT_MAX + 3,
        AUDIT_KEPT_MAX,
        4,
    )
    assert verify(log.records, log.first_before_hash, log.head) is None


@pytest.mark.parametrize(
    ("number", "numbers"), [(0, [4, 5]), (3, [4, 5]), (4, [5]), (5, []), (9, [])]
)
def test_a_reader_goes_on_after_any_number(number: int, numbers: list[int]) -> None:
    whole = a_chain(5)
    log = AuditLog(5, whole.head, whole.records[2].hash, whole.records[3:])

    assert [each.number for each in after(log, number)] == numbers


def test_the_trail_survives_a_snapshot() -> None:
    ledger = an_owned_ledger()
    started(ledger)

    assert decode_state(encode_state(ledger.state)).audit == ledger.state.audit


def test_a_snapshot_of_before_the_trail_begins_one() -> None:
    snapshot = log_pb2.Snapshot.FromString(encode_state(State(revision=3))[1:])
    snapshot.state.ClearField("audit")

    assert decode_state(b"\x01" + snapshot.SerializeToString()) == State(revision=3)
    assert State().audit == AuditLog()


def test_states_that_differ_in_the_trail_alone_have_different_digests() -> None:
    state = an_owned_ledger().state
    one = replace(state, audit=appended(state.audit, a_record(detail="one")))
    other = replace(state, audit=appended(state.audit, a_record(detail="other")))

    assert len({digest(state), digest(one), digest(other)}) == 3


# -- deliveries ------------------------------------------------------------------------------------

HOOK = WebhookSpec("ops", "https://hooks.example/x", "OPS_SECRET")


def hooked(*hooks: WebhookSpec) -> Topology:
    return replace(a_topology(), webhooks=hooks)


def test_a_new_webhook_is_told_what_comes_from_now_on() -> None:
    ledger = an_owned_ledger()
    count = ledger.state.audit.count

    ledger.must(ApplyManifest(a_stamp(), hooked(HOOK)))

    # The manifest itself is the first that it hears of.
    assert ledger.state.deliveries == (Delivery("ops", count),)
    assert ledger.state.audit.count == count + 1


def test_a_webhook_that_stays_goes_on_and_one_that_goes_is_forgotten() -> None:
    ledger = an_owned_ledger()
    ledger.must(ApplyManifest(a_stamp(), hooked(HOOK, replace(HOOK, name="pager"))))
    ledger.must(RecordDeliveries(a_stamp(), (Delivery("ops", 3),)))

    ledger.must(ApplyManifest(a_stamp(), hooked(replace(HOOK, url="https://other.example"))))

    assert ledger.state.deliveries == (Delivery("ops", 3),)


def test_a_mark_moves_on_and_is_not_recorded_itself() -> None:
    ledger = an_owned_ledger()
    ledger.must(ApplyManifest(a_stamp(), hooked(HOOK)))
    before = ledger.state.audit

    event = ledger.must(RecordDeliveries(a_stamp(), (Delivery("ops", 3, lost_count=2),)))

    assert event == DeliveriesRecorded(ledger.state.applied_index, (Delivery("ops", 3, 2),))
    assert ledger.state.deliveries == (Delivery("ops", 3, 2),)
    assert ledger.state.audit is before


@pytest.mark.parametrize(
    "delivery", [Delivery("ops", 2), Delivery("ops", 99), Delivery("nobody", 3)]
)
def test_a_mark_never_goes_back_nor_beyond_what_there_is(delivery: Delivery) -> None:
    ledger = an_owned_ledger()
    ledger.must(ApplyManifest(a_stamp(), hooked(HOOK)))

    assert ledger.rejection(RecordDeliveries(a_stamp(), (delivery,))) is Reason.NOTHING_TO_DO


def test_losses_are_never_forgotten_by_a_later_mark() -> None:
    ledger = an_owned_ledger()
    ledger.must(ApplyManifest(a_stamp(), hooked(HOOK)))
    started(ledger)
    ledger.must(RecordDeliveries(a_stamp(), (Delivery("ops", 3, lost_count=7),)))

    ledger.must(RecordDeliveries(a_stamp(), (Delivery("ops", 4),)))

    assert ledger.state.deliveries == (Delivery("ops", 4, 7),)
