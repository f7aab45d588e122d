"""Failovers are counted once, when they have ended, and never those from before the process."""

from dataclasses import replace

from director.core.commands import StageName
from director.core.ids import RunId
from director.core.state import Phase, Run, State
from director.http.run_counts import RunCounts
from director.http.scrape import region_state
from director.routing.table import Verdict
from tests.cli.running import a_settled_run
from tests.core.builders import a_topology

SETTLED = ("chat", "failover", "settled")
ABORTED = ("chat", "failover", "aborted")


def looked(counts: RunCounts, *runs: Run) -> None:
    counts.look(State(topology=a_topology(), runs=runs))


def test_a_failover_from_before_the_first_look_is_no_news() -> None:
    counts = RunCounts()
    looked(counts, a_settled_run())
    looked(counts, a_settled_run())

    assert (counts.ended[SETTLED], counts.phases, counts.recoveries) == (0, {}, {})


def test_a_failover_is_counted_once_when_it_ends() -> None:
    counts = RunCounts()
    run = a_settled_run()
    looked(counts)
    looked(counts, replace(run, stage=StageName.FENCING))
    assert counts.ended[SETTLED] == 0
    for _ in range(3):
        looked(counts, run)

    assert (counts.ended[SETTLED], counts.ended[ABORTED], counts.missed["chat"]) == (1, 0, 0)
    spent = {each.phase: each.ms for each in run.ledger}
    fence = counts.phases["chat", "fence"]
    assert (fence.count, fence.sum_s) == (1, spent[Phase.FENCE] / 1_000)
    assert counts.recoveries["chat"].sum_s == (run.measured_rto_ms or 0) / 1_000


def test_one_that_took_longer_than_the_objective_missed_its_budget() -> None:
    counts = RunCounts()
    run = a_settled_run()
    looked(counts)
    looked(counts, replace(run, measured_rto_ms=run.rto_ms))
    assert counts.missed["chat"] == 0
    late = replace(run, run_id=RunId("chat/8"), measured_rto_ms=run.rto_ms + 1)
    looked(counts, run, late)

    assert counts.missed["chat"] == 1


def test_one_that_aborted_says_nothing_of_phases() -> None:
    counts = RunCounts()
    looked(counts)
    looked(counts, replace(a_settled_run(), stage=StageName.ABORTED, measured_rto_ms=None))

    assert (counts.ended[ABORTED], counts.phases, counts.recoveries) == (1, {}, {})


def test_a_service_that_is_gone_takes_its_series_along() -> None:
    counts = RunCounts()
    looked(counts)
    looked(counts, a_settled_run())
    counts.look(State())

    assert (counts.ended, counts.missed, counts.phases, counts.recoveries) == ({}, {}, {}, {})


def test_the_state_of_a_region_is_what_its_services_agree_on() -> None:
    up, down, unknown = Verdict.UP, Verdict.DOWN, Verdict.UNKNOWN
    assert region_state([up, up], is_drained=False) == "up"
    assert region_state([up, down], is_drained=False) == "degraded"
    assert region_state([down, down], is_drained=False) == "down"
    assert region_state([unknown], is_drained=False) == "unknown"
    assert region_state([], is_drained=False) == "unknown"
    assert region_state([up], is_drained=True) == "drained"
