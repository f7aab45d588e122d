"""False alarms: in a healthy fleet with a lossy network and short pauses nothing is moved."""

import json
import random
from pathlib import Path

import pytest

from tests.sim.clock import NodeClock
from tests.sim.false_alarms import Sum, _arguments, _healths, _write, main
from tests.sim.network import Network, NetworkOptions, Plane
from tests.sim.process import Process
from tests.sim.scenarios.healthy import Health, played
from tests.sim.schedule import Schedule


@pytest.mark.slow
@pytest.mark.parametrize("loss", [0.01, 0.05])
def test_a_healthy_fleet_is_left_alone(loss: float) -> None:
    calm = played(1, Health(loss=loss, duration_ms=200_000))

    assert (calm.failovers, calm.alarms) == (0, [])
    assert sum(calm.pauses.values()) >= 2, "something must have paused"


@pytest.mark.slow
def test_a_longer_pause_is_an_alarm_that_is_counted_and_explained() -> None:
    # Eight seconds of silence are a failure for all the director can know.
    calm = played(3, Health(loss=0.0, pause_ms=8_000, duration_ms=250_000))

    assert calm.down >= 1
    assert all(alarm.because for alarm in calm.alarms)
    assert all("before" in alarm.paused for alarm in calm.alarms)


@pytest.mark.slow
def test_the_sum_does_not_depend_on_the_workers(tmp_path: Path) -> None:
    sums = []
    for workers in ("1", "2"):
        out = tmp_path / f"{workers}.json"
        main(["--region-hours", "0.02", "--workers", workers, "--out", str(out)])
        sums.append(json.loads(out.read_text(encoding="utf-8")))
        assert sums[-1].pop("cpu_s") > 0

    assert sums[0] == sums[1]
    assert sums[0]["region_hours_played"] == pytest.approx(0.02, abs=0.001)
    assert sums[0]["writes"] > 0


def test_what_was_played_is_gone_on_with(tmp_path: Path) -> None:
    out, at_once = tmp_path / "part.json", tmp_path / "whole.json"
    words = ["--region-hours", "0.02", "--workers", "1"]
    main([*words, "--out", str(at_once)])
    whole = json.loads(at_once.read_text(encoding="utf-8"))
    given = _arguments([*words, "--out", str(out), "--resume"])
    part = Sum()
    for seed in range(3):
        part.add(played(seed, _healths(given)[seed]), 1.0)
    _write(part, given)

    assert main([*words, "--out", str(out), "--resume"]) == 0

    resumed = json.loads(out.read_text(encoding="utf-8"))
    assert resumed.pop("cpu_s") > 3.0
    del whole["cpu_s"]
    assert resumed == whole


def test_worlds_of_other_settings_are_not_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sum.json"
    _write(Sum(), _arguments(["--loss", "0.01", "--out", str(out)]))

    assert main(["--loss", "0.05", "--out", str(out), "--resume"]) == 2
    assert "was begun with loss = 0.01" in capsys.readouterr().err


def _late_share(loss: float) -> float:
    """The share of 20 000 probes at 5 % loss over 80 ms that are not connected in time."""
    options = NetworkOptions({("a", "b"): 40, ("b", "a"): 40}, 0, loss, 8_000, tcp_timers=True)
    schedule = Schedule(1)
    network = Network(schedule, options, random.Random(1))
    a, b = (Process(name, name, schedule, NodeClock(schedule, 0, 0)) for name in ("a", "b"))
    ways = network.way(a, b, Plane.SERVICE), network.way(b, a, Plane.SERVICE)
    took_ms = [network.connecting_ms(*ways)[0] for _ in range(20_000)]
    return sum(each > 580 for each in took_ms) / len(took_ms)


def test_a_lost_first_packet_fails_one_probe_in_ten_unless_it_is_sent_beside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert _late_share(0.05) < 0.003

    monkeypatch.setattr("tests.sim.network.CONNECTS_MAX", 1)
    assert 0.09 < _late_share(0.05) < 0.11


def test_a_number_that_is_out_of_range_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--loss", "1.5"])

    assert ended.value.code == 2
    assert "--loss is out of range" in capsys.readouterr().err
