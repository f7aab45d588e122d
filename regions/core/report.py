"""What is worth telling the directors, and when.

A heartbeat goes out every ``heartbeat_ms``. Evidence that changes goes out at once, but not more
often than ``REPORT_GAP_MS``: a region with a hundred services fails a hundred times at once.
"""

from collections.abc import Callable

from regions.core.effects import SendReport
from regions.core.ids import ReplicaId
from regions.core.links import Links
from regions.core.readings import Readings

REPORT_GAP_MS = 50


class Reporter:
    """Decides when a report goes to whom, and whether it carries readings."""

    def __init__(self, links: Links, heartbeat_ms: int) -> None:
        self.heartbeat_ms = heartbeat_ms
        self._links = links
        self._counter = 0
        self._version = 0
        self._is_urgent = False
        self._sent_at_ms: int | None = None

    def changed(self, *, urgently: bool) -> None:
        """The readings are no longer those sent. Urgent ones do not wait for the heartbeat."""
        self._version += 1
        self._is_urgent = self._is_urgent or urgently

    def greet(self, director_id: ReplicaId, readings: Readings, *, now_ms: int) -> SendReport:
        """Make the first report of a stream, which always carries readings."""
        if self._sent_at_ms is None:
            self._sent_at_ms = now_ms
        self._counter += 1
        self._links.is_told(director_id, self._version)
        return SendReport(director_id, self._counter, readings)

    def is_due(self, *, now_ms: int) -> bool:
        """Tell whether reports are to be sent now."""
        due_at_ms = self.wake_at_ms()
        return due_at_ms is not None and now_ms >= due_at_ms

    def send(self, readings: Callable[[], Readings], *, now_ms: int) -> tuple[SendReport, ...]:
        """Make a report for every connected director, all with one counter."""
        self._counter += 1
        self._sent_at_ms = now_ms
        self._is_urgent = False
        made: Readings | None = None
        reports = []
        for director_id in self._links.director_ids():
            told = self._links.is_told(director_id, self._version)
            if not told and made is None:
                made = readings()
            echo = self._links.echo(director_id, now_ms=now_ms)
            unanswered = self._links.unanswered(director_id, now_ms=now_ms)
            news = None if told else made
            reports.append(SendReport(director_id, self._counter, news, echo, unanswered))
        return tuple(reports)

    def wake_at_ms(self) -> int | None:
        """Return when the next report is due; None while no director is connected."""
        if not self._links.director_ids():
            return None
        assert self._sent_at_ms is not None, "a stream begins with a report"
        gap_ms = self.heartbeat_ms
        if self._is_urgent and gap_ms > REPORT_GAP_MS:
            gap_ms = REPORT_GAP_MS
        return self._sent_at_ms + gap_ms
