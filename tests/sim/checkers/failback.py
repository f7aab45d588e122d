"""C3: automation never moves a service away from an owner that is well and writes."""

from director.core.commands import RunKind, StageName
from director.core.state import Run, State
from director.routing.table import Verdict

# After this long without an acknowledged write an owner may be well, and yet unable to write.
_IDLE_MS_MIN = 4_000

Token = tuple[int, int]


class Failback:
    """Looks at each automatic run as it begins to fence, beside what was really written.

    Not as it begins: it may have been proposed before a verdict that its source is well again was
    applied, and confirms before it does anything (C5).
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, int]] = {}

    def acknowledged(self, region_id: str, *, now_ms: int, service_id: str = "chat") -> None:
        """A write was acknowledged."""
        self._last[service_id] = (region_id, now_ms)

    def changed(self, before: State, after: State, *, now_ms: int) -> None:
        """An entry was applied for the first time anywhere."""
        if after.runs is before.runs:
            return
        fencing = {run.run_id for run in before.runs if run.stage is not StageName.CONFIRMING}
        for run in after.runs:
            assert run.kind is not RunKind.FAILBACK or run.request_id, (
                f"{run.run_id} moves back and nobody asked for it"
            )
            if run.automatic and run.stage is StageName.FENCING and run.run_id not in fencing:
                self._look_at(after, run, now_ms)

    def _look_at(self, state: State, run: Run, now_ms: int) -> None:
        record = state.verdicts.get((run.service_id, run.source))
        is_well = record is not None and record.verdict in (Verdict.UP, Verdict.DEGRADED)
        writer, at_ms = self._last.get(run.service_id, ("", 0))
        assert not is_well or writer != run.source or now_ms - at_ms >= _IDLE_MS_MIN, (
            f"{run.run_id} leaves {run.source} at {now_ms} ms, which is UP and wrote at {at_ms} ms"
        )
