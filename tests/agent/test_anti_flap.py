"""Three thresholds: how many passes make a target pass, failures fail, and passes forgive."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from director.core.probes_plan import plan_probes
from director.core.topology import HealthSpec
from director.service.agent_wire import probe_plan
from regions.core.anti_flap import NO_TRACK, ProbeTrack, failed, passed
from regions.core.ids import ReplicaId
from regions.core.inputs import ProbesDirected
from regions.transport.codec import input_from
from tests.core.builders import EU, US, a_service, a_topology

UP = ProbeTrack(passing=True, passes=3)


def fold(probes: str, track: ProbeTrack = UP, **counts: int) -> ProbeTrack:
    """Fold in passes (+) and failures (-), one each 100 ms; rise 3, fall 3, forgive 1."""
    rise, fall, forgive = (counts.get(each, 3) for each in ("rise", "fall", "forgive"))
    if "forgive" not in counts:
        forgive = 1
    for number, probe in enumerate(probes):
        now_ms = 100 * (number + 1)
        if probe == "+":
            track = passed(track, rise_count=rise, forgive_count=forgive, now_ms=now_ms)
        else:
            track = failed(track, fall_count=fall, started_at_ms=now_ms - 50, now_ms=now_ms)
    return track


def test_with_forgive_one_a_single_pass_wipes_out_every_failure() -> None:
    assert fold("--+--+--+").passing is True
    assert fold("--+").failures == 0


def test_with_forgive_two_a_streak_broken_by_single_passes_is_found_out() -> None:
    assert fold("-+-+", forgive=2).passing is True
    assert fold("-+-+-", forgive=2).passing is False


def test_enough_passes_in_a_row_forgive() -> None:
    track = fold("--++", forgive=2)

    assert track.failures == 0
    assert track.failing_since_ms is None
    assert fold("--++--", forgive=2).passing is True


def test_the_trouble_began_with_the_first_failure_that_was_not_forgiven() -> None:
    assert fold("-+-+-", forgive=2).failing_since_ms == 50


def test_a_target_that_has_risen_begins_with_a_clean_sheet() -> None:
    down = fold("---", rise=2, forgive=5)
    assert down.passing is False

    up = fold("++", down, rise=2, forgive=5)

    assert up.passing is True
    assert fold("--", up, rise=2, forgive=5).passing is True


def test_a_failure_while_down_begins_the_rise_anew() -> None:
    down = fold("---", forgive=2)

    assert fold("++-++", down, forgive=2).passing is False
    assert fold("++-+++", down, forgive=2).passing is True


def test_failing_means_that_the_last_probe_failed() -> None:
    assert fold("-", forgive=9).is_failing
    assert not fold("-+", forgive=9).is_failing
    assert not NO_TRACK.is_failing


@given(st.text("+-", max_size=40), st.integers(1, 5), st.integers(1, 5))
def test_the_default_is_what_it_was_before_there_was_a_third_threshold(
    probes: str, rise: int, fall: int
) -> None:
    passing: bool | None = None
    streak = ""
    for probe in probes:
        streak = streak + probe if streak.endswith(probe) else probe
        if streak[0] == "+" and len(streak) >= rise:
            passing = True
        if streak[0] == "-" and len(streak) >= fall:
            passing = False

    assert fold(probes, NO_TRACK, rise=rise, fall=fall).passing is passing


@given(st.text("+-", max_size=40), st.integers(1, 5), st.integers(1, 5), st.integers(1, 5))
def test_forgiving_later_never_makes_a_target_look_better(
    probes: str, rise: int, fall: int, forgive: int
) -> None:
    strict = fold(probes, UP, rise=rise, fall=fall, forgive=forgive + 1)
    mild = fold(probes, UP, rise=rise, fall=fall, forgive=forgive)

    assert not (strict.passing and mild.passing is False)


@pytest.mark.parametrize(("declared", "told"), [(4, 4), (1, 1), (0, 1)])
def test_agents_are_told_how_many_passes_forgive(declared: int, told: int) -> None:
    service = replace(a_service(), health=HealthSpec(forgive_count=declared))

    plan = plan_probes(a_topology(service))[US]

    heard = input_from(probe_plan(plan), ReplicaId("d0"))
    assert isinstance(heard, ProbesDirected)
    assert {each.forgive_count for each in heard.targets if each.region_id == EU} == {told}
