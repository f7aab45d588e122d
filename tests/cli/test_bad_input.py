"""What is typed wrong is said plainly, with an exit code, and reaches no director."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from director.cli import dev, methods
from director.cli.context_file import contexts_path, read_contexts
from director.cli.main import director
from director.core.reasons import Reason
from director.dev.plan import plan_fleet
from director.dev.session import Options, suggestions
from director.dev.supervisor import Fleet, How
from tests.cli.fake_server import FakeDirector, Refusal, a_director
from tests.cli.running import a_run, a_status, run
from trafficdirector.admin.v1 import admin_pb2 as admin

REASON = ("--reason", "x")


@pytest.mark.parametrize(
    "endpoint",
    ["", "localhost", "127.0.0.1:99999", "127.0.0.1:0", "127.0.0.1:x", "http://127.0.0.1:7440"],
)
def test_an_endpoint_that_is_no_address_is_a_usage_error(endpoint: str) -> None:
    result = run("status", "--endpoint", endpoint)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{endpoint!r} is not the address of a director" in result.stderr
    assert "HOST:PORT" in result.stderr


def test_endpoints_in_the_environment_that_are_not_separated_by_commas_are_named() -> None:
    result = run("status", env={"DIRECTOR_ENDPOINTS": "127.0.0.1:7440 127.0.0.1:7443"})

    assert result.exit_code == 2
    assert "from DIRECTOR_ENDPOINTS" in result.stderr
    assert "commas" in result.stderr


@contextmanager
def a_listener(answer: bytes) -> Iterator[str]:
    """Listen, and answer every connection with these bytes or, without any, never."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                taken.append(connection)
                if answer:
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for each in taken:
                each.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", "something that is not a director listens there"),
        (b"", "accepts connections and says nothing"),
    ],
)
def test_a_listener_that_is_no_director_is_called_so(answer: bytes, said: str) -> None:
    with a_listener(answer) as address:
        result = run("status", "--endpoint", address, "--deadline", "8s")

    assert (result.exit_code, result.stdout) == (4, "")
    assert f"{address} ({said})" in result.stderr


def test_a_name_that_does_not_resolve_is_an_unknown_host() -> None:
    result = run("status", "--endpoint", "no-such-host.invalid:7440")

    assert result.exit_code == 4
    assert "(unknown host)" in result.stderr


def test_a_deadline_of_nothing_is_a_usage_error(fake: FakeDirector) -> None:
    result = run("status", "--deadline", "0s", "--endpoint", fake.address)

    assert result.exit_code == 2
    assert "--deadline" in result.stderr
    assert fake.requests == []


def test_status_of_a_follower_is_the_leader_s(fake: FakeDirector) -> None:
    with a_director() as leader:
        leader.answer(methods.GET_STATUS, a_status())
        fake.answer(methods.GET_STATUS, a_status(is_leader=False, replica_id="d0", voters_alive=0))
        members = [admin.Member(replica_id="d1", is_leader=True, address=leader.address)]
        fake.answer(
            methods.GET_CLUSTER,
            admin.GetClusterResponse(replica_id="d0", leader_id="d1", members=members),
        )

        first = run("status", "--endpoint", fake.address).stdout.splitlines()[0]

    assert "quorum 3/3" in first
    assert "as d0 sees it" not in first


def test_status_of_a_follower_is_its_own_when_the_leader_is_silent(fake: FakeDirector) -> None:
    fake.answer(methods.GET_STATUS, a_status(is_leader=False, replica_id="d0", voters_alive=0))
    members = [admin.Member(replica_id="d1", is_leader=True, address="127.0.0.1:1")]
    fake.answer(
        methods.GET_CLUSTER,
        admin.GetClusterResponse(replica_id="d0", leader_id="d1", members=members),
    )

    result = run("status", "--endpoint", fake.address)

    assert result.exit_code == 0
    assert "quorum ?/3  as d0 sees it" in result.stdout


def test_the_reason_of_a_refusal_is_printed_for_programs(fake: FakeDirector) -> None:
    refusal = Refusal(grpc.StatusCode.NOT_FOUND, Reason.REGION_NOT_FOUND, "there is no region mars")
    fake.answer(methods.SET_REGION_DRAIN, refusal)

    result = run("drain", "mars", *REASON, "--endpoint", fake.address)

    assert (result.exit_code, result.stderr) == (2, "there is no region mars [REGION_NOT_FOUND]\n")


def test_an_operator_under_the_daemons_account_is_not_taken_for_the_director(
    fake: FakeDirector, monkeypatch: pytest.MonkeyPatch
) -> None:
    actors = []

    def drained(
        request: admin.SetRegionDrainRequest, _: grpc.ServicerContext
    ) -> admin.SetRegionDrainResponse:
        actors.append(request.change.actor)
        return admin.SetRegionDrainResponse(index=9)

    fake.answer(methods.SET_REGION_DRAIN, drained)
    monkeypatch.setattr("getpass.getuser", lambda: "director")

    there = ("--endpoint", fake.address)
    assert run("drain", "eu-west1", *REASON, *there, env={"DIRECTOR_ACTOR": None}).exit_code == 0

    assert actors == ["user-director"]


def test_every_change_has_an_answer_in_json(fake: FakeDirector) -> None:
    fake.answer(methods.SET_REGION_DRAIN, admin.SetRegionDrainResponse(index=9))
    fake.answer(methods.SET_OVERRIDE, admin.SetOverrideResponse(index=9))
    fake.answer(methods.CANCEL_FAILOVER, admin.CancelFailoverResponse())
    fake.answer(methods.TRANSFER_LEADERSHIP, admin.TransferLeadershipResponse())
    fake.answer(methods.ADD_MEMBER, admin.AddMemberResponse())
    fake.answer(methods.PROMOTE_MEMBER, admin.PromoteMemberResponse())
    fake.answer(methods.REMOVE_MEMBER, admin.RemoveMemberResponse())
    message = "chat would move from eu-west1 to eu-north1"
    fake.answer(methods.START_SWITCHOVER, admin.StartSwitchoverResponse(message=message))
    fake.answer(methods.START_FAILOVER, admin.StartFailoverResponse(failover_id="chat/7"))

    for command in (
        ("drain", "eu-west1", *REASON),
        ("undrain", "eu-west1", "--dry-run"),
        ("override", "chat", "eu-west1", "--verdict", "force-down", "--for", "1h", *REASON),
        ("cancel", "chat/7"),
        ("cluster", "transfer", "d1"),
        ("cluster", "add", "d3"),
        ("cluster", "promote", "d3"),
        ("cluster", "remove", "d3", "--yes"),
        ("switchover", "chat", *REASON, "--dry-run"),
        ("failover", "chat", *REASON, "--yes", "--detach"),
    ):
        result = run(*command, "-o", "json", "--endpoint", fake.address)
        assert result.exit_code == 0, (command, result.stderr)
        assert json.loads(result.stdout)["apiVersion"] == "trafficdirector/v1"


def test_a_dry_run_says_what_the_director_would_do_in_words_and_in_json(
    fake: FakeDirector,
) -> None:
    message = "chat would move from eu-west1 to eu-north1; loses at most 300 ms of writes"
    fake.answer(methods.START_FAILOVER, admin.StartFailoverResponse(message=message))
    ask = ("failover", "chat", *REASON, "--dry-run", "--endpoint", fake.address)

    assert run(*ask).stdout == f"dry run: {message}\n"
    assert json.loads(run(*ask, "-o", "json").stdout)["message"] == message


def test_a_run_that_does_not_exist_is_not_said_to_go_on(fake: FakeDirector) -> None:
    message = "there is no failover 'nope'"
    refusal = Refusal(grpc.StatusCode.NOT_FOUND, Reason.FAILOVER_NOT_FOUND, message)
    fake.answer(methods.WATCH_FAILOVER, refusal)

    result = run("wait", "nope", "--endpoint", fake.address)

    assert (result.exit_code, result.stderr) == (2, f"{message} [FAILOVER_NOT_FOUND]\n")


def test_a_drill_of_an_unknown_service_or_region_is_a_usage_error(fake: FakeDirector) -> None:
    fake.answer(methods.GET_STATUS, a_status())

    service = run("dev", "drill", "nope", "--endpoint", fake.address)
    region = run("dev", "drill", "chat", "--lose", "mars", "--endpoint", fake.address)

    assert (service.exit_code, service.stdout) == (2, "")
    assert "there is no service 'nope' [SERVICE_NOT_FOUND]\nthere are: chat, embed" in (
        service.stderr
    )
    assert (region.exit_code, region.stdout) == (2, "")
    assert "chat has no site in 'mars' [REGION_NOT_FOUND]" in region.stderr


@pytest.mark.parametrize(("how", "is_reduced"), [((), True), (("--how", "switchover"), False)])
def test_a_drill_out_of_reach_of_any_process_says_that_it_only_switches_over(
    fake: FakeDirector, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...], is_reduced: bool
) -> None:
    monkeypatch.setattr("director.dev.drill._GUARD_SECONDS", 0)
    seen = a_status()
    seen.services[0].active_run_id = "chat/6"  # a guard refuses, so nothing begins
    fake.answer(methods.GET_STATUS, seen)

    result = run("dev", "drill", "chat", *how, "--endpoint", fake.address)

    said = "no processes of this fleet are within reach"
    reduced = f"switchover only: {said}; " if is_reduced else ""
    assert result.exit_code == 3
    assert result.stdout.splitlines()[0] == f"Drill chat   {reduced}switch over from eu-west1"
    assert (f"{said}, so a planned switchover is drilled" in result.stderr) is is_reduced


def test_an_endless_or_binary_file_has_one_fault(tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(bytes(range(256)))

    endless = run("validate", "-f", "/dev/zero")
    unreadable = run("validate", "-f", str(binary))

    assert endless.exit_code == unreadable.exit_code == 2
    assert endless.stdout == (
        "/dev/zero: is larger than 1048576 bytes [D008] -> split it into several files\n"
    )
    assert unreadable.stdout == (
        f"{binary}: byte 128 is not UTF-8 [D001] -> save the file as UTF-8\n"
    )


def test_a_full_disk_behind_stdout_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("director.cli.documents.json.dumps", full)
    monkeypatch.setattr("director.cli.lazy.os.dup2", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        director.main(["schema"])

    assert ended.value.code == 1
    assert capsys.readouterr().err == "No space left on device\n"


def test_without_a_home_there_are_no_contexts_and_the_default_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for variable in ("DIRECTOR_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("director.cli.context_file.Path.home", nobody)

    assert read_contexts().endpoints_by_name == {}
    assert contexts_path().is_absolute()


def test_an_unreadable_context_file_names_the_ways_round_it(tmp_path: Path) -> None:
    result = run("status", env={"DIRECTOR_CONFIG": str(tmp_path)})

    assert result.exit_code == 2
    assert result.stderr == (
        f"cannot read {tmp_path}: Is a directory\n"
        "give --endpoint, or set DIRECTOR_ENDPOINTS or DIRECTOR_CONFIG\n"
    )


def test_a_sample_fleet_runs_where_the_context_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")
    monkeypatch.setenv("DIRECTOR_CONFIG", str(occupied / "contexts.yaml"))

    assert dev._select(["127.0.0.1:1"], None) is None
    assert "the context is not kept" in capsys.readouterr().err


def test_suggestions_work_as_they_stand_whatever_the_path(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    fleet = Fleet(plan_fleet(40_000), folder)
    options = Options(40_000, folder, is_drill=False, how=How.KILL)

    known = suggestions(fleet, folder / "control.sock", options)
    unknown = suggestions(fleet, folder / "control.sock", options, is_known=False)

    assert f"  director dev drill chat --control '{folder / 'control.sock'}'" in known
    assert '  context "dev" selected' not in unknown
    assert any(each.startswith("  export DIRECTOR_ENDPOINTS=127.0.0.1:") for each in unknown)


def test_ctrl_c_in_a_wait_ends_with_130_and_names_the_run(
    fake: FakeDirector, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.answer(methods.WATCH_FAILOVER, admin.WatchFailoverResponse(failover=a_run("fencing")))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("director.cli.moves.time.sleep", interrupted)

    result = run("wait", "chat/7", "--endpoint", fake.address)

    assert result.exit_code == 130
    assert "chat/7 goes on" in result.stderr
