"""`director plan`, `diff` and `apply`: what files would change, and nothing else carried out."""

import json
from pathlib import Path

import grpc
import pytest

from director.cli import methods
from director.core.reasons import Reason
from tests.cli.fake_server import FakeDirector, Refusal
from tests.cli.running import run
from tests.config.sample import ALL
from trafficdirector.admin.v1 import admin_pb2 as admin

CHANGED = ALL.replace("    ttl: 15s", "    ttl: 30s")


def a_plan(*risks: admin.PlanRisk) -> admin.PlanManifestResponse:
    """Return a plan in which embed leaves a region and chat waits longer."""
    budget = admin.ServiceBudget(rto_ms=60_000, predicted_rto_ms=6_100, rpo_ms=5_000)
    budget.exposed_ms = 4_181
    longer = admin.ServiceBudget()
    longer.CopyFrom(budget)
    longer.predicted_rto_ms = 61_000
    plan = admin.PlanManifestResponse(
        revision=4,
        etag="4-abc",
        changes=[
            admin.DocumentChange(
                kind="Service",
                name="embed",
                how="changed",
                fields=[
                    admin.FieldChange(path="spec.regions[us-east1]", before="{}", after=""),
                    admin.FieldChange(path="spec.routing.ttl", before="15s", after="30s"),
                ],
            ),
            admin.DocumentChange(kind="Service", name="rank", how="added"),
        ],
        traffic=[
            admin.TrafficMoved(
                service_id="embed",
                moved_per_mille=216,
                moves=[
                    admin.RouteMove(
                        source_region_id="us-east1",
                        target_region_id="eu-west1",
                        share_per_mille=200,
                    ),
                    admin.RouteMove(
                        source_region_id="us-east1", share_per_mille=16, refusal="RESIDENCY"
                    ),
                ],
            )
        ],
        place_count=256,
        budgets=[
            admin.BudgetChange(service_id="chat", before=budget, after=longer),
            admin.BudgetChange(service_id="embed", before=budget, after=budget),
        ],
        losses=[
            admin.RegionLoss(
                region_id="eu-west1",
                before=admin.LossOutcome(moved_service_ids=["chat"]),
                after=admin.LossOutcome(
                    lost_service_ids=["embed"],
                    lost_subjects=[admin.SubjectLoss(service_id="chat", subject_jurisdiction="EU")],
                    capacity_left_per_mille=666,
                    capacity_service_id="chat",
                ),
            )
        ],
        worst_before_region_id="eu-west1",
        worst_after_region_id="eu-west1",
        risks=[
            admin.PlanRisk(
                severity="warning", reason="SINGLE_REGION", message="nothing would be left"
            )
        ],
    )
    plan.risks.extend(risks)
    return plan


def test_a_plan_is_told_part_by_part(fake: FakeDirector) -> None:
    fake.answer(methods.PLAN_MANIFEST, a_plan())

    result = run("plan", "-f", "-", "--endpoint", fake.address, stdin=ALL)

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "changes to revision 4: 1 added, 0 removed, 1 changed",
        "~ Service embed",
        "    - spec.regions[us-east1]: {}",
        "    ~ spec.routing.ttl: 15s -> 30s",
        "+ Service rank",
        "",
        "traffic",
        "  embed: 21.6 % of clients",
        "    us-east1 -> eu-west1  20 %",
        "    us-east1 -> refused (RESIDENCY)  1.6 %",
        "  by 256 places that stand for the cities of the world",
        "",
        "budgets",
        "  SERVICE  PREDICTED / RTO                 EXPOSED / RPO",
        "  chat     6.1s / 60s       -> 61s / 60s!  4.2s / 5s      -> 4.2s / 5s",
        "",
        "loss of a region",
        "  worst now   eu-west1: chat would fail over",
        "  worst then  eu-west1: nothing left for embed; nothing left for chat (subjects of EU); "
        "chat keeps 66.6 % of its capacity",
        "",
        "risk",
        "  warning  SINGLE_REGION: nothing would be left",
    ]
    assert result.stderr == "carry out exactly this plan with `director apply --etag 4-abc`\n"
    [asked] = fake.asked(methods.PLAN_MANIFEST)
    assert (asked.documents, asked.source_name) == (ALL, "<stdin>")


def test_a_plan_exits_one_on_changes_only_when_asked_to(fake: FakeDirector) -> None:
    at = ("-f", "-", "--endpoint", fake.address)
    fake.answer(methods.PLAN_MANIFEST, a_plan())
    changes = run("plan", *at, "--detailed-exitcode", stdin=ALL)
    fake.answer(methods.PLAN_MANIFEST, admin.PlanManifestResponse(revision=4, etag="4-abc"))
    nothing = run("plan", *at, "--detailed-exitcode", stdin=ALL)

    assert (changes.exit_code, nothing.exit_code) == (1, 0)
    assert nothing.stdout == "no changes: revision 4 says the same\n"
    assert nothing.stderr == ""


def test_a_plan_that_a_rule_refuses_exits_three(fake: FakeDirector) -> None:
    refused = admin.PlanRisk(severity="refused", reason="SAFETY_RULE", message="the last region")
    fake.answer(methods.PLAN_MANIFEST, a_plan(refused))

    result = run("plan", "-f", "-", "--detailed-exitcode", "--endpoint", fake.address, stdin=ALL)

    assert result.exit_code == 3
    assert "  refused  SAFETY_RULE: the last region" in result.stdout


def test_a_plan_for_programs_is_the_answer_of_the_director(fake: FakeDirector) -> None:
    fake.answer(methods.PLAN_MANIFEST, a_plan())

    result = run("plan", "-f", "-", "-o", "json", "--endpoint", fake.address, stdin=ALL)

    printed = json.loads(result.stdout)
    assert (printed["apiVersion"], printed["kind"]) == ("trafficdirector/v1", "Plan")
    assert printed["budgets"][0]["after"]["predicted_rto_ms"] == 61_000
    assert printed["traffic"][0]["moves"][1]["refusal"] == "RESIDENCY"


@pytest.mark.parametrize("command", ["plan", "diff", "apply"])
def test_files_with_faults_reach_no_director(fake: FakeDirector, command: str) -> None:
    bad = ALL.replace("    ttl: 15s", "    tll: 15s").replace("policyRef: tier0", "policyRef: x")

    result = run(command, "-f", "-", "--endpoint", fake.address, stdin=bad)

    assert (result.exit_code, result.stdout, fake.requests) == (2, "", [])
    assert "[D004]" in result.stderr
    assert "[D109]" in result.stderr
    assert "2 faults" in result.stderr


def test_diff_compares_meaning_and_not_text(fake: FakeDirector) -> None:
    fake.answer(methods.GET_MANIFEST, admin.GetManifestResponse(documents=ALL, revision=4))
    at = ("-f", "-", "--endpoint", fake.address)
    # Another order, a comment, and a default written out.
    fleet, chat, *others = ALL.split("---\n")
    rewritten = "---\n".join([*others, f"# chat\n{chat}", fleet]).replace(
        "    - name: eu-north1\n      priority: 1\n",
        "    - name: eu-north1\n      weight: 100\n      priority: 1\n",
    )

    same = run("diff", *at, stdin=rewritten)
    other = run("diff", *at, stdin=CHANGED)

    assert (same.exit_code, same.stdout) == (0, "no difference: revision 4 says the same\n")
    assert (other.exit_code, other.stdout) == (
        1,
        "~ Service chat\n    ~ spec.routing.ttl: 15s -> 30s\n",
    )


def test_diff_names_what_was_added_and_removed(fake: FakeDirector) -> None:
    fake.answer(methods.GET_MANIFEST, admin.GetManifestResponse(documents=ALL, revision=4))
    at = ("-f", "-", "--endpoint", fake.address)
    renamed = ALL.replace("metadata: {name: embed}", "metadata: {name: rank}")

    result = run("diff", *at, "-o", "name", stdin=renamed)
    printed = json.loads(run("diff", *at, "-o", "json", stdin=renamed).stdout)

    assert (result.exit_code, result.stdout) == (1, "Service/embed\nService/rank\n")
    assert [each["how"] for each in printed["changes"]] == ["removed", "added"]


def test_diff_against_an_earlier_revision_asks_for_its_text(fake: FakeDirector) -> None:
    fake.answer(
        methods.GET_MANIFEST,
        lambda request, _: admin.GetManifestResponse(documents=ALL, revision=request.revision),
    )

    result = run("diff", "-f", "-", "--revision", "2", "--endpoint", fake.address, stdin=ALL)

    assert result.stdout == "no difference: revision 2 says the same\n"


def test_before_the_first_apply_everything_is_added(fake: FakeDirector) -> None:
    fake.answer(methods.GET_MANIFEST, admin.GetManifestResponse())

    result = run("diff", "-f", "-", "--endpoint", fake.address, stdin=ALL)

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "+ Fleet prod",
        "+ FailoverPolicy tier0",
        "+ Service chat",
        "+ Service embed",
    ]


def test_apply_hands_over_the_etag_and_a_conflict_exits_seven(fake: FakeDirector) -> None:
    fake.answer(
        methods.APPLY_MANIFEST,
        Refusal(grpc.StatusCode.ABORTED, Reason.STALE_REVISION, "revision 5 is in force"),
    )

    result = run("apply", "-f", "-", "--etag", "4-abc", "--endpoint", fake.address, stdin=ALL)

    assert result.exit_code == 7
    assert fake.asked(methods.APPLY_MANIFEST)[0].expected_etag == "4-abc"


def test_a_folder_is_planned_as_one(fake: FakeDirector, tmp_path: Path) -> None:
    fake.answer(methods.PLAN_MANIFEST, a_plan())
    for at, text in enumerate(ALL.split("---\n")):
        (tmp_path / f"{at}.yaml").write_text(text)

    result = run(
        *("plan", "-f", str(tmp_path), "--remove-service", "old", "--endpoint", fake.address)
    )

    assert result.exit_code == 0, result.output
    [asked] = fake.asked(methods.PLAN_MANIFEST)
    assert (asked.documents, list(asked.allow_removed_service_ids)) == (ALL, ["old"])
