"""The label on every answer: fresh only while a quorum confirms what is being served (R6)."""

from dataclasses import replace

from director.client.watch import Source
from director.client.wire import UINT32_MAX
from director.consensus.port import Standing
from director.runtime.clock import boot_ms, wall_ms
from director.service.reads import ViewAge


def a_view(*, contact_ms_ago: int | None, commit_index: int = 10) -> ViewAge:
    contact = None if contact_ms_ago is None else boot_ms() - contact_ms_ago
    now = Standing("d0", 1, "d1", False, commit_index, commit_index, contact)
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
