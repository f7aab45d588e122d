"""How an agent learns what a service takes: from a page or a program, in its configuration file."""

import asyncio
from pathlib import Path

import pytest

from regions.config import load_config
from regions.probes.lag import LagSpec
from regions.probes.load import measure_load, parse_load
from regions.sample.load_meter import WINDOW_MS, LoadMeter

CONFIG = """
region: eu-west1
id: eu-west1-a
directors: ["127.0.0.1:7440"]
data_dir: /var/lib/agent
listen: {grpc: "127.0.0.1:7450", http: "127.0.0.1:7451"}
services:
  - name: chat
    probe: {type: Http, address: "127.0.0.1:8080", path: /healthz}
    load: LOAD
"""


@pytest.mark.parametrize(
    ("text", "rps"),
    [
        (b"0", 0),
        (b"12.1\n", 13),
        (b'{"load_rps": 840}', 840),
        (b'{"load_rps": null}', None),
        (b'{"lag_ms": 3}', None),
        (b'{"load_rps": true}', None),
        (b"-1", None),
        (b"1e12", None),
        (b"NaN", None),
        (b"a lot", None),
        (b"", None),
        (b"[" * 5_000, None),
    ],
)
def test_a_load_is_a_number_or_it_is_unknown(text: bytes, rps: int | None) -> None:
    assert parse_load(text) == rps


def test_a_program_may_say_the_load(tmp_path: Path) -> None:
    said = tmp_path / "load.json"
    said.write_text('{"load_rps": 41.2}')

    assert asyncio.run(measure_load(LagSpec(command=("cat", str(said))))) == 42
    assert asyncio.run(measure_load(LagSpec(command=("cat", str(tmp_path / "none"))))) is None


def test_a_page_that_does_not_answer_leaves_the_load_unknown() -> None:
    spec = LagSpec(address="127.0.0.1:1", timeout_ms=200)

    assert asyncio.run(measure_load(spec)) is None


@pytest.mark.parametrize(
    ("load", "every_ms"),
    [
        ('{type: Http, address: "127.0.0.1:8080", path: /load}', 2_000),
        ("{type: Exec, command: [/bin/load], every: 10s}", 10_000),
        ("null", None),
    ],
)
def test_a_load_source_is_asked_every_two_seconds_unless_the_file_says_otherwise(
    load: str, every_ms: int | None
) -> None:
    config, faults = load_config(CONFIG.replace("LOAD", load), "agent.yaml")

    assert faults == ()
    assert config is not None
    assert config.settings().services[0].load_every_ms == every_ms


def test_a_load_source_of_another_kind_is_a_fault_with_its_line() -> None:
    _, faults = load_config(CONFIG.replace("LOAD", "{type: Tcp}"), "agent.yaml")

    assert [(each.line, each.path) for each in faults] == [(10, "services.0.load")]


def test_the_sample_counts_over_the_last_seconds_and_says_nothing_before() -> None:
    clock = [0]
    meter = LoadMeter(lambda: clock[0])
    for clock[0] in range(0, WINDOW_MS, 100):
        meter.count()
    assert meter.load() == {"load_rps": None}

    clock[0] = WINDOW_MS
    assert meter.load() == {"load_rps": 10.0}
    clock[0] = 3 * WINDOW_MS
    assert meter.load() == {"load_rps": 0.0}
