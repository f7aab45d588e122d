"""Fixtures of the command line's tests."""

from collections.abc import Iterator

import pytest

from tests.cli.fake_server import FakeDirector, a_director


@pytest.fixture
def fake() -> Iterator[FakeDirector]:
    """A director that answers from a script."""
    with a_director() as served:
        yield served
