"""Active-passive: writes go to the owner, and to nobody else, until ownership moves (R4)."""

from typing import Any

import pytest

from director.routing.table import (
    AllUnhealthy,
    Override,
    RefusalReason,
    RegionId,
    ResidencyRule,
    RouteTable,
    ServiceMode,
    Site,
    Verdict,
)
from tests.routing.builders import a_fleet, a_service, a_site, a_table, answered, refused

OWNER = RegionId("eu-north1")


def owned(*sites: Site, **changes: Any) -> RouteTable:
    changes = {"owner": OWNER, "generation": 1, "epoch": 8, **changes}
    return a_table(a_service(*sites, mode=ServiceMode.ACTIVE_PASSIVE, **changes))


STANDBY = a_site("eu-west1", priority=0)


def test_the_owner_answers_though_another_region_is_nearer_and_preferred() -> None:
    answer = answered(owned(STANDBY, a_site(OWNER, priority=1)))
    assert (answer.region_id, answer.reason, answer.epoch) == (OWNER, "OWNER", 8)


def test_an_owner_that_is_down_keeps_its_clients_and_the_answer_says_fail_open() -> None:
    answer = answered(owned(STANDBY, a_site(OWNER, Verdict.DOWN)))
    assert (answer.region_id, answer.reason, answer.fail_open) == (OWNER, "OWNER_DOWN", True)


def test_an_owner_that_is_down_is_refused_by_a_service_that_fails_closed() -> None:
    table = owned(STANDBY, a_site(OWNER, Verdict.DOWN), all_unhealthy=AllUnhealthy.FAIL_CLOSED)
    assert refused(table).reason is RefusalReason.ALL_UNHEALTHY


@pytest.mark.parametrize("verdict", [Verdict.UP, Verdict.DEGRADED, Verdict.UNKNOWN])
def test_an_owner_not_known_to_be_down_is_no_fail_open(verdict: Verdict) -> None:
    assert answered(owned(STANDBY, a_site(OWNER, verdict))).fail_open is False


def test_a_drained_owner_serves_until_ownership_has_moved() -> None:
    table = owned(STANDBY, a_site(OWNER, drained=True))
    assert answered(table).region_id == OWNER
    region = RouteTable(1, 1, 1, a_fleet(eu_north1={"drained": True}), (), table.services)
    assert answered(region).region_id == OWNER


def test_without_an_owner_nobody_is_guessed() -> None:
    refusal = refused(owned(STANDBY, a_site(OWNER), owner=None))
    assert refusal.reason is RefusalReason.NO_OWNER


def test_an_owner_that_the_service_no_longer_lists_is_no_owner() -> None:
    refusal = refused(owned(STANDBY))
    assert refusal.reason is RefusalReason.NO_OWNER
    assert dict(refusal.metadata)["owner"] == OWNER


def test_residency_may_forbid_the_owner_and_no_standby_takes_its_place() -> None:
    rules = (ResidencyRule("SG", ("SG",)),)
    table = owned(a_site("ap-south1"), a_site(OWNER), residency=rules)
    assert refused(table, subject_jurisdiction="SG").reason is RefusalReason.RESIDENCY
    assert answered(table, subject_jurisdiction="EU").region_id == OWNER


def test_an_owner_forced_down_by_an_operator_is_not_answered_with() -> None:
    table = owned(STANDBY, a_site(OWNER, override=Override.FORCE_DOWN))
    assert refused(table).reason is RefusalReason.ALL_UNHEALTHY


def test_an_owner_forced_up_is_not_down() -> None:
    table = owned(STANDBY, a_site(OWNER, Verdict.DOWN, override=Override.FORCE_UP))
    assert answered(table).fail_open is False


def test_an_owned_service_without_sites_says_so() -> None:
    assert refused(owned()).reason is RefusalReason.NO_SITES


def test_a_drain_does_not_hide_that_the_owner_is_down() -> None:
    gone = a_site(OWNER, Verdict.DOWN, drained=True)
    assert answered(owned(STANDBY, gone)).fail_open is True
    closed = owned(STANDBY, gone, all_unhealthy=AllUnhealthy.FAIL_CLOSED)
    assert refused(closed).reason is RefusalReason.ALL_UNHEALTHY
