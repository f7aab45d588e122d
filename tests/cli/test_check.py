"""What `director check` finds, fault by fault, in what directors say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from director.cli import methods
from director.cli.check import _RULES, has_failed
from director.cli.check_change import before_a_change, losses
from director.cli.check_facts import Facts, SeenReplica
from director.cli.findings import Finding, Level
from tests.cli.fake_server import FakeDirector
from tests.cli.running import a_site, a_status, run
from tests.support.command_lines import commands_in, fault_of
from trafficdirector.admin.v1 import admin_pb2 as admin
from trafficdirector.drill.v1 import drill_pb2 as drill

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000

Change = Callable[[admin.GetStatusResponse], None]


def a_seen(replica_id: str, **fields: Any) -> SeenReplica:
    """Return a replica that answered, as the others do unless told otherwise."""
    values = {"state_digest": "aa", "version": "1.0", "wall_ms": NOW_MS, **fields}
    status = a_status(replica_id=replica_id, **values)
    offset_ms = int(status.wall_ms) - NOW_MS
    return SeenReplica(replica_id, True, "127.0.0.1:1", status, "", offset_ms, 3)


def facts(
    change: Change | None = None,
    *replicas: SeenReplica,
    documents: str = "",
    drills: tuple[drill.Drill, ...] | None = None,
) -> Facts:
    """Return a healthy fleet, changed by ``change`` as the leader sees it."""
    status = a_status()
    chat(status).sites.append(a_site("us-east1", priority=2, lag_ms=500, loss_bound_ms=900))
    if change is not None:
        change(status)
    seen = replicas or tuple(a_seen(each) for each in ("d0", "d1", "d2"))
    drills = (a_drill("chat"), a_drill("embed")) if drills is None else drills
    return Facts(status, seen, documents, {"chat": 4_000}, NOW_MS, drills)


def a_drill(service: str, verdict: str = "PASSED", *, age_ms: int = HOUR_MS) -> drill.Drill:
    """Return a drill that ended ``age_ms`` ago."""
    return drill.Drill(
        drill_id=f"{service}/1",
        service_id=service,
        verdict=verdict,
        cause="" if verdict == "PASSED" else "RTO_MISSED",
        ended_wall_ms=NOW_MS - age_ms,
    )


def found(given: Facts, *more: Callable[[Facts], Any]) -> list[Finding]:
    return [finding for rule in (*_RULES, *more) for finding in rule(given)]


def trouble(given: Facts, *more: Callable[[Facts], Any]) -> list[tuple[str, str]]:
    """Return level and category of everything that is not OK."""
    return [(each.level.value, each.category) for each in found(given, *more) if each.hint]


def chat(status: admin.GetStatusResponse) -> admin.ServiceStatus:
    return status.services[0]


def test_a_healthy_fleet_has_one_line_per_category_and_nothing_to_do() -> None:
    findings = found(facts(), before_a_change, losses)

    assert [each for each in findings if each.level is not Level.OK] == []
    assert {each.category for each in findings} == {
        "connectivity",
        "quorum",
        "agreement",
        "clocks",
        "agents",
        "services",
        "capacity",
        "budgets",
        "certificates",
        "configuration",
        "drills",
        "change",
        "loss of a replica",
        "loss of ap-south1",
        "loss of eu-north1",
        "loss of eu-west1",
        "loss of us-east1",
    }


def silent(status: admin.GetStatusResponse) -> None:
    status.regions[0].ClearField("heard_age_ms")


def late(status: admin.GetStatusResponse) -> None:
    status.regions[0].heard_age_ms = 5_001


def leaderless(status: admin.GetStatusResponse) -> None:
    status.leader_id = ""


def stale(status: admin.GetStatusResponse) -> None:
    status.is_fresh = False


def one_voter_lost(status: admin.GetStatusResponse) -> None:
    status.voters_alive = 2


def one_of_five_lost(status: admin.GetStatusResponse) -> None:
    status.voters_alive, status.voter_count = 4, 5


def alone(status: admin.GetStatusResponse) -> None:
    status.voters_alive = status.voter_count = 1


def unowned(status: admin.GetStatusResponse) -> None:
    chat(status).owner_region_id = ""


def gate_closed(status: admin.GetStatusResponse) -> None:
    for each in chat(status).sites:
        each.gate_open = False


def no_candidate(status: admin.GetStatusResponse) -> None:
    for each in chat(status).sites:
        if each.region_id != "eu-west1":
            each.ineligibility = "LAG_UNKNOWN"


def moving(status: admin.GetStatusResponse) -> None:
    chat(status).active_run_id = "chat/7"


def down(status: admin.GetStatusResponse) -> None:
    chat(status).sites[0].verdict = "DOWN"


def one_region_left(status: admin.GetStatusResponse) -> None:
    for each in status.services[1].sites[1:]:
        each.serving = False


def none_left(status: admin.GetStatusResponse) -> None:
    for each in status.services[1].sites:
        each.serving = False


def paused(status: admin.GetStatusResponse) -> None:
    chat(status).pause.left_ms = 60_000


def damped(status: admin.GetStatusResponse) -> None:
    chat(status).damped_for_ms = 60_000


def proposed(status: admin.GetStatusResponse) -> None:
    chat(status).intent.target_region_id = "eu-north1"


def lossy(status: admin.GetStatusResponse) -> None:
    chat(status).lossy_run_id = "chat/3"


def reduced(status: admin.GetStatusResponse) -> None:
    chat(status).automation_note = "fewer than three failure domains"


def full(status: admin.GetStatusResponse) -> None:
    chat(status).sites[0].spill_per_mille = 200


def too_little_room(status: admin.GetStatusResponse) -> None:
    chat(status).headroom_per_mille = 990


def hardly_room(status: admin.GetStatusResponse) -> None:
    chat(status).headroom_per_mille = 1_050


def too_slow(status: admin.GetStatusResponse) -> None:
    chat(status).predicted_rto_ms = 60_001


def nearly_too_slow(status: admin.GetStatusResponse) -> None:
    chat(status).predicted_rto_ms = 48_001


def drained(status: admin.GetStatusResponse) -> None:
    status.regions[0].drained = True


def overridden(status: admin.GetStatusResponse) -> None:
    chat(status).sites[0].override = "FORCE_UP"


def undeclared(status: admin.GetStatusResponse) -> None:
    del status.services[:]


TROUBLES = (
    silent,
    late,
    leaderless,
    stale,
    one_voter_lost,
    one_of_five_lost,
    alone,
    unowned,
    gate_closed,
    no_candidate,
    moving,
    down,
    one_region_left,
    none_left,
    paused,
    damped,
    proposed,
    lossy,
    reduced,
    full,
    too_little_room,
    hardly_room,
    too_slow,
    nearly_too_slow,
    drained,
    overridden,
    undeclared,
)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (silent, ("FAIL", "agents")),
        (late, ("FAIL", "agents")),
        (leaderless, ("FAIL", "quorum")),
        (stale, ("FAIL", "quorum")),
        (one_voter_lost, ("FAIL", "quorum")),
        (one_of_five_lost, ("WARN", "quorum")),
        (alone, ("WARN", "quorum")),
        (unowned, ("FAIL", "services")),
        (gate_closed, ("FAIL", "services")),
        (no_candidate, ("FAIL", "services")),
        (moving, ("WARN", "services")),
        (down, ("WARN", "services")),
        (one_region_left, ("FAIL", "services")),
        (none_left, ("FAIL", "services")),
        (paused, ("WARN", "services")),
        (damped, ("WARN", "services")),
        (proposed, ("WARN", "services")),
        (lossy, ("WARN", "services")),
        (reduced, ("WARN", "services")),
        (undeclared, ("WARN", "services")),
        (full, ("WARN", "capacity")),
        (too_little_room, ("FAIL", "capacity")),
        (hardly_room, ("WARN", "capacity")),
        (too_slow, ("FAIL", "budgets")),
        (nearly_too_slow, ("WARN", "budgets")),
        (drained, ("WARN", "configuration")),
        (overridden, ("WARN", "configuration")),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_trouble_is_found_once_and_says_what_to_do(
    change: Change, expected: tuple[str, str]
) -> None:
    assert trouble(facts(change)) == [expected]


@pytest.mark.parametrize(
    "change",
    TROUBLES,
    ids=lambda value: value.__name__,
)
def test_every_command_in_a_hint_is_one_that_director_takes(change: Change) -> None:
    hints = [each.hint for each in found(facts(change), before_a_change, losses) if each.hint]

    assert hints
    lines = [line for hint in hints for line in commands_in(hint)]
    assert [fault for line in lines if (fault := fault_of(line))] == []


def without(member: SeenReplica, said: str) -> SeenReplica:
    return SeenReplica(member.replica_id, True, member.address, None, said)


def a_certificate(left_ms: int, half_life_in_ms: int, purpose: str = "leaf") -> list[Any]:
    return [
        admin.CertificateEnd(
            purpose=purpose,
            not_after_ms=NOW_MS + left_ms,
            half_life_at_ms=NOW_MS + half_life_in_ms,
        )
    ]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (without(a_seen("d2"), "connection refused"), [("FAIL", "connectivity")]),
        (a_seen("d2", state_digest="bb"), [("FAIL", "agreement")]),
        (a_seen("d2", state_digest="bb", applied_index=811), []),  # it is one entry behind
        (a_seen("d2", applied_index=812 + 1_001), [("WARN", "agreement")] * 2),
        (a_seen("d2", version="1.1"), [("WARN", "agreement")]),
        (a_seen("d2", wall_ms=NOW_MS + 900), []),
        (a_seen("d2", wall_ms=NOW_MS - 1_500), [("WARN", "clocks")]),
        (a_seen("d2", wall_ms=NOW_MS + 61_000), [("FAIL", "clocks")]),
        (a_seen("d2", write_failure="the disk is full"), [("FAIL", "quorum")]),
        (a_seen("d2", certificates=a_certificate(HOUR_MS, 60_000)), []),
        (a_seen("d2", certificates=a_certificate(HOUR_MS, -1)), [("WARN", "certificates")]),
        (a_seen("d2", certificates=a_certificate(899_000, -1)), [("FAIL", "certificates")]),
        (a_seen("d2", certificates=a_certificate(-1, -1)), [("FAIL", "certificates")]),
        (
            a_seen("d2", certificates=a_certificate(HOUR_MS - 1, 1, "ca")),
            [("FAIL", "certificates")],
        ),
    ],
)
def test_what_is_wrong_with_one_replica_is_found(
    other: SeenReplica, expected: list[tuple[str, str]]
) -> None:
    assert trouble(facts(None, a_seen("d0"), a_seen("d1"), other)) == expected


def test_warnings_about_the_documents_keep_their_codes() -> None:
    documents = """
apiVersion: trafficdirector/v1
kind: Fleet
metadata: {name: test}
spec:
  regions:
    - {name: eu-west1, location: {lat: 50, lon: 3}, jurisdiction: EU, failureDomain: a}
    - {name: eu-north1, location: {lat: 60, lon: 27}, jurisdiction: EU, failureDomain: b}
---
apiVersion: trafficdirector/v1
kind: Service
metadata: {name: chat}
spec:
  mode: ActivePassive
  objectives: {rto: 60s}
  regions:
    - {name: eu-west1, priority: 0, endpoints: [{address: "127.0.0.1:9001"}]}
    - {name: eu-north1, priority: 1, endpoints: [{address: "127.0.0.1:9002"}]}
"""
    warned = [each for each in found(facts(documents=documents)) if each.hint]

    assert [each.level for each in warned] == [Level.WARN] * len(warned)
    assert any("[D111]" in each.message for each in warned), [each.message for each in warned]


@pytest.mark.parametrize(
    ("change", "is_refused"),
    [
        (one_voter_lost, True),
        (moving, True),
        (proposed, True),
        (damped, True),
        (no_candidate, True),
        (paused, False),  # whoever deploys may want it
        (drained, False),
        (lossy, False),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_no_change_begins_while_something_is_in_flight(change: Change, is_refused: bool) -> None:
    assert has_failed(before_a_change(facts(change))) is is_refused


def test_a_switchover_needs_a_copy_whose_lag_is_known() -> None:
    def unknown(status: admin.GetStatusResponse) -> None:
        chat(status).sites[0].ClearField("lag_ms")

    assert has_failed(before_a_change(facts(unknown)))


DAY_MS = 24 * HOUR_MS


@pytest.mark.parametrize(
    ("drills", "expected"),
    [
        ((), [("WARN", "drills")]),
        ((a_drill("chat", age_ms=34 * DAY_MS),), []),
        ((a_drill("chat", age_ms=36 * DAY_MS),), [("WARN", "drills")]),
        ((a_drill("chat", "FAILED", age_ms=1), a_drill("chat")), [("WARN", "drills")]),
        ((a_drill("chat", "FAILED", age_ms=DAY_MS), a_drill("chat")), []),
        ((a_drill("chat", "ABORTED", age_ms=1), a_drill("chat")), []),
        ((a_drill("chat", "SKIPPED", age_ms=1),), [("WARN", "drills")]),
        ((a_drill("chat", ""), a_drill("chat")), [("WARN", "drills")]),
    ],
)
def test_a_recovery_that_was_not_rehearsed_lately_is_a_warning(
    drills: tuple[drill.Drill, ...], expected: list[tuple[str, str]]
) -> None:
    given = facts(drills=(*drills, a_drill("embed")))

    assert trouble(given) == expected
    hints = [each.hint for each in found(given) if each.hint]
    assert [
        fault for hint in hints for each in commands_in(hint) if (fault := fault_of(each))
    ] == []
    is_active = any(not each.verdict for each in drills)
    assert has_failed(before_a_change(given)) is is_active


def lost(given: Facts, region: str) -> list[tuple[str, str]]:
    category = f"loss of {region}"
    return [(each.level.value, each.message) for each in losses(given) if each.category == category]


def test_the_loss_of_an_owner_says_who_takes_over_with_what_loss_and_how_long() -> None:
    # 0.8 s that the copy is behind, and 4 s for which an owner out of sight may still write.
    assert lost(facts(), "eu-west1")[0] == (
        "OK",
        "chat moves to eu-north1 in 6.1s of 60s, losing at most 4.8s of 5s",
    )


def test_a_loss_beyond_the_objective_is_a_warning() -> None:
    def behind(status: admin.GetStatusResponse) -> None:
        chat(status).sites[0].loss_bound_ms = 1_001

    # The rule of the guard refuses that move to the director, so it must not be promised.
    assert lost(facts(behind), "eu-west1")[0] == (
        "WARN",
        "chat could move to eu-north1 in 6.1s of 60s, losing at most 5.1s of 5s",
    )
    hints = [each.hint for each in losses(facts(behind)) if "could move" in each.message]
    assert [fault_of(each) for each in commands_in(hints[0])] == ["", ""]
    assert "a person accepts the loss" in hints[0]


def test_an_owner_that_nobody_could_replace_fails_the_rehearsal() -> None:
    assert lost(facts(no_candidate), "eu-west1")[0] == (
        "FAIL",
        "chat would be gone: no region could take over",
    )


@pytest.mark.parametrize("change", [paused, damped], ids=lambda value: value.__name__)
def test_a_move_that_a_person_has_to_start_is_a_warning(change: Change) -> None:
    assert lost(facts(change), "eu-west1")[0][0] == "WARN"


def test_the_last_serving_region_cannot_be_lost() -> None:
    assert lost(facts(one_region_left), "ap-south1") == [("FAIL", "embed would be gone")]


def test_a_standby_that_is_the_only_one_is_a_warning() -> None:
    def only_one(status: admin.GetStatusResponse) -> None:
        chat(status).sites[2].ineligibility = "SILENT"

    assert lost(facts(only_one), "eu-north1")[0] == (
        "WARN",
        "chat goes on, and nobody else could take over then",
    )
    assert lost(facts(), "eu-north1")[0][1].startswith("embed")


# -- the command --------------------------------------------------------------------------------


def a_cluster(fake: FakeDirector, *others: str) -> admin.GetClusterResponse:
    """Return a cluster whose leader is the fake director; the others do not answer."""
    members = [admin.Member(replica_id="d1", role="voter", is_leader=True, address=fake.address)]
    members += [
        admin.Member(replica_id=each, role="voter", address="127.0.0.1:1") for each in others
    ]
    return admin.GetClusterResponse(replica_id="d1", leader_id="d1", members=members)


def script(fake: FakeDirector, status: admin.GetStatusResponse, *others: str) -> None:
    fake.answer(methods.GET_STATUS, status)
    fake.answer(methods.GET_CLUSTER, a_cluster(fake, *others))
    fake.answer(methods.GET_MANIFEST, admin.GetManifestResponse())
    exposure = [admin.BudgetLine(phase="owner out of sight", spent_ms=4_000)]
    fake.answer(methods.EXPLAIN_BUDGET, admin.ExplainBudgetResponse(exposure=exposure))
    drills = [a_drill("chat"), a_drill("embed")]
    fake.answer(methods.LIST_DRILLS, drill.ListDrillsResponse(drills=drills))


def test_a_check_that_passes_prints_a_line_each_and_exits_with_0(fake: FakeDirector) -> None:
    script(fake, a_status())

    result = run("check", "--pre", "--endpoint", fake.address)

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("OK    connectivity   d1 answer")
    assert lines[-1].startswith("all of ")
    assert not any(line.startswith("FAIL") for line in lines)


def test_a_check_that_fails_says_what_to_do_and_exits_with_1(fake: FakeDirector) -> None:
    script(fake, a_status(), "d2")

    result = run("check", "--endpoint", fake.address)

    assert result.exit_code == 1
    (line,) = [each for each in result.stdout.splitlines() if each.startswith("FAIL")]
    assert line.startswith("FAIL  connectivity   d2 does not answer at 127.0.0.1:1: ")
    assert " -> start it, or look at the network" in line
    assert result.stdout.splitlines()[-1].startswith("1 of ")


def test_a_program_reads_the_findings_as_json(fake: FakeDirector) -> None:
    script(fake, a_status(), "d2")

    result = run("check", "--dr", "-o", "json", "--endpoint", fake.address)

    answer = json.loads(result.stdout)
    assert (answer["kind"], answer["ok"], result.exit_code) == ("Check", False, 1)
    assert set(answer["findings"][0]) == {"category", "level", "message", "hint"}
    assert {each["level"] for each in answer["findings"]} == {"OK", "WARN", "FAIL"}


def test_waiting_ends_as_soon_as_nothing_fails(fake: FakeDirector) -> None:
    script(fake, a_status())
    looks: list[int] = []

    def status(_request: Any, _context: Any) -> admin.GetStatusResponse:
        looks.append(1)
        return a_status(voters_alive=2) if len(looks) <= 2 else a_status()

    fake.answer(methods.GET_STATUS, status)

    result = run("check", "--wait", "30s", "--endpoint", fake.address)

    assert result.exit_code == 0, result.output
    assert "waiting: leader d1, term 1, 2 of 3 voters in touch" in result.stderr


def test_waiting_ends_with_1_when_the_time_is_over(fake: FakeDirector) -> None:
    script(fake, a_status(voters_alive=2))

    result = run("check", "--wait", "100ms", "--endpoint", fake.address)

    assert result.exit_code == 1


def test_a_check_without_any_director_exits_with_4() -> None:
    result = run("check", "--endpoint", "127.0.0.1:1")

    assert result.exit_code == 4
