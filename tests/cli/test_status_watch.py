"""`director status --watch` without a terminal: one line for each change, and no other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from director.cli import methods, status_watch
from director.cli.status_watch import changes, facts
from director.core.reasons import Reason
from tests.cli.fake_server import FakeDirector, Refusal
from tests.cli.running import a_status, run
from trafficdirector.admin.v1 import admin_pb2 as admin

THE_END = Refusal(grpc.StatusCode.INVALID_ARGUMENT, Reason.INVALID_REQUEST, "the test is over")
AWAY = Refusal(grpc.StatusCode.UNAVAILABLE, Reason.UNAVAILABLE, "busy")


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_watch, "_WATCH_EVERY_S", 0.01)


def moved(**fields: Any) -> admin.GetStatusResponse:
    """Return the status after chat has moved to eu-north1."""
    status = a_status(**fields)
    chat = status.services[0]
    chat.owner_region_id = chat.serving_region_id = "eu-north1"
    chat.epoch = 9
    chat.sites[0].gate_open, chat.sites[1].gate_open = True, False
    return status


def watched(fake: FakeDirector, *answers: admin.GetStatusResponse | Refusal, form: str) -> Any:
    """Watch a director that gives these answers, one after the other, and then refuses."""
    left: Iterator[admin.GetStatusResponse | Refusal] = iter((*answers, THE_END))

    def answer(_request: Any, _context: Any) -> admin.GetStatusResponse:
        given = next(left)
        if isinstance(given, Refusal):
            raise given
        return given

    fake.answer(methods.GET_STATUS, answer)
    # Shorter than the pause between two rounds, so that each answer of the script is one look.
    flags = ("--deadline", "190ms", "--endpoint", fake.address)
    return run("status", "--watch", "-o", form, *flags)


def test_ages_and_counters_are_no_change() -> None:
    before, now = a_status(), a_status(view_age_ms=40, applied_index=900, watcher_count=7)
    now.regions[0].heard_age_ms = 999
    now.services[0].sites[0].lag_ms = 1_234

    assert list(changes(facts(before), facts(now))) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda each: setattr(each, "term", 2), "leader: d1 (term 1) -> d1 (term 2)"),
        (lambda each: setattr(each, "is_fresh", False), "view: fresh -> stale"),
        (lambda each: setattr(each, "voters_alive", 2), "quorum: 3/3 -> 2/3"),
        (lambda each: setattr(each, "config_revision", 5), "revision: 4 -> 5"),
        (
            lambda each: setattr(each.regions[0], "drained", True),
            "region ap-south1: in service, heard -> drained, heard",
        ),
        (
            lambda each: setattr(each.services[0].sites[0], "verdict", "DOWN"),
            "chat eu-north1: UP -> DOWN",
        ),
        (
            lambda each: setattr(each.services[0].pause, "left_ms", 9),
            "chat automation: Automatic -> paused",
        ),
        (
            lambda each: setattr(each.services[0], "active_run_id", "chat/7"),
            "chat run: none -> chat/7",
        ),
        (lambda each: each.services.pop(1), "embed automation: Automatic -> gone"),
    ],
)
def test_what_changed_is_one_line(
    change: Callable[[admin.GetStatusResponse], None], line: str
) -> None:
    now = a_status()
    change(now)

    assert line in list(changes(facts(a_status()), facts(now)))


def test_a_move_is_told_line_by_line(fake: FakeDirector) -> None:
    result = watched(fake, a_status(), a_status(view_age_ms=9), moved(), form="table")

    lines = [line.partition("  ")[2] for line in result.stdout.splitlines()]
    assert lines[0] == "leader: d1 (term 1)"
    start = lines.index("chat active: eu-west1 -> eu-north1")
    assert lines[start:] == [
        "chat active: eu-west1 -> eu-north1",
        "chat token: 1.8 -> 1.9",
        "chat eu-north1 gate: closed -> open",
        "chat eu-west1 gate: open -> closed",
    ]


def test_json_is_a_line_per_change(fake: FakeDirector) -> None:
    result = watched(fake, a_status(), a_status(view_age_ms=9), moved(), form="json")

    seen = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["services"][0]["owner_region_id"] for each in seen] == ["eu-west1", "eu-north1"]
    assert {each["kind"] for each in seen} == {"Status"}


def test_a_director_that_is_away_for_a_moment_does_not_end_the_watch(fake: FakeDirector) -> None:
    result = watched(fake, a_status(), AWAY, AWAY, moved(), form="table")

    lines = [line.partition("  ")[2] for line in result.stdout.splitlines()]
    assert sum(line.startswith("no answer: ") for line in lines) == 1
    assert lines.index("answers again") < lines.index("chat active: eu-west1 -> eu-north1")
    # Only the refusal at the end of the script ended it.
    assert "the test is over" in result.stderr
