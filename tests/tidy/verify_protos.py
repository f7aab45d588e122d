"""Checks that the generated code beside each proto is what the proto says: `make verify-protos`."""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"


def stale_files() -> list[str]:
    """Generate afresh into a temporary directory and name the files that differ."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        outputs = [f"--{kind}={folder}" for kind in ("python_out", "pyi_out", "grpc_python_out")]
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", *outputs, *sources]
        subprocess.run(command, check=True, cwd=PROTOS)
        fresh = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in Path(folder).rglob("*_pb2*.py*")
        }
    kept = {
        str(path.relative_to(PROTOS)): path.read_bytes()
        for path in PROTOS.rglob("*_pb2*.py*")
        if "__pycache__" not in path.parts
    }
    return sorted(name for name in fresh.keys() | kept.keys() if fresh.get(name) != kept.get(name))


def main() -> None:
    """Exit 1 and name the files when anything is stale."""
    stale = stale_files()
    if stale:
        sys.exit(f"generated code is out of date, run `make protos`: {', '.join(stale)}")
    print("generated code is up to date")  # noqa: T201 - a command of the Makefile


if __name__ == "__main__":
    main()
