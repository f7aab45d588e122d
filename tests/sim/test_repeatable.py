"""Repeatability: the same seed gives the same trace in any process, whatever its hash seed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def digest_in_a_process(hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim", "--seeds", "6-6", "--digests"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return next(line for line in done.stdout.splitlines() if line.startswith("seed 6 digest "))


@pytest.mark.slow
def test_one_seed_gives_one_digest_under_every_hash_seed() -> None:
    digests = [digest_in_a_process(hash_seed) for hash_seed in ("0", "1", "4711")]

    assert len(set(digests)) == 1
