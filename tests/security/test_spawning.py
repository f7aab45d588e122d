"""Running programs while somebody connects over TLS stops nothing and garbles nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    key: value for key, value in os.environ.items() if key != "GRPC_ENABLE_FORK_SUPPORT"
} | {"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"}


@pytest.mark.slow
def test_an_agent_that_runs_programs_goes_on_serving_and_its_streams_stay_whole() -> None:
    # With gRPC's own handlers around forks this never ends.
    done = subprocess.run(
        [sys.executable, "-m", "tests.security.spawning"],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert done.stdout == "done\n", done.stderr


def test_every_command_of_the_director_does_without_grpcs_handlers_around_forks() -> None:
    program = (
        "import os, sys\n"
        "from director.cli import main\n"
        "assert 'grpc' not in sys.modules\n"
        "main.director.main = lambda: None\n"
        "main.main()\n"
        "print(os.environ['GRPC_ENABLE_FORK_SUPPORT'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "0\n", done.stderr
