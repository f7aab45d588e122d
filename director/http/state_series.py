"""Series about automation, load, drills and webhooks."""

from director.core.audit import after
from director.core.drill import DrillVerdict
from director.core.drill_record import Drill
from director.core.state import State
from director.core.status import ServiceView
from director.http import metrics as m
from director.runtime.metrics import Sheet
from director.service.webhooks import is_wanted

_MS_PER_S = 1_000
_MILLE = 1_000
# One that was skipped, or cut short by a person or a guard, says nothing of the service.
_SAYS = (DrillVerdict.PASSED, DrillVerdict.FAILED)


def put_automation(sheet: Sheet, state: State, view: ServiceView) -> None:
    """Say what keeps the director from acting on one service by itself."""
    name = view.service_id
    sheet.put(m.AUTOMATION_PAUSED, view.pause is not None, name)
    sheet.put(m.FLAP_DAMPED, view.damped_for_ms > 0, name)
    is_told = view.pause is not None or view.damped_for_ms > 0
    sheet.put(m.AUTOMATION_REDUCED, bool(view.automation_note) and not is_told, name)
    waiting = [each for each in state.intents if each.service_id == name and each.is_standing]
    sheet.put(m.PROPOSALS_OPEN, len(waiting), name)


def put_load(sheet: Sheet, view: ServiceView) -> None:
    """Say what each region of one service takes, can take, and sends on."""
    name = view.service_id
    headroom = view.room.headroom_per_mille
    if headroom is not None:
        sheet.put(m.HEADROOM, headroom / _MILLE, name)
    for site in view.sites:
        if site.capacity_rps:
            sheet.put(m.CAPACITY, site.capacity_rps, name, site.region_id)
        if site.load_rps is not None:
            sheet.put(m.LOAD, site.load_rps, name, site.region_id)
        sheet.put(m.SPILLED, site.spill_per_mille / _MILLE, name, site.region_id)


def put_drills(sheet: Sheet, state: State) -> None:
    """Say of each service how its drills went."""
    for service in state.topology.services:
        name = service.service_id
        drills = [each for each in state.drills if each.spec.service_id == name]
        sheet.put(m.DRILL_ACTIVE, any(each.is_active for each in drills), name)
        telling = [each for each in drills if each.verdict in _SAYS]
        if telling:
            newest = max(telling, key=_ended_at)
            sheet.put(m.DRILL_FAILED, newest.verdict is not DrillVerdict.PASSED, name)
        passed = [each for each in telling if each.verdict is DrillVerdict.PASSED]
        if passed:
            at_ms = max(passed, key=_ended_at).ended_wall_ms
            sheet.put(m.DRILL_SUCCESS, at_ms / _MS_PER_S, name)


def _ended_at(drill: Drill) -> tuple[int, int]:
    return drill.ended_at_ms, drill.number


def put_webhooks(sheet: Sheet, state: State) -> None:
    """Say how many records each webhook has yet to take.

    Its mark is moved past those that it does not want only now and then, so they do not count.
    """
    through_by_name = {each.webhook: each.through for each in state.deliveries}
    kept_after = state.audit.count - len(state.audit.records)
    for webhook in state.topology.webhooks:
        through = through_by_name.get(webhook.name, 0)
        wanted = sum(is_wanted(webhook, each) for each in after(state.audit, through))
        sheet.put(m.WEBHOOK_PENDING, max(0, kept_after - through) + wanted, webhook.name)
