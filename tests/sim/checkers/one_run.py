"""C1: one run per group, a cap on regions that lose their services at once, and a cooldown."""

from director.core.commands import StageName
from director.core.state import Run, State


class OneRun:
    """Looks at each run as it begins, and remembers when automatic ones settled."""

    def __init__(self) -> None:
        self._settled_ms: dict[str, int] = {}
        self.count = 0

    def restored(self) -> None:
        """What settled behind the copy is not known any more."""
        self._settled_ms = {}

    def changed(self, before: State, after: State) -> None:
        """An entry was applied for the first time anywhere."""
        if after.runs is before.runs:
            return
        active = [run for run in after.runs if run.is_active]
        groups = [run.group_id for run in active]
        assert len(set(groups)) == len(groups), f"two runs at once: {active}"
        known = {run.run_id: run for run in before.runs}
        for run in after.runs:
            was = known.get(run.run_id)
            if was == run:
                continue
            if was is None:
                self.count += 1
                if run.automatic:
                    self._look_at_start(after, run, active)
            if run.automatic and run.stage is StageName.SETTLED:
                self._settled_ms[run.service_id] = after.now_ms

    def _look_at_start(self, state: State, run: Run, active: list[Run]) -> None:
        service = state.topology.service(run.service_id)
        assert service is not None, f"{run.run_id} moves a service that is not declared"
        policy = state.topology.policy(service.policy_id)
        others = {each.source for each in active if each.automatic and each is not run}
        others.discard(run.source)
        assert len(others) < policy.concurrent_max, (
            f"{run.run_id} leaves {run.source} while services leave {sorted(others)}"
        )
        settled_ms = self._settled_ms.get(run.service_id)
        if settled_ms is not None:
            waited_ms = state.now_ms - settled_ms
            assert waited_ms >= policy.min_interval_ms, (
                f"{run.run_id} began {waited_ms} ms after the last automatic run of "
                f"{run.service_id} settled; the cooldown is {policy.min_interval_ms} ms"
            )
