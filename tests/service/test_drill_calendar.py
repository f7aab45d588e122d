"""The calendar of drills: which occurrence is due, never twice, whatever clocks and leaders do."""

import asyncio
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from director.consensus.port import Standing
from director.core.commands import ApplyManifest, Stamp, StartDrill
from director.core.drill import (
    DrillKind,
    DrillScenario,
    DrillSchedule,
    DrillSpec,
    LocalMoment,
)
from director.core.inputs import Ask, DrillAsked
from director.core.reasons import Reason
from director.core.state import State
from director.core.topology import Topology
from director.routing.table import ServiceId
from director.service.drill_calendar import (
    LATE_MS_MAX,
    CalendarError,
    Due,
    due,
    local_moment,
    next_due_ms,
)
from director.service.drill_schedules import DrillSchedules
from director.service.errors import DirectorError, OutcomeUnknownError, RefusedError
from director.service.writes import Change, Done
from tests.core.builders import EU, Ledger, a_region, a_service, a_site, a_topology

BRUSSELS = "Europe/Brussels"
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def at(text: str) -> int:
    """An instant such as ``2026-11-20 16:00``, in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000


def shown(wall_ms: int | None) -> str | None:
    if wall_ms is None:
        return None
    return datetime.fromtimestamp(wall_ms / 1_000, tz=UTC).strftime("%Y-%m-%d %H:%M")


def run_of_days(
    cron: str, timezone: str, begin: str, end: str, *, step_ms: int = 5 * MINUTE
) -> list[str]:
    """Look once a step, as the leader does, and return every occurrence that was started."""
    last_ms, started = at(begin), []
    for now_ms in range(at(begin), at(end), step_ms):
        found = due(cron, timezone, after_ms=last_ms, wall_ms=now_ms)
        if found is not None:
            last_ms = found.occurrence_ms
            assert not found.is_missed
            started.append(str(shown(last_ms)))
    return started


# -- one schedule ----------------------------------------------------------------------------------


def test_an_occurrence_is_due_from_its_instant_on_and_only_once() -> None:
    cron, last_ms = "30 3 * * 2", at("2026-11-10 02:30")

    before = due(cron, BRUSSELS, after_ms=last_ms, wall_ms=at("2026-11-17 02:29"))
    on_time = due(cron, BRUSSELS, after_ms=last_ms, wall_ms=at("2026-11-17 02:30"))
    after = due(cron, BRUSSELS, after_ms=at("2026-11-17 02:30"), wall_ms=at("2026-11-17 02:31"))

    assert before is None
    assert on_time == Due(at("2026-11-17 02:30"), 0)
    assert after is None


def test_a_schedule_is_due_in_its_own_time_zone_whatever_that_of_the_machine() -> None:
    winter = next_due_ms("30 3 * * *", BRUSSELS, after_ms=at("2026-01-10 12:00"))
    summer = next_due_ms("30 3 * * *", BRUSSELS, after_ms=at("2026-07-10 12:00"))
    tokyo = next_due_ms("30 3 * * *", "Asia/Tokyo", after_ms=at("2026-07-10 12:00"))

    assert [shown(each) for each in (winter, summer, tokyo)] == [
        "2026-01-11 02:30",
        "2026-07-11 01:30",
        "2026-07-10 18:30",
    ]


def test_the_hour_that_autumn_repeats_has_one_occurrence() -> None:
    # At 03:00 of 25 October clocks go back to 02:00: 02:30 is named twice, at 00:30 and 01:30 UTC.
    started = run_of_days("30 2 * * *", BRUSSELS, "2026-10-24 00:00", "2026-10-27 00:00")

    assert started == ["2026-10-24 00:30", "2026-10-25 00:30", "2026-10-26 01:30"]


def test_in_its_second_pass_the_next_occurrence_is_that_of_the_next_day() -> None:
    second_pass_ms = at("2026-10-25 01:10")  # 02:10 for the second time

    found = next_due_ms("30 2 * * *", BRUSSELS, after_ms=second_pass_ms)

    assert shown(found) == "2026-10-26 01:30"


def test_in_the_hour_that_spring_leaves_out_it_comes_due_when_that_hour_is_over() -> None:
    # At 02:00 of 29 March clocks go on to 03:00, which is 01:00 UTC.
    started = run_of_days("30 2 * * *", BRUSSELS, "2026-03-28 00:00", "2026-03-31 00:00")

    assert started == ["2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"]


def test_a_schedule_of_every_hour_has_one_occurrence_in_each_hour_that_passes() -> None:
    started = run_of_days("15 * * * *", BRUSSELS, "2026-10-24 20:00", "2026-10-25 04:00")

    assert started == [
        *(f"2026-10-24 {hour}:15" for hour in (20, 21, 22, 23)),
        *(f"2026-10-25 0{hour}:15" for hour in (0, 1, 2, 3)),
    ]


@pytest.mark.parametrize("cron", ["30 2 * * *", "0 3 * * *", "15 * * * *", "*/20 2-3 * * *"])
@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-11-17"])
def test_the_hours_in_which_the_clock_changes_say_the_same_from_wherever_they_are_seen(
    cron: str, day: str
) -> None:
    # Whoever looks late finds an instant that one who looked in time had found, or none.
    known = set(run_of_days(cron, BRUSSELS, f"{day} 00:00", f"{day} 05:00"))
    start_ms = at(f"{day} 00:00")
    for now_ms in range(start_ms, at(f"{day} 05:00"), 7 * MINUTE):
        found = due(cron, BRUSSELS, after_ms=start_ms, wall_ms=now_ms)
        assert found is None or shown(found.occurrence_ms) in known
    assert known


def test_a_clock_that_steps_back_starts_nothing_again() -> None:
    last_ms = at("2026-11-17 02:30")

    again = [
        due("30 3 * * 2", BRUSSELS, after_ms=last_ms, wall_ms=last_ms + step_ms)
        for step_ms in (-DAY, -HOUR, -1, 0, 1, HOUR)
    ]

    assert again == [None] * 6


def test_a_clock_that_stepped_forward_and_back_leaves_the_next_one_in_its_place() -> None:
    cron, first_ms = "30 3 * * *", at("2026-11-17 02:30")
    # A day too early, by a clock that was wrong; then it is put right.
    early = due(cron, BRUSSELS, after_ms=at("2026-11-16 02:30"), wall_ms=first_ms + MINUTE)
    assert early is not None
    last_ms = early.occurrence_ms

    same_day = due(cron, BRUSSELS, after_ms=last_ms, wall_ms=first_ms)
    next_day = due(cron, BRUSSELS, after_ms=last_ms, wall_ms=first_ms + DAY)

    assert same_day is None
    assert next_day == Due(first_ms + DAY, 0)


def test_what_is_up_to_ten_minutes_late_is_started_and_what_is_later_is_not() -> None:
    cron, on_time_ms = "30 3 * * 2", at("2026-11-17 02:30")
    after_ms = at("2026-11-10 02:30")

    late = due(cron, BRUSSELS, after_ms=after_ms, wall_ms=on_time_ms + LATE_MS_MAX)
    missed = due(cron, BRUSSELS, after_ms=after_ms, wall_ms=on_time_ms + LATE_MS_MAX + 1)

    assert late is not None
    assert not late.is_missed
    assert missed is not None
    assert missed.is_missed
    assert missed.occurrence_ms == late.occurrence_ms


def test_of_many_that_were_missed_only_the_newest_is_told() -> None:
    found = due("0 * * * *", "UTC", after_ms=at("2026-11-01 00:00"), wall_ms=at("2026-11-20 16:30"))

    assert found == Due(at("2026-11-20 16:00"), 30 * MINUTE)
    assert (
        due("0 * * * *", "UTC", after_ms=found.occurrence_ms, wall_ms=at("2026-11-20 16:59"))
        is None
    )


def test_what_was_missed_years_ago_is_found_as_well() -> None:
    found = due(
        "0 12 29 2 *", "UTC", after_ms=at("2024-01-01 00:00"), wall_ms=at("2026-11-20 00:00")
    )

    assert found is not None
    assert found.is_missed
    assert shown(found.occurrence_ms) == "2024-02-29 12:00"


@pytest.mark.parametrize(
    ("cron", "timezone"),
    [
        ("61 * * * *", "UTC"),
        ("0 0 31 2 *", "UTC"),
        ("0 0 * *", "UTC"),
        ("0 0 * * *", "Mars/Olympus"),
    ],
)
def test_a_schedule_that_cannot_be_used_says_so(cron: str, timezone: str) -> None:
    with pytest.raises(CalendarError):
        due(cron, timezone, after_ms=0, wall_ms=at("2026-11-20 00:00"))
    with pytest.raises(CalendarError):
        next_due_ms(cron, timezone, after_ms=at("2026-11-20 00:00"))


def test_the_moment_for_windows_is_that_of_the_schedules_time_zone() -> None:
    moment = local_moment("Asia/Tokyo", at("2026-12-23 15:05"))

    assert moment == LocalMoment("2026-12-24", 3, 5)


# -- the leader's round ----------------------------------------------------------------------------


def a_schedule(name: str = "chat-weekly", cron: str = "30 3 * * 2") -> DrillSchedule:
    spec = DrillSpec(ServiceId("chat"), DrillScenario(DrillKind.SWITCHOVER), 10_000)
    return DrillSchedule(name, cron, BRUSSELS, spec)


def documents(*schedules: DrillSchedule) -> Topology:
    site = a_site(EU)
    topology = a_topology(a_service(sites=(site,)), regions=(a_region(EU),))
    return Topology(
        topology.fleet_id,
        topology.regions,
        topology.links,
        topology.services,
        topology.policies,
        drill_schedules=schedules,
    )


class Fleet:
    """A log that several leaders write to in turn, and a wall clock that the test sets."""

    def __init__(self, now: str) -> None:
        self.wall_ms = at(now)
        self.ledger = Ledger()
        self.leader = "d0"
        self.asked: list[tuple[str, DrillAsked, Change]] = []
        self.fault: DirectorError | None = None
        self.rounds = {name: self._round(name) for name in ("d0", "d1")}

    def _round(self, name: str) -> DrillSchedules:
        def standing() -> Standing:
            return Standing(name, 1, self.leader, self.leader == name, 0, 0, None, 0)

        return DrillSchedules(
            Desk(self, name), standing, lambda: self.ledger.state, wall=lambda: self.wall_ms
        )

    def apply(self, *schedules: DrillSchedule) -> None:
        self.ledger.must(ApplyManifest(Stamp(0, self.wall_ms), documents(*schedules)))

    def look(self) -> None:
        """Have every replica look, as each does once a second."""
        for each in self.rounds.values():
            asyncio.run(each.look())

    @property
    def state(self) -> State:
        return self.ledger.state

    @property
    def recorded(self) -> list[tuple[str, str | None, str]]:
        return [
            (each.drill_id, shown(each.occurrence_ms), each.cause) for each in self.state.drills
        ]


class Desk:
    """Takes what one replica asks: the core's own decision, and the entry it leads to."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self._fleet, self._name = fleet, name

    async def ask(self, ask: Ask, change: Change) -> Done:
        fleet = self._fleet
        assert isinstance(ask, DrillAsked)
        fleet.asked.append((self._name, ask, change))
        if fleet.fault is not None:
            raise fleet.fault
        stamp = Stamp(0, fleet.wall_ms, change.request_id, change.actor, change.reason)
        # What the guards say of agents is none of the calendar's business.
        command = StartDrill(
            stamp,
            ask.spec,
            ask.schedule_id,
            ask.occurrence_ms,
            ask.local,
            skip_cause=ask.skip_cause,
            skip_note=ask.skip_note,
        )
        refused = fleet.ledger.apply(command)
        if getattr(refused, "reason", None) is Reason.NOTHING_TO_DO:
            raise RefusedError(Reason.NOTHING_TO_DO, "had before", {})
        return Done(fleet.state.applied_index, change.request_id)


def test_a_due_drill_is_asked_for_once_by_the_leader_as_its_schedule() -> None:
    fleet = Fleet("2026-11-16 12:00")
    fleet.apply(a_schedule())
    fleet.look()
    assert fleet.asked == []

    fleet.wall_ms = at("2026-11-17 02:30")
    for _ in range(3):
        fleet.look()

    ((name, ask, change),) = fleet.asked
    assert name == "d0"
    assert (ask.schedule_id, ask.occurrence_ms) == ("chat-weekly", at("2026-11-17 02:30"))
    assert ask.local == LocalMoment("2026-11-17", 1, 210)
    assert change.actor == "schedule:chat-weekly"
    assert change.request_id
    assert fleet.recorded[0][:2] == ("chat-weekly/1", "2026-11-17 02:30")


def test_a_new_leader_does_not_start_what_the_one_before_has_started() -> None:
    fleet = Fleet("2026-11-16 12:00")
    fleet.apply(a_schedule())
    fleet.wall_ms = at("2026-11-17 02:30")
    fleet.look()

    fleet.leader = "d1"
    fleet.wall_ms += MINUTE
    fleet.look()

    assert [name for name, _, _ in fleet.asked] == ["d0"]
    assert len(fleet.recorded) == 1


def test_a_new_leader_starts_what_came_due_while_nobody_led() -> None:
    fleet = Fleet("2026-11-16 12:00")
    fleet.apply(a_schedule())
    fleet.leader = "nobody"
    fleet.wall_ms = at("2026-11-17 02:30")
    fleet.look()
    assert fleet.asked == []

    fleet.leader = "d1"
    fleet.wall_ms += 9 * MINUTE
    fleet.look()

    assert [(name, ask.skip_cause) for name, ask, _ in fleet.asked] == [("d1", "")]


def test_what_was_missed_is_recorded_as_skipped_once_and_says_why() -> None:
    fleet = Fleet("2026-11-16 12:00")
    fleet.apply(a_schedule())
    fleet.wall_ms = at("2026-11-17 08:00")

    for _ in range(3):
        fleet.look()

    (record,) = fleet.state.drills
    assert (record.verdict, record.cause) == ("SKIPPED", "MISSED")
    assert "5h30m ago" in record.timeline[0].note
    assert len(fleet.asked) == 1


def test_a_lost_answer_is_asked_for_again_under_the_same_request_id() -> None:
    fleet = Fleet("2026-11-16 12:00")
    fleet.apply(a_schedule())
    fleet.wall_ms = at("2026-11-17 02:30")
    fleet.fault = OutcomeUnknownError("no outcome")
    fleet.look()
    fleet.fault = None
    fleet.wall_ms += 1_000
    fleet.look()

    first, second = (change.request_id for _, _, change in fleet.asked)
    assert first == second
    assert len(fleet.recorded) == 1


def test_a_schedule_that_appears_is_due_from_its_next_occurrence_only() -> None:
    fleet = Fleet("2026-11-17 02:35")  # five minutes after it would have been due
    fleet.apply(a_schedule())
    fleet.look()
    assert fleet.asked == []
    assert dict(fleet.state.occurrences) == {"chat-weekly": fleet.wall_ms}

    fleet.wall_ms = at("2026-11-24 02:31")
    fleet.look()

    assert len(fleet.asked) == 1


def test_a_schedule_that_is_moved_to_an_hour_that_has_passed_missed_nothing() -> None:
    fleet = Fleet("2026-11-16 12:00")
    fleet.apply(a_schedule(cron="0 20 * * *"))
    fleet.wall_ms = at("2026-11-16 19:00")
    fleet.look()
    fleet.wall_ms = at("2026-11-17 09:00")
    fleet.apply(a_schedule(cron="0 8 * * *"))
    fleet.look()

    assert [cause for _, _, cause in fleet.recorded if cause == "MISSED"] == []
    assert len(fleet.asked) == 1


def test_documents_that_leave_a_schedule_as_it_is_do_not_move_it() -> None:
    fleet = Fleet("2026-11-16 12:00")
    fleet.apply(a_schedule())
    before = dict(fleet.state.occurrences)
    fleet.wall_ms = at("2026-11-17 02:30") - 1
    fleet.apply(a_schedule(), a_schedule("another", "0 0 1 1 *"))
    assert dict(fleet.state.occurrences)["chat-weekly"] == before["chat-weekly"]

    fleet.wall_ms += 1
    fleet.look()

    assert len(fleet.asked) == 1


def test_a_schedule_that_is_taken_out_is_forgotten() -> None:
    fleet = Fleet("2026-11-16 12:00")
    fleet.apply(a_schedule())
    fleet.apply()
    fleet.wall_ms = at("2026-11-17 02:30")
    fleet.look()

    assert fleet.state.occurrences == ()
    assert fleet.asked == []


def test_the_machine_refuses_an_occurrence_that_is_not_later_than_the_last() -> None:
    fleet = Fleet("2026-11-16 12:00")
    fleet.apply(a_schedule())
    fleet.wall_ms = at("2026-11-17 02:30")
    fleet.look()
    spec = a_schedule().spec

    for occurrence in ("2026-11-17 02:30", "2026-11-10 02:30"):
        command = StartDrill(Stamp(0, fleet.wall_ms), spec, "chat-weekly", at(occurrence))
        refused = fleet.ledger.apply(command)
        assert getattr(refused, "reason", None) is Reason.NOTHING_TO_DO

    assert len(fleet.recorded) == 1


def test_one_schedule_that_cannot_be_used_keeps_no_other_from_running() -> None:
    fleet = Fleet("2026-11-16 12:00")
    fleet.apply(a_schedule("bad", "61 * * * *"), a_schedule())
    fleet.wall_ms = at("2026-11-17 02:30")
    with capture_logs() as logged:
        fleet.look()
        fleet.look()

    assert [ask.schedule_id for _, ask, _ in fleet.asked] == ["chat-weekly"]
    assert [each["event"] for each in logged] == ["drill_schedule_unusable"], "told once"
