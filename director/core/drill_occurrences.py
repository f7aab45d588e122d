"""From when on a drill schedule comes due, after documents were applied."""

from director.core.state import State
from director.core.topology import Topology


def occurrences_after(
    state: State, topology: Topology, *, wall_ms: int
) -> tuple[tuple[str, int], ...]:
    """Return the last occurrence of each schedule once ``topology`` is in force, by name.

    A schedule that appears, or is moved to other times, is due from its next occurrence only: what
    it would have had before was nobody's wish. One that goes is forgotten.
    """
    before = {each.schedule_id: each for each in state.topology.drill_schedules}
    last_ms_by_id = dict(state.occurrences)
    found: dict[str, int] = {}
    for each in topology.drill_schedules:
        was = before.get(each.schedule_id)
        last_ms = 0 if was is None else last_ms_by_id.get(each.schedule_id, 0)
        is_same = was is not None and (was.cron, was.timezone) == (each.cron, each.timezone)
        found[each.schedule_id] = last_ms if is_same and last_ms else max(last_ms, wall_ms)
    return tuple(sorted(found.items()))
