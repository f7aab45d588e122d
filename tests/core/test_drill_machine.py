"""What the machine lets be written of drills: guards, stages, occurrences, runs and the hash."""

from dataclasses import replace

import pytest

from director.core.automation_commands import AutomationAction, SetAutomation
from director.core.commands import (
    AbortDrill,
    AdvanceDrill,
    ApplyManifest,
    Command,
    RunKind,
    SetRegionDrained,
    StartDrill,
    StartRun,
)
from director.core.digest import digest
from director.core.drill import (
    RESTORE_DEADLINE_MS,
    DrillGuard,
    DrillKind,
    DrillStage,
    DrillVerdict,
    GuardAnswer,
)
from director.core.drill_record import Drill
from director.core.drill_results import judged
from director.core.drill_rules import trip
from director.core.drill_view import content_hash, report_content, report_hash, state_diff
from director.core.events import DrillRenewed, DrillStarted, Repeated
from director.core.ids import DrillId, GroupId
from director.core.inputs import DrillAsked
from director.core.reasons import Reason
from director.core.topology import ServiceSpec
from director.routing.table import ServiceId, Verdict
from director.service.codec import decode_state, encode_state
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    EU,
    US,
    Ledger,
    a_service,
    a_stamp,
    a_start,
    a_topology,
    a_verdict,
    an_owned_ledger,
)
from tests.core.drilling import a_drill_world, a_spec, finished

MAIL = ServiceId("mail")


def a_start_of(at_ms: int = 0, request_id: str = "r1", **changes: object) -> StartDrill:
    stamp = a_stamp(at_ms, request_id, "maria")
    return replace(StartDrill(stamp, a_spec()), **changes)  # type: ignore[arg-type]


def a_step(ledger: Ledger, stage: DrillStage, at_ms: int = 0, **changes: object) -> AdvanceDrill:
    drill = ledger.state.drills[-1]
    command = AdvanceDrill(a_stamp(at_ms), drill.drill_id, drill.stage, stage)
    return replace(command, **changes)  # type: ignore[arg-type]


def a_healthy_ledger(*services: ServiceSpec) -> Ledger:
    ledger = an_owned_ledger(*services)
    for region_id in (AP, EU, US):
        ledger.must(a_verdict(Verdict.UP, region_id, reason="HEALTHY"))
    return ledger


def drilling(kind: DrillKind = DrillKind.BLACKHOLE) -> Ledger:
    """A ledger with a drill that injects since time 1 000."""
    ledger = a_healthy_ledger()
    ledger.must(a_start_of(spec=a_spec(kind)))
    ledger.must(a_step(ledger, DrillStage.INJECTING, 1_000))
    return ledger


def drill(ledger: Ledger) -> Drill:
    return ledger.state.drills[-1]


# -- starting --------------------------------------------------------------------------------------


def test_a_drill_begins_with_its_region_its_baseline_and_its_budgets() -> None:
    ledger = a_healthy_ledger()

    event = ledger.must(a_start_of(7))

    assert event == DrillStarted(
        ledger.state.applied_index, DrillId("chat/1"), drill(ledger).spec.service_id, EU,
        DrillStage.GUARDING, request_id="r1",
    )  # fmt: skip
    record = drill(ledger)
    assert (record.home, record.group_id, record.actor) == (EU, CHAT_GROUP, "maria")
    assert (record.rto_budget_ms, record.rpo_budget_ms) == (20_000, 10_000)
    assert {each.subject: each.value for each in record.baseline}["home chat/0"] == EU
    assert '"service_id":"chat"' in record.configuration


@pytest.mark.parametrize(
    ("before", "guard"),
    [
        (SetRegionDrained(a_stamp(), EU, drained=True), DrillGuard.OWNER),
        (a_verdict(Verdict.DOWN, EU), DrillGuard.OWNER),
        (a_start_of(request_id="r0"), DrillGuard.ONE_DRILL),
        (a_start(), DrillGuard.NO_FAILOVER),
    ],
)
def test_what_changed_since_the_leader_looked_is_seen_at_apply_time(
    before: StartDrill | StartRun, guard: DrillGuard
) -> None:
    ledger = a_healthy_ledger()
    ledger.must(before)
    count = len(ledger.state.drills)

    reason = ledger.rejection(a_start_of(guards=(GuardAnswer(guard, passed=True, message=""),)))

    assert reason is Reason.DRILL_REFUSED
    assert len(ledger.state.drills) == count


def test_a_repeated_request_names_the_drill_that_it_began() -> None:
    ledger = a_healthy_ledger()
    ledger.must(a_start_of())

    again = ledger.must(a_start_of())

    assert isinstance(again, Repeated)
    assert again.run_id == "chat/1"


# -- the calendar ----------------------------------------------------------------------------------


def test_an_occurrence_runs_once_and_none_before_it_either() -> None:
    ledger = a_healthy_ledger()

    def of_weekly(occurrence_ms: int) -> StartDrill:
        return a_start_of(request_id="", schedule_id="weekly", occurrence_ms=occurrence_ms)

    ledger.must(of_weekly(5_000))
    assert drill(ledger).drill_id == "weekly/1"
    ledger.must(AbortDrill(a_stamp(), drill(ledger).drill_id, "ASKED"))
    ledger.must(a_step(ledger, DrillStage.ENDED))

    for occurrence_ms in (5_000, 4_999):
        assert ledger.rejection(of_weekly(occurrence_ms)) is Reason.NOTHING_TO_DO
    assert ledger.state.occurrences == (("weekly", 5_000),)

    ledger.must(of_weekly(5_001))
    assert ledger.state.occurrences == (("weekly", 5_001),)


def test_a_scheduled_drill_that_a_guard_refuses_is_recorded_as_skipped() -> None:
    ledger = a_healthy_ledger()
    ledger.must(a_verdict(Verdict.DOWN, EU))

    event = ledger.must(a_start_of(schedule_id="weekly", occurrence_ms=5_000))

    assert isinstance(event, DrillStarted)
    assert event.verdict is DrillVerdict.SKIPPED
    record = drill(ledger)
    assert (record.stage, record.cause) == (DrillStage.ENDED, "owner")
    assert "DOWN in eu-north1" in record.timeline[0].note
    assert record.report_hash == report_hash(record)
    assert ledger.state.occurrences == (("weekly", 5_000),)


def test_a_schedule_run_by_hand_is_refused_and_not_skipped() -> None:
    ledger = a_healthy_ledger()
    ledger.must(a_verdict(Verdict.DOWN, EU))

    assert ledger.rejection(a_start_of(schedule_id="weekly")) is Reason.DRILL_REFUSED
    assert ledger.state.drills == ()


def test_the_leader_records_an_occurrence_of_a_busy_hour_as_skipped() -> None:
    world = a_drill_world()
    world.run_for(1_000)

    ask = DrillAsked(a_spec(), schedule_id="weekly", occurrence_ms=60_000)
    world.ask(ask, request_id="schedule")
    world.run_for(200)

    state = world.chief.director.state
    assert (state.drills[-1].verdict, state.drills[-1].cause) == (DrillVerdict.SKIPPED, "oneDrill")
    assert state.active_drill() is state.drills[0]


# -- stages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stage", [DrillStage.GUARDING, DrillStage.RECOVERED, DrillStage.RESTORING, DrillStage.ENDED]
)
def test_no_stage_is_jumped(stage: DrillStage) -> None:
    ledger = a_healthy_ledger()
    ledger.must(a_start_of())

    assert ledger.rejection(a_step(ledger, stage)) is Reason.STALE_STAGE


def test_a_step_that_was_decided_in_another_stage_is_stale() -> None:
    ledger = drilling()

    late = a_step(ledger, DrillStage.INJECTING, expected_stage=DrillStage.GUARDING)

    assert ledger.rejection(late) is Reason.STALE_STAGE


def test_a_renewal_counts_and_changes_no_stage() -> None:
    ledger = drilling()

    event = ledger.must(a_step(ledger, DrillStage.INJECTING, 2_000))

    assert event == DrillRenewed(ledger.state.applied_index, DrillId("chat/1"), 2)
    assert (drill(ledger).renewed_at_ms, drill(ledger).injected_at_ms) == (2_000, 1_000)
    assert len(drill(ledger).timeline) == 2


def test_nothing_is_injected_nor_renewed_once_something_else_fails() -> None:
    ledger = a_healthy_ledger()
    ledger.must(a_start_of())
    ledger.must(a_verdict(Verdict.DOWN, AP))

    assert ledger.rejection(a_step(ledger, DrillStage.INJECTING)) is Reason.DRILL_REFUSED

    ledger = drilling()
    ledger.must(a_verdict(Verdict.DOWN, AP))
    assert ledger.rejection(a_step(ledger, DrillStage.INJECTING)) is Reason.DRILL_REFUSED


def test_a_drill_has_recovered_only_once_something_moved() -> None:
    ledger = drilling()

    assert ledger.rejection(a_step(ledger, DrillStage.RECOVERED)) is Reason.STALE_STAGE


def test_a_drill_does_not_end_before_everything_is_as_it_was() -> None:
    ledger = drilling()
    ledger.must(a_verdict(Verdict.DOWN, EU, at_ms=2_000))
    ledger.must(a_step(ledger, DrillStage.RESTORING, 3_000))

    assert ledger.rejection(a_step(ledger, DrillStage.ENDED, 4_000)) is Reason.STALE_STAGE

    ledger.must(a_step(ledger, DrillStage.ENDED, 3_000 + RESTORE_DEADLINE_MS))
    assert drill(ledger).verdict is DrillVerdict.FAILED
    assert drill(ledger).state_diff == ("verdict chat eu-north1: UP -> DOWN",)


def test_a_drill_does_not_end_while_the_service_moves() -> None:
    ledger = drilling()
    ledger.must(a_start(at_ms=2_000))
    ledger.must(a_step(ledger, DrillStage.RESTORING, 3_000))
    assert state_diff(ledger.state, drill(ledger)) == ()

    assert ledger.rejection(a_step(ledger, DrillStage.ENDED, 4_000)) is Reason.STALE_STAGE


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        (ApplyManifest(a_stamp(), a_topology(), "again"), "DOCUMENTS_CHANGED"),
        (SetAutomation(a_stamp(), CHAT, AutomationAction.PAUSE, 60_000), "PAUSED"),
    ],
)
def test_what_people_change_meanwhile_ends_a_drill(command: Command, cause: str) -> None:
    ledger = drilling()
    assert trip(ledger.state, drill(ledger)) is None

    ledger.must(command)

    tripped = trip(ledger.state, drill(ledger))
    assert tripped is not None
    assert tripped[0] == cause


# -- its runs --------------------------------------------------------------------------------------


def test_the_answer_to_an_injection_is_the_drills_run_and_any_other_is_not() -> None:
    ledger = a_healthy_ledger()
    ledger.must(a_start_of())
    ledger.must(a_start())
    assert ledger.run().drill_id == ""

    ledger = drilling()
    ledger.must(a_start())
    assert ledger.run().drill_id == "chat/1"
    assert drill(ledger).run_ids == ("chat/1",)

    ledger = drilling()
    ledger.must(a_start(automatic=False))
    assert ledger.run().drill_id == "", "a person asked for it"


def test_only_a_drill_that_goes_on_asks_for_planned_moves() -> None:
    planned = a_start(kind=RunKind.SWITCHOVER, automatic=False)

    for drill_id, kind in (("chat/2", RunKind.SWITCHOVER), ("chat/1", RunKind.FAILOVER)):
        ledger = drilling(DrillKind.SWITCHOVER)
        asked = replace(planned, kind=kind, drill_id=DrillId(drill_id))
        assert ledger.rejection(asked) is Reason.STALE_STAGE

    ledger = a_healthy_ledger(a_service(), a_service(MAIL))
    ledger.must(a_start_of(spec=a_spec(DrillKind.SWITCHOVER)))
    ledger.must(a_step(ledger, DrillStage.INJECTING))
    other = replace(planned, group_id=GroupId("mail/0"), drill_id=DrillId("chat/1"))
    assert ledger.rejection(other) is Reason.STALE_STAGE, "another service's"

    ledger = drilling(DrillKind.SWITCHOVER)
    ledger.must(replace(planned, drill_id=DrillId("chat/1")))
    assert drill(ledger).run_ids == ("chat/1",)


# -- cutting short ---------------------------------------------------------------------------------


def test_an_abort_is_possible_once_and_while_something_is_broken() -> None:
    ledger = drilling()
    abort = AbortDrill(a_stamp(2_000), DrillId("chat/1"), "ASKED", "maria: enough")
    ledger.must(abort)
    assert (drill(ledger).stage, drill(ledger).abort_note) == (
        DrillStage.RESTORING,
        "maria: enough",
    )

    assert ledger.rejection(abort) is Reason.NOTHING_TO_DO
    ledger.must(a_step(ledger, DrillStage.ENDED, 3_000))
    assert drill(ledger).verdict is DrillVerdict.ABORTED
    assert ledger.rejection(abort) is Reason.NOTHING_TO_DO
    unknown = replace(abort, drill_id=DrillId("chat/9"))
    assert ledger.rejection(unknown) is Reason.DRILL_NOT_FOUND


def test_what_was_not_put_back_counts_for_more_than_an_abort() -> None:
    ledger = drilling()
    ended = replace(drill(ledger), abort_cause="ASKED", state_diff=("home",))

    assert judged(ended).verdict is DrillVerdict.FAILED
    assert judged(replace(ended, state_diff=())).verdict is DrillVerdict.ABORTED


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({}, ""),
        ({"measured_rto_ms": 20_001}, "RTO_MISSED"),
        ({"loss_bound_ms": 10_001}, "RPO_MISSED"),
        ({"loss_bound_ms": None}, "RPO_UNKNOWN"),
        ({"loss_bound_ms": None, "rpo_budget_ms": None}, ""),
        ({"measured_rto_ms": None}, "NOT_RECOVERED"),
        ({"cause": "NOT_RECOVERED"}, "NOT_RECOVERED"),
    ],
)
def test_a_drill_passes_if_nothing_was_missed(changes: dict[str, object], cause: str) -> None:
    measured = replace(drill(drilling()), measured_rto_ms=20_000, loss_bound_ms=10_000)

    verdict = judged(replace(measured, **changes))  # type: ignore[arg-type]

    assert verdict.cause == cause
    assert verdict.verdict is (DrillVerdict.FAILED if cause else DrillVerdict.PASSED)


# -- the report ------------------------------------------------------------------------------------


def test_the_hash_stands_for_everything_that_the_report_says() -> None:
    record = finished(a_drill_world())
    content = report_content(record)

    assert content_hash(content) == record.report_hash
    for name in content:
        assert content_hash({**content, name: "another"}) != record.report_hash, name
    assert content["configuration"]["service"]["rto_ms"] == 20_000


def test_a_drill_survives_a_snapshot_with_its_hash() -> None:
    world = a_drill_world()
    record = finished(world)
    state = world.chief.director.state

    again = decode_state(encode_state(state))

    assert digest(again) == digest(state), "down to the kind of every value"
    assert report_hash(again.drills[-1]) == record.report_hash
