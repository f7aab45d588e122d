"""Repeatability: the same seed gives the same trace in any process, whatever its hash seed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def digests_in_a_process(scenario: str, hash_seed: str, worker_count: int) -> list[str]:
    words = ["--seeds", "6-7", "--scenario", scenario, "--workers", str(worker_count), "--digests"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if " digest " in line]


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["campaign", "leader-lost"])
def test_one_seed_gives_one_digest_under_every_hash_seed_and_with_any_workers(
    scenario: str,
) -> None:
    digests = [
        digests_in_a_process(scenario, "0", 1),
        digests_in_a_process(scenario, "4711", 1),
        digests_in_a_process(scenario, "1", 2),
    ]

    assert len(digests[0]) == 2
    assert digests[0] == digests[1] == digests[2]
