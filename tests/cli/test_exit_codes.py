"""Scripts rely on exit codes: each of the table, against a director that answers from a script."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from director.cli import methods
from director.cli.exits import EXIT_CODE_BY_REASON
from director.core.reasons import Reason
from tests.cli.fake_server import FakeDirector, Handler, Refusal
from tests.cli.running import CLEAN, a_run, a_status, run
from tests.config.sample import ALL
from trafficdirector.admin.v1 import admin_pb2 as admin

FAILOVER = ("failover", "chat", "--to", "eu-north1", "--reason", "power")
ROOT = Path(__file__).resolve().parents[2]


def watched(*runs: admin.Failover) -> Handler:
    """Script WatchFailover to send these and end."""

    def answer(_: object, __: object) -> Iterator[admin.WatchFailoverResponse]:
        for each in runs:
            yield admin.WatchFailoverResponse(failover=each)

    return answer


def a_started_failover(fake: FakeDirector, *runs: admin.Failover) -> None:
    fake.answer(methods.START_FAILOVER, admin.StartFailoverResponse(failover_id="chat/7"))
    fake.answer(methods.WATCH_FAILOVER, watched(*runs))


def test_0_when_it_is_done(fake: FakeDirector) -> None:
    a_started_failover(fake, a_run("fencing", measured_rto_ms=None), a_run())

    result = run(*FAILOVER, "--yes", "--endpoint", fake.address)

    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "chat/7  settled: chat moved from eu-west1 to eu-north1; "
        "RTO 5.9s of 60s, RPO at most 0.3s of 5s\n"
    )
    [request] = fake.asked(methods.START_FAILOVER)
    assert (request.change.actor, request.change.reason) == ("alice", "power")
    assert not request.HasField("accept_data_loss_ms")


def test_1_when_the_answer_is_no(fake: FakeDirector) -> None:
    fake.answer(methods.GET_MANIFEST, admin.GetManifestResponse())

    result = run("export", "--endpoint", fake.address)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "no documents are in force\napply some first\n"


def test_2_for_usage_an_unknown_name_and_an_invalid_file(
    fake: FakeDirector, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(ALL.replace("ttl: 15s", "tll: 15s"))
    message = "there is no service 'chatt'"
    refusal = Refusal(grpc.StatusCode.NOT_FOUND, Reason.SERVICE_NOT_FOUND, message)
    fake.answer(methods.RESOLVE, refusal)

    assert run("resolve").exit_code == 2
    assert run("statuss").exit_code == 2
    assert "did you mean 'status'?" in run("statuss").stderr
    assert run("resolve", "chatt", "--endpoint", fake.address).exit_code == 2
    invalid = run("validate", "-f", str(broken))
    assert invalid.exit_code == 2
    assert invalid.stdout == (
        f"{broken}:32: spec.routing.tll: unknown key [D004] -> did you mean 'ttl'?\n"
    )
    applied = run("apply", "-f", str(broken), "--endpoint", fake.address)
    assert applied.exit_code == 2
    assert "nothing was applied: 1 fault" in applied.stderr
    assert fake.asked(methods.APPLY_MANIFEST) == []


def test_2_when_a_move_would_ask_and_there_is_no_terminal(fake: FakeDirector) -> None:
    a_started_failover(fake, a_run())

    result = run(*FAILOVER, "--endpoint", fake.address)

    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert fake.requests == []


def test_2_when_a_change_has_no_reason(fake: FakeDirector) -> None:
    result = run("drain", "eu-west1", "--endpoint", fake.address)

    assert result.exit_code == 2
    assert "--reason" in result.stderr


def test_3_when_a_guard_refuses(fake: FakeDirector) -> None:
    message = "us-east1 could lose 5100 ms of writes; the RPO is 5000 ms. Closest: eu-north1"
    fake.answer(
        methods.START_FAILOVER,
        Refusal(
            grpc.StatusCode.FAILED_PRECONDITION, Reason.RPO_EXCEEDED, message, lossBoundMs="5100"
        ),
    )

    result = run(*FAILOVER, "--yes", "--endpoint", fake.address)

    assert (result.exit_code, result.stdout, result.stderr) == (
        3,
        "",
        f"{message} [RPO_EXCEEDED]\n",
    )


@pytest.mark.parametrize("reason", [Reason.NO_OWNER, Reason.ALL_UNHEALTHY, Reason.RESIDENCY])
def test_3_when_no_region_may_serve(fake: FakeDirector, reason: Reason) -> None:
    message = "chat cannot be served"
    fake.answer(methods.RESOLVE, Refusal(grpc.StatusCode.FAILED_PRECONDITION, reason, message))

    result = run("resolve", "chat", "--endpoint", fake.address)

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == f"{message} [{reason}]\n"


def test_4_when_no_director_answers() -> None:
    result = run("status", "--endpoint", "127.0.0.1:1")

    assert result.exit_code == 4
    assert result.stderr == (
        "no director answered at 127.0.0.1:1 (connection refused); "
        "start one with `director dev` or give --endpoint\n"
    )


def test_4_when_there_is_no_quorum(fake: FakeDirector) -> None:
    refusal = Refusal(grpc.StatusCode.UNAVAILABLE, Reason.NO_LEADER, "no leader is known")
    fake.answer(methods.SET_REGION_DRAIN, refusal)

    result = run(
        "drain", "eu-west1", "--reason", "x", "--deadline", "500ms", "--endpoint", fake.address
    )

    assert result.exit_code == 4
    assert result.stderr == f"no leader is known (asked {fake.address} for 0.5 s) [NO_LEADER]\n"
    # An election may end within the deadline, so it is asked again; with one request id.
    requests = fake.asked(methods.SET_REGION_DRAIN)
    assert len(requests) > 1
    assert len({each.change.request_id for each in requests}) == 1


def test_5_when_the_run_outlasts_the_wait_and_its_name_is_on_stdout(fake: FakeDirector) -> None:
    def never_ending(_: object, context: grpc.ServicerContext) -> Iterator[Any]:
        yield admin.WatchFailoverResponse(failover=a_run("fencing", measured_rto_ms=None))
        while context.is_active():
            context.time_remaining()  # the client's deadline ends this

    fake.answer(methods.WATCH_FAILOVER, never_ending)

    result = run("wait", "chat/7", "--timeout", "400ms", "--endpoint", fake.address)

    assert (result.exit_code, result.stdout) == (5, "chat/7\n")
    assert "chat/7 still runs after 0.4s" in result.stderr


@pytest.mark.parametrize(
    "missed",
    [
        {"measured_rto_ms": 61_000},
        {"loss_bound_ms": 5_100},
        {"loss_bound_ms": None},
    ],
)
def test_6_when_a_budget_was_missed(fake: FakeDirector, missed: dict[str, Any]) -> None:
    a_started_failover(fake, a_run(**missed))

    result = run(*FAILOVER, "--yes", "--accept-data-loss", "9s", "--endpoint", fake.address)

    assert result.exit_code == 6
    assert "budget missed" in result.stdout
    [request] = fake.asked(methods.START_FAILOVER)
    assert request.accept_data_loss_ms == 9_000


def test_7_when_the_revision_or_the_epoch_is_not_the_expected_one(
    fake: FakeDirector, tmp_path: Path
) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(ALL)
    conflict = Refusal(grpc.StatusCode.ABORTED, Reason.STALE_REVISION, "revision is 5, not 4")
    stale = Refusal(grpc.StatusCode.ABORTED, Reason.STALE_EPOCH, "epoch is 9, not 8")
    fake.answer(methods.APPLY_MANIFEST, conflict)
    fake.answer(methods.START_SWITCHOVER, stale)

    applied = run("apply", "-f", str(file), "--expected-revision", "4", "--endpoint", fake.address)
    moved = run(
        *("switchover", "chat", "--reason", "x", "--expected-epoch", "8", "--yes"),
        *("--endpoint", fake.address),
    )

    assert (applied.exit_code, moved.exit_code) == (7, 7)
    assert applied.stderr.endswith("revision is 5, not 4 [STALE_REVISION]\n")
    assert fake.asked(methods.APPLY_MANIFEST)[0].expected_revision == 4
    assert fake.asked(methods.START_SWITCHOVER)[0].expected_epoch == 8


def test_8_when_the_run_was_aborted(fake: FakeDirector) -> None:
    a_started_failover(fake, a_run("aborted", cause="a beat arrived", measured_rto_ms=None))

    result = run(*FAILOVER, "--yes", "--endpoint", fake.address)

    assert result.exit_code == 8
    assert result.stdout == ("chat/7  aborted: chat did not move to eu-north1: a beat arrived\n")


@pytest.mark.slow
def test_130_when_interrupted_and_the_run_is_not_cancelled(fake: FakeDirector) -> None:
    def never_ending(_: object, context: grpc.ServicerContext) -> Iterator[Any]:
        yield admin.WatchFailoverResponse(failover=a_run("fencing", measured_rto_ms=None))
        while context.is_active():
            context.time_remaining()

    fake.answer(methods.WATCH_FAILOVER, never_ending)
    clean = {key: value for key, value in os.environ.items() if key not in CLEAN}
    command = [sys.executable, "-m", "director", "wait", "chat/7", "--endpoint", fake.address]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**clean, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        first_line = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=30)

    assert process.returncode == 130
    assert first_line.startswith("chat/7  failover of chat")
    assert "chat/7 goes on" in rest
    assert fake.asked(methods.CANCEL_FAILOVER) == []


def test_every_reason_has_an_exit_code() -> None:
    assert set(EXIT_CODE_BY_REASON) == set(Reason)


def test_a_status_that_is_degraded_is_still_an_answer(fake: FakeDirector) -> None:
    fake.answer(methods.GET_STATUS, a_status(voters_alive=2))

    assert run("status", "--endpoint", fake.address).exit_code == 0
