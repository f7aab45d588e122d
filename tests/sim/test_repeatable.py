"""Repeatability: the same seed gives the same trace in any process, whatever its hash seed."""

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.sim.options import Options

ROOT = Path(__file__).parents[2]


def first_seed(is_wanted: Callable[[Options], bool]) -> int:
    """Which seeds draw what depends on the map, and so on whether the shared data is there."""
    return next(seed for seed in count() if is_wanted(Options.draw_campaign(seed)))


WAL = first_seed(lambda drawn: drawn.disk == "wal")
LARGE = first_seed(lambda drawn: len(drawn.directors) == 5 and len(drawn.services) > 0)


def digests_in_a_process(scenario: str, seeds: str, hash_seed: str) -> list[str]:
    words = ["--seeds", seeds, "--scenario", scenario, "--workers", "1", "--digests"]
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


# Two whole worlds, each in a process of its own.
@pytest.mark.timeout(300)
@pytest.mark.slow
@pytest.mark.parametrize("seed", [WAL, LARGE])
def test_one_seed_gives_one_digest_under_every_hash_seed(seed: int) -> None:
    digests = [digests_in_a_process("campaign", f"{seed}-{seed}", each) for each in ("0", "4711")]

    assert len(digests[0]) == 1
    assert digests[0] == digests[1]


@pytest.mark.slow
@pytest.mark.parametrize("story", ["restored-from-yesterday", "replayed-reports"])
def test_a_story_gives_one_digest_under_every_hash_seed(story: str) -> None:
    digests = [digests_in_a_process(story, "1-1", each) for each in ("0", "7")]

    assert len(digests[0]) == 1
    assert digests[0] == digests[1]


@pytest.mark.slow
def test_what_was_played_before_in_the_same_process_changes_nothing() -> None:
    alone = digests_in_a_process("leader-lost", "7-7", "1")

    assert digests_in_a_process("leader-lost", "5-7", "2")[-1:] == alone
