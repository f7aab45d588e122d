"""What a drill demands, and what it makes of what it saw."""

from dataclasses import replace

import pytest

from director.dev.drill_verdict import (
    Measured,
    Outcome,
    Plan,
    Proof,
    Resolve,
    Restored,
    Service,
    checks,
    guards,
    outcome,
    refused,
)

PLAN = Plan("chat", "eu-west1", "kill", lost_voter_count=1)
SERVICE = Service(
    mode="ActivePassive",
    owner="eu-west1",
    is_gate_open=True,
    automation="Automatic",
    automation_note="",
    rpo_ms=5_000,
    running=(),
    loss_bounds_ms={"eu-west1": 0, "eu-north1": 300, "us-east1": None},
    ineligible={"us-east1": "UNHEALTHY"},
    voters_alive=3,
    voter_count=3,
)
RESTORED = Restored(
    heard=True,
    verdict="UP",
    is_gate_open=False,
    write_statuses=(409,) * 10,
    voters_alive=3,
    voter_count=3,
    agree=True,
)
PROOF = Proof(write_count=400, interval_count=2, overlaps=(), lost_count=1, lost_span_ms=0)
GOOD = Measured(
    plan=PLAN,
    run_id="chat/1",
    stage="settled",
    cause="",
    target="eu-north1",
    rto_ms=60_000,
    expected_rto_ms=None,
    rpo_ms=5_000,
    loss_bound_ms=700,
    director_rto_ms=5_000,
    is_writing=True,
    first_write_ms=5_200,
    watchers_moved_ms=(5_300, 5_400),
    watcher_count=2,
    resolve_failures=(),
    resolved_count=90,
    after=(Resolve("192.0.2.1", "Paris", "chat", "eu-north1"),),
    restored=RESTORED,
    proof=PROOF,
)


def _names(service: Service, plan: Plan = PLAN) -> list[str]:
    return [each.name for each in refused(guards(plan, service))]


def test_a_healthy_fleet_passes_every_guard() -> None:
    assert _names(SERVICE) == []


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        ({"owner": "eu-north1"}, "owner"),
        ({"mode": "ActiveActive"}, "owner"),
        ({"is_gate_open": False}, "writes"),
        ({"running": ("chat/7",)}, "idle"),
        ({"automation": "Approve"}, "automation"),
        ({"ineligible": {"us-east1": "DRAINED", "eu-north1": "UNHEALTHY"}}, "standby"),
        ({"loss_bounds_ms": {"eu-west1": 0, "eu-north1": 5_001}, "ineligible": {}}, "standby"),
        ({"loss_bounds_ms": {"eu-west1": 0, "eu-north1": None}, "ineligible": {}}, "standby"),
        ({"loss_bounds_ms": {"eu-west1": 0}, "ineligible": {}}, "standby"),
        ({"voters_alive": 2}, "quorum"),
        ({"blind": ("d2",)}, "evidence"),
    ],
)
def test_each_guard_refuses_on_its_own(change: dict[str, object], guard: str) -> None:
    assert _names(replace(SERVICE, **change)) == [guard]  # type: ignore[arg-type]


def test_an_unknown_lag_does_not_matter_to_a_service_without_an_rpo() -> None:
    service = replace(
        SERVICE, rpo_ms=None, loss_bounds_ms={"eu-west1": None, "eu-north1": None}, ineligible={}
    )

    assert _names(service) == []


def test_losing_a_region_without_a_replica_needs_no_more_than_a_bare_quorum() -> None:
    assert _names(replace(SERVICE, voters_alive=2), replace(PLAN, lost_voter_count=0)) == []


def test_a_switchover_needs_no_automation() -> None:
    plan = replace(PLAN, how="switchover", lost_voter_count=0)

    assert _names(replace(SERVICE, automation="Observe"), plan) == []


def _failed(measured: Measured) -> tuple[list[str], Outcome]:
    lines = checks(measured)
    names = [each.name for each in lines if not each.passed]
    return names, outcome(lines, measured.stage)


def test_a_drill_in_which_all_held_passes() -> None:
    assert _failed(GOOD) == ([], Outcome.PASS)


@pytest.mark.parametrize(
    ("change", "names", "expected"),
    [
        ({"first_write_ms": 60_001}, ["RTO"], Outcome.BUDGET_MISSED),
        ({"expected_rto_ms": 5_300}, ["RTO"], Outcome.BUDGET_MISSED),
        ({"watchers_moved_ms": (100, 61_000)}, ["RTO"], Outcome.BUDGET_MISSED),
        ({"loss_bound_ms": 5_001}, ["RPO"], Outcome.BUDGET_MISSED),
        ({"loss_bound_ms": None}, ["RPO"], Outcome.BUDGET_MISSED),
        ({"proof": replace(PROOF, lost_span_ms=5_001)}, ["RPO"], Outcome.BUDGET_MISSED),
        ({"proof": replace(PROOF, overlaps=("both wrote",))}, ["one writer"], Outcome.FAIL),
        ({"proof": replace(PROOF, write_count=0)}, ["one writer"], Outcome.FAIL),
        ({"watchers_moved_ms": (5_300,)}, ["watchers"], Outcome.FAIL),
        ({"first_write_ms": None}, ["writes"], Outcome.FAIL),
        ({"resolve_failures": ("no director answered",)}, ["resolves"], Outcome.FAIL),
        (
            {"after": (Resolve("192.0.2.1", "Paris", "chat", "us-east1"),)},
            ["resolves"],
            Outcome.FAIL,
        ),
        (
            {"after": (Resolve("192.0.2.1", "Paris", "embed", "eu-west1"),)},
            ["resolves"],
            Outcome.FAIL,
        ),
        ({"restored": replace(RESTORED, verdict="DOWN")}, ["restored"], Outcome.FAIL),
        ({"restored": replace(RESTORED, heard=False)}, ["restored"], Outcome.FAIL),
        ({"restored": replace(RESTORED, voters_alive=2)}, ["directors"], Outcome.FAIL),
        ({"restored": replace(RESTORED, agree=False)}, ["directors"], Outcome.FAIL),
        ({"restored": replace(RESTORED, is_gate_open=True)}, ["fenced"], Outcome.FAIL),
        ({"restored": replace(RESTORED, write_statuses=(409, 200))}, ["fenced"], Outcome.FAIL),
        ({"restored": replace(RESTORED, write_statuses=())}, ["fenced"], Outcome.FAIL),
        ({"stage": "aborted", "cause": "TARGET_LOST"}, ["moved"], Outcome.ABORTED),
        ({"stage": "publishing"}, ["moved"], Outcome.FAIL),
    ],
)
def test_each_thing_that_goes_wrong_is_named_and_decides_the_outcome(
    change: dict[str, object], names: list[str], expected: Outcome
) -> None:
    assert _failed(replace(GOOD, **change)) == (names, expected)  # type: ignore[arg-type]


def test_a_broken_promise_outweighs_a_missed_budget() -> None:
    measured = replace(GOOD, first_write_ms=61_000, proof=replace(PROOF, overlaps=("both wrote",)))

    assert _failed(measured)[1] is Outcome.FAIL


def test_an_ungated_service_may_stay_where_only_the_agent_is_gone() -> None:
    measured = replace(
        GOOD,
        plan=replace(PLAN, how="agent"),
        after=(Resolve("192.0.2.1", "Paris", "embed", "eu-west1"),),
    )

    assert _failed(measured) == ([], Outcome.PASS)


def test_the_recovery_time_is_that_of_the_last_client() -> None:
    assert GOOD.recovered_ms == 5_400
