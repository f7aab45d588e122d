"""The agent's file: what is understood, and that every fault is named with its line."""

from pathlib import Path

import pytest

from director.routing.table import RegionId, ServiceId
from regions.config import FILE_BYTES_MAX, AgentConfig, load_config
from regions.core.readings import ProbeKind, ProbeSpec, ProbeTarget
from regions.core.settings import AgentSettings, GuardedService

GOOD = """\
region: eu-west1
id: a
directors: ["127.0.0.1:7440", "127.0.0.1:7441"]
data_dir: state
listen: {grpc: "localhost:7450", http: "127.0.0.1:7451"}
services:
  - name: pay
    probe: {type: Exec, command: [/bin/check, --fast]}
    every: 2s
    role_file: role.json
  - name: chat
    probe: {type: Http, address: "127.0.0.1:8080", path: /healthz}
    rise: 2
    lag: {type: Http, address: "127.0.0.1:8080", path: /lag, every: 1s}
"""


def loaded(text: str, **overrides: object) -> AgentConfig:
    config, faults = load_config(text, "agent.yaml", overrides)
    assert faults == ()
    assert config is not None
    return config


def faults(text: str) -> list[str]:
    config, found = load_config(text, "agent.yaml")
    assert config is None
    return [str(each) for each in found]


def test_the_file_becomes_what_the_core_needs() -> None:
    here = RegionId("eu-west1")
    assert loaded(GOOD).settings() == AgentSettings(
        (
            GuardedService(
                ServiceId("chat"),
                ProbeTarget(
                    ServiceId("chat"),
                    here,
                    "127.0.0.1:8080",
                    ProbeSpec(ProbeKind.HTTP, "/healthz"),
                    rise_count=2,
                ),
                lag_every_ms=1_000,
            ),
            GuardedService(
                ServiceId("pay"),
                ProbeTarget(
                    ServiceId("pay"),
                    here,
                    "",
                    ProbeSpec(ProbeKind.EXEC, command=("/bin/check", "--fast")),
                    every_ms=2_000,
                ),
                # A role file is read less often than a gate is asked.
                gate_answer_ms=1_000,
            ),
        )
    )


def test_a_listener_is_bound_to_an_address_not_to_a_name() -> None:
    assert loaded(GOOD).listen.grpc == "127.0.0.1:7450"


def test_an_agent_may_guard_nothing() -> None:
    head = GOOD.partition("  - name")[0]

    assert loaded(head).settings().services == ()


def test_flags_win_over_the_file() -> None:
    config = loaded(GOOD, region="us-east1", data_dir=Path("other"))

    assert (config.region, config.data_dir) == ("us-east1", Path("other"))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("id: a", "id: a\nnaem: x", "agent.yaml:3: naem: is not a key here"),
        ("region: eu-west1\n", "", "agent.yaml:1: region: is required"),
        ("region: eu-west1", "region: EU West", "agent.yaml:1: region: 'EU West' is not a name"),
        ('"localhost:7450"', '"0.0.0.0:7450"', "agent.yaml:5: listen.grpc: 0.0.0.0:7450 is not l"),
        ("every: 2s", "every: 2", "agent.yaml:9: services.0.every: needs a unit"),
        ("every: 2s", "every: 2 sec", "agent.yaml:9: services.0.every: '2 sec' is not a duration"),
        ("rise: 2", "rise: 0", "agent.yaml:13: services.1.rise: Input should be greater than"),
        ("type: Exec", "type: Shell", "agent.yaml:8: services.0.probe: type 'Shell' is none"),
        ("path: /healthz", "paht: /healthz", "agent.yaml:12: services.1.probe.paht: is not a key"),
        ("name: pay", "name: chat", "agent.yaml:1: services: chat is given more than once"),
        ('"127.0.0.1:7441"', '"127.0.0.1"', "agent.yaml:3: directors.1: '127.0.0.1' is not host:"),
        ('"127.0.0.1:7441"', '"127.0.0.1:7440"', "agent.yaml:1: directors: an address is given"),
    ],
)
def test_a_fault_names_its_line_its_path_and_what_would_be_right(
    old: str, new: str, fault: str
) -> None:
    (found,) = faults(GOOD.replace(old, new, 1))

    assert found.startswith(fault)


def test_all_faults_are_named_in_the_order_of_the_file() -> None:
    text = GOOD.replace("id: a", "id: A!").replace("every: 2s", "every: x")

    assert [each.split(":")[1] for each in faults(text)] == ["2", "9"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "agent.yaml:1: must be a mapping"),
        ("- a\n", "agent.yaml:1: must be a mapping"),
        ("a: [1\n", "agent.yaml:2: "),
        ("a: 1\na: 2\n", "agent.yaml:2: found duplicate key"),
        ("#" * (FILE_BYTES_MAX + 1), "agent.yaml:0: is larger than"),
    ],
)
def test_what_is_not_a_configuration_is_said_to_be_none(text: str, fault: str) -> None:
    assert faults(text)[0].startswith(fault)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"127.0.0.1:7441"', '"http://127.0.0.1:7441"', "'http://127.0.0.1:7441' is not host:port"),
        ("type: Exec, ", "", "needs a type"),
        ("command: [/bin/check, --fast]", "command: []", "needs at least 1"),
    ],
)
def test_a_fault_is_told_in_words_of_the_file(old: str, new: str, fault: str) -> None:
    assert old in GOOD
    (found,) = faults(GOOD.replace(old, new, 1))

    assert fault in found


def test_a_list_whose_only_part_is_faulty_has_one_fault() -> None:
    head, _, tail = GOOD.partition("directors: ")
    text = head + "directors: [nowhere]\n" + tail.partition("\n")[2]

    (found,) = faults(text)

    assert "directors.0: 'nowhere' is not host:port" in found
