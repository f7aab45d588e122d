"""Drills on real processes: directors and agents with gates, a client that writes all the time.

One fleet for all of them; each test begins with everything as it was, which is what drills promise.
Every report is compared with the hash that the directors recorded.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from director.core.drill_view import content_hash
from director.dev.intervals import intervals, read_acknowledged, violations
from director.runtime.clock import boot_ms

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(90)]

PORT_BASE = "26400"
# A guard that trips as soon as the directors find out what the drill did, before anything moves.
SCHEDULE = """
---
apiVersion: trafficdirector/v1
kind: DrillSchedule
metadata: {name: trips}
spec:
  service: chat
  cron: "0 0 29 2 *"
  scenario: {lose: {region: eu-west1, how: Blackhole}, for: 1m}
  expect: {rto: 45s}
  abortWhen: [{regionState: {eu-west1: Down}}]
"""
DIRECTOR = [sys.executable, "-m", "director"]
HOME = "eu-west1"


@dataclass(frozen=True)
class Dev:
    """A fleet of `director dev`, and commands that reach it."""

    folder: Path
    data_dir: Path
    environment: dict[str, str]

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*DIRECTOR, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self.folder,
        )

    def run(self, *arguments: str, code: int = 0) -> str:
        process = self.begin(*arguments)
        output, said = process.communicate(timeout=80)
        assert process.returncode == code, (arguments, process.returncode, output, said)
        return output

    def drill(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run a drill to its end and return it; its report is as recorded."""
        ended: dict[str, Any] = json.loads(
            self.run("drill", "run", *arguments, "-o", "json", code=code)
        )
        self.check_report(ended)
        return ended

    def check_report(self, ended: dict[str, Any]) -> dict[str, Any]:
        stem = ended["drill_id"].replace("/", "-")
        path = self.folder / "drill-reports" / f"{stem}.json"
        if not path.exists():
            self.run("drill", "report", ended["drill_id"])
        verified = self.run("drill", "report", "--verify", str(path))
        assert "is what the directors recorded" in verified
        report: dict[str, Any] = json.loads(path.read_text())
        assert report["reportHash"] == content_hash(report["content"]) == ended["report_hash"]
        page = path.with_suffix(".html").read_text()
        assert ended["report_hash"] in page
        return dict(report["content"])

    def status(self) -> dict[str, Any]:
        seen: dict[str, Any] = json.loads(self.run("status", "-o", "json"))
        return seen

    def chat(self) -> dict[str, Any]:
        return next(each for each in self.status()["services"] if each["service_id"] == "chat")

    def drills(self) -> list[dict[str, Any]]:
        listed: dict[str, Any] = json.loads(self.run("drill", "list", "-o", "json"))
        return list(listed["drills"])

    def acknowledged(self) -> list[Any]:
        return list(read_acknowledged(sorted(self.data_dir.glob("*/chat.jsonl"))))


def until(look: Callable[[], Any], *, within_s: float = 60) -> Any:
    give_up_at_ms = boot_ms() + within_s * 1_000
    while boot_ms() < give_up_at_ms:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("it did not come to pass in time")


@pytest.fixture(scope="module")
def dev() -> Iterator[Dev]:
    """A fleet that stays for all tests of this file."""
    with tempfile.TemporaryDirectory(prefix="td-") as name:
        folder = Path(name)
        environment = os.environ | {"TMPDIR": name, "DIRECTOR_CONFIG": f"{name}/contexts.yaml"}
        with (folder / "dev.log").open("w") as log:
            process = subprocess.Popen(
                [*DIRECTOR, "dev", "--port-base", PORT_BASE, "--data-dir", f"{name}/d"],
                stdout=log,
                stderr=log,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
        fleet = Dev(folder, folder / "d", environment)
        try:
            until(lambda: "Ctrl-C stops everything" in (folder / "dev.log").read_text())
            (folder / "all.yaml").write_text(fleet.run("export") + SCHEDULE)
            fleet.run("apply", "-f", "all.yaml", "--reason", "a schedule")
            yield fleet
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


@pytest.fixture(autouse=True)
def at_home(dev: Dev) -> Iterator[None]:
    """Everything is as it was before the test, and after it."""
    before = until(lambda: (found := dev.chat())["owner_region_id"] == HOME and found)
    yield
    after = dev.chat()
    for key in ("owner_region_id", "serving_region_id"):
        assert after[key] == before[key]
    assert [each["verdict"] for each in after["sites"]] == ["UP"] * 3


def stage_ms(content: dict[str, Any], stage: str) -> int:
    """Director time at which a drill entered a stage."""
    return next(int(each["at_ms"]) for each in content["timeline"] if each["stage"] == stage)


def test_a_blackhole_passes_and_no_two_regions_ever_accept_writes_at_once(dev: Dev) -> None:
    before = len(dev.acknowledged())

    ended = dev.drill("chat", "--for", "12s", "--reason", "to be sure")

    assert (ended["verdict"], ended["state_diff"]) == ("PASSED", [])
    assert ended["measured_rto_ms"] <= ended["rto_budget_ms"]
    assert ended["loss_bound_ms"] <= ended["rpo_budget_ms"]
    assert [each["phase"] for each in ended["phases"]] == [
        *("detect", "decide", "fence", "promote", "publish")
    ]
    writes = dev.acknowledged()
    assert len(writes) > before
    found = intervals(writes)
    assert violations(found) == []
    # It wrote at home, elsewhere, and at home again.
    assert [each.region_id for each in found][-3:] == [HOME, "eu-north1", HOME]
    assert dev.chat()["last_drill"]["drill_id"] == ended["drill_id"]


@pytest.mark.parametrize(
    ("arguments", "is_moving"),
    [
        (("--how", "agent-kill", "--for", "12s"), True),
        (("--how", "switchover", "--for", "3s"), True),
        (("--how", "error-rate", "--share", "20%", "--for", "4s"), False),
        (("--how", "latency", "--delay", "50ms", "--for", "4s"), False),
    ],
    ids=["agent-kill", "switchover", "error-rate", "latency"],
)
def test_every_other_scenario_passes_and_leaves_everything_as_it_was(
    dev: Dev, arguments: tuple[str, ...], is_moving: bool
) -> None:
    ended = dev.drill("chat", *arguments)

    assert (ended["verdict"], ended["cause"], ended["state_diff"]) == ("PASSED", "", [])
    assert ("measured_rto_ms" in ended) is is_moving
    assert violations(intervals(dev.acknowledged())) == []


def test_a_guard_that_trips_aborts_within_five_seconds_and_nothing_has_changed(dev: Dev) -> None:
    runs_before = dev.run("get", "failovers", "-o", "name").split()

    ended = dev.drill("trips", code=8)

    assert (ended["verdict"], ended["cause"]) == ("ABORTED", "ABORT_WHEN")
    assert "eu-west1 is DOWN" in ended["abort_note"]
    assert ended["state_diff"] == []
    content = dev.check_report(ended)
    tripped_ms, ended_ms = stage_ms(content, "restoring"), stage_ms(content, "ended")
    assert ended_ms - tripped_ms <= 5_000
    # Whatever began had granted nothing.
    runs = set(dev.run("get", "failovers", "-o", "name").split()) - set(runs_before)
    for each in runs:
        run = json.loads(dev.run("describe", "failover", each, "-o", "json"))
        assert run["stage"] == "aborted"


def test_ctrl_c_aborts_the_drill_waits_until_all_is_restored_and_exits_130(dev: Dev) -> None:
    process = dev.begin("drill", "run", "chat", "--for", "1m", "-o", "json")
    assert process.stderr is not None
    while "inject" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, said = process.communicate(timeout=60)

    assert process.returncode == 130, said
    assert "asking the director to abort" in said
    assert "restoring eu-west1 ... done" in said
    ended = json.loads(output)
    assert (ended["verdict"], ended["cause"], ended["state_diff"]) == ("ABORTED", "ASKED", [])
    content = dev.check_report(ended)
    assert stage_ms(content, "ended") - stage_ms(content, "restoring") <= 5_000


def test_a_command_that_is_killed_leaves_the_drill_to_the_directors(dev: Dev) -> None:
    process = dev.begin("drill", "run", "chat", "--for", "12s")
    assert process.stderr is not None
    while "inject" not in process.stderr.readline():
        assert process.poll() is None
    process.kill()
    process.communicate()
    (running, *_) = dev.drills()
    assert running["verdict"] == ""

    ended = until(lambda: (found := dev.drills()[0])["verdict"] and found)

    assert ended["drill_id"] == running["drill_id"]
    assert (ended["verdict"], ended["state_diff"]) == ("PASSED", [])
    dev.check_report(ended)


def test_a_second_drill_is_refused_and_another_person_can_abort_the_first(dev: Dev) -> None:
    name = dev.run("drill", "run", "chat", "--for", "1m", "--detach").strip()
    plan = json.loads(dev.run("drill", "plan", "embed", "--lose", HOME, "-o", "json", code=3))
    dev.run("drill", "run", "chat", code=3)

    dev.run("drill", "abort", "chat", "--reason", "an incident")

    refused = [each["guard"] for each in plan["guards"] if not each["passed"]]
    assert "oneDrill" in refused
    ended = dev.drills()[0]
    assert (ended["drill_id"], ended["verdict"], ended["state_diff"]) == (name, "ABORTED", [])
    dev.check_report(ended)


def test_a_drill_goes_on_under_the_next_leader_when_its_leader_is_killed(dev: Dev) -> None:
    process = dev.begin("drill", "run", "chat", "--for", "20s", "-o", "json")
    assert process.stderr is not None
    while "inject" not in process.stderr.readline():
        assert process.poll() is None
    leader = dev.status()["leader_id"]
    (victim,) = (
        each
        for each in psutil.process_iter(["cmdline"])
        if f"serve --id {leader} " in shlex.join(each.info["cmdline"] or ())
        and str(dev.folder) in shlex.join(each.info["cmdline"] or ())
    )
    victim.kill()
    output, said = process.communicate(timeout=80)

    ended = json.loads(output)
    assert process.returncode == 0, said
    assert (ended["verdict"], ended["state_diff"]) == ("PASSED", [])
    assert dev.status()["leader_id"] not in ("", leader)
    dev.check_report(ended)
    assert violations(intervals(dev.acknowledged())) == []
