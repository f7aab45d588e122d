"""The simulator is tested too: each bug is put into the production code, and must be noticed."""

import pytest

from tests.sim.mutations import BUGS, Bug, put_in, seeds_to_find

SEEDS_MAX = 40


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_checker_notices_a_bug_that_was_put_in(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(bug, monkeypatch.setattr)

    found = seeds_to_find(bug, SEEDS_MAX)

    assert found is not None, f"{SEEDS_MAX} seeds passed although {bug.name}"
    assert found.is_by_checker, found.said
