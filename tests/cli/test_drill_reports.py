"""Reports of drills: what the page shows, that it needs nothing else, and that lies are found."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import grpc
import pytest

from director.cli import methods
from director.cli.drill_files import Report, written
from director.cli.drill_report import report_html
from director.core.drill import DrillVerdict
from director.core.drill_record import Drill, DrillMoment
from director.core.drill_view import report_content
from director.core.reasons import Reason
from tests.cli.drills import a_drill, as_proto, as_report
from tests.cli.fake_server import FakeDirector, Refusal
from tests.cli.running import run
from trafficdirector.drill.v1 import drill_pb2 as pb

VOID = {"meta", "rect", "line"}


class Page(HTMLParser):
    """A page taken apart: its elements in balance, their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            if self._open and self._open[-1] == tag:
                self._open.pop()
            return
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def page_of(drill: Drill) -> Page:
    return Page(report_html(report_content(drill), drill.report_hash))


def test_the_page_tells_verdict_budgets_timeline_evidence_who_and_why() -> None:
    drill = a_drill()
    page = page_of(drill)

    for said in (
        "Drill chat-weekly/7 PASSED",
        "eu-west1 (Blackhole) for 10s",
        "alice",
        "before the holidays",
        "2025-11-20 16:00:00 UTC",
        "5.9s",
        "45s",
        "kept",
        "the lease of eu-west1 ran out",
        "no failover in progress",
        "peer:us-east1",
        "revision 4",
        '"service_id": "chat"',
        drill.report_hash,
        "director drill report --verify chat-weekly-7.json",
    ):
        assert said in page.text, said


def test_the_page_draws_the_stages_and_phases_to_scale() -> None:
    text = report_html(report_content(a_drill()), "x")
    bars = {
        match[2]: int(match[1])
        for match in re.finditer(r'<rect x="\d+" y="\d+" width="(\d+)"[^>]*><title>(\w+)', text)
    }

    assert list(bars) == [
        *("guarding", "injecting", "recovered", "restoring"),
        *("detect", "decide", "fence", "promote", "publish"),
    ]
    assert bars["detect"] / bars["publish"] == pytest.approx(2_900 / 300, rel=0.2)
    assert bars["recovered"] / bars["restoring"] == pytest.approx(4_100 / 3_900, rel=0.1)


def test_the_page_needs_no_other_file_and_runs_nothing() -> None:
    page = page_of(a_drill())

    assert not {"script", "link", "img", "iframe", "object", "image", "use"} & set(page.tags)
    names = {name for name, _ in page.attributes}
    assert not {"src", "href", "srcset", "data", "action"} & names
    assert not any(name.startswith("on") for name in names)
    assert not any("url(" in value or "@import" in value for _, value in page.attributes)
    assert not any("url(" in word or "@import" in word or "//" in word for word in page.words)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes


HOSTILE = "</title></pre></svg><script>alert(1)</script><b a='\">"


def hostile(drill: Drill) -> Drill:
    """Return the drill with somebody else's words wherever words are."""
    spec = replace(
        drill.spec,
        service_id=HOSTILE,  # type: ignore[arg-type]
        scenario=replace(drill.spec.scenario, region_id=HOSTILE),  # type: ignore[arg-type]
    )
    return a_drill(
        drill_id=HOSTILE,
        spec=spec,
        actor=HOSTILE,
        reason=HOSTILE,
        schedule_id=HOSTILE,
        home=HOSTILE,
        run_ids=(HOSTILE,),
        abort_note=HOSTILE,
        cause=HOSTILE,
        state_diff=(HOSTILE,),
        configuration=json.dumps({HOSTILE: HOSTILE}),
        guards=tuple(replace(each, message=HOSTILE) for each in drill.guards),
        phases=tuple(replace(each, phase=HOSTILE, note=HOSTILE) for each in drill.phases),
        evidence=tuple(replace(each, vantage=HOSTILE, finding=HOSTILE) for each in drill.evidence),
        timeline=tuple(replace(each, note=HOSTILE) for each in drill.timeline),
    )


def test_whatever_is_written_in_a_drill_stays_text() -> None:
    plain, changed = (
        page_of(a_drill(state_diff=("x",), abort_note="y")),
        page_of(hostile(a_drill())),
    )

    assert "script" not in changed.tags
    assert "b" not in changed.tags
    assert set(changed.tags) == set(plain.tags)
    assert changed.text.count("alert(1)") > 20


def test_a_drill_that_was_skipped_or_says_little_has_a_page_too() -> None:
    moment = DrillMoment(a_drill().stage, 1_000, "it is paused")
    skipped = a_drill(
        verdict=DrillVerdict.SKIPPED,
        injected_at_ms=None,
        measured_rto_ms=None,
        loss_bound_ms=None,
        phases=(),
        guards=(),
        evidence=(),
        timeline=(moment,),
        configuration="",
        rpo_budget_ms=None,
    )

    assert "SKIPPED" in page_of(skipped).text
    assert "no verdict" in Page(report_html({}, "")).text


# -- files -----------------------------------------------------------------------------------------


def report(fake: FakeDirector, *arguments: str) -> Any:
    return run("drill", "report", *arguments, "--endpoint", fake.address)


def test_a_report_is_written_as_page_and_json_and_is_found_true(
    fake: FakeDirector, tmp_path: Path
) -> None:
    drill = a_drill()
    fake.answer(methods.GET_DRILL_REPORT, as_report(drill))

    result = report(fake, "chat-weekly/7", "--out", str(tmp_path))
    page, data = (Path(each) for each in result.stdout.splitlines())
    verified = report(fake, "--verify", str(data))

    assert page.read_text().startswith("<!doctype html>")
    document = json.loads(data.read_text())
    assert (document["kind"], document["reportHash"]) == ("DrillReport", drill.report_hash)
    assert verified.exit_code == 0
    assert drill.report_hash in verified.stdout


def test_the_name_of_a_service_stands_for_its_last_drill_that_ended(
    fake: FakeDirector, tmp_path: Path
) -> None:
    running = as_proto(a_drill())
    running.drill_id, running.stage = "chat/8", "injecting"
    fake.answer(methods.LIST_DRILLS, pb.ListDrillsResponse(drills=[running, as_proto(a_drill())]))
    fake.answer(methods.GET_DRILL_REPORT, as_report(a_drill()))

    report(fake, "chat", "--out", str(tmp_path))

    assert fake.asked(methods.GET_DRILL_REPORT)[0].drill_id == "chat-weekly/7"


def a_file(folder: Path, **changes: Any) -> Path:
    drill = a_drill()
    document = Report(drill.drill_id, report_content(drill), drill.report_hash).document()
    path = folder / "report.json"
    path.write_text(json.dumps({**document, **changes}))
    return path


def test_a_report_whose_content_was_changed_is_found_out(
    fake: FakeDirector, tmp_path: Path
) -> None:
    fake.answer(methods.GET_DRILL_REPORT, as_report(a_drill()))
    content = {**report_content(a_drill()), "measured_rto_ms": 100}

    result = report(fake, "--verify", str(a_file(tmp_path, content=content)))

    assert result.exit_code == 1
    assert "is not the report of chat-weekly/7: its content has the hash" in result.stderr


def test_a_report_that_was_changed_together_with_its_hash_is_found_out(
    fake: FakeDirector, tmp_path: Path
) -> None:
    fake.answer(methods.GET_DRILL_REPORT, as_report(a_drill()))
    forged = a_drill(measured_rto_ms=100)
    path = a_file(tmp_path, content=report_content(forged), reportHash=forged.report_hash)

    result = report(fake, "--verify", str(path))

    assert result.exit_code == 1
    assert f"the directors recorded {a_drill().report_hash}" in result.stderr


def test_a_report_that_the_directors_do_not_know_is_not_called_true(
    fake: FakeDirector, tmp_path: Path
) -> None:
    fake.answer(
        methods.GET_DRILL_REPORT,
        Refusal(grpc.StatusCode.NOT_FOUND, Reason.DRILL_NOT_FOUND, "there is no drill"),
    )

    result = report(fake, "--verify", str(a_file(tmp_path)))

    assert result.exit_code == 1
    assert "no record of chat-weekly/7" in result.stderr


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"kind": "DrillReport", "content": []}', "[" * 100_000]
)
def test_what_is_no_report_is_a_usage_error(fake: FakeDirector, tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)

    result = report(fake, "--verify", str(path))

    assert result.exit_code == 2
    assert "odd.json" in result.stderr
    assert fake.requests == []


def test_a_report_that_was_changed_on_its_way_is_not_written(
    fake: FakeDirector, tmp_path: Path
) -> None:
    answer = as_report(a_drill())
    answer.content = json.dumps({**json.loads(answer.content), "actor": "mallory"})
    fake.answer(methods.GET_DRILL_REPORT, answer)

    result = report(fake, "chat-weekly/7", "--out", str(tmp_path / "out"))

    assert result.exit_code == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/x", "..", "a/../b", "\0"])
def test_a_drills_name_does_not_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "reports"

    paths = written(Report(name, {}, ""), folder)

    assert {each.resolve().parent for each in paths} == {folder.resolve()}


def test_open_shows_the_page_and_says_when_there_is_no_browser(
    fake: FakeDirector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    def no_browser(address: str) -> bool:
        shown.append(address)
        return False

    monkeypatch.setattr("webbrowser.open", no_browser)
    fake.answer(methods.GET_DRILL_REPORT, as_report(a_drill()))

    result = report(fake, "chat-weekly/7", "--out", str(tmp_path), "--open")

    assert len(shown) == 1
    assert shown[0].endswith("chat-weekly-7.html")
    assert "no browser was found" in result.stderr
