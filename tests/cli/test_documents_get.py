"""`director get` and `describe` of what is declared, `export`, `schema` and `explain budget`."""

import json
from pathlib import Path

import pytest

from director.cli import methods
from tests.cli.fake_server import FakeDirector
from tests.cli.running import a_status, run
from tests.config.sample import ALL, DRILL
from trafficdirector.admin.v1 import admin_pb2 as admin

MANIFEST = admin.GetManifestResponse(documents=f"{ALL}---\n{DRILL}", revision=4, etag="4-bb")
FORMS = ("table", "wide", "json", "yaml", "name")


@pytest.fixture(autouse=True)
def _in_force(fake: FakeDirector) -> None:
    fake.answer(methods.GET_MANIFEST, MANIFEST)
    fake.answer(methods.GET_STATUS, a_status())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("noun", "kind", "name"),
    [
        ("regions", "RegionList", "eu-west1"),
        ("services", "ServiceList", "chat"),
        ("policies", "FailoverPolicyList", "tier0"),
        ("schedules", "DrillScheduleList", "chat-weekly"),
    ],
)
def test_every_list_has_every_form_and_can_be_narrowed_to_one(
    fake: FakeDirector, noun: str, kind: str, name: str, form: str
) -> None:
    whole = run("get", noun, "-o", form, "--endpoint", fake.address)
    one = run("get", noun, name, "-o", form, "--endpoint", fake.address)

    assert (whole.exit_code, one.exit_code) == (0, 0), whole.output
    assert name in one.stdout
    match form:
        case "json":
            printed = json.loads(one.stdout)
            assert (printed["apiVersion"], printed["kind"]) == ("trafficdirector/v1", kind)
            assert len(printed["items"]) == 1
        case "yaml":
            assert one.stdout.startswith(f"apiVersion: trafficdirector/v1\nkind: {kind}\n")
        case "name":
            assert one.stdout == f"{name}\n"
        case _:
            assert one.stdout.splitlines()[0].split()[0].lower() in {
                noun[:-1],
                "policy",
                "schedule",
            }
            assert len(one.stdout.splitlines()) == 2


@pytest.mark.parametrize("noun", ["regions", "services", "policies", "schedules"])
def test_a_name_that_is_not_there_is_answered_with_what_was_meant(
    fake: FakeDirector, noun: str
) -> None:
    wrong = {"regions": "eu-wset1", "services": "chta", "policies": "teir0"}.get(noun, "chat-wekly")

    result = run("get", noun, wrong, "--endpoint", fake.address)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "did you mean" in result.stderr


def test_wide_lists_add_what_is_declared_and_what_is_predicted(fake: FakeDirector) -> None:
    regions = run("get", "regions", "-o", "wide", "--endpoint", fake.address).stdout.splitlines()
    services = run("get", "services", "-o", "wide", "--endpoint", fake.address).stdout.splitlines()

    assert regions[0].endswith("FAILURE DOMAIN  LOCATION     SERVICES")
    west = next(each for each in regions if each.startswith("eu-west1"))
    assert west.split()[-3:] == ["eu-a", "50.45,3.82", "chat,embed"]
    # Not in the documents of this test: nothing is made up for it.
    asia = next(each for each in regions if each.startswith("ap-south1"))
    assert asia.split()[-3:] == ["-", "-", "embed"]
    assert services[0].split()[-4:] == ["SERVING", "PREDICTED", "AUTOMATION", "RUN"]
    assert services[1].split()[-4:] == ["eu-west1", "6.1s", "Automatic", "-"]


def test_a_policy_is_listed_with_the_services_under_it(fake: FakeDirector) -> None:
    lines = run("get", "policies", "--endpoint", fake.address).stdout.splitlines()

    assert lines[1].split() == ["tier0", "Automatic", "0s", "15m", "Manual", "chat"]


def test_a_policy_is_described_with_every_default(fake: FakeDirector) -> None:
    result = run("describe", "policy", "tier0", "--endpoint", fake.address)
    printed = json.loads(
        run("describe", "policy", "tier0", "-o", "json", "--endpoint", fake.address).stdout
    )

    assert "    minInterval: 15m\n" in result.stdout
    assert result.stdout.endswith("services: chat\n")
    assert printed["kind"] == "FailoverPolicy"
    assert printed["spec"]["guards"]["minServingRegions"] == 1
    assert run("describe", "policy", "x", "--endpoint", fake.address).exit_code == 2


def test_a_drill_schedule_is_described_as_it_was_declared(fake: FakeDirector) -> None:
    result = run("describe", "schedule", "chat-weekly", "--endpoint", fake.address)

    assert "  timezone: Europe/Brussels\n" in result.stdout
    assert "  service: chat\n" in result.stdout


def test_an_export_is_what_was_applied_byte_for_byte_or_in_a_normal_form(
    fake: FakeDirector,
) -> None:
    applied = run("export", "--endpoint", fake.address)
    normal = run("export", "-o", "yaml", "--endpoint", fake.address)

    assert applied.stdout == MANIFEST.documents
    assert "      ttl: 15s\n" in normal.stdout or "    ttl: 15s\n" in normal.stdout
    assert "kind: DrillSchedule\n" in normal.stdout
    # The normal form means the same, and is the normal form of itself.
    again = run("diff", "-f", "-", "--endpoint", fake.address, stdin=normal.stdout)
    assert (again.exit_code, again.stdout) == (0, "no difference: revision 4 says the same\n")
    fake.answer(methods.GET_MANIFEST, admin.GetManifestResponse(documents=normal.stdout))
    assert run("export", "-o", "yaml", "--endpoint", fake.address).stdout == normal.stdout


def test_an_earlier_revision_is_exported_by_its_number(fake: FakeDirector) -> None:
    run("export", "--revision", "2", "--endpoint", fake.address)

    assert [each.revision for each in fake.asked(methods.GET_MANIFEST)] == [2]


def test_the_schemas_are_written_to_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "schema"

    result = run("schema", "--out", str(folder))

    assert result.exit_code == 0
    assert [Path(each).name for each in result.stdout.split()] == [
        "documents.json",
        "Fleet.json",
        "Service.json",
        "FailoverPolicy.json",
        "DrillSchedule.json",
    ]
    assert json.loads((folder / "Service.json").read_text()) == json.loads(
        run("schema", "Service").stdout
    )
    assert run("schema", "Service", "--out", str(folder)).exit_code == 2
    assert run("schema", "--out", "/dev/null/x").exit_code == 2


BUDGET = admin.ExplainBudgetResponse(
    service_id="chat",
    rto_ms=60_000,
    predicted_rto_ms=6_100,
    recovery=[
        admin.BudgetLine(phase="detect", spent_ms=2_500, formula="every 500 ms", source="health"),
        admin.BudgetLine(phase="lease", spent_ms=3_600, formula="what is left", source="timing"),
    ],
    on_top=[admin.BudgetLine(phase="leader lost too", spent_ms=2_000, formula="an election")],
    rpo_ms=5_000,
    exposure=[admin.BudgetLine(phase="owner out of sight", spent_ms=4_181, formula="its lease")],
    standbys=[
        admin.StandbyLoss(region_id="eu-north1", lag_ms=300, loss_bound_ms=800),
        admin.StandbyLoss(region_id="us-east1"),
    ],
    measured_rto_ms=5_900,
)


def test_a_budget_is_explained_phase_by_phase(fake: FakeDirector) -> None:
    fake.answer(methods.EXPLAIN_BUDGET, BUDGET)

    result = run("explain", "budget", "chat", "--endpoint", fake.address)

    assert result.stdout.splitlines() == [
        "chat  recovery 6.1s of an RTO of 60s, 53.9s to spare; the last run took 5.9s",
        "  detect  2.5s  every 500 ms",
        "  lease   3.6s  what is left",
        "",
        "on top, in a worse case",
        "  leader lost too  2s    an election",
        "",
        "loss, against an RPO of 5s",
        "  owner out of sight  4.2s  its lease",
        "  eu-north1: lag 0.3s; promoted now it would lose at most 0.8s",
        "  us-east1: lag not known; promoted now it would lose unknown, hence infinite",
    ]


def test_a_budget_that_is_missed_says_by_how_much_and_wide_says_from_where(
    fake: FakeDirector,
) -> None:
    missed = admin.ExplainBudgetResponse()
    missed.CopyFrom(BUDGET)
    missed.rto_ms = 5_000
    missed.ClearField("rpo_ms")
    fake.answer(methods.EXPLAIN_BUDGET, missed)

    lines = run("explain", "budget", "chat", "-o", "wide", "--endpoint", fake.address).stdout

    assert "1.1s too long" in lines
    assert "no RPO is declared" in lines
    assert "every 500 ms  health" in lines
    printed = json.loads(
        run("explain", "budget", "chat", "-o", "json", "--endpoint", fake.address).stdout
    )
    assert printed["recovery"][0]["source"] == "health"
    assert "rpo_ms" not in printed
