"""The simulator is tested too: each bug is put into the production code, and must be noticed.

The seed that the documentation names is played first. If it does not show the bug any more, because
the schedule of that seed became another, a few more are; ``make sim-bugs`` searches all the way and
writes the table anew.
"""

import inspect
from pathlib import Path

import pytest

from tests.sim.bugs import table
from tests.sim.bugs.bug import Arena, Bug, Edit, MisfitError, put_in
from tests.sim.bugs.registry import BUGS
from tests.sim.bugs.search import Found, Kind, Notice, noticed, search

PUBLISHED = table.published()


def counts(bug: Bug, notice: Notice | None) -> bool:
    if notice is None:
        return False
    return notice.kind in (Kind.CHECKER, Kind.ASSERTION) or (
        bug.is_liveness and notice.kind is Kind.LIVENESS
    )


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_checker_notices_a_bug_that_was_put_in(bug: Bug) -> None:
    seed = PUBLISHED[bug.name] - 1
    with put_in(bug):
        notice = noticed(bug.arena.play, seed)
    if counts(bug, notice):
        if not bug.arena.kind.startswith("fleet"):  # whole fleets take long; others play them
            assert noticed(bug.arena.play, seed) is None, "the world fails without the bug too"
        return

    found = search(bug, bug.arena.seeds_in_check)

    assert found is not None, f"{bug.arena.seeds_in_check} seeds passed although {bug.name}"
    assert found.clean is None, f"the world fails without the bug too: {found.clean}"


def test_the_documentation_names_every_bug_and_how_long_it_takes_to_find() -> None:
    assert list(PUBLISHED) == [bug.name for bug in BUGS]
    assert len(BUGS) >= 40
    assert max(PUBLISHED.values()) <= 10_000


def test_a_bug_that_does_not_fit_the_source_any_more_is_an_error() -> None:
    edit = Edit(table, "_who", "this is not in it", "")
    bug = Bug("it does not fit", "-", BUGS[0].arena, (edit,))

    with pytest.raises(MisfitError, match="does not say 'this is not in it'"), put_in(bug):
        pass


def held(edit: Edit) -> object:
    owner_name, _, name = edit.name.rpartition(".")
    owner = getattr(edit.module, owner_name) if owner_name else edit.module
    return inspect.getattr_static(owner, name)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_code_is_wrong_with_the_bug_and_right_again_without(bug: Bug) -> None:
    before = [held(edit) for edit in bug.edits]

    with put_in(bug):
        assert all(held(edit) != was for edit, was in zip(bug.edits, before, strict=True))

    assert [held(edit) for edit in bug.edits] == before


def test_a_world_that_fails_without_the_bug_is_told_apart() -> None:
    def play(_: int) -> None:
        raise AssertionError("it always fails")

    bug = Bug(
        "anything", "-", Arena("test", play, 1), (Edit(table, "_BEGIN", repr(table._BEGIN), "''"),)
    )

    found = search(bug, 1)

    assert found is not None
    assert found.clean is not None
    assert found.clean.said == "it always fails"


def test_the_table_is_written_between_its_markers_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "simulation.md"
    path.write_text("before\n<!-- bugs:begin -->\nrows of before\n<!-- bugs:end -->\nafter\n")
    notice = Notice(Kind.CHECKER, "one_owner", "two owners")
    found = {bug.name: Found(7, notice, None) for bug in BUGS}

    table.write(table.lines(found, BUGS), path)

    assert table.published(path) == {bug.name: 7 for bug in BUGS}
    text = path.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "rows of before" not in text
