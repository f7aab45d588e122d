"""Alerts: each rests on metrics that exist, has a page that helps, and fires when it should."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from director.http.metrics import METRICS
from director.runtime.metrics import Kind
from regions.api.vitals import METRICS as AGENT_METRICS
from tests.support.command_lines import commands_in, fault_of

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"
TESTS = ROOT / "deploy" / "prometheus" / "alerts_test.yaml"
PAGES = ROOT / "docs" / "runbooks"

BY_NAME = {each.name: each for each in (*METRICS, *AGENT_METRICS)}
# What Prometheus adds to every series that it scrapes.
SCRAPED = {"instance", "job"}


def _loaded(path: Path) -> Any:
    return YAML(typ="safe").load(path)


ALERTS: list[Any] = [rule for group in _loaded(RULES)["groups"] for rule in group["rules"]]
NAMES = [each["alert"] for each in ALERTS]


def metrics_in(expression: str) -> set[str]:
    """Return the names of metrics in an expression, without what a histogram appends."""
    found = set(re.findall(r"\bdirector_[a-z_]+", expression))
    return {
        name if name in BY_NAME else re.sub(r"_(bucket|sum|count)$", "", name) for name in found
    }


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_rests_on_metrics_that_exist(alert: Any) -> None:
    names = metrics_in(alert["expr"])

    assert names
    assert sorted(names - BY_NAME.keys()) == []


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_uses_labels_that_its_metrics_have(alert: Any) -> None:
    expression = alert["expr"]
    known = {label for name in metrics_in(expression) for label in BY_NAME[name].labels}
    matched = set(re.findall(r"[{,]\s*([a-z]+)\s*=", expression))
    grouped = set(re.findall(r"(?:by|on) \(([a-z, ]*)\)", expression))
    grouped = {label.strip() for each in grouped for label in each.split(",") if label.strip()}
    said = " ".join(alert["annotations"].values())
    shown = set(re.findall(r"\$labels\.([a-z]+)", said))

    assert matched | grouped | shown <= known | SCRAPED | {"le"}
    # A rate of what may go down, or a level of what only rises, is a mistake.
    for name in re.findall(r"(?:rate|increase)\((director_[a-z_]+)", expression):
        kind = BY_NAME.get(name)
        assert kind is None or kind.kind is Kind.COUNTER, name


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_says_what_it_is_and_how_urgent(alert: Any) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]+", alert["alert"])
    assert alert["labels"] in ({"severity": "page"}, {"severity": "ticket"})
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{alert['alert']}.md"


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert sorted(path.stem for path in PAGES.glob("*.md")) == sorted([*NAMES, "README"])


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_what_it_means_what_to_look_at_what_to_do_and_whom_to_wake(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text()
    (severity,) = [each["labels"]["severity"] for each in ALERTS if each["alert"] == name]

    assert re.findall(r"^#+ (.*)", text, flags=re.MULTILINE) == [
        name,
        "What it means",
        "What to look at",
        "What to do",
        "Whom to wake",
    ]
    assert f"Severity: {severity}." in text
    for each in text.split("## ")[1:]:
        assert len(each.partition("\n")[2].strip()) > 15, each


@pytest.mark.parametrize("name", [*NAMES, "README"])
def test_a_page_names_only_commands_and_pages_that_exist(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text()
    lines = commands_in(text)

    assert name == "README" or len(lines) >= 2
    assert [fault for line in lines if (fault := fault_of(line))] == []
    for page in re.findall(r"[`(]([A-Za-z]+\.md)[`)]", text):
        assert (PAGES / page).exists(), page
    for path in re.findall(r"`((?:docs|deploy)/[^`*]+)`", text):
        assert (ROOT / path).exists(), path


def test_the_list_of_pages_names_each_with_its_severity() -> None:
    text = (PAGES / "README.md").read_text()
    rows = dict(re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| (\w+) \|$", text, flags=re.MULTILINE))

    assert rows == {each["alert"]: each["labels"]["severity"] for each in ALERTS}


def test_every_alert_is_tested_to_fire_and_to_be_quiet() -> None:
    firing: set[str] = set()
    quiet: set[str] = set()
    for test in _loaded(TESTS)["tests"]:
        for each in test.get("promql_expr_test", ()):
            matched = re.search(r'alertname="(\w+)"', each["expr"])
            if matched is not None:
                (firing if each["exp_samples"] else quiet).add(matched[1])

    assert (sorted(firing), sorted(quiet)) == (sorted(NAMES), sorted(NAMES))


@pytest.mark.slow
def test_the_rules_pass_their_tests_in_prometheus() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on the PATH (it comes with Prometheus)")
    for arguments in (["check", "rules", RULES.name], ["test", "rules", TESTS.name]):
        done = subprocess.run(
            [promtool, *arguments],
            cwd=RULES.parent,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
