"""What a change of ownership or of verdicts means to what a replica remembers of its own."""

from director.core.events import (
    Event,
    GenerationStarted,
    OwnershipGranted,
    RunAborted,
    RunAdvanced,
    VerdictsRecorded,
)
from director.core.ids import GroupId, RunId
from director.core.lease import LeaseBook
from director.core.observation_log import ObservationLog
from director.core.state import State
from director.routing.table import Verdict


def note_epoch(
    leases: LeaseBook,
    log: ObservationLog,
    states: tuple[State, State],
    event: Event,
    *,
    now_ms: int,
) -> None:
    """Tell the leases of a token born in this office.

    Args:
        leases: The leader's leases.
        log: Its observations.
        states: Before and after the event.
        event: What happened; most events give birth to none.
        now_ms: When it was applied.
    """
    before, after = states
    has_older_stopped = True
    match event:
        case GenerationStarted():
            leases.note_generation(after)
            return
        case OwnershipGranted(group_id=group_id):
            pass
        case RunAdvanced(token=token, run_id=run_id) if token is not None:
            group_id = _group_of(after, run_id)
        case RunAborted(token=token, run_id=run_id) if token is not None:
            group_id = _group_of(after, run_id)
            was = before.group(group_id)
            # Taken back while it was being fenced: its lease may have long to run.
            has_older_stopped = was is not None and leases.is_demoted(
                group_id, before.token(was), log, now_ms=now_ms
            )
        case _:
            return
    group = after.group(group_id)
    assert group is not None, "an epoch is of a group"
    leases.note_epoch(
        group_id, after.token(group), has_older_stopped=has_older_stopped, now_ms=now_ms
    )


def keep_lag(log: ObservationLog, state: State, event: VerdictsRecorded, *, now_ms: int) -> None:
    """Keep what is known of the copies from before their home was suspected."""
    homes = {group.service_id: group.home for group in state.groups}
    for change in event.changes:
        is_lost = change.verdict in (Verdict.DOWN, Verdict.UNKNOWN)
        service = state.topology.service(change.service_id)
        if not is_lost or service is None or homes.get(change.service_id) != change.region_id:
            continue
        until_ms = now_ms - max(0, state.now_ms - change.suspected_at_ms)
        for site in service.sites:
            log.keep_lag((change.service_id, site.region_id), until_ms=until_ms)


def _group_of(state: State, run_id: RunId) -> GroupId:
    run = state.run(run_id)
    assert run is not None, "an event names a run that was just changed"
    return run.group_id
