"""`director get events`, `director explain failover`, and the checks of an exported trail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from director.api.events import event_to_proto
from director.cli import methods
from director.cli.audit_check import audit_findings, file_findings
from director.cli.connection import Connection
from director.core.audit import NO_AUDIT, AuditLog, AuditRecord, appended
from tests.cli.fake_server import FakeDirector, a_director
from tests.cli.running import a_run, run
from trafficdirector.admin.v1 import admin_pb2 as admin
from trafficdirector.event.v1 import event_pb2 as pb


def a_log(count: int = 3) -> AuditLog:
    log = NO_AUDIT
    for number in range(1, count + 1):
        record = AuditRecord(
            0,
            number,
            number,
            1_700_000_000_000,
            "alice",
            "power work",
            "set_region_drained",
            region_id="eu-west1",
            result="region_drain_set",
            detail="drained=true",
        )
        log = appended(log, record)
    return log


def head_of(log: AuditLog) -> pb.AuditHead:
    return pb.AuditHead(
        count=log.count,
        head=log.head,
        first_number=log.records[0].number if log.records else 0,
        first_before_hash=log.first_before_hash,
    )


def serve(fake: FakeDirector, log: AuditLog) -> None:
    def answer(request: pb.ListEventsRequest, _: grpc.ServicerContext) -> pb.ListEventsResponse:
        kept = [each for each in log.records if each.number > request.after_number]
        if not request.HasField("after_number"):
            kept = kept[-request.limit :]
        return pb.ListEventsResponse(
            events=[event_to_proto(each) for each in kept[: request.limit]], head=head_of(log)
        )

    fake.answer(methods.LIST_EVENTS, answer)


@pytest.fixture
def fake() -> Iterator[FakeDirector]:
    with a_director() as director:
        yield director


def connected(*fakes: FakeDirector) -> Connection:
    return Connection([each.address for each in fakes], deadline_ms=3_000)


def test_the_newest_records_are_shown_oldest_first(fake: FakeDirector) -> None:
    serve(fake, a_log(5))

    shown = run("get", "events", "--limit", "2", "--endpoint", fake.address)

    assert shown.exit_code == 0, shown.output
    header, fourth, fifth = shown.stdout.splitlines()
    assert header.split() == ["NO.", "WHEN", "WHO", "ACTION", "SUBJECT", "RESULT", "DETAIL"]
    assert fourth.split()[:3] == ["4", "2023-11-14", "22:13:20Z"]
    assert fourth.split()[3:6] == ["alice", "set_region_drained", "eu-west1"]
    assert fifth.startswith("5")


def test_filters_go_to_the_director(fake: FakeDirector) -> None:
    serve(fake, a_log())

    run(
        *("get", "events", "--service", "chat", "--region", "eu", "--action", "start_"),
        *("--after", "7", "--endpoint", fake.address),
    )

    (request,) = fake.asked(methods.LIST_EVENTS)
    assert request == pb.ListEventsRequest(
        service_id="chat", region_id="eu", action="start_", after_number=7, limit=50
    )


def test_json_has_the_envelope_and_every_field(fake: FakeDirector) -> None:
    log = a_log(1)
    serve(fake, log)

    shown = run("get", "events", "-o", "json", "--endpoint", fake.address)

    value = json.loads(shown.stdout)
    assert (value["apiVersion"], value["kind"]) == ("trafficdirector/v1", "EventList")
    assert value["items"][0]["hash"] == log.head
    assert value["items"][0]["actor"] == "alice"


def test_a_reason_cannot_move_the_cursor(fake: FakeDirector) -> None:
    log = appended(NO_AUDIT, AuditRecord(0, 1, 1, 1, "al\x1b[2Jice", "x\ny", "start_run"))
    serve(fake, log)

    shown = run("get", "events", "-o", "wide", "--endpoint", fake.address)

    assert "\x1b" not in shown.stdout
    assert len(shown.stdout.splitlines()) == 2


def test_watching_prints_json_lines_and_goes_on_after_the_last_number(fake: FakeDirector) -> None:
    log = a_log(4)
    serve(fake, a_log(2))
    opened: list[int] = []

    def watch(request: pb.WatchEventsRequest, _: grpc.ServicerContext) -> Iterator[Any]:
        opened.append(request.after_number)
        if len(opened) == 3:
            # Nobody may press Ctrl-C here: this ends the command.
            raise RuntimeError
        at = request.after_number
        yield pb.WatchEventsResponse(event=event_to_proto(log.records[at]), lost_count=at - 2)

    fake.answer(methods.WATCH_EVENTS, watch)

    shown = run("get", "events", "--watch", "-o", "json", "--endpoint", fake.address)

    lines = [json.loads(each) for each in shown.stdout.splitlines()]
    assert [each["number"] for each in lines] == [1, 2, 3, 4]
    assert {each["kind"] for each in lines} == {"Event"}
    assert opened == [2, 3, 4]
    assert "1 records before 4 are no longer kept" in shown.stderr


def test_one_record_is_shown_in_full(fake: FakeDirector) -> None:
    log = a_log(3)
    serve(fake, log)

    shown = run("describe", "event", "2", "--endpoint", fake.address)
    missing = run("describe", "event", "9", "--endpoint", fake.address)

    assert shown.exit_code == 0, shown.output
    assert f"hash          {log.records[1].hash}" in shown.stdout.splitlines()
    assert "actor         alice" in shown.stdout.splitlines()
    assert "refusal" not in shown.stdout
    assert missing.exit_code == 2


# -- the check -------------------------------------------------------------------------------------


def exported(fake: FakeDirector, log: AuditLog, file: Path) -> list[str]:
    serve(fake, log)
    shown = run("get", "events", "-o", "jsonl", "--endpoint", fake.address)
    assert shown.exit_code == 0, shown.output
    file.write_text(shown.stdout, encoding="utf-8")
    return shown.stdout.splitlines()


def test_an_export_is_one_line_each_and_then_the_head(fake: FakeDirector, tmp_path: Path) -> None:
    lines = exported(fake, a_log(3), tmp_path / "events.jsonl")

    assert [json.loads(each)["kind"] for each in lines] == ["Event"] * 3 + ["AuditHead"]
    (finding,) = file_findings(tmp_path / "events.jsonl")
    assert finding.is_ok
    assert finding.message.startswith("records 1 to 3 hold")


def test_a_filtered_export_has_no_head_because_it_is_no_chain(fake: FakeDirector) -> None:
    serve(fake, a_log(3))

    shown = run("get", "events", "-o", "jsonl", "--service", "chat", "--endpoint", fake.address)

    assert [json.loads(each)["kind"] for each in shown.stdout.splitlines()] == ["Event"] * 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [each.replace("alice", "bob") for each in lines], "not what its hash"),
        (lambda lines: [lines[0], *lines[2:]], "stands where 2 should"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "stands where 3 should"),
        (lambda lines: [*lines[:2], lines[3]], "not the head"),
        (lambda lines: [*lines, lines[0]], "line 5: there is something after the head"),
        (lambda lines: ["what?", *lines], "line 1 is not JSON"),
        (lambda lines: ["[]", *lines], "line 1 is neither an event nor a head"),
        (lambda lines: [lines[0].replace('"index": 1', '"index": "1"'), *lines[1:]], "index is"),
        (lambda lines: [lines[0].replace("{", '{"by": "bob", ', 1), *lines[1:]], "'by' is no part"),
        (lambda lines: [lines[0].replace("{", '{"actor": "bob", ', 1), *lines[1:]], "is not JSON"),
        (lambda lines: ["[" * 100_000, *lines], "line 1 is not JSON"),
    ],
)
def test_a_file_that_was_tampered_with_is_found(
    change: Any, said: str, fake: FakeDirector, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    lines = exported(fake, a_log(3), file)
    file.write_text("\n".join(change(lines)) + "\n", encoding="utf-8")

    (finding,) = file_findings(file)

    assert not finding.is_ok
    assert said in finding.message
    assert finding.hint


def test_a_file_whose_hashes_were_made_anew_is_found_at_a_director(
    fake: FakeDirector, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    forged = NO_AUDIT
    for each in a_log(3).records:
        forged = appended(
            forged, each if each.number != 2 else AuditRecord(0, 2, 2, 2, "m", "", "x")
        )
    exported(fake, forged, file)
    serve(fake, a_log(3))

    chain, compared = file_findings(file, connected(fake))

    assert chain.is_ok
    assert not compared.is_ok
    assert compared.message == f"record 3 is not the one that {fake.address} has"


@pytest.mark.parametrize("actor", ["alice", "mallory"])
def test_records_that_no_director_has_do_not_hide_what_comes_before_them(
    actor: str, fake: FakeDirector, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    longer = NO_AUDIT
    for each in a_log(5).records:
        longer = appended(longer, replace(each, actor=actor if each.number == 2 else each.actor))
    exported(fake, longer, file)
    serve(fake, a_log(3))

    chain, compared = file_findings(file, connected(fake))

    assert chain.is_ok
    assert not compared.is_ok
    there = fake.address
    assert (
        compared.message
        == {
            "alice": f"{there} has no record 5",
            "mallory": f"record 3 is not the one that {there} has",
        }[actor]
    )


def test_every_director_is_checked_and_a_silent_one_is_not_passed_over() -> None:
    with a_director() as good, a_director() as bad, a_director() as gone:
        serve(good, a_log(3))
        other = appended(a_log(2), AuditRecord(0, 3, 3, 3, "mallory", "", "start_run"))
        serve(bad, other)
        connection = connected(good, bad, gone)

        findings = audit_findings(connection)

    by_subject = {each.subject: each.is_ok for each in findings}
    assert by_subject[gone.address] is False
    differing = [each for each in findings if "is not the one" in each.message]
    assert [each.message.split(" that ")[0] for each in differing] == ["record 3 is not the one"]
    assert len(findings) == 4


def test_the_check_of_a_file_needs_no_fleet_and_its_exit_code_tells(
    fake: FakeDirector, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    lines = exported(fake, a_log(3), file)
    there = ("--endpoint", fake.address)

    good = run("check", "--audit", "--file", str(file), *there)
    file.write_text("\n".join(lines).replace("alice", "mallory"), encoding="utf-8")
    bad = run("check", "--audit", "--file", str(file), *there)
    unasked = run("check", "--file", str(file), *there)

    assert good.exit_code == 0, good.output
    assert "records 1 to 3 hold" in good.stdout
    assert "record 3 is the one that" in good.stdout
    assert bad.exit_code == 1
    assert "record 1 is not what its hash was made of" in bad.stdout
    assert unasked.exit_code == 2


# -- explain failover ------------------------------------------------------------------------------


def an_explanation(**fields: Any) -> admin.ExplainFailoverResponse:
    values: dict[str, Any] = {
        "service_id": "chat",
        "mode": "ActivePassive",
        "owner_region_id": "eu-west1",
        "automation": "Automatic",
        "rto_ms": 60_000,
        "rpo_ms": 5_000,
        "predicted_rto_ms": 6_100,
        "replica_id": "d1",
        "is_leader": True,
        "last_run": a_run(),
        "candidates": [
            admin.FailoverCandidate(
                region_id="eu-north1",
                priority=1,
                chosen=True,
                text="priority 1, could lose 800 ms (RPO 5000 ms)",
                lag_ms=300,
                loss_bound_ms=800,
                verdict="UP",
            ),
            admin.FailoverCandidate(
                region_id="us-east1",
                priority=2,
                ineligibility="DRAINED",
                text="drained by an operator",
                verdict="UP",
            ),
        ],
    }
    return admin.ExplainFailoverResponse(**{**values, **fields})


def explained(fake: FakeDirector, answer: admin.ExplainFailoverResponse, *form: str) -> str:
    fake.answer(methods.EXPLAIN_FAILOVER, answer)
    shown = run("explain", "failover", "chat", "--endpoint", fake.address, *form)
    assert shown.exit_code == 0, shown.output
    return shown.stdout


def test_each_candidate_is_shown_with_why(fake: FakeDirector) -> None:
    lines = explained(fake, an_explanation()).splitlines()

    assert lines[:6] == [
        "if eu-west1 were lost now",
        "  eu-north1  chosen   priority 1, could lose 800 ms (RPO 5000 ms), lag 0.3s",
        "  us-east1   refused  drained by an operator [DRAINED]",
        "it would move to eu-north1",
        "automation Automatic",
        "predicted 6.1s of RTO 60s; RPO 5s",
    ]
    assert "last run" in lines
    assert any("evidence" in each or "recovery" in each for each in lines)


def test_what_holds_automation_back_is_said(fake: FakeDirector) -> None:
    answer = an_explanation(held_reason="COOLDOWN", held_message="settled 5 ms ago")

    assert "automation Automatic; held back now: settled 5 ms ago [COOLDOWN]" in explained(
        fake, answer
    )


def test_nothing_fails_over_where_every_region_serves(fake: FakeDirector) -> None:
    shown = explained(fake, an_explanation(mode="ActiveActive", candidates=[], owner_region_id=""))

    assert "active-active" in shown


def test_the_explanation_is_json_for_programs_and_a_name_for_scripts(fake: FakeDirector) -> None:
    value = json.loads(explained(fake, an_explanation(), "-o", "json"))

    assert (value["kind"], value["candidates"][1]["ineligibility"]) == (
        "FailoverExplanation",
        "DRAINED",
    )
    assert explained(fake, an_explanation(), "-o", "name") == "eu-north1\n"
