"""What became of failovers, counted from the runs that the state keeps."""

from collections.abc import Iterator

from director.core.commands import RunKind, StageName
from director.core.state import Phase, Run, State
from director.runtime.metrics import Buckets

# From one commit to the longest objective that anybody declares.
PHASE_BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)
_NS_PER_MS = 1_000_000


class RunCounts:
    """Counts every run once, when it has ended.

    Every replica knows every run, also those from before its own start. Counting those again at
    each start would look like failovers of today, so it begins with the first look: what had ended
    by then was counted by those who ran then.

    Attributes:
        ended: By (service, kind, outcome); the outcome is ``settled`` or ``aborted``.
        missed: By service, recoveries that took longer than their objective.
        phases: By (service, phase).
        recoveries: Measured recovery times by service.
    """

    def __init__(self) -> None:
        self._counted: frozenset[str] | None = None
        self.ended: dict[tuple[str, str, str], int] = {}
        self.missed: dict[str, int] = {}
        self.phases: dict[tuple[str, str], Buckets] = {}
        self.recoveries: dict[str, Buckets] = {}

    def look(self, state: State) -> None:
        """Count the runs that have ended since the last look."""
        self._name(state)
        ended = [each for each in state.runs if not each.is_active]
        if self._counted is not None:
            for run in ended:
                if run.run_id not in self._counted:
                    self._count(run)
        self._counted = frozenset(each.run_id for each in ended)
        self._forget(state)

    def _name(self, state: State) -> None:
        """Have a series for whatever may be counted: an increase from nothing is none."""
        for service in state.topology.services:
            if not service.group_ids:
                continue
            self.missed.setdefault(service.service_id, 0)
            for kind in RunKind:
                for outcome in (StageName.SETTLED, StageName.ABORTED):
                    labels = (service.service_id, _word(kind), _word(outcome))
                    self.ended.setdefault(labels, 0)

    def _forget(self, state: State) -> None:
        """Drop services that are gone, so that the number of series stays that of the services."""
        known = {each.service_id for each in state.topology.services}
        self.ended = {key: count for key, count in self.ended.items() if key[0] in known}
        self.missed = {key: count for key, count in self.missed.items() if key in known}
        self.phases = {key: each for key, each in self.phases.items() if key[0] in known}
        self.recoveries = {key: each for key, each in self.recoveries.items() if key in known}

    def _count(self, run: Run) -> None:
        labels = (run.service_id, _word(run.kind), _word(run.stage))
        self.ended[labels] = self.ended.get(labels, 0) + 1
        for phase, spent_ms in _by_phase(run):
            key = (run.service_id, phase.value)
            self.phases.setdefault(key, Buckets(PHASE_BOUNDS_S)).take(spent_ms * _NS_PER_MS)
        if run.measured_rto_ms is None:
            return
        recoveries = self.recoveries.setdefault(run.service_id, Buckets(PHASE_BOUNDS_S))
        recoveries.take(run.measured_rto_ms * _NS_PER_MS)
        if run.measured_rto_ms > run.rto_ms:
            self.missed[run.service_id] = self.missed.get(run.service_id, 0) + 1


def _by_phase(run: Run) -> Iterator[tuple[Phase, int]]:
    if run.stage is StageName.SETTLED:
        for spent in run.ledger:
            yield spent.phase, spent.ms


def _word(value: RunKind | StageName) -> str:
    return value.value.lower()
