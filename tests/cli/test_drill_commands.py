"""`director drill`: what it asks, what it shows while a drill runs, and what it exits with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from director.cli import methods
from director.cli.connection import Connection
from director.core.drill import DrillStage, DrillVerdict
from director.core.drill_record import DrillMoment
from director.core.reasons import Reason
from tests.cli.drills import WALL_MS, a_drill, as_proto, as_report, course
from tests.cli.fake_server import FakeDirector, Refusal
from tests.cli.running import a_status, run
from trafficdirector.admin.v1 import admin_pb2 as admin
from trafficdirector.drill.v1 import drill_pb2 as pb

PASSED = a_drill()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of the test's own for reports."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def serving(fake: FakeDirector, ended: Any = PASSED, told: list[pb.Drill] | None = None) -> None:
    """Have the director run this drill."""
    answers = [pb.WatchDrillResponse(drill=each) for each in told or course(ended)]
    fake.answer(methods.START_DRILL, pb.StartDrillResponse(drill_id=ended.drill_id, index=9))
    fake.answer(methods.WATCH_DRILL, lambda *_: iter(answers))
    fake.answer(methods.GET_DRILL_REPORT, as_report(ended))
    fake.answer(methods.ABORT_DRILL, pb.AbortDrillResponse())


def drill(fake: FakeDirector, *arguments: str) -> Any:
    return run("drill", *arguments, "--endpoint", fake.address)


def test_a_drill_is_followed_from_its_guards_to_its_verdict_and_report(
    fake: FakeDirector, folder: Path
) -> None:
    serving(fake)

    result = drill(fake, "run", "chat-weekly", "--reason", "before the holidays")

    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "Drill chat-weekly/7   lose eu-west1 (blackhole) for 10s",
        "  guards    window open (Tue 03:30) · no failover in progress",
        "  00.0s  inject     eu-west1 unreachable",
        "  02.9s  detect       2.9s  PEERS_FAIL",
        "  03.1s  decide       0.2s  committed, epoch 8",
        "  05.2s  fence        2.1s  the lease of eu-west1 ran out",
        "  05.6s  promote      0.4s  eu-north1 serves under 1.8",
        "  05.9s  publish      0.3s  412 watchers moved",
        "  eu-north1 serves; held for another 4.1s",
        "  restoring eu-west1 ... done",
    ]
    assert result.stdout.splitlines() == [
        "PASS   RTO 5.9s of 45s expected (60s objective)   RPO 0s of 5s",
        "report   drill-reports/chat-weekly-7.html",
    ]
    assert sorted(each.name for each in (folder / "drill-reports").iterdir()) == [
        "chat-weekly-7.html",
        "chat-weekly-7.json",
    ]
    (request,) = fake.asked(methods.START_DRILL)
    assert request.rehearsal == pb.Rehearsal(name="chat-weekly")
    assert (request.change.actor, request.change.reason) == ("alice", "before the holidays")
    assert request.change.request_id


def test_flags_say_what_is_lost_and_what_is_expected(fake: FakeDirector) -> None:
    serving(fake)

    drill(
        fake,
        *("run", "chat", "--lose", "eu-west1", "--how", "error-rate", "--share", "12.5%"),
        *("--delay", "80ms", "--for", "2m", "--expect-rto", "45s", "--expect-rpo", "0s"),
        *("--expected-revision", "4"),
    )

    (request,) = fake.asked(methods.START_DRILL)
    assert request.expected_revision == 4
    assert request.rehearsal == pb.Rehearsal(
        name="chat",
        region_id="eu-west1",
        how="ErrorRate",
        share_per_mille=125,
        delay_ms=80,
        for_ms=120_000,
        expect_rto_ms=45_000,
        expect_rpo_ms=0,
    )


@pytest.mark.parametrize("share", ["0%", "101%", "0.05%", "12", "many"])
def test_a_share_that_is_none_is_a_usage_error(fake: FakeDirector, share: str) -> None:
    result = drill(fake, "run", "chat", "--how", "error-rate", "--share", share)

    assert result.exit_code == 2
    assert "is no share" in result.stderr
    assert fake.requests == []


@pytest.mark.parametrize(
    ("changes", "code", "line"),
    [
        (
            {"verdict": DrillVerdict.FAILED, "cause": "RTO_MISSED", "measured_rto_ms": 50_000},
            6,
            "FAIL   RTO_MISSED: the recovery took longer than expected   RTO 50s of 45s",
        ),
        (
            {"verdict": DrillVerdict.FAILED, "cause": "NOT_RECOVERED", "measured_rto_ms": None},
            6,
            "FAIL   NOT_RECOVERED: no other region took over in time",
        ),
        (
            {"verdict": DrillVerdict.FAILED, "cause": "RPO_UNKNOWN", "loss_bound_ms": None},
            6,
            "FAIL   RPO_UNKNOWN: how many writes could be lost is not known",
        ),
        (
            {
                "verdict": DrillVerdict.FAILED,
                "cause": "STATE_DIFF",
                "state_diff": ("home chat/0: eu-west1 -> eu-north1",),
            },
            1,
            "FAIL   STATE_DIFF: not everything is as it was before; home chat/0: eu-west1 -> eu-n",
        ),
        (
            {
                "verdict": DrillVerdict.ABORTED,
                "cause": "ABORT_WHEN",
                "abort_cause": "ABORT_WHEN",
                "abort_note": "abortWhen holds: eu-north1 is DOWN",
            },
            8,
            "ABORTED   ABORT_WHEN: abortWhen holds: eu-north1 is DOWN",
        ),
    ],
    ids=["late", "not-recovered", "loss-unknown", "left-over", "aborted"],
)
def test_the_verdict_decides_the_exit_code(
    fake: FakeDirector, changes: dict[str, Any], code: int, line: str
) -> None:
    serving(fake, a_drill(**changes))

    result = drill(fake, "run", "chat-weekly")

    assert result.exit_code == code
    assert result.stdout.splitlines()[0].startswith(line)


def test_a_guard_that_refuses_is_named_and_exits_3(fake: FakeDirector) -> None:
    fake.answer(
        methods.START_DRILL,
        Refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            Reason.DRILL_REFUSED,
            "guard oneDrill refuses the drill: drill embed/3 is injecting",
        ),
    )

    result = drill(fake, "run", "chat")

    assert result.exit_code == 3
    assert "guard oneDrill refuses the drill" in result.stderr
    assert "`director drill plan chat` says what every guard finds" in result.stderr


def test_no_director_exits_4() -> None:
    result = run("drill", "run", "chat", "--endpoint", "127.0.0.1:9")

    assert result.exit_code == 4
    assert "no director answered" in result.stderr


def test_a_drill_that_outlasts_the_wait_exits_5_and_is_named(fake: FakeDirector) -> None:
    serving(fake, PASSED, course(PASSED)[:2])

    result = drill(fake, "run", "chat-weekly", "--timeout", "600ms")

    assert result.exit_code == 5
    assert result.stdout == "chat-weekly/7\n"
    assert "still runs" in result.stderr


def test_a_detached_drill_is_only_named(fake: FakeDirector, folder: Path) -> None:
    serving(fake)

    result = drill(fake, "run", "chat-weekly", "--detach")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "chat-weekly/7\n", "")
    assert fake.asked(methods.WATCH_DRILL) == []
    assert not (folder / "drill-reports").exists()


def test_a_dry_run_starts_nothing(fake: FakeDirector) -> None:
    fake.answer(methods.START_DRILL, pb.StartDrillResponse(message="chat would lose eu-west1"))

    result = drill(fake, "run", "chat", "--dry-run")

    assert result.stdout == "dry run: chat would lose eu-west1\n"
    assert fake.asked(methods.START_DRILL)[0].change.validate_only
    assert fake.asked(methods.WATCH_DRILL) == []


def test_a_stream_that_breaks_is_taken_up_again_without_saying_anything_twice(
    fake: FakeDirector,
) -> None:
    told = course(PASSED)
    streams = [told[:4], told[2:6], told[5:]]
    serving(fake)

    def watch(*_: object) -> Iterator[pb.WatchDrillResponse]:
        return iter([pb.WatchDrillResponse(drill=each) for each in streams.pop(0)])

    fake.answer(methods.WATCH_DRILL, watch)

    result = drill(fake, "run", "chat-weekly")

    lines = result.stderr.splitlines()
    assert result.exit_code == 0
    assert len(lines) == len(set(lines)) == 10


def aborted() -> Any:
    moment = DrillMoment(DrillStage.RESTORING, 3_000, "alice: Ctrl-C", WALL_MS)
    return a_drill(
        verdict=DrillVerdict.ABORTED,
        cause="ASKED",
        abort_cause="ASKED",
        abort_note="alice: Ctrl-C",
        measured_rto_ms=None,
        loss_bound_ms=None,
        phases=(),
        timeline=(*PASSED.timeline[:2], moment, replace(PASSED.timeline[-1], at_ms=4_000)),
    )


def test_ctrl_c_asks_for_the_end_waits_for_it_and_exits_130(
    fake: FakeDirector, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    ended = aborted()
    serving(fake, ended)
    streams = [[as_proto(ended)], course(PASSED)[:2]]
    fake.answer(
        methods.WATCH_DRILL,
        lambda *_: iter([pb.WatchDrillResponse(drill=each) for each in streams.pop()]),
    )

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("director.cli.drill.time.sleep", interrupted)

    result = drill(fake, "run", "chat-weekly")

    (request,) = fake.asked(methods.ABORT_DRILL)
    assert request.drill_id == "chat-weekly/7"
    assert result.exit_code == 130
    assert "asking the director to abort chat-weekly/7" in result.stderr
    assert result.stderr.splitlines()[-1] == "  restoring eu-west1 ... done"
    assert result.stdout.splitlines()[0] == "ABORTED   ASKED: alice: Ctrl-C"
    assert (folder / "drill-reports" / "chat-weekly-7.json").exists()


def test_ctrl_c_before_the_answer_aborts_what_has_begun_all_the_same(
    fake: FakeDirector, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = aborted()
    serving(fake, ended)
    seen = [pb.StartDrillResponse(message="not yet"), pb.StartDrillResponse(drill_id="chat/8")]
    fake.answer(methods.START_DRILL, lambda *_: seen.pop(0) if seen else pb.StartDrillResponse())
    call, calls = Connection.call, []

    def interrupted(self: Connection, method: Any, request: Any) -> Any:
        answer = call(self, method, request)
        calls.append(request)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(Connection, "call", interrupted)

    result = drill(fake, "run", "chat-weekly")

    first, *looks = fake.asked(methods.START_DRILL)
    assert [each.change.request_id for each in looks] == [first.change.request_id]
    assert all(each.change.validate_only for each in looks), "to look must not start anything"
    (request,) = fake.asked(methods.ABORT_DRILL)
    assert request.drill_id == "chat/8"
    assert result.exit_code == 130


def test_ctrl_c_before_the_answer_of_what_did_not_begin_starts_nothing(
    fake: FakeDirector, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving(fake)
    refused = Refusal(grpc.StatusCode.FAILED_PRECONDITION, Reason.DRILL_REFUSED, "guard: no")
    fake.answer(methods.START_DRILL, refused)
    call, calls = Connection.call, []

    def interrupted(self: Connection, method: Any, request: Any) -> Any:
        calls.append(request)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return call(self, method, request)

    monkeypatch.setattr(Connection, "call", interrupted)

    result = drill(fake, "run", "chat-weekly")

    assert result.exit_code == 130
    assert "it did not begin" in result.stderr
    assert all(each.change.validate_only for each in fake.asked(methods.START_DRILL))
    assert fake.asked(methods.ABORT_DRILL) == []


def test_ctrl_c_when_everything_is_being_put_back_already_only_waits(
    fake: FakeDirector, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving(fake)
    streams = [course(PASSED)[6:], course(PASSED)[:6]]
    fake.answer(
        methods.WATCH_DRILL,
        lambda *_: iter([pb.WatchDrillResponse(drill=each) for each in streams.pop()]),
    )
    fake.answer(
        methods.ABORT_DRILL,
        Refusal(grpc.StatusCode.FAILED_PRECONDITION, Reason.NOTHING_TO_DO, "it is over"),
    )

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("director.cli.drill.time.sleep", interrupted)

    result = drill(fake, "run", "chat-weekly")

    assert result.exit_code == 130
    assert "it is over" in result.stderr
    assert result.stdout.startswith("PASS")


def test_a_report_that_cannot_be_written_does_not_hide_the_verdict(
    fake: FakeDirector, folder: Path
) -> None:
    (folder / "file").write_text("in the way")
    serving(fake)

    result = drill(fake, "run", "chat-weekly", "--out", "file/reports")

    assert result.exit_code == 0
    assert result.stdout.startswith("PASS")
    assert "the report was not written to file/reports" in result.stderr


# -- plan, list, abort, status ---------------------------------------------------------------------


def a_plan(**changes: Any) -> pb.PlanDrillResponse:
    values: dict[str, Any] = {
        "service_id": "chat",
        "region_id": "eu-west1",
        "how": "Blackhole",
        "for_ms": 30_000,
        "guards": [pb.GuardAnswer(guard="oneDrill", passed=True, message="no other drill")],
        "would_run": True,
        "target_region_id": "eu-north1",
        "phases": [admin.PhaseTime(phase="detect", spent_ms=2_500, note="enough observers agree")],
        "predicted_rto_ms": 2_500,
        "rto_budget_ms": 60_000,
        "loss_bound_ms": 300,
        "rpo_budget_ms": 5_000,
        "touched": ["home chat/0: eu-west1 -> eu-north1"],
    }
    return pb.PlanDrillResponse(**{**values, **changes})


def test_a_plan_says_guards_target_and_phases_and_exits_0(fake: FakeDirector) -> None:
    fake.answer(methods.PLAN_DRILL, a_plan())

    result = drill(fake, "plan", "chat")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "chat: lose eu-west1 (blackhole) for 30s   would run",
        "",
        "guards",
        "  ok  oneDrill  no other drill",
        "",
        "target    eu-north1",
        "predicted 2.5s of 60s",
        "  02.5s  detect       2.5s  enough observers agree",
        "could lose 0.3s of 5s",
        "touched   home chat/0: eu-west1 -> eu-north1",
        "differs at the end: nothing",
    ]


def test_a_plan_that_a_guard_refuses_exits_3(fake: FakeDirector) -> None:
    said = "drill embed/3 is injecting; one runs at a time"
    guard = pb.GuardAnswer(guard="oneDrill", passed=False, message=said)
    fake.answer(methods.PLAN_DRILL, a_plan(would_run=False, guards=[guard], phases=[]))

    result = drill(fake, "plan", "chat")

    assert result.exit_code == 3
    assert result.stdout.splitlines()[-1] == f"  NO  oneDrill  {said}"


def test_the_list_tells_what_is_due_and_how_the_last_drills_went(fake: FakeDirector) -> None:
    schedule = pb.ScheduleStatus(
        schedule_id="chat-weekly",
        service_id="chat",
        cron="30 3 * * 2",
        timezone="Europe/Brussels",
        region_id="eu-west1",
        how="Blackhole",
        for_ms=10_000,
        next_due_ms=WALL_MS,
        last_drill=as_proto(PASSED),
    )
    broken = pb.ScheduleStatus(schedule_id="odd", service_id="chat", fault="no time zone 'X'")
    late = as_proto(a_drill(verdict=DrillVerdict.FAILED, cause="RTO_MISSED"))
    fake.answer(
        methods.LIST_DRILLS,
        pb.ListDrillsResponse(
            drills=[course(PASSED)[1], late, as_proto(PASSED)], schedules=[schedule, broken]
        ),
    )

    lines = drill(fake, "list").stdout.splitlines()
    names = drill(fake, "list", "-o", "name").stdout.splitlines()

    assert lines[0].split("  ")[0] == "SCHEDULE"
    assert "30 3 * * 2 Europe/Brussels" in lines[1]
    assert "2025-11-20 16:00:00Z  pass (chat-weekly/7)" in lines[1]
    assert "no time zone 'X'" in lines[2]
    assert "injecting" in lines[5]
    assert "fail (RTO_MISSED)" in lines[6]
    assert "5.9s / 45s" in lines[7]
    assert names == ["chat-weekly/7"] * 3


def test_an_abort_by_a_services_name_finds_the_drill_that_runs_and_waits_for_it(
    fake: FakeDirector,
) -> None:
    serving(fake, aborted())
    fake.answer(
        methods.LIST_DRILLS,
        pb.ListDrillsResponse(drills=[course(PASSED)[1], as_proto(PASSED)]),
    )

    result = drill(fake, "abort", "chat", "--reason", "an incident")

    (request,) = fake.asked(methods.ABORT_DRILL)
    assert (request.drill_id, request.change.reason) == ("chat-weekly/7", "an incident")
    assert result.exit_code == 0
    assert result.stdout.startswith("chat-weekly/7 aborted; everything is as before after ")


def test_an_abort_of_nothing_that_runs_says_so(fake: FakeDirector) -> None:
    fake.answer(methods.LIST_DRILLS, pb.ListDrillsResponse(drills=[as_proto(PASSED)]))

    result = drill(fake, "abort", "chat")

    assert result.exit_code == 2
    assert "no drill of chat runs now" in result.stderr
    assert fake.asked(methods.ABORT_DRILL) == []


def test_an_abort_that_leaves_something_behind_is_no_success(fake: FakeDirector) -> None:
    serving(fake, replace(aborted(), state_diff=("home chat/0: eu-west1 -> eu-north1",)))

    result = drill(fake, "abort", "chat-weekly/7")

    assert result.exit_code == 1
    assert "not put back: home chat/0" in result.stderr


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (
            admin.LastDrill(verdict="PASSED", stage="ended", ended_age_ms=3 * 86_400_000),
            "pass, 3d ago",
        ),
        (admin.LastDrill(verdict="FAILED", stage="ended", ended_age_ms=7_300_000), "fail, 2h ago"),
        (admin.LastDrill(verdict="ABORTED", stage="ended", ended_age_ms=900), "aborted, just now"),
        (admin.LastDrill(stage="injecting"), "injecting now"),
    ],
)
def test_the_status_shows_the_last_drill_of_each_service(
    fake: FakeDirector, last: admin.LastDrill, words: str
) -> None:
    seen = a_status()
    seen.services[0].last_drill.CopyFrom(last)
    fake.answer(methods.GET_STATUS, seen)

    lines = run("status", "--endpoint", fake.address).stdout.splitlines()

    column = lines[2].index("LAST DRILL")
    assert lines[3][column:].startswith(words)
    assert lines[4][column:].startswith("never")


def test_json_has_the_whole_drill_on_stdout_and_the_progress_on_stderr(fake: FakeDirector) -> None:
    serving(fake)

    result = drill(fake, "run", "chat-weekly", "-o", "json")

    value = json.loads(result.stdout)
    assert (value["apiVersion"], value["kind"]) == ("trafficdirector/v1", "Drill")
    assert (value["drill_id"], value["verdict"]) == ("chat-weekly/7", "PASSED")
    assert value["report_hash"] == PASSED.report_hash
    assert "inject" in result.stderr


def test_get_and_describe_tell_of_drills_as_of_everything_else(fake: FakeDirector) -> None:
    fake.answer(methods.LIST_DRILLS, pb.ListDrillsResponse(drills=[as_proto(PASSED)]))
    fake.answer(methods.GET_DRILL, pb.GetDrillResponse(drill=as_proto(PASSED)))

    listed = run("get", "drills", "chat", "-o", "name", "--endpoint", fake.address)
    told = run("describe", "drill", "chat-weekly/7", "--endpoint", fake.address).stdout

    assert listed.stdout == "chat-weekly/7\n"
    assert fake.asked(methods.LIST_DRILLS)[0].name == "chat"
    assert told.splitlines()[0] == ("chat-weekly/7   lose eu-west1 (blackhole) for 10s   by alice")
    assert "  10.1s     restoring  the time is over" in told.splitlines()
    assert "  evidence  peer:us-east1 fail (0.2s old)" in told.splitlines()
    assert f"SHA-256 {PASSED.report_hash}" in told
