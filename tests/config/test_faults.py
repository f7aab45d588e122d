"""Every way to get a document wrong gives its code, its line and what would be right."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from director.config.faults import Fault, Severity, suggestion
from director.config.load import load_topology
from director.config.yaml_text import DEPTH_MAX, TEXT_BYTES_MAX, VALUES_MAX
from director.core.timing import Timing
from tests.config.sample import ALL, CHAT, DRILL, EMBED, FLEET, POLICY, SESSIONS

WHOLE = f"{ALL}---\n{DRILL}"
# What the sound documents say already.
KNOWN = {"D120"}


def spoilt(old: str, new: str, *, within: str = WHOLE) -> tuple[str, int]:
    """Return ``within`` with its first ``old`` replaced, and the line where the new text begins."""
    assert old in within, old
    text = within.replace(old, new, 1)
    at = within.index(old)
    return text, text[:at].count("\n") + 1


def faults(text: str) -> list[Fault]:
    loaded = load_topology([("all.yaml", text)])
    assert (loaded.topology is None) == bool(loaded.errors)
    return [each for each in loaded.faults if each.code not in KNOWN]


ERRORS = [
    # YAML and envelope
    ("  mode: ActivePassive", "  mode: [ActivePassive", "D001"),
    ("kind: FailoverPolicy", "kind: FailoverPolice", "D003"),
    ("apiVersion: trafficdirector/v1\nkind: Service", "apiVersion: v2\nkind: Service", "D003"),
    ("    ttl: 15s", "    tll: 15s", "D004"),
    ("  objectives: {rto: 40s}", "  objectives: {rpo: 40s}", "D005"),
    ("    ttl: 15s", "    ttl: 15", "D006"),
    ("    ttl: 15s", "    ttl: 0s", "D006"),
    ("    ttl: 15s", "    ttl: 15 parsecs", "D006"),
    ('    panicBelow: "40%"', "    panicBelow: 0.4", "D006"),
    ('    panicBelow: "40%"', '    panicBelow: "140%"', "D006"),
    ("    strategy: Nearest", "    strategy: nearby", "D006"),
    ("    fall: 3", '    fall: "3"', "D006"),
    ("    fall: 3", "    fall: 0", "D006"),
    ("  gate: false", "  gate: 1", "D006"),
    ("rtt: 88.5ms", "rtt: far", "D006"),
    ("    rise: 2", "    rise: 2\n    rise: 3", "D007"),
    ("  mode: ActivePassive", "  mode: !!python/name:os.system ActivePassive", "D009"),
    ("    ttl: 15s", "    ttl: *nothing", "D009"),
    # names, numbers, limits
    ("name: us-east1,", "name: US_East,", "D113"),
    ("metadata: {name: embed}", "metadata: {name: 007}", "D113"),
    ("lat: 33.2", "lat: .nan", "D115"),
    ("lat: 33.2", "lat: -.inf", "D115"),
    ("lat: 33.2", "lat: 90.1", "D115"),
    ("lon: -80.01", "lon: 181", "D115"),
    ("lat: 33.2", "lat: north", "D115"),
    ('"10.0.0.1:443"', '"10.0.0.1"', "D108"),
    ('"10.0.0.1:443"', '"10.0.0.1:0"', "D108"),
    ('"10.0.0.1:443"', '"10.0.0.1:65536"', "D108"),
    ('"10.0.0.1:443"', '"http://x:443"', "D108"),
    ('"10.0.0.1:443"', '"fd00::1:443"', "D108"),
    # relations
    ("    - name: us-east1\n", "    - name: us-eats1\n", "D101"),
    ("[us-east1, eu-west1]", "[us-east1, eu-west9]", "D101"),
    ("lose: {region: eu-west1", "lose: {region: eu-west9", "D101"),
    ("{regionState: {eu-north1", "{regionState: {eu-north9", "D101"),
    ("allow: {jurisdiction: [EU]}", "allow: {jurisdiction: [SG]}", "D102"),
    ("  objectives: {rto: 60s", "  objectives: {rto: 3s", "D103"),
    ("metadata: {name: embed}", "metadata: {name: chat}", "D105"),
    ("    - {name: us-east1,", "    - {name: eu-west1,", "D105"),
    ("    - name: us-east1\n", "    - name: eu-west1\n", "D105"),
    ("[us-east1, eu-west1]", "[us-east1, us-east1]", "D105"),
    ("      priority: 1\n", "      priority: 0\n", "D106"),
    ('      endpoints: [{address: "10.0.0.1:443"}]', "      endpoints: []", "D107"),
    ("  policyRef: tier0", "  policyRef: tier1", "D109"),
    ('"[fd00::1]:443", weight: 2', '"[fd00::1]:443", weight: 0', "D110"),
    ("path: /ready", "path: ready", "D117"),
    ("type: Http,", "type: Tcp,", "D117"),
    ("  service: chat", "  service: chatt", "D121"),
    ('  cron: "30 3 * * 2"', '  cron: "30 3 * *"', "D006"),
    ("Tue-Thu 02:00-05:00", "Tue 2-5", "D006"),
]


@pytest.mark.parametrize(("old", "new", "code"), ERRORS)
def test_a_fault_has_its_code_and_its_line(old: str, new: str, code: str) -> None:
    text, line = spoilt(old, new)

    found = [each for each in faults(text) if each.code == code]

    assert found, faults(text)
    # A duplicate is told where it is repeated, a broken flow list where the parser noticed.
    assert found[0].line in {line, line + 1}, found
    assert found[0].severity is Severity.ERROR
    assert str(found[0]).startswith(f"all.yaml:{found[0].line}:")


def test_an_ungated_service_with_an_rpo_is_told_that_it_is_not_enforced() -> None:
    text, line = spoilt("objectives: {rto: 40s}", "objectives: {rto: 40s, rpo: 1s}")

    [fault] = faults(text)

    assert (fault.code, fault.line, fault.severity) == ("D112", line, Severity.WARNING)


def test_an_rto_that_only_watching_clients_meet_is_a_warning() -> None:
    # About five seconds until watchers have moved; a client that polls adds the ttl of 15 s.
    text, line = spoilt("objectives: {rto: 60s", "objectives: {rto: 15s")

    [fault] = faults(text)

    assert (fault.code, fault.line, fault.severity) == ("D103", line, Severity.WARNING)


def test_the_predicted_recovery_time_follows_the_timing_and_the_policy() -> None:
    slow = load_topology([("all.yaml", ALL)], timing=Timing(lease_ms=70_000))
    held, _ = spoilt("hold: 0s", "hold: 60s")

    assert {each.code for each in slow.errors} == {"D103"}
    assert [each.code for each in faults(held)] == ["D103"]


def test_two_failure_domains_degrade_automation_with_a_warning() -> None:
    text, _ = spoilt("failureDomain: us-a", "failureDomain: eu-a")

    [offline] = faults(text)
    online = load_topology([("all.yaml", ALL)], replica_domains=["eu-a", "eu-b"])

    assert (offline.code, offline.severity) == ("D111", Severity.WARNING)
    assert [each.code for each in online.faults] == ["D111"]
    assert "director replicas" in online.faults[0].message


def test_residency_that_survives_no_loss_of_the_active_region_is_refused() -> None:
    text, line = spoilt(
        "jurisdiction: EU, failureDomain: eu-b", "jurisdiction: NO, failureDomain: eu-b"
    )

    [fault] = faults(text)

    assert fault.code == "D102"
    assert "when eu-west1 is lost" in fault.message
    assert text.splitlines()[fault.line - 1].lstrip().startswith("- {when: {subjectJurisdiction")
    assert line < fault.line


def test_subjects_whose_jurisdiction_the_active_region_lacks_are_told_of() -> None:
    text = WHOLE.replace("allow: {jurisdiction: [EU]}", "allow: {jurisdiction: [NO]}").replace(
        "jurisdiction: EU, failureDomain: eu-b", "jurisdiction: NO, failureDomain: eu-b"
    )

    [fault] = faults(text)

    assert (fault.code, fault.severity) == ("D118", Severity.WARNING)


def test_replication_slower_than_the_rpo_is_told_where_it_is_declared() -> None:
    # 4.9 s of budget and 200 ms of round trip to the copy exceed an RPO of 5 s.
    fleet = FLEET.replace("[us-east1, eu-west1], rtt: 88.5ms", "[eu-north1, eu-west1], rtt: 200ms")
    text = "---\n".join((fleet, CHAT + SESSIONS, EMBED, POLICY))

    [fault] = faults(text)

    assert (fault.code, fault.severity) == ("D104", Severity.WARNING)
    assert "5100 ms" in fault.message


def test_session_settings_are_told_not_to_work_yet() -> None:
    loaded = load_topology([("all.yaml", "---\n".join((FLEET, CHAT + SESSIONS, POLICY)))])

    assert [each.code for each in loaded.faults] == ["D120"]
    assert loaded.topology is not None


def test_all_faults_are_told_and_not_the_first() -> None:
    text = (
        WHOLE.replace("ttl: 15s", "tll: 15s")
        .replace("policyRef: tier0", "policyRef: tier1")
        .replace("lat: 33.2", "lat: 91")
        .replace('"10.0.0.1:443"', '"10.0.0.1"')
        .replace("hold: 0s", "hold: soon")
    )

    found = faults(text)

    assert [each.code for each in found] == ["D115", "D109", "D004", "D108", "D006"]
    assert [each.line for each in found] == sorted(each.line for each in found)


def test_a_typo_is_answered_with_what_was_meant() -> None:
    text, line = spoilt("    ttl: 15s", "    tll: 15s")

    [fault] = faults(text)

    assert str(fault) == (
        f"all.yaml:{line}: spec.routing.tll: unknown key [D004] -> did you mean 'ttl'?"
    )
    assert suggestion("eu-wset1", ["eu-west1", "us-east1"]) == "did you mean 'eu-west1'?"
    assert suggestion("zzz", ["b", "a"]) == "one of a, b"


def test_limits_on_regions_and_endpoints_are_told() -> None:
    region = (
        "    - {{name: r{0}, location: {{lat: 1, lon: 1}}, jurisdiction: EU, failureDomain: f{0}}}"
    )
    head = "apiVersion: trafficdirector/v1\nkind: Fleet\nmetadata: {name: x}\nspec:\n  regions:\n"
    fleet = head + "\n".join(region.format(at) for at in range(101))
    many = ", ".join(f'{{address: "10.0.0.{at}:1"}}' for at in range(65))
    crowded, line = spoilt('[{address: "10.0.0.1:443"}]', f"[{many}]")

    assert [each.code for each in faults(fleet)] == ["D114"]
    assert [(each.code, each.line) for each in faults(crowded)] == [("D114", line)]


@pytest.mark.slow
def test_the_limit_on_services_is_told() -> None:
    services = [EMBED.replace("name: embed", f"name: s{at}") for at in range(2_001)]

    loaded = load_topology(
        [("fleet", FLEET), *((f"s{at}", each) for at, each in enumerate(services))]
    )

    assert [each.code for each in loaded.errors] == ["D114"]


def test_no_fleet_two_fleets_and_nothing_at_all_are_faults() -> None:
    assert [each.code for each in faults(f"{CHAT}---\n{POLICY}")] == ["D116"]
    assert [each.code for each in faults(f"{FLEET}---\n{ALL}")] == ["D105"]
    assert [each.code for each in faults("# nothing\n---\n---\n")] == ["D010"]
    assert [each.code for each in load_topology([]).faults] == ["D010"]
    assert [each.code for each in faults("- a\n- b\n")] == ["D116", "D002"]
    assert faults("{[1]: 2, kind: Fleet}")[0].code == "D002"


def test_weights_that_leave_nobody_are_a_fault() -> None:
    text = WHOLE.replace("      weight: 100", "      weight: 0").replace("weight: 50", "weight: 0")

    assert [each.code for each in faults(text)] == ["D110"]


def test_a_service_in_one_region_is_told_that_it_cannot_fail_over() -> None:
    alone = EMBED[: EMBED.index("    - name: us-east1")]

    [fault] = faults("---\n".join((FLEET, alone)))

    assert (fault.code, fault.severity) == ("D119", Severity.WARNING)


def test_a_text_above_the_size_limit_is_refused_unread() -> None:
    [fault] = faults("#" * (TEXT_BYTES_MAX + 1))

    assert fault.code == "D008"
    assert str(TEXT_BYTES_MAX) in fault.message


def test_aliases_that_multiply_are_refused_before_they_are_expanded() -> None:
    # Nine levels of nine aliases are 387 million values.
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]" for at in range(1, 10)]

    [fault] = faults("\n".join(lines))

    assert fault.code == "D009"
    assert str(VALUES_MAX) in fault.message


def test_a_value_that_contains_itself_is_refused() -> None:
    assert [each.code for each in faults("a: &a [*a]")] == ["D009"]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_without_recursing(opening: str) -> None:
    found = faults(opening * (DEPTH_MAX + 20_000))

    assert {each.code for each in found} <= {"D009", "D001"}
    assert found


def test_the_word_no_stays_a_word() -> None:
    # Norway, in YAML 1.1, is false.
    text = ALL.replace("jurisdiction: US", "jurisdiction: NO")

    topology = load_topology([("all.yaml", text)]).topology

    assert topology is not None
    assert [each.jurisdiction for each in topology.regions] == ["EU", "EU", "NO"]


@settings(deadline=None)
@given(st.text(st.sampled_from("abk: \n-[]{}&*!|>'\"%@`#,?.0123\t\\<~"), max_size=120))
def test_no_text_crashes_the_loader(text: str) -> None:
    loaded = load_topology([("x", text)])

    assert loaded.topology is None
    assert all(str(each).startswith("x") for each in loaded.errors)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["5s", "40%", "Fleet", "eu-west1", "a:1", "Nearest"]),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3)
    ),
    max_leaves=8,
)
LINES = [at for at, line in enumerate(WHOLE.splitlines()) if ": " in line]


@pytest.mark.slow
@settings(deadline=None)
@given(st.data())
def test_no_value_in_any_place_crashes_the_loader(data: st.DataObject) -> None:
    lines = WHOLE.splitlines()
    at = data.draw(st.sampled_from(LINES))
    key = lines[at][: lines[at].index(": ") + 2]
    if "{" in key or "[" in key:
        key = key[: len(key) - len(key.lstrip())] + "x: "
    lines[at] = key + json.dumps(data.draw(VALUES))

    loaded = load_topology([("x", "\n".join(lines))])

    assert (loaded.topology is None) == bool(loaded.errors)
    assert all(each.code.startswith("D") for each in loaded.faults)


def test_an_rpo_shorter_than_the_lease_is_told_to_stop_automatic_failover() -> None:
    # Out of sight, the owner may accept writes until its lease of 4 s has provably ended.
    text = WHOLE.replace("rpo: 5s", "rpo: 3s")

    [fault] = faults(text)

    assert (fault.code, fault.severity) == ("D122", Severity.WARNING)
    assert text.splitlines()[fault.line - 1].lstrip().startswith("objectives:")
