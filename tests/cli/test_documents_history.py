"""`director history` and `rollback`: what was in force, and back to it after the plan was seen."""

import json

import grpc
import pytest

from director.cli import methods
from director.core.reasons import Reason
from tests.cli.fake_server import FakeDirector, Refusal
from tests.cli.running import run
from trafficdirector.admin.v1 import admin_pb2 as admin

REVISIONS = admin.ListRevisionsResponse(
    revision=4,
    revisions=[
        admin.ManifestRevision(
            revision=4,
            index=90,
            applied_wall_ms=1_790_000_000_000,
            actor="bob",
            reason="too long",
            summary="changed service chat (routing)",
            etag="4-bb",
            document_bytes=900,
            restores=2,
        ),
        admin.ManifestRevision(
            revision=3, index=80, actor="alice", summary="added service embed", etag="3-aa"
        ),
    ],
)
PLAN = admin.PlanManifestResponse(
    revision=4,
    etag="4-bb",
    changes=[admin.DocumentChange(kind="Service", name="chat", how="changed")],
)


def test_history_says_when_who_why_and_what(fake: FakeDirector) -> None:
    fake.answer(methods.LIST_REVISIONS, REVISIONS)

    result = run("history", "--endpoint", fake.address)

    assert result.stdout.splitlines() == [
        "REVISION            APPLIED               BY     WHY       CHANGED",
        "4 (in force)        2026-09-21 14:13:20Z  bob    too long  "
        "back to 2: changed service chat (routing)",
        "3 (no longer kept)  -                     alice  -         added service embed",
    ]
    wide = run("history", "-o", "wide", "--endpoint", fake.address).stdout
    assert "4-bb" in wide
    assert run("history", "-o", "name", "--endpoint", fake.address).stdout == "4\n3\n"
    printed = json.loads(run("history", "-o", "json", "--endpoint", fake.address).stdout)
    assert (printed["kind"], printed["items"][0]["restores"]) == ("RevisionList", 2)
    assert {each.limit for each in fake.asked(methods.LIST_REVISIONS)} == {20}


def test_a_history_without_documents_says_what_to_do(fake: FakeDirector) -> None:
    fake.answer(methods.LIST_REVISIONS, admin.ListRevisionsResponse())

    lines = run("history", "--endpoint", fake.address).stdout.splitlines()

    assert lines[-1] == "no documents were applied yet; apply some with `director apply -f FILE`"


def rolls_back(fake: FakeDirector) -> None:
    fake.answer(methods.PLAN_MANIFEST, PLAN)
    answer = admin.RollbackManifestResponse(revision=5, index=99, etag="5-cc")
    fake.answer(methods.ROLLBACK_MANIFEST, answer)


def test_a_rollback_shows_its_plan_and_is_made_on_what_was_shown(fake: FakeDirector) -> None:
    rolls_back(fake)

    result = run("rollback", "2", "--yes", "--reason", "too long", "--endpoint", fake.address)

    assert (result.exit_code, result.stdout) == (0, "revision 5 in force (index 99): back to 2\n")
    assert "changes to revision 4: 0 added, 0 removed, 1 changed" in result.stderr
    assert [each.revision for each in fake.asked(methods.PLAN_MANIFEST)] == [2]
    [asked] = fake.asked(methods.ROLLBACK_MANIFEST)
    assert (asked.revision, asked.expected_revision, asked.expected_etag) == (2, 4, "4-bb")
    assert (asked.change.reason, asked.change.validate_only) == ("too long", False)


def test_services_that_may_go_are_named_to_the_plan_and_to_the_rollback(
    fake: FakeDirector,
) -> None:
    rolls_back(fake)

    run(*("rollback", "2", "--yes", "--remove-service", "embed"), "--endpoint", fake.address)

    for method in (methods.PLAN_MANIFEST, methods.ROLLBACK_MANIFEST):
        assert [list(each.allow_removed_service_ids) for each in fake.asked(method)] == [["embed"]]


def test_without_a_terminal_a_rollback_needs_yes(fake: FakeDirector) -> None:
    rolls_back(fake)

    result = run("rollback", "2", "--endpoint", fake.address)

    assert (result.exit_code, result.stdout) == (2, "")
    assert fake.asked(methods.ROLLBACK_MANIFEST) == []


@pytest.mark.parametrize(("typed", "code", "count"), [("n\n", 1, 0), ("y\n", 0, 1)])
def test_at_a_terminal_a_rollback_asks_once_the_plan_was_shown(
    fake: FakeDirector, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, count: int
) -> None:
    monkeypatch.setattr("director.cli.options.is_interactive", lambda: True)
    rolls_back(fake)

    result = run("rollback", "2", "--endpoint", fake.address, stdin=typed)

    assert result.exit_code == code
    assert len(fake.asked(methods.ROLLBACK_MANIFEST)) == count
    assert result.stderr.index("changes to revision 4") < result.stderr.index("Put revision 2")


def test_a_dry_run_of_a_rollback_asks_nobody_and_changes_nothing(fake: FakeDirector) -> None:
    rolls_back(fake)

    result = run("rollback", "2", "--dry-run", "--endpoint", fake.address)

    assert result.exit_code == 0
    assert result.stdout == "dry run: back to 2; it would become revision 5\n"
    assert fake.asked(methods.ROLLBACK_MANIFEST)[0].change.validate_only


def test_a_rollback_that_a_rule_refuses_is_not_asked_for(fake: FakeDirector) -> None:
    rolls_back(fake)
    refused = admin.PlanRisk(severity="refused", reason="SAFETY_RULE", message="the last region")
    plan = admin.PlanManifestResponse(risks=[refused])
    plan.MergeFrom(PLAN)
    fake.answer(methods.PLAN_MANIFEST, plan)

    result = run("rollback", "2", "--yes", "--endpoint", fake.address)

    assert (result.exit_code, result.stdout) == (3, "")
    assert "the last region" in result.stderr
    assert fake.asked(methods.ROLLBACK_MANIFEST) == []


def test_something_applied_after_the_plan_is_a_conflict(fake: FakeDirector) -> None:
    rolls_back(fake)
    fake.answer(
        methods.ROLLBACK_MANIFEST,
        Refusal(grpc.StatusCode.ABORTED, Reason.STALE_REVISION, "revision 5 is in force"),
    )

    assert run("rollback", "2", "--yes", "--endpoint", fake.address).exit_code == 7


def test_a_revision_that_is_no_longer_kept_is_named(fake: FakeDirector) -> None:
    fake.answer(
        methods.PLAN_MANIFEST,
        Refusal(
            grpc.StatusCode.NOT_FOUND,
            Reason.REVISION_NOT_FOUND,
            "revision 2 is no longer kept; 8 to 27 are kept",
        ),
    )

    result = run("rollback", "2", "--yes", "--endpoint", fake.address)

    assert result.exit_code == 2
    assert "8 to 27 are kept" in result.stderr
