"""The checkers themselves: each accepts what is right and refuses what it is there for."""

from dataclasses import replace

import pytest

from director.core.commands import StageName
from director.core.events import OwnershipGranted, RunAdvanced
from director.core.ids import FencingToken, GroupId, RunId
from director.core.routes import compile_table
from director.core.state import Group, State
from director.routing.table import RegionId, ServiceId
from tests.sim.checkers.monotonic_tokens import MonotonicTokens
from tests.sim.checkers.one_leader_per_term import OneLeaderPerTerm
from tests.sim.checkers.one_owner import OneOwner
from tests.sim.checkers.route_never_empty import RouteNeverEmpty
from tests.sim.checkers.same_state import SameState
from tests.sim.checkers.write_intervals import WriteIntervals
from tests.sim.cluster import topology
from tests.sim.options import Options

FIRST, SECOND = (1, 1), (1, 2)
GROUP = Group(GroupId("chat/0"), ServiceId("chat"), 1, RegionId("eu-west1"), RegionId("eu-west1"))


def test_permits_of_two_regions_may_follow_each_other_but_not_overlap() -> None:
    checker = OneOwner()
    checker.permitted("eu-west1", FIRST, now_ms=100, until_ms=350)
    checker.permitted("us-east1", SECOND, now_ms=350, until_ms=600)

    with pytest.raises(AssertionError, match="although us-east1 may under"):
        checker.permitted("eu-west1", (1, 3), now_ms=599, until_ms=800)


def test_two_regions_never_share_a_token() -> None:
    checker = OneOwner()
    checker.permitted("eu-west1", FIRST, now_ms=100, until_ms=350)

    with pytest.raises(AssertionError, match="both eu-west1 and us-east1"):
        checker.permitted("us-east1", FIRST, now_ms=900, until_ms=1_000)


def test_a_write_is_acknowledged_only_before_its_permit_ends() -> None:
    checker = OneOwner()
    checker.permitted("eu-west1", FIRST, now_ms=100, until_ms=350)
    checker.acknowledged("eu-west1", FIRST, now_ms=349)

    with pytest.raises(AssertionError, match="its permit ended at 350"):
        checker.acknowledged("eu-west1", FIRST, now_ms=350)


def test_no_write_under_an_old_token_follows_one_under_a_newer() -> None:
    checker = WriteIntervals()
    checker.acknowledged("eu-west1", FIRST, now_ms=100)
    checker.acknowledged("us-east1", SECOND, now_ms=200)

    with pytest.raises(AssertionError, match="after the first write under"):
        checker.acknowledged("eu-west1", FIRST, now_ms=201)


def test_no_epoch_is_granted_twice() -> None:
    checker = MonotonicTokens()
    token = FencingToken(1, 1)
    checker.noted("d0", OwnershipGranted(4, GROUP.group_id, RegionId("eu-west1"), token))
    checker.noted("d1", OwnershipGranted(4, GROUP.group_id, RegionId("eu-west1"), token))

    with pytest.raises(AssertionError, match="was granted at index 9"):
        checker.noted("d0", RunAdvanced(9, RunId("chat/1"), StageName.PROMOTING, token))


def test_an_agent_never_forgets_a_token() -> None:
    checker = MonotonicTokens()
    checker.kept("eu-west1", SECOND)

    with pytest.raises(AssertionError, match="now keeps"):
        checker.kept("eu-west1", FIRST)


def test_a_token_belongs_to_one_home_on_every_replica() -> None:
    checker = MonotonicTokens()
    checker.applied("d0", State(groups=(GROUP,)))

    with pytest.raises(AssertionError, match="was given to eu-west1 and us-east1"):
        checker.applied("d1", State(groups=(replace(GROUP, home=RegionId("us-east1")),)))


def test_replicas_at_one_index_have_one_state() -> None:
    checker = SameState()
    checker.applied("d0", State(applied_index=7, now_ms=1))
    checker.applied("d1", State(applied_index=7, now_ms=1))

    with pytest.raises(AssertionError, match="differ at index 7"):
        checker.applied("d2", State(applied_index=7, now_ms=2))


def test_a_term_has_one_leader() -> None:
    checker = OneLeaderPerTerm()
    checker.led("d0", 3)
    checker.led("d0", 3)

    with pytest.raises(AssertionError, match="both led term 3"):
        checker.led("d1", 3)


def test_routes_keep_an_owner_with_an_endpoint_and_never_go_back() -> None:
    declared = State(
        applied_index=9, changed_index=9, revision=1, topology=topology(Options.draw(1))
    )
    owned = compile_table(replace(declared, groups=(GROUP,)), ())
    checker = RouteNeverEmpty()
    checker.published("d0", owned)

    with pytest.raises(AssertionError, match="went back"):
        checker.published("d0", replace(owned, revision=8))
    with pytest.raises(AssertionError, match="no owner"):
        checker.published("d0", replace(compile_table(declared, ()), revision=10))
    service = owned.services[0]
    nowhere = replace(service, sites=tuple(replace(each, endpoints=()) for each in service.sites))
    with pytest.raises(AssertionError, match="nowhere"):
        checker.published("d0", replace(owned, revision=11, services=(nowhere,)))
