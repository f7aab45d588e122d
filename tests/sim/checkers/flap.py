"""C2: a region that was DOWN stays so for a while, and a move that failed is not tried at once."""

from director.core.commands import RunKind, StageName
from director.core.drill import DrillStage
from director.core.state import Phase, Run, State, VerdictRecord
from director.routing.table import Verdict

# The designed 5 s of good evidence, less what clocks may differ by.
_DOWN_MS_MIN = 4_800
_RETRY_MS = 60_000
_GOOD = (Verdict.UP, Verdict.DEGRADED)


class Flap:
    """Follows verdicts and runs in director time."""

    def __init__(self) -> None:
        self.down_count = 0
        self.recovered_count = 0

    def changed(self, before: State, after: State) -> None:
        """An entry was applied for the first time anywhere."""
        if after.verdicts is not before.verdicts:
            for pair, record in after.verdicts.items():
                was = before.verdicts.get(pair)
                if was is not None and was is not record:
                    broke_ms = _broken_by_drill_ms(after, pair)
                    is_drilled = broke_ms is not None and was.suspected_at_ms >= broke_ms
                    if not is_drilled or record.verdict is Verdict.DOWN:
                        self._look_at_verdict(pair, was, record, after.now_ms)
        if after.runs is not before.runs and after.run_count != before.run_count:
            self._look_at_run(after)

    def _look_at_verdict(
        self, pair: tuple[str, str], was: VerdictRecord, record: VerdictRecord, now_ms: int
    ) -> None:
        if was.verdict is not Verdict.DOWN:
            self.down_count += record.verdict is Verdict.DOWN
            return
        if record.verdict not in _GOOD:
            assert record.verdict is Verdict.DOWN, f"{pair} went from DOWN to {record.verdict}"
            return
        self.recovered_count += 1
        assert now_ms - was.since_ms >= _DOWN_MS_MIN, (
            f"{pair} was DOWN at {was.since_ms} ms and {record.verdict} at {now_ms} ms again"
        )

    @staticmethod
    def _look_at_run(state: State) -> None:
        new = state.runs[-1]
        if new.request_id:
            return  # somebody asked for it by hand
        for run in state.runs[:-1]:
            if run.group_id != new.group_id or run.stage is not StageName.ABORTED:
                continue
            is_late = state.now_ms - run.stage_at_ms >= _RETRY_MS
            assert is_late or run.target != new.target or not _was_granted(run), (
                f"{new.run_id} moves to {new.target} again, which as {run.run_id} never served"
            )
            is_planned = RunKind.FAILOVER not in (run.kind, new.kind)
            is_last = run is state.runs[-2]
            assert is_late or not (is_planned and is_last), (
                f"{new.run_id} is planned {state.now_ms - run.stage_at_ms} ms after {run.run_id} "
                "was taken back"
            )


def _broken_by_drill_ms(state: State, pair: tuple[str, str]) -> int | None:
    """Since when a drill that is over had the pair broken: what it broke is known to be well."""
    for drill in state.drills:
        scenario = drill.spec.scenario
        if drill.stage is DrillStage.RESTORING:
            is_its = pair == (drill.spec.service_id, scenario.region_id)
            return drill.injected_at_ms if is_its else None
    return None


def _was_granted(run: Run) -> bool:
    return any(spent.phase is Phase.FENCE for spent in run.ledger)
