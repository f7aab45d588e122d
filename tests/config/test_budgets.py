"""The lint of RTO and RPO computes with the functions that predict at run time."""

import re
from collections.abc import Callable

import pytest

from director.config import lint_service, predict
from director.config.load import load_topology
from director.core.budget import (
    PredictedRto,
    asynchronous_exposure_ms,
    predicted_rto,
    replication_exposure_ms,
)
from director.core.budget_lines import explain_budget
from director.core.impact import service_budget
from director.core.timing import DEFAULT_TIMING, Timing
from director.routing.table import ServiceId
from tests.config.sample import ALL, CHAT, FLEET, POLICY, SESSIONS

CHAT_ID = ServiceId("chat")
HELD = ALL.replace("hold: 0s", "hold: 1300ms")


def messages(text: str, code: str, timing: Timing = DEFAULT_TIMING) -> list[str]:
    return [
        each.message
        for each in load_topology([("x", text)], timing=timing).faults
        if each.code == code
    ]


@pytest.mark.parametrize("lease_ms", [4_000, 9_000])
@pytest.mark.parametrize("text", [ALL, HELD])
def test_the_recovery_time_in_a_fault_is_the_one_of_the_status_the_plan_and_the_explanation(
    text: str, lease_ms: int
) -> None:
    timing = Timing(lease_ms=lease_ms)
    topology = load_topology([("x", text)], timing=timing).topology
    assert topology is not None
    chat = topology.service(CHAT_ID)
    assert chat is not None
    hold_ms = topology.policy(chat.policy_id).hold_ms
    status_ms = predicted_rto(timing, chat.health, hold_ms=hold_ms, fenced=True).total_ms

    [told] = messages(text.replace("rto: 60s", "rto: 1s"), "D103", timing)

    assert re.findall(r"takes (\d+) ms", told) == [str(status_ms)]
    assert service_budget(topology, chat, timing).predicted_rto_ms == status_ms
    assert explain_budget(topology, chat, timing, election_ms=1_000).total_ms == status_ms


def test_an_rto_is_refused_from_the_millisecond_at_which_the_prediction_exceeds_it() -> None:
    topology = load_topology([("x", ALL)]).topology
    assert topology is not None
    chat = topology.service(CHAT_ID)
    assert chat is not None
    exact_ms = predicted_rto(DEFAULT_TIMING, chat.health, hold_ms=0, fenced=True).total_ms

    met = load_topology([("x", ALL.replace("rto: 60s", f"rto: {exact_ms}ms"))])
    missed = load_topology([("x", ALL.replace("rto: 60s", f"rto: {exact_ms - 1}ms"))])

    assert (met.errors, [each.code for each in missed.errors]) == ((), ["D103"])


def test_the_exposure_in_a_fault_is_the_one_of_the_plan_and_the_explanation() -> None:
    exposed_ms = asynchronous_exposure_ms(DEFAULT_TIMING)
    topology = load_topology([("x", ALL)]).topology
    assert topology is not None
    chat = topology.service(CHAT_ID)
    assert chat is not None

    at_the_bound = messages(ALL.replace("rpo: 5s", f"rpo: {exposed_ms}ms"), "D122")
    above = messages(ALL.replace("rpo: 5s", f"rpo: {exposed_ms + 1}ms"), "D122")

    assert [str(exposed_ms) in each for each in at_the_bound] == [True]
    assert above == []
    assert service_budget(topology, chat, DEFAULT_TIMING).exposed_ms == exposed_ms
    explained = explain_budget(topology, chat, DEFAULT_TIMING, election_ms=1_000)
    assert explained.exposure[0].ms == exposed_ms


def test_budget_and_round_trip_of_session_copies_are_added_as_at_run_time() -> None:
    fleet = FLEET.replace(
        "[us-east1, eu-west1], rtt: 88.5ms", "[eu-north1, eu-west1], rtt: 100.1ms"
    )
    text = "---\n".join((fleet, CHAT + SESSIONS, POLICY))

    [told] = messages(text, "D104")

    # 4.9 s and 100.1 ms, rounded up.
    assert replication_exposure_ms(budget_ms=4_900, rtt_us=100_100) == 5_001
    assert "may be 5001 ms behind" in told


@pytest.mark.parametrize(
    ("module", "name", "double", "code"),
    [
        (predict, "predicted_rto", lambda *_, **__: PredictedRto(99_000, 0, 0, 0), "D103"),
        (lint_service, "asynchronous_exposure_ms", lambda _: 99_000, "D122"),
        (lint_service, "replication_exposure_ms", lambda **_: 99_000, "D104"),
    ],
)
def test_the_lint_has_no_arithmetic_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    name: str,
    double: Callable[..., object],
    code: str,
) -> None:
    text = "---\n".join((FLEET, CHAT + SESSIONS, POLICY))
    assert messages(text, code) == []

    monkeypatch.setattr(module, name, double)

    assert ["99000" in each for each in messages(text, code)] == [True]
