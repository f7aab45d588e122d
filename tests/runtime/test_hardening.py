"""What a process that listens makes sure of before it does."""

import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (
    "from director.runtime.hardening import harden; import resource; harden(); "
    "print(resource.getrlimit(resource.RLIMIT_CORE))"
)


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}", **environment},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (4_096, 4_096)),
    )


def test_a_process_that_holds_keys_leaves_no_core_behind() -> None:
    done = run()

    assert (done.returncode, done.stdout) == (0, "(0, 0)\n"), done.stderr


def test_the_parser_that_is_written_in_python_is_not_run() -> None:
    done = run(PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION="python")

    assert done.returncode == 1
    assert "without its compiled parser" in done.stderr
