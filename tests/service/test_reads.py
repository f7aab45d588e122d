"""The label on every answer: fresh only while a quorum confirms what is being served (R6)."""

from dataclasses import replace

from director.client.watch import Source
from director.client.wire import UINT32_MAX
from director.consensus.port import Standing
from director.runtime.clock import boot_ms, wall_ms
from director.service.reads import ViewAge


def a_view(*, contact_ms_ago: int | None, commit_index: int = 10) -> ViewAge:
    contact = None if contact_ms_ago is None else boot_ms() - contact_ms_ago
    now = Standing("d0", 1, "d1", False, commit_index, commit_index, contact, commit_index)
    return ViewAge(lambda: now, 2_000)


def test_a_view_confirmed_just_now_is_fresh() -> None:
    view = a_view(contact_ms_ago=100)

    view.refresh(applied_index=10, table_revision=7)

    age_ms, source = view.label()
    assert (source, 100 <= age_ms < 1_000) == (Source.FRESH, True)


def test_a_view_without_contact_for_longer_than_the_bound_is_stale() -> None:
    view = a_view(contact_ms_ago=2_500)

    view.refresh(applied_index=10, table_revision=7)

    assert view.label()[1] is Source.STALE


def test_a_view_that_has_not_applied_what_was_committed_is_not_confirmed() -> None:
    view = a_view(contact_ms_ago=0)

    view.refresh(applied_index=9, table_revision=7)

    assert view.label() == (UINT32_MAX, Source.KEPT)


def test_a_view_far_behind_is_not_confirmed_by_word_from_the_leader_alone() -> None:
    # All that this replica knows to be committed is applied; the leader has committed more.
    now = Standing("d0", 1, "d1", False, 10, 10, boot_ms(), 500)
    view = ViewAge(lambda: now, 2_000)

    view.refresh(applied_index=10, table_revision=7)
    assert view.label() == (UINT32_MAX, Source.KEPT)

    view.refresh(applied_index=500, table_revision=7)
    assert view.label()[1] is Source.FRESH


def test_a_view_just_behind_an_endless_row_of_writes_is_confirmed_as_of_what_it_reached() -> None:
    first_ms = boot_ms() - 1_000
    standings = [
        Standing("d0", 1, "d1", False, 10, 10, first_ms + 50 * count, 10 * count)
        for count in range(1, 6)
    ]
    at = iter(standings)
    view = ViewAge(lambda: next(at), 2_000)
    confirmed = []

    for standing in standings:
        # It never reached the newest contact when it looks.
        view.refresh(applied_index=standing.contact_index - 1, table_revision=0)
        confirmed.append(view.confirmed_at_ms)

    assert confirmed == [None, first_ms + 50, first_ms + 100, first_ms + 150, first_ms + 200]


def test_a_contact_whose_entries_were_lost_with_their_leader_holds_up_nothing() -> None:
    # A leader counts its own first entry before that is committed; the next one may not have it.
    now_ms = boot_ms()
    lost = Standing("d0", 1, "d1", False, 95, 95, now_ms - 100, 100)
    newer = Standing("d0", 2, "d2", False, 95, 95, now_ms, 96)
    at = iter((lost, newer, newer))
    view = ViewAge(lambda: next(at), 2_000)

    view.refresh(applied_index=95, table_revision=0)
    view.refresh(applied_index=95, table_revision=0)
    view.refresh(applied_index=96, table_revision=0)

    assert view.confirmed_at_ms == now_ms


def test_a_table_from_disk_is_not_confirmed_before_the_replay_has_reached_it() -> None:
    view = a_view(contact_ms_ago=0)
    view.kept_wall_ms = wall_ms() - 5_000

    view.refresh(applied_index=10, table_revision=12)

    age_ms, source = view.label()
    assert (source, age_ms >= 5_000) == (Source.KEPT, True)


def test_contact_lost_does_not_take_back_what_was_confirmed_but_lets_it_age() -> None:
    view = a_view(contact_ms_ago=500)
    view.refresh(applied_index=10, table_revision=7)
    lost = replace(view.standing(), quorum_contact_at_ms=None)
    view.standing = lambda: lost

    view.refresh(applied_index=10, table_revision=7)

    age_ms, source = view.label()
    assert (source, age_ms >= 500) == (Source.FRESH, True)
