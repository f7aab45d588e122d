"""False alarms: in a healthy fleet with a lossy network and short pauses nothing is moved."""

import json
from pathlib import Path

import pytest

from tests.sim.false_alarms import main
from tests.sim.scenarios.healthy import Health, played


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

    assert sums[0] == sums[1]
    assert sums[0]["region_hours"] == pytest.approx(0.02, abs=0.001)


def test_a_number_that_is_out_of_range_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--loss", "1.5"])

    assert ended.value.code == 2
    assert "--loss is out of range" in capsys.readouterr().err
