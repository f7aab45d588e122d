"""What many worlds came to: figures, tables, what was never hit, and the block for the documents.

``python -m tests.sim.campaign_report SUMMARY.json docs/robustness.md`` writes the block; several
summaries of different seeds are told of together.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from tests.sim.catalogue import FAULTS
from tests.sim.faults.processes import KillDirector, LoseRegion
from tests.sim.scenarios.campaign import ALL_STAGES, KINDS
from tests.sim.scenarios.registry import FAULTS_OF, names_of
from tests.sim.workers import Played

BEGIN, END = "<!-- campaign:begin -->", "<!-- campaign:end -->"
NO_RUN = "no run"
# Drawn for whole worlds, found in what logs come to, or counted for all faults together.
_BY_OPTIONS = {11, 15, 21, 24, 35}
_IN_EVERY_STAGE = (KillDirector.name, LoseRegion.name)
# What of a summary is the sum over its worlds.
_ADDED = (
    "world_count",
    "failovers",
    "switchovers",
    "aborted",
    "writes",
    "terms",
    "events",
    "simulated_ms",
    "took_s",
    "coverage",
    "strikes",
    "rto_ms",
    "failures",
)


@dataclass(slots=True)
class Summary:
    """Everything that is told of a run of many worlds. Durations in ms unless they say s."""

    scenario: str
    world_count: int = 0
    first_seed: int | None = None
    last_seed: int = 0
    failovers: int = 0
    switchovers: int = 0
    aborted: int = 0
    writes: int = 0
    terms: int = 0
    events: int = 0
    simulated_ms: int = 0
    converge_ms_max: int = 0
    slowest_seed: int = 0
    took_s: float = 0.0
    worker_count: int = 1
    coverage: Counter[tuple[int, str]] = field(default_factory=Counter)
    strikes: Counter[tuple[str, str]] = field(default_factory=Counter)
    rto_ms: Counter[int] = field(default_factory=Counter)
    """How many failovers took so long, in tenths of a second."""
    failures: list[tuple[str, int, str]] = field(default_factory=list)

    def add(self, played: Played) -> None:
        """Take one world in."""
        self.world_count += 1
        self.first_seed = played.seed if self.first_seed is None else self.first_seed
        self.last_seed = played.seed
        outcome = played.outcome
        if outcome is None:
            self.failures.append((played.scenario, played.seed, played.error))
            return
        self.failovers += outcome.failovers
        self.switchovers += outcome.switchovers
        self.aborted += outcome.aborted
        self.writes += outcome.writes
        self.terms += outcome.terms
        self.events += outcome.events
        self.simulated_ms += outcome.simulated_ms
        self.coverage.update(outcome.coverage)
        self.strikes.update(outcome.strikes)
        self.rto_ms.update(each // 100 * 100 for each in outcome.rto_ms)
        if outcome.converge_ms > self.converge_ms_max:
            self.converge_ms_max, self.slowest_seed = outcome.converge_ms, played.seed

    def rto_at_ms(self, share: float) -> int:
        """The recovery time that ``share`` of the failovers stayed within, to 100 ms."""
        left = share * self.rto_ms.total()
        for ms, times in sorted(self.rto_ms.items()):
            left -= times
            if left <= 0:
                return ms + 100
        return 0

    def text(self) -> str:
        """All of it, for a terminal."""
        simulated_s = self.simulated_ms / 1_000
        rate = simulated_s / max(self.took_s, 0.001) / self.worker_count
        return "\n".join(
            [
                *_table("fault", *_by_fault(self)),
                *_table("second failure", *_by_stage(self)),
                *self.figures(),
                f"{self.world_count - len(self.failures)} worlds passed, {len(self.failures)} "
                f"failed; {simulated_s:.0f} simulated s in {self.took_s:.1f} s on "
                f"{self.worker_count} cores ({rate:.0f} simulated s/s per core)",
            ]
        )

    def figures(self) -> list[str]:
        """The figures that do not depend on the machine."""
        return [
            f"{self.failovers} automatic failovers, {self.switchovers} moves by hand, "
            f"{self.aborted} runs aborted, {self.terms} terms, {self.writes} acknowledged writes, "
            f"{self.events} events",
            f"recovery time from the first bad sign to the new routes: median "
            f"{self.rto_at_ms(0.5)} ms, 99 % within {self.rto_at_ms(0.99)} ms, "
            f"slowest {self.rto_at_ms(1.0)} ms",
            f"slowest to settle after everything healed: {self.converge_ms_max} ms "
            f"(seed {self.slowest_seed})",
        ]


def _by_fault(summary: Summary) -> tuple[list[str], list[list[str]]]:
    """Per fault of the catalogue how often it happened, and to whom."""
    rows = []
    for number, name in FAULTS.items():
        roles = {role: times for (each, role), times in summary.coverage.items() if each == number}
        if roles:
            shown = ", ".join(f"{role or 'any'} {roles[role]}" for role in sorted(roles))
            rows.append([f"{number} {name}", str(sum(roles.values())), shown])
    return ["times", "where"], rows


def _by_stage(summary: Summary) -> tuple[list[str], list[list[str]]]:
    """Per fault how often it struck while the run was in each stage."""
    stages = ["", *(str(each) for each in ALL_STAGES)]
    rows = [
        [name, *(str(summary.strikes[stage, name]) for stage in stages)]
        for name in sorted({name for _, name in summary.strikes})
    ]
    return [stage or NO_RUN for stage in stages], rows


def _table(title: str, columns: list[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return []
    lines = [[title, *columns], *rows]
    widths = [max(len(line[each]) for line in lines) for each in range(len(columns) + 1)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ] + [""]


def uncovered(summary: Summary) -> list[str]:
    """Name each fault that the scenario can play, and each stage, that was never hit.

    A campaign is to hit every stage of a run, and with what a run needs most. Stories are to play
    whatever they are about: all of them together the whole catalogue.
    """
    names = names_of(summary.scenario)
    numbers = {number for name in names for number in FAULTS_OF.get(name, ())}
    if "campaign" in names:
        numbers |= {number for kind in KINDS for number in kind.numbers} | _BY_OPTIONS
    hit = {number for number, _ in summary.coverage}
    missing = [f"fault {each} ({FAULTS[each]})" for each in sorted(numbers - hit)]
    return missing + (_uncovered_strikes(summary) if "campaign" in names else [])


def _uncovered_strikes(summary: Summary) -> list[str]:
    struck = {name for _, name in summary.strikes}
    missing = [f"the fault {kind.name!r}" for kind in KINDS if kind.name not in struck]
    missing += [
        f"{name!r} while the run is {stage}"
        for stage in ALL_STAGES
        for name in _IN_EVERY_STAGE
        if (stage, name) not in summary.strikes
    ]
    stages = {stage for stage, _ in summary.strikes}
    return missing + [
        f"a second failure while the run is {stage}" for stage in ALL_STAGES if stage not in stages
    ]


def write_summary(summary: Summary, path: Path) -> None:
    """Write it for ``campaign_report`` and other programs. Raises OSError."""
    fields: dict[str, Any] = {
        name: getattr(summary, name)
        for name in Summary.__slots__
        if name not in ("coverage", "strikes", "rto_ms")
    }
    fields["coverage"] = [[*key, times] for key, times in sorted(summary.coverage.items())]
    fields["strikes"] = [[*key, times] for key, times in sorted(summary.strikes.items())]
    fields["rto_ms"] = [[ms, times] for ms, times in sorted(summary.rto_ms.items())]
    path.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")


def read_summary(path: Path) -> Summary:
    """Read what ``write_summary`` wrote. Raises OSError, ValueError."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    fields["coverage"] = Counter({(number, role): n for number, role, n in fields["coverage"]})
    fields["strikes"] = Counter({(stage, name): n for stage, name, n in fields["strikes"]})
    fields["rto_ms"] = Counter(dict(fields["rto_ms"]))
    fields["failures"] = [tuple(each) for each in fields["failures"]]
    return Summary(**fields)


def merged(summaries: Sequence[Summary]) -> Summary:
    """One summary of several runs. Raises ValueError if two of them played the same seeds."""
    runs = sorted(summaries, key=lambda each: (each.first_seed or 0, each.last_seed))
    total = runs[0]
    for run in runs[1:]:
        if run.scenario != total.scenario:
            raise ValueError(f"{run.scenario!r} and {total.scenario!r} are different scenarios")
        if run.first_seed is None or run.first_seed <= total.last_seed:
            raise ValueError(f"seeds {run.first_seed} and {total.last_seed} overlap")
        for name in _ADDED:
            setattr(total, name, getattr(total, name) + getattr(run, name))
        total.last_seed = run.last_seed
        total.worker_count = max(total.worker_count, run.worker_count)
        if run.converge_ms_max > total.converge_ms_max:
            total.converge_ms_max, total.slowest_seed = run.converge_ms_max, run.slowest_seed
    return total


def block(summary: Summary) -> str:
    """The generated block: figures, fault counts, stages, and what zero violations bound."""
    between = summary.last_seed - (summary.first_seed or 0) + 1
    # Runs that are told of together need not follow each other.
    which = "seeds" if summary.world_count == between else "of the seeds"
    lines = [
        f"Scenario `{summary.scenario}`, {which} {summary.first_seed} to {summary.last_seed}: "
        f"{summary.world_count} worlds, {summary.simulated_ms // 3_600_000} simulated hours in "
        f"{summary.took_s / 60:.0f} minutes on {summary.worker_count} cores, "
        f"{len(summary.failures)} violations.",
        "",
        *(f"- {line}" for line in summary.figures()),
    ]
    if not summary.failures and summary.failovers:
        lines.append(
            f"- 0 violations in {summary.failovers} failovers bound the true rate at "
            f"{3 / summary.failovers:.1e} per failover (95 %), under this mix of faults"
        )
    lines += ["", *_markdown("fault", *_by_fault(summary))]
    lines += ["", "Strikes on top of the first loss, by the stage of the run that they met:", ""]
    lines += _markdown("second failure", *_by_stage(summary))
    return "\n".join(lines)


def _markdown(title: str, columns: list[str], rows: list[list[str]]) -> list[str]:
    return [
        f"| {' | '.join([title, *columns])} |",
        f"|{'---|' * (len(columns) + 1)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def put_block(document: str, text: str) -> str:
    """Return ``document`` with ``text`` between its markers. Raises ValueError without them."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def main(words: list[str]) -> int:
    if len(words) < 2:
        click.echo(
            "usage: python -m tests.sim.campaign_report SUMMARY.json ... DOCUMENT.md", err=True
        )
        return 2
    sources, document = [Path(each) for each in words[:-1]], Path(words[-1])
    try:
        summary = merged([read_summary(each) for each in sources])
        for each in uncovered(summary):
            click.echo(f"campaign_report: never hit: {each}", err=True)
        text = put_block(document.read_text(encoding="utf-8"), block(summary))
        document.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        click.echo(f"campaign_report: {error}", err=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
