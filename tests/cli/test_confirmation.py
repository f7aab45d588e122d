"""What a person is asked before a move, in three tiers, and what a script states instead."""

import grpc
import pytest

from director.cli import methods
from director.core.reasons import Reason
from tests.cli.fake_server import FakeDirector, Refusal
from tests.cli.running import a_run, run
from trafficdirector.admin.v1 import admin_pb2 as admin

MOVE = ("--to", "us-east1", "--reason", "power", "--endpoint")


@pytest.fixture(autouse=True)
def _someone_at_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    # Click's runner has no terminal to offer, only its input.
    monkeypatch.setattr("director.cli.options.is_interactive", lambda: True)
    monkeypatch.setattr("director.cli.moves.is_interactive", lambda: True)


def a_director_that_refuses_loss(fake: FakeDirector) -> None:
    def answer(request: admin.StartFailoverRequest, _: object) -> admin.StartFailoverResponse:
        if not request.HasField("accept_data_loss_ms"):
            raise Refusal(
                grpc.StatusCode.FAILED_PRECONDITION,
                Reason.RPO_EXCEEDED,
                "us-east1 could lose 5100 ms of writes; the RPO is 5000 ms",
                lossBoundMs="5100",
                rpoMs="5000",
            )
        return admin.StartFailoverResponse(failover_id="chat/7")

    fake.answer(methods.START_FAILOVER, answer)
    moved = a_run(rpo_ms=None, loss_bound_ms=5_100)
    fake.answer(methods.WATCH_FAILOVER, admin.WatchFailoverResponse(failover=moved))


def test_a_move_within_the_budgets_asks_yes_or_no(fake: FakeDirector) -> None:
    fake.answer(methods.START_SWITCHOVER, admin.StartSwitchoverResponse(failover_id="chat/7"))
    fake.answer(
        methods.WATCH_FAILOVER,
        admin.WatchFailoverResponse(failover=a_run(kind="switchover")),
    )

    declined = run("switchover", "chat", *MOVE, fake.address, stdin="n\n")
    assert fake.asked(methods.START_SWITCHOVER) == []
    agreed = run("switchover", "chat", *MOVE, fake.address, stdin="y\n")

    assert (declined.exit_code, agreed.exit_code) == (1, 0)
    assert "Switch over chat to us-east1? [y/N]" in declined.stderr
    assert declined.stdout == ""
    assert len(fake.asked(methods.START_SWITCHOVER)) == 1


def test_a_move_that_loses_data_wants_the_name_typed(fake: FakeDirector) -> None:
    a_director_that_refuses_loss(fake)

    result = run("failover", "chat", *MOVE, fake.address, stdin="chat\n")

    assert result.exit_code == 0, result.output
    assert "could lose 5100 ms" in result.stderr
    assert "To give up as much as 5.1s of writes" in result.stderr
    preview, started = fake.asked(methods.START_FAILOVER)
    assert (preview.change.validate_only, started.change.validate_only) == (True, False)
    assert started.accept_data_loss_ms == 5_100
    # A preview is another request: its id must not stand for the change.
    assert preview.change.request_id != started.change.request_id


def test_another_name_changes_nothing(fake: FakeDirector) -> None:
    a_director_that_refuses_loss(fake)

    result = run("failover", "chat", *MOVE, fake.address, stdin="y\n")

    assert result.exit_code == 1
    assert [each.change.validate_only for each in fake.asked(methods.START_FAILOVER)] == [True]


def test_yes_does_not_accept_a_loss(fake: FakeDirector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("director.cli.options.is_interactive", lambda: False)
    monkeypatch.setattr("director.cli.moves.is_interactive", lambda: False)
    a_director_that_refuses_loss(fake)

    refused = run("failover", "chat", "--yes", *MOVE, fake.address)
    stated = run("failover", "chat", "--yes", "--accept-data-loss", "6s", *MOVE, fake.address)

    assert (refused.exit_code, stated.exit_code) == (3, 0)
