"""What a follower has to tell the leader of its agents. Pure but for the clock it is given.

Kept per agent, newest first to go: a slow leader gets the present, not a backlog. After a reconnect
everything is told again, because a leader that lost the stream may have lost the evidence too.
Readings keep the age of the report they came with: told with that of a later beat, they would seem
younger than they are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from director.core.ids import ReplicaId
from director.core.observations import AgentReport

# Agents that left are forgotten after this long without a word.
FORGET_MS = 60_000
# Keeps one message well below the 2 MiB that the API takes.
REPORTS_MAX = 256

Waited: TypeAlias = tuple[AgentReport, int]
"""A report, and for how many ms it waited here since its age was taken."""

_Key: TypeAlias = tuple[str, str]


def age_when_told_ms(report: AgentReport, *, waited_ms: int) -> int:
    """Return the age that a report is told with: all the time since it came, here included."""
    return report.age_ms + waited_ms


def relayed(report: AgentReport, *, waited_ms: int, heard_by: ReplicaId) -> AgentReport:
    """Return what the leader takes in of a report that ``heard_by`` heard."""
    return AgentReport(
        report.region_id,
        report.agent_id,
        report.boot_id,
        report.counter,
        report.readings,
        heard_by,
        age_when_told_ms(report, waited_ms=waited_ms),
        report.transit_ms_max,
    )


@dataclass(slots=True)
class _Held:
    """The newest report of one agent, and what the leader has of it.

    Attributes:
        report: The newest report.
        at_ms: When its age was taken.
        full: The newest report of the same boot that carries readings.
        full_at_ms: When that one's age was taken.
        sent_counter: Boot and counter of the newest report that was sent.
        sent_full: The report with readings that was sent last.
    """

    report: AgentReport
    at_ms: int
    full: AgentReport | None = None
    full_at_ms: int = 0
    sent_counter: tuple[str, int] | None = None
    sent_full: AgentReport | None = None

    def take_in(self, report: AgentReport, *, now_ms: int) -> None:
        """Put ``report`` in place of the one before."""
        if report.readings is not None:
            self.full, self.full_at_ms = report, now_ms
        elif self.full is not None and self.full.boot_id != report.boot_id:
            self.full = None
        self.report, self.at_ms = report, now_ms


@dataclass(slots=True)
class RelayBuffer:
    """What is to be told. Pure but for the clock it is given."""

    _held: dict[_Key, _Held] = field(default_factory=dict)

    def offer(self, reports: Iterable[AgentReport], *, now_ms: int) -> None:
        """Take newer reports in."""
        for report in reports:
            key = (report.region_id, report.agent_id)
            held = self._held.setdefault(key, _Held(report, now_ms))
            held.take_in(report, now_ms=now_ms)

    def restart(self) -> None:
        """Tell everything again: the stream is a new one."""
        for held in self._held.values():
            held.sent_counter, held.sent_full = None, None

    def take(self, *, now_ms: int) -> list[Waited]:
        """Return what changed since it was last taken, at most ``REPORTS_MAX``."""
        for key in [key for key, held in self._held.items() if now_ms - held.at_ms > FORGET_MS]:
            del self._held[key]
        taken: list[Waited] = []
        for held in self._held.values():
            mark = (held.report.boot_id, held.report.counter)
            if mark == held.sent_counter:
                continue
            due = [(held.report, held.at_ms)]
            if held.full is not None and held.full is not held.sent_full:
                due = [(held.full, held.full_at_ms)]
                if held.report is not held.full:
                    due.append((held.report, held.at_ms))
            if len(taken) + len(due) > REPORTS_MAX:
                break
            taken += [(report, max(0, now_ms - at_ms)) for report, at_ms in due]
            held.sent_counter, held.sent_full = mark, held.full
        return taken

    def has_more(self) -> bool:
        """Whether something is still to be taken."""
        return any(
            held.sent_counter != (held.report.boot_id, held.report.counter)
            for held in self._held.values()
        )
