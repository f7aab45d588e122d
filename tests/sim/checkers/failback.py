"""C3: automation never moves a service away from an owner that is well and writes."""

from director.core.commands import RunKind, StageName
from director.core.state import Run, State
from director.routing.table import Verdict

# After this long without an acknowledged write an owner may be well, and yet unable to write.
_IDLE_MS_MIN = 4_000
# An owner that could not write for long may begin to, while its replacement is on its way to the
# log (ADR 0006).
_BEGUN_MS_MAX = 1_000


class Failback:
    """Looks at each automatic run that fences, beside what was really written, in true time.

    A run may begin, and even fence, in the instant before a verdict on its source is applied: what
    was proposed together is applied one after the other. So an owner that was called UP when it was
    fenced must have been called something else by the time another one is promoted.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, int]] = {}
        self._begun_ms: dict[str, int] = {}
        self._doubtful: dict[str, str] = {}

    def acknowledged(self, region_id: str, *, now_ms: int, service_id: str = "chat") -> None:
        """A write was acknowledged."""
        writer, at_ms = self._last.get(service_id, ("", 0))
        if writer != region_id or now_ms - at_ms >= _IDLE_MS_MIN:
            self._begun_ms[service_id] = now_ms
        self._last[service_id] = (region_id, now_ms)

    def changed(self, before: State, after: State, *, now_ms: int) -> None:
        """An entry was applied for the first time anywhere."""
        if after.runs is before.runs and not self._doubtful:
            return
        stages = {run.run_id: run.stage for run in before.runs}
        for run in after.runs:
            assert run.kind is not RunKind.FAILBACK or run.request_id, (
                f"{run.run_id} moves back and nobody asked for it"
            )
            has_changed = stages.get(run.run_id) is not run.stage
            if run.automatic and run.stage is StageName.FENCING and has_changed:
                self._doubt(after, run, now_ms)
            if self._doubtful and not _is_well(after, run):
                self._doubtful.pop(run.run_id, None)
            if run.stage is StageName.PROMOTING and has_changed:
                assert run.run_id not in self._doubtful, self._doubtful[run.run_id]
            if not run.is_active:
                self._doubtful.pop(run.run_id, None)

    def _doubt(self, state: State, run: Run, now_ms: int) -> None:
        writer, at_ms = self._last.get(run.service_id, ("", 0))
        if writer != run.source or now_ms - self._begun_ms[run.service_id] < _BEGUN_MS_MAX:
            return
        if _is_well(state, run) and now_ms - at_ms < _IDLE_MS_MIN:
            self._doubtful[run.run_id] = (
                f"{run.run_id} leaves {run.source} at {now_ms} ms, which is UP and wrote at "
                f"{at_ms} ms"
            )


def _is_well(state: State, run: Run) -> bool:
    record = state.verdicts.get((run.service_id, run.source))
    return record is not None and record.verdict in (Verdict.UP, Verdict.DEGRADED)
