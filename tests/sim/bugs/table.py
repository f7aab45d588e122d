"""The table of bugs in the documentation, written by the run that found them."""

from collections.abc import Mapping
from pathlib import Path

from tests.sim.bugs.bug import Bug
from tests.sim.bugs.search import Found, Kind

PATH = Path(__file__).parents[3] / "docs" / "simulation.md"
_BEGIN, _END = "<!-- bugs:begin -->", "<!-- bugs:end -->"
_HEAD = (
    "| bug put in | breaks | played in | seeds until noticed | noticed by |",
    "|---|---|---|---|---|",
)


def lines(found: Mapping[str, Found], bugs: tuple[Bug, ...]) -> list[str]:
    """Return the table of what was found, in the order of ``bugs``."""
    rows = [
        f"| {bug.name} | {bug.invariant} | {bug.arena.kind} | {found[bug.name].seeds} | "
        f"{_who(found[bug.name])} |"
        for bug in bugs
    ]
    total = (
        f"{len(bugs)} bugs; the slowest takes {max(each.seeds for each in found.values())} seeds."
    )
    return [*_HEAD, *rows, "", total]


def _who(found: Found) -> str:
    if found.notice.kind is Kind.LIVENESS:
        return f"it does not settle (`{found.notice.who}`)"
    if found.notice.kind is Kind.ASSERTION:
        return found.notice.who.replace("assertion in ", "the code's own assertion in `") + "`"
    return f"`{found.notice.who}`"


def write(table: list[str], path: Path = PATH) -> None:
    """Put the table between the markers."""
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    assert after, f"{path} has no place for the table"
    body = "\n".join(table)
    path.write_text(f"{before}{_BEGIN}\n\n{body}\n\n{_END}{after}", encoding="utf-8")


def published(path: Path = PATH) -> dict[str, int]:
    """Return how many seeds each bug takes, as the documentation says."""
    text = path.read_text(encoding="utf-8")
    rows = text.partition(_BEGIN)[2].partition(_END)[0].splitlines()
    cells = [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in rows]
    return {row[0]: int(row[3]) for row in cells if len(row) == 5 and row[3].isdigit()}
