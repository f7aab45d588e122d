"""Series about automation, load, drills and webhooks: what they say, and when they say nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from director.core.audit import NO_AUDIT, AuditLog, AuditRecord, appended
from director.core.automation_records import Pause
from director.core.capacity import Room
from director.core.commands import Delivery
from director.core.drill import DrillKind, DrillScenario, DrillSpec, DrillStage, DrillVerdict
from director.core.drill_record import Drill
from director.core.ids import DrillId, FencingToken
from director.core.state import State
from director.core.status import ServiceView
from director.core.topology import Automation, WebhookSpec
from director.http.metrics import METRICS
from director.http.state_series import put_automation, put_drills, put_load, put_webhooks
from director.routing.table import ServiceMode
from director.runtime.metrics import Sheet
from tests.core.builders import CHAT, EU, a_topology

SPEC = DrillSpec(CHAT, DrillScenario(DrillKind.BLACKHOLE), 60_000)
PASSED = "director_drill_last_success_timestamp_seconds"
FAILED = "director_drill_last_failed"
ACTIVE = "director_drill_active"


def read(sheet: Sheet) -> dict[str, float]:
    """Return every sample by name; these tests have one service."""
    families = text_string_to_metric_families(sheet.text().decode())
    return {sample.name: sample.value for family in families for sample in family.samples}


def a_view(**fields: Any) -> ServiceView:
    view = ServiceView(
        CHAT,
        ServiceMode.ACTIVE_PASSIVE,
        EU,
        EU,
        FencingToken(1, 1),
        (),
        20_000,
        10_000,
        6_000,
        Automation.AUTOMATIC,
        "",
        None,
    )
    return replace(view, **fields)


def automation(**fields: Any) -> dict[str, float]:
    sheet = Sheet(METRICS)
    put_automation(sheet, State(topology=a_topology()), a_view(**fields))
    found = read(sheet)
    names = ("automation_paused", "service_flap_damped", "automation_reduced")
    return {name: found[f"director_{name}"] for name in names}


def test_what_keeps_the_director_from_acting_is_told_apart() -> None:
    none = {"automation_paused": 0, "service_flap_damped": 0, "automation_reduced": 0}
    note = {"automation_note": "said"}

    assert automation() == none
    assert automation(**note) == {**none, "automation_reduced": 1}
    # A pause and damping have alerts of their own.
    assert automation(pause=Pause(CHAT, 9), **note) == {**none, "automation_paused": 1}
    assert automation(damped_for_ms=1, **note) == {**none, "service_flap_damped": 1}


def test_headroom_that_is_not_known_makes_no_series() -> None:
    def headroom(room: Room) -> float | None:
        sheet = Sheet(METRICS)
        put_load(sheet, a_view(room=room))
        return read(sheet).get("director_service_headroom_ratio")

    assert headroom(Room(1_000, 900)) == 0.9
    assert headroom(Room(None, 900)) is None


def a_drill(number: int, verdict: DrillVerdict | None, ended_wall_ms: int = 0) -> Drill:
    stage = DrillStage.INJECTING if verdict is None else DrillStage.ENDED
    return Drill(
        DrillId(f"chat/{number}"),
        number,
        SPEC,
        stage,
        "alice",
        "",
        ended_at_ms=ended_wall_ms,
        ended_wall_ms=ended_wall_ms,
        verdict=verdict,
    )


def drills(*kept: Drill) -> dict[str, float]:
    sheet = Sheet(METRICS)
    put_drills(sheet, State(topology=a_topology(), drills=kept))
    return read(sheet)


def test_a_service_that_was_never_drilled_has_no_age() -> None:
    assert drills() == {ACTIVE: 0}
    # One that was cut short says nothing of the service.
    assert drills(a_drill(1, DrillVerdict.ABORTED, 5), a_drill(2, DrillVerdict.SKIPPED, 6)) == {
        ACTIVE: 0
    }


def test_the_last_drill_that_ran_to_its_end_counts() -> None:
    passed = a_drill(1, DrillVerdict.PASSED, 5_000)
    failed = a_drill(2, DrillVerdict.FAILED, 9_000)
    aborted = a_drill(3, DrillVerdict.ABORTED, 9_500)

    assert drills(passed) == {ACTIVE: 0, PASSED: 5, FAILED: 0}
    assert drills(passed, failed, aborted) == {ACTIVE: 0, PASSED: 5, FAILED: 1}
    assert drills(failed, a_drill(4, DrillVerdict.PASSED, 12_000)) == {
        ACTIVE: 0,
        PASSED: 12,
        FAILED: 0,
    }
    assert drills(passed, a_drill(5, None)) == {ACTIVE: 1, PASSED: 5, FAILED: 0}


def test_a_webhook_is_behind_by_the_records_it_has_not_taken() -> None:
    hook = WebhookSpec("pager", "https://pager.example/hook", "SECRET")
    topology = replace(a_topology(), webhooks=(hook,))

    def pending(*deliveries: Delivery) -> float:
        sheet = Sheet(METRICS)
        audit = AuditLog(count=12)
        put_webhooks(sheet, State(topology=topology, audit=audit, deliveries=deliveries))
        return read(sheet)["director_webhook_pending"]

    assert pending() == 12
    assert pending(Delivery("pager", 10, 0)) == 2
    assert pending(Delivery("pager", 12, 0), Delivery("gone", 3, 0)) == 0


def test_records_that_a_webhook_does_not_want_leave_it_behind_by_nothing() -> None:
    hook = WebhookSpec("pager", "https://pager.example/hook", "SECRET", ("start_run",))
    audit = NO_AUDIT
    for action in ("set_override", "start_run", *["record_verdicts"] * 150):
        audit = appended(audit, AuditRecord(0, 1, 1, 1, "alice", "why", action))
    sheet = Sheet(METRICS)

    topology = replace(a_topology(), webhooks=(hook,))
    put_webhooks(sheet, State(topology=topology, audit=audit, deliveries=(Delivery("pager", 0),)))

    assert read(sheet)["director_webhook_pending"] == 1
