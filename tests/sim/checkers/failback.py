"""C3: automation never moves a service away from an owner that is well and writes."""

from director.core.commands import RunKind
from director.core.state import Run, State
from director.routing.table import Verdict

# After this long without an acknowledged write an owner may be well, and yet unable to write.
_IDLE_MS_MIN = 4_000

Token = tuple[int, int]


class Failback:
    """Looks at each automatic run as it begins, beside what was really written, in true time."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, int]] = {}

    def acknowledged(self, region_id: str, *, now_ms: int, service_id: str = "chat") -> None:
        """A write was acknowledged."""
        self._last[service_id] = (region_id, now_ms)

    def changed(self, before: State, after: State, *, now_ms: int) -> None:
        """An entry was applied for the first time anywhere."""
        if after.run_count == before.run_count or after.runs is before.runs:
            return
        run = after.runs[-1]
        assert run.kind is not RunKind.FAILBACK or run.request_id, (
            f"{run.run_id} moves back and nobody asked for it"
        )
        if run.automatic:
            self._look_at(after, run, now_ms)

    def _look_at(self, state: State, run: Run, now_ms: int) -> None:
        record = state.verdicts.get((run.service_id, run.source))
        is_well = record is not None and record.verdict in (Verdict.UP, Verdict.DEGRADED)
        writer, at_ms = self._last.get(run.service_id, ("", 0))
        assert not is_well or writer != run.source or now_ms - at_ms >= _IDLE_MS_MIN, (
            f"{run.run_id} leaves {run.source} at {now_ms} ms, which is UP and wrote at {at_ms} ms"
        )
