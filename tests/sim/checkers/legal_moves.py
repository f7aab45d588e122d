"""A9, C5: ownership moves, and runs go on, only in the steps that were designed.

A command that was decided on something older than what it is applied to must change nothing. Here
each change of the state is looked at by itself, whatever command made it.
"""

from director.core.commands import StageName
from director.core.state import Group, Run, State

_STEPS = {
    StageName.DRAINING: (StageName.FENCING, StageName.ABORTED),
    StageName.CONFIRMING: (StageName.FENCING, StageName.ABORTED),
    StageName.FENCING: (StageName.PROMOTING, StageName.ABORTED),
    StageName.PROMOTING: (StageName.PUBLISHING, StageName.ABORTED),
    StageName.PUBLISHING: (StageName.VERIFYING,),
    StageName.VERIFYING: (StageName.SETTLED,),
}
_FIRST = (StageName.DRAINING, StageName.CONFIRMING, StageName.FENCING)
_FIXED = ("kind", "group_id", "source", "target", "source_epoch", "automatic", "started_at_ms")


class LegalMoves:
    """Looks at each change of groups and runs once."""

    def changed(self, before: State, after: State) -> None:
        """An entry was applied for the first time anywhere."""
        assert after.now_ms >= before.now_ms, f"director time went back to {after.now_ms}"
        assert after.generation >= before.generation, "the generation went back"
        if after.runs is not before.runs:
            self._look_at_runs(before, after)
        if after.groups is not before.groups:
            known = {group.group_id: group for group in before.groups}
            for group in after.groups:
                was = known.get(group.group_id)
                if was is not None and was is not group:
                    self._look_at_group(before, after, was, group)

    def _look_at_runs(self, before: State, after: State) -> None:
        known = {run.run_id: run for run in before.runs}
        kept = {run.run_id for run in after.runs}
        for run in after.runs:
            was = known.get(run.run_id)
            if was is None:
                self._look_at_start(before, run)
            elif was is not run and was.stage is not run.stage:
                assert run.stage in _STEPS.get(was.stage, ()), (
                    f"{run.run_id} went from {was.stage} to {run.stage}"
                )
                for name in _FIXED:
                    assert getattr(was, name) == getattr(run, name), (
                        f"{run.run_id}: {name} changed from {getattr(was, name)}"
                    )
        for run in before.runs:
            assert run.run_id in kept or not run.is_active, f"{run.run_id} was dropped as it ran"

    @staticmethod
    def _look_at_start(before: State, run: Run) -> None:
        group = before.group(run.group_id)
        assert group is not None, f"{run.run_id} moves {run.group_id}, which there is not"
        assert (group.home, group.epoch) == (run.source, run.source_epoch), (
            f"{run.run_id} moves {run.group_id} from {run.source} at {run.source_epoch}; it is "
            f"with {group.home} at {group.epoch}"
        )
        assert run.stage in _FIRST, f"{run.run_id} begins as {run.stage}"
        assert run.target != run.source, f"{run.run_id} moves to where it is"

    @staticmethod
    def _look_at_group(before: State, after: State, was: Group, group: Group) -> None:
        if (was.home, was.epoch) == (group.home, group.epoch):
            return
        assert group.home is not None, f"{group.group_id} lost its home {was.home}"
        if after.generation > before.generation:
            # The agents showed who owned in a history that is gone (fault 26): no run led there.
            assert group.epoch >= was.epoch, f"{group.group_id} went back to {group.epoch}"
            return
        assert group.epoch == was.epoch + 1, (
            f"{group.group_id} went from epoch {was.epoch} to {group.epoch}"
        )
        if was.home is None:
            return
        for run in after.runs:
            if run.group_id != group.group_id or run == before.run(run.run_id):
                continue
            is_grant = run.stage is StageName.PROMOTING and group.home == run.target
            is_taken_back = run.stage is StageName.ABORTED and group.home == run.source
            assert is_grant or is_taken_back, (
                f"{group.group_id} went from {was.home} to {group.home} at {group.epoch} as "
                f"{run.run_id} to {run.target} became {run.stage}"
            )
            assert (run.source, run.source_epoch) == (was.home, was.epoch), (
                f"{run.run_id} moved {group.group_id} from {was.home} at {was.epoch}; it was "
                f"decided at {run.source_epoch}"
            )
            return
        raise AssertionError(f"{group.group_id} went to {group.home} at {group.epoch} by no run")
