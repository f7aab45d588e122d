"""Revisions of the documents in the replicated state: numbered, bounded, guarded by their etag."""

from dataclasses import replace
from hashlib import blake2b

from director.core.commands import ApplyManifest
from director.core.reasons import Reason
from director.core.revisions import (
    REVISION_BYTES_MAX,
    REVISIONS_KEPT_MAX,
    SUMMARY_CHARS_MAX,
    Revision,
    etag,
    kept,
)
from director.core.state import State
from director.core.topology import ServiceSpec
from director.core.topology_changes import How, summary, topology_changes
from director.routing.table import ServiceId
from tests.core.builders import (
    EU,
    US,
    Ledger,
    a_policy,
    a_region,
    a_service,
    a_site,
    a_stamp,
    a_topology,
    an_active_active,
)


def a_revision(number: int, source: str = "x") -> Revision:
    return Revision(number, number, 0, "alice", "a test", "", etag(number, source), source)


def test_a_manifest_is_kept_with_who_why_and_what() -> None:
    ledger = Ledger()
    stamp = replace(a_stamp(actor="alice"), wall_ms=1_700, reason="more room")
    ledger.must(ApplyManifest(stamp, a_topology(), "first"))
    ledger.must(ApplyManifest(stamp, a_topology(a_service(rto_ms=9_000)), "second", restores=1))

    first, second = ledger.state.revisions

    assert (first.revision, first.index, first.source) == (1, 1, "first")
    assert (second.actor, second.reason, second.wall_ms) == ("alice", "more room", 1_700)
    assert (second.summary, second.restores) == ("changed service chat (rto)", 1)
    assert ledger.state.etag == second.etag == etag(2, "second")
    assert State().etag == ""


def test_documents_made_for_another_etag_are_refused() -> None:
    ledger = Ledger()
    ledger.must(ApplyManifest(a_stamp(), a_topology(), "first"))
    seen = ledger.state.etag
    ledger.must(ApplyManifest(a_stamp(), a_topology(), "second", expected_etag=seen))

    stale = ApplyManifest(a_stamp(), a_topology(), "third", expected_etag=seen)

    assert ledger.rejection(stale) is Reason.STALE_REVISION
    assert ledger.state.manifest_source == "second"


def test_one_number_with_another_text_has_another_etag() -> None:
    assert etag(4, "a") != etag(4, "b")
    assert etag(4, "a") != etag(5, "a")
    assert etag(4, "a").startswith("4-")


def test_the_last_twenty_are_kept() -> None:
    ledger = Ledger()
    for number in range(REVISIONS_KEPT_MAX + 3):
        ledger.must(ApplyManifest(a_stamp(), a_topology(), str(number)))

    numbers = [each.revision for each in ledger.state.revisions]

    assert numbers == list(range(4, REVISIONS_KEPT_MAX + 4))
    assert ledger.state.revision == REVISIONS_KEPT_MAX + 3


def test_texts_beyond_the_limit_are_dropped_from_the_oldest_and_their_names_stay() -> None:
    large = "x" * (REVISION_BYTES_MAX // 2)
    revisions: tuple[Revision, ...] = ()
    for number, source in ((1, "small"), (2, large), (3, large), (4, "newest")):
        revisions = kept(revisions, a_revision(number, source))

    assert [each.revision for each in revisions] == [1, 2, 3, 4]
    assert [bool(each.source) for each in revisions] == [False, False, True, True]
    assert sum(len(each.source) for each in revisions) <= REVISION_BYTES_MAX


def test_the_text_in_force_is_kept_however_large_it_is() -> None:
    huge = "ä" * REVISION_BYTES_MAX

    [old, latest] = kept((a_revision(1),), a_revision(2, huge))

    assert (old.source, latest.source) == ("", huge)


def test_a_summary_names_what_was_added_removed_and_changed() -> None:
    before = a_topology(a_service(), policy=a_policy())
    after = a_topology(
        a_service(sites=(a_site(EU), a_site(US, 1))),
        an_active_active(),
        regions=(a_region(EU), a_region(US)),
    )

    changes = {(each.how, each.noun, each.name): each for each in topology_changes(before, after)}

    assert set(changes) == {
        (How.REMOVED, "region", "ap-south1"),
        (How.REMOVED, "region", "sa-east1"),
        (How.CHANGED, "service", "chat"),
        (How.ADDED, "service", "web"),
        (How.REMOVED, "policy", "default"),
    }
    assert changes[How.CHANGED, "service", "chat"].fields == ("regions",)
    assert summary(before, after) == (
        "added service web; removed region ap-south1, region sa-east1, policy default; "
        "changed service chat (regions)"
    )


def test_a_summary_of_no_difference_says_so_and_a_long_one_is_cut() -> None:
    many = [a_service(ServiceId(f"{'long-' * 11}{at}")) for at in range(9)]

    assert summary(a_topology(), a_topology()) == "nothing that routing or failover depends on"
    assert "and 6 more" in summary(a_topology(), a_topology(*map(_shorter, many)))
    long = summary(a_topology(), a_topology(*many))
    assert len(long) == SUMMARY_CHARS_MAX
    assert long.endswith("...")


def _shorter(service: ServiceSpec) -> ServiceSpec:
    return replace(service, service_id=ServiceId(service.service_id[-3:]))


def test_an_etag_is_the_same_whatever_release_of_python_a_replica_runs_on() -> None:
    # U+1FAE8 came with Unicode 15: Python 3.11 escapes it in a repr, and 3.12 does not.
    text = "\U0001fae8"
    by_hand = blake2b(f"s:1:{text}".encode(), digest_size=16).hexdigest()

    assert etag(1, text) == f"1-{by_hand[:12]}"
