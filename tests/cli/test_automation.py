"""Pause, resume, acknowledge, approve, override: what people type, are asked, and read."""

import json

import grpc
import pytest

from director.cli import methods
from director.core.reasons import Reason
from tests.cli.fake_server import FakeDirector, Refusal
from tests.cli.running import a_run, a_status, run
from trafficdirector.admin.v1 import admin_pb2 as admin

REASON = ("--reason", "network work")
REGION = "eu-north1"
NOON_MS = 1_767_614_400_000  # 2026-01-05 12:00:00Z


def an_intent(**fields: object) -> admin.Intent:
    values: dict[str, object] = {
        "intent_id": "chat/p3",
        "service_id": "chat",
        "kind": "failover",
        "source_region_id": "eu-west1",
        "target_region_id": "eu-north1",
        "epoch": 8,
        "mode": "Approve",
        "state": "open",
        "limit": "policy tier0 says automation Approve",
        "reason": "eu-west1 is DOWN: PEERS_FAIL",
        "loss_bound_ms": 800,
        "opened_wall_ms": NOON_MS,
        "approvable_for_ms": 720_000,
        **fields,
    }
    return admin.Intent(**{key: value for key, value in values.items() if value is not None})  # type: ignore[arg-type]


def test_a_pause_says_until_when(fake: FakeDirector) -> None:
    answer = admin.SetAutomationResponse(index=9, until_wall_ms=NOON_MS)
    fake.answer(methods.SET_AUTOMATION, answer)

    result = run("pause", "chat", "--for", "30m", *REASON, "--endpoint", fake.address)

    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "automation of chat is paused for 30m, until 2026-01-05 12:00:00Z (index 9)\n"
    )
    (asked,) = fake.asked(methods.SET_AUTOMATION)
    assert (asked.service_id, asked.action, asked.for_ms) == ("chat", "pause", 1_800_000)
    assert (asked.change.reason, asked.change.actor) == ("network work", "alice")
    assert asked.change.request_id


def test_without_a_name_the_whole_fleet_is_paused_and_resumed(fake: FakeDirector) -> None:
    fake.answer(methods.SET_AUTOMATION, admin.SetAutomationResponse(index=9))

    paused = run("pause", "--for", "1h", *REASON, "--endpoint", fake.address)
    resumed = run("resume", "--endpoint", fake.address)

    assert "automation of the fleet is paused for 1h" in paused.stdout
    assert resumed.stdout == "the pause of the fleet has ended (index 9)\n"
    actions = [(each.service_id, each.action) for each in fake.asked(methods.SET_AUTOMATION)]
    assert actions == [("", "pause"), ("", "resume")]


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (("pause", "chat", *REASON), "--for"),
        (("pause", "chat", "--for", "30m"), "--reason"),
        (("pause", "chat", "--for", "0s", *REASON), "--for"),
        (("pause", "chat", "--for", "1000d", *REASON), "--for"),
        (("acknowledge", "chat"), "--reason"),
        (("approve", "chat", "--yes"), "--reason"),
        (("override", "chat", "eu-west1", "--verdict", "force-down", *REASON), "--for"),
        (("override", "chat", "eu-west1", "--for", "1h", *REASON), "--verdict"),
    ],
)
def test_an_end_and_a_reason_are_not_optional(
    fake: FakeDirector, arguments: tuple[str, ...], missing: str
) -> None:
    result = run(*arguments, "--endpoint", fake.address)

    assert result.exit_code == 2
    assert missing in result.stderr
    assert fake.requests == []


def test_a_dry_run_of_a_pause_changes_nothing(fake: FakeDirector) -> None:
    fake.answer(methods.SET_AUTOMATION, admin.SetAutomationResponse(message="would be done"))

    result = run("pause", "--for", "5m", *REASON, "--dry-run", "--endpoint", fake.address)

    assert result.stdout == "dry run: the fleet would be paused\n"
    assert fake.asked(methods.SET_AUTOMATION)[0].change.validate_only


def test_ending_a_pause_that_there_is_not_says_so(fake: FakeDirector) -> None:
    message = "automation of chat is not paused"
    fake.answer(methods.SET_AUTOMATION, admin.SetAutomationResponse(message=message))

    result = run("resume", "chat", "-o", "json", "--endpoint", fake.address)

    assert result.exit_code == 0
    assert json.loads(result.stdout)["message"] == message


def test_a_name_that_no_service_has_is_a_usage_error(fake: FakeDirector) -> None:
    refusal = Refusal(grpc.StatusCode.NOT_FOUND, Reason.SERVICE_NOT_FOUND, "there is no service x")
    fake.answer(methods.SET_AUTOMATION, refusal)

    assert run("pause", "x", "--for", "1h", *REASON, "--endpoint", fake.address).exit_code == 2


def test_an_override_says_for_how_long_and_until_when(fake: FakeDirector) -> None:
    answer = admin.SetOverrideResponse(index=9, until_wall_ms=NOON_MS)
    fake.answer(methods.SET_OVERRIDE, answer)

    result = run(
        *("override", "chat", "eu-west1", "--verdict", "force-down", "--for", "1h"),
        *(*REASON, "--endpoint", fake.address),
    )

    assert result.stdout == (
        "chat in eu-west1 is held down by hand for 1h, until 2026-01-05 12:00:00Z (index 9)\n"
    )
    (asked,) = fake.asked(methods.SET_OVERRIDE)
    assert (asked.override, asked.for_ms) == ("FORCE_DOWN", 3_600_000)


def test_approving_needs_a_word_and_follows_the_move(fake: FakeDirector) -> None:
    fake.answer(methods.APPROVE_FAILOVER, admin.ApproveFailoverResponse(failover_id="chat/7"))
    fake.answer(methods.WATCH_FAILOVER, admin.WatchFailoverResponse(failover=a_run()))

    silent = run("approve", "chat", *REASON, "--endpoint", fake.address)
    assert silent.exit_code == 2
    assert fake.asked(methods.APPROVE_FAILOVER) == []
    agreed = run(
        *("approve", "chat", "--proposal", "chat/p3", *REASON, "--yes"),
        *("--endpoint", fake.address),
    )

    assert agreed.exit_code == 0, agreed.output
    assert "chat/7" in agreed.stdout
    (asked,) = fake.asked(methods.APPROVE_FAILOVER)
    assert (asked.service_id, asked.expected_epoch, asked.intent_id) == ("chat", 0, "chat/p3")
    assert not asked.change.validate_only


def test_a_person_sees_what_is_approved_before_being_asked(
    fake: FakeDirector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("director.cli.options.is_interactive", lambda: True)
    monkeypatch.setattr("director.cli.moves.is_interactive", lambda: True)
    message = "chat would move from eu-west1 to eu-north1; loses at most 800 ms of writes"
    fake.answer(methods.LIST_INTENTS, admin.ListIntentsResponse(intents=[an_intent()]))
    fake.answer(methods.APPROVE_FAILOVER, admin.ApproveFailoverResponse(message=message))

    result = run("approve", "chat", *REASON, "--endpoint", fake.address, env={}, stdin="n\n")

    assert result.exit_code == 1
    assert message in result.stderr
    (asked,) = fake.asked(methods.APPROVE_FAILOVER)
    assert asked.change.validate_only


def test_a_person_approves_what_was_shown_and_not_what_is_newest_by_then(
    fake: FakeDirector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("director.cli.options.is_interactive", lambda: True)
    monkeypatch.setattr("director.cli.moves.is_interactive", lambda: True)
    fake.answer(methods.LIST_INTENTS, admin.ListIntentsResponse(intents=[an_intent()]))
    fake.answer(methods.APPROVE_FAILOVER, admin.ApproveFailoverResponse(failover_id="chat/7"))
    fake.answer(methods.WATCH_FAILOVER, admin.WatchFailoverResponse(failover=a_run()))

    run("approve", "chat", *REASON, "--endpoint", fake.address, env={}, stdin="y\n")

    asked = fake.asked(methods.APPROVE_FAILOVER)
    assert [each.intent_id for each in asked] == ["chat/p3", "chat/p3"]


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        (grpc.StatusCode.FAILED_PRECONDITION, Reason.NOTHING_TO_APPROVE, 3),
        (grpc.StatusCode.ABORTED, Reason.STALE_EPOCH, 7),
        (grpc.StatusCode.FAILED_PRECONDITION, Reason.RPO_EXCEEDED, 3),
    ],
)
def test_an_approval_that_comes_too_late_ends_as_the_table_says(
    fake: FakeDirector, status: grpc.StatusCode, reason: Reason, code: int
) -> None:
    fake.answer(methods.APPROVE_FAILOVER, Refusal(status, reason, "no"))

    result = run("approve", "chat", *REASON, "--yes", "--endpoint", fake.address)

    assert result.exit_code == code


def test_proposals_are_listed_with_what_became_of_them(fake: FakeDirector) -> None:
    over = an_intent(
        intent_id="chat/p2",
        state="withdrawn",
        approvable_for_ms=None,
        outcome="eu-west1 serves again; over after 41000 ms",
    )
    fake.answer(methods.LIST_INTENTS, admin.ListIntentsResponse(intents=[an_intent(), over]))

    table = run("get", "intents", "--endpoint", fake.address)
    wide = run("get", "intents", "-o", "wide", "--endpoint", fake.address)
    names = run("get", "intents", "-o", "name", "--endpoint", fake.address)

    assert table.stdout.splitlines()[1].split() == [
        *("chat/p3", "failover", "eu-west1", "eu-north1", "approve", "open", "0.8s"),
        *("2026-01-05", "12:00:00Z"),
    ]
    assert "`director approve chat` within 12m" in wide.stdout
    assert "outcome   eu-west1 serves again; over after 41000 ms" in wide.stdout
    assert names.stdout.split() == ["chat/p3", "chat/p2"]


def a_status_with(**fields: object) -> admin.GetStatusResponse:
    status = a_status()
    status.services[0].MergeFrom(admin.ServiceStatus(**fields))  # type: ignore[arg-type]
    return status


def test_the_status_shows_a_pause_in_its_column_and_who_made_it(fake: FakeDirector) -> None:
    pause = admin.AutomationPause(
        left_ms=1_680_000, until_wall_ms=NOON_MS, actor="maria", reason="network work"
    )
    fake.answer(methods.GET_STATUS, a_status_with(pause=pause))

    shown = run("status", "--endpoint", fake.address).stdout

    assert "paused 28m" in shown
    assert (
        "chat: automation is paused with the whole fleet until 2026-01-05 12:00:00Z by maria: "
        "network work"
    ) in shown


def test_the_status_shows_what_waits_for_a_person(fake: FakeDirector) -> None:
    fake.answer(
        methods.GET_STATUS,
        a_status_with(
            intent=an_intent(), automation="Approve", lossy_run_id="chat/7", damped_for_ms=60_000
        ),
    )

    shown = run("status", "--endpoint", fake.address).stdout

    assert (
        "chat: the director proposes a failover from eu-west1 to eu-north1, losing at most 0.8s: "
        "`director approve chat` within 12m"
    ) in shown
    assert "`director acknowledge chat`" in shown
    assert "damped 1m" in shown


def test_what_observe_would_have_done_is_told_as_such(fake: FakeDirector) -> None:
    intent = an_intent(mode="Observe", approvable_for_ms=None, loss_bound_ms=None)
    fake.answer(methods.GET_STATUS, a_status_with(intent=intent, automation="Observe"))

    shown = run("status", "--endpoint", fake.address).stdout

    assert (
        "chat: the director would have begun a failover from eu-west1 to eu-north1, at an unknown "
        "loss"
    ) in shown
    assert "director approve" not in shown


def test_whoever_looks_sees_the_end_of_an_override(fake: FakeDirector) -> None:
    status = a_status()
    status.services[0].sites[0].MergeFrom(
        admin.SiteStatus(
            override="FORCE_DOWN",
            override_term=admin.OverrideTerm(actor="maria", reason="rack work", left_ms=3_000_000),
        )
    )
    fake.answer(methods.GET_STATUS, status)

    for command in (("status",), ("describe", "service", "chat"), ("describe", "region", REGION)):
        shown = run(*command, "--endpoint", fake.address).stdout

        assert "override FORCE_DOWN for 50m by maria: rack work" in shown, command


def test_an_override_that_outlives_its_end_is_told_as_such(fake: FakeDirector) -> None:
    status = a_status()
    status.services[0].sites[0].MergeFrom(
        admin.SiteStatus(
            override="FORCE_UP", override_term=admin.OverrideTerm(actor="maria", reason="rack work")
        )
    )
    fake.answer(methods.GET_STATUS, status)

    shown = run("status", "--endpoint", fake.address).stdout

    assert "override FORCE_UP past its end (still needed) by maria: rack work" in shown
