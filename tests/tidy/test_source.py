"""Properties of the source itself that no linter checks: sizes, purity, documentation."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURE = ("director/core", "director/raft", "director/routing", "regions/core")


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def is_pure(path: Path) -> bool:
    return str(path.relative_to(ROOT)).startswith(PURE)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_module_is_longer_than_its_limit() -> None:
    long = {}
    for path in sources("director", "regions"):
        count = len(path.read_text(encoding="utf-8").splitlines())
        if count > (400 if is_pure(path) else 600):
            long[str(path.relative_to(ROOT))] = count

    assert long == {}


def test_no_function_is_longer_than_its_limit() -> None:
    long = {}
    for path in sources("director", "regions"):
        limit = 50 if is_pure(path) else 70
        for function in functions(path):
            count = (function.end_lineno or function.lineno) - function.lineno + 1
            if count > limit:
                long[f"{path.relative_to(ROOT)}:{function.name}"] = count

    assert long == {}


def test_pure_code_never_calls_hash_or_id() -> None:
    # Both differ from process to process, so a decision that depends on them is not replayable.
    found = []
    for path in sources(*PURE):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if called and node.func.id in ("hash", "id"):  # type: ignore[attr-defined]
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")  # type: ignore[attr-defined]

    assert found == []


@pytest.mark.parametrize("folder", ["tests", "benchmarks"])
def test_every_file_of_tests_says_what_it_is_about(folder: str) -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources(folder)
        if path.name != "__init__.py" and not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert silent == []


def test_every_runtime_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = text.split("dependencies = [", 1)[1].split("\n]", 1)[0]
    names = re.findall(r'"([a-z.-]+)', block)
    explained = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")

    assert names
    assert [name for name in names if f"`{name}`" not in explained] == []


def test_nothing_committed_names_a_machine_path() -> None:
    words = re.compile(r"/(?:work|root)/|file:///")
    named = [
        str(path.relative_to(ROOT))
        for folder in ("director", "regions", "tests", "docs", "deploy", "benchmarks", "protos")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".md", ".proto", ".yaml", ".toml")
        and path != Path(__file__).resolve()
        and words.search(path.read_text(encoding="utf-8"))
    ]

    assert named == []


def test_every_log_event_is_explained() -> None:
    # Names are given literally; the director's decisions are named after their classes.
    literal = re.compile(
        r'(?:\blog|_log|get_logger\(\))\.(?:debug|info|warning|error)\(\s*"([a-z_]+)"'
        r'|\b_?[Nn]ote\(\s*"([a-z_]+)"'
    )
    named = {
        match[1] or match[2]
        for path in sources("director", "regions")
        for match in literal.finditer(path.read_text(encoding="utf-8"))
    }
    events = ast.parse((ROOT / "director/core/events.py").read_text(encoding="utf-8"))
    decisions = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", node.name).lower()
        for node in events.body
        if isinstance(node, ast.ClassDef)
    }
    explained = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")

    # Recorded verdicts are written one line each.
    wanted = (named | decisions) - {"verdicts_recorded"}
    assert len(wanted) > 30
    assert sorted(name for name in wanted if f"`{name}`" not in explained) == []
