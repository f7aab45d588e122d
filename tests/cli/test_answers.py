"""What the commands print: for people, for scripts, and never mixed."""

import json
from pathlib import Path

import pytest

from director.cli import methods
from tests.cli.fake_server import FakeDirector
from tests.cli.running import a_run, a_site, a_status, run
from tests.config.sample import ALL
from trafficdirector.admin.v1 import admin_pb2 as admin
from trafficdirector.routing.v1 import routing_pb2 as routing

ANSWER = routing.ResolveResponse(
    service_id="chat",
    region_id="eu-west1",
    endpoints=[
        routing.Endpoint(address="chat.eu-west1:443", zone="b", labels={"model": "v3"}, weight=1),
        routing.Endpoint(address="chat.eu-west1:444", weight=1),
    ],
    revision=812,
    generation=1,
    epoch=8,
    ttl_ms=15_000,
    reason="OWNER",
    view_age_ms=200,
    source=routing.SOURCE_FRESH,
)


def test_status_is_one_screen(fake: FakeDirector) -> None:
    fake.answer(methods.GET_STATUS, a_status())

    result = run("status", "--endpoint", fake.address)

    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "FLEET dev  healthy   leader d1  term 1  revision 4  quorum 3/3",
        "",
        "SERVICE  MODE            ACTIVE                           "
        "LAG / RPO  PREDICTED / RTO  LAST DRILL  AUTOMATION",
        "chat     active-passive  eu-west1                         "
        "0.3s / 5s  6.1s / 60s       never       on",
        "embed    active-active   ap-south1,eu-north1,eu-west1 +1  "
        "-          3.9s / 20s       never       on",
    ]


def test_status_says_what_is_wrong(fake: FakeDirector) -> None:
    chat = a_status().services[0]
    chat.active_run_id = "chat/7"
    chat.automation = "Approve"
    chat.automation_note = "two failure domains only"
    chat.sites[1].CopyFrom(
        a_site("eu-west1", verdict="DOWN", reason="PEERS_FAIL", withheld="NEVER_LAST")
    )
    seen = a_status(services=[chat], is_leader=False, replica_id="d0")
    seen.regions[0].drained = True
    seen.regions[1].ClearField("heard_age_ms")
    fake.answer(methods.GET_STATUS, seen)

    lines = run("status", "--endpoint", fake.address).stdout.splitlines()

    assert lines[0] == (
        "FLEET dev  degraded, draining: ap-south1   leader d1  term 1  revision 4  quorum ?/3  "
        "as d0 sees it"
    )
    assert lines[-5:] == [
        "chat: chat/7 is going on; follow it with `director wait chat/7`",
        "chat: two failure domains only",
        "chat: eu-west1 is DOWN (PEERS_FAIL), kept in service by NEVER_LAST",
        "drained: ap-south1",
        "no agent heard from: eu-north1",
    ]


def test_a_drained_region_is_not_listed_as_active_and_the_fleet_is_not_plain_healthy(
    fake: FakeDirector,
) -> None:
    seen = a_status()
    seen.regions[3].drained = True
    seen.services[1].sites[3].serving = False
    fake.answer(methods.GET_STATUS, seen)

    lines = run("status", "embed", "--endpoint", fake.address).stdout.splitlines()

    assert lines[0].startswith("FLEET dev  draining: us-east1   leader d1")
    assert "active-active   ap-south1,eu-north1,eu-west1  - " in lines[4]
    assert [each for each in lines if each.startswith("us-east1")] == [
        "us-east1   -     0         UP       -    -           gets no clients"
    ]
    assert lines[-1] == "drained: us-east1"


def test_a_site_forced_out_of_service_is_not_healthy_either(fake: FakeDirector) -> None:
    seen = a_status()
    seen.services[1].sites[3].serving = False
    seen.services[1].sites[3].override = "FORCE_DOWN"
    fake.answer(methods.GET_STATUS, seen)

    lines = run("status", "--endpoint", fake.address).stdout.splitlines()

    assert lines[0].startswith("FLEET dev  degraded   leader d1")


def test_a_stale_view_is_called_stale(fake: FakeDirector) -> None:
    seen = a_status(is_fresh=False, view_age_ms=9_000, leader_id="", is_leader=False)
    fake.answer(methods.GET_STATUS, seen)

    lines = run("status", "--endpoint", fake.address).stdout.splitlines()

    assert lines[0].startswith("FLEET dev  stale   no leader")
    assert lines[0].endswith("view 9s old")
    assert lines[-1] == "d1 has no contact with a quorum of 3 voters"


def test_json_has_the_proto_field_names_and_an_envelope(fake: FakeDirector) -> None:
    fake.answer(methods.GET_STATUS, a_status())

    printed = json.loads(run("status", "-o", "json", "--endpoint", fake.address).stdout)

    assert (printed["apiVersion"], printed["kind"]) == ("trafficdirector/v1", "Status")
    assert printed["applied_index"] == 812
    assert printed["services"][0]["sites"][0]["lag_ms"] == 300
    # Unknown is absent, and never zero.
    assert "lag_ms" not in printed["services"][0]["sites"][1]


def test_names_are_one_per_line(fake: FakeDirector) -> None:
    fake.answer(methods.GET_STATUS, a_status())
    fake.answer(methods.RESOLVE, ANSWER)

    assert run("status", "-o", "name", "--endpoint", fake.address).stdout == "chat\nembed\n"
    assert run("resolve", "chat", "-o", "name", "--endpoint", fake.address).stdout == (
        "chat.eu-west1:443\nchat.eu-west1:444\n"
    )


def test_yaml_is_the_same_document_as_json(fake: FakeDirector) -> None:
    fake.answer(methods.RESOLVE, ANSWER)

    printed = run("resolve", "chat", "-o", "yaml", "--endpoint", fake.address).stdout

    assert printed.startswith("apiVersion: trafficdirector/v1\nkind: Resolution\n")
    assert "source: SOURCE_FRESH\n" in printed


def test_resolve_names_the_endpoints_and_the_age_of_the_view(fake: FakeDirector) -> None:
    fake.answer(methods.RESOLVE, ANSWER)

    result = run(
        *("resolve", "chat", "--from", "48.85,2.35", "--session", "s1"),
        *("--subject-jurisdiction", "EU", "--endpoint", fake.address),
    )

    assert result.stdout == (
        "chat -> eu-west1  (OWNER)\n"
        "  chat.eu-west1:443  zone b\n"
        "  chat.eu-west1:444\n"
        "revision 812, token 1.8, keep for 15s, view age 0.2s (fresh)\n"
    )
    assert fake.asked(methods.RESOLVE) == [
        routing.ResolveRequest(
            service_id="chat",
            location=routing.Location(lat=48.85, lon=2.35),
            session_id="s1",
            subject_jurisdiction="EU",
        )
    ]


def test_a_client_is_in_one_place(fake: FakeDirector) -> None:
    fake.answer(methods.RESOLVE, ANSWER)
    at = ("--endpoint", fake.address)

    both = run("resolve", "chat", "--from-ip", "81.2.69.142", "--from-region", "eu-west1", *at)
    nowhere = run("resolve", "chat", "--from", "north", *at)
    by_address = run("resolve", "chat", "--from-ip", "81.2.69.142", *at)

    assert (both.exit_code, nowhere.exit_code, by_address.exit_code) == (2, 2, 0)
    assert "--from-ip and --from-region" in both.stderr
    assert [each.address for each in fake.asked(methods.RESOLVE)] == ["81.2.69.142"]


def test_explain_tells_every_region_and_where_the_client_is(fake: FakeDirector) -> None:
    answer = routing.ExplainResolveResponse(
        result=routing.BatchResolveResult(response=ANSWER),
        candidates=[
            routing.Candidate(
                region_id="eu-west1", outcome="CHOSEN", text="priority 0, healthy", distance_km=230
            ),
            routing.Candidate(region_id="us-east1", outcome="REJECTED", text="residency rule 1"),
            routing.Candidate(
                region_id="ap-south1", outcome="NOT_LISTED", text="no endpoint", rtt_us=148_500
            ),
        ],
        position=routing.Position(
            source="ADDRESS",
            location=routing.Location(lat=48.85, lon=2.35),
            accuracy_km=20,
            place="Paris",
            country="FR",
        ),
        revision=812,
        view_age_ms=200,
    )
    fake.answer(methods.EXPLAIN_RESOLVE, answer)

    result = run("explain", "resolve", "chat", "--endpoint", fake.address)

    assert result.stdout == (
        "  eu-west1   chosen      priority 0, healthy, 230 km\n"
        "  us-east1   rejected    residency rule 1\n"
        "  ap-south1  not listed  no endpoint, 148.5 ms\n"
        "client at 48.85,2.35 (Paris, FR) by address, within 20 km\n"
        "decision at revision 812, view age 0.2s\n"
    )


def test_phases_go_to_stderr_as_they_happen_and_the_end_to_stdout(fake: FakeDirector) -> None:
    whole = a_run()
    early = a_run("fencing", measured_rto_ms=None, ledger=whole.ledger[:2])
    fake.answer(
        methods.WATCH_FAILOVER,
        lambda *_: (admin.WatchFailoverResponse(failover=each) for each in (early, early, whole)),
    )

    result = run("wait", "chat/7", "--endpoint", fake.address)

    assert result.stderr == (
        "chat/7  failover of chat: eu-west1 -> eu-north1  (by the director)\n"
        "  02.9s  detect       2.9s  PEERS_FAIL\n"
        "  03.1s  decide       0.2s  confirmed: PEERS_FAIL\n"
        "  05.2s  fence        2.1s  the lease of eu-west1 ran out\n"
        "  05.6s  promote      0.4s  eu-north1 serves under 1.8\n"
        "  05.9s  publish      0.3s  412 watchers moved\n"
        "  06.5s  verify       0.6s  eu-north1 passes its own probe\n"
    )
    assert len(result.stdout.splitlines()) == 1


def test_a_run_taken_back_is_described_with_why_after_its_phases(fake: FakeDirector) -> None:
    aborted = a_run(
        "aborted",
        cause="EVIDENCE_LOST",
        measured_rto_ms=None,
        ledger=a_run().ledger[:1],
        notes=["no fresh evidence against eu-west1"],
    )
    fake.answer(methods.GET_FAILOVER, admin.GetFailoverResponse(failover=aborted))

    lines = run("describe", "failover", "chat/7", "--endpoint", fake.address).stdout.splitlines()

    assert lines[1:4] == [
        "  02.9s  detect       2.9s  PEERS_FAIL",
        "         no fresh evidence against eu-west1",
        "  stage     aborted (EVIDENCE_LOST)",
    ]


def test_a_broken_stream_is_taken_up_again(fake: FakeDirector) -> None:
    # The first stream ends in the middle, as when the director that served it stops.
    stages = iter([a_run("fencing", measured_rto_ms=None), a_run()])
    fake.answer(
        methods.WATCH_FAILOVER,
        lambda *_: iter([admin.WatchFailoverResponse(failover=next(stages))]),
    )

    result = run("wait", "chat/7", "--endpoint", fake.address)

    assert result.exit_code == 0
    assert result.stderr.count("chat/7  failover of chat") == 1
    assert len(fake.asked(methods.WATCH_FAILOVER)) == 2


def test_detached_a_move_prints_its_name_only(fake: FakeDirector) -> None:
    fake.answer(methods.START_SWITCHOVER, admin.StartSwitchoverResponse(failover_id="chat/8"))

    result = run(
        *("switchover", "chat", "--reason", "x", "--yes", "--detach", "--endpoint", fake.address)
    )

    assert (result.exit_code, result.stdout, result.stderr) == (0, "chat/8\n", "")


def test_a_failback_is_a_switchover_home(fake: FakeDirector) -> None:
    run_home = a_run(kind="failback", failover_id="chat/9", loss_bound_ms=None)
    fake.answer(methods.START_SWITCHOVER, admin.StartSwitchoverResponse(failover_id="chat/9"))
    fake.answer(methods.WATCH_FAILOVER, admin.WatchFailoverResponse(failover=run_home))

    result = run("failback", "chat", "--reason", "x", "--yes", "--endpoint", fake.address)

    assert result.exit_code == 0
    assert "nothing lost" in result.stdout
    assert fake.asked(methods.START_SWITCHOVER)[0].failback


@pytest.mark.parametrize(
    ("arguments", "method", "answer"),
    [
        (
            ("failover", "chat", "--to", "eu-north1"),
            methods.START_FAILOVER,
            admin.StartFailoverResponse(message="chat would move to eu-north1, losing 0.3 s"),
        ),
        (
            ("switchover", "chat", "--to", "eu-north1"),
            methods.START_SWITCHOVER,
            admin.StartSwitchoverResponse(message="chat would move to eu-north1, losing 0.3 s"),
        ),
        (("drain", "eu-west1"), methods.SET_REGION_DRAIN, admin.SetRegionDrainResponse()),
        (("undrain", "eu-west1"), methods.SET_REGION_DRAIN, admin.SetRegionDrainResponse()),
        (
            ("override", "chat", "eu-west1", "--verdict", "clear"),
            methods.SET_OVERRIDE,
            admin.SetOverrideResponse(),
        ),
        (("cancel", "chat/7"), methods.CANCEL_FAILOVER, admin.CancelFailoverResponse()),
    ],
)
def test_a_dry_run_asks_the_same_and_changes_nothing(
    fake: FakeDirector,
    arguments: tuple[str, ...],
    method: methods.Method[admin.Change],
    answer: admin.Change,
) -> None:
    fake.answer(method, answer)

    result = run(*arguments, "--reason", "x", "--dry-run", "--endpoint", fake.address)

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("dry run: ")
    assert [each.change.validate_only for each in fake.asked(method)] == [True]


def test_apply_sends_all_files_as_one_and_prints_the_revision(
    fake: FakeDirector, tmp_path: Path
) -> None:
    fake.answer(methods.APPLY_MANIFEST, admin.ApplyManifestResponse(revision=5, index=812))
    fleet, _, services = ALL.partition("---\n")
    (tmp_path / "a.yaml").write_text(fleet)
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "b.yml").write_text(services)
    (tmp_path / ".hidden.yaml").write_text("not ours")

    result = run("apply", "-f", str(tmp_path), "--endpoint", fake.address)

    assert result.exit_code == 0, result.output
    assert result.stdout == ("revision 5 in force (index 812): 3 regions, 2 services, 1 policy\n")
    [request] = fake.asked(methods.APPLY_MANIFEST)
    assert request.documents == f"{fleet}---\n{services}"


def test_validate_reads_stdin_and_counts_what_it_found() -> None:
    result = run("validate", "-f", "-", stdin=ALL)

    assert (result.exit_code, result.stdout) == (0, "valid: 3 regions, 2 services, 1 policy\n")


def test_validate_tells_unreadable_files_beside_the_other_faults(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"kind: \xff")
    (tmp_path / "b.yaml").write_text(ALL)

    result = run("validate", "-f", str(tmp_path), "-o", "json")

    assert result.exit_code == 2
    printed = json.loads(result.stdout)
    assert (printed["kind"], printed["valid"]) == ("ValidationReport", False)
    assert [each["message"] for each in printed["faults"]] == ["byte 6 is not UTF-8"]
    assert run("validate", "-f", str(tmp_path / "c.yaml")).exit_code == 2


def test_export_prints_what_was_applied_or_its_canonical_form(fake: FakeDirector) -> None:
    fake.answer(methods.GET_MANIFEST, admin.GetManifestResponse(documents=ALL, revision=5))

    as_applied = run("export", "--endpoint", fake.address)
    canonical = run("export", "--canonical", "--endpoint", fake.address)

    assert as_applied.stdout == ALL
    assert canonical.stdout != ALL
    assert run("validate", "-f", "-", stdin=canonical.stdout).exit_code == 0


def test_schema_describes_every_kind() -> None:
    whole = json.loads(run("schema").stdout)
    service = json.loads(run("schema", "Service").stdout)

    assert {"Fleet", "Service", "FailoverPolicy", "DrillSchedule"} <= set(whole["$defs"])
    assert service["properties"]["kind"]["const"] == "Service"
    assert service["additionalProperties"] is False


def test_lists_and_descriptions(fake: FakeDirector) -> None:
    fake.answer(methods.GET_STATUS, a_status())
    fake.answer(methods.LIST_FAILOVERS, admin.ListFailoversResponse(failovers=[a_run()]))
    fake.answer(methods.GET_FAILOVER, admin.GetFailoverResponse(failover=a_run()))
    at = ("--endpoint", fake.address)

    assert (
        "us-east1   US            1       0.2s ago  in service" in run("get", "regions", *at).stdout
    )
    assert "chat     active-passive  eu-west1  1.8" in run("get", "services", *at).stdout
    assert "chat/7  failover  eu-west1  eu-north1" in run("get", "failovers", *at).stdout
    assert "  05.9s  publish" in run("describe", "failover", "chat/7", *at).stdout
    assert "eu-north1  standby" in run("describe", "service", "chat", *at).stdout
    assert "chat     owner" in run("describe", "region", "eu-west1", *at).stdout
    unknown = run("describe", "region", "eu-wset1", *at)
    assert unknown.exit_code == 2
    assert "did you mean 'eu-west1'?" in unknown.stderr


def test_the_members_of_the_cluster_are_listed_as_the_leader_sees_them(fake: FakeDirector) -> None:
    members = [
        admin.Member(
            replica_id=f"d{at}",
            role="voter",
            is_leader=at == 1,
            match_index=812 - at,
            is_active=at < 2,
            address=f"127.0.0.1:744{at}",
        )
        for at in range(3)
    ]
    fake.answer(
        methods.GET_CLUSTER,
        admin.GetClusterResponse(
            replica_id="d1",
            leader_id="d1",
            term=3,
            commit_index=811,
            applied_index=811,
            members=members,
        ),
    )

    lines = run("cluster", "members", "--endpoint", fake.address).stdout.splitlines()

    assert lines[0].startswith("leader d1  term 3  commit 811  applied 811 on d1")
    assert lines[-1].split() == ["d2", "voter", "-", "silent", "810", "127.0.0.1:7442"]
