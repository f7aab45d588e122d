"""The budgets of a service explained: the parts add up to what is predicted, and say why."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from director.core.budget import REPROBE_MS, asynchronous_exposure_ms, predicted_rto
from director.core.budget_lines import BudgetExplained, explain_budget
from director.core.timing import DEFAULT_TIMING
from director.core.topology import HealthSpec, RoutingSpec, ServiceSpec
from tests.core.builders import a_policy, a_service, a_topology, an_active_active

TIMES = st.integers(1, 30_000)


def explained(
    service: ServiceSpec, *, hold_ms: int = 0, election_ms: int = 1_000
) -> BudgetExplained:
    topology = a_topology(service, policy=a_policy(hold_ms=hold_ms))
    return explain_budget(topology, service, DEFAULT_TIMING, election_ms=election_ms)


@given(
    every_ms=TIMES,
    timeout_ms=TIMES,
    fall=st.integers(1, 20),
    hold_ms=st.integers(0, 30_000),
    is_passive=st.booleans(),
)
def test_the_phases_add_up_to_the_prediction(
    every_ms: int, timeout_ms: int, fall: int, hold_ms: int, is_passive: bool
) -> None:
    health = HealthSpec(every_ms=every_ms, probe_timeout_ms=timeout_ms, fall_count=fall)
    service = (a_service if is_passive else an_active_active)(health=health)

    found = explained(service, hold_ms=hold_ms)

    predicted = predicted_rto(DEFAULT_TIMING, health, hold_ms=hold_ms, fenced=is_passive)
    assert found.total_ms == predicted.total_ms
    assert all(line.ms >= 0 and line.formula and line.source for line in found.recovery)


def test_each_phase_names_its_values_and_where_they_are_declared() -> None:
    lines = {line.phase: line for line in explained(a_service(), hold_ms=700).recovery}

    assert list(lines) == ["detect", "confirm", "hold", "lease", "promote and publish"]
    assert f"3 probes of 500 ms with {REPROBE_MS} ms between them" in lines["detect"].formula
    assert lines["hold"].ms == 700
    assert lines["hold"].source == "FailoverPolicy default: hold"
    assert f"{DEFAULT_TIMING.lease_wait_ms} ms from the last grant" in lines["lease"].formula
    assert f"lease {DEFAULT_TIMING.lease_ms} ms" in lines["lease"].source


def test_a_service_that_is_probed_seldom_is_told_what_its_detection_waits_for() -> None:
    seldom = a_service(health=HealthSpec(every_ms=9_000, fall_count=1))

    detect = explained(seldom).recovery[0]

    assert detect.ms == 18_000
    assert "every 9000 ms, twice" in detect.formula


def test_an_active_active_service_has_no_lease_and_nothing_that_only_an_owner_has() -> None:
    found = explained(an_active_active())

    assert "lease" not in [line.phase for line in found.recovery]
    assert found.exposure == ()


@pytest.mark.parametrize("election_ms", [500, 2_000])
def test_what_polling_clients_and_a_lost_leader_add_stands_apart(election_ms: int) -> None:
    service = a_service(routing=RoutingSpec(ttl_ms=12_000))

    found = explained(service, election_ms=election_ms)

    assert {line.phase: line.ms for line in found.on_top} == {
        "clients that poll": 12_000,
        "leader lost too": 2 * election_ms,
    }
    assert found.total_ms == explained(a_service()).total_ms


def test_what_an_owner_out_of_sight_may_write_is_its_lease_if_it_asks_the_gate() -> None:
    gated, ungated = (
        explained(replace(a_service(), gated=each)).exposure[0] for each in (True, False)
    )

    assert gated.ms == ungated.ms == asynchronous_exposure_ms(DEFAULT_TIMING)
    assert "until its lease ends" in gated.formula
    assert "holds only if it stops by itself" in ungated.formula
    assert ungated.source.endswith("gate: false")
