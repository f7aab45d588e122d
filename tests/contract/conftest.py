"""Every contract test runs against the embedded engine and against the fake that stands for it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import pytest

from tests.contract.groups import Group, embedded_group, memory_group

GroupMaker: TypeAlias = Callable[..., AbstractAsyncContextManager[Group]]


@pytest.fixture(params=[memory_group, embedded_group], ids=["memory", "embedded"])
def group_of(request: pytest.FixtureRequest) -> GroupMaker:
    """A group of the given size, one engine after the other."""
    maker: GroupMaker = request.param
    return maker
