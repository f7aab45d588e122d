"""A group of directors looks like one: the next endpoint, the leader, contexts, precedence."""

from pathlib import Path

import grpc
import pytest

from director.cli import methods
from director.cli.context_file import Contexts, read_contexts, remove_context, write_context
from director.cli.exits import CliError
from director.core.reasons import Reason
from tests.cli.fake_server import FakeDirector, Refusal, a_director
from tests.cli.running import a_status, run
from trafficdirector.admin.v1 import admin_pb2 as admin

NOBODY = "127.0.0.1:1"


def test_the_next_endpoint_is_asked_when_one_does_not_answer(fake: FakeDirector) -> None:
    fake.answer(methods.GET_STATUS, a_status())

    result = run("status", "--endpoint", NOBODY, "--endpoint", fake.address)

    assert result.exit_code == 0


def test_a_follower_s_word_for_the_leader_is_followed(fake: FakeDirector) -> None:
    with a_director() as leader:
        leader.answer(methods.SET_REGION_DRAIN, admin.SetRegionDrainResponse(index=9))
        fake.answer(
            methods.SET_REGION_DRAIN,
            Refusal(
                grpc.StatusCode.UNAVAILABLE,
                Reason.NOT_LEADER,
                "d1 leads",
                leaderId="d1",
                leaderAddress=leader.address,
            ),
        )

        result = run("drain", "eu-west1", "--reason", "x", "--endpoint", fake.address)

        assert (result.exit_code, result.stdout) == (0, "eu-west1 is drained (index 9)\n")
        [first], [second] = (each.asked(methods.SET_REGION_DRAIN) for each in (fake, leader))
        assert first == second


def test_a_lost_outcome_is_asked_again_under_the_same_request_id(fake: FakeDirector) -> None:
    unknown = Refusal(grpc.StatusCode.ABORTED, Reason.OUTCOME_UNKNOWN, "leadership was lost")

    def second_time(_: object, __: object) -> admin.SetOverrideResponse:
        if len(fake.asked(methods.SET_OVERRIDE)) == 1:
            raise unknown
        return admin.SetOverrideResponse(index=5)

    fake.answer(methods.SET_OVERRIDE, second_time)

    result = run(
        *("override", "chat", "eu-west1", "--verdict", "force-down", "--for", "1h"),
        *("--reason", "x", "--endpoint", fake.address),
    )

    assert result.exit_code == 0, result.stderr
    first, second = fake.asked(methods.SET_OVERRIDE)
    assert first == second
    assert first.override == "FORCE_DOWN"


def test_a_change_of_members_is_never_sent_twice(fake: FakeDirector) -> None:
    unknown = Refusal(grpc.StatusCode.ABORTED, Reason.OUTCOME_UNKNOWN, "leadership was lost")
    fake.answer(methods.REMOVE_MEMBER, unknown)

    result = run("cluster", "remove", "d0", "--yes", "--endpoint", fake.address)

    assert result.exit_code == 4
    assert "may or may not have been made" in result.stderr
    assert len(fake.asked(methods.REMOVE_MEMBER)) == 1


def test_a_director_that_hangs_is_given_up_at_the_deadline(fake: FakeDirector) -> None:
    def hang(_: object, context: grpc.ServicerContext) -> admin.GetStatusResponse:
        while context.is_active():
            context.time_remaining()
        return a_status()

    fake.answer(methods.GET_STATUS, hang)

    result = run("status", "--deadline", "300ms", "--endpoint", fake.address)

    assert result.exit_code == 4
    assert f"{fake.address} (no answer in time)" in result.stderr


def test_a_flag_outranks_the_environment_which_outranks_the_context_file(
    fake: FakeDirector, tmp_path: Path
) -> None:
    fake.answer(methods.GET_STATUS, a_status())
    contexts = tmp_path / "contexts.yaml"
    write_context("dev", [NOBODY], path=contexts)
    file = {"DIRECTOR_CONFIG": str(contexts)}
    environment = {"DIRECTOR_ENDPOINTS": f"{NOBODY}, {fake.address}"}

    from_file = run("status", env=file)
    from_environment = run("status", env={**file, **environment})
    from_flag = run(
        "status", "--endpoint", fake.address, env={**file, "DIRECTOR_ENDPOINTS": NOBODY}
    )

    assert from_file.exit_code == 4
    assert "from context 'dev'" in from_file.stderr
    assert (from_environment.exit_code, from_flag.exit_code) == (0, 0)


def test_an_unknown_context_names_the_known_ones(tmp_path: Path) -> None:
    contexts = tmp_path / "contexts.yaml"
    write_context("dev", [NOBODY], path=contexts)

    result = run("status", "--context", "prod", env={"DIRECTOR_CONFIG": str(contexts)})

    assert result.exit_code == 2
    assert result.stderr == "there is no context 'prod'\nknown contexts: dev\n"


def test_a_context_is_written_kept_and_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "new" / "contexts.yaml"

    first = write_context("prod", ["10.0.0.1:7440"], path=path)
    second = write_context("dev", ["127.0.0.1:7440", "127.0.0.1:7441"], path=path)

    assert (first, second) == ("", "prod")
    assert read_contexts(path) == Contexts(
        "dev", {"dev": ("127.0.0.1:7440", "127.0.0.1:7441"), "prod": ("10.0.0.1:7440",)}
    )
    remove_context("dev", current="prod", path=path)
    assert read_contexts(path) == Contexts("prod", {"prod": ("10.0.0.1:7440",)})


@pytest.mark.parametrize("text", ["[", "a: 1", "current: x\ncontexts: {x: 1}", "contexts: 7"])
def test_a_damaged_context_file_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "contexts.yaml"
    path.write_text(text)

    with pytest.raises(CliError) as raised:
        read_contexts(path)

    assert str(path) in raised.value.message


def test_plain_text_to_another_machine_is_told_and_to_this_one_is_not(fake: FakeDirector) -> None:
    fake.answer(methods.GET_STATUS, a_status())

    here = run("status", "--endpoint", fake.address)
    there = run("status", "--endpoint", "192.0.2.1:7440", "--deadline", "100ms")

    assert "plain text" not in here.stderr
    assert "192.0.2.1:7440: spoken to in plain text; give --tls-cert" in there.stderr
